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

// Add keeps a new key. It answers Mismatch when a key with that hash exists.
func (d *Directory) Add(k *Key) quota.Status {
	if d.declared[k.Hash] != nil {
		return quota.Mismatch
	}
	return quota.Create(d.store, keyPrefix+string(k.Hash[:]), k.Encode(nil))
}

const aliasPrefix = "fs/a/"

// TakeAlias reserves an alias for the key with that hash. It answers Mismatch
// when another key has it.
func (d *Directory) TakeAlias(alias string, hash *[32]byte) quota.Status {
	for _, k := range d.declared {
		if k.Alias == alias {
			return quota.Mismatch
		}
	}
	return quota.Create(d.store, aliasPrefix+alias, hash[:])
}
