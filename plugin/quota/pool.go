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

// GraceMS is a good value of Pools.GraceMS: in simulation more of it made no
// difference to pools of 30 requests a minute and more, and less of it took
// requests from those that have 10 (TestReservationUnderFlood).
const GraceMS = 10_000

// crowd is the id of a pool's own line, which has its marks and, together, its
// keys that have no line of their own. Keys without a pool have 0 for that. No
// key has one of these ids, see KeyID.
func crowd(pool uint8) uint64 {
	if pool >= MaxPools {
		return 0
	}
	return ^uint64(pool)
}

func isCrowd(id uint64) bool { return id == 0 || id > ^uint64(MaxPools) }

// pools are what the lines say of each pool, for one decision.
type pools struct {
	views [MaxPools]poolView
	count int
}

// A poolView is what the lines of a pool together say of the minute.
type poolView struct {
	line     int      // its own, 0 if nobody of it asked yet
	taken    [2]int64 // by dimension
	admitted int64    // requests
	asked    int64    // requests, admitted or refused
	since    int64    // ms of the minute when the first of it asked, -1 if none did
}

// survey fills the views.
func (l *look) survey() {
	n := min(len(l.t.Pools.Weights), MaxPools)
	l.count, l.actives, l.weights = n, 0, 0
	for i := range l.views[:n] {
		l.views[i] = poolView{since: -1}
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
		}
	}
}

// reservation is what a pool reserves of m, in thousandths.
func (l *look) reservation(m *limit, pool int) int64 {
	return mulDiv(m.capacity*milli, int64(l.t.Pools.Weights[pool]), One)
}

// owned is what a pool may take of m whatever is kept for others, in thousandths.
func (l *look) owned(m *limit, pool int, msLeft int64) int64 {
	v, mark := &l.views[pool], int64(0)
	if v.line != 0 {
		mark = l.mark(m.d, v.line)
	}
	return own(l.reservation(m, pool), v.taken[m.d]*milli, mark, msLeft)
}

// reserved sums what must be left of m for the pools beside the caller's, in
// thousandths: what they own, and what is kept for them from whoever borrows.
func (l *look) reserved(m *limit, msLeft int64) (owned, kept int64) {
	for i := range l.count {
		if i == int(l.pool) {
			continue
		}
		mine := l.owned(m, i, msLeft)
		owned += mine
		v, part := &l.views[i], l.reservation(m, i)
		rest := mulDiv(part, msLeft, minuteMS)
		if more := mulDiv(part, l.t.Pools.GraceMS, minuteMS); more > 0 {
			rest = max(rest, min(v.demand(m.d, part, msLeft), rest+more))
		}
		kept += max(mine, min(part-v.taken[m.d]*milli, rest))
	}
	return owned, kept
}

// sigmas is how sure of its demand a pool is made, in standard deviations.
const sigmas = 2.5

// demand is what the pool will probably not exceed in the rest of the minute,
// at most at the rate of its part, in thousandths. It asked for as much as it did
// since it first asked, and if its requests come at random (a Poisson process),
// so many of size s come with a standard deviation of √(sum × s). Without this
// a flood takes whatever random arrivals leave for a moment, which the pool
// lacks when they come thicker.
func (v *poolView) demand(d dimension, part, msLeft int64) int64 {
	if v.since < 0 || v.admitted == 0 {
		return 0
	}
	size := float64(v.taken[d]) * milli / float64(v.admitted)
	asked := float64(v.asked) * size
	if d == tokens {
		size *= 2
	}
	// The rate that would have made so little arrive with that bad luck.
	asked += sigmas*math.Sqrt(asked*size) + sigmas*sigmas/2*size
	elapsed := max(1, minuteMS-msLeft-v.since)
	rest := min(asked/float64(elapsed), float64(part)/minuteMS) * float64(msLeft)
	return int64(rest + sigmas*math.Sqrt(rest*size))
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
	if l.apart {
		_, kept = l.reserved(m, msLeft)
	}
	if m.blocked(left-kept) && kept < l.poolCrumb(m) {
		kept = 0
	}
	if pool := int(l.pool); pool < l.count {
		mine = l.owned(m, pool, msLeft)
	}
	return max(left-kept, min(left, mine))
}

// poolTaken is what the caller's pool took of m, in thousandths.
func (l *look) poolTaken(m *limit) int64 {
	if int(l.pool) >= l.count {
		return 0
	}
	return l.views[l.pool].taken[m.d] * milli
}

// reserve fills how the caller's pool stands after the request.
func (l *look) reserve(admitted bool) *Reserved {
	s := &l.stands
	*s = Reserved{}
	for i := range l.limits[:l.n] {
		m := &l.limits[i]
		s.Saturation = max(s.Saturation, mulDiv(l.total(m.d), One, max(1, m.capacity)))
		part := l.reservation(m, int(l.pool)) / milli
		left := part - l.views[l.pool].taken[m.d]
		if admitted {
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

// firstOfPool reports whether nobody of the caller's pool took anything of its
// reservation, and the others' are whole enough to let one request exceed that.
func (l *look) firstOfPool(m *limit, msLeft int64) bool {
	pool := int(l.pool)
	if pool >= l.count || l.t.Pools.Weights[pool] == 0 || l.views[pool].taken[m.d] > 0 {
		return false
	}
	owned, _ := l.reserved(m, msLeft)
	return owned < m.left*milli
}

// poolCrumb is what is of no use to the pools beside the caller's, in
// thousandths: less than any of them asks for at a time, as far as is known.
func (l *look) poolCrumb(m *limit) int64 {
	least := m.want
	for i := range l.views[:l.count] {
		if v := &l.views[i]; i != int(l.pool) && v.admitted > 0 {
			least = min(least, v.taken[m.d]/v.admitted)
		}
	}
	return least * milli
}
