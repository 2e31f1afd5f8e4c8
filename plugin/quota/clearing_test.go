package quota

import "testing"

// A meter or a model's record that can't be changed while a dead worker's holds
// are taken off the books is done later, and what was done is not done twice.
func TestClearingGoesOnWhenTheStoreWorks(t *testing.T) {
	user := NewMeter(ForUser, "u", "").key
	for name, fails := range map[string]struct{ get, set func(string) Status }{
		"a meter's reads":       {get: only(user, Failed)},
		"a meter's writes":      {set: only(user, Failed)},
		"a meter's swaps":       {set: only(user, Mismatch)},
		"all meters' writes":    {set: only("fs/s/", Failed)},
		"the model's writes":    {set: only("fs/m/", Failed)},
		"the model's swaps":     {set: only("fs/m/", Mismatch)},
		"the journal's reads":   {get: only(pageKey(0, 0), Failed)},
		"nothing, for contrast": {},
	} {
		s := new(moody)
		dead, alive := NewLedger(&s.Memory, 1<<40), NewLedger(s, 2<<40)
		terms, claim := slots()
		claim.Exact = 1
		watch(terms, t0, t0+second, func(int64) bool { return false }, dead, alive)
		for range 6 {
			if v, err := dead.decide(t0+second, terms, claim); err != nil || !v.OK() {
				t.Fatal(err, v.Reason)
			}
		}
		for range 3 {
			if v, err := alive.decide(t0+second, terms, claim); err != nil || !v.OK() {
				t.Fatal(err, v.Reason)
			}
		}
		s.get, s.set = fails.get, fails.set
		now := t0 + second
		watch(terms, now, now+20*second, func(int64) bool { return false }, alive)
		s.get, s.set = nil, nil
		now += 20 * second
		watch(terms, now, now+20*second, func(int64) bool { return false }, alive)
		now += 20 * second
		if b := read(t, alive, now, terms); b.Slots != 3 || b.Held != 3 || b.Totals.Reclaimed != 6 {
			t.Errorf("%s: the model has %d slots, %d held, %d reclaimed; want 3, 3, 6", name, b.Slots, b.Held, b.Totals.Reclaimed)
		}
		for _, m := range claim.Meters {
			if b := balanceOf(t, alive, now, m); b.Slots != 3 || b.Held != 27 || b.Hold != 3 || b.Requests != 9 || b.Spent != 54 || b.Tokens != 6 || b.TotalSpent != 54 {
				t.Errorf("%s: %d: %+v", name, m.ID[0], b)
			}
		}
		var seat seat
		if v, _, _ := s.Memory.Get(seatKey(0)); !seat.decode(v) || seat.state != vacant {
			t.Errorf("%s: the seat is not free", name)
		}
	}
}

// Kong's store can give a torn record; the next read is whole.
func TestClearingReadsATornMeterAgain(t *testing.T) {
	for _, torn := range []string{"fs/s/", "fs/w/0/0"} {
		s := new(tornOnce)
		dead, alive := NewLedger(&s.Memory, 1<<40), NewLedger(s, 2<<40)
		terms, claim := slots()
		watch(terms, t0, t0+second, func(int64) bool { return false }, dead, alive)
		if v, err := dead.decide(t0+second, terms, claim); err != nil || !v.OK() {
			t.Fatal(err, v.Reason)
		}
		s.prefix = torn
		now := t0 + second
		watch(terms, now, now+20*second, func(int64) bool { return false }, alive)
		if s.prefix != "" {
			t.Fatalf("%s: nothing was torn", torn)
		}
		now += 20 * second
		for _, m := range claim.Meters {
			if b := balanceOf(t, alive, now, m); b.Slots != 0 || b.Held != 0 {
				t.Errorf("%s: %d: %+v", torn, m.ID[0], b)
			}
		}
	}
}

type tornOnce struct {
	Memory
	prefix string
}

func (s *tornOnce) Get(key string) ([]byte, uint32, Status) {
	v, cas, st := s.Memory.Get(key)
	if p := s.prefix; p != "" && st == OK && len(key) >= len(p) && key[:len(p)] == p {
		s.prefix = ""
		v = append([]byte(nil), v...)
		v[len(v)-1]++
	}
	return v, cas, st
}

// A leader that dies while it takes a dead worker's holds off the books leaves at
// most one of them to be taken off twice, wherever it dies.
func TestLeaderThatDiesWhileClearing(t *testing.T) {
	for calls := 1; calls < 250; calls++ {
		s := new(moody)
		dead, leader, alive := NewLedger(&s.Memory, 1<<40), NewLedger(s, 2<<40), NewLedger(&s.Memory, 3<<40)
		terms, claim := slots()
		claim.Exact = 1
		watch(terms, t0, t0+second, func(int64) bool { return false }, leader, dead, alive)
		now := t0 + second
		for l, n := range map[*Ledger]int{dead: 6, alive: 3} {
			for range n {
				if v, err := l.decide(now, terms, claim); err != nil || !v.OK() {
					t.Fatal(err, v.Reason)
				}
			}
		}
		watch(terms, now, now+6*second, func(int64) bool { return false }, leader, alive)
		// The leader's next tick comes to an end after so many calls.
		left := calls
		stop := func(string) Status {
			if left--; left < 0 {
				return Failed
			}
			return OK
		}
		s.get, s.set = stop, stop
		leader.Tick(now+7*second, []*Terms{terms})
		watch(terms, now+7*second, now+40*second, func(int64) bool { return false }, alive)
		now += 40 * second
		if b := read(t, alive, now, terms); b.Slots > 3 || b.Slots < 2 {
			t.Fatalf("dead after %d calls: the model has %d slots, want the 3 of the living", calls, b.Slots)
		}
		for _, m := range claim.Meters {
			if b := balanceOf(t, alive, now, m); b.Slots > 3 || b.Slots < 2 {
				t.Fatalf("dead after %d calls: %d: %d slots, want the 3 of the living", calls, m.ID[0], b.Slots)
			}
		}
	}
}

// A hold that there was no room to note is no leader's: it is given back even if
// the seat was lost meanwhile.
func TestHoldThatIsNotNoted(t *testing.T) {
	s := new(moody)
	slow, other := NewLedger(s, 1<<40), NewLedger(&s.Memory, 2<<40)
	terms, claim := slots()
	admit := func(now int64) Hold {
		v, err := slow.decide(now, terms, claim)
		if err != nil || !v.OK() {
			t.Fatal(err, v.Reason)
		}
		return v.Hold
	}
	s.set = only("fs/w/", Failed)
	first := admit(t0)
	s.set = nil
	admit(t0)
	from := t0 + 200
	watch(terms, from, from+20*second, func(int64) bool { return false }, other) // takes slow for dead
	now := from + 20*second
	if b := balanceOf(t, other, now, claim.Meters[0]); b.Slots != 1 {
		t.Fatalf("%d slots are taken, want the one that was not noted", b.Slots)
	}
	last := admit(now) // which finds the seat lost
	for _, h := range []*Hold{&first, &last} {
		if err := slow.Release(now, terms, h); err != nil {
			t.Fatal(err)
		}
	}
	if b := read(t, other, now, terms); b.Slots != 0 || b.Held != 0 {
		t.Errorf("the model has %d slots and %d held", b.Slots, b.Held)
	}
	for _, m := range claim.Meters {
		if b := balanceOf(t, other, now, m); b.Slots != 0 || b.Held != 0 || b.Hold != 0 {
			t.Errorf("%d: %+v", m.ID[0], b)
		}
	}
}
