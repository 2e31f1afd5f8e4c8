package flow

import (
	"strconv"

	"fairshare/plugin/admin"
	"fairshare/plugin/llm"
	"fairshare/plugin/quota"
	"fairshare/plugin/unit"
)

// resetShares is POST /fairshare/reset?model=: the operator's way out where an upstream
// told nonsense, see quota.Ledger.Reset.
//
//go:noinline
func (x *Exchange) resetShares(now int64, query string) Decision {
	gr, d := x.groupAsked(query)
	if gr == nil {
		return d
	}
	if err := x.gateway.worker.ledger.Reset(now, &gr.terms); err != nil {
		return x.fail(admissionFailure(err))
	}
	body := append(x.body[:0], `{"model":`...)
	return x.answer(200, append(llm.AppendString(body, gr.model.Name), `,"reset":true}`...))
}

// groupAsked is the model group that a query names, or nil and the answer that there is
// none.
func (x *Exchange) groupAsked(query string) (*group, Decision) {
	asked := admin.Parameter(query, "model", ' ')
	if gr := x.gateway.group(asked); gr != nil {
		return gr, Decision{}
	}
	return nil, x.refuse(404, llm.ErrorBody{Message: "There is no model " + clip(asked) + ": name one with ?model=", Type: "invalid_request_error", Param: "model", Code: 404}, BadRequests)
}

// answerShares is GET /fairshare/shares?model=: the group's book as it is now, who
// has which share of it, and why somebody was refused last.
func (x *Exchange) answerShares(now int64, query string) Decision {
	w := x.gateway.worker
	gr, none := x.groupAsked(query)
	if gr == nil {
		return none
	}
	b, why := &w.report.book, &w.report.why
	err := w.ledger.Read(now, &gr.terms, b)
	if err == nil {
		err = w.ledger.Refusals(&gr.terms, why)
	}
	if err != nil {
		return x.fail(admissionFailure(err))
	}
	rowsAt := w.tabulate(now, gr)
	e := explanation{w.report.answer[:0], x.gateway, &gr.terms}
	e.text(`{"model":`).quoted(gr.model.Name)
	e.text(`,"minute":`).stamp(b.Minute * 60_000)
	e.number("active_keys", b.Active)
	if gr.terms.LimitTPM {
		e.text(`,"tpm":{"capacity":`).amount(int64(gr.terms.TPM))
		e.number("used", int64(b.Used)).number("held", int64(b.Held)).text("}")
	}
	if gr.terms.LimitRPM {
		e.text(`,"rpm":{"capacity":`).amount(gr.terms.RPM)
		e.number("used", b.Requests).number("held", 0).text("}")
	}
	e.number("in_flight", b.Slots).number("late_held", int64(b.PrevHeld))
	if len(b.Pools) > 0 {
		e.pools(b)
	}
	t := &b.Totals
	e.text(`,"totals":{"requests":`).amount(t.Requests)
	e.number("refused", t.Refused).number("would_refuse", t.WouldRefuse).number("tokens", int64(t.Tokens))
	e.number("estimated_requests", t.EstimatedRequests).number("estimated_tokens", int64(t.EstimatedTokens))
	e.number("debt_tokens", int64(t.DebtTokens)).number("reclaimed", t.Reclaimed)
	e.number("stranded_tokens", int64(t.StrandedTokens)).number("stranded_requests", t.StrandedRequests)
	e.number("estimate_error_tokens", int64(t.ErrorTokens)).number("estimate_error_requests", t.Told)
	e.text(`},"last_minute":`)
	if b.FairMinute == 0 {
		e.text("null")
	} else {
		e.text(`{"minute":`).stamp(b.FairMinute * 60_000)
		e.text(`,"jain_index":`).millionths(b.Fairness).text("}")
	}
	e.refusals(why)
	e.text(`,"keys_at":`).stamp(rowsAt)
	e.text(`,"keys":[`)
	for i := range w.report.rows {
		if i > 0 {
			e.text(",")
		}
		e.row(&w.report.rows[i])
	}
	w.report.answer = append(e.dst, "]}"...)
	d := x.answer(200, w.report.answer)
	x.body = nil // it is the worker's
	return d
}

