package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"fairshare/plugin/period"
	"fairshare/plugin/price"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

// vars is an environment that has what the tests refer to.
func vars(name string) (string, bool) {
	s, ok := map[string]string{
		"OPENAI_API_KEY":  "sk-real\n",
		"GROQ_API_KEY":    "gsk-1",
		"AZURE_API_BASE":  "https://x.openai.azure.com",
		"AZURE_API_KEY":   "az",
		"ALICE_KEY":       "sk-alice",
		"BOB_KEY":         "sk-bob",
		"MASTER":          "sk-master",
		"TPM":             "60",
		"LOTS":            "lots",
		"BLANK":           "  ",
		"BROKEN":          "sk-a\r\nx: y",
		"NOT_SK":          "alice",
		"SAME_AS_MASTER":  "sk-1234",
		"TEAM":            "secret-team",
		"BUDGET":          "1e-9",
		"LOCAL_BASE":      "http://127.0.0.1:8000/v1",
		"BASE_WITH_QUERY": "http://h/?key=secret",
	}[name]
	return s, ok
}

func mustParse(t *testing.T, config string) *Policy {
	t.Helper()
	p, err := Parse([]byte(config), vars)
	if err != nil {
		t.Fatalf("Parse(%s) = %v", config, err)
	}
	return p
}

// withModel is a configuration whose first model has these litellm_params besides model.
func withParams(params string) string {
	if params != "" {
		params = ", " + params
	}
	return `{"model_list": [{"model_name": "m", "litellm_params": {"model": "openai/gpt-4o"` + params + `}}]}`
}

// withInfo is a configuration whose first model has this model_info.
func withInfo(info string) string {
	return `{"model_list": [{"model_name": "m", "litellm_params": {"model": "openai/gpt-4o"}, "model_info": {` + info + `}}]}`
}

// with is a configuration of one mocked model and these other sections.
func with(sections string) string {
	return `{"model_list": [{"model_name": "m", "litellm_params": {"model": "gpt-4o", "mock_response": "hi", "tpm": 60, "rpm": 100}}], ` + sections + `}`
}

const seedModel = `"model_list": [{"model_name": "my-fake-model", "litellm_params":
	{"model": "gpt-3.5-turbo", "api_key": "my-fake-key", "mock_response": "hello-world", "tpm": 60}}]`

const seedGeneral = `"general_settings": {"master_key": "sk-1234", "database_url": "postgres://.."}`

const demoWarning = "general_settings.master_key: is the documents' sk-1234, which everybody knows: whoever reaches this proxy can make keys"

func TestSeeds(t *testing.T) {
	turbo, _ := price.Lookup("gpt-3.5-turbo")
	fake := []Model{{
		Name: "my-fake-model", TPM: 60, LimitTPM: true,
		Deployments: []Deployment{{
			ProviderModel: "gpt-3.5-turbo", Provider: "openai", Upstream: "api.openai.com", PathPrefix: "/v1", TLS: true,
			APIKey: "my-fake-key", Mock: "hello-world", IsMock: true, Weight: 60,
			Price: turbo, Priced: true,
		}},
	}}
	real := []Model{{
		Name: "gpt-3.5-turbo", RPM: 100, LimitRPM: true,
		Deployments: []Deployment{{
			ProviderModel: "gpt-3.5-turbo", Provider: "openai", Upstream: "api.openai.com", PathPrefix: "/v1", TLS: true,
			APIKey: "sk-real", Weight: 100, Price: turbo, Priced: true,
		}},
	}}
	priorities := []Priority{{Name: "dev"}, {Name: "prod", Value: 1}}
	for _, c := range []struct {
		name, config string
		models       []Model
		priorities   []Priority
		warnings     []string
	}{
		{
			// v3 by name, but the text that the documents expect is v1's.
			"000 by active keys", `{` + seedModel + `, "litellm_settings": {"callbacks": ["dynamic_rate_limiter_v3"]}, ` + seedGeneral + `}`,
			fake, nil,
			[]string{demoWarning},
		},
		{
			"002 by active keys", `{` + seedModel + `, "litellm_settings": {"callbacks": ["dynamic_rate_limiter"]}, ` + seedGeneral + `}`,
			fake, nil,
			[]string{demoWarning},
		},
		{
			"000 priorities without a callback", `{"model_list": [{"model_name": "gpt-3.5-turbo", "litellm_params":
				{"model": "gpt-3.5-turbo", "api_key": "os.environ/OPENAI_API_KEY", "rpm": 100}}],
				"litellm_settings": {"callbacks": [""], "priority_reservation": {"dev": 0, "prod": 1}}, ` + seedGeneral + `}`,
			real, priorities,
			[]string{demoWarning},
		},
		{
			"002 priorities", `{"model_list": [{"model_name": "gpt-3.5-turbo", "litellm_params":
				{"model": "gpt-3.5-turbo", "api_key": "os.environ/OPENAI_API_KEY", "rpm": 100}}],
				"litellm_settings": {"callbacks": ["dynamic_rate_limiter"], "priority_reservation": {"prod": 1, "dev": 0}}, ` + seedGeneral + `}`,
			real, priorities,
			[]string{demoWarning},
		},
	} {
		p := mustParse(t, c.config)
		if !reflect.DeepEqual(p.Models, c.models) {
			t.Errorf("%s: Models = %+v, want %+v", c.name, p.Models, c.models)
		}
		if !reflect.DeepEqual(p.Priorities, c.priorities) {
			t.Errorf("%s: Priorities = %+v, want %+v", c.name, p.Priorities, c.priorities)
		}
		if p.Limiter != ByActiveKeys {
			t.Errorf("%s: Limiter = %v, want %v", c.name, p.Limiter, ByActiveKeys)
		}
		if !p.HasMasterKey || !p.DemoMasterKey || p.MasterKey != tenant.Hash("sk-1234") {
			t.Errorf("%s: the master key is not the demo's", c.name)
		}
		if !reflect.DeepEqual(p.Warnings, c.warnings) {
			t.Errorf("%s: Warnings = %q, want %q", c.name, p.Warnings, c.warnings)
		}
	}

	// 002: metrics are always there, and need no callback.
	p := mustParse(t, `{`+seedModel+`, `+seedGeneral+`, "litellm_settings": {"success_callback": ["prometheus"], "failure_callback": ["prometheus"],
		"callbacks": ["dynamic_rate_limiter", "prometheus"]}}`)
	if want := []string{demoWarning}; !reflect.DeepEqual(p.Warnings, want) {
		t.Errorf("002 metrics: Warnings = %q, want %q", p.Warnings, want)
	}

	// 001: a budget of $0 for the whole proxy, and a deployment of Azure.
	p = mustParse(t, `{`+seedModel+`, "general_settings": {"master_key": "sk-1234"}, "litellm_settings": {"max_budget": 0, "budget_duration": "30d"}}`)
	if want := (tenant.Limits{Budget: quota.Cap{Limited: true}, Duration: period.Duration{N: 30, Unit: period.Day}}); p.Proxy != want {
		t.Errorf("001: Proxy = %+v, want %+v", p.Proxy, want)
	}
	p = mustParse(t, `{"model_list": [{"model_name": "text-embedding-ada-002", "litellm_params": {"model": "azure/azure-embedding-model",
		"api_base": "os.environ/AZURE_API_BASE", "api_key": "os.environ/AZURE_API_KEY", "api_version": "2023-07-01-preview"},
		"model_info": {"access_groups": ["beta-models"]}}], "general_settings": {"master_key": "sk-1234"}}`)
	ada := []Model{{Name: "text-embedding-ada-002", AccessGroups: []string{"beta-models"}, Deployments: []Deployment{{
		ProviderModel: "azure-embedding-model", Provider: "azure", Upstream: "x.openai.azure.com", PathPrefix: "/openai/v1", TLS: true, APIKey: "az", Weight: 1,
	}}}}
	if !reflect.DeepEqual(p.Models, ada) {
		t.Errorf("001: Models = %+v, want %+v", p.Models, ada)
	}
	if want := []string{
		demoWarning, "model_list[0].litellm_params.api_version: is not used: Azure is asked by its v1 API",
		"model_list[0].litellm_params.model: has no price: requests that a budget would have to pay for are refused",
	}; !reflect.DeepEqual(p.Warnings, want) {
		t.Errorf("001: Warnings = %q, want %q", p.Warnings, want)
	}
}

