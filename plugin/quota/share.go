package quota

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// milli is the resolution of shares: a share of 4 requests among 3 keys is
// 1333 thousandths each, and nobody's request is lost to rounding.
const milli = 1000

// One is the weight of a key without a priority and of all of a capacity, in
// millionths.
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

// total is what all took of the minute.
func (r record) total(d dimension) int64 {
	if d == requests {
		return r.at(atRequests)
	}
	return r.at(atUsed) + r.at(atHeld)
}

// keeping is what one look at the lines needs to say what must still be found
// for each key: min(R − taken, R × time left) of its share R = total × weight /
// weights. Most keys have the same weight, so its share stays from line to line.
type keeping struct {
	record
	d              dimension
	me             int   // the caller's line, for which nothing is kept
	total, weights int64 // thousandths that are shared, and the sum of the active keys' weights
	msLeft         int64
	weight         int64 // that part and pace are for
	part, pace     int64 // the share, and what of it can still be used at its rate
}

// kept is what must still be found for the key of a line. It is asked of every line
// of every decision, so it reads the line's fields by hand.
func (k *keeping) kept(line int) int64 {
	le, b := binary.LittleEndian, (*[lineSize]byte)(k.record[line:])
	if line == k.me || b[lineAsked] == 0 && le.Uint32(b[lineSlots:]) == 0 {
		return 0
	}
	if w := int64(le.Uint32(b[lineWeight:])); w != k.weight {
		k.weight = w
		k.part = mulDiv(k.total, w, k.weights)
		k.pace = mulDiv(k.part, k.msLeft, minuteMS)
	}
	taken := int64(le.Uint32(b[lineCount:]))
	if k.d == tokens {
		taken = int64(le.Uint64(b[lineUsed:]) + le.Uint64(b[lineHeld:]))
	}
	return min(max(0, k.part-taken*milli), k.pace)
}

// others is what must be left of the thousandths that the caller's peers share
// for those of them that are active, beside the caller, when msLeft milliseconds
// of the minute remain; of more than left it says that much. The peers are the
// keys of the caller's pool, or without pools all keys.
//
// So a key alone may take everything at once, small takers stay whole, a
// newcomer finds its part at its rate for the rest of the minute, and at the
// minute's end nothing is kept back for keys that do not ask.
//
// For the keys of a pool with a ceiling together no more is kept than the pool
// may still take.
func (l *look) others(m *limit, left, total, msLeft int64) int64 {
	if l.weights <= 0 {
		return 0
	}
	k := keeping{record: l.record, d: m.d, me: l.me, total: total, weights: l.weights, msLeft: msLeft, weight: -1}
	if l.pooled() {
		return min(left, k.sum(l.pool))
	}
	r, sum, pools := l.record, int64(0), uint64(0) // a bit for each with a ceiling that has a line
	for line := r.first(); line < r.end() && sum < left; line += lineSize {
		if pool := r[line+linePool]; pool < MaxPools {
			pools |= 1 << pool
		} else {
			sum += k.kept(line)
		}
	}
	for ; pools != 0 && sum < left; pools &= pools - 1 {
		pool := byte(bits.TrailingZeros64(pools))
		sum += min(k.sum(pool), r.ceiling(m.d, m.capacity, pool, r.weightOf(pool)))
	}
	return min(sum, left)
}

// sum is what must still be found for all keys of a pool.
func (k *keeping) sum(pool byte) int64 {
	sum := int64(0)
	for line := k.first(); line < k.end(); line += lineSize {
		if k.record[line+linePool] == pool {
			sum += k.kept(line)
		}
	}
	return sum
}

// weightOf is the weight of a pool's keys, where it is also their reservation.
func (r record) weightOf(pool byte) int64 {
	weight := int64(0)
	for line := r.first(); line < r.end(); line += lineSize {
		if r[line+linePool] == pool {
			weight = r.at4(line + lineWeight)
		}
	}
	return weight
}

