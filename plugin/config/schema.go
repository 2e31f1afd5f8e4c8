package config

// A Field documents one setting that Parse reads, or several that mean the same.
type Field struct {
	// Path leads to it; [] stands for any item of a list, * for any name or part of
	// one, {a,b} for either.
	Path    string
	Type    string
	Default string // empty if the setting must be there
	Meaning string // one sentence
}

// Fields are all settings that Parse reads, as README shows them. Below
// fairshare_settings and in what declares keys, users, teams, customers and budgets they
// are also the only ones allowed. Nothing of a filter that runs refers to them, so the
// wasm file does not have them.
var Fields = []Field{
	{"model_list[].model_name", "text", "", "What callers ask for; entries with one name are one model group, whose limits add up."},
	{"model_list[].litellm_params.model", "text", "", "The provider's model, as in `openai/gpt-4o`; the prefix before `/` is the provider, `openai` if there is none."},
	{"model_list[].litellm_params.custom_llm_provider", "text", "the model's prefix", "The provider's name, for models whose own name has a `/`."},
	{"model_list[].litellm_params.api_base", "URL", "the provider's own", "Where the upstream is; the request goes to this and `/chat/completions`, with `/v1` between if the URL has no path, and `/openai/v1` for `azure`."},
	{"model_list[].litellm_params.api_key", "text", "the provider's own variable, for its own api_base", "The upstream's credential, best as `os.environ/NAME`; an unset variable is a warning, and calls then answer an error."},
	{"model_list[].litellm_params.mock_response", "text", "none", "An answer to give in place of calling the upstream (30 tokens)."},
	{"model_list[].litellm_params.tpm", "whole number", "no limit", "Tokens a minute, 0 to 1e12; enforced only if a limiter is named in `callbacks`."},
	{"model_list[].litellm_params.rpm", "whole number", "no limit", "Requests a minute, 0 to 1e12; enforced only if a limiter is named in `callbacks`."},
	{"model_list[].litellm_params.weight", "number", "rpm, then tpm, then 1", "This deployment's part of its group's requests; the first deployment's choice of unit is the group's."},
	{"model_list[].tpm", "whole number", "litellm_params.tpm", "Tokens a minute, in another place."},
	{"model_list[].rpm", "whole number", "litellm_params.rpm", "Requests a minute, in another place."},
	{"model_list[].model_info.tpm", "whole number", "no limit", "Tokens a minute, if neither of the other places says."},
	{"model_list[].model_info.rpm", "whole number", "no limit", "Requests a minute, if neither of the other places says."},
	{"model_list[].model_info.access_groups", "list of texts", "none", "Names by which a key may be granted this model among others."},
	{"model_list[].model_info.enforce", "true, false or object", "true", "Whether the model's limits refuse anybody, or only say whom they would refuse; both, or of `{rpm: …, tpm: …}` each."},
	{"model_list[].model_info.stream_options", "true or false", "`fairshare_settings.stream_options`", "Whether this upstream is asked for a stream's usage."},
	{"model_list[].{litellm_params,model_info}.base_model", "text", "litellm_params.model", "The name by which the built-in table of prices has the model."},
	{"model_list[].{litellm_params,model_info}.{input,output}_cost_per_token", "number", "the table's", "US dollars for a token of input or output, 0 to 1; with both of these, nothing of the table's counts."},
	{"model_list[].{litellm_params,model_info}.cache_{read,creation}_input_token_cost", "number", "the table's, then the input's", "US dollars for an input token read from or written to the provider's cache."},
	{"model_list[].{litellm_params,model_info}.output_cost_per_reasoning_token", "number", "the table's, then the output's", "US dollars for a token of reasoning."},
	{"model_list[].{litellm_params,model_info}.{input,output}_cost_per_audio_token", "number", "the table's, then the input's or output's", "US dollars for a token of sound."},
	{"model_list[].{litellm_params,model_info}.*_above_*k_tokens", "number", "the table's", "The same prices for requests with more input than so many thousand tokens."},
	{"litellm_settings.callbacks", "text or list of texts", "none", "`dynamic_rate_limiter` shares each model among the keys active in the minute, `dynamic_rate_limiter_v3` among priorities; others are ignored."},
	{"litellm_settings.priority_reservation.*", "fraction or object", "none", "What a priority reserves of each model, 0 to 1."},
	{"litellm_settings.priority_reservation.*.type", "percent, rpm or tpm", "percent", "The unit of `value`: a fraction, requests a minute or tokens a minute."},
	{"litellm_settings.priority_reservation.*.value", "number", "1", "How much the priority reserves, in units of `type`."},
	{"litellm_settings.priority_reservation_settings.default_priority", "fraction", "0.25, at most what is over", "What is reserved for callers without a declared priority (`dynamic_rate_limiter_v3`). Where nothing is, as beside reservations of all of a model, they take what the others can't use any more in the minute."},
	{"litellm_settings.priority_reservation_settings.saturation_threshold", "fraction", "none", "How much of a model must be in use before reservations hold; below it anyone takes idle capacity at once, so that what is reserved may be gone when it is asked for."},
	{"litellm_settings.priority_reservation_settings.saturation_check_cache_ttl", "whole number", "60", "For how many seconds a measured saturation may be used again."},
	{"litellm_settings.max_budget", "number", "no limit", "US dollars that all requests together may cost, 0 to 9e6; 0 lets nothing through."},
	{"litellm_settings.budget_duration", "duration", "never reset", "After how long the proxy's budget begins anew, as in `30s`, `24h`, `7d` or `1mo`."},
	{"litellm_settings.max_end_user_budget", "number", "no limit", "US dollars for each end user that has no budget of its own, never reset."},
	{"litellm_settings.max_end_user_budget_id", "text", "none", "The budget, of `budgets` or `/budget/new`, for each end user that has none of its own."},
	{"litellm_settings.timezone", "IANA name", "UTC", "The time zone in which budgets' days, weeks and months begin."},
	{"litellm_settings.budget_reset_time", "HH:MM", "00:00", "The time of day at which they begin."},
	{"litellm_settings.budget_exceeded_status_code", "whole number", "400 (422 with `error_format: litellm`)", "The HTTP status of a refusal by a budget, 400 to 499."},
	{"litellm_settings.require_auth_for_metrics_endpoint", "true or false", "true", "Whether `/metrics` needs a key."},
	{"general_settings.master_key", "text", "variable LITELLM_MASTER_KEY", "The key that opens the management routes, best as `os.environ/NAME`; without one they stay closed."},
	{"general_settings.apply_user_budget_to_team_keys", "true or false", "false", "Whether a user's budget also holds for those of the user's keys that belong to a team."},
	{"general_settings.enforce_user_param", "true or false", "false", "Whether a request without an end user is refused."},
	{"general_settings.token_rate_limit_type", "total, input or output", "total", "Which tokens count for limits of tokens a minute, the models' and everybody's."},
	{"general_settings.user_header_mappings[].header_name", "text", "", "A header that names the end user; the first of these that a request has counts."},
	{"general_settings.user_header_mappings[].litellm_user_role", "customer or internal_user", "", "Whom the header names; only a customer's is read."},
	{"general_settings.user_header_name", "text", "none", "The header that names the end user, if no mapping says one."},
	{"virtual_keys[].key", "os.environ/NAME", "key_sha256", "A caller's key, from the environment only; this list and the next four may also be below `general_settings`."},
	{"virtual_keys[].key_sha256", "64 hex digits", "key", "The SHA-256 of a caller's key, in place of the key."},
	{"virtual_keys[].key_alias", "text", "none", "A name for the key, its own."},
	{"virtual_keys[].user_id", "text", "none", "The user that the key belongs to."},
	{"virtual_keys[].team_id", "text", "none", "The team that the key belongs to."},
	{"virtual_keys[].expires", "RFC 3339", "never", "The moment from which the key is refused."},
	{"virtual_keys[].temp_budget_increase", "number", "none", "US dollars more than `max_budget`, until `temp_budget_expiry`."},
	{"virtual_keys[].temp_budget_expiry", "RFC 3339", "none", "The end of `temp_budget_increase`."},
	{"virtual_keys[].{rpm,tpm}_limit_type", "text", "best_effort_throughput", "LiteLLM's choice of how a key's limits and its models' go together; there is only this one."},
	{"users[].user_id", "text", "", "Whom keys belong to."},
	{"users[].user_alias", "text", "none", "A name for the user."},
	{"users[].user_email", "text", "none", "The user's address."},
	{"users[].user_role", "text", "none", "LiteLLM's name of what the user is, such as `internal_user`; it opens no routes here."},
	{"teams[].team_id", "text", "", "What keys and users belong to."},
	{"teams[].team_alias", "text", "none", "A name for the team."},
	{"teams[].members[].user_id", "text", "", "A user who is a member of the team."},
	{"teams[].members[].role", "user or admin", "none", "What the member is in the team; it opens no routes here."},
	{"teams[].members[].max_budget_in_team", "number", "team_member_budget", "US dollars that the member may spend with the team's keys, 0 to 9e6."},
	{"teams[].members[].allowed_models", "list of texts", "the team's", "Which of the team's models the member may ask for."},
	{"teams[].team_member_budget", "number", "no limit", "US dollars for each member that has no budget of its own, 0 to 9e6."},
	{"teams[].team_member_budget_duration", "duration", "never reset", "After how long that budget begins anew."},
	{"teams[].team_member_{rpm,tpm}_limit", "whole number", "no limit", "Requests and tokens a minute for each member that has no such limit of its own, 0 to 1e12."},
	{"customers[].user_id", "text", "", "An end user, by the name that requests give."},
	{"customers[].alias", "text", "none", "A name for the end user."},
	{"budgets[].budget_id", "text", "", "The name of limits that others refer to."},
	{"{virtual_keys,customers}[].budget_id", "text", "none", "The entry of `budgets` that fills in limits that are not here."},
	{"{virtual_keys,users,teams,customers}[].models", "list of texts", "every model", "Models, access groups, wildcards such as `openai/*`, `all-team-models`, `all-proxy-models` or `no-default-models`."},
	{"virtual_keys[].aliases", "object", "none", "Names of models that stand for others: what is asked for, and the model."},
	{"teams[].model_aliases", "object", "none", "The same for a team's keys."},
	{"{virtual_keys,users,teams,customers,budgets}[].max_budget", "number", "no limit", "US dollars that may be spent in `budget_duration`, 0 to 9e6; 0 lets nothing through."},
	{"{virtual_keys,users,teams,budgets}[].soft_budget", "number", "none", "US dollars from which on answers carry a warning; it refuses nothing."},
	{"{virtual_keys,users,teams,teams[].members,customers,budgets}[].budget_duration", "duration", "never reset", "After how long a budget begins anew, as in `30s`, `24h`, `7d` or `1mo`."},
	{"{virtual_keys,users,teams,teams[].members,customers,budgets}[].{rpm,tpm}_limit", "whole number", "no limit", "Requests and tokens a minute, 0 to 1e12."},
	{"{virtual_keys,users,teams,teams[].members,customers,budgets}[].max_parallel_requests", "whole number", "no limit", "Requests at once, 0 to 1e12."},
	{"{virtual_keys,users,teams}[].model_{rpm,tpm}_limit", "object", "none", "Models, and the requests or tokens a minute of each; also in `metadata`."},
	{"{virtual_keys,users,teams}[].model_max_budget", "object", "none", "Models, and of each `budget_limit` in US dollars, `time_period`, `tpm_limit` and `rpm_limit`."},
	{"{virtual_keys,users,teams,teams[].members,customers,budgets}[].enforce", "true, false or object", "true", "Whether these limits refuse anybody; all, or each by its name as in `fairshare_settings.enforce`."},
	{"{virtual_keys,users,teams,customers}[].metadata", "object", "none", "Anything; it is kept and shown."},
	{"{virtual_keys,users,teams,customers}[].metadata.priority", "text", "none", "The member of `priority_reservation`."},
	{"{virtual_keys,teams}[].tags", "list of texts", "none", "The same as `metadata.tags`."},
	{"{virtual_keys,teams,customers}[].blocked", "true or false", "false", "Whether requests are refused."},
	{"fairshare_settings.error_format", "auto, documents or litellm", "auto", "The shape of errors: `documents` is as LiteLLM's documents print them, `litellm` as LiteLLM 1.106 sends them, and `auto` as the documents, but with plain messages for clients that show no others."},
	{"fairshare_settings.limit_headers", "all, openai, litellm or none", "all", "Whose headers tell what is left of limits: OpenAI's six, or those of LiteLLM's limiters and what the key spent. Each that is left out saves half a microsecond."},
	{"fairshare_settings.max_body_bytes", "whole number", "8388608", "The largest request body accepted, 1024 to 67108864 bytes; the proxy's own buffer must hold it, and a worker's VM holds it twice."},
	{"fairshare_settings.max_bodies", "whole number", "1024", "How many request bodies a worker waits for at a time, 1 to 65536; what comes above is refused with 503."},
	{"fairshare_settings.max_bodies_per_key", "whole number", "64", "How many of them may be one key's; above that 429."},
	{"fairshare_settings.max_body_memory", "whole number", "268435456", "How many bytes of bodies that are not complete yet a worker lets the proxy hold, 1048576 to 4294967296; a quarter of them, and at least one body, may be one key's."},
	{"fairshare_settings.host", "auto, envoy, istio, kong or apisix", "auto", "The proxy that the plugin runs in."},
	{"fairshare_settings.pass_through_paths", "list of paths", "none", "Paths let through without limits, besides LLM and management routes; `/*` at the end means all below."},
	{"fairshare_settings.cors_origins", "list of origins", "`*`", "Origins, as `https://page.example`, whose pages may ask and read answers; none, `[]`, leaves that to the proxy, as a stricter policy of its own needs."},
	{"fairshare_settings.forward_headers", "list of names", "none", "Headers of requests that go upstream besides what upstreams need; `*` at the end, as in `x-team-*`, means all that begin so. Credentials never do."},
	{"fairshare_settings.stream_options.*", "true or false", "true, false for `mistral` and `nvidia_nim`", "Whether a provider's upstreams are asked for a stream's usage by `stream_options`; without it usage is what they tell by themselves, or an estimate, and a client's own are left out."},
	{"fairshare_settings.unpriced_models", "refuse, zero or object", "refuse", "Requests to a model without a price: refused where a budget would have to pay, served free, or charged a price. Models of `hosted_vllm`, `llamafile`, `lm_studio` and `ollama` cost nothing, unless this is a price."},
	{"fairshare_settings.unpriced_models.{input,output}", "number", "", "That price, in US dollars per token, 0 to 1."},
	{"fairshare_settings.enforce", "true, false or object", "true", "Whether limits refuse anybody, or only say whom they would refuse; all of them, or of `{max_budget: …, max_parallel_requests: …, rpm_limit: …, tpm_limit: …}` all of a kind."},
	{"fairshare_settings.grace_seconds", "whole number", "10", "How much of its reservation, 0 to 60 seconds, is at most kept for a priority beyond what its rate needs, as requests that come at random may come thicker (`dynamic_rate_limiter_v3`)."},
	{"fairshare_settings.window", "fixed or sliding", "fixed", "Whether limits a minute count clock minutes or any 60 seconds."},
	{"fairshare_settings.client_retries", "true or false", "false", "Whether clients that retry on their own may do so after a refusal."},
}