// Each row is a configuration that must be refused, and the whole text of the refusal.
func TestErrors(t *testing.T) {
	const (
		tokens = `want a whole number of tokens a minute, 0 to 1e12, got `
		base   = `want an api_base such as "http://127.0.0.1:8000/v1", without user, query or fragment, got `
		amount = `want a fraction from 0 to 1, or {type: percent, rpm or tpm, value: a number}, got `
		path   = `want a path such as "/v1/files" or "/v1/files/*", got `

		dollars      = `want an amount in US dollars, 0 or 1e-12 to 9e6, got `
		duration     = `want a duration such as "30s", "24h", "7d" or "1mo", got `
		clock        = `want a time of day in quotes, such as "08:30", got `
		status       = `want an HTTP status from 400 to 499, got `
		header       = `want a header's name such as "x-user-id", got `
		perTokenWant = `want a price in US dollars per token, 0 to 1, got `
		unpriced     = `want refuse, zero, or {input, output} in US dollars per token, got `
	)
	litellm := func(settings string) string { return with(`"litellm_settings": {` + settings + `}`) }
	hash := strings.Repeat("ab", 32)
	keys := func(entries string) string { return with(`"virtual_keys": [` + entries + `]`) }
	reserve := func(members string) string {
		return with(`"litellm_settings": {"priority_reservation": {` + members + `}}`)
	}
	for _, c := range []struct{ config, want string }{
		// The text as a whole.
		{"", "want LiteLLM's config.yaml as JSON or as a google.protobuf.Struct, got an empty configuration"},
		{" \n\t", "want LiteLLM's config.yaml as JSON or as a google.protobuf.Struct, got an empty configuration"},
		{"\ufeff", "want LiteLLM's config.yaml as JSON or as a google.protobuf.Struct, got an empty configuration"},
		{"model_list:\n- model_name: m", `want a JSON object (YAML must be converted, or be in a google.protobuf.Struct), got "model_list:"`},
		{"master_key: sk-alice", `want a JSON object (YAML must be converted, or be in a google.protobuf.Struct), got "master_key:"`},
		{"\u3000", `want a JSON object (YAML must be converted, or be in a google.protobuf.Struct), got "\u3000"`}, // a blank to Unicode, not to JSON
		{"[]", `want a JSON object (YAML must be converted, or be in a google.protobuf.Struct), got "[]"`},
		{"\n{\n  \"a\": 1,\n}", "line 4 column 1: want a name in double quotes, got \"}\""},
		{`{"a" 1}`, `line 1 column 6: want ":", got "1"`},
		{`{"a": 1 "b": 2}`, `line 1 column 9: want "," or "}", got "\""`},
		{`{"a": [1 2]}`, `line 1 column 10: want "," or "]", got "2"`},
		{`{"a": [1,]}`, `line 1 column 10: want a JSON value, got "]"`},
		{`{"a": nul}`, `line 1 column 7: want a JSON value, got "n"`},
		{`{"a": `, `line 1 column 7: want a JSON value, got the end`},
		{`{"a": "b`, `line 1 column 9: want a closing double quote, got the end`},
		{"{\"a\": \"b\n\"}", `line 1 column 9: want text without line ends and controls, got "\n"`},
		{`{"a": "\x"}`, `line 1 column 9: want an escape that JSON has, got "x"`},
		{`{"a": "\u12"}`, `line 1 column 9: want an escape that JSON has, got "u"`},
		{`{"a": -}`, `line 1 column 8: want a digit, got "}"`},
		{`{"a": 1.}`, `line 1 column 9: want a digit, got "}"`},
		{`{"a": 1e+}`, `line 1 column 10: want a digit, got "}"`},
		{`{"a": 01}`, `line 1 column 8: want "," or "}", got "1"`},
		{`{"a": 1e999}`, `line 1 column 7: want a number that a double can hold, got a larger one`},
		{`{} {}`, `line 1 column 4: want the end of the JSON text, got "{"`},
		{"{\"a\": \"\xff\"}", `line 1 column 8: want text in UTF-8, got another byte`},
		{`{"a": {"b": 1, "c": 2, "b": 3}}`, `a.b: want a name that occurs once, got it twice`},
		{`{"a": [0, {"x y": 1, "x y": 2}]}`, `a[1]["x y"]: want a name that occurs once, got it twice`},
		{`{"a": ` + strings.Repeat("[", 64), `a: want at most 64 lists and objects inside each other, got more`},
		{"\x00", "want JSON text or a binary google.protobuf.Struct, got bytes that are neither, from byte 0"},

		// model_list
		{`{}`, `model_list: want a list of at least one model, got nothing`},
		{`{"model_list": null}`, `model_list: want a list of at least one model, got nothing`},
		{`{"model_list": []}`, `model_list: want a list of at least one model, got an empty list`},
		{`{"model_list": {}}`, `model_list: want a list, got an object`},
		{`{"model_list": ["m"]}`, `model_list[0]: want an object, got "m"`},
		{`{"model_list": [{}]}`, `model_list[0].model_name: want the name that callers ask for, got nothing`},
		{`{"model_list": [{"model_name": 4}]}`, `model_list[0].model_name: want a text that is not empty, got 4`},
		{`{"model_list": [{"model_name": "m"}]}`, `model_list[0].litellm_params.model: want a model such as "openai/gpt-4o", got nothing`},
		{`{"model_list": [{"model_name": "m", "litellm_params": []}]}`, `model_list[0].litellm_params: want an object, got an empty list`},
		{`{"model_list": [{"model_name": "m", "litellm_params": {"model": ""}}]}`, `model_list[0].litellm_params.model: want a text that is not empty, got ""`},
		{`{"model_list": [{"model_name": "m", "litellm_params": {"model": "openai/"}}]}`, `model_list[0].litellm_params.model: want a model's name after the provider's, got "openai/"`},
		{`{"model_list": [{"model_name": "openai/*", "litellm_params": {"model": "openai/*"}}]}`, `model_list[0].model_name: want a name without "*" (wildcards are not served yet), got "openai/*"`},
		{`{"model_list": [{"model_name": "m", "litellm_params": {"model": "claude-sonnet-4"}}]}`, `model_list[0].litellm_params.model: want a provider that speaks OpenAI's dialect, such as "openai/<model>" with api_base: Fairshare does not translate dialects, got "claude-sonnet-4"`},
		{`{"model_list": [{"model_name": "m", "litellm_params": {"model": "bedrock/x", "api_base": "http://h"}}]}`, `model_list[0].litellm_params.model: want a provider that speaks OpenAI's dialect, such as "openai/<model>" with api_base: Fairshare does not translate dialects, got "bedrock/x"`},
		{`{"model_list": [{"model_name": "m", "litellm_params": {"model": "meta-llama/x"}}]}`, `model_list[0].litellm_params.model: want a provider that Fairshare knows before the "/", such as "openai/<model>" with api_base, got "meta-llama/x"`},
		{`{"model_list": [{"model_name": "m", "litellm_params": {"model": "azure/x"}}]}`, `model_list[0].litellm_params.api_base: ` + base + `nothing`},
		{`{"model_list": [{"model_name": "m", "litellm_params": {"model": "hosted_vllm/x"}}]}`, `model_list[0].litellm_params.api_base: ` + base + `nothing`},
		{withParams(`"tpm": "lots"`), `model_list[0].litellm_params.tpm: ` + tokens + `"lots"`},
		{withParams(`"tpm": "0x10"`), `model_list[0].litellm_params.tpm: ` + tokens + `"0x10"`},
		{withParams(`"tpm": "inf"`), `model_list[0].litellm_params.tpm: ` + tokens + `"inf"`},
		{withParams(`"tpm": ""`), `model_list[0].litellm_params.tpm: ` + tokens + `""`},
		{withParams(`"tpm": "` + strings.Repeat("9", 65) + `"`), `model_list[0].litellm_params.tpm: ` + tokens + `"` + strings.Repeat("9", 64) + `"...`},
		{withParams(`"tpm": 1.5`), `model_list[0].litellm_params.tpm: ` + tokens + `1.5`},
		{withParams(`"tpm": -1`), `model_list[0].litellm_params.tpm: ` + tokens + `-1`},
		{withParams(`"tpm": 1e+21`), `model_list[0].litellm_params.tpm: ` + tokens + `1e+21`},
		{withParams(`"tpm": true`), `model_list[0].litellm_params.tpm: ` + tokens + `true`},
		{withParams(`"tpm": "os.environ/UNSET"`), `model_list[0].litellm_params.tpm: want environment variable UNSET set and passed on to the plugin, got nothing`},
		{withParams(`"tpm": "os.environ/BLANK"`), `model_list[0].litellm_params.tpm: want environment variable BLANK set and passed on to the plugin, got nothing`},
		{withParams(`"tpm": "os.environ/LOTS"`), `model_list[0].litellm_params.tpm: ` + tokens + `what variable LOTS holds`},
		{withParams(`"rpm": "x\ny"`), `model_list[0].litellm_params.rpm: want a whole number of requests a minute, 0 to 1e12, got "x\ny"`},
		{withParams(`"weight": -1`), `model_list[0].litellm_params.weight: want a number from 0 to 1e12, got -1`},
		{withParams(`"mock_response": [0.1]`), `model_list[0].litellm_params.mock_response: want the answer's text (other mocks are not served yet), got a list`},
		{withParams(`"api_key": 17`), `model_list[0].litellm_params.api_key: want a key as text, got something else (not shown)`},
		{withParams(`"api_key": "sk-a b"`), `model_list[0].litellm_params.api_key: want a key of printable ASCII without blanks, got one with another character (not shown)`},
		{withParams(`"api_key": "os.environ/BROKEN"`), `model_list[0].litellm_params.api_key: want printable ASCII without blanks in environment variable BROKEN, got another character (not shown)`},
		{withParams(`"api_base": "localhost:8000"`), `model_list[0].litellm_params.api_base: ` + base + `"localhost:8000"`},
		{withParams(`"api_base": "ftp://h/"`), `model_list[0].litellm_params.api_base: ` + base + `"ftp://h/"`},
		{withParams(`"api_base": "http://"`), `model_list[0].litellm_params.api_base: ` + base + `"http://"`},
		{withParams(`"api_base": "http://h:0/"`), `model_list[0].litellm_params.api_base: ` + base + `"http://h:0/"`},
		{withParams(`"api_base": "http://h:99999"`), `model_list[0].litellm_params.api_base: ` + base + `"http://h:99999"`},
		{withParams(`"api_base": "http://a b/"`), `model_list[0].litellm_params.api_base: ` + base + `"http://a b/"`},
		{withParams(`"api_base": "http://[::1"`), `model_list[0].litellm_params.api_base: ` + base + `"http://[::1"`},
		{withParams(`"api_base": "http://[::1]8000"`), `model_list[0].litellm_params.api_base: ` + base + `"http://[::1]8000"`},
		{withParams(`"api_base": "http://h/v1/../x"`), `model_list[0].litellm_params.api_base: ` + base + `"http://h/v1/../x"`},
		{withParams(`"api_base": "http://me:secret@h/v1"`), `model_list[0].litellm_params.api_base: ` + base + `one with such a part (not shown)`},
		{withParams(`"api_base": "http://h/v1?key=secret"`), `model_list[0].litellm_params.api_base: ` + base + `one with such a part (not shown)`},
		{withParams(`"api_base": "os.environ/BASE_WITH_QUERY"`), `model_list[0].litellm_params.api_base: ` + base + `what variable BASE_WITH_QUERY holds`},
		{withParams(`"api_base": "os.environ/UNSET"`), `model_list[0].litellm_params.api_base: want environment variable UNSET set and passed on to the plugin, got nothing`},

		// general_settings
		{with(`"general_settings": {"master_key": "os.environ/UNSET"}`), `general_settings.master_key: want environment variable UNSET set and passed on to the plugin, got nothing`},
		{with(`"general_settings": {"master_key": ""}`), `general_settings.master_key: want a key as text, got an empty text`},
		{with(`"general_settings": {"master_key": 1234}`), `general_settings.master_key: want a key as text, got something else (not shown)`},
		{with(`"general_settings": "x"`), `general_settings: want an object, got "x"`},

		// litellm_settings
		{with(`"litellm_settings": {"callbacks": {}}`), `litellm_settings.callbacks: want a callback's name, got an object`},
		{with(`"litellm_settings": {"callbacks": [1]}`), `litellm_settings.callbacks[0]: want a callback's name, got 1`},
		{with(`"litellm_settings": {"priority_reservation": ["prod"]}`), `litellm_settings.priority_reservation: want an object, got a list`},
		{reserve(`"prod": 1.5`), `litellm_settings.priority_reservation.prod: ` + amount + `1.5`},
		{reserve(`"prod": 90`), `litellm_settings.priority_reservation.prod: ` + amount + `90`},
		{reserve(`"prod": -0.1`), `litellm_settings.priority_reservation.prod: ` + amount + `-0.1`},
		{reserve(`"prod": null`), `litellm_settings.priority_reservation.prod: ` + amount + `nothing`},
		{reserve(`"prod": []`), `litellm_settings.priority_reservation.prod: ` + amount + `an empty list`},
		{reserve(`"": 1`), `litellm_settings.priority_reservation: want a name for every priority, got an empty one`},
		{reserve(`"a\nb": 2`), `litellm_settings.priority_reservation["a\nb"]: ` + amount + `2`},
		{reserve(`"p": {"type": "tokens"}`), `litellm_settings.priority_reservation.p.type: want one of percent, rpm, tpm, got "tokens"`},
		{reserve(`"p": {"type": "percent", "value": 50}`), `litellm_settings.priority_reservation.p.value: want a fraction from 0 to 1 (0.5 is half), got 50`},
		{reserve(`"p": {"type": "rpm", "value": -5}`), `litellm_settings.priority_reservation.p.value: want a number from 0 to 1e12, got -5`},
		{with(`"litellm_settings": {"priority_reservation_settings": {"default_priority": 2}}`), `litellm_settings.priority_reservation_settings.default_priority: want a fraction from 0 to 1, got 2`},
		{with(`"litellm_settings": {"priority_reservation_settings": {"saturation_threshold": "high"}}`), `litellm_settings.priority_reservation_settings.saturation_threshold: want a fraction from 0 to 1, got "high"`},
		{with(`"litellm_settings": {"priority_reservation_settings": {"saturation_check_cache_ttl": 0.5}}`), `litellm_settings.priority_reservation_settings.saturation_check_cache_ttl: want a whole number of seconds, 0 to 86400, got 0.5`},

		{litellm(`"max_budget": -1`), `litellm_settings.max_budget: ` + dollars + `-1`},
		{litellm(`"max_budget": 9000001`), `litellm_settings.max_budget: ` + dollars + `9.000001e+06`},
		{litellm(`"max_budget": "much"`), `litellm_settings.max_budget: ` + dollars + `"much"`},
		{litellm(`"max_budget": "os.environ/LOTS"`), `litellm_settings.max_budget: ` + dollars + `what variable LOTS holds`},
		{litellm(`"max_end_user_budget": true`), `litellm_settings.max_end_user_budget: ` + dollars + `true`},
		{litellm(`"max_end_user_budget_id": 5`), `litellm_settings.max_end_user_budget_id: want a text that is not empty, got 5`},
		{litellm(`"budget_duration": "30"`), `litellm_settings.budget_duration: ` + duration + `"30"`},
		{litellm(`"budget_duration": 30`), `litellm_settings.budget_duration: ` + duration + `30`},
		{litellm(`"budget_duration": "0d"`), `litellm_settings.budget_duration: ` + duration + `"0d"`},
		{litellm(`"timezone": "Mars/Olympus"`), `litellm_settings.timezone: want the IANA name of a time zone, such as "Europe/Berlin", got "Mars/Olympus"`},
		{litellm(`"timezone": "os.environ/LOTS"`), `litellm_settings.timezone: want the IANA name of a time zone, such as "Europe/Berlin", got what variable LOTS holds`},
		{litellm(`"timezone": ""`), `litellm_settings.timezone: want a text that is not empty, got ""`},
		{litellm(`"budget_reset_time": 720`), `litellm_settings.budget_reset_time: ` + clock + `720`},
		{litellm(`"budget_reset_time": "24:00"`), `litellm_settings.budget_reset_time: ` + clock + `"24:00"`},
		{litellm(`"budget_reset_time": "12:60"`), `litellm_settings.budget_reset_time: ` + clock + `"12:60"`},
		{litellm(`"budget_reset_time": "noon"`), `litellm_settings.budget_reset_time: ` + clock + `"noon"`},
		{litellm(`"budget_reset_time": "12"`), `litellm_settings.budget_reset_time: ` + clock + `"12"`},
		{litellm(`"budget_reset_time": "12:"`), `litellm_settings.budget_reset_time: ` + clock + `"12:"`},
		{litellm(`"budget_reset_time": "12:+1"`), `litellm_settings.budget_reset_time: ` + clock + `"12:+1"`},
		{litellm(`"budget_reset_time": "012:00"`), `litellm_settings.budget_reset_time: ` + clock + `"012:00"`},
		{litellm(`"budget_reset_time": "12:00:30"`), `litellm_settings.budget_reset_time: ` + clock + `"12:00:30"`},
		{litellm(`"budget_reset_time": "1:2:3:00"`), `litellm_settings.budget_reset_time: ` + clock + `"1:2:3:00"`},
		{litellm(`"budget_exceeded_status_code": 399`), `litellm_settings.budget_exceeded_status_code: ` + status + `399`},
		{litellm(`"budget_exceeded_status_code": 500`), `litellm_settings.budget_exceeded_status_code: ` + status + `500`},
		{litellm(`"budget_exceeded_status_code": 429.5`), `litellm_settings.budget_exceeded_status_code: ` + status + `429.5`},
		{litellm(`"require_auth_for_metrics_endpoint": "no"`), `litellm_settings.require_auth_for_metrics_endpoint: want true or false, got "no"`},

		// end users
		{with(`"general_settings": {"enforce_user_param": 1}`), `general_settings.enforce_user_param: want true or false, got 1`},
		{with(`"general_settings": {"apply_user_budget_to_team_keys": "true"}`), `general_settings.apply_user_budget_to_team_keys: want true or false, got "true"`},
		{with(`"general_settings": {"user_header_name": "x user"}`), `general_settings.user_header_name: ` + header + `"x user"`},
		{with(`"general_settings": {"user_header_name": ":path"}`), `general_settings.user_header_name: ` + header + `":path"`},
		{with(`"general_settings": {"user_header_name": 7}`), `general_settings.user_header_name: want a text that is not empty, got 7`},
		{with(`"general_settings": {"user_header_mappings": "x-user"}`), `general_settings.user_header_mappings: want an object, got "x-user"`},
		{with(`"general_settings": {"user_header_mappings": [{"litellm_user_role": "customer"}]}`), `general_settings.user_header_mappings[0].header_name: ` + header + `nothing`},
		{with(`"general_settings": {"user_header_mappings": [{"header_name": "X-É", "litellm_user_role": "customer"}]}`), `general_settings.user_header_mappings[0].header_name: ` + header + `"X-\u00c9"`},
		{with(`"general_settings": {"user_header_mappings": [{"header_name": "x-user"}]}`), `general_settings.user_header_mappings[0].litellm_user_role: want customer or internal_user, got nothing`},
		{with(`"general_settings": {"user_header_mappings": {"header_name": "x-user", "litellm_user_role": "boss"}}`), `general_settings.user_header_mappings.litellm_user_role: want customer or internal_user, got "boss"`},

		// prices
		{withParams(`"input_cost_per_token": -1e-6`), `model_list[0].litellm_params.input_cost_per_token: ` + perTokenWant + `-1e-06`},
		{withParams(`"output_cost_per_token": "cheap"`), `model_list[0].litellm_params.output_cost_per_token: ` + perTokenWant + `"cheap"`},
		{withParams(`"cache_read_input_token_cost": true`), `model_list[0].litellm_params.cache_read_input_token_cost: ` + perTokenWant + `true`},
		{withParams(`"output_cost_per_token": 1.5`), `model_list[0].litellm_params.output_cost_per_token: ` + perTokenWant + `1.5`},
		{
			withParams(`"input_cost_per_token_above_1k_tokens": 1, "input_cost_per_token_above_2k_tokens": 1, "input_cost_per_token_above_3k_tokens": 1, "output_cost_per_token_above_4k_tokens": 1`),
			`model_list[0].litellm_params.output_cost_per_token_above_4k_tokens: want at most 3 thresholds of a model, the table's among them, got one more`,
		},
		{withParams(`"input_cost_per_token_above_128k_tokens": []`), `model_list[0].litellm_params.input_cost_per_token_above_128k_tokens: ` + perTokenWant + `an empty list`},
		{withInfo(`"cache_creation_input_token_cost": {}`), `model_list[0].model_info.cache_creation_input_token_cost: ` + perTokenWant + `an object`},
		{withInfo(`"base_model": 4`), `model_list[0].model_info.base_model: want a text that is not empty, got 4`},
		{withInfo(`"base_model": ""`), `model_list[0].model_info.base_model: want a text that is not empty, got ""`},

		// fairshare_settings
		{with(`"fairshare_settings": {"unpriced_models": "free"}`), `fairshare_settings.unpriced_models: ` + unpriced + `"free"`},
		{with(`"fairshare_settings": {"unpriced_models": 0}`), `fairshare_settings.unpriced_models: ` + unpriced + `0`},
		{with(`"fairshare_settings": {"unpriced_models": ""}`), `fairshare_settings.unpriced_models: ` + unpriced + `""`},
		{with(`"fairshare_settings": {"unpriced_models": [1]}`), `fairshare_settings.unpriced_models: ` + unpriced + `a list`},
		{with(`"fairshare_settings": {"unpriced_models": {"input": 1e-6}}`), `fairshare_settings.unpriced_models.output: ` + perTokenWant + `nothing`},
		{with(`"fairshare_settings": {"unpriced_models": {"input": -1, "output": 1}}`), `fairshare_settings.unpriced_models.input: ` + perTokenWant + `-1`},
		{with(`"fairshare_settings": {"unpriced_models": {"input": 0, "output": 0, "image": 1}}`), `fairshare_settings.unpriced_models.image: want one of input, output, got a setting that does not exist`},
		{with(`"fairshare_settings": {"window": "rolling"}`), `fairshare_settings.window: want one of fixed, sliding, got "rolling"`},
		{with(`"fairshare_settings": {"max_body_byte": 1}`), `fairshare_settings.max_body_byte: want one of client_retries, cors_origins, enforce, error_format, forward_headers, grace_seconds, host, limit_headers, max_bodies, max_bodies_per_key, max_body_bytes, max_body_memory, pass_through_paths, stream_options, unpriced_models, window, got a setting that does not exist`},
		{with(`"litellm_settings": {"max_budget": 1e-30}`), `litellm_settings.max_budget: want an amount in US dollars, 0 or 1e-12 to 9e6, got 1e-30`},
		{with(`"litellm_settings": {"max_end_user_budget": "1e-13"}`), `litellm_settings.max_end_user_budget: want an amount in US dollars, 0 or 1e-12 to 9e6, got "1e-13"`},
		{with(`"fairshare_settings": {"error_format": "json"}`), `fairshare_settings.error_format: want one of auto, documents, litellm, got "json"`},
		{with(`"fairshare_settings": {"host": "nginx"}`), `fairshare_settings.host: want one of auto, envoy, istio, kong, apisix, got "nginx"`},
		{with(`"fairshare_settings": {"grace_seconds": 61}`), `fairshare_settings.grace_seconds: want a whole number of seconds, 0 to 60, got 61`},
		{with(`"fairshare_settings": {"client_retries": "yes"}`), `fairshare_settings.client_retries: want true or false, got "yes"`},
		{with(`"fairshare_settings": {"max_body_bytes": 1023}`), `fairshare_settings.max_body_bytes: want a whole number of bytes, 1024 to 67108864, which a worker's VM can hold, got 1023`},
		{with(`"fairshare_settings": {"max_body_bytes": 67108865}`), `fairshare_settings.max_body_bytes: want a whole number of bytes, 1024 to 67108864, which a worker's VM can hold, got 6.7108865e+07`},
		{with(`"fairshare_settings": {"cors_origins": ["*", "page.example"]}`), `fairshare_settings.cors_origins[1]: want an origin such as "https://page.example", in lower case, or "*", got "page.example"`},
		{with(`"fairshare_settings": {"cors_origins": ["https://page.example/"]}`), `fairshare_settings.cors_origins[0]: want an origin such as "https://page.example", in lower case, or "*", got "https://page.example/"`},
		{with(`"fairshare_settings": {"cors_origins": ["https://*.example"]}`), `fairshare_settings.cors_origins[0]: want an origin such as "https://page.example", in lower case, or "*", got "https://*.example"`},
		{with(`"fairshare_settings": {"forward_headers": ["x-a", "authorization"]}`), `fairshare_settings.forward_headers[1]: want a header that is no credential, changes no reading of the message and is not the gateway's own, got "authorization"`},
		{with(`"fairshare_settings": {"forward_headers": ["x-a", "Cookie"]}`), `fairshare_settings.forward_headers[1]: want a header that is no credential, changes no reading of the message and is not the gateway's own, got "cookie"`},
		{with(`"fairshare_settings": {"forward_headers": ["x-a", "x-litellm-*"]}`), `fairshare_settings.forward_headers[1]: want a header that is no credential, changes no reading of the message and is not the gateway's own, got "x-litellm-*"`},
		{with(`"fairshare_settings": {"forward_headers": ["x-a", "x-fairshare-upstream"]}`), `fairshare_settings.forward_headers[1]: want a header that is no credential, changes no reading of the message and is not the gateway's own, got "x-fairshare-upstream"`},
		{with(`"fairshare_settings": {"forward_headers": ["x-*"]}`), "fairshare_settings.forward_headers[0]: want a header's name, or a begin such as \"x-team-*\", got \"x-*\""},
		{with(`"fairshare_settings": {"forward_headers": ["*"]}`), "fairshare_settings.forward_headers[0]: want a header's name, or a begin such as \"x-team-*\", got \"*\""},
		{with(`"fairshare_settings": {"forward_headers": ["a b"]}`), "fairshare_settings.forward_headers[0]: want a header's name, or a begin such as \"x-team-*\", got \"a b\""},
		{with(`"fairshare_settings": {"forward_headers": [":path"]}`), "fairshare_settings.forward_headers[0]: want a header's name, or a begin such as \"x-team-*\", got \":path\""},
		{with(`"fairshare_settings": {"forward_headers": ["x-team*"]}`), "fairshare_settings.forward_headers[0]: want a header's name, or a begin such as \"x-team-*\", got \"x-team*\""},
		{with(`"fairshare_settings": {"pass_through_paths": "/x"}`), `fairshare_settings.pass_through_paths: want a list, got "/x"`},
		{with(`"fairshare_settings": {"pass_through_paths": ["/x", "y"]}`), `fairshare_settings.pass_through_paths[1]: ` + path + `"y"`},
		{with(`"fairshare_settings": {"pass_through_paths": ["/*/x"]}`), `fairshare_settings.pass_through_paths[0]: ` + path + `"/*/x"`},
		{with(`"fairshare_settings": {"pass_through_paths": ["/x/../y"]}`), `fairshare_settings.pass_through_paths[0]: ` + path + `"/x/../y"`},
		{with(`"fairshare_settings": {"pass_through_paths": [null]}`), `fairshare_settings.pass_through_paths[0]: want a text that is not empty, got nothing`},

		// virtual_keys
		{with(`"virtual_keys": {}`), `virtual_keys: want a list, got an object`},
		{keys(`"sk-x"`), `virtual_keys[0]: want an object, got "sk-x"`},
		{keys(`{}`), `virtual_keys[0]: want an entry with key: os.environ/NAME or key_sha256: <64 hexadecimal digits>, got an object`},
		{keys(`{"key": "sk-plain"}`), `virtual_keys[0].key: want os.environ/NAME, or key_sha256 instead (Envoy's /config_dump shows the configuration), got a plain key (not shown)`},
		{keys(`{"key": "os.environ/UNSET"}`), `virtual_keys[0].key: want environment variable UNSET set and passed on to the plugin, got nothing`},
		{keys(`{"key": "os.environ/NOT_SK"}`), `virtual_keys[0].key: want a key that begins with "sk-", got another (not shown)`},
		{keys(`{"key": "os.environ/BROKEN"}`), `virtual_keys[0].key: want a key of printable ASCII without blanks, got one with another character (not shown)`},
		{keys(`{"key": "os.environ/ALICE_KEY", "key_sha256": "` + hash + `"}`), `virtual_keys[0].key: want either key or key_sha256, got both`},
		{keys(`{"key_sha256": "abc"}`), `virtual_keys[0].key_sha256: want 64 hexadecimal digits (sha256sum of the key, without a line end), got another text of 3 characters`},
		{keys(`{"key_sha256": "` + hash[:62] + `zz"}`), `virtual_keys[0].key_sha256: want 64 hexadecimal digits (sha256sum of the key, without a line end), got another text of 64 characters`},
		{keys(`{"key_sha256": "` + hash + `"}, {"key_sha256": "` + strings.ToUpper(hash) + `"}`), `virtual_keys[1]: want a key that no other entry has, got that of virtual_keys[0]`},
		{keys(`{"key": "os.environ/ALICE_KEY", "key_alias": "a"}, {"key": "os.environ/BOB_KEY", "key_alias": "a"}`), `virtual_keys[1].key_alias: want an alias that no other key has, got that of virtual_keys[0]`},
		{with(`"general_settings": {"master_key": "sk-1234"}, "virtual_keys": [{"key": "os.environ/SAME_AS_MASTER"}]`), `virtual_keys[0]: want a key of its own, got the master key`},
		{with(`"general_settings": {"virtual_keys": []}, "virtual_keys": []`), `general_settings.virtual_keys: want virtual_keys in one place, got them at the top level, too`},
		{keys(`{"key": "os.environ/ALICE_KEY", "duration": "30d"}`), `virtual_keys[0].duration: want expires with a date instead (nothing tells when a declared key was made), got a duration`},
		{keys(`{"key": "os.environ/ALICE_KEY", "max_bugdet": 5}`), `virtual_keys[0].max_bugdet: want a setting that README lists for virtual_keys, got one that does not exist`},
		{keys(`{"key": "os.environ/ALICE_KEY", "expires": "tomorrow"}`), `virtual_keys[0].expires: want a moment after 1970 as in "2026-12-31T23:59:59Z", got "tomorrow"`},
		{keys(`{"key": "os.environ/ALICE_KEY", "expires": "1969-12-31T23:59:59Z"}`), `virtual_keys[0].expires: want a moment after 1970 as in "2026-12-31T23:59:59Z", got "1969-12-31T23:59:59Z"`},
		{keys(`{"key": "os.environ/ALICE_KEY", "models": "m"}`), `virtual_keys[0].models: want a list of strings, got "m"`},
		{keys(`{"key": "os.environ/ALICE_KEY", "blocked": 1}`), `virtual_keys[0].blocked: want true or false, got 1`},
		{keys(`{"key": "os.environ/ALICE_KEY", "metadata": {"priority": 1}}`), `virtual_keys[0].metadata.priority: want a string, got 1`},
		{keys(`{"key": "os.environ/ALICE_KEY", "key_alias": "os.environ/UNSET"}`), `virtual_keys[0].key_alias: want environment variable UNSET set and passed on to the plugin, got nothing`},
		{keys(`{"key": "os.environ/ALICE_KEY", "expires": "os.environ/LOTS"}`), `virtual_keys[0].expires: want a moment after 1970 as in "2026-12-31T23:59:59Z", got what variable LOTS holds`},
		{keys(`{"key": "os.environ/ALICE_KEY", "max_budget": -1}`), `virtual_keys[0].max_budget: want a number from 0 to 9000000, got -1`},
		{keys(`{"key": "os.environ/ALICE_KEY", "max_budget": "os.environ/LOTS"}`), `virtual_keys[0].max_budget: want a number from 0 to 9000000, got what variable LOTS holds`},
		{keys(`{"key": "os.environ/ALICE_KEY", "tpm_limit": "60 "}, {"key": "os.environ/BOB_KEY", "rpm_limit": 0.5}`), `virtual_keys[1].rpm_limit: want a whole number from 0 to 1000000000000, got 0.5`},
		{keys(`{"key": "os.environ/ALICE_KEY", "model_rpm_limit": {"m": "lots"}}`), `virtual_keys[0].model_rpm_limit.m: want a whole number from 0 to 1000000000000, got "lots"`},
		{keys(`{"key": "os.environ/ALICE_KEY", "metadata": {"priority": ["os.environ/LOTS"]}}`), `virtual_keys[0].metadata.priority: want a string, got a list`},
		{keys(`{"key": "os.environ/ALICE_KEY", "guardrails": ["pii"]}`), `virtual_keys[0].guardrails: want nothing, since Fairshare does not enforce it here, got a list`},
		{keys(`{"key": "os.environ/ALICE_KEY", "members": []}`), `virtual_keys[0].members: want a setting that README lists for virtual_keys, got one that does not exist`},
		{keys(`{"key": "os.environ/ALICE_KEY", "created_at": "2026-12-31T23:59:59Z"}`), `virtual_keys[0].created_at: want a setting that README lists for virtual_keys, got one that does not exist`},
		{keys(`null`), `virtual_keys[0]: want an entry with key: os.environ/NAME or key_sha256: <64 hexadecimal digits>, got nothing`},

		// users, teams, customers and budgets
		{with(`"users": {}`), `users: want a list, got an object`},
		{with(`"users": [null]`), `users[0].user_id: want an id, got nothing`},
		{with(`"users": [7]`), `users[0]: want an object, got 7`},
		{with(`"users": [{}]`), `users[0].user_id: want an id, got nothing`},
		{with(`"users": [{"user_id": ""}]`), `users[0].user_id: want a text that is not empty, got ""`},
		{with(`"users": [{"user_id": 5}]`), `users[0].user_id: want a text that is not empty, got 5`},
		{with(`"users": [{"user_id": "a\u0000b"}]`), `users[0].user_id: want text without control characters, got "a\x00b"`},
		{with(`"users": [{"user_id": "u", "user_role": "boss"}]`), `users[0].user_role: want one of proxy_admin proxy_admin_viewer internal_user internal_user_viewer, got "boss"`},
		{with(`"users": [{"user_id": "u", "key": "os.environ/ALICE_KEY"}]`), `users[0].key: want a setting that README lists for users, got one that does not exist`},
		{with(`"users": [{"user_id": "u"}, {"user_id": "v"}, {"user_id": "u"}]`), `users[2].user_id: want an id that no other entry has, got that of users[0]`},
		{with(`"users": [], "general_settings": {"users": []}`), `general_settings.users: want users in one place, got them at the top level, too`},
		{with(`"general_settings": {"budgets": [{"budget_id": "b", "budget_duration": "1y"}]}`), `general_settings.budgets[0].budget_duration: want ` + tenant.WantDuration + `, got "1y"`},
		{with(`"teams": [{"team_alias": "t"}]`), `teams[0].team_id: want an id, got nothing`},
		{with(`"teams": [{"team_id": "t", "max_budget": 5, "soft_budget": 5}]`), `teams[0].soft_budget: want less than max_budget (5.0), got 5.0`},
		{with(`"teams": [{"team_id": "t", "members": {"user_id": "u"}}]`), `teams[0].members: want a list, got an object`},
		{with(`"teams": [{"team_id": "t", "members": [{"role": "user"}]}]`), `teams[0].members[0].user_id: want an id, got nothing`},
		{with(`"teams": [{"team_id": "t", "members": [{"user_id": "u", "role": "owner"}]}]`), `teams[0].members[0].role: want one of user admin, got "owner"`},
		{with(`"teams": [{"team_id": "t", "members": [{"user_id": "u", "team_id": "other"}]}]`), `teams[0].members[0].team_id: want a setting that README lists for teams[].members, got one that does not exist`},
		{with(`"teams": [{"team_id": "t", "members": [{"user_id": "u"}, {"user_id": "u"}]}]`), `teams[0].members[1].user_id: want an id that no other entry has, got that of teams[0].members[0]`},
		{with(`"teams": [{"team_id": "t"}, {"team_id": "t"}]`), `teams[1].team_id: want an id that no other entry has, got that of teams[0]`},
		{with(`"customers": [{"user_id": "c", "max_budget": 1, "budget_id": "b"}]`), `customers[0].budget_id: want either max_budget or budget_id, got both`},
		{with(`"customers": [{"user_id": "c", "soft_budget": 1}]`), `customers[0].soft_budget: want nothing, since Fairshare does not enforce it here, got 1`},
		{with(`"customers": [{"user_id": "c"}, {"user_id": "c"}]`), `customers[1].user_id: want an id that no other entry has, got that of customers[0]`},
		{with(`"budgets": [{"max_budget": 1}]`), `budgets[0].budget_id: want an id, got nothing`},
		{with(`"budgets": [{"budget_id": "b"}, {"budget_id": "b"}]`), `budgets[1].budget_id: want an id that no other entry has, got that of budgets[0]`},
	} {
		p, err := Parse([]byte(c.config), vars)
		if err == nil {
			t.Errorf("Parse(%s) has no error, want %s", c.config, c.want)
			continue
		}
		if p != nil {
			t.Errorf("Parse(%s) gave a Policy and an error", c.config)
		}
		if _, ok := err.(*Error); !ok {
			t.Errorf("Parse(%s): error is a %T", c.config, err)
		}
		if got := err.Error(); got != "config: "+c.want {
			t.Errorf("Parse(%s):\n got %s\nwant config: %s", c.config, got, c.want)
		}
	}
}

