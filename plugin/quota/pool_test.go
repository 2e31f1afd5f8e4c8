package quota

import (
	"strconv"
	"testing"

	"fairshare/plugin/unit"
)

// graceMS is config's default: in TestReservationUnderFlood more of it makes no
// difference, and less takes requests from pools that make few.
const graceMS = 10_000

// reserve is a group of tokens whose pools reserve millionths.
func reserve(tpm int64, weights ...uint32) *Terms {
	t := NewTerms("m", tpm, 0, true, false)
	t.Pools = Pools{Weights: weights, GraceMS: graceMS}
	return &t
}

// reserveRequests is the same of requests.
func reserveRequests(rpm int64, weights ...uint32) *Terms {
	t := NewTerms("m", 0, rpm, false, true)
	t.Pools = Pools{Weights: weights, GraceMS: graceMS}
	return &t
}

// byTens puts keys 1 to 9 into pool 0, 10 to 19 into pool 1 and so on.
func byTens(key uint64) Claim { return Claim{Key: key, Weight: One, Pool: uint8(key / 10)} }

const (
	prod, prod2, dev, dev2, other = 1, 2, 10, 11, 20 // keys
)

func TestReservationIsThereWhenItComes(t *testing.T) {
	play(t, reserveRequests(10, 900_000, 100_000), byTens, []act{
		{0, "ask", dev, 0, "ok"},
		{0, "ask", dev, 0, "rpm caller 0 model 9 active 1 retry 7"},
		{7, "ask", dev, 0, "ok"},
		{30, "ask", dev, 0, "ok"},
		{30, "ask", dev, 0, "ok"},
		{30, "ask", dev, 0, "ok"}, // of the 9 prod can't use more than 4.5 any more
		{30, "ask", dev, 0, "rpm caller 0 model 5 active 1 retry 4"},
		{30, "ask", prod, 0, "ok"},
		{30, "ask", prod, 0, "ok"},
		{30, "ask", prod, 0, "ok"},
		{30, "ask", prod, 0, "ok"},
		{30, "ask", prod, 0, "ok"},
		{30, "ask", prod, 0, "rpm caller 0 model 0 active 2 retry 30"},
		{60, "ask", dev, 0, "ok"},
		{60, "ask", dev, 0, "rpm caller 0 model 9 active 2 retry 7"},
	})
}

func TestLonePoolGetsAll(t *testing.T) {
	for _, key := range []uint64{prod, dev} {
		terms, l := reserveRequests(10, 900_000, 100_000), NewLedger(new(Memory), 7)
		admitted := 0
		for s := range int64(60) {
			for range 10 {
				v, err := l.decide(t0+s*second, terms, byTens(key))
				if err != nil {
					t.Fatal(err)
				}
				if v.OK() {
					admitted++
				}
			}
		}
		if admitted != 10 {
			t.Errorf("key %d alone gets %d of 10", key, admitted)
		}
	}
}

// What one key of a pool borrows does not count as the pool's reservation: the
// pool's other keys have their parts of that, whoever else asks.
func TestWhatOneKeyBorrowsItsPeersDoNotLack(t *testing.T) {
	play(t, reserve(1000, 500_000, 0), byTens, []act{
		{0, "ask", prod2, 1, "ok"},
		{0, "ask", prod, 1, "ok"},
		// Nobody reserves the other 500. Of all that its pool may take now, prod
		// leaves prod2 half; then a flood comes.
		{0, "ask", prod, 499, "ok"},
		{0, "ask", dev, 250, "ok"},
		{0, "ask", dev, 1, "tpm caller 0 model 249 active 3 retry 31"},
		{0, "ask", prod2, 249, "ok"},
	})
}

