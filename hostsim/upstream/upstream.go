// Package upstream is what stands behind the gateway in tests: an
// OpenAI-compatible server that does as each request tells it to, and keeps
// books of the usage that it reported.
//
// A request says what it wants in its x-upstream header, words between spaces:
//
//	delay=300ms      wait before the answer's headers
//	prompt=9         prompt_tokens (default 10)
//	completion=12    completion_tokens (default 20)
//	usage=never      never|always|asked: whether a stream has a usage chunk
//	                 (default asked: if stream_options.include_usage is true)
//	chunks=5         content chunks of a stream (default 3)
//	drip=10ms        wait before each chunk
//	cut=7            write the body in pieces of that many bytes
//	reset=2          break the connection after that many chunks; 0 answers nothing
//	hang=2           after that many chunks, wait for the client's end to go away
//	status=500       answer with an error
//	headers=1100     add that many headers
//	gzip             compress, whatever the client accepts
//	trailers         end with a trailer
//
// An unknown word is answered with 400, so that a test cannot mistype one.
package upstream

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Header is the name of the header in which a request says what it wants.
const Header = "x-b3-upstream"

// Books are what an upstream has done since it started.
type Books struct {
	Requests int64 // answered or broken off
	Tokens   int64 // total_tokens of the usage in answers that it wrote to their end
	Reported int64 // answers written to their end that held a usage
	Silent   int64 // answers with status 200 written to their end without a usage
	Broken   int64 // answers that the upstream or the client broke off
	Failed   int64 // answers with another status than 200
}

// A Server is a scripted upstream. The zero Server is ready to use.
type Server struct {
	// Default is what a request without a Header wants.
	Default string

	mu    sync.Mutex
	books Books
	open  int64
}

// Start serves s on a free port of the loopback, HTTP/1.1 and HTTP/2 without
// TLS, until the test ends, and returns host:port.
func Start(t testing.TB, handler http.Handler) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := Serve(listener, handler)
	t.Cleanup(stop)
	return listener.Addr().String()
}

// Serve serves the handler, HTTP/1.1 and HTTP/2 without TLS, until stop is
// called, which breaks what is under way.
func Serve(listener net.Listener, handler http.Handler) (stop func()) {
	server := &http.Server{Handler: handler, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = server.Serve(listener) }() // ends with ErrServerClosed
	return func() { _ = server.Close() }       // the listener's error helps nobody
}

// Books returns the present books.
func (s *Server) Books() Books {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.books
}

// Open is the number of requests that are being answered.
func (s *Server) Open() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// count changes the books.
func (s *Server) count(change func(*Books)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.books)
}

// A script is one request's wishes.
type script struct {
	delay, drip        time.Duration
	prompt, completion int64
	usage              string
	chunks, cut        int
	reset, hang        int // -1 for never
	status, headers    int
	gzip, trailers     bool
}

// parse reads the words of a Header.
func parse(text string) (script, error) {
	s := script{prompt: 10, completion: 20, usage: "asked", chunks: 3, reset: -1, hang: -1, status: 200}
	for word := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(word, "=")
		var err error
		switch name {
		case "delay":
			s.delay, err = time.ParseDuration(value)
		case "drip":
			s.drip, err = time.ParseDuration(value)
		case "prompt":
			s.prompt, err = strconv.ParseInt(value, 10, 64)
		case "completion":
			s.completion, err = strconv.ParseInt(value, 10, 64)
		case "usage":
			s.usage = value
			if value != "never" && value != "always" && value != "asked" {
				err = strconv.ErrSyntax
			}
		case "chunks":
			s.chunks, err = strconv.Atoi(value)
		case "cut":
			s.cut, err = strconv.Atoi(value)
		case "reset":
			s.reset, err = strconv.Atoi(value)
		case "hang":
			s.hang, err = strconv.Atoi(value)
		case "status":
			s.status, err = strconv.Atoi(value)
		case "headers":
			s.headers, err = strconv.Atoi(value)
		case "gzip":
			s.gzip = true
		case "trailers":
			s.trailers = true
		default:
			err = strconv.ErrSyntax
		}
		if err != nil {
			return s, fmt.Errorf("upstream: %s: cannot read %q", Header, word)
		}
	}
	return s, nil
}

