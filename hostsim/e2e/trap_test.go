package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairshare/hostsim/envoy"
	"fairshare/hostsim/script"
)

// A worker that traps in mid-stream takes only its own streams with it: the
// other goes on, within 10 s the dead one's hold and slot are off the books,
// and then a new VM serves in its place with the counters and keys kept.
func TestTrappedWorker(t *testing.T) {
	t.Parallel()
	root, err := envoy.Root()
	if err != nil {
		t.Fatal(err)
	}
	d := &envoy.Driver{
		Options:  envoy.Options{Wasm: filepath.Join(root, "build/faults.wasm")}, // the filter with the tag faults
		TrapText: "fairshare-test-trap",
	}
	defer func() {
		if t.Failed() {
			t.Log(d.Log())
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := d.Start(script.Setup{Config: text(t, config(object{"tpm": 1000})), Workers: 2, Now: start}); err != nil {
		t.Fatal(err)
	}
	// ask sends a request over a connection of its own, which either worker
	// may get.
	ask := func(r script.Request) script.Reply {
		t.Helper()
		out, err := d.Send("again", r)
		if err != nil || out.Reply == nil {
			t.Fatalf("%s %s: %+v, %v", r.Method, r.Path, out, err)
		}
		return *out.Reply
	}
	books := script.Request{
		Method: "GET", Path: "/fairshare/shares?model=" + upstreamModel,
		Headers: [][2]string{{"authorization", "Bearer " + master}},
	}
	// shown waits for the books to hold the text; the dead worker answers 503.
	shown := func(want string) {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second)
		for {
			r := ask(books)
			if r.Status == http.StatusOK && strings.Contains(string(r.Body), want) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("waited 10 s for %s; got %d %s", want, r.Status, r.Body)
			}
			time.Sleep(20 * time.Millisecond) // between two looks
		}
	}

	out, err := d.Send("victim", post(upstreamModel, object{"stream": true, "max_tokens": 100}))
	if err != nil || out.Forwarded == nil {
		t.Fatalf("not forwarded: %+v, %v", out, err)
	}
	shown(`"in_flight":1,`)
	if err := d.Trap("victim"); err != nil {
		t.Fatal(err)
	}

	served := 0
	for range 40 {
		if ask(post(mockModel, nil)).Status == http.StatusOK {
			served++
		}
	}
	if served == 0 {
		t.Error("after one worker's death nobody served")
	}
	if err := d.Advance(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	shown(`"held":0},"in_flight":0,`)
	shown(`"reclaimed":1`)

	// The next request that the dead worker gets, a second after its death,
	// brings a new VM.
	deadline := time.Now().Add(15 * time.Second)
	for row := 0; row < 20; row++ {
		if r := ask(books); r.Status != http.StatusOK {
			row = 0
		}
		if time.Now().After(deadline) {
			t.Fatal("the dead worker was not replaced within 15 s")
		}
	}
}
