package flow

import (
	"slices"
	"strconv"
	"time"

	"fairshare/plugin/config"
	"fairshare/plugin/llm"
	"fairshare/plugin/quota"
)

// limitNames are the headers that tell a client its limits, as OpenAI names
// them (platform.openai.com/docs/guides/rate-limits, "Rate limits in headers").
var limitNames = [...]string{
	"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests",
	"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens",
}

// setLimits keeps what the answer will tell of the limits: the model group's,
// what of it is left for this caller, and when the minute is over; then the
// tenants'.
func (x *Exchange) setLimits(v *quota.Verdict) {
	x.told.clear()
	kinds := x.gateway.policy.LimitHeaders
	if kinds == config.AllLimitHeaders || kinds == config.OpenAILimitHeaders {
		x.tellModel(v)
	}
	litellm := kinds == config.AllLimitHeaders || kinds == config.LiteLLMLimitHeaders
	switch {
	case !litellm:
	case v.Pool != nil:
		x.tellPool(v)
	case x.gateway.policy.Limiter == config.ByActiveKeys:
		x.tellProject(v)
	}
	x.tellMeters(v, litellm)
	x.told.done()
}

// tellModel adds what OpenAI tells.
func (x *Exchange) tellModel(v *quota.Verdict) {
	reset := x.gateway.worker.resets.text(seconds(v.ResetMS))
	for i, room := range [...]*quota.Room{&v.Requests, &v.Tokens} {
		if !room.Limited {
			continue
		}
		limit := x.group.rpm
		if i == 1 {
			limit = x.group.tpm
		}
		names := limitNames[3*i : 3*i+3]
		x.told.text(names[0], limit)
		x.told.number(names[1], room.Caller)
		x.told.text(names[2], reset)
	}
}

// tellProject adds what LiteLLM's dynamic_rate_limiter tells (async_post_call_success_hook):
// what is left of the model for this key, its "project", and for all, and how many
// keys are active. A limit that the model does not have is left out.
//
//go:noinline
func (x *Exchange) tellProject(v *quota.Verdict) {
	if !v.Requests.Limited && !v.Tokens.Limited {
		return
	}
	if printable(x.group.model.Name) {
		x.told.text("x-litellm-model_group", x.group.model.Name)
	}
	if v.Tokens.Limited {
		x.told.number("x-ratelimit-remaining-litellm-project-tokens", v.Tokens.Caller)
		x.told.number("x-ratelimit-remaining-model-tokens", v.Tokens.Model)
	}
	if v.Requests.Limited {
		x.told.number("x-ratelimit-remaining-litellm-project-requests", v.Requests.Caller)
		x.told.number("x-ratelimit-remaining-model-requests", v.Requests.Model)
	}
	x.told.number("x-ratelimit-current-active-projects", v.Keys)
}

// tellPool adds what LiteLLM's dynamic_rate_limiter_v3 tells: the model's limits and
// the caller's priority's part of them.
//
//go:noinline
func (x *Exchange) tellPool(v *quota.Verdict) {
	if v.Requests.Limited {
		x.tellLimit("model_saturation_check", ofRequestsLimit, x.group.terms.RPM, v.Requests.Model)
		x.tellLimit("priority_model", ofRequestsLimit, v.Pool.Requests, v.Pool.RequestsLeft)
	}
	if v.Tokens.Limited {
		x.tellLimit("model_saturation_check", ofTokensLimit, int64(x.group.terms.TPM), v.Tokens.Model)
		x.tellLimit("priority_model", ofTokensLimit, v.Pool.Tokens, v.Pool.TokensLeft)
	}
	priority := x.caller.priority
	if priority == "" {
		priority = "default"
	}
	if printable(priority) {
		x.told.text("x-litellm-priority", priority)
	}
	x.told.text("x-litellm-rate-limiter-version", "v3")
}

// tellLimit tells one limit of whose in LiteLLM's headers.
func (x *Exchange) tellLimit(whose string, what limitKind, limit, left int64) {
	names := x.gateway.worker.limitHeaders(whose)
	x.told.number(names[what].limit, limit)
	x.told.number(names[what].remaining, left)
}

// printable reports whether a header may have this value.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// resets are the texts of "37s" and the like, made once each.
type resets [61]string

func (r *resets) text(s int64) string {
	if r[s] == "" {
		r[s] = strconv.FormatInt(s, 10) + "s"
	}
	return r[s]
}

// seconds rounds up, and never to 0: a client that waits that long finds the
// moment passed.
func seconds(ms int64) int64 { return max(1, (ms+999)/1000) }

