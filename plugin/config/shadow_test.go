package config

import (
	"strings"
	"testing"

	"fairshare/plugin/quota"
)

// What is in shadow of a model is what its entries or the settings say, as far as the model
// has such a limit.
func TestEnforce(t *testing.T) {
	const (
		none   = quota.Reasons(0)
		both   = quota.Requests | quota.Tokens
		params = `"litellm_params": {"model": "gpt-4o", "mock_response": "hi", `
		tpm    = params + `"tpm": 60}`
		rpm    = params + `"rpm": 60}`
		two    = params + `"tpm": 60, "rpm": 60}`
	)
	for _, c := range []struct {
		entries, settings string
		all, model        quota.Reasons
	}{
		{`{"model_name": "m", ` + two + `}`, ``, none, none},
		{`{"model_name": "m", ` + two + `}`, `"enforce": null`, none, none},
		{`{"model_name": "m", ` + two + `}`, `"enforce": true`, none, none},
		{`{"model_name": "m", ` + two + `}`, `"enforce": {}`, none, none},
		{`{"model_name": "m", ` + two + `}`, `"enforce": false`, quota.AllReasons, both},
		{`{"model_name": "m", ` + tpm + `}`, `"enforce": false`, quota.AllReasons, quota.Tokens},
		{`{"model_name": "m", ` + rpm + `}`, `"enforce": false`, quota.AllReasons, quota.Requests},
		{`{"model_name": "m", ` + two + `}`, `"enforce": {"max_budget": false, "max_parallel_requests": false}`, quota.Budget | quota.Parallel, none},
		{`{"model_name": "m", ` + two + `}`, `"enforce": {"rpm_limit": false, "tpm_limit": true}`, quota.Requests, quota.Requests},
		{`{"model_name": "m", ` + two + `}`, `"enforce": {"tpm_limit": false, "rpm_limit": null}`, quota.Tokens, quota.Tokens},
		{`{"model_name": "m", ` + two + `, "model_info": {"enforce": false}}`, ``, none, both},
		{`{"model_name": "m", ` + two + `, "model_info": {"enforce": {"tpm": false}}}`, ``, none, quota.Tokens},
		{`{"model_name": "m", ` + two + `, "model_info": {"enforce": {"rpm": false}}}`, `"enforce": {"tpm_limit": false}`, quota.Tokens, both},
		{`{"model_name": "m", ` + two + `, "model_info": {"enforce": true}}`, `"enforce": {"tpm_limit": false}`, quota.Tokens, quota.Tokens},
		{`{"model_name": "m", ` + rpm + `, "model_info": {"enforce": {"tpm": false}}}`, ``, none, none},
		{`{"model_name": "m", ` + rpm + `, "model_info": {"enforce": {"tpm": false}}}, {"model_name": "m", ` + tpm + `}`, ``, none, quota.Tokens},
		{`{"model_name": "m", ` + tpm + `}, {"model_name": "m", ` + rpm + `, "model_info": {"enforce": false}}`, ``, none, both},
	} {
		text := `{"model_list": [` + c.entries + `, {"model_name": "other", ` + two + `}], "litellm_settings": {"callbacks": ["dynamic_rate_limiter"]},
			"fairshare_settings": {` + c.settings + `}}`
		p := mustParse(t, text)
		if p.Shadow != c.all || p.Models[0].Shadow != c.model || p.Models[1].Shadow != c.all&both {
			t.Errorf("%s with %s: %d, and of the model %d, of another %d", c.entries, c.settings, p.Shadow, p.Models[0].Shadow, p.Models[1].Shadow)
		}
		// Whoever leaves limits unenforced should know.
		warned := strings.Contains(strings.Join(p.Warnings, "\n"), "fairshare_settings.enforce: leaves limits unenforced")
		if warned != (c.all != 0) {
			t.Errorf("%s: Warnings = %q", c.settings, p.Warnings)
		}
		if c.all == 0 && c.model != 0 && !strings.Contains(strings.Join(p.Warnings, "\n"), "].model_info.enforce: leaves limits unenforced") {
			t.Errorf("%s: Warnings = %q", c.entries, p.Warnings)
		}
	}
	for _, c := range []struct{ settings, info, want string }{
		{`1`, `true`, "fairshare_settings.enforce: want true or false, for all limits or in an object for some of max_budget, max_parallel_requests, rpm_limit, tpm_limit, got 1"},
		{`{"rpm_limit": "false"}`, `true`, `fairshare_settings.enforce.rpm_limit: want true or false, got "false"`},
		{`{"soft_budget": false}`, `true`, "fairshare_settings.enforce.soft_budget: want one of max_budget, max_parallel_requests, rpm_limit, tpm_limit, got a setting that does not exist"},
		{`true`, `[]`, "model_list[0].model_info.enforce: want true or false, for all limits or in an object for some of rpm, tpm, got an empty list"},
		{`true`, `{"tpm": 0}`, "model_list[0].model_info.enforce.tpm: want true or false, got 0"},
		{`true`, `{"tpm_limit": false}`, "model_list[0].model_info.enforce.tpm_limit: want one of rpm, tpm, got a setting that does not exist"},
	} {
		text := `{"model_list": [{"model_name": "m", ` + two + `, "model_info": {"enforce": ` + c.info + `}}], "fairshare_settings": {"enforce": ` + c.settings + `}}`
		if _, err := Parse([]byte(text), nil); err == nil || err.Error() != "config: "+c.want {
			t.Errorf("%s, %s:\n got %v\nwant config: %s", c.settings, c.info, err, c.want)
		}
	}
}
