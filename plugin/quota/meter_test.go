package quota

import (
	"crypto/sha256"
	"maps"
	"strings"
	"testing"

	"fairshare/plugin/period"
	"fairshare/plugin/unit"
)

// flat is a price of so many pico dollars a request, whatever its tokens.
type flat unit.PicoUSD

func (f flat) Estimate(_, _ unit.Tokens) unit.PicoUSD { return unit.PicoUSD(f) }

func capped(n int64) Cap { return Cap{Limited: true, Max: n} }

// meters makes a key's, a user's and a team's meter.
func meters(edit func(key, user, team *Meter)) []*Meter {
	key, user, team := NewMeter(ForKey, "k", ""), NewMeter(ForUser, "u", ""), NewMeter(ForTeam, "t", "")
	edit(key, user, team)
	return []*Meter{key, user, team}
}

var open = NewTerms("m", 0, 0, false, false)

func balanceOf(t *testing.T, l *Ledger, now int64, m *Meter) Balance {
	t.Helper()
	b, err := l.Balance(now, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// dump is what a store holds.
func dump(m *Memory) map[string]string {
	all := map[string]string{}
	for key, c := range m.cells {
		all[key] = string(c.value)
	}
	return all
}

func TestEveryLimitRefusesAndChangesNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		edit  func(key, user, team *Meter)
		terms Terms
		want  []Reason
		by    int
		retry int64
	}{
		{"key rpm", func(k, _, _ *Meter) { k.RPM = capped(2) }, open, []Reason{Admitted, Admitted, OverRequests}, 0, 60_000},
		{"user rpm", func(_, u, _ *Meter) { u.RPM = capped(1) }, open, []Reason{Admitted, OverRequests}, 1, 60_000},
		{"team tpm", func(_, _, g *Meter) { g.TPM = capped(60) }, open, []Reason{Admitted, Admitted, OverTokens}, 2, 60_000},
		{"one request above a tpm", func(_, _, g *Meter) { g.TPM = capped(10) }, open, []Reason{Admitted, OverTokens}, 2, 60_000},
		{"tpm zero", func(_, _, g *Meter) { g.TPM = capped(0) }, open, []Reason{OverTokens}, 2, Never},
		{"rpm zero", func(_, u, _ *Meter) { u.RPM = capped(0) }, open, []Reason{OverRequests}, 1, Never},
		{"parallel", func(k, _, _ *Meter) { k.Parallel = capped(2) }, open, []Reason{Admitted, Admitted, OverParallel}, 0, 1000},
		{"parallel zero", func(k, _, _ *Meter) { k.Parallel = capped(0) }, open, []Reason{OverParallel}, 0, Never},
		{"budget: held cost counts", func(_, u, _ *Meter) { u.Budget = capped(150) }, open, []Reason{Admitted, Admitted, OverBudget}, 1, Never},
		{"budget zero", func(_, u, _ *Meter) { u.Budget = capped(0) }, open, []Reason{OverBudget}, 1, Never},
		{"soft budget", func(_, u, _ *Meter) { u.Soft = capped(0) }, open, []Reason{Admitted, Admitted}, -1, 0},
		{
			"budget before slots before requests before tokens",
			func(k, u, g *Meter) {
				k.TPM, u.RPM, g.Parallel = capped(30), capped(1), capped(1)
				g.Budget = capped(100)
			}, open,
			[]Reason{Admitted, OverBudget},
			2, Never,
		},
		{
			"slots before requests before tokens",
			func(k, u, g *Meter) { k.TPM, u.RPM, g.Parallel = capped(30), capped(1), capped(1) },
			open,
			[]Reason{Admitted, OverParallel},
			2, 60_000,
		},
		{
			"requests before tokens",
			func(k, u, _ *Meter) { k.TPM, u.RPM = capped(30), capped(1) },
			open,
			[]Reason{Admitted, OverRequests},
			1, 60_000,
		},
		{"the model after all", func(k, _, _ *Meter) { k.RPM = capped(9) }, *rpm(2), []Reason{Admitted, Admitted, OverRequests}, -1, 60_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := new(Memory)
			l := NewLedger(s, 1)
			all := meters(c.edit)
			terms := c.terms
			for i, want := range c.want {
				before := dump(s)
				v, err := l.decide(t0, &terms, Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 30, Meters: all, Price: flat(100)})
				if err != nil || v.Reason != want {
					t.Fatalf("request %d: %v %d, want %d", i+1, err, v.Reason, want)
				}
				if v.OK() {
					continue
				}
				if v.By != c.by || v.RetryMS != c.retry {
					t.Errorf("refused by %d, retry %d; want %d, %d", v.By, v.RetryMS, c.by, c.retry)
				}
				if v.By < 0 {
					delete(before, terms.Key) // the model notes whom it refused
				}
				after := dump(s)
				if v.By < 0 {
					delete(after, terms.Key)
				}
				if !maps.Equal(before, after) {
					t.Error("a refused request changed the books")
				}
			}
		})
	}
}

