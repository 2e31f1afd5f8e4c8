package hostsim_test

import (
	"hash/crc32"
	"strconv"
	"strings"
	"testing"

	"fairshare/hostsim"
)

// do sends a request whose x-do header is do and returns the guest's answer.
func do(h *hostsim.Host, path, do, value string) string {
	s := h.Open(1)
	headers := get(do)
	headers.Set(":path", path)
	headers.Add("x-value", value)
	s.RequestHeaders(headers, true)
	c := s.Client()
	return strings.TrimSpace(c.Headers.Get(":status") + " " + string(c.Body))
}

// A read and a write without the number lose updates in some interleavings
// and not in others: the schedule finds what a run in order would hide.
func TestInterleaveFindsLostUpdate(t *testing.T) {
	t.Parallel()
	sums := map[int]bool{}
	for seed := range uint64(8) {
		h := newHost(t, hostsim.Options{Workers: 2, Seed: seed})
		var actors []func()
		for w := 1; w <= 2; w++ {
			actors = append(actors, func() { h.Open(w).RequestHeaders(get("increment-blindly"), true) })
		}
		h.Interleave(seed, actors...)
		sums[counted(h, "blind")] = true
	}
	if !sums[1] || !sums[2] {
		t.Errorf("two workers that each add one made the sums %v, want 1 and 2", sums)
	}
}

// Kong's host finds a key by its CRC32 alone: one that has the same as
// another reads the other's value.
func TestKeysByCRC32(t *testing.T) {
	t.Parallel()
	sum := func(path string) uint32 { return crc32.ChecksumIEEE([]byte("conform/" + path)) }
	seen := map[uint32]string{}
	var a, b string
	for i := 0; b == ""; i++ {
		path := "/" + strconv.Itoa(i*7919)
		if other, ok := seen[sum(path)]; ok {
			a, b = other, path
		}
		seen[sum(path)] = path
	}
	h := newHost(t, hostsim.Options{Profile: hostsim.Kong})
	do(h, a, "write", "mine")
	if got := do(h, b, "read", ""); got != "200 0 mine" {
		t.Errorf("reading %s after %s was written: %q, want the other's value", b, a, got)
	}
	e := newHost(t, hostsim.Options{})
	do(e, a, "write", "mine")
	if got := do(e, b, "read", ""); got != "200 1" {
		t.Errorf("Envoy: reading %s after %s was written: %q, want NotFound", b, a, got)
	}
}

func TestTornRead(t *testing.T) {
	t.Parallel()
	h := newHost(t, hostsim.Options{Profile: hostsim.Kong})
	do(h, "/k", "write", "aaaa")
	do(h, "/k", "write", "bbbb")
	h.SetFaults(hostsim.Faults{TornRead: 1})
	if got := do(h, "/k", "read", ""); got != "200 0 aabb" {
		t.Errorf("a torn read gives %q, want aabb", got)
	}
}

func TestSwapLoss(t *testing.T) {
	t.Parallel()
	h := newHost(t, hostsim.Options{})
	do(h, "/k", "write", "a")
	h.SetFaults(hostsim.Faults{SwapLoss: 1})
	if got := do(h, "/k", "write", "b"); got != "200 8" {
		t.Errorf("a write that loses its race answers %q, want CasMismatch", got)
	}
	h.SetFaults(hostsim.Faults{})
	if got := do(h, "/k", "read", ""); got != "200 0 a" {
		t.Errorf("the value is %q after a lost write, want the old one", got)
	}
}

func TestEvict(t *testing.T) {
	t.Parallel()
	h := newHost(t, hostsim.Options{Profile: hostsim.Kong})
	do(h, "/k", "write", "a")
	h.Evict("conform//k")
	if got := do(h, "/k", "read", ""); got != "200 1" {
		t.Errorf("an evicted key reads as %q, want NotFound", got)
	}
}

func TestQueueFull(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		profile hostsim.Profile
		want    string
	}{{hostsim.Envoy, "200 10"}, {hostsim.Kong, "500"}} {
		h := newHost(t, hostsim.Options{
			Profile: c.profile, Config: []byte("queue=q"), Faults: hostsim.Faults{QueueFull: true},
		})
		if got := do(h, "/", "enqueue", ""); got != c.want {
			t.Errorf("%s: enqueue in a full queue: %q, want %q", c.profile.Name, got, c.want)
		}
	}
}
