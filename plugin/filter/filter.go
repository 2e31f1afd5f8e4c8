// Package filter joins the gateway to the proxy: callbacks in, decisions
// carried out. It alone knows the proxy-wasm ABI, and it decides nothing.
//
// It speaks that ABI itself. The SDK for Go (tetratelabs/proxy-wasm-go-sdk)
// looks every callback's context up in maps, allocates for each value of each
// host call, and exports callbacks that the gateway has no use for, which the
// host then makes.
package filter

import (
	"encoding/binary"
	"strings"

	"fairshare/plugin/config"
	"fairshare/plugin/flow"
)

// worker is the VM's. All configurations in it share one: after a reload the old
// one still serves the streams that it began.
var worker *flow.Worker

// plugin is one configuration of the filter.
type plugin struct {
	id      uint32 // of its root context
	gateway *flow.Gateway
	profile profile
}

// configure takes the configuration and reports whether it can be served.
func (p *plugin) configure() bool {
	prepare()
	inStream = false
	raw := readBuffer(pluginConfiguration, whole) // an empty one has an error text of its own
	policy, err := config.Parse(raw, getenv)
	if err == nil {
		err = flow.Serves(policy)
	}
	if err != nil {
		tell(logCritical, err.Error())
		return false
	}
	kind := kindOf(policy.Host)
	p.profile = profiles[kind]
	if worker == nil {
		var instance [8]byte
		if !random(instance[:]) {
			tell(logCritical, "the host gives no random bytes")
			return false
		}
		worker = flow.NewWorker(newHost(p.profile), binary.LittleEndian.Uint64(instance[:]))
	}
	if worker.Announces(raw) {
		for _, w := range policy.Warnings {
			tell(logWarn, w)
		}
	}
	if !p.profile.sharedData {
		tell(logWarn, kind.String()+" has no shared data: every worker counts for itself")
	}
	accept(policy.MaxBodyBytes)
	p.gateway = flow.NewGateway(worker, policy)
	if !p.profile.holdHeaders && !p.profile.bodyFirst {
		p.gateway.ForwardEarly()
	}
	if proxySetTickPeriod(flow.TickMS) != okay {
		tell(logWarn, kind.String()+" has no timers: nobody leads, reports and metrics stay empty")
	}
	return true
}

func (p *plugin) tick() {
	begin()
	if p.gateway == nil {
		return
	}
	clock = now()
	p.gateway.Tick(clock)
	if w := p.gateway.Warning(clock); w != "" {
		tell(logWarn, w)
	}
	p.probe()
}

// clock is the time of the last tick or admission: late by a tick at most. It
// is good enough where only the minute or a key's end matters, and spares a call.
var clock int64

func (s *stream) requestHeaders(end bool) action {
	begin()
	headers, ok := readHeaders(requestHeaders)
	if !ok {
		tell(logError, "the host gives no request headers")
		headers = nil // which no route takes
	}
	var length bodyLength
	if s.plugin.profile.bodyFirst {
		length = lengthOf(headers)
		end = length == none
	}
	if clock == 0 {
		clock = now()
	}
	a := s.onRequest(s.exchange.RequestHeaders(clock, headers, end))
	if a == pause && s.exchange.Reading() {
		if s.plugin.profile.bodyFirst {
			return s.bodyFirst(length)
		}
		s.awaitBody()
	}
	return a
}

func (s *stream) requestBody(n int, end bool) action {
	begin()
	s.bodyCame()
	if !end {
		return s.onRequest(s.exchange.BodyGrows(clock, n))
	}
	return s.requestEnds(n)
}

func (s *stream) requestTrailers() action {
	begin()
	return s.requestEnds(whole)
}

// requestEnds comes when the request's body is there, at most n bytes.
func (s *stream) requestEnds(n int) action {
	if !s.exchange.Reading() {
		return resume
	}
	var body []byte
	if n > 0 {
		body = readBuffer(requestBody, n) // nil, if it can't be read, is an error to the client
	}
	clock = now()
	return s.onRequest(s.exchange.RequestBody(clock, body))
}

func (s *stream) responseHeaders(end bool) {
	if !s.exchange.Waiting() {
		return
	}
	begin()
	headers, ok := readHeaders(responseHeaders)
	if !ok {
		tell(logError, "the host gives no response headers")
		headers = nil // which is no success, so nothing is charged
	}
	if s.plugin.profile.bodyAsked {
		end = s.askAnswer()
	}
	d := s.exchange.ResponseHeaders(clock, headers, end)
	edit(responseHeaders, d.Edits)
}

// askAnswer asks for the answer's body, on a host that shows it only then. The end that
// such a host tells with the headers says nothing.
// If the body does not come, it is charged by estimate.
//
//go:noinline
func (s *stream) askAnswer() (end bool) {
	const asks, yes = "wasm_process_resp_body", "true"
	if proxySetProperty(address(asks), uint32(len(asks)), address(yes), uint32(len(yes))) != okay {
		tell(logError, "the host does not take "+asks)
	}
	return false
}

