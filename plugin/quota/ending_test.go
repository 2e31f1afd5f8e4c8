package quota

import (
	"strings"
	"testing"

	"fairshare/plugin/unit"
)

// moody is a store in which gets and sets of some keys fail, or lose.
type moody struct {
	Memory
	get, set func(key string) Status // OK lets it happen; nil is always OK
}

func (s *moody) Get(key string) ([]byte, uint32, Status) {
	if s.get != nil {
		if st := s.get(key); st != OK {
			return nil, 0, st
		}
	}
	return s.Memory.Get(key)
}

func (s *moody) Set(key string, value []byte, cas uint32) Status {
	if s.set != nil {
		if st := s.set(key); st != OK {
			return st
		}
	}
	return s.Memory.Set(key, value, cas)
}

// only answers st for the keys that begin with prefix.
func only(prefix string, st Status) func(string) Status {
	return func(key string) Status {
		if strings.HasPrefix(key, prefix) {
			return st
		}
		return OK
	}
}

// noted counts the holds in a ledger's journal, as it lies in the store.
func noted(t *testing.T, s Store, l *Ledger) int {
	t.Helper()
	n := 0
	for at := range l.pages {
		var p page
		if v, _, st := s.Get(pageKey(l.seat, at)); st != OK || !p.load(v) {
			t.Fatal("the journal can't be read")
		}
		for i := range pageNotes {
			if !p.free(i) {
				n++
			}
		}
	}
	return n
}

// slots is a claim on meters that limit requests in flight, tokens and money.
func slots() (*Terms, Claim) {
	all := meters(func(k, u, g *Meter) {
		for _, m := range []*Meter{k, u, g} {
			m.Parallel, m.TPM, m.Budget = capped(10), capped(1000), capped(1<<40)
		}
	})
	return tpm(1000), Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 30, Meters: all, Price: flat(9)}
}

// What can't be booked when an answer ends is booked with the next tick at which
// it can, once, on each book: no slot stays taken.
func TestWhatIsUnsettledIsTriedAgain(t *testing.T) {
	user := NewMeter(ForUser, "u", "").key
	for name, c := range map[string]struct {
		get, set func(string) Status
		want     error
	}{
		"all reads fail":       {get: only("", Failed), want: ErrStore},
		"all writes fail":      {set: only("", Failed), want: ErrStore},
		"all swaps are lost":   {set: only("", Mismatch), want: ErrConflict},
		"a meter can't be had": {get: only(user, Failed), want: ErrStore},
		"a meter is contended": {set: only(user, Mismatch), want: ErrConflict},
		"all meters fail":      {set: only("fs/s/", Failed), want: ErrStore},
		"the model fails":      {set: only("fs/m/", Failed), want: ErrStore},
		"the model is busy":    {set: only("fs/m/", Mismatch), want: ErrConflict},
	} {
		for _, release := range []bool{false, true} {
			s := new(moody)
			l, other := NewLedger(s, 1<<40), NewLedger(&s.Memory, 2<<40)
			terms, claim := slots()
			var holds [3]Hold
			for i := range holds {
				v, err := l.decide(t0, terms, claim)
				if err != nil || !v.OK() {
					t.Fatal(err, v.Reason)
				}
				holds[i] = v.Hold
			}
			end := func(h *Hold) error {
				if release {
					return l.Release(t0, terms, h)
				}
				return l.Settle(t0, terms, h, Spent{Total: 20, Cost: 7})
			}
			if err := end(&holds[0]); err != nil {
				t.Fatal(err)
			}
			s.get, s.set = c.get, c.set
			if err := end(&holds[1]); err != c.want {
				t.Fatalf("%s: %v, want %v", name, err, c.want)
			}
			if err := end(&holds[1]); err != nil {
				t.Fatalf("%s: ended twice: %v", name, err)
			}
			l.Tick(t0+200, []*Terms{terms}) // in vain
			s.get, s.set = nil, nil
			for now := t0 + 400; now < t0+1000; now += 200 {
				l.Tick(now, []*Terms{terms})
				ended, spent, used := int64(2), unit.PicoUSD(14), int64(40)
				if release {
					spent, used = 0, 0
				}
				b := read(t, other, now, terms)
				if b.Slots != 3-ended || int64(b.Held) != 30 || int64(b.Used) != used {
					t.Fatalf("%s: the model: %d slots, %d held, %d used", name, b.Slots, b.Held, b.Used)
				}
				for _, m := range claim.Meters {
					if b := balanceOf(t, other, now, m); b.Slots != 1 || b.Held != 9 || b.Hold != 30 || b.Spent != spent || b.Tokens != used || b.Requests != 3 {
						t.Fatalf("%s: %d: %+v", name, m.ID[0], b)
					}
				}
			}
			if n := noted(t, s, l); n != 1 {
				t.Fatalf("%s: %d holds are noted, want the open one", name, n)
			}
		}
	}
}

