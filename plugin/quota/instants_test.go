package quota

import (
	"math/rand/v2"
	"testing"
)

// Whatever is spent when, and however late it is told: what was spent since the begin of
// one of the units' periods is exact, and since any other moment it is never told as less.
func TestInstantsLoseNothing(t *testing.T) {
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var a instants
		spent := map[int64]int64{} // by second
		now, total := t0/second+rng.Int64N(1000), int64(0)
		pace := 1 + rng.Int64N(30)
		for step := range 200 {
			now += rng.Int64N(pace)
			at := now
			if rng.IntN(3) == 0 {
				at -= rng.Int64N(40)
			}
			cost := 1 + rng.Int64N(9)
			a.note(at*second, cost, total)
			spent[at] += cost
			total += cost
			if n := a.len(); n == 0 || n > maxInstants {
				t.Fatalf("%d instants", n)
			}
			since := func(begin int64) (told, truth int64) {
				before, ok := a.before(begin*second, now*second, total)
				if !ok {
					t.Fatalf("seed %d, step %d: %d s ago is not known", seed, step, now-begin)
				}
				for s, cost := range spent {
					if s >= begin {
						truth += cost
					}
				}
				return total - before, truth
			}
			for _, unit := range instantUnits {
				if told, truth := since(now - now%unit); told != truth {
					t.Fatalf("seed %d, step %d: %d spent in %d s, want %d", seed, step, told, unit, truth)
				}
			}
			begin := now - rng.Int64N(instantReach)
			if told, truth := since(begin); told < truth || told != truth && len(spent) < maxInstants {
				t.Fatalf("seed %d, step %d: %d spent in the last %d s, want %d", seed, step, told, now-begin, truth)
			}
		}
	}
}

// What is spent in the same second, or was told as another's, needs no room, and none has
// ever to be made that is not there.
func TestInstantsOfOddClocks(t *testing.T) {
	var a instants
	if _, ok := a.before(0, 0, 5); ok {
		t.Error("nothing is known, and something was told")
	}
	for i, at := range []int64{t0, t0 + 500, 1 << 50, t0, -1 << 50, 0, 1, t0 + 1000, t0 + 2000, t0 - 1000, t0 - 2000, t0 + 3000, t0 + 9000, t0 + 8000} {
		a.note(at, 1, int64(i))
		if a.len() > maxInstants {
			t.Fatal(i, a.len())
		}
	}
	a.note(t0, -100, 14)
	for i := range a.len() {
		if a.spent(i) < 0 {
			t.Error("less than nothing was spent")
		}
	}
}
