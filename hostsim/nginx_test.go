package hostsim_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"fairshare/hostsim"
)

const nginxConfig = `{"model_list": [{"model_name": "m", "litellm_params": {"model": "openai/m", "api_base": "http://127.0.0.1:8000/v1", "api_key": "", "rpm": 2}}],
	"litellm_settings": {"callbacks": ["dynamic_rate_limiter"]}, "general_settings": {"master_key": "sk-1234"}, "fairshare_settings": {"host": "HOST"}}`

// nginxAsk plays one chat on a host of the profile, with the names of headers as a
// client wrote them.
func nginxAsk(t *testing.T, profile hostsim.Profile, body string, extra ...[2]string) *hostsim.Stream {
	t.Helper()
	h, err := hostsim.New(t.Context(), hostsim.Options{
		Module: fairshare(t), Profile: profile, Config: []byte(strings.ReplaceAll(nginxConfig, "HOST", profile.Name)),
		Now: time.Unix(1_800_000_000, 0), Seed: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	s := h.Open(1)
	s.RequestHeaders(append(hostsim.Headers{
		{":method", "POST"},
		{":path", "/v1/chat/completions"},
		{":authority", "x"},
		{":scheme", "http"},
		{"Authorization", "Bearer sk-1234"},
		{"Content-Type", "application/json"},
		{"Cookie", "a=b"},
	}, extra...), body == "")
	if body != "" {
		s.RequestBody([]byte(body), true)
	}
	return s
}

// Names of headers are told apart without their case on every host, and what was
// not decided takes no credential along, nor goes upstream at all.
func TestNothingGoesUpstreamUndecided(t *testing.T) {
	t.Parallel()
	const body = `{"model": "m", "messages": []}`
	deaf := hostsim.APISIX // which never shows a body
	deaf.Functions = map[string]hostsim.Treatment{"proxy_set_property": hostsim.Unimplemented}
	for name, f := range hostsim.APISIX.Functions {
		deaf.Functions[name] = f
	}
	length := [2]string{"Content-Length", "30"}
	for name, c := range map[string]struct {
		profile hostsim.Profile
		body    string
		extra   [][2]string
		status  string // empty: goes upstream
	}{
		"kong":                        {hostsim.Kong, body, [][2]string{length}, ""},
		"kong, chunked":               {hostsim.Kong, body, [][2]string{{"Transfer-Encoding", "chunked"}}, "411"},
		"kong, chunked and empty":     {hostsim.Kong, "", [][2]string{{"Transfer-Encoding", "chunked"}}, "411"},
		"kong, no body":               {hostsim.Kong, "", nil, "400"},
		"kong, a body of no length":   {hostsim.Kong, "", [][2]string{{"Content-Length", "00"}}, "400"},
		"apisix":                      {hostsim.APISIX, body, [][2]string{length}, ""},
		"apisix, no body":             {hostsim.APISIX, "", nil, "400"},
		"apisix, body not to be seen": {deaf, body, [][2]string{length}, "500"},
		"apisix, other model":         {hostsim.APISIX, strings.Replace(body, `"m"`, `"n"`, 1), [][2]string{length}, "400"},
		"envoy":                       {hostsim.Envoy, body, [][2]string{length}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := nginxAsk(t, c.profile, c.body, c.extra...)
			up := s.Upstream()
			if status := s.Client().Headers.Get(":status"); status != c.status || up.Ended != (status == "") || status != "" && up.Headers != nil {
				t.Fatalf("status %q and upstream %v, want status %q; client %q", status, up.Headers, c.status, s.Client().Body)
			}
			for _, h := range up.Headers {
				if slices.Contains([]string{"authorization", "cookie"}, strings.ToLower(h[0])) {
					t.Errorf("%v went upstream", h)
				}
			}
			if c.status == "" && up.Headers.Get("x-fairshare-upstream") != "127.0.0.1:8000" {
				t.Errorf("nobody chose the upstream: %v", up.Headers)
			}
		})
	}
}

// A change of the body that the host refuses is no decision carried out.
func TestWhatCannotBeRewrittenIsRefused(t *testing.T) {
	t.Parallel()
	const body = `{"model": "m", "stream": true, "messages": []}` // needs stream_options
	s := nginxAsk(t, hostsim.APISIX, body, [2]string{"Content-Length", "46"})
	if status := s.Client().Headers.Get(":status"); status != "500" || s.Upstream().Headers != nil {
		t.Errorf("status %q, upstream %v", status, s.Upstream().Headers)
	}
}

// An answer is charged on every host, by what it tells: of two requests a minute and of
// 60 tokens, one of 60 leaves nothing.
func TestAnswersAreCharged(t *testing.T) {
	t.Parallel()
	const body = `{"model": "m", "messages": []}`
	for _, profile := range []hostsim.Profile{hostsim.Envoy, hostsim.EnvoyNoFlag, hostsim.Kong, hostsim.APISIX} {
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			h, err := hostsim.New(t.Context(), hostsim.Options{
				Module: fairshare(t), Profile: profile, Now: time.Unix(1_800_000_000, 0), Seed: 1,
				Config: []byte(strings.NewReplacer("HOST", strings.Replace(profile.Name, "envoy", "auto", 1), `"rpm": 2`, `"tpm": 60`).Replace(nginxConfig)),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			ask := func() *hostsim.Stream {
				s := h.Open(1)
				s.RequestHeaders(hostsim.Headers{
					{":method", "POST"},
					{":path", "/v1/chat/completions"},
					{":authority", "x"},
					{":scheme", "http"},
					{"Authorization", "Bearer sk-1234"},
					{"Content-Length", "30"},
				}, false)
				s.RequestBody([]byte(body), true)
				return s
			}
			s := ask()
			s.ResponseHeaders(hostsim.Headers{{":status", "200"}, {"Content-Type", "application/json"}}, false)
			s.ResponseBody([]byte(`{"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 40, "total_tokens": 60}}`), true)
			if s.Client().Headers.Get(":status") != "200" {
				t.Fatalf("%v %s", s.Client().Headers, s.Client().Body)
			}
			if again := ask().Client(); again.Headers.Get(":status") != "429" {
				t.Errorf("after 60 of 60 tokens: %v %s", again.Headers, again.Body)
			}
		})
	}
}
