package unit

import (
	"math"
	"testing"
)

func TestTokensSaturate(t *testing.T) {
	const most, least = Tokens(math.MaxInt64), Tokens(math.MinInt64)
	for _, c := range []struct {
		got, want Tokens
	}{
		{Tokens(2).Plus(3), 5},
		{Tokens(2).Minus(3), -1},
		{most.Plus(1), most},
		{most.Plus(-1), most - 1},
		{least.Plus(-1), least},
		{least.Minus(1), least},
		{most.Minus(-1), most},
		{Tokens(0).Minus(least), most},
		{Tokens(-1).Minus(least), most},
		{least.Minus(-1), least + 1},
	} {
		if c.got != c.want {
			t.Errorf("got %d, want %d", c.got, c.want)
		}
	}
}