// ServeHTTP answers as the request wants.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.open++
	s.mu.Unlock()
	ended := false
	defer func() {
		s.mu.Lock()
		s.open--
		s.books.Requests++
		if !ended {
			s.books.Broken++
		}
		s.mu.Unlock()
	}()

	var ask struct {
		Model         string `json:"model"`
		Stream        bool   `json:"stream"`
		StreamOptions struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	wish := r.Header.Get(Header)
	if wish == "" {
		wish = s.Default
	}
	script, err := parse(wish)
	if err == nil && r.Method == http.MethodPost {
		err = json.Unmarshal(body, &ask)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		ended = true
		s.count(func(b *Books) { b.Failed++ })
		return
	}
	if !sleep(r, script.delay) {
		return
	}
	if script.reset == 0 {
		panic(http.ErrAbortHandler)
	}
	for i := range script.headers {
		w.Header().Set("x-filler-"+strconv.Itoa(i), "v")
	}
	if script.trailers {
		w.Header().Set("trailer", "x-end")
	}
	out := &writer{w: w, r: r, script: script, stream: ask.Stream}
	usage := object{
		"prompt_tokens":     script.prompt,
		"completion_tokens": script.completion,
		"total_tokens":      script.prompt + script.completion,
	}
	tells := false
	switch {
	case script.status != http.StatusOK:
		out.start("application/json")
		out.write(text(object{"error": object{"message": "as asked", "type": "server_error", "param": nil, "code": nil}}))
	case ask.Stream:
		out.start("text/event-stream")
		tells = script.usage == "always" || script.usage == "asked" && ask.StreamOptions.IncludeUsage
		frame := func(choices list, usage any) []byte {
			return append(append([]byte("data: "), text(object{
				"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1763719200,
				"model": ask.Model, "choices": choices, "usage": usage,
			})...), "\n\n"...)
		}
		for i := range script.chunks {
			delta := object{"content": "word "}
			if i == 0 {
				delta["role"] = "assistant"
			}
			out.write(frame(list{object{"index": 0, "delta": delta, "finish_reason": nil}}, nil))
		}
		out.write(frame(list{object{"index": 0, "delta": object{}, "finish_reason": "stop"}}, nil))
		if tells {
			out.write(frame(list{}, usage))
		}
		out.write([]byte("data: [DONE]\n\n"))
	default:
		answer := object{
			"id": "chatcmpl-1", "object": "chat.completion", "created": 1763719200, "model": ask.Model,
			"choices": list{object{
				"index": 0, "finish_reason": "stop",
				"message": object{"role": "assistant", "content": strings.TrimSpace(strings.Repeat("word ", script.chunks))},
			}},
		}
		if tells = script.usage != "never"; tells {
			answer["usage"] = usage
		}
		out.start("application/json")
		out.write(text(answer))
	}
	out.close()
	if script.trailers {
		w.Header().Set("x-end", "yes")
	}
	if out.broken {
		return
	}
	ended = true
	s.count(func(b *Books) {
		switch {
		case script.status != http.StatusOK:
			b.Failed++
		case tells:
			b.Reported++
			b.Tokens += script.prompt + script.completion
		default:
			b.Silent++
		}
	})
}

type (
	object = map[string]any
	list   = []any
)

// text is x as JSON.
func text(x any) []byte {
	text, err := json.Marshal(x)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return text
}

// A writer writes an answer's body in the way that the script wants.
type writer struct {
	w      http.ResponseWriter
	r      *http.Request
	script script
	stream bool // each chunk leaves at once
	zip    *gzip.Writer
	body   bytes.Buffer // where zip writes to
	writes int
	broken bool // the client's side is gone
}

// start sends the headers.
func (w *writer) start(kind string) {
	w.w.Header().Set("content-type", kind)
	if w.script.gzip {
		w.w.Header().Set("content-encoding", "gzip")
		w.zip = gzip.NewWriter(&w.body)
	}
	w.w.WriteHeader(w.script.status)
}

// write sends one chunk. It panics with http.ErrAbortHandler where the script
// breaks the connection.
func (w *writer) write(chunk []byte) {
	if w.broken {
		return
	}
	if w.writes == w.script.reset {
		w.flush()
		panic(http.ErrAbortHandler)
	}
	if w.writes == w.script.hang {
		w.flush()
		<-w.r.Context().Done()
		w.broken = true
		return
	}
	w.writes++
	if !sleep(w.r, w.script.drip) {
		w.broken = true
		return
	}
	if w.zip != nil {
		_, _ = w.zip.Write(chunk) // into memory
		_ = w.zip.Flush()
		chunk = bytes.Clone(w.body.Bytes())
		w.body.Reset()
	}
	w.send(chunk)
}

// close ends a compressed body. The answer itself ends when ServeHTTP returns:
// a client that has read it to the end finds it in the books.
func (w *writer) close() {
	if w.zip != nil && !w.broken {
		_ = w.zip.Close() // into memory
		w.send(w.body.Bytes())
	}
}

// send writes bytes in pieces, each at once.
func (w *writer) send(b []byte) {
	size := w.script.cut
	if size <= 0 {
		size = len(b)
	}
	for len(b) > 0 && !w.broken {
		n := min(size, len(b))
		_, err := w.w.Write(b[:n])
		w.broken = err != nil || w.r.Context().Err() != nil
		b = b[n:]
		if w.stream || w.script.cut > 0 {
			w.flush()
		}
	}
}

func (w *writer) flush() {
	if err := http.NewResponseController(w.w).Flush(); err != nil {
		w.broken = true
	}
}

// sleep waits, and reports false if the client's side went away meanwhile.
func sleep(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
