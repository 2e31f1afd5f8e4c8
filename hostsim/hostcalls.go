package hostsim

import (
	"time"

	"fairshare/hostsim/abi"
)

var _ abi.Host = (*worker)(nil)

// stream returns the stream that the running callback acts for, or nil.
func (w *worker) stream() *Stream { return w.streams[w.effective] }

// rootOf returns the root context that context belongs to.
func (w *worker) rootOf(context uint32) *root {
	if s := w.streams[context]; s != nil {
		return s.root
	}
	for _, r := range w.roots {
		if r.id == context {
			return r
		}
	}
	return w.roots[len(w.roots)-1]
}

// Log implements abi.Logging.
func (w *worker) Log(level abi.LogLevel, message string) abi.Status {
	if level > abi.Critical {
		return abi.BadArgument
	}
	w.host.log(Line{w.id, level, message})
	return abi.OK
}

// Now implements abi.Ticks.
func (w *worker) Now() time.Time { return w.host.Now() }

// SetTickPeriod implements abi.Ticks.
func (w *worker) SetTickPeriod(period time.Duration) abi.Status {
	r := w.rootOf(w.effective)
	if w.host.profile.TickOnce && r.ticked && period > 0 {
		w.trap("tick_period already set")
	}
	r.ticked = true
	r.period, r.next = period, w.host.Now().Add(period)
	w.host.wake()
	return abi.OK
}

// Buffer implements abi.Bodies.
func (w *worker) Buffer(b abi.BufferType) ([]byte, abi.Status) {
	s := w.stream()
	switch b {
	case abi.RequestBody:
		return s.bodyOf(true)
	case abi.ResponseBody:
		return s.bodyOf(false)
	case abi.CalloutBody:
		if w.answer != nil {
			return w.answer.Body, abi.OK
		}
	case abi.VMConfiguration:
		if w.host.profile.VMStart == StartNever {
			return nil, abi.Unimplemented
		}
		return w.host.opt.VMConfig, abi.OK
	case abi.PluginConfiguration:
		// Envoy has it only while the configuration callbacks run
		// (source/extensions/common/wasm/context.cc, temp_plugin_).
		if w.configuring != nil {
			return w.configuring.config, abi.OK
		}
	}
	return nil, abi.NotFound
}

// bodyOf returns the buffer of a direction of s, which may be nil.
func (s *Stream) bodyOf(request bool) ([]byte, abi.Status) {
	if s == nil {
		return nil, abi.NotFound
	}
	h := s.half(request)
	switch {
	case h.holding:
		return h.held, abi.OK
	case h.inBody:
		return h.chunk, abi.OK
	case s.host.profile.AbsentIsEmpty:
		return nil, abi.OK
	}
	return nil, abi.NotFound
}

func (s *Stream) half(request bool) *half {
	if request {
		return &s.req
	}
	return &s.resp
}

// SetBuffer implements abi.Bodies.
func (w *worker) SetBuffer(b abi.BufferType, start, size uint32, data []byte) abi.Status {
	s := w.stream()
	if b != abi.RequestBody && b != abi.ResponseBody {
		if _, st := w.Buffer(b); st != abi.OK {
			return st
		}
		return abi.BadArgument
	}
	if _, st := s.bodyOf(b == abi.RequestBody); st != abi.OK {
		if w.host.profile.FrozenHeaders {
			w.trap("proxy_set_buffer_bytes outside of its phase")
		}
		return st
	}
	h := s.half(b == abi.RequestBody)
	if !h.holding && !h.inBody {
		return abi.BadArgument
	}
	buf := h.body()
	switch {
	case start == 0:
		rest := (*buf)[min(int(size), len(*buf)):]
		*buf = append(append([]byte(nil), data...), rest...)
	case int(start) >= len(*buf):
		*buf = append(*buf, data...)
	default:
		return abi.BadArgument
	}
	return abi.OK
}

