package quota

import (
	"encoding/binary"
	"strconv"

	"fairshare/plugin/unit"
)

// What a dead VM held must not stay held: it is charged, since a prompt went upstream
// and nobody learns any more what came of it. Each worker has a seat: a small record
// that it beats, and pages on which it notes what it holds before anything can
// happen to it. A seat that stops beating is taken off the books by the leader.
const (
	beatMS = 1_000
	// staleMS is when a seat counts as dead. Six missed beats are no hiccup;
	// with a leader's round a second and a lease of 1.5 s all is back within
	// ten seconds even if the leader itself died.
	staleMS = 6_000
	leaseMS = 1_500
	// blindMS is the pause after which a worker can't trust its own view: it
	// may have been taken for dead meanwhile, or all others seem dead because
	// the clock jumped or the process was stopped.
	blindMS = 2_000

	seats  = 256 // Envoy's --concurrency is the number of cores
	noSeat = -1
)

const (
	seatMagic = 0x01575346 // "FSW" and layout 1
	pageMagic = 0x01505346 // "FSP" and layout 1
	leadMagic = 0x024c5346 // "FSL" and layout 2
	leadKey   = "fs/lead"
)

type seatState uint8

const (
	vacant seatState = iota
	seated
	clearing // a leader is taking its holds off the books
)

// A seat is one worker's record.
type seat struct {
	instance uint64 // who sits, or who clears
	beat     int64  // ms, last sign of life of that one
	pages    uint32 // pages ever written under this seat
	state    seatState
}

const seatSize = sealSize + 8 + 8 + 4 + 1

func (s *seat) encode(dst []byte) []byte {
	le := binary.LittleEndian
	start := len(dst)
	dst = Unsealed(dst)
	dst = le.AppendUint64(dst, s.instance)
	dst = le.AppendUint64(dst, uint64(s.beat))
	dst = le.AppendUint32(dst, s.pages)
	dst = append(dst, byte(s.state))
	Seal(dst[start:], seatMagic)
	return dst
}

func (s *seat) decode(v []byte) bool {
	le := binary.LittleEndian
	if len(v) != seatSize || !Sealed(v, seatMagic) {
		return false
	}
	s.instance = le.Uint64(v[8:])
	s.beat = int64(le.Uint64(v[16:]))
	s.pages = le.Uint32(v[24:])
	s.state = seatState(v[28])
	return true
}

const (
	noteSize  = noteHead + MaxMeters*17
	noteHead  = 8 * 8
	pageNotes = 8 // holds a page
	pageBytes = 16 + pageNotes*noteSize + 8
)

// A page of the journal: magic 8 | stamp 8 | notes | stamp 8. Only its worker
// writes it, or who clears its seat. A note is one open hold, 8 bytes each but
// the last: group id (0 is a free note, noGroup a hold that is off the model's
// record), key, minute, tokens on the model, tokens on the meters, the same on those
// whose tokens are in shadow, cost, time and number of meters with freeBit, the meters' ids of 17
// bytes, with what the hold skips there beside the scope.
type page struct {
	key  string
	buf  [pageBytes]byte
	used int
}

func (p *page) note(i int) []byte { return p.buf[16+i*noteSize:][:noteSize] }

func (p *page) put(i int, group uint64, h *Hold) {
	n, le := p.note(i), binary.LittleEndian
	le.PutUint64(n, group)
	le.PutUint64(n[8:], h.key)
	le.PutUint64(n[16:], uint64(h.minute))
	le.PutUint64(n[24:], uint64(h.tokens))
	le.PutUint64(n[32:], uint64(h.want))
	le.PutUint64(n[40:], uint64(h.shade))
	le.PutUint64(n[48:], uint64(h.cost))
	last := uint64(h.at)<<8 | uint64(h.nmeters) // 56 bits of milliseconds reach far beyond any clock
	if h.free {
		last |= freeBit
	}
	le.PutUint64(n[56:], last)
	for k, m := range h.meters[:h.nmeters] {
		id := n[noteHead+17*k:]
		copy(id, m.ID[:])
		if m.Skips.Has(Budget) {
			id[0] |= othersBit
		}
		skips := h.skips(m) &^ shaded
		if m.Shadow.Has(Tokens) {
			skips |= shaded
		}
		id[0] |= byte(skips) << scopeBits
	}
}

