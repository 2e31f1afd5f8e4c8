//go:build !tinygo

package quota

import (
	"math/rand/v2"
	"slices"
	"testing"

	"fairshare/plugin/period"
	"fairshare/plugin/unit"
)

// Eight workers, a thousand schedules: no budget, rpm, tpm or parallel limit is
// exceeded but by the documented debt, and in the end each meter holds what its
// admitted requests used: those that were refused have left nothing.
func TestHammerMeters(t *testing.T) {
	first := seed(t)
	for n := range uint64(1000) {
		rng := rand.New(rand.NewPCG(first, n))
		const workers, most = 8, 100
		s := &interleaved{rng: rng, busy: map[*Ledger]bool{}}
		ledgers := make([]*Ledger, workers)
		for i := range ledgers {
			ledgers[i] = NewLedger(s, uint64(i+1))
		}
		// A tree of subjects: keys of users of teams, all under the proxy.
		pool := make([]*Meter, 12)
		for i := range pool {
			m := NewMeter(Scope(1+i%6), string(rune('a'+i)), "")
			limit := func(max int) Cap {
				if rng.IntN(3) > 0 {
					return Cap{}
				}
				return capped(int64(rng.IntN(max)))
			}
			m.RPM, m.TPM, m.Parallel, m.Budget = limit(12), limit(500), limit(6), limit(600)
			m.Sliding = rng.IntN(2) == 0
			pool[i] = m
		}
		terms := NewTerms("m", int64(200+rng.IntN(2000)), int64(2+rng.IntN(60)), rng.IntN(2) == 0, rng.IntN(2) == 0)
		now := t0 + int64(rng.IntN(50_000))
		type sum struct{ requests, used, spent int64 }
		books := map[*Meter]*sum{}
		for _, m := range pool {
			books[m] = new(sum)
		}
		check := func() {
			l := NewLedger(&s.Memory, 99)
			for _, m := range pool {
				b := balanceOf(t, l, now, m)
				switch {
				case m.RPM.Limited && b.Requests > m.RPM.Max:
					t.Fatalf("seed %d run %d: %d requests > %d", first, n, b.Requests, m.RPM.Max)
				case m.TPM.Limited && b.Tokens+b.Hold > m.TPM.Max:
					t.Fatalf("seed %d run %d: %d tokens > %d", first, n, b.Tokens+b.Hold, m.TPM.Max)
				case m.Parallel.Limited && b.Slots > m.Parallel.Max:
					t.Fatalf("seed %d run %d: %d slots > %d", first, n, b.Slots, m.Parallel.Max)
				case m.Budget.Limited && int64(b.Spent+b.Held) >= m.Budget.Max+most:
					t.Fatalf("seed %d run %d: spent and held %d, budget %d: more than one crossing request", first, n, b.Spent+b.Held, m.Budget.Max)
				}
			}
		}
		for range 1 + rng.IntN(100) {
			l, want, cost := ledgers[rng.IntN(workers)], int64(1+rng.IntN(80)), int64(1+rng.IntN(most))
			var mine []*Meter
			for _, i := range rng.Perm(len(pool))[:rng.IntN(5)] {
				mine = append(mine, pool[i])
			}
			paid := rng.IntN(4) == 0
			c := Claim{Key: uint64(1 + rng.IntN(5)), Weight: One, Pool: NoPool, Exact: unit.Tokens(want), Meters: mine, Price: flat(cost)}
			s.others = append(s.others, todo{l, func() {
				if paid {
					v, err := l.decidePaid(now, &terms, c, Spent{Total: 1, Cost: unit.PicoUSD(cost)})
					if err != nil {
						t.Fatalf("seed %d run %d: %v", first, n, err)
					}
					if v.OK() {
						for _, m := range mine {
							b := books[m]
							b.requests++
							b.used++
							b.spent += cost
						}
					}
					return
				}
				v, err := l.decide(now, &terms, c)
				if err != nil {
					t.Fatalf("seed %d run %d: %v", first, n, err)
				}
				if !v.OK() {
					return
				}
				for _, m := range mine {
					books[m].requests++
				}
				h := v.Hold
				use := int64(0)
				if h.want > 0 {
					use = rng.Int64N(int64(h.want)) + 1
				}
				s.others = append(s.others, todo{l, func() {
					if rng.IntN(5) == 0 {
						if err := l.Release(now, &terms, &h); err != nil {
							t.Fatal(err)
						}
						return
					}
					paid := rng.Int64N(cost) + 1
					for _, m := range mine {
						books[m].used += use
						books[m].spent += paid
					}
					if err := l.Settle(now, &terms, &h, Spent{Total: unit.Tokens(use), Cost: unit.PicoUSD(paid)}); err != nil {
						t.Fatal(err)
					}
				}})
			}})
		}
		for len(s.others) > 0 {
			s.step()
			check()
		}
		for _, m := range pool {
			b, want := balanceOf(t, ledgers[0], now, m), books[m]
			if b.Requests != want.requests || b.TotalRequests != want.requests || b.Tokens != want.used || int64(b.Spent) != want.spent || b.Slots != 0 || b.Held != 0 || b.Hold != 0 {
				t.Fatalf("seed %d run %d: %+v, want %+v", first, n, b, want)
			}
		}
	}
}

