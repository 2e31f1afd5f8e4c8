package hostsim_test

import (
	"bytes"
	"strings"
	"testing"

	"fairshare/hostsim"
)

// A bodyCase is a request body, and what guest and upstream see of it.
type bodyCase struct {
	profile  hostsim.Profile
	do       string
	chunks   []string // the last one ends the body
	sizes    string   // of the guest's body callbacks, ! is the end
	upstream string   // the body that the upstream got
}

func TestRequestBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]bodyCase{
		"envoy streams":             {hostsim.Envoy, "go", []string{"abc", "de", ""}, "3,2,0!", "abcde"},
		"envoy ends on data":        {hostsim.Envoy, "go", []string{"abc", "de"}, "3,2!", "abcde"},
		"envoy holds":               {hostsim.Envoy, "hold", []string{"abc", "de", ""}, "3,5,5!", "abcde"},
		"envoy holds from headers":  {hostsim.Envoy, "pause-headers hold", []string{"abc", "de", ""}, "3,5,5!", "abcde"},
		"envoy rewrites":            {hostsim.Envoy, "pause-headers hold rewrite", []string{"abc", "de", ""}, "3,5,5!", "rewritten"},
		"kong gives it whole":       {hostsim.Kong, "go", []string{"abc", "de", ""}, "5!", "abcde"},
		"apisix hides it":           {hostsim.APISIX, "go", []string{"abc", ""}, "", "abc"},
		"apisix shows it on demand": {hostsim.APISIX, "want-bodies", []string{"abc", ""}, "3!", "abc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, hostsim.Options{Profile: c.profile})
			s := h.Open(1)
			s.RequestHeaders(post(c.do), false)
			for i, chunk := range c.chunks {
				s.RequestBody([]byte(chunk), i == len(c.chunks)-1)
			}
			u := s.Upstream()
			if string(u.Body) != c.upstream || !u.Ended {
				t.Errorf("upstream got %q, ended %t, want %q", u.Body, u.Ended, c.upstream)
			}
			s.ResponseHeaders(hostsim.Headers{{":status", "200"}}, true)
			if got := s.Client().Headers.Get("x-request-sizes"); got != c.sizes {
				t.Errorf("the guest saw the sizes %q, want %q", got, c.sizes)
			}
		})
	}
}

// Pause in the headers with the flag lets the body callbacks run and the
// headers be changed by them; without the flag nothing runs until the guest
// resumes, which it never does.
func TestPauseInHeaders(t *testing.T) {
	t.Parallel()
	s := newHost(t, hostsim.Options{}).Open(1)
	s.RequestHeaders(post("pause-headers hold"), false)
	if u := s.Upstream(); u.Headers != nil {
		t.Errorf("upstream got the headers %v while they were paused", u.Headers)
	}
	s.RequestBody([]byte("abc"), true)
	if got := s.Upstream().Headers.Get("x-sizes"); got != "3!" {
		t.Errorf("x-sizes set in the body phase: got %q at the upstream, want 3!", got)
	}

	s = newHost(t, hostsim.Options{Profile: hostsim.EnvoyNoFlag}).Open(1)
	s.RequestHeaders(post("pause-headers"), false)
	s.RequestBody([]byte("abc"), true)
	if !s.Hung() || s.Upstream().Headers != nil {
		t.Errorf("without the flag: hung %t, upstream %v, want a hanging stream", s.Hung(), s.Upstream())
	}
}

// What the guest changes in the body phase after the headers have left does
// not reach the upstream, as there is nothing left to change.
func TestHeadersLeave(t *testing.T) {
	t.Parallel()
	s := newHost(t, hostsim.Options{}).Open(1)
	s.RequestHeaders(post("go"), false)
	s.RequestBody([]byte("abc"), true)
	if got, ok := s.Upstream().Headers.Lookup("x-sizes"); ok {
		t.Errorf("x-sizes = %q at the upstream, want none", got)
	}
}

func TestEndOfStreamFlag(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		profile hostsim.Profile
		want    string // headers, end
	}{
		"envoy":  {hostsim.Envoy, "4,1"},
		"kong":   {hostsim.Kong, "4,0"},
		"apisix": {hostsim.APISIX, "0,1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newHost(t, hostsim.Options{Profile: c.profile}).Open(1)
			s.RequestHeaders(get("go"), true)
			if got := s.Upstream().Headers.Get("x-seen"); got != c.want {
				t.Errorf("the guest saw headers,end = %s, want %s", got, c.want)
			}
		})
	}
}

func TestBodyTooLarge(t *testing.T) {
	t.Parallel()
	big := bytes.Repeat([]byte("x"), 1<<20)
	h := newHost(t, hostsim.Options{})

	s := h.Open(1)
	s.RequestHeaders(post("pause-headers hold"), false)
	s.RequestBody(big, false)
	s.RequestBody([]byte("x"), false)
	if got := s.Client().Headers.Get(":status"); got != "413" || !s.Over() {
		t.Errorf("request: status %s, over %t, want 413 and over", got, s.Over())
	}

	// A response whose headers the guest still holds becomes a 500.
	s = h.Open(1)
	s.RequestHeaders(get("hold-response"), true)
	s.ResponseHeaders(hostsim.Headers{{":status", "200"}}, false)
	s.ResponseBody(big, false)
	s.ResponseBody([]byte("x"), false)
	if got := s.Client().Headers.Get(":status"); got != "500" {
		t.Errorf("response with held headers: status %s, want 500", got)
	}

	// One whose headers have left breaks off.
	s = h.Open(1)
	s.RequestHeaders(get("hold-body"), true)
	s.ResponseHeaders(hostsim.Headers{{":status", "200"}}, false)
	s.ResponseBody(big, false)
	s.ResponseBody([]byte("x"), false)
	if c := s.Client(); !c.Cut {
		t.Errorf("response with sent headers: %v, want it cut", c.Headers)
	}

	// nginx lets it flow once its four buffers are full.
	s = newHost(t, hostsim.Options{Profile: hostsim.Kong}).Open(1)
	s.RequestHeaders(get("hold-body"), true)
	s.ResponseHeaders(hostsim.Headers{{":status", "200"}}, false)
	s.ResponseBody(big[:16<<10+1], false)
	if c := s.Client(); len(c.Body) != 16<<10+1 {
		t.Errorf("kong: the client got %d bytes, want all", len(c.Body))
	}
}

