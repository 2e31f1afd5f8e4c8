package hostsim

import (
	"slices"
	"time"

	"fairshare/hostsim/abi"
)

// A PendingCallout is an HTTP request of the guest that waits for its answer.
type PendingCallout struct {
	abi.Callout
	Worker int
	ID     uint32 // counts from 1 in each VM

	w        *worker
	epoch    int
	root     uint32
	context  uint32 // the stream that made it, or the root
	deadline time.Time
}

// A CalloutAnswer is what the guest reads in proxy_on_http_call_response.
type CalloutAnswer struct {
	Headers  Headers // none stands for a failure
	Body     []byte
	Trailers Headers
}

// Callouts returns the call-outs that wait for their answers, oldest first.
func (h *Host) Callouts() []*PendingCallout {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.callouts)
}

// AnswerCallout gives the guest the answer to c. A call-out that was answered
// before, or whose VM is gone, is left alone.
func (h *Host) AnswerCallout(c *PendingCallout, a CalloutAnswer) {
	h.mu.Lock()
	at := slices.Index(h.callouts, c)
	if at >= 0 {
		h.callouts = slices.Delete(h.callouts, at, at+1)
	}
	h.mu.Unlock()
	if at < 0 {
		return
	}
	w := c.w
	w.enter()
	defer w.leave()
	if w.epoch != c.epoch || w.failed != nil {
		return
	}
	headers := len(a.Headers)
	if !h.profile.CountHeaders {
		headers = min(headers, 1)
	}
	w.answer = &a
	defer func() { w.answer = nil }()
	w.invoke(abi.OnCalloutResponse, 0, uint64(c.root), uint64(c.ID), uint64(headers),
		uint64(len(a.Body)), uint64(len(a.Trailers)))
}

// FailCallout tells the guest that c came to nothing: on Envoy as a local
// answer with the status (503 refused, 504 timed out) and three headers, on
// the nginx hosts as an answer without any header.
func (h *Host) FailCallout(c *PendingCallout, status string) {
	var a CalloutAnswer
	if h.profile.CalloutFailure {
		a = CalloutAnswer{
			Headers: Headers{{":status", status}, {"content-length", "24"}, {"content-type", "text/plain"}},
			Body:    []byte("upstream request timeout"),
		}
	}
	h.AnswerCallout(c, a)
}

func (h *Host) timeOut(c *PendingCallout) { h.FailCallout(c, "504") }

// calloutPending reports whether a call-out of s waits for its answer.
func (s *Stream) calloutPending() bool {
	for _, c := range s.host.Callouts() {
		if c.w == s.w && c.epoch == s.epoch && c.context == s.id {
			return true
		}
	}
	return false
}

// StartCallout implements abi.Callouts.
func (w *worker) StartCallout(c abi.Callout) (uint32, abi.Status) {
	h := w.host
	headers := lower(c.Headers)
	_, path := headers.Lookup(":path")
	_, method := headers.Lookup(":method")
	_, authority := headers.Lookup(":authority")
	if !path || !method || !authority {
		return 0, abi.BadArgument
	}
	if h.opt.Clusters != nil && !slices.Contains(h.opt.Clusters, c.Upstream) {
		return 0, abi.BadArgument
	}
	if h.profile.CalloutByHost {
		// ngx: src/common/proxy_wasm/ngx_proxy_wasm_host.c:1171 allows these
		// phases only and traps in the others.
		switch w.callback {
		case abi.OnRequestHeaders, abi.OnRequestBody, abi.OnTick, abi.OnCalloutResponse:
		default:
			w.trap("proxy_http_call")
		}
	}
	r := w.rootOf(w.effective)
	p := &PendingCallout{
		Callout: c, Worker: w.id, w: w, epoch: w.epoch, root: r.id,
		context: w.effective, deadline: h.Now().Add(c.Timeout),
	}
	p.Headers = headers
	w.lastCallout++
	p.ID = w.lastCallout
	h.mu.Lock()
	h.callouts = append(h.callouts, p)
	h.mu.Unlock()
	h.wake()
	if h.opt.Callout != nil {
		h.opt.Callout(p)
	}
	return p.ID, abi.OK
}

// CallForeign implements abi.Callouts: no host function of its own is offered,
// as none is the same on two hosts.
func (w *worker) CallForeign(string, []byte) ([]byte, abi.Status) { return nil, abi.NotFound }

// wake tells RunTicks that something may be due earlier than it thought.
func (h *Host) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.tickless)
	h.tickless = make(chan struct{})
}
