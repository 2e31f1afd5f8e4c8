//go:build !tinygo

package quota

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"fairshare/plugin/unit"
)

// minutesFlag is how many random minutes TestProperties plays.
var minutesFlag = flag.Int("minutes", 10_000, "random minutes that TestProperties plays")

// A wish is one request of a random minute.
type wish struct {
	at     int64 // ms of the minute
	key    uint64
	pool   uint8
	size   int64
	repeat bool // again and again until refused
	watch  bool // the one whose share is looked at
	whole  bool // must not be refused
}

// A flight is a request that is settled when the minute is over.
type flight struct {
	by   *Ledger
	hold Hold
}

// world is one random minute: who asks when for how much.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	terms   *Terms
	exact   bool // usage is what was held
	store   *interleaved
	ledgers []*Ledger
	wishes  []wish
	weights map[uint64]uint32

	capacity int64 // of the dimension that matters
	got      map[uint64]int64
	watched  int64           // what the watched one got
	refused  int64           // ms when somebody was last refused, -1 for never
	unmet    int64           // the smallest request refused then
	unmetBy  map[uint8]int64 // by pool, the smallest refused in the last ms
	flying   []flight
}

func (w *world) fatal(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf(format, args...)
}

func (w *world) tokens() bool { return w.terms.LimitTPM }

// worldOf makes the store and the workers of a minute.
func worldOf(t *testing.T, rng *rand.Rand, terms *Terms, workers int) *world {
	w := &world{
		t: t, rng: rng, terms: terms, exact: true, weights: map[uint64]uint32{}, got: map[uint64]int64{}, refused: -1, unmetBy: map[uint8]int64{},
		store: &interleaved{rng: rng, busy: map[*Ledger]bool{}}, capacity: terms.RPM,
	}
	if terms.LimitTPM {
		w.capacity = int64(terms.TPM)
	}
	for i := range workers {
		w.ledgers = append(w.ledgers, NewLedger(w.store, uint64(i+1)))
	}
	return w
}

func (w *world) wish(r wish) {
	w.wishes = append(w.wishes, r)
}

// backlog lets a key ask without pause from ms on.
func (w *world) backlog(key uint64, pool uint8, from, size int64, watch bool) {
	for at, gap := from, 1000+w.rng.Int64N(5000); at < minuteMS; at += gap {
		w.wish(wish{at: at, key: key, pool: pool, size: size, repeat: true, watch: watch})
	}
	w.wish(wish{at: minuteMS - 1, key: key, pool: pool, size: size, repeat: true, watch: watch})
}

// somehow lets a key ask as it likes: now and then, in bursts or without pause.
func (w *world) somehow(key uint64, pool uint8, most int64) {
	rng := w.rng
	size := sized(rng, most)
	from := 1 + rng.Int64N(minuteMS-1)
	switch rng.IntN(5) {
	case 0:
		w.wish(wish{at: from, key: key, pool: pool, size: size})
	case 1:
		for range rng.IntN(8) {
			w.wish(wish{at: 1 + rng.Int64N(minuteMS-1), key: key, pool: pool, size: sized(rng, most), repeat: rng.IntN(2) == 0})
		}
	case 2:
		gap := float64(1 + rng.IntN(6000))
		for at := from; at < minuteMS; at += 1 + int64(rng.ExpFloat64()*gap) {
			w.wish(wish{at: at, key: key, pool: pool, size: sized(rng, most)})
		}
	case 3:
		w.backlog(key, pool, from, size, false)
	case 4:
		w.backlog(key, pool, 1, size, false)
	}
}

// play lets the minute pass.
func (w *world) play() {
	slices.SortStableFunc(w.wishes, func(a, b wish) int { return int(a.at - b.at) })
	for len(w.wishes) > 0 {
		// Several workers act at the same time, in any order.
		n := 1
		for n < len(w.wishes) && len(w.ledgers) > 1 && w.rng.IntN(3) > 0 && (w.wishes[0].at > 0 || w.wishes[n].at == 0) {
			n++
		}
		now := t0 + w.wishes[0].at
		for _, r := range w.wishes[:n] {
			l := w.ledgers[w.rng.IntN(len(w.ledgers))]
			w.store.others = append(w.store.others, todo{l, func() { w.ask(l, now, &r) }})
		}
		for len(w.store.others) > 0 {
			w.store.step()
		}
		w.wishes = w.wishes[n:]
		w.check(now)
	}
}

