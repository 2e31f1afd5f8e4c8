package hostsim

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"fairshare/hostsim/script"
)

// A Driver plays scenarios on a Host: the wasm, called as a proxy would call
// it, with a virtual clock and no network. The zero value of every field but
// Module is useful.
type Driver struct {
	Module  *Module
	Profile Profile // the zero Profile stands for Envoy
	Seed    uint64
	Trace   io.Writer
	Faults  Faults

	// HTTP2 ends a message with its last bytes instead of with an empty
	// chunk after them.
	HTTP2 bool

	host    *Host
	streams map[string]*open
}

// An open is a request that was forwarded and not yet answered.
type open struct {
	*Stream
	started bool // its answer has begun
}

var _ script.Driver = (*Driver)(nil)

// Host returns the host under the driver, nil before Start. Tests look into
// shared data and metrics there.
func (d *Driver) Host() *Host { return d.host }

// Start implements script.Driver.
func (d *Driver) Start(setup script.Setup) error {
	h, err := New(context.Background(), Options{
		Module: d.Module, Profile: d.Profile, Workers: setup.Workers, Config: setup.Config,
		Env: setup.Env, Now: setup.Now, Seed: d.Seed, Faults: d.Faults, Trace: d.Trace,
	})
	if err != nil {
		return err
	}
	d.host, d.streams = h, map[string]*open{}
	return nil
}

// Reload implements script.Driver.
func (d *Driver) Reload(config []byte) error { return d.host.Reload(config) }

// Advance implements script.Driver. Time passes in steps of the ticks that
// are due; a worker for which none was due gets one at the end.
func (d *Driver) Advance(by time.Duration) error {
	before := map[int]int{}
	d.eachWorker(func(id int) { before[id] = d.host.Ticks(id) })
	d.host.Advance(by)
	d.eachWorker(func(id int) {
		if d.host.Ticks(id) == before[id] {
			d.host.Tick(id)
		}
	})
	return nil
}

func (d *Driver) eachWorker(f func(id int)) {
	for id := range d.host.workers {
		if d.host.workers[id] != nil {
			f(id)
		}
	}
}

// Send implements script.Driver.
func (d *Driver) Send(name string, r script.Request) (script.Outcome, error) {
	if _, ok := d.streams[name]; ok {
		return script.Outcome{}, fmt.Errorf("hostsim: request %q is still open", name)
	}
	s := d.host.Open(r.Worker)
	headers := Headers{
		{":authority", "localhost"}, {":path", r.Path}, {":method", r.Method}, {":scheme", "http"},
	}
	for _, p := range r.Headers {
		headers.Add(p[0], p[1])
	}
	if _, ok := headers.Lookup("content-length"); !ok && len(r.Body) > 0 {
		headers.Add("content-length", strconv.Itoa(len(r.Body)))
	}
	headers.Add("x-forwarded-proto", "http")
	headers.Add("x-request-id", fmt.Sprintf("00000000-0000-4000-8000-%012d", s.host.next.Add(1)))
	s.RequestHeaders(headers, len(r.Body) == 0)
	if len(r.Body) > 0 {
		if d.HTTP2 {
			s.RequestBody(r.Body, true)
		} else {
			s.RequestBody(r.Body, false)
			s.RequestBody(nil, true)
		}
	}
	switch {
	case s.Client().Ended || s.Client().Cut:
		reply, err := replyOf(s)
		return script.Outcome{Reply: &reply}, err
	case s.Upstream().Ended:
		d.streams[name] = &open{Stream: s}
		return forwardedOf(s)
	}
	return script.Outcome{}, fmt.Errorf("hostsim: request %q hangs: the guest paused it and nothing can resume it", name)
}