func (s *stream) responseBody(n int, end bool) {
	if !s.exchange.Answering() {
		return
	}
	begin()
	if n > sliceSize {
		s.manySlices(n, end)
		return
	}
	var chunk []byte
	if n > 0 {
		chunk = readBuffer(responseBody, n)
	}
	fault(chunk)
	if d := s.exchange.ResponseBody(clock, chunk, end); d.Replace {
		report(proxySetBuffer(responseBody, 0, whole, start(d.Body), uint32(len(d.Body))))
	}
}

// manySlices takes a large part of an answer slice by slice: a host may hand over
// many megabytes at once, all that a buffer before the filter held.
//
//go:noinline
func (s *stream) manySlices(n int, end bool) {
	// Hosts replace a buffer's begin and nothing in its middle. So what may be
	// rewritten is taken off the begin, slice by slice, and put behind the end.
	turns := s.exchange.Rewrites()
	for at := 0; n > 0 && s.exchange.Answering(); {
		begin()
		size := min(n, sliceSize)
		chunk := readSlice(responseBody, at, size)
		n -= size
		if len(chunk) != size {
			n = 0 // the rest can't be read: it passes unseen, and the answer is judged by what was seen
		}
		fault(chunk)
		d := s.exchange.ResponseBody(clock, chunk, end && n == 0)
		if !turns {
			at += size
			continue
		}
		if !d.Replace {
			d.Body = chunk
		}
		report(proxySetBuffer(responseBody, 0, uint32(len(chunk)), nil, 0))
		if len(d.Body) > 0 {
			report(proxySetBuffer(responseBody, whole, 0, start(d.Body), uint32(len(d.Body))))
		}
	}
}

func (s *stream) responseTrailers() {
	begin()
	if d := s.exchange.ResponseTrailers(clock); d.Replace {
		report(proxySetBuffer(responseBody, whole, 0, start(d.Body), uint32(len(d.Body)))) // behind the body
	}
}

// onRequest carries out a decision about a request.
func (s *stream) onRequest(d flow.Decision) action {
	if d.Reply != nil {
		reply(d.Reply.Status, d.Reply.Headers, d.Reply.Body)
		return pause
	}
	done := edit(requestHeaders, d.Edits)
	if d.Replace && !report(proxySetBuffer(requestBody, 0, whole, start(d.Body), uint32(len(d.Body)))) {
		done = false
	}
	if !done {
		// What would go upstream is not what was decided: perhaps with the caller's key.
		return s.refuse(s.exchange.Undone(clock))
	}
	if d.Pause {
		return pause
	}
	return resume
}

// refuse answers with what the gateway says to a request that the host can't treat as
// it should.
//
//go:noinline
func (s *stream) refuse(d flow.Decision) action {
	reply(d.Reply.Status, d.Reply.Headers, d.Reply.Body)
	return pause
}

// bodyFirst makes sure that the body will be shown before anything goes upstream, on a
// host that shows it by itself or not at all.
//
//go:noinline
func (s *stream) bodyFirst(length bodyLength) action {
	if length != told {
		return s.refuse(s.exchange.LengthRequired())
	}
	const asks, yes = "wasm_process_req_body", "true"
	if s.plugin.profile.bodyAsked && proxySetProperty(address(asks), uint32(len(asks)), address(yes), uint32(len(yes))) != okay {
		return s.refuse(s.exchange.Undone(clock))
	}
	return s.onRequest(s.exchange.HideCaller())
}

// edit changes a header map and reports whether the host did all of it.
func edit(kind uint32, edits []flow.Edit) bool {
	done := true
	for i := range edits {
		e := &edits[i]
		name, nameSize := address(e.Name), uint32(len(e.Name))
		value, valueSize := address(e.Value), uint32(len(e.Value))
		switch e.Op {
		case flow.Set:
			done = report(proxyReplaceHeader(kind, name, nameSize, value, valueSize)) && done
		case flow.Add:
			done = report(proxyAddHeader(kind, name, nameSize, value, valueSize)) && done
		default:
			done = report(proxyRemoveHeader(kind, name, nameSize)) && done
		}
	}
	return done
}

// A bodyLength is what a request's headers say of its body's length.
type bodyLength uint8

const (
	none   bodyLength = iota // there is no body
	told                     // it has so many bytes, at least one
	untold                   // it may have some
)

// lengthOf tells whether a request has a body, for hosts that do not say so with its
// headers (RFC 9112, section 6.3: without length and encoding it has none). They show
// no body that is empty, so one that may be has to say its length.
func lengthOf(pairs [][2]string) bodyLength {
	length := none
	for i := range pairs {
		switch pairs[i][0] {
		case "transfer-encoding":
			return untold
		case "content-length":
			if strings.Trim(pairs[i][1], "0") != "" {
				length = told
			}
		}
	}
	return length
}