func (w *world) ask(l *Ledger, now int64, r *wish) {
	c := w.claim(r.key, r.pool, r.size)
	for range 1000 {
		fate := w.rng.IntN(20)
		var v Verdict
		var err error
		if w.exact && fate > 3 {
			v, err = l.decidePaid(now, w.terms, c, Spent{Total: c.Exact})
		} else {
			v, err = l.decide(now, w.terms, c)
		}
		if err != nil {
			w.fatal("%v", err)
		}
		if !v.OK() {
			if w.refused < now-t0 {
				w.refused, w.unmet = now-t0, r.size
			}
			w.unmet = min(w.unmet, r.size)
			if least, ok := w.unmetBy[r.pool]; now-t0 == minuteMS-1 && (!ok || r.size < least) {
				w.unmetBy[r.pool] = r.size
			}
			if r.whole {
				w.fatal("at %d ms: key %d, which asks evenly for less than its part, is refused %d", now-t0, r.key, r.size)
			}
			if len(w.ledgers) == 1 && w.rng.IntN(100) == 0 {
				w.truth(now, c, v.RetryMS)
			}
			return
		}
		took := r.size
		if !w.tokens() {
			took = 1
		}
		w.got[r.key] += took
		if r.watch {
			w.watched += took
		}
		switch h := v.Hold; {
		case !h.Open():
		case fate == 0: // in flight for the rest of the minute
			w.flying = append(w.flying, flight{l, h})
		default:
			used := r.size
			if !w.exact {
				used = w.rng.Int64N(3*r.size + 1)
			}
			if err := l.Settle(now, w.terms, &h, Spent{Total: unit.Tokens(used)}); err != nil {
				w.fatal("%v", err)
			}
		}
		if !r.repeat {
			return
		}
	}
}

// check is that no capacity is exceeded but by stated debt.
func (w *world) check(now int64) {
	r := record(w.store.cells[w.terms.Key].value)
	taken, debt := r.total(tokens), r.at(atDebtTokens)
	if w.terms.LimitTPM && taken > int64(w.terms.TPM)+debt {
		w.fatal("at %d ms: %d tokens used and held > %d + debt %d", now-t0, taken, w.terms.TPM, debt)
	}
	if w.exact && debt > 0 {
		w.fatal("debt %d with exact holds", debt)
	}
	if w.terms.LimitRPM && r.total(requests) > w.terms.RPM {
		w.fatal("at %d ms: %d requests > %d", now-t0, r.total(requests), w.terms.RPM)
	}
}

// truth is that a refused claim is admitted after the wait that its caller is
// told, if nobody asks meanwhile, and not a second before.
func (w *world) truth(now int64, c Claim, wait int64) {
	if wait == Never {
		w.fatal("at %d ms: key %d is to wait for ever", now-t0, c.Key)
	}
	if wait <= 0 || wait%1000 != 0 {
		w.fatal("at %d ms: key %d is to wait %d ms", now-t0, c.Key, wait)
	}
	for _, at := range []int64{wait - 1000, wait} {
		s := new(Memory)
		s.Set(w.terms.Key, w.store.cells[w.terms.Key].value, 0)
		v, err := NewLedger(s, 98).decide(now+at, w.terms, c)
		if err != nil {
			w.fatal("%v", err)
		}
		if v.OK() != (at == wait) {
			w.fatal("at %d ms: key %d was told to wait %d ms, and %d ms later: admitted %v", now-t0, c.Key, wait, at, v.OK())
		}
	}
}

// left is what nobody took of the minute.
func (w *world) left() int64 {
	var b Book
	if err := w.ledgers[0].Read(t0+minuteMS-1, w.terms, &b); err != nil {
		w.fatal("%v", err)
	}
	if w.tokens() {
		return w.capacity - int64(b.Used+b.Held)
	}
	return w.capacity - b.Requests
}

