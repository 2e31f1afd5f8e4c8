package tenant

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fairshare/plugin/document"
	"fairshare/plugin/period"
	"fairshare/plugin/quota"
	"fairshare/plugin/unit"
)

// fieldsNow is 2024-01-31T12:34:56.789Z.
const fieldsNow = 1706704496789

// apply reads text onto s, with the text itself at hand or without.
func apply(t *testing.T, s *Subject, text string, asText bool) *document.Error {
	t.Helper()
	tree, err := document.ReadJSON(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if asText {
		return ReadText(s, fieldsNow, text, tree, 0, "")
	}
	return Read(s, fieldsNow, tree, 0, "")
}

func limited(n int64) quota.Cap { return quota.Cap{Limited: true, Max: n} }

// Each row is a kind, what is read, what it makes of an empty subject, and how
// that is shown.
func TestFields(t *testing.T) {
	month := period.Duration{N: 30, Unit: period.Day}
	for _, c := range []struct {
		name, text string
		want       Subject
		shown      string
	}{
		{
			"empty key", `{}`,
			Subject{Kind: Key},
			`"key_name":null,"key_alias":null,"user_id":null,"team_id":null,"budget_id":null,"models":[],"aliases":{},"max_budget":null,"soft_budget":null,` +
				`"budget_duration":null,"max_parallel_requests":null,"tpm_limit":null,"rpm_limit":null,"metadata":{},"model_max_budget":{},"model_rpm_limit":{},` +
				`"model_tpm_limit":{},"blocked":false,"expires":null,"created_at":null,"updated_at":null`,
		},
		{
			"key",
			`{"key_alias":"a\"b","user_id":"é","team_id":"t","budget_id":"b","models":["m","openai/*"],"aliases":{"x":"m"},"max_budget":0.000000001,
			"soft_budget":1e-10,"budget_duration":"30d","max_parallel_requests":10.0,"tpm_limit":20,"rpm_limit":0,
			"metadata":{ "n": [1.50, null] , "priority":"prod" },"model_max_budget":{"m":{"budget_limit":5,"time_period":"1d","tpm_limit":7},"n":2},
			"model_rpm_limit":{"m":3},"blocked":true,"duration":"1mo","temp_budget_increase":0.5,"temp_budget_expiry":"2024-02-01T00:00:00+01:00",
			"rpm_limit_type":"best_effort_throughput","unknown":{"a":1},"key_name":"sk-"}`,
			Subject{
				Kind: Key, Alias: `a"b`, UserID: "é", TeamID: "t", BudgetID: "b", Models: []string{"m", "openai/*"}, Aliases: [][2]string{{"x", "m"}},
				Limits: Limits{
					Budget: limited(1000), Soft: limited(100), Duration: month,
					Parallel: limited(10), TPM: limited(20), RPM: limited(0),
				},
				Metadata: `{ "n": [1.50, null] , "priority":"prod" }`, Priority: "prod",
				PerModel: []ModelLimits{
					{"m", Limits{Budget: limited(5 * int64(unit.USD)), Duration: period.Duration{N: 1, Unit: period.Day}, TPM: limited(7), RPM: limited(3)}},
					{"n", Limits{Budget: limited(2 * int64(unit.USD))}},
				},
				Blocked: true, Expires: 1709210096789, TempIncrease: unit.USD / 2, TempExpiry: 1706742000000,
			},
			`"key_name":null,"key_alias":"a\"b","user_id":"é","team_id":"t","budget_id":"b","models":["m","openai/*"],"aliases":{"x":"m"},"max_budget":1e-09,"soft_budget":1e-10,` +
				`"budget_duration":"30d","max_parallel_requests":10,"tpm_limit":20,"rpm_limit":0,` +
				`"metadata":{ "n": [1.50, null] , "priority":"prod","model_rpm_limit":{"m":3},"model_tpm_limit":{"m":7}},` +
				`"model_max_budget":{"m":{"budget_limit":5.0,"time_period":"1d"},"n":{"budget_limit":2.0}},"model_rpm_limit":{"m":3},"model_tpm_limit":{"m":7},` +
				`"blocked":true,"temp_budget_increase":0.5,"temp_budget_expiry":"2024-01-31T23:00:00Z","expires":"2024-02-29T12:34:56.789000Z","created_at":null,"updated_at":null`,
		},
		{
			"user", `{"user_id":"u","user_alias":"a","user_email":"u@x","user_role":"internal_user","models":["beta-models"],"max_budget":0,"team_id":"ignored","duration":"1d"}`,
			Subject{Kind: User, ID: "u", Alias: "a", Email: "u@x", Role: "internal_user", Models: []string{"beta-models"}, Limits: Limits{Budget: limited(0)}},
			`"user_id":"u","user_alias":"a","user_email":"u@x","user_role":"internal_user","models":["beta-models"],"max_budget":0.0,"soft_budget":null,"budget_duration":null,` +
				`"max_parallel_requests":null,"tpm_limit":null,"rpm_limit":null,"metadata":{},"model_max_budget":{},"model_rpm_limit":{},"model_tpm_limit":{},"created_at":null,"updated_at":null`,
		},
		{
			"team",
			`{"team_id":"t","team_alias":"QA Prod Bot","model_aliases":{"a":"b"},"max_budget":9000000,"soft_budget":8999999.5,"budget_duration":"daily",
			"metadata":{"priority":null,"model_tpm_limit":{"m":5},"model_rpm_limit":{}},"tags":["x"],
			"team_member_budget":1,"team_member_budget_duration":"1h","team_member_rpm_limit":2,"team_member_tpm_limit":1e12}`,
			Subject{
				Kind: Team, ID: "t", Alias: "QA Prod Bot", Aliases: [][2]string{{"a", "b"}},
				Limits:   Limits{Budget: limited(9e18), Soft: limited(8999999.5e12), Duration: period.Duration{N: 24, Unit: period.Hour}},
				Metadata: `{"priority":null,"tags":["x"]}`,
				PerModel: []ModelLimits{{"m", Limits{TPM: limited(5)}}},
				Members:  Limits{Budget: limited(1e12), Duration: period.Duration{N: 1, Unit: period.Hour}, RPM: limited(2), TPM: limited(1e12)},
			},
			`"team_alias":"QA Prod Bot","team_id":"t","models":[],"model_aliases":{"a":"b"},"max_budget":9000000.0,"soft_budget":8999999.5,"budget_duration":"24h",` +
				`"max_parallel_requests":null,"tpm_limit":null,"rpm_limit":null,"metadata":{"priority":null,"tags":["x"],"model_tpm_limit":{"m":5}},"model_max_budget":{},` +
				`"model_rpm_limit":{},"model_tpm_limit":{"m":5},"blocked":false,` +
				`"team_member_budget":1.0,"team_member_budget_duration":"1h","team_member_rpm_limit":2,"team_member_tpm_limit":1000000000000,"created_at":null,"updated_at":null`,
		},
		{
			"member", `{"user_id":"u","team_id":"t","role":"admin","max_budget_in_team":1.5,"budget_duration":"1w","tpm_limit":1,"rpm_limit":2,"max_parallel_requests":3,"allowed_models":["m"]}`,
			Subject{Kind: Member, UserID: "u", TeamID: "t", Role: "admin", Models: []string{"m"}, Limits: Limits{
				Budget: limited(15e11), Duration: period.Duration{N: 1, Unit: period.Week}, TPM: limited(1), RPM: limited(2), Parallel: limited(3),
			}},
			`"user_id":"u","team_id":"t","role":"admin","max_budget_in_team":1.5,"budget_duration":"1w","max_parallel_requests":3,"tpm_limit":1,"rpm_limit":2,` +
				`"allowed_models":["m"],"created_at":null,"updated_at":null`,
		},
		{
			"customer", `{"user_id":"c","alias":"a","blocked":true,"budget_id":"free","max_budget":null,"tpm_limit":5,"metadata":{"x":1},"models":["m"],"default_model":"","permissions":{}}`,
			Subject{Kind: Customer, ID: "c", Alias: "a", Blocked: true, BudgetID: "free", Limits: Limits{TPM: limited(5)}, Metadata: `{"x":1}`, Models: []string{"m"}},
			`"user_id":"c","alias":"a","blocked":true,"budget_id":"free","max_budget":null,"budget_duration":null,"max_parallel_requests":null,"tpm_limit":5,"rpm_limit":null,` +
				`"models":["m"],"metadata":{"x":1},"created_at":null,"updated_at":null`,
		},
		{
			"budget", `{"budget_id":"b","max_budget":"1.0","soft_budget":2,"budget_duration":"","model_max_budget":{}}`,
			Subject{Kind: Budget, ID: "b", Limits: Limits{Budget: limited(1e12), Soft: limited(2e12)}},
			`"budget_id":"b","max_budget":1.0,"soft_budget":2.0,"budget_duration":null,"max_parallel_requests":null,"tpm_limit":null,"rpm_limit":null,"created_at":null,"updated_at":null`,
		},
	} {
		got := Subject{Kind: c.want.Kind}
		if err := apply(t, &got, c.text, true); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, c.want)
		}
		if shown := string(AppendFields([]byte("x"), &got)); shown != "x"+c.shown {
			t.Errorf("%s: shown\n got %s\nwant x%s", c.name, shown, c.shown)
		}
	}
}

