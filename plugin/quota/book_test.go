package quota

import (
	"math/rand/v2"
	"testing"

	"fairshare/plugin/unit"
)

// What a report says that a key may take is what its next smallest request would
// be told, whatever the limiter is, and no part of a reservation is told twice.
func TestBookSaysWhatAdmissionWould(t *testing.T) {
	const seed = 20261121
	rng := rand.New(rand.NewPCG(seed, 0))
	for round := range 300 {
		terms := NewTerms("m", 1+rng.Int64N(5000), 1+rng.Int64N(100), rng.IntN(4) > 0, rng.IntN(4) > 0)
		kind, pools := rng.IntN(3), 1+rng.IntN(5)
		var weights []uint32
		for range pools {
			weights = append(weights, uint32(rng.IntN(One/pools)))
		}
		switch kind {
		case 1:
			terms.Pools = Pools{Weights: weights, GraceMS: 10_000, Threshold: int64(rng.IntN(2) * rng.IntN(One))}
		case 2:
			terms.Hard = weights
		}
		l, now, claims := NewLedger(new(Memory), 1), t0, map[uint64]Claim{}
		for range rng.IntN(60) {
			now += rng.Int64N(2000)
			c := Claim{Key: uint64(1 + rng.IntN(12)), Weight: One, Pool: NoPool, Exact: unit.Tokens(1 + rng.Int64N(200))}
			if pool := int(c.Key) % (pools + 1); pool < pools && kind > 0 {
				c.Pool = uint8(pool)
				if kind == 2 {
					c.Weight, c.Hard = weights[pool], true
				}
			}
			v, err := l.decide(now, &terms, c)
			if err != nil {
				t.Fatal(err)
			}
			if v.OK() && rng.IntN(2) == 0 {
				if err := l.Settle(now, &terms, &v.Hold, Spent{Total: unit.Tokens(rng.Int64N(200))}); err != nil {
					t.Fatal(err)
				}
			}
			claims[c.Key] = c
		}
		var b Book
		if err := l.Read(now, &terms, &b); err != nil {
			t.Fatal(err)
		}
		r, ms := l.buf, l.buf.msLeft(now)
		for i := range b.Lines {
			line := &b.Lines[i]
			c, known := claims[line.ID]
			if !known {
				continue // a pool's own
			}
			look := &l.look
			look.see(r, r.find(line.ID), &terms, &c, 0)
			for k := range look.limits[:look.n] {
				m := &look.limits[k]
				look.fits(m, ms)
				share, available := line.TokenShare, line.TokensAvailable
				if m.d == requests {
					share, available = line.RequestShare, line.RequestsAvailable
				}
				if want := max(0, m.room) / milli; available != want {
					t.Fatalf("seed %d round %d: key %d may take %d of %d, the report says %d", seed, round, line.ID, want, m.d, available)
				}
				mates := int64(0)
				for _, other := range b.Lines {
					if other.Pool == line.Pool {
						mates++
					}
				}
				if want := look.shareOf(m, mates); share != want {
					t.Fatalf("seed %d round %d: key %d shares %d of %d, the report says %d", seed, round, line.ID, want, m.d, share)
				}
			}
		}
		for i := range b.Pools {
			p := &b.Pools[i]
			if most := max(0, p.TokenShare-int64(p.Used)-int64(p.Held)); p.TokensReleased < 0 || p.TokensReleased > most {
				t.Fatalf("seed %d round %d: %d tokens released of %d that are not taken", seed, round, p.TokensReleased, most)
			}
			if most := max(0, p.RequestShare-p.Requests); p.RequestsReleased < 0 || p.RequestsReleased > most {
				t.Fatalf("seed %d round %d: %d requests released of %d that are not taken", seed, round, p.RequestsReleased, most)
			}
		}
	}
}

// What is released of a reservation is what somebody else may take of it: as the
// minute passes without its priority, more and more.
func TestReleased(t *testing.T) {
	terms := NewTerms("m", 0, 100, false, true)
	terms.Pools = Pools{Weights: []uint32{900_000, 100_000}}
	l := NewLedger(new(Memory), 1)
	book := func(now int64) Book {
		var b Book
		if err := l.Read(now, &terms, &b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	take := func(now int64, pool uint8) bool {
		v, err := l.decide(now, &terms, Claim{Key: uint64(pool) + 1, Weight: One, Pool: pool, Exact: 1})
		if err != nil {
			t.Fatal(err)
		}
		return v.OK()
	}
	for _, c := range []struct{ at, released int64 }{{0, 0}, {15, 22}, {30, 45}, {45, 67}} {
		b := book(t0 + c.at*second)
		if got := b.Pools[0].RequestsReleased; got != c.released {
			t.Errorf("after %d s %d requests of 90 are released, want %d", c.at, got, c.released)
		}
	}
	for range 10 {
		take(t0, 1) // its own
	}
	now := t0 + 30*second
	taken := int64(0)
	for take(now, 1) {
		taken++
	}
	if b := book(now); taken != 45 || b.Pools[0].RequestsReleased != 45 {
		t.Errorf("of 45 released %d could be taken; then %d are released", taken, b.Pools[0].RequestsReleased)
	}
	// What it takes itself is neither kept nor released.
	for range 45 {
		if !take(now, 0) {
			t.Fatal("its own half was not there")
		}
	}
	if b := book(now); b.Pools[0].RequestsReleased != 45 || b.Pools[0].Requests != 45 {
		t.Errorf("%d taken, %d released, want 45 each", b.Pools[0].Requests, b.Pools[0].RequestsReleased)
	}
}

func TestReadManyKeys(t *testing.T) {
	terms := NewTerms("m", 1_000_000, 0, true, false)
	for i := range MaxPools {
		terms.Pools.Weights = append(terms.Pools.Weights, uint32(One/MaxPools-i))
	}
	l := NewLedger(new(Memory), 1)
	for key := range uint64(3000) {
		if _, err := l.decidePaid(t0, &terms, Claim{Key: key + 1, Weight: One, Pool: uint8(key % MaxPools)}, Spent{Total: 10}); err != nil {
			t.Fatal(err)
		}
	}
	var b Book
	if err := l.Read(t0, &terms, &b); err != nil {
		t.Fatal(err)
	}
	used := unit.Tokens(0)
	for i := range b.Lines {
		used += b.Lines[i].Used
	}
	if len(b.Lines) > maxLines+MaxPools || len(b.Pools) != MaxPools || used != b.Used || used != 30_000 {
		t.Errorf("%d lines, %d pools, %d tokens on lines of %d", len(b.Lines), len(b.Pools), used, b.Used)
	}
	if n := testing.AllocsPerRun(10, func() { _ = l.Read(t0, &terms, &b) }); n > 0 {
		t.Errorf("a second read allocates %g times", n)
	}
}
