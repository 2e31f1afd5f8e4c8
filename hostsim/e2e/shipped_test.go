package e2e

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fairshare/hostsim/envoy"
)

// The shipped file: browsers' preflights pass without a key, and pages can read
// refusals.
func TestShippedFileServesBrowsers(t *testing.T) {
	root, err := envoy.Root()
	if err != nil {
		t.Fatal(err)
	}
	e := envoy.Start(t, envoy.Options{File: filepath.Join(root, "envoy.yaml"), Workers: 1, Now: start})
	send := func(method, body string, headers ...string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), method, e.BaseURL+"/v1/chat/completions", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", "https://page.example")
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		return res
	}
	res := send("OPTIONS", "", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
	if res.StatusCode != 200 || !strings.Contains(res.Header.Get("Access-Control-Allow-Headers"), "authorization") {
		t.Errorf("preflight: %d %v", res.StatusCode, res.Header)
	}
	const ask = `{"model": "my-fake-model", "messages": [{"role": "user", "content": "hi"}]}`
	seen := map[int]bool{}
	for _, key := range []string{"Bearer sk-none", "Bearer sk-1234", "Bearer sk-1234", "Bearer sk-1234"} {
		res = send("POST", ask, "Authorization", key, "Content-Type", "application/json")
		seen[res.StatusCode] = true
		if got := res.Header.Values("Access-Control-Allow-Origin"); len(got) != 1 || got[0] != "https://page.example" {
			t.Errorf("%d without CORS headers: %v", res.StatusCode, res.Header)
		}
	}
	if !seen[401] || !seen[200] || !seen[429] {
		t.Errorf("statuses %v", seen)
	}
}

// The shipped files: a client whom Envoy takes for an internal one, being on the same
// host, orders neither retries nor hedges nor a timeout.
func TestShippedFilesObeyNoClient(t *testing.T) {
	root, err := envoy.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"envoy.yaml", "testdata/envoy/istio.yaml"} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var calls atomic.Int64
			var seen atomic.Value
			upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				seen.Store(r.Header.Clone())
				_, _ = io.Copy(io.Discard, r.Body)
				time.Sleep(600 * time.Millisecond) // longer than the timeout that is ordered
				w.WriteHeader(http.StatusServiceUnavailable)
			}))
			defer upstream.Close()
			text, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				t.Fatal(err)
			}
			port := upstream.Listener.Addr().(*net.TCPAddr).Port
			text = bytes.ReplaceAll(text, []byte("8000"), []byte(strconv.Itoa(port)))
			// The most trusting configuration: every client on this host is internal.
			text = bytes.Replace(text, []byte("          stat_prefix: fairshare\n"), []byte(`          stat_prefix: fairshare
          use_remote_address: true
          internal_address_config: {unix_sockets: true, cidr_ranges: [{address_prefix: 127.0.0.0, prefix_len: 8}]}
`), 1)
			path := filepath.Join(t.TempDir(), "envoy.yaml")
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			e := envoy.Start(t, envoy.Options{File: path, Workers: 1})
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.BaseURL+"/v1/chat/completions",
				strings.NewReader(`{"model": "local-model", "messages": []}`))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range map[string]string{
				"Authorization": "Bearer sk-1234", "X-Envoy-Max-Retries": "10", "X-Envoy-Retry-On": "5xx,reset",
				"X-Envoy-Hedge-On-Per-Try-Timeout": "true", "X-Envoy-Upstream-Rq-Per-Try-Timeout-Ms": "100",
				"X-Envoy-Upstream-Rq-Timeout-Ms": "200", "X-Forwarded-Host": "inside", "Cookie": "a=b",
			} {
				req.Header.Set(name, value)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusServiceUnavailable || calls.Load() != 1 {
				t.Errorf("status %d after %d calls", res.StatusCode, calls.Load())
			}
			for name := range seen.Load().(http.Header) {
				switch name {
				case "Accept-Encoding", "Content-Type", "Content-Length", "User-Agent", "X-Request-Id", "X-Fairshare-Upstream",
					"X-Forwarded-Proto", "X-Envoy-Expected-Rq-Timeout-Ms":
				default:
					t.Errorf("%s went upstream", name)
				}
			}
		})
	}
}