// An explanation is an answer of answerShares under way.
type explanation struct {
	dst     []byte
	gateway *Gateway
	terms   *quota.Terms
}

func (e *explanation) text(s string) *explanation {
	e.dst = append(e.dst, s...)
	return e
}

func (e *explanation) quoted(s string) *explanation {
	e.dst = llm.AppendString(e.dst, s)
	return e
}

// nullable appends null for what is empty.
func (e *explanation) nullable(s string) *explanation {
	e.dst = llm.AppendNullable(e.dst, s)
	return e
}

func (e *explanation) amount(n int64) *explanation {
	e.dst = strconv.AppendInt(e.dst, n, 10)
	return e
}

func (e *explanation) stamp(ms int64) *explanation {
	e.dst = appendStamp(e.dst, ms)
	return e
}

// number appends a member that is not the first.
func (e *explanation) number(name string, n int64) *explanation {
	return e.text(`,"`).text(name).text(`":`).amount(n)
}

func (e *explanation) millionths(n int64) *explanation {
	e.dst = strconv.AppendFloat(e.dst, float64(n)/quota.One, 'g', -1, 64)
	return e
}

// part begins a member about one limit: what of it is whose, by that name, and what
// was taken. The caller ends it.
func (e *explanation) part(limit, name string, share, used, held int64) *explanation {
	e.text(`,"`).text(limit).text(`":{"`).text(name).text(`":`).amount(share)
	return e.number("used", used).number("held", held).number("borrowed", borrowed(share, used, held))
}

// row appends an active key.
func (e *explanation) row(r *row) {
	e.text(`{"key":`).quoted(e.gateway.token(r))
	e.text(`,"key_alias":`).nullable(r.alias)
	e.text(`,"weight":`).millionths(int64(r.Weight))
	if len(e.gateway.policy.Priorities) > 0 {
		e.text(`,"priority":`).nullable(e.gateway.priority(int(r.Pool)))
	}
	if e.terms.LimitTPM {
		e.part("tpm", "share", r.TokenShare, int64(r.Used), int64(r.Held)).number("available", r.TokensAvailable).text("}")
	}
	if e.terms.LimitRPM {
		e.part("rpm", "share", r.RequestShare, r.Requests, 0).number("available", r.RequestsAvailable).text("}")
	}
	e.number("in_flight", r.Slots).number("refused", r.Refused).text("}")
}

// priority names a pool, empty for that of callers without a declared priority.
func (g *Gateway) priority(pool int) string {
	if pool >= len(g.policy.Priorities) {
		return ""
	}
	return g.policy.Priorities[pool].Name
}

// pools appends what priorities reserve.
func (e *explanation) pools(b *quota.Book) {
	e.text(`,"priorities":[`)
	for i := range b.Pools {
		p := &b.Pools[i]
		if i > 0 {
			e.text(",")
		}
		e.text(`{"priority":`).nullable(e.gateway.priority(i))
		e.text(`,"weight":`).millionths(int64(p.Weight))
		e.number("active_keys", p.Active)
		if e.terms.LimitTPM {
			e.part("tpm", "reservation", p.TokenShare, int64(p.Used), int64(p.Held))
			e.number("released", p.TokensReleased).number("available", p.TokensAvailable).text("}")
		}
		if e.terms.LimitRPM {
			e.part("rpm", "reservation", p.RequestShare, p.Requests, 0)
			e.number("released", p.RequestsReleased).number("available", p.RequestsAvailable).text("}")
		}
		e.number("refused", p.Refused).text("}")
	}
	e.text("]")
}

// limitings are the names of whose limit refused.
var limitings = [quota.NumLimitings]string{
	quota.ByShare: "share", quota.ByPriority: "priority", quota.ByModel: "model",
	quota.ByProxy: "proxy", quota.ByKey: "key", quota.ByUser: "user", quota.ByTeam: "team", quota.ByMember: "team_member", quota.ByCustomer: "end_user",
}

