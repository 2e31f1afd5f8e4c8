package quota

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"fairshare/plugin/unit"
)

// A minute's end finds what was refused while capacity stayed unused, whoever looks
// first and however often, also if nobody asks again.
func TestStranded(t *testing.T) {
	type ask struct{ key, tokens, used int64 } // used < 0: refused
	for name, c := range map[string]struct {
		tpm, rpm         int64
		asks             []ask
		tokens, requests int64
	}{
		"nobody refused":          {100, 10, []ask{{1, 50, 50}}, 0, 0},
		"all used":                {100, 0, []ask{{1, 100, 100}, {2, 30, -1}}, 0, 0},
		"less refused than left":  {100, 0, []ask{{1, 60, 60}, {2, 10, 10}, {1, 5, -1}}, 5, 0},
		"more refused than left":  {100, 0, []ask{{1, 98, 98}, {2, 30, -1}, {2, 30, -1}}, 2, 0},
		"requests":                {0, 2, []ask{{1, 1, 1}, {1, 1, 1}, {2, 1, -1}}, 0, 0},
		"tokens and not requests": {100, 10, []ask{{1, 95, 95}, {2, 30, -1}}, 5, 0},
		"above the capacity":      {100, 0, []ask{{1, 90, 130}, {2, 30, -1}}, 0, 0},
	} {
		terms := NewTerms("m", c.tpm, c.rpm, c.tpm > 0, c.rpm > 0)
		s := new(Memory)
		l, other := NewLedger(s, 1), NewLedger(s, 2)
		for _, a := range c.asks {
			v, err := l.decide(t0, &terms, Claim{Key: uint64(a.key), Weight: One, Pool: NoPool, Exact: unit.Tokens(a.tokens)})
			if err != nil || v.OK() != (a.used >= 0) {
				t.Fatalf("%s: %v: %v, %v", name, a, v.Reason, err)
			}
			if v.OK() {
				if err := l.Settle(t0, &terms, &v.Hold, Spent{Total: unit.Tokens(a.used)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, now := range []int64{t0 + 59_999, t0 + minuteMS, t0 + minuteMS + 200, t0 + 5*minuteMS} {
			var b Book
			if err := other.Read(now, &terms, &b); err != nil {
				t.Fatal(err)
			}
			tokens, requests := c.tokens, c.requests
			if now < t0+minuteMS {
				tokens, requests = 0, 0
			}
			if int64(b.Totals.StrandedTokens) != tokens || b.Totals.StrandedRequests != requests {
				t.Errorf("%s: after %d ms %d tokens and %d requests are stranded, want %d and %d", name, now-t0, b.Totals.StrandedTokens, b.Totals.StrandedRequests, tokens, requests)
			}
			if now == t0+minuteMS { // the leader writes it down, once
				if err := l.Watch(now, &terms, &b); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// Capacity that is kept for a key which does not come is stranded.
func TestKeptInVainIsStranded(t *testing.T) {
	terms, l := NewTerms("m", 0, 10, false, true), NewLedger(new(Memory), 1)
	ask := func(key uint64) bool {
		v, err := l.decide(t0, &terms, Claim{Key: key, Weight: One, Pool: NoPool})
		if err != nil {
			t.Fatal(err)
		}
		return v.OK()
	}
	ask(2)
	for ask(1) {
	}
	ask(1)
	var b Book
	if err := l.Read(t0+minuteMS, &terms, &b); err != nil {
		t.Fatal(err)
	}
	// 1 got five, 4 were kept for 2; 1 was refused twice.
	if b.Totals.StrandedRequests != 2 || b.Totals.StrandedTokens != 0 {
		t.Errorf("%d requests are stranded, want 2", b.Totals.StrandedRequests)
	}
}

// The leader writes down once that a minute is over, and only that.
func TestWatchWritesOnce(t *testing.T) {
	terms, l := tpm(100), NewLedger(new(Memory), 1)
	hold(t, l, t0, terms, 1)
	before, _, _ := l.store.Get(terms.Key)
	before = slices.Clone(before)
	var b Book
	watch := func(now int64) []byte {
		if err := l.Watch(now, terms, &b); err != nil {
			t.Fatal(err)
		}
		v, _, _ := l.store.Get(terms.Key)
		return slices.Clone(v)
	}
	if !slices.Equal(watch(t0+second), before) {
		t.Error("within the minute the record was written")
	}
	after := watch(t0 + minuteMS)
	if slices.Equal(after, before) || b.Minute != t0/minuteMS+1 {
		t.Error("the minute's end was not written")
	}
	if !slices.Equal(watch(t0+minuteMS+second), after) {
		t.Error("it was written twice")
	}
}

// fairnessByHand is the definition, by sorting: the level up to which the weights are
// filled if what all got is split max-min fairly.
func fairnessByHand(got, weights []float64, hungry []bool) float64 {
	total := 0.0
	for _, g := range got {
		total += g
	}
	order := make([]int, len(got))
	for i := range order {
		order[i] = i
	}
	demand := func(i int) float64 {
		if hungry[i] {
			return math.Inf(1)
		}
		return got[i] / weights[i]
	}
	slices.SortFunc(order, func(a, b int) int {
		if demand(a) < demand(b) {
			return -1
		}
		return 1
	})
	rest, left := total, 0.0
	for _, w := range weights {
		left += w
	}
	level := math.Inf(1)
	for _, i := range order {
		if l := rest / left; demand(i) >= l {
			level = l
			break
		}
		rest, left = rest-got[i], left-weights[i]
	}
	n, sum, squares := 0.0, 0.0, 0.0
	for i, g := range got {
		if fair := min(demand(i), level) * weights[i]; fair > 0 {
			n++
			sum += g / fair
			squares += g / fair * (g / fair)
		}
	}
	return sum * sum / (n * squares)
}

func TestFairness(t *testing.T) {
	const seed = 20261121
	rng := rand.New(rand.NewPCG(seed, 0))
	below := 0
	for round := range 2000 {
		terms := NewTerms("m", 1_000_000, 0, true, false)
		r := newRecord(nil, terms.Key, t0)
		n := 2 + rng.IntN(30)
		var got, weights []float64
		var hungry []bool
		for i := range n {
			line := r.open(uint64(i+1), NoPool)
			g, w, h := 1+rng.Int64N(int64(1)<<rng.IntN(20)), int64(One), rng.IntN(3) == 0
			if round%2 == 0 {
				w = 1 + rng.Int64N(3*One)
			}
			r[line+lineAsked] = 1
			r.set(line+lineUsed, g)
			r.add(atUsed, g)
			r.set4(line+lineWeight, w)
			if h {
				r.set4(line+lineRefused, 1)
			}
			got, weights, hungry = append(got, float64(g)), append(weights, float64(w)), append(hungry, h)
		}
		want := fairnessByHand(got, weights, hungry)
		if f := float64(r.fairness(&terms)) / One; math.Abs(f-want) > 2e-6 {
			t.Fatalf("seed %d round %d: %v, %v, %v: the index is %v, want %v", seed, round, got, weights, hungry, f, want)
		}
		if want < 0.9 {
			below++
		}
	}
	if below < 200 {
		t.Errorf("only %d of the minutes were unfair", below)
	}
}

// Keys share with those of their own priority, and the worst one counts; a minute with
// one key has no index, and neither has one without limits.
func TestFairnessOfPriorities(t *testing.T) {
	terms := NewTerms("m", 0, 100, false, true)
	r := newRecord(nil, terms.Key, t0)
	add := func(id uint64, pool uint8, count int64) {
		line := r.open(id, pool)
		r[line+lineAsked] = 1
		r.set4(line+lineWeight, One)
		r.set4(line+lineCount, count)
		r.set4(line+lineRefused, 1)
		r.add(atRequests, count)
	}
	index := func(want int64) {
		t.Helper()
		if f := r.fairness(&terms); f != want {
			t.Errorf("the index is %d, want %d", f, want)
		}
	}
	index(-1)
	add(1, 0, 50)
	index(-1)
	add(2, 1, 10)
	index(-1) // they are of two priorities
	add(3, 1, 10)
	index(One)
	add(4, 0, 0)
	index(One / 2)
	unlimited := NewTerms("m", 0, 100, false, false)
	if f := r.fairness(&unlimited); f != -1 {
		t.Errorf("without a limit the index is %d", f)
	}
}

// How far holds were off is counted of answers that told what they used.
func TestEstimateError(t *testing.T) {
	terms, l := tpm(1000), NewLedger(new(Memory), 1)
	for _, c := range []struct {
		hold, used        unit.Tokens
		estimated, refund bool
		sum, n            int64
	}{
		{30, 30, false, false, 0, 1},
		{30, 10, false, false, 20, 2},
		{10, 40, false, false, 50, 3},
		{10, 400, true, false, 50, 3},
		{10, 0, false, true, 50, 3},
	} {
		v, err := l.decide(t0, terms, Claim{Key: 1, Weight: One, Pool: NoPool, Exact: c.hold})
		if err != nil || !v.OK() {
			t.Fatal(v.Reason, err)
		}
		if c.refund {
			err = l.Release(t0, terms, &v.Hold)
		} else {
			err = l.Settle(t0, terms, &v.Hold, Spent{Total: c.used, Estimated: c.estimated})
		}
		if err != nil {
			t.Fatal(err)
		}
		if b := read(t, l, t0, terms); int64(b.Totals.ErrorTokens) != c.sum || b.Totals.Told != c.n {
			t.Errorf("%+v: %d tokens of %d answers", c, b.Totals.ErrorTokens, b.Totals.Told)
		}
	}
}
