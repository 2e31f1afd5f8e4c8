package quota

import (
	"errors"
	"math"

	"fairshare/plugin/unit"
)

var (
	// ErrConflict means that other workers won every try to change a record.
	ErrConflict = errors.New("quota: record changed by other workers, tries spent")
	// ErrStore means that the host's shared data refused to read or write.
	ErrStore = errors.New("quota: shared data refused")
)

// A Reason says which limit refused.
type Reason uint8

const (
	Admitted     Reason = iota
	OverBudget          // a meter's money
	OverParallel        // a meter's requests in flight
	OverRequests        // a meter's or the model's requests a minute, or the caller's share of them
	OverTokens          // a meter's or the model's tokens a minute, or the caller's share of them
)

// Never is the wait of a caller whose share is zero: no time helps.
const Never = math.MaxInt64

// A Verdict is what Admit decided, with the numbers that a client is told.
type Verdict struct {
	Reason Reason // Admitted, or what refused
	// Would is, of an admitted request, what would have refused it if no limit were in
	// shadow (Meter.Shadow, Terms.Shadow), and WouldBy whose limit that is, as in By.
	Would   Reason
	WouldBy int
	Hold    Hold // to be settled or released once, if admitted

	Tokens   Room // empty without a TPM limit
	Requests Room // empty without an RPM limit

	// By is the index in Claim.Meters of the meter that refused, -1 if it was
	// the model or nobody. Meters are the standings of all of them; they
	// belong to the ledger until its next call.
	By     int
	Meters []Standing

	Active  int64 // keys active before this request; a new key does not count itself
	Keys    int64 // keys active with this request's
	ResetMS int64 // milliseconds to the end of the minute
	RetryMS int64 // if refused: until this caller may be admitted, all else equal; Never

	// Spent reports of a refusal by the model that nobody could be admitted
	// with such a request, and not only this caller.
	Spent bool
	// Pool is how the caller's pool stands, nil if it has none. It belongs to
	// the ledger until its next call.
	Pool *Reserved
}

// OK reports whether the request was admitted.
func (v *Verdict) OK() bool { return v.Reason == Admitted }

// A Room is what is left of one limit, after this request if it was admitted.
type Room struct {
	Limited bool
	Model   int64 // left of it for all
	Caller  int64 // left of it for this caller
}

// A Reserved is what a pool's priority reserves of a model's limits, and what of
// that is left for the pool after a request, if it was admitted. A pool that
// borrows has nothing left of it.
type Reserved struct {
	Saturation       int64 // millionths of the fuller limit that were in use before the request
	Tokens, Requests int64
	TokensLeft       int64
	RequestsLeft     int64
}

// A Hold is an admitted claim that is not settled yet. The zero Hold is none;
// Settle and Release consume a hold, a second call on it does nothing.
type Hold struct {
	open    bool
	shadow  bool // it takes nothing of limits in shadow
	free    bool // its tokens count for no limit of the model
	unpaid  bool // no budget refuses it
	pool    uint8
	minute  int64
	key     uint64
	tokens  unit.Tokens
	input   unit.Tokens // the estimate's two parts
	output  unit.Tokens
	bytes   int64       // of text asked, to learn from, and the next two
	media   unit.Tokens // beside it
	most    unit.Tokens // that the caller allowed, less than 0 for no cap
	choices int64
	least   unit.Tokens // of the model that such a request may well come to
	at      int64       // ms, when it was admitted
	want    unit.Tokens
	shade   unit.Tokens // the same for meters whose tokens are in shadow, see wants
	cost    unit.PicoUSD
	page    int32 // in the journal; -1 for none
	slot    int32
	epoch   uint32

	meters  [MaxMeters]*Meter
	nmeters int

	// How far this hold moved the marks of its line and its pool's, see own, and
	// what of it is not from the pool's reservation.
	ahead, poolAhead int32
	lent             int64
}

// Open reports whether the hold still has to be settled or released.
func (h *Hold) Open() bool { return h.open }

// Estimate is what the request was expected to cost, for answers that don't
// tell.
func (h *Hold) Estimate() (input, output unit.Tokens) { return h.input, h.output }

// Age is how long ago the request was admitted, in ms.
func (h *Hold) Age(now int64) int64 { return max(0, now-h.at) }