// sectionsRead are the top-level members that are known: those in Fields, and two whose
// every setting is about what the proxy around Fairshare does.
var sectionsRead = []string{
	"budgets", "customers", "environment_variables", "fairshare_settings", "general_settings", "litellm_settings",
	"model_list", "router_settings", "teams", "users", "virtual_keys",
}

// fairshareSettings are the members of fairshare_settings, and unpricedMembers those of
// its unpriced_models.
const (
	fairshareSettings = "client_retries cors_origins enforce error_format forward_headers grace_seconds host limit_headers max_bodies max_bodies_per_key max_body_bytes max_body_memory pass_through_paths stream_options unpriced_models window"
	unpricedMembers   = "input output"
)

// unenforced are LiteLLM's settings that refuse or rename something there and do nothing
// here, as section.name: whoever has them should know.
var unenforced = []string{
	"general_settings.global_max_parallel_requests",
	"general_settings.max_parallel_requests",
	"litellm_settings.budget_rollover",
	"litellm_settings.default_internal_user_params",
	"litellm_settings.default_key_generate_params",
	"litellm_settings.default_team_params",
	"litellm_settings.max_internal_user_budget",
	"litellm_settings.model_alias_map",
	"litellm_settings.upperbound_key_generate_params",
	"router_settings.fallbacks",
	"router_settings.model_group_alias",
	"router_settings.provider_budget_config",
}

// Table gives Fields as a Markdown table, for README.
func Table() string {
	s := "| setting | type | default | meaning |\n|---|---|---|---|\n"
	for _, f := range Fields {
		value := f.Default
		if value == "" {
			value = "required"
		}
		s += "| `" + f.Path + "` | " + f.Type + " | " + value + " | " + f.Meaning + " |\n"
	}
	return s
}
