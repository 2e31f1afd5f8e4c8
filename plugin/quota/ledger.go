package quota

// A Ledger is one worker's way to the books: it reads, changes and writes them
// and remembers what this worker holds. It belongs to one VM and is not safe
// for concurrent use; any number of ledgers may share a store.
type Ledger struct {
	store    Store
	instance uint64 // drawn at random: whose a record is
	book     Book   // scratch
	buf      []byte // scratch
	Retries  int64  // swaps lost to other workers, ever

	worker
}

// NewLedger returns a ledger over the store. instance must be random and not 0:
// it tells this VM from all others of the process, dead ones included.
func NewLedger(s Store, instance uint64) *Ledger {
	if instance == 0 {
		instance = 1
	}
	return &Ledger{store: s, instance: instance, worker: worker{seat: noSeat}}
}

// change reads the group's book, brings it to now, lets act change it and swaps
// it in, again from the start when another worker was faster. act returns false
// to leave the record as it is.
func (l *Ledger) change(now int64, t *Terms, act func(*Book) bool) error {
	b := &l.book
	for try := range maxTries {
		v, cas, st := l.store.Get(t.Key)
		switch {
		case st == Failed:
			return ErrStore
		case st == NotFound:
			b.reset(now)
		case !b.decode(v, t.Key):
			// A record that another worker was just writing reads whole
			// the next time; a foreign one (another layout's, another
			// key's) never does and is replaced.
			if try < tornReads {
				l.Retries++
				continue
			}
			b.reset(now)
		}
		b.roll(now, t)
		if !act(b) {
			return nil
		}
		l.buf = b.encode(l.buf[:0], t.Key)
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

// tornReads is how often an unreadable record is read again before it counts as
// foreign: one write lasts far shorter than one read.
const tornReads = 4

// reset makes the book one that nobody ever used.
func (b *Book) reset(now int64) {
	lines := b.Lines[:0]
	*b = Book{Minute: now / minuteMS, Lines: lines}
}

// Read returns the group's book as it stands at now, for reports. It is valid
// until the ledger's next call; a group without a record has an empty book.
func (l *Ledger) Read(now int64, t *Terms) (*Book, error) {
	err := l.change(now, t, func(*Book) bool { return false })
	return &l.book, err
}

// Instance is the number that tells this worker from all others.
func (l *Ledger) Instance() uint64 { return l.instance }