// forwardedOf returns what the upstream received of s.
func forwardedOf(s *Stream) (script.Outcome, error) {
	u := s.Upstream()
	f := &script.Request{
		Worker: s.Worker(), Method: u.Headers.Get(":method"), Path: u.Headers.Get(":path"), Body: u.Body,
	}
	for _, p := range u.Headers {
		switch p[0] {
		case ":method", ":path", ":scheme":
		default:
			f.Headers = append(f.Headers, p)
		}
	}
	return script.Outcome{Forwarded: f}, lengthFits(u, "request")
}

// lengthFits reports an error if m has a content-length that is not the
// length of its body: a peer would see it cut off or run over.
func lengthFits(m Message, what string) error {
	length, ok := m.Headers.Lookup("content-length")
	if !ok || !m.Ended || length == strconv.Itoa(len(m.Body)) || len(m.Body) == 0 {
		return nil
	}
	return fmt.Errorf("hostsim: the %s's content-length is %s, its body has %d bytes", what, length, len(m.Body))
}

// replyOf returns what the client received of s.
func replyOf(s *Stream) (script.Reply, error) {
	c := s.Client()
	r := script.Reply{Body: c.Body, Cut: c.Cut}
	for _, p := range c.Headers {
		if p[0] == ":status" {
			status, err := strconv.Atoi(p[1])
			if err != nil {
				return r, fmt.Errorf("hostsim: the answer has the status %q", p[1])
			}
			r.Status = status
			continue
		}
		r.Headers = append(r.Headers, p)
	}
	return r, lengthFits(c, "answer")
}

// find returns the open request with this name.
func (d *Driver) find(name string) (*open, error) {
	s, ok := d.streams[name]
	if !ok {
		return nil, fmt.Errorf("hostsim: no request %q is open", name)
	}
	return s, nil
}

// Answer implements script.Driver.
func (d *Driver) Answer(name string, a script.Answer) (script.Reply, error) {
	s, err := d.find(name)
	if err != nil {
		return script.Reply{}, err
	}
	if !s.started {
		s.started = true
		headers := Headers{{":status", strconv.Itoa(max(a.Status, 0))}}
		if a.Status == 0 {
			headers.Set(":status", "200")
		}
		for _, p := range a.Headers {
			headers.Add(p[0], p[1])
		}
		head := s.Upstream().Headers.Get(":method") == "HEAD"
		s.ResponseHeaders(headers, !a.Unfinished && (len(a.Body) == 0 || head))
		if head {
			a.Body = nil
		}
	}
	cut := a.Cut
	if cut <= 0 {
		cut = max(len(a.Body), 1)
	}
	for rest := a.Body; len(rest) > 0; {
		chunk := rest[:min(cut, len(rest))]
		rest = rest[len(chunk):]
		s.ResponseBody(chunk, d.HTTP2 && !a.Unfinished && len(rest) == 0)
	}
	if !a.Unfinished && !s.Over() {
		s.ResponseBody(nil, true)
	}
	if !a.Unfinished || s.Over() {
		delete(d.streams, name)
		if !s.Over() {
			return script.Reply{}, fmt.Errorf("hostsim: the answer to %q hangs: the guest paused it", name)
		}
	}
	return replyOf(s.Stream)
}

// ResetUpstream implements script.Driver.
func (d *Driver) ResetUpstream(name string) (script.Reply, error) {
	s, err := d.find(name)
	if err != nil {
		return script.Reply{}, err
	}
	delete(d.streams, name)
	s.ResetUpstream()
	return replyOf(s.Stream)
}

// Abort implements script.Driver.
func (d *Driver) Abort(name string) error {
	s, err := d.find(name)
	if err != nil {
		return err
	}
	delete(d.streams, name)
	s.Stream.Abort()
	return nil
}

// Trap implements script.Driver.
func (d *Driver) Trap(name string) error {
	s, err := d.find(name)
	if err != nil {
		return err
	}
	delete(d.streams, name)
	d.host.Trap(s.Worker())
	return nil
}

// Close implements script.Driver.
func (d *Driver) Close() error {
	if d.host == nil {
		return nil
	}
	err := d.host.Close()
	d.host = nil
	return err
}
