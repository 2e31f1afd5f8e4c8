package quota

import (
	"strconv"
	"testing"

	"fairshare/plugin/period"
)

// What is tallied counts in the period and the minute in which it was, however
// late it is written.
func TestTallyOfTwoPeriods(t *testing.T) {
	l, other := NewLedger(new(Memory), 1), NewLedger(nil, 2)
	other.store = l.store
	m := NewMeter(ForKey, "k", "")
	m.Every = period.Duration{N: 1, Unit: period.Minute}
	l.Tally(t0-100, t0-100, m, &Spent{Total: 5, Cost: 2})
	l.Tally(t0-50, t0-50, m, &Spent{Total: 5, Cost: 2})
	l.Tally(t0+50, t0+50, m, &Spent{Total: 7, Cost: 3})
	l.Tick(t0+100, nil)
	for _, c := range []struct{ at, requests, tokens, spent int64 }{{t0 - 100, 2, 10, 4}, {t0, 1, 7, 3}, {t0 + 60*second, 0, 0, 0}} {
		b := balanceOf(t, other, c.at, m)
		if b.Requests != c.requests || b.Tokens != c.tokens || int64(b.Spent) != c.spent || b.TotalSpent != 7 || b.TotalRequests != 3 || b.TotalTokens != 17 {
			t.Errorf("%d ms: %+v", c.at-t0, b)
		}
	}
}

// A store that fails for a while loses nothing of a tally, and one that fails for
// long does not fill the memory.
func TestTalliesWaitForTheStore(t *testing.T) {
	s := new(moody)
	l, other := NewLedger(s, 1), NewLedger(&s.Memory, 2)
	a, b := NewMeter(ForKey, "a", ""), NewMeter(ForKey, "b", "")
	count := func(now int64, m *Meter) { l.Tally(now, now, m, &Spent{Total: 5, Cost: 2}) }
	count(t0, a)
	count(t0, b)
	s.set = only(a.key, Failed)
	l.Tick(t0+200, nil)
	s.set = only("", Failed)
	count(t0+300, a)
	l.Tick(t0+400, nil)
	if got := balanceOf(t, other, t0+400, b); got.Spent != 2 || got.Requests != 1 {
		t.Fatalf("%+v", got)
	}
	s.set = nil
	for now := t0 + 600; now < t0+1000; now += 200 {
		l.Tick(now, nil)
		if got := balanceOf(t, other, now, a); got.Spent != 4 || got.Requests != 2 || got.Tokens != 10 {
			t.Fatalf("%+v", got)
		}
	}
	s.set = only("", Failed)
	for i := range 3 * maxTallies {
		count(t0+1000, NewMeter(ForUser, strconv.Itoa(i), ""))
		if len(l.tallies.all) > maxTallies {
			t.Fatalf("%d wait", len(l.tallies.all))
		}
	}
	s.set = nil
	l.Tick(t0+1200, nil)
	if n := len(l.tallies.all); n != 0 {
		t.Fatalf("%d wait", n)
	}
	if got := balanceOf(t, other, t0+1200, NewMeter(ForUser, strconv.Itoa(3*maxTallies-1), "")); got.Spent != 2 {
		t.Fatalf("%+v", got)
	}
}

// More subjects than may wait are written when there is no room.
func TestTalliesAreBounded(t *testing.T) {
	s := new(Memory)
	l, other := NewLedger(s, 1), NewLedger(s, 2)
	for i := range maxTallies + 1 {
		l.Tally(t0, t0, NewMeter(ForUser, strconv.Itoa(i), ""), &Spent{Cost: 2})
	}
	if n := len(l.tallies.all); n != 1 {
		t.Fatalf("%d wait", n)
	}
	if got := balanceOf(t, other, t0, NewMeter(ForUser, "0", "")); got.Spent != 2 {
		t.Fatalf("%+v", got)
	}
}

// A subject whose limits come or go, or whose period changes, while answers are
// tallied has each answer on its book once.
func TestTalliedAndLimited(t *testing.T) {
	s := new(Memory)
	l, other := NewLedger(s, 1), NewLedger(s, 2)
	free, limited, daily := NewMeter(ForKey, "k", ""), NewMeter(ForKey, "k", ""), NewMeter(ForKey, "k", "")
	limited.Budget, limited.RPM = capped(1000), capped(100)
	daily.Every = period.Duration{N: 1, Unit: period.Day}
	h := admit(t, l, t0, limited, 5)
	l.Tally(t0, t0, free, &Spent{Total: 1, Cost: 100})
	settle(t, l, t0, h, 10)
	h = admit(t, l, t0, limited, 5)
	l.Tally(t0, t0, daily, &Spent{Total: 1, Cost: 20})
	settle(t, l, t0, h, 7)
	l.Tick(t0+200, nil)
	for _, m := range []*Meter{free, limited, daily} {
		if b := balanceOf(t, other, t0+200, m); b.Spent != 137 || b.TotalSpent != 137 || b.TotalRequests != 4 || b.Slots != 0 || b.Held != 0 || b.Requests != 4 {
			t.Errorf("%+v", b)
		}
	}
}

