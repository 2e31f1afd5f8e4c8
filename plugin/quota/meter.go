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
	Limit   int64 // the model group's, a minute
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
	err := l.change(now, t, func(b *Book) bool {
		v = b.admit(now, t, &c)
		return true
	})
	if err != nil {
		return Verdict{}, err
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
	err := l.change(now, t, func(b *Book) bool {
		if v = b.admit(now, t, &c); v.OK() {
			b.close(&v.Hold, false, &s, t)
			v.Hold = Hold{}
		}
		return true
	})
	if err != nil {
		return Verdict{}, err
	}
	return v, nil
}

func (b *Book) admit(now int64, t *Terms, c *Claim) Verdict {
	active := b.Active()
	me := b.open(c.Key)
	me.Asked = true
	me.Weight, me.Pool = c.Weight, c.Pool
	if me.ID == 0 {
		// Keys that share this line can't be told apart; every ask stands
		// for one of them.
		me.Weight = uint32(min(me.Requests+me.Refused+1, maxLines)) * One
		me.Pool = noPool
	}

	v := Verdict{Active: active, ResetMS: b.msLeft(now)}
	input, output := c.Ask.estimate(&me.Learned, &b.Learned, t)
	var want unit.Tokens
	if t.LimitTPM {
		want = c.Exact
		if want == 0 {
			want = max(1, input.Plus(output))
		}
		// What no empty minute could hold is held as a whole minute: an
		// estimate alone never locks anyone out.
		want = min(want, t.TPM)
	}
	room := func(d dimension, limit int64) int64 {
		r := b.available(d, limit, me, v.ResetMS)
		if c.Hard {
			r = min(r, b.ceiling(d, limit, me, int64(c.Weight)))
		}
		return r
	}
	fits := func(d dimension, limit, want, left int64) bool {
		if c.Hard && c.Weight == 0 {
			return false
		}
		if limit == 0 || want > left {
			return false
		}
		// The first request of a key may be larger than its share.
		return want*milli <= room(d, limit) || d.taken(me) == 0
	}
	leftRequests := t.RPM - b.Requests
	leftTokens := int64(t.TPM) - int64(b.Used.Plus(b.Held))
	switch {
	case t.LimitRPM && !fits(requests, t.RPM, 1, leftRequests):
		v.Reason = OverRequests
		v.RetryMS = b.wait(now, requests, t.RPM, 1, leftRequests, me, c)
	case t.LimitTPM && !fits(tokens, int64(t.TPM), int64(want), leftTokens):
		v.Reason = OverTokens
		v.RetryMS = b.wait(now, tokens, int64(t.TPM), int64(want), leftTokens, me, c)
	default:
		b.Requests++
		b.Slots++
		b.Totals.Requests++
		me.Requests++
		me.Slots++
		b.Held = b.Held.Plus(want)
		me.Held = me.Held.Plus(want)
		v.Hold = Hold{
			open: true, minute: b.Minute, key: me.ID, tokens: want,
			input: input, output: output, bytes: c.Ask.TextBytes, page: -1,
		}
	}
	if !v.OK() {
		me.Refused++
		b.Totals.Refused++
	}
	if t.LimitRPM {
		v.Requests = Room{true, t.RPM, max(0, t.RPM-b.Requests), room(requests, t.RPM) / milli}
	}
	if t.LimitTPM {
		v.Tokens = Room{true, int64(t.TPM), max(0, int64(t.TPM)-int64(b.Used.Plus(b.Held))), room(tokens, int64(t.TPM)) / milli}
	}
	return v
}

// msLeft is how much of the book's minute remains, in 0..60000 ms. A clock that
// stepped back before the minute's start leaves the whole of it.
func (b *Book) msLeft(now int64) int64 {
	return min(max(0, (b.Minute+1)*minuteMS-now), minuteMS)
}

// wait is how long until the refused claim would fit if nobody else asked: the
// moment in this minute when what is kept back for others has shrunk enough,
// else the first minute that is not yet spent by debt.
func (b *Book) wait(now int64, d dimension, limit, want, left int64, me *Line, c *Claim) int64 {
	if limit == 0 || c.Hard && c.Weight == 0 {
		return Never
	}
	end := b.msLeft(now)
	if want <= left && (!c.Hard || want*milli <= b.ceiling(d, limit, me, int64(c.Weight))) {
		lo, hi := int64(0), end // ms from now: refused at lo, admitted at hi if at all
		if want*milli <= b.available(d, limit, me, 0) {
			for hi-lo > 100 {
				mid := (lo + hi) / 2
				if want*milli <= b.available(d, limit, me, end-mid) {
					hi = mid
				} else {
					lo = mid
				}
			}
			return max(1, hi)
		}
	}
	if d == requests {
		return max(1, end)
	}
	// Debt of k whole minutes is paid before anything fits; a minute that
	// starts with nothing used admits one request of any size.
	used := int64(b.Used)
	minutes := int64(0)
	for used -= limit; used > 0 && used+want > limit && minutes < 1<<16; used -= limit {
		minutes++
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
	void := held.epoch != l.epoch // a reclaimer already took the hold off the books
	err := l.change(now, t, func(b *Book) bool {
		b.close(&held, void, s, t)
		return true
	})
	l.strike(&held)
	return err
}

func (b *Book) close(h *Hold, void bool, s *Spent, t *Terms) {
	me := b.line(h.key)
	if !void {
		b.Slots = max(0, b.Slots-1)
		switch h.minute {
		case b.Minute:
			b.Held = max(0, b.Held.Minus(h.tokens))
			if me != nil {
				me.Held = max(0, me.Held.Minus(h.tokens))
			}
		case b.Minute - 1:
			b.PrevHeld = max(0, b.PrevHeld.Minus(h.tokens))
		}
		if me != nil {
			me.Slots = max(0, me.Slots-1)
		}
	}
	if s == nil {
		return
	}
	b.Totals.Tokens = b.Totals.Tokens.Plus(s.Total)
	if s.Estimated {
		b.Totals.EstimatedRequests++
		b.Totals.EstimatedTokens = b.Totals.EstimatedTokens.Plus(s.Total)
	}
	if s.Learn {
		b.Learned.add(s.Completion, s.Prompt, h.bytes)
		if me != nil && me.ID != 0 {
			me.Learned.add(s.Completion, s.Prompt, h.bytes)
		}
	}
	charge, before := s.Total, unit.Tokens(0)
	switch h.minute {
	case b.Minute:
		before = b.Used.Plus(b.Held)
	case b.Minute - 1:
		// The minute it was admitted in pays as far as its capacity goes.
		before = b.PrevUsed.Plus(b.PrevHeld)
		b.PrevUsed = b.PrevUsed.Plus(charge)
		if !t.LimitTPM {
			return
		}
		charge = over(before, charge, t.TPM)
	default:
		// That minute's book is closed: what was held is paid for.
		charge = max(0, charge.Minus(h.tokens))
	}
	if t.LimitTPM && h.minute == b.Minute {
		b.Totals.DebtTokens = b.Totals.DebtTokens.Plus(over(before, charge, t.TPM))
	} else {
		b.Totals.DebtTokens = b.Totals.DebtTokens.Plus(charge)
	}
	b.Used = b.Used.Plus(charge)
	if charge > 0 && me == nil {
		me = b.open(h.key)
	}
	if me != nil {
		me.Used = me.Used.Plus(charge)
	}
}

// over is the part of charge that lies above capacity when before was taken.
func over(before, charge, capacity unit.Tokens) unit.Tokens {
	return min(charge, max(0, before.Plus(charge).Minus(capacity)))
}
