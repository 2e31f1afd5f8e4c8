package tenant

import (
	"crypto/sha256"

	"fairshare/plugin/quota"
)

// A Directory finds keys: first those that the configuration declares, then
// those made by the management API, which lie in the store and so are known to
// all workers at once. It belongs to one VM.
type Directory struct {
	store    quota.Store
	declared map[[32]byte]*Key
	seen     map[[32]byte]seenKey
}

// seenKey saves decoding a record again that has not changed since.
type seenKey struct {
	key *Key
	cas uint32
}

// maxSeen bounds the decoded records that a VM keeps; past it all are dropped
// and decoded anew as they come.
const maxSeen = 4096

// NewDirectory returns a directory of the declared keys and those in the store.
func NewDirectory(s quota.Store, declared []*Key) *Directory {
	d := &Directory{store: s, declared: make(map[[32]byte]*Key, len(declared)), seen: make(map[[32]byte]seenKey)}
	for _, k := range declared {
		d.declared[k.Hash] = k
	}
	return d
}

// Hash is what a key is known by: the sha256 of its whole text.
func Hash(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

// Token is how clients and answers write a hash: as 64 hexadecimal digits. It
// is written here because encoding/hex reaches package fmt.
func Token(hash *[32]byte) string {
	const digits = "0123456789abcdef"
	var token [64]byte
	for i, c := range hash {
		token[2*i], token[2*i+1] = digits[c>>4], digits[c&15]
	}
	return string(token[:])
}

const keyPrefix = "fs/k/"

// Find returns the key with that hash, or nil and NotFound; Failed when the
// store can't be read.
func (d *Directory) Find(hash *[32]byte) (*Key, quota.Status) {
	if k := d.declared[*hash]; k != nil {
		return k, quota.OK
	}
	v, cas, st := d.store.Get(keyPrefix + string(hash[:]))
	if st != quota.OK {
		return nil, st
	}
	if s, ok := d.seen[*hash]; ok && s.cas == cas {
		return s.key, quota.OK
	}
	k := new(Key)
	if !k.decode(v, hash) {
		return nil, quota.NotFound
	}
	k.ID = quota.KeyID(hash)
	if len(d.seen) >= maxSeen {
		clear(d.seen)
	}
	d.seen[*hash] = seenKey{k, cas}
	return k, quota.OK
}

// An Outcome is what became of a new key.
type Outcome uint8

const (
	Added       Outcome = iota
	KeyExists           // a key with that hash is declared or in the store
	AliasTaken          // another key has the alias, or is about to
	StoreFailed         // the store can't be read or written
)

// Add keeps a new key and its alias, both or neither.
//
// The alias comes first, because a store has no delete: a key opens doors from
// the moment it is written, and one that then lost its alias to another worker
// could not be taken back. An alias alone opens nothing and can be given back.
// Of workers that race for one alias or one key, the swap numbers let exactly
// one write it. What remains is a store that fails for the key and then for
// giving back the alias, or a VM that dies between the two: the alias is then
// lost until the proxy starts anew, and no key has it.
func (d *Directory) Add(k *Key) Outcome {
	if d.declared[k.Hash] != nil {
		return KeyExists
	}
	at := keyPrefix + string(k.Hash[:])
	switch _, _, st := d.store.Get(at); st {
	case quota.NotFound:
	case quota.OK:
		return KeyExists
	default:
		return StoreFailed
	}
	if k.Alias != "" {
		switch d.take(k.Alias, &k.Hash) {
		case quota.OK:
		case quota.Mismatch:
			return AliasTaken
		default:
			return StoreFailed
		}
	}
	st := quota.Create(d.store, at, k.Encode(nil))
	if st == quota.OK {
		return Added
	}
	if k.Alias != "" {
		d.giveBack(k.Alias, &k.Hash)
	}
	if st == quota.Mismatch {
		return KeyExists
	}
	return StoreFailed
}

// An alias's value is the hash of the key that has it, or free. Free is not
// empty, because to some hosts an empty value is none.
const (
	aliasPrefix = "fs/a/"
	free        = "-"
)

// take writes an alias for the key with that hash. It answers Mismatch when
// another key has it.
func (d *Directory) take(alias string, hash *[32]byte) quota.Status {
	for _, k := range d.declared {
		if k.Alias == alias {
			return quota.Mismatch
		}
	}
	st := quota.Create(d.store, aliasPrefix+alias, hash[:])
	if st != quota.Mismatch {
		return st
	}
	v, cas, st := d.store.Get(aliasPrefix + alias)
	if st != quota.OK {
		return st
	}
	if string(v) != free {
		return quota.Mismatch
	}
	return d.store.Set(aliasPrefix+alias, hash[:], cas)
}

// giveBack frees an alias that take wrote for the key with that hash.
func (d *Directory) giveBack(alias string, hash *[32]byte) {
	v, cas, st := d.store.Get(aliasPrefix + alias)
	if st == quota.OK && string(v) == string(hash[:]) {
		// If this fails, too, the alias stays taken; see Add.
		_ = d.store.Set(aliasPrefix+alias, []byte(free), cas)
	}
}
