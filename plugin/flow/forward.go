package flow

import (
	"strconv"

	"fairshare/plugin/llm"
)

// rewriteMore is more than a rewrite adds beside the model: ,"stream_options":{"include_usage":true}.
const rewriteMore = 64

// forward rewrites the request for the upstream: the provider's model name and
// credential, a stream's usage asked for, no compression that would hide the
// usage, and nothing of the caller's secrets.
func (x *Exchange) forward(body []byte) Decision {
	options := llm.KeepOptions
	switch {
	case x.asksUsage():
		options = llm.AskUsage
	case x.chosen.NoStreamOptions && x.ask.HasOptions():
		options = llm.DropOptions // the client's would be refused as well
	}
	d := Decision{}
	if options != llm.KeepOptions || x.ask.Untidy || x.chosen.ProviderModel != x.ask.Model {
		room := x.rewriteRoom(len(body), 6*len(x.chosen.ProviderModel)+rewriteMore)
		d.Body, d.Replace = x.ask.Rewrite(room, body, x.chosen.ProviderModel, options), true
		if len(d.Body) <= maxScratch {
			x.body = d.Body
		}
	}
	if x.early {
		return d // the headers are gone already, see SendEarly
	}
	x.edits = x.edits[:0]
	switch {
	case d.Replace:
		x.edits = push(x.edits, Edit{Name: "content-length", Value: strconv.Itoa(len(d.Body))})
	case !x.sized:
		x.edits = push(x.edits, Edit{Name: "content-length", Value: strconv.Itoa(len(body))})
	}
	x.direct(x.chosen, x.route)
	d.Edits = x.edits
	return d
}

// asksUsage reports whether a stream's usage is asked for although the client did not:
// then it is taken out of the answer again.
func (x *Exchange) asksUsage() bool {
	return x.ask.Stream && !x.ask.UsageWanted && !x.chosen.NoStreamOptions
}

// direct edits the request's headers for an upstream.
func (x *Exchange) direct(to *target, r route) {
	x.removeDropped()
	if !x.json {
		x.edits = push(x.edits, Edit{Name: "content-type", Value: jsonType})
	}
	for c := range credentialNames {
		if x.present[c] && (c != authorization || to.bearer == "") {
			x.edits = push(x.edits, Edit{Op: Remove, Name: credentialNames[c]})
		}
	}
	if to.bearer != "" {
		x.edits = push(x.edits, Edit{Name: "authorization", Value: to.bearer})
	}
	if x.encoding {
		x.edits = push(x.edits, Edit{Name: "accept-encoding", Value: "identity"})
	}
	// The common case is that nothing changes, and then nothing is made.
	if suffix := upstreamPaths[r]; x.path == "" || len(x.path) != len(to.PathPrefix)+len(suffix) ||
		x.path[:len(to.PathPrefix)] != to.PathPrefix || x.path[len(to.PathPrefix):] != suffix {
		x.edits = push(x.edits, Edit{Name: ":path", Value: to.PathPrefix + suffix})
	}
	x.edits = push(x.edits, Edit{Name: ":authority", Value: to.Upstream})
	x.edits = push(x.edits, Edit{Op: Add, Name: upstreamHeader, Value: to.Upstream})
}

// SendEarly sends the headers on before the body is known, on hosts that can't
// wait for it with headers in hand. What the headers say must then not depend
// on the body: they name the configuration's first upstream, and a model of
// another one is refused when the body is there. That upstream gets no more
// than headers until the body is admitted.
func (x *Exchange) SendEarly() Decision {
	x.edits = x.edits[:0]
	if x.state != reading {
		return Decision{}
	}
	x.early = true
	if to := x.gateway.firstUpstream(); to == nil {
		x.hideCaller()
	} else {
		r := x.route
		if r == manage {
			r = chatCompletions // the gateway answers itself, wherever the headers go
		}
		x.direct(to, r)
	}
	// The body may change its length.
	x.edits = push(x.edits, Edit{Op: Remove, Name: "content-length"})
	return Decision{Edits: x.edits}
}

// firstUpstream is the first deployment that is not a mock, nil if all are.
func (g *Gateway) firstUpstream() *target {
	for i := range g.groups {
		for j := range g.groups[i].targets {
			if t := &g.groups[i].targets[j]; !t.IsMock {
				return t
			}
		}
	}
	return nil
}

// reaches reports whether a request whose headers went to the first upstream
// may carry a body for to.
func (g *Gateway) reaches(to *target) bool {
	first := g.firstUpstream()
	return first != nil && first.Upstream == to.Upstream && first.PathPrefix == to.PathPrefix && first.bearer == to.bearer
}

// HideCaller drops the caller's credentials, and whatever else does not go upstream,
// from a request whose body is awaited, so that nothing of them gets there whatever
// the host does next.
func (x *Exchange) HideCaller() Decision {
	x.edits = x.edits[:0]
	x.hideCaller()
	return Decision{Edits: x.edits}
}

func (x *Exchange) hideCaller() {
	for c := range credentialNames {
		if x.present[c] {
			x.edits = push(x.edits, Edit{Op: Remove, Name: credentialNames[c]})
			x.present[c] = false
		}
	}
	x.removeDropped()
	x.dropped = x.dropped[:0]
}

// removeDropped removes the headers that don't go upstream.
func (x *Exchange) removeDropped() {
	for _, name := range x.dropped {
		x.edits = push(x.edits, Edit{Op: Remove, Name: name})
	}
}

// LengthRequired refuses a request whose body might be empty, on a host that shows
// bodies only if they are not (RFC 9110, section 15.5.12).
func (x *Exchange) LengthRequired() Decision {
	x.arrived()
	return x.refuse(411, llm.ErrorBody{
		Message: "Length Required: this proxy can't read a body without content-length", Type: "invalid_request_error", Code: 411,
	}, BadRequests)
}

// Undone refuses a request about which the host did not do what was decided. What was
// held for it is given back.
func (x *Exchange) Undone(now int64) Decision {
	x.arrived()
	if x.state == waiting {
		x.release(now)
	}
	x.state = passing
	return x.refuse(500, llm.ErrorBody{
		Message: "The proxy did not carry out what was decided about this request, so it was not sent on", Type: "internal_server_error", Code: 500,
	}, BadRequests)
}
