package llm

// proxyMember reports whether a member beside model is for a proxy alone: it
// is a parameter of LiteLLM's (all_litellm_params, and what its proxy takes
// from a body) that no provider's API has, or one by which a client would
// name a model, a server or a credential that nobody judged. metadata is
// OpenAI's too, ttl LM Studio's: they stay.
func proxyMember(name []byte) bool {
	if len(name) == 0 || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for _, s := range proxyNames[name[0]-'a'] {
		if equal(name, s) {
			return true
		}
	}
	for _, s := range proxyPrefixes {
		if len(name) > len(s) && name[0] == s[0] && equal(name[:len(s)], s) {
			return true
		}
	}
	return false
}

// proxyPrefixes are what families of such names begin with.
var proxyPrefixes = [...]string{
	"litellm_", "mock_", "langfuse_", "langsmith_", "aws_", "vertex_", "azure_", "gcs_", "arize_", "posthog_", "s3_", "signoz_", "newrelic_",
	"input_cost_per_", "output_cost_per_", "cache_creation_input_", "cache_read_input_", "auto_router_", "complexity_router_",
	"adaptive_router_", "quality_router_", "token_exchange_", "github_copilot_", "anthropic_federation_", "anthropic_identity_",
	"anthropic_issuer_", "anthropic_keycloak_", "openai_identity_",
}

// proxyNames are the others, by their first letter.
var proxyNames = [26][]string{
	0: {
		"api_key", "api_base", "api_version", "api_type", "azure", "acompletion", "allowed_openai_params", "additional_drop_params",
		"allowed_model_region", "aembedding", "atext_completion", "aimg_generation", "assistant_continue_message",
	},
	'b' - 'a': {"base_url", "base_model", "bos_token", "budget_duration", "bedrock_tags"},
	'c' - 'a': {
		"cache", "caching", "caching_groups", "cache_key", "client", "client_id", "client_secret", "complete_response", "cooldown_time",
		"context_window_fallback_dict", "context_window_fallbacks", "content_policy_fallbacks", "custom_llm_provider", "custom_prompt_dict",
		"cost_per_query", "cost_per_second", "configurable_clientside_auth_params", "completion_call_id", "chatgpt_auth_file",
	},
	'd' - 'a': {
		"drop_params", "disable_fallbacks", "default_fallbacks", "deployment_id", "disable_global_guardrails", "disable_global_guardrail",
		"disable_add_transform_inline_image_block", "daily_reset_time",
	},
	'e' - 'a': {
		"extra_headers", "extra_query", "eos_token", "enable_tag_filtering", "ensure_alternating_roles", "enable_json_schema_validation",
		"enable_prompt_caching",
	},
	'f' - 'a': {"fallbacks", "force_timeout", "fastest_response", "final_prompt_value", "fireworks_forward_user_id"},
	'g' - 'a': {"guardrails", "guardrail", "guardrail_config"},
	'h' - 'a': {"headers", "hf_model_name", "humanloop_api_key"},
	'i' - 'a': {"initial_prompt_value", "itpm"},
	'k' - 'a': {"keepalive_seconds"},
	'l' - 'a': {"logger_fn", "log_client_error_tracebacks"},
	'm' - 'a': {
		"max_retries", "max_budget", "max_parallel_requests", "model_list", "model_info", "model_group", "model_alias_map",
		"model_file_id_mapping", "models", "merge_reasoning_content_in_choices", "max_agentic_loops", "max_fallbacks",
	},
	'n' - 'a': {"num_retries", "no-log", "no_log"},
	'o' - 'a': {"order", "organization", "otpm"},
	'p' - 'a': {
		"prompt_id", "prompt_variables", "prompt_version", "prompt_label", "prompt_environment", "preset_cache_key", "policies",
		"proxy_server_request", "provider_specific_header", "provider_affinity_header",
	},
	'r' - 'a': {
		"request_timeout", "retry_policy", "retry_strategy", "routing_strategy", "region_name", "roles", "rpm", "rpd", "route",
		"responses_api_version",
	},
	's' - 'a': {
		"stream_timeout", "stream_response", "stream_chunk_size", "ssl_verify", "ssl_certificate", "specific_deployment", "secret_fields",
		"silent_model", "search_tool_name", "supports_system_message", "shared_session", "self",
	},
	't' - 'a': {
		"timeout", "tags", "tag_regex", "tpm", "tpd", "tenant_id", "text_completion", "turn_off_message_logging",
		"thought_signature_in_tool_call_id", "timeout_by_service_tier",
	},
	'u' - 'a': {"user_config", "use_litellm_proxy", "use_in_pass_through", "use_client", "use_chat_completions_api", "use_xai_oauth", "user_continue_message", "user_api_key_dict"},
	'v' - 'a': {"verbose"},
	'w' - 'a': {"wandb_api_key", "weave_project_id", "weight"},
}
