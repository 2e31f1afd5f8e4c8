package quota

import (
	"encoding/binary"

	"fairshare/plugin/period"
)

// A history tells what was spent on a meter since when, so that a budget's period can
// change: what the new one covers is what was spent since it began, and nothing else.
//
// It is a record of its own beside the meter's, which is written when the first money of
// a minute is spent and read when a period changes. What it remembers gets coarser with
// age: minutes for an hour, hours for two days, days for a hundred, months for two years,
// of the meter's calendar. Periods that begin in between count from the next of these.
type history struct{ marks []mark }

// A mark says what was spent in all, since the meter was made, before a minute. There is
// one for a minute in which money was spent, the first of its hour, day or month where
// the others are forgotten: until then nothing was spent since that began.
type mark struct{ minute, spent int64 }

const (
	markMinutes = 60
	markHours   = 48 * 60
	markDays    = 100 * 24 * 60
	markMonths  = 2 * 366 * 24 * 60

	// maxMarks is more than are kept: of all minutes, hours, days and months that are.
	maxMarks = 60 + 49 + 101 + 26 + 60
)

// marksOf is for how many minutes the first of a unit is kept.
var marksOf = [...]int64{period.Hour: markHours, period.Day: markDays, period.Month: markMonths}

// before is what was spent before a moment, in ms since 1970, if in all it was total.
func (h *history) before(at, total int64) int64 {
	for i := range h.marks {
		if h.marks[i].minute*minuteMS >= at {
			return min(h.marks[i].spent, total)
		}
	}
	return total
}

// mark notes that money is spent in a minute, before which it was spent in all. It
// reports whether that was to be noted.
func (h *history) mark(minute, spent int64, c *period.Calendar) bool {
	n := len(h.marks)
	if n > 0 && h.marks[n-1].minute >= minute {
		return false
	}
	h.marks = append(h.marks, mark{minute, spent})
	// A note of the journal knows no calendar.
	if n > 0 && (c != nil && h.marks[n-1].minute/60 != minute/60 || n >= maxMarks-1) {
		h.thin(minute, c)
	}
	return true
}

// late counts money of a minute that is over. What later minutes began with is more.
func (h *history) late(minute, cost int64) {
	i := len(h.marks)
	for i > 0 && h.marks[i-1].minute > minute {
		i--
		h.marks[i].spent = max(0, plus(h.marks[i].spent, cost))
	}
	if i < len(h.marks) && (i == 0 || h.marks[i-1].minute != minute) {
		h.marks = append(h.marks, mark{})
		copy(h.marks[i+1:], h.marks[i:])
		h.marks[i] = mark{minute, max(0, plus(h.marks[i+1].spent, -cost))}
	}
}

// thin forgets what need not be remembered at a minute.
func (h *history) thin(now int64, c *period.Calendar) {
	kept := h.marks[:0]
	last := int64(0)
	for i, m := range h.marks {
		age := now - m.minute
		keep := age < markMinutes
		for unit := range marksOf {
			if age >= marksOf[unit] || keep {
				continue
			}
			begin, _ := c.Span(period.Duration{N: 1, Unit: period.Unit(unit)}, 0, m.minute*minuteMS)
			keep = i == 0 || last*minuteMS < begin // the first of its hour, day or month
		}
		if keep {
			kept = append(kept, m)
		}
		last = m.minute
	}
	h.marks = kept
	if n := len(kept); n > maxMarks {
		h.marks = append(h.marks[:0], kept[n-maxMarks:]...)
	}
}

// Layout of a history, all numbers little endian, 8 bytes each unless told:
//
//	magic 4 | 0 | stamp | marks: minute, spent | stamp
const (
	historyMagic = 0x01595346 // "FSY" and layout 1
	historyFixed = 24
)

func historyKey(m *Meter) string { return "fs/h/" + m.key[len("fs/s/"):] }

func (h *history) encode(dst []byte, stamp uint64) []byte {
	n := historyFixed + 16*len(h.marks)
	if cap(dst) < n {
		dst = make([]byte, n)
	}
	dst = dst[:n]
	put8(dst, 0, historyMagic)
	put8(dst, 1, int64(stamp))
	for i := range h.marks {
		put8(dst, 2+2*i, h.marks[i].minute)
		put8(dst, 3+2*i, h.marks[i].spent)
	}
	put8(dst, n/8-1, int64(stamp))
	return dst
}