// fields returns the headers or trailers m as the guest may see them now, or
// nil if it may not. write asks for those that it may change.
func (w *worker) fields(m abi.MapType, write bool) *Headers {
	if m == abi.CalloutHeaders || m == abi.CalloutTrailers {
		if w.answer == nil || write {
			return nil
		}
		if m == abi.CalloutTrailers {
			return &w.answer.Trailers
		}
		return &w.answer.Headers
	}
	s := w.stream()
	if s == nil {
		return nil
	}
	leave := w.host.profile.HeadersLeave
	switch m {
	case abi.RequestHeaders:
		if s.req.headers != nil && (s.req.readable || !leave || (s.logging && !write)) {
			return &s.req.headers
		}
	case abi.ResponseHeaders:
		if s.resp.headers != nil && (s.resp.readable || !leave || (s.logging && !write)) {
			if write && w.host.profile.FrozenHeaders && s.resp.passed {
				w.trap("response headers changed after they were sent")
			}
			return &s.resp.headers
		}
	case abi.RequestTrailers:
		return s.req.openTrailers()
	case abi.ResponseTrailers:
		if s.logging && !write && s.resp.trailers != nil {
			return &s.resp.trailers
		}
		return s.resp.openTrailers()
	}
	return nil
}

// openTrailers returns the trailers that the guest may change: those that
// came, or new ones while the last of the body is shown (envoy
// source/extensions/common/wasm/context.cc, getMap).
func (h *half) openTrailers() *Headers {
	if h.inBody && h.end && h.trailers == nil {
		h.trailers, h.trailersOpen = Headers{}, true
	}
	if h.trailersOpen {
		return &h.trailers
	}
	return nil
}

// HeaderPairs implements abi.Headers.
func (w *worker) HeaderPairs(m abi.MapType) ([][2]string, abi.Status) {
	h := w.fields(m, false)
	switch {
	case h != nil:
		return *h, abi.OK
	case w.host.profile.AbsentIsEmpty:
		return nil, abi.OK
	}
	return nil, abi.BadArgument
}

// HeaderValue implements abi.Headers.
func (w *worker) HeaderValue(m abi.MapType, name string) (string, abi.Status) {
	h := w.fields(m, false)
	if h == nil {
		return "", abi.BadArgument
	}
	value, ok := h.Lookup(name)
	if !ok {
		return "", abi.NotFound
	}
	return value, abi.OK
}

// SetHeaderPairs implements abi.Headers.
func (w *worker) SetHeaderPairs(m abi.MapType, pairs [][2]string) abi.Status {
	return w.change(m, func(h *Headers) { *h = lower(pairs) })
}

// AddHeader implements abi.Headers.
func (w *worker) AddHeader(m abi.MapType, name, value string) abi.Status {
	return w.change(m, func(h *Headers) { h.Add(name, value) })
}

// ReplaceHeader implements abi.Headers.
func (w *worker) ReplaceHeader(m abi.MapType, name, value string) abi.Status {
	return w.change(m, func(h *Headers) { h.Set(name, value) })
}

// RemoveHeader implements abi.Headers.
func (w *worker) RemoveHeader(m abi.MapType, name string) abi.Status {
	return w.change(m, func(h *Headers) { h.Remove(name) })
}

func (w *worker) change(m abi.MapType, f func(*Headers)) abi.Status {
	h := w.fields(m, true)
	if h == nil {
		return abi.BadArgument
	}
	f(h)
	return abi.OK
}

// SendLocalReply implements abi.LocalReplies.
func (w *worker) SendLocalReply(r abi.LocalReply) abi.Status {
	s, callback := w.stream(), w.callback
	if s == nil {
		return abi.OK
	}
	late := callback == abi.OnResponseBody || callback == abi.OnResponseTrailers
	if late && w.host.profile.ReplyInBody == ReplyTraps {
		w.trap("proxy_send_local_response")
	}
	w.after = append(w.after, func() { s.localReply(callback, r) })
	return abi.OK
}

