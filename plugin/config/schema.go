package config

import (
	"slices"
	"strings"
)

// A Field documents one setting that Parse reads.
type Field struct {
	// Path leads to it; [] stands for any item of a list, * for any name.
	Path    string
	Type    string
	Default string // empty if the setting must be there
	Meaning string // one sentence
}

// Fields are all settings that Parse reads, as README shows them. Below
// fairshare_settings and virtual_keys they are also the only ones allowed.
var Fields = []Field{
	{"model_list[].model_name", "text", "", "What callers ask for; entries with one name are one model group, whose limits add up."},
	{"model_list[].litellm_params.model", "text", "", "The provider's model, as in `openai/gpt-4o`; the prefix before `/` is the provider, `openai` if there is none."},
	{"model_list[].litellm_params.custom_llm_provider", "text", "the model's prefix", "The provider's name, for models whose own name has a `/`."},
	{"model_list[].litellm_params.api_base", "URL", "the provider's own", "Where the upstream is; the request goes to this and `/chat/completions`, with `/v1` between if the URL has no path."},
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
	{"litellm_settings.callbacks", "text or list of texts", "none", "`dynamic_rate_limiter` shares each model among the keys active in the minute, `dynamic_rate_limiter_v3` among priorities; others are ignored."},
	{"litellm_settings.priority_reservation.*", "fraction or object", "none", "What a priority reserves of each model, 0 to 1."},
	{"litellm_settings.priority_reservation.*.type", "percent, rpm or tpm", "percent", "The unit of `value`: a fraction, requests a minute or tokens a minute."},
	{"litellm_settings.priority_reservation.*.value", "number", "1", "How much the priority reserves, in units of `type`."},
	{"litellm_settings.priority_reservation_settings.default_priority", "fraction", "0.25", "What callers without a priority share (`dynamic_rate_limiter_v3`)."},
	{"litellm_settings.priority_reservation_settings.saturation_threshold", "fraction", "0.5", "How much of a model must be in use before reservations hold; below it anyone takes idle capacity at once."},
	{"litellm_settings.priority_reservation_settings.saturation_check_cache_ttl", "whole number", "60", "For how many seconds a measured saturation may be used again."},
	{"general_settings.master_key", "text", "variable LITELLM_MASTER_KEY", "The key that opens the management routes, best as `os.environ/NAME`; without one they stay closed."},
	{"virtual_keys[].key", "os.environ/NAME", "key_sha256", "A caller's key, from the environment only; the list may also be below `general_settings`."},
	{"virtual_keys[].key_sha256", "64 hex digits", "key", "The SHA-256 of a caller's key, in place of the key."},
	{"virtual_keys[].key_alias", "text", "none", "A name for the key, its own."},
	{"virtual_keys[].user_id", "text", "none", "The user that the key belongs to."},
	{"virtual_keys[].team_id", "text", "none", "The team that the key belongs to."},
	{"virtual_keys[].models", "list of texts", "every model", "The models, access groups or wildcards that the key may ask for."},
	{"virtual_keys[].metadata.priority", "text", "none", "The key's member of `priority_reservation`."},
	{"virtual_keys[].blocked", "true or false", "false", "Whether the key is refused."},
	{"virtual_keys[].expires", "RFC 3339", "never", "The moment from which the key is refused."},
	{"fairshare_settings.error_format", "documents or litellm", "documents", "The shape of errors: as LiteLLM's documents print them, or as LiteLLM 1.106 sends them."},
	{"fairshare_settings.max_body_bytes", "whole number", "8388608", "The largest request body accepted, 1024 to 1073741824 bytes; the proxy's own buffer must hold it."},
	{"fairshare_settings.host", "auto, envoy, istio, kong or apisix", "auto", "The proxy that the plugin runs in."},
	{"fairshare_settings.pass_through_paths", "list of paths", "none", "Paths let through without limits, besides LLM and management routes; `/*` at the end means all below."},
	{"fairshare_settings.client_retries", "true or false", "false", "Whether clients that retry on their own may do so after a refusal."},
}

// sectionsRead are the top-level members that are known: those in Fields, and two whose
// every setting is about what the proxy around Fairshare does.
var sectionsRead = []string{
	"environment_variables", "fairshare_settings", "general_settings", "litellm_settings", "model_list",
	"router_settings", "virtual_keys",
}

// unenforced are LiteLLM's settings that refuse or rename something there and do nothing
// here, as section.name: whoever has them should know.
var unenforced = []string{
	"general_settings.global_max_parallel_requests",
	"general_settings.max_parallel_requests",
	"litellm_settings.max_budget",
	"litellm_settings.max_end_user_budget_id",
	"litellm_settings.max_internal_user_budget",
	"litellm_settings.model_alias_map",
	"router_settings.fallbacks",
	"router_settings.model_group_alias",
}

// below gives the names of a section's own members, sorted: for "virtual_keys[]" among
// others metadata, of virtual_keys[].metadata.priority.
func below(section string) []string {
	var names []string
	for _, f := range Fields {
		if name, ok := strings.CutPrefix(f.Path, section+"."); ok {
			name, _, _ = strings.Cut(name, ".")
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
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
