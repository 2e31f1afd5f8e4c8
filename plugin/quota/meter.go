package quota

import (
	"encoding/binary"
	"math"

	"fairshare/plugin/period"
	"fairshare/plugin/sha256"
	"fairshare/plugin/unit"
)

// A Scope is what kind of subject a meter is for. Its values stand in records.
type Scope uint8

const (
	ForProxy Scope = iota + 1
	ForKey
	ForUser
	ForTeam
	ForMember // a user in a team
	ForCustomer
)

// A MeterID is a meter's name in the store: its scope, and 16 bytes that follow
// from its subject and model.
type MeterID [17]byte

// A Meter is what one subject may use, of all models or of one. NewMeter makes
// it; it is not changed while in use.
type Meter struct {
	ID       MeterID
	RPM      Cap // requests a minute
	TPM      Cap // tokens a minute
	Parallel Cap // requests in flight
	Budget   Cap // PicoUSD a period
	Soft     Cap // PicoUSD a period: told, never refused

	Every    period.Duration  // the budget's period; zero is for ever
	Anchor   int64            // ms since 1970, see period.Calendar.Span
	Calendar *period.Calendar // nil is UTC
	// Sliding makes RPM and TPM hold over any sixty seconds (by the estimate of
	// two neighbouring minutes) instead of each clock minute.
	Sliding bool
	// Skips are what a request does not count for here, of Requests, Tokens and Budget:
	// with the first two, for the money and the slots alone; with Budget its money is
	// somebody else's. Other claims on the same meter may count whole.
	Skips Reasons
	// Shadow are the limits that refuse nobody, see Verdict.Would.
	Shadow Reasons

	key   string // where it lies in the store
	guest bool   // see NameGuest
}

// NewMeter returns the meter of a subject without any limit. model is empty for
// a meter of all models.
func NewMeter(scope Scope, subject, model string) *Meter {
	m := new(Meter)
	m.Name(scope, subject, model)
	return m
}

// Name makes an empty meter that of a subject. model is empty for a meter of all
// models.
func (m *Meter) Name(scope Scope, subject, model string) {
	m.ID[0] = byte(scope)
	text := subject
	if model != "" {
		text += "\x00\x00" + model // no subject has two zeros, see tenant.MemberID
	}
	if scope == ForCustomer {
		// Whoever calls chooses the end user's name, and must not find one that
		// shares another's meter.
		sum := sha256.Sum(text)
		copy(m.ID[1:], sum[:])
	} else {
		// The operator's own names only have to be told apart, which takes a
		// fifth of the time: of n of them two share an id with a chance of n²/2¹²⁸.
		binary.LittleEndian.PutUint64(m.ID[1:], groupID(text))
		binary.LittleEndian.PutUint64(m.ID[9:], again(text))
	}
	m.key = meterKey(&m.ID)
}

// NameKey makes an empty meter that of a virtual key and all models. hash is the
// key's sha256.
func (m *Meter) NameKey(hash *[32]byte) {
	m.ID[0] = byte(ForKey)
	copy(m.ID[1:], hash[:])
	m.key = meterKey(&m.ID)
}

// again is another hash than groupID (FNV-1a with another offset and prime), so
// that both together are one of 128 bits.
func again(text string) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 0xd6e8feb86659fd93
	}
	return h ^ h>>32
}

// The prefix is ours alone: Istio gives all plugins of a proxy one namespace.
func meterKey(id *MeterID) string {
	const prefix = "fs/s/"
	var key [len(prefix) + len(id)]byte
	copy(key[copy(key[:], prefix):], id[:])
	return string(key[:])
}

// Limits reports whether the meter can refuse anything. One that can't is only
// counted on, by Tally.
func (m *Meter) Limits() bool {
	return m.RPM.Limited || m.TPM.Limited || m.Parallel.Limited || m.Budget.Limited || m.Soft.Limited
}

// span gives the budget's period that contains now.
func (m *Meter) span(now int64) (start, end int64) { return m.Calendar.Span(m.Every, m.Anchor, now) }

// Ends is when the budget's present period ends, in ms since 1970; Never for one without
// a period.
func (m *Meter) Ends(now int64) int64 {
	_, end := m.span(now)
	return end
}

