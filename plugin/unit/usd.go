package unit

import (
	"math"
	"strconv"
)

// PicoUSD is money in 10⁻¹² US dollars, up to about nine million dollars on
// either side.
type PicoUSD int64

// USD is one dollar.
const USD PicoUSD = 1_000_000_000_000

// Plus returns m + n, held at the ends of the int64 range.
func (m PicoUSD) Plus(n PicoUSD) PicoUSD { return PicoUSD(add(int64(m), int64(n))) }

// Minus returns m - n, held at the ends of the int64 range.
func (m PicoUSD) Minus(n PicoUSD) PicoUSD { return PicoUSD(sub(int64(m), int64(n))) }

// Dollars gives the amount nearest to a number of dollars, held at the ends of
// the range. What is not a number is 0.
func Dollars(usd float64) PicoUSD {
	switch f := math.Round(usd * float64(USD)); {
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	case f != f:
		return 0
	default:
		return PicoUSD(f)
	}
}

// Append appends the amount in dollars as Python prints a float, which is how
// LiteLLM's texts and JSON show money: 3.5e-06, 0.0001, 10.0.
func (m PicoUSD) Append(dst []byte) []byte {
	return AppendFloat(dst, float64(m)/float64(USD))
}

// String is what Append appends.
func (m PicoUSD) String() string { return string(m.Append(nil)) }

// AppendFloat appends a finite float as Python's repr prints it: the shortest
// digits that read back the same, with an exponent below 1e-4 and from 1e16 on.
func AppendFloat(dst []byte, f float64) []byte {
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	for _, c := range dst[start:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}
