package flow

import (
	"fairshare/plugin/llm"
	"fairshare/plugin/quota"
	"fairshare/plugin/unit"
)

// spent is what usage that the upstream told costs.
func (x *Exchange) spent(u *llm.Usage) quota.Spent {
	s := quota.Spent{Prompt: u.Prompt, Completion: u.Completion, Total: u.Total}
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
	u, told := llm.Usage{}, false
	if x.watched {
		u, told = x.watch.Usage()
	}
	if !told {
		u.Prompt, u.Completion = x.hold.Estimate()
		if x.watched {
			u.Completion = unit.Tokens((x.watch.OutputBytes() + 3) / 4)
		}
		u.Total = u.Prompt.Plus(u.Completion)
	}
	s := x.spent(&u)
	// A cut or estimated answer says nothing about whole ones.
	s.Learn, s.Estimated = whole && told, !told
	w := x.gateway.worker
	if s.Estimated {
		why := noUsage
		if !x.watched {
			why = unreadable
		}
		w.count(onFail[why].metric, 1)
		w.count(EstimatedTokens, int64(s.Total))
	}
	if w.ledger.Settle(now, &x.group.terms, &x.hold, s) != nil {
		w.count(onFail[unsettled].metric, 1)
	}
	x.book(now, &u, &s)
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

// book counts what an answer cost: in the metrics and on the meters that limit
// nothing.
func (x *Exchange) book(now int64, u *llm.Usage, s *quota.Spent) {
	w := x.gateway.worker
	w.count(PromptTokens, int64(u.Prompt))
	w.count(CompletionTokens, int64(u.Completion))
	w.count(SpentPicoUSD, int64(s.Cost))
	for _, m := range x.caller.tallied {
		w.ledger.Tally(now, m, s)
	}
	for i := range x.caller.models {
		if m := &x.caller.models[i]; m.model == x.group.model.Name && !m.Limits() {
			w.ledger.Tally(now, m.Meter, s)
		}
	}
	if m := &x.customer; m.Meter != nil && !m.Limits() {
		w.ledger.Tally(now, m.Meter, s)
	}
	if m := &x.gateway.proxy; !m.Limits() {
		w.ledger.Tally(now, m.Meter, s)
	}
	x.record(u, s)
}