// rule tells budgets' periods apart, so that a changed one is noticed.
func (m *Meter) rule() int64 {
	r := int64(m.Every.N)<<8 | int64(m.Every.Unit)
	if m.Every != (period.Duration{}) {
		r ^= m.Calendar.Rule() << 20
	}
	return r ^ m.Anchor<<3
}

// balance is a meter's book: what was used and is held in the minutes and the
// periods that still matter.
type balance struct {
	minutes [2]minuteBook
	periods [3]periodBook
	rule    int64 // that the periods follow
	marked  int64 // the last minute that the history has
	slots   int64 // requests in flight
	instants

	// Since the meter was made; these only grow.
	requests, tokens, spent int64
}

// A minuteBook counts what was admitted in one clock minute, whenever its
// answers ended. debt are tokens that minutes before used above the limit; this
// one has to pay for them as for its own.
type minuteBook struct{ minute, requests, used, held, debt int64 }

// tokens are all that count against the minute's limit.
func (p *minuteBook) tokens() int64 { return plus(plus(p.used, p.held), p.debt) }

// A periodBook counts money in one period, from start to before end. An unused
// one is empty.
// What is held may be of requests since from, before the period began. others is money of
// requests that skip it (Meter.Skips): told, no part of the budget.
type periodBook struct{ start, end, spent, held, from, others int64 }

func (p *periodBook) covers(at int64) bool { return p.start <= at && at < p.end }

// at returns the book of a minute, nil if there is none.
func (b *balance) at(minute int64) *minuteBook {
	for i := range b.minutes {
		if b.minutes[i].minute == minute {
			return &b.minutes[i]
		}
	}
	return nil
}

// holding returns the period that has what a request of at holds, nil if none has.
func (b *balance) holding(at int64) *periodBook {
	for i := range b.periods {
		if p := &b.periods[i]; p.from <= at && at < p.end {
			return p
		}
	}
	return nil
}

// paying returns the period that contains at, nil if there is none.
func (b *balance) paying(at int64) *periodBook {
	for i := range b.periods {
		if b.periods[i].covers(at) {
			return &b.periods[i]
		}
	}
	return nil
}

// farMinutes is how far ahead a minute lies that no clock will come to soon.
const farMinutes = 60

// rollMinute makes sure that there is a book for the minute of now. Which one that is
// follows from the clock alone, so a clock that steps back finds the books of then, and
// nothing is ever counted in another minute than its own. The older one makes room, or one that a wrong clock left far ahead: it would stand in the
// way of a sliding window for as long.
func (b *balance) rollMinute(now int64, m *Meter) {
	minute := now / minuteMS
	if b.at(minute) != nil {
		return
	}
	debt, old := b.debt(minute, m), 0
	if b.minutes[1].minute < b.minutes[0].minute {
		old = 1
	}
	if b.minutes[1-old].minute > minute+farMinutes {
		old = 1 - old
	}
	b.minutes[old] = minuteBook{minute: minute, debt: debt}
}

// lateMinute gives the book of the minute of at, which may be over. It is nil for one
// that is older than both that are kept: these must not make room for it.
func (b *balance) lateMinute(at int64, m *Meter) *minuteBook {
	minute := at / minuteMS
	if b.at(minute) == nil && (b.minutes[0].minute < minute || b.minutes[1].minute < minute) {
		b.rollMinute(at, m)
	}
	return b.at(minute)
}

// rollPeriod makes sure that there is a book for the period of now, and that it
// is the first. The period that the clock was in longest ago makes room. The rule of the
// periods must be the meter's, see Ledger.rollPeriod.
func (b *balance) rollPeriod(now int64, m *Meter) {
	// The periods lie in the order in which the clock was last in them.
	for i := range b.periods {
		if p := b.periods[i]; p.covers(now) {
			copy(b.periods[1:i+1], b.periods[:i])
			b.periods[0] = p
			return
		}
	}
	copy(b.periods[1:], b.periods[:])
	b.periods[0] = periodBook{}
	p := &b.periods[0]
	p.start, p.end = m.span(now)
	p.from = p.start
}