// Two pools that wake at the same time find what each was promised, also if the
// first to come wants more.
func TestPoolThatWasFastDoesNotBlockAnother(t *testing.T) {
	play(t, reserve(1000, 400_000, 400_000, 200_000), byTens, []act{
		{30, "ask", other, 600, "ok"}, // its 200, and half of the others' that they lost by now
		{30, "ask", prod, 150, "ok"},
		{30, "ask", prod, 50, "ok"},
		{30, "ask", prod, 1, "tpm caller 0 model 200 active 2 retry 1"},
		{30, "ask", dev, 200, "ok"},
	})
}

func TestFirstRequestOfAPoolMayExceedItsPart(t *testing.T) {
	play(t, reserve(100, 800_000, 100_000, 100_000), byTens, []act{
		{0, "ask", dev, 30, "ok"}, // its part is 10
		// One such request is lent from the others' reservations, not two.
		{0, "ask", other, 30, "tpm caller 10 model 70 active 1 retry 8"},
		{0, "ask", other, 10, "ok"},
		{0, "ask", prod, 60, "ok"},
	})
}

// Who reserves nothing gets what nobody else can use any more, and is told when
// that is, in whichever minute.
func TestPoolOfNoWeightBorrowsOnly(t *testing.T) {
	play(t, reserveRequests(10, One, 0), byTens, []act{
		{0, "ask", dev, 0, "rpm caller 0 model 10 active 0 retry 6"},
		{6, "ask", dev, 0, "ok"},
		{6, "ask", dev, 0, "rpm caller 0 model 9 active 1 retry 6"},
		{55, "ask", prod, 0, "ok"},
	})
	acts := []act{}
	for range 10 {
		acts = append(acts, act{0, "ask", prod, 0, "ok"})
	}
	acts = append(
		acts,
		act{50, "ask", dev, 0, "rpm caller 0 model 0 active 1 retry 16"},
		act{65, "ask", dev, 0, "rpm caller 0 model 10 active 1 retry 1"},
		act{66, "ask", dev, 0, "ok"},
	)
	play(t, reserveRequests(10, One, 0), byTens, acts)
}

// A request of who reserves nothing is not locked out by being large.
func TestLargeRequestOfAPoolOfNoWeight(t *testing.T) {
	play(t, reserve(1000, One, 0), byTens, []act{
		{0, "ask", dev, 5000, "tpm caller 0 model 1000 active 0 retry 59"},
		{59, "ask", dev, 5000, "ok"},
		{59, "settle", dev, 1200, "used 1200 held 0"},
		{59, "ask", dev, 5000, "tpm caller 0 model 0 active 1 retry 62"},
		{120, "ask", dev, 5000, "tpm caller 0 model 1000 active 0 retry 1"},
	})
}

func TestSaturationThreshold(t *testing.T) {
	terms := reserveRequests(10, 900_000, 100_000, 0)
	terms.Pools.Threshold = One / 2
	play(t, terms, byTens, []act{
		{0, "ask", dev, 0, "ok"},
		{0, "ask", other, 0, "ok"},
		{0, "ask", dev, 0, "ok"},
		{0, "ask", dev, 0, "ok"},
		{0, "ask", dev, 0, "ok"},
		{0, "ask", dev, 0, "rpm caller 0 model 5 active 2 retry 34"},
		{0, "ask", prod, 0, "ok"},
		{0, "ask", prod, 0, "ok"},
		{0, "ask", prod, 0, "ok"},
		{0, "ask", prod, 0, "ok"},
		{0, "ask", prod, 0, "ok"},
		{0, "ask", prod, 0, "rpm caller 0 model 0 active 3 retry 60"},
	})
}

func TestKeysOfAPoolShareIt(t *testing.T) {
	play(t, reserve(1000, 600_000, 400_000), byTens, []act{
		{0, "ask", prod, 10, "ok"},
		{0, "ask", prod2, 10, "ok"},
		{0, "ask", prod, 290, "ok"},
		{0, "ask", prod, 10, "tpm caller 0 model 690 active 2 retry 3"},
		{0, "ask", dev, 400, "ok"},
		{0, "ask", prod2, 290, "ok"},
	})
}

