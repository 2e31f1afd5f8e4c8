package config

import (
	"strings"

	"fairshare/plugin/document"
)

// internalPrefixes begin headers that the gateway and the proxy act on: a client's
// never go upstream, nor an upstream's to a client.
var internalPrefixes = [...]string{"x-fairshare-", "x-litellm-", "x-envoy-"}

// InternalHeader reports whether name, in lower case, is a header that only the
// gateway or the proxy may set.
func InternalHeader(name string) bool {
	for _, p := range internalPrefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// neverForwarded are headers that forward_headers can't name: credentials, and those
// that change how a message is framed or read.
var neverForwarded = []string{
	"authorization", "proxy-authorization", "cookie", "api-key", "x-api-key", "x-goog-api-key",
	"host", "connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect",
	"http2-settings", "content-encoding", "content-length", "content-type", "content-range", "range", "accept-encoding",
	"x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url", "x-original-method",
}

// Forwards reports whether fairshare_settings.forward_headers lists a header, by its
// name in lower case or by its begin.
func (p *Policy) Forwards(name string) bool {
	for _, entry := range p.ForwardHeaders {
		if entry == name {
			return true
		}
		if n := len(entry) - 1; entry[n] == '*' && strings.HasPrefix(name, entry[:n]) && !neverForwards(name) {
			return true
		}
	}
	return false
}

func neverForwards(name string) bool {
	if InternalHeader(name) {
		return true
	}
	for _, n := range neverForwarded {
		if n == name {
			return true
		}
	}
	return false
}

// forwardHeaders reads fairshare_settings.forward_headers.
func (r *reading) forwardHeaders(at place) []string {
	names := at.texts()
	for i, name := range names {
		name = strings.ToLower(name)
		names[i] = name
		item := document.Item(at.path, i)
		begin, wild := strings.CutSuffix(name, "*")
		switch {
		case name == "":
			names[i] = "-" // refused already
		case !token(begin), wild && (len(begin) < len("x-a-") || !strings.HasPrefix(begin, "x-") || !strings.HasSuffix(begin, "-")):
			r.fail(item, `a header's name, or a begin such as "x-team-*"`, document.Quote(name))
		case neverForwards(begin), wild && coversInternal(begin):
			r.fail(item, "a header that is no credential, changes no reading of the message and is not the gateway's own", document.Quote(name))
		}
	}
	return names
}

// coversInternal reports whether a begin of names is one of internal names too.
func coversInternal(begin string) bool {
	for _, p := range internalPrefixes {
		if strings.HasPrefix(p, begin) || strings.HasPrefix(begin, p) {
			return true
		}
	}
	return false
}

// token reports whether s can be a header's name (RFC 9110, section 5.6.2).
func token(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 || c == '*' {
			return false
		}
	}
	return s != ""
}
