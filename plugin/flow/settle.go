package flow

import (
	"fairshare/plugin/llm"
	"fairshare/plugin/quota"
	"fairshare/plugin/unit"
)

// spent is what usage that the upstream told costs.
func (x *Exchange) spent(u *llm.Usage) quota.Spent {
	s := quota.Spent{Prompt: u.Prompt, Completion: u.Completion, Total: u.Total}
	switch x.gateway.policy.Counts {
	case quota.CountInput:
		s.Total = u.Prompt
	case quota.CountOutput:
		s.Total = u.Completion
	}
	if x.chosen.price != nil {
		s.Cost = x.chosen.price.Cost(*u)
	}
	return s
}

// settle books what the answer cost: what it told, or what can be said of an
// answer that did not tell. whole is false for an answer that broke off.
func (x *Exchange) settle(now int64, whole bool) {
	if !x.hold.Open() {
		return
	}
	if x.empty() && (whole || x.watch.Failed()) {
		x.release(now)
		return
	}
	u, told := x.usage()
	s := x.spent(&u)
	s.Estimated = !told
	if told || x.watched && x.watch.OutputBytes() > 0 {
		s.Learn, s.Part = whole, !whole
	}
	why := noUsage
	if !x.watched {
		why = unreadable
	}
	x.charge(now, &u, &s, why)
}

// charge makes of the hold what was spent. why is the failure for which that was
// estimated, if it was.
func (x *Exchange) charge(now int64, u *llm.Usage, s *quota.Spent, why failure) {
	w, at := x.gateway.worker, now-x.hold.Age(now)
	if s.Estimated {
		w.count(onFail[why].metric, 1)
		w.count(EstimatedTokens, int64(u.Total))
	}
	if w.ledger.Settle(now, &x.group.terms, &x.hold, *s) != nil {
		w.count(onFail[unsettled].metric, 1)
	}
	x.book(now, at, u, s)
}

// abandonedTokenMS is how long a model is taken to write for one token of an answer
// that nobody waited for: a hundred tokens a second, as the faster hosted ones do.
const abandonedTokenMS = 10

// abandon settles a request whose client left before its answer began. Its upstream had
// the prompt and was at work: the input is charged whole, the output as far as it was
// expected and could be written in that time. Where the upstream or the proxy breaks
// off instead, the proxy answers by itself, whose headers come first, and release
// gives everything back.
//
//go:noinline
func (x *Exchange) abandon(now int64) {
	if !x.hold.Open() {
		return
	}
	var u llm.Usage
	u.Prompt, u.Completion = x.hold.Estimate()
	u.Completion = min(u.Completion, unit.Tokens(x.hold.Age(now)/abandonedTokenMS))
	u.Total = u.Prompt.Plus(u.Completion)
	s := x.spent(&u)
	s.Estimated = true
	x.gateway.worker.count(AbortedRequests, 1)
	x.charge(now, &u, &s, clientLeft)
}

// release gives the hold back.
func (x *Exchange) release(now int64) {
	if !x.hold.Open() {
		return
	}
	w := x.gateway.worker
	w.count(ReleasedRequests, 1)
	if w.ledger.Release(now, &x.group.terms, &x.hold) != nil {
		w.count(onFail[unsettled].metric, 1)
	}
}

// book counts what an answer cost, whose request was admitted at a moment: in the
// metrics and on the meters that limit nothing.
func (x *Exchange) book(now, at int64, u *llm.Usage, s *quota.Spent) {
	w := x.gateway.worker
	w.count(PromptTokens, int64(u.Prompt))
	w.count(CompletionTokens, int64(u.Completion))
	w.count(SpentPicoUSD, int64(s.Cost))
	for _, m := range x.caller.tallied {
		w.ledger.Tally(now, at, m, s)
	}
	for i := range x.caller.models {
		if m := &x.caller.models[i]; m.group == x.group && !m.Limits() {
			w.ledger.Tally(now, at, m.Meter, s)
		}
	}
	if m := &x.customer; m.Meter != nil && !m.Limits() {
		w.ledger.Tally(now, at, m.Meter, s)
	}
	if m := &x.gateway.proxy; !m.Limits() {
		w.ledger.Tally(now, at, m.Meter, s)
	}
	x.record(u, s)
}