// termsOf makes a group of random size, of tokens or requests.
func termsOf(rng *rand.Rand, least int64) (t Terms, most int64) {
	c := least * (1 + rng.Int64N(1<<rng.IntN(8)))
	if rng.IntN(3) == 0 {
		c = 1 + rng.Int64N(min(c, 2*least))
		return NewTerms("m", 0, c, false, true), 1
	}
	return NewTerms("m", c, 0, true, false), max(1, c/(10+rng.Int64N(200)))
}

// sized is a random size that is not so small that a minute takes for ever.
func sized(rng *rand.Rand, most int64) int64 { return 1 + most/3 + rng.Int64N(most-most/3) }

// Whatever random minute comes, these hold: no capacity is exceeded but by stated
// debt; who asks without pause from some second on gets its part for the rest, less
// one of its own requests, and so does each of several keys of different weights;
// what is unused in the end is less than the smallest request that was refused in
// the last millisecond; and Retry-After is true.
//
// The part is short by one more where a larger request was lent from it, see lent.
func TestProperties(t *testing.T) {
	first := seed(t)
	kinds := []struct {
		name string
		part int // of a hundred minutes
		play func(t *testing.T, rng *rand.Rand, workers int)
	}{
		{"keys", 20, keysMinute},
		{"pools", 30, poolsMinute},
		{"keys of a pool", 20, poolKeysMinute},
		{"keys of a hard pool", 20, hardKeysMinute},
		{"weights", 10, weightsMinute},
		{"anything", 20, anyMinute},
	}
	for i, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			for n := range uint64(*minutesFlag * k.part / 100 / raced) {
				rng := rand.New(rand.NewPCG(first, n*8+uint64(i)))
				workers := 1
				if rng.IntN(4) == 0 {
					workers = 2 + rng.IntN(15)
				}
				k.play(t, rng, workers)
				if t.Failed() {
					t.Fatalf("seed %d, minute %d", first, n)
				}
			}
		})
	}
}

// known makes a key count as active from the minute's first moment on: it has a
// request in flight from the minute before, or asks at once for a single token.
func (w *world) known(key uint64, pool uint8) {
	if w.rng.IntN(2) == 0 {
		c := w.claim(key, pool, 1)
		v, err := w.ledgers[0].decide(t0-second, w.terms, c)
		if err != nil {
			w.fatal("%v", err)
		}
		if v.OK() {
			w.flying = append(w.flying, flight{w.ledgers[0], v.Hold})
			return
		}
	}
	w.wish(wish{key: key, pool: pool, size: 1})
}

// claim is what a key asks for. In a group with hard pools its weight is its pool's.
func (w *world) claim(key uint64, pool uint8, size int64) Claim {
	c := Claim{Key: key, Weight: w.weight(key), Pool: pool, Exact: unit.Tokens(size)}
	if int(pool) < len(w.terms.Hard) {
		c.Weight, c.Hard = w.terms.Hard[pool], true
	}
	return c
}

func (w *world) weight(key uint64) uint32 {
	if weight, ok := w.weights[key]; ok {
		return weight
	}
	return One
}

// lent is the largest request of some that is larger than their part. The first of
// such a size is admitted all the same, or it would be in no minute, and what it
// takes beyond that part another one may lack: TestNotEveryPartIsWholeBesideALargeRequest.
// There is one at a time. Without such a request it is 0.
func (w *world) lent(part float64, others func(r *wish) bool) int64 {
	largest := int64(0)
	for i := range w.wishes {
		if r := &w.wishes[i]; others(r) && float64(r.size) > part {
			largest = max(largest, r.size)
		}
	}
	return largest
}