func TestLocalReply(t *testing.T) {
	t.Parallel()
	h := newHost(t, hostsim.Options{})

	// From the request, the guest sees its own reply in the response
	// callbacks.
	for _, do := range []string{"reply-headers", "reply-body"} {
		s := h.Open(1)
		s.RequestHeaders(post(do), false)
		s.RequestBody([]byte("abc"), true)
		c := s.Client()
		if c.Headers.Get(":status") != "418" || string(c.Body) != "teapot" || c.Headers.Get("x-response") != "seen" {
			t.Errorf("%s: the client got %v %q", do, c.Headers, c.Body)
		}
	}

	// From the response headers it takes the response's place, unseen.
	s := h.Open(1)
	s.RequestHeaders(get("reply-response"), true)
	s.ResponseHeaders(hostsim.Headers{{":status", "200"}}, false)
	s.ResponseBody([]byte("upstream"), true)
	c := s.Client()
	if c.Headers.Get(":status") != "418" || string(c.Body) != "teapot" || c.Headers.Get("x-response") != "" {
		t.Errorf("response headers: the client got %v %q", c.Headers, c.Body)
	}

	// Once headers were sent the stream breaks off.
	s = h.Open(1)
	s.RequestHeaders(get("reply-late"), true)
	s.ResponseHeaders(hostsim.Headers{{":status", "200"}}, false)
	s.ResponseBody([]byte("upstream"), false)
	if c := s.Client(); !c.Cut || c.Headers.Get(":status") != "200" {
		t.Errorf("response body: the client got %v, cut %t", c.Headers, c.Cut)
	}

	// Kong cuts the body to the upstream's content-length, and traps later.
	k := newHost(t, hostsim.Options{Profile: hostsim.Kong})
	s = k.Open(1)
	s.RequestHeaders(get("reply-response"), true)
	s.ResponseHeaders(hostsim.Headers{{":status", "200"}, {"content-length", "3"}}, false)
	if c := s.Client(); c.Headers.Get(":status") != "418" || string(c.Body) != "tea" {
		t.Errorf("kong: the client got %v %q", c.Headers, c.Body)
	}
	s = k.Open(1)
	s.RequestHeaders(get("freeze"), true)
	s.ResponseHeaders(hostsim.Headers{{":status", "200"}}, false)
	s.ResponseBody([]byte("x"), true)
	if len(logged(k, "trap: ")) != 1 {
		t.Errorf("kong: response headers changed in the body phase: %v, want a trap", k.Logs())
	}
}

// The order of the last callbacks, and that each comes exactly once, however
// the stream ends.
func TestStreamEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		profile hostsim.Profile
		want    string
	}{
		"envoy":  {hostsim.Envoy, "log,done,delete"},
		"kong":   {hostsim.Kong, "done,log,delete"},
		"apisix": {hostsim.APISIX, "done,delete"},
	} {
		for ending, end := range map[string]func(*hostsim.Stream){
			"answered": func(s *hostsim.Stream) { s.ResponseHeaders(hostsim.Headers{{":status", "200"}}, true) },
			"aborted":  func(s *hostsim.Stream) { s.Abort() },
			"reset":    func(s *hostsim.Stream) { s.ResetUpstream() },
			"reset in the answer": func(s *hostsim.Stream) {
				s.ResponseHeaders(hostsim.Headers{{":status", "200"}}, false)
				s.ResponseBody([]byte("x"), false)
				s.ResetUpstream()
			},
		} {
			t.Run(name+" "+ending, func(t *testing.T) {
				t.Parallel()
				h := newHost(t, hostsim.Options{Profile: c.profile})
				s := h.Open(1)
				s.RequestHeaders(get("go"), true)
				end(s)
				s.Abort()
				var order []string
				for _, l := range logged(h, "log ", "done ", "delete ") {
					order = append(order, strings.Fields(l)[0])
				}
				if got := strings.Join(order, ","); got != c.want {
					t.Errorf("the stream ended with %s, want %s", got, c.want)
				}
			})
		}
	}
}

// A call-out holds the headers until its answer has come, or its time is up.
func TestCallout(t *testing.T) {
	t.Parallel()
	h := newHost(t, hostsim.Options{})
	s := h.Open(1)
	s.RequestHeaders(get("callout"), true)
	if s.Hung() || len(h.Callouts()) != 1 {
		t.Fatalf("hung %t with %d call-outs, want one call-out that is waited for", s.Hung(), len(h.Callouts()))
	}
	h.AnswerCallout(h.Callouts()[0], hostsim.CalloutAnswer{Headers: hostsim.Headers{{":status", "200"}}})
	if got := s.Upstream(); got.Headers.Get("x-callout") != "" && !got.Ended {
		t.Errorf("after the answer: %v", got)
	}

	s = h.Open(1)
	s.RequestHeaders(get("callout"), true)
	h.Advance(999e6)
	if s.Upstream().Ended {
		t.Error("the request went on before the call-out's time was up")
	}
	h.Advance(1e6)
	if !s.Upstream().Ended {
		t.Error("the request did not go on after the call-out's time was up")
	}
}