func TestNumbersAsYAMLAndHostsWriteThem(t *testing.T) {
	for _, tpm := range []string{`60`, `60.0`, `6e1`, `6.0E+01`, `"60"`, `" 60 "`, `"6e1"`, `"os.environ/TPM"`, `600e-1`} {
		if p := mustParse(t, withParams(`"tpm": `+tpm)); p.Models[0].TPM != 60 || !p.Models[0].LimitTPM {
			t.Errorf("tpm: %s is %d, want 60", tpm, p.Models[0].TPM)
		}
	}
	p := mustParse(t, withParams(`"tpm": 1e12, "rpm": 0`))
	if m := p.Models[0]; m.TPM != 1_000_000_000_000 || m.RPM != 0 || !m.LimitRPM {
		t.Errorf("the ends of the range: %+v", m)
	}
	if p := mustParse(t, withParams(`"tpm": null`)); p.Models[0].LimitTPM {
		t.Error("tpm: null is a limit")
	}
}

func TestUpstreams(t *testing.T) {
	for _, c := range []struct {
		params string
		want   Deployment
	}{
		{`"model": "gpt-4o"`, Deployment{ProviderModel: "gpt-4o", Provider: "openai", Upstream: "api.openai.com", PathPrefix: "/v1", TLS: true, APIKey: "sk-real"}},
		{`"model": "openai/gpt-4o"`, Deployment{ProviderModel: "gpt-4o", Provider: "openai", Upstream: "api.openai.com", PathPrefix: "/v1", TLS: true, APIKey: "sk-real"}},
		{`"model": "groq/llama"`, Deployment{ProviderModel: "llama", Provider: "groq", Upstream: "api.groq.com", PathPrefix: "/openai/v1", TLS: true, APIKey: "gsk-1"}},
		{`"model": "openrouter/openai/gpt-4o"`, Deployment{ProviderModel: "openai/gpt-4o", Provider: "openrouter", Upstream: "openrouter.ai", PathPrefix: "/api/v1", TLS: true, MissingKey: "OPENROUTER_API_KEY"}},
		{`"model": "perplexity/sonar", "api_key": "k"`, Deployment{ProviderModel: "sonar", Provider: "perplexity", Upstream: "api.perplexity.ai", TLS: true, APIKey: "k"}},
		{`"model": "perplexity/sonar", "api_key": "k", "api_base": "https://api.perplexity.ai"`, Deployment{ProviderModel: "sonar", Provider: "perplexity", Upstream: "api.perplexity.ai", TLS: true, APIKey: "k"}},
		{`"model": "ollama/llama3"`, Deployment{ProviderModel: "llama3", Provider: "ollama", Upstream: "localhost:11434", PathPrefix: "/v1"}},
		{`"model": "ollama/llama3", "api_base": "http://gpu:11434"`, Deployment{ProviderModel: "llama3", Provider: "ollama", Upstream: "gpu:11434", PathPrefix: "/v1"}},
		{`"model": "meta-llama/Llama-3", "custom_llm_provider": "openai", "api_base": "http://10.0.0.1/"`, Deployment{ProviderModel: "meta-llama/Llama-3", Provider: "openai", Upstream: "10.0.0.1"}},
		{`"model": "openai/x", "custom_llm_provider": "openai"`, Deployment{ProviderModel: "x", Provider: "openai", Upstream: "api.openai.com", PathPrefix: "/v1", TLS: true, APIKey: "sk-real"}},
		{`"model": "claude-x", "custom_llm_provider": "openai", "api_base": "http://h"`, Deployment{ProviderModel: "claude-x", Provider: "openai", Upstream: "h", PathPrefix: "/v1"}},

		// OPENAI_API_KEY is OpenAI's, and must not go to a server of somebody else.
		{`"model": "openai/x", "api_base": "http://127.0.0.1:8000/v1"`, Deployment{ProviderModel: "x", Provider: "openai", Upstream: "127.0.0.1:8000", PathPrefix: "/v1"}},
		{`"model": "openai/x", "api_base": "https://API.openai.com:443/v1/"`, Deployment{ProviderModel: "x", Provider: "openai", Upstream: "api.openai.com", PathPrefix: "/v1", TLS: true, APIKey: "sk-real"}},
		{`"model": "openai/x", "api_key": ""`, Deployment{ProviderModel: "x", Provider: "openai", Upstream: "api.openai.com", PathPrefix: "/v1", TLS: true}},
		{`"model": "openai/x", "api_key": "os.environ/UNSET"`, Deployment{ProviderModel: "x", Provider: "openai", Upstream: "api.openai.com", PathPrefix: "/v1", TLS: true, MissingKey: "UNSET"}},
		{`"model": "openai/x", "api_base": "os.environ/LOCAL_BASE"`, Deployment{ProviderModel: "x", Provider: "openai", Upstream: "127.0.0.1:8000", PathPrefix: "/v1"}},
		{`"model": "openai/x", "api_base": "http://[::1]:8000/a/b/chat/completions"`, Deployment{ProviderModel: "x", Provider: "openai", Upstream: "[::1]:8000", PathPrefix: "/a/b"}},
		{`"model": "openai/x", "api_base": "HTTP://h:80"`, Deployment{ProviderModel: "x", Provider: "openai", Upstream: "h", PathPrefix: "/v1"}},
		{`"model": "openai/x", "api_base": "http://h:443/v1"`, Deployment{ProviderModel: "x", Provider: "openai", Upstream: "h:443", PathPrefix: "/v1"}},

		// Azure's v1 API, from all that people write to reach the older one.
		{`"model": "azure/my", "api_key": "k", "api_base": "https://x.openai.azure.com"`, Deployment{ProviderModel: "my", Provider: "azure", Upstream: "x.openai.azure.com", PathPrefix: "/openai/v1", TLS: true, APIKey: "k"}},
		{`"model": "azure/my", "api_key": "k", "api_base": "https://x.openai.azure.com/"`, Deployment{ProviderModel: "my", Provider: "azure", Upstream: "x.openai.azure.com", PathPrefix: "/openai/v1", TLS: true, APIKey: "k"}},
		{`"model": "azure/my", "api_key": "k", "api_base": "https://x.openai.azure.com/openai/v1/"`, Deployment{ProviderModel: "my", Provider: "azure", Upstream: "x.openai.azure.com", PathPrefix: "/openai/v1", TLS: true, APIKey: "k"}},
		{`"model": "azure/my", "api_key": "k", "api_base": "https://x.openai.azure.com/openai/deployments/my/chat/completions"`, Deployment{ProviderModel: "my", Provider: "azure", Upstream: "x.openai.azure.com", PathPrefix: "/openai/v1", TLS: true, APIKey: "k"}},
		{`"model": "azure/my", "api_key": "k", "api_base": "http://gateway:8080/eu/openai"`, Deployment{ProviderModel: "my", Provider: "azure", Upstream: "gateway:8080", PathPrefix: "/eu/openai/v1", APIKey: "k"}},
		{`"model": "azure/my", "mock_response": ""`, Deployment{ProviderModel: "my", Provider: "azure", IsMock: true}},

		// A mock needs no provider that Fairshare could call, and no key.
		{`"model": "anthropic/claude", "mock_response": "hi", "api_key": "os.environ/UNSET"`, Deployment{ProviderModel: "claude", Provider: "anthropic", Mock: "hi", IsMock: true}},
		{`"model": "fake", "mock_response": ""`, Deployment{ProviderModel: "fake", Provider: "openai", Upstream: "api.openai.com", PathPrefix: "/v1", TLS: true, IsMock: true}},
	} {
		p := mustParse(t, `{"model_list": [{"model_name": "m", "litellm_params": {`+c.params+`}}]}`)
		c.want.Weight = 1
		got := p.Models[0].Deployments[0]
		got.Price, got.Priced = price.Price{}, false // TestPrices looks at these
		c.want.SelfHosted = c.want.Provider == "ollama"
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.params, got, c.want)
		}
		const missing = "is not set, or the proxy does not pass it on: Envoy's vm_config.environment_variables.host_env_keys must list it: calls to this deployment answer an error"
		if warned := strings.Contains(strings.Join(p.Warnings, "\n"), missing); warned != (c.want.MissingKey != "") {
			t.Errorf("%s: Warnings = %q", c.params, p.Warnings)
		}
	}
}

