// Package filter joins the gateway to the proxy: callbacks in, decisions
// carried out. It alone knows the proxy-wasm SDK, and it decides nothing.
package filter

import (
	"encoding/binary"

	"fairshare/plugin/config"
	"fairshare/plugin/flow"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"
)

// vm is one wasm VM. All plugin contexts in it share one worker: after a reload
// the old context still serves the streams that it began.
type vm struct {
	types.DefaultVMContext
	worker *flow.Worker
}

// NewVM returns the context with which a VM starts.
func NewVM() types.VMContext { return &vm{} }

func (v *vm) NewPluginContext(uint32) types.PluginContext { return &plugin{vm: v} }

// plugin is one configuration of the filter.
type plugin struct {
	types.DefaultPluginContext
	vm      *vm
	gateway *flow.Gateway
	profile profile
}

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	prepare()
	inStream = false
	raw, err := proxywasm.GetPluginConfiguration()
	if err != nil {
		raw = nil // an empty configuration has an error text of its own
	}
	policy, err := config.Parse(raw, getenv)
	if err == nil {
		err = flow.Serves(policy)
	}
	if err != nil {
		proxywasm.LogCritical("fairshare: " + err.Error())
		return types.OnPluginStartStatusFailed
	}
	kind := kindOf(policy.Host)
	p.profile = profiles[kind]
	if p.vm.worker == nil {
		var instance [8]byte
		if !random(instance[:]) {
			proxywasm.LogCritical("fairshare: the host gives no random bytes")
			return types.OnPluginStartStatusFailed
		}
		p.vm.worker = flow.NewWorker(newHost(p.profile), binary.LittleEndian.Uint64(instance[:]))
	}
	if p.vm.worker.Announces(raw) {
		for _, w := range policy.Warnings {
			proxywasm.LogWarn("fairshare: " + w)
		}
	}
	if !p.profile.sharedData {
		proxywasm.LogWarn("fairshare: " + kind.String() + " has no shared data: every worker counts for itself")
	}
	p.gateway = flow.NewGateway(p.vm.worker, policy)
	if !p.profile.holdHeaders && !p.profile.bodyFirst {
		p.gateway.ForwardEarly()
	}
	if err := proxywasm.SetTickPeriodMilliSeconds(flow.TickMS); err != nil {
		proxywasm.LogWarn("fairshare: " + kind.String() + " has no timers: nobody leads, reports and metrics stay empty")
	}
	return types.OnPluginStartStatusOK
}

func (p *plugin) OnTick() {
	begin()
	if p.gateway == nil {
		return
	}
	clock = now()
	p.gateway.Tick(clock)
	p.probe()
}

// clock is the time of the last tick or admission: late by a tick at most. It
// is good enough where only the minute or a key's end matters, and spares a call.
var clock int64

func (p *plugin) NewHttpContext(id uint32) types.HttpContext {
	if p.gateway == nil {
		return &types.DefaultHttpContext{}
	}
	s := freeStreams
	if s == nil {
		s = new(stream)
	} else {
		freeStreams = s.next
	}
	s.plugin, s.exchange, s.id, s.next = p, p.gateway.Open(), id, nil
	return s
}

// stream is one request and its answer. Streams are reused.
type stream struct {
	types.DefaultHttpContext
	plugin   *plugin
	exchange *flow.Exchange
	id       uint32
	probed   bool // in the list of the probe
	since    int64
	next     *stream
}

// freeStreams are the streams that ended, linked by next.
var freeStreams *stream

func (s *stream) OnHttpRequestHeaders(_ int, end bool) types.Action {
	begin()
	headers, ok := readHeaders(requestHeaders)
	if !ok {
		proxywasm.LogError("fairshare: the host gives no request headers")
		headers = nil // which no route takes
	}
	if s.plugin.profile.bodyFirst {
		end = bodiless(headers)
	}
	if clock == 0 {
		clock = now()
	}
	a := s.onRequest(s.exchange.RequestHeaders(clock, headers, end))
	if a == types.ActionPause && s.exchange.Reading() {
		if s.plugin.profile.bodyFirst {
			return types.ActionContinue
		}
		s.awaitBody()
	}
	return a
}

func (s *stream) OnHttpRequestBody(n int, end bool) types.Action {
	begin()
	s.bodyCame()
	if !end {
		return s.onRequest(s.exchange.BodyGrows(n))
	}
	return s.requestBody(n)
}

