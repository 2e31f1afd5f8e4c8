package sim

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// chance is one stream of random numbers, fixed by the run's seed and the
// stream's name: what one tenant draws never moves what another one gets.
//
// Only the raw numbers of the generator are taken from the standard library,
// and every product is rounded on its own (the conversions to float64 forbid
// the compiler to fuse it with a sum), so that a seed gives the same traffic
// on every machine.
type chance struct{ pcg rand.PCG }

func newChance(seed uint64, name string) *chance {
	h := fnv.New64a()
	h.Write([]byte(name))
	c := &chance{}
	c.pcg.Seed(seed, h.Sum64())
	return c
}

// unit returns a number from 0 up to but not including 1.
func (c *chance) unit() float64 { return float64(c.pcg.Uint64()>>11) / (1 << 53) }

// below returns a whole number from 0 up to but not including n.
func (c *chance) below(n int64) int64 { return int64(float64(c.unit() * float64(n))) }

// exponential returns a waiting time with mean 1.
func (c *chance) exponential() float64 { return -logarithm(1 - c.unit()) }

// logarithm returns ln x for 0 < x ≤ 1: the exponent's part, and for a mantissa m
// from √½ to √2 the series 2(s + s³/3 + s⁵/5 + …) of s = (m−1)/(m+1), of which 12
// terms are exact to 10⁻¹⁷ (Abramowitz and Stegun, 4.1.27).
func logarithm(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = m*2, e-1
	}
	s := (m - 1) / (m + 1)
	square, sum := float64(s*s), 0.0
	for n := 23; n > 0; n -= 2 {
		sum = float64(sum*square) + 1/float64(n)
	}
	return float64(float64(e)*math.Ln2) + float64(2*float64(s*sum))
}

// wave returns (1 − cos 2πx)/2, which is 0 for x = 0, 1 for x = ½ and 0 again for
// x = 1, by the series of sin πy for y up to ½.
func wave(x float64) float64 {
	x -= math.Floor(x)
	y := float64(math.Pi * min(x, 1-x))
	square, sum := float64(y*y), 0.0
	for n := 19; n > 0; n -= 2 {
		sum = 1 - float64(float64(square*sum)/float64((n+1)*(n+2)))
	}
	sine := float64(y * sum)
	return float64(sine * sine)
}
