package quota

import (
	"math"
	"testing"

	"fairshare/plugin/period"
	"fairshare/plugin/unit"
)

// Numbers that no honest answer has make a meter full, never empty.
func TestHugeNumbersFillAMeter(t *testing.T) {
	const most = math.MaxInt64
	ask := func(l *Ledger, now int64, m *Meter, want, cost int64) Verdict {
		t.Helper()
		v, err := l.decide(now, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Exact: unit.Tokens(want), Meters: []*Meter{m}, Price: flat(cost)})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, sliding := range []bool{false, true} {
		l := NewLedger(new(Memory), 1)
		m := NewMeter(ForKey, "k", "")
		m.TPM, m.Sliding = capped(1000), sliding
		one, two := ask(l, t0, m, 30, 0), ask(l, t0, m, 30, 0)
		for _, v := range []*Verdict{&one, &two} {
			if err := l.Settle(t0, &open, &v.Hold, Spent{Total: most}); err != nil {
				t.Fatal(err)
			}
			if v := ask(l, t0, m, 30, 0); v.Reason != OverTokens || v.RetryMS > (maxDebt+1)*60*second+60*second {
				t.Fatalf("sliding %v: refused by %d, wait %d", sliding, v.Reason, v.RetryMS)
			}
		}
		if v := ask(l, t0+60*second, m, 30, 0); v.Reason != OverTokens {
			t.Fatalf("sliding %v: admitted in the next minute", sliding)
		}
		// An answer of the minute before adds to that.
		l = NewLedger(new(Memory), 1)
		one, two = ask(l, t0, m, 30, 0), ask(l, t0, m, 30, 0)
		for _, v := range []*Verdict{&one, &two} {
			if err := l.Settle(t0+60*second, &open, &v.Hold, Spent{Total: most}); err != nil {
				t.Fatal(err)
			}
			if v := ask(l, t0+60*second, m, 30, 0); v.Reason != OverTokens {
				t.Fatalf("sliding %v: admitted", sliding)
			}
		}
		// And so does one of whose minute nothing is known any more.
		l = NewLedger(new(Memory), 1)
		one, two = ask(l, t0, m, 30, 0), ask(l, t0, m, 30, 0)
		for _, v := range []*Verdict{&one, &two} {
			if err := l.Settle(t0+300*second, &open, &v.Hold, Spent{Total: most}); err != nil {
				t.Fatal(err)
			}
			if v := ask(l, t0+300*second, m, 30, 0); v.Reason != OverTokens {
				t.Fatalf("sliding %v: admitted", sliding)
			}
		}
		// A limit as large as can be holds requests as large as can be.
		l = NewLedger(new(Memory), 1)
		m.TPM = capped(most)
		for range 3 {
			ask(l, t0, m, most/2, 0)
		}
		for _, now := range []int64{t0, t0 + 59*second, t0 + 60*second, t0 + 61*second} {
			if b := balanceOf(t, l, now, m); b.Hold < 0 {
				t.Fatalf("%d held", b.Hold)
			}
			full := now < t0+60*second || sliding
			if v := ask(l, now, m, most/2, 0); v.OK() == full {
				t.Fatalf("sliding %v, %d ms: %d", sliding, now-t0, v.Reason)
			}
		}
	}
	// Tokens: held by requests that no limit of this meter refuses.
	whole := NewLedger(new(Memory), 1)
	team := NewMeter(ForTeam, "t", "")
	team.RPM = capped(1000)
	for _, name := range []string{"a", "b", "c"} {
		m := NewMeter(ForKey, name, "")
		m.TPM = capped(most)
		v, err := whole.decide(t0, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Exact: most - 1, Meters: []*Meter{m, team}})
		if err != nil || !v.OK() {
			t.Fatal(err, v.Reason)
		}
	}
	team.TPM = capped(most)
	if v := ask(whole, t0, team, 30, 0); v.Reason != OverTokens {
		t.Fatalf("%d", v.Reason)
	}
	// Money: held by requests that no budget of this meter refuses.
	l := NewLedger(new(Memory), 1)
	m := NewMeter(ForKey, "k", "")
	m.RPM = capped(1000)
	for range 3 {
		ask(l, t0, m, 30, most)
	}
	m.Budget = capped(most)
	if v := ask(l, t0, m, 30, 1); v.Reason != OverBudget || v.Meters[0].Cost != most {
		t.Fatalf("refused by %d at %d", v.Reason, v.Meters[0].Cost)
	}
	// Spent twice as much as there is.
	l = NewLedger(new(Memory), 1)
	one, two := ask(l, t0, m, 30, 1), ask(l, t0, m, 30, 1)
	for _, v := range []*Verdict{&one, &two} {
		if err := l.Settle(t0, &open, &v.Hold, Spent{Total: 1, Cost: most}); err != nil {
			t.Fatal(err)
		}
		if v := ask(l, t0, m, 30, 1); v.Reason != OverBudget {
			t.Fatal("admitted")
		}
	}
	for range 2 {
		l.Tally(t0, t0, m, &Spent{Total: most, Cost: most})
		l.Tally(t0, t0, m, &Spent{Total: most, Cost: most})
		l.WriteTallies(t0)
	}
	if b := balanceOf(t, l, t0, m); b.Spent != most || b.TotalSpent != most || b.TotalTokens != most || b.Tokens != most {
		t.Fatalf("%+v", b)
	}
	// Two holds of money join when their periods become one.
	l = NewLedger(new(Memory), 1)
	m.Every = period.Duration{N: 1, Unit: period.Minute}
	ask(l, t0, m, 30, most-1)
	ask(l, t0+60*second, m, 30, most-1)
	m.Every = period.Duration{N: 1, Unit: period.Hour}
	if b := balanceOf(t, l, t0+60*second, m); b.Held != most {
		t.Fatalf("%+v", b)
	}
}

