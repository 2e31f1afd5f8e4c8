// Package tenant knows who a request is for: keys, users, teams and their
// members, customers and budgets, what they may use, and where they are kept.
//
// A key's secret is never kept. A record lies under the sha256 of the whole
// key, "sk-" included, as in LiteLLM, so a store that leaks opens nothing.
//
// In the store, a subject's record alone says what is true: whether there is the
// subject, which alias it has, who its owners are. Aliases and indexes are only
// ways to it, made before the record says so and taken back after it no longer
// does, and count for nothing unless the record names them. So every change
// happens in one swap of one value, whatever dies in the middle.
package tenant

import (
	"encoding/binary"

	"fairshare/plugin/quota"
	"fairshare/plugin/sha256"
)

// A Directory finds subjects: first those that the configuration declares, then
// those made by the management API, which lie in the store and so are known to
// all workers at once. It belongs to one VM.
type Directory struct {
	store    quota.Store
	declared []*Subject // the last counts of those with one id
	keys     map[[32]byte]*Subject
	others   [NumKinds]map[string]*Subject // but for keys
	seen     []sight

	now     int64  // ms since 1970, of the last Refresh
	version uint64 // of all records, as of the last Refresh
	fresh   bool   // whether nothing changed since that is known here

	buf []byte // for what is about to be set
}

// NewDirectory returns a directory of the declared subjects and those in the
// store. The declared ones belong to it.
func NewDirectory(s quota.Store, declared []*Subject) *Directory {
	d := &Directory{store: s, declared: declared, keys: make(map[[32]byte]*Subject)}
	for _, s := range declared {
		s.Declared = true
		if s.Kind == Key {
			if hash, ok := ParseToken(s.ID); ok {
				s.Hash = hash
			}
			s.ID, s.Line = Token(&s.Hash), quota.KeyID(&s.Hash)
			d.keys[s.Hash] = s
			continue
		}
		if s.Kind < NumKinds {
			if d.others[s.Kind] == nil {
				d.others[s.Kind] = make(map[string]*Subject)
			}
			d.others[s.Kind][s.ID] = s
		}
	}
	return d
}

// versionKey is a number that every change of a record adds to, before and
// after it, 8 bytes: what was seen before it changed may be old.
const versionKey = "fs/v"

// Refresh asks once per exchange whether any record changed since the last
// time. Until the next Refresh and for at most a second, what was found then is
// found again without the store.
func (d *Directory) Refresh(now int64) {
	d.now, d.fresh = now, false
	switch v, _, st := d.store.Get(versionKey); {
	case st == quota.OK && len(v) == 8:
		d.version, d.fresh = binary.LittleEndian.Uint64(v), true
	case st == quota.NotFound:
		d.version, d.fresh = 0, true
	}
}

// Version is another after any record changed, as of the last Refresh.
func (d *Directory) Version() uint64 { return d.version }

// bump adds one to the version and returns it: a number that no other act has.
func (d *Directory) bump() (op uint32, ok bool) {
	d.fresh = false
	for range quota.MaxTries {
		var next [8]byte
		v, cas, st := d.store.Get(versionKey)
		switch {
		case st == quota.OK && len(v) == 8:
			op = uint32(binary.LittleEndian.Uint64(v) + 1)
			binary.LittleEndian.PutUint64(next[:], binary.LittleEndian.Uint64(v)+1)
			st = d.store.Set(versionKey, next[:], cas)
		case st == quota.NotFound:
			op, next[0] = 1, 1
			st = quota.Create(d.store, versionKey, next[:])
		default:
			return 0, false
		}
		if st != quota.Mismatch {
			return op, st == quota.OK
		}
	}
	return 0, false
}

// rereads bounds how often a record is read that is torn. Kong's store copies a
// value after it has given up its lock; a record that stays unreadable is another's.
const rereads = 4

// Find returns the subject of that kind and id, or nil and NotFound; Failed when
// the store can't be read.
func (d *Directory) Find(kind Kind, id string) (*Subject, quota.Status) {
	if kind == Key {
		hash, ok := ParseToken(id)
		if !ok {
			return nil, quota.NotFound
		}
		return d.FindKey(&hash)
	}
	if kind >= NumKinds {
		return nil, quota.NotFound
	}
	if s := d.others[kind][id]; s != nil {
		return s, quota.OK
	}
	if len(id) > MaxID {
		return nil, quota.NotFound
	}
	var at string
	tail := id
	if len(id) > plainID {
		at = recordKey(kind, id)
		tail = at[len(recordPrefix(kind)):]
	}
	set := d.set(uint32(kind), tail)
	e := find(set, recordPrefix(kind), tail)
	if e == nil {
		if at == "" {
			at = recordKey(kind, id)
		}
		e = enter(set, at)
	}
	return d.look(e, kind, id)
}

// FindKey is Find for a key, by its hash.
func (d *Directory) FindKey(hash *[32]byte) (*Subject, quota.Status) {
	if s := d.keys[*hash]; s != nil {
		return s, quota.OK
	}
	set := d.setOf(binary.LittleEndian.Uint32(hash[8:]))
	e := findKey(set, hash)
	if e == nil {
		var at [len(keyPrefix) + len(hash)]byte
		copy(at[copy(at[:], keyPrefix):], hash[:])
		e = enter(set, string(at[:]))
	}
	return d.look(e, Key, e.at[len(recordPrefix(Key)):])
}

// FindAlias returns the key that has the alias.
func (d *Directory) FindAlias(alias string) (*Subject, quota.Status) {
	if alias == "" || len(alias) > MaxID {
		return nil, quota.NotFound
	}
	if s := d.declaredAlias(alias); s != nil {
		return s, quota.OK
	}
	var a aliasRecord
	switch _, st := d.readAlias(aliasKey(alias), alias, &a); {
	case st == quota.Failed:
		return nil, quota.Failed
	case st != quota.OK || !a.held():
		return nil, quota.NotFound
	}
	s, st := d.FindKey(&a.hash)
	if st == quota.OK && s.Alias != alias {
		return nil, quota.NotFound
	}
	return s, st
}

// load reads a record of the store, past what is remembered. NotFound is also
// that it was removed; then r is its tombstone. Mismatch is a record that can't
// be read. cas is the record's swap number, absent if there never was one.
func (d *Directory) load(at string, kind Kind, id string, r *row) (cas uint32, st quota.Status) {
	for range rereads {
		*r = row{}
		v, cas, st := d.store.Get(at)
		if st != quota.OK {
			return absent, st
		}
		if r.decode(v, kind, id) {
			if r.removed {
				return cas, quota.NotFound
			}
			return cas, quota.OK
		}
	}
	*r = row{}
	return 0, quota.Mismatch
}

// plainID is the longest id that is part of a key of the store as it is.
const plainID = 128

const keyPrefix = "fs/k/"

// recordPrefix begins the keys of a kind's records in the store.
func recordPrefix(kind Kind) string {
	switch kind {
	case Key:
		return keyPrefix
	case User:
		return "fs/u/"
	case Team:
		return "fs/g/"
	case Member:
		return "fs/mb/"
	case Customer:
		return "fs/c/"
	}
	return "fs/b/"
}

// recordKey is where the record of a subject lies; a key's id is its hash.
func recordKey(kind Kind, id string) string { return recordPrefix(kind) + short(id) }

// short is the id or, if that is long, "#" and its sha256. The record tells an
// id from another that is written like this.
func short(id string) string {
	if len(id) <= plainID {
		return id
	}
	hash := sha256.Sum(id)
	return "#" + string(hash[:])
}