// Absent members change nothing; null clears.
func TestFieldsAreCleared(t *testing.T) {
	key := Subject{Kind: Key}
	const all = `{"key_alias":"a","user_id":"u","team_id":"t","budget_id":"b","models":["m"],"aliases":{"x":"m"},"max_budget":1,"soft_budget":1,"budget_duration":"1d",
		"max_parallel_requests":1,"tpm_limit":1,"rpm_limit":1,"metadata":{"priority":"p","tags":["x"]},"model_max_budget":{"m":{"budget_limit":1,"tpm_limit":2}},
		"model_rpm_limit":{"m":1,"n":1},"blocked":true,"duration":"1d","temp_budget_increase":1,"temp_budget_expiry":"1d"}`
	if err := apply(t, &key, all, true); err != nil {
		t.Fatal(err)
	}
	full := key
	if err := apply(t, &key, `{}`, true); err != nil || !reflect.DeepEqual(key, full) {
		t.Errorf("an empty object changes %+v to %+v, %v", full, key, err)
	}
	// One after the other, so that each is seen to clear its own field alone.
	steps := []struct {
		text  string
		clear func(*Subject)
	}{
		{`{"key_alias":null}`, func(s *Subject) { s.Alias = "" }},
		{`{"user_id":null}`, func(s *Subject) { s.UserID = "" }},
		{`{"team_id":""}`, func(s *Subject) { s.TeamID = "" }},
		{`{"budget_id":null}`, func(s *Subject) { s.BudgetID = "" }},
		{`{"models":[]}`, func(s *Subject) { s.Models = nil }},
		{`{"aliases":null}`, func(s *Subject) { s.Aliases = nil }},
		{`{"max_budget":null}`, func(s *Subject) { s.Limits.Budget = quota.Cap{} }},
		{`{"soft_budget":null}`, func(s *Subject) { s.Limits.Soft = quota.Cap{} }},
		{`{"budget_duration":null}`, func(s *Subject) { s.Limits.Duration = period.Duration{} }},
		{`{"max_parallel_requests":null}`, func(s *Subject) { s.Limits.Parallel = quota.Cap{} }},
		{`{"tpm_limit":null}`, func(s *Subject) { s.Limits.TPM = quota.Cap{} }},
		{`{"rpm_limit":null}`, func(s *Subject) { s.Limits.RPM = quota.Cap{} }},
		{`{"model_max_budget":null}`, func(s *Subject) { s.PerModel[0].Budget = quota.Cap{} }},
		{`{"model_tpm_limit":{}}`, func(s *Subject) { s.PerModel[0].TPM = quota.Cap{} }},
		{`{"metadata":{"model_rpm_limit":{"n":null,"m":1}}}`, func(s *Subject) { s.PerModel = s.PerModel[:1]; s.Metadata, s.Priority = "{}", "" }},
		// Metadata without limits takes none away.
		{`{"metadata":{"tags":["y"],"a":1}}`, func(s *Subject) { s.Metadata = `{"tags":["y"],"a":1}` }},
		{`{"tags":["z","z"]}`, func(s *Subject) { s.Metadata = `{"a":1,"tags":["z","z"]}` }},
		{`{"tags":null}`, func(s *Subject) { s.Metadata = `{"a":1}` }},
		{`{"metadata":null,"tags":[]}`, func(s *Subject) { s.Metadata = "" }},
		{`{"model_rpm_limit":null}`, func(s *Subject) { s.PerModel = s.PerModel[:0] }},
		{`{"blocked":false}`, func(s *Subject) { s.Blocked = false }},
		{`{"duration":"-1"}`, func(s *Subject) { s.Expires = 0 }},
		{`{"temp_budget_increase":null,"temp_budget_expiry":null}`, func(s *Subject) { s.TempIncrease, s.TempExpiry = 0, 0 }},
	}
	for _, step := range steps {
		want := key
		want.PerModel = slices.Clone(key.PerModel)
		step.clear(&want)
		kept := slices.Clone(key.PerModel)
		before := key
		if err := apply(t, &key, step.text, true); err != nil {
			t.Fatalf("%s: %v", step.text, err)
		}
		if !slices.Equal(before.PerModel, kept) {
			t.Errorf("%s writes to the slices of the subject before it", step.text)
		}
		if len(want.PerModel) == 0 && len(key.PerModel) == 0 {
			want.PerModel = key.PerModel
		}
		if !reflect.DeepEqual(key, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", step.text, key, want)
		}
	}
	key.PerModel = nil
	if !reflect.DeepEqual(key, Subject{Kind: Key}) {
		t.Errorf("left over: %+v", key)
	}
	for _, text := range []string{`{"duration":null}`, `{"blocked":null}`} {
		s := Subject{Kind: Key, Blocked: true, Expires: 1}
		if err := apply(t, &s, text, true); err != nil || s.Blocked && s.Expires != 0 {
			t.Errorf("%s: %+v, %v", text, s, err)
		}
	}
	// A period without a budget is nothing.
	s := Subject{Kind: Key}
	if err := apply(t, &s, `{"model_max_budget":{"m":{"time_period":"1d"},"n":{"budget_duration":"1d","budget_limit":null}}}`, true); err != nil || len(s.PerModel) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	user := Subject{Kind: User, ID: "u"}
	if err := apply(t, &user, `{"user_id":null}`, true); err != nil || user.ID != "u" {
		t.Errorf("null takes the id: %+v, %v", user, err)
	}
}