// A hold that one limit gave and another one refused is given back, even if
// that can't be done at once.
func TestWhatCanNotBeUndoneIsTriedAgain(t *testing.T) {
	for _, st := range []Status{Failed, Mismatch} {
		s := new(moody)
		l, other := NewLedger(s, 1<<40), NewLedger(&s.Memory, 2<<40)
		all := meters(func(k, u, g *Meter) { k.Parallel, u.Parallel = capped(5), capped(1) })[:2]
		claim := Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 30, Meters: all, Price: flat(9)}
		key, user := all[0], all[1]
		s.set = func(k string) Status {
			if k != user.key {
				return OK
			}
			// Another worker takes the user's only slot, and then the key's meter fails.
			s.set = only(key.key, st)
			mine := claim
			mine.Meters = all[1:]
			if v, err := other.decide(t0, &open, mine); err != nil || !v.OK() {
				t.Fatal(err, v.Reason)
			}
			return OK
		}
		v, err := l.decide(t0, &open, claim)
		if err != nil || v.Reason != OverParallel || v.By != 1 {
			t.Fatal(err, v.Reason, v.By)
		}
		if b := balanceOf(t, other, t0, key); b.Slots != 1 {
			t.Fatalf("%+v", b)
		}
		if n := noted(t, s, l); n != 1 {
			t.Fatalf("%d holds are noted, want what is left", n)
		}
		s.set = nil
		for now := t0 + 200; now < t0+800; now += 200 {
			l.Tick(now, nil)
			if b := balanceOf(t, other, now, key); b.Slots != 0 || b.Held != 0 || b.Hold != 0 || b.Requests != 0 || b.TotalRequests != 0 || b.Spent != 0 {
				t.Fatalf("%+v", b)
			}
			if b := balanceOf(t, other, now, user); b.Slots != 1 || b.Requests != 1 {
				t.Fatalf("%+v", b)
			}
		}
		if n := noted(t, s, l); n != 0 {
			t.Fatalf("%d holds are noted", n)
		}
	}
}

// What is paid at once is admitted, even if a meter can't be settled at once.
func TestPaidAtOnceAndUnsettled(t *testing.T) {
	s := new(moody)
	l := NewLedger(s, 1<<40)
	terms, claim := slots()
	user, sets := claim.Meters[1], 0
	s.set = func(key string) Status {
		if key == user.key {
			if sets++; sets > 1 {
				return Failed
			}
		}
		return OK
	}
	v, err := l.decidePaid(t0, terms, claim, Spent{Total: 20, Cost: 7})
	if err != nil || !v.OK() || v.Hold.Open() {
		t.Fatal(err, v.Reason)
	}
	s.set = nil
	l.Tick(t0+200, nil)
	for _, m := range claim.Meters {
		if b := balanceOf(t, l, t0+200, m); b.Slots != 0 || b.Held != 0 || b.Hold != 0 || b.Spent != 7 || b.Tokens != 20 || b.TotalSpent != 7 {
			t.Fatalf("%d: %+v", m.ID[0], b)
		}
	}
	if b := read(t, l, t0+200, terms); b.Slots != 0 || b.Held != 0 || b.Used != 20 || b.Totals.Tokens != 20 {
		t.Fatalf("%+v", b)
	}
}

