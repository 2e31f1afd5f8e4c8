package quota

// An ending takes a hold off the books that it is on: those of its meters, and
// the model's. Where one can't be changed now, because the store fails or other
// workers win every try, the others are done all the same and that one is tried
// again with each tick: a slot that stayed taken would be taken for ever.
type ending struct {
	Hold         // its meters are those that still have it
	terms *Terms // of the model whose record still has it, nil for none
	spent Spent
	how   fate
}

// A fate is what became of a hold.
type fate uint8

const (
	released fate = iota // nothing was used, but the request was made
	settled              // it became what the answer cost
	undone               // another limit refused after all
)

// maxUnsettled bounds the endings that wait. While a store fails nobody is
// admitted, so no more can wait than were in flight when it began to.
const maxUnsettled = 1024

// end does all of an ending that can be done now. What is left waits for the next
// tick; end then returns why.
func (l *Ledger) end(now int64, e *ending) error {
	err := l.tryEnd(now, e)
	if err == nil {
		l.strike(&e.Hold)
		return nil
	}
	if len(l.unsettled) < maxUnsettled {
		l.note(now, e)
		l.unsettled = append(l.unsettled, *e)
	}
	return err
}

// endAgain tries what could not be done.
func (l *Ledger) endAgain(now int64) {
	left := 0
	var failed error
	for i := range l.unsettled {
		e := &l.ending
		*e = l.unsettled[i]
		books := e.nmeters
		// A store that loses every swap would take seconds for all of them.
		if failed != ErrConflict {
			failed = l.tryEnd(now, e)
		}
		switch {
		case failed == nil:
			l.strike(&e.Hold)
			continue
		case e.nmeters != books || e.terms != l.unsettled[i].terms:
			l.note(now, e)
		}
		l.unsettled[left] = *e
		left++
	}
	clear(l.unsettled[left:])
	l.unsettled = l.unsettled[:left]
}

// tryEnd goes on after an error, which it returns. What is done is taken out of e.
func (l *Ledger) tryEnd(now int64, e *ending) error {
	h := &e.Hold
	// If the seat was lost a leader took what was noted off the books.
	void := h.page >= 0 && h.epoch != l.epoch
	var failed error
	left := 0
	for _, m := range h.meters[:h.nmeters] {
		late, cost := false, int64(0)
		for l.beginMeter(m); l.readMeter(now); l.swapMeter() {
			switch {
			case void:
				l.one.refund(h, m) // the leader charged what was held
				cost = -int64(h.cost)
			case e.how == undone:
				l.one.untake(h, m)
			default:
				l.one.drop(h, m)
			}
			if e.how == settled {
				cost += int64(e.spent.Cost)
				late = l.spending(m, &l.one, h.at, cost)
				l.one.charge(now, h, &e.spent, m)
			}
		}
		if late && l.failed == nil {
			l.correct(m, h.at, cost)
		}
		if l.failed != nil {
			failed = l.failed
			h.meters[left] = m
			left++
		}
	}
	clear(h.meters[left:])
	h.nmeters = left
	if t := e.terms; t != nil {
		spent := &e.spent
		if e.how != settled {
			spent = nil
		}
		for l.begin(t); l.read(now); l.swap() {
			l.buf.close(h, void, spent, t)
		}
		if e.terms = nil; l.err != nil {
			failed, e.terms = l.err, t
		}
	}
	return failed
}