// overLimit is the 429 of the documents: "Key=… over available TPM=…", or with
// pools LiteLLM's of those.
func (x *Exchange) overLimit(v *quota.Verdict) Decision {
	what, room, metric := "TPM", &v.Tokens, RefusedTokens
	if v.Reason == quota.OverRequests {
		what, room, metric = "RPM", &v.Requests, RefusedRequests
	}
	x.headers = x.headers[:0]
	if v.RetryMS != quota.Never {
		x.header("retry-after", strconv.FormatInt(seconds(v.RetryMS), 10))
	}
	x.forbidRetry(429, v.RetryMS)
	message := ""
	if v.Pool != nil {
		message = x.overPool(v, room)
	} else {
		active := "None"
		if v.Active > 0 {
			active = strconv.FormatInt(v.Active, 10)
		}
		message = "Key=" + x.caller.key.ID + " over available " + what + "=" + strconv.FormatInt(room.Caller, 10) +
			". Model " + what + "=" + strconv.FormatInt(room.Model, 10) + ", Active keys=" + active
	}
	x.tellRefusedBy(0, v)
	x.headers = append(x.headers, x.told.headers...)
	e := llm.ErrorBody{Message: message, Type: llm.None, Param: llm.None, Code: 429, Nested: true}
	if x.gateway.policy.ErrorFormat == config.LiteLLM {
		e = llm.ErrorBody{Message: message, Type: "throttling_error", Code: 429}
	}
	return x.refuse(429, e, metric)
}

// overPool is what LiteLLM says if the model is spent, or only what the caller's
// priority may take of it (dynamic_rate_limiter_v3.py), and its headers.
func (x *Exchange) overPool(v *quota.Verdict, room *quota.Room) string {
	kind := "tokens"
	if v.Reason == quota.OverRequests {
		kind = "requests"
	}
	x.header("rate_limit_type", kind)
	limits := ", Rate limit type: " + kind + ", Model TPM: " + configured(v.Tokens.Limited, x.group.tpm) +
		", Model RPM: " + configured(v.Requests.Limited, x.group.rpm) + ", Remaining: "
	if v.Spent {
		return "Model capacity reached for " + x.group.model.Name + ". Priority: " + orNone(x.caller.priority) + limits + strconv.FormatInt(room.Model, 10)
	}
	percent := float64(v.Pool.Saturation) / (quota.One / 100)
	x.header("x-litellm-saturation", strconv.FormatFloat(percent, 'f', 2, 64)+"%")
	return "Priority-based rate limit exceeded. Model: " + x.group.model.Name + ", Priority: " + orNone(x.caller.priority) + limits +
		strconv.FormatInt(room.Caller, 10) + ", Model saturation: " + strconv.FormatFloat(percent, 'f', 1, 64) + "%"
}

func configured(limited bool, limit string) string {
	if !limited {
		return "not configured"
	}
	return limit
}

// header adds a header to the answer. That it is never inlined makes the wasm smaller.
//
//go:noinline
func (x *Exchange) header(name, value string) { x.headers = append(x.headers, [2]string{name, value}) }

// refuse answers with an error and counts it.
func (x *Exchange) refuse(status int, e llm.ErrorBody, m Metric) Decision {
	x.gateway.worker.count(m, 1)
	switch x.gateway.policy.ErrorFormat {
	case config.LiteLLM:
		e.CodeText = true
	case config.ByClient:
		e.Nested = e.Nested && x.manners&onlyText == 0
		e.CodeText = x.manners&textCode != 0
		if status == 429 && x.manners&knowsQuota != 0 && slices.Contains(x.headers, noRetry) {
			e.CodeWord = "insufficient_quota"
		}
	}
	x.body = e.Append(x.body[:0])
	x.recordRefusal(status, m)
	return x.send(status, "application/json")
}

// fail does what the failure table says for a failure before admission.
func (x *Exchange) fail(f failure) Decision {
	e := &onFail[f]
	x.headers = x.headers[:0]
	if e.retry {
		x.header("retry-after", "1")
	}
	return x.refuse(e.status, llm.ErrorBody{Message: e.message, Type: "internal_server_error", Code: e.status}, e.metric)
}

func (x *Exchange) tooLarge(now int64) Decision {
	return x.refuseBody(now, 413, llm.ErrorBody{
		Message: "Request body too large: this gateway takes " + strconv.Itoa(x.maxBody()) + " bytes",
		Type:    "invalid_request_error", Code: 413,
	})
}

// answer answers with JSON.
func (x *Exchange) answer(status int, body []byte) Decision {
	x.body = body
	x.headers = x.headers[:0]
	return x.send(status, "application/json")
}

// send answers with x.headers and x.body.
func (x *Exchange) send(status int, contentType string) Decision {
	x.state = passing
	if x.page != "" {
		x.shareAnswer()
	}
	x.header("content-type", contentType)
	x.reply = Reply{Status: status, Headers: x.headers, Body: x.body}
	return Decision{Reply: &x.reply}
}

func (x *Exchange) answerModels() Decision {
	var names []string
	for i := range x.gateway.groups {
		gr := &x.gateway.groups[i]
		if _, ok := x.caller.allowed(gr); ok {
			names = append(names, gr.model.Name)
		}
	}
	return x.answer(200, llm.AppendModels(x.body[:0], names))
}

// stamp prints ms since 1970 as Python prints a datetime.
func stamp(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05+00:00")
}

// appendStamp appends ms since 1970 as a JSON string in RFC 3339, UTC.
func appendStamp(dst []byte, ms int64) []byte {
	dst = append(dst, '"')
	dst = time.UnixMilli(ms).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	return append(dst, '"')
}
