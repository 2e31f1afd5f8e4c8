package filter

import (
	"encoding/binary"
	"slices"
	"unsafe"
)

// Headers are read whole, in one call, and changed one by one: writing them
// whole costs Envoy as much as five single changes.

// pairs are the headers that were read last, reused for every callback.
var pairs [][2]string

// readHeaders gets a header map from the host, whole: one call. It lies in the
// host's memory and is valid until the callback ends.
func readHeaders(kind uint32) ([][2]string, bool) {
	if proxyGetPairs(kind, unsafe.Pointer(&out.data), unsafe.Pointer(&out.size)) != okay || out.size < 4 {
		return nil, false
	}
	var ok bool
	pairs, ok = parsePairs(pairs[:0], given())
	return pairs, ok
}

// The ABI's form of a header map: count 4 | count × (name size 4 | value size 4) |
// count × (name NUL value NUL), little endian.

// parsePairs appends to dst the pairs of raw, which they point into. raw has at
// least four bytes. Names are put into lower case where they stand: the nginx hosts
// give them as they were sent.
func parsePairs(dst [][2]string, raw []byte) ([][2]string, bool) {
	le := binary.LittleEndian
	n := int(le.Uint32(raw))
	at := 4 + 8*n
	if n < 0 || n > len(raw)/8 || at > len(raw) {
		return dst, false
	}
	dst = slices.Grow(dst, n)[:len(dst)+n]
	put := dst[len(dst)-n:]
	for i := range put {
		name, value := int(le.Uint32(raw[4+8*i:])), int(le.Uint32(raw[8+8*i:]))
		if name < 0 || value < 0 || name > len(raw) || value > len(raw) || at+name+value+2 > len(raw) {
			return dst[:len(dst)-n+i], false
		}
		lower(raw[at : at+name])
		put[i] = [2]string{text(raw[at : at+name]), text(raw[at+name+1 : at+name+1+value])}
		at += name + value + 2
	}
	return dst, true
}

// lower puts ASCII letters into lower case.
func lower(name []byte) {
	for i, c := range name {
		if c-'A' < 26 {
			name[i] = c + 'a' - 'A'
		}
	}
}

// appendPairs appends pairs in that form.
func appendPairs(dst []byte, pairs [][2]string) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, uint32(len(pairs)))
	for i := range pairs {
		dst = le.AppendUint32(dst, uint32(len(pairs[i][0])))
		dst = le.AppendUint32(dst, uint32(len(pairs[i][1])))
	}
	for i := range pairs {
		dst = append(append(dst, pairs[i][0]...), 0)
		dst = append(append(dst, pairs[i][1]...), 0)
	}
	return dst
}
