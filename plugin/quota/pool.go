package quota

import "math"

// Pools are the parts in which priorities reserve a model group's capacity. The
// zero Pools are none: then the group's keys share it, see look.others.
//
// A reservation is R = C × weight, whether anybody of the priority asks or not.
// A pool always finds what it can still use of that at its own rate, see own.
// Beyond that it may borrow what is left after what the other pools must still
// find: min(R − taken, R × time left), or more if what a pool asked for so far
// makes more probable, see poolView.demand. So a pool that wakes at second 30
// finds half its reservation under any flood, and what nobody claims is used.
// Only one request at a time may exceed this, see look.firstOfPool.
//
// Inside a pool its keys share what it took and may take by the rule for keys.
// What a pool took is the sum of its keys' lines; what it borrowed of that, its
// mark and when it woke stand on a line of its own, which is also that of its
// keys that have none.
type Pools struct {
	// Weights are the reservations in millionths of the capacity; a Claim.Pool
	// is an index here. There are at most MaxPools, and together they are at
	// most One (give or take what rounding adds): then all can be kept.
	Weights []uint32
	// Threshold is the part of the capacity, in millionths, in use below which
	// anybody may take all that is left at once, as LiteLLM's
	// saturation_threshold means it. 0 is never.
	Threshold int64
	// GraceMS bounds what is kept for a pool beyond its rate, as that much time
	// of its reservation; 0..60000 ms.
	GraceMS int64
}

// MaxPools is how many pools a model group can tell apart.
const MaxPools = 64

// tokensOf is what a pool reserves of the tokens, nothing if there is no such pool.
func (t *Terms) tokensOf(pool int) int64 {
	if pool >= len(t.Pools.Weights) {
		return 0
	}
	return mulDiv(int64(t.TPM), int64(t.Pools.Weights[pool]), One)
}

// crowd is the id of a pool's own line, which has its marks and, together, its
// keys that have no line of their own. Keys without a pool have 0 for that. No
// key has one of these ids, see KeyID.
func crowd(pool uint8) uint64 {
	if pool >= MaxPools {
		return 0
	}
	return ^uint64(pool)
}

// IsCrowd reports whether a Line's ID stands for keys that have no line of their
// own, or for a pool.
func IsCrowd(id uint64) bool { return isCrowd(id) }

func isCrowd(id uint64) bool { return id == 0 || id >= noLine }

// pools are what the lines say of each pool, for one decision.
type pools struct {
	views [MaxPools]poolView
	count int
}

// A poolView is what the lines of a pool together say of the minute.
type poolView struct {
	line     int      // its own, 0 if nobody of it asked yet
	part     [2]int64 // its reservation in thousandths, by dimension
	taken    [2]int64 // by dimension
	lent     [2]int64 // of that, borrowed
	admitted int64    // requests
	asked    int64    // requests, admitted or refused
	since    int64    // ms of the minute when the first of it asked, -1 if none did
}

// survey fills the views.
//
//go:noinline
func (l *look) survey() {
	n := min(len(l.t.Pools.Weights), MaxPools)
	l.count, l.actives, l.weights = n, 0, 0
	for i := range l.views[:n] {
		v := &l.views[i]
		*v = poolView{since: -1}
		for k := range l.limits[:l.n] {
			m := &l.limits[k]
			v.part[m.d] = mulDiv(m.capacity*milli, int64(l.t.Pools.Weights[i]), One)
		}
	}
	for line := l.first(); line < l.end(); line += lineSize {
		pool, active := l.record[line+linePool], l.active(line)
		if active {
			l.actives++
			if pool == l.pool {
				l.weights += l.at4(line + lineWeight)
			}
		}
		if int(pool) >= n {
			continue
		}
		v := &l.views[pool]
		v.taken[tokens] += l.taken(tokens, line)
		admitted := l.at4(line + lineCount)
		v.taken[requests] += admitted
		v.admitted += admitted
		v.asked += admitted + l.at4(line+lineRefused)
		if uint64(l.at(line+lineID)) == crowd(pool) {
			v.line, v.since = line, l.at4(line+lineSince)-1
			v.lent = [...]int64{tokens: l.at(line + lineLentTokens), requests: l.at4(line + lineLentRequests)}
		}
	}
}

// whole is a reservation as people are told it: a weight of a third is a
// millionth of the capacity short of it.
func whole(part int64) int64 { return (part + milli/100) / milli }

// drawn is what a pool took of its reservation of m, in thousandths.
func (v *poolView) drawn(d dimension) int64 { return max(0, v.taken[d]-v.lent[d]) * milli }

// owned is what a pool may take of m whatever is kept for others, in thousandths.
func (l *look) owned(m *limit, pool int, msLeft int64) int64 {
	v, mark := &l.views[pool], int64(0)
	if v.line != 0 {
		mark = l.mark(m.d, v.line)
	}
	return own(v.part[m.d], v.drawn(m.d), mark, msLeft)
}

// reserve says what must be left of m for the pools beside the caller's, in
// thousandths: what they own, and what is kept for them from whoever borrows.
func (l *look) reserve(m *limit, msLeft int64) {
	m.owned, m.kept = 0, 0
	time, grace := float64(msLeft)/minuteMS, float64(l.t.Pools.GraceMS)/minuteMS
	for i := range l.views[:l.count] {
		v := &l.views[i]
		if i == int(l.pool) || v.part[m.d] == 0 {
			continue
		}
		mine, part := l.owned(m, i, msLeft), float64(v.part[m.d])
		rest := part * time
		if v.since >= 0 && grace > 0 {
			rest = max(rest, min(v.demand(m.d, msLeft), rest+part*grace))
		}
		m.owned += mine
		m.kept += max(mine, min(v.part[m.d]-v.taken[m.d]*milli, int64(rest)))
	}
}

