package hostsim_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairshare/hostsim"
	"fairshare/hostsim/script"
)

var update = flag.Bool("update", false, "write what the scenarios print in the simulator into their files")

// Every scenario plays in the simulator as it does in Envoy, whatever the
// protocol, the seed and how often workers lose a race for shared data.
func TestScenarios(t *testing.T) {
	t.Parallel()
	module := fairshare(t)
	files, err := script.Files("../testdata/scenarios")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			for _, d := range []*hostsim.Driver{
				{Seed: 1},
				{Seed: 2, HTTP2: true},
				{Seed: 3, Faults: hostsim.Faults{SwapLoss: 0.1}},
				{Seed: 4, Faults: hostsim.Faults{SwapLoss: 0.1}},
			} {
				d.Module, d.Profile = module, hostsim.Envoy
				how := fmt.Sprintf("seed %d, HTTP/2 %v, swaps lost %g", d.Seed, d.HTTP2, d.Faults.SwapLoss)
				err := script.Run(file, script.Options{Driver: d, Is: []string{"sim"}, Update: *update})
				switch {
				case errors.Is(err, script.ErrSkipped):
					t.Skip(err)
				case err != nil:
					t.Errorf("%s: %v", how, err)
				}
			}
		})
	}
}

// fairshare is the filter.
func fairshare(t *testing.T) *hostsim.Module {
	t.Helper()
	module, err := hostsim.LoadModule("../build/fairshare.wasm")
	if err != nil {
		t.Fatalf("%v: make it with: make build", err)
	}
	return module
}

// What the workers share has hashes of keys only: it opens nothing to whoever
// reads it.
func TestSharedDataHoldsNoKey(t *testing.T) {
	t.Parallel()
	d := &hostsim.Driver{Module: fairshare(t)}
	defer d.Close()
	const config = `{"model_list": [{"model_name": "m", "litellm_params": {"model": "m", "mock_response": "hi"}}], "general_settings": {"master_key": "sk-1234"}}`
	if err := d.Start(script.Setup{Config: []byte(config), Workers: 2, Now: time.Unix(1e9, 0)}); err != nil {
		t.Fatal(err)
	}
	send := func(path, key, body string) script.Reply {
		out, err := d.Send(path, script.Request{Method: "POST", Path: path, Headers: [][2]string{{"authorization", "Bearer " + key}}, Body: []byte(body)})
		if err != nil || out.Reply == nil || out.Reply.Status != 200 {
			t.Fatalf("%s: %+v, %v", path, out, err)
		}
		return *out.Reply
	}
	var made struct{ Key string }
	if err := json.Unmarshal(send("/key/generate", "sk-1234", `{"key_alias": "alice"}`).Body, &made); err != nil || made.Key == "" {
		t.Fatalf("no key was made: %v", err)
	}
	send("/v1/chat/completions", made.Key, `{"model": "m", "messages": []}`)
	found := false
	hash := sha256.Sum256([]byte(made.Key))
	for name, value := range d.Host().SharedData() {
		entry := name + string(value)
		found = found || strings.Contains(entry, string(hash[:]))
		for _, secret := range []string{made.Key, made.Key[3:], "sk-1234"} {
			if strings.Contains(entry, secret) {
				t.Errorf("the entry %q holds %s", name, secret)
			}
		}
	}
	if !found {
		t.Error("the key's hash is nowhere")
	}
}