// plus adds without wrapping round.
func plus(a, b int64) int64 { return int64(unit.Tokens(a).Plus(unit.Tokens(b))) }

// debt is what a new minute begins with: what the last minute before it used
// above the limit, less what the limit allowed since.
func (b *balance) debt(minute int64, m *Meter) int64 {
	if !m.TPM.Limited {
		return 0
	}
	var last *minuteBook
	for i := range b.minutes {
		if p := &b.minutes[i]; p.minute < minute && (last == nil || p.minute > last.minute) {
			last = p
		}
	}
	if last == nil {
		return 0
	}
	carried := min(plus(last.used, last.debt), mulDiv(m.TPM.Max, maxDebt+1, 1))
	return max(0, carried-mulDiv(m.TPM.Max, minute-last.minute, 1))
}

// requestsAt and tokensAt are what counts against the limits at a moment, if
// nothing more is asked until then.
func (b *balance) requestsAt(at int64, m *Meter) int64 {
	n := int64(0)
	if p := b.at(at / minuteMS); p != nil {
		n = p.requests
	}
	if p := b.at(at/minuteMS - 1); p != nil && m.Sliding {
		n += sliding(p.requests, at)
	}
	return n
}

func (b *balance) tokensAt(at int64, m *Meter) int64 {
	n := int64(0)
	if p := b.at(at / minuteMS); p != nil {
		n = p.tokens()
	} else {
		n = b.debt(at/minuteMS, m)
	}
	if p := b.at(at/minuteMS - 1); p != nil && m.Sliding {
		before := plus(p.used, p.held)
		if m.TPM.Limited {
			before = min(before, m.TPM.Max) // what lies above is debt and counts in full
		}
		n = plus(n, sliding(before, at))
	}
	return n
}

// sliding is the part of the minute before that lies in the last sixty seconds,
// taken as evenly spread, rounded up.
func sliding(before, at int64) int64 { return before - mulDiv(before, at%minuteMS, minuteMS) }

// costAt is the money spent and held in the period of at.
func (b *balance) costAt(at int64) unit.PicoUSD {
	if p := b.paying(at); p != nil {
		return unit.PicoUSD(p.spent).Plus(unit.PicoUSD(p.held))
	}
	return 0
}

// refuses gives the first limit that a request of want tokens, which may come to least,
// meets at now.
func (b *balance) refuses(now, want, least int64, m *Meter) Reason {
	switch {
	case m.Budget.Limited && int64(b.costAt(now)) >= m.Budget.Max:
		return OverBudget
	case m.Parallel.Limited && b.slots >= m.Parallel.Max:
		return OverParallel
	case m.RPM.Limited && !b.fitsRequests(now, m):
		return OverRequests
	case m.TPM.Limited && !b.fitsTokens(now, want, least, m):
		return OverTokens
	}
	return Admitted
}

func (b *balance) fitsRequests(at int64, m *Meter) bool { return b.requestsAt(at, m) < m.RPM.Max }

// fitsTokens lets a meter of which nothing is used or held admit any request: none
// wants more than the least of its limits (see measure), since an estimate alone
// never locks anyone out. For the same reason one on which nothing is held admits a
// request that may well come to no more than is left.
func (b *balance) fitsTokens(at, want, least int64, m *Meter) bool {
	taken := b.tokensAt(at, m)
	return m.TPM.Max > 0 && (taken <= m.TPM.Max-want || taken <= m.TPM.Max-least && b.nothingHeld(at, m))
}

// nothingHeld reports whether no tokens of requests in flight count at a moment.
func (b *balance) nothingHeld(at int64, m *Meter) bool {
	if p := b.at(at / minuteMS); p != nil && p.held > 0 {
		return false
	}
	p := b.at(at/minuteMS - 1)
	return p == nil || !m.Sliding || p.held == 0
}

