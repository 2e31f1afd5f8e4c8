package quota

import (
	"math"

	"fairshare/plugin/unit"
)

// Learned is what past answers say about the length of the next one, for each choice.
// Means move by an eighth of the difference, so equal samples give exactly that sample.
type Learned struct {
	Samples uint32
	Output  int32 // mean completion tokens of a choice, 1/16 tokens
	Spread  int32 // mean distance from Output, 1/16 tokens
	caps
}

const (
	learnedScale = 16

	// mostSample is the longest choice that anything is learned from, the most
	// output of any model that providers list being 128,000 tokens.
	mostSample = 1 << 18
)

// An answered is what an answer says about the next ones.
type answered struct {
	output  unit.Tokens // of all choices
	most    unit.Tokens // that the caller allowed, less than 0 for no cap
	choices int64
	part    bool // it broke off, and would have had more
	seen    bool // nobody told it: its output is that of its text
}

// cut reports whether the cap probably ended the answer. Servers differ by a token or two
// in what they count.
func (a *answered) cut() bool {
	return a.most >= 0 && a.output <= a.most && a.output >= a.most-a.most/16-2
}

// learn takes an answer.
//
// One that was cut by its cap, broke off or had several choices shows how much a choice
// has at least: it never lowers what is known. Else a client could choose its caps so that
// little is seen, and then ask for much at once. (Not every server makes several choices.)
func (l *Learned) learn(a *answered) {
	l.caps.learn(a, l)
	choices := unit.Tokens(max(1, a.choices))
	output := a.output/choices + min(1, a.output%choices)
	out := int32(min(max(output, 0), mostSample)) * learnedScale
	switch {
	case l.Samples == 0 && (a.part || a.cut()):
		return
	case l.Samples > 0 && (a.part || choices > 1 || a.cut()) && out <= l.Output:
		return
	}
	if l.Samples == 0 {
		l.Output = out
	}
	d := out - l.Output
	if l.Samples >= trustSamples {
		// One answer out of all proportion says little about the next: it moves
		// the mean at most to twice what it is.
		d = min(d, 8*(l.Output+64*learnedScale))
	}
	l.Output += d / 8
	if d < 0 {
		d = -d
	}
	l.Spread += (d - l.Spread) / 8
	if l.Samples < 1<<30 {
		l.Samples++
	}
}

// caps say whether callers' caps are kept here.
type caps struct {
	kept   uint16 // answers cut by caps that were shorter than usual, since one last broke its cap
	broken uint16 // answers that were longer than their caps
}

// So many answers must have kept a cap that was shorter than usual before such caps are
// believed. Each that does not keep its own has that evidence begin anew, and multiplies
// by capsDoubt what it takes: with every round of belief a client may have some answers
// for less than they are. After mostBroken of them there is none any more.
const (
	provenCaps = 8
	capsDoubt  = 16
	mostBroken = 3
)

// believed reports whether a cap that is shorter than usual can be relied on.
func (c *caps) believed() bool {
	need := uint16(provenCaps)
	for range min(c.broken, mostBroken) {
		need *= capsDoubt
	}
	return c.broken <= mostBroken && c.kept >= need
}

