package quota

import (
	"testing"

	"fairshare/plugin/period"
	"fairshare/plugin/unit"
)

const day = 86_400 * second

// budgeted is a key's meter with a large budget of that period.
func budgeted(n int32, u period.Unit) *Meter {
	m := NewMeter(ForKey, "k", "")
	m.Budget, m.Every = capped(1000), period.Duration{N: n, Unit: u}
	return m
}

func admit(t *testing.T, l *Ledger, now int64, m *Meter, cost int64) *Hold {
	t.Helper()
	v, err := l.decide(now, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Meters: []*Meter{m}, Price: flat(cost)})
	if err != nil || !v.OK() {
		t.Fatal(err, v.Reason)
	}
	return &v.Hold
}

func settle(t *testing.T, l *Ledger, now int64, h *Hold, cost int64) {
	t.Helper()
	if err := l.Settle(now, &open, h, Spent{Total: 1, Cost: unit.PicoUSD(cost)}); err != nil {
		t.Fatal(err)
	}
}

// wants checks what is spent and held at now.
func wants(t *testing.T, l *Ledger, now int64, m *Meter, spent, held int64) {
	t.Helper()
	if b := balanceOf(t, l, now, m); int64(b.Spent) != spent || int64(b.Held) != held {
		t.Fatalf("%d ms after: %d spent, %d held; want %d and %d", now-t0, b.Spent, b.Held, spent, held)
	}
}

// An answer to a request of before the budget's period was changed does not
// change it back, and so loses nothing of what was spent under the new one.
func TestLateAnswerKeepsTheNewPeriod(t *testing.T) {
	l := NewLedger(new(Memory), 1)
	was, is := budgeted(1, period.Day), budgeted(30, period.Day)
	h := admit(t, l, t0, was, 5)
	settle(t, l, t0, admit(t, l, t0, is, 5), 70)
	settle(t, l, t0+1, h, 7)
	wants(t, l, t0+1, is, 77, 0)
	// The day ends, the month goes on.
	wants(t, l, t0+day, is, 77, 0)
	settle(t, l, t0+day, admit(t, l, t0+day, is, 5), 3)
	wants(t, l, t0+day, is, 80, 0)

	// The same where the answer is an error, and where the hold was undone.
	h = admit(t, l, t0+day, was, 5)
	balanceOf(t, l, t0+day, is)
	settle(t, l, t0+day, admit(t, l, t0+day, is, 5), 1)
	if err := l.Release(t0+day, &open, h); err != nil {
		t.Fatal(err)
	}
	wants(t, l, t0+2*day, is, 81, 0)
}

// A hold of before a change is found after it, by its own answer alone.
func TestHoldsOutliveAChangeOfThePeriod(t *testing.T) {
	for _, c := range []struct {
		name    string
		was, is *Meter
		spent   int64 // of 7 that an answer of yesterday's request costs
	}{
		// Yesterday is no part of the day or the hour.
		{"30d to 1d", budgeted(30, period.Day), budgeted(1, period.Day), 0},
		{"30d to 1h", budgeted(30, period.Day), budgeted(1, period.Hour), 0},
		{"for ever to 1d", budgeted(0, period.Day), budgeted(1, period.Day), 0},
		// The month has it.
		{"1d to 30d", budgeted(1, period.Day), budgeted(30, period.Day), 7},
		{"1d to for ever", budgeted(1, period.Day), budgeted(0, period.Day), 7},
		{"1d to 1h", budgeted(1, period.Day), budgeted(1, period.Hour), 0},
	} {
		l := NewLedger(new(Memory), 1)
		early := admit(t, l, t0-13*3600*second, c.was, 100) // yesterday, 23:00
		here := admit(t, l, t0, c.was, 20)
		late := admit(t, l, t0+second, c.is, 3)
		settle(t, l, t0+2*second, early, 7)
		if b := balanceOf(t, l, t0+2*second, c.is); b.Held != 23 || int64(b.Spent) != c.spent || b.TotalSpent != 7 {
			t.Errorf("%s: %d held, %d spent, %d in all; want 23, %d, 7", c.name, b.Held, b.Spent, b.TotalSpent, c.spent)
		}
		settle(t, l, t0+3*second, here, 11)
		settle(t, l, t0+3*second, late, 1)
		if b := balanceOf(t, l, t0+3*second, c.is); b.Held != 0 || int64(b.Spent) != c.spent+12 {
			t.Errorf("%s: %d held, %d spent; want 0, %d", c.name, b.Held, b.Spent, c.spent+12)
		}
	}
}

// After a change to a longer period a clock that steps back into that one finds
// what was spent, and does not begin it anew.
func TestClockThatStepsBackAfterAChange(t *testing.T) {
	l := NewLedger(new(Memory), 1)
	was, is := budgeted(1, period.Day), budgeted(30, period.Day)
	settle(t, l, t0, admit(t, l, t0, was, 5), 70)
	settle(t, l, t0, admit(t, l, t0, is, 5), 7)
	settle(t, l, t0-3*day, admit(t, l, t0-3*day, is, 5), 1)
	settle(t, l, t0, admit(t, l, t0, is, 5), 2)
	wants(t, l, t0, is, 80, 0)
}