const (
	noGroup   = 1<<64 - 1
	scopeBits = 4
	// shaded is a note's bit for a meter whose tokens are in shadow.
	shaded = Budget
	// othersBit stands beside the scope: the money is not this meter's.
	othersBit = 1 << (scopeBits - 1)
	// freeBit stands beside the number of meters: Hold.free.
	freeBit = 0x80
)

// hold reads a note; its meters have no limits.
func (p *page) hold(i int) (group uint64, h Hold) {
	n, le := p.note(i), binary.LittleEndian
	group = le.Uint64(n)
	h.key, h.minute, h.tokens = le.Uint64(n[8:]), int64(le.Uint64(n[16:])), unit.Tokens(le.Uint64(n[24:]))
	h.want, h.shade = unit.Tokens(le.Uint64(n[32:])), unit.Tokens(le.Uint64(n[40:]))
	h.cost, h.at = unit.PicoUSD(le.Uint64(n[48:])), int64(le.Uint64(n[56:])>>8)
	h.nmeters, h.free = min(int(n[56]&^freeBit), MaxMeters), n[56]&freeBit != 0
	for k := range h.nmeters {
		id := MeterID(n[noteHead+17*k : noteHead+17*(k+1)])
		m := &Meter{Skips: Reasons(id[0]>>scopeBits) &^ shaded}
		if id[0]&othersBit != 0 {
			m.Skips |= Budget
		}
		if id[0]>>scopeBits&byte(shaded) != 0 {
			m.Shadow = Tokens
		}
		id[0] &= othersBit - 1
		m.ID, m.key = id, meterKey(&id)
		h.meters[k] = m
	}
	return group, h
}

func (p *page) clear(i int) { clear(p.note(i)[:8]) }

func (p *page) free(i int) bool { return binary.LittleEndian.Uint64(p.note(i)) == 0 }

// load takes a page from the store.
func (p *page) load(v []byte) bool {
	le := binary.LittleEndian
	if len(v) != pageBytes || le.Uint64(v) != pageMagic || le.Uint64(v[8:]) != le.Uint64(v[pageBytes-8:]) {
		return false
	}
	copy(p.buf[:], v)
	return true
}

// worker is the part of a ledger that outlives requests.
type worker struct {
	seat     int    // its number, noSeat before the first hold
	epoch    uint32 // counts the times that the seat was lost
	pages    []*page
	pageBuf  []byte
	lastBeat int64 // when the seat was last beaten
	lastTick int64
	lastLook int64 // leader: when the seats were last looked over
	lease    int64 // leader: until when
	Elected  int64 // how often this VM became leader
}

func seatKey(n int) string    { return "fs/w/" + strconv.Itoa(n) }
func pageKey(n, p int) string { return "fs/w/" + strconv.Itoa(n) + "/" + strconv.Itoa(p) }

// groupID shortens a group's key for the journal, which has fixed-size notes.
func groupID(key string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * 0x100000001b3
	}
	if h == 0 {
		h = 1
	}
	return h
}

// journal notes an open hold where it survives this VM. A hold that can't be
// noted is still right; only a crash of this VM would leave it on the books:
// its slots for good, the rest until its minute and its period end.
func (l *Ledger) journal(now int64, h *Hold, t *Terms) {
	if p := l.place(now, h); p != nil {
		p.put(int(h.slot), t.id, h)
		l.write(p)
	}
}

// note notes what an ending leaves to be done.
func (l *Ledger) note(now int64, e *ending) {
	h, group := &e.Hold, uint64(noGroup)
	if e.terms != nil {
		group = e.terms.id
	}
	var p *page
	switch {
	case h.page < 0:
		p = l.place(now, h)
	case h.epoch == l.epoch:
		p = l.pages[h.page]
	}
	if p != nil {
		p.put(int(h.slot), group, h)
		l.write(p)
	}
}

// place makes room for a hold in the journal, nil if it can't.
func (l *Ledger) place(now int64, h *Hold) *page {
	if l.seat == noSeat && !l.sit(now) {
		return nil
	}
	at := 0
	for at < len(l.pages) && l.pages[at].used == pageNotes {
		at++
	}
	if at == len(l.pages) {
		l.pages = append(l.pages, &page{key: pageKey(l.seat, at)})
		if !l.beat(now) { // which also says how many pages there are
			return nil
		}
	}
	p, i := l.pages[at], 0
	for !p.free(i) {
		i++
	}
	p.used++
	h.epoch, h.page, h.slot = l.epoch, int32(at), int32(i)
	return p
}

