package quota

import (
	"math/rand/v2"
	"testing"
)

// refusals are the group's as another worker reads them.
func refusals(t *testing.T, s Store, terms *Terms) Refusals {
	t.Helper()
	var r Refusals
	if err := NewLedger(s, 99).Refusals(terms, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// Each way to be refused is told with the numbers that decided.
func TestWhyRefused(t *testing.T) {
	team := NewMeter(ForTeam, "t", "")
	team.RPM = Cap{Limited: true, Max: 1}
	key := NewMeter(ForKey, "k", "")
	key.TPM = Cap{Limited: true, Max: 40}
	user := NewMeter(ForUser, "u", "")
	user.Parallel = Cap{Limited: true, Max: 1}
	proxy := NewMeter(ForProxy, "", "")
	proxy.Budget = Cap{Limited: true, Max: 100}
	with := func(m ...*Meter) Claim { return Claim{Key: 1, Weight: One, Pool: NoPool, Meters: m, Price: flat(60)} }
	plain := func(key uint64) Claim { return Claim{Key: key, Weight: One, Pool: NoPool} }
	of := func(key uint64, pool uint8, weight uint32, hard bool) Claim {
		return Claim{Key: key, Weight: weight, Pool: pool, Hard: hard}
	}
	free := tpm(100)
	both := reserve(100, 800_000, 200_000)
	for name, c := range map[string]struct {
		terms *Terms
		asks  []Claim // of 30 tokens each; the last is refused
		want  Refusal
	}{
		"the model": {free, []Claim{plain(1), plain(1), plain(1), plain(2)}, Refusal{Key: 2, By: ByModel, Reason: OverTokens, Pool: NoPool, Wanted: 30, Left: 10, Share: 100, Taken: 90, RetryMS: 60_000}},
		"a share": {
			free,
			[]Claim{plain(2), plain(1), plain(1)},
			Refusal{Key: 1, By: ByShare, Reason: OverTokens, Pool: NoPool, Wanted: 30, Left: 40, Share: 50, Taken: 30, Kept: 20, Others: 1, RetryMS: 48_000},
		},
		"a priority": {both, []Claim{of(1, 1, One, false), of(1, 1, One, false)}, Refusal{Key: 1, By: ByPriority, Reason: OverTokens, Pool: 1, Wanted: 30, Left: 70, Share: 20, Taken: 30, Kept: 70, RetryMS: 30_000}},
		"a share of a priority": {
			reserve(200, 800_000, 200_000),
			[]Claim{of(2, 0, One, false), of(1, 0, One, false), of(1, 0, One, false), of(1, 0, One, false)},
			Refusal{Key: 1, By: ByShare, Reason: OverTokens, Pool: 0, Wanted: 30, Left: 70, Share: 80, Taken: 60, Kept: 50, Others: 1, RetryMS: 23_000},
		},
		"a hard priority": {free, []Claim{of(1, 0, 300_000, true), of(1, 0, 300_000, true)}, Refusal{Key: 1, By: ByPriority, Reason: OverTokens, Wanted: 30, Left: 70, Share: 30, Taken: 30, RetryMS: 60_000}},
		"no priority":     {free, []Claim{of(1, 0, 0, true)}, Refusal{Key: 1, By: ByPriority, Reason: OverTokens, Wanted: 30, Left: 100, RetryMS: Never}},
		"a team":          {free, []Claim{with(team), with(team)}, Refusal{Key: 1, By: ByTeam, Reason: OverRequests, Pool: NoPool, Wanted: 1, Share: 1, Taken: 1, RetryMS: 60_000}},
		"a key":           {free, []Claim{with(key), with(key)}, Refusal{Key: 1, By: ByKey, Reason: OverTokens, Pool: NoPool, Wanted: 30, Left: 10, Share: 40, Taken: 30, RetryMS: 60_000}},
		"a user":          {free, []Claim{with(user), with(user)}, Refusal{Key: 1, By: ByUser, Reason: OverParallel, Pool: NoPool, Wanted: 1, Share: 1, Taken: 1, RetryMS: 1000}},
		"the proxy":       {free, []Claim{with(proxy), with(proxy), with(proxy)}, Refusal{Key: 1, By: ByProxy, Reason: OverBudget, Pool: NoPool, Wanted: 60, Share: 100, Taken: 120, RetryMS: Never}},
	} {
		l := NewLedger(new(Memory), 1)
		for i, claim := range c.asks {
			claim.Exact = 30
			v, err := l.decide(t0, c.terms, claim)
			if err != nil || v.OK() != (i < len(c.asks)-1) {
				t.Fatalf("%s: ask %d: %v, %v", name, i, v.Reason, err)
			}
		}
		l.NameRefused(c.terms, &[32]byte{9}, "alias")
		if r := refusals(t, l.store, c.terms); r.Last.At != 0 {
			t.Errorf("%s: it was written before the tick", name)
		}
		l.Tick(t0+200, nil)
		r := refusals(t, l.store, c.terms)
		c.want.At, c.want.Hash, c.want.Alias = t0, [32]byte{9}, "alias"
		if r.Last != c.want {
			t.Errorf("%s:\n%+v, want\n%+v", name, r.Last, c.want)
		}
		if r.Counts[c.want.By][c.want.Reason-OverBudget] != 1 {
			t.Errorf("%s: counted as %v", name, r.Counts)
		}
	}
}

// Every worker's refusals are counted once, the latest is the last, and what the store
// does not take now is not lost.
func TestRefusalsOfManyWorkers(t *testing.T) {
	const seed = 20261121
	rng := rand.New(rand.NewPCG(seed, 0))
	s := &failing{Memory: new(Memory)}
	terms := NewTerms("m", 0, 1, false, true)
	var l [3]*Ledger
	for i := range l {
		l[i] = NewLedger(s, uint64(i+1)<<40)
	}
	now, last, n := t0, int64(0), int64(0)
	for range 500 {
		now += rng.Int64N(100)
		s.fails = false
		v, err := l[rng.IntN(3)].decide(now, &terms, Claim{Key: uint64(1 + rng.IntN(5)), Weight: One, Pool: NoPool})
		if err != nil {
			t.Fatal(err)
		}
		if !v.OK() {
			n++
			last = now
		}
		s.fails = rng.IntN(2) == 0
		l[rng.IntN(3)].Tick(now, nil)
	}
	s.fails = false
	for _, l := range l {
		l.Tick(now+200, nil)
	}
	r, got := refusals(t, s, &terms), int64(0)
	for _, counts := range r.Counts {
		for _, c := range counts {
			got += c
		}
	}
	if got != n || r.Last.At != last || n < 400 {
		t.Errorf("seed %d: %d refusals, the last at %d; want %d and %d", seed, got, r.Last.At, n, last)
	}
}

// failing is a store that takes refusals at times only.
type failing struct {
	*Memory
	fails bool
}

func (f *failing) Set(key string, v []byte, cas uint32) Status {
	if f.fails && key[:5] == "fs/x/" {
		return Failed
	}
	return f.Memory.Set(key, v, cas)
}

// What is not the group's record, or not whole, counts as none and is replaced.
func TestForeignRefusals(t *testing.T) {
	terms, other := NewTerms("m", 0, 1, false, true), NewTerms("n", 0, 1, false, true)
	refuse := func(l *Ledger, terms *Terms) {
		for range 2 {
			if _, err := l.decide(t0, terms, Claim{Key: 1, Weight: One, Pool: NoPool}); err != nil {
				t.Fatal(err)
			}
		}
		l.Tick(t0, nil)
	}
	s := new(Memory)
	l := NewLedger(s, 1)
	refuse(l, &terms)
	whole, _, _ := s.Get(refusalsKey(&terms))
	whole = append([]byte(nil), whole...)
	for i := range whole {
		torn := append([]byte(nil), whole...)
		torn[i] ^= 0x41
		s.Set(refusalsKey(&terms), torn, 0)
		if r := refusals(t, s, &terms); r != (Refusals{}) {
			t.Fatalf("with byte %d changed it says %+v", i, r)
		}
	}
	s.Set(refusalsKey(&other), whole, 0)
	if r := refusals(t, s, &other); r != (Refusals{}) {
		t.Errorf("another model's refusals are taken: %+v", r)
	}
	refuse(l, &other)
	if r := refusals(t, s, &other); r.Counts[ByModel][OverRequests-OverBudget] != 1 {
		t.Errorf("what was foreign was not replaced: %v", r.Counts)
	}
}
