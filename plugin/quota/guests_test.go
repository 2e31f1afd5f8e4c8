package quota

import (
	"strconv"
	"strings"
	"testing"
)

// However many end users a client names, their books are bounded: the first have their
// own, for as long as they like, the others share some. A name that nothing is counted on
// takes no place, and what was spent is never forgotten.
func TestGuestsAreBounded(t *testing.T) {
	s := &counting{keys: map[string]bool{}}
	l := NewLedger(s, 1)
	guest := func(id string) *Meter {
		m := new(Meter)
		if st := l.NameGuest(m, id); st != OK {
			t.Fatal(st)
		}
		m.Budget = capped(1000)
		return m
	}
	for i := range 2 * maxGuests {
		guest("refused " + strconv.Itoa(i)) // counts on nothing
	}
	first := guest("first")
	settle(t, l, t0, admit(t, l, t0, first, 5), 70)
	const names = maxGuests + 20_000
	for i := range names {
		m := guest("name " + strconv.Itoa(i))
		settle(t, l, t0, admit(t, l, t0, m, 1), 1)
	}
	books := 0
	for key := range s.keys {
		if strings.HasPrefix(key, "fs/s/") {
			books++
		}
	}
	if books > names || books < maxGuests+10_000 {
		t.Errorf("%d books", books)
	}
	if m := guest("first"); m.ID != first.ID || balanceOf(t, l, t0, m).Spent != 70 {
		t.Error("the first has lost his own")
	}
	late := guest("late")
	settle(t, l, t0, admit(t, l, t0, late, 5), 90)
	if m := guest("late"); m.ID != late.ID || m.guest || balanceOf(t, l, t0, m).Spent < 90 {
		t.Error("who comes late has no books")
	}
	shared := map[MeterID]bool{}
	for i := range 3 * sharedGuests {
		shared[guest("later "+strconv.Itoa(i)).ID] = true
	}
	if len(shared) > sharedGuests {
		t.Errorf("%d are shared", len(shared))
	}
}

// counting notes which keys were written.
type counting struct {
	Memory
	keys map[string]bool
}

func (s *counting) Set(key string, value []byte, cas uint32) Status {
	st := s.Memory.Set(key, value, cas)
	if st == OK {
		s.keys[key] = true
	}
	return st
}