// Spent is what an answer cost.
type Spent struct {
	Prompt     unit.Tokens
	Completion unit.Tokens
	Total      unit.Tokens // that count for limits, see Counting
	Cost       unit.PicoUSD
	Estimated  bool // not told by the upstream
	// Learn lets later estimates follow this answer, which is whole. One that broke
	// off is Part: it says how long answers are at least.
	Learn, Part bool
}

// Admit decides one claim, all or nothing: the request, its estimated tokens and
// its estimated cost are held on the model and on all meters, or nothing is. A
// key that the model refuses still counts as active there; one that a meter
// refuses changes nothing anywhere. The verdict is put into v, which is empty after
// an error. (As a result it would be copied field by field at each return.)
func (l *Ledger) Admit(now int64, t *Terms, c *Claim, v *Verdict) error {
	l.awake(now)
	err := l.admit(now, t, c, v)
	if err == nil && v.OK() {
		l.journal(now, &v.Hold, t)
	}
	return err
}

// AdmitPaid decides a claim whose cost is known, and settles it at once: nothing
// is in flight afterwards and the verdict has no open hold. What c says of the
// estimate is replaced by s.
func (l *Ledger) AdmitPaid(now int64, t *Terms, c *Claim, s *Spent, v *Verdict) error {
	c.Exact, c.paid = max(1, s.Total), s
	if err := l.admit(now, t, c, v); err != nil || !v.OK() {
		return err
	}
	for i := range v.Meters {
		v.Meters[i].Spent = v.Meters[i].Spent.Plus(s.Cost)
	}
	l.ending = ending{Hold: v.Hold, spent: *s, how: settled}
	v.Hold = Hold{}
	_ = l.end(now, &l.ending) // it is admitted, whatever has to wait
	return nil
}

// admit decides in the order of refusals: the meters first, then the model. It
// reads everything before it writes anything, so that a refusal costs no write;
// what changes under its hands meanwhile decides anew, and what was taken
// before that is given back.
func (l *Ledger) admit(now int64, t *Terms, c *Claim, v *Verdict) error {
	var h Hold
decide:
	for range MaxTries {
		would := refusal{by: -1} // a limit in shadow
		started, taken := false, false
		for l.begin(t); l.read(now); l.swap() {
			if !started {
				started = true
				l.buf.size(now, t, c, &h)
				if len(c.Meters) > 0 {
					is, instead, err := l.inspect(now, c, &h)
					if err != nil {
						*v = Verdict{}
						return err
					}
					if is.by >= 0 {
						l.refusedBy(now, t, c, &h, &is, v)
						return nil
					}
					would = instead
				}
			}
			l.buf.admit(now, t, c, &h, would.by >= 0, &l.look, v)
			if taken && (!v.OK() || v.Hold.shadow != h.shadow) {
				l.untakeAll(now, c.Meters, &h)
				taken = false
			}
			if v.OK() && !taken && len(c.Meters) > 0 {
				h.shadow = v.Hold.shadow
				by, why, err := l.takeAll(now, c, &h)
				if err != nil {
					*v = Verdict{}
					return err
				}
				if why != Admitted {
					m, want := h.limits(c.Meters[by], true), int64(h.wants(c.Meters[by]))
					if why = l.asked[by].refuses(now, want, h.atLeast(want), m); why == Admitted {
						// A limit in shadow came to refuse: then less is taken of others.
						continue decide
					}
					l.refusedBy(now, t, c, &h, &refusal{by, why, l.asked[by].wait(now, want, h.atLeast(want), m)}, v)
					return nil
				}
				taken = true
			}
			if v.OK() && c.paid != nil {
				l.buf.close(&v.Hold, false, c.paid, t)
			}
		}
		if l.err != nil {
			if taken {
				l.untakeAll(now, c.Meters, &h)
			}
			*v = Verdict{}
			return l.err
		}
		v.By = -1
		v.Meters = l.stand(now, c)
		if !v.OK() {
			l.refuse(now, t, c.Key, &l.look.why, v.RetryMS)
		}
		if v.OK() {
			v.Hold.nmeters = copy(v.Hold.meters[:], c.Meters)
			if would.by >= 0 {
				v.Would, v.WouldBy = would.why, would.by
			}
		}
		return nil
	}
	*v = Verdict{}
	return ErrConflict
}

