package quota

import (
	"testing"

	"fairshare/plugin/unit"
)

func TestLateAnswersShareWhatTheOldMinuteHasLeft(t *testing.T) {
	play(t, tpm(100), nil, []act{
		{50, "ask", 1, 50, "ok"},
		{55, "ask", 2, 50, "ok"},
		{60, "ask", 3, 10, "ok"},
		{61, "settle", 1, 40, "used 0 held 10"},
		{62, "settle", 2, 70, "used 10 held 10"}, // 40 + 70 are 10 over
	})
}

func TestAnswerOfAMinuteLongGone(t *testing.T) {
	play(t, tpm(100), nil, []act{
		{0, "ask", 1, 50, "ok"},
		{180, "ask", 2, 10, "ok"},
		{181, "settle", 1, 80, "used 30 held 10"}, // 50 were held and paid for
	})
}

func TestWhatAKeyUsedIsCountedForItsShare(t *testing.T) {
	play(t, tpm(60), nil, []act{
		{0, "ask", 1, 30, "ok"},
		{1, "settle", 1, 30, "used 30 held 0"},
		{1, "ask", 2, 1, "ok"},
		{1, "ask", 1, 20, "tpm caller 0 model 29 active 2 retry 41"},
	})
}

func TestWhoOverdrewPaysTheDebt(t *testing.T) {
	play(t, tpm(100), nil, []act{
		{0, "ask", 2, 10, "ok"},
		{0, "settle", 2, 10, "used 10 held 0"},
		{0, "ask", 1, 80, "ok"},
		{0, "settle", 1, 130, "used 140 held 0"},
		{60, "ask", 2, 10, "ok"},
		{60, "ask", 1, 20, "tpm caller 10 model 50 active 1 retry 24"}, // its 40 of debt leave 10 of its share
	})
}

func TestClockThatStepsFarBackForgetsWhatWasUsed(t *testing.T) {
	play(t, tpm(60), nil, []act{
		{60, "ask", 1, 60, "ok"},
		{60, "settle", 1, 60, "used 60 held 0"},
		{-120, "ask", 2, 60, "ok"},
	})
}

func TestKeyInFlightForMinutesStaysActive(t *testing.T) {
	terms, l := tpm(600), NewLedger(new(Memory), 7)
	hold(t, l, t0, terms, 1)
	for minute := int64(1); minute < 5; minute++ {
		if b := read(t, l, t0+minute*minuteMS, terms); b.Active != 1 || b.Slots != 1 {
			t.Fatalf("minute %d: active %d slots %d, want the key in flight", minute, b.Active, b.Slots)
		}
		h := hold(t, l, t0+minute*minuteMS, terms, 2)
		if err := l.Release(t0+minute*minuteMS, terms, &h); err != nil {
			t.Fatal(err)
		}
	}
}

// tearing gives a record as a reader finds it while another writes, once.
type tearing struct {
	Memory
	torn bool
}

func (s *tearing) Get(key string) ([]byte, uint32, Status) {
	v, cas, st := s.Memory.Get(key)
	if st == OK && len(v) > atKey && !s.torn {
		s.torn = true
		v = append([]byte(nil), v...)
		v[len(v)-1]++
	}
	return v, cas, st
}

func TestTornRecordIsReadAgain(t *testing.T) {
	terms, s := tpm(100), &tearing{torn: true}
	l := NewLedger(s, 7)
	hold(t, l, t0, terms, 1)
	s.torn = false
	hold(t, l, t0, terms, 2)
	if b := read(t, l, t0, terms); b.Held != 20 || b.Slots != 2 {
		t.Fatalf("held %d slots %d, want 20 and 2: a torn read must not wipe the books", b.Held, b.Slots)
	}
}

func TestForeignAndTornRecordsAreNotRead(t *testing.T) {
	whole := func() record {
		r := newRecord(nil, "fs/m/model", t0)
		r.open(1, NoPool)
		r.seal(9)
		return r
	}
	if !valid(whole(), "fs/m/model") {
		t.Fatal("a whole record is not valid")
	}
	if valid(whole(), "fs/m/madel") {
		t.Fatal("another key's record is valid")
	}
	torn := whole()
	torn[atStamp]++
	if valid(torn, "fs/m/model") {
		t.Fatal("a torn record is valid")
	}
	short := whole()
	if valid(short[:len(short)-1], "fs/m/model") {
		t.Fatal("a cut record is valid")
	}
}

// guess is the estimate of an ask alone, with nothing learned of prompts.
func (a *Ask) guess(key, model Learned, limit unit.Tokens) (e estimate) {
	a.estimate(key, model, &Prompts{}, limit, true, 0, &e)
	return e
}

func TestEstimateTrustsAnswersOverMaxTokens(t *testing.T) {
	terms := tpm(10_000)
	var l Learned
	ask := Ask{TextBytes: 40, MaxOutput: 4000, Capped: true}
	for n := range trustSamples + 1 {
		output := ask.guess(l, l, terms.TPM).output
		if want := int64(4000); n < trustSamples && int64(output) != want {
			t.Fatalf("after %d answers: %d, want max_tokens", n, output)
		}
		if n == trustSamples && output != 20 {
			t.Fatalf("after %d answers of 20: %d", n, output)
		}
		l.add(20, 4000)
	}
	uncapped := Ask{TextBytes: 40}
	if output := uncapped.guess(Learned{}, Learned{}, terms.TPM).output; output != 1024 {
		t.Fatalf("unlearned: %d, want 1024", output)
	}
	if output := uncapped.guess(Learned{}, Learned{}, 60).output; output != 15 {
		t.Fatalf("unlearned on a small model: %d, want a quarter of the minute", output)
	}
	one := Learned{}
	one.add(190, -1)
	if output := uncapped.guess(Learned{}, one, terms.TPM).output; output != 190 {
		t.Fatalf("after one answer: %d, want 190", output)
	}
	// Answers that vary get room: mean and four times the mean distance.
	for i := range 200 {
		one.add(unit.Tokens(100+200*(i%2)), -1)
	}
	if output := uncapped.guess(Learned{}, one, terms.TPM).output; output < 500 || output > 700 {
		t.Fatalf("answers of 100 and 300: %d, want about 200 + 4 x 100", output)
	}
}
