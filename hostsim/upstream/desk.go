package upstream

import (
	"io"
	"net/http"
	"sync"
)

// A Desk is an upstream that answers by hand: each request waits as a Visit
// until the test says what it gets.
type Desk struct {
	// Name is the request header that names the visit.
	Name string

	mu     sync.Mutex
	visits map[string]chan *Visit
}

// Arrival returns a channel on which the visit of that name comes when the
// whole of its request has arrived.
func (d *Desk) Arrival(name string) <-chan *Visit { return d.arrival(name) }

func (d *Desk) arrival(name string) chan *Visit {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.visits == nil {
		d.visits = make(map[string]chan *Visit)
	}
	if d.visits[name] == nil {
		d.visits[name] = make(chan *Visit, 1)
	}
	return d.visits[name]
}

// ServeHTTP keeps the request until its visit ends.
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the gateway broke it off: it was never forwarded
	}
	v := &Visit{
		Request: r, Body: body,
		w: w, parts: make(chan Part), taken: make(chan struct{}), gone: make(chan struct{}),
	}
	defer close(v.gone)
	d.arrival(r.Header.Get(d.Name)) <- v
	for {
		select {
		case part := <-v.parts:
			if v.write(part) {
				return
			}
			v.taken <- struct{}{}
		case <-r.Context().Done():
			return
		}
	}
}

// A Visit is one request at a Desk.
type Visit struct {
	Request *http.Request
	Body    []byte

	w       http.ResponseWriter
	started bool
	parts   chan Part
	taken   chan struct{}
	gone    chan struct{}
}

// A Part is a piece of an answer.
type Part struct {
	Status  int         // only the first part's counts
	Headers [][2]string // likewise
	Body    []byte
	Cut     int  // bytes a write; 0 for all at once
	Last    bool // the answer ends with this part
	Reset   bool // break the connection instead of sending anything
}

// Give sends a part of the answer and returns when it has left. It reports
// false if the gateway has broken the request off before.
func (v *Visit) Give(part Part) bool {
	select {
	case v.parts <- part:
	case <-v.gone:
		return false
	}
	select {
	case <-v.taken:
	case <-v.gone:
	}
	return true
}

// Gone is closed when the visit has ended, from either side.
func (v *Visit) Gone() <-chan struct{} { return v.gone }

// write writes a part and reports whether the visit is over.
func (v *Visit) write(part Part) bool {
	if part.Reset {
		panic(http.ErrAbortHandler)
	}
	out := http.NewResponseController(v.w)
	if !v.started {
		v.started = true
		v.w.Header()["Content-Type"] = nil // what is not given is not guessed
		for _, h := range part.Headers {
			v.w.Header().Add(h[0], h[1])
		}
		v.w.WriteHeader(part.Status)
		if !part.Last || len(part.Body) > 0 {
			if out.Flush() != nil {
				return true
			}
		}
	}
	size := part.Cut
	if size <= 0 {
		size = max(len(part.Body), 1)
	}
	for rest := part.Body; len(rest) > 0; {
		n := min(size, len(rest))
		if _, err := v.w.Write(rest[:n]); err != nil || out.Flush() != nil {
			return true
		}
		rest = rest[n:]
	}
	return part.Last
}
