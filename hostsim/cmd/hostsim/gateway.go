package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"fairshare/hostsim"
)

// chosen is the request header by which the filter names the upstream.
const chosen = "x-fairshare-upstream"

// chunkSize is how much of a body is read at once.
const chunkSize = 32 << 10

// A gateway serves HTTP through a filter.
type gateway struct {
	host   *hostsim.Host
	scheme func(authority string) string
	client http.RoundTripper
}

// newTransport returns a transport that passes bytes on as they are.
func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DisableCompression: true,
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64,
	}
}

// ServeHTTP implements http.Handler.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := g.host.Open(0)
	// Whatever happens below, the guest hears of the stream's end; a stream
	// that is over takes no notice.
	defer s.Abort()
	out := &outlet{w: w, s: s}

	noBody := r.Body == http.NoBody || r.ContentLength == 0
	s.RequestHeaders(requestHeaders(r), noBody)
	if !noBody && !g.pump(s, r.Body) {
		return
	}
	for !s.Upstream().Ended {
		if done, err := out.write(); done || err != nil {
			out.end(err)
			return
		}
		select {
		case <-s.Changed():
		case <-r.Context().Done():
			return
		}
	}
	answer, err := g.send(r.Context(), s)
	if err != nil {
		if r.Context().Err() != nil {
			return
		}
		s.ResetUpstream()
		_, err := out.write()
		out.end(err)
		return
	}
	defer answer.Body.Close()
	empty := answer.ContentLength == 0 || answer.Body == http.NoBody || r.Method == http.MethodHead
	s.ResponseHeaders(responseHeaders(answer), empty)
	out.end(out.copy(answer.Body, r))
}

// pump gives the request's body to the filter and reports whether all of it
// came.
func (g *gateway) pump(s *hostsim.Stream, body io.Reader) bool {
	chunk := make([]byte, chunkSize)
	for {
		n, err := body.Read(chunk)
		if n > 0 {
			s.RequestBody(chunk[:n], false)
		}
		switch {
		case errors.Is(err, io.EOF):
			s.RequestBody(nil, true)
			return true
		case err != nil:
			return false
		case s.Over():
			return true
		}
	}
}

// errNoUpstream says that the filter let a request go without naming where.
var errNoUpstream = errors.New("hostsim: the filter chose no upstream")

// send sends what the filter let through to the upstream that it chose.
func (g *gateway) send(ctx context.Context, s *hostsim.Stream) (*http.Response, error) {
	u := s.Upstream()
	authority := u.Headers.Get(chosen)
	if authority == "" {
		return nil, errNoUpstream
	}
	url := g.scheme(authority) + "://" + authority + u.Headers.Get(":path")
	r, err := http.NewRequestWithContext(ctx, u.Headers.Get(":method"), url, bytes.NewReader(u.Body))
	if err != nil {
		return nil, err
	}
	if host := u.Headers.Get(":authority"); host != "" {
		r.Host = host
	}
	for _, p := range u.Headers {
		switch {
		case p[0] == chosen, p[0] == "content-length", strings.HasPrefix(p[0], ":"), hopByHop(p[0]):
		default:
			r.Header.Add(p[0], p[1])
		}
	}
	if _, ok := u.Headers.Lookup("user-agent"); !ok {
		r.Header.Set("User-Agent", "") // or net/http sends its own
	}
	return g.client.RoundTrip(r)
}

// requestHeaders returns a request as a filter sees it.
func requestHeaders(r *http.Request) hostsim.Headers {
	h := hostsim.Headers{
		{":authority", r.Host}, {":path", r.URL.RequestURI()}, {":method", r.Method}, {":scheme", "http"},
	}
	return fields(h, r.Header, r.ContentLength)
}

// responseHeaders returns an answer as a filter sees it.
func responseHeaders(r *http.Response) hostsim.Headers {
	return fields(hostsim.Headers{{":status", strconv.Itoa(r.StatusCode)}}, r.Header, r.ContentLength)
}

func fields(h hostsim.Headers, from http.Header, length int64) hostsim.Headers {
	for name, values := range from {
		if hopByHop(strings.ToLower(name)) {
			continue
		}
		for _, v := range values {
			h.Add(name, v)
		}
	}
	if _, ok := h.Lookup("content-length"); !ok && length > 0 {
		h.Add("content-length", strconv.FormatInt(length, 10))
	}
	return h
}

// hopByHop reports whether a header is between two neighbours only
// (RFC 9110, 7.6.1).
func hopByHop(name string) bool {
	switch name {
	case "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade":
		return true
	}
	return false
}

// An outlet hands on to the client what a stream has for it.
type outlet struct {
	w       http.ResponseWriter
	s       *hostsim.Stream
	started bool
}

// copy gives the upstream's answer to the filter piece by piece and the
// client what comes out.
func (o *outlet) copy(body io.Reader, r *http.Request) error {
	chunk := make([]byte, chunkSize)
	for {
		if done, err := o.write(); done || err != nil {
			return err
		}
		n, err := body.Read(chunk)
		if n > 0 {
			o.s.ResponseBody(chunk[:n], false)
		}
		switch {
		case errors.Is(err, io.EOF):
			o.s.ResponseBody(nil, true)
		case r.Context().Err() != nil:
			return r.Context().Err()
		case err != nil:
			o.s.ResetUpstream()
		}
	}
}

// write writes what is new and reports whether it was the last.
func (o *outlet) write() (done bool, err error) {
	m := o.s.Client()
	if m.Headers == nil {
		return m.Cut, cut(m)
	}
	if !o.started {
		o.started = true
		status, err := strconv.Atoi(m.Headers.Get(":status"))
		if err != nil {
			return true, err
		}
		for _, p := range m.Headers {
			if !strings.HasPrefix(p[0], ":") && !hopByHop(p[0]) {
				o.w.Header().Add(p[0], p[1])
			}
		}
		o.w.WriteHeader(status)
	}
	if body := o.s.TakeClientBody(); len(body) > 0 {
		if _, err := o.w.Write(body); err != nil {
			return true, err
		}
	}
	if err := http.NewResponseController(o.w).Flush(); err != nil {
		return true, err
	}
	return m.Ended || m.Cut, cut(m)
}

// errCut says that the answer to a client broke off.
var errCut = errors.New("hostsim: the answer broke off")

func cut(m hostsim.Message) error {
	if m.Cut {
		return errCut
	}
	return nil
}

// end ends the answer; after an error the client must notice that it is not
// whole.
func (o *outlet) end(err error) {
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}