// keysMinute: keys without pools; all are known from the beginning, since what a
// newcomer finds depends on what was spent before it came.
func keysMinute(t *testing.T, rng *rand.Rand, workers int) {
	keys := min(200, 1+rng.IntN(1<<rng.IntN(9)))
	terms, most := termsOf(rng, 10*int64(keys))
	w := worldOf(t, rng, &terms, workers)
	from, busy := 1+rng.Int64N(minuteMS-1), 30
	if rng.IntN(4) == 0 {
		busy = keys
	}
	for k := range keys {
		w.known(uint64(k+1), NoPool)
		if k > 0 && rng.IntN(keys) < busy {
			w.somehow(uint64(k+1), NoPool, most)
		}
	}
	size := sized(rng, 1+rng.Int64N(most))
	w.backlog(1, NoPool, from, size, true)
	share := float64(w.capacity) / float64(keys)
	lent := w.lent(share, func(r *wish) bool { return r.key != 1 })
	w.play()
	part := share*float64(minuteMS-from)/minuteMS - 1
	if got := float64(w.watched); got < part-float64(size+lent) {
		t.Errorf("%d keys, capacity %d: who asks from %d ms on gets %.0f, want %.1f less a request of %d and one of %d lent", keys, w.capacity, from, got, part, size, lent)
	}
	w.stranded()
}

// stranded wants nothing unused if somebody was refused in the end: less than what
// was asked for, and of asks of a hundredth less than a hundredth.
func (w *world) stranded() {
	if w.refused < minuteMS-1 || w.terms.Pools.GraceMS > 0 {
		return
	}
	left := w.left()
	// A sixty-thousandth may still be kept back in the last millisecond.
	whole := left >= w.unmet+w.capacity/50_000+1 && (w.tokens() || left >= 1)
	if whole || w.unmet*100 <= w.capacity && left*100 >= w.capacity {
		w.t.Errorf("%d of %d is unused and a request of %d was refused", left, w.capacity, w.unmet)
	}
}

// poolsOf reserves parts that together are at most all.
func poolsOf(rng *rand.Rand) []uint32 {
	n := 1 + rng.IntN(1<<rng.IntN(7))
	n = min(n, MaxPools)
	weights := make([]uint32, n)
	rest := uint32(One)
	for i := range weights {
		if rng.IntN(6) > 0 {
			weights[i] = rng.Uint32N(rest/2 + 1)
		}
		rest -= weights[i]
	}
	rng.Shuffle(n, func(i, j int) { weights[i], weights[j] = weights[j], weights[i] })
	return weights
}

// poolsMinute: pools, of which one is awake from some second on. Of what size the
// requests of a pool are that did not ask yet nobody knows: what is less than the
// model's requests so far is not kept for it.
func poolsMinute(t *testing.T, rng *rand.Rand, workers int) {
	weights := poolsOf(rng)
	terms, most := termsOf(rng, 100)
	terms.Pools = Pools{Weights: weights, GraceMS: graceMS * rng.Int64N(2)}
	w := worldOf(t, rng, &terms, workers)
	watched := uint8(rng.IntN(len(weights)))
	from := 1 + rng.Int64N(minuteMS-1)
	for k := range 1 + rng.IntN(20) {
		if pool := uint8(rng.IntN(len(weights))); pool != watched {
			w.somehow(uint64(k+2), pool, most)
		}
	}
	size := sized(rng, 1+rng.Int64N(most))
	w.backlog(1, watched, from, size, true)
	lent := w.lentByPools(weights, watched)
	model := w.lent(0, func(r *wish) bool { return r.pool != watched })
	w.play()
	part := w.reserved(weights, watched) * float64(minuteMS-from) / minuteMS
	if got := float64(w.watched); part >= float64(model) && got < part-float64(size+lent)-1 {
		t.Errorf("pools %v, capacity %d: pool %d, which asks from %d ms on, gets %.0f, want %.1f less a request of %d and one of %d lent", weights, w.capacity, watched, from, got, part, size, lent)
	}
	w.stranded()
}

// reserved is what a pool reserves of the capacity.
func (w *world) reserved(weights []uint32, pool uint8) float64 {
	return float64(w.capacity) * float64(weights[pool]) / One
}

// lentByPools is the largest request of another pool that is larger than what that
// pool reserves.
func (w *world) lentByPools(weights []uint32, watched uint8) int64 {
	largest := int64(0)
	for i := range weights {
		if pool := uint8(i); pool != watched && weights[i] > 0 {
			largest = max(largest, w.lent(w.reserved(weights, pool), func(r *wish) bool { return r.pool == pool }))
		}
	}
	return largest
}

