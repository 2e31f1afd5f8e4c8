//go:build !tinygo

package quota

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"fairshare/plugin/unit"
)

// shadowed gives copies of meters with these limits in shadow.
func shadowed(meters []*Meter, shadow Reasons) []*Meter {
	copies := make([]*Meter, len(meters))
	for i, m := range meters {
		c := *m
		c.Shadow = shadow
		copies[i] = &c
	}
	return copies
}

// someMeters makes meters of all scopes with some limits.
func someMeters(rng *rand.Rand, budget int64) []*Meter {
	meters := make([]*Meter, 8)
	for i := range meters {
		m := NewMeter(Scope(1+i%6), string(rune('a'+i)), "")
		limit := func(most int) Cap {
			if rng.IntN(3) > 0 {
				return Cap{}
			}
			return capped(int64(rng.IntN(most)))
		}
		m.RPM, m.TPM, m.Parallel, m.Sliding = limit(12), limit(500), limit(6), rng.IntN(2) == 0
		if budget > 0 && rng.IntN(3) == 0 {
			m.Budget = capped(rng.Int64N(budget))
		}
		if rng.IntN(6) == 0 {
			m.Skips = Requests | Tokens
		}
		meters[i] = m
	}
	return meters
}

func someTerms(rng *rand.Rand) Terms {
	limits := rng.IntN(4)
	terms := NewTerms("m", rng.Int64N(1500), rng.Int64N(40), limits&1 != 0, limits&2 != 0)
	if rng.IntN(2) == 0 {
		terms.Pools = Pools{Weights: poolsOf(rng), GraceMS: graceMS * rng.Int64N(2), Threshold: One / 2 * rng.Int64N(2)}
	}
	return terms
}