func TestFieldFaults(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	const (
		unenforced = ": want nothing, since Fairshare does not enforce it here, got "
		usd        = ": want a number from 0 to 9000000, got "
		whole      = ": want a whole number from 0 to 1000000000000, got "
		duration   = ": want " + WantDuration + ", got "
		together   = "temp_budget_increase: want temp_budget_increase and temp_budget_expiry together, got one of them"
		moment     = `temp_budget_expiry: want a time such as "2026-12-31T23:59:59Z", got `
	)
	many := func(n int, value string) string {
		s := ""
		for i := range n {
			s += `"m` + strconv.Itoa(i) + `":` + value + ","
		}
		return "{" + strings.TrimSuffix(s, ",") + "}"
	}
	for _, c := range []struct {
		kind       Kind
		text, want string
	}{
		{Key, `{"key_alias":1}`, "key_alias: want a string, got 1"},
		{Key, `{"key_alias":["a"]}`, "key_alias: want a string, got a list"},
		{Key, `{"user_id":{}}`, "user_id: want a string, got an object"},
		{Key, `{"team_id":false}`, "team_id: want a string, got false"},
		{Key, `{"budget_id":true}`, "budget_id: want a string, got true"},
		{Key, `{"user_id":"` + x(1025) + `"}`, "user_id: want at most 1024 bytes, got 1025"},
		{Key, `{"user_id":"a\u0000b"}`, `user_id: want text without control characters, got "a\x00b"`},
		{Key, `{"user_id":"a\u007fb"}`, `user_id: want text without control characters, got "a\x7fb"`},
		{User, `{"user_id":"a\nb"}`, `user_id: want text without control characters, got "a\nb"`},
		{Key, `{"models":"m"}`, `models: want a list of strings, got "m"`},
		{Key, `{"models":{}}`, "models: want a list of strings, got an object"},
		{Key, `{"models":["m",1]}`, "models[1]: want a string, got 1"},
		{Key, `{"models":[null]}`, "models[0]: want a string, got null"},
		{Key, `{"models":["` + x(1025) + `"]}`, "models[0]: want at most 1024 bytes, got 1025"},
		{Key, `{"models":[` + strings.Repeat(`"m",`, 256) + `"m"]}`, "models: want at most 256 strings, got more"},
		{Key, `{"aliases":[]}`, "aliases: want an object of names and the models they stand for, got a list"},
		{Key, `{"aliases":{"a":null}}`, "aliases.a: want a model's name, got null"},
		{Key, `{"aliases":{"a\n":"b"}}`, `aliases["a\n"]: want text without control characters, got "a\n"`},
		{Key, `{"aliases":` + many(257, `"m"`) + `}`, "aliases: want at most 256 names, got more"},
		{Key, `{"max_budget":"ten"}`, `max_budget` + usd + `"ten"`},
		{Key, `{"max_budget":-1e-9}`, `max_budget` + usd + `-1e-09`},
		{Key, `{"max_budget":9000000.1}`, `max_budget` + usd + `9000000.1`},
		{Key, `{"max_budget":false}`, `max_budget` + usd + `false`},
		{Key, `{"soft_budget":[]}`, `soft_budget` + usd + `a list`},
		{Key, `{"tpm_limit":"0x1"}`, `tpm_limit` + whole + `"0x1"`},
		{Key, `{"tpm_limit":1.5}`, `tpm_limit` + whole + `1.5`},
		{Key, `{"rpm_limit":-1}`, `rpm_limit` + whole + `-1`},
		{Key, `{"max_parallel_requests":1000000000001}`, `max_parallel_requests` + whole + `1000000000001`},
		{Key, `{"max_parallel_requests":1e300}`, `max_parallel_requests` + whole + `1e+300`},
		{Key, `{"budget_duration":"1y"}`, `budget_duration` + duration + `"1y"`},
		{Key, `{"budget_duration":30}`, `budget_duration` + duration + `30`},
		{Key, `{"duration":""}`, `duration` + duration + `""`},
		{Key, `{"duration":"0d"}`, `duration` + duration + `"0d"`},
		{Key, `{"duration":30}`, `duration` + duration + `30`},
		{Key, `{"duration":"2000000mo"}`, `duration` + duration + `"2000000mo"`},
		{Key, `{"blocked":"true"}`, `blocked: want true or false, got "true"`},
		{Key, `{"blocked":1}`, `blocked: want true or false, got 1`},
		{Key, `{"metadata":[]}`, "metadata: want an object, got a list"},
		{Key, `{"metadata":"{}"}`, `metadata: want an object, got "{}"`},
		{Key, `{"metadata":{"x":"` + x(8192-7) + `"}}`, "metadata: want at most 8192 bytes, got 8193"},
		{Key, `{"metadata":{"x":"` + x(8192-8) + `"},"tags":["a"]}`, "tags: want at most 8192 bytes, got 8205"},
		{Key, `{"metadata":{"priority":1}}`, "metadata.priority: want a string, got 1"},
		{Key, `{"metadata":{"model_rpm_limit":{"m":"inf"}}}`, `metadata.model_rpm_limit.m` + whole + `"inf"`},
		{Key, `{"metadata":{"model_tpm_limit":[]}}`, "metadata.model_tpm_limit: want an object of models and their limits, got a list"},
		{Key, `{"metadata":{"tag_rpm_limit":{"t":1}}}`, "metadata.tag_rpm_limit" + unenforced + "an object"},
		{Key, `{"metadata":{"guardrails":["g"]}}`, "metadata.guardrails" + unenforced + "a list"},
		{Customer, `{"metadata":{"model_rpm_limit":{"m":1}}}`, "metadata.model_rpm_limit" + unenforced + "an object"},
		{Key, `{"tags":"a"}`, `tags: want a list of strings, got "a"`},
		{Key, `{"model_max_budget":1}`, "model_max_budget: want an object of models and their limits, got 1"},
		{Key, `{"model_max_budget":{"m":""}}`, `model_max_budget.m` + usd + `""`},
		{Key, `{"model_max_budget":{"":1}}`, `model_max_budget[""]: want a model's name, got none`},
		{Key, `{"model_max_budget":{"m\u0001":1}}`, `model_max_budget["m\x01"]: want text without control characters, got "m\x01"`},
		{Key, `{"model_max_budget":{"m":{"budget_limit":1,"max_budget":1}}}`, "model_max_budget.m.max_budget: want either budget_limit or max_budget, got both"},
		{Key, `{"model_max_budget":{"m":{"time_period":"1d","budget_duration":"1d"}}}`, "model_max_budget.m.budget_duration: want either time_period or budget_duration, got both"},
		{Key, `{"model_max_budget":{"m":{"time_period":"x"}}}`, `model_max_budget.m.time_period` + duration + `"x"`},
		{Key, `{"model_max_budget":{"m":{"models":[]}}}`, "model_max_budget.m.models: want budget_limit, time_period, tpm_limit or rpm_limit, got another name"},
		{Key, `{"model_max_budget":{"m":{"rpm_limit":-1}}}`, `model_max_budget.m.rpm_limit` + whole + `-1`},
		{Key, `{"model_rpm_limit":` + many(65, "1") + `}`, `model_rpm_limit.m64: want at most 64 models with limits of their own, got more`},
		{Key, `{"temp_budget_increase":1}`, together},
		{Key, `{"temp_budget_expiry":"1d"}`, together},
		{Key, `{"temp_budget_increase":-1,"temp_budget_expiry":"1d"}`, "temp_budget_increase" + usd + "-1"},
		{Key, `{"temp_budget_increase":1,"temp_budget_expiry":"soon"}`, moment + `"soon"`},
		{Key, `{"temp_budget_increase":1,"temp_budget_expiry":1}`, moment + `1`},
		{Key, `{"rpm_limit_type":"dynamic"}`, `rpm_limit_type: want best_effort_throughput, the only one that Fairshare has, got "dynamic"`},
		{Key, `{"allowed_routes":[""]}`, "allowed_routes" + unenforced + "a list"},
		{Key, `{"permissions":{"x":false}}`, "permissions" + unenforced + "an object"},
		{Key, `{"organization_id":"o"}`, "organization_id" + unenforced + `"o"`},
		{Key, `{"budget_limits":[{}]}`, "budget_limits" + unenforced + "a list"},
		{User, `{"budget_id":"b"}`, "budget_id" + unenforced + `"b"`},
		{User, `{"blocked":true}`, "blocked" + unenforced + `true`},
		{User, `{"user_role":"owner"}`, `user_role: want one of proxy_admin proxy_admin_viewer internal_user internal_user_viewer, got "owner"`},
		{Member, `{"role":"internal_user"}`, `role: want one of user admin, got "internal_user"`},
		{Member, `{"max_budget":0}`, "max_budget" + unenforced + "0"},
		{Customer, `{"soft_budget":0}`, "soft_budget" + unenforced + "0"},
		{Customer, `{"allowed_model_region":"eu"}`, "allowed_model_region" + unenforced + `"eu"`},
		{Customer, `{"max_budget":1,"budget_id":"b"}`, "budget_id: want either max_budget or budget_id, got both"},
		{Customer, `{"model_max_budget":{"m":1}}`, "model_max_budget" + unenforced + "an object"},
		{Budget, `{"model_max_budget":{"m":1}}`, "model_max_budget" + unenforced + "an object"},
		{Budget, `{"models":["m"]}`, "models" + unenforced + "a list"},
		{Team, `{"max_budget":1,"soft_budget":1}`, "soft_budget: want less than max_budget (1.0), got 1.0"},
		{Team, `{"team_member_budget":-1}`, "team_member_budget" + usd + "-1"},
		{Team, `{"team_member_budget_duration":"x"}`, "team_member_budget_duration" + duration + `"x"`},
		// Of two faults the same is told, whichever member comes first.
		{Key, `{"rpm_limit":-1,"user_id":1}`, "user_id: want a string, got 1"},
		{Key, `{"user_id":1,"rpm_limit":-1}`, "user_id: want a string, got 1"},
	} {
		s := Subject{Kind: c.kind}
		got := "no error"
		if err := apply(t, &s, c.text, true); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%.90s:\n got %s\nwant %s", c.text, got, c.want)
		}
	}
	// A team whose soft budget comes to lie above a new max_budget.
	s := Subject{Kind: Team, Limits: Limits{Budget: limited(2e12), Soft: limited(1e12)}}
	if err := apply(t, &s, `{"max_budget":0.5}`, true); err == nil || err.Path != "soft_budget" {
		t.Errorf("%v", err)
	}
}

