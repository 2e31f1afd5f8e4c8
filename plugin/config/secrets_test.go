package config

import (
	"strings"
	"testing"
)

// Whatever is wrong with a configuration, no error and no warning shows a key, in
// whatever place it was written; and what is no key is shown.
func TestErrorsShowNoCredential(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{
		"sk-a-secret-of-mine", "sk-proj-Zq7_x-09", "gsk_9aXbYcZdWeVfUgThSiRj1k", "AIzaSyA1234567890abcdefghijklmnopqrstu", "xai-0123456789abcdefghijklmnop",
		"0123456789abcdef0123456789abcdef", "hf_abcdefghijklmnopqrstuvwxyz", "eyJhbGciOiJIUzI1NiJ9",
	} {
		q := `"` + secret + `"`
		for _, text := range []string{
			secret,
			`{"general_settings": {"master_key": ` + secret,
			`{"general_settings": {"master_key": ` + q + `, "master_key": ` + q + `}}`,
			`{"general_settings": ` + q + `}`,
			`{"model_list": ` + q + `}`,
			`{"model_list": [` + q + `]}`,
			`{"model_list": [{"model_name": ` + q + `, "litellm_params": ` + q + `}]}`,
			withParams(`"api_key": [` + q + `]`),
			withParams(`"api_key": {` + q + `: 1}`),
			withParams(`"api_key": "os.environ/` + secret + `"`),
			withParams(`"api_key": ` + `"a b ` + secret + `"`),
			withParams(`"tpm": ` + q),
			withParams(`"weight": ` + q),
			withParams(`"api_base": ` + q),
			withParams(`"api_base": "http://user:` + secret + `@h/"`),
			withParams(`"api_base": "http://h/` + secret + `/../x"`),
			withParams(`"input_cost_per_token": ` + q),
			with(`"general_settings": {"master_key": [` + q + `]}`),
			with(`"general_settings": {"master_key": "x ` + secret + `"}`),
			with(`"general_settings": {"user_header_name": 1, "master_key": ` + q + `}`),
			with(`"virtual_keys": ` + q),
			with(`"virtual_keys": {` + q + `: {}}`),
			with(`"virtual_keys": [` + q + `]`),
			with(`"virtual_keys": [{"key": ` + q + `}]`),
			with(`"virtual_keys": [{"key_sha256": ` + q + `}]`),
			with(`"virtual_keys": [{"key": "os.environ/` + secret + `"}]`),
			with(`"virtual_keys": [{"key": "os.environ/ALICE_KEY", ` + q + `: 1}]`),
			with(`"virtual_keys": [{"key": "os.environ/ALICE_KEY", "max_budget": ` + q + `}]`),
			with(`"virtual_keys": [{"key": "os.environ/ALICE_KEY", "models": [` + q + `]}]`),
			with(`"virtual_keys": [{"key": "os.environ/ALICE_KEY", "team_id": [` + q + `]}]`),
			with(`"virtual_keys": [{"key": "os.environ/ALICE_KEY", "budget_duration": ` + q + `}]`),
			with(`"users": [{"user_id": "u", "metadata": ` + q + `}]`),
			with(`"teams": [{"team_id": "t", "blocked": ` + q + `}]`),
			with(`"fairshare_settings": {` + q + `: true}`),
			with(`"fairshare_settings": {"error_format": ` + q + `}`),
			with(`"fairshare_settings": {"host": ` + q + `}`),
			with(`"fairshare_settings": {"pass_through_paths": [` + q + `]}`),
			with(`"fairshare_settings": {"forward_headers": [` + `"a b ` + secret + `"]}`),
			with(`"litellm_settings": {"callbacks": {` + q + `: 1}}`),
			with(`"litellm_settings": {"timezone": ` + q + `}`),
			with(q + `: {}`),
		} {
			p, err := Parse([]byte(text), vars)
			said := ""
			if err != nil {
				said = err.Error()
			} else {
				said = strings.Join(p.Warnings, "\n")
			}
			if strings.Contains(said, secret) || strings.Contains(said, secret[4:]) {
				t.Errorf("%s: %s", text, said)
			}
		}
	}
	for _, text := range []string{
		"gpt-4o-mini-2024-07-18", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "sk-1234", "claude-3-5-sonnet-20241022", "model_list[3].litellm_params.input_cost_per_token_above_200k_tokens",
		"skip-this", "OPENAI_API_KEY_2", "http://127.0.0.1:8000/v1", "", "x-team-*",
	} {
		if got := discreet(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	const long = `got "sk-abcdefgh" and sk-ijklmnop, sk-1234`
	if got := discreet(long); got != `got "(not shown)" and (not shown), sk-1234` {
		t.Errorf("%s", got)
	}
}

// A number where a key should be is not shown either.
func TestErrorsShowNoNumberForAKey(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		withParams(`"api_key": 987654321`), with(`"general_settings": {"master_key": 987654321}`), with(`"virtual_keys": [{"key": 987654321}]`),
		with(`"virtual_keys": [{"key_sha256": 987654321}]`),
	} {
		_, err := Parse([]byte(text), vars)
		if err == nil || strings.Contains(err.Error(), "987654321") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
