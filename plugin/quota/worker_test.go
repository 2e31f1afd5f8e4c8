package quota

import "testing"

// watch ticks the ledgers five times a second until, and returns the second at
// which done first holds, or -1.
func watch(terms *Terms, from, until int64, done func(now int64) bool, ledgers ...*Ledger) int64 {
	for now := from; now <= until; now += 200 {
		for _, l := range ledgers {
			l.Tick(now, []*Terms{terms})
		}
		if done(now) {
			return now
		}
	}
	return -1
}

func hold(t *testing.T, l *Ledger, now int64, terms *Terms, key uint64) Hold {
	t.Helper()
	v, err := l.decide(now, terms, Claim{Key: key, Weight: One, Pool: NoPool, Exact: 10})
	if err != nil || !v.OK() {
		t.Fatal(err, v.Reason)
	}
	return v.Hold
}

func TestDeadWorkersHoldsComeBackInTenSeconds(t *testing.T) {
	s, terms := new(Memory), tpm(1000)
	dead, alive := NewLedger(s, 1), NewLedger(s, 2)
	watch(terms, t0, t0+second, func(int64) bool { return false }, dead, alive)
	for i := range 40 { // more than two pages
		hold(t, dead, t0+second, terms, uint64(i+1))
	}
	mine := hold(t, alive, t0+second, terms, 99)
	// dead led; from here on it does nothing any more.
	at := watch(terms, t0+second, t0+20*second, func(now int64) bool { return read(t, alive, now, terms).Slots == 1 }, alive)
	if at < 0 || at > t0+11*second {
		t.Fatalf("back after %d ms, want at most 10 s", at-t0-second)
	}
	b := read(t, alive, at, terms)
	if b.Held != 10 || b.Totals.Reclaimed != 40 {
		t.Fatalf("held %d reclaimed %d, want 10 and 40", b.Held, b.Totals.Reclaimed)
	}
	if err := alive.Settle(at, terms, &mine, Spent{Total: 10}); err != nil {
		t.Fatal(err)
	}
	if b := read(t, alive, at, terms); b.Slots != 0 || b.Held != 0 || b.Used != 410 {
		t.Fatalf("slots %d held %d used %d, want 0 0 and 10 besides the 400 of the dead", b.Slots, b.Held, b.Used)
	}
	// The seat is free again, and its pages are empty.
	var p page
	if v, _, _ := s.Get(pageKey(0, 0)); !p.load(v) || !p.free(0) || !p.free(pageNotes-1) {
		t.Fatal("the dead worker's page still holds something")
	}
	next := NewLedger(s, 3)
	hold(t, next, at, terms, 5)
	if next.seat != 0 {
		t.Fatalf("seat %d, want the dead worker's 0", next.seat)
	}
}

func TestAnotherLeadsInTwoSeconds(t *testing.T) {
	s := new(Memory)
	a, b := NewLedger(s, 1), NewLedger(s, 2)
	if !a.Tick(t0, nil) || b.Tick(t0, nil) {
		t.Fatal("the first to tick leads, and it alone")
	}
	for now := t0; now < t0+10*second; now += 200 {
		if !a.Tick(now, nil) || b.Tick(now, nil) {
			t.Fatalf("the lease changed hands at %d", now-t0)
		}
	}
	start := t0 + 10*second
	at := int64(-1)
	for now := start; now < start+5*second && at < 0; now += 200 {
		if b.Tick(now, nil) {
			at = now
		}
	}
	if at < 0 || at-start > 2*second {
		t.Fatalf("led after %d ms, want at most 2 s", at-start)
	}
	if a.Tick(at, nil) {
		t.Fatal("two leaders")
	}
	// A lease from before the clock stepped back an hour does not bind.
	if !a.Tick(at-3600*second, nil) {
		t.Fatal("nobody leads after the clock stepped back")
	}
}

// A worker that died just before the clock stepped back seems to have beaten in
// the future; it is dead all the same.
func TestDeadWorkerBeforeTheClockSteppedBack(t *testing.T) {
	s, terms := new(Memory), tpm(1000)
	dead, alive := NewLedger(s, 1), NewLedger(s, 2)
	hold(t, dead, t0, terms, 1)
	from := t0 - 3600*second
	at := watch(terms, from, from+20*second, func(now int64) bool { return read(t, alive, now, terms).Totals.Reclaimed == 1 }, alive)
	if at < 0 {
		t.Fatal("never taken off the books")
	}
}

// A worker that stood still so long that it was taken for dead finds its holds
// gone, charges what it used, and gives nothing back twice.
func TestWorkerThatWasOnlySlow(t *testing.T) {
	s, terms := new(Memory), tpm(1000)
	slow, other := NewLedger(s, 1), NewLedger(s, 2)
	h := hold(t, slow, t0, terms, 1)
	hold(t, other, t0, terms, 2)
	watch(terms, t0, t0+20*second, func(int64) bool { return false }, other)
	if b := read(t, other, t0+20*second, terms); b.Slots != 1 || b.Held != 10 {
		t.Fatalf("slots %d held %d, want the other's 1 and 10", b.Slots, b.Held)
	}
	if err := slow.Settle(t0+20*second, terms, &h, Spent{Total: 7}); err != nil {
		t.Fatal(err)
	}
	if b := read(t, other, t0+20*second, terms); b.Slots != 1 || b.Held != 10 || b.Used != 10 {
		t.Fatalf("slots %d held %d used %d, want 1 10 and the 10 that were charged already", b.Slots, b.Held, b.Used)
	}
	again := hold(t, slow, t0+21*second, terms, 1)
	if err := slow.Release(t0+21*second, terms, &again); err != nil {
		t.Fatal(err)
	}
	if b := read(t, other, t0+21*second, terms); b.Slots != 1 {
		t.Fatalf("slots %d, want 1", b.Slots)
	}
}

