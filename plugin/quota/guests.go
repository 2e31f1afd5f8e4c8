package quota

import (
	"encoding/binary"

	"fairshare/plugin/sha256"
)

// A guest is an end user whom nobody made: whoever calls names him. Each has a meter of
// his own as long as there are fewer than maxGuests; who comes later shares one of
// sharedGuests with others, by his name's hash. So the books of guests are bounded, at
// about 50 MB, and nobody gets fresh money by being forgotten.
const (
	maxGuests    = 50_000
	sharedGuests = 1 << 16
)

// guestsKey is where the number of guests with a meter of their own is, 8 bytes.
const guestsKey = "fs/g"

// NameGuest makes an empty meter that of a guest. Failed means that the store can't be
// read.
func (l *Ledger) NameGuest(m *Meter, id string) Status {
	m.Name(ForCustomer, id, "")
	m.guest = true
	switch _, _, st := l.store.Get(m.key); st {
	case OK:
		return OK
	case NotFound:
	default:
		return st
	}
	n, _, st := l.guests()
	if st == OK && n >= maxGuests {
		sum := sha256.Sum(id)
		m.Name(ForCustomer, "\x00\x00others"+string(sum[16:18]), "")
		m.guest = false
	}
	return st
}

func (l *Ledger) guests() (n uint64, cas uint32, st Status) {
	v, cas, st := l.store.Get(guestsKey)
	switch {
	case st == NotFound:
		return 0, 0, OK
	case st == OK && len(v) == 8:
		n = binary.LittleEndian.Uint64(v)
	}
	return n, cas, st
}

// countGuest counts a meter that was made. A count that is lost in a race lets one more
// have its own.
//
//go:noinline
func (l *Ledger) countGuest() {
	var b [8]byte
	for range MaxTries {
		n, cas, st := l.guests()
		if st != OK {
			return
		}
		binary.LittleEndian.PutUint64(b[:], n+1)
		if n == 0 && cas == 0 {
			st = Create(l.store, guestsKey, b[:])
		} else {
			st = l.store.Set(guestsKey, b[:], cas)
		}
		if st != Mismatch {
			return
		}
	}
}
