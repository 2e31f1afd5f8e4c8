package quota

import "testing"

// hardGroup is a group of 100 a minute, with reservations that are ceilings as well.
func hardGroup(d dimension) (*Terms, func(key uint64, pool uint8, weight uint32) Claim) {
	t := NewTerms("m", 100, 100, d == tokens, d == requests)
	t.Hard = []uint32{One / 10, 9 * One / 10}
	return &t, func(key uint64, pool uint8, weight uint32) Claim {
		return Claim{Key: key, Weight: weight, Pool: pool, Hard: pool != NoPool, Exact: 1}
	}
}

// taker asks as often as it may, until it is refused, and returns how often that was.
func taker(t *testing.T, l *Ledger, now int64, terms *Terms, c Claim, most int) (got int) {
	t.Helper()
	for range most {
		v, err := l.decide(now, terms, c)
		if err != nil {
			t.Fatal(err)
		}
		if !v.OK() {
			break
		}
		got++
	}
	return got
}

// A hog inside a reservation leaves the other keys of its pool theirs.
func TestHogInsideAHardPool(t *testing.T) {
	for _, d := range []dimension{requests, tokens} {
		terms, claim := hardGroup(d)
		l := NewLedger(new(Memory), 1)
		a, b := claim(1, 1, 9*One/10), claim(2, 1, 9*One/10)
		first := taker(t, l, t0, terms, a, 1)
		hog := taker(t, l, t0, terms, b, 200)
		rest := taker(t, l, t0, terms, a, 200)
		if first+rest != 45 || hog != 45 {
			t.Errorf("dimension %d: %d and %d, want 45 and 45", d, first+rest, hog)
		}
	}
}

// A key that asks at a rate below its part of the pool gets all it asks for, beside
// one that asks ten times as often, also where callers without a priority ask.
func TestSteadyKeyBesideAHogInAHardPool(t *testing.T) {
	for _, d := range []dimension{requests, tokens} {
		terms, claim := hardGroup(d)
		l := NewLedger(new(Memory), 1)
		a, b := claim(1, 1, 9*One/10), claim(2, 1, 9*One/10)
		var got [2]int
		for ms := int64(0); ms < minuteMS; ms += 200 {
			if ms%2000 == 0 {
				got[0] += taker(t, l, t0+ms, terms, a, 1)
			}
			got[1] += taker(t, l, t0+ms, terms, b, 1)
		}
		if got[0] != 30 || got[0]+got[1] != 90 {
			t.Errorf("dimension %d: %v, want 30, and 90 together", d, got)
		}
	}
}

// The refusal of a hog says what is kept for whom, and when it may ask again.
func TestHogInsideAHardPoolIsTold(t *testing.T) {
	terms, claim := hardGroup(requests)
	l := NewLedger(new(Memory), 1)
	a, b, dev := claim(1, 1, 9*One/10), claim(2, 1, 9*One/10), claim(3, 0, One/10)
	taker(t, l, t0, terms, a, 1)
	taker(t, l, t0, terms, dev, 1)
	taker(t, l, t0, terms, b, 200)
	v, err := l.decide(t0, terms, b)
	if err != nil || v.OK() {
		t.Fatal(err, v.Reason)
	}
	w := l.news[terms.id].Last
	if w.By != ByShare || w.Share != 45 || w.Taken != 45 || w.Left != 44 || w.Kept != 44 || w.Others != 1 {
		t.Errorf("%+v", w)
	}
	if v, err := l.decide(t0+v.RetryMS, terms, b); err != nil || !v.OK() {
		t.Errorf("refused after the wait that it was told: %v", err)
	}
	var book Book
	if err := l.Read(t0, terms, &book); err != nil {
		t.Fatal(err)
	}
	for _, line := range book.Lines {
		if line.ID == b.Key && (line.RequestShare != 45 || line.RequestsAvailable != 0) {
			t.Errorf("the table says %+v", line)
		}
	}
}

// The same in pools without ceilings, and among callers without a reservation there.
func TestHogInsideAPool(t *testing.T) {
	for _, d := range []dimension{requests, tokens} {
		for _, pool := range []uint8{0, 1, 2} {
			terms := NewTerms("m", 100, 100, d == tokens, d == requests)
			terms.Pools = Pools{Weights: []uint32{One / 10, 8 * One / 10, One / 10}}
			l := NewLedger(new(Memory), 1)
			a, b := Claim{Key: 1, Weight: One, Pool: pool, Exact: 1}, Claim{Key: 2, Weight: One, Pool: pool, Exact: 1}
			got := taker(t, l, t0, &terms, a, 1)
			taker(t, l, t0, &terms, b, 200)
			got += taker(t, l, t0, &terms, a, 200)
			if part := int(terms.Pools.Weights[pool] / 20_000); got < part {
				t.Errorf("dimension %d, pool %d: %d, want %d", d, pool, got, part)
			}
		}
	}
}

// Keys that have no line of their own any more take from their pool's ceiling as well,
// each with its own weight and not more.
func TestMoreKeysThanLinesInHardPools(t *testing.T) {
	for _, d := range []dimension{requests, tokens} {
		terms, claim := hardGroup(d)
		terms.TPM, terms.RPM = 10_000, 10_000
		l := NewLedger(new(Memory), 1)
		for key := range uint64(maxLines) {
			taker(t, l, t0, terms, claim(key+1, 1, 9*One/10), 1)
		}
		dev := 0
		for key := range uint64(2000) {
			dev += taker(t, l, t0, terms, claim(maxLines+key+1, 0, One/10), 1)
		}
		if dev != 1000 {
			t.Errorf("dimension %d: a pool of 1000 took %d", d, dev)
		}
		var book Book
		if err := l.Read(t0, terms, &book); err != nil {
			t.Fatal(err)
		}
		if p := book.Pools[0]; max(p.Requests, int64(p.Used+p.Held)) != 1000 {
			t.Errorf("dimension %d: the report says %+v", d, p)
		}

		// A hundred of prod that share a line beside 1024 that have one leave each of these
		// its part of 9000: a little more than 8 − what it took.
		for key := range uint64(100) {
			taker(t, l, t0, terms, claim(5000+key, 1, 9*One/10), 1)
		}
		if got := taker(t, l, t0, terms, claim(1, 1, 9*One/10), 100); got < 6 {
			t.Errorf("dimension %d: a key gets %d more of its pool's, want 6 or more", d, got)
		}
	}
}

// What an answer of a hard pool's key costs in a later minute, when its line is gone,
// is its pool's again.
func TestLateAnswerOfAHardPool(t *testing.T) {
	terms, claim := hardGroup(tokens)
	l := NewLedger(new(Memory), 1)
	v, err := l.decide(t0, terms, claim(1, 1, 9*One/10))
	if err != nil || !v.OK() {
		t.Fatal(err, v.Reason)
	}
	h := v.Hold
	h.epoch-- // a leader took it off the books meanwhile
	for l.begin(terms); l.read(t0); l.swap() {
		l.buf.close(&v.Hold, false, nil, terms)
	}
	if err := l.Settle(t0+5*minuteMS, terms, &h, Spent{Total: 31}); err != nil {
		t.Fatal(err)
	}
	if b := read(t, l, t0+5*minuteMS, terms); b.Pools[1].Used != 30 || b.Used != 30 {
		t.Fatalf("used %d, pools %+v", b.Used, b.Pools)
	}
}
