package quota

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"fairshare/plugin/period"
)

// Whatever a budget's period is changed to, and how often: what counts is what was spent
// in the present one, as of the moment that each request was admitted. The model keeps
// every spending with its instant.
func TestChangesOfThePeriodMoveNoMoney(t *testing.T) {
	everies := []period.Duration{
		{},
		{N: 1, Unit: period.Day},
		{N: 24, Unit: period.Hour},
		{N: 7, Unit: period.Day},
		{N: 30, Unit: period.Day},
		{N: 1, Unit: period.Hour},
		{N: 3, Unit: period.Day},
		{N: 5, Unit: period.Hour},
		{N: 2, Unit: period.Month},
		{N: 90, Unit: period.Day},
		{N: 10, Unit: period.Minute},
		{N: 2, Unit: period.Week},
	}
	kolkata, ok := period.Zone("Asia/Kolkata")
	if !ok {
		t.Fatal("no zone")
	}
	type spending struct{ at, cost int64 }
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 2))
		calendar := &period.Calendar{}
		switch seed % 3 {
		case 1:
			calendar = &period.Calendar{Zone: kolkata}
		case 2:
			calendar = &period.Calendar{ResetMinute: 90}
		}
		workers := []*Ledger{NewLedger(new(Memory), 1<<40)}
		workers = append(workers, NewLedger(workers[0].store, 2<<40))
		made := int64(t0)
		meter := func(d period.Duration) *Meter {
			m := NewMeter(ForKey, "k", "")
			m.Budget, m.Every, m.Calendar, m.Anchor = Cap{Max: math.MaxInt64, Limited: true}, d, calendar, made
			return m
		}
		now, m := made, meter(everies[rng.IntN(len(everies))])
		type answer struct {
			l *Ledger
			h *Hold
			spending
		}
		var all []spending
		var late []answer
		for step := range 120 {
			l := workers[rng.IntN(2)]
			switch rng.IntN(8) {
			case 0:
				now += rng.Int64N(40 * day)
			case 1, 2:
				now += rng.Int64N(3 * day)
			case 3, 4:
				now += rng.Int64N(3 * 3600 * second)
			default:
				now += rng.Int64N(100 * second)
			}
			if rng.IntN(3) == 0 {
				m = meter(everies[rng.IntN(len(everies))])
			}
			late = append(late, answer{l, admit(t, l, now, m, 5), spending{now, 1 + rng.Int64N(100)}})
			now += rng.Int64N(2) * rng.Int64N(20*second)
			for len(late) > 0 && rng.IntN(3) > 0 {
				i := rng.IntN(len(late))
				settle(t, late[i].l, now, late[i].h, late[i].cost)
				all = append(all, late[i].spending)
				late = slices.Delete(late, i, i+1)
			}
			if rng.IntN(4) == 0 {
				// A tally is written late, under whatever rule it was made.
				tallied := meter(m.Every)
				tallied.Budget = Cap{}
				l.Tally(now, now, tallied, &Spent{Total: 1, Cost: 9})
				all = append(all, spending{now, 9})
				l.WriteTallies(now)
			}

			is := meter(everies[rng.IntN(len(everies))])
			if rng.IntN(2) == 0 {
				is = m
			}
			start, end := is.span(now)
			want := int64(0)
			for _, s := range all {
				if start <= s.at && s.at < end {
					want += s.cost
				}
			}
			got := int64(balanceOf(t, l, now, is).Spent)
			if oldMinutes := is.Every.Unit == period.Minute; got != want && !oldMinutes {
				t.Fatalf("seed %d, step %d: %d spent in %+v, want %d (was %+v)", seed, step, got, is.Every, want, m.Every)
			}
		}
	}
}

// A history stays within its bound, whatever is spent when, and forgets nothing that a
// day's, a month's or an hour's begin of the present needs.
func TestHistoryIsBounded(t *testing.T) {
	c := &period.Calendar{}
	var h history
	total, minute := int64(0), t0/minuteMS
	for range 3 * 366 * 24 * 60 / 7 {
		h.mark(minute, total, c)
		total++
		minute += 7
		if len(h.marks) > maxMarks {
			t.Fatalf("%d marks", len(h.marks))
		}
	}
	now := (minute - 7) * minuteMS
	for _, d := range []period.Duration{{N: 1, Unit: period.Hour}, {N: 1, Unit: period.Day}, {N: 7, Unit: period.Day}, {N: 1, Unit: period.Month}} {
		start, _ := c.Span(d, 0, now)
		first := start/minuteMS + 7 // the first that is not before the begin
		for first -= 7; (first-t0/minuteMS)%7 != 0; first++ {
		}
		if got, want := h.before(start, total), (first-t0/minuteMS)/7; got != want {
			t.Errorf("%+v: %d before it, want %d", d, got, want)
		}
	}
	if n := len(h.encode(nil, 1)); n > historyFixed+16*maxMarks {
		t.Errorf("%d bytes", n)
	}
}

func FuzzHistory(f *testing.F) {
	h := history{marks: []mark{{1, 2}, {3, 4}}}
	f.Add(h.encode(nil, 7), int64(1), int64(5))
	f.Fuzz(func(t *testing.T, v []byte, minute, cost int64) {
		var h history
		if !h.decode(v) {
			return
		}
		h.before(minute, cost)
		h.mark(minute, cost, nil)
		h.late(minute, cost)
		var again history
		if !again.decode(h.encode(nil, 1)) {
			t.Fatal("what was written can't be read")
		}
	})
}