// Spend in a period never counts in another, whatever the clock does: at any
// moment a meter shows no more than what was paid by requests admitted in the
// period of that moment, however late they were settled; and exactly that as
// long as the clock was in at most two other periods meanwhile.
func TestHammerPeriods(t *testing.T) {
	first := seed(t)
	durations := []period.Duration{
		{N: 1, Unit: period.Second},
		{N: 30, Unit: period.Second},
		{N: 1, Unit: period.Minute},
		{N: 1, Unit: period.Hour},
		{N: 5, Unit: period.Hour},
		{N: 1, Unit: period.Day},
		{N: 3, Unit: period.Day},
		{N: 1, Unit: period.Week},
		{N: 30, Unit: period.Day},
		{N: 1, Unit: period.Month},
		{},
	}
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"}
	for n := range uint64(400) {
		rng := rand.New(rand.NewPCG(first, n))
		zone, ok := period.Zone(zones[rng.IntN(len(zones))])
		if !ok {
			t.Fatal("no zone")
		}
		m := NewMeter(ForKey, "k", "")
		m.Budget, m.Every = capped(1<<40), durations[rng.IntN(len(durations))]
		m.Calendar, m.Anchor = &period.Calendar{Zone: zone, ResetMinute: rng.IntN(1440)}, t0-rng.Int64N(1e10)
		l := NewLedger(new(Memory), 1)
		paid := map[int64]int64{} // by the start of the period
		var recent []int64        // the last periods that the clock was in, all different, the last one last
		now, late := t0+rng.Int64N(1e10), n%2 == 1
		var inFlight []Hold
		for range 200 {
			switch rng.IntN(6) {
			case 0:
				now += rng.Int64N(100_000)
			case 1:
				now += rng.Int64N(40 * 86_400_000)
			case 2:
				now -= rng.Int64N(100_000)
			case 3:
				now -= rng.Int64N(40 * 86_400_000)
			}
			start, _ := m.span(now)
			b := balanceOf(t, l, now, m)
			if int64(b.Spent) > paid[start] {
				t.Fatalf("seed %d run %d: %d spent, %d were paid in this period", first, n, b.Spent, paid[start])
			}
			at := slices.Index(recent, start)
			if at >= 0 && len(recent)-at <= 3 && !late && int64(b.Spent) != paid[start] {
				t.Fatalf("seed %d run %d: %d spent, %d were paid in this period", first, n, b.Spent, paid[start])
			}
			if at >= 0 {
				recent = slices.Delete(recent, at, at+1)
			}
			recent = append(recent, start)
			if !late {
				paid[start] = int64(b.Spent) // less, if the period's book had to make room
			}
			v, err := l.decide(now, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Meters: []*Meter{m}, Price: flat(1)})
			if err != nil || !v.OK() {
				t.Fatal(err, v.Reason)
			}
			inFlight = append(inFlight, v.Hold)
			for len(inFlight) > 0 && (!late || rng.IntN(3) == 0) {
				i := rng.IntN(len(inFlight))
				cost := 1 + rng.Int64N(1000)
				if err := l.Settle(now, &open, &inFlight[i], Spent{Total: 1, Cost: unit.PicoUSD(cost)}); err != nil {
					t.Fatal(err)
				}
				then, _ := m.span(inFlight[i].at)
				paid[then] += cost
				inFlight = slices.Delete(inFlight, i, i+1)
			}
		}
	}
}
