package quota

// A Ledger is one worker's way to the books: it reads, changes and writes them
// and remembers what this worker holds. It belongs to one VM and is not safe
// for concurrent use; any number of ledgers may share a store.
type Ledger struct {
	store    Store
	instance uint64 // drawn at random: whose a record is
	writes   uint64 // for stamps
	buf      record // scratch
	Retries  int64  // swaps lost to other workers, ever

	worker
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

// change reads the group's record, brings it to now, lets act change it and
// swaps it in, again from the start when another worker was faster. act returns
// false to leave the record as it is.
func (l *Ledger) change(now int64, t *Terms, act func(*record) bool) error {
	for try := range maxTries {
		v, cas, st := l.store.Get(t.Key)
		switch {
		case st == Failed:
			return ErrStore
		case st == NotFound:
			l.buf = newRecord(l.buf, t.Key, now)
		case valid(v, t.Key):
			l.buf = append(l.buf[:0], v...)
		case try < tornReads:
			// What another worker was just writing reads whole the next
			// time; a foreign record (another layout's, another key's)
			// never does and is replaced.
			l.Retries++
			continue
		default:
			l.buf = newRecord(l.buf, t.Key, now)
		}
		l.buf.roll(now, t)
		if !act(&l.buf) {
			return nil
		}
		l.buf.seal(l.stamp())
		if st == NotFound {
			st = Create(l.store, t.Key, l.buf)
		} else {
			st = l.store.Set(t.Key, l.buf, cas)
		}
		switch st {
		case OK:
			return nil
		case Mismatch:
			l.Retries++
		default:
			return ErrStore
		}
	}
	return ErrConflict
}
