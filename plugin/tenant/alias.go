package tenant

import (
	"encoding/binary"

	"fairshare/plugin/quota"
)

// An aliasRecord says which key has an alias, if that key's record says so, too.
// In the store: magic 4 | checksum 4 | op 4 | taken 8 | hash 32 | the alias.
type aliasRecord struct {
	op    uint32   // the act that took it
	taken int64    // ms since 1970
	hash  [32]byte // of the key; zero when it is free
}

const (
	aliasMagic = 0x01415346 // "FSA" and layout 1
	aliasFixed = 4 + 4 + 4 + 8 + 32

	// graceMS is how long an alias is left to a key whose record does not name it:
	// an act that takes an alias and then writes the record is done in a moment,
	// unless its VM died between the two.
	graceMS = 10_000
)

func aliasKey(alias string) string { return "fs/a/" + short(alias) }

func (a *aliasRecord) held() bool { return a.hash != [32]byte{} }

func (a *aliasRecord) append(dst []byte, alias string) []byte {
	le := binary.LittleEndian
	start := len(dst)
	dst = quota.Unsealed(dst)
	dst = le.AppendUint32(dst, a.op)
	dst = le.AppendUint64(dst, uint64(a.taken))
	dst = append(dst, a.hash[:]...)
	dst = append(dst, alias...)
	quota.Seal(dst[start:], aliasMagic)
	return dst
}

func (a *aliasRecord) decode(v []byte, alias string) bool {
	le := binary.LittleEndian
	if len(v) != aliasFixed+len(alias) || string(v[aliasFixed:]) != alias || !quota.Sealed(v, aliasMagic) {
		return false
	}
	a.op, a.taken = le.Uint32(v[8:]), int64(le.Uint64(v[12:]))
	copy(a.hash[:], v[20:])
	return true
}

// readAlias answers Mismatch for a record that can't be read.
func (d *Directory) readAlias(at, alias string, a *aliasRecord) (cas uint32, st quota.Status) {
	for range rereads {
		v, cas, st := d.store.Get(at)
		if st != quota.OK {
			return 0, st
		}
		if a.decode(v, alias) {
			return cas, quota.OK
		}
	}
	return 0, quota.Mismatch
}

func (d *Directory) declaredAlias(alias string) *Subject {
	for _, s := range d.declared {
		if s.Kind == Key && s.Alias == alias {
			return s
		}
	}
	return nil
}

// takeAlias writes an alias for the key with that hash.
func (d *Directory) takeAlias(alias string, hash *[32]byte, op uint32) Outcome {
	if d.declaredAlias(alias) != nil {
		return AliasTaken
	}
	at := aliasKey(alias)
	mine := aliasRecord{op: op, taken: d.now, hash: *hash}
	for range quota.MaxTries {
		var a aliasRecord
		cas, st := d.readAlias(at, alias, &a)
		switch st {
		case quota.NotFound:
			d.buf = mine.append(d.buf[:0], alias)
			st = quota.Create(d.store, at, d.buf)
		case quota.OK:
			if a.held() {
				// Workers' clocks are read at different moments.
				if age := d.now - a.taken; age < graceMS && age > -graceMS {
					return AliasTaken
				}
				switch d.forestall(Key, string(a.hash[:]), linkAlias, place{op: a.op}) {
				case quota.OK:
				case quota.Mismatch:
					return AliasTaken
				default:
					return StoreFailed
				}
			}
			d.buf = mine.append(d.buf[:0], alias)
			st = d.store.Set(at, d.buf, cas)
		}
		switch st {
		case quota.OK:
			return done
		case quota.Failed:
			return StoreFailed
		}
	}
	return StoreFailed
}

// freeAlias gives back an alias that the key with that hash took in the act op.
// If it can't be given back it is free for others after graceMS all the same.
func (d *Directory) freeAlias(alias string, hash *[32]byte, op uint32) {
	at := aliasKey(alias)
	for range quota.MaxTries {
		var a aliasRecord
		cas, st := d.readAlias(at, alias, &a)
		if st != quota.OK || a.op != op || a.hash != *hash {
			return
		}
		free := aliasRecord{op: op}
		d.buf = free.append(d.buf[:0], alias)
		if d.store.Set(at, d.buf, cas) != quota.Mismatch {
			return
		}
	}
}