// refusedBy is the verdict of a meter. The wait is true of the model as well.
//
//go:noinline
func (l *Ledger) refusedBy(now int64, t *Terms, c *Claim, h *Hold, by *refusal, v *Verdict) {
	l.buf.admit(now, t, c, h, false, &l.look, v) // in memory alone: it is not written
	if v.OK() {                                  // tell what is left without it
		for i := range l.look.limits[:l.look.n] {
			m := &l.look.limits[i]
			room := Room{Limited: true, Model: max(0, m.left), Caller: max(0, m.room) / milli}
			if m.d == requests {
				v.Requests = room
			} else {
				v.Tokens = room
			}
		}
		if v.Pool != nil {
			l.look.waived = AllReasons
			v.Pool = l.look.stand()
		}
	}
	v.RetryMS = max(by.wait, v.RetryMS)
	v.Reason, v.By, v.Would, v.Hold = by.why, by.by, Admitted, Hold{}
	v.Keys = v.Active // its key is not made active by it
	v.Meters = l.stand(now, c)
	r := c.Meters[by.by].explain(by.why, h, &v.Meters[by.by])
	r.Pool = c.Pool
	l.refuse(now, t, c.Key, &r, v.RetryMS)
}

// size makes h what the request will be held for.
func (r record) size(now int64, t *Terms, c *Claim, h *Hold) {
	model, prompts := r.learned(atLearned), r.prompts()
	key := Learned{}
	if me := r.find(c.Key); me != 0 {
		key = r.learned(me + lineLearned)
	}
	*h = Hold{}
	h.open, h.key, h.at, h.page, h.pool = true, c.Key, now, -1, NoPool
	h.bytes, h.media, h.most = c.Ask.TextBytes, c.Ask.MediaTokens, -1
	h.choices, h.unpaid = c.Ask.choices(), c.Costless
	if c.Ask.Capped {
		h.most = c.Ask.MaxOutput
	}
	slots := r.at(atSlots) - r.at(atFree)
	if h.measure(t, c, key, model, &prompts, slots, false) {
		shade, tokens := h.want, h.tokens
		h.measure(t, c, key, model, &prompts, slots, true)
		if h.shade = shade; t.Shadow.Has(Tokens) {
			h.tokens = tokens
		}
	}
}

// measure says what the request is held for by the limits of tokens, all or those that
// are enforced. It reports whether any of them is in shadow.
func (h *Hold) measure(t *Terms, c *Claim, key, model Learned, prompts *Prompts, slots int64, enforced bool) (shadow bool) {
	shadow = t.LimitTPM && t.Shadow.Has(Tokens)
	least, limited := int64(t.TPM), t.LimitTPM && !(shadow && enforced)
	for _, m := range c.Meters {
		if !m.TPM.Limited {
			continue
		}
		if m.Shadow.Has(Tokens) {
			if shadow = true; enforced {
				continue
			}
		}
		if !limited || m.TPM.Max < least {
			least, limited = m.TPM.Max, true
		}
	}
	var e estimate
	c.Ask.estimate(key, model, prompts, unit.Tokens(least), limited, slots, &e)
	h.input, h.output = e.input, e.output
	if c.Price != nil {
		h.cost = c.Price.Estimate(h.input, h.output)
	}
	e.count(c.Counts)
	if h.want, h.tokens, h.least = 0, 0, 0; c.Exact == 0 {
		h.least = e.least
	}
	if limited {
		h.want = c.Exact
		if c.Exact == 0 {
			h.want = max(1, e.input.Plus(e.output))
		}
		// What no empty minute could hold is held as a whole minute: an
		// estimate alone never locks anyone out.
		if t.LimitTPM {
			h.tokens = min(h.want, t.TPM)
			if c.Exact == 0 {
				h.tokens = min(h.tokens, max(1, e.input.Plus(e.beside)))
			}
		}
		h.want = min(h.want, unit.Tokens(least))
	}
	return shadow
}

// A limit is one dimension's capacity and what a claim wants of it.
type limit struct {
	d        dimension
	shadow   bool // it refuses nobody
	capacity int64
	full     int64 // what the claim wants
	want     int64 // the same, or what is left of it for one who holds nothing, see fits
	left     int64 // for all
	ceiling  int64 // for this caller's pool, thousandths; without one, no ceiling
	room     int64 // for this caller, thousandths
	shared   int64 // by this caller and its peers, thousandths
	inPool   bool  // what bounds room is kept for other keys of a pool that has a ceiling

	// What the other pools own, what is kept for them, and what of that for the
	// caller's peers is of use to them, thousandths.
	owned, kept, useful int64
}