func TestGroups(t *testing.T) {
	p := mustParse(t, `{"model_list": [
		{"model_name": "b", "litellm_params": {"model": "x", "mock_response": "", "tpm": 100, "rpm": 3}, "model_info": {"access_groups": ["beta", "all"]}},
		{"model_name": "a", "litellm_params": {"model": "x", "mock_response": ""}},
		{"model_name": "b", "tpm": 7, "litellm_params": {"model": "y", "mock_response": "", "tpm": 1000}, "model_info": {"tpm": 5, "access_groups": ["all"]}},
		{"model_name": "b", "litellm_params": {"model": "z", "mock_response": ""}, "model_info": {"rpm": 4}}]}`)
	b, ok := p.Model("b")
	if !ok || b != &p.Models[0] || p.Models[1].Name != "a" || len(p.Models) != 2 {
		t.Fatalf("Models = %+v, want b and a", p.Models)
	}
	if b.TPM != 107 || b.RPM != 7 || !b.LimitTPM || !b.LimitRPM {
		t.Errorf("b has %d tokens and %d requests, want 107 and 7", b.TPM, b.RPM)
	}
	if want := []string{"beta", "all"}; !reflect.DeepEqual(b.AccessGroups, want) {
		t.Errorf("AccessGroups = %q, want %q", b.AccessGroups, want)
	}
	if a, ok := p.Model("a"); !ok || a.LimitTPM || a.LimitRPM {
		t.Errorf("a = %+v, want no limits", a)
	}
	if _, ok := p.Model("c"); ok {
		t.Error("found a model that is not there")
	}
}

