package quota

import (
	"math/rand/v2"
	"testing"

	"fairshare/plugin/unit"
)

// served asks again and again, one request after the other, for so many minutes, and
// returns how often that passed. answer tells what each cost.
func served(t *testing.T, l *Ledger, terms *Terms, c Claim, minutes int64, answer func() Spent) (passed int, used unit.Tokens) {
	t.Helper()
	for now := t0; now < t0+minutes*minuteMS; now += second {
		v, err := l.decide(now, terms, c)
		if err != nil {
			t.Fatal(err)
		}
		if !v.OK() {
			continue
		}
		s := answer()
		passed, used = passed+1, used.Plus(s.Total)
		if err := l.Settle(now, terms, &v.Hold, s); err != nil {
			t.Fatal(err)
		}
	}
	return passed, used
}

func costs(prompt, completion unit.Tokens) Spent {
	return Spent{Prompt: prompt, Completion: completion, Total: prompt.Plus(completion), Learn: true}
}

// add takes a whole answer of one choice that was told.
func (l *Learned) add(output, most unit.Tokens) { l.learn(&answered{output: output, most: most}) }

// An estimate alone shuts nobody out: not one learned from another key's answers, and
// not one of answers that vary.
func TestEstimatesCloseNoSmallLimit(t *testing.T) {
	terms := tpm(1_000_000)
	limit := func(scope Scope, n int64) []*Meter {
		m := NewMeter(scope, "x", "")
		m.TPM = capped(n)
		return []*Meter{m}
	}
	foreign := func(l *Ledger, answers int) {
		for range answers {
			v, err := l.decide(t0, terms, Claim{Key: 1, Weight: One, Pool: NoPool, Ask: Ask{TextBytes: 4}})
			if err != nil || !v.OK() {
				t.Fatal(err)
			}
			if err := l.Settle(t0, terms, &v.Hold, costs(2, 480)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, answers := range []int{1, 9} {
		l := NewLedger(new(Memory), 1)
		foreign(l, answers)
		c := Claim{Key: 2, Weight: One, Pool: NoPool, Ask: Ask{TextBytes: 4}, Meters: limit(ForKey, 100)}
		if n, _ := served(t, l, terms, c, 4, func() Spent { return costs(2, 8) }); n != 40 {
			t.Errorf("after %d foreign answers %d of 40 pass", answers, n)
		}
	}
	l := NewLedger(new(Memory), 1)
	c := Claim{Key: 2, Weight: One, Pool: NoPool, Ask: Ask{TextBytes: 4}, Meters: limit(ForTeam, 60)}
	if n, _ := served(t, l, terms, c, 1, func() Spent { return costs(10, 20) }); n != 2 {
		t.Errorf("a team of 60 gets %d answers of 30, want 2", n)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	l = NewLedger(new(Memory), 1)
	c.Meters = limit(ForKey, 1000)
	_, used := served(t, l, terms, c, 100, func() Spent { return costs(2, unit.Tokens(18+rng.IntN(180))) })
	if part := float64(used) / 100_000; part < 0.98 || part > 1.01 {
		t.Errorf("answers of 20 to 200 use %.3f of a limit", part)
	}
	// The same limit, of the model.
	l, terms = NewLedger(new(Memory), 1), tpm(1000)
	c.Meters = nil
	_, used = served(t, l, terms, c, 100, func() Spent { return costs(2, unit.Tokens(18+rng.IntN(180))) })
	if part := float64(used) / 100_000; part < 0.98 || part > 1.01 {
		t.Errorf("answers of 20 to 200 use %.3f of a model", part)
	}
}

// A client can't choose its caps so that more is admitted at once than fits, where the
// upstream does not read them.
func TestCapsThatAreNotKeptAreNotBelieved(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		terms, l := tpm(1_000_000), NewLedger(new(Memory), 1)
		m := NewMeter(ForKey, "k", "")
		m.TPM = capped(500)
		over := 0
		for round := range int64(60) {
			now := t0 + round*minuteMS
			var holds []Hold
			for range 10 {
				c := Claim{Key: 1, Weight: One, Pool: NoPool, Meters: []*Meter{m}, Ask: Ask{TextBytes: 40, Capped: true, MaxOutput: unit.Tokens(1 + rng.IntN(1<<rng.IntN(10)))}}
				v, err := l.decide(now, terms, c)
				if err != nil {
					t.Fatal(err)
				}
				if v.OK() {
					holds = append(holds, v.Hold)
				}
			}
			if round > 0 && len(holds) > 1 {
				over++
			}
			for i := range holds {
				if err := l.Settle(now, terms, &holds[i], costs(10, 480)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if over > 0 {
			t.Errorf("seed %d: in %d rounds more than one was admitted where one fits", seed, over)
		}
	}
}

// Caps that the upstream keeps are believed after some answers, so that short answers
// hold little beside long ones.
func TestCapsThatAreKeptAreBelieved(t *testing.T) {
	var l Learned
	for range 20 {
		l.add(480, -1)
	}
	short := Ask{TextBytes: 40, MaxOutput: 10, Capped: true}
	if got := short.guess(l, l, 100_000).output; got != 480 {
		t.Fatalf("a cap that nobody kept yet holds %d", got)
	}
	for range provenCaps {
		l.add(10, 10)
	}
	if got := short.guess(l, l, 100_000).output; got != 10 {
		t.Fatalf("a cap that was kept %d times holds %d", provenCaps, got)
	}
	l.add(11, 10)
	for range provenCaps*capsDoubt - 1 {
		l.add(10, 10)
	}
	if got := short.guess(l, l, 100_000).output; got < 400 {
		t.Fatalf("a cap that was broken holds %d", got)
	}
	l.add(10, 10)
	if got := short.guess(l, l, 100_000).output; got != 10 {
		t.Fatalf("a cap that was kept long enough since holds %d", got)
	}
	for range mostBroken {
		l.add(11, 10)
	}
	for range 1 << 16 {
		l.add(10, 10)
	}
	if got := short.guess(l, l, 100_000).output; got < 400 {
		t.Fatalf("a cap that was broken often holds %d", got)
	}
}

// A hold of output is at least what caps allow, or what answers were, whichever is less.
func FuzzEstimate(f *testing.F) {
	f.Add(uint64(1), int64(12), int64(20), true)
	f.Fuzz(func(t *testing.T, seed uint64, text, most int64, isCapped bool) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var key, model Learned
		var prompts Prompts
		shortest := map[*Learned]int64{&key: 1 << 62, &model: 1 << 62}
		for range rng.IntN(40) {
			out, allowed := rng.Int64N(1<<rng.IntN(40)), int64(-1)
			if rng.IntN(2) == 0 {
				allowed = rng.Int64N(1 << rng.IntN(20))
			}
			whose := []*Learned{&model}
			if rng.IntN(2) == 0 {
				whose = append(whose, &key)
			}
			for _, l := range whose {
				l.add(unit.Tokens(out), unit.Tokens(allowed))
				shortest[l] = min(shortest[l], min(out, mostSample))
			}
			prompts.add(rng.Int64N(1<<rng.IntN(24)), unit.Tokens(rng.Int64N(1<<rng.IntN(50))))
		}
		a := Ask{TextBytes: max(0, text%(1<<40)), MaxOutput: unit.Tokens(max(0, most%(1<<50))), Capped: isCapped}
		var e estimate
		a.estimate(key, model, &prompts, 1<<40, true, rng.Int64N(100), &e)
		least := int64(a.MaxOutput)
		if !a.Capped {
			least = 1 << 62
		}
		history := min(shortest[&key], shortest[&model])
		if model.Samples+key.Samples > 0 {
			least = min(least, history)
		} else if !a.Capped {
			least = 1
		}
		// A sixteenth of a token is the resolution of what is learned.
		if int64(e.output) < least-1 || int64(e.beside) < least-1 {
			t.Errorf("holds %d and %d beside others, less than %d", e.output, e.beside, least)
		}
		if int64(e.input) < 1 || int64(e.input) > a.TextBytes+mostFixed+messageTokens+1 {
			t.Errorf("%d bytes are %d tokens", a.TextBytes, e.input)
		}
		if e.least < 1 || e.output > mostSample*10 && int64(e.output) > int64(a.MaxOutput) {
			t.Errorf("%+v", e)
		}
	})
}

// What a prompt costs is a fixed part and so much a byte: a tiny one says nothing of a
// large one.
func TestPromptsHaveAFixedPart(t *testing.T) {
	var hi Prompts
	for range 30 {
		hi.add(2, 10)
	}
	if got := hi.tokens(2); got != 10 {
		t.Errorf("equal prompts are estimated at %d, want 10", got)
	}
	if got := hi.tokens(100_000); got < 20_000 || got > 30_000 {
		t.Errorf("100 kB after \"hi\": %d", got)
	}
	// Of a language with a token for two bytes the slope is learned.
	var dense Prompts
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		n := rng.Int64N(20_000)
		dense.add(n, unit.Tokens(9+n/2))
	}
	for _, n := range []int64{0, 1000, 10_000, 100_000} {
		if got, want := int64(dense.tokens(n)), 9+n/2; got < want*95/100-20 || got > want*105/100+20 {
			t.Errorf("%d bytes: %d, want about %d", n, got, want)
		}
	}
	// One told absurdly is not believed for the others.
	before := dense.tokens(1000)
	dense.add(2, 1<<60)
	if got := dense.tokens(1000); got > before*3 {
		t.Errorf("after an absurd one: %d, before %d", got, before)
	}
}

// Whatever one answer says, the next ones are not estimated out of all proportion, and
// the limit is whole again after maxDebt minutes.
func TestAbsurdUsageLocksNobodyForLong(t *testing.T) {
	var l Learned
	for range 100 {
		l.add(20, -1)
	}
	l.add(1<<62, -1)
	ask := Ask{TextBytes: 40}
	if got := ask.guess(l, l, 1<<40).output; got > 1000 {
		t.Errorf("after one absurd answer %d is held", got)
	}
	terms, ledger := tpm(1000), NewLedger(new(Memory), 1)
	m := NewMeter(ForKey, "k", "")
	m.TPM = capped(1000)
	c := Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 1000, Meters: []*Meter{m}}
	v, err := ledger.decide(t0, terms, c)
	if err != nil || !v.OK() {
		t.Fatal(err)
	}
	if err := ledger.Settle(t0, terms, &v.Hold, Spent{Total: 1<<63 - 1}); err != nil {
		t.Fatal(err)
	}
	for minute := int64(1); minute <= maxDebt+1; minute++ {
		v, err := ledger.decide(t0+minute*minuteMS, terms, c)
		if err != nil {
			t.Fatal(err)
		}
		if v.OK() != (minute == maxDebt+1) {
			t.Errorf("minute %d: admitted %v", minute, v.OK())
		}
	}
}