// A clock that was an hour ahead for a moment leaves a minute that is not to
// come soon. It must not stand in the way of the window, nor of late answers.
func TestWrongClockLeavesTheWindow(t *testing.T) {
	for _, ahead := range []int64{7200, 50 * 365 * 86_400} {
		l := NewLedger(new(Memory), 1)
		m := NewMeter(ForKey, "k", "")
		m.RPM, m.Sliding = capped(4), true
		ask := func(now int64) Reason {
			t.Helper()
			v, err := l.decide(now, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Meters: []*Meter{m}})
			if err != nil {
				t.Fatal(err)
			}
			return v.Reason
		}
		ask(t0 - 30*second)
		ask(t0 + ahead*second)
		n := 0
		for i := range int64(12) {
			if ask(t0+58*second+i*second/2) == Admitted {
				n++
			}
		}
		if n > 4 {
			t.Errorf("%d s ahead: %d within six seconds", ahead, n)
		}
	}
	// One that is ahead by minutes finds its minute again.
	l := NewLedger(new(Memory), 1)
	m := NewMeter(ForKey, "k", "")
	m.RPM = capped(1)
	for _, c := range []struct {
		minute int64
		want   Reason
	}{
		{0, Admitted}, {5, Admitted}, {1, Admitted}, {2, Admitted}, {2, OverRequests}, {5, OverRequests}, {3, Admitted}, {5, OverRequests},
	} {
		v, err := l.decide(t0+c.minute*60*second, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Meters: []*Meter{m}})
		if err != nil || v.Reason != c.want {
			t.Fatalf("minute %d: %v %d, want %d", c.minute, err, v.Reason, c.want)
		}
	}
}