// An object inside a document names its place.
func TestFieldsOfAPart(t *testing.T) {
	tree, err := document.ReadJSON(`{"virtual_keys":[{"tpm_limit":"x"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	item := tree[tree.Member(0, "virtual_keys")].First
	s := Subject{Kind: Key}
	if got := Read(&s, fieldsNow, tree, item, "virtual_keys[0]"); got == nil || got.Path != "virtual_keys[0].tpm_limit" {
		t.Errorf("%v", got)
	}
}

func TestKnown(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		name string
		want bool
	}{
		{Key, "key_alias", true},
		{Key, "tags", true},
		{Key, "guardrails", true},
		{Key, "key", false},
		{Key, "expires", false},
		{Key, "created_at", false},
		{Key, "", false},
		{Key, "user_email", false},
		{User, "user_email", true},
		{Team, "team_member_budget", true},
		{Member, "allowed_models", true},
		{Budget, "budget_id", true},
		{Budget, "model_max_budget", true},
		{NumKinds, "tpm_limit", true},
		{NumKinds, "user_id", false},
		{Key, "models aliases", false},
	} {
		if got := Known(c.kind, c.name); got != c.want {
			t.Errorf("Known(%d, %q) = %v", c.kind, c.name, got)
		}
	}
}

// Without the text metadata is written anew.
func TestMetadataOfATree(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: `{}`,
		`{ "a" : [ ] , "b":{ },"c":[[],{"d":[{}]}] }`:                    `{"a":[],"b":{},"c":[[],{"d":[{}]}]}`,
		`{"a":[1.50,-0,1e3,1e300,0.00001,null,true,false,"\u00e9\n"]}`:   `{"a":[1.5,0,1000,1e+300,1e-05,null,true,false,"é\n"]}`,
		`{"x\"":1,"priority":"p","y":{"z":[1,{"a":2,"b":[3]},4]},"w":5}`: `{"x\"":1,"priority":"p","y":{"z":[1,{"a":2,"b":[3]},4]},"w":5}`,
		`{"a":123456789012345,"model_rpm_limit":{"m":1},"b":1e21}`:       `{"a":123456789012345,"b":1e+21}`,
	} {
		s := Subject{Kind: Key}
		if err := apply(t, &s, `{"metadata":`+text+`}`, false); err != nil || s.Metadata != want {
			t.Errorf("%s is kept as %s, %v, want %s", text, s.Metadata, err, want)
		}
	}
	deep := strings.Repeat(`{"a":`, document.MaxDepth-1) + "{}" + strings.Repeat("}", document.MaxDepth-1)
	s := Subject{Kind: Key}
	inner := strings.TrimSuffix(strings.TrimPrefix(deep, `{"a":`), "}")
	if err := apply(t, &s, `{"metadata":`+inner+`}`, false); err != nil || s.Metadata != inner {
		t.Errorf("%s is kept as %s, %v", inner, s.Metadata, err)
	}
}

func TestTimes(t *testing.T) {
	for text, want := range map[string]int64{
		"2024-01-31":                        1706659200000,
		"2024-02-29":                        1709164800000,
		"2024-01-31T12:34:56.789Z":          fieldsNow,
		"2024-01-31T12:34:56.789999Z":       fieldsNow,
		"2024-01-31 12:34":                  1706704440000,
		"2024-01-31T12:34:56":               1706704496000,
		"2024-01-31T14:34:56.7890000+02:00": fieldsNow,
		"2024-01-31T07:04:56.78-05:30":      1706704496780,
		"1970-01-01T00:00:00.001Z":          1,
		"1h":                                fieldsNow + 3600_000,
		"9999-12-31T23:59:59Z":              253402300799000,
	} {
		s := Subject{Kind: Key}
		if err := apply(t, &s, `{"temp_budget_increase":1,"temp_budget_expiry":"`+text+`"}`, true); err != nil || s.TempExpiry != want {
			t.Errorf("%s is %d, %v, want %d", text, s.TempExpiry, err, want)
		}
	}
	for _, text := range []string{
		"", "2024", "2024-1-31", "2024-02-30", "2023-02-29", "2024-13-01", "2024-00-10", "2024-01-00", "2024-01-31T", "2024-01-31T1:00", "2024-01-31T12",
		"2024-01-31T24:00", "2024-01-31T12:60", "2024-01-31T12:00:60", "2024-01-31T12:00:00.", "2024-01-31T12:00:00Zx", "2024-01-31T12:00:00+1", "2024-01-31T12:00:00+0100",
		"2024-01-31T12:00:00+99:00", "24-01-31", "2024/01/31", "1970-01-01", "1969-12-31", "-2024-01-31", "99999999mo",
	} {
		s := Subject{Kind: Key}
		if err := apply(t, &s, `{"temp_budget_increase":1,"temp_budget_expiry":"`+text+`"}`, true); err == nil {
			t.Errorf("%s is %d", text, s.TempExpiry)
		}
	}
	for ms, want := range map[int64]string{0: "null", 1706704496000: `"2024-01-31T12:34:56Z"`, fieldsNow: `"2024-01-31T12:34:56.789000Z"`} {
		if got := string(AppendTime(nil, ms)); got != want {
			t.Errorf("%d is shown as %s, want %s", ms, got, want)
		}
	}
}

// Every time is shown as package time shows it, and read back.
func TestTimesOfAllYears(t *testing.T) {
	const lastMoment = 253402300799999
	for ms := int64(1); ms < lastMoment; ms += ms%7919*1e7 + 86399_997 + ms/1000 {
		layout := `"2006-01-02T15:04:05.000000Z"`
		if ms%1000 == 0 {
			layout = `"2006-01-02T15:04:05Z"`
		}
		want := time.UnixMilli(ms).UTC().Format(layout)
		if got := string(AppendTime(nil, ms)); got != want {
			t.Fatalf("%d is shown as %s, want %s", ms, got, want)
		}
		s := Subject{Kind: Key}
		if err := apply(t, &s, `{"temp_budget_increase":1,"temp_budget_expiry":`+want+`}`, true); err != nil || s.TempExpiry != ms {
			t.Fatalf("%s is read as %d, %v, want %d", want, s.TempExpiry, err, ms)
		}
	}
}

func TestAppendLimits(t *testing.T) {
	l := Limits{Budget: limited(1e12), Soft: limited(0), Duration: period.Duration{N: 1, Unit: period.Month}, TPM: limited(1), RPM: limited(2), Parallel: limited(3)}
	const want = `"max_budget":1.0,"soft_budget":0.0,"budget_duration":"1mo","max_parallel_requests":3,"tpm_limit":1,"rpm_limit":2`
	if got := string(AppendLimits(nil, &l)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What is read is shown as JSON, and what is shown is read as the same.
func FuzzFields(f *testing.F) {
	for kind := range NumKinds {
		f.Add(byte(kind), true, `{"key_alias":"a","user_id":"u","models":["m"],"max_budget":1e-9,"budget_duration":"30d","metadata":{"a":[1.50,{"b":null}],"priority":"p"},"tags":["x"]}`)
		f.Add(byte(kind), false, `{"metadata":{"model_rpm_limit":{"m":1}},"model_max_budget":{"m":{"budget_limit":1,"time_period":"1d","tpm_limit":1}},"max_budget_in_team":5}`)
		f.Add(byte(kind), false, `{"temp_budget_increase":1,"temp_budget_expiry":"2024-01-31T12:34:56.789+01:00","duration":"1mo","aliases":{"a":"b"},"blocked":true,"team_member_rpm_limit":3}`)
	}
	f.Fuzz(func(t *testing.T, kind byte, asText bool, text string) {
		tree, err := document.ReadJSON(text)
		if err != nil || tree[0].Kind != document.Object {
			return
		}
		s := Subject{Kind: Kind(kind % byte(NumKinds))}
		if apply(t, &s, text, asText) != nil {
			return
		}
		shown := "{" + string(AppendFields(nil, &s)) + "}"
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(shown), &members); err != nil {
			t.Fatalf("%s is shown as %s: %v", text, shown, err)
		}
		again := Subject{Kind: s.Kind, Expires: s.Expires}
		if err := apply(t, &again, shown, asText); err != nil {
			if strings.Contains(err.Want, "at most") { // metadata with the limits in it
				return
			}
			t.Fatalf("%s is shown as %s: %v", text, shown, err)
		}
		if twice := "{" + string(AppendFields(nil, &again)) + "}"; twice != shown {
			t.Fatalf("%s is shown as %s, which is shown as %s", text, shown, twice)
		}
		var was, is struct{ Metadata any }
		if json.Unmarshal([]byte(text), &was) == nil && json.Unmarshal([]byte("{\"metadata\":"+orEmpty(s.Metadata)+"}"), &is) == nil {
			if m, ok := was.Metadata.(map[string]any); ok && tree.Member(0, "tags") == 0 && tree.Member(0, "metadata") != 0 && s.Kind.field("metadata") != noField {
				delete(m, "model_rpm_limit")
				delete(m, "model_tpm_limit")
				if !reflect.DeepEqual(m, is.Metadata) {
					t.Fatalf("%s is kept as %s", text, s.Metadata)
				}
			}
		}
	})
}

func orEmpty(s string) string {
	if s == "" {
		return "{}"
	}
	return s
}

// enforce is read and shown in its two forms for every kind, and replaced as a whole.
func TestEnforce(t *testing.T) {
	const want = "want true or false, for all limits or in an object for some of max_budget max_parallel_requests rpm_limit tpm_limit, got "
	for kind := range NumKinds {
		for _, c := range []struct {
			text   string
			shadow quota.Reasons
			shown  string
			err    string
		}{
			{`{}`, quota.Requests, `{"rpm_limit":false}`, ""},
			{`{"enforce":null}`, 0, "", ""},
			{`{"enforce":true}`, 0, "", ""},
			{`{"enforce":{}}`, 0, "", ""},
			{`{"enforce":false}`, quota.AllReasons, "false", ""},
			{`{"enforce":{"tpm_limit":false,"max_budget":false,"rpm_limit":true}}`, quota.Budget | quota.Tokens, `{"max_budget":false,"tpm_limit":false}`, ""},
			{`{"enforce":{"max_parallel_requests":false}}`, quota.Parallel, `{"max_parallel_requests":false}`, ""},
			{`{"enforce":"false"}`, 0, "", "enforce: " + want + `"false"`},
			{`{"enforce":0}`, 0, "", "enforce: " + want + "0"},
			{`{"enforce":["rpm_limit"]}`, 0, "", "enforce: " + want + "a list"},
			{`{"enforce":{"rpm_limit":null}}`, 0, "", ""},
			{`{"enforce":{"rpm_limit":1}}`, 0, "", "enforce.rpm_limit: want true or false, got 1"},
			{`{"enforce":{"rpm":false}}`, 0, "", "enforce.rpm: want one of max_budget max_parallel_requests rpm_limit tpm_limit, got another name"},
			{`{"enforce":{"":false}}`, 0, "", "enforce[\"\"]: want one of max_budget max_parallel_requests rpm_limit tpm_limit, got another name"},
		} {
			s := Subject{Kind: kind, Limits: Limits{Shadow: quota.Requests}}
			err := apply(t, &s, c.text, true)
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Errorf("kind %d %s: %v, want %s", kind, c.text, err, c.err)
				}
				continue
			}
			_, shown, _ := strings.Cut(string(AppendFields(nil, &s)), `"enforce":`)
			shown, _, _ = strings.Cut(shown, `,"created_at"`)
			if shown, _, _ = strings.Cut(shown, `,"expires"`); err != nil || s.Limits.Shadow != c.shadow || shown != c.shown {
				t.Errorf("kind %d %s: %v, %d, shown as %s", kind, c.text, err, s.Limits.Shadow, shown)
			}
		}
	}
}
