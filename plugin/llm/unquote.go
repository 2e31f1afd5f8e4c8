package llm

import (
	"unicode/utf16"
	"unicode/utf8"
)

// unescape reads the escape that b begins with: the UTF-16 unit it stands for
// and its length in bytes, which is 0 if b does not begin with a whole escape.
func unescape(b []byte) (u uint16, n int) {
	if len(b) < 2 || b[0] != '\\' {
		return 0, 0
	}
	if b[1] != 'u' {
		c := plainEscape(b[1])
		if c == 0 {
			return 0, 0
		}
		return uint16(c), 2
	}
	if len(b) < 6 {
		return 0, 0
	}
	for _, c := range b[2:6] {
		d, ok := hexDigit(c)
		if !ok {
			return 0, 0
		}
		u = u<<4 | d
	}
	return u, 6
}

// plainEscape returns what \c stands for, or 0 if that is no escape.
func plainEscape(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}

func hexDigit(c byte) (uint16, bool) {
	switch {
	case c >= '0' && c <= '9':
		return uint16(c - '0'), true
	case c >= 'a' && c <= 'f':
		return uint16(c-'a') + 10, true
	case c >= 'A' && c <= 'F':
		return uint16(c-'A') + 10, true
	}
	return 0, false
}

// runeSize is the size of a UTF-16 unit as UTF-8. Half a surrogate pair is
// half of the pair's four bytes.
func runeSize(u uint16) int64 {
	switch {
	case u < 0x80:
		return 1
	case u < 0x800 || u >= 0xD800 && u < 0xE000:
		return 2
	}
	return 3
}

// unquote returns what the JSON string with raw between its quotes says, and
// whether that is Unicode text: half a surrogate pair is not. raw must have
// passed as a string of valid UTF-8 before.
func unquote(raw []byte) (string, bool) {
	if !escaped(raw) {
		return string(raw), true
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			i++
			continue
		}
		u, n := unescape(raw[i:])
		if n == 0 {
			return "", false
		}
		i += n
		r := rune(u)
		if utf16.IsSurrogate(r) {
			low, n := unescape(raw[i:])
			r = utf16.DecodeRune(r, rune(low))
			if r == utf8.RuneError {
				return "", false
			}
			i += n
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out), true
}

func escaped(raw []byte) bool {
	for _, c := range raw {
		if c == '\\' {
			return true
		}
	}
	return false
}

// small reports whether fold would leave a name as it is, but for its length.
func small(raw []byte) bool {
	for _, c := range raw {
		if c >= utf8.RuneSelf || c == '\\' || c >= 'A' && c <= 'Z' {
			return false
		}
	}
	return true
}

// foldRoom is the length of the longest name that matters in any spelling.
const foldRoom = 48

// fold writes to dst the ASCII form in small letters of a member's name, its
// escapes undone, and returns its length. exact reports whether the name was
// in that form already. It folds as Go's encoding/json does when it matches
// members to fields: A to Z, and the two letters beyond ASCII whose small
// letters are ASCII (U+017F and U+212A). A NUL ends it, as it ends a string of
// C. A name with any other letter, or too long for dst, gives 0: it can't be
// one of ours.
func fold(dst *[foldRoom]byte, raw []byte) (n int, exact bool) {
	exact = true
	for i := 0; i < len(raw); {
		r, size := rune(raw[i]), 1
		switch {
		case r == '\\':
			u, k := unescape(raw[i:])
			r, size = rune(u), max(k, 1)
		case r >= utf8.RuneSelf:
			r, size = utf8.DecodeRune(raw[i:])
		}
		i += size
		if r == 0 {
			return n, false
		}
		small := r
		switch {
		case r >= 'A' && r <= 'Z':
			small = r + 'a' - 'A'
		case r == '\u017F':
			small = 's'
		case r == '\u212A':
			small = 'k'
		}
		if small >= utf8.RuneSelf || n == len(dst) {
			return 0, false
		}
		exact = exact && small == r
		dst[n] = byte(small)
		n++
	}
	return n, exact
}
