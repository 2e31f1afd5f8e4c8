package price_test

import (
	"math"
	"testing"

	"fairshare/plugin/price"
)

func TestSet(t *testing.T) {
	for _, c := range []struct {
		field string
		known bool
	}{
		{"input_cost_per_token", true},
		{"output_cost_per_token", true},
		{"cache_read_input_token_cost", true},
		{"cache_creation_input_token_cost", true},
		{"output_cost_per_reasoning_token", true},
		{"input_cost_per_audio_token", true},
		{"output_cost_per_audio_token", true},
		{"input_cost_per_token_above_1k_tokens", true},
		{"input_cost_per_token_above_128k_tokens", true},
		{"output_cost_per_token_above_200k_tokens", true},
		{"cache_read_input_token_cost_above_272k_tokens", true},
		{"cache_creation_input_token_cost_above_1000000k_tokens", true},

		{"", false},
		{"Input_cost_per_token", false},
		{"input_cost_per_token ", false},
		{"input_cost_per_tokens", false},
		{"input_cost_per_second", false},
		{"input_cost_per_token_priority", false},
		{"input_cost_per_token_batches", false},
		{"input_cost_per_token_above_", false},
		{"input_cost_per_token_above_k_tokens", false},
		{"input_cost_per_token_above_0k_tokens", false},
		{"input_cost_per_token_above_0128k_tokens", false},
		{"input_cost_per_token_above_-128k_tokens", false},
		{"input_cost_per_token_above_128_tokens", false},
		{"input_cost_per_token_above_1000001k_tokens", false},
		{"input_cost_per_token_above_99999999999999999999k_tokens", false},
		{"input_cost_per_token_above_128k_tokens_priority", false},
		{"input_cost_per_token_above_128k_tokens_above_128k_tokens", false},
		{"cache_creation_input_token_cost_above_1hr", false},
		{"output_cost_per_reasoning_token_above_128k_tokens", false},
		{"input_cost_per_audio_token_above_128k_tokens", false},
		{"output_cost_per_audio_token_above_128k_tokens", false},
	} {
		var p price.Price
		if got := p.Set(c.field, 1e-6); got != c.known || price.Known(c.field) != c.known {
			t.Errorf("Set(%q) = %v, Known %v, want %v", c.field, got, price.Known(c.field), c.known)
		}
		if changed := p != (price.Price{}); changed != c.known {
			t.Errorf("Set(%q) changed the price: %v", c.field, changed)
		}
	}
}

func TestSetAmounts(t *testing.T) {
	for _, c := range []struct {
		usd  float64
		ok   bool
		cost int64 // of 1000 tokens
	}{
		{0, true, 0},
		{math.Copysign(0, -1), true, 0},
		{5e-7, true, 500_000_000},
		{5.46875e-07, true, 546_875_000},
		{1e-15, true, 1},
		{1.4e-15, true, 1},
		{1.6e-15, true, 2},
		{4e-16, true, 1}, // not free
		{5e-324, true, 1},
		{0.123456789012345, true, 123456789012345},
		{1, true, 1_000_000_000_000_000},
		{math.Nextafter(1, 2), false, 0},
		{1e300, false, 0},
		{-5e-324, false, 0},
		{-1e-7, false, 0},
		{math.Inf(1), false, 0},
		{math.Inf(-1), false, 0},
		{math.NaN(), false, 0},
	} {
		var p price.Price
		if ok := p.Set("input_cost_per_token", c.usd); ok != c.ok || int64(p.Estimate(1000, 0)) != c.cost {
			t.Errorf("Set(%v) = %v, 1000 tokens cost %d, want %v, %d", c.usd, ok, int64(p.Estimate(1000, 0)), c.ok, c.cost)
		}
		if !c.ok && p != (price.Price{}) {
			t.Errorf("Set(%v) changed the price", c.usd)
		}
	}
}

// A price holds three thresholds, in whatever order they come.
func TestSetThresholds(t *testing.T) {
	names := []string{"input_cost_per_token_above_128k_tokens", "input_cost_per_token_above_200k_tokens", "input_cost_per_token_above_272k_tokens"}
	usd := []float64{1e-6, 2e-6, 3e-6}
	var first price.Price
	for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		var p price.Price
		for _, i := range order {
			if !p.Set(names[i], 0.5) || !p.Set(names[i], usd[i]) {
				t.Fatalf("%v: Set(%q) = false", order, names[i])
			}
		}
		if first == (price.Price{}) {
			first = p
		}
		if p != first {
			t.Errorf("the order %v makes a difference", order)
		}
		for _, fourth := range []string{"output_cost_per_token_above_100k_tokens", "output_cost_per_token_above_129k_tokens", "output_cost_per_token_above_512k_tokens"} {
			if p.Set(fourth, 1e-6) || p != first {
				t.Errorf("%v: Set(%q) as the fourth threshold", order, fourth)
			}
		}
		if !p.Set("output_cost_per_token_above_200k_tokens", 1e-6) {
			t.Errorf("%v: another field of a threshold is refused", order)
		}
	}
}