// The keys of a pool that wakes late share what it finds evenly: what each must
// leave the others is of the whole reservation, of which time took its part already.
func TestKeysOfAPoolThatWakesLate(t *testing.T) {
	play(t, reserve(1000, 800_000, 200_000), byTens, []act{
		{0, "ask", prod, 1, "ok"},
		{0, "ask", prod2, 1, "ok"},
		{30, "ask", dev, 580, "ok"},
		{30, "ask", prod, 201, "ok"},
		{30, "ask", prod, 50, "tpm caller 17 model 217 active 3 retry 5"},
		{30, "ask", prod2, 200, "ok"},
	})
}

// Weights that are nothing at the resolution of shares, and capacities of few
// requests, strand nothing and starve nobody.
func TestSmallNumbers(t *testing.T) {
	for _, c := range []struct {
		name    string
		rpm     int64
		weights []uint32
		keys    []uint64
		want    []int64 // admitted at least
	}{
		{"one request, three keys", 1, nil, []uint64{1, 2, 3}, []int64{0, 0, 0}},
		{"four requests, two keys", 4, nil, []uint64{1, 2}, []int64{2, 2}},
		{"five requests, two keys", 5, nil, []uint64{1, 2}, []int64{2, 2}},
		{"seven requests, three keys", 7, nil, []uint64{1, 2, 3}, []int64{2, 2, 2}},
		{"one request, two pools", 1, []uint32{900_000, 100_000}, []uint64{prod, dev}, []int64{0, 0}},
		{"three requests, three pools", 3, []uint32{333_333, 333_333, 333_333}, []uint64{prod, dev, other}, []int64{1, 1, 1}},
		{"a weight of a millionth", 10, []uint32{999_999, 1}, []uint64{prod, dev}, []int64{9, 0}},
		{"no weight at all", 10, []uint32{0, 0}, []uint64{prod, dev}, []int64{0, 0}},
	} {
		terms, l := reserveRequests(c.rpm, c.weights...), NewLedger(new(Memory), 7)
		got, sum := make([]int64, len(c.keys)), int64(0)
		for ms := int64(0); ms < minuteMS; ms += 200 {
			for i, key := range c.keys {
				claim := byTens(key)
				if c.weights == nil {
					claim.Pool = NoPool
				}
				v, err := l.decide(t0+ms, terms, claim)
				if err != nil {
					t.Fatal(err)
				}
				if v.OK() {
					got[i]++
					sum++
				}
			}
		}
		for i, want := range c.want {
			if got[i] < want {
				t.Errorf("%s: %v admitted, want at least %v", c.name, got, c.want)
			}
		}
		if sum != c.rpm {
			t.Errorf("%s: %v admitted of %d", c.name, got, c.rpm)
		}
	}
}

