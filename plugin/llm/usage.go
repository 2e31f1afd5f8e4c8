package llm

import "fairshare/plugin/unit"

// Usage is what a model says an answer used. All numbers are at least 0.
// Cached is a part of Prompt and Reasoning a part of Completion. Total is the
// model's own word, which some models let exceed Prompt + Completion.
type Usage struct {
	Prompt, Completion, Total unit.Tokens
	Cached, Reasoning         unit.Tokens
}

// A count is a number in a usage object.
type count uint8

const (
	noCount count = iota
	promptCount
	completionCount
	totalCount
	cachedCount
	reasoningCount
)

// A usageDraft gathers the numbers of a usage object while it is read.
type usageDraft struct {
	value [reasoningCount + 1]unit.Tokens
	given [reasoningCount + 1]bool
}

// forget makes c not given, as a member does that repeats one before it.
func (d *usageDraft) forget(c count) { d.value[c], d.given[c] = 0, false }

// set gives c the number that an upstream wrote; less than none is none.
func (d *usageDraft) set(c count, n *number) {
	v, _ := n.value()
	d.value[c], d.given[c] = unit.Tokens(max(v, 0)), true
}

// usage returns what the draft says, and false if it has none of the three
// main numbers: an empty object is not an answer that cost nothing. A missing
// total is prompt + completion.
func (d *usageDraft) usage() (Usage, bool) {
	u := Usage{
		Prompt:     d.value[promptCount],
		Completion: d.value[completionCount],
		Total:      d.value[totalCount],
		Cached:     d.value[cachedCount],
		Reasoning:  d.value[reasoningCount],
	}
	if !d.given[totalCount] {
		u.Total = u.Prompt.Plus(u.Completion)
	}
	return u, d.given[promptCount] || d.given[completionCount] || d.given[totalCount]
}
