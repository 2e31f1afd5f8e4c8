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

	inputCount // input_tokens: OpenAI's newer name, and Anthropic's for what no cache had
	hitCount   // DeepSeek's two parts of the prompt
	missCount
	plainCachedCount // cached, directly in usage
	freshCount       // llama.cpp's two parts of the prompt
	keptCount
	evaluatedCount // the prompt and the completion beside a usage
	predictedCount
	besideCount // input beside the prompt: what a search or a tool gave the model to read

	counts
)

const (
	promptDetailCounts     = 1<<cachedCount | 1<<writeCount | 1<<creationCount | 1<<promptAudioCount
	completionDetailCounts = 1<<reasoningCount | 1<<completionAudioCount
)

// A usageDraft gathers counts while an answer is read.
type usageDraft struct {
	value [counts]unit.Tokens // 0 if not given
	given uint32              // bit c for count c
}

// set gives c the number that an upstream wrote. Less than none is no number: -1 means
// unknown where it is written.
func (d *usageDraft) set(c count, n *number) {
	v, _ := n.value()
	if v < 0 || n.negative {
		return
	}
	d.value[c] = unit.Tokens(v)
	d.given |= 1 << c
}

// forget makes what is in s not given, as a member does that repeats one before it.
func (d *usageDraft) forget(s uint32) {
	for c := range counts {
		if s>>c&1 == 1 {
			d.value[c] = 0
		}
	}
	d.given &^= s
}

// discounts are counts of tokens that are cheaper than others.
const discounts = 1<<cachedCount | 1<<readInputCount | 1<<hitCount | 1<<plainCachedCount

// add adds what another object, place or event told: of each count the larger, since
// early ones are placeholders, and a stream may tell its counts one by one. Of tokens
// that are cheaper the later word counts.
func (d *usageDraft) add(later *usageDraft) {
	if later.given == 0 {
		return
	}
	for c := range counts {
		switch {
		case later.given>>c&1 == 0:
		case 1<<c&discounts != 0:
			d.value[c] = later.value[c]
		default:
			d.value[c] = max(d.value[c], later.value[c])
		}
	}
	d.given |= later.given
}

func (d *usageDraft) has(c count) bool { return d.given>>c&1 == 1 }

// choicesApart is how many choices' own counts are kept apart; OpenAI gives at most 128.
const choicesApart = 128

// choiceCounts are the completions of choices that have a usage each, as Moonshot's
// streams have. Together they are the answer's.
type choiceCounts struct {
	value [choicesApart]unit.Tokens
	given bool
}

func (t *choiceCounts) set(index int64, n *number) {
	v, _ := n.value()
	if v < 0 || n.negative {
		return
	}
	at := &t.value[min(max(index, 0), choicesApart-1)]
	*at = max(*at, unit.Tokens(v))
	t.given = true
}

// usage returns what was told, and false if no count of prompt, completion or total
// was: an empty object is not an answer that cost nothing.
//
// A total above prompt + completion has what a model thought, which Google and xAI
// count there alone: the completion is total − prompt. Reasoning above the completion
// is beside it (Perplexity). With a total alone, which embeddings and MiniMax have,
// Prompt and Completion are 0.
func (d *usageDraft) usage(choices *choiceCounts) (Usage, bool) {
	v := &d.value
	u := Usage{
		Prompt: max(v[promptCount], v[evaluatedCount], v[hitCount].Plus(v[missCount]), v[freshCount].Plus(v[keptCount])),
		// Anthropic's input_tokens leave out what a cache read or wrote.
		Completion:      max(v[completionCount], v[predictedCount]),
		Total:           v[totalCount],
		CacheWrite:      max(v[writeCount], v[creationCount], v[creationInputCount]),
		PromptAudio:     v[promptAudioCount],
		Reasoning:       v[reasoningCount],
		CompletionAudio: v[completionAudioCount],
		Cached:          max(v[readInputCount], v[hitCount], v[plainCachedCount]),
	}
	u.Prompt = max(u.Prompt, v[inputCount])
	if d.has(inputCount) && !d.has(promptCount) {
		u.Prompt = max(u.Prompt, v[inputCount].Plus(v[readInputCount]).Plus(v[creationInputCount]))
	}
	u.Prompt = u.Prompt.Plus(v[besideCount])
	if d.has(cachedCount) {
		u.Cached = v[cachedCount]
	}
	output := d.has(completionCount) || d.has(predictedCount)
	if choices.given {
		sum := unit.Tokens(0)
		for i := range choices.value {
			if output {
				sum = max(sum, choices.value[i]) // the whole answer's is told as well
			} else {
				sum = sum.Plus(choices.value[i])
			}
		}
		u.Completion, output = max(u.Completion, sum), true
	}
	input := u.Prompt > 0 || d.has(promptCount) || d.has(inputCount) || d.has(evaluatedCount) || d.has(freshCount)
	if !input && !output && !d.has(totalCount) {
		return Usage{}, false
	}
	if u.Reasoning > u.Completion && (input || output) {
		u.Completion, output = u.Completion.Plus(u.Reasoning), true
	}
	switch sum := u.Prompt.Plus(u.Completion); {
	case u.Total <= sum:
		u.Total = sum
	case output && !input:
		u.Prompt = u.Total - u.Completion
	case input:
		u.Completion = u.Total - u.Prompt
	}
	u.limitParts()
	return u, true
}

// limitParts holds parts to their wholes.
func (u *Usage) limitParts() {
	u.Cached = min(u.Cached, u.Prompt)
	u.CacheWrite = min(u.CacheWrite, u.Prompt-u.Cached)
	u.PromptAudio = min(u.PromptAudio, u.Prompt-u.Cached-u.CacheWrite)
	u.Reasoning = min(u.Reasoning, u.Completion)
	u.CompletionAudio = min(u.CompletionAudio, u.Completion-u.Reasoning)
}