// reasonNames are those of the reasons from OverBudget on.
var reasonNames = [quota.NumReasons]string{"budget", "parallel", "requests", "tokens"}

// refusals appends who refused how often, and why the last time.
func (e *explanation) refusals(r *quota.Refusals) {
	e.text(`,"refused_by":[`)
	first := true
	for by := range r.Counts {
		for i, n := range r.Counts[by] {
			if n == 0 {
				continue
			}
			if !first {
				e.text(",")
			}
			first = false
			e.text(`{"limit":`).quoted(limitings[by])
			e.text(`,"reason":`).quoted(reasonNames[i])
			e.number("requests", n).text("}")
		}
	}
	e.text(`],"last_refusal":`)
	l := &r.Last
	if l.At == 0 {
		e.text("null")
		return
	}
	who := row{Line: quota.Line{ID: l.Key}, name: name{l.Hash, l.Alias}, named: l.Hash != [32]byte{}}
	priority := e.gateway.priority(int(l.Pool))
	e.text(`{"at":`).stamp(l.At)
	e.text(`,"key":`).quoted(e.gateway.token(&who))
	e.text(`,"key_alias":`).nullable(who.alias)
	if len(e.gateway.policy.Priorities) > 0 {
		e.text(`,"priority":`).nullable(priority)
	}
	e.text(`,"limit":`).quoted(limitings[l.By])
	e.text(`,"reason":`).quoted(reasonNames[l.Reason-quota.OverBudget])
	amount := func(name string, n int64) {
		e.text(`,"`).text(name).text(`":`)
		if l.Reason == quota.OverBudget {
			e.text(unit.PicoUSD(n).String())
		} else {
			e.amount(n)
		}
	}
	amount("wanted", l.Wanted)
	amount("left", l.Left)
	amount("share", l.Share)
	amount("taken", l.Taken)
	amount("kept_for_others", l.Kept)
	e.text(`,"retry_after":`)
	if l.RetryMS == quota.Never {
		e.text("null")
	} else {
		e.amount(seconds(l.RetryMS))
	}
	name := who.alias
	if name == "" {
		name = e.gateway.token(&who)
	}
	e.text(`,"text":`).quoted(reasonOf(l, name, priority))
	e.text("}")
}

// reasonOf tells in one sentence why a key was refused.
func reasonOf(l *quota.Refusal, key, priority string) string {
	amount := func(n int64) string { return strconv.FormatInt(n, 10) }
	what := " tokens"
	switch l.Reason {
	case quota.OverBudget:
		what = " dollars"
		amount = func(n int64) string { return unit.PicoUSD(n).String() }
	case quota.OverParallel:
		what = " request in flight"
	case quota.OverRequests:
		what = " request"
	}
	s := "key " + key + " wanted " + amount(l.Wanted) + what
	kept := ", and of the " + amount(l.Left) + " left " + amount(l.Kept) + " are kept for "
	switch l.By {
	case quota.ByShare:
		s += "; it took " + amount(l.Taken) + ", its share is " + amount(l.Share) + kept + amount(l.Others) + " other active key"
		if l.Others != 1 {
			s += "s"
		}
	case quota.ByPriority:
		whose := "; priority " + priority
		if priority == "" {
			whose = "; those without a priority"
		}
		s += whose + " took " + amount(l.Taken) + ", " + amount(l.Share) + " are reserved"
		if l.Kept > 0 {
			s += kept + "other priorities"
		} else {
			s += " and no more can be had"
		}
	case quota.ByModel:
		s += "; of the model's " + amount(l.Share) + " a minute " + amount(l.Left) + " are left for all"
	default:
		s += "; its " + limitings[l.By] + "'s limit is " + amount(l.Share) + ", and " + amount(l.Taken) + " of that is used"
	}
	if l.RetryMS == quota.Never {
		return s + "; no wait would help"
	}
	return s + "; it may ask again in " + strconv.FormatInt(seconds(l.RetryMS), 10) + " s"
}
