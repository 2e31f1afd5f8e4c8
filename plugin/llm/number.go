package llm

import "math"

// A number reads the bytes of one JSON number as they come and gives it as an
// int64, without a float between and in constant space: 1e2, 100.0 and
// 0.0001e6 are all 100. The zero value has read nothing. It does not check the
// grammar.
type number struct {
	digits   uint64 // the digits so far, without the point
	scale    int64  // the value is digits × 10^(scale + exponent)
	exponent int64
	negative bool
	fraction bool // behind the point
	powers   bool // behind the e
	minus    bool // the exponent is negative
	lost     bool // a digit other than 0 did not fit
}

// digitsRoom is the largest value of digits that takes one more.
const digitsRoom = (math.MaxUint64 - 9) / 10

// exponentRoom is where an exponent stops to grow: beyond any length that a
// body can give to the digits, and far from an overflow of scale + exponent.
const exponentRoom = 1 << 40

func (n *number) add(c byte) {
	switch {
	case c == '-' && n.powers:
		n.minus = true
	case c == '-':
		n.negative = true
	case c == '.':
		n.fraction = true
	case c == 'e' || c == 'E':
		n.powers = true
	case c < '0' || c > '9':
	case n.powers:
		if n.exponent < exponentRoom {
			n.exponent = n.exponent*10 + int64(c-'0')
		}
	case n.digits <= digitsRoom:
		n.digits = n.digits*10 + uint64(c-'0')
		if n.fraction {
			n.scale--
		}
	default:
		n.lost = n.lost || c != '0'
		if !n.fraction {
			n.scale++
		}
	}
}

// value returns the number, cut to an integer towards 0 and held at the ends
// of the int64 range, and whether nothing but that hold was lost.
func (n *number) value() (v int64, integral bool) {
	e := n.exponent
	if n.minus {
		e = -e
	}
	e += n.scale
	// With e above 0 what was lost may be whole, but then the value is held.
	d, integral := n.digits, !n.lost || e > 0
	for ; e < 0 && d > 0; e++ {
		integral = integral && d%10 == 0
		d /= 10
	}
	for ; e > 0 && d > 0 && d <= math.MaxInt64; e-- {
		if d > digitsRoom {
			d = math.MaxUint64
			break
		}
		d *= 10
	}
	if d > math.MaxInt64 {
		if n.negative {
			return math.MinInt64, integral
		}
		return math.MaxInt64, integral
	}
	if n.negative {
		return -int64(d), integral
	}
	return int64(d), integral
}
