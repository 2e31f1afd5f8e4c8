package hostsim_test

import (
	"strings"
	"testing"
	"time"

	"fairshare/hostsim"
	"fairshare/hostsim/script"
)

// newDriver returns a driver that has started the conformance guest.
func newDriver(t *testing.T, d *hostsim.Driver) *hostsim.Driver {
	t.Helper()
	var err error
	if d.Module, err = guest(); err != nil {
		t.Fatal(err)
	}
	if err := d.Start(script.Setup{Config: []byte("tick=10000"), Workers: 2, Now: time.Unix(1e9, 0)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// ask is a request whose x-do header is do.
func ask(do, body string) script.Request {
	method := "GET"
	if body != "" {
		method = "POST"
	}
	return script.Request{Worker: 1, Method: method, Path: "/x", Headers: [][2]string{{"x-do", do}}, Body: []byte(body)}
}

func TestDriverAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		http2            bool
		request, answers string // sizes that the guest saw
	}{
		"HTTP/1": {false, "3,3!", "2,2,1,0!"},
		"HTTP/2": {true, "3!", "2,2,1!"},
	} {
		d := newDriver(t, &hostsim.Driver{HTTP2: c.http2})
		out, err := d.Send("a", ask("pause-headers hold", "abc"))
		if err != nil || out.Forwarded == nil {
			t.Fatalf("%s: Send: %+v, %v", name, out, err)
		}
		if f := out.Forwarded; f.Method != "POST" || f.Path != "/x" || string(f.Body) != "abc" {
			t.Errorf("%s: forwarded %+v", name, f)
		}
		if _, err := d.Send("a", ask("go", "")); err == nil {
			t.Errorf("%s: a second request of the same name was taken", name)
		}
		reply, err := d.Answer("a", script.Answer{Status: 201, Body: []byte("12345"), Cut: 2})
		if err != nil || reply.Status != 201 || string(reply.Body) != "12345" || reply.Cut {
			t.Errorf("%s: Answer: %+v, %v", name, reply, err)
		}
		if got := hostsim.Headers(reply.Headers).Get("x-request-sizes"); got != c.request {
			t.Errorf("%s: the guest saw the request's sizes %s, want %s", name, got, c.request)
		}
		if got := logged(d.Host(), "log "); len(got) != 1 || !strings.HasSuffix(got[0], " "+c.answers) {
			t.Errorf("%s: the guest saw the answer's sizes %q, want %s", name, got, c.answers)
		}
		if _, err := d.Answer("a", script.Answer{}); err == nil {
			t.Errorf("%s: a request that is over was answered", name)
		}
	}
}

func TestDriverBreaks(t *testing.T) {
	t.Parallel()
	d := newDriver(t, &hostsim.Driver{})
	for _, name := range []string{"reset early", "reset late", "abort", "trap"} {
		if out, err := d.Send(name, ask("go", "")); err != nil || out.Forwarded == nil {
			t.Fatalf("%s: %+v, %v", name, out, err)
		}
	}
	if r, err := d.ResetUpstream("reset early"); err != nil || r.Status != 503 {
		t.Errorf("reset before the answer: %+v, %v, want 503", r, err)
	}
	if r, err := d.Answer("reset late", script.Answer{Body: []byte("par"), Unfinished: true}); err != nil || string(r.Body) != "par" {
		t.Errorf("the first part of an answer: %+v, %v", r, err)
	}
	if r, err := d.ResetUpstream("reset late"); err != nil || !r.Cut || r.Status != 200 {
		t.Errorf("reset in the answer: %+v, %v, want it cut", r, err)
	}
	if err := d.Abort("abort"); err != nil {
		t.Error(err)
	}
	if err := d.Trap("trap"); err != nil {
		t.Error(err)
	}
	if out, err := d.Send("next", ask("go", "")); err != nil || out.Reply == nil || out.Reply.Status != 503 {
		t.Errorf("the worker that trapped: %+v, %v, want 503", out, err)
	}
	if n := len(logged(d.Host(), "delete ")); n != 3 {
		t.Errorf("%d streams were deleted, want all but the one that trapped", n)
	}
}

func TestDriverErrors(t *testing.T) {
	t.Parallel()
	d := newDriver(t, &hostsim.Driver{})
	if _, err := d.Send("a", ask("pause-headers always", "")); err == nil || !strings.Contains(err.Error(), "hangs") {
		t.Errorf("a request that hangs: %v", err)
	}
	r := ask("pause-headers hold rewrite", "abc")
	r.Headers = append(r.Headers, [2]string{"content-length", "3"})
	if out, err := d.Send("b", r); err != nil || string(out.Forwarded.Body) != "rewritten" {
		t.Errorf("a rewritten body without content-length: %+v, %v", out, err)
	}
	if _, err := d.Send("c", ask("pause-headers hold rewrite keep-length", "abc")); err == nil || !strings.Contains(err.Error(), "content-length") {
		t.Errorf("a rewritten body with the old content-length: %v", err)
	}
}

// A step shorter than the tick's period gives every VM one tick, a longer
// one as many as were due.
func TestDriverTicks(t *testing.T) {
	t.Parallel()
	d := newDriver(t, &hostsim.Driver{})
	for _, c := range []struct {
		by   time.Duration
		want int
	}{{time.Second, 3}, {29 * time.Second, 12}} {
		if err := d.Advance(c.by); err != nil {
			t.Fatal(err)
		}
		if n := counted(d.Host(), "tick"); n != c.want {
			t.Errorf("after %v more: %d ticks of three VMs, want %d", c.by, n, c.want)
		}
	}
}
