package quota

import "encoding/binary"

// A Limiting says whose limit refused a request. Its values stand in records.
type Limiting uint8

const (
	ByShare    Limiting = iota // of the model: what is left is kept for other keys
	ByPriority                 // of the model: the priority may take no more, or what is left is kept for others
	ByModel                    // the model's own: nobody could be admitted with such a request
	ByProxy                    // a meter's, and so are the rest, by its scope
	ByKey
	ByUser
	ByTeam
	ByMember
	ByCustomer
	NumLimitings
)

// NumReasons is how many reasons there are to refuse, from OverBudget on.
const NumReasons = int(OverTokens)

// A Refusal tells why a request was refused, in the numbers that decided. All
// amounts are tokens or requests, for OverBudget PicoUSD, for OverParallel requests in
// flight.
type Refusal struct {
	At     int64    // ms since 1970; 0 if there is none
	Key    uint64   // KeyID of the caller's key
	Hash   [32]byte // the key's, zero if it was not named, see NameRefused
	Alias  string   // at most MaxAlias bytes
	By     Limiting
	Reason Reason
	Pool   uint8 // as in the claim
	Wanted int64
	Left   int64 // of the model for all, ByShare for the caller's priority; of the meter
	Share  int64 // what the limit gives: the key's share, the priority's reservation, all of the model or of the meter
	Taken  int64 // of the minute: by the key, by the priority, by all
	Kept   int64 // of what is left, for others
	Others int64 // ByShare: active keys that it is kept for
	// RetryMS is when the caller may be admitted, all else equal; Never.
	RetryMS int64
}

// MaxAlias bounds a Refusal's Alias.
const MaxAlias = 64

// Refusals are a model group's, ever since its record was made.
type Refusals struct {
	Counts [NumLimitings][NumReasons]int64 // by reason from OverBudget on
	Last   Refusal
}

// explain notes why m refused the caller, as fits left it.
//
//go:noinline
func (l *look) explain(m *limit, msLeft int64) {
	w := &l.why
	*w = Refusal{By: ByShare, Reason: OverTokens, Pool: l.pool, Wanted: m.want, Left: m.left}
	if m.d == requests {
		w.Reason = OverRequests
	}
	pool := m.left * milli
	if l.count > 0 {
		pool = l.poolRoom(m, msLeft)
	}
	switch {
	case l.hard && (l.weight == 0 || m.want*milli > m.ceiling && m.want <= m.left):
		w.By = ByPriority
		w.Share, w.Taken = whole(mulDiv(m.capacity*milli, l.weight, One)), l.takenBy(m.d, l.pool)
	case m.capacity == 0 || m.want > m.left:
		w.By = ByModel
		w.Share, w.Taken = m.capacity, l.total(m.d)
	case l.count > 0 && int(l.pool) < l.count && m.blocked(pool):
		v := &l.views[l.pool]
		w.By = ByPriority
		w.Share, w.Taken, w.Kept = whole(v.part[m.d]), v.taken[m.d], m.left-max(0, pool)/milli
	default:
		mates := int64(0) // of the caller's pool, itself included
		for line := l.first(); line < l.end(); line += lineSize {
			if !l.active(line) {
				continue
			}
			mine := l.record[line+linePool] == l.pool
			if mine {
				mates++
			}
			if line != l.me && (mine || l.count == 0 && !m.inPool) {
				w.Others++
			}
		}
		w.Share, w.Taken = l.shareOf(m, mates), l.taken(m.d, l.me)
		w.Left = min(m.left, max(0, min(pool, m.ceiling))/milli)
		w.Kept = max(0, w.Left-max(0, m.room)/milli)
	}
}

// shareOf is the caller's share of m. Where the caller's pool has a ceiling, it is
// no more than an equal part of that among its active keys, so many.
func (l *look) shareOf(m *limit, mates int64) int64 {
	share := mulDiv(l.secured(m), l.at4(l.me+lineWeight), max(1, l.weights))
	if l.hard {
		share = min(share, mulDiv(m.capacity*milli, l.weight, One)/max(1, mates))
	}
	return share / milli
}

// explain tells why the meter refused a request that was to be held so.
func (m *Meter) explain(why Reason, h *Hold, s *Standing) Refusal {
	r := Refusal{By: ByModel + Limiting(m.ID[0]), Reason: why, Wanted: 1}
	switch why {
	case OverBudget:
		r.Wanted, r.Share, r.Taken = int64(h.cost), m.Budget.Max, int64(s.Cost)
		r.Left = max(0, r.Share-r.Taken)
		return r
	case OverParallel:
		r.Share, r.Left = m.Parallel.Max, s.Parallel
	case OverTokens:
		r.Wanted, r.Share, r.Left = int64(h.want), m.TPM.Max, s.Tokens
	default:
		r.Share, r.Left = m.RPM.Max, s.Requests
	}
	r.Taken = r.Share - r.Left
	return r
}

// news are a group's refusals that are not written down yet.
type news struct {
	Refusals
	key     string // where they are to be written
	pending bool
}

// refuse notes a refusal. Its time costs no host call: it is written with the
// worker's next tick, like a Tally.
//
//go:noinline
func (l *Ledger) refuse(now int64, t *Terms, key uint64, r *Refusal, retryMS int64) {
	n := l.news[t.id]
	if n == nil {
		if l.news == nil {
			l.news = make(map[uint64]*news)
		}
		n = &news{key: refusalsKey(t)}
		l.news[t.id] = n
	}
	n.pending = true
	n.Counts[r.By][r.Reason-OverBudget]++
	n.Last = *r
	n.Last.At, n.Last.Key, n.Last.RetryMS = now, key, retryMS
}

