package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fairshare/hostsim"
)

// What the benchmark's filter of mere calls asks of its host is what Fairshare asks:
// the same callbacks with the same results, and in each the same calls about the same
// names, with shared values of the same size. (The clock is WASI's and in no transcript.)
func TestSameCalls(t *testing.T) {
	of := func(file string, config []byte) []string {
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
		secret := "sk-nobody"
		if config != nil {
			secret = generate(t, h.Open(1))
		}
		for range 3 { // what only the first requests do is none of it
			trace.Reset()
			chat(h.Open(1), secret)
		}
		var calls []string
		for line := range strings.Lines(trace.String()) {
			if call := asked.FindAllString(line, -1); call != nil {
				calls = append(calls, id.ReplaceAllString(strings.Join(call, " "), ""))
			}
		}
		return calls
	}
	config, err := limited()
	if err != nil {
		t.Fatal(err)
	}
	fairshare, mere := of("fairshare.wasm", config), of("calls.wasm", nil)
	if len(fairshare) < 30 || !slices.Equal(fairshare, mere) {
		t.Errorf("Fairshare:\n%s\n\nmere calls:\n%s", strings.Join(fairshare, "\n"), strings.Join(mere, "\n"))
	}
}

var (
	asked = regexp.MustCompile(`proxy_\w+\((type|map|key|context)="?[^",)]*"?(,name="[^"]*"|,value=\d+B)?|<== \w+|= OK value=\d+B`)
	id    = regexp.MustCompile(`context=\d+`)
)

// generate makes a key.
func generate(t *testing.T, s *hostsim.Stream) string {
	send(s, "/key/generate", master, "{}")
	var made struct{ Key string }
	if err := json.Unmarshal(s.Client().Body, &made); err != nil || made.Key == "" {
		t.Fatalf("no key was made: %v: %s", err, s.Client().Body)
	}
	return made.Key
}

func chat(s *hostsim.Stream, secret string) {
	send(s, "/v1/chat/completions", secret, question)
	s.ResponseHeaders(hostsim.Headers{{":status", "200"}, {"content-type", "application/json"}}, false)
	s.ResponseBody([]byte(`{"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}`), true)
}

func send(s *hostsim.Stream, path, secret, body string) {
	s.RequestHeaders(hostsim.Headers{
		{":method", "POST"}, {":path", path}, {":authority", "x"}, {":scheme", "http"}, {"content-type", "application/json"}, {"authorization", "Bearer " + secret},
	}, false)
	s.RequestBody([]byte(body), true)
}
