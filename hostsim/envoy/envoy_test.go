package envoy

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"fairshare/hostsim/script"
	"fairshare/hostsim/upstream"
)

// passThrough is Envoy without the filter, before the upstream.
func passThrough(t *testing.T, o Options, handler http.Handler) *Envoy {
	t.Helper()
	o.Filters = []any{}
	o.Upstreams = map[string]string{"up": upstream.Start(t, handler)}
	return Start(t, o)
}

// post is a chat request that tells the upstream what to do.
func post(body, wish string) script.Request {
	return script.Request{
		Method: "POST", Path: "/v1/chat/completions", Body: []byte(body),
		Headers: [][2]string{{"content-type", "application/json"}, {upstream.Header, wish}},
	}
}

// Envoy's date header shows the clock that the test set, to the second, while
// its timers go on: the route's timeout still ends a request.
func TestClockIsSet(t *testing.T) {
	t.Parallel()
	start := time.Date(2025, 11, 21, 10, 0, 30, 0, time.UTC)
	dateless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil // so that Envoy adds its own
		(&upstream.Server{}).ServeHTTP(w, r)
	})
	e := passThrough(t, Options{Workers: 1, Now: start, Timeout: 300 * time.Millisecond}, dateless)
	for _, now := range []time.Time{start, start.Add(time.Hour), start.Add(-time.Minute)} {
		if err := e.SetClock(now); err != nil {
			t.Fatal(err)
		}
		// Envoy formats the date anew every 500 ms.
		err := e.wait("the date "+now.String(), func() (bool, error) {
			answer, err := http.Get(e.BaseURL)
			if err != nil {
				return false, err
			}
			defer answer.Body.Close()
			return answer.Header.Get("date") == now.Format(http.TimeFormat), nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	call, err := e.Call(post(`{"model":"m"}`, "delay=1h"))
	if err != nil {
		t.Fatal(err)
	}
	if reply := call.Wait(); reply.Status != http.StatusGatewayTimeout {
		t.Errorf("the upstream was silent: status %d, want 504", reply.Status)
	}
}

// A stream that began under one configuration goes on under the next, and new
// connections meet the next on every worker.
func TestReloadKeepsStreams(t *testing.T) {
	t.Parallel()
	desk := &upstream.Desk{Name: nameHeader}
	nameless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(nameHeader) != "" {
			desk.ServeHTTP(w, r)
		}
	})
	e := passThrough(t, Options{Workers: 2}, nameless)
	call, err := e.Call(script.Request{Method: "GET", Path: "/", Headers: [][2]string{{nameHeader, "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	visit := <-desk.Arrival("a")
	visit.Give(upstream.Part{Status: 200, Body: []byte("one ")})
	if err := e.Reload(nil); err != nil {
		t.Fatal(err)
	}
	visit.Give(upstream.Part{Body: []byte("two"), Last: true})
	if reply := call.Wait(); string(reply.Body) != "one two" || reply.Cut {
		t.Errorf("the stream across the reload: %q, cut %v", reply.Body, reply.Cut)
	}
}

// A listener that Envoy refuses leaves the old one serving.
func TestBadReloadKeepsServing(t *testing.T) {
	t.Parallel()
	e := passThrough(t, Options{Workers: 1}, &upstream.Server{})
	e.options.Filters = []any{object{"name": "no.such.filter"}}
	if err := e.Reload(nil); err == nil {
		t.Fatal("Envoy took a filter that it does not know")
	}
	if server, err := e.server(); err != nil || server != serverName(1) {
		t.Errorf("after the refusal answers %q, %v; want the first configuration", server, err)
	}
}

// With the listener in the file, one that Envoy refuses stops its start.
func TestBadFileStopsStart(t *testing.T) {
	t.Parallel()
	e, err := New(Options{Static: true, Workers: 1, Filters: []any{object{"name": "no.such.filter"}}})
	if err == nil {
		t.Fatal(e.Close(), "Envoy took a filter that it does not know")
	}
	var refusal *ConfigError
	if !errors.As(err, &refusal) || !strings.Contains(refusal.Log, "no.such.filter") {
		t.Errorf("Envoy did not refuse the filter: %v", err)
	}
}

// Memory and processor time are those of the process.
func TestUsage(t *testing.T) {
	t.Parallel()
	e := passThrough(t, Options{Workers: 1}, &upstream.Server{})
	resident, cpu, err := e.Usage()
	if err != nil {
		t.Fatal(err)
	}
	if resident < 20<<20 || resident > 1<<30 || cpu <= 0 || cpu > time.Minute {
		t.Errorf("resident %d bytes, processor time %v", resident, cpu)
	}
}

// The shipped file is read, its ports are replaced, and the filter's
// configuration is found.
func TestFile(t *testing.T) {
	t.Parallel()
	f, err := ReadFile("../../envoy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f.Listen(4711, 4712)
	text, err := f.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"port_value":4711`, `"port_value":4712`} {
		if strings.Count(text, want) != 1 {
			t.Errorf("want %s once", want)
		}
	}
	if key := at(f.Plugin(), "general_settings", "master_key"); key != "sk-1234" {
		t.Errorf("the master key of the file is %v", key)
	}
}

// Headers reach the upstream as they were written, empty and repeated ones
// too, and the reply tells a body that broke off from one that ended.
func TestCallIsExact(t *testing.T) {
	t.Parallel()
	desk := &upstream.Desk{Name: nameHeader}
	e := passThrough(t, Options{Workers: 1}, desk)
	call, err := e.Call(script.Request{
		Method: "POST", Path: "/x?y=1", Body: []byte("hello"),
		Headers: [][2]string{{nameHeader, "a"}, {"x-empty", ""}, {"x-twice", "1"}, {"x-twice", "2"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	visit := <-desk.Arrival("a")
	r := forwarded(visit)
	want := [][2]string{{"x-empty", ""}, {"x-twice", "1"}, {"x-twice", "2"}}
	got := r.Headers[:0:0]
	for _, h := range r.Headers {
		if strings.HasPrefix(h[0], "x-") {
			got = append(got, h)
		}
	}
	if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("headers %q, want %q", got, want)
	}
	if r.Method != "POST" || r.Path != "/x?y=1" || string(r.Body) != "hello" {
		t.Errorf("request %s %s %q", r.Method, r.Path, r.Body)
	}
	visit.Give(upstream.Part{Status: 200, Body: []byte("part")})
	visit.Give(upstream.Part{Reset: true})
	if reply := call.Wait(); !reply.Cut || string(reply.Body) != "part" {
		t.Errorf("reply %q, cut %v; want the part, cut", reply.Body, reply.Cut)
	}
}
