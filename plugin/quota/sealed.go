package quota

import "encoding/binary"

// A sealed value of the store begins with a magic number, which says what it is and in
// which layout, and a checksum of what follows: magic 4 | checksum 4 | …. Kong's store
// may hand out a value in the middle of a write.

// sealSize is what a seal takes, in bytes.
const sealSize = 8

// Unsealed appends room for a seal to dst.
func Unsealed(dst []byte) []byte { return append(dst, make([]byte, sealSize)...) }

// Seal puts the seal on v, which begins with room for it.
func Seal(v []byte, magic uint32) {
	binary.LittleEndian.PutUint32(v, magic)
	binary.LittleEndian.PutUint32(v[4:], Checksum(v[sealSize:]))
}

// Sealed reports whether v has this magic number and is whole.
func Sealed(v []byte, magic uint32) bool {
	le := binary.LittleEndian
	return len(v) >= sealSize && le.Uint32(v) == magic && le.Uint32(v[4:]) == Checksum(v[sealSize:])
}

// Checksum is FNV-1a, 32 bits (https://www.rfc-editor.org/rfc/rfc9923): it finds
// torn records, not enemies.
func Checksum(v []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range v {
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}
