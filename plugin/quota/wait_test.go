//go:build !tinygo

package quota

import (
	"math"
	"math/rand/v2"
	"testing"

	"fairshare/plugin/period"
	"fairshare/plugin/unit"
)

// Retry-After is true: if nobody else asks, a request that waits that long is
// admitted, and one that comes a second earlier is not. Requests in flight end
// meanwhile, and nobody knows when; the test lets them go at once.
func TestHammerWait(t *testing.T) {
	first := seed(t)
	refused := map[Reason]int{}
	for n := range uint64(3000) {
		rng := rand.New(rand.NewPCG(first, n))
		s := new(Memory)
		l := NewLedger(s, 1)
		all := meters(func(k, u, g *Meter) {
			for _, m := range []*Meter{k, u, g} {
				limit := func(max int) Cap { return Cap{Limited: rng.IntN(2) == 0, Max: int64(rng.IntN(max))} }
				m.RPM, m.TPM, m.Parallel, m.Budget = limit(5), limit(300), limit(4), limit(900)
				m.Every = period.Duration{N: int32(rng.IntN(3)), Unit: period.Minute}
				m.Sliding = rng.IntN(2) == 0
			}
		})
		terms := NewTerms("m", int64(50+rng.IntN(1000)), int64(2+rng.IntN(20)), rng.IntN(3) == 0, rng.IntN(3) == 0)
		now := t0 + int64(rng.IntN(60_000))
		for range 40 {
			now += rng.Int64N(9000)
			claim := Claim{Key: 1, Weight: One, Pool: NoPool, Exact: unit.Tokens(1 + rng.IntN(120)), Meters: all, Price: flat(rng.IntN(50))}
			v, err := l.decide(now, &terms, claim)
			if err != nil {
				t.Fatal(err)
			}
			if v.OK() {
				used := unit.Tokens(1 + rng.IntN(40))
				if rng.IntN(8) == 0 {
					used *= 40 // debt
				}
				if err := l.Settle(now, &terms, &v.Hold, Spent{Total: used, Cost: unit.PicoUSD(rng.IntN(100))}); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if v.By < 0 {
				continue // the model's wait is another test's
			}
			refused[v.Reason]++
			probe := func(at int64) Reason {
				alone := claim
				for _, m := range all {
					var a account
					if err := l.account(at, m, &a); err != nil {
						t.Fatal(err)
					}
					var h Hold
					l.buf.size(at, &terms, &alone, &h)
					if r := a.refuses(at, int64(h.want), h.atLeast(int64(h.want)), m); r != Admitted {
						return r
					}
				}
				return Admitted
			}
			if v.RetryMS == Never {
				for _, later := range []int64{1, 60, 600, 86_400} {
					if probe(now+later*second) == Admitted {
						t.Fatalf("seed %d run %d: admitted after %d s, told never", first, n, later)
					}
				}
				continue
			}
			if r := probe(now + v.RetryMS); r != Admitted {
				t.Fatalf("seed %d run %d: refused by %d, told %d ms, then refused by %d", first, n, v.Reason, v.RetryMS, r)
			}
			if v.RetryMS > second && probe(now+v.RetryMS-second) == Admitted && !terms.LimitRPM && !terms.LimitTPM {
				t.Fatalf("seed %d run %d: refused by %d, told %d ms, admitted a second before", first, n, v.Reason, v.RetryMS)
			}
		}
	}
	for _, r := range []Reason{OverBudget, OverRequests, OverTokens} {
		if refused[r] < 100 {
			t.Errorf("reason %d: %d refusals", r, refused[r])
		}
	}
}

// The wait of one meter is that of all its limits. Before it is asked, one
// request used tokens and one is in flight.
func TestWaitOfAllLimits(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(m *Meter)
		used unit.Tokens
		at   int64
		want int64
	}{
		{"slots", func(m *Meter) { m.Parallel = capped(1) }, 10, 0, second},
		{"slots and requests", func(m *Meter) { m.Parallel, m.RPM = capped(1), capped(2) }, 10, 20 * second, 40 * second},
		{"slots and tokens", func(m *Meter) { m.Parallel, m.TPM = capped(1), capped(30) }, 10, 20 * second, 40 * second},
		{"slots and no requests", func(m *Meter) { m.Parallel, m.RPM = capped(1), capped(0) }, 0, 0, Never},
		{"slots and no tokens", func(m *Meter) { m.Parallel, m.TPM = capped(1), capped(0) }, 0, 0, Never},
		{"no slots", func(m *Meter) { m.Parallel, m.RPM = capped(0), capped(2) }, 0, 0, Never},
		{"money", func(m *Meter) { m.Budget, m.Every = capped(5), period.Duration{N: 30, Unit: period.Second} }, 0, 1700, 28_300},
		{"money for ever", func(m *Meter) { m.Budget = capped(5) }, 0, 0, Never},
		{"no money", func(m *Meter) { m.Budget, m.Every = capped(0), period.Duration{N: 30, Unit: period.Second} }, 0, 0, Never},
		{
			"money and requests",
			func(m *Meter) {
				m.Budget, m.Every, m.RPM = capped(5), period.Duration{N: 30, Unit: period.Second}, capped(1)
			}, 0, 1700, 58_300,
		},
		{"debt of three minutes", func(m *Meter) { m.TPM = capped(40) }, 150, 1500, 4*60*second - 1500},
		{"debt of four minutes, sliding", func(m *Meter) { m.TPM, m.Sliding = capped(40), true }, 160, 0, 4 * 60 * second},
		{"debt without bounds", func(m *Meter) { m.TPM = capped(40) }, math.MaxInt64, 0, (maxDebt + 1) * 60 * second},
	} {
		l := NewLedger(new(Memory), 1)
		m := NewMeter(ForKey, "k", "")
		ask := func() Verdict {
			v, err := l.decide(t0+c.at, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 30, Meters: []*Meter{m}, Price: flat(9)})
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		one := ask()
		if err := l.Settle(t0+c.at, &open, &one.Hold, Spent{Total: c.used}); err != nil {
			t.Fatal(err)
		}
		ask()
		c.edit(m)
		if v := ask(); v.OK() || v.RetryMS != c.want {
			t.Errorf("%s: refused by %d, wait %d, want %d", c.name, v.Reason, v.RetryMS, c.want)
		}
	}
}

