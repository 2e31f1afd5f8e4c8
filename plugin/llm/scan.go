package llm

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// The bytes of a text are looked at eight at a time, as a word. Taking n from
// each of them sets the high bit of those below n; bytes that had it before
// are no candidates. A borrow reaches only bytes behind one that is below n,
// so the first that is found is right.
const (
	each  = 0x0101010101010101 // times a byte: that byte in all eight places
	highs = each * 0x80

	quotes      = each * '"'
	backslashes = each * '\\'
	feeds       = each * '\n'
	returns     = each * '\r'
)

// either returns where b has, from i on, the first byte that is the one in all
// places of x or of y; len(b) if it has none.
func either(b []byte, i int, x, y uint64) int {
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i : i+8])
		found := (((w ^ x) - each) | ((w ^ y) - each)) &^ w & highs
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(b) && b[i] != byte(x&0xFF) && b[i] != byte(y&0xFF) {
		i++
	}
	return i
}

// special returns where b has, from i on, the first byte that does not stand
// for itself in a JSON string, or not alone: a quote, a backslash, a control
// character or one beyond ASCII. It is len(b) if there is none.
func special(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i : i+8])
		found := (((w ^ quotes) - each) | ((w ^ backslashes) - each) | (w - each*' ') | w) & highs
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= ' ' && b[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// stretch returns how many bytes b, which begins beyond ASCII, begins with that
// stand for themselves in a JSON string, in whole characters of UTF-8: 0 if
// there is one among them that is wrong. It looks no further than at a kilobyte.
func stretch(b []byte) int {
	const most = 1024
	i := 0
	for ; i+8 <= len(b) && i < most; i += 8 {
		w := binary.LittleEndian.Uint64(b[i : i+8])
		found := (((w ^ quotes) - each) | ((w ^ backslashes) - each) | (w - each*' ')) &^ w & highs
		if found != 0 {
			i += bits.TrailingZeros64(found) / 8
			break
		}
	}
	if i+8 > len(b) {
		for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= ' ' {
			i++
		}
	} else if i >= most { // a character may go on behind
		for b[i-1]&0xC0 == 0x80 && i > most-utf8.UTFMax {
			i--
		}
		if b[i-1] >= 0xC0 {
			i--
		}
	}
	if !utf8.Valid(b[:i]) {
		return 0
	}
	return i
}

// equal reports whether b is s, without the copy that a conversion costs in
// TinyGo.
func equal(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if b[i] != s[i] {
			return false
		}
	}
	return true
}