func TestAKeysPoolIsWhereItLastAsked(t *testing.T) {
	terms, l := reserve(1000, 500_000, 500_000), NewLedger(new(Memory), 7)
	ask := func(pool uint8, n unit.Tokens) Verdict {
		v, err := l.decide(t0, terms, Claim{Key: 1, Weight: One, Pool: pool, Exact: n})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := ask(0, 300); !v.OK() || v.Pool.TokensLeft != 200 {
		t.Fatalf("%+v", v)
	}
	v := ask(1, 100)
	if !v.OK() || v.Pool.TokensLeft != 100 {
		t.Fatalf("%+v, want its 300 to count where it is now", v)
	}
	b := read(t, l, t0, terms)
	if b.Pools[0].Held != 0 || b.Pools[1].Held != 400 || b.Held != 400 {
		t.Fatalf("%+v", b)
	}
	// Its first hold is settled where it is now, too.
	if err := l.Settle(t0, terms, &v.Hold, Spent{Total: 100}); err != nil {
		t.Fatal(err)
	}
	if b := read(t, l, t0, terms); b.Pools[1].Held != 300 || b.Pools[1].Used != 100 {
		t.Fatalf("%+v", b)
	}
}

// Keys beyond those that have lines count together in their pools.
func TestMoreKeysThanLinesInPools(t *testing.T) {
	terms, l := reserve(1_000_000, 500_000, 500_000), NewLedger(new(Memory), 7)
	var last [2]Hold
	for key := range uint64(maxLines + 100) {
		v, err := l.decide(t0, terms, Claim{Key: key + 1, Weight: One, Pool: uint8(key % 2), Exact: 100})
		if err != nil || !v.OK() {
			t.Fatalf("key %d: %v %v", key, err, v.Reason)
		}
		last[key%2] = v.Hold
	}
	b := read(t, l, t0, terms)
	for i, p := range b.Pools {
		if p.Held != 50*(maxLines+100) || p.Requests != (maxLines+100)/2 {
			t.Fatalf("pool %d: %+v", i, p)
		}
	}
	// Also when they end in the next minute, with more than was there.
	if err := l.Settle(t0+minuteMS, terms, &last[1], Spent{Total: 2_000_000}); err != nil {
		t.Fatal(err)
	}
	b = read(t, l, t0+minuteMS, terms)
	if b.Pools[1].Used != b.Used || b.Used == 0 || b.Slots != maxLines+99 {
		t.Fatalf("%+v", b.Pools)
	}
}

// The pool that overdrew pays the debt, and in it the key that did.
func TestWhichPoolPaysTheDebt(t *testing.T) {
	terms := reserve(1000, 500_000, 500_000)
	l := play(t, terms, byTens, []act{
		{0, "ask", dev, 10, "ok"},
		{0, "ask", dev2, 10, "ok"},
		{0, "ask", prod, 400, "ok"},
		{0, "settle", prod, 400, "used 400 held 20"},
		{0, "settle", dev, 900, "used 1300 held 10"},
		{0, "settle", dev2, 10, "used 1310 held 0"},
		{60, "ask", prod, 400, "ok"},
		{60, "ask", prod, 100, "ok"},
		{60, "ask", dev, 200, "tpm caller 190 model 190 active 1 retry 60"},
		{60, "ask", dev, 190, "ok"},
	})
	b := read(t, l, t0+60*second, terms)
	if b.Pools[0].Used != 0 || b.Pools[1].Used != 310 {
		t.Fatalf("%+v", b.Pools)
	}
	for _, line := range b.Lines {
		if line.ID == dev2 && line.Used != 0 {
			t.Fatalf("the key that kept to its part pays %d", line.Used)
		}
	}
}

// An answer of a key that has no line any more is charged to its pool.
func TestLateAnswerOfAPool(t *testing.T) {
	terms, l := reserve(1000, 500_000, 500_000), NewLedger(new(Memory), 7)
	v, err := l.decide(t0, terms, Claim{Key: 1, Weight: One, Pool: 1, Exact: 10})
	if err != nil || !v.OK() {
		t.Fatal(err, v.Reason)
	}
	h := v.Hold
	h.epoch-- // a leader took it off the books meanwhile
	for l.begin(terms); l.read(t0); l.swap() {
		l.buf.close(&v.Hold, false, nil, terms)
	}
	if err := l.Settle(t0+5*minuteMS, terms, &h, Spent{Total: 300}); err != nil {
		t.Fatal(err)
	}
	if b := read(t, l, t0+5*minuteMS, terms); b.Pools[1].Used != 290 || b.Used != 290 || b.Slots != 0 {
		t.Fatalf("used %d, pools %+v", b.Used, b.Pools)
	}
}

// A hold that was too large takes nothing from what its key and its pool own.
func TestWhatIsGivenBackIsOwnedAgain(t *testing.T) {
	play(t, reserve(1000, 400_000, 400_000, 200_000), byTens, []act{
		{30, "ask", other, 600, "ok"},
		{30, "ask", prod, 200, "ok"},
		{30, "ask", dev, 200, "ok"},
		{30, "settle", prod, 50, "used 50 held 800"},
		{30, "ask", dev, 1, "tpm caller 0 model 150 active 3 retry 18"},
		{30, "ask", prod, 150, "ok"},
	})
}

// A new minute is promised whole, also to who was fast in the last one.
func TestMarksEndWithTheMinute(t *testing.T) {
	acts := []act{}
	for _, minute := range []int64{0, 60} {
		acts = append(
			acts,
			act{minute + 30, "ask", other, 600, "ok"},
			act{minute + 30, "ask", prod, 150, "ok"},
			act{minute + 30, "ask", prod, 50, "ok"},
			act{minute + 30, "ask", dev, 200, "ok"},
		)
	}
	play(t, reserve(1000, 400_000, 400_000, 200_000), byTens, acts)

	keys := []act{}
	for _, minute := range []int64{0, 60} {
		keys = append(
			keys,
			act{minute, "ask", 1, 10, "ok"},
			act{minute, "ask", 2, 10, "ok"},
			act{minute, "ask", 3, 270, "ok"}, // more than its share
			act{minute, "ask", 1, 5, "ok"},   // of its own, though its peers lack theirs
		)
	}
	play(t, tpm(300), nil, keys)
}

// How the pool stands is told with every verdict.
func TestVerdictTellsOfThePool(t *testing.T) {
	terms, l := reserve(1000, 250_000, 750_000), NewLedger(new(Memory), 7)
	terms.LimitRPM, terms.RPM = true, 4
	ask := func(tokens unit.Tokens) Verdict {
		v, err := l.decide(t0, terms, Claim{Key: 1, Weight: One, Exact: tokens})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := ask(100)
	if want := (Reserved{Saturation: 0, Tokens: 250, Requests: 1, TokensLeft: 150}); !v.OK() || *v.Pool != want {
		t.Fatalf("%+v, want %+v", *v.Pool, want)
	}
	v = ask(100)
	if want := (Reserved{Saturation: 250_000, Tokens: 250, Requests: 1, TokensLeft: 150}); v.Reason != OverRequests || v.Spent || *v.Pool != want {
		t.Fatalf("%+v, want %+v", v, want)
	}
	terms.LimitRPM = false
	if v := ask(901); v.Reason != OverTokens || !v.Spent {
		t.Fatalf("%+v, want the model to be spent", v)
	}
	if v := ask(900); v.Reason != OverTokens || v.Spent {
		t.Fatalf("%+v, want the pool alone to be spent", v)
	}
	terms.TPM = 0
	if v := ask(1); v.Reason != OverTokens || !v.Spent || v.RetryMS != Never {
		t.Fatalf("%+v, want a model of nothing to be spent", v)
	}
}

func BenchmarkAdmitSettlePools(b *testing.B) {
	for _, c := range []struct{ keys, pools int }{{1, 3}, {10, 3}, {200, 3}, {200, 64}} {
		b.Run("keys="+strconv.Itoa(c.keys)+",pools="+strconv.Itoa(c.pools), func(b *testing.B) {
			terms := NewTerms("m", 1<<40, 1<<30, true, true)
			terms.Pools.GraceMS = graceMS
			for range c.pools {
				terms.Pools.Weights = append(terms.Pools.Weights, uint32(One/c.pools))
			}
			l := NewLedger(new(Memory), 7)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				key := n % c.keys
				v, err := l.decide(t0, &terms, Claim{Key: uint64(key) + 1, Weight: One, Pool: uint8(key % c.pools), Ask: Ask{TextBytes: 100}})
				if err != nil || !v.OK() {
					b.Fatal(err, v.Reason)
				}
				if err := l.Settle(t0, &terms, &v.Hold, Spent{Prompt: 10, Completion: 20, Total: 30, Learn: true}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