// A request that asks for more than the limit finds an empty minute, and how
// often somebody looks in between changes nothing.
func TestDebtIsPaidOnce(t *testing.T) {
	for _, sliding := range []bool{false, true} {
		for _, looks := range []bool{false, true} {
			l := NewLedger(new(Memory), 1)
			m := NewMeter(ForKey, "k", "")
			m.TPM, m.Sliding = capped(100), sliding
			claim := Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 50, Meters: []*Meter{m}}
			late, err := l.decide(t0, &open, claim)
			if err != nil || !late.OK() {
				t.Fatal(err, late.Reason)
			}
			v, err := l.decide(t0, &open, claim)
			if err != nil || !v.OK() {
				t.Fatal(err, v.Reason)
			}
			if err := l.Settle(t0, &open, &v.Hold, Spent{Total: 200}); err != nil {
				t.Fatal(err)
			}
			if looks {
				// Another answer ends, which writes the book of the minute between.
				if err := l.Release(t0+61*second, &open, &late.Hold); err != nil {
					t.Fatal(err)
				}
			}
			if v, err = l.decide(t0+119*second, &open, claim); err != nil || v.Reason != OverTokens || v.RetryMS != second {
				t.Fatalf("sliding %v, looks %v: %v, %d, wait %d", sliding, looks, err, v.Reason, v.RetryMS)
			}
			if v, err = l.decide(t0+120*second, &open, claim); err != nil || !v.OK() {
				t.Fatalf("sliding %v, looks %v: %v, refused by %d", sliding, looks, err, v.Reason)
			}
		}
	}
}