// wait is how long until the request is no longer refused, in ms, if nobody
// asks meanwhile: whole seconds, after the end of a period that is spent; Never
// if no time helps.
func (b *balance) wait(now, want, least int64, m *Meter) int64 {
	// Nobody knows when a request ends: a slot may be free in a second.
	from := int64(1000)
	switch why := b.refuses(now, want, least, m); {
	case why == Admitted:
		return 0
	case m.Parallel.Limited && m.Parallel.Max == 0 || m.RPM.Limited && m.RPM.Max == 0 || m.TPM.Limited && m.TPM.Max == 0:
		return Never
	case why == OverBudget:
		p := b.paying(now)
		if p.end == math.MaxInt64 || m.Budget.Max == 0 {
			return Never
		}
		from = p.end - now
	}
	// Within two minutes all windows have slid by.
	for s := from; s <= from+2*minuteMS; s += 1000 {
		if at := now + s; (!m.RPM.Limited || b.fitsRequests(at, m)) && (!m.TPM.Limited || b.fitsTokens(at, want, least, m)) {
			return s
		}
	}
	// Debt takes longer: each minute pays off as much as the limit allows in it.
	end := minuteMS - now%minuteMS
	lo, hi := int64(0), int64(1<<16) // not admitted after lo more minutes
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; b.fitsTokens(now+end+mid*minuteMS, want, least, m) {
			hi = mid
		} else {
			lo = mid
		}
	}
	if hi == 1<<16 {
		return Never
	}
	return end + hi*minuteMS
}

// take holds a claim.
func (b *balance) take(now int64, h *Hold, m *Meter) {
	skips, minute := h.skips(m), b.at(now/minuteMS)
	if !skips.Has(Requests) {
		minute.requests++
	}
	if !skips.Has(Tokens) {
		minute.held = plus(minute.held, int64(h.wants(m)))
	}
	if !skips.Has(Parallel) {
		b.slots++
	}
	if !m.Skips.Has(Budget) {
		p := b.paying(now)
		p.held = plus(p.held, int64(h.cost))
	}
	b.requests++
}

// untake undoes take for a request that another limit refused after all.
func (b *balance) untake(h *Hold, m *Meter) {
	if p := b.at(h.at / minuteMS); p != nil && !h.skips(m).Has(Requests) {
		p.requests = max(0, p.requests-1)
	}
	b.requests = max(0, b.requests-1)
	b.drop(h, m)
}

// drop takes a hold off the book.
func (b *balance) drop(h *Hold, m *Meter) {
	skips := h.skips(m)
	if p := b.at(h.at / minuteMS); p != nil && !skips.Has(Tokens) {
		p.held = max(0, p.held-int64(h.wants(m)))
	}
	if p := b.holding(h.at); p != nil && !m.Skips.Has(Budget) {
		p.held = max(0, p.held-int64(h.cost))
	}
	if !skips.Has(Parallel) {
		b.slots = max(0, b.slots-1)
	}
}

// charge books what an answer cost in the minute and the period in which its
// request was admitted. What is above that minute's limit is debt, which the
// present one has to pay. A minute or a period whose book is gone is over: its
// money counts in the total alone.
func (b *balance) charge(now int64, h *Hold, s *Spent, m *Meter) {
	at, total := h.at, int64(max(0, s.Total))
	b.tokens = plus(b.tokens, total)
	b.pay(at, int64(s.Cost), m)
	if h.skips(m).Has(Tokens) {
		return
	}
	present := b.at(now / minuteMS)
	p := b.at(at / minuteMS)
	switch {
	case p == nil && present == nil: // see Ledger.reclaim
	case p == nil:
		present.debt = plus(present.debt, max(0, total-int64(h.wants(m)))) // what was held is paid for
	case p == present || present == nil || !m.TPM.Limited:
		p.used = plus(p.used, total)
	default:
		paid := min(total, max(0, m.TPM.Max-p.tokens()))
		p.used = plus(p.used, paid)
		present.debt = plus(present.debt, total-paid)
	}
}

// pay books money in the period of at, the meter's own or others'.
func (b *balance) pay(at, cost int64, m *Meter) {
	if !m.Skips.Has(Budget) {
		b.spend(at, cost)
	} else if p := b.paying(at); p != nil {
		p.others = max(0, plus(p.others, cost))
	}
}

// spend books money in the period of at.
func (b *balance) spend(at, cost int64) {
	if cost != 0 {
		b.note(at, cost, b.spent)
	}
	b.spent = max(0, plus(b.spent, cost))
	if p := b.paying(at); p != nil {
		p.spent = max(0, plus(p.spent, cost))
	}
}

