package flow

import "fairshare/plugin/quota"

// A Host is what the proxy offers beside the stream itself. Its methods are
// called from one VM only; what they return belongs to the host and is valid
// until the next call.
type Host interface {
	quota.Store

	// Random fills dst with bytes that nobody can guess, and reports success.
	Random(dst []byte) bool

	// Enqueue puts one message on the queue that all workers share. It
	// reports false when the host has no queue or no room.
	Enqueue(message []byte) bool

	// Dequeue takes the oldest message from that queue.
	Dequeue() (message []byte, ok bool)

	// Add counts n more of m in the host's metrics.
	Add(m Metric, n uint64)
}

// A Metric is a counter that the host keeps.
type Metric uint8

// The counters. They never decrease while the process lives.
const (
	Admitted Metric = iota
	RefusedRequests
	RefusedTokens
	RefusedParallel
	RefusedBudget
	WouldRefuseRequests
	WouldRefuseTokens
	WouldRefuseParallel
	WouldRefuseBudget
	OverSoftBudget
	UnpricedRequests
	Unauthorised
	BadRequests
	RefusedBodies
	PromptTokens
	CompletionTokens
	SpentPicoUSD
	EstimatedRequests
	EstimatedTokens
	UnbelievedUsage
	AbortedRequests
	ReleasedRequests
	StoreFailures
	ConflictFailures
	UnsettledRequests
	SwapRetries
	QueueDropped
	LeaderChanges
	Ticks
	NumMetrics
)

// MetricNames are the names under which hosts show the counters, with what each
// counts (README lists them from here).
var MetricNames = [NumMetrics][2]string{
	Admitted:            {"fairshare_admitted", "requests admitted"},
	RefusedRequests:     {"fairshare_refused_requests", "requests refused by a limit of requests a minute"},
	RefusedTokens:       {"fairshare_refused_tokens", "requests refused by a limit of tokens a minute"},
	RefusedParallel:     {"fairshare_refused_parallel", "requests refused by a limit of requests in flight"},
	RefusedBudget:       {"fairshare_refused_budget", "requests refused because a budget was spent"},
	WouldRefuseRequests: {"fairshare_would_refuse_requests", "requests admitted that a limit of requests a minute would refuse if it were enforced"},
	WouldRefuseTokens:   {"fairshare_would_refuse_tokens", "the same of a limit of tokens a minute"},
	WouldRefuseParallel: {"fairshare_would_refuse_parallel", "the same of a limit of requests in flight"},
	WouldRefuseBudget:   {"fairshare_would_refuse_budget", "the same of a budget"},
	OverSoftBudget:      {"fairshare_over_soft_budget", "requests admitted although a soft budget was spent"},
	UnpricedRequests:    {"fairshare_unpriced_requests", "requests for models without a price: served free, or refused where a budget would have had to pay"},
	Unauthorised:        {"fairshare_unauthorised", "requests without a valid key, or for a model that the key may not use"},
	BadRequests:         {"fairshare_bad_requests", "requests that could not be understood"},
	RefusedBodies:       {"fairshare_refused_bodies", "requests refused because too many bodies of their key, or in all, were on their way"},
	PromptTokens:        {"fairshare_prompt_tokens", "input tokens used"},
	CompletionTokens:    {"fairshare_completion_tokens", "output tokens used"},
	SpentPicoUSD:        {"fairshare_spent_picousd", "money spent, in 10⁻¹² US dollars"},
	EstimatedRequests:   {"fairshare_estimated_requests", "answers charged by estimate: cut off, unreadable or without usage"},
	EstimatedTokens:     {"fairshare_estimated_tokens", "tokens that those were charged"},
	UnbelievedUsage:     {"fairshare_unbelieved_usage", "answers whose upstream told more tokens than the request, the answer and any model's context explain"},
	AbortedRequests:     {"fairshare_aborted_requests", "answers that broke off before their end, on either side"},
	ReleasedRequests:    {"fairshare_released_requests", "admitted requests that used nothing: no answer, or an error"},
	StoreFailures:       {"fairshare_store_failures", "reads or writes that the host's shared data refused"},
	ConflictFailures:    {"fairshare_conflict_failures", "changes given up after too many lost swaps"},
	UnsettledRequests:   {"fairshare_unsettled_requests", "answers whose usage could not be booked"},
	SwapRetries:         {"fairshare_swap_retries", "swaps lost to another worker and tried again"},
	QueueDropped:        {"fairshare_queue_dropped", "usage reports that found no room on the shared queue"},
	LeaderChanges:       {"fairshare_leader_changes", "times that a worker became leader"},
	Ticks:               {"fairshare_ticks", "ticks of all workers: one that stands still has stopped counting"},
}
