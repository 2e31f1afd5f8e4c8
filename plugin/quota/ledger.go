package quota

// A Ledger is one worker's way to the books: it reads, changes and writes them
// and remembers what this worker holds. It belongs to one VM and is not safe
// for concurrent use; any number of ledgers may share a store.
type Ledger struct {
	store    Store
	instance uint64 // drawn at random: whose a record is
	writes   uint64 // for stamps
	Retries  int64  // swaps lost to other workers, ever

	// The swap under way, see begin.
	terms *Terms
	buf   record // what was read, and is changed
	cas   uint32
	fresh bool // the store has no record yet
	ended bool // what was read is of an earlier minute
	try   int
	done  bool
	err   error
	look  look // the decision under way

	worker
	accounts
	news map[uint64]*news // by Terms.id, see refuse
}

// NewLedger returns a ledger over the store. instance must be random: it tells
// this VM from all others of the process, dead ones included.
func NewLedger(s Store, instance uint64) *Ledger {
	if instance == 0 {
		instance = 1
	}
	return &Ledger{store: s, instance: instance, worker: worker{seat: noSeat}}
}

// Instance is the number that tells this worker from all others.
func (l *Ledger) Instance() uint64 { return l.instance }

// stamp is a number that no other write of any worker has.
func (l *Ledger) stamp() uint64 {
	l.writes++
	return l.instance + l.writes
}

// tornReads is how often an unreadable record is read again before it counts as
// foreign: one write lasts far shorter than one read.
const tornReads = 4

// A change of a group's record is a loop: read gives the record as it stands at
// now, the body changes l.buf, swap writes it, and all of it happens again when
// another worker was faster.
//
//	for l.begin(t); l.read(now); l.swap() {
//		l.buf.admit(…)
//	}
//	return l.err
//
// (A closure in its place would be allocated for every request.)
func (l *Ledger) begin(t *Terms) {
	l.terms, l.try, l.done, l.err = t, 0, false, nil
}

// read gets the record into l.buf. It reports false when the change is done or
// has failed.
func (l *Ledger) read(now int64) bool {
	for ; !l.done; l.try++ {
		if l.try == MaxTries {
			l.done, l.err = true, ErrConflict
			break
		}
		v, cas, st := l.store.Get(l.terms.Key)
		l.cas, l.fresh = cas, st == NotFound
		switch {
		case st == Failed:
			l.done, l.err = true, ErrStore
			return false
		case st == OK && valid(v, l.terms.Key):
			l.buf = append(l.buf[:0], v...)
		case st == OK && l.try < tornReads:
			// What another worker was just writing reads whole the next
			// time; a foreign record (another layout's, another key's)
			// never does and is replaced.
			l.Retries++
			continue
		default:
			l.buf = newRecord(l.buf, l.terms.Key, now)
		}
		l.ended = l.buf.finish(now, l.terms)
		l.buf.roll(now, l.terms)
		return true
	}
	return false
}

// swap writes l.buf, unless another worker changed the record since it was read.
func (l *Ledger) swap() {
	l.buf.seal(l.stamp())
	st := OK
	if l.fresh {
		st = Create(l.store, l.terms.Key, l.buf)
	} else {
		st = l.store.Set(l.terms.Key, l.buf, l.cas)
	}
	switch st {
	case OK:
		l.done = true
	case Mismatch:
		l.Retries++
		l.try++
	default:
		l.done, l.err = true, ErrStore
	}
}
