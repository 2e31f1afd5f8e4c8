package hostsim

import (
	"strconv"

	"fairshare/hostsim/abi"
)

// A Stream is one HTTP request and its answer on one worker. Its methods are
// what happens to it on the network; each returns when the guest has done all
// that it does about it. What came of it is in Upstream and Client. A method
// that comes too late, for a stream that is over, does nothing.
type Stream struct {
	host *Host
	w    *worker

	root  *root
	id    uint32 // its context in the guest, 0 before its headers
	epoch int    // the worker's VM that it belongs to
	pass  bool   // goes by without the filter

	req, resp half
	whole     []byte // a request body that the guest gets in one piece

	local    bool // the answer is not the upstream's
	failing  bool // the VM died; the rest of the answer is not shown to it
	trapped  bool // a callback trapped and the VM goes on
	hung     bool // paused with nothing that could resume it
	over     bool // no more callbacks
	logging  bool // in proxy_on_log
	wantReq  bool // wasm_process_req_body was set
	wantResp bool // wasm_process_resp_body was set
	closing  bool // in its last callbacks

	upstream, client Message
	actions          []Step
	changed          chan struct{}
	properties       map[string][]byte
}

// A Message is what one side has received so far.
type Message struct {
	Headers  Headers // nil until they arrived
	Body     []byte
	Trailers Headers
	Ended    bool // all of it is there
	Cut      bool // it broke off
}

// A Step is one callback and what the guest decided.
type Step struct {
	Callback string
	Action   abi.Action
	Replied  bool // the guest answered in the upstream's place
}

// A half is one direction of a stream: from client to upstream or back.
type half struct {
	response bool
	headers  Headers
	trailers Headers

	readable     bool // the guest can read and change the headers
	trailersOpen bool // and the trailers
	passed       bool // the headers have gone on
	stop         stop
	resumed      bool   // the guest asked to go on during its own callback
	held         []byte // body bytes that wait here
	holding      bool   // the last body callback paused, so held is its buffer
	chunk        []byte // the bytes of the running body callback
	inBody       bool
	end          bool // the end of the message has arrived
	complete     bool // the end has gone on
}

// stop says why a direction does not flow.
type stop int

const (
	flowing    stop = iota
	stopped         // headers or body paused; further callbacks run
	stoppedAll      // nothing runs until the guest resumes
)

// Open makes a stream on worker; 0 takes the workers in turn.
func (h *Host) Open(worker int) *Stream {
	if worker == 0 {
		worker = 1 + int(h.next.Add(1)-1)%h.opt.Workers
	}
	return &Stream{
		host: h, w: h.worker(worker), changed: make(chan struct{}, 1),
		resp: half{response: true}, properties: map[string][]byte{},
	}
}

// Worker returns the number of the worker that serves s.
func (s *Stream) Worker() int { return s.w.id }

// Upstream returns a copy of what the upstream has received.
func (s *Stream) Upstream() Message { return s.read(&s.upstream) }

// Client returns a copy of what the client has received.
func (s *Stream) Client() Message { return s.read(&s.client) }

// Local reports whether the answer is not the upstream's.
func (s *Stream) Local() (local bool) {
	s.w.peek(func() { local = s.local })
	return local
}

// Hung reports whether the guest paused s and nothing under way could make it
// go on: the client would wait until a timeout of the proxy.
func (s *Stream) Hung() (hung bool) {
	s.w.peek(func() {
		hung = !s.over && (s.hung || s.req.waits() || s.resp.waits()) && !s.calloutPending()
	})
	return hung
}

// Over reports whether s has had its last callback.
func (s *Stream) Over() (over bool) {
	s.w.peek(func() { over = s.over })
	return over
}

// Steps returns the callbacks that returned an action, in order.
func (s *Stream) Steps() (steps []Step) {
	s.w.peek(func() { steps = append(steps, s.actions...) })
	return steps
}

// TakeClientBody returns the body that the client has received since the last
// call, and forgets it. It is for streaming without keeping everything.
func (s *Stream) TakeClientBody() (body []byte) { return s.take(&s.client) }

// TakeUpstreamBody is TakeClientBody for the other side.
func (s *Stream) TakeUpstreamBody() (body []byte) { return s.take(&s.upstream) }

// Changed has a value whenever something new may be seen in Upstream or
// Client.
func (s *Stream) Changed() <-chan struct{} { return s.changed }

