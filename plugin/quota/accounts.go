package quota

import (
	"errors"

	"fairshare/plugin/unit"
)

// MaxMeters is how many meters one request may be held on: the proxy's, key's,
// user's, team's, member's and end user's, and the key's, the user's and the
// team's for the model.
const MaxMeters = 9

// accounts is the part of a ledger that reads and changes meters.
type accounts struct {
	asked      [MaxMeters]account // of the claim under way, in its order
	one        account            // of the change under way, see beginMeter
	meter      *Meter
	tries      int
	changed    bool
	failed     error
	meterBuf   []byte
	history    history // the one at hand
	historyBuf []byte
	standings  [MaxMeters]Standing
	tallies    tallies
	ending     ending   // under way
	unsettled  []ending // to be tried again, see end
}

// An account is a meter's balance as it was read.
type account struct {
	balance
	cas   uint32
	fresh bool // the store has no record yet
}

// A Standing is what a caller is told of a meter after its request.
type Standing struct {
	Requests, Tokens, Parallel int64        // left, if limited
	Cost                       unit.PicoUSD // spent and held in the period
	Spent                      unit.PicoUSD // in the period
	OverSoft                   bool         // the soft budget is spent
}

// account gets the meter's balance as it stands at now.
func (l *Ledger) account(now int64, m *Meter, a *account) error {
	err := l.load(now, m, a)
	if err == nil {
		err = l.rollPeriod(now, m, a)
	}
	return err
}

// rollPeriod makes the period of now, by the meter's rule, the first of the account.
func (l *Ledger) rollPeriod(now int64, m *Meter, a *account) error {
	if a.rule != m.rule() {
		return l.relabel(now, m, a)
	}
	a.rollPeriod(now, m)
	return nil
}

// load gets the meter's balance with a book for the minute of now. The periods
// are as they were written, by whatever rule.
func (l *Ledger) load(now int64, m *Meter, a *account) error {
	for try := 0; ; try++ {
		v, cas, st := l.store.Get(m.key)
		a.cas, a.fresh = cas, st == NotFound
		switch {
		case st == Failed:
			return ErrStore
		case st == OK && a.decode(v, &m.ID):
		case st == OK && try < tornReads:
			l.Retries++
			continue // see Ledger.read
		default:
			a.balance = balance{}
		}
		a.rollMinute(now, m)
		return nil
	}
}

// put writes the balance back, unless another worker changed it since.
func (l *Ledger) put(m *Meter, a *account) Status {
	l.meterBuf = a.encode(l.meterBuf, &m.ID, l.stamp())
	st := OK
	if a.fresh {
		if st = Create(l.store, m.key, l.meterBuf); st == OK && m.guest {
			l.countGuest()
		}
	} else {
		st = l.store.Set(m.key, l.meterBuf, a.cas)
	}
	if st == Mismatch {
		l.Retries++
	}
	return st
}

// errRefused tells a limit's refusal from a failure inside this package.
var errRefused = errors.New("quota: refused")

// A refusal is that of a meter's limit.
type refusal struct {
	by   int // index in Claim.Meters, -1 if nobody refuses
	why  Reason
	wait int64 // as balance.wait
}

// inspect reads the claim's meters and says which limit refuses the claim, if
// one does. would is the refusal of a limit in shadow, where none that is enforced
// refuses.
//
//go:noinline
func (l *Ledger) inspect(now int64, c *Claim, h *Hold) (is, would refusal, err error) {
	shadow := Reasons(0)
	for i, m := range c.Meters {
		shadow |= m.Shadow
		if err := l.account(now, m, &l.asked[i]); err != nil {
			return refusal{}, refusal{}, err
		}
	}
	would.by = -1
	if is = l.refusal(now, c, h, false); is.by >= 0 && shadow != 0 {
		would = is
		if is = l.refusal(now, c, h, true); is.by >= 0 {
			would.by = -1
		}
	}
	return is, would, nil
}

// refusal says which limit refuses the claim, of all or of those that are enforced:
// budgets before slots before requests before tokens, whosever they are.
func (l *Ledger) refusal(now int64, c *Claim, h *Hold, enforced bool) refusal {
	r := refusal{by: -1}
	for i, m := range c.Meters {
		a, want := &l.asked[i], int64(h.wants(m))
		m = h.limits(m, enforced)
		why := a.refuses(now, want, h.atLeast(want), m)
		if why == Admitted {
			continue
		}
		r.wait = max(r.wait, a.wait(now, want, h.atLeast(want), m))
		if r.by < 0 || why < r.why {
			r.by, r.why = i, why
		}
	}
	return r
}

