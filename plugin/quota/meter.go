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
	OverRequests        // the model's requests a minute, or the caller's share of them
	OverTokens          // the model's tokens a minute, or the caller's share of them
)

// Never is the wait of a caller whose share is zero: no time helps.
const Never = math.MaxInt64

// A Verdict is what Admit decided, with the numbers that a client is told.
type Verdict struct {
	Reason Reason // Admitted, or what refused
	Hold   Hold   // to be settled or released once, if admitted

	Tokens   Room // empty without a TPM limit
	Requests Room // empty without an RPM limit

	Active  int64 // keys active before this request; a new key does not count itself
	ResetMS int64 // milliseconds to the end of the minute
	RetryMS int64 // if refused: until this caller may be admitted, all else equal; Never
}

// OK reports whether the request was admitted.
func (v *Verdict) OK() bool { return v.Reason == Admitted }

// A Room is what is left of one limit, after this request if it was admitted.
type Room struct {
	Limited bool
	Model   int64 // left of it for all
	Caller  int64 // left of it for this caller
}

// A Hold is an admitted claim that is not settled yet. The zero Hold is none;
// Settle and Release consume a hold, a second call on it does nothing.
type Hold struct {
	open   bool
	minute int64
	key    uint64
	tokens unit.Tokens
	input  unit.Tokens // the estimate's two parts
	output unit.Tokens
	bytes  int64 // of text asked, to learn the ratio
	page   int32 // in the journal; -1 for none
	slot   int32
	epoch  uint32
}

// Open reports whether the hold still has to be settled or released.
func (h *Hold) Open() bool { return h.open }

// Estimate is what the request was expected to cost, for answers that don't
// tell.
func (h *Hold) Estimate() (input, output unit.Tokens) { return h.input, h.output }

// Spent is what an answer cost.
type Spent struct {
	Prompt     unit.Tokens
	Completion unit.Tokens
	Total      unit.Tokens
	Estimated  bool // not told by the upstream
	// Learn lets later estimates follow this answer. A cut or estimated
	// answer says nothing about whole ones.
	Learn bool
}

// Admit decides one claim, all or nothing: the request and its estimated tokens
// are held, or nothing is. A refused key still counts as active.
func (l *Ledger) Admit(now int64, t *Terms, c Claim) (Verdict, error) {
	var v Verdict
	l.awake(now)
	for l.begin(t); l.read(now); l.swap() {
		v = l.buf.admit(now, t, &c)
	}
	if l.err != nil {
		return Verdict{}, l.err
	}
	if v.OK() {
		l.journal(now, &v.Hold, t)
	}
	return v, nil
}

// AdmitPaid decides a claim whose cost is known, and settles it in the same
// swap: nothing is in flight afterwards and the verdict has no open hold.
func (l *Ledger) AdmitPaid(now int64, t *Terms, c Claim, s Spent) (Verdict, error) {
	var v Verdict
	c.Exact = max(1, s.Total)
	for l.begin(t); l.read(now); l.swap() {
		if v = l.buf.admit(now, t, &c); v.OK() {
			l.buf.close(&v.Hold, false, &s, t)
			v.Hold = Hold{}
		}
	}
	if l.err != nil {
		return Verdict{}, l.err
	}
	return v, nil
}

// A limit is one dimension's capacity and what a claim wants of it.
type limit struct {
	d        dimension
	capacity int64
	want     int64
	left     int64 // for all
	ceiling  int64 // for this caller's pool, thousandths; without one, no ceiling
	room     int64 // for this caller, thousandths
}