// ContinueStream implements abi.Streams.
func (w *worker) ContinueStream(t abi.StreamType) abi.Status {
	switch t {
	case abi.RequestStream, abi.ResponseStream:
	case abi.UpstreamStream:
		return abi.Unimplemented
	case abi.DownstreamStream:
		return abi.OK
	default:
		return abi.BadArgument
	}
	if s := w.stream(); s != nil {
		w.after = append(w.after, func() { s.resume(s.half(t == abi.RequestStream)) })
		if w.host.profile.HeadersLeave {
			s.req.readable, s.req.trailersOpen = false, false
		}
	}
	return abi.OK
}

// CloseStream implements abi.Streams.
func (w *worker) CloseStream(t abi.StreamType) abi.Status {
	if t > abi.UpstreamStream {
		return abi.BadArgument
	}
	if s := w.stream(); s != nil && t <= abi.ResponseStream {
		w.after = append(w.after, s.cut)
	}
	return abi.OK
}

// SetEffectiveContext implements abi.Streams.
func (w *worker) SetEffectiveContext(id uint32) abi.Status {
	if w.streams[id] != nil {
		w.effective = id
		return abi.OK
	}
	for _, r := range w.roots {
		if r.id == id {
			w.effective = id
			return abi.OK
		}
	}
	return abi.BadArgument
}

// ContextDone implements abi.Streams. Contexts here are deleted right after
// proxy_on_done, whatever it returned, so that none ever waits.
func (w *worker) ContextDone() abi.Status { return abi.NotFound }

// SharedValue implements abi.SharedData.
func (w *worker) SharedValue(key string) ([]byte, uint32, abi.Status) { return w.host.shared.get(key) }

// SetSharedValue implements abi.SharedData.
func (w *worker) SetSharedValue(key string, value []byte, cas uint32) abi.Status {
	return w.host.shared.set(key, value, cas)
}

// RegisterQueue implements abi.Queues.
func (w *worker) RegisterQueue(name string) (uint32, abi.Status) {
	return w.host.shared.register(name, w, w.rootOf(w.effective).id), abi.OK
}

// ResolveQueue implements abi.Queues. All VMs of a Host have the same vm_id.
func (w *worker) ResolveQueue(_, name string) (uint32, abi.Status) {
	return w.host.shared.resolve(name)
}

// Enqueue implements abi.Queues.
func (w *worker) Enqueue(id uint32, value []byte) abi.Status {
	owner, root, full, st := w.host.shared.enqueue(id, value)
	if full && w.host.profile.QueueLimit > 0 {
		w.trap("queue full")
	}
	if st == abi.OK && w.host.profile.QueueReady && owner.id >= 0 {
		w.host.post(event{owner, root, id})
	}
	return st
}

// Dequeue implements abi.Queues.
func (w *worker) Dequeue(id uint32) ([]byte, abi.Status) { return w.host.shared.dequeue(id) }

// DefineMetric implements abi.Metrics.
func (w *worker) DefineMetric(t abi.MetricType, name string) (uint32, abi.Status) {
	return w.host.shared.define(t, name), abi.OK
}

// gauge traps where the host does for this metric.
func (w *worker) gauge(id uint32, record bool) {
	if !w.host.profile.GaugeTraps {
		return
	}
	w.host.shared.mu.Lock()
	m := w.host.shared.metric(id)
	w.host.shared.mu.Unlock()
	switch {
	case m == nil:
	case !record && m.Type != abi.Counter:
		w.trap("proxy_increment_metric of a " + m.Type.String())
	case record && m.Type == abi.Counter:
		w.trap("proxy_record_metric of a counter")
	}
}

// IncrementMetric implements abi.Metrics.
func (w *worker) IncrementMetric(id uint32, offset int64) abi.Status {
	w.gauge(id, false)
	return w.host.shared.increment(id, offset)
}

// RecordMetric implements abi.Metrics.
func (w *worker) RecordMetric(id uint32, value uint64) abi.Status {
	w.gauge(id, true)
	return w.host.shared.record(id, value)
}

// MetricValue implements abi.Metrics.
func (w *worker) MetricValue(id uint32) (uint64, abi.Status) { return w.host.shared.value(id) }
