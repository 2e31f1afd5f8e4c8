package quota

import (
	"testing"

	"fairshare/plugin/unit"
)

// After a reset a minute is whole but for what is held, nothing is known of answers, and
// what is in flight settles as ever.
func TestReset(t *testing.T) {
	terms, l := tpm(1000), NewLedger(new(Memory), 1)
	c := Claim{Key: 1, Weight: One, Pool: NoPool, Ask: Ask{TextBytes: 40, MaxOutput: 90, Capped: true}}
	for _, total := range []int64{900, 1 << 40} {
		v, err := l.decide(t0, terms, c)
		if err != nil || !v.OK() {
			t.Fatal(err)
		}
		open, err := l.decide(t0, terms, c)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Settle(t0, terms, &v.Hold, costs(10, unit.Tokens(total))); err != nil {
			t.Fatal(err)
		}
		if err := l.Reset(t0, terms); err != nil {
			t.Fatal(err)
		}
		var b Book
		if err := l.Read(t0, terms, &b); err != nil {
			t.Fatal(err)
		}
		if b.Used != 0 || b.Requests != 0 || b.Learned.Samples != 0 || b.Held != open.Hold.tokens {
			t.Errorf("after a reset: %+v", b)
		}
		if !open.Hold.Open() {
			t.Fatal("nothing was in flight")
		}
		if err := l.Settle(t0, terms, &open.Hold, costs(10, 20)); err != nil {
			t.Fatal(err)
		}
		if err := l.Read(t0, terms, &b); err != nil {
			t.Fatal(err)
		}
		if b.Used != 30 || b.Held != 0 || b.Slots != 0 {
			t.Errorf("after the answer in flight: %+v", b)
		}
		if err := l.Reset(t0, terms); err != nil {
			t.Fatal(err)
		}
	}
}
