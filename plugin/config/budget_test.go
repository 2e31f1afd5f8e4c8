package config

import (
	"reflect"
	"strings"
	"testing"

	"fairshare/plugin/period"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

func TestBudgets(t *testing.T) {
	litellm := func(settings string) *Policy {
		return mustParse(t, with(`"litellm_settings": {`+settings+`}`))
	}
	p := litellm(``)
	if p.Proxy != (tenant.Limits{}) || p.EndUser != (tenant.Limits{}) || p.EndUserBudgetID != "" || p.BudgetStatus != 0 || p.OpenMetrics {
		t.Errorf("budgets unset: %+v", p)
	}
	if p.Calendar != (period.Calendar{}) {
		t.Errorf("calendar unset: %+v", p.Calendar)
	}
	p = litellm(`"max_budget": "os.environ/BUDGET", "budget_duration": "monthly", "max_end_user_budget": 0.0001, "max_end_user_budget_id": "guests",
		"budget_exceeded_status_code": "429", "require_auth_for_metrics_endpoint": false`)
	if want := (tenant.Limits{Budget: usd(1e-9), Duration: period.Duration{N: 30, Unit: period.Day}}); p.Proxy != want {
		t.Errorf("Proxy = %+v, want %+v", p.Proxy, want)
	}
	if want := (tenant.Limits{Budget: usd(1e-4)}); p.EndUser != want || p.EndUserBudgetID != "guests" {
		t.Errorf("EndUser = %+v and %q, want %+v and guests", p.EndUser, p.EndUserBudgetID, want)
	}
	if p.BudgetStatus != 429 || !p.OpenMetrics {
		t.Errorf("BudgetStatus = %d, OpenMetrics = %v, want 429 and true", p.BudgetStatus, p.OpenMetrics)
	}
	for setting, want := range map[string]quota.Cap{"null": {}, "0": limit(0), "9e6": limit(9_000_000_000_000_000_000), `" 3.5e-06 "`: limit(3_500_000)} {
		if p := litellm(`"max_budget": ` + setting); p.Proxy.Budget != want || p.Proxy.Duration != (period.Duration{}) {
			t.Errorf("max_budget: %s is %+v, want %+v and no duration", setting, p.Proxy, want)
		}
	}
	for status, want := range map[string]int{"400": 400, "499": 499} {
		if p := litellm(`"budget_exceeded_status_code": ` + status); p.BudgetStatus != want {
			t.Errorf("BudgetStatus = %d, want %d", p.BudgetStatus, want)
		}
	}
	if litellm(`"require_auth_for_metrics_endpoint": true`).OpenMetrics || litellm(`"require_auth_for_metrics_endpoint": null`).OpenMetrics {
		t.Error("metrics are open though nobody said so")
	}
}

func TestCalendar(t *testing.T) {
	for setting, want := range map[string]int{
		`""`: 0, `null`: 0, `"00:00"`: 0, `"0:00"`: 0, `"08:30"`: 510, `"8:5"`: 485, `"23:59"`: 1439, `"12:00:00"`: 720, `"00:30:00"`: 30, `"12:00"`: 720,
	} {
		if p := mustParse(t, with(`"litellm_settings": {"budget_reset_time": `+setting+`}`)); p.Calendar.ResetMinute != want {
			t.Errorf("budget_reset_time: %s is minute %d, want %d", setting, p.Calendar.ResetMinute, want)
		}
	}
	berlin, ok := period.Zone("Europe/Berlin")
	if !ok {
		t.Fatal("no Europe/Berlin")
	}
	p := mustParse(t, with(`"litellm_settings": {"timezone": "Europe/Berlin", "budget_reset_time": "01:00"}`))
	if want := (period.Calendar{Zone: berlin, ResetMinute: 60}); !reflect.DeepEqual(p.Calendar, want) {
		t.Errorf("Calendar = %+v, want %+v", p.Calendar, want)
	}
}

func TestEndUser(t *testing.T) {
	const noRole = "general_settings.user_header_mappings[0].litellm_user_role: is not enforced yet: only a customer's header is read"
	for _, c := range []struct {
		settings string
		headers  []string
		warnings []string
	}{
		{``, nil, nil},
		{`"user_header_name": null, "user_header_mappings": null`, nil, nil},
		{`"user_header_name": "X-User-ID"`, []string{"x-user-id"}, nil},
		{`"user_header_mappings": []`, nil, nil},
		{`"user_header_mappings": {"header_name": "X-A", "litellm_user_role": "Customer"}`, []string{"x-a"}, nil},
		{
			`"user_header_mappings": [{"header_name": "X-B", "litellm_user_role": "customer"}, {"header_name": "X-A", "litellm_user_role": "customer"},
				{"header_name": "x-b", "litellm_user_role": "customer"}]`,
			[]string{"x-b", "x-a"},
			nil,
		},
		{`"user_header_mappings": [{"header_name": "X-A", "litellm_user_role": "internal_user"}]`, nil, []string{noRole}},
		{`"user_header_mappings": [{"header_name": "X-A", "litellm_user_role": "internal_user"}], "user_header_name": "X-B"`, []string{"x-b"}, []string{noRole}},
		{
			`"user_header_mappings": [{"header_name": "X-A", "litellm_user_role": "customer"}], "user_header_name": "X-B"`,
			[]string{"x-a"},
			[]string{"general_settings.user_header_name: is ignored, as user_header_mappings names a customer's header"},
		},
	} {
		p := mustParse(t, with(`"general_settings": {`+c.settings+`}`))
		if !reflect.DeepEqual(p.UserHeaders, c.headers) {
			t.Errorf("%s: UserHeaders = %q, want %q", c.settings, p.UserHeaders, c.headers)
		}
		var warnings []string
		for _, w := range p.Warnings {
			if strings.HasPrefix(w, "general_settings.user") {
				warnings = append(warnings, w)
			}
		}
		if !reflect.DeepEqual(warnings, c.warnings) {
			t.Errorf("%s: Warnings = %q, want %q", c.settings, warnings, c.warnings)
		}
		if p.EnforceUser || p.UserBudgetOnTeamKeys || p.SlidingWindow {
			t.Errorf("%s: %+v", c.settings, p)
		}
	}
	p := mustParse(t, with(`"general_settings": {"enforce_user_param": true}, "fairshare_settings": {"window": "fixed"}`))
	if !p.EnforceUser || p.UserBudgetOnTeamKeys || p.SlidingWindow {
		t.Errorf("enforce_user_param: %+v", p)
	}
	p = mustParse(t, with(`"general_settings": {"apply_user_budget_to_team_keys": true}, "fairshare_settings": {"window": "sliding"}`))
	if p.EnforceUser || !p.UserBudgetOnTeamKeys || !p.SlidingWindow {
		t.Errorf("apply_user_budget_to_team_keys: %+v", p)
	}
}