// blocked reports whether so many thousandths are not enough.
func (m *limit) blocked(room int64) bool { return m.want*milli > room }

// A look is what one decision needs to know of a record, and memory for it. It
// belongs to the ledger.
type look struct {
	record
	t      *Terms
	me     int   // the caller's line
	pool   uint8 // as in the claim, and the next two
	hard   bool
	weight int64
	// inCeiling: what is shared at the moment is the ceiling of the caller's pool
	// among its keys, see ceilingRoom.
	inCeiling   bool
	poolWeights int64   // of the active keys of the caller's pool, if that has a ceiling
	actives     int64   // keys, the caller's included
	weights     int64   // of the active keys that the caller shares with, its own included
	apart       bool    // there are pools, and enough is in use that they are kept apart
	least       int64   // tokens that the claim may well come to
	waived      Reasons // limits that the request takes nothing of
	limits      [2]limit
	n           int
	pools
	stands Reserved // the caller's pool, for its verdict
	why    Refusal  // of the last refusal
	later  record   // see wait

	everyone [MaxPools + 1]peers // by pool, the last those without, see copyTo
	inside   [MaxPools]peers     // by pool with a ceiling: its keys, which share that
}

// admit decides a claim and books it if it is admitted. shadow says that a meter's
// limit in shadow refuses it.
func (r *record) admit(now int64, t *Terms, c *Claim, h *Hold, shadow bool, l *look, v *Verdict) {
	book := r
	if shadow && t.inShadow() {
		// It would not have come as far as here: it is only told what is left.
		l.later = append(l.later[:0], *r...)
		book = &l.later
	}
	me, known := book.enter(now, t, c)
	l.least = h.atLeast(int64(h.tokens))
	l.see(*book, me, t, c, int64(h.tokens))
	*v = Verdict{}
	v.WouldBy, v.Active, v.Keys, v.ResetMS = -1, l.actives, l.actives, r.msLeft(now)
	if !known {
		v.Active--
	}
	for i := range l.limits[:l.n] {
		m := &l.limits[i]
		if !l.fits(m, v.ResetMS) {
			why := OverRequests
			if m.d == tokens {
				why = OverTokens
			}
			switch {
			case m.shadow && v.Would == Admitted && v.OK():
				v.Would = why
				l.explain(m, v.ResetMS)
			case !m.shadow && v.OK():
				v.Reason, v.Spent = why, m.capacity == 0 || m.want > m.left
				l.explain(m, v.ResetMS)
			}
		}
		room := Room{Limited: true, Model: m.left, Caller: m.room}
		if m.d == requests {
			v.Requests = room
		} else {
			v.Tokens = room
		}
	}
	want := int64(h.tokens)
	for i := range l.limits[:l.n] {
		if m := &l.limits[i]; m.d == tokens && v.OK() {
			want = m.want
		}
	}
	if shadow || !v.OK() {
		v.Would = Admitted
	}
	shadow = shadow || v.Would != Admitted
	switch l.waived = 0; {
	case !v.OK():
		l.waived = AllReasons
	case shadow:
		l.waived = t.Shadow
	}
	if int(c.Pool) < l.count {
		v.Pool = l.stand()
	}
	if v.Would != Admitted || !v.OK() {
		if v.OK() {
			r.add(atTotalWould, 1)
		} else {
			r.add(atTotalRefused, 1)
		}
		r.set4(l.me+lineRefused, r.at4(l.me+lineRefused)+1)
		if l.why.Reason == OverTokens {
			r.add(atRefusedTokens, l.why.Wanted)
		} else {
			r.add(atRefusedRequests, 1)
		}
	}
	if !v.OK() {
		v.RetryMS = l.wait(now, v.ResetMS, c, int64(h.tokens))
	} else {
		v.Hold = *h
		v.Hold.shadow, v.Hold.tokens = shadow, unit.Tokens(want)
		if shadow && t.inShadow() {
			r.pass(t, &v.Hold)
		} else {
			l.book(&v.Hold, v.ResetMS)
		}
	}
	v.Requests.settle(!l.waived.Has(Requests), 1)
	v.Tokens.settle(!l.waived.Has(Tokens), want)
}