func (s *Stream) read(m *Message) (c Message) {
	s.w.peek(func() {
		c = *m
		c.Body = append([]byte(nil), m.Body...)
		if m.Headers != nil {
			c.Headers = m.Headers.Clone()
		}
	})
	return c
}

func (s *Stream) take(m *Message) (body []byte) {
	s.w.enter()
	defer s.w.leave()
	body, m.Body = m.Body, nil
	return body
}

func (s *Stream) note() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// RequestHeaders starts the stream; end tells that there is no body.
func (s *Stream) RequestHeaders(headers Headers, end bool) {
	s.w.enter()
	defer s.w.leave()
	if s.id != 0 || s.over || s.pass {
		return
	}
	s.req.headers, s.req.end = s.names(headers), end
	r, status := s.w.ready()
	if r == nil {
		if status == 0 {
			s.pass = true
			s.flush(&s.req)
			return
		}
		s.failing, s.epoch = true, s.w.epoch
		s.reply(status, nil, nil, false)
		return
	}
	s.root, s.epoch, s.id = r, s.w.epoch, s.w.newContext()
	s.w.streams[s.id] = s
	s.w.invoke(abi.OnContextCreate, 0, uint64(s.id), uint64(r.id))

	s.req.readable = true
	action, ok := s.call(abi.OnRequestHeaders, s.count(s.req.headers), s.endFlag(s.host.profile.RequestEnd, end))
	if !ok {
		return
	}
	if action == abi.Pause && !s.req.resumed {
		switch s.host.profile.HeaderPause {
		case StopIteration:
			s.req.stop = stopped
		case StopAll:
			s.req.stop = stoppedAll
		case WaitForCallout:
			s.req.stop = stoppedAll
			s.hung = !s.calloutPending()
		case CrashNoCallout:
			if !s.calloutPending() {
				s.w.crash("paused without a call-out")
				return
			}
			s.req.stop = stoppedAll
		}
		return
	}
	s.req.resumed = false
	s.leaveHeaders(&s.req)
	if s.host.profile.RequestWhole {
		if end {
			s.wholeRequest()
		}
		return
	}
	s.flush(&s.req)
}

// RequestBody is a chunk of the request's body; end tells that it is the
// last. An empty last chunk is how HTTP/1 ends a message.
func (s *Stream) RequestBody(chunk []byte, end bool) {
	s.w.enter()
	defer s.w.leave()
	if s.host.profile.RequestWhole && !s.pass {
		if s.over || s.local {
			return
		}
		s.whole = append(s.whole, chunk...)
		s.req.end = end
		if end && s.req.stop == flowing {
			s.wholeRequest()
		}
		return
	}
	s.data(&s.req, chunk, end)
}

// RequestTrailers ends the request with trailers. Envoy drops those of
// HTTP/1; the nginx hosts drop all.
func (s *Stream) RequestTrailers(trailers Headers) {
	if s.host.profile.RequestWhole {
		s.RequestBody(nil, true)
		return
	}
	s.w.enter()
	defer s.w.leave()
	s.trailers(&s.req, trailers)
}

// wholeRequest gives the guest the request's body in one piece and sends the
// request on.
func (s *Stream) wholeRequest() {
	p := &s.host.profile
	body := s.whole
	s.whole = nil
	wanted := len(body) > 0 || p.EmptyBody
	if p.BodyOnDemand && !s.wantReq {
		wanted = false
	}
	if wanted {
		s.data(&s.req, body, true)
		return
	}
	s.req.held, s.req.end = body, true
	s.flush(&s.req)
}

// ResponseHeaders starts the upstream's answer; end tells that it has no
// body.
func (s *Stream) ResponseHeaders(headers Headers, end bool) {
	s.w.enter()
	defer s.w.leave()
	s.startResponse(s.names(headers), end)
}

// ResponseBody is a chunk of the upstream's answer; end tells that it is the
// last.
func (s *Stream) ResponseBody(chunk []byte, end bool) {
	s.w.enter()
	defer s.w.leave()
	if s.local {
		return
	}
	s.data(&s.resp, chunk, end)
}

// ResponseTrailers ends the upstream's answer with trailers.
func (s *Stream) ResponseTrailers(trailers Headers) {
	if s.host.profile.RequestWhole {
		s.ResponseBody(nil, true)
		return
	}
	s.w.enter()
	defer s.w.leave()
	if !s.local {
		s.trailers(&s.resp, trailers)
	}
}