// keyRoom is what the caller may take, in thousandths, of left, when its peers and
// it share total.
func (l *look) keyRoom(m *limit, left, total, msLeft int64) int64 {
	m.shared, m.useful = total, 0
	kept := l.others(m, left, total, msLeft)
	if !m.blocked(left - kept) {
		return left - kept
	}
	if kept < l.crumb(m)*milli && kept < l.keyCrumb(m) {
		return left
	}
	room := max(left-kept, min(left, l.ownKey(m, msLeft)))
	taken := l.taken(m.d, l.me)
	within := (taken+m.want)*milli <= l.share(m)
	if m.blocked(room) && (within || taken == 0) {
		m.useful = l.sumUseful(m, total, msLeft)
		if within {
			room = max(room, left-m.useful)
		}
	}
	return room
}

// pooled reports whether the caller's peers are the keys of its pool alone.
func (l *look) pooled() bool { return l.count > 0 || l.inCeiling }

// ceilingRoom is what the caller may take of its pool's ceiling, in thousandths: the
// pool's keys share its reservation by the same rule as all keys the model. It
// reports as well whether a first request that is larger may exceed that.
//
//go:noinline
func (l *look) ceilingRoom(m *limit, msLeft int64) (room int64, lends bool) {
	weights, shared, useful := l.weights, m.shared, m.useful
	l.inCeiling, l.weights = true, l.poolWeights
	room = l.keyRoom(m, m.ceiling, l.secured(m), msLeft)
	// Of a pool that took nothing yet the first request may be larger than the ceiling.
	lends = !m.blocked(room) || m.blocked(m.ceiling) || m.blocked(l.share(m)) && m.useful < m.ceiling
	l.inCeiling, l.weights, m.shared, m.useful = false, weights, shared, useful
	return room, lends
}

// weighPool sums the weights of the active keys of the caller's pool.
func (l *look) weighPool() {
	l.poolWeights = 0
	for line := l.first(); line < l.end(); line += lineSize {
		if l.record[line+linePool] == l.pool && l.active(line) {
			l.poolWeights += l.at4(line + lineWeight)
		}
	}
}

// share is the caller's part of what it and its peers share, in thousandths.
func (l *look) share(m *limit) int64 {
	return mulDiv(m.shared, l.at4(l.me+lineWeight), max(1, l.weights))
}

// firstOfKey reports whether the caller, who took nothing yet, may exceed its
// share with a request that is larger: in no minute would it ever have room. Only
// one such request at a time is lent from what the others can use.
func (l *look) firstOfKey(m *limit, left int64) bool {
	return !m.blocked(left) && m.blocked(min(l.share(m), m.ceiling)) && m.useful < left
}

// secured is what the caller and its peers share whatever others do, in thousandths.
func (l *look) secured(m *limit) int64 {
	switch {
	case l.inCeiling:
		return mulDiv(m.capacity*milli, l.weight, One)
	case l.count == 0:
		return m.capacity * milli
	case int(l.pool) < l.count:
		return l.views[l.pool].part[m.d]
	}
	return 0
}

// ownKey is what the caller may take whatever is kept for its peers, in thousandths.
func (l *look) ownKey(m *limit, msLeft int64) int64 {
	if l.weights <= 0 {
		return 0
	}
	mark := l.mark(m.d, l.me)
	if isCrowd(uint64(l.at(l.me + lineID))) {
		mark = 0 // many keys', or a pool's
	}
	part := mulDiv(l.secured(m), l.at4(l.me+lineWeight), l.weights)
	return own(part, l.taken(m.d, l.me)*milli, mark, msLeft)
}

// crumb is what is of no use to who never asked in this minute: less than a request
// like this one and than the model's requests took on average ever since.
func (l *look) crumb(m *limit) int64 {
	if m.d == requests {
		return 1
	}
	return max(1, min(m.want, l.at(atTotalTokens)/max(1, l.at(atTotalRequests))))
}

// keyCrumb is what is of no use to the caller's peers, in thousandths: less than
// any of them asks for at a time, as far as is known.
func (l *look) keyCrumb(m *limit) int64 {
	least := l.crumb(m)
	for line := l.first(); line < l.end() && m.d != requests; line += lineSize {
		if l.peer(line) {
			least = min(least, l.asks(m.d, line))
		}
	}
	return least * milli
}

