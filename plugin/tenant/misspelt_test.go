package tenant

import (
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
