// Package tenant knows who a request is for: virtual keys, what they may use,
// and where they are kept.
//
// A key's secret is never kept. A record lies under the sha256 of the whole
// key, "sk-" included, as in LiteLLM, so a store that leaks opens nothing.
package tenant

import (
	"encoding/binary"

	"fairshare/plugin/quota"
)

// A Key is a virtual key's record. Strings belong to the Key; a Key that came
// from a Directory is shared and not to be changed.
type Key struct {
	Hash     [32]byte
	ID       uint64 // of the key's line in every book, see quota.KeyID
	Name     string // "sk-..." and the last four characters, for people
	Alias    string
	UserID   string
	TeamID   string
	Priority string   // metadata.priority
	Models   []string // names, access groups, wildcards; none grants all
	Metadata string   // JSON object as given, or empty
	Created  int64    // ms since 1970
	Expires  int64    // ms since 1970; 0 is never
	Blocked  bool
}

// Expired reports whether the key's time is over at now (ms since 1970).
func (k *Key) Expired(now int64) bool { return k.Expires != 0 && now >= k.Expires }

// MaxRecord bounds a key's record; larger ones are refused when made.
const MaxRecord = 16 << 10

const keyMagic = 0x014b5346 // "FSK" and layout 1

// Encode appends the record to dst: magic 4 | checksum 4 | hash 32 | created 8 |
// expires 8 | blocked 1 | six strings, each 2-byte length and bytes | number of
// models 2 | models.
func (k *Key) Encode(dst []byte) []byte {
	le := binary.LittleEndian
	start := len(dst)
	dst = le.AppendUint32(dst, keyMagic)
	dst = le.AppendUint32(dst, 0)
	dst = append(dst, k.Hash[:]...)
	dst = le.AppendUint64(dst, uint64(k.Created))
	dst = le.AppendUint64(dst, uint64(k.Expires))
	blocked := byte(0)
	if k.Blocked {
		blocked = 1
	}
	dst = append(dst, blocked)
	for _, s := range [...]string{k.Name, k.Alias, k.UserID, k.TeamID, k.Priority, k.Metadata} {
		dst = appendText(dst, s)
	}
	dst = le.AppendUint16(dst, uint16(len(k.Models)))
	for _, m := range k.Models {
		dst = appendText(dst, m)
	}
	le.PutUint32(dst[start+4:], quota.Checksum(dst[start+8:]))
	return dst
}

func appendText(dst []byte, s string) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(s)))
	return append(dst, s...)
}

// decode reads a record made by Encode for hash, copying all of it. It reports
// false for a torn or foreign record and for another key's.
func (k *Key) decode(v []byte, hash *[32]byte) bool {
	le := binary.LittleEndian
	const fixed = 8 + 32 + 8 + 8 + 1
	if len(v) < fixed || le.Uint32(v) != keyMagic || le.Uint32(v[4:]) != quota.Checksum(v[8:]) || [32]byte(v[8:40]) != *hash {
		return false
	}
	k.Hash = *hash
	k.Created, k.Expires = int64(le.Uint64(v[40:])), int64(le.Uint64(v[48:]))
	k.Blocked = v[56] != 0
	v = v[fixed:]
	ok := true
	number := func() int {
		if len(v) < 2 {
			ok = false
			return 0
		}
		n := int(le.Uint16(v))
		v = v[2:]
		return n
	}
	text := func() string {
		n := number()
		if n > len(v) {
			ok = false
			return ""
		}
		s := string(v[:n])
		v = v[n:]
		return s
	}
	for _, s := range [...]*string{&k.Name, &k.Alias, &k.UserID, &k.TeamID, &k.Priority, &k.Metadata} {
		*s = text()
	}
	k.Models = nil
	for range number() {
		if !ok {
			break
		}
		k.Models = append(k.Models, text())
	}
	return ok && len(v) == 0
}
