package hostsim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"fairshare/hostsim"
)

func TestStartOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		profile             hostsim.Profile
		starts, configures  int // with two workers, before any request
		configuredByRequest int // after one request
	}{
		"envoy": {hostsim.Envoy, 4, 4, 4}, // canary, main thread, two workers
		"kong":  {hostsim.Kong, 2, 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, hostsim.Options{Profile: c.profile, Workers: 2})
			if s, n := counted(h, "vm_start"), counted(h, "configure"); s != c.starts || n != c.configures {
				t.Errorf("vm_start ran %d times, configure %d, want %d, %d", s, n, c.starts, c.configures)
			}
			h.Open(1).RequestHeaders(get("go"), true)
			if n := counted(h, "configure"); n != c.configuredByRequest {
				t.Errorf("after a request configure ran %d times, want %d", n, c.configuredByRequest)
			}
		})
	}
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	module, err := guest()
	if err != nil {
		t.Fatal(err)
	}
	for config, want := range map[string]string{"refuse": "conform: config: told to refuse", "trap": "trap: "} {
		_, err = hostsim.New(context.Background(), hostsim.Options{Module: module, Config: []byte(config)})
		var refused *hostsim.ConfigError
		if !errors.As(err, &refused) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("config %q: error %v, want a ConfigError %q", config, err, want)
		}
	}

	h := newHost(t, hostsim.Options{})
	if err := h.Reload([]byte("refuse")); err == nil {
		t.Error("Reload took a configuration that the guest refused")
	}
	s := h.Open(1)
	s.RequestHeaders(get("go"), true)
	if !s.Upstream().Ended {
		t.Error("after a refused reload the old configuration does not serve")
	}
}

func TestTicks(t *testing.T) {
	t.Parallel()
	h := newHost(t, hostsim.Options{Workers: 2, Config: []byte("tick=1000")})
	h.Advance(2500 * time.Millisecond)
	if n := counted(h, "tick"); n != 6 {
		t.Errorf("%d ticks in 2.5 s of three VMs, want 6", n)
	}
	// Both configurations tick while the old one drains.
	if err := h.Reload([]byte("tick=1000")); err != nil {
		t.Fatal(err)
	}
	before := counted(h, "tick")
	h.Advance(time.Second)
	if n := counted(h, "tick") - before; n != 6 {
		t.Errorf("%d ticks in 1 s of three VMs with two configurations, want 6", n)
	}
	h.Advance(10 * time.Minute)
	before = counted(h, "tick")
	h.Advance(time.Second)
	if n := counted(h, "tick") - before; n != 3 {
		t.Errorf("%d ticks in 1 s after the drain, want 3", n)
	}
}

func TestQueueReady(t *testing.T) {
	t.Parallel()
	h := newHost(t, hostsim.Options{Workers: 2, Config: []byte("queue=q")})
	h.Open(1).RequestHeaders(get("enqueue"), true)
	if n := counted(h, "item:x"); n != 1 || h.Queued("q") != 0 {
		t.Errorf("%d items were taken, %d are left, want 1, 0", n, h.Queued("q"))
	}
}

func TestTrap(t *testing.T) {
	t.Parallel()
	for _, do := range []string{"trap-headers", "trap-body", "trap-response"} {
		h := newHost(t, hostsim.Options{Workers: 2})
		other := h.Open(1)
		other.RequestHeaders(get("go"), true)

		s := h.Open(1)
		s.RequestHeaders(post(do), false)
		s.RequestBody([]byte("x"), true)
		s.ResponseHeaders(hostsim.Headers{{":status", "200"}}, true)
		if got := s.Client().Headers.Get(":status"); got != "503" {
			t.Errorf("%s: status %s, want 503", do, got)
		}

		// The worker's other streams end without a callback.
		other.ResponseHeaders(hostsim.Headers{{":status", "200"}}, true)
		if got := other.Client().Headers.Get(":status"); got != "503" || len(logged(h, "log ", "done ")) != 0 {
			t.Errorf("%s: another stream got %s, callbacks %v", do, got, logged(h, "log ", "done "))
		}

		// It is made anew at the first request after a second; the other
		// worker goes on meanwhile.
		for _, c := range []struct {
			worker  int
			advance time.Duration
			want    bool
		}{{2, 0, true}, {1, 0, false}, {1, time.Second, true}} {
			h.Advance(c.advance)
			s := h.Open(c.worker)
			s.RequestHeaders(get("go"), true)
			if s.Upstream().Ended != c.want {
				t.Errorf("%s: worker %d after %v: serves %t, want %t", do, c.worker, c.advance, s.Upstream().Ended, c.want)
			}
		}
	}
}