// A clock that steps back owes nothing of what is to come.
func TestNoDebtOfALaterMinute(t *testing.T) {
	l := NewLedger(new(Memory), 1)
	m := NewMeter(ForKey, "k", "")
	m.TPM = capped(100)
	for _, minute := range []int64{5, 4, 1} {
		now := t0 + minute*60*second
		v, err := l.decide(now, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 30, Meters: []*Meter{m}})
		if err != nil || !v.OK() {
			t.Fatalf("minute %d: %v, %d", minute, err, v.Reason)
		}
		if err := l.Settle(now, &open, &v.Hold, Spent{Total: 1000}); err != nil {
			t.Fatal(err)
		}
	}
}

// What a caller is told is left is what is left.
func TestStandings(t *testing.T) {
	l := NewLedger(new(Memory), 1)
	all := meters(func(k, u, g *Meter) {
		k.RPM, k.TPM, k.Parallel = capped(5), capped(100), capped(3)
		u.Budget, u.Soft = capped(100), capped(20)
		g.RPM = capped(2)
	})
	terms := NewTerms("m", 1000, 10, true, true)
	ask := func() Verdict {
		v, err := l.decide(t0, &terms, Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 30, Meters: all, Price: flat(9)})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := ask()
	want := []Standing{{Requests: 4, Tokens: 70, Parallel: 2, Cost: 9}, {Cost: 9}, {Requests: 1, Cost: 9}}
	for i, s := range v.Meters {
		if s != want[i] {
			t.Errorf("meter %d: %+v, want %+v", i, s, want[i])
		}
	}
	if err := l.Settle(t0, &terms, &v.Hold, Spent{Total: 20, Cost: 15}); err != nil {
		t.Fatal(err)
	}
	v = ask()
	want = []Standing{{Requests: 3, Tokens: 50, Parallel: 2, Cost: 24, Spent: 15}, {Cost: 24, Spent: 15, OverSoft: true}, {Cost: 24, Spent: 15}}
	for i, s := range v.Meters {
		if s != want[i] {
			t.Errorf("meter %d: %+v, want %+v", i, s, want[i])
		}
	}
	// A refusal takes nothing: what it tells is what the next one finds, of the
	// model as well.
	for range 2 {
		if v = ask(); v.Reason != OverRequests || v.By != 2 {
			t.Fatal(v.Reason, v.By)
		}
		for i, s := range v.Meters {
			if s != want[i] {
				t.Errorf("meter %d of a refusal: %+v, want %+v", i, s, want[i])
			}
		}
		if v.Requests != (Room{Limited: true, Model: 8, Caller: 8}) || v.Tokens != (Room{Limited: true, Model: 950, Caller: 950}) {
			t.Errorf("of the model are left %+v and %+v", v.Requests, v.Tokens)
		}
	}
	// What is paid at once is spent at once.
	all = all[:1]
	v, err := l.decidePaid(t0, &terms, Claim{Key: 1, Weight: One, Pool: NoPool, Meters: all, Price: flat(9)}, Spent{Total: 10, Cost: 4})
	if err != nil || !v.OK() || v.Meters[0].Spent != 19 {
		t.Errorf("%v %d: %+v", err, v.Reason, v.Meters)
	}
}

// A key with a small limit holds little on its own meter, and what its request
// needs on the model.
func TestSmallLimitHoldsAllOnTheModel(t *testing.T) {
	l := NewLedger(new(Memory), 1)
	m := NewMeter(ForKey, "k", "")
	m.TPM = capped(10)
	terms := tpm(1000)
	v, err := l.decide(t0, terms, Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 300, Meters: []*Meter{m}})
	if err != nil || !v.OK() {
		t.Fatal(err, v.Reason)
	}
	if b, own := read(t, l, t0, terms), balanceOf(t, l, t0, m); b.Held != 300 || own.Hold != 10 {
		t.Fatalf("%d and %d held", b.Held, own.Hold)
	}
	if err := l.Release(t0, terms, &v.Hold); err != nil {
		t.Fatal(err)
	}
	if b, own := read(t, l, t0, terms), balanceOf(t, l, t0, m); b.Held != 0 || own.Hold != 0 {
		t.Fatalf("%d and %d held", b.Held, own.Hold)
	}
}
