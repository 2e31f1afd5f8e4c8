//go:build !tinygo

// Not in wasm, where its thousands of goroutines take about 20 seconds.

package tenant

import (
	"strconv"
	"testing"

	"fairshare/plugin/quota"
)

// A schedule decides which of several workers makes the next call of the store.
// next reports whether there is a schedule that was not run yet.
type schedule struct {
	choices, among []int
	at             int
}

func (s *schedule) pick(n int) int {
	if s.at == len(s.choices) {
		s.choices, s.among = append(s.choices, 0), append(s.among, n)
	}
	s.at++
	return s.choices[s.at-1]
}

func (s *schedule) next() bool {
	s.at = 0
	for n := len(s.choices) - 1; n >= 0; n-- {
		if s.choices[n]++; s.choices[n] < s.among[n] {
			s.choices, s.among = s.choices[:n+1], s.among[:n+1]
			return true
		}
	}
	return false
}

// A turn is a worker's store: each call waits until it is the worker's turn.
type turn struct {
	quota.Store
	begin chan bool
	done  chan bool // false when the worker has ended
}

func (s turn) Get(key string) ([]byte, uint32, quota.Status) {
	s.done <- true
	<-s.begin
	v, cas, st := s.Store.Get(key)
	return append([]byte(nil), v...), cas, st
}

func (s turn) Set(key string, value []byte, cas uint32) quota.Status {
	s.done <- true
	<-s.begin
	return s.Store.Set(key, value, cas)
}

// race adds each key in a worker of its own, their calls of the store in the
// order of the schedule.
func race(store quota.Store, s *schedule, keys []*Key) []Outcome {
	outcomes := make([]Outcome, len(keys))
	var waiting []turn
	for i, k := range keys {
		w := turn{store, make(chan bool), make(chan bool)}
		go func() {
			outcomes[i] = NewDirectory(w, nil).Add(k)
			w.done <- false
		}()
		if <-w.done {
			waiting = append(waiting, w)
		}
	}
	for len(waiting) > 0 {
		i := s.pick(len(waiting))
		w := waiting[i]
		w.begin <- true
		if !<-w.done {
			waiting = append(waiting[:i:i], waiting[i+1:]...)
		}
	}
	return outcomes
}

// Two workers at once, in every order of their calls of the store: exactly one
// of them has the key or the alias for which they race, and what the other took
// on its way is free.
func TestHammerAdd(t *testing.T) {
	for _, c := range []struct {
		name string
		keys [2]*Key
		loss Outcome
	}{
		{"one alias", [2]*Key{named("sk-1", "a"), named("sk-2", "a")}, AliasTaken},
		{"one key", [2]*Key{named("sk-1", "a"), named("sk-1", "b")}, KeyExists},
		{"one key without alias", [2]*Key{named("sk-1", ""), named("sk-1", "")}, KeyExists},
		{"one key and one alias", [2]*Key{named("sk-1", "a"), named("sk-1", "a")}, AliasTaken},
	} {
		for _, strict := range []bool{false, true} {
			var s schedule
			runs := 0
			for more := true; more; more = s.next() {
				runs++
				store := &flaky{strict: strict}
				got := race(store, &s, c.keys[:])
				won := 0
				if got[1] == Added {
					won = 1
				}
				lost := 1 - won
				// The loser may come when the winner is through.
				if got[won] != Added || got[lost] != c.loss && got[lost] != KeyExists {
					t.Fatalf("%s, strict %v, order %v: %v", c.name, strict, s.choices, got)
				}
				d := NewDirectory(store, nil)
				if k, st := d.Find(&c.keys[won].Hash); st != quota.OK || k.Alias != c.keys[won].Alias {
					t.Fatalf("%s, strict %v, order %v: the winner is %+v, %v", c.name, strict, s.choices, k, st)
				}
				if c.keys[lost].Hash != c.keys[won].Hash {
					if _, st := d.Find(&c.keys[lost].Hash); st != quota.NotFound {
						t.Fatalf("%s, strict %v, order %v: the loser's key: %v", c.name, strict, s.choices, st)
					}
				}
				for i, k := range c.keys {
					want := Added
					if k.Alias != "" && k.Alias == c.keys[won].Alias {
						want = AliasTaken
					}
					if got := d.Add(named("sk-later-"+strconv.Itoa(i), k.Alias)); got != want {
						t.Fatalf("%s, strict %v, order %v: alias %q afterwards: %v, want %v", c.name, strict, s.choices, k.Alias, got, want)
					}
				}
			}
			if runs < 6 {
				t.Errorf("%s: only %d orders were tried", c.name, runs)
			}
		}
	}
}