// poolKeysMinute: keys of pools, all known from the beginning.
func poolKeysMinute(t *testing.T, rng *rand.Rand, workers int) {
	weights := poolsOf(rng)
	keys := 1 + rng.IntN(30)
	terms, most := termsOf(rng, 1000)
	terms.Pools = Pools{Weights: weights, GraceMS: graceMS * rng.Int64N(2)}
	w := worldOf(t, rng, &terms, workers)
	watched := uint8(rng.IntN(len(weights)))
	from, peers := 1+rng.Int64N(minuteMS-1), 1
	for k := range keys {
		pool := uint8(rng.IntN(len(weights)))
		if k == 0 || rng.IntN(3) == 0 {
			pool = watched
		}
		if pool == watched && k > 0 {
			peers++
		}
		w.known(uint64(k+1), pool)
		if k > 0 {
			w.somehow(uint64(k+1), pool, most)
		}
	}
	size := sized(rng, 1+rng.Int64N(most))
	w.backlog(1, watched, from, size, true)
	share := w.reserved(weights, watched) / float64(peers)
	lent := max(w.lentByPools(weights, watched), w.lent(share, func(r *wish) bool { return r.pool == watched && r.key != 1 }))
	w.play()
	part := share*float64(minuteMS-from)/minuteMS - 1
	if got := float64(w.watched); got < part-float64(size+lent)-1 {
		t.Errorf("pools %v, capacity %d: one of %d keys of pool %d, which asks from %d ms on, gets %.0f, want %.1f less a request of %d and one of %d lent",
			weights, w.capacity, peers, watched, from, got, part, size, lent)
	}
	w.stranded()
}

// hardKeysMinute: keys of pools that have ceilings, and in every other minute some
// without a priority; all known from the beginning. A key's part is that of its
// pool's reservation, or of the model among all keys if that is less. One that spreads
// its part over the minute loses nothing, and of no pool's ceiling anything is unused
// that one of its keys was refused in the last millisecond.
func hardKeysMinute(t *testing.T, rng *rand.Rand, workers int) {
	terms, most := termsOf(rng, 1000)
	for _, weight := range poolsOf(rng) {
		terms.Hard = append(terms.Hard, max(weight, One/100))
	}
	w := worldOf(t, rng, &terms, workers)
	pools := len(terms.Hard)
	watched := uint8(rng.IntN(pools))
	from, peers, sum := 1+rng.Int64N(minuteMS-1), 1, 0.0
	unreserved := rng.IntN(2) * 3
	for k := range 1 + rng.IntN(30) {
		pool := uint8(rng.IntN(pools))
		switch {
		case k == 0 || rng.IntN(3) == 0:
			pool = watched
		case rng.IntN(9) < unreserved:
			pool = NoPool
		}
		if pool == watched && k > 0 {
			peers++
		}
		sum += float64(w.claim(uint64(k+1), pool, 1).Weight)
		w.known(uint64(k+1), pool)
		if k > 0 {
			w.somehow(uint64(k+1), pool, most)
		}
	}
	size := sized(rng, 1+rng.Int64N(most))
	inPool := w.reserved(terms.Hard, watched) / float64(peers)
	share := min(inPool, w.reserved(terms.Hard, watched)*One/sum)
	lent := w.lent(share, func(r *wish) bool { return r.key != 1 })
	if n := int64((share - 1) / float64(size)); lent == 0 && n > 0 && workers == 1 && rng.IntN(2) == 0 {
		from = minuteMS
		for i := range n {
			w.wish(wish{at: 1 + i*minuteMS/n, key: 1, pool: watched, size: size, watch: true, whole: true})
		}
	} else {
		w.backlog(1, watched, from, size, true)
	}
	largest := make([]int64, pools)
	for i := range largest {
		largest[i] = w.lent(w.reserved(terms.Hard, uint8(i)), func(r *wish) bool { return int(r.pool) == i })
	}
	w.play()
	part := share*float64(minuteMS-from)/minuteMS - 1
	if got := float64(w.watched); got < part-float64(size+lent)-1 {
		t.Errorf("hard pools %v, capacity %d: one of %d keys of pool %d, which asks from %d ms on, gets %.0f, want %.1f less a request of %d and one of %d lent",
			terms.Hard, w.capacity, peers, watched, from, got, part, size, lent)
	}
	d := requests
	if terms.LimitTPM {
		d = tokens
	}
	left, slack := w.left(), w.capacity/50_000 // which may still be kept back in the last millisecond
	if w.tokens() {
		slack++
	}
	for i := range terms.Hard {
		took := float64(record(w.store.cells[terms.Key].value).takenBy(d, uint8(i)))
		ceiling := w.reserved(terms.Hard, uint8(i))
		if took > max(ceiling, float64(largest[i])) {
			t.Errorf("hard pools %v, capacity %d: pool %d took %.0f of %.1f", terms.Hard, w.capacity, i, took, ceiling)
		}
		unmet, refused := w.unmetBy[uint8(i)]
		if room := min(left, int64(ceiling-took)); refused && room >= unmet+slack {
			t.Errorf("hard pools %v, capacity %d: pool %d was refused %d at last, and %d of its ceiling is unused", terms.Hard, w.capacity, i, unmet, room)
		}
	}
}

