package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fairshare/hostsim"
)

// What the benchmark's filter of mere calls asks of its host is what Fairshare asks:
// the same callbacks, and in each the same calls about the same names, with values of
// the same size where they are copied. (The clock is WASI's and in no transcript.)
func TestSameCalls(t *testing.T) {
	of := func(file string, config []byte, secret string) []string {
		m, err := hostsim.LoadModule("../../build/" + file)
		if err != nil {
			t.Fatalf("%v: make build/%s builds it", err, file)
		}
		var trace bytes.Buffer
		h, err := hostsim.New(t.Context(), hostsim.Options{Module: m, Config: config, Trace: &trace})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		for range 3 { // what only the first requests do is none of it
			trace.Reset()
			chat(h.Open(1), secret)
		}
		var calls []string
		for line := range strings.Lines(trace.String()) {
			if call := asked.FindString(line); call != "" {
				calls = append(calls, id.ReplaceAllString(call, ""))
			}
		}
		return calls
	}
	config, err := limited()
	if err != nil {
		t.Fatal(err)
	}
	fairshare, mere := of("fairshare.wasm", config, master), of("calls.wasm", nil, "sk-nobody")
	if len(fairshare) < 20 || !slices.Equal(fairshare, mere) {
		t.Errorf("Fairshare:\n%s\n\nmere calls:\n%s", strings.Join(fairshare, "\n"), strings.Join(mere, "\n"))
	}
}

var (
	asked = regexp.MustCompile(`proxy_\w+\((type|map|key|context)="?[^",)]*"?(,name="[^"]*"|,value=\d+B)?`)
	id    = regexp.MustCompile(`context=\d+`)
)

func chat(s *hostsim.Stream, secret string) {
	s.RequestHeaders(hostsim.Headers{
		{":method", "POST"}, {":path", "/v1/chat/completions"}, {":authority", "x"}, {":scheme", "http"}, {"authorization", "Bearer " + secret},
	}, false)
	s.RequestBody([]byte(question), true)
	s.ResponseHeaders(hostsim.Headers{{":status", "200"}, {"content-type", "application/json"}}, false)
	s.ResponseBody([]byte(`{"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}`), true)
}