// The same of its meters.
func TestWorkerThatWasOnlySlowAndItsMeters(t *testing.T) {
	s, terms := new(Memory), tpm(1000)
	slow, other := NewLedger(s, 1), NewLedger(s, 2)
	key := NewMeter(ForKey, "k", "")
	key.Parallel, key.Budget = capped(5), capped(100)
	c := Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 10, Meters: []*Meter{key}, Price: flat(7)}
	v, err := slow.decide(t0, terms, c)
	if err != nil || !v.OK() {
		t.Fatal(v.Reason, err)
	}
	watch(terms, t0, t0+20*second, func(int64) bool { return false }, other)
	if b := balanceOf(t, other, t0+20*second, key); b.Slots != 0 || b.Held != 0 {
		t.Fatalf("slots %d held %d, want nothing", b.Slots, b.Held)
	}
	if w, err := other.decide(t0+20*second, terms, c); err != nil || !w.OK() {
		t.Fatal(w.Reason, err)
	}
	if err := slow.Settle(t0+20*second, terms, &v.Hold, Spent{Total: 9, Cost: 3}); err != nil {
		t.Fatal(err)
	}
	if b := balanceOf(t, other, t0+20*second, key); b.Slots != 1 || b.Held != 7 || b.Spent != 3 {
		t.Fatalf("slots %d held %d spent %d, want the other's 1 and 7, and 3", b.Slots, b.Held, b.Spent)
	}
}

// When the whole process stood still, or the clock jumped, all look dead. The
// leader lets them beat first.
func TestNobodyIsTakenForDeadAfterAPause(t *testing.T) {
	for _, jump := range []int64{3600 * second, -3600 * second} {
		s, terms := new(Memory), tpm(1000)
		a, b := NewLedger(s, 1), NewLedger(s, 2)
		watch(terms, t0, t0+second, func(int64) bool { return false }, a, b)
		hold(t, a, t0+second, terms, 1)
		h := hold(t, b, t0+second, terms, 2)
		from := t0 + second + jump
		watch(terms, from, from+20*second, func(int64) bool { return false }, a, b)
		if got := read(t, a, from+20*second, terms); got.Slots != 2 || got.Totals.Reclaimed != 0 {
			t.Fatalf("jump %d: slots %d reclaimed %d, want 2 and 0", jump, got.Slots, got.Totals.Reclaimed)
		}
		if err := b.Release(from+20*second, terms, &h); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStoreThatRefuses(t *testing.T) {
	terms := tpm(100)
	l := NewLedger(refusing{}, 1)
	if _, err := l.decide(t0, terms, Claim{Key: 1, Weight: One}); err != ErrStore {
		t.Fatalf("%v, want ErrStore", err)
	}
	if l.Tick(t0, []*Terms{terms}) {
		t.Fatal("led without a store")
	}
	busy := NewLedger(new(losing), 1)
	if _, err := busy.decide(t0, terms, Claim{Key: 1, Weight: One}); err != ErrConflict {
		t.Fatalf("%v, want ErrConflict", err)
	}
	if busy.Retries != MaxTries {
		t.Fatalf("%d tries, want %d", busy.Retries, MaxTries)
	}
}

// Workers that take turns at a store can make one of them lose for as long as the
// others have anything to ask. It waits, and is not told that the store is broken.
func TestSwapsLostToABurst(t *testing.T) {
	terms := rpm(2000)
	s := &crowded{terms: terms}
	s.rival = NewLedger(&s.Memory, 2)
	l := NewLedger(s, 1)
	if _, err := s.rival.decide(t0, terms, Claim{Key: 2, Weight: One}); err != nil {
		t.Fatal(err)
	}
	s.left = 500
	v, err := l.decide(t0, terms, Claim{Key: 1, Weight: One})
	if err != nil || !v.OK() {
		t.Fatalf("%v, %v, want to be admitted", v.Reason, err)
	}
	if s.left != 0 || l.Retries != 500 {
		t.Fatalf("%d swaps lost, %d not tried, want 500 and 0", l.Retries, s.left)
	}
	s.left = 500
	if err := l.Release(t0, terms, &v.Hold); err != nil || s.left != 0 {
		t.Fatalf("%v with %d swaps not tried", err, s.left)
	}
}

// crowded lets a rival be admitted between each get of a record and the set.
type crowded struct {
	Memory
	terms *Terms
	rival *Ledger
	left  int
}

func (s *crowded) Get(key string) ([]byte, uint32, Status) {
	v, cas, st := s.Memory.Get(key)
	if key == s.terms.Key && s.left > 0 {
		s.left--
		v = append([]byte(nil), v...)
		if _, err := s.rival.decide(t0, s.terms, Claim{Key: 2, Weight: One}); err != nil {
			panic(err)
		}
	}
	return v, cas, st
}

type refusing struct{}

func (refusing) Get(string) ([]byte, uint32, Status) { return nil, 0, Failed }
func (refusing) Set(string, []byte, uint32) Status   { return Failed }

type losing struct{ Memory }

func (*losing) Set(string, []byte, uint32) Status { return Mismatch }
func (*losing) Get(string) ([]byte, uint32, Status) {
	return newRecord(nil, "fs/m/m", t0), 1, OK
}
