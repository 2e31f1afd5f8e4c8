package quota

import (
	"math"

	"fairshare/plugin/unit"
)

// A Book is a copy of a model group's record, for reports.
type Book struct {
	Minute   int64 // minutes since 1970 that Used, Held and Requests count in
	Requests int64 // requests admitted in this minute
	Used     unit.Tokens
	Held     unit.Tokens // admitted in this minute and not settled
	PrevHeld unit.Tokens // the same of the minute before
	Slots    int64       // requests in flight, whatever minute they came in
	Active   int64       // keys active in this minute
	Totals   Totals
	Learned  Learned // of the whole model group
	Lines    []Line  // of active keys
	Pools    []Pool  // by Claim.Pool, if priorities reserve anything

	// The last minute in which two keys shared that is over, and how fairly they
	// did, in millionths (Jain's index, see record.fairness); 0 for none.
	FairMinute, Fairness int64
}

// Totals count all that a model group ever did.
type Totals struct {
	Requests          int64       // admitted
	Refused           int64       // by this record
	WouldRefuse       int64       // passed, though a limit in shadow refused them
	Tokens            unit.Tokens // used, told or estimated
	EstimatedRequests int64       // answers that did not tell their usage
	EstimatedTokens   unit.Tokens // what those were charged
	DebtTokens        unit.Tokens // usage above the hold that crossed the capacity
	Reclaimed         int64       // requests in flight taken back from dead workers
	StrandedTokens    unit.Tokens // refused while as much was unused at the minute's end
	StrandedRequests  int64
	ErrorTokens       unit.Tokens // by which holds differed from what answers told that they used
	Told              int64       // those answers
}

// A Line is one active key's part of a book.
type Line struct {
	ID       uint64 // KeyID of the caller's key; another number for all keys beyond those followed one by one
	Used     unit.Tokens
	Held     unit.Tokens
	Requests int64
	Refused  int64
	Slots    int64  // in flight
	Weight   uint32 // millionths
	Pool     uint8  // NoPool for none

	// Of the model's limits: the key's share, and what it may take now.
	TokenShare, TokensAvailable     int64
	RequestShare, RequestsAvailable int64
}

// A Pool is one pool's part of a book.
type Pool struct {
	Weight   uint32 // millionths of the capacity
	Active   int64  // keys
	Used     unit.Tokens
	Held     unit.Tokens
	Requests int64
	Refused  int64

	// Of the model's limits: the reservation, what the pool may take now, and what
	// of the reservation it neither took nor is kept for it: others took it, or
	// may.
	TokenShare, TokensAvailable, TokensReleased       int64
	RequestShare, RequestsAvailable, RequestsReleased int64
}

// Read fills b with the group's book as it stands at now, reusing b's memory.
// Nothing in the store changes.
func (l *Ledger) Read(now int64, t *Terms, b *Book) error {
	l.begin(t)
	if l.read(now) {
		l.buf.copyTo(b, now, t, &l.look)
	}
	return l.err
}

// Watch is Read for the leader, who writes down that a minute is over, so that
// nobody has to find it out again.
func (l *Ledger) Watch(now int64, t *Terms, b *Book) error {
	err := l.Read(now, t, b)
	if err == nil && l.ended {
		l.swap() // if another worker was faster, it did the same
		err = l.err
	}
	return err
}

