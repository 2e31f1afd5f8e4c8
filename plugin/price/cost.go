package price

import (
	"math"
	"math/bits"

	"fairshare/plugin/llm"
	"fairshare/plugin/unit"
)

// picoRates is how many Rates a pico dollar a token has.
const picoRates = 1000

// Cost returns what an answer of this usage costs, rounded up to a whole pico
// dollar and held at the end of the range:
//
//	prompt     = cached at the rate of cache reads + written to the cache at that of cache writes
//	           + audio at that of audio + the rest at that of input
//	completion = reasoning at that of reasoning + audio at that of audio + the rest at that of output
//
// A rate that was not given is that of input or output; one of 0 that was given
// is free. If the prompt, cached or not, is longer than a tier's threshold, all
// tokens cost what that tier says, and what it does not say the next lower tier
// or the base. Parts that exceed their whole count as far as it goes, and
// numbers below 0 as 0.
func (p *Price) Cost(u llm.Usage) unit.PicoUSD {
	r := p.at(u.Prompt)
	var s sum
	rest := s.part(u.Cached, u.Prompt, r[cacheReadField])
	rest = s.part(u.CacheWrite, rest, r[cacheWriteField])
	rest = s.part(u.PromptAudio, rest, r[inputAudioField])
	s.part(rest, rest, r[inputField])
	rest = s.part(u.Reasoning, u.Completion, r[reasoningField])
	rest = s.part(u.CompletionAudio, rest, r[outputAudioField])
	s.part(rest, rest, r[outputField])
	return s.cost()
}

// Estimate returns what plain text of so many tokens costs: nothing of it
// cached, no reasoning apart, no audio.
func (p *Price) Estimate(input, output unit.Tokens) unit.PicoUSD {
	return p.Cost(llm.Usage{Prompt: input, Completion: output})
}

// at returns what each kind of token costs if the prompt has so many.
func (p *Price) at(prompt unit.Tokens) [fields]Rate {
	r, given := p.rates, p.given
	for i := range p.tiers {
		t := &p.tiers[i]
		if t.above == 0 || int64(prompt) <= t.above {
			break
		}
		for f := range tieredFields {
			if t.given.has(f) {
				r[f] = t.rates[f]
			}
		}
		given |= t.given
	}
	for f := cacheReadField; f < fields; f++ {
		switch {
		case given.has(f):
		case f == reasoningField || f == outputAudioField:
			r[f] = r[outputField]
		default:
			r[f] = r[inputField]
		}
	}
	return r
}

// A sum is of tokens times rates, none below 0. It has 128 bits: seven products
// of a 63-bit and a 50-bit number do not fill them.
type sum struct{ high, low uint64 }

// part adds n tokens at rate r, but no more than there are in whole, and
// returns how many of those are left.
func (s *sum) part(n, whole unit.Tokens, r Rate) unit.Tokens {
	whole = max(whole, 0)
	n = min(max(n, 0), whole)
	high, low := bits.Mul64(uint64(n), uint64(r))
	var carry uint64
	s.low, carry = bits.Add64(s.low, low, 0)
	s.high, _ = bits.Add64(s.high, high, carry)
	return whole - n
}

func (s *sum) cost() unit.PicoUSD {
	if s.high >= picoRates {
		return math.MaxInt64
	}
	pico, rest := bits.Div64(s.high, s.low, picoRates)
	if pico >= math.MaxInt64 {
		return math.MaxInt64
	}
	if rest > 0 {
		pico++
	}
	return unit.PicoUSD(pico)
}