func (r *record) admit(now int64, t *Terms, c *Claim) Verdict {
	me := r.open(c.Key)
	known := r.active(me)
	(*r)[me+lineAsked] = 1
	(*r)[me+linePool] = c.Pool
	r.set4(me+lineWeight, int64(c.Weight))
	if r.at(me+lineID) == 0 {
		// Keys that share this line can't be told apart; every ask stands
		// for one of them.
		asks := r.at4(me+lineCount) + r.at4(me+lineRefused) + 1
		r.set4(me+lineWeight, min(asks, maxLines)*One)
		(*r)[me+linePool] = NoPool
	}
	active, weights := r.census()
	if !known {
		active--
	}

	v := Verdict{Active: active, ResetMS: r.msLeft(now)}
	input, output := c.Ask.estimate(r.learned(me+lineLearned), r.learned(atLearned), t)
	var want unit.Tokens
	if t.LimitTPM {
		if want = c.Exact; want == 0 {
			want = max(1, input.Plus(output))
		}
		// What no empty minute could hold is held as a whole minute: an
		// estimate alone never locks anyone out.
		want = min(want, t.TPM)
	}
	var limits [2]limit
	n := 0
	if t.LimitRPM {
		limits[n] = limit{d: requests, capacity: t.RPM, want: 1}
		n++
	}
	if t.LimitTPM {
		limits[n] = limit{d: tokens, capacity: int64(t.TPM), want: int64(want)}
		n++
	}
	for i := range limits[:n] {
		m := &limits[i]
		m.left = r.left(m.d, m.capacity)
		m.ceiling = math.MaxInt64
		if c.Hard {
			m.ceiling = r.ceiling(m.d, m.capacity, c.Pool, int64(c.Weight))
		}
		m.room = min(m.ceiling, r.available(m.d, m.capacity, me, weights, v.ResetMS))
		if v.OK() && !r.fits(m, me, c) {
			v.Reason = OverRequests
			if m.d == tokens {
				v.Reason = OverTokens
			}
			v.RetryMS = r.wait(now, m, me, weights, c)
		}
	}
	if v.OK() {
		r.add(atRequests, 1)
		r.add(atSlots, 1)
		r.add(atTotalRequests, 1)
		r.add(atHeld, int64(want))
		r.set4(me+lineCount, r.at4(me+lineCount)+1)
		r.set4(me+lineSlots, r.at4(me+lineSlots)+1)
		r.add(me+lineHeld, int64(want))
		v.Hold = Hold{
			open: true, minute: r.at(atMinute), key: uint64(r.at(me + lineID)), tokens: want,
			input: input, output: output, bytes: c.Ask.TextBytes, page: -1,
		}
	} else {
		r.add(atTotalRefused, 1)
		r.set4(me+lineRefused, r.at4(me+lineRefused)+1)
	}
	for i := range limits[:n] {
		m := &limits[i]
		if v.OK() {
			// What others must find does not change by what this caller takes.
			m.left -= m.want
			m.room -= m.want * milli
		}
		room := Room{true, max(0, m.left), max(0, m.room) / milli}
		if m.d == requests {
			v.Requests = room
		} else {
			v.Tokens = room
		}
	}
	return v
}

// fits reports whether the caller may take what it wants.
func (r record) fits(m *limit, me int, c *Claim) bool {
	if c.Hard && c.Weight == 0 || m.capacity == 0 || m.want > m.left {
		return false
	}
	if m.want*milli > m.ceiling && r.pooled(m.d, c.Pool) > 0 {
		return false
	}
	// The first request of a key may be larger than its share, and that of a
	// pool larger than the pool's part.
	return m.want*milli <= m.room || r.taken(m.d, me) == 0
}

// wait is how long until the refused claim would fit if nobody else asked: the
// moment in this minute when what is kept back for others has shrunk enough,
// else the first minute that is not yet spent by debt.
func (r record) wait(now int64, m *limit, me int, weights int64, c *Claim) int64 {
	if m.capacity == 0 || c.Hard && c.Weight == 0 {
		return Never
	}
	end := r.msLeft(now)
	want := m.want * milli
	if m.want <= m.left && want <= m.ceiling && want <= r.available(m.d, m.capacity, me, weights, 0) {
		// Whole seconds are what a client is told.
		lo, hi := int64(0), (end+999)/1000 // refused after lo seconds, admitted after hi
		for hi-lo > 1 {
			mid := (lo + hi) / 2
			if want <= r.available(m.d, m.capacity, me, weights, max(0, end-mid*1000)) {
				hi = mid
			} else {
				lo = mid
			}
		}
		return max(1, hi*1000)
	}
	if m.d == requests {
		return max(1, end)
	}
	// Debt of whole minutes is paid before anything fits; a minute that starts
	// with nothing used admits one request of any size.
	minutes, used := int64(0), r.at(atUsed)-m.capacity
	for used > 0 && used+m.want > m.capacity && minutes < 1<<16 {
		minutes++
		used -= m.capacity
	}
	return max(1, end+minutes*minuteMS)
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
	held := *h
	h.open = false
	void := held.epoch != l.epoch // a leader already took the hold off the books
	for l.begin(t); l.read(now); l.swap() {
		l.buf.close(&held, void, s, t)
	}
	l.strike(&held)
	return l.err
}

func (r *record) close(h *Hold, void bool, s *Spent, t *Terms) {
	me := r.find(h.key)
	if !void {
		r.take(atSlots, 1)
		switch h.minute {
		case r.at(atMinute):
			r.take(atHeld, int64(h.tokens))
			if me != 0 {
				r.take(me+lineHeld, int64(h.tokens))
			}
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
	}
	if s.Learn {
		r.learn(atLearned, s, h.bytes)
		if me != 0 && r.at(me+lineID) != 0 {
			r.learn(me+lineLearned, s, h.bytes)
		}
	}
	charge, debt := int64(s.Total), int64(0)
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
		me = r.open(h.key)
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
