package tenant

import "fairshare/plugin/quota"

// A sight is what the store held under a key when it was last looked at.
type sight struct {
	at      string   // the key, empty for a free sight
	subject *Subject // nil if there was none
	cas     uint32   // of its record, if there was one
	version uint64   // of all records, when looked at
	checked int64    // ms since 1970
}

const (
	// ways is how many keys that fall on one set it remembers.
	ways = 2
	// sets times ways subjects are remembered, a power of two: the table of them
	// takes 8 KB in wasm, whatever number of keys passes through. A larger one made misses
	// dearer than it spared: the collector searches all that is remembered.
	sets = 128
	// never is older than any clock.
	never = -1 << 63
	// recheckMS is how long a sight is believed while the version stands still: a
	// worker may have died between a change and telling of it.
	recheckMS = 1000
)

func (d *Directory) setOf(hash uint32) []sight {
	if d.seen == nil {
		d.seen = make([]sight, sets*ways)
	}
	n := hash % sets * ways
	return d.seen[n : n+ways]
}

// set is FNV-1a of what a sight is found by.
func (d *Directory) set(kind uint32, tail string) []sight {
	h := (2166136261 ^ kind) * 16777619
	for i := range len(tail) {
		h = (h ^ uint32(tail[i])) * 16777619
	}
	return d.setOf(h ^ h>>16)
}

// find returns the set's sight of prefix+tail, nil if there is none.
func find(set []sight, prefix, tail string) *sight {
	for i := range set {
		e := &set[i]
		if len(e.at) == len(prefix)+len(tail) && e.at[len(prefix):] == tail && e.at[:len(prefix)] == prefix {
			return e
		}
	}
	return nil
}

// findKey is find without making a string of the hash.
func findKey(set []sight, hash *[32]byte) *sight {
	prefix := recordPrefix(Key)
next:
	for i := range set {
		e := &set[i]
		if len(e.at) != len(prefix)+len(hash) || e.at[:len(prefix)] != prefix {
			continue
		}
		tail := e.at[len(prefix):]
		for j := range hash { // a loop over values would copy them
			if tail[j] != hash[j] {
				continue next
			}
		}
		return e
	}
	return nil
}

// enter makes room in a set for a sight that was not there.
func enter(set []sight, at string) *sight {
	copy(set[1:], set)
	set[0] = sight{at: at, checked: never}
	return &set[0]
}

// look returns the subject of a sight, from the store if it may have changed.
func (d *Directory) look(e *sight, kind Kind, id string) (*Subject, quota.Status) {
	if age := uint64(d.now) - uint64(e.checked); !d.fresh || e.version != d.version || age >= recheckMS {
		e.checked = never
		if st := d.see(e, kind, id); st != quota.OK {
			return nil, st
		}
		if d.fresh {
			e.version, e.checked = d.version, d.now
		}
	}
	if e.subject == nil {
		return nil, quota.NotFound
	}
	return e.subject, quota.OK
}

// see brings a sight up to date. A record that did not change is not decoded
// again. What can't be read is no subject.
func (d *Directory) see(e *sight, kind Kind, id string) quota.Status {
	for range rereads {
		v, cas, st := d.store.Get(e.at)
		if st == quota.NotFound {
			break
		}
		if st != quota.OK {
			e.subject = nil
			return st
		}
		if e.subject != nil && e.cas == cas {
			return quota.OK
		}
		e.subject = nil
		r := new(row)
		if r.decode(v, kind, id) {
			if !r.removed {
				e.subject, e.cas = &r.Subject, cas
			}
			return quota.OK
		}
	}
	e.subject = nil
	return quota.OK
}
