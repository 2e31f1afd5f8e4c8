package quota

import (
	"testing"

	"fairshare/plugin/period"
)

// A note of the journal tells whose the money of a hold is.
func TestNotesTellWhoPays(t *testing.T) {
	for _, skips := range []Reasons{0, Budget, Budget | Tokens, Requests | Tokens, Budget | Requests | Tokens} {
		for _, shadow := range []Reasons{0, Tokens} {
			m := NewMeter(ForCustomer, "c", "")
			m.Skips, m.Shadow = skips, shadow
			h := Hold{cost: 7, at: 5}
			h.meters[0], h.nmeters = m, 1
			var p page
			p.put(0, 1, &h)
			_, got := p.hold(0)
			if o := got.meters[0]; o.Skips != skips || o.Shadow != shadow || o.ID != m.ID || o.key != m.key {
				t.Errorf("skips %b, shadow %b: %b, %b, %x", skips, shadow, o.Skips, o.Shadow, o.ID)
			}
		}
	}
}

// What is written late is counted in the period that is there: it does not bring an old
// rule back.
func TestLateTalliesKeepTheRule(t *testing.T) {
	l := NewLedger(new(Memory), 1)
	old, changed := NewMeter(ForUser, "u", ""), NewMeter(ForUser, "u", "")
	old.Every = period.Duration{N: 30, Unit: period.Day}
	changed.Every, changed.Budget = period.Duration{N: 1, Unit: period.Day}, capped(100)
	l.Tally(t0, t0, old, &Spent{Cost: 1})
	l.WriteTallies(t0)
	l.Tally(t0, t0, old, &Spent{Cost: 2})
	var a account
	if err := l.account(t0, changed, &a); err != nil {
		t.Fatal(err)
	}
	if l.put(changed, &a) != OK {
		t.Fatal("not written")
	}
	l.WriteTallies(t0)
	if err := l.load(t0, changed, &a); err != nil || a.rule != changed.rule() || a.paying(t0).spent != 3 || a.paying(t0).end != mustEnd(changed, t0) {
		t.Errorf("%v: %+v", err, a.periods)
	}
}

func mustEnd(m *Meter, now int64) int64 { _, end := m.span(now); return end }