func TestCrossingRequestCompletesAndItsExcessIsDebt(t *testing.T) {
	l := NewLedger(new(Memory), 1)
	key := NewMeter(ForKey, "k", "")
	key.Budget, key.TPM = capped(50), capped(100)
	ask := func(now int64) Verdict {
		t.Helper()
		v, err := l.decide(now, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 40, Meters: []*Meter{key}, Price: flat(10)})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := ask(t0)
	if err := l.Settle(t0, &open, &v.Hold, Spent{Total: 250, Cost: 49}); err != nil {
		t.Fatal(err)
	}
	if b := balanceOf(t, l, t0, key); b.Spent != 49 || b.Held != 0 || b.Tokens != 250 || b.Slots != 0 {
		t.Fatalf("%+v", b)
	}
	// 150 tokens of debt: the next minute owes 150, the one after 50.
	for minute, want := range []Reason{OverTokens, OverTokens, Admitted} {
		now := t0 + int64(minute)*60*second
		if v = ask(now); v.Reason != want {
			t.Fatalf("minute %d: %d, want %d", minute, v.Reason, want)
		}
		if want == OverTokens && v.RetryMS != 120*second-int64(minute)*60*second {
			t.Errorf("minute %d: retry in %d ms", minute, v.RetryMS)
		}
	}
	now := t0 + 2*60*second
	if err := l.Settle(now, &open, &v.Hold, Spent{Total: 1, Cost: 1000}); err != nil {
		t.Fatal(err)
	}
	if v = ask(now + 60*second); v.Reason != OverBudget || v.Meters[0].Cost != 1049 {
		t.Fatalf("%d at %d", v.Reason, v.Meters[0].Cost)
	}
	// A larger budget keeps what was spent.
	key.Budget.Max = 1050
	if v = ask(now + 60*second); !v.OK() {
		t.Fatal("refused below the new budget")
	}
}

// Who is refused by a limit of his own is told when the model has room for him too.
func TestWaitOfAMeterIsTrueOfTheModel(t *testing.T) {
	l, terms := NewLedger(new(Memory), 1), tpm(100)
	key := NewMeter(ForKey, "k", "")
	key.RPM = capped(1)
	c := Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 30, Meters: []*Meter{key}}
	v, err := l.decide(t0, terms, c)
	if err != nil || !v.OK() {
		t.Fatal(v.Reason, err)
	}
	if err := l.Settle(t0, terms, &v.Hold, Spent{Total: 350}); err != nil {
		t.Fatal(err)
	}
	// The key may ask again in the next minute, the model owes for that and two more.
	if v, err = l.decide(t0, terms, c); err != nil || v.Reason != OverRequests || v.By != 0 || v.RetryMS != 180*second {
		t.Fatalf("%d by %d, retry in %d ms, %v, want %d by 0 in %d", v.Reason, v.By, v.RetryMS, err, OverRequests, 180*second)
	}
}

// slide asks as often as it can from one moment to another and returns when it
// was admitted.
func slide(t *testing.T, sliding bool, from, to int64) (at []int64) {
	t.Helper()
	l := NewLedger(new(Memory), 1)
	key := NewMeter(ForKey, "k", "")
	key.RPM, key.Sliding = capped(10), sliding
	for now := from; now < to; now += second / 2 {
		v, err := l.decide(now, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Meters: []*Meter{key}})
		if err != nil {
			t.Fatal(err)
		}
		if v.OK() {
			at = append(at, now)
			continue
		}
		// Retry-After is true: not admitted a second before it, admitted then.
		probe := func(now int64) bool {
			var a account
			if err := l.account(now, key, &a); err != nil {
				t.Fatal(err)
			}
			return a.refuses(now, 0, 0, key) == Admitted
		}
		if !probe(now+v.RetryMS) || v.RetryMS > second && probe(now+v.RetryMS-second) {
			t.Fatalf("sliding %v, %d ms into the minute: retry in %d ms is not true", sliding, now-t0, v.RetryMS)
		}
	}
	return at
}