// takeAll holds the claim on all its meters, as inspect read them, or on none.
// Where another worker changed a meter since, that meter decides again; for a shadow
// hold its enforced limits do.
//
//go:noinline
func (l *Ledger) takeAll(now int64, c *Claim, h *Hold) (by int, why Reason, err error) {
	for i, m := range c.Meters {
		a := &l.asked[i]
		for try := 0; ; try++ {
			if try == MaxTries {
				err = ErrConflict
				break
			}
			if try > 0 {
				if err = l.account(now, m, a); err != nil {
					break
				}
				limits := h.limits(m, h.shadow)
				want := int64(h.wants(m))
				if why = a.refuses(now, want, h.atLeast(want), limits); why != Admitted {
					by, err = i, errRefused
					break
				}
			}
			a.take(now, h, m)
			st := l.put(m, a)
			if st == OK {
				break
			}
			if st != Mismatch {
				err = ErrStore
				break
			}
		}
		if err != nil {
			l.untakeAll(now, c.Meters[:i], h)
			if err == errRefused {
				return by, why, nil
			}
			return -1, Admitted, err
		}
	}
	return -1, Admitted, nil
}

// untakeAll undoes takeAll.
func (l *Ledger) untakeAll(now int64, meters []*Meter, h *Hold) {
	e := &l.ending
	*e = ending{Hold: *h, how: undone}
	e.nmeters = copy(e.meters[:], meters)
	_ = l.end(now, e)
}

// A change of one meter is a loop like that of a group's record, see begin:
//
//	for l.beginMeter(m); l.readMeter(now); l.swapMeter() {
//		l.one.drop(…)
//	}
//	return l.failed
//
// The body itself rolls the period, where it counts something at now: what only
// ends a hold keeps to the periods that are there, since its meter may be of
// before somebody changed the rule.
func (l *Ledger) beginMeter(m *Meter) { l.meter, l.tries, l.changed, l.failed = m, 0, false, nil }

func (l *Ledger) readMeter(now int64) bool {
	if l.changed || l.failed != nil {
		return false
	}
	if l.tries == MaxTries {
		l.failed = ErrConflict
		return false
	}
	l.failed = l.load(now, l.meter, &l.one)
	return l.failed == nil
}

func (l *Ledger) swapMeter() {
	switch l.put(l.meter, &l.one) {
	case OK:
		l.changed = true
	case Mismatch:
		l.tries++
	default:
		l.failed = ErrStore
	}
}

// stand fills the standings of the claim's meters after the request.
func (l *Ledger) stand(now int64, c *Claim) []Standing {
	for i, m := range c.Meters {
		a, s := &l.asked[i], &l.standings[i]
		*s = Standing{Cost: a.costAt(now), Spent: unit.PicoUSD(a.paying(now).spent)}
		s.Requests = max(0, m.RPM.Max-a.requestsAt(now, m))
		s.Tokens = max(0, m.TPM.Max-a.tokensAt(now, m))
		s.Parallel = max(0, m.Parallel.Max-a.slots)
		s.OverSoft = m.Soft.Limited && int64(s.Cost) >= m.Soft.Max
	}
	return l.standings[:len(c.Meters)]
}

// A tally is what the requests of one second cost a subject without limits.
type tally struct {
	meter                *Meter
	requests, tokens, at int64
	spent                unit.PicoUSD
	next                 *tally // of the same meter
}

// maxTallies bounds the tallies that wait for the tick.
const maxTallies = 1024

// Tally counts an answer on a meter that limits nothing; at is when its request was
// admitted, to whose period and minute it belongs. It is written with the worker's next
// tick, five times a second: such a meter is only reported, and a worker that dies loses
// a moment's news.
func (l *Ledger) Tally(now, at int64, m *Meter, s *Spent) {
	t := l.tallies.of(m, at)
	if t == nil && l.tallies.n >= maxTallies {
		l.WriteTallies(now)
		l.tallies = tallies{} // a store that takes none must not fill the memory
	}
	if t == nil {
		t = &tally{meter: m, at: at}
		l.tallies.put(t)
	}
	t.requests++
	t.tokens = plus(t.tokens, int64(max(0, s.Total)))
	t.spent = t.spent.Plus(s.Cost)
}

// tallies are what waits to be written. Of one meter there is one for each second, as no
// period is shorter, and for what counts there: an own key of a user and one of its team
// have two. Those that were asked for last are found without the map, until any ends.
type tallies struct {
	all    map[MeterID]*tally
	n      int // of them, all those of a meter
	recent [4]*tally
}

// of is the meter's tally of the second of at, nil if it has none.
func (a *tallies) of(m *Meter, at int64) *tally {
	for i := range a.recent {
		if t := a.recent[i]; t != nil && t.meter == m && t.at/1000 == at/1000 {
			return t
		}
	}
	t := a.all[m.ID]
	for t != nil && (t.meter.Skips != m.Skips || t.at/1000 != at/1000) {
		t = t.next
	}
	if t != nil && t.meter == m {
		copy(a.recent[1:], a.recent[:])
		a.recent[0] = t
	}
	return t
}

