package quota

import (
	"math"

	"fairshare/plugin/unit"
)

// Learned is what past answers say about the next one. Means move by an eighth
// of the difference, so equal samples give exactly that sample.
type Learned struct {
	Samples uint32
	Output  int32 // mean completion tokens of an answer, 1/16 tokens
	Spread  int32 // mean distance from Output, 1/16 tokens
	Ratio   int32 // prompt tokens a text byte, 1/65536
}

const learnedScale = 16

func (l *Learned) add(output, prompt unit.Tokens, textBytes int64) {
	const most = 1 << 26 // tokens of one answer; more is not a language model
	out := int32(min(max(output, 0), most)) * learnedScale
	if l.Samples == 0 {
		l.Output = out
	}
	d := out - l.Output
	l.Output += d / 8
	if d < 0 {
		d = -d
	}
	l.Spread += (d - l.Spread) / 8
	if textBytes > 0 && prompt > 0 {
		r := int32(min(int64(min(prompt, most))*65536/textBytes, 1<<22))
		if l.Ratio == 0 {
			l.Ratio = r
		}
		l.Ratio += (r - l.Ratio) / 8
	}
	if l.Samples < 1<<30 {
		l.Samples++
	}
}

// Numbers of the estimate while nothing was learned.
const (
	bytesAToken   = 4    // OpenAI's rule of thumb for English text (help article "What are tokens and how to count them?")
	messageTokens = 3    // framing of a message (OpenAI cookbook, "How to count tokens with tiktoken")
	unknownOutput = 1024 // an answer of unknown length, what LiteLLM takes as well
	// A client's own max_tokens is an upper bound that it stands behind; only
	// after this many answers does what the model really writes count more.
	trustSamples = 8
)

// estimate is what the ask will probably cost, alone and beside others in flight.
//
// With equal requests behind it the estimate is exact; with unequal ones it
// leaves room for four times their mean distance from the mean. An answer of
// which nothing is known is taken for a quarter of a minute's tokens at most,
// so that a small model is not closed by a guess.
//
// Of n answers some are longer and some shorter: their sum is as far from its mean
// as one is from its own, times √n. So beside is what this one adds to the
// estimate of inFlight others together. If each held as much as alone, most of that
// room would come back when the minute is over and nobody can use it any more.
func (a *Ask) estimate(key, model Learned, least unit.Tokens, limited bool, inFlight int64) (input, output, beside unit.Tokens) {
	input = unit.Tokens(a.TextBytes/bytesAToken + messageTokens)
	if model.Ratio > 0 {
		input = unit.Tokens((a.TextBytes*int64(model.Ratio) + 1<<15) >> 16)
	}
	input = input.Plus(a.MediaTokens)
	l := model
	if key.Samples >= trustSamples {
		l = key
	}
	output = l.within(4)
	switch {
	case a.Capped && l.Samples < trustSamples:
		output = a.MaxOutput
	case a.Capped:
		output = min(a.MaxOutput, output)
	case l.Samples > 0:
	case limited:
		output = min(unknownOutput, max(1, least/4))
	default:
		output = unknownOutput
	}
	beside = output
	if n := float64(inFlight); n > 0 && l.Samples >= trustSamples && l.Spread > 0 {
		beside = min(output, l.within(4*(math.Sqrt(n+1)-math.Sqrt(n))))
	}
	return input, output, beside
}

// within is the mean of answers and so many times their mean distance from it.
func (l *Learned) within(distances float64) unit.Tokens {
	return unit.Tokens((float64(l.Output) + distances*float64(l.Spread) + learnedScale/2) / learnedScale)
}