func (s *stream) OnHttpRequestTrailers(int) types.Action {
	begin()
	if !s.exchange.Reading() {
		return types.ActionContinue
	}
	const all = 1<<31 - 1
	return s.requestBody(all)
}

func (s *stream) requestBody(n int) types.Action {
	if !s.exchange.Reading() {
		return types.ActionContinue
	}
	var body []byte
	if n > 0 {
		var err error
		if body, err = proxywasm.GetHttpRequestBody(0, n); err != nil {
			body = nil // nothing was sent, or nothing can be read: an error to the client
		}
	}
	clock = now()
	return s.onRequest(s.exchange.RequestBody(clock, body))
}

func (s *stream) OnHttpResponseHeaders(_ int, end bool) types.Action {
	begin()
	if !s.exchange.Waiting() {
		return types.ActionContinue
	}
	headers, ok := readHeaders(responseHeaders)
	if !ok {
		proxywasm.LogError("fairshare: the host gives no response headers")
		headers = nil // which is no success, so nothing is charged
	}
	d := s.exchange.ResponseHeaders(clock, headers, end)
	s.edit(responseHeaders, d.Edits)
	return types.ActionContinue
}

func (s *stream) OnHttpResponseBody(n int, end bool) types.Action {
	if !s.exchange.Answering() {
		return types.ActionContinue
	}
	begin()
	var chunk []byte
	if n > 0 {
		var err error
		if chunk, err = proxywasm.GetHttpResponseBody(0, n); err != nil {
			chunk = nil
		}
	}
	fault(chunk)
	if d := s.exchange.ResponseBody(clock, chunk, end); d.Replace {
		report(proxywasm.ReplaceHttpResponseBody(d.Body))
	}
	return types.ActionContinue
}

func (s *stream) OnHttpResponseTrailers(int) types.Action {
	begin()
	if d := s.exchange.ResponseTrailers(clock); d.Replace {
		report(proxywasm.AppendHttpResponseBody(d.Body))
	}
	return types.ActionContinue
}

func (s *stream) OnHttpStreamDone() {
	begin()
	s.exchange.Done(clock)
	s.exchange = flow.Ended
	s.leaveProbe()
	s.next = freeStreams
	freeStreams = s
}

// onRequest carries out a decision about a request.
func (s *stream) onRequest(d flow.Decision) types.Action {
	if d.Reply != nil {
		const noGRPC = -1
		if err := proxywasm.SendHttpResponse(uint32(d.Reply.Status), d.Reply.Headers, d.Reply.Body, noGRPC); err != nil {
			proxywasm.LogError("fairshare: an answer could not be sent: " + err.Error())
		}
		return types.ActionPause
	}
	s.edit(requestHeaders, d.Edits)
	if d.Replace {
		report(proxywasm.ReplaceHttpRequestBody(d.Body))
	}
	if d.Pause {
		return types.ActionPause
	}
	return types.ActionContinue
}

// edit changes a header map.
func (s *stream) edit(kind uint32, edits []flow.Edit) {
	for i := range edits {
		e := &edits[i]
		var err error
		switch {
		case kind == requestHeaders && e.Op == flow.Set:
			err = proxywasm.ReplaceHttpRequestHeader(e.Name, e.Value)
		case kind == requestHeaders && e.Op == flow.Add:
			err = proxywasm.AddHttpRequestHeader(e.Name, e.Value)
		case kind == requestHeaders:
			err = proxywasm.RemoveHttpRequestHeader(e.Name)
		case e.Op == flow.Set:
			err = proxywasm.ReplaceHttpResponseHeader(e.Name, e.Value)
		case e.Op == flow.Add:
			err = proxywasm.AddHttpResponseHeader(e.Name, e.Value)
		default:
			err = proxywasm.RemoveHttpResponseHeader(e.Name)
		}
		report(err)
	}
}

// report tells of a change that the host did not make. The stream goes on: the
// gateway's decision stands, and the host's own error shows in its answer.
func report(err error) {
	if err != nil {
		proxywasm.LogError("fairshare: the host refused a change: " + err.Error())
	}
}

// bodiless reports whether a request has no body, for hosts that do not say so
// with its headers (RFC 9112, section 6.3: neither length nor encoding given).
func bodiless(pairs [][2]string) bool {
	for i := range pairs {
		switch pairs[i][0] {
		case "transfer-encoding":
			return false
		case "content-length":
			return pairs[i][1] == "0"
		}
	}
	return true
}