// strike takes a closed hold out of the journal.
func (l *Ledger) strike(h *Hold) {
	if h.page < 0 || h.epoch != l.epoch {
		return
	}
	p := l.pages[h.page]
	p.clear(int(h.slot))
	p.used--
	l.write(p)
}

func (l *Ledger) write(p *page) {
	le, stamp := binary.LittleEndian, l.stamp()
	le.PutUint64(p.buf[:], pageMagic)
	le.PutUint64(p.buf[8:], stamp)
	le.PutUint64(p.buf[pageBytes-8:], stamp)
	// A page that can't be written now is written whole with the next hold on it.
	_ = Put(l.store, p.key, p.buf[:])
}

// sit takes the first free seat.
func (l *Ledger) sit(now int64) bool {
	var old seat
	for n := range seats {
		mine := seat{instance: l.instance, beat: now, state: seated}
		l.pageBuf = mine.encode(l.pageBuf[:0])
		v, cas, st := l.store.Get(seatKey(n))
		switch {
		case st == NotFound:
			st = Create(l.store, seatKey(n), l.pageBuf)
		case st == OK && old.decode(v) && old.state == vacant:
			st = l.store.Set(seatKey(n), l.pageBuf, cas)
		default:
			continue
		}
		if st == OK {
			l.seat, l.lastBeat = n, now
			return true
		}
	}
	return false
}

// beat shows that this worker lives. It reports false when the seat was given
// away meanwhile: then what this worker held is off the books already, and its
// open holds are void.
func (l *Ledger) beat(now int64) bool {
	var s seat
	key := seatKey(l.seat)
	for range MaxTries {
		v, cas, st := l.store.Get(key)
		if st != OK || !s.decode(v) {
			return true // nothing readable says otherwise; the next beat tells
		}
		if s.instance != l.instance || s.state != seated {
			l.seat = noSeat
			l.epoch++
			l.pages = nil
			return false
		}
		s.beat, s.pages = now, uint32(len(l.pages))
		l.pageBuf = s.encode(l.pageBuf[:0])
		if l.store.Set(key, l.pageBuf, cas) != Mismatch {
			break
		}
	}
	l.lastBeat = now
	return true
}

// awake makes sure before an act that this worker was not taken for dead.
func (l *Ledger) awake(now int64) {
	if d := now - l.lastBeat; l.seat != noSeat && (d > staleMS/2 || d < 0) {
		l.beat(now)
	}
}

// Tick keeps this worker's seat, and reports whether this worker leads: exactly
// one worker of a process does, from at most leaseMS after another stopped. The
// leader takes dead workers' holds off the books of the groups. Tick wants to
// be called about five times a second.
func (l *Ledger) Tick(now int64, groups []*Terms) bool {
	l.WriteTallies(now)
	l.writeRefusals()
	gap := now - l.lastTick
	l.lastTick = now
	if d := now - l.lastBeat; l.seat != noSeat && (d >= beatMS || d < 0) {
		l.beat(now)
	}
	l.endAgain(now)
	if !l.lead(now) {
		return false
	}
	if gap < 0 || gap > blindMS {
		l.lastLook = now // let the others beat first
	}
	if now-l.lastLook >= beatMS {
		l.lastLook = now
		l.clear(now, groups)
	}
	return true
}

// A lease says who leads until when, and how often somebody became leader, sealed:
// instance 8 | until 8 | changes 8.
type lease struct {
	instance uint64
	until    int64 // ms since 1970
	changes  int64
}

const leaseSize = sealSize + 3*8

func (l *lease) decode(v []byte) bool {
	le := binary.LittleEndian
	if len(v) != leaseSize || !Sealed(v, leadMagic) {
		return false
	}
	*l = lease{le.Uint64(v[8:]), int64(le.Uint64(v[16:])), int64(le.Uint64(v[24:]))}
	return true
}

func (l *lease) encode(dst []byte) []byte {
	le := binary.LittleEndian
	dst = Unsealed(dst[:0])
	dst = le.AppendUint64(dst, l.instance)
	dst = le.AppendUint64(dst, uint64(l.until))
	dst = le.AppendUint64(dst, uint64(l.changes))
	Seal(dst, leadMagic)
	return dst
}

