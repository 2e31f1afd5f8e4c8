package conform_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"fairshare/hostsim/envoy"
	"fairshare/hostsim/script"
)

// real is Envoy as a conform.Gateway.
type real struct{ *envoy.Envoy }

func (r real) Do(method, path string, headers [][2]string, body []byte) (int, [][2]string, []byte, error) {
	call, err := r.Call(script.Request{Method: method, Path: path, Headers: headers, Body: body})
	if err != nil {
		return 0, nil, nil, err
	}
	defer call.Abort()
	select {
	case <-call.Done():
	case <-time.After(10 * time.Second):
		return 0, nil, nil, fmt.Errorf("%s %s: no answer in 10 s", method, path)
	}
	reply := call.Reply()
	return reply.Status, reply.Headers, reply.Body, nil
}

// The answers that conform.Questions wants are those of real Envoy.
func TestEnvoy(t *testing.T) {
	wasm := os.Getenv("CONFORM_WASM")
	if wasm == "" {
		t.Skip("CONFORM_WASM names no guest made by TinyGo; make test does")
	}
	e := envoy.Start(t, envoy.Options{Wasm: wasm, Workers: 1, Config: []byte("{}"), Upstreams: map[string]string{"up": "127.0.0.1:1"}})
	check(t, real{e}, nil, nil)
}