// waives reports whether the request takes nothing of m.
func (l *look) waives(m *limit) bool {
	return l.waived != 0 && (m.d == requests && l.waived.Has(Requests) || m.d == tokens && l.waived.Has(Tokens))
}

// settle makes a room of thousandths before a request the room after it. What
// others must find does not change by what this caller takes.
func (r *Room) settle(takes bool, want int64) {
	if takes {
		r.Model -= want
		r.Caller -= want * milli
	}
	r.Model, r.Caller = max(0, r.Model), max(0, r.Caller)/milli
}

// enter notes on its line that a key asks, and tells whether it was active before.
// A key's pool is the one that it last asked in: what it took of the minute goes
// with it if its priority was changed.
func (r *record) enter(now int64, t *Terms, c *Claim) (me int, known bool) {
	pool := uint8(NoPool) // whose crowd the key may have to join
	switch {
	case c.Hard:
		pool = c.Pool
	case int(c.Pool) < len(t.Pools.Weights):
		pool = c.Pool
		line := r.open(crowd(pool), pool)
		(*r)[line+linePool] = pool
		if r.at4(line+lineSince) == 0 {
			r.set4(line+lineSince, minuteMS-r.msLeft(now)+1)
		}
	}
	me = r.open(c.Key, pool)
	known = r.active(me)
	(*r)[me+lineAsked] = 1
	if isCrowd(uint64(r.at(me + lineID))) {
		// Keys that share this line can't be told apart; every ask stands
		// for one of them.
		asks := r.at4(me+lineCount) + r.at4(me+lineRefused) + 1
		r.set4(me+lineWeight, min(asks, maxLines)*int64(c.Weight))
		return me, known
	}
	(*r)[me+linePool] = c.Pool
	r.set4(me+lineWeight, int64(c.Weight))
	return me, known
}

// see looks at a record with the eyes of the caller whose line is me and who
// wants so many tokens.
func (l *look) see(r record, me int, t *Terms, c *Claim, want int64) {
	l.record, l.me, l.t, l.n, l.count = r, me, t, 0, 0
	l.pool, l.hard, l.weight = c.Pool, c.Hard, int64(c.Weight)
	if t.LimitRPM {
		l.limits[l.n] = limit{d: requests, capacity: t.RPM, full: 1, want: 1, shadow: t.Shadow.Has(Requests)}
		l.n++
	}
	if t.LimitTPM {
		l.limits[l.n] = limit{d: tokens, capacity: int64(t.TPM), full: want, want: want, shadow: t.Shadow.Has(Tokens)}
		l.n++
	}
	if len(t.Pools.Weights) > 0 {
		l.survey()
	} else {
		l.actives, l.weights = r.census()
	}
	if l.hard {
		l.weighPool()
	}
	for i := range l.limits[:l.n] {
		m := &l.limits[i]
		m.left = r.left(m.d, m.capacity)
		m.ceiling = math.MaxInt64
		if l.hard {
			m.ceiling = r.ceiling(m.d, m.capacity, l.pool, l.weight)
		}
	}
	l.apart = l.count > 0 && l.saturated()
}

// fits reports whether the caller may take what it wants of m when msLeft
// milliseconds of the minute remain. It leaves there how much it may take.
//
// An estimate alone shuts nobody out: where nothing is held, and what the caller may
// take is as much as its answer may well come to, it holds that.
func (l *look) fits(m *limit, msLeft int64) bool {
	m.want = m.full
	if l.fitsWhole(m, msLeft) {
		return true
	}
	some := min(m.left, m.room/milli)
	if m.d != tokens || some < l.least || some <= 0 || l.least >= m.full || l.at(atHeld) > 0 {
		return false
	}
	m.want = some
	return true
}

