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

// weights sums the weights of the active lines.
func (b *Book) weights() int64 {
	var sum int64
	for i := range b.Lines {
		if b.Lines[i].Active() {
			sum += int64(b.Lines[i].Weight)
		}
	}
	return sum
}

// share is the line's part of capacity c among active weights, in thousandths,
// rounded down: R = C × weight / Σ weights.
func share(c int64, l *Line, weights int64) int64 {
	if weights <= 0 || !l.Active() {
		return 0
	}
	return mulDiv(c*milli, int64(l.Weight), weights)
}

// dimension is what a capacity counts: tokens or requests.
type dimension uint8

const (
	tokens dimension = iota
	requests
)

func (d dimension) taken(l *Line) int64 {
	if d == tokens {
		return int64(l.Used.Plus(l.Held))
	}
	return l.Requests
}

// available is what the line may take of capacity c at a time of the minute
// when msLeft of its milliseconds remain, in thousandths: what is left after
// what all took and what must still be found for each other active key, which
// is min(R − taken, R × time left).
//
// So a key alone may take everything at once, small takers stay whole, a
// newcomer finds its part at its rate for the rest of the minute, and at the
// minute's end nothing is kept back for keys that do not ask.
func (b *Book) available(d dimension, c int64, me *Line, msLeft int64) int64 {
	var taken int64
	if d == tokens {
		taken = int64(b.Used.Plus(b.Held))
	} else {
		taken = b.Requests
	}
	left := (c - taken) * milli
	if left <= 0 {
		return 0
	}
	weights := b.weights()
	if weights <= 0 {
		return left
	}
	for i := range b.Lines {
		l := &b.Lines[i]
		if l == me || !l.Active() {
			continue
		}
		r := share(c, l, weights)
		unspent := r - d.taken(l)*milli
		if unspent <= 0 {
			continue
		}
		left -= min(unspent, mulDiv(r, msLeft, minuteMS))
		if left <= 0 {
			return 0
		}
	}
	return left
}

// ceiling caps what the line may take at its priority's reserved part of c, in
// thousandths: under the first dynamic limiter a reservation is also a limit.
func (b *Book) ceiling(d dimension, c int64, me *Line, part int64) int64 {
	room := mulDiv(c*milli, part, One)
	for i := range b.Lines {
		if l := &b.Lines[i]; l.Pool == me.Pool {
			room -= d.taken(l) * milli
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
	if hi >= uint64(c) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	if q > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(q)
}

// TokenShare returns the line's part of the tokens a minute, and what it may
// take of them now.
func (b *Book) TokenShare(now int64, t *Terms, l *Line) (part, available int64) {
	return share(int64(t.TPM), l, b.weights()) / milli, b.available(tokens, int64(t.TPM), l, b.msLeft(now)) / milli
}

// RequestShare is TokenShare for requests.
func (b *Book) RequestShare(now int64, t *Terms, l *Line) (part, available int64) {
	return share(t.RPM, l, b.weights()) / milli, b.available(requests, t.RPM, l, b.msLeft(now)) / milli
}