// What is set while something is tallied is not overtaken by it, and what is
// forgotten stays so. A subject that nothing was counted on leaves nothing.
func TestSetAndForgetWhileTallying(t *testing.T) {
	s := new(Memory)
	l := NewLedger(s, 1)
	m, never := NewMeter(ForKey, "k", ""), NewMeter(ForKey, "never", "")
	l.Tally(t0, t0, m, &Spent{Cost: 2})
	if err := l.SetSpent(t0, m, 50); err != nil {
		t.Fatal(err)
	}
	l.Tick(t0, nil)
	if b := balanceOf(t, l, t0, m); b.Spent != 50 || b.TotalSpent != 50 {
		t.Fatalf("%+v", b)
	}
	l.Tally(t0, t0, m, &Spent{Cost: 2})
	if b := balanceOf(t, l, t0, m); b.Spent != 52 {
		t.Fatalf("%+v", b)
	}
	if err := l.SetSpent(t0, m, -5); err != nil {
		t.Fatal(err)
	}
	l.Tally(t0, t0, m, &Spent{Cost: 2})
	for _, m := range []*Meter{m, never} {
		if err := l.Forget(t0, m); err != nil {
			t.Fatal(err)
		}
	}
	l.Tick(t0+200, nil)
	if b := balanceOf(t, l, t0+200, m); b.Spent != 0 || b.TotalSpent != 0 {
		t.Fatalf("%+v", b)
	}
	if _, _, st := s.Get(never.key); st != NotFound {
		t.Error("forgetting made a record")
	}
	// A request in flight that ends then pays in no period of who comes next.
	h := admit(t, l, t0, m, 5)
	if err := l.Forget(t0, m); err != nil {
		t.Fatal(err)
	}
	settle(t, l, t0, h, 9)
	if b := balanceOf(t, l, t0, m); b.Spent != 0 || b.Slots != 0 || b.Held != 0 {
		t.Fatalf("%+v", b)
	}
	s2 := new(moody)
	s2.get = only("", Failed)
	failing := NewLedger(s2, 3)
	if err := failing.Forget(t0, m); err != ErrStore {
		t.Error(err)
	}
	if err := failing.SetSpent(t0, m, 1); err != ErrStore {
		t.Error(err)
	}
	if _, err := failing.Balance(t0, m); err != ErrStore {
		t.Error(err)
	}
}

// However a meter's tally came to its end, what is counted afterwards is counted once.
func TestTalliesThatAreOver(t *testing.T) {
	for name, c := range map[string]struct {
		over func(l *Ledger, s *moody, m *Meter) (now int64)
		lost int64 // of the three that were counted before
	}{
		"written":           {func(l *Ledger, _ *moody, _ *Meter) int64 { l.WriteTallies(t0 + 1); return t0 + 1 }, 0},
		"of another second": {func(*Ledger, *moody, *Meter) int64 { return t0 + second }, 0},
		"forgotten":         {func(l *Ledger, _ *moody, m *Meter) int64 { _ = l.Forget(t0, m); return t0 }, 3},
		"too many for a broken store": {func(l *Ledger, s *moody, _ *Meter) int64 {
			s.set = only("", Failed)
			for i := range maxTallies {
				l.Tally(t0, t0, NewMeter(ForUser, strconv.Itoa(i), ""), &Spent{})
			}
			s.set = nil
			return t0
		}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := new(moody)
			l, other := NewLedger(s, 1), NewLedger(&s.Memory, 2)
			m := NewMeter(ForKey, "k", "")
			for range 3 {
				l.Tally(t0, t0, m, &Spent{Total: 5, Cost: 2})
			}
			now := c.over(l, s, m)
			for range 3 {
				l.Tally(now, now, m, &Spent{Total: 5, Cost: 2})
			}
			l.Tick(now+200, nil)
			if b := balanceOf(t, other, now+200, m); b.TotalRequests != 6-c.lost || int64(b.TotalTokens) != 5*(6-c.lost) {
				t.Errorf("%d requests, %d tokens: %d were lost", b.TotalRequests, b.TotalTokens, 6-b.TotalRequests)
			}
		})
	}
}