func (r record) copyTo(b *Book, now int64, t *Terms, l *look) {
	active, _ := r.census()
	*b = Book{
		Minute: r.at(atMinute), Requests: r.at(atRequests), Used: unit.Tokens(r.at(atUsed)), Held: unit.Tokens(r.at(atHeld)),
		PrevHeld: unit.Tokens(r.at(atPrevHeld)), Slots: r.at(atSlots), Active: active,
		Totals: Totals{
			Requests: r.at(atTotalRequests), Refused: r.at(atTotalRefused), WouldRefuse: r.at(atTotalWould), Tokens: unit.Tokens(r.at(atTotalTokens)),
			EstimatedRequests: r.at(atEstimatedRequests), EstimatedTokens: unit.Tokens(r.at(atEstimatedTokens)),
			DebtTokens: unit.Tokens(r.at(atDebtTokens)), Reclaimed: r.at(atReclaimed),
			StrandedTokens: unit.Tokens(r.at(atStrandedTokens)), StrandedRequests: r.at(atStrandedRequests),
			ErrorTokens: unit.Tokens(r.at(atErrorTokens)), Told: r.at(atTold),
		},
		Learned: r.learned(atLearned),
		Lines:   b.Lines[:0],
		Pools:   b.Pools[:0],
	}
	if f := r.at(atFairness); f > 0 {
		b.FairMinute, b.Fairness = r.at(atFairMinute), f-1
	}
	ms := r.msLeft(now)
	for i, weight := range t.Pools.Weights[:min(len(t.Pools.Weights), MaxPools)] {
		p := Pool{Weight: weight}
		l.see(r, 0, t, &Claim{Pool: uint8(i)}, 0)
		l.everyone[i] = l.peers(ms)
		for k := range l.limits[:l.n] {
			m := &l.limits[k]
			p.set(m.d, l.views[i].part[m.d], max(0, l.poolRoom(m, ms)), l.released(m, ms))
		}
		b.Pools = append(b.Pools, p)
	}
	l.see(r, 0, t, &Claim{Pool: NoPool}, 0)
	l.everyone[MaxPools] = l.peers(ms)
	hard := t.Hard[:min(len(t.Hard), MaxPools)]
	for i, weight := range hard {
		p := &l.everyone[i]
		*p = l.everyone[MaxPools]
		for k := range l.limits[:l.n] {
			m := &l.limits[k]
			p.ceiling[m.d] = r.ceiling(m.d, m.capacity, byte(i), int64(weight))
		}
		in := &l.inside[i]
		*in = peers{ceiling: [2]int64{math.MaxInt64, math.MaxInt64}, left: p.ceiling}
		for k := range l.limits[:l.n] {
			m := &l.limits[k]
			in.total[m.d] = mulDiv(m.capacity*milli, int64(weight), One)
		}
	}
	for line := r.first(); line < r.end() && len(hard) > 0; line += lineSize {
		if pool := r[line+linePool]; int(pool) < len(hard) && r.active(line) {
			l.inside[pool].weights += r.at4(line + lineWeight)
		}
	}
	for line := r.first(); line < r.end(); line += lineSize {
		if !r.active(line) {
			continue
		}
		p := l.peersOf(r[line+linePool], t)
		p.active++
		for d := range dimension(2) {
			kept := p.keptFor(r, d, line, ms)
			p.kept[d] += kept
			if mates := p; kept >= milli {
				if len(hard) > 0 {
					mates = &l.everyone[MaxPools]
				}
				mates.useful[d] += kept
			}
			if pool := r[line+linePool]; int(pool) < len(hard) {
				in := &l.inside[pool]
				kept := in.keptFor(r, d, line, ms)
				if in.kept[d] += kept; kept >= milli {
					in.useful[d] += kept
				}
			}
		}
	}
	for i, weight := range hard {
		p := Pool{Weight: weight}
		for k := range l.limits[:l.n] {
			m, q := &l.limits[k], &l.everyone[i]
			kept := min(q.kept[m.d], q.ceiling[m.d])
			p.set(m.d, mulDiv(m.capacity*milli, int64(weight), One), min(q.ceiling[m.d], m.left*milli), q.ceiling[m.d]-kept)
			l.everyone[MaxPools].elsewhere[m.d] += kept
		}
		b.Pools = append(b.Pools, p)
	}
	for i := range hard {
		for d := range dimension(2) {
			p, all := &l.everyone[i], &l.everyone[MaxPools]
			p.elsewhere[d] = all.kept[d] + all.elsewhere[d] - min(p.kept[d], p.ceiling[d])
			p.useful[d] = all.useful[d]
		}
	}
	for line := r.first(); line < r.end(); line += lineSize {
		pool := r[line+linePool]
		k := Line{
			ID: uint64(r.at(line + lineID)), Used: unit.Tokens(r.at(line + lineUsed)), Held: unit.Tokens(r.at(line + lineHeld)),
			Requests: r.at4(line + lineCount), Refused: r.at4(line + lineRefused), Slots: r.at4(line + lineSlots),
			Weight: uint32(r.at4(line + lineWeight)), Pool: pool,
		}
		if int(pool) < len(b.Pools) {
			p := &b.Pools[pool]
			p.Used, p.Held = p.Used.Plus(k.Used), p.Held.Plus(k.Held)
			p.Requests += k.Requests
			p.Refused += k.Refused
			if r.active(line) {
				p.Active++
			}
		}
		if !r.active(line) {
			continue
		}
		p := l.peersOf(pool, t)
		l.me, l.pool, l.weights = line, pool, p.weights
		if l.hard = int(pool) < len(hard); l.hard {
			l.weight = int64(hard[pool])
		}
		for i := range l.limits[:l.n] {
			m := &l.limits[i]
			share, available := l.shareOf(m, p.active), p.available(l, m, ms)
			if l.hard {
				l.inCeiling, l.weights = true, l.inside[pool].weights
				available = min(available, l.inside[pool].available(l, m, ms))
				l.inCeiling, l.weights = false, p.weights
			}
			available /= milli
			if m.d == tokens {
				k.TokenShare, k.TokensAvailable = share, available
			} else {
				k.RequestShare, k.RequestsAvailable = share, available
			}
		}
		b.Lines = append(b.Lines, k)
	}
}