// lead holds, renews or takes the lease.
func (l *Ledger) lead(now int64) bool {
	v, cas, st := l.store.Get(leadKey)
	if st != OK && st != NotFound {
		return false
	}
	var a lease
	if st == OK && a.decode(v) {
		good := a.until > now && a.until <= now+2*leaseMS // a later one is a clock's that stepped back
		if a.instance == l.instance {
			if good && a.until-now > leaseMS/2 {
				return true
			}
		} else if good {
			l.lease = 0
			return false
		}
	}
	a.instance, a.until = l.instance, now+leaseMS
	if l.lease == 0 {
		a.changes++
	}
	l.pageBuf = a.encode(l.pageBuf)
	if st == NotFound {
		st = Create(l.store, leadKey, l.pageBuf)
	} else {
		st = l.store.Set(leadKey, l.pageBuf, cas)
	}
	if st != OK {
		l.lease = 0
		return false
	}
	if l.lease == 0 {
		l.Elected++
	}
	l.lease = a.until
	return true
}

// LeaderChanges is how often a worker of the process became leader.
func (l *Ledger) LeaderChanges() int64 {
	var a lease
	if v, _, st := l.store.Get(leadKey); st == OK {
		a.decode(v)
	}
	return a.changes
}

// clear takes the seats that stopped beating off the books.
func (l *Ledger) clear(now int64, groups []*Terms) {
	var s seat
	for n := range seats {
		key := seatKey(n)
		v, cas, st := l.store.Get(key)
		if st == NotFound {
			return // seats are taken in order
		}
		d := now
		if st != OK || !s.decode(v) || s.state == vacant {
			continue
		}
		if d -= s.beat; d <= staleMS && d >= -staleMS {
			continue
		}
		s.instance, s.beat, s.state = l.instance, now, clearing
		l.pageBuf = s.encode(l.pageBuf[:0])
		if l.store.Set(key, l.pageBuf, cas) != OK {
			continue // it beat after all, or another clears it
		}
		whole := true
		for p := range int(s.pages) {
			whole = l.clearPage(now, pageKey(n, p), groups) && whole
		}
		if !whole {
			continue // whoever leads when this beat is stale tries again
		}
		s.state = vacant
		l.pageBuf = s.encode(l.pageBuf[:0])
		_ = Put(l.store, key, l.pageBuf) // nobody else writes a seat being cleared
	}
}

// clearPage takes the holds of a page off the books, and reports whether none is
// left on them. It writes the page after each: a leader that dies in the middle
// leaves one of them at most to be taken off twice.
func (l *Ledger) clearPage(now int64, key string, groups []*Terms) (whole bool) {
	p := page{key: key}
	for try := 0; ; try++ {
		v, _, st := l.store.Get(key)
		if st == OK && p.load(v) {
			break
		}
		if st != OK || try == tornReads {
			return st != Failed // there is none, or it is another's
		}
	}
	whole = true
	for i := range pageNotes {
		if p.free(i) {
			continue
		}
		group, h := p.hold(i)
		failed := false
		l.reclaim(now, &h)
		for _, t := range groups {
			if t.id != group {
				continue
			}
			for l.begin(t); l.read(now); l.swap() {
				l.buf.close(&h, false, &Spent{Total: h.tokens, Cost: h.cost, Estimated: true}, t)
				l.buf.add(atReclaimed, 1)
			}
			failed = failed || l.err != nil
			if l.err == nil {
				group = noGroup
			}
		}
		if failed || h.nmeters > 0 {
			p.put(i, group, &h)
			whole = false
		} else {
			p.clear(i)
		}
		l.write(&p)
	}
	return whole
}

// reclaim takes a dead worker's hold off its meters, charges it there, and leaves in
// it those that can't be changed now. Minutes and periods stay as they are, by whatever
// rule: only the books of the hold's own time change.
func (l *Ledger) reclaim(now int64, h *Hold) {
	left := 0
	for _, m := range h.meters[:h.nmeters] {
		if !l.reclaimFrom(now, m, h) {
			h.meters[left] = m
			left++
		}
	}
	h.nmeters = left
}

func (l *Ledger) reclaimFrom(now int64, m *Meter, h *Hold) bool {
	a := &l.one
	for try := range MaxTries {
		v, cas, st := l.store.Get(m.key)
		switch {
		case st == NotFound:
			return true
		case st != OK:
			return false
		case a.decode(v, &m.ID):
		case try < tornReads:
			continue
		default:
			return true // it is another's
		}
		a.cas, a.fresh = cas, false
		a.drop(h, m)
		late := l.spending(m, a, h.at, int64(h.cost))
		a.charge(now, h, h.held(m), m)
		if st = l.put(m, a); st == OK && late {
			l.correct(m, h.at, int64(h.cost))
		}
		if st != Mismatch {
			return st == OK
		}
	}
	return false
}
