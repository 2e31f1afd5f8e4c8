package abi

import "encoding/binary"

// The most that a host accepts in packed pairs from a guest
// (proxy-wasm-cpp-host, include/proxy-wasm/limits.h).
const (
	MaxPairs      = 1024
	MaxPairsBytes = 1 << 20
)

// PackPairs returns pairs as the ABI has them in memory (proxy-wasm-cpp-host,
// src/pairs_util.cc): the number of pairs, the lengths of every name and
// value, then every name and value with a NUL behind it. Numbers are 32-bit
// little-endian. For one pair "a": "bc":
//
//	01 00 00 00   01 00 00 00  02 00 00 00   'a' 00  'b' 'c' 00
func PackPairs(pairs [][2]string) []byte {
	size := 4
	for _, p := range pairs {
		size += 8 + len(p[0]) + 1 + len(p[1]) + 1
	}
	b := make([]byte, 0, size)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(pairs)))
	for _, p := range pairs {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p[0])))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p[1])))
	}
	for _, p := range pairs {
		b = append(append(b, p[0]...), 0)
		b = append(append(b, p[1]...), 0)
	}
	return b
}

// UnpackPairs is the inverse of PackPairs. Bytes that are not packed pairs,
// more than [MaxPairs] of them or more than [MaxPairsBytes] bytes give no
// pairs: Envoy drops them all without an error.
func UnpackPairs(b []byte) [][2]string {
	if len(b) < 4 || len(b) > MaxPairsBytes {
		return nil
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n > MaxPairs || len(b) < 4+8*n {
		return nil
	}
	sizes, rest := b[4:4+8*n], b[4+8*n:]
	take := func(size uint32) (string, bool) {
		// The byte after a name or value must be a NUL.
		if uint64(size)+1 > uint64(len(rest)) || rest[size] != 0 {
			return "", false
		}
		s := string(rest[:size])
		rest = rest[size+1:]
		return s, true
	}
	pairs := make([][2]string, n)
	for i := range pairs {
		for j := range pairs[i] {
			s, ok := take(binary.LittleEndian.Uint32(sizes[8*i+4*j:]))
			if !ok {
				return nil
			}
			pairs[i][j] = s
		}
	}
	return pairs
}