// held is what a hold takes of the meter, as a cost.
func (h *Hold) held(m *Meter) *Spent { return &Spent{Total: h.wants(m), Cost: h.cost} }

// refund takes a charge of what was held back: a worker that was only slow tells after
// all what its answer cost.
func (b *balance) refund(h *Hold, m *Meter) {
	n := int64(h.wants(m))
	b.tokens = max(0, b.tokens-n)
	b.pay(h.at, -int64(h.cost), m)
	if p := b.at(h.at / minuteMS); p != nil && !h.skips(m).Has(Tokens) {
		p.used = max(0, p.used-n)
	}
}

// Layout of a meter's record, all numbers little endian, 8 bytes each unless
// told:
//
//	magic 4 | 0 | stamp | id 17, padded to 24 | the balance's numbers | instants | stamp
const (
	meterMagic  = 0x034d5346 // "FSM" and layout 3
	meterFields = 2*5 + 3*6 + 6
	meterSize   = 16 + 24 + meterFields*8 + maxInstants*16 + 8
)

// encode writes the record of the meter id to dst's memory.
func (b *balance) encode(dst []byte, id *MeterID, stamp uint64) []byte {
	le := binary.LittleEndian
	if cap(dst) < meterSize {
		dst = make([]byte, meterSize)
	}
	dst = dst[:meterSize]
	le.PutUint64(dst, meterMagic)
	le.PutUint64(dst[8:], stamp)
	clear(dst[copy(dst[16:], id[:])+16 : 40])
	v, next := dst[40:], 0
	for i := range b.minutes {
		m := &b.minutes[i]
		put8(v, next, m.minute)
		put8(v, next+1, m.requests)
		put8(v, next+2, m.used)
		put8(v, next+3, m.held)
		put8(v, next+4, m.debt)
		next += 5
	}
	for i := range b.periods {
		p := &b.periods[i]
		put8(v, next, p.start)
		put8(v, next+1, p.end)
		put8(v, next+2, p.spent)
		put8(v, next+3, p.held)
		put8(v, next+4, p.from)
		put8(v, next+5, p.others)
		next += 6
	}
	put8(v, next+5, b.marked)
	put8(v, next, b.rule)
	put8(v, next+1, b.slots)
	put8(v, next+2, b.requests)
	put8(v, next+3, b.tokens)
	put8(v, next+4, b.spent)
	for i := range b.instants {
		put8(v, meterFields+i, b.instants[i])
	}
	le.PutUint64(dst[meterSize-8:], stamp)
	return dst
}

func put8(v []byte, i int, n int64) { binary.LittleEndian.PutUint64(v[8*i:], uint64(n)) }

// decode reads a record of the meter id. It reports false for a torn one, a
// foreign one and another meter's.
func (b *balance) decode(v []byte, id *MeterID) bool {
	le := binary.LittleEndian
	if len(v) != meterSize || le.Uint32(v) != meterMagic || MeterID(v[16:33]) != *id || le.Uint64(v[8:]) != le.Uint64(v[meterSize-8:]) {
		return false
	}
	v = v[40:]
	next := 0
	for i := range b.minutes {
		m := &b.minutes[i]
		m.minute, m.requests, m.used, m.held, m.debt = at8(v, next), at8(v, next+1), at8(v, next+2), at8(v, next+3), at8(v, next+4)
		next += 5
	}
	for i := range b.periods {
		p := &b.periods[i]
		p.start, p.end, p.spent, p.held, p.from = at8(v, next), at8(v, next+1), at8(v, next+2), at8(v, next+3), at8(v, next+4)
		p.others = at8(v, next+5)
		next += 6
	}
	b.rule, b.slots, b.requests, b.tokens, b.spent = at8(v, next), at8(v, next+1), at8(v, next+2), at8(v, next+3), at8(v, next+4)
	b.marked = at8(v, next+5)
	for i := range b.instants {
		b.instants[i] = at8(v, meterFields+i)
	}
	return true
}

func at8(v []byte, i int) int64 { return int64(binary.LittleEndian.Uint64(v[8*i:])) }
