//go:build !tinygo

package quota

import (
	"encoding/binary"
	"testing"
)

// Whatever lies in the store, a ledger neither panics nor takes a record that
// is not whole and its own; and a record of any numbers can be worked with.
func FuzzRecord(f *testing.F) {
	whole := newRecord(nil, "fs/m/m", t0)
	for id := range uint64(3) {
		whole.open(id+1, NoPool)
	}
	whole.seal(5)
	f.Add([]byte(whole), true, int64(0))
	f.Add([]byte(whole[:50]), false, int64(1))
	f.Add([]byte{}, false, int64(-1))
	f.Fuzz(func(t *testing.T, v []byte, mend bool, later int64) {
		terms := tpm(100)
		if later&1 != 0 {
			terms = reserve(100, 600_000, 0, 400_000)
		}
		if mend && len(v) >= len(whole) {
			// Keep the form, so that foreign numbers get past the check.
			lines := (len(v) - len(whole)) / lineSize
			v = v[:len(whole)+lines*lineSize]
			copy(v, whole[:atStamp])
			binary.LittleEndian.PutUint16(v[6:], uint16(lines+3))
			copy(v[atKey:], whole[atKey:whole.first()])
			record(v).seal(7)
			if !valid(v, terms.Key) {
				t.Fatal("mended, yet not valid")
			}
		}
		s := new(Memory)
		s.Set(terms.Key, v, 0)
		l := NewLedger(s, 1)
		now := t0 + later%(1<<40)
		verdict, err := l.decide(now, terms, Claim{Key: 1, Weight: One, Pool: uint8(later>>1) % 4, Exact: 10})
		if err != nil {
			t.Fatal(err)
		}
		if verdict.OK() {
			if err := l.Settle(now, terms, &verdict.Hold, Spent{Prompt: 5, Completion: 5, Total: 10, Learn: true}); err != nil {
				t.Fatal(err)
			}
		} else if verdict.RetryMS <= 0 {
			t.Fatalf("a wait of %d ms", verdict.RetryMS)
		}
		var b Book
		if err := l.Read(now+minuteMS, terms, &b); err != nil {
			t.Fatal(err)
		}
	})
}

// The journal and the seats of others are read as they lie there.
func FuzzSeats(f *testing.F) {
	f.Add([]byte("x"), []byte("y"), []byte("z"))
	f.Fuzz(func(t *testing.T, lead, sitting, journal []byte) {
		s := new(Memory)
		s.Set(leadKey, lead, 0)
		s.Set(seatKey(0), sitting, 0)
		s.Set(pageKey(0, 0), journal, 0)
		l, terms := NewLedger(s, 1), tpm(100)
		for i := range int64(60) {
			l.Tick(t0+i*200, []*Terms{terms})
		}
		if _, err := l.decide(t0+20*second, terms, Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 10}); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzRefusals reads whatever lies there.
func FuzzRefusals(f *testing.F) {
	var r Refusals
	f.Add(r.encode(nil, 1), true)
	r.Last.Reason = OverTokens + 1 // of a refusal that is none
	f.Add(r.encode(nil, 1), true)
	f.Add([]byte("x"), false)
	f.Fuzz(func(t *testing.T, v []byte, mend bool) {
		terms := tpm(1)
		if mend && len(v) == refusalsSize {
			var r Refusals
			whole := r.encode(nil, terms.id)
			v = append(whole[:16:16], v[16:]...)
			Seal(v, refusalsMagic)
		}
		s := new(Memory)
		s.Set(refusalsKey(terms), v, 0)
		got := refusals(t, s, terms)
		if l := &got.Last; l.By >= NumLimitings || l.Reason > OverTokens || len(l.Alias) > MaxAlias {
			t.Fatalf("%+v", got.Last)
		}
	})
}