// ResetUpstream breaks the upstream's side off. Before any of its answer has
// come, the proxy answers in its place: 503 on Envoy
// (source/common/router/router.cc, onUpstreamReset), 502 on nginx. Later the
// client's side breaks off too.
func (s *Stream) ResetUpstream() {
	s.w.enter()
	defer s.w.leave()
	if s.over || s.local {
		return
	}
	s.upstream.Cut = true
	if s.resp.headers != nil {
		s.cut()
		return
	}
	if s.host.profile.RequestWhole {
		s.reply(502, Headers{{"content-type", "text/html"}}, []byte("<html>502 Bad Gateway</html>\r\n"), true)
		return
	}
	s.reply(503, nil, []byte("upstream connect error or disconnect/reset before headers. reset reason: connection termination"), true)
}

// Abort breaks the client's side off.
func (s *Stream) Abort() {
	s.w.enter()
	defer s.w.leave()
	if !s.over {
		s.cut()
	}
}

// startResponse shows the guest the headers of an answer, the upstream's or
// the proxy's own.
func (s *Stream) startResponse(headers Headers, end bool) {
	if s.over || s.resp.headers != nil || (s.id == 0 && !s.pass && !s.failing) {
		return
	}
	s.resp.headers, s.resp.end = headers, end
	if !s.alive() {
		return
	}
	if s.pass || s.failing {
		s.flush(&s.resp)
		return
	}
	s.resp.readable = true
	action, ok := s.call(abi.OnResponseHeaders, s.count(headers), s.endFlag(s.host.profile.ResponseEnd, end))
	if !ok {
		return
	}
	if action == abi.Pause && !s.resp.resumed {
		switch s.host.profile.HeaderPause {
		case StopIteration:
			s.resp.stop = stopped
			return
		case StopAll:
			s.resp.stop = stoppedAll
			return
		}
		// The nginx hosts have no pause here; the answer goes on.
	}
	s.resp.resumed = false
	s.leaveHeaders(&s.resp)
	s.flush(&s.resp)
}

// data carries a chunk of h through the guest.
func (s *Stream) data(h *half, chunk []byte, end bool) {
	if s.over || h.complete || (h.end && !s.host.profile.RequestWhole) {
		return
	}
	if h.response && h.headers == nil {
		return
	}
	if !h.response && s.local {
		return
	}
	h.end = end
	if !s.alive() {
		return
	}
	if s.pass || s.failing {
		h.held = append(h.held, chunk...)
		s.flush(h)
		return
	}
	if h.stop == stoppedAll {
		h.held = append(h.held, chunk...)
		return
	}
	p := &s.host.profile
	if h.response && p.BodyOnDemand && !s.wantResp {
		h.held = append(h.held, chunk...)
		s.flush(h)
		return
	}
	held := h.holding
	if held {
		h.held = append(h.held, chunk...)
		if s.tooMuch(h) {
			return
		}
	} else {
		h.chunk = append([]byte(nil), chunk...)
	}
	callback := abi.OnRequestBody
	if h.response {
		callback = abi.OnResponseBody
	}
	h.inBody = true
	action, ok := s.call(callback, uint64(len(*h.body())), flag(end))
	h.inBody = false
	if !ok {
		return
	}
	h.holding = false
	if !held {
		h.held = append(h.held, h.chunk...)
		h.chunk = nil
	}
	if action == abi.Pause && !h.resumed {
		h.holding, h.stop = true, stopped
		if p.RequestWhole && !h.response {
			h.stop = stoppedAll
			s.hung = !s.calloutPending()
		}
		s.tooMuch(h)
		return
	}
	h.resumed = false
	s.flush(h)
}

// tooMuch reports whether h holds more than the host lets a filter hold, and
// does what the host then does (envoy source/common/http/filter_manager.cc,
// requestDataTooLarge, responseDataTooLarge).
func (s *Stream) tooMuch(h *half) bool {
	p := &s.host.profile
	if p.BodyLimit == 0 || len(h.held) <= p.BodyLimit {
		return false
	}
	switch {
	case !h.response && p.RequestWhole:
		return false
	case !h.response:
		s.reply(413, nil, []byte("Payload Too Large"), true)
	case p.ResponseSpill:
		s.host.log(Line{s.w.id, abi.Error, "response buffers full, the response flows on"})
		h.holding = false
		s.flush(h)
	case h.passed:
		s.cut()
	default:
		s.resp = half{response: true}
		s.reply(500, nil, []byte("Internal Server Error"), false)
	}
	return true
}

