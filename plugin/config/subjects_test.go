package config

import (
	"reflect"
	"strings"
	"testing"

	"fairshare/plugin/period"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

func limit(n int64) quota.Cap { return quota.Cap{Limited: true, Max: n} }

func usd(dollars float64) quota.Cap { return limit(int64(unit.Dollars(dollars))) }

// declaredKey is the subject of a key that says nothing of itself.
func declaredKey(secret string) tenant.Subject {
	hash := tenant.Hash(secret)
	s := *tenant.NewKey(&hash)
	s.Declared = true
	return s
}

func TestSubjects(t *testing.T) {
	const rolls = `
		"virtual_keys": [
			{"key": "os.environ/ALICE_KEY", "key_alias": "alice", "user_id": "u", "team_id": "os.environ/TEAM", "budget_id": "b", "models": ["m"],
			 "aliases": {"gpt": "m"}, "max_budget": "1e-9", "soft_budget": 0, "budget_duration": "1mo", "tpm_limit": "60", "rpm_limit": 6e1,
			 "max_parallel_requests": "os.environ/TPM", "model_max_budget": {"m": {"budget_limit": "0.5", "time_period": "7d", "rpm_limit": "os.environ/TPM"}},
			 "model_tpm_limit": {"m": "os.environ/TPM"}, "temp_budget_increase": "os.environ/BUDGET", "temp_budget_expiry": "2026-12-31T23:59:59Z",
			 "metadata": {"priority": "prod", "b": {"y": "os.environ/TEAM", "x": "60"}, "a": [1.5, null]}, "expires": "2026-12-31T23:59:59+01:00"},
			{"key_sha256": "BOB", "blocked": true}],
		"users": [{"user_id": "u", "user_alias": "U", "user_email": "u@example.com", "user_role": "internal_user", "max_budget": 0, "tpm_limit": 20}, {"user_id": "v"}],
		"teams": [
			{"team_id": "secret-team", "team_alias": "QA Prod Bot", "max_budget": 0.000000001, "budget_duration": "1d", "team_member_budget": "2",
			 "members": [{"user_id": "u", "role": "admin", "max_budget_in_team": "os.environ/BUDGET", "allowed_models": ["m"]}, {"user_id": "v"}]},
			{"team_id": "u", "model_aliases": {"x": "m"}, "members": null}],
		"customers": [{"user_id": "u", "alias": "C", "budget_id": "b", "blocked": true}],
		"budgets": [{"budget_id": "b", "max_budget": 1, "rpm_limit": 4}]`
	bob := tenant.Hash("sk-bob")
	text := strings.ReplaceAll(rolls, "BOB", strings.ToUpper(tenant.Token(&bob)))

	alice, blocked := declaredKey("sk-alice"), declaredKey("sk-bob")
	blocked.Blocked = true
	alice.Alias, alice.UserID, alice.TeamID, alice.BudgetID = "alice", "u", "secret-team", "b"
	alice.Models, alice.Aliases, alice.Priority = []string{"m"}, [][2]string{{"gpt", "m"}}, "prod"
	alice.Limits = tenant.Limits{
		Budget: usd(1e-9), Soft: limit(0), Duration: period.Duration{N: 1, Unit: period.Month},
		TPM: limit(60), RPM: limit(60), Parallel: limit(60),
	}
	alice.PerModel = []tenant.ModelLimits{{Model: "m", Limits: tenant.Limits{
		Budget: usd(0.5), Duration: period.Duration{N: 7, Unit: period.Day}, RPM: limit(60), TPM: limit(60),
	}}}
	alice.Metadata = `{"a":[1.5,null],"b":{"x":"60","y":"os.environ/TEAM"},"priority":"prod"}` // in the order of the names
	alice.TempIncrease, alice.TempExpiry = unit.Dollars(1e-9), 1798761599000
	alice.Expires = 1798757999000
	want := []*tenant.Subject{
		&alice,
		&blocked,
		{Kind: tenant.User, ID: "u", Alias: "U", Email: "u@example.com", Role: "internal_user", Limits: tenant.Limits{Budget: limit(0), TPM: limit(20)}, Declared: true},
		{Kind: tenant.User, ID: "v", Declared: true},
		{
			Kind: tenant.Team, ID: "secret-team", Alias: "QA Prod Bot", Declared: true,
			Limits:  tenant.Limits{Budget: limit(1000), Duration: period.Duration{N: 1, Unit: period.Day}},
			Members: tenant.Limits{Budget: usd(2)},
		},
		{
			Kind: tenant.Member, ID: tenant.MemberID("secret-team", "u"), UserID: "u", TeamID: "secret-team", Role: "admin", Models: []string{"m"},
			Limits: tenant.Limits{Budget: usd(1e-9)}, Declared: true,
		},
		{Kind: tenant.Member, ID: tenant.MemberID("secret-team", "v"), UserID: "v", TeamID: "secret-team", Declared: true},
		{Kind: tenant.Team, ID: "u", Aliases: [][2]string{{"x", "m"}}, Declared: true},
		{Kind: tenant.Customer, ID: "u", Alias: "C", BudgetID: "b", Blocked: true, Declared: true},
		{Kind: tenant.Budget, ID: "b", Limits: tenant.Limits{Budget: usd(1), RPM: limit(4)}, Declared: true},
	}
	for _, config := range []string{
		with(`"litellm_settings": {"callbacks": "dynamic_rate_limiter", "priority_reservation": {"prod": 1}}, ` + text),
		with(`"litellm_settings": {"callbacks": "dynamic_rate_limiter", "priority_reservation": {"prod": 1}}, "general_settings": {` + text + `}`),
	} {
		p := mustParse(t, config)
		if len(p.Subjects) != len(want) {
			t.Fatalf("%d subjects, want %d", len(p.Subjects), len(want))
		}
		for i, s := range p.Subjects {
			if !reflect.DeepEqual(s, want[i]) {
				t.Errorf("subject %d:\n got %+v\nwant %+v", i, s, want[i])
			}
		}
		if len(p.Warnings) != 1 { // of the management routes
			t.Errorf("Warnings = %q", p.Warnings)
		}
	}
	if p := mustParse(t, withParams("")); p.Subjects != nil {
		t.Errorf("without declarations: %+v", p.Subjects)
	}
}

// printf %s sk-alice | sha256sum
func TestKeysAreKnownByTheirHash(t *testing.T) {
	const alice = "099295a3784e1bd368dc348843a7398c1931b6b8ec2504c73e91ed2040bdc46c"
	p := mustParse(t, with(`"virtual_keys": [{"key": "os.environ/ALICE_KEY"}]`))
	if s := p.Subjects[0]; s.ID != alice || s.Hash != tenant.Hash("sk-alice") || s.Line != quota.KeyID(&s.Hash) {
		t.Errorf("%+v, want the key %s", s, alice)
	}
}

func TestWarningsOfSubjects(t *testing.T) {
	const undeclared = ": is not declared here: it limits nothing until the management API makes it"
	for _, c := range []struct {
		rolls string
		want  []string
	}{
		{
			`"virtual_keys": [{"key": "os.environ/ALICE_KEY", "models": ["m", "gpt*", "all-team-models", "n"], "metadata": {"priority": "prod"}}]`,
			[]string{
				`virtual_keys[0].models[3]: "n" is no model and no access group: it grants nothing`,
				`virtual_keys[0].metadata.priority: "prod" is not in litellm_settings.priority_reservation`,
			},
		},
		{ // What a variable holds is not shown.
			`"virtual_keys": [{"key": "os.environ/ALICE_KEY", "models": ["os.environ/TEAM"], "metadata": {"priority": "os.environ/TEAM"}}]`,
			[]string{
				`virtual_keys[0].models[0]: what variable TEAM holds is no model and no access group: it grants nothing`,
				`virtual_keys[0].metadata.priority: what variable TEAM holds is not in litellm_settings.priority_reservation`,
			},
		},
		{
			`"virtual_keys": [{"key": "os.environ/ALICE_KEY", "user_id": "u", "team_id": "t", "budget_id": "b"}],
			 "teams": [{"team_id": "s", "models": ["no-default-models"], "members": [{"user_id": "u", "allowed_models": ["l"]}]}],
			 "customers": [{"user_id": "t", "budget_id": "s"}], "litellm_settings": {"max_end_user_budget_id": "t"}`,
			[]string{
				`virtual_keys[0].budget_id` + undeclared,
				`virtual_keys[0].team_id: is not declared here: the key is refused until the management API makes it`,
				`teams[0].members[0].user_id` + undeclared,
				`teams[0].members[0].allowed_models[0]: "l" is no model and no access group: it grants nothing`,
				`customers[0].budget_id` + undeclared,
				`litellm_settings.max_end_user_budget_id` + undeclared,
			},
		},
		{
			`"users": [{"user_id": "u", "model_rpm_limit": {"m": 1}}], "teams": [{"team_id": "t", "model_aliases": {"x": "n", "y": "m"}}],
			 "budgets": [{"budget_id": "t"}], "litellm_settings": {"max_end_user_budget_id": "t"}`,
			[]string{
				`teams[0]: has an alias "x" of what is no model of model_list`,
			},
		},
	} {
		p := mustParse(t, with(c.rolls))
		var got []string
		for _, w := range p.Warnings {
			if !strings.HasPrefix(w, "general_settings.master_key") && !strings.HasPrefix(w, "model_list:") {
				got = append(got, w)
			}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.rolls, got, c.want)
		}
	}
}
