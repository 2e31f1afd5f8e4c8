package sim

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
)

// A seed gives the same numbers on every machine and with every version of Go.
func TestChanceIsFixed(t *testing.T) {
	t.Parallel()
	var got []string
	for _, name := range []string{"a", "b"} {
		c := newChance(1, name)
		got = append(got, fmt.Sprintf("%s: %.15f %d %.15f", name, c.unit(), c.below(1000), c.exponential()))
	}
	const want = `a: 0.983817162440921 313 0.173158270916646
b: 0.945731159878860 735 1.119493085359736`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

// The functions that are not the standard library's are as exact as a float64
// shows.
func TestFunctions(t *testing.T) {
	t.Parallel()
	for _, x := range []float64{1, 0.9999999, 0.75, 0.70711, 0.7071, 0.5, 0.3, 1e-3, 1e-9, 1.0 / (1 << 53)} {
		if got, want := logarithm(x), math.Log(x); math.Abs(got-want) > 1e-15*max(1, math.Abs(want)) {
			t.Errorf("logarithm(%g) = %.18g, want %.18g", x, got, want)
		}
	}
	for _, x := range []float64{0, 0.1, 0.25, 0.5, 0.6, 0.99, 1, 7.3} {
		if got, want := wave(x), (1-math.Cos(2*math.Pi*x))/2; math.Abs(got-want) > 4e-15 {
			t.Errorf("wave(%g) = %.18g, want %.18g", x, got, want)
		}
	}
}

// Samples have the mean and the bounds that their distribution says.
func TestDistribution(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		text           string
		low, mean, top float64
	}{
		{`7`, 7, 7, 7},
		{`0`, 0, 0, 0},
		{`{"uniform": [10, 19]}`, 10, 14.5, 19},
		{`{"exponential": 100}`, 0, 100, 2000},
		{`{"exponential": 100, "max": 50}`, 0, 100 * (1 - math.Exp(-0.5)), 50},
		{`{"quantiles": [0, 100, 1000]}`, 0, 0.5*50 + 0.5*550, 1000},
	} {
		var d Distribution
		if err := json.Unmarshal([]byte(row.text), &d); err != nil {
			t.Fatalf("%s: %v", row.text, err)
		}
		c := newChance(1, row.text)
		sum, low, top := 0.0, math.Inf(1), 0.0
		const n = 20000
		for range n {
			x := float64(d.draw(c))
			sum, low, top = sum+x, min(low, x), max(top, x)
		}
		if mean := sum / n; math.Abs(mean-row.mean) > 0.02*row.mean || low < row.low || top > row.top {
			t.Errorf("%s: %g to %g, mean %g, want %g to %g, mean %g", row.text, low, top, mean, row.low, row.top, row.mean)
		}
		if d.kind == uniform && (low != row.low || top != row.top) {
			t.Errorf("%s: %g to %g: not every number comes", row.text, low, top)
		}
		if float64(d.least()) > low {
			t.Errorf("%s: least %d, but %g came", row.text, d.least(), low)
		}
	}
	for _, bad := range []string{
		`"7"`, `-1`, `1e10`, `{}`, `{"uniform": [1]}`, `{"uniform": [2, 1]}`, `{"quantiles": [1]}`, `{"uniform": [1, 2], "exponential": 3}`,
		`{"uniform": [1, 2], "max": 3}`, `{"exponential": 3, "max": -3}`, `{"normal": 3}`,
	} {
		var d Distribution
		if err := json.Unmarshal([]byte(bad), &d); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	if zero := (&Distribution{}).draw(newChance(1, "")); zero != 0 {
		t.Errorf("the zero distribution gave %d", zero)
	}
	always := Always(5)
	if got := always.draw(newChance(1, "")); got != 5 {
		t.Errorf("Always(5) gave %d", got)
	}
}
