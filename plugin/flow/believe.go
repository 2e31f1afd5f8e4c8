package flow

import (
	"strconv"

	"fairshare/plugin/llm"
	"fairshare/plugin/unit"
)

// What an upstream tells is held against what can be seen beside it. A count that the
// text contradicts, or that nothing can explain, is charged by estimate.
const (
	// tokenMost is how many bytes of text a token is at most: 128 blanks are one in
	// OpenAI's cl100k_base and o200k_base, and no vocabulary in use has a longer one.
	tokenMost = 128

	// outputMost is what a choice may have of output that nobody sees, reasoning above
	// all. The largest outputs that providers document are below 400,000 tokens.
	outputMost = 1 << 20

	// cappedMost is the same beside a cap: some upstreams count reasoning outside of it,
	// with budgets of up to 128,000 tokens, and some ignore it.
	cappedMost = 1 << 17

	// inputMost is what a prompt may have beside the request's own text: what the
	// provider fetches by URL or search, and its own instructions. Contexts are a
	// million tokens, mostly.
	inputMost = 1 << 20
)

// usage is what the answer used, and whether all of it is the upstream's word.
func (x *Exchange) usage() (u llm.Usage, told bool) {
	input, output := x.hold.Estimate()
	if !x.watched {
		return llm.Usage{Prompt: input, Completion: output, Total: input.Plus(output)}, false
	}
	written := x.watch.OutputBytes()
	if written > 0 || !x.watch.Unknown() {
		output = unit.Tokens((written + 3) / 4)
	}
	if u, told = x.watch.Usage(); !told {
		return llm.Usage{Prompt: input, Completion: output, Total: input.Plus(output)}, false
	}
	if u.Prompt == 0 && u.Completion == 0 && u.Total > 0 {
		x.split(&u, input, output)
	}
	prompt, completion := u.Prompt, u.Completion
	most := inputMost + unit.Tokens(x.ask.TextBytes).Plus(x.ask.MediaTokens)
	if prompt > most || prompt == 0 && x.ask.TextBytes > 0 {
		u.Prompt = input
		u.Cached, u.CacheWrite, u.PromptAudio = 0, 0, 0
	}
	if completion > x.explained(written) || completion < unit.Tokens(written/tokenMost) {
		u.Completion = output
		u.Reasoning, u.CompletionAudio = 0, 0
	}
	if u.Prompt == prompt && u.Completion == completion {
		return u, true
	}
	u.Total = u.Prompt.Plus(u.Completion)
	if prompt > u.Prompt || completion > u.Completion {
		x.disbelieve(prompt, completion)
	}
	return u, false
}

// split divides a total that is told alone: embeddings have no output, and of a chat
// what the question is not expected to have is output.
func (x *Exchange) split(u *llm.Usage, input, output unit.Tokens) {
	if x.route != embeddings {
		u.Completion = min(u.Total, max(output, u.Total-min(u.Total, input)))
	}
	u.Prompt = u.Total - u.Completion
}

// explained is the largest completion that the answer can have had: a token of text is a
// byte at least, and more than that nobody saw.
func (x *Exchange) explained(written int64) unit.Tokens {
	most := times(outputMost, x.ask.Choices)
	if x.ask.Capped {
		most = min(most, max(times(x.ask.MaxOutput, x.ask.Choices), times(cappedMost, x.ask.Choices)))
	}
	return max(most, unit.Tokens(written))
}

// disbelieve counts a usage that is not believed, and leaves a line for the log, one a
// tick at most.
//
//go:noinline
func (x *Exchange) disbelieve(prompt, completion unit.Tokens) {
	w := x.gateway.worker
	w.count(UnbelievedUsage, 1)
	if w.warning == "" {
		w.warning = "model " + strconv.Quote(clip(x.group.model.Name)) + ": its upstream told " + strconv.FormatInt(int64(prompt), 10) + " input and " +
			strconv.FormatInt(int64(completion), 10) + " output tokens, which nothing explains: charged by estimate"
	}
}

// Warning returns what the operator's log should say, empty if nothing, and not before
// a minute after the last.
func (g *Gateway) Warning(now int64) string {
	w := g.worker
	if w.warning == "" || now-w.warned < minuteMS && now >= w.warned {
		return ""
	}
	s := w.warning
	w.warning, w.warned = "", now
	return s
}

const minuteMS = 60_000

// empty reports whether a whole answer has nothing to charge: an error, whatever its
// status says, or no answer at all: no bytes, a page, a list, choices that are null. What
// was written before an error is charged, and an object that we can't read is no error.
func (x *Exchange) empty() bool {
	if !x.watched || x.watch.OutputBytes() > 0 {
		return false
	}
	if x.watch.Failed() {
		return true
	}
	if x.watch.Answered() || x.watch.Unknown() {
		return false
	}
	u, told := x.watch.Usage()
	return !told || u.Total == 0
}