// peers are the keys among which a key shares, those of its pool or all, in
// thousandths by dimension. They tell in one go what look.fits would tell each of
// them: of 1,024 keys each would look at 1,024.
type peers struct {
	active    int64    // keys of the pool
	weights   int64    // of the active ones
	free      bool     // nothing is kept for anybody
	left      [2]int64 // for them together
	total     [2]int64 // that they share
	kept      [2]int64 // of that, for all of them
	useful    [2]int64 // of that, what is a request or more for one key, see look.sumUseful
	elsewhere [2]int64 // what is kept for others than them
	ceiling   [2]int64 // what they together may still take
}

// peers are those of the caller, without what is kept.
func (l *look) peers(msLeft int64) peers {
	p := peers{weights: l.weights, free: l.count > 0 && !l.apart, ceiling: [2]int64{math.MaxInt64, math.MaxInt64}}
	for i := range l.limits[:l.n] {
		m := &l.limits[i]
		p.left[m.d], p.total[m.d] = m.left*milli, m.capacity*milli
		if l.count > 0 && !p.free {
			p.left[m.d] = max(0, l.poolRoom(m, msLeft))
			p.total[m.d] = l.poolTotal(m, p.left[m.d])
		}
	}
	return p
}

// peersOf are those of a pool's keys.
func (l *look) peersOf(pool uint8, t *Terms) *peers {
	if int(pool) >= max(len(t.Pools.Weights), len(t.Hard)) {
		pool = MaxPools
	}
	return &l.everyone[min(pool, MaxPools)]
}

// keptFor is what must still be found for the key of a line.
func (p *peers) keptFor(r record, d dimension, line int, msLeft int64) int64 {
	if p.weights == 0 {
		return 0
	}
	k := keeping{record: r, d: d, total: p.total[d], weights: p.weights, msLeft: msLeft, weight: -1}
	return k.kept(line)
}

// available is what the caller, who is one of them, may take of m, see look.keyRoom.
func (p *peers) available(l *look, m *limit, msLeft int64) int64 {
	d := m.d
	left := p.left[d]
	if p.free {
		return left
	}
	mine := p.keptFor(l.record, d, l.me, msLeft)
	kept := p.elsewhere[d] + min(p.kept[d]-mine, p.ceiling[d])
	room := left - min(left, kept)
	if m.blocked(room) {
		room = max(room, min(left, l.ownKey(m, msLeft)))
		if kept < milli {
			room = left // see look.keyCrumb
		}
		m.shared = p.total[d]
		if m.blocked(room) && (l.taken(d, l.me)+m.want)*milli <= l.share(m) {
			if mine < milli {
				mine = 0
			}
			room = max(room, left-(p.useful[d]-mine))
		}
	}
	return max(0, min(room, p.ceiling[d]))
}

// set takes thousandths.
func (p *Pool) set(d dimension, share, available, released int64) {
	if d == tokens {
		p.TokenShare, p.TokensAvailable, p.TokensReleased = whole(share), available/milli, whole(released)
	} else {
		p.RequestShare, p.RequestsAvailable, p.RequestsReleased = whole(share), available/milli, whole(released)
	}
}

// released is what of the reservation of the caller's pool is open to others or
// theirs already, in thousandths.
func (l *look) released(m *limit, msLeft int64) int64 {
	v := &l.views[l.pool]
	rest := max(0, v.part[m.d]-v.taken[m.d]*milli)
	if !l.apart {
		return rest
	}
	l.reserve(m, msLeft)
	others, pool := m.kept, l.pool
	l.pool = NoPool
	l.reserve(m, msLeft)
	l.pool = pool
	return max(0, rest-min(m.kept-others, m.left*milli))
}