func TestWeights(t *testing.T) {
	for _, c := range []struct {
		params []string
		want   []int64
	}{
		{[]string{``, ``}, []int64{1, 1}},
		{[]string{`"tpm": 600`, `"tpm": 400`}, []int64{600, 400}},
		{[]string{`"rpm": 6, "tpm": 1`, `"rpm": 4`}, []int64{6, 4}},
		{[]string{`"weight": 0.9`, `"weight": "0.1"`}, []int64{900, 100}},
		{[]string{`"weight": 2`, `"rpm": 1000`}, []int64{2000, 0}}, // the unit is the first one's
		{[]string{`"weight": 0`, `"weight": 0`}, []int64{1, 1}},
		{[]string{``, `"rpm": 1000`}, []int64{1, 1}},
	} {
		entries := ""
		for _, params := range c.params {
			if params != "" {
				params = ", " + params
			}
			if entries != "" {
				entries += ", "
			}
			entries += `{"model_name": "m", "litellm_params": {"model": "x", "mock_response": ""` + params + `}}`
		}
		p := mustParse(t, `{"model_list": [`+entries+`]}`)
		for i, d := range p.Models[0].Deployments {
			if d.Weight != c.want[i] {
				t.Errorf("%q: deployment %d has weight %d, want %d", c.params, i, d.Weight, c.want[i])
			}
		}
	}
}

