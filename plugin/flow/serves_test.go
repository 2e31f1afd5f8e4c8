package flow

import (
	"strings"
	"testing"

	"fairshare/plugin/config"
)

func TestServesRefusesWhatItWouldNotKeep(t *testing.T) {
	parse := func(settings string) *config.Policy {
		t.Helper()
		p, err := config.Parse([]byte(`{"model_list":[{"model_name":"m","litellm_params":{"model":"m","mock_response":"hi","rpm":1}}],
			"general_settings":{"master_key":"sk-1234"},"litellm_settings":`+settings+`}`), noEnv)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	many := ""
	for i := range 65 {
		many += `"p` + string(rune('a'+i/26)) + string(rune('a'+i%26)) + `":0,`
	}
	many = strings.TrimSuffix(many, ",")
	for _, c := range []struct{ settings, want string }{
		{`{"callbacks":["dynamic_rate_limiter"],"priority_reservation":{"prod":1}}`, ""},
		{`{"callbacks":["dynamic_rate_limiter_v3"]}`, ""},
		{`{"callbacks":["dynamic_rate_limiter_v3"],"priority_reservation":{"prod":1}}`, ""},
		{
			`{"callbacks":["dynamic_rate_limiter"],"priority_reservation":{` + many + `}}`,
			"config: litellm_settings.priority_reservation: want at most 64 priorities, got 65",
		},
		{
			// One pool is for callers without a priority.
			`{"callbacks":["dynamic_rate_limiter_v3"],"priority_reservation":{` + many[8:] + `}}`,
			"config: litellm_settings.priority_reservation: want at most 63 priorities, got 64",
		},
	} {
		got := ""
		if err := Serves(parse(c.settings)); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%.80s: %q, want %q", c.settings, got, c.want)
		}
	}
}
