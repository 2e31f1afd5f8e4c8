package flow

import (
	"strconv"
	"strings"
)

// Credential headers in the order in which LiteLLM looks for a key
// (proxy/auth/user_api_key_auth.py, get_api_key).
const (
	litellmKey = iota
	authorization
	azureKey
	anthropicKey
	googleKey
	numCredentials
)

var credentialNames = [numCredentials]string{"x-litellm-api-key", "authorization", "api-key", "x-api-key", "x-goog-api-key"}

// upstreamHeader names the upstream that was chosen; the proxy's route table
// reads it.
const upstreamHeader = "x-fairshare-upstream"

// A requestHead is what the stages need of a request's headers. Its strings
// are the host's.
type requestHead struct {
	method, path, query string
	credentials         [numCredentials]string
	length              int64  // of the body, -1 if not told
	target              int    // the length of path and query as they were written
	coding              string // of the body, if it is one that can't be judged
	endUser             string // copied; empty if no header names one

	agent, lang, version string // what the client says of itself, see mannersOf
	from                 crossOrigin
}

// readRequest reads the request's headers into r. It refuses those that another
// reader could understand differently.
func (x *Exchange) readRequest(pairs [][2]string, r *requestHead) *Decision {
	r.length = -1
	x.dropped = x.dropped[:0]
	types, lengths := 0, 0
	for i := range pairs {
		name, value := pairs[i][0], pairs[i][1]
		switch name {
		case ":method":
			r.method = value
			continue
		case ":path":
			r.path, r.query = split(value)
			r.target = len(value)
			continue
		case "content-length":
			if n, err := strconv.ParseInt(value, 10, 64); err == nil && value[0] >= '0' {
				r.length = n
			} else {
				lengths++ // written so that readers may differ
			}
			lengths++
			continue
		case "content-type":
			if types++; value == jsonType {
				continue
			}
			types++
			continue
		case "content-encoding":
			x.drop(name)
			if c := coding(value); c != "" {
				r.coding = c
			}
			continue
		case "accept-encoding":
			x.encoding = true
			continue
		case "user-agent":
			r.agent = value
		case "origin":
			r.from.origin = value
			x.page = x.gateway.allowOrigin(value)
		case "access-control-request-method":
			r.from.method = value
		case "access-control-request-headers":
			r.from.want = value
		case "x-stainless-lang":
			r.lang = value
		case "x-stainless-package-version":
			r.version = value
		}
		if len(name) > 0 && name[0] == ':' {
			continue
		}
		if c := credentialOf(name); c < numCredentials {
			// Envoy makes one of two authorization headers, joined by a comma,
			// which no key has.
			if x.present[c] || strings.IndexByte(value, ',') >= 0 {
				d := x.refuseKey("Malformed API Key passed in. The header "+name+" is given twice.", "auth_error")
				return &d
			}
			x.present[c] = true
			r.credentials[c] = value
			continue
		}
		if r.endUser == "" && value != "" && x.gateway.namesCustomer(name) {
			r.endUser = strings.Clone(value)
		}
		if !x.allowed(name) {
			x.drop(name)
		}
	}
	x.json, x.sized = types == 1, lengths <= 1
	if r.agent != "" || r.lang != "" {
		x.manners = mannersOf(r.agent, r.lang, r.version)
	}
	return nil
}

// credentialOf is the index in credentialNames of a header's name, numCredentials for
// any other header.
func credentialOf(name string) int {
	switch name {
	case "authorization":
		return authorization
	case "x-api-key":
		return anthropicKey
	case "api-key":
		return azureKey
	case "x-goog-api-key":
		return googleKey
	case "x-litellm-api-key":
		return litellmKey
	}
	return numCredentials
}

// namesCustomer reports whether a header tells the end user: LiteLLM's own
// (constants.py), or one that the configuration names.
func (g *Gateway) namesCustomer(name string) bool {
	if name == "x-litellm-customer-id" || name == "x-litellm-end-user-id" {
		return true
	}
	for _, h := range g.policy.UserHeaders {
		if name == h {
			return true
		}
	}
	return false
}

// jsonType is the content-type of what goes upstream, without a charset: JSON has
// none (RFC 8259, section 11), and some servers decode by it before they parse.
const jsonType = "application/json"

// drop keeps a header from going upstream.
//
//go:noinline
func (x *Exchange) drop(name string) {
	x.dropped = append(x.dropped, strings.Clone(name))
}

// coding is what of a content-encoding is not the body as it is, clipped; empty if
// nothing is.
func coding(value string) string {
	for _, c := range strings.Split(value, ",") {
		if c = strings.Trim(c, " \t"); c != "" && !equalFold(c, "identity") {
			return strings.Clone(clip(value))
		}
	}
	return ""
}

// An answerHead is what observing needs of an answer's headers.
type answerHead struct {
	status  int
	encoded bool // compressed: can't be read
	length  bool // the body's length is told
	foreign []string
}

// readAnswer reads an answer's headers.
func readAnswer(pairs [][2]string) answerHead {
	var a answerHead
	for i := range pairs {
		name, value := pairs[i][0], pairs[i][1]
		switch name {
		case ":status":
			a.status, _ = strconv.Atoi(value) // what is not a number is no success
		case "content-encoding":
			a.encoded = value != "" && !equalFold(value, "identity")
		case "content-length":
			a.length = true
		default:
			if theirs(name) && (len(a.foreign) == 0 || a.foreign[len(a.foreign)-1] != name) {
				a.foreign = append(a.foreign, name)
			}
		}
	}
	return a
}

// equalFold compares s with lower, which is lower-case ASCII.
func equalFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// clip shortens what a client sent, for a message.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
