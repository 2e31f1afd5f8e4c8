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
func (r record) available(d dimension, c int64, me int, weights, msLeft int64) int64 {
	left := r.left(d, c) * milli
	if weights <= 0 {
		return left
	}
	// Most keys have the same weight, so its share is kept from line to line.
	known, part, pace := int64(-1), int64(0), int64(0)
	for line := r.first(); line < r.end() && left > 0; line += lineSize {
		if line == me || !r.active(line) {
			continue
		}
		if w := r.at4(line + lineWeight); w != known {
			known = w
			part = mulDiv(c*milli, w, weights)
			pace = mulDiv(part, msLeft, minuteMS)
		}
		if unspent := part - r.taken(d, line)*milli; unspent > 0 {
			left -= min(unspent, pace)
		}
	}
	return max(0, left)
}

// ceiling is what a pool may still take of its priority's reserved part of c,
// in thousandths: under the first dynamic limiter a reservation is also a limit.
func (r record) ceiling(d dimension, c int64, pool byte, part int64) int64 {
	room := mulDiv(c*milli, part, One)
	for line := r.first(); line < r.end(); line += lineSize {
		if r[line+linePool] == pool {
			room -= r.taken(d, line) * milli
		}
	}
	return max(0, room)
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