// learn takes an answer, of which l says what was to be expected.
func (c *caps) learn(a *answered, l *Learned) {
	most := a.most
	if a.seen {
		most = 2*most + 64 // how many tokens a text is is known to a factor of two
	}
	switch {
	case a.most < 0:
	case a.output > most:
		c.kept = 0
		c.broken = min(c.broken+1, mostBroken+1)
	case !a.part && !a.seen && a.cut() && int64(a.most)*learnedScale < int64(l.Output)*max(1, a.choices):
		c.kept = min(c.kept+1, 1<<15)
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

// An estimate is what an ask will probably cost.
type estimate struct {
	input, output unit.Tokens
	// beside is the output that the ask adds to the estimates of those in flight.
	beside unit.Tokens
	// least is an input and output that such an ask may well come to, at least 1.
	least unit.Tokens
}

// estimate is what the ask will probably cost, alone and beside others in flight.
//
// With equal requests behind it the estimate is exact; with unequal ones it
// leaves room for four times their mean distance from the mean. What the caller's
// key was answered counts the more the more there is of it. An answer of
// which nothing is known is taken for a quarter of a minute's tokens at most,
// so that a small model is not closed by a guess.
//
// A cap below the mean is believed where caps are known to be kept: it is the
// caller's word, and costs the caller nothing if the upstream does not read it.
//
// Of n answers some are longer and some shorter: their sum is as far from its mean
// as one is from its own, times √n. So beside is what this one adds to the
// estimate of inFlight others together. If each held as much as alone, most of that
// room would come back when the minute is over and nobody can use it any more.
func (a *Ask) estimate(key, model Learned, prompts *Prompts, limit unit.Tokens, limited bool, inFlight int64, e *estimate) {
	e.input = prompts.tokens(a.TextBytes).Plus(a.MediaTokens)
	l, choices := blend(key, model), unit.Tokens(a.choices())
	e.output = l.within(4) * choices
	switch {
	case a.Capped && (l.Samples == 0 && (model.broken == 0 || a.MaxOutput >= unknownOutput) || l.Samples > 0 && a.MaxOutput >= e.output && l.Samples < trustSamples):
		e.output = a.MaxOutput
	case a.Capped && l.Samples > 0:
		if model.believed() || a.MaxOutput >= l.within(0)*choices {
			e.output = min(e.output, a.MaxOutput)
		}
	case l.Samples > 0:
	case limited:
		e.output = min(unknownOutput*choices, max(1, limit/4))
	default:
		e.output = unknownOutput * choices
	}
	if l.Samples == 0 {
		e.output = max(e.output, a.MaxOutput)
	}
	e.beside = e.output
	if n := float64(inFlight); n > 0 && l.Samples >= trustSamples && l.Spread > 0 {
		e.beside = min(e.output, l.within(4*(math.Sqrt(n+1)-math.Sqrt(n)))*choices)
	}
	e.least = 1
	if key.Samples >= trustSamples {
		e.least = max(1, e.input.Plus(max(0, min(e.output, l.within(-4)))))
	}
}

// count leaves of an estimate what counts for limits.
func (e *estimate) count(counts Counting) {
	switch counts {
	case CountInput:
		e.least = max(1, min(e.least, e.input))
		e.output, e.beside = 0, 0
	case CountOutput:
		e.least = max(1, e.least.Minus(e.input))
		e.input = 0
	}
}

// mostChoices bounds what n multiplies: OpenAI takes 128.
const mostChoices = 1 << 10

// choices is how many answers are asked for at once.
func (a *Ask) choices() int64 { return min(max(a.Choices, 1), mostChoices) }

// blend is what is known of a key's next answer: what the key was answered, and as
// long as that is little also what all are.
func blend(key, model Learned) Learned {
	if key.Samples >= trustSamples || key.Samples > 0 && model.Samples == 0 {
		return key
	}
	if key.Samples == 0 {
		return model
	}
	// Of n own answers and eight in all, weigh the key's by the square of its part:
	// one says little, four a quarter, seven three quarters.
	n, all := int64(key.Samples), int64(trustSamples)
	own, of := n*n, all*all
	mix := func(k, m int32) int32 { return int32((int64(k)*own + int64(m)*(of-own)) / of) }
	return Learned{Samples: model.Samples, Output: mix(key.Output, model.Output), Spread: mix(key.Spread, model.Spread)}
}

// within is the mean of answers and so many times their mean distance from it.
func (l *Learned) within(distances float64) unit.Tokens {
	return unit.Tokens((float64(l.Output) + distances*float64(l.Spread) + learnedScale/2) / learnedScale)
}

// Prompts is what past answers say about how many tokens a request's text is: a
// part that every request has (the framing of messages, what a template adds) and so
// many for each byte. They follow from the means and the scatter of both numbers, in
// which a sample counts an eighth. The zero Prompts knows nothing.
type Prompts struct {
	Bytes, Tokens        float64 // means
	Variance, Covariance float64 // of the bytes, and of both
}

const (
	// scatter is how far apart texts must be, in bytes, before a slope is read from
	// them: below it that of bytesAToken counts as much.
	scatter = 256
	// leastSlope is a token for 16 bytes: longer runs of text that are one token are
	// blanks and the like.
	leastSlope = 1.0 / 16
	// mostFixed bounds what a request costs beside its text, a long template's.
	mostFixed = 4096
)

// add takes a request of so many bytes of text that came to so many tokens, without
// its media. Nobody needs more than a token a byte, beside the fixed part.
func (p *Prompts) add(textBytes int64, tokens unit.Tokens) {
	if tokens <= 0 || textBytes < 0 {
		return
	}
	x := float64(min(textBytes, 1<<30))
	y := min(float64(tokens), x+mostFixed)
	if p.Tokens == 0 {
		p.Bytes, p.Tokens = x, y
		return
	}
	// One out of all proportion says little about the next, see Learned.add.
	y = min(y, 4*float64(p.tokens(textBytes))+256)
	dx, dy := x-p.Bytes, y-p.Tokens
	p.Bytes += dx / 8
	p.Tokens += dy / 8
	p.Variance += (dx*dx*7/8 - p.Variance) / 8
	p.Covariance += (dx*dy*7/8 - p.Covariance) / 8
}

// tokens estimates so many bytes of text, at least 1.
func (p *Prompts) tokens(textBytes int64) unit.Tokens {
	if p.Tokens <= 0 || p.Variance < 0 {
		return unit.Tokens(textBytes/bytesAToken + messageTokens)
	}
	x := float64(textBytes)
	slope := (p.Covariance + scatter*scatter/bytesAToken) / (p.Variance + scatter*scatter)
	slope = min(max(slope, leastSlope), 1)
	if slope*p.Bytes > p.Tokens {
		slope = p.Tokens / p.Bytes // what is fixed is not less than nothing
	}
	fixed := min(p.Tokens-slope*p.Bytes, mostFixed)
	return unit.Tokens(max(1, min(fixed+slope*x, x+mostFixed)+0.5))
}