// A worker that dies with something unsettled leaves noted what it left, and the
// leader takes just that off.
func TestDeadWorkersUnsettledComesBack(t *testing.T) {
	for name, fails := range map[string]string{"a meter": NewMeter(ForUser, "u", "").key, "the model": "fs/m/", "all meters": "fs/s/"} {
		s := new(moody)
		dead, alive := NewLedger(s, 1<<40), NewLedger(&s.Memory, 2<<40)
		terms, claim := slots()
		watch(terms, t0, t0+second, func(int64) bool { return false }, dead, alive)
		now := t0 + second
		for _, l := range []*Ledger{alive, dead} {
			v, err := l.decide(now, terms, claim)
			if err != nil || !v.OK() {
				t.Fatal(err, v.Reason)
			}
			if l == dead {
				s.set = only(fails, Failed)
				if err := l.Settle(now, terms, &v.Hold, Spent{Total: 20, Cost: 7}); err != ErrStore {
					t.Fatal(err)
				}
				s.set = nil
			}
		}
		watch(terms, now, now+20*second, func(int64) bool { return false }, alive)
		now += 20 * second
		if b := read(t, alive, now, terms); b.Slots != 1 || b.Held != 30 {
			t.Errorf("%s: the model has %d slots and %d held, want those of the living", name, b.Slots, b.Held)
		}
		for _, m := range claim.Meters {
			if b := balanceOf(t, alive, now, m); b.Slots != 1 || b.Held != 9 || b.Hold != 30 {
				t.Errorf("%s: %d: %+v, want the hold of the living", name, m.ID[0], b)
			}
		}
	}
}

// While the store fails nobody is admitted, so what waits is bounded; and if it
// is not, what there is no room for stays in the journal.
func TestUnsettledIsBounded(t *testing.T) {
	s := new(moody)
	l, alive := NewLedger(s, 1<<40), NewLedger(&s.Memory, 2<<40)
	key := NewMeter(ForKey, "k", "")
	key.Parallel = capped(1 << 20)
	const more = 5
	for range maxUnsettled + more {
		v, err := l.decide(t0, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Meters: []*Meter{key}})
		if err != nil || !v.OK() {
			t.Fatal(err, v.Reason)
		}
		s.set = only("fs/s/", Failed)
		if err := l.Release(t0, &open, &v.Hold); err != ErrStore {
			t.Fatal(err)
		}
		s.set = nil
	}
	if n := len(l.unsettled); n != maxUnsettled {
		t.Fatalf("%d wait", n)
	}
	l.Tick(t0+200, []*Terms{&open})
	if b := balanceOf(t, alive, t0+200, key); b.Slots != more {
		t.Fatalf("%d slots are taken, want the %d that there was no room for", b.Slots, more)
	}
	from := t0 + 400
	watch(&open, from, from+20*second, func(int64) bool { return false }, alive)
	if b := balanceOf(t, alive, from+20*second, key); b.Slots != 0 {
		t.Fatalf("%d slots are taken after the worker's death", b.Slots)
	}
}

// A store that fails in the middle of a claim leaves nothing of it.
func TestClaimThatFailsLeavesNothing(t *testing.T) {
	terms, claim := slots()
	for _, c := range []struct {
		prefix string
		st     Status
		want   error
	}{
		{claim.Meters[2].key, Failed, ErrStore},
		{claim.Meters[2].key, Mismatch, ErrConflict},
		{terms.Key, Failed, ErrStore},
		{terms.Key, Mismatch, ErrConflict},
	} {
		s := new(moody)
		l := NewLedger(s, 1<<40)
		v, err := l.decide(t0, terms, claim) // so that there are records
		if err != nil || !v.OK() {
			t.Fatal(err, v.Reason)
		}
		s.set = only(c.prefix, c.st)
		if v, err := l.decide(t0, terms, claim); err != c.want || v.Hold.Open() {
			t.Fatalf("%v, want %v", err, c.want)
		}
		if v, err := l.decidePaid(t0, terms, claim, Spent{Total: 5, Cost: 5}); err != c.want {
			t.Fatalf("%v, want %v; %d", err, c.want, v.Reason)
		}
		s.set = nil
		for _, m := range claim.Meters {
			if b := balanceOf(t, l, t0, m); b.Slots != 1 || b.Held != 9 || b.Hold != 30 || b.Requests != 1 || b.TotalRequests != 1 || b.Spent != 0 {
				t.Errorf("%d: %+v", m.ID[0], b)
			}
		}
		if b := read(t, l, t0, terms); b.Slots != 1 || b.Held != 30 || b.Requests != 1 {
			t.Errorf("the model has %d slots, %d held, %d requests", b.Slots, b.Held, b.Requests)
		}
		if n := noted(t, s, l); n != 1 || len(l.unsettled) != 0 {
			t.Errorf("%d are noted, %d unsettled", n, len(l.unsettled))
		}
	}
}