func TestSlidingWindowHasNoDoubleBurst(t *testing.T) {
	busiest := func(at []int64) int {
		most := 0
		for i := range at {
			n := 0
			for _, b := range at[i:] {
				if b < at[i]+60*second {
					n++
				}
			}
			most = max(most, n)
		}
		return most
	}
	// Ten at the end of a minute and ten at the start of the next.
	from, to := t0+55*second, t0+65*second
	if n := busiest(slide(t, false, from, to)); n != 20 {
		t.Errorf("fixed: %d within sixty seconds, want the double burst of 20", n)
	}
	if n := busiest(slide(t, true, from, to)); n > 10 {
		t.Errorf("sliding: %d within sixty seconds", n)
	}
	// Over a long time the limit is used: at least 9 of 10 a minute.
	if n := len(slide(t, true, t0, t0+600*second)); n < 90 || n > 110 {
		t.Errorf("sliding: %d in ten minutes, want about 100", n)
	}
}

func TestLateAnswerPaysInThePeriodOfItsRequest(t *testing.T) {
	l := NewLedger(new(Memory), 1)
	key := NewMeter(ForKey, "k", "")
	key.Budget, key.Every = capped(1000), period.Duration{N: 1, Unit: period.Minute}
	v, err := l.decide(t0+59*second, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Meters: []*Meter{key}, Price: flat(7)})
	if err != nil {
		t.Fatal(err)
	}
	next := t0 + 61*second
	if b := balanceOf(t, l, next, key); b.Spent != 0 || b.Held != 0 || b.ResetAt != t0+120*second {
		t.Fatalf("%+v", b)
	}
	if err := l.Settle(next, &open, &v.Hold, Spent{Total: 3, Cost: 900}); err != nil {
		t.Fatal(err)
	}
	if b := balanceOf(t, l, next, key); b.Spent != 0 || b.TotalSpent != 900 || b.Slots != 0 {
		t.Fatalf("%+v", b)
	}
	// A clock that steps back finds the period as it was.
	if b := balanceOf(t, l, t0, key); b.Spent != 900 || b.Held != 0 {
		t.Fatalf("%+v", b)
	}
}

func TestChangedDurationKeepsWhatWasSpent(t *testing.T) {
	l := NewLedger(new(Memory), 1)
	key := NewMeter(ForKey, "k", "")
	key.Budget, key.Every = capped(1000), period.Duration{N: 1, Unit: period.Day}
	if err := l.SetSpent(t0, key, 77); err != nil {
		t.Fatal(err)
	}
	key.Every = period.Duration{N: 1, Unit: period.Month}
	if b := balanceOf(t, l, t0, key); b.Spent != 77 || b.ResetAt <= t0+2*86400*second {
		t.Fatalf("%+v", b)
	}
}

func TestTalliesAreWrittenWithTheTick(t *testing.T) {
	s := new(Memory)
	l, other := NewLedger(s, 1), NewLedger(s, 2)
	key := NewMeter(ForKey, "k", "")
	for range 3 {
		l.Tally(t0, t0, key, &Spent{Total: 5, Cost: 2})
	}
	if b := balanceOf(t, other, t0, key); b.Spent != 0 {
		t.Fatalf("%+v", b)
	}
	l.Tick(t0+200, nil)
	if b := balanceOf(t, other, t0+200, key); b.Spent != 6 || b.Tokens != 15 || b.TotalRequests != 3 || b.TotalSpent != 6 {
		t.Fatalf("%+v", b)
	}
	l.Tick(t0+400, nil)
	if b := balanceOf(t, other, t0+400, key); b.Spent != 6 {
		t.Fatal("written twice")
	}
	if err := l.Forget(t0, key); err != nil {
		t.Fatal(err)
	}
	if b := balanceOf(t, other, t0, key); b.TotalSpent != 0 {
		t.Fatalf("%+v", b)
	}
}