func TestLimiter(t *testing.T) {
	const reservation = `"priority_reservation": {"prod": 0.9, "dev": 0.1}`
	for _, c := range []struct {
		settings string
		want     Limiter
	}{
		{``, Unlimited},
		{`"callbacks": []`, Unlimited},
		{`"callbacks": [""]`, Unlimited},
		{`"callbacks": ["prometheus"]`, Unlimited},
		{`"callbacks": "dynamic_rate_limiter"`, ByActiveKeys},
		{`"callbacks": ["prometheus", "dynamic_rate_limiter"]`, ByActiveKeys},
		{`"callbacks": ["dynamic_rate_limiter_v3"]`, ByActiveKeys}, // as seeds 000 shows
		{`"callbacks": ["dynamic_rate_limiter_v3"], "priority_reservation": {}`, ByActiveKeys},
		{`"callbacks": ["dynamic_rate_limiter_v3"], ` + reservation, ByPriority},
		{`"callbacks": ["dynamic_rate_limiter", "dynamic_rate_limiter_v3"], ` + reservation, ByPriority},
		{`"callbacks": ["dynamic_rate_limiter"], ` + reservation, ByActiveKeys},
		{`"callbacks": [""], ` + reservation, ByActiveKeys},
		{reservation, ByActiveKeys},
	} {
		if p := mustParse(t, with(`"litellm_settings": {`+c.settings+`}`)); p.Limiter != c.want {
			t.Errorf("%s: Limiter = %v, want %v", c.settings, p.Limiter, c.want)
		}
	}
}

