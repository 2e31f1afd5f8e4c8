package e2e

import (
	"strings"
	"testing"
	"time"

	"fairshare/hostsim/envoy"
	"fairshare/hostsim/script"
)

// The driver that plays scenarios on Envoy does each step that a scenario can
// ask for, and tells what came of it as the other drivers do.
func TestDriver(t *testing.T) {
	t.Parallel()
	d := &envoy.Driver{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(d.Log())
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := d.Start(script.Setup{Config: text(t, config(object{"tpm": 100})), Workers: 2, Now: start}); err != nil {
		t.Fatal(err)
	}
	forward := func(name string, more object) {
		t.Helper()
		out, err := d.Send(name, post(upstreamModel, more))
		if err != nil || out.Forwarded == nil {
			t.Fatalf("%s was not forwarded: %+v, %v", name, out, err)
		}
	}
	json := [][2]string{{"content-type", "application/json"}}
	usage := []byte(`{"choices":[],"usage":{"prompt_tokens":50,"completion_tokens":50,"total_tokens":100}}`)

	forward("answered", nil)
	reply, err := d.Answer("answered", script.Answer{Status: 200, Headers: json, Body: usage, Cut: 3})
	if err != nil || reply.Status != 200 || string(reply.Body) != string(usage) || reply.Cut {
		t.Errorf("answered: %+v, %v", reply, err)
	}
	for _, h := range reply.Headers {
		if h[0] == "date" || h[0] == "server" {
			t.Errorf("Envoy's own header %q is in the reply", h)
		}
	}

	// All 100 tokens are used: the gateway answers itself until the minute
	// ends, which is 55 s away.
	refused := func(name string, want int) {
		t.Helper()
		out, err := d.Send(name, post(upstreamModel, nil))
		if err != nil || (out.Reply != nil) != (want == 429) || want == 429 && out.Reply.Status != want {
			t.Fatalf("%s: %+v, %v, want status %d", name, out, err, want)
		}
	}
	refused("too early", 429)
	if err := d.Advance(54 * time.Second); err != nil {
		t.Fatal(err)
	}
	refused("still too early", 429)
	if err := d.Advance(time.Second); err != nil {
		t.Fatal(err)
	}
	refused("in the next minute", 200)

	reply, err = d.ResetUpstream("in the next minute")
	if err != nil || reply.Status != 503 {
		t.Errorf("reset before the answer: %+v, %v", reply, err)
	}

	forward("in parts", object{"stream": true})
	sse := [][2]string{{"content-type", "text/event-stream"}}
	first := "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
	reply, err = d.Answer("in parts", script.Answer{Status: 200, Headers: sse, Body: []byte(first), Unfinished: true})
	if err != nil || !strings.Contains(string(reply.Body), `"a"`) || reply.Cut {
		t.Errorf("the first part: %+v, %v", reply, err)
	}
	reply, err = d.ResetUpstream("in parts")
	if err != nil || !reply.Cut {
		t.Errorf("reset in mid-stream: %+v, %v", reply, err)
	}

	if err := d.Advance(time.Minute); err != nil {
		t.Fatal(err)
	}
	forward("aborted", nil)
	if err := d.Abort("aborted"); err != nil {
		t.Error(err)
	}
	if err := d.Reload([]byte(`{`)); err == nil {
		t.Error("a bad configuration was taken")
	}
	if err := d.Reload(text(t, config(object{"tpm": 100}))); err != nil {
		t.Error(err)
	}
	if _, err := d.Answer("aborted", script.Answer{}); err == nil {
		t.Error("a request that is over was answered")
	}
	if err := d.Trap("aborted"); err != script.ErrUnsupported {
		t.Errorf("trap: %v", err)
	}
}