// fitsWhole is fits for all that the claim wants.
func (l *look) fitsWhole(m *limit, msLeft int64) bool {
	pool, total := m.left*milli, m.capacity*milli
	if l.count > 0 {
		pool = l.poolRoom(m, msLeft)
		total = l.poolTotal(m, pool)
	}
	m.room = l.keyRoom(m, pool, total, msLeft)
	free, lends := !m.blocked(m.room), true
	if l.hard {
		var room int64
		room, lends = l.ceilingRoom(m, msLeft)
		m.inPool = room < m.room
		m.room = min(m.room, m.ceiling, room)
	}
	if l.count > 0 && !l.apart {
		m.room = m.left * milli
	}
	switch {
	case l.hard && l.weight == 0 || m.capacity == 0 || m.want > m.left:
		return false
	case m.want*milli > m.ceiling && l.takenBy(m.d, l.pool) > 0:
		return false
	case m.want*milli <= m.room:
		return true
	}
	return l.taken(m.d, l.me) == 0 && lends && (l.hard && free || l.firstOfKey(m, pool) || l.count > 0 && l.firstOfPool(m))
}

// book takes what the claim wants.
func (l *look) book(h *Hold, msLeft int64) {
	r, me := l.record, l.me
	h.minute, h.key = r.at(atMinute), uint64(r.at(me+lineID))
	if l.count > 0 || l.hard {
		h.pool = r[me+linePool]
	}
	for i := range l.limits[:l.n] {
		m := &l.limits[i]
		if l.waives(m) {
			continue
		}
		ahead, poolAhead, lent := int64(0), int64(0), int64(0)
		if int(l.pool) < l.count {
			poolAhead, lent = l.charge(m, msLeft)
		}
		if !isCrowd(h.key) {
			weight := float64(r.at4(me + lineWeight))
			part := float64(l.secured(m)) * weight / float64(l.weights)
			if l.hard {
				part = min(part, float64(m.capacity*milli)*float64(l.weight)/One*weight/float64(l.poolWeights))
			}
			ahead = r.advance(m.d, me, float64(m.want*milli)/part, msLeft)
		}
		if m.d == tokens {
			h.ahead, h.poolAhead, h.lent = int32(ahead), int32(poolAhead), lent
		}
	}
	r.add(atSlots, 1)
	r.add(atTotalRequests, 1)
	r.set4(me+lineSlots, r.at4(me+lineSlots)+1)
	if !l.waived.Has(Requests) {
		r.add(atRequests, 1)
		r.set4(me+lineCount, r.at4(me+lineCount)+1)
	}
	if l.waived.Has(Tokens) && l.t.LimitTPM {
		h.tokens, h.free = 0, true
		r.add(atFree, 1)
		return
	}
	r.add(atHeld, int64(h.tokens))
	r.add(me+lineHeld, int64(h.tokens))
}

// pass counts a request that takes nothing of the model's limits: in flight and in the
// totals alone.
func (r record) pass(t *Terms, h *Hold) {
	h.minute, h.key, h.tokens, h.free = r.at(atMinute), noLine, 0, t.LimitTPM
	if h.free {
		r.add(atFree, 1)
	}
	r.add(atSlots, 1)
	r.add(atTotalRequests, 1)
}

// fitsAll reports whether the caller would be admitted then.
func (l *look) fitsAll(msLeft int64) bool {
	for i := range l.limits[:l.n] {
		if m := &l.limits[i]; !m.shadow && !l.fits(m, msLeft) {
			return false
		}
	}
	return true
}

// wait is how long until the refused claim would be admitted if nobody asked
// meanwhile: the first whole second, as this is what a client is told. Within
// the minute it is when what is kept back for others has shrunk enough.
//
//go:noinline
func (l *look) wait(now, end int64, c *Claim, want int64) int64 {
	for i := range l.limits[:l.n] {
		if m := &l.limits[i]; !m.shadow && (m.capacity == 0 || l.hard && l.weight == 0) {
			return Never
		}
	}
	if s := l.opening(1000, end-1); s > 0 {
		return s
	}
	// In a later minute debt stands in the way, or for who has no reservation,
	// everybody else's.
	r, at := l.record, now+(end+999)/1000*1000
	if limit, used := int64(l.t.TPM), r.at(atUsed); l.t.LimitTPM && !l.t.Shadow.Has(Tokens) && used > limit {
		at += min((used-limit+min(want, l.least)-1)/limit, maxDebt) * minuteMS
	}
	for range 4 {
		l.later = append(l.later[:0], r...)
		l.later.roll(at, l.t)
		me, _ := l.later.enter(at, l.t, c)
		l.see(l.later, me, l.t, c, want)
		if s := l.opening(0, l.later.msLeft(at)-1); s >= 0 {
			return at - now + s
		}
		at += (l.later.msLeft(at) + 999) / 1000 * 1000
	}
	return Never
}