// decode reports whether v is a history that is whole.
func (h *history) decode(v []byte) bool {
	le := binary.LittleEndian
	h.marks = h.marks[:0]
	n := (len(v) - historyFixed) / 16
	if len(v) < historyFixed || len(v) != historyFixed+16*n || le.Uint64(v) != historyMagic || le.Uint64(v[8:]) != le.Uint64(v[len(v)-8:]) {
		return false
	}
	for i := range min(n, 2*maxMarks) {
		h.marks = append(h.marks, mark{at8(v[16:], 2*i), at8(v[16:], 2*i+1)})
	}
	return true
}

// readHistory gets a meter's history; it is empty where there is none.
func (l *Ledger) readHistory(m *Meter) (cas uint32, fresh, ok bool) {
	for range tornReads + 1 {
		v, cas, st := l.store.Get(historyKey(m))
		switch {
		case st == NotFound:
			l.history.marks = l.history.marks[:0]
			return 0, true, true
		case st != OK:
			return 0, false, false
		case l.history.decode(v):
			return cas, false, true
		}
	}
	l.history.marks = l.history.marks[:0]
	return 0, false, true // it is another's, or was left torn
}

// changeHistory changes a meter's history; what can't be written is forgotten: the books
// of the present period don't need it.
func (l *Ledger) changeHistory(m *Meter, change func(h *history) bool) {
	for range MaxTries {
		cas, fresh, ok := l.readHistory(m)
		if !ok || !change(&l.history) {
			return
		}
		l.historyBuf = l.history.encode(l.historyBuf, l.stamp())
		st := OK
		if fresh {
			st = Create(l.store, historyKey(m), l.historyBuf)
		} else {
			st = l.store.Set(historyKey(m), l.historyBuf, cas)
		}
		if st != Mismatch {
			return
		}
	}
}

// remember notes money that is about to be spent on a meter at a moment, if it is the
// first of its minute.
//
//go:noinline
func (l *Ledger) remember(m *Meter, a *account, at int64) {
	minute, spent := at/minuteMS, a.spent
	l.changeHistory(m, func(h *history) bool { return h.mark(minute, spent, m.Calendar) })
	a.marked = max(a.marked, minute)
}

// correct counts money in the history that was booked for a moment of an hour that is
// over.
//
//go:noinline
func (l *Ledger) correct(m *Meter, at, cost int64) {
	l.changeHistory(m, func(h *history) bool { h.late(at/minuteMS, cost); return true })
}

// spending prepares to book money on a meter for a moment, and reports whether the history
// has to be told of it afterwards, by correct. Marks are right to a quarter of an hour: no
// zone's days begin between.
func (l *Ledger) spending(m *Meter, a *account, at, cost int64) (late bool) {
	const quarter = 15
	minute := at / minuteMS
	switch {
	case cost == 0 || m.Skips.Has(Budget):
		return false
	case minute > a.marked:
		l.remember(m, a, at)
		return false
	}
	return minute/quarter != a.marked/quarter
}

// relabel gives a meter the present period of another rule, with what was spent since
// that began.
//
//go:noinline
func (l *Ledger) relabel(now int64, m *Meter, a *account) error {
	var next periodBook
	next.start, next.end = m.span(now)
	next.from = next.start
	switch p := a.paying(now); {
	case p != nil && p.start == next.start:
		next.spent = p.spent
	case a.spent == 0 || m.Every == (period.Duration{}):
		next.spent = a.spent
	case next.start >= now-instantReach*1000:
		from, known := a.instants.before(next.start, now, a.spent)
		to, _ := a.instants.before(next.end, now, a.spent)
		if next.spent = max(0, to-from); !known && p != nil {
			next.spent = p.spent
		}
	default:
		if _, _, ok := l.readHistory(m); !ok {
			return ErrStore
		}
		switch {
		case len(l.history.marks) > 0:
			next.spent = l.history.before(next.end, a.spent) - l.history.before(next.start, a.spent)
		case p != nil:
			next.spent = p.spent // it could not be written
		}
	}
	// Requests in flight find what they hold, though they be of before it began.
	for i := range a.periods {
		if p := &a.periods[i]; p.held > 0 && p.end > next.start {
			next.held, next.from = plus(next.held, p.held), min(next.from, p.from)
		}
	}
	if p := a.paying(now); p != nil {
		next.others = p.others
	}
	a.rule, a.periods = m.rule(), [len(a.periods)]periodBook{next}
	return nil
}
