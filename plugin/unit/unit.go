// Package unit holds the quantities that Fairshare counts. They are int64 and
// saturate instead of wrapping, so that a hostile number can make a meter full
// but never negative.
package unit

import "math"

// Tokens counts language-model tokens, of input, output or both.
type Tokens int64

// Plus returns t + u, held at the ends of the int64 range.
func (t Tokens) Plus(u Tokens) Tokens { return Tokens(add(int64(t), int64(u))) }

// Minus returns t - u, held at the ends of the int64 range.
func (t Tokens) Minus(u Tokens) Tokens { return Tokens(sub(int64(t), int64(u))) }

func add(a, b int64) int64 {
	s := a + b
	if b > 0 && s < a {
		return math.MaxInt64
	}
	if b < 0 && s > a {
		return math.MinInt64
	}
	return s
}

func sub(a, b int64) int64 {
	d := a - b
	if b < 0 && d < a {
		return math.MaxInt64
	}
	if b > 0 && d > a {
		return math.MinInt64
	}
	return d
}
