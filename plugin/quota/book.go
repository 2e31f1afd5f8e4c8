package quota

import "fairshare/plugin/unit"

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
	Pools    []Pool  // by Claim.Pool, if the group has any
}

// Totals count all that a model group ever did.
type Totals struct {
	Requests          int64       // admitted
	Refused           int64       // by this record
	Tokens            unit.Tokens // used, told or estimated
	EstimatedRequests int64       // answers that did not tell their usage
	EstimatedTokens   unit.Tokens // what those were charged
	DebtTokens        unit.Tokens // usage above the hold that crossed the capacity
	Reclaimed         int64       // requests in flight taken back from dead workers
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

	// Of the model's limits: the reservation, and what the pool may take now.
	TokenShare, TokensAvailable     int64
	RequestShare, RequestsAvailable int64
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

func (r record) copyTo(b *Book, now int64, t *Terms, l *look) {
	active, _ := r.census()
	*b = Book{
		Minute: r.at(atMinute), Requests: r.at(atRequests), Used: unit.Tokens(r.at(atUsed)), Held: unit.Tokens(r.at(atHeld)),
		PrevHeld: unit.Tokens(r.at(atPrevHeld)), Slots: r.at(atSlots), Active: active,
		Totals: Totals{
			Requests: r.at(atTotalRequests), Refused: r.at(atTotalRefused), Tokens: unit.Tokens(r.at(atTotalTokens)),
			EstimatedRequests: r.at(atEstimatedRequests), EstimatedTokens: unit.Tokens(r.at(atEstimatedTokens)),
			DebtTokens: unit.Tokens(r.at(atDebtTokens)), Reclaimed: r.at(atReclaimed),
		},
		Learned: r.learned(atLearned),
		Lines:   b.Lines[:0],
		Pools:   b.Pools[:0],
	}
	ms := r.msLeft(now)
	for i, weight := range t.Pools.Weights {
		p := Pool{Weight: weight}
		l.see(r, 0, t, &Claim{Pool: uint8(i)}, 0)
		for k := range l.limits[:l.n] {
			m := &l.limits[k]
			share, available := whole(l.views[i].part[m.d]), max(0, l.poolRoom(m, ms))/milli
			if m.d == tokens {
				p.TokenShare, p.TokensAvailable = share, available
			} else {
				p.RequestShare, p.RequestsAvailable = share, available
			}
		}
		b.Pools = append(b.Pools, p)
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
		if l.me = line; l.count > 0 || len(b.Lines) == 0 { // without pools all lines see the same
			l.see(r, line, t, &Claim{Pool: pool}, 0)
		}
		for i := range l.limits[:l.n] {
			m := &l.limits[i]
			l.fits(m, ms)
			if m.d == tokens {
				k.TokenShare, k.TokensAvailable = mulDiv(m.shared, int64(k.Weight), max(1, l.weights))/milli, max(0, m.room)/milli
			} else {
				k.RequestShare, k.RequestsAvailable = mulDiv(m.shared, int64(k.Weight), max(1, l.weights))/milli, max(0, m.room)/milli
			}
		}
		b.Lines = append(b.Lines, k)
	}
}
