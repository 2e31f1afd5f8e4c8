package flow

// Browsers ask before a page may call another origin, and let it read what the answer
// allows (Fetch, "CORS protocol"). A preflight carries no key, so that it must be answered
// before one is looked for. Keys come in headers that only a page which has them can
// send, never in cookies: there is nothing that a foreign page could borrow.

// A crossOrigin is what a request says of the page that sent it.
type crossOrigin struct {
	origin string // the request's
	method string // access-control-request-method: it is a preflight
	want   string // access-control-request-headers
}

// allowOrigin is what an answer's access-control-allow-origin has to say to a page of
// that origin, empty if it may not read it.
//
//go:noinline
func (g *Gateway) allowOrigin(origin string) string {
	for _, o := range g.policy.CORSOrigins {
		if o == "*" || o == origin {
			return o
		}
	}
	return ""
}

// maxWanted bounds, in bytes, the header names of a preflight that are sent back.
const maxWanted = 4 << 10

// preflight answers as LiteLLM does (its CORSMiddleware): any method, the headers that
// are asked for, for ten minutes.
//
//go:noinline
func (x *Exchange) preflight(from *crossOrigin) Decision {
	x.headers = x.headers[:0]
	x.header("access-control-allow-methods", "GET, POST, HEAD, OPTIONS")
	x.header("access-control-max-age", "600")
	if from.want != "" && len(from.want) <= maxWanted {
		x.header("access-control-allow-headers", from.want)
	}
	x.body = append(x.body[:0], "OK"...)
	return x.send(200, "text/plain")
}

// shareAnswer lets the page that asked read an answer of the gateway's own.
//
//go:noinline
func (x *Exchange) shareAnswer() {
	x.header("access-control-allow-origin", x.page)
	x.header("access-control-expose-headers", "*")
	x.header("vary", "Origin")
}

// shareForwarded lets it read an upstream's answer, whose own word on that is removed.
//
//go:noinline
func (x *Exchange) shareForwarded() {
	x.edits = push(x.edits, Edit{Op: Add, Name: "access-control-allow-origin", Value: x.page})
	x.edits = push(x.edits, Edit{Op: Set, Name: "access-control-expose-headers", Value: "*"})
	x.edits = push(x.edits, Edit{Op: Add, Name: "vary", Value: "Origin"})
}