// The present period goes on with its spend and a new end; the others are the old
// rule's, and gone.
func TestChangedPeriodsEnd(t *testing.T) {
	l := NewLedger(new(Memory), 1)
	was, is := budgeted(1, period.Day), budgeted(1, period.Hour)
	settle(t, l, t0-day, admit(t, l, t0-day, was, 5), 500)
	settle(t, l, t0, admit(t, l, t0, was, 5), 70)
	wants(t, l, t0-day, is, 500, 0) // as long as nothing is written under the new rule
	settle(t, l, t0, admit(t, l, t0, is, 5), 7)
	wants(t, l, t0, is, 77, 0)
	if b := balanceOf(t, l, t0, is); b.ResetAt != t0+3600*second {
		t.Errorf("resets in %d ms", b.ResetAt-t0)
	}
	wants(t, l, t0+3600*second, is, 0, 0)
	wants(t, l, t0-day, is, 0, 0)
}

// Whatever the period follows from: its length, the time of day at which it ends,
// when its subject was made. If that changes, the end does.
func TestEveryPartOfARuleCounts(t *testing.T) {
	for name, edit := range map[string]func(m *Meter){
		"number": func(m *Meter) { m.Every.N = 5 },
		"unit":   func(m *Meter) { m.Every.Unit = period.Hour },
		"time":   func(m *Meter) { m.Calendar = &period.Calendar{ResetMinute: 90} },
		"anchor": func(m *Meter) { m.Anchor = t0 - day },
	} {
		l := NewLedger(new(Memory), 1)
		was, is := budgeted(3, period.Day), budgeted(3, period.Day)
		was.Anchor = t0 - 5*day
		is.Anchor = was.Anchor
		edit(is)
		settle(t, l, t0, admit(t, l, t0, was, 5), 70)
		admit(t, l, t0, is, 5)
		_, end := is.Calendar.Span(is.Every, is.Anchor, t0)
		if _, before := was.Calendar.Span(was.Every, was.Anchor, t0); before == end {
			t.Fatal("the test changes nothing")
		}
		if b := balanceOf(t, l, t0, is); b.ResetAt != end || b.Spent != 70 || b.Held != 5 {
			t.Errorf("%s: %+v, want the end %d", name, b, end)
		}
	}
}

// A team's money for a model is everybody's; its rates may be others' alone.
func TestMoneyOnly(t *testing.T) {
	s := new(Memory)
	l := NewLedger(s, 1<<40)
	team := NewMeter(ForTeam, "t", "m")
	team.RPM, team.TPM, team.Budget, team.Parallel = capped(1), capped(100), capped(100), capped(9)
	money := NewMeter(ForTeam, "t", "m")
	money.Budget, money.Parallel, money.Skips = team.Budget, team.Parallel, Requests|Tokens
	key := NewMeter(ForKey, "other", "")
	key.TPM = capped(100_000) // so that tokens are held
	ask := func(l *Ledger, m *Meter) Verdict {
		v, err := l.decide(t0, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 60, Meters: []*Meter{m, key}, Price: flat(10)})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	holds := []Verdict{ask(l, money), ask(l, money), ask(l, team)}
	if b := balanceOf(t, l, t0, team); b.Requests != 1 || b.Hold != 60 || b.Held != 30 || b.Slots != 3 || b.TotalRequests != 3 {
		t.Fatalf("%+v", b)
	}
	if v := ask(l, team); v.Reason != OverRequests {
		t.Fatalf("%d", v.Reason)
	}
	// One is settled, one given back, and none of it moves the others' minute.
	if err := l.Settle(t0, &open, &holds[0].Hold, Spent{Total: 500, Cost: 40}); err != nil {
		t.Fatal(err)
	}
	if err := l.Release(t0, &open, &holds[1].Hold); err != nil {
		t.Fatal(err)
	}
	if b := balanceOf(t, l, t0, team); b.Requests != 1 || b.Hold != 60 || b.Tokens != 0 || b.Held != 10 || b.Spent != 40 || b.Slots != 1 || b.TotalTokens != 500 {
		t.Fatalf("%+v", b)
	}
	// The same for what a limit refuses after all, on the last meter.
	full := NewMeter(ForKey, "k", "")
	full.Parallel = capped(1)
	other := &interruption{Store: s, at: full.key, do: func() { ask(NewLedger(s, 2<<40), full) }}
	v, err := NewLedger(other, 3<<40).decide(t0, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 60, Meters: []*Meter{money, key, full}, Price: flat(10)})
	if err != nil || v.Reason != OverParallel {
		t.Fatal(err, v.Reason)
	}
	if b := balanceOf(t, l, t0, team); b.Requests != 1 || b.Hold != 60 || b.Held != 10 || b.Slots != 1 {
		t.Fatalf("%+v", b)
	}
	// And for a dead worker's, and for tallies.
	dead := NewLedger(s, 4<<40)
	ask(dead, money)
	dead.Tick(t0, nil)
	tallied := *money
	tallied.Budget, tallied.Parallel = Cap{}, Cap{}
	l.Tally(t0, t0, &tallied, &Spent{Total: 7, Cost: 3})
	watch(&open, t0+second, t0+20*second, func(int64) bool { return false }, l)
	if b := balanceOf(t, l, t0+20*second, team); b.Requests != 1 || b.Hold != 60 || b.Held != 10 || b.Slots != 1 || b.Spent != 53 || b.Tokens != 0 || b.TotalTokens != 567 {
		t.Fatalf("%+v", b)
	}
}

// interruption lets something happen before the first set of a key.
type interruption struct {
	Store
	at string
	do func()
}

func (s *interruption) Set(key string, value []byte, cas uint32) Status {
	if key == s.at && s.do != nil {
		do := s.do
		s.do = nil
		do()
	}
	return s.Store.Set(key, value, cas)
}
