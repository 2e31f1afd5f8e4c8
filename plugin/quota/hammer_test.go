//go:build !tinygo

package quota

import (
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"fairshare/plugin/unit"
)

// seedFlag repeats a hammer's run; its failures print the seed.
var seedFlag = flag.Uint64("seed", 0, "seed of the hammer tests, 0 for a new one")

func seed(t *testing.T) uint64 {
	s := *seedFlag
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (repeat with -seed=%d)", s, s)
	return s
}

// interleaved is a store in which, at any get or set of one worker, others may
// act first: every order of the workers' calls can happen.
type interleaved struct {
	Memory
	rng    *rand.Rand
	others []todo
	busy   map[*Ledger]bool // in the middle of an act: a VM does one at a time
}

// todo is what a worker has yet to do.
type todo struct {
	by  *Ledger
	act func()
}

func (s *interleaved) between() {
	if len(s.busy) < 4 && s.rng.IntN(4) == 0 {
		s.step()
	}
}

// step lets some worker that is free do one of its acts.
func (s *interleaved) step() {
	if len(s.others) == 0 {
		return
	}
	i := s.rng.IntN(len(s.others))
	next := s.others[i]
	if s.busy[next.by] {
		return
	}
	s.others = append(s.others[:i], s.others[i+1:]...)
	s.busy[next.by] = true
	next.act()
	delete(s.busy, next.by)
}

func (s *interleaved) Get(key string) ([]byte, uint32, Status) {
	s.between()
	v, cas, st := s.Memory.Get(key)
	return append([]byte(nil), v...), cas, st
}

func (s *interleaved) Set(key string, value []byte, cas uint32) Status {
	s.between()
	return s.Memory.Set(key, value, cas)
}

// Whatever the order, a minute's holds never exceed its capacity, and in the end
// the books are those of one worker that did all in turn.
func TestHammerInterleavings(t *testing.T) {
	first := seed(t)
	for n := range uint64(2000) {
		rng := rand.New(rand.NewPCG(first, n))
		workers, keys := 2+rng.IntN(15), 1+rng.IntN(40)
		capacity := int64(1 + rng.IntN(500))
		terms := NewTerms("m", capacity, int64(1+rng.IntN(50)), true, rng.IntN(2) == 0)
		s := &interleaved{rng: rng, busy: map[*Ledger]bool{}}
		ledgers := make([]*Ledger, workers)
		for i := range ledgers {
			ledgers[i] = NewLedger(s, uint64(i+1))
		}
		var heldTokens, usedTokens, admitted int64
		now := t0 + int64(rng.IntN(60_000))
		check := func() {
			var b Book
			if err := NewLedger(&s.Memory, 99).Read(now, &terms, &b); err != nil {
				t.Fatal(err)
			}
			if int64(b.Used+b.Held) > capacity {
				t.Fatalf("seed %d run %d: used %d + held %d > %d", first, n, b.Used, b.Held, capacity)
			}
			if terms.LimitRPM && b.Requests > terms.RPM {
				t.Fatalf("seed %d run %d: %d requests > %d", first, n, b.Requests, terms.RPM)
			}
		}
		for range 1 + rng.IntN(120) {
			l, key, want := ledgers[rng.IntN(workers)], uint64(1+rng.IntN(keys)), int64(1+rng.IntN(80))
			use := want
			if rng.IntN(3) > 0 {
				use = int64(rng.IntN(int(want))) + 1
			}
			s.others = append(s.others, todo{l, func() {
				v, err := l.decide(now, &terms, Claim{Key: key, Weight: One, Pool: NoPool, Exact: unit.Tokens(want)})
				if err != nil {
					t.Fatalf("seed %d run %d: %v", first, n, err)
				}
				if !v.OK() {
					return
				}
				admitted++
				held := int64(v.Hold.tokens)
				heldTokens += held
				s.others = append(s.others, todo{l, func() {
					used := min(use, held)
					if rng.IntN(5) == 0 {
						err = l.Release(now, &terms, &v.Hold)
					} else {
						usedTokens += used
						err = l.Settle(now, &terms, &v.Hold, Spent{Total: unit.Tokens(used)})
					}
					if err != nil {
						t.Fatalf("seed %d run %d: %v", first, n, err)
					}
					heldTokens -= held
				}})
			}})
		}
		for len(s.others) > 0 {
			s.step()
			check()
		}
		var b Book
		if err := ledgers[0].Read(now, &terms, &b); err != nil {
			t.Fatal(err)
		}
		if int64(b.Used) != usedTokens || b.Held != 0 || b.Slots != 0 || b.Requests != admitted || int64(b.Totals.Tokens) != usedTokens {
			t.Fatalf("seed %d run %d: used %d held %d slots %d requests %d, want %d 0 0 %d",
				first, n, b.Used, b.Held, b.Slots, b.Requests, usedTokens, admitted)
		}
		for _, l := range ledgers {
			for _, p := range l.pages {
				if p.used != 0 {
					t.Fatalf("seed %d run %d: a closed hold is still in the journal", first, n)
				}
			}
		}
	}
}

// locked is a store for goroutines, as Envoy's shared data is for its workers.
type locked struct {
	mu sync.Mutex
	m  Memory
}

func (s *locked) Get(key string) ([]byte, uint32, Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, cas, st := s.m.Get(key)
	return append([]byte(nil), v...), cas, st
}

func (s *locked) Set(key string, value []byte, cas uint32) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.Set(key, value, cas)
}

// A burst of 200 requests on real threads, where two fit: two are admitted.
func TestHammerBurst(t *testing.T) {
	for round := range 50 {
		for _, oneKey := range []bool{true, false} {
			for _, dim := range []string{"tpm", "rpm"} {
				terms, want := tpm(60), int64(2)
				if dim == "rpm" {
					terms, want = rpm(4), 4
				}
				s := new(locked)
				var admitted, conflicts int64
				var mu sync.Mutex
				var wg sync.WaitGroup
				for w := range 8 {
					wg.Add(1)
					go func() {
						defer wg.Done()
						l := NewLedger(s, uint64(w+1))
						for i := range 25 {
							key := uint64(1)
							if !oneKey {
								key = uint64(w*25 + i + 1)
							}
							v, err := l.decide(t0, terms, Claim{Key: key, Weight: One, Pool: NoPool, Exact: 30})
							mu.Lock()
							if err != nil {
								conflicts++
							} else if v.OK() {
								admitted++
							}
							mu.Unlock()
						}
					}()
				}
				wg.Wait()
				if admitted != want || conflicts != 0 {
					t.Fatalf("round %d, %s, one key %v: %d admitted, %d conflicts, want %d and 0", round, dim, oneKey, admitted, conflicts, want)
				}
			}
		}
	}
}