// NameRefused says whose the refusal was that Admit decided last, so that it can be
// told after the key's line is gone.
func (l *Ledger) NameRefused(t *Terms, hash *[32]byte, alias string) {
	if n := l.news[t.id]; n != nil && n.pending {
		n.Last.Hash, n.Last.Alias = *hash, alias[:min(len(alias), MaxAlias)]
	}
}

// Layout of a group's refusals, numbers little endian:
//
//	magic 4 | checksum of what follows 4 | group id 8 | counts, 8 each |
//	the last one: time 8 | key 8 | whose limit 1 | reason 1 | pool 1 | length of the
//	alias 1 | 0 4 | the rest, 8 each | key hash 32 | alias, padded to 64
const (
	refusalsMagic = 0x01595346 // "FSY" and layout 1
	atCounts      = 16
	atLast        = atCounts + 8*int(NumLimitings)*NumReasons
	atName        = atLast + 10*8
	refusalsSize  = atName + 32 + MaxAlias
)

func refusalsKey(t *Terms) string { return "fs/y/" + t.Key[len(groupPrefix):] }

// rest are the numbers of a refusal that are written as they are.
func (r *Refusal) rest() [7]*int64 {
	return [...]*int64{&r.Wanted, &r.Left, &r.Share, &r.Taken, &r.Kept, &r.Others, &r.RetryMS}
}

func (r *Refusals) encode(dst []byte, id uint64) []byte {
	le := binary.LittleEndian
	dst = Unsealed(dst[:0])
	dst = le.AppendUint64(dst, id)
	for i := range r.Counts {
		for _, n := range r.Counts[i] {
			dst = le.AppendUint64(dst, uint64(n))
		}
	}
	x := &r.Last
	dst = le.AppendUint64(dst, uint64(x.At))
	dst = le.AppendUint64(dst, x.Key)
	dst = append(dst, byte(x.By), byte(x.Reason), x.Pool, byte(len(x.Alias)), 0, 0, 0, 0)
	for _, n := range x.rest() {
		dst = le.AppendUint64(dst, uint64(*n))
	}
	dst = append(dst, x.Hash[:]...)
	var alias [MaxAlias]byte
	copy(alias[:], x.Alias)
	dst = append(dst, alias[:]...)
	Seal(dst, refusalsMagic)
	return dst
}

// decode takes the refusals from the store. It reports false, and leaves none,
// for what are not the group's.
func (r *Refusals) decode(v []byte, id uint64) bool {
	le := binary.LittleEndian
	*r = Refusals{}
	if len(v) != refusalsSize || le.Uint64(v[8:]) != id || !Sealed(v, refusalsMagic) {
		return false
	}
	at := atCounts
	for i := range r.Counts {
		for k := range r.Counts[i] {
			r.Counts[i][k] = int64(le.Uint64(v[at:]))
			at += 8
		}
	}
	x := &r.Last
	x.At, x.Key = int64(le.Uint64(v[atLast:])), le.Uint64(v[atLast+8:])
	x.By, x.Reason, x.Pool = Limiting(v[atLast+16]), Reason(v[atLast+17]), v[atLast+18]
	for i, n := range x.rest() {
		*n = int64(le.Uint64(v[atLast+24+8*i:]))
	}
	copy(x.Hash[:], v[atName:])
	size := int(v[atLast+19])
	if size > MaxAlias {
		return false
	}
	x.Alias = string(v[atName+32 : atName+32+size])
	return x.By < NumLimitings && x.Reason <= OverTokens && (x.At == 0 || x.Reason >= OverBudget)
}

// Refusals fills r with the group's refusals: this worker's, and those that others
// wrote down with their ticks.
func (l *Ledger) Refusals(t *Terms, r *Refusals) error {
	if n := l.news[t.id]; n != nil && n.pending {
		if err := l.writeNews(t.id, n); err != nil {
			return err
		}
	}
	_, _, err := l.readRefusals(refusalsKey(t), t.id, r)
	return err
}

// writeRefusals writes down what this worker refused. What can't be written now
// waits for the next time.
func (l *Ledger) writeRefusals() {
	for id, n := range l.news {
		if n.pending {
			_ = l.writeNews(id, n)
		}
	}
}

func (l *Ledger) writeNews(id uint64, n *news) error {
	var r Refusals
	for range MaxTries {
		cas, fresh, err := l.readRefusals(n.key, id, &r)
		if err != nil {
			return err
		}
		for i := range r.Counts {
			for k := range r.Counts[i] {
				r.Counts[i][k] = plus(r.Counts[i][k], n.Counts[i][k])
			}
		}
		if n.Last.At >= r.Last.At {
			r.Last = n.Last
		}
		l.pageBuf = r.encode(l.pageBuf, id)
		st := OK
		if fresh {
			st = Create(l.store, n.key, l.pageBuf)
		} else {
			st = l.store.Set(n.key, l.pageBuf, cas)
		}
		switch st {
		case OK:
			n.Refusals, n.pending = Refusals{}, false
			return nil
		case Mismatch:
			l.Retries++
		default:
			return ErrStore
		}
	}
	return ErrConflict
}

func (l *Ledger) readRefusals(key string, id uint64, r *Refusals) (cas uint32, fresh bool, err error) {
	for try := 0; ; try++ {
		v, cas, st := l.store.Get(key)
		switch {
		case st == NotFound:
			*r = Refusals{}
			return 0, true, nil
		case st != OK:
			return 0, false, ErrStore
		case r.decode(v, id):
			return cas, false, nil
		case try == tornReads: // another's, or another layout's: it is replaced
			*r = Refusals{}
			return cas, false, nil
		}
	}
}
