package llm

// A base64Reader reads bytes from the base64 in a JSON string: with the
// alphabets of RFC 4648's sections 4 and 5, with "\/" for a slash, with line
// breaks, which are escapes in JSON as well.
type base64Reader struct {
	raw   []byte
	i     int // the next character
	read  int // bytes that were given
	bits  uint32
	have  uint // bits that are left of the last character
	plain bool // raw has no escapes, so that four characters are three bytes

	wave int64 // bytes a second of a WAVE file
	pdf  bool
}

// headBytes is how much is read of what has its size in front, and
// segmentBytes is how far it is looked for in a JPEG, whose size stands behind
// previews and colour profiles.
const (
	headBytes    = 32
	segmentBytes = 1 << 18
)

// digit64 is the value of a character of base64, or -1.
func digit64(c byte) int {
	switch {
	case c >= 'A' && c <= 'Z':
		return int(c - 'A')
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 26
	case c >= '0' && c <= '9':
		return int(c-'0') + 52
	case c == '+' || c == '-':
		return 62
	case c == '/' || c == '_':
		return 63
	}
	return -1
}

// next returns the next byte, or -1 where there is none.
func (r *base64Reader) next() int {
	for r.have < 8 {
		if r.i >= len(r.raw) {
			return -1
		}
		c, n := r.raw[r.i], 1
		if c == '\\' {
			var u uint16
			if u, n = unescape(r.raw[r.i:]); n == 0 || u > 0x7F {
				return -1
			}
			c = byte(u)
		}
		r.i += n
		if c == '\n' || c == '\r' || c == ' ' || c == '\t' {
			continue
		}
		d := digit64(c)
		if d < 0 {
			return -1
		}
		r.bits = r.bits<<6 | uint32(d)
		r.have += 6
	}
	r.have -= 8
	r.read++
	return int(r.bits >> r.have & 0xFF)
}

// skip passes over n bytes, and reports whether there may be more.
func (r *base64Reader) skip(n int) bool {
	for n > 0 && (!r.plain || r.have != 0 || n < 3) {
		if r.next() < 0 {
			return false
		}
		n--
	}
	if n == 0 {
		return true
	}
	r.i += n / 3 * 4
	r.read += n / 3 * 3
	if r.i > len(r.raw) {
		return false
	}
	return r.skip2(n % 3)
}

// skip2 passes over the rest of skip, two bytes at most.
func (r *base64Reader) skip2(n int) bool {
	for ; n > 0; n-- {
		if r.next() < 0 {
			return false
		}
	}
	return true
}

// size reads the width and height of a picture, or what else the first bytes
// tell.
func (r *base64Reader) size() (w, h int64, is bool) {
	var b [headBytes]byte
	n := 0
	for n < len(b) {
		c := r.next()
		if c < 0 {
			break
		}
		b[n] = byte(c)
		n++
	}
	le := func(i, bytes int) int64 {
		var v int64
		for k := range bytes {
			v |= int64(b[i+k]) << (8 * k)
		}
		return v
	}
	be := func(i int) int64 {
		return int64(b[i])<<24 | int64(b[i+1])<<16 | int64(b[i+2])<<8 | int64(b[i+3])
	}
	switch {
	case equal(b[:4], "\x89PNG"):
		return be(16), be(20), true
	case equal(b[:4], "GIF8"):
		return le(6, 2), le(8, 2), true
	case b[0] == 0xFF && b[1] == 0xD8 && b[2] == 0xFF:
		w, h = r.jpeg()
		return w, h, true
	case equal(b[:4], "RIFF") && equal(b[8:12], "WEBP"):
		switch {
		case equal(b[12:16], "VP8 "):
			return le(26, 2) & 0x3FFF, le(28, 2) & 0x3FFF, true
		case equal(b[12:16], "VP8L"):
			v := le(21, 4)
			return v&0x3FFF + 1, v>>14&0x3FFF + 1, true
		case equal(b[12:16], "VP8X"):
			return le(24, 3) + 1, le(27, 3) + 1, true
		}
		return 0, 0, true
	case equal(b[:4], "RIFF") && equal(b[8:16], "WAVEfmt "):
		r.wave = max(le(28, 4), 1)
	case equal(b[:4], "%PDF"):
		r.pdf = true
	}
	return 0, 0, false
}

// jpeg walks over a JPEG's segments to the one that tells its size (ITU-T T.81,
// B.2.2). It begins anew, behind the mark of the file.
func (r *base64Reader) jpeg() (w, h int64) {
	*r = base64Reader{raw: r.raw, plain: r.plain}
	r.skip2(2)
	for r.read < segmentBytes {
		if r.next() != 0xFF {
			return 0, 0
		}
		mark := r.next()
		for mark == 0xFF { // filling
			mark = r.next()
		}
		hi, lo := r.next(), r.next()
		length := hi<<8 | lo
		if mark < 0 || lo < 0 || length < 2 {
			return 0, 0
		}
		if mark >= 0xC0 && mark <= 0xCF && mark != 0xC4 && mark != 0xC8 && mark != 0xCC {
			r.next() // bits a sample
			h = int64(r.next())<<8 | int64(r.next())
			w = int64(r.next())<<8 | int64(r.next())
			return max(w, 0), max(h, 0)
		}
		if !r.skip(length - 2) {
			return 0, 0
		}
	}
	return 0, 0
}
