package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairshare/hostsim"
	"fairshare/hostsim/conform"
)

func TestParseConfig(t *testing.T) {
	t.Parallel()
	env := func(name string) (string, bool) { return "secret", name == "KEY" }
	const want = `{"general_settings":{"master_key":"os.environ/KEY"},"model_list":[{"litellm_params":{"api_base":"http://up:8000/v1"}}]}`
	for name, text := range map[string]string{
		"yaml": "model_list:\n- litellm_params: {api_base: 'http://up:8000/v1'}\ngeneral_settings: {master_key: os.environ/KEY}\n",
		"json": want,
		"envoy struct": "static_resources:\n  listeners:\n  - f:\n      config:\n        vm_config: {vm_id: a}\n        configuration:\n" +
			"          \"@type\": type.googleapis.com/google.protobuf.Struct\n          value:\n            model_list:\n" +
			"            - litellm_params: {api_base: 'http://up:8000/v1'}\n            general_settings: {master_key: os.environ/KEY}\n",
		"envoy text": "static_resources: {a: [{vm_config: {}, configuration: {value: '" + want + "'}}]}",
	} {
		c, err := parseConfig([]byte(text), env)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if string(c.plugin) != want || c.env["KEY"] != "secret" || len(c.env) != 1 {
			t.Errorf("%s: plugin %s, env %v", name, c.plugin, c.env)
		}
		for authority, scheme := range map[string]string{
			"up:8000": "http", "api.openai.com": "https", "127.0.0.1:9": "http", "localhost": "http", "[::1]:80": "http",
		} {
			if got := c.scheme(authority); got != scheme {
				t.Errorf("%s: scheme of %s is %s, want %s", name, authority, got, scheme)
			}
		}
	}
	if _, err := parseConfig([]byte("static_resources: {}"), env); err == nil {
		t.Error("an Envoy file without a filter was taken")
	}
}

// start serves the conformance guest and returns its address.
func start(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	wasm, err := conform.Guest(dir)
	if err != nil {
		t.Fatal(err)
	}
	module, err := hostsim.LoadModule(wasm)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(config, []byte("tick=1000"), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serveOn(ctx, listener, config, module, 2, io.Discard) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

func TestServe(t *testing.T) {
	t.Parallel()
	next := make(chan struct{}) // lets the upstream send its next event
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/sse":
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "data: 1\n\n")
			w.(http.Flusher).Flush()
			<-next
			io.WriteString(w, "data: 2\n\n")
		case "/break":
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "part")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		default:
			body, _ := io.ReadAll(r.Body)
			io.WriteString(w, r.Method+" "+r.Host+" "+r.Header.Get("X-Sizes")+" "+r.Header.Get(chosen)+string(body))
		}
	}))
	t.Cleanup(upstream.Close)
	gateway := start(t)
	authority := strings.TrimPrefix(upstream.URL, "http://")
	do := func(method, path, what string, body io.Reader) *http.Response {
		t.Helper()
		r, err := http.NewRequest(method, "http://"+gateway+path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "client.example"
		r.Header.Set("X-Do", what)
		r.Header.Set(chosen, authority)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { answer.Body.Close() })
		return answer
	}

	answer := do("POST", "/", "pause-headers hold", bytes.NewReader([]byte("abc")))
	body, err := io.ReadAll(answer.Body)
	if want := "POST client.example 3,3! abc"; err != nil || string(body) != want || answer.Header.Get("X-Response") != "seen" {
		t.Errorf("the upstream said %q, %v, headers %v, want %q", body, err, answer.Header, want)
	}

	answer = do("POST", "/", "reply-headers", strings.NewReader("abc"))
	if body, err = io.ReadAll(answer.Body); answer.StatusCode != 418 || string(body) != "teapot" || err != nil {
		t.Errorf("a local reply came as %d %q, %v", answer.StatusCode, body, err)
	}

	// An event reaches the client while the upstream still waits.
	answer = do("GET", "/sse", "go", nil)
	event := make([]byte, len("data: 1\n\n"))
	if _, err := io.ReadFull(answer.Body, event); err != nil || string(event) != "data: 1\n\n" {
		t.Errorf("the first event is %q, %v", event, err)
	}
	close(next)
	if rest, err := io.ReadAll(answer.Body); err != nil || string(rest) != "data: 2\n\n" {
		t.Errorf("the rest is %q, %v", rest, err)
	}

	// An answer that breaks off does so for the client too.
	answer = do("GET", "/break", "go", nil)
	if _, err := io.ReadAll(answer.Body); err == nil {
		t.Error("the client took a broken answer for a whole one")
	}

	authority = "127.0.0.1:1"
	if answer = do("GET", "/", "go", nil); answer.StatusCode != 503 {
		t.Errorf("without an upstream the status is %d, want 503", answer.StatusCode)
	}
}

func TestDispatch(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"":                             "hostsim run",
		"dance":                        `no command "dance"`,
		"run":                          "usage: hostsim run",
		"run --help":                   "usage: hostsim run",
		"serve":                        "usage: hostsim serve",
		"serve --help":                 "SIGHUP",
		"run --profile nginx x.txtar":  "no host \"nginx\", only apisix, envoy, istio, kong",
		"run --wasm no.wasm x.txtar":   "no.wasm",
		"serve --config x --colour=no": "colour",
	} {
		var out bytes.Buffer
		err := dispatch(strings.Fields(line), &out, &out)
		if err != nil {
			out.WriteString(err.Error())
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("hostsim %s: got %q, want it to hold %q", line, out.String(), want)
		}
	}
}