// charge books a take of m on the caller's pool. From the pool's reservation comes
// what the caller's key owns; the rest is borrowed, as far as there is capacity
// that nobody owns, so that the pool's other keys do not lack it. It returns how
// far the pool's mark moved, and what was borrowed.
func (l *look) charge(m *limit, msLeft int64) (ahead, lent int64) {
	v := &l.views[l.pool]
	want, line := m.want*milli, v.line
	spare := m.left*milli - m.owned - l.owned(m, int(l.pool), msLeft)
	drawn := min(want, max(l.ownKey(m, msLeft), want-max(0, spare)))
	if lent = (want - drawn) / milli; m.d == tokens {
		l.add(line+lineLentTokens, lent)
	} else {
		l.set4(line+lineLentRequests, l.at4(line+lineLentRequests)+lent)
	}
	return l.advance(m.d, line, float64(drawn)/float64(max(1, v.part[m.d])), msLeft), lent
}

// sigmas is how sure of its demand a pool is made, in standard deviations.
const sigmas = 2.5

// demand is what the pool will probably not exceed in the rest of the minute,
// at most at the rate of its part, in thousandths. It asked for as much as it did
// since it first asked, and if its requests come at random (a Poisson process),
// so many of size s come with a standard deviation of √(sum × s). Without this
// a flood takes whatever random arrivals leave for a moment, which the pool
// lacks when they come thicker.
func (v *poolView) demand(d dimension, msLeft int64) float64 {
	if v.admitted == 0 {
		return 0
	}
	size := float64(v.taken[d]) * milli / float64(v.admitted)
	asked := float64(v.asked) * size
	// The rate that would have made so little arrive with that bad luck.
	asked += sigmas*math.Sqrt(asked*size) + sigmas*sigmas/2*size
	elapsed := max(1, minuteMS-msLeft-v.since)
	rest := min(asked/float64(elapsed), float64(v.part[d])/minuteMS) * float64(msLeft)
	return rest + sigmas*math.Sqrt(rest*size)
}

// saturated reports whether so much of the capacities is in use that pools are
// kept apart.
func (l *look) saturated() bool {
	for i := range l.limits[:l.n] {
		m := &l.limits[i]
		if l.total(m.d)*milli >= mulDiv(m.capacity*milli, l.t.Pools.Threshold, One) {
			return true
		}
	}
	return false
}

// poolRoom is what the caller's whole pool may take of m when msLeft milliseconds
// of the minute remain, in thousandths.
func (l *look) poolRoom(m *limit, msLeft int64) int64 {
	left, kept, mine := m.left*milli, int64(0), int64(0)
	l.reserve(m, msLeft)
	if l.apart {
		kept = m.kept
	}
	if m.blocked(left-kept) && (kept < l.poolCrumb(m) || msLeft <= 1000 && l.total(m.d) == 0) {
		// In the last second of a minute in which nobody else asked for
		// anything one request may have it all, or who reserves nothing
		// would wait for ever with a large one.
		kept = 0
	}
	if pool := int(l.pool); pool < l.count {
		mine = l.owned(m, pool, msLeft)
	}
	return max(left-kept, min(left, mine))
}

// poolTotal is what the keys of the caller's pool share if they may take room: its
// reservation, or with what they took already more than that.
func (l *look) poolTotal(m *limit, room int64) int64 {
	if int(l.pool) >= l.count {
		return room
	}
	v := &l.views[l.pool]
	return max(v.part[m.d], v.taken[m.d]*milli+room)
}

// stand tells how the caller's pool stands after the request.
func (l *look) stand() *Reserved {
	s, v := &l.stands, &l.views[l.pool]
	*s = Reserved{}
	for i := range l.limits[:l.n] {
		m := &l.limits[i]
		s.Saturation = max(s.Saturation, mulDiv(l.total(m.d), One, max(1, m.capacity)))
		part := whole(v.part[m.d])
		left := part - v.taken[m.d]
		if !l.waives(m) {
			left -= m.want
		}
		if m.d == tokens {
			s.Tokens, s.TokensLeft = part, max(0, left)
		} else {
			s.Requests, s.RequestsLeft = part, max(0, left)
		}
	}
	return s
}

// firstOfPool reports whether the caller, whose pool took nothing of its
// reservation yet, may exceed that with a request that is larger: see firstOfKey.
func (l *look) firstOfPool(m *limit) bool {
	if int(l.pool) >= l.count {
		return false
	}
	v := &l.views[l.pool]
	return v.part[m.d] > 0 && v.taken[m.d] == 0 && m.blocked(v.part[m.d]) && m.owned < m.left*milli
}

// poolCrumb is what is of no use to the pools beside the caller's, in
// thousandths: less than any of them asks for at a time, as far as is known.
func (l *look) poolCrumb(m *limit) int64 {
	least := l.crumb(m)
	for i := range l.views[:l.count] {
		if v := &l.views[i]; i != int(l.pool) && v.admitted > 0 {
			least = min(least, v.taken[m.d]/v.admitted)
		}
	}
	return least * milli
}