func TestFractions(t *testing.T) {
	limited := &Model{TPM: 1000, LimitTPM: true, RPM: 100, LimitRPM: true}
	for _, c := range []struct {
		members string
		model   *Model
		v1, v3  []float64
	}{
		{`"a": 0.75, "b": 0.25`, limited, []float64{0.75, 0.25}, []float64{0.75, 0.25}},
		{`"a": 0.25, "b": "0.25"`, limited, []float64{0.25, 0.25}, []float64{0.25, 0.25}}, // below 1 stays
		{`"a": 1, "b": 1`, limited, []float64{1, 1}, []float64{0.5, 0.5}},
		{`"a": {"value": 0.5}, "b": {}`, limited, []float64{0.5, 1}, []float64{0.5 / 1.5, 1 / 1.5}},
		{`"a": {"type": "rpm", "value": 25}, "b": {"type": "tpm", "value": 500}`, limited, []float64{0.25, 0.5}, []float64{0.25, 0.5}},
		{`"a": {"type": "rpm", "value": 250}`, limited, []float64{1}, []float64{1}}, // no more than there is
		// Without the limit the value is the fraction itself, held at 1.
		{`"a": {"type": "rpm", "value": 25}, "b": {"type": "tpm", "value": 0.5}`, &Model{}, []float64{1, 0.5}, []float64{1 / 1.5, 0.5 / 1.5}},
		{`"a": {"type": "rpm", "value": 25}, "b": {"type": "rpm", "value": 0}`, &Model{LimitRPM: true}, []float64{1, 0}, []float64{1, 0}},
	} {
		for callback, want := range map[string][]float64{"dynamic_rate_limiter": c.v1, "dynamic_rate_limiter_v3": c.v3} {
			p := mustParse(t, with(`"litellm_settings": {"callbacks": ["`+callback+`"], "priority_reservation": {`+c.members+`}}`))
			if got := p.Fractions(c.model); !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s: Fractions = %v, want %v", callback, c.members, got, want)
			}
		}
	}
}

// A default that nobody wrote takes nothing of what somebody did.
func TestDefaultFraction(t *testing.T) {
	m := &Model{LimitRPM: true, RPM: 100, LimitTPM: true, TPM: 1000}
	for _, c := range []struct {
		members, given string
		want           float64
	}{
		{`"high": 0.9, "low": 0.1`, ``, 0},
		{`"a": 0.7, "b": 0.2, "c": 0.1`, ``, 0}, // their sum is a little below 1
		{`"a": 0.2, "b": 0.4, "c": 0.3, "d": 0.1`, ``, 0},
		{`"a": 1, "b": 1`, ``, 0},
		{`"a": 0.875`, ``, 0.125},
		{`"a": 0.5`, ``, 0.25},
		{`"a": {"type": "rpm", "value": 100}`, ``, 0},
		{`"a": {"type": "tpm", "value": 875}`, ``, 0.125},
		{`"high": 0.9, "low": 0.1`, `"default_priority": 0.25`, 0.25},
		{`"high": 0.5`, `"default_priority": 0`, 0},
		{`"high": 0.5`, `"default_priority": 0.5`, 0.5},
	} {
		p := mustParse(t, with(`"litellm_settings": {"callbacks": ["dynamic_rate_limiter_v3"], "priority_reservation": {`+c.members+`}, "priority_reservation_settings": {`+c.given+`}}`))
		if got := p.DefaultFraction(m); got != c.want {
			t.Errorf("%s %s: %v, want %v", c.members, c.given, got, c.want)
		}
	}
}