// With every limit in shadow the books say what they would say if all were enforced, and
// so do the verdicts: whatever is asked of two ledgers, one of which enforces.
func TestShadowDecidesAsEnforcing(t *testing.T) {
	first := seed(t)
	refused := map[Reason]int{}
	for n := range uint64(2000) {
		rng := rand.New(rand.NewPCG(first, n))
		terms, meters := someTerms(rng), someMeters(rng, 0)
		if rng.IntN(4) == 0 {
			meters[0].Budget = capped(0)
		}
		shadow, shades := terms, shadowed(meters, AllReasons)
		limited := terms.LimitRPM || terms.LimitTPM
		if terms.LimitRPM {
			shadow.Shadow |= Requests
		}
		if terms.LimitTPM {
			shadow.Shadow |= Tokens
		}
		enforcing, telling := NewLedger(new(Memory), 1), NewLedger(new(Memory), 1)
		type pair struct{ is, told Hold }
		var flying []pair
		now := t0 + rng.Int64N(minuteMS)
		for range 1 + rng.IntN(150) {
			if rng.IntN(4) == 0 {
				now += rng.Int64N(20_000)
				// A meter has books of the last two minutes in which something was written, and
				// in shadow more is: answers later than that are not alike.
				if len(flying) > 0 {
					now = min(now, (flying[0].told.at/minuteMS+2)*minuteMS-1)
				}
			}
			if rng.IntN(3) == 0 && len(flying) > 0 {
				i := rng.IntN(len(flying)) * rng.IntN(2)
				f := flying[i]
				flying = append(flying[:i], flying[i+1:]...)
				s := Spent{Prompt: 5, Completion: unit.Tokens(rng.IntN(80)), Learn: rng.IntN(2) == 0}
				s.Total = s.Prompt + s.Completion
				settle := rng.IntN(4) > 0
				for _, of := range []struct {
					l *Ledger
					t *Terms
					h *Hold
				}{{enforcing, &terms, &f.is}, {telling, &shadow, &f.told}} {
					var err error
					if settle {
						err = of.l.Settle(now, of.t, of.h, s)
					} else {
						err = of.l.Release(now, of.t, of.h)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
			} else {
				c := Claim{Key: uint64(1 + rng.IntN(6)), Weight: One, Pool: NoPool, Ask: Ask{TextBytes: 20, MaxOutput: unit.Tokens(rng.IntN(100)), Capped: rng.IntN(2) == 0}}
				if n := len(terms.Pools.Weights); n > 0 {
					c.Pool = uint8(rng.IntN(n))
				} else if rng.IntN(8) == 0 {
					c.Weight, c.Pool, c.Hard = One/4*rng.Uint32N(3), 1, true
				}
				// A model without limits learns from all answers, those included that
				// would not have been given.
				if !limited || rng.IntN(2) == 0 {
					c.Exact = unit.Tokens(1 + rng.IntN(100))
				}
				mine := rng.Perm(len(meters))[:rng.IntN(4)]
				told := c
				for _, i := range mine {
					c.Meters, told.Meters = append(c.Meters, meters[i]), append(told.Meters, shades[i])
				}
				var is, would Verdict
				var err, err2 error
				if c.Exact > 0 && rng.IntN(3) == 0 {
					s := Spent{Total: c.Exact}
					is, err = enforcing.decidePaid(now, &terms, c, s)
					would, err2 = telling.decidePaid(now, &shadow, told, s)
				} else {
					is, err = enforcing.decide(now, &terms, c)
					would, err2 = telling.decide(now, &shadow, told)
				}
				if err != nil || err2 != nil || !would.OK() {
					t.Fatal(err, err2, would.Reason)
				}
				refused[is.Reason]++
				if is.OK() {
					would.WouldBy = is.By
				}
				if is.By >= 0 && is.Pool != nil {
					is.Pool.Saturation = would.Pool.Saturation // is told only where the model refuses
				}
				if is.Reason != would.Would || is.By != would.WouldBy || is.Tokens != would.Tokens || is.Requests != would.Requests || limited && is.Active != would.Active ||
					(is.Pool == nil) != (would.Pool == nil) || is.Pool != nil && *is.Pool != *would.Pool {
					t.Fatalf("seed %d run %d: enforcing says %+v %+v, shadow %+v %+v", first, n, is, is.Pool, would, would.Pool)
				}
				for i := range is.Meters {
					a, b := is.Meters[i], would.Meters[i]
					if a.Requests != b.Requests || a.Tokens != b.Tokens || a.Parallel != b.Parallel {
						t.Fatalf("seed %d run %d: meter %d: enforcing leaves %+v, shadow %+v", first, n, i, a, b)
					}
				}
				if would.Hold.Open() {
					flying = append(flying, pair{is.Hold, would.Hold})
				}
			}
			var a, b Book
			if err := enforcing.Read(now, &terms, &a); err != nil {
				t.Fatal(err)
			}
			if err := telling.Read(now, &shadow, &b); err != nil {
				t.Fatal(err)
			}
			// The totals are of all that was answered, and so are requests in flight. The
			// mean request follows from the totals.
			totals := b.Totals
			for enforcing.begin(&terms); enforcing.read(now); enforcing.swap() {
				enforcing.buf.set(atTotalRequests, totals.Requests)
				enforcing.buf.set(atTotalTokens, int64(totals.Tokens))
			}
			if limited {
				a.Slots, a.Totals.Requests, a.Totals.Tokens = b.Slots, totals.Requests, totals.Tokens
				a.Totals.Refused, a.Totals.WouldRefuse = 0, a.Totals.Refused // nobody is refused in shadow
				if !reflect.DeepEqual(a, b) {
					t.Fatalf("seed %d run %d: the model's book:\nenforcing %+v\nshadow    %+v", first, n, a, b)
				}
			}
			for i, m := range meters {
				a, b := balanceOf(t, enforcing, now, m), balanceOf(t, telling, now, shades[i])
				if a.Requests != b.Requests || a.Tokens != b.Tokens || a.Hold != b.Hold || a.Slots != b.Slots {
					t.Fatalf("seed %d run %d: meter %d: enforcing has %+v, shadow %+v", first, n, i, a, b)
				}
			}
		}
	}
	for why := Admitted; why <= OverTokens; why++ {
		if refused[why] < 100 {
			t.Errorf("reason %d came %d times", why, refused[why])
		}
	}
}

// Limits in shadow and enforced ones together, eight workers, any interleaving: no limit's
// book ever has more than the limit, in shadow or not, an enforced one counts each request that
// passed, one in shadow each that would have, and in the end nothing is held.
func TestHammerShadow(t *testing.T) {
	first := seed(t)
	passed, told := 0, 0
	for n := range uint64(1000) {
		rng := rand.New(rand.NewPCG(first, n))
		const workers, most = 8, 100
		s := &interleaved{rng: rng, busy: map[*Ledger]bool{}}
		ledgers := make([]*Ledger, workers)
		for i := range ledgers {
			ledgers[i] = NewLedger(s, uint64(i+1))
		}
		terms, meters := someTerms(rng), someMeters(rng, 600)
		for _, m := range meters {
			m.Shadow = Reasons(rng.IntN(int(AllReasons) + 1))
		}
		terms.Shadow = Reasons(rng.IntN(4)) << 2
		if !terms.LimitRPM {
			terms.Shadow &^= Requests
		}
		if !terms.LimitTPM {
			terms.Shadow &^= Tokens
		}
		now := t0 + int64(rng.IntN(50_000))
		type sum struct{ requests, used, spent int64 }
		books, model := map[*Meter]*sum{}, sum{}
		for _, m := range meters {
			books[m] = new(sum)
		}
		count := func(mine []*Meter, would bool, requests, used, spent int64) {
			for _, m := range mine {
				skips := m.Skips
				if would {
					skips |= m.Shadow
				}
				b := books[m]
				if b.spent += spent; !skips.Has(Requests) {
					b.requests += requests
				}
				if !skips.Has(Tokens) {
					b.used += used
				}
			}
			off := would && terms.inShadow()
			if !off && !(would && terms.Shadow.Has(Requests)) {
				model.requests += requests
			}
			if !off && !(would && terms.Shadow.Has(Tokens)) {
				model.used += used
			}
		}
		check := func() {
			l := NewLedger(&s.Memory, 99)
			for i, m := range meters {
				b := balanceOf(t, l, now, m)
				switch {
				case m.RPM.Limited && b.Requests > m.RPM.Max:
					t.Fatalf("seed %d run %d meter %d: %d requests > %d", first, n, i, b.Requests, m.RPM.Max)
				case m.TPM.Limited && b.Tokens+b.Hold > m.TPM.Max:
					t.Fatalf("seed %d run %d meter %d: %d tokens > %d", first, n, i, b.Tokens+b.Hold, m.TPM.Max)
				case m.Parallel.Limited && b.Slots > m.Parallel.Max:
					t.Fatalf("seed %d run %d meter %d: %d slots > %d", first, n, i, b.Slots, m.Parallel.Max)
				case m.Budget.Limited && !m.Shadow.Has(Budget) && int64(b.Spent+b.Held) >= m.Budget.Max+most:
					t.Fatalf("seed %d run %d meter %d: spent and held %d, budget %d", first, n, i, b.Spent+b.Held, m.Budget.Max)
				}
			}
			var b Book
			if err := l.Read(now, &terms, &b); err != nil {
				t.Fatal(err)
			}
			if terms.LimitRPM && b.Requests > terms.RPM || terms.LimitTPM && b.Used+b.Held > terms.TPM {
				t.Fatalf("seed %d run %d: the model has %+v", first, n, b)
			}
		}
		for range 1 + rng.IntN(100) {
			l, want, cost := ledgers[rng.IntN(workers)], int64(1+rng.IntN(80)), int64(1+rng.IntN(most))
			var mine []*Meter
			for _, i := range rng.Perm(len(meters))[:rng.IntN(5)] {
				mine = append(mine, meters[i])
			}
			paid := rng.IntN(4) == 0
			c := Claim{Key: uint64(1 + rng.IntN(5)), Weight: One, Pool: NoPool, Exact: unit.Tokens(want), Meters: mine, Price: flat(cost)}
			if n := len(terms.Pools.Weights); n > 0 {
				c.Pool = uint8(rng.IntN(n))
			}
			s.others = append(s.others, todo{l, func() {
				if paid {
					v, err := l.decidePaid(now, &terms, c, Spent{Total: 1, Cost: unit.PicoUSD(cost)})
					if err != nil {
						t.Fatalf("seed %d run %d: %v", first, n, err)
					}
					if v.OK() {
						count(mine, v.Would != Admitted, 1, 1, cost)
					}
					return
				}
				v, err := l.decide(now, &terms, c)
				if err != nil {
					t.Fatalf("seed %d run %d: %v", first, n, err)
				}
				if !v.OK() {
					if v.Would != Admitted || v.Hold.Open() {
						t.Fatalf("seed %d run %d: refused, and %+v", first, n, v)
					}
					return
				}
				would := v.Would != Admitted
				if passed++; would {
					told++
				}
				count(mine, would, 1, 0, 0)
				// No more than the least that is held of it anywhere, so that nothing is debt.
				h := v.Hold
				use := min(want, int64(h.tokens))
				if !terms.LimitTPM || h.free {
					use = want
				}
				for _, m := range mine {
					if m.TPM.Limited && !h.skips(m).Has(Tokens) {
						use = min(use, int64(h.wants(m)))
					}
				}
				s.others = append(s.others, todo{l, func() {
					if use == 0 || rng.IntN(5) == 0 {
						if err := l.Release(now, &terms, &h); err != nil {
							t.Fatal(err)
						}
						return
					}
					used, spent := rng.Int64N(use)+1, rng.Int64N(cost)+1
					count(mine, would, 0, used, spent)
					if err := l.Settle(now, &terms, &h, Spent{Total: unit.Tokens(used), Cost: unit.PicoUSD(spent)}); err != nil {
						t.Fatal(err)
					}
				}})
			}})
		}
		for len(s.others) > 0 {
			s.step()
			check()
		}
		for i, m := range meters {
			b, want := balanceOf(t, ledgers[0], now, m), books[m]
			if b.Requests != want.requests || b.Tokens != want.used || int64(b.Spent) != want.spent || b.Slots != 0 || b.Held != 0 || b.Hold != 0 {
				t.Fatalf("seed %d run %d meter %d: %+v, want %+v", first, n, i, b, want)
			}
		}
		var b Book
		if err := ledgers[0].Read(now, &terms, &b); err != nil {
			t.Fatal(err)
		}
		if b.Requests != model.requests || int64(b.Used) != model.used || b.Held != 0 || b.Slots != 0 {
			t.Fatalf("seed %d run %d: the model has %+v, want %+v", first, n, b, model)
		}
	}
	if told < passed/20 || told > passed*19/20 {
		t.Errorf("%d of %d requests passed because limits were in shadow: the test sees little", told, passed)
	}
}

// What enforced limits hold does not follow from a limit in shadow, however small.
func TestShadowLeavesHoldsAlone(t *testing.T) {
	l, terms := NewLedger(new(Memory), 1), tpm(1000)
	key, team := NewMeter(ForKey, "k", ""), NewMeter(ForTeam, "t", "")
	key.TPM, key.Shadow, team.TPM = capped(8), Tokens, capped(900)
	c := Claim{Key: 1, Weight: One, Pool: NoPool, Ask: Ask{TextBytes: 4}, Meters: []*Meter{key, team}}
	v, err := l.decide(t0, terms, c)
	if err != nil || v.Would != Admitted {
		t.Fatal(err, v.Would)
	}
	const estimate = 4 + 900/4
	if k, g, m := balanceOf(t, l, t0, key), balanceOf(t, l, t0, team), read(t, l, t0, terms); k.Hold != 6 || g.Hold != estimate || m.Held != estimate {
		t.Errorf("held are %d of the key's 8, %d of the team's 900, %d of the model's 1000", k.Hold, g.Hold, m.Held)
	}
}

// Retry-After is that of limits that are enforced: not of what in shadow takes longer.
func TestShadowDoesNotDelay(t *testing.T) {
	l := NewLedger(new(Memory), 1)
	terms := NewTerms("m", 10, 1, true, true)
	terms.Shadow = Tokens
	key := NewMeter(ForKey, "k", "")
	key.TPM, key.Shadow = capped(10), Tokens
	c := Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 10, Meters: []*Meter{key}}
	if v, err := l.decidePaid(t0, &terms, c, Spent{Total: 100}); err != nil || !v.OK() {
		t.Fatal(err, v.Reason) // nine minutes of debt in shadow
	}
	v, err := l.decide(t0+10*second, &terms, c)
	if err != nil || v.Reason != OverRequests || v.RetryMS != 50*second {
		t.Errorf("%v %d, to be tried again in %d ms; want the model's requests in 50 s", err, v.Reason, v.RetryMS)
	}
	terms.Shadow, terms.LimitRPM, key.RPM = 0, false, capped(1)
	terms.LimitTPM = false
	v, err = l.decide(t0+10*second, &terms, c)
	if err != nil || v.Reason != OverRequests || v.By != 0 || v.RetryMS != 50*second {
		t.Errorf("%v %d, to be tried again in %d ms; want the key's requests in 50 s", err, v.Reason, v.RetryMS)
	}
}

// A dead worker's holds come off the books that they are on and leave the others alone:
// of two holds on a key that has one slot, the second is a shadow hold. The user has another
// key's as well.
func TestShadowHoldsOfDeadWorkers(t *testing.T) {
	for first, want := range [...]struct{ key, user, team, model, line [2]int64 }{ // tokens held, slots
		{[2]int64{25, 1}, [2]int64{55, 2}, [2]int64{30, 1}, [2]int64{60, 2}, [2]int64{30, 1}}, // the second dies
		{[2]int64{}, [2]int64{30, 1}, [2]int64{30, 1}, [2]int64{30, 2}, [2]int64{}},
	} {
		s := new(Memory)
		dead, alive := NewLedger(s, 1<<40), NewLedger(s, 2<<40)
		terms, claim := slots()
		terms.Shadow = Tokens
		key, user := claim.Meters[0], claim.Meters[1]
		key.TPM, key.Parallel = capped(25), capped(1)
		key.Shadow, user.Shadow = AllReasons, Tokens|Parallel
		watch(terms, t0, t0+second, func(int64) bool { return false }, dead, alive)
		other := claim
		other.Key, other.Meters, other.Price = 2, []*Meter{user}, nil
		if v, err := alive.decide(t0+second, terms, other); err != nil || v.Would != Admitted {
			t.Fatal(err, v.Would)
		}
		order := []*Ledger{alive, dead}
		for i := range order {
			v, err := order[i^first].decide(t0+second, terms, claim)
			if err != nil || !v.OK() || (v.Would != Admitted) != (i > 0) {
				t.Fatal(err, v.Reason, v.Would)
			}
		}
		for i, held := range [...][2]int64{{25, 1}, {55, 2}, {60, 2}} {
			if b := balanceOf(t, alive, t0+second, claim.Meters[i]); b.Hold != held[0] || b.Slots != held[1] || b.Held != 18 {
				t.Errorf("before: meter %d: %+v, want %v", i, b, held)
			}
		}
		now := t0 + 11*second
		watch(terms, t0+second, now, func(int64) bool { return false }, alive)
		m := read(t, alive, now, terms)
		if int64(m.Held) != want.model[0] || m.Slots != want.model[1] || m.Totals.Reclaimed != 1 || len(m.Lines) != 2 || int64(m.Lines[1].Held) != want.line[0] || m.Lines[1].Slots != want.line[1] {
			t.Errorf("%d: the model: %+v, want %v", first, m, want)
		}
		for i, left := range [...][2]int64{want.key, want.user, want.team} {
			if b := balanceOf(t, alive, now, claim.Meters[i]); b.Hold != left[0] || b.Slots != left[1] || b.Held != 9 {
				t.Errorf("%d: meter %d: %+v, want %v", first, i, b, left)
			}
		}
	}
}

// A hold that passed a limit in shadow is taken off as what it was, whatever the
// leader's configuration says by then.
func TestFreeHoldsOfDeadWorkersUnderOtherTerms(t *testing.T) {
	s := new(Memory)
	dead, alive := NewLedger(s, 1), NewLedger(s, 2)
	old, next := NewTerms("m", 0, 0, true, false), NewTerms("m", 0, 0, false, false)
	old.Shadow = Tokens
	if v, err := dead.decide(t0, &old, Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 5}); err != nil || !v.OK() || v.Would != OverTokens {
		t.Fatal(v.Reason, v.Would, err)
	}
	count := func() (slots, free int64) {
		alive.begin(&next)
		alive.read(t0)
		return alive.buf.at(atSlots), alive.buf.at(atFree)
	}
	if slots, free := count(); slots != 1 || free != 1 {
		t.Fatalf("slots %d free %d, want 1 and 1", slots, free)
	}
	watch(&next, t0, t0+20*second, func(int64) bool { return false }, alive)
	if slots, free := count(); slots != 0 || free != 0 {
		t.Fatalf("slots %d free %d, want none", slots, free)
	}
}
