//go:build !tinygo

package quota

import (
	"math/rand/v2"
	"slices"
	"testing"

	"fairshare/plugin/unit"
)

// A flow is one key's traffic in a simulated minute.
type flow struct {
	key      uint64
	pool     uint8
	from, to float64 // s
	rate     float64 // requests a second, a Poisson process
	size     int64   // tokens, the mean
	varied   bool    // sizes are exponentially distributed
}

// outcome is what a flow got.
type outcome struct{ asked, got, requests, admitted int64 }

// minuteOf plays flows against one ledger for a minute, with holds that are
// exact and settled at once, and tells what each got.
func minuteOf(t *testing.T, rng *rand.Rand, terms *Terms, flows []flow) (out []outcome, used int64) {
	t.Helper()
	type event struct {
		at   int64
		flow int
		size int64
	}
	var events []event
	for i, f := range flows {
		for at := f.from + rng.ExpFloat64()/f.rate; at < f.to; at += rng.ExpFloat64() / f.rate {
			size := f.size
			if f.varied {
				size = 1 + int64(rng.ExpFloat64()*float64(f.size))
			}
			events = append(events, event{int64(at * 1000), i, size})
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return int(a.at - b.at) })
	l := NewLedger(new(Memory), 7)
	out = make([]outcome, len(flows))
	for _, e := range events {
		f, o := &flows[e.flow], &out[e.flow]
		o.asked += e.size
		o.requests++
		v, err := l.decidePaid(t0+e.at, terms, Claim{Key: f.key, Weight: One, Pool: f.pool}, Spent{Total: unit.Tokens(e.size)})
		if err != nil {
			t.Fatal(err)
		}
		if v.OK() {
			o.got += e.size
			o.admitted++
			used += e.size
		}
	}
	return out, used
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// low is what 19 of 20 exceed.
func low(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/20]
}

// A reservation under a flood, whose requests come at random at five times the
// capacity, is kept for those who come at random at its rate, and the flood has
// the rest.
func TestReservationUnderFlood(t *testing.T) {
	if raced > 1 {
		t.Skip("one goroutine, which takes long under the race detector")
	}
	const tpm = 90_000
	first := seed(t)
	for _, c := range []struct {
		name     string
		grace    int64
		wake     float64
		rate     float64 // of the reservation's
		asks     int64   // of the capacity
		varied   bool
		flood    float64 // of the capacity
		kept     float64 // at least, of what it asked for within its reservation, in the mean
		keptLow  float64 // and in 19 of 20 minutes
		used     float64 // at least, of the capacity, in the mean
		runs     int     // minutes, 60 unless told
		reserved float64 // at least, of its reserved rate, in the mean
	}{
		{name: "wakes at 30, no grace", grace: 0, wake: 30, rate: 1, asks: 300, flood: 5},
		{name: "wakes at 30", grace: graceMS, wake: 30, rate: 1, asks: 300, flood: 5, kept: .99, keptLow: .95, used: .98, runs: 240, reserved: .95},
		{name: "wakes at 30, sizes vary", grace: graceMS, wake: 30, rate: 1, asks: 300, varied: true, flood: 5, kept: .97, keptLow: .88, used: .98},
		{name: "wakes at 30, large requests", grace: graceMS, wake: 30, rate: 1, asks: 30, flood: 5, kept: .96, used: .96},
		{name: "wakes at 30, backlogged", grace: graceMS, wake: 30, rate: 20, asks: 300, flood: 5, kept: 1, keptLow: 1, used: .99, reserved: 1},
		{name: "from the beginning", grace: graceMS, wake: 0, rate: 1, asks: 300, flood: 5, kept: .99, keptLow: .96, used: .98},
		{name: "at a third of its reservation", grace: graceMS, wake: 0, rate: .33, asks: 300, flood: 2, kept: .99, keptLow: .99, used: .98},
		{name: "none", grace: graceMS, wake: 60, rate: 1, asks: 300, flood: 5, used: .99},
	} {
		terms := reserve(tpm, 900_000, 100_000)
		terms.Pools.GraceMS = c.grace
		var kept, of, used []float64
		size := int64(tpm) / c.asks
		for n := range uint64(max(60, c.runs)) {
			rng := rand.New(rand.NewPCG(first, n))
			out, u := minuteOf(t, rng, terms, []flow{
				{key: 1, pool: 0, from: c.wake, to: 60, rate: c.rate * .9 * float64(c.asks) / 60, size: size, varied: c.varied},
				{key: 2, pool: 1, from: 0, to: 60, rate: c.flood * float64(c.asks) / 60, size: size, varied: c.varied},
			})
			if u > tpm {
				t.Fatalf("seed %d, %s: %d used of %d", first, c.name, u, int64(tpm))
			}
			reserved := .9 * tpm * (60 - c.wake) / 60
			if reserved > 0 {
				kept = append(kept, float64(out[0].got)/min(float64(out[0].asked), reserved))
				of = append(of, float64(out[0].got)/reserved)
			}
			used = append(used, float64(u)/tpm)
		}
		k, kl, o := 1.0, 1.0, 1.0
		if len(kept) > 0 {
			k, kl, o = mean(kept), low(kept), mean(of)
		}
		t.Logf("%-32s kept %.3f (low %.3f) of what it asked for within its reservation, %.3f of that; used %.3f (low %.3f)", c.name, k, kl, o, mean(used), low(used))
		if k < c.kept || kl < c.keptLow || mean(used) < c.used || o < c.reserved {
			t.Errorf("%s: want %.3f (%.3f), %.3f; %.3f", c.name, c.kept, c.keptLow, c.reserved, c.used)
		}
	}
}
