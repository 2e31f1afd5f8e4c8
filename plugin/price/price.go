// Package price says what an answer costs: a model's prices per token, those
// of LiteLLM's public price file built in, and the cost of a usage by them. The
// rules are those of LiteLLM's generic_cost_per_token.
//
// For example, gpt-3.5-turbo costs 5e-7 USD a token of input and 1.5e-6 USD a
// token of output, so 10 of one and 20 of the other cost 3.5e-5 USD.
package price

import (
	"math"
	"strings"
)

// Rate is a price in 10⁻¹⁵ US dollars a token. Every price in LiteLLM's file is
// a whole number of them.
type Rate int64

// usdRate is one dollar a token, which is also the largest: no model has cost a
// hundredth of it.
const usdRate Rate = 1_000_000_000_000_000

// A field is one of the prices that a Price can hold.
type field uint8

const (
	inputField field = iota
	outputField
	cacheReadField
	cacheWriteField
	reasoningField
	inputAudioField
	outputAudioField
	fields

	tieredFields = cacheWriteField + 1 // those before it may have thresholds
)

const (
	maxTiers     = 3
	maxThreshold = 1_000_000 // in thousands of tokens
)

// A set has bit f for field f.
type set uint8

func (s set) has(f field) bool { return s>>f&1 == 1 }

// A Price is what a model's tokens cost. The zero Price is free. It is a plain
// value: a copy shares nothing, and == tells whether two were given the same
// prices.
type Price struct {
	given set
	rates [fields]Rate   // 0 where not given
	tiers [maxTiers]tier // by rising threshold; unused ones are zero, behind the others
}

// A tier is what tokens cost instead if the prompt is longer than above tokens.
type tier struct {
	above int64 // 0 if the tier is not used
	given set
	rates [tieredFields]Rate
}

// Free reports whether nothing that is asked or answered costs anything.
func (p *Price) Free() bool {
	for i := range p.tiers {
		if p.tiers[i].rates != [tieredFields]Rate{} {
			return false
		}
	}
	return p.rates == [fields]Rate{}
}

// Known reports whether Set knows a field: the prices of text in LiteLLM's
// model_info and litellm_params,
//
//	input_cost_per_token             output_cost_per_token
//	cache_read_input_token_cost      cache_creation_input_token_cost
//
// the same with _above_<N>k_tokens behind them, N from 1 to 1000000, and
//
//	output_cost_per_reasoning_token
//	input_cost_per_audio_token       output_cost_per_audio_token
func Known(name string) bool {
	_, _, ok := parseField(name)
	return ok
}

// Set sets a field to an amount in US dollars a token, rounded to a whole Rate;
// one that is above 0 stays above 0. It returns false, and changes nothing, if
// the field is none that Known knows, if the amount is not from 0 to 1, or if
// it would be the first of a fourth threshold.
func (p *Price) Set(name string, usd float64) bool {
	f, above, ok := parseField(name)
	if !ok || !(usd >= 0 && usd <= 1) {
		return false
	}
	r := Rate(math.Round(usd * float64(usdRate)))
	if r == 0 && usd > 0 {
		r = 1
	}
	return p.put(f, above, r)
}

// put gives f a rate, for prompts of more than above tokens unless that is 0.
func (p *Price) put(f field, above int64, r Rate) bool {
	if above == 0 {
		p.rates[f] = r
		p.given |= 1 << f
		return true
	}
	i := 0
	for i < maxTiers && p.tiers[i].above != 0 && p.tiers[i].above < above {
		i++
	}
	if i == maxTiers {
		return false
	}
	if p.tiers[i].above != above {
		if p.tiers[maxTiers-1].above != 0 {
			return false
		}
		copy(p.tiers[i+1:], p.tiers[i:])
		p.tiers[i] = tier{above: above}
	}
	p.tiers[i].rates[f] = r
	p.tiers[i].given |= 1 << f
	return true
}

// parseField returns the field that a name is of, and the tokens of its
// threshold, 0 if it has none.
func parseField(name string) (f field, above int64, ok bool) {
	base, threshold, tiered := strings.Cut(name, "_above_")
	switch base {
	case "input_cost_per_token":
		f = inputField
	case "output_cost_per_token":
		f = outputField
	case "cache_read_input_token_cost":
		f = cacheReadField
	case "cache_creation_input_token_cost":
		f = cacheWriteField
	case "output_cost_per_reasoning_token":
		f = reasoningField
	case "input_cost_per_audio_token":
		f = inputAudioField
	case "output_cost_per_audio_token":
		f = outputAudioField
	default:
		return 0, 0, false
	}
	if !tiered {
		return f, 0, true
	}
	digits, ok := strings.CutSuffix(threshold, "k_tokens")
	if !ok || f >= tieredFields || digits == "" || digits[0] == '0' {
		return 0, 0, false
	}
	for i := range len(digits) {
		c := digits[i]
		if c < '0' || c > '9' {
			return 0, 0, false
		}
		if above = above*10 + int64(c-'0'); above > maxThreshold {
			return 0, 0, false
		}
	}
	return f, above * 1000, true
}
