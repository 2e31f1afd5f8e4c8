package flow

import (
	"strings"

	"fairshare/plugin/config"
	"fairshare/plugin/llm"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

// What goes to an upstream is listed: a header that nobody thought of may name the
// client, its session or its network, act on the operator's account, or make the
// upstream read another request than the one that was judged.

// goesUpstream reports whether a request's header is sent on without anybody having
// configured it. Names are told apart by their length first: most requests have ten
// headers, all of them listed.
func goesUpstream(name string) bool {
	switch len(name) {
	case 2:
		return name == "b3"
	case 4:
		return name == "host"
	case 6:
		return name == "accept"
	case 7:
		return name == "baggage" || name == "x-title"
	case 10:
		return name == "user-agent" || name == "connection" || name == "tracestate" || name == "keep-alive"
	case 11:
		return name == "traceparent" || name == "openai-beta"
	case 12:
		return name == "content-type" || name == "x-request-id" || name == "http-referer" || name == "sentry-trace"
	case 13:
		return name == "uber-trace-id"
	case 14:
		return name == "content-length" || name == "anthropic-beta" || name == "sec-fetch-mode" || name == "grpc-trace-bin" ||
			name == "x-grok-conv-id"
	case 15:
		return name == "accept-encoding" || name == "idempotency-key" || name == "accept-language" || name == "x-amzn-trace-id"
	case 16:
		return name == "x-correlation-id"
	case 17:
		// Envoy finds no route without x-forwarded-proto and corrects what is no scheme.
		return name == "anthropic-version" || name == "x-forwarded-proto" || name == "transfer-encoding" ||
			name == "x-ot-span-context" || name == "x-goog-api-client"
	case 18:
		return name == "x-openrouter-title" || name == "x-session-affinity"
	case 19:
		return name == "x-client-request-id"
	case 21:
		return name == "x-cloud-trace-context"
	case 22:
		return name == "x-ms-client-request-id"
	case 23:
		return name == "x-openrouter-categories"
	}
	return false
}

// allowed reports whether the request's header is sent on.
func (x *Exchange) allowed(name string) bool {
	return goesUpstream(name) || strings.HasPrefix(name, "x-stainless-") || x.allowedRarely(name)
}

//go:noinline
func (x *Exchange) allowedRarely(name string) bool {
	return strings.HasPrefix(name, "x-b3-") || strings.HasPrefix(name, "x-datadog-") || x.gateway.policy.Forwards(name)
}

// passesThrough reports whether a header goes on where the body is not judged either:
// how the body is written, and what part of an answer is wanted.
func passesThrough(name string) bool {
	switch name {
	case "content-encoding", "content-disposition", "content-language", "content-range", "range", "cache-control", "expect":
		return true
	}
	return strings.HasPrefix(name, "if-")
}

// through edits the headers of a request for a path of pass_through_paths. A key of
// this gateway means nothing there and is not to be seen there; another may be the
// upstream's.
//
//go:noinline
func (x *Exchange) through(now int64, r *requestHead) Decision {
	x.edits = x.edits[:0]
	for _, name := range x.dropped {
		if !passesThrough(name) {
			x.edits = append(x.edits, Edit{Op: Remove, Name: name})
		}
	}
	for c, value := range r.credentials {
		if x.present[c] && (c == litellmKey || x.ours(now, value)) {
			x.edits = append(x.edits, Edit{Op: Remove, Name: credentialNames[c]})
		}
	}
	return Decision{Edits: x.edits}
}

// ours reports whether a credential may hold a key of this gateway, wherever in it: what
// counts is what leaves, not what would be taken for a key here.
func (x *Exchange) ours(now int64, credential string) bool {
	g := x.gateway
	g.tenants.Refresh(now)
	blank := func(r rune) bool { return r <= ' ' }
	mark := func(r rune) bool { return r <= ' ' || strings.ContainsRune(`,;:="'`, r) }
	words := append(strings.FieldsFunc(credential, blank), strings.FieldsFunc(credential, mark)...)
	const most = 16 // no scheme has as many
	if len(words) > most {
		return true
	}
	for _, word := range words {
		hash := tenant.Hash(word)
		if g.policy.HasMasterKey && same(&hash, &g.policy.MasterKey) {
			return true
		}
		if _, st := g.tenants.FindKey(&hash); st != quota.NotFound {
			return true // what can't be told is not given away
		}
	}
	return false
}

// theirs reports whether a header of an answer is between the upstream and the
// operator: it sets state in the client for this gateway's origin, speaks for this
// gateway, or tells of the operator's account and its limits.
func theirs(name string) bool {
	switch name {
	case "set-cookie", "set-cookie2", "alt-svc", "clear-site-data", "strict-transport-security", "public-key-pins",
		"nel", "report-to", "reporting-endpoints", "openai-organization", "openai-project", "anthropic-organization-id",
		"ratelimit", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "ratelimit-policy":
		return true
	}
	return config.InternalHeader(name) && name != "x-envoy-upstream-service-time" ||
		strings.HasPrefix(name, "x-ratelimit-") || strings.HasPrefix(name, "anthropic-ratelimit-") ||
		strings.HasPrefix(name, "access-control-allow-")
}

// coded refuses a body in a coding: what it says is not known, and the upstream would
// decode it. RFC 9110, section 12.5.3, has accept-encoding name what would do.
//
//go:noinline
func (x *Exchange) coded(coding string) Decision {
	x.headers = append(x.headers[:0], [2]string{"accept-encoding", "identity"})
	return x.refuse(415, llm.ErrorBody{
		Message: "Unsupported Media Type: content-encoding " + coding + ". A body must be JSON as it is, not compressed",
		Type:    "invalid_request_error", Code: 415,
	}, BadRequests)
}
