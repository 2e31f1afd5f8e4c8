package tenant

import (
	"strings"
	"testing"

	"fairshare/plugin/document"
)

func TestNamesThatAreNearlyLimits(t *testing.T) {
	for name, meant := range map[string]string{
		"Max_Budget": "max_budget", "maxBudget": "max_budget", "max-budget": "max_budget", "MAX_BUDGET": "max_budget",
		"max_budgets": "max_budget", "max_budge": "max_budget", "mx_budget": "max_budget", "max_bugdet": "max_budget",
		"rpmLimit": "rpm_limit", "rpm_limits": "rpm_limit", "tpmLimit": "tpm_limit", "tmp_limit": "tpm_limit",
		"max_paralel_requests": "max_parallel_requests", "maxParallelRequests": "max_parallel_requests",
		"budgetDuration": "budget_duration", "budget_durations": "budget_duration", "softBudget": "soft_budget",
		"model_max_budgets": "model_max_budget", "Blocked": "blocked", "Models": "models", "Duration": "duration",
		"guardrail": "guardrails", "allowedRoutes": "allowed_routes",
		"metadata": "", "spend": "", "tags": "", "model": "", "send_invite_email": "", "key_type": "", "unknown": "", "limit": "",
		"description": "", "owner": "", "organization": "organization_id", "notes": "", "rpm_limit": "", "model_rpm_limit": "", "auto_create_key": "",
	} {
		tree, err := document.ReadJSON(`{"` + name + `": 1}`)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		r := fieldReader{s: &Subject{Kind: Key}, tree: tree}
		if r.misspelt("", 0); r.err != nil {
			got = r.err.Want
		}
		if want := meant + ", if that is meant: no field has this name"; meant == "" && got != "" || meant != "" && got != want {
			t.Errorf("%s: %q, want %q", name, got, meant)
		}
	}
}

// Whatever LiteLLM takes from metadata is obeyed or refused: its lists of such fields
// (proxy/_types.py of 1.110, LiteLLM_ManagementEndpoint_MetadataFields and its premium
// ones), and the limits that belong beside it.
func TestLimitsInMetadata(t *testing.T) {
	for name, want := range map[string]string{
		"model_itpm_limit": `{"m":1}`, "model_otpm_limit": `{"m":1}`, "mcp_rpm_limit": `{"m":1}`, "tag_rpm_limit": `{"m":1}`, "enforced_params": `["user"]`,
		"temp_budget_increase": `1`, "temp_budget_expiry": `"1d"`, "allowed_vector_store_indexes": `["x"]`, "throttle_on_budget_exceeded": `true`,
		"enforced_batch_output_expires_after": `{"seconds":1}`, "enforced_file_expires_after": `{"seconds":1}`, "end_user_budget_id": `"b"`, "require_trace_id": `true`,
		"guardrails": `["x"]`, "policies": `["x"]`, "team_member_key_duration": `"1d"`, "prompts": `["x"]`, "allowed_passthrough_routes": `["/x"]`, "denied_passthrough_routes": `["/x"]`,
		"team_member_budget_id": `"b"`, "rpm_limit_type": `"dynamic"`, "tpm_limit_type": `"guaranteed_throughput"`,
		"max_budget": `0`, "soft_budget": `"5"`, "budget_duration": `"1d"`, "max_parallel_requests": `1`, "tpm_limit": `1`, "rpm_limit": `"1"`, "Max_Budget": `1`, "rpmLimit": `1`,
		"max_budgt": `1`, "tpm-limit": `1`, "maxParallelRequests": `1`, "model_max_budget": `{"m":1}`, "max_budget_in_team": `1`,
		// Those that limit nothing, or hold here.
		"model_rpm_limit": "", "model_tpm_limit": "", "tags": "", "logging": "", "secret_manager_settings": "", "disable_global_guardrails": "", "default_estimated_output_tokens": "",
		"enable_prompt_caching": "", "soft_budget_alerting_emails": "", "budget": "", "limit": "", "models": "", "owner": "",
	} {
		value := want
		if want == "" {
			value = `{}`
		}
		for kind := range NumKinds {
			if kind.field("metadata") == noField || want == "" && kind == Customer {
				continue
			}
			s := Subject{Kind: kind}
			err := apply(t, &s, `{"metadata": {"`+name+`": `+value+`}}`, true)
			if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Path, "metadata")) {
				t.Errorf("kind %d, metadata.%s: %s: %v", kind, name, value, err)
			}
			if want != "" {
				s = Subject{Kind: kind}
				if err := apply(t, &s, `{"metadata": {"`+name+`": null}}`, true); err != nil {
					t.Errorf("kind %d, metadata.%s: null: %v", kind, name, err)
				}
			}
		}
	}
}