func TestDeadWorkersMetersComeBack(t *testing.T) {
	s := new(Memory)
	dead, alive := NewLedger(s, 1), NewLedger(s, 2)
	all := meters(func(k, u, g *Meter) { k.Parallel, u.TPM, g.Budget = capped(50), capped(10_000), capped(1<<40) })
	watch(&open, t0, t0+second, func(int64) bool { return false }, dead, alive)
	for range 20 {
		if _, err := dead.decide(t0+second, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 30, Meters: all, Price: flat(3)}); err != nil {
			t.Fatal(err)
		}
	}
	if b := balanceOf(t, alive, t0+second, all[2]); b.Slots != 20 || b.Held != 60 {
		t.Fatalf("%+v", b)
	}
	at := watch(&open, t0+second, t0+20*second, func(now int64) bool { return balanceOf(t, alive, now, all[0]).Slots == 0 }, alive)
	if at < 0 || at > t0+11*second {
		t.Fatalf("back after %d ms", at-t0)
	}
	for _, m := range all {
		if b := balanceOf(t, alive, at, m); b.Slots != 0 || b.Held != 0 || b.Hold != 0 {
			t.Errorf("%c: %+v", m.ID[0], b)
		}
	}
}

func TestForeignAndTornMetersAreNotRead(t *testing.T) {
	key, other := NewMeter(ForKey, "k", ""), NewMeter(ForKey, "other", "")
	b := balance{slots: 3}
	whole := b.encode(nil, &key.ID, 5)
	var got balance
	if !got.decode(whole, &key.ID) || got.slots != 3 {
		t.Fatal("a whole record is not read")
	}
	if got.decode(whole, &other.ID) || got.decode(whole[:len(whole)-1], &key.ID) || got.decode(append([]byte{9}, whole[1:]...), &key.ID) {
		t.Fatal("a foreign record is read")
	}
	whole[8]++
	if got.decode(whole, &key.ID) {
		t.Fatal("a torn record is read")
	}
	if strings.Contains(string(key.ID[1:]), "k") && key.ID == other.ID {
		t.Fatal("ids do not tell subjects apart")
	}
}

