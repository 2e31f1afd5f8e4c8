// Package e2e tests the filter from outside: real Envoy, real clients, an
// upstream that does as it is told, and a wall clock that stands still unless a
// test moves it.
//
// It has nothing but tests. They need what make build envoy build/clock.so
// makes, and say so if it is missing.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"fairshare/hostsim/envoy"
	"fairshare/hostsim/upstream"
)

const (
	master = "sk-1234"
	// The authority of every api_base that stands for a real upstream.
	behind = "upstream.test"
	// The model that answers by itself, and the one that is behind.
	mockModel     = "my-fake-model"
	upstreamModel = "upstream-model"
)

type (
	object = map[string]any
	list   = []any
)

// start is where a test's clock stands at first: early in a minute.
var start = time.Date(2025, 11, 21, 10, 0, 5, 0, time.UTC)

// config is LiteLLM's config.yaml with the two models and the limits given:
// members of litellm_params, such as tpm.
func config(limits object) object {
	mock := object{"model": "gpt-3.5-turbo", "api_key": "my-fake-key", "mock_response": "hello-world"}
	real := object{"model": "openai/real-name", "api_key": "provider-secret", "api_base": "http://" + behind + "/v1"}
	for name, value := range limits {
		mock[name], real[name] = value, value
	}
	return object{
		"model_list": list{
			object{"model_name": mockModel, "litellm_params": mock},
			object{"model_name": upstreamModel, "litellm_params": real},
		},
		"litellm_settings": object{"callbacks": list{"dynamic_rate_limiter"}},
		"general_settings": object{"master_key": master},
	}
}

// text is x as JSON.
func text(t testing.TB, x any) []byte {
	t.Helper()
	b, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A gateway is Envoy with the filter before an upstream.
type gateway struct {
	*envoy.Envoy
	up *upstream.Server
}

// launch starts a gateway. The clock stands at start, unless o says otherwise.
func launch(t *testing.T, config object, o envoy.Options) *gateway {
	t.Helper()
	g := &gateway{up: &upstream.Server{}}
	o.Config = text(t, config)
	o.Upstreams = map[string]string{behind: upstream.Start(t, g.up)}
	if o.Now.IsZero() {
		o.Now = start
	}
	g.Envoy = envoy.Start(t, o)
	return g
}

// An answer is what a client got.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// client has room for as many connections as a test wants.
var client = &http.Client{
	Timeout:   30 * time.Second,
	Transport: &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true},
}

// send sends a request with a key ("" for none) and pairs of headers.
func (g *gateway) send(method, path, key string, body []byte, headers ...string) (answer, error) {
	r, err := http.NewRequest(method, g.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if key != "" {
		r.Header.Set("authorization", "Bearer "+key)
	}
	r.Header.Set("content-type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, got}, err
}

// ask is the body of a chat request.
func ask(model string, more object) []byte {
	body := object{"model": model, "messages": list{object{"role": "user", "content": "Hello world!"}}}
	for name, value := range more {
		body[name] = value
	}
	b, err := json.Marshal(body)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return b
}

// chat sends a chat request, with a wish for the upstream, and fails the test
// if there is no answer.
func (g *gateway) chat(t testing.TB, key, model, wish string, more object) answer {
	t.Helper()
	a, err := g.send(http.MethodPost, "/v1/chat/completions", key, ask(model, more), upstream.Header, wish)
	if err != nil {
		t.Fatalf("chat with %s: %v", model, err)
	}
	return a
}

// key makes a virtual key. fields are /key/generate's.
func (g *gateway) key(t testing.TB, fields object) string {
	t.Helper()
	if fields == nil {
		fields = object{}
	}
	a, err := g.send(http.MethodPost, "/key/generate", master, text(t, fields))
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ Key string }
	if err := json.Unmarshal(a.body, &made); err != nil || a.status != http.StatusOK || made.Key == "" {
		t.Fatalf("/key/generate: %d %s", a.status, a.body)
	}
	return made.Key
}

// part is what of one dimension of a model is taken.
type part struct{ Capacity, Used, Held int64 }

// shares are the books of a model group, as /fairshare/shares shows them.
type shares struct {
	Minute     string
	ActiveKeys int64 `json:"active_keys"`
	TPM, RPM   part
	InFlight   int64 `json:"in_flight"`
	LateHeld   int64 `json:"late_held"`
	Totals     struct {
		Requests, Refused, Tokens, Reclaimed int64
		EstimatedRequests                    int64 `json:"estimated_requests"`
		EstimatedTokens                      int64 `json:"estimated_tokens"`
		DebtTokens                           int64 `json:"debt_tokens"`
	}
}

// books returns the books of a model.
func (g *gateway) books(t testing.TB, model string) shares {
	t.Helper()
	a, err := g.send(http.MethodGet, "/fairshare/shares?model="+model, master, nil)
	if err != nil {
		t.Fatal(err)
	}
	var s shares
	if err := json.Unmarshal(a.body, &s); err != nil || a.status != http.StatusOK {
		t.Fatalf("/fairshare/shares: %d %s", a.status, a.body)
	}
	return s
}

// until asks for the books until they are as wanted, and fails the test if
// they never are.
func (g *gateway) until(t testing.TB, model, what string, want func(shares) bool) shares {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for {
		s := g.books(t, model)
		if want(s) {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited 15 s for %s; the books are %+v", what, s)
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
}

// idle waits until nothing of a model is held or in flight.
func (g *gateway) idle(t testing.TB, model string) shares {
	t.Helper()
	return g.until(t, model, "holds and slots to return", func(s shares) bool {
		return s.TPM.Held == 0 && s.LateHeld == 0 && s.InFlight == 0
	})
}

// minute moves the clock to five seconds into the nth minute after the first.
func (g *gateway) minute(t testing.TB, n int) {
	t.Helper()
	if err := g.SetClock(start.Add(time.Duration(n) * time.Minute)); err != nil {
		t.Fatal(err)
	}
}

// python runs a script of testdata/e2e with the real clients against a gateway
// and fails the test if it fails.
func python(t *testing.T, script, base string) {
	t.Helper()
	root, err := envoy.Root()
	if err != nil {
		t.Fatal(err)
	}
	interpreter := filepath.Join(root, ".tools/venv/bin/python")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, interpreter, filepath.Join(root, "testdata/e2e", script), base)
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v (make envoy installs the clients)\n%s", script, err, output)
	}
	t.Logf("%s:\n%s", script, output)
}

// delivery is a way in which the configuration reaches the filter.
type delivery struct {
	name string
	with func(*envoy.Options)
}

// deliveries are all ways that hosts of Envoy's kind have.
var deliveries = []delivery{
	{"text", func(*envoy.Options) {}},
	{"struct", func(o *envoy.Options) { o.Struct = true }},
	{"istio", func(o *envoy.Options) { o.Istio = true }},
}

func (d delivery) options() envoy.Options {
	o := envoy.Options{Workers: 2}
	d.with(&o)
	return o
}