func TestTrapPolicies(t *testing.T) {
	t.Parallel()
	closed := hostsim.Envoy
	closed.AfterTrap = hostsim.FailClosed
	open := hostsim.Envoy
	open.AfterTrap = hostsim.FailOpen
	for name, c := range map[string]struct {
		profile      hostsim.Profile
		status       string // of the request that traps
		serves, seen bool   // whether the next one is served, and by the guest
		starts       int    // how often proxy_on_vm_start runs in all
	}{
		"fail closed": {closed, "503", false, false, 3},
		"fail open":   {open, "503", true, false, 3},
		"kong":        {hostsim.Kong, "500", true, true, 1},
		"apisix":      {hostsim.APISIX, "503", true, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, hostsim.Options{Profile: c.profile})
			s := h.Open(1)
			s.RequestHeaders(get("trap-headers"), true)
			if got := s.Client().Headers.Get(":status"); name != "fail open" && got != c.status {
				t.Errorf("the request that trapped got %s, want %s", got, c.status)
			}
			h.Advance(time.Hour)
			s = h.Open(1)
			s.RequestHeaders(get("go"), true)
			_, seen := s.Upstream().Headers.Lookup("x-seen")
			if s.Upstream().Ended != c.serves || seen != c.seen {
				t.Errorf("an hour later: serves %t, seen by the guest %t, want %t, %t", s.Upstream().Ended, seen, c.serves, c.seen)
			}
			if n := counted(h, "vm_start"); n != c.starts {
				t.Errorf("vm_start ran %d times, want %d", n, c.starts)
			}
		})
	}
}

func TestTrapInHostCall(t *testing.T) {
	t.Parallel()
	h := newHost(t, hostsim.Options{})
	h.TrapOn(1, "proxy_set_shared_data", 1)
	s := h.Open(1)
	s.RequestHeaders(get("increment"), true)
	if got := s.Client().Headers.Get(":status"); got != "503" || counted(h, "increment") != 0 {
		t.Errorf("status %s, count %d, want 503 and nothing written", got, counted(h, "increment"))
	}
}

// counters opens n streams on each worker that add one to the same number.
func counters(h *hostsim.Host, n int) []func() {
	var actors []func()
	for range n {
		for w := 1; w <= h.Workers(); w++ {
			actors = append(actors, func() {
				s := h.Open(w)
				s.RequestHeaders(get("increment thrice"), true)
				s.ResponseHeaders(hostsim.Headers{{":status", "200"}}, true)
			})
		}
	}
	return actors
}

// Every interleaving of the workers gives the same sum, with and without
// writes that lose their race, and the seed replays it.
func TestInterleave(t *testing.T) {
	t.Parallel()
	run := func(seed uint64, loss float64) (sum int, picks []int, trace string) {
		var transcript bytes.Buffer
		h := newHost(t, hostsim.Options{
			Workers: 3, Seed: seed, Trace: &transcript, Faults: hostsim.Faults{SwapLoss: loss},
		})
		picks = h.Interleave(seed, counters(h, 2)...)
		return counted(h, "increment"), picks, transcript.String()
	}
	orders := map[string]bool{}
	for seed := range uint64(6) {
		loss := float64(seed%3) * 0.3
		sum, picks, trace := run(seed, loss)
		if sum != 18 {
			t.Errorf("seed %d: the sum is %d, want 18", seed, sum)
		}
		orders[fmt.Sprint(picks)] = true
		if _, again, retrace := run(seed, loss); fmt.Sprint(again) != fmt.Sprint(picks) || retrace != trace {
			t.Errorf("seed %d: the second run went another way", seed)
		}
	}
	if len(orders) < 2 {
		t.Error("all seeds gave the same interleaving")
	}
}

// Workers that run at the same time count exactly.
func TestHammerWorkers(t *testing.T) {
	t.Parallel()
	h := newHost(t, hostsim.Options{Workers: 3})
	var wg sync.WaitGroup
	for _, actor := range counters(h, 8) {
		wg.Go(actor)
	}
	wg.Wait()
	if n := counted(h, "increment"); n != 72 {
		t.Errorf("the sum is %d, want 72", n)
	}
}

func TestTrace(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	h := newHost(t, hostsim.Options{Trace: &b})
	h.Advance(1500 * time.Millisecond)
	b.Reset()
	s := h.Open(1)
	s.RequestHeaders(get("reply-headers"), true)
	want := `@1.5s w1 ==> proxy_on_context_create(context=2,root=1)
@1.5s w1 <==
@1.5s w1 ==> proxy_on_request_headers(context=2,headers=4,end=1)
@1.5s w1     proxy_get_header_map_value(map="request",name=":path") = OK value="/x"
@1.5s w1     proxy_get_header_map_value(map="request",name="x-do") = OK value="reply-headers"
@1.5s w1     proxy_send_local_response(status=418,details="",body="teapot",pairs=1) = OK
@1.5s w1 <== pause
@1.5s w1 ==> proxy_on_response_headers(context=2,headers=4,end=0)
`
	if got := b.String(); !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant it to begin with\n%s", got, want)
	}
}

func TestUnimplemented(t *testing.T) {
	t.Parallel()
	h := newHost(t, hostsim.Options{Faults: hostsim.Faults{
		Unimplemented: map[string]bool{"proxy_set_shared_data": true},
	}})
	s := h.Open(1)
	s.RequestHeaders(hostsim.Headers{{":path", "/shared-data?u"}, {":method", "GET"}}, true)
	if got := string(s.Client().Body); !strings.Contains(got, `"set missing, number 0":12`) {
		t.Errorf("got %s, want status 12 for a set", got)
	}
}
