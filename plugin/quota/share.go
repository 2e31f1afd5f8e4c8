package quota

import (
	"math"
	"math/bits"
)

// milli is the resolution of shares: a share of 4 requests among 3 keys is
// 1333 thousandths each, and nobody's request is lost to rounding.
const milli = 1000

// One is the weight of a key without a priority, in millionths.
const One = 1_000_000

// census counts the active keys and sums their weights.
func (r record) census() (active, weights int64) {
	for line := r.first(); line < r.end(); line += lineSize {
		if r.active(line) {
			active++
			weights += r.at4(line + lineWeight)
		}
	}
	return active, weights
}

// dimension is what a capacity counts: tokens or requests.
type dimension uint8

const (
	tokens dimension = iota
	requests
)

// taken is what a line took of the minute.
func (r record) taken(d dimension, line int) int64 {
	if d == requests {
		return r.at4(line + lineCount)
	}
	return r.at(line+lineUsed) + r.at(line+lineHeld)
}

// left is what remains of capacity c for all.
func (r record) left(d dimension, c int64) int64 {
	if d == requests {
		return max(0, c-r.at(atRequests))
	}
	return max(0, c-r.at(atUsed)-r.at(atHeld))
}

// available is what a line may take of capacity c when msLeft milliseconds of
// the minute remain, in thousandths: what is left after what all took and what
// must still be found for each other active key, which is min(R − taken, R ×
// time left) of its share R = C × weight / Σ weights.
//
// So a key alone may take everything at once, small takers stay whole, a
// newcomer finds its part at its rate for the rest of the minute, and at the
// minute's end nothing is kept back for keys that do not ask.
//
// For the keys of a pool together no more is kept than the pool may still take.
func (r record) available(d dimension, c int64, me int, weights, msLeft int64) int64 {
	left := r.left(d, c) * milli
	if weights <= 0 {
		return left
	}
	k := keeping{record: r, d: d, c: c, me: me, weights: weights, msLeft: msLeft, weight: -1}
	pools := uint64(0) // a bit for each that has a line
	for line := r.first(); line < r.end() && left > 0; line += lineSize {
		if pool := r[line+linePool]; pool < MaxPools {
			pools |= 1 << pool
		} else {
			left -= k.kept(line)
		}
	}
	for ; pools != 0 && left > 0; pools &= pools - 1 {
		pool, sum, weight := byte(bits.TrailingZeros64(pools)), int64(0), int64(0)
		for line := r.first(); line < r.end(); line += lineSize {
			if r[line+linePool] == pool {
				sum += k.kept(line)
				weight = r.at4(line + lineWeight)
			}
		}
		left -= min(sum, r.ceiling(d, c, pool, weight))
	}
	return max(0, left)
}

// keeping is what one look at the lines needs to say what is kept for each. Most
// keys have the same weight, so its share stays from line to line.
type keeping struct {
	record
	d                  dimension
	c, weights, msLeft int64
	me                 int
	weight             int64 // that part and pace are for
	part, pace         int64 // the share, and what of it can still be used at its rate
}

// kept is what must still be found for the key of a line.
func (k *keeping) kept(line int) int64 {
	if line == k.me || !k.active(line) {
		return 0
	}
	if w := k.at4(line + lineWeight); w != k.weight {
		k.weight = w
		k.part = mulDiv(k.c*milli, w, k.weights)
		k.pace = mulDiv(k.part, k.msLeft, minuteMS)
	}
	return min(max(0, k.part-k.taken(k.d, line)*milli), k.pace)
}

// MaxPools is how many priorities a model group can tell apart.
const MaxPools = 64

// ceiling is what a pool may still take of its priority's reserved part of c,
// in thousandths: under the first dynamic limiter a reservation is also a limit.
func (r record) ceiling(d dimension, c int64, pool byte, part int64) int64 {
	return max(0, mulDiv(c*milli, part, One)-r.pooled(d, pool)*milli)
}

// pooled is what a pool's lines took of the minute.
func (r record) pooled(d dimension, pool byte) int64 {
	sum := int64(0)
	for line := r.first(); line < r.end(); line += lineSize {
		if r[line+linePool] == pool {
			sum += r.taken(d, line)
		}
	}
	return sum
}

// mulDiv returns a×b/c rounded down, for a, b ≥ 0 and c > 0, and the largest
// int64 where it would not fit.
func mulDiv(a, b, c int64) int64 {
	if a <= 0 || b <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi == 0 && lo <= math.MaxInt64 {
		return int64(lo) / c
	}
	if hi >= uint64(c) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(min(q, math.MaxInt64))
}