// sumUseful is what is kept for the caller's peers, in thousandths, without the
// crumbs: what is less than its key asks for at a time is of no use to it, and
// none of its promise is lost but the last request's part. Near the minute's end,
// when all that is kept are crumbs, those who have not had their shares yet find
// there what the large takers left for them.
func (l *look) sumUseful(m *limit, total, msLeft int64) int64 {
	k := keeping{record: l.record, d: m.d, me: l.me, total: total, weights: l.weights, msLeft: msLeft, weight: -1}
	sum := int64(0)
	for line := l.first(); line < l.end(); line += lineSize {
		if !l.peer(line) {
			continue
		}
		if kept := k.kept(line); kept >= l.asks(m.d, line)*milli {
			sum += kept
		}
	}
	return sum
}

// peer reports whether a line's key is one of those that the caller shares with.
func (l *look) peer(line int) bool {
	return line != l.me && l.active(line) && (!l.pooled() || l.record[line+linePool] == l.pool)
}

// asks is what a line's key takes at a time, at least 1: the mean of this minute's
// requests, or if there is none that of the answers that were learned of it.
func (r record) asks(d dimension, line int) int64 {
	if d == requests {
		return 1
	}
	if n := r.at4(line + lineCount); n > 0 {
		return max(1, r.taken(d, line)/n)
	}
	if isCrowd(uint64(r.at(line + lineID))) {
		return 1
	}
	return max(1, r.at4(line+lineLearned+4)/learnedScale)
}

// ceiling is what a pool may still take of its priority's reserved part of c,
// in thousandths: under the first dynamic limiter a reservation is also a limit.
func (r record) ceiling(d dimension, c int64, pool byte, part int64) int64 {
	return max(0, mulDiv(c*milli, part, One)-r.takenBy(d, pool)*milli)
}

// takenBy is what a pool's lines took of the minute.
func (r record) takenBy(d dimension, pool byte) int64 {
	sum := int64(0)
	for line := r.first(); line < r.end(); line += lineSize {
		if r[line+linePool] == pool {
			sum += r.taken(d, line)
		}
	}
	return sum
}

// What of a share can still be used at its own rate is R × time left for one that
// takes nothing, and less for one that was faster than that. A line's mark is
// the moment of the minute up to which the share's rate is used up: each take
// moves it from where it is, at least from now, by take / R minutes. What lies
// between the mark and the minute's end was promised and is there, whoever else
// asks for whatever is left: see own.
const (
	marksAMS = 256 // marks a millisecond: a 15-millionth of the minute, in three bytes
	fullMark = minuteMS * marksAMS
)

// own is what one may take of its part whatever is kept for others, in
// thousandths. It took taken of it, and mark is its mark.
func own(part, taken, mark, msLeft int64) int64 {
	mark = max(mark, (minuteMS-msLeft)*marksAMS)
	if mark >= fullMark {
		return 0
	}
	return min(max(0, part-taken), int64(float64(part)*(float64(fullMark-mark)/fullMark)))
}

// advance moves a line's mark by so much of the minute, 1 for all of it, and tells
// how far.
func (r record) advance(d dimension, line int, by float64, msLeft int64) int64 {
	from := max(r.mark(d, line), (minuteMS-msLeft)*marksAMS)
	to := int64(fullMark)
	if by < 1 { // not for what is not a number: all of nothing
		to = from + int64(by*fullMark+0.5)
	}
	if to > fullMark {
		to = max(from, fullMark)
	}
	r.setMark(d, line, to)
	return to - from
}

// retreat gives back to the marks what a hold of this minute was too large.
func (r record) retreat(h *Hold, me int, s *Spent) {
	held, used := int64(h.tokens), int64(0)
	if s != nil {
		used = int64(s.Total)
	}
	back := held - used
	if back <= 0 || me == 0 {
		return
	}
	if h.ahead > 0 {
		r.setMark(tokens, me, max(0, r.mark(tokens, me)-mulDiv(int64(h.ahead), back, held)))
	}
	if h.pool == NoPool {
		return
	}
	if line := r.find(crowd(h.pool)); line != 0 {
		r.setMark(tokens, line, max(0, r.mark(tokens, line)-mulDiv(int64(h.poolAhead), back, held)))
		r.take(line+lineLentTokens, mulDiv(h.lent, back, held))
	}
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