// opening gives the first of the moments from, from + 1 s, … up to last ms from
// now at which the caller would be admitted, -1 if there is none.
func (l *look) opening(from, last int64) int64 {
	seconds := (last - from) / 1000
	if last < from || !l.fitsAll(last+1-from-seconds*1000) {
		return -1
	}
	lo, hi := int64(-1), seconds // not admitted after lo more seconds, admitted after hi
	for hi-lo > 1 {
		mid := (lo + hi) / 2
		if l.fitsAll(last + 1 - from - mid*1000) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return from + hi*1000
}

// Settle turns a hold into what the answer really cost. Usage above the hold
// that crosses the capacity is debt, which later minutes pay off.
func (l *Ledger) Settle(now int64, t *Terms, h *Hold, s Spent) error {
	return l.close(now, t, h, &s)
}

// Release gives a hold back: no usage happened. The request still counts
// against requests a minute, as it was made.
func (l *Ledger) Release(now int64, t *Terms, h *Hold) error {
	return l.close(now, t, h, nil)
}

func (l *Ledger) close(now int64, t *Terms, h *Hold, s *Spent) error {
	if !h.open {
		return nil
	}
	l.awake(now)
	h.open = false
	e := &l.ending
	e.Hold, e.terms = *h, t
	if e.spent, e.how = (Spent{}), released; s != nil {
		e.spent, e.how = *s, settled
	}
	return l.end(now, e)
}

func (r *record) close(h *Hold, void bool, s *Spent, t *Terms) {
	me := r.find(h.key)
	if !void {
		r.take(atSlots, 1)
		if h.free {
			r.take(atFree, 1)
		}
		switch h.minute {
		case r.at(atMinute):
			r.take(atHeld, int64(h.tokens))
			if me != 0 {
				r.take(me+lineHeld, int64(h.tokens))
			}
			r.retreat(h, me, s)
		case r.at(atMinute) - 1:
			r.take(atPrevHeld, int64(h.tokens))
		}
		if me != 0 {
			r.take4(me+lineSlots, 1)
		}
	}
	if s == nil {
		return
	}
	r.add(atTotalTokens, int64(s.Total))
	if s.Estimated {
		r.add(atEstimatedRequests, 1)
		r.add(atEstimatedTokens, int64(s.Total))
	} else if t.LimitTPM && !void && !h.free && h.key != noLine {
		r.add(atTold, 1)
		r.add(atErrorTokens, max(int64(h.tokens)-int64(s.Total), int64(s.Total)-int64(h.tokens)))
	}
	if (s.Learn || s.Part) && h.key != noLine {
		r.learn(atLearned, s, h)
		if s.Learn && !s.Estimated {
			r.learnPrompt(s, h)
		}
		if me != 0 && !isCrowd(uint64(r.at(me+lineID))) {
			r.learn(me+lineLearned, s, h)
		}
	}
	if h.free || h.key == noLine {
		return
	}
	charge, debt := int64(s.Total), int64(0)
	if void && h.minute >= r.at(atMinute)-1 {
		charge = max(0, charge-int64(h.tokens)) // a leader charged what was held
	}
	switch h.minute {
	case r.at(atMinute):
		debt = over(r.at(atUsed)+r.at(atHeld), charge, t)
	case r.at(atMinute) - 1:
		// The minute it was admitted in pays as far as its capacity goes.
		debt = over(r.at(atPrevUsed)+r.at(atPrevHeld), charge, t)
		r.add(atPrevUsed, charge-debt)
		charge = debt
	default:
		// That minute's record is gone: what was held is paid for.
		charge = max(0, charge-int64(h.tokens))
		debt = charge
	}
	if t.LimitTPM {
		r.add(atDebtTokens, debt)
	}
	if charge == 0 {
		return
	}
	r.add(atUsed, charge)
	if me == 0 {
		me = r.open(h.key, h.pool)
	}
	r.add(me+lineUsed, charge)
}

// over is the part of charge that lies above the capacity when before was taken.
func over(before, charge int64, t *Terms) int64 {
	if !t.LimitTPM {
		return 0
	}
	return min(charge, max(0, int64(unit.Tokens(before).Plus(unit.Tokens(charge)).Minus(t.TPM))))
}
