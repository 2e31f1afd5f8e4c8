package filter

import (
	"encoding/binary"
	"unsafe"
)

// Headers are read whole, in one call, and changed one by one: writing them
// whole costs Envoy as much as five single changes.

const (
	requestHeaders  = 0 // proxy-wasm ABI 0.2.0, header map types
	responseHeaders = 2
)

// pairs are the headers that were read last, reused for every callback.
var pairs [][2]string

// readHeaders gets a header map from the host. It lies in the host's memory and
// is valid until the callback ends.
func readHeaders(kind uint32) ([][2]string, bool) {
	var data unsafe.Pointer
	var size uint32
	if getPairs(kind, unsafe.Pointer(&data), unsafe.Pointer(&size)) != 0 || size < 4 {
		return nil, false
	}
	var ok bool
	pairs, ok = parsePairs(pairs[:0], unsafe.Slice((*byte)(data), size))
	return pairs, ok
}

// parsePairs appends to dst the pairs of the ABI's form: count 4 | count × (name size 4 |
// value size 4) | count × (name NUL value NUL), little endian. They point into raw.
func parsePairs(dst [][2]string, raw []byte) ([][2]string, bool) {
	le := binary.LittleEndian
	n := int(le.Uint32(raw))
	at := 4 + 8*n
	if n < 0 || n > len(raw)/8 || at > len(raw) {
		return dst, false
	}
	for i := range n {
		name, value := int(le.Uint32(raw[4+8*i:])), int(le.Uint32(raw[8+8*i:]))
		if name < 0 || value < 0 || name > len(raw) || value > len(raw) || at+name+value+2 > len(raw) {
			return dst, false
		}
		dst = append(dst, [2]string{text(raw[at : at+name]), text(raw[at+name+1 : at+name+1+value])})
		at += name + value + 2
	}
	return dst, true
}

// text is b as a string, not copied.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
