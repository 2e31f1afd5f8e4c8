package llm

import "fairshare/plugin/unit"

// Usage is what a model says an answer used. All numbers are at least 0. Total
// is the model's own word, which some models let exceed Prompt + Completion.
//
// Cached, CacheWrite and PromptAudio are parts of Prompt that do not overlap;
// Reasoning and CompletionAudio are such parts of Completion. An Observer
// holds them to that, whatever an upstream says.
type Usage struct {
	Prompt, Completion, Total unit.Tokens

	Cached      unit.Tokens // read from the provider's cache
	CacheWrite  unit.Tokens // written to it
	PromptAudio unit.Tokens // sound, neither read from a cache nor written to one

	Reasoning, CompletionAudio unit.Tokens
}

// A count is a number in a usage object.
type count uint8

const (
	noCount count = iota
	promptCount
	completionCount
	totalCount
	cachedCount
	writeCount
	promptAudioCount
	reasoningCount
	completionAudioCount

	// The same again, as Anthropic names them, directly in usage.
	readInputCount
	creationInputCount
	// And as LiteLLM names the one of prompt_tokens_details.
	creationCount

	counts
)

// A countSet has bit c for count c.
type countSet uint16

const (
	mainCounts             countSet = 1<<promptCount | 1<<completionCount | 1<<totalCount
	promptDetailCounts     countSet = 1<<cachedCount | 1<<writeCount | 1<<creationCount | 1<<promptAudioCount
	completionDetailCounts countSet = 1<<reasoningCount | 1<<completionAudioCount
)

// A usageDraft gathers the numbers of a usage object while it is read.
type usageDraft struct {
	value [counts]unit.Tokens // 0 if not given
	given countSet
}

// forget makes what is in s not given, as a member does that repeats one
// before it.
func (d *usageDraft) forget(s countSet) {
	for c := range counts {
		if s>>c&1 == 1 {
			d.value[c] = 0
		}
	}
	d.given &^= s
}

// set gives c the number that an upstream wrote; less than none is none.
func (d *usageDraft) set(c count, n *number) {
	v, _ := n.value()
	d.value[c] = unit.Tokens(max(v, 0))
	d.given |= 1 << c
}

// usage returns what the draft says, and false if it has none of the three
// main numbers: an empty object is not an answer that cost nothing. A missing
// total is prompt + completion.
func (d *usageDraft) usage() (Usage, bool) {
	u := Usage{
		Prompt:          d.value[promptCount],
		Completion:      d.value[completionCount],
		Total:           d.value[totalCount],
		Cached:          d.value[cachedCount],
		CacheWrite:      max(d.value[writeCount], d.value[creationCount], d.value[creationInputCount]),
		PromptAudio:     d.value[promptAudioCount],
		Reasoning:       d.value[reasoningCount],
		CompletionAudio: d.value[completionAudioCount],
	}
	if d.given>>cachedCount&1 == 0 {
		u.Cached = d.value[readInputCount]
	}
	whole := u.Completion.Plus(u.Reasoning)
	switch {
	case d.given>>totalCount&1 == 0:
		u.Total = u.Prompt.Plus(u.Completion)
	case u.Total == u.Prompt.Plus(whole):
		// xAI counts reasoning beside the completion, not in it, and only
		// the total tells. LiteLLM adds it to the completion as well.
		u.Completion = whole
	}
	u.Cached = min(u.Cached, u.Prompt)
	u.CacheWrite = min(u.CacheWrite, u.Prompt-u.Cached)
	u.PromptAudio = min(u.PromptAudio, u.Prompt-u.Cached-u.CacheWrite)
	u.Reasoning = min(u.Reasoning, u.Completion)
	u.CompletionAudio = min(u.CompletionAudio, u.Completion-u.Reasoning)
	return u, d.given&mainCounts != 0
}
