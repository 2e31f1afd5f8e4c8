package hostsim_test

import (
	"testing"
	"time"

	"fairshare/hostsim"
)

// Envoy without allow_on_headers_stop_iteration keeps a request's body back
// while its headers are held, and nothing tells the filter so. It finds out
// with the first two requests, which it sends on after a second, and decides
// as ever: of three requests, two fit.
func TestHeadersThatCannotBeHeld(t *testing.T) {
	t.Parallel()
	profile := hostsim.Envoy
	profile.HeaderPause = hostsim.StopAll
	const config = `{"model_list": [{"model_name": "m", "litellm_params": {"model": "openai/m", "api_base": "http://127.0.0.1:8000/v1", "api_key": "", "rpm": 2}}],
		"litellm_settings": {"callbacks": ["dynamic_rate_limiter"]}, "general_settings": {"master_key": "sk-1234"}}`
	h, err := hostsim.New(t.Context(), hostsim.Options{
		Module: fairshare(t), Profile: profile, Config: []byte(config), Now: time.Unix(1_800_000_000, 0), Seed: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for n, want := range []struct {
		wait   bool
		status string
	}{{wait: true}, {wait: true}, {status: "429"}} {
		s := h.Open(1)
		s.RequestHeaders(hostsim.Headers{
			{":method", "POST"},
			{":path", "/v1/chat/completions"},
			{":authority", "x"},
			{":scheme", "http"},
			{"authorization", "Bearer sk-1234"},
			{"content-type", "application/json"},
		}, false)
		s.RequestBody([]byte(`{"model": "m", "messages": []}`), true)
		if held := s.Upstream().Headers == nil; held != want.wait {
			t.Fatalf("request %d: headers held %v, want %v", n, held, want.wait)
		}
		if want.wait {
			h.Advance(1500 * time.Millisecond)
		}
		up := s.Upstream()
		if up.Headers.Get("x-fairshare-upstream") != "127.0.0.1:8000" || up.Headers.Get("authorization") != "" {
			t.Fatalf("request %d: went upstream with %v", n, up.Headers)
		}
		if status := s.Client().Headers.Get(":status"); status != want.status || up.Ended != (status == "") {
			t.Fatalf("request %d: status %q, upstream has all: %v; want status %q", n, status, up.Ended, want.status)
		}
	}
}
