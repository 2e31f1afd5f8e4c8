package flow

import (
	"slices"
	"strconv"
	"time"

	"fairshare/plugin/config"
	"fairshare/plugin/llm"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

// gather collects the meters that this request is held on: those of the
// caller, of the end user and of the proxy.
func (x *Exchange) gather(now int64) quota.Status {
	x.nmetered = 0
	for i := range x.caller.meters {
		x.meter(&x.caller.meters[i])
	}
	for i := range x.caller.models {
		if m := &x.caller.models[i]; m.group == x.group && m.Limits() {
			x.meter(m)
		}
	}
	if x.endUser != "" {
		m, st := x.gateway.customer(now, x.endUser)
		if st != quota.OK {
			return st
		}
		x.customer = m
		if m.Meter != nil && m.Limits() {
			x.meter(&x.customer)
		}
	}
	if x.gateway.proxy.Limits() {
		x.meter(&x.gateway.proxy)
	}
	return quota.OK
}

func (x *Exchange) meter(m *metered) {
	x.metered[x.nmetered], x.meters[x.nmetered] = m, m.Meter
	x.nmetered++
}

// budgeted reports whether somebody's money pays for this request.
func (x *Exchange) budgeted() bool {
	for _, m := range x.meters[:x.nmetered] {
		if m.Budget.Limited {
			return true
		}
	}
	return false
}

// A descriptor is what LiteLLM calls whom a limit is for
// (parallel_request_limiter_v3.py).
func (m *metered) descriptor() (name, value string) {
	name = m.descriptorName()
	if m.subject == nil {
		return name, "proxy"
	}
	value = m.subject.ID
	if m.subject.Kind == tenant.Member {
		value = m.subject.TeamID + ":" + m.subject.UserID
	}
	if m.model != "" {
		value += ":" + m.model
	}
	return name, value
}

func (m *metered) descriptorName() string {
	if m.subject == nil {
		return "proxy"
	}
	switch k := m.subject.Kind; {
	case k == tenant.User && m.model != "":
		return "model_per_user"
	case k == tenant.Team && m.model != "":
		return "model_per_team"
	case m.model != "":
		return "model_per_key"
	case k == tenant.User:
		return "user"
	case k == tenant.Team:
		return "team"
	case k == tenant.Member:
		return "team_member"
	case k == tenant.Customer:
		return "end_user"
	}
	return "api_key"
}

// overMeter is the refusal of a tenant's limit.
func (x *Exchange) overMeter(now int64, v *quota.Verdict) Decision {
	m, s := x.metered[v.By], &v.Meters[v.By]
	if v.Reason == quota.OverBudget {
		return x.overBudget(now, m, s, v)
	}
	kind, limit, left, metric := "requests", m.RPM.Max, s.Requests, RefusedRequests
	switch v.Reason {
	case quota.OverParallel:
		kind, limit, left, metric = "max_parallel_requests", m.Parallel.Max, s.Parallel, RefusedParallel
	case quota.OverTokens:
		kind, limit, left, metric = "tokens", m.TPM.Max, s.Tokens, RefusedTokens
	}
	name, value := m.descriptor()
	resets := "never"
	x.headers = x.headers[:0]
	if v.RetryMS != quota.Never {
		resets = time.UnixMilli(now + seconds(v.RetryMS)*1000).UTC().Format("2006-01-02 15:04:05 UTC")
		x.header("retry-after", strconv.FormatInt(seconds(v.RetryMS), 10))
		x.header("reset_at", resets)
	}
	x.header("rate_limit_type", kind)
	x.forbidRetry(429, v.RetryMS)
	x.tellRefusedBy(now, v)
	x.tellMeterLimit(v, limit, left)
	message := "Rate limit exceeded for " + name + ": " + value + ". Limit type: " + kind + ". Current limit: " + strconv.FormatInt(limit, 10) +
		", Remaining: " + strconv.FormatInt(left, 10) + ". Limit resets at: " + resets
	e := llm.ErrorBody{Message: message, Type: llm.None, Param: llm.None, Code: 429}
	if x.gateway.policy.ErrorFormat == config.LiteLLM {
		e = llm.ErrorBody{Message: message, Type: "throttling_error", Code: 429}
	}
	return x.refuse(429, e, metric)
}

// overBudget is the refusal of the documents: "Budget has been exceeded! …".
// Trying again does not help, so it says so.
func (x *Exchange) overBudget(now int64, m *metered, s *quota.Standing, v *quota.Verdict) Decision {
	cost, limit := s.Cost.String(), unit.PicoUSD(m.Budget.Max).String()
	message := "Budget has been exceeded! Current cost: " + cost + ", Max budget: " + limit
	e := llm.ErrorBody{Message: message, Type: "auth_error", Code: 400}
	if x.gateway.policy.ErrorFormat == config.LiteLLM {
		e = llm.ErrorBody{Message: m.overspent(cost, limit), Type: "budget_exceeded", Code: 422}
	}
	if x.gateway.policy.BudgetStatus != 0 {
		e.Code = x.gateway.policy.BudgetStatus
	}
	x.headers = x.headers[:0]
	x.forbidRetry(e.Code, quota.Never)
	x.tellRefusedBy(now, v)
	x.headers = append(x.headers, x.told.headers...)
	return x.refuse(e.Code, e, RefusedBudget)
}

// tellMeterLimit adds what an answer tells of limits, where OpenAI's headers are those of
// the limit a minute that refused: clients read no others.
func (x *Exchange) tellMeterLimit(v *quota.Verdict, limit, left int64) {
	first := 0 // in limitNames
	switch v.Reason {
	case quota.OverTokens:
		first = 3
	case quota.OverRequests:
	default:
		first = len(limitNames)
	}
	names := limitNames[first:min(first+3, len(limitNames))]
	for i := range x.told.headers {
		if h := &x.told.headers[i]; !slices.Contains(names, h[0]) {
			x.headers = append(x.headers, *h)
		}
	}
	if kinds := x.gateway.policy.LimitHeaders; len(names) == 0 || kinds == config.NoLimitHeaders || kinds == config.LiteLLMLimitHeaders {
		return
	}
	x.header(names[0], strconv.FormatInt(limit, 10))
	x.header(names[1], strconv.FormatInt(left, 10))
	if v.RetryMS != quota.Never {
		x.header(names[2], strconv.FormatInt(seconds(v.RetryMS), 10)+"s")
	}
}

// overspent is what LiteLLM 1.106 says about an exceeded budget
// (auth/auth_checks.py, hooks/model_max_budget_limiter.py).
func (m *metered) overspent(cost, limit string) string {
	whose, s := "", m.subject
	switch {
	case s == nil:
	case m.model != "" && s.Kind == tenant.Team:
		return "LiteLLM Team: " + s.ID + ", exceeded budget for model=" + m.model
	case m.model != "" && s.Kind == tenant.User:
		return "LiteLLM User: " + s.ID + ", exceeded budget for model=" + m.model
	case m.model != "":
		return "LiteLLM Virtual Key: " + s.ID + ", key_alias: " + orNone(s.Alias) + ", exceeded budget for model=" + m.model
	case s.Kind == tenant.Key:
		whose = "Key=key"
		if s.Alias != "" {
			whose = "Key=" + s.Alias
		}
		if s.Name != "" {
			whose += " (" + s.Name + ")"
		}
	case s.Kind == tenant.User:
		return "ExceededBudget: User=" + s.ID + " over budget. Spend=" + cost + ", Budget=" + limit
	case s.Kind == tenant.Team:
		whose = "Team=" + s.ID
	case s.Kind == tenant.Member:
		whose = "User=" + s.UserID + " in Team=" + s.TeamID
	case s.Kind == tenant.Customer:
		return "ExceededBudget: End User=" + s.ID + " over budget. Spend=" + cost + ", Budget=" + limit
	}
	if whose != "" {
		whose += " "
	}
	return "Budget has been exceeded! " + whose + "Current cost: " + cost + ", Max budget: " + limit
}

func orNone(s string) string {
	if s == "" {
		return llm.None
	}
	return s
}

// noRetry is what OpenAI's clients obey.
var noRetry = [2]string{"x-should-retry", "false"}

// forbidRetry keeps a client from sleeping as long as Retry-After says and trying
// again by itself, so that its user meets a minute of silence instead of an error.
// OpenAI's obey x-should-retry, others what clients says. It comes behind Retry-After.
func (x *Exchange) forbidRetry(status int, retryMS int64) {
	if retryMS != quota.Never && x.gateway.policy.ClientRetries {
		return
	}
	x.header(noRetry[0], noRetry[1])
	if status != 429 {
		return // nobody asks again
	}
	switch {
	case x.manners&asksAgain != 0:
		x.header("retry-after-ms", "0")
	case x.manners&waitsAsTold != 0:
		x.headers = slices.DeleteFunc(x.headers, func(h [2]string) bool { return h[0] == "retry-after" })
	}
}

// tellMeters adds what is left of the tenants' limits to what the answer tells,
// in LiteLLM's headers if they are wanted, and the money of the key. That a soft budget
// is spent is told and counted whatever headers are wanted.
func (x *Exchange) tellMeters(v *quota.Verdict, litellm bool) {
	soft := int64(0)
	for i, s := range v.Meters {
		m := x.metered[i]
		name := m.descriptorName()
		if s.OverSoft {
			soft = 1
			x.told.text("x-fairshare-soft-budget-exceeded", name)
		}
		if !litellm {
			continue
		}
		if m.RPM.Limited {
			x.tellLimit(name, ofRequestsLimit, m.RPM.Max, s.Requests)
		}
		if m.TPM.Limited {
			x.tellLimit(name, ofTokensLimit, m.TPM.Max, s.Tokens)
		}
		if m.Parallel.Limited {
			x.tellLimit(name, ofParallelLimit, m.Parallel.Max, s.Parallel)
		}
		if m.subject == x.caller.key && m.model == "" && m.Budget.Limited {
			x.told.money("x-litellm-key-spend", s.Spent)
			x.told.money("x-litellm-key-max-budget", unit.PicoUSD(m.Budget.Max))
		}
	}
	if v.OK() {
		x.gateway.worker.count(OverSoftBudget, soft)
	}
}

// authorise reports whether the caller may ask for the model, or refuses.
func (x *Exchange) authorise() *Decision {
	c := x.caller
	if c.team != nil && c.team.Blocked {
		d := x.refuseKey("Team="+c.team.ID+" is blocked. Update via `/team/unblock` if you're an admin.", "auth_error")
		return &d
	}
	if c.team == nil && c.key.TeamID != "" {
		// A configuration that drops a team leaves its keys.
		d := x.refuseKey("Team doesn't exist in db. Team="+clip(c.key.TeamID)+". Create team via `/team/new` call.", "auth_error")
		return &d
	}
	kind, ok := c.allowed(x.group)
	if ok {
		return nil
	}
	d := x.refuse(403, llm.ErrorBody{
		Message: "The requested model '" + clip(x.ask.Model) + "' is not available for this API key, or the model name is invalid. Check the models available to you and try again.",
		Type:    deniedTypes[kind], Param: "model", Code: 403,
	}, Unauthorised)
	return &d
}

// allowed reports whether the caller may use a model group, or whose list does not grant
// it.
func (c *caller) allowed(gr *group) (tenant.Kind, bool) {
	m := gr.model
	return tenant.Allowed(c.key, c.user, c.team, c.member, m.Name, m.AccessGroups, gr.provider)
}

// deniedTypes are LiteLLM's (auth/model_access_denied.py); a member's list is
// part of the team's.
var deniedTypes = [tenant.NumKinds]string{
	tenant.Key: "key_model_access_denied", tenant.User: "user_model_access_denied", tenant.Team: "team_model_access_denied",
	tenant.Member: "team_model_access_denied", tenant.Customer: "customer_model_access_denied",
}

// authoriseCustomer does the same for the end user, if one is known.
func (x *Exchange) authoriseCustomer() *Decision {
	s := x.customer.subject
	if s == nil {
		return nil
	}
	if s.Blocked {
		d := x.refuseKey("End User="+clip(s.ID)+" is blocked. Update via `/customer/unblock` if you're an admin.", "auth_error")
		return &d
	}
	if m := x.group.model; !tenant.MayUse(s.Models, m.Name, m.AccessGroups) {
		d := x.refuse(403, llm.ErrorBody{
			Message: "The requested model '" + clip(x.ask.Model) + "' is not in the allowed models for this customer. Check the models this customer can use and try again.",
			Type:    deniedTypes[tenant.Customer], Param: "model", Code: 403,
		}, Unauthorised)
		return &d
	}
	return nil
}