// weightsMinute: keys of different weights ask without pause. Each has a part of
// more than the request that it begins with.
func weightsMinute(t *testing.T, rng *rand.Rand, workers int) {
	keys := 2 + rng.IntN(20)
	terms, most := termsOf(rng, 200)
	if terms.LimitRPM {
		terms.RPM += 8 * int64(keys)
	}
	w := worldOf(t, rng, &terms, workers)
	sum, sizes := 0.0, map[uint64]int64{}
	for k := range keys {
		w.weights[uint64(k+1)] = One/4 + rng.Uint32N(One*3/4)
		sum += float64(w.weights[uint64(k+1)])
		w.known(uint64(k+1), NoPool)
		sizes[uint64(k+1)] = sized(rng, 1+rng.Int64N(most))
		w.backlog(uint64(k+1), NoPool, 1, sizes[uint64(k+1)], false)
	}
	w.play()
	for key, weight := range w.weights {
		part := float64(w.capacity)*float64(weight)/sum - 1
		if got := float64(w.got[key]); got < part-float64(sizes[key]) {
			t.Errorf("capacity %d: a key of weight %d of %.0f gets %.0f, want %.1f less a request of %d", w.capacity, weight, sum, got, part, sizes[key])
		}
	}
	w.stranded()
}

// anyMinute: anything, with usage that is not what was held; the cap alone is
// looked at, and in the end what is in flight comes in in a later minute.
func anyMinute(t *testing.T, rng *rand.Rand, workers int) {
	limits := 1 + rng.IntN(3)
	terms := NewTerms("m", 1+rng.Int64N(3000), 1+rng.Int64N(100), limits&1 != 0, limits&2 != 0)
	if rng.IntN(2) == 0 {
		terms.Pools = Pools{Weights: poolsOf(rng), GraceMS: graceMS, Threshold: One / 2 * rng.Int64N(3)}
	}
	w := worldOf(t, rng, &terms, workers)
	w.exact = false
	for range 1 + rng.IntN(15) {
		pool := uint8(NoPool)
		if n := len(terms.Pools.Weights); n > 0 && rng.IntN(9) > 0 {
			pool = uint8(rng.IntN(n))
		}
		w.somehow(1+rng.Uint64N(20), pool, 1+rng.Int64N(400))
	}
	w.play()
	later := t0 + minuteMS + rng.Int64N(2*minuteMS)
	for _, f := range w.flying {
		if err := f.by.Settle(later, &terms, &f.hold, Spent{Total: unit.Tokens(rng.Int64N(500))}); err != nil {
			t.Fatal(err)
		}
	}
	var b Book
	if err := w.ledgers[0].Read(later, &terms, &b); err != nil {
		t.Fatal(err)
	}
	if b.Held != 0 || b.PrevHeld != 0 || b.Slots != 0 {
		t.Errorf("when all is over %d tokens are held, %d of the minute before, %d requests in flight", b.Held, b.PrevHeld, b.Slots)
	}
	lines := unit.Tokens(0)
	for i := range b.Lines {
		lines += b.Lines[i].Used
	}
	if lines > b.Used {
		t.Errorf("keys used %d of %d", lines, b.Used)
	}
}
