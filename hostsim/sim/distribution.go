package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
)

// A Distribution says how a size is distributed. In a scenario it is a number,
// which is always the same one, or an object with one of the members
//
//	{"uniform": [low, high]}          each whole number from low to high alike
//	{"exponential": mean}             most are small; with "max" none is larger
//	{"quantiles": [q0, q1, … qn]}     as measured: q0 the least, qn the most, equal parts between neighbours
//
// The zero Distribution is always 0.
type Distribution struct {
	kind   kind
	values []float64
	max    int64 // of an exponential one; 0 for none
}

type kind uint8

const (
	constant kind = iota
	uniform
	exponential
	quantiles
)

// mostSize bounds sizes, so that sums of them cannot overflow.
const mostSize = 1_000_000_000

// Always returns the distribution that is always n.
func Always(n int64) Distribution { return Distribution{values: []float64{float64(n)}} }

// UnmarshalJSON reads a distribution from a scenario.
func (d *Distribution) UnmarshalJSON(text []byte) error {
	*d = Distribution{}
	if !bytes.HasPrefix(text, []byte("{")) {
		d.values = make([]float64, 1)
		if err := json.Unmarshal(text, &d.values[0]); err != nil {
			return errors.New(`a distribution is a number or an object such as {"uniform": [1, 9]}`)
		}
		return d.check()
	}
	var object struct {
		Uniform     []float64 `json:"uniform"`
		Exponential *float64  `json:"exponential"`
		Max         int64     `json:"max"`
		Quantiles   []float64 `json:"quantiles"`
	}
	if err := strict(text, &object); err != nil {
		return err
	}
	given := 0
	if object.Uniform != nil {
		d.kind, d.values, given = uniform, object.Uniform, given+1
	}
	if object.Exponential != nil {
		d.kind, d.values, given = exponential, []float64{*object.Exponential}, given+1
		d.max = object.Max
	}
	if object.Quantiles != nil {
		d.kind, d.values, given = quantiles, object.Quantiles, given+1
	}
	if given != 1 || object.Max != 0 && d.kind != exponential {
		return errors.New(`a distribution has one of "uniform", "exponential" (which may have "max") and "quantiles"`)
	}
	return d.check()
}

// check reports what is wrong with d.
func (d *Distribution) check() error {
	switch {
	case d.kind == uniform && len(d.values) != 2:
		return errors.New(`"uniform" wants two numbers, the least and the most`)
	case d.kind == quantiles && len(d.values) < 2:
		return errors.New(`"quantiles" wants at least two numbers`)
	case d.max < 0:
		return errors.New(`"max" wants a number above 0`)
	}
	before := 0.0
	for _, v := range d.values {
		if !(v >= before && v <= mostSize) {
			return errors.New("a distribution's numbers are 0 to 1e9 and rise")
		}
		before = v
	}
	return nil
}

// draw returns the next sample, a whole number.
func (d *Distribution) draw(c *chance) int64 {
	switch d.kind {
	case uniform:
		low, high := int64(d.values[0]), int64(d.values[1])
		return low + c.below(high-low+1)
	case exponential:
		n := round(float64(d.values[0] * c.exponential()))
		if d.max > 0 {
			n = min(n, d.max)
		}
		return n
	case quantiles:
		at := float64(c.unit() * float64(len(d.values)-1))
		i := int(at)
		low, high := d.values[i], d.values[i+1]
		return round(low + float64((at-float64(i))*(high-low)))
	}
	if len(d.values) == 0 {
		return 0
	}
	return round(d.values[0])
}

// least returns the smallest sample that can come.
func (d *Distribution) least() int64 {
	if d.kind == exponential || len(d.values) == 0 {
		return 0
	}
	return round(d.values[0])
}

func round(x float64) int64 { return int64(math.Floor(x + 0.5)) }