// trailers carries the trailers of h through the guest and ends h.
func (s *Stream) trailers(h *half, trailers Headers) {
	if s.over || h.end || (h.response && h.headers == nil) || (!h.response && s.local) {
		return
	}
	h.trailers, h.end = lower(trailers), true
	if !s.alive() {
		return
	}
	if s.pass || s.failing {
		s.flush(h)
		return
	}
	if h.stop == stoppedAll {
		return
	}
	s.showTrailers(h)
}

// showTrailers calls the guest for the trailers of h.
func (s *Stream) showTrailers(h *half) {
	callback := abi.OnRequestTrailers
	if h.response {
		callback = abi.OnResponseTrailers
	}
	h.trailersOpen = true
	action, ok := s.call(callback, s.count(h.trailers))
	if !ok {
		return
	}
	if action == abi.Pause && !h.resumed {
		h.stop = stopped
		return
	}
	h.resumed, h.trailersOpen = false, false
	s.flush(h)
}

// flush sends on all that h holds and lets it flow.
func (s *Stream) flush(h *half) {
	to := &s.upstream
	if h.response {
		to = &s.client
	}
	h.stop = flowing
	if !h.passed {
		h.passed = true
		to.Headers = h.headers.Clone()
	}
	to.Body = append(to.Body, h.held...)
	h.held = nil
	if h.end && !h.complete {
		h.complete = true
		to.Trailers = h.trailers
		to.Ended = true
	}
	s.note()
	if h.response && h.complete {
		s.finish()
	}
}

// resume is proxy_continue_stream.
func (s *Stream) resume(h *half) {
	if s.over || s.closing {
		return
	}
	switch h.stop {
	case flowing:
		// The guest asked during its own callback, before it has paused.
		h.resumed = true
		return
	case stopped:
		h.holding = false
		s.flush(h)
		return
	}
	// Everything was stopped: what came meanwhile is shown to the guest now,
	// the body as one chunk (envoy filter_manager.cc, commonContinue with
	// iterate_from_current_filter).
	s.hung = false
	paused := h.holding
	h.stop, h.holding = flowing, false
	s.leaveHeaders(h)
	if s.host.profile.RequestWhole && !h.response {
		if paused {
			s.flush(h)
		} else if h.end {
			s.wholeRequest()
		}
		return
	}
	held, end := h.held, h.end
	h.held = nil
	if len(held) == 0 && h.trailers == nil {
		s.flush(h)
		return
	}
	trailers := h.trailers
	h.end = false
	s.flush(h)
	if len(held) > 0 {
		s.data(h, held, end && trailers == nil)
	}
	if trailers != nil && !s.over {
		h.end = true
		s.showTrailers(h)
	}
}

// leaveHeaders is the moment at which the guest let the headers of h go.
func (s *Stream) leaveHeaders(h *half) {
	if s.host.profile.HeadersLeave {
		h.readable = false
	}
}

// reply answers the client in the upstream's place. again says whether the
// guest sees the answer in its response callbacks. An answer whose headers
// have left cannot be replaced: the stream breaks off.
func (s *Stream) reply(status int, headers Headers, body []byte, again bool) {
	if s.over || s.closing {
		return
	}
	if s.client.Headers != nil {
		s.cut()
		return
	}
	s.local = true
	if s.upstream.Headers != nil && !s.upstream.Ended {
		s.upstream.Cut = true
	}
	h := Headers{{":status", strconv.Itoa(status)}}
	for _, p := range headers {
		h.Add(p[0], p[1])
	}
	if len(body) > 0 {
		h.Set("content-length", strconv.Itoa(len(body)))
		if _, ok := h.Lookup("content-type"); !ok {
			h.Add("content-type", "text/plain")
		}
	}
	if s.req.headers.Get(":method") == "HEAD" {
		body = nil
	}
	s.resp = half{response: true}
	s.req.stop = flowing
	if !again {
		s.resp.headers, s.resp.held, s.resp.end = h, body, true
		s.flush(&s.resp)
		return
	}
	s.startResponse(h, len(body) == 0)
	if len(body) > 0 {
		s.data(&s.resp, body, true)
	}
}

