package quota

import (
	"crypto/sha256"
	"encoding/binary"
	"math"

	"fairshare/plugin/period"
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

	key string // where it lies in the store
}

// NewMeter returns the meter of a subject without any limit. model is empty for
// a meter of all models.
func NewMeter(scope Scope, subject, model string) *Meter {
	m := &Meter{}
	m.ID[0] = byte(scope)
	text := subject
	if model != "" {
		text += "\x00\x00" + model // no subject has two zeros, see tenant.MemberID
	}
	if scope == ForCustomer {
		// Whoever calls chooses the end user's name, and must not find one that
		// shares another's meter.
		sum := sha256.Sum256([]byte(text))
		copy(m.ID[1:], sum[:])
	} else {
		// The operator's own names only have to be told apart, which takes a
		// fifth of the time: of n of them two share an id with a chance of n²/2¹²⁸.
		binary.LittleEndian.PutUint64(m.ID[1:], groupID(text))
		binary.LittleEndian.PutUint64(m.ID[9:], groupID(text+"\x00\x01"+text))
	}
	m.key = meterKey(&m.ID)
	return m
}

// The prefix is ours alone: Istio gives all plugins of a proxy one namespace.
func meterKey(id *MeterID) string { return "fs/s/" + string(id[:]) }

// Limits reports whether the meter can refuse anything. One that can't is only
// counted on, by Tally.
func (m *Meter) Limits() bool {
	return m.RPM.Limited || m.TPM.Limited || m.Parallel.Limited || m.Budget.Limited || m.Soft.Limited
}

// span gives the budget's period that contains now.
func (m *Meter) span(now int64) (start, end int64) { return m.Calendar.Span(m.Every, m.Anchor, now) }

// rule tells budgets' periods apart, so that a changed one is noticed.
func (m *Meter) rule() int64 {
	r := int64(m.Every.N)<<8 | int64(m.Every.Unit)
	if c := m.Calendar; c != nil {
		r ^= int64(c.ResetMinute) << 40
	}
	return r ^ m.Anchor<<3
}

// balance is a meter's book: what was used and is held in the minutes and the
// periods that still matter.
type balance struct {
	minutes [2]minuteBook
	periods [3]periodBook
	rule    int64 // that the periods follow
	slots   int64 // requests in flight

	// Since the meter was made; these only grow.
	requests, tokens, spent int64
}

// A minuteBook counts what was admitted in one clock minute, whenever its
// answers ended.
type minuteBook struct{ minute, requests, used, held int64 }

// A periodBook counts money in one period, from start to before end. An unused
// one is empty.
type periodBook struct{ start, end, spent, held int64 }

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

// paying returns the period that contains at, nil if there is none.
func (b *balance) paying(at int64) *periodBook {
	for i := range b.periods {
		if b.periods[i].covers(at) {
			return &b.periods[i]
		}
	}
	return nil
}

// roll makes sure that there are books for the minute and the period of now.
// Which one that is follows from the clock alone, so a clock that steps back finds
// the books of then, and nothing is ever counted in another period than its own.
// The oldest minute makes room, and the period that the clock was in longest ago.
func (b *balance) roll(now int64, m *Meter) {
	minute := now / minuteMS
	if b.at(minute) == nil {
		debt := b.debt(minute, m)
		old := 0
		if b.minutes[1].minute < b.minutes[0].minute {
			old = 1
		}
		b.minutes[old] = minuteBook{minute: minute, used: debt}
	}
	if rule := m.rule(); b.rule != rule {
		// The present period goes on under the new rule, with what was spent.
		b.rule = rule
		p := b.paying(now)
		var present periodBook
		if p != nil {
			present = *p
		}
		b.periods = [len(b.periods)]periodBook{}
		present.start, present.end = m.span(now)
		b.periods[0] = present
	}
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
	b.periods[0].start, b.periods[0].end = m.span(now)
}

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
	return max(0, last.used-mulDiv(m.TPM.Max, minute-last.minute, 1))
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
		n = p.used + p.held
	} else {
		n = b.debt(at/minuteMS, m)
	}
	if p := b.at(at/minuteMS - 1); p != nil && m.Sliding {
		before := p.used + p.held
		if m.TPM.Limited {
			before = min(before, m.TPM.Max) // what lies above is debt and counts in full
		}
		n += sliding(before, at)
	}
	return n
}

// sliding is the part of the minute before that lies in the last sixty seconds,
// taken as evenly spread, rounded up.
func sliding(before, at int64) int64 {
	rest := minuteMS - at%minuteMS
	return (mulDiv(before, rest*milli, minuteMS) + milli - 1) / milli
}

// costAt is the money spent and held in the period of at.
func (b *balance) costAt(at int64) unit.PicoUSD {
	if p := b.paying(at); p != nil {
		return unit.PicoUSD(p.spent).Plus(unit.PicoUSD(p.held))
	}
	return 0
}

// refuses gives the first limit that a request of want tokens meets at now.
func (b *balance) refuses(now, want int64, m *Meter) Reason {
	switch {
	case m.Budget.Limited && int64(b.costAt(now)) >= m.Budget.Max:
		return OverBudget
	case m.Parallel.Limited && b.slots >= m.Parallel.Max:
		return OverParallel
	case m.RPM.Limited && !b.fitsRequests(now, m):
		return OverRequests
	case m.TPM.Limited && !b.fitsTokens(now, want, m):
		return OverTokens
	}
	return Admitted
}

func (b *balance) fitsRequests(at int64, m *Meter) bool { return b.requestsAt(at, m) < m.RPM.Max }