func TestSettings(t *testing.T) {
	p := mustParse(t, withParams(""))
	if p.DefaultPriority != 0.25 || p.SaturationThreshold != 0.5 || p.HasSaturationThreshold || p.SaturationTTL != 60 {
		t.Errorf("priority settings unset: %+v", p)
	}
	if p.ErrorFormat != ByClient || p.MaxBodyBytes != 8<<20 || p.Host != Auto || p.PassThroughPaths != nil || p.ClientRetries || p.GraceMS != 10_000 || !slices.Equal(p.CORSOrigins, []string{"*"}) {
		t.Errorf("fairshare settings unset: %+v", p)
	}
	if p.HasMasterKey || p.DemoMasterKey {
		t.Error("has a master key that nobody set")
	}

	p = mustParse(t, with(`"general_settings": {"master_key": "os.environ/MASTER"},
		"litellm_settings": {"priority_reservation_settings": {"default_priority": 0, "saturation_threshold": 0.5, "saturation_check_cache_ttl": "5"}},
		"fairshare_settings": {"error_format": "litellm", "max_body_bytes": "1024", "host": "apisix", "client_retries": true, "grace_seconds": 3, "cors_origins": [],
			"pass_through_paths": ["/v1/files", "/v1/batches/*"]}`))
	if p.DefaultPriority != 0 || !p.HasDefaultPriority || p.SaturationThreshold != 0.5 || !p.HasSaturationThreshold || p.SaturationTTL != 5 {
		t.Errorf("priority settings set: %+v", p)
	}
	if p.ErrorFormat != LiteLLM || p.MaxBodyBytes != 1024 || p.Host != Apisix || !p.ClientRetries || p.GraceMS != 3000 || len(p.CORSOrigins) != 0 {
		t.Errorf("fairshare settings set: %+v", p)
	}
	if !p.HasMasterKey || p.DemoMasterKey || p.MasterKey != tenant.Hash("sk-master") {
		t.Error("the master key is not that of the variable")
	}
	for path, want := range map[string]bool{
		"/v1/files": true, "/v1/files/": false, "/v1/files/x": false, "/v1/file": false,
		"/v1/batches/": true, "/v1/batches/x/y": true, "/v1/batches": false, "/": false, "": false,
	} {
		if got := p.PassesThrough(path); got != want {
			t.Errorf("PassesThrough(%q) = %v, want %v", path, got, want)
		}
	}
}

func TestMasterKeyFromTheVariableOfLiteLLM(t *testing.T) {
	for value, want := range map[string]string{"sk-env\n": "sk-env", "": "", " ": "", "sk-1234": "sk-1234"} {
		p, err := Parse([]byte(withParams("")), func(name string) (string, bool) { return value, name == "LITELLM_MASTER_KEY" })
		if err != nil {
			t.Fatal(err)
		}
		if p.HasMasterKey != (want != "") || p.HasMasterKey && p.MasterKey != tenant.Hash(want) || p.DemoMasterKey != (want == "sk-1234") {
			t.Errorf("variable %q: has %v, demo %v", value, p.HasMasterKey, p.DemoMasterKey)
		}
	}
}

func TestWarnings(t *testing.T) {
	const noMaster = "general_settings.master_key: is not set, and neither is environment variable LITELLM_MASTER_KEY, or the proxy does not pass it on (host_env_keys): the management routes stay closed"
	const unlimited = "model_list: tpm and rpm are not enforced, as litellm_settings.callbacks names no limiter: add dynamic_rate_limiter"
	for _, c := range []struct {
		config string
		want   []string
	}{
		{withParams(``), []string{noMaster}},
		{withParams(`"tpm": 60`), []string{noMaster, unlimited}},
		{
			withParams(`"api_key": "sk-x", "max_parallel_requests": 4`),
			[]string{
				noMaster, "model_list[0].litellm_params.api_key: is in the configuration itself, which Envoy's /config_dump shows: use os.environ/NAME",
				"model_list[0].litellm_params.max_parallel_requests: is not enforced yet",
			},
		},
		{
			with(`"general_settings": {"master_key": "sk-own", "max_parallel_requests": 9}, "litellm_settings": {"callbacks": ["langfuse", "prometheus", "dynamic_rate_limiter"]}`),
			[]string{
				"general_settings.master_key: is in the configuration itself, which Envoy's /config_dump shows: use os.environ/LITELLM_MASTER_KEY",
				`litellm_settings.callbacks[0]: "langfuse" is ignored: Fairshare has dynamic_rate_limiter and dynamic_rate_limiter_v3`,
				"general_settings.max_parallel_requests: is not enforced yet",
			},
		},
		{ // What would limit somebody is told of while it does not, and what is enforced is not.
			with(`"litellm_settings": {"callbacks": "dynamic_rate_limiter", "max_budget": 1, "max_end_user_budget": 1, "max_internal_user_budget": 1,
				"default_internal_user_params": {"max_budget": 1}, "success_callback": ["prometheus"]}`),
			[]string{
				noMaster, "litellm_settings.default_internal_user_params: is not enforced yet",
				"litellm_settings.max_internal_user_budget: is not enforced yet",
			},
		},
		{
			with(`"litellm_settings": {"callbacks": ["dynamic_rate_limiter"], "priority_reservation": {"a": 0.2, "b": 0.4, "c": 0.3, "d": 0.1}}`),
			[]string{noMaster},
		},
		{
			with(`"litellm_settings": {"callbacks": ["dynamic_rate_limiter"], "priority_reservation": {"a": 0.9, "b": {"type": "rpm", "value": 20}}}`),
			[]string{noMaster, `litellm_settings.priority_reservation: reserves more than all of model "m": the parts are weights, not promises`},
		},
		{
			with(`"litellm_settings": {"callbacks": ["dynamic_rate_limiter", "dynamic_rate_limiter_v3"], "priority_reservation": {"a": 1, "b": 1}}`),
			[]string{
				noMaster, `litellm_settings.callbacks: both limiters are named: dynamic_rate_limiter_v3 is used`,
				`litellm_settings.priority_reservation: reserves more than all of model "m": each part is divided by their sum`,
			},
		},
		{
			with(`"fairshare_settings": {"pass_through_paths": ["/*"]}, "guardrails": [], "virtual_key": [], "teams": [], "environment_variables": {}, "router_settings": {"model_group_alias": {"x": "m"}}`),
			[]string{
				noMaster, unlimited,
				"fairshare_settings.pass_through_paths[0]: lets every unknown path past the limits",
				"router_settings.model_group_alias: is not enforced yet", "guardrails: is not read", "virtual_key: is not read",
			},
		},
	} {
		if got := mustParse(t, c.config).Warnings; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.config, got, c.want)
		}
	}
}

func TestExpiry(t *testing.T) {
	for _, c := range []struct {
		s    string
		want int64
		ok   bool
	}{
		{"1970-01-01T00:00:00Z", 0, true},
		{"2026-12-31T23:59:59Z", 1798761599, true},
		{"2026-12-31t23:59:59.123456z", 1798761599, true},
		{"2026-12-31 23:59:59+01:00", 1798757999, true},
		{"2024-02-29T00:00:00-00:30", 1709166600, true},
		{"2000-02-29T00:00:00Z", 951782400, true},
		{"2000-03-01T00:00:00Z", 951868800, true},
		{"0000-01-01T00:00:00Z", -62167219200, true},
		{"9999-12-31T23:59:60Z", 253402300800, true},
		{"2023-02-29T00:00:00Z", 0, false},
		{"1900-02-29T00:00:00Z", 0, false},
		{"2026-00-01T00:00:00Z", 0, false},
		{"2026-04-31T00:00:00Z", 0, false},
		{"2026-01-01T24:00:00Z", 0, false},
		{"2026-01-01T00:00:00", 0, false},
		{"2026-01-01T00:00:00.Z", 0, false},
		{"2026-01-01T00:00:00+1:00", 0, false},
		{"2026-01-01T00:00:00+24:00", 0, false},
		{"2026-01-01", 0, false},
		{"2026-01-0xT00:00:00Z", 0, false},
		{"2026-01-01x00:00:00Z", 0, false},
		{"2026/01/01T00:00:00Z", 0, false},
		{"2026-01-01T00:00:00+0x:00", 0, false},
		{"", 0, false},
	} {
		if got, ok := parseRFC3339(c.s); got != c.want || ok != c.ok {
			t.Errorf("parseRFC3339(%q) = %d, %v, want %d, %v", c.s, got, ok, c.want, c.ok)
		}
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		`"a\"\\\/\b\f\n\r\tb"`: "a\"\\/\b\f\n\r\tb",
		`"\u00e9\uD83D\ude00"`: "é😀",
		`"\ud83d"`:             "\ufffd",
		`"\ud83d\u0041"`:       "\ufffdA",
		`"\ud83dx"`:            "\ufffdx",
		`"\ude00\ud83d"`:       "\ufffd\ufffd",
		`"` + "é😀\x7f" + `"`:   "é😀\x7f",
	} {
		p := mustParse(t, withParams(`"mock_response": `+in))
		if got := p.Models[0].Deployments[0].Mock; got != want {
			t.Errorf("%s is %q, want %q", in, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		Unlimited.String(): "unlimited", ByActiveKeys.String(): "active_keys", ByPriority.String(): "priority",
		Documents.String(): "documents", LiteLLM.String(): "litellm",
		Auto.String(): "auto", Envoy.String(): "envoy", Istio.String(): "istio", Kong.String(): "kong", Apisix.String(): "apisix",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