// put makes t a tally of its meter.
func (a *tallies) put(t *tally) {
	if a.all == nil {
		a.all = make(map[MeterID]*tally)
	}
	t.next = a.all[t.meter.ID]
	a.all[t.meter.ID] = t
	a.n++
}

// forget drops all that is collected of a meter.
func (a *tallies) forget(id MeterID) {
	delete(a.all, id)
	a.recent = [4]*tally{}
}

// WriteTallies writes what Tally collected. What can't be written now waits for
// the next time.
func (l *Ledger) WriteTallies(now int64) {
	a := &l.tallies
	a.n, a.recent = 0, [4]*tally{}
	for id, t := range a.all {
		var left *tally
		for t != nil {
			next := t.next
			if !l.writeTally(now, t) {
				t.next, left = left, t
				a.n++
			}
			t = next
		}
		if left == nil {
			delete(a.all, id)
		} else {
			a.all[id] = left
		}
	}
}

func (l *Ledger) writeTally(now int64, t *tally) bool {
	late := false
	for l.beginMeter(t.meter); l.readMeter(now); l.swapMeter() {
		a := &l.one
		if a.fresh || a.rule == t.meter.rule() {
			l.rollPeriod(t.at, t.meter, a)
		} // else its rule may have changed since: the one that counts is that of who asks
		a.requests += t.requests
		a.tokens = plus(a.tokens, t.tokens)
		late = l.spending(t.meter, a, t.at, int64(t.spent))
		a.pay(t.at, int64(t.spent), t.meter)
		b := a.lateMinute(t.at, t.meter)
		if b == nil {
			continue // nothing asks for that minute any more
		}
		if !t.meter.Skips.Has(Requests) {
			b.requests += t.requests
		}
		if !t.meter.Skips.Has(Tokens) {
			b.used = plus(b.used, t.tokens)
		}
	}
	if late && l.failed == nil {
		l.correct(t.meter, t.at, int64(t.spent))
		l.failed = nil
	}
	return l.failed == nil
}

// A Balance is a copy of a meter's book, for reports.
type Balance struct {
	Spent, Held            unit.PicoUSD // in the present period
	Others                 unit.PicoUSD // the same of requests whose money is somebody else's
	ResetAt                int64        // ms since 1970 when that ends; math.MaxInt64 is never
	Requests, Tokens, Hold int64        // in the present minute: admitted, used (with the debt of those before), held
	Slots                  int64        // requests in flight
	TotalRequests          int64        // since the meter was made
	TotalTokens            unit.Tokens
	TotalSpent             unit.PicoUSD
}

// Balance reads a meter as it stands at now, what Tally collected included.
func (l *Ledger) Balance(now int64, m *Meter) (Balance, error) {
	if len(l.tallies.all) > 0 {
		l.WriteTallies(now)
	}
	a := &l.one
	if err := l.account(now, m, a); err != nil {
		return Balance{}, err
	}
	p, b := a.paying(now), a.at(now/minuteMS)
	return Balance{
		Spent: unit.PicoUSD(p.spent), Held: unit.PicoUSD(p.held), Others: unit.PicoUSD(p.others), ResetAt: p.end,
		Requests: b.requests, Tokens: plus(b.used, b.debt), Hold: b.held, Slots: a.slots,
		TotalRequests: a.requests, TotalTokens: unit.Tokens(a.tokens), TotalSpent: unit.PicoUSD(a.spent),
	}, nil
}

// SetSpent sets what was spent in the present period.
func (l *Ledger) SetSpent(now int64, m *Meter, spent unit.PicoUSD) error {
	l.WriteTallies(now)
	for l.beginMeter(m); l.readMeter(now); l.swapMeter() {
		a := &l.one
		if l.failed = l.rollPeriod(now, m, a); l.failed != nil {
			break
		}
		more := int64(max(0, spent)) - a.paying(now).spent
		l.spending(m, a, now, more)
		a.spend(now, more)
		a.paying(now).others = 0
	}
	return l.failed
}

// Forget empties a meter, for a subject that is no more. Holds of requests in
// flight are void then. A meter that nothing was counted on is not made.
func (l *Ledger) Forget(now int64, m *Meter) error {
	l.tallies.forget(m.ID)
	for l.beginMeter(m); l.readMeter(now) && !l.one.fresh; l.swapMeter() {
		l.one.balance = balance{}
	}
	if l.failed == nil {
		l.changeHistory(m, func(h *history) bool {
			some := len(h.marks) > 0
			h.marks = h.marks[:0]
			return some
		})
	}
	return l.failed
}