// fitsTokens lets a meter of which nothing is used or held admit a request of
// any size: an estimate alone never locks anyone out.
func (b *balance) fitsTokens(at, want int64, m *Meter) bool {
	before := b.tokensAt(at, m)
	return m.TPM.Max > 0 && (before == 0 || before+want <= m.TPM.Max)
}

// wait is how long until the request is no longer refused, in ms, if nobody
// asks meanwhile: whole seconds, Never if no time helps.
func (b *balance) wait(now, want int64, m *Meter) int64 {
	switch b.refuses(now, want, m) {
	case Admitted:
		return 0
	case OverBudget:
		if p := b.paying(now); p != nil && p.end != math.MaxInt64 && m.Budget.Max > 0 {
			return p.end - now
		}
		return Never
	case OverParallel:
		if m.Parallel.Max == 0 {
			return Never
		}
		return 1000 // nobody knows when a request ends
	}
	if m.RPM.Limited && m.RPM.Max == 0 || m.TPM.Limited && m.TPM.Max == 0 {
		return Never
	}
	// Within two minutes all windows have slid by; debt of tokens takes longer.
	const horizon = 2 * minuteMS
	for s := int64(1000); s <= horizon; s += 1000 {
		if at := now + s; (!m.RPM.Limited || b.fitsRequests(at, m)) && (!m.TPM.Limited || b.fitsTokens(at, want, m)) {
			return s
		}
	}
	end := minuteMS - now%minuteMS
	for minutes := int64(1); minutes < 1<<16; minutes++ {
		if b.fitsTokens(now+end+minutes*minuteMS, want, m) {
			return end + minutes*minuteMS
		}
	}
	return Never
}

// take holds a claim.
func (b *balance) take(now, want, cost int64) {
	p := b.at(now / minuteMS)
	p.requests++
	p.held += want
	b.paying(now).held += cost
	b.slots++
	b.requests++
}

// untake undoes take for a request that another limit refused after all.
func (b *balance) untake(h *Hold) {
	if p := b.at(h.at / minuteMS); p != nil {
		p.requests = max(0, p.requests-1)
	}
	b.requests = max(0, b.requests-1)
	b.drop(h)
}

// drop takes a hold off the book.
func (b *balance) drop(h *Hold) {
	if p := b.at(h.at / minuteMS); p != nil {
		p.held = max(0, p.held-int64(h.want))
	}
	if p := b.paying(h.at); p != nil {
		p.held = max(0, p.held-int64(h.cost))
	}
	b.slots = max(0, b.slots-1)
}

// charge books what an answer cost in the minute and the period in which its
// request was admitted. What is above that minute's limit is debt, which the
// present one has to pay. A minute or a period whose book is gone is over: its
// money counts in the total alone.
func (b *balance) charge(at, now int64, held unit.Tokens, s *Spent, m *Meter) {
	total := int64(max(0, s.Total))
	b.tokens = int64(unit.Tokens(b.tokens).Plus(unit.Tokens(total)))
	b.spent = int64(unit.PicoUSD(b.spent).Plus(s.Cost))
	if p := b.paying(at); p != nil {
		p.spent = int64(unit.PicoUSD(p.spent).Plus(s.Cost))
	}
	present := b.at(now / minuteMS)
	p := b.at(at / minuteMS)
	switch {
	case p == nil:
		total = max(0, total-int64(held)) // what was held is paid for
	case p == present:
	case m.TPM.Limited:
		room := max(0, m.TPM.Max-p.used-p.held)
		p.used += min(total, room)
		total -= min(total, room)
	default:
		present = p
	}
	if present != nil {
		present.used = int64(unit.Tokens(present.used).Plus(unit.Tokens(total)))
	}
}

// Layout of a meter's record, all numbers little endian, 8 bytes each unless
// told:
//
//	magic 4 | 0 | stamp | id 17, padded to 24 | the balance's numbers | stamp
const (
	meterMagic  = 0x014d5346 // "FSM" and layout 1
	meterFields = 2*4 + 3*4 + 5
	meterSize   = 16 + 24 + meterFields*8 + 8
)

// encode writes the record of the meter id to dst's memory.
func (b *balance) encode(dst []byte, id *MeterID, stamp uint64) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint32(dst[:0], meterMagic)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint64(dst, stamp)
	dst = append(dst, id[:]...)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0)
	for i := range b.minutes {
		m := &b.minutes[i]
		dst = append8(dst, m.minute, m.requests, m.used, m.held)
	}
	for i := range b.periods {
		p := &b.periods[i]
		dst = append8(dst, p.start, p.end, p.spent, p.held)
	}
	dst = append8(dst, b.rule, b.slots, b.requests, b.tokens)
	dst = le.AppendUint64(dst, uint64(b.spent))
	return le.AppendUint64(dst, stamp)
}

func append8(dst []byte, a, b, c, d int64) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, uint64(a))
	dst = le.AppendUint64(dst, uint64(b))
	dst = le.AppendUint64(dst, uint64(c))
	return le.AppendUint64(dst, uint64(d))
}

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
		m.minute, m.requests, m.used, m.held = at8(v, next), at8(v, next+1), at8(v, next+2), at8(v, next+3)
		next += 4
	}
	for i := range b.periods {
		p := &b.periods[i]
		p.start, p.end, p.spent, p.held = at8(v, next), at8(v, next+1), at8(v, next+2), at8(v, next+3)
		next += 4
	}
	b.rule, b.slots, b.requests, b.tokens, b.spent = at8(v, next), at8(v, next+1), at8(v, next+2), at8(v, next+3), at8(v, next+4)
	return true
}

func at8(v []byte, i int) int64 { return int64(binary.LittleEndian.Uint64(v[8*i:])) }