// localReply carries out proxy_send_local_response, asked for in callback.
func (s *Stream) localReply(callback string, r abi.LocalReply) {
	p := &s.host.profile
	body := r.Body
	if p.ReplyNewline && len(body) > 0 {
		body = append(append([]byte(nil), body...), '\n')
	}
	headers := lower(r.Headers)
	late := LateReply(-1)
	switch callback {
	case abi.OnResponseHeaders:
		late = p.ReplyInHeaders
	case abi.OnResponseBody, abi.OnResponseTrailers:
		late = p.ReplyInBody
	}
	switch late {
	case ReplyIgnored:
	case ReplyStatus:
		// nginx has the upstream's content-length already
		// (ngx src/http/proxy_wasm/ngx_http_proxy_wasm.c).
		s.resp.headers.Set(":status", strconv.FormatUint(uint64(r.Status), 10))
		if n, err := strconv.Atoi(s.resp.headers.Get("content-length")); err == nil && n < len(body) {
			body = body[:n]
		}
		s.local = true
		s.resp.held, s.resp.end = body, true
		s.flush(&s.resp)
	case ReplyReplaces:
		s.reply(int(r.Status), headers, body, false)
	default:
		if !s.local {
			s.reply(int(r.Status), headers, body, true)
		}
	}
}

// cut breaks the stream off and ends it.
func (s *Stream) cut() {
	if !s.client.Ended {
		s.client.Cut = true
	}
	if s.upstream.Headers != nil && !s.upstream.Ended {
		s.upstream.Cut = true
	}
	s.finish()
}

// finish gives the guest the last callbacks of the stream.
func (s *Stream) finish() {
	if s.over || s.closing {
		return
	}
	s.closing = true
	defer s.note()
	if s.id == 0 || s.epoch != s.w.epoch || s.w.failed != nil {
		s.over = true
		if s.epoch == s.w.epoch {
			delete(s.w.streams, s.id)
		}
		return
	}
	id := uint64(s.id)
	log := func() {
		s.logging = true
		s.w.invoke(abi.OnLog, 0, id)
		s.logging = false
	}
	if s.host.profile.End == LogDoneDelete {
		log()
	}
	s.w.invoke(abi.OnDone, 1, id)
	if s.host.profile.End == DoneLogDelete {
		log()
	}
	s.w.invoke(abi.OnDelete, 0, id)
	s.over = true
	delete(s.w.streams, s.id)
}

// alive reports whether the guest can be called for s. If its VM has died the
// stream is ended as the host ends it (cpp-host src/context.cc, CHECK_FAIL).
func (s *Stream) alive() bool {
	if s.pass || s.failing || (s.epoch == s.w.epoch && s.w.failed == nil) {
		return true
	}
	if s.host.profile.AfterTrap == FailOpen {
		s.pass = true
		return true
	}
	s.failStream()
	return false
}

// failStream answers for a guest that trapped.
func (s *Stream) failStream() {
	s.failing = true
	status := 503
	if s.host.profile.AfterTrap == Recreate {
		status = 500
	}
	s.reply(status, nil, nil, false)
}

// call calls the guest and reports whether its action is to be carried out:
// not if it answered itself, died or ended the stream.
func (s *Stream) call(callback string, args ...uint64) (abi.Action, bool) {
	at := len(s.actions)
	s.actions = append(s.actions, Step{Callback: callback})
	local := s.local
	action := abi.Action(s.w.invoke(callback, 0, append([]uint64{uint64(s.id)}, args...)...))
	s.actions[at].Action = action
	s.actions[at].Replied = s.local != local
	if s.over || s.local != local {
		return action, false
	}
	if s.trapped {
		s.trapped = false
		if s.resp.headers == nil {
			s.reply(503, nil, nil, true)
			return action, false
		}
		return abi.Continue, true
	}
	if !s.alive() {
		return action, false
	}
	return action, true
}

// count returns the number of headers as the host tells it.
func (s *Stream) count(h Headers) uint64 {
	if !s.host.profile.CountHeaders {
		return 0
	}
	return uint64(len(h))
}

// endFlag returns the end of a message as the host tells it.
func (s *Stream) endFlag(e EndOfStream, end bool) uint64 {
	switch e {
	case EndNever:
		return 0
	case EndAlways:
		return 1
	}
	return flag(end)
}

// waits reports whether only the guest can make h go on.
func (h *half) waits() bool {
	return h.stop == stoppedAll || (h.stop == stopped && h.end)
}

// body returns the buffer that the guest sees during a body callback.
func (h *half) body() *[]byte {
	if h.holding {
		return &h.held
	}
	return &h.chunk
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