// FuzzMeterRecord: whatever lies in the store, a meter works.
func FuzzMeterRecord(f *testing.F) {
	key := NewMeter(ForKey, "k", "")
	b := balance{}
	f.Add(b.encode(nil, &key.ID, 1), int64(0))
	b.minutes[0] = minuteBook{minute: 1 << 62, requests: 1 << 62, used: 1 << 62, held: 1 << 62}
	b.periods[1] = periodBook{start: -1 << 63, end: 1<<63 - 1, spent: 1 << 62, held: 1<<63 - 1}
	f.Add(b.encode(nil, &key.ID, 1), int64(1<<62))
	f.Fuzz(func(t *testing.T, record []byte, now int64) {
		s := new(Memory)
		s.Set(key.key, record, 0)
		l := NewLedger(s, 1)
		m := *key
		m.RPM, m.TPM, m.Budget, m.Parallel, m.Sliding = capped(5), capped(500), capped(100), capped(3), now&1 == 0
		m.Every = period.Duration{N: 1, Unit: period.Unit(now & 3)}
		now = int64(uint64(now) >> 8)
		v, err := l.decide(now, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 30, Meters: []*Meter{&m}, Price: flat(2)})
		if err != nil {
			t.Fatal(err)
		}
		if v.OK() {
			if err := l.Settle(now, &open, &v.Hold, Spent{Total: 3, Cost: 1}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Meters are told apart by scope, subject and model, whatever those are.
func TestMetersHaveNames(t *testing.T) {
	seen := map[MeterID][3]string{}
	for _, scope := range []Scope{ForProxy, ForKey, ForUser, ForTeam, ForMember, ForCustomer} {
		for _, c := range [][2]string{{"", ""}, {"a", ""}, {"", "a"}, {"a", "b"}, {"ab", ""}, {"", "ab"}, {"a\x00b", ""}, {"a", "b\x00"}, {"aa", ""}, {"a", "a"}} {
			m := NewMeter(scope, c[0], c[1])
			name := [3]string{string(rune(scope)), c[0], c[1]}
			if other, ok := seen[m.ID]; ok {
				t.Errorf("%q and %q share a meter", name, other)
			}
			seen[m.ID] = name
			if again := NewMeter(scope, c[0], c[1]); again.ID != m.ID || again.key != m.key {
				t.Errorf("%q has two meters", name)
			}
		}
	}
	// Nobody who chooses an end user's name finds one that shares a meter.
	sum := sha256.Sum256([]byte("somebody"))
	if id := NewMeter(ForCustomer, "somebody", "").ID; [16]byte(id[1:]) != [16]byte(sum[:16]) {
		t.Error("an end user's meter does not follow from a sha256")
	}
}

// An answer that ends after its minute is paid for by that minute as far as its
// limit goes, what others hold of it kept, and the rest by the present one.
func TestLateAnswerPaysInTheMinuteOfItsRequest(t *testing.T) {
	for _, c := range []struct {
		name     string
		edit     func(m *Meter)
		late     int64 // seconds
		then, at int64 // tokens in the minute of the request, and in the present one
	}{
		{"the next minute", func(m *Meter) { m.TPM = capped(100) }, 61, 60, 20},
		{"long after", func(m *Meter) { m.TPM = capped(100) }, 301, 0, 50},
		{"without a limit", func(m *Meter) { m.RPM = capped(100) }, 61, 80, 0},
	} {
		l := NewLedger(new(Memory), 1)
		m, other := NewMeter(ForKey, "k", ""), NewMeter(ForUser, "u", "")
		c.edit(m)
		other.TPM = capped(100)
		ask := func(now, n int64) *Hold {
			v, err := l.decide(now, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Exact: unit.Tokens(n), Meters: []*Meter{m, other}})
			if err != nil || !v.OK() {
				t.Fatal(err, v.Reason)
			}
			return &v.Hold
		}
		ask(t0, 40)
		h := ask(t0, 30)
		if c.late > 120 { // so that the books of the first minute make room
			ask(t0+180*second, 1)
			ask(t0+240*second, 1)
		}
		now := t0 + c.late*second
		if err := l.Settle(now, &open, h, Spent{Total: 80}); err != nil {
			t.Fatal(err)
		}
		if b := balanceOf(t, l, t0, m); b.Tokens != c.then {
			t.Errorf("%s: %d tokens in its minute, want %d", c.name, b.Tokens, c.then)
		}
		if b := balanceOf(t, l, now, m); b.Tokens != c.at || b.TotalTokens != 80 {
			t.Errorf("%s: %d tokens now, want %d", c.name, b.Tokens, c.at)
		}
	}
}

// Of a window that slides a minute's debt counts once.
func TestSlidingCountsDebtOnce(t *testing.T) {
	l := NewLedger(new(Memory), 1)
	m := NewMeter(ForKey, "k", "")
	m.TPM, m.Sliding = capped(100), true
	ask := func(now, n int64) Verdict {
		v, err := l.decide(now, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Exact: unit.Tokens(n), Meters: []*Meter{m}})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := ask(t0, 30)
	if err := l.Settle(t0, &open, &v.Hold, Spent{Total: 120}); err != nil {
		t.Fatal(err)
	}
	// Half of the window's 100, and 20 of debt.
	if v = ask(t0+90*second, 31); v.Reason != OverTokens {
		t.Error("31 of 30 that are left are admitted")
	}
	if v = ask(t0+90*second, 30); !v.OK() {
		t.Error("30 of 30 that are left are refused")
	}
}

// A record that another worker was just writing is read again, not begun anew.
func TestTornMeterIsReadAgain(t *testing.T) {
	s := new(tornOnce)
	l := NewLedger(s, 1)
	m := NewMeter(ForKey, "k", "")
	m.Budget = capped(100)
	if err := l.SetSpent(t0, m, 100); err != nil {
		t.Fatal(err)
	}
	s.prefix = "fs/s/"
	if v, err := l.decide(t0, &open, Claim{Key: 1, Weight: One, Pool: NoPool, Meters: []*Meter{m}}); err != nil || v.Reason != OverBudget {
		t.Fatal(err, v.Reason)
	}
	if s.prefix != "" || l.Retries == 0 {
		t.Fatal("nothing was torn")
	}
}

// Keys whose hashes differ in any of the first sixteen bytes, and subjects of other
// kinds that are called like a key, have meters of their own.
func TestNamesOfKeysMeters(t *testing.T) {
	var hash [32]byte
	seen := map[string]bool{}
	for i := -1; i < 16; i++ {
		h := hash
		if i >= 0 {
			h[i]++
		}
		m := new(Meter)
		m.NameKey(&h)
		seen[m.key] = true
	}
	for _, scope := range []Scope{ForKey, ForUser, ForTeam} {
		seen[NewMeter(scope, string(hash[:]), "").key] = true
		seen[NewMeter(scope, string(hash[:]), "model").key] = true
	}
	if len(seen) != 17+6 {
		t.Fatalf("%d meters have names of their own, want %d", len(seen), 17+6)
	}
}
