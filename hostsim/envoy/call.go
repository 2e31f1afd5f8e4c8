package envoy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"time"

	"fairshare/hostsim/script"
)

// A Call is one HTTP/1.1 request on a connection of its own. Its headers are
// sent as they stand in the request, in their order, repeated and empty ones
// too, with nothing added but host and content-length.
type Call struct {
	conn net.Conn
	done chan struct{} // closed when the reply has ended

	mu    sync.Mutex
	reply script.Reply
	last  time.Time // when a part of the reply came
}

// Call sends a request. The reply is read in the background.
func (e *Envoy) Call(r script.Request) (*Call, error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.BaseURL, "http://"))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s %s HTTP/1.1\r\n", r.Method, r.Path)
	names := map[string]bool{}
	for _, h := range r.Headers {
		names[h[0]] = true
	}
	if !names["host"] {
		out.WriteString("host: fairshare.test\r\n")
	}
	if !names["content-length"] && !names["transfer-encoding"] && (len(r.Body) > 0 || r.Method == "POST") {
		fmt.Fprintf(&out, "content-length: %d\r\n", len(r.Body))
	}
	for _, h := range r.Headers {
		fmt.Fprintf(&out, "%s: %s\r\n", h[0], h[1])
	}
	out.WriteString("\r\n")
	out.Write(r.Body)
	c := &Call{conn: conn, done: make(chan struct{}), last: time.Now()}
	go c.read(r.Method)
	// Envoy may answer and close before it has read the whole request: what
	// counts is the reply.
	_, _ = conn.Write(out.Bytes())
	return c, nil
}

// Done is closed when the reply has ended.
func (c *Call) Done() <-chan struct{} { return c.done }

// Wait returns the reply when it has ended.
func (c *Call) Wait() script.Reply {
	<-c.done
	return c.Reply()
}

// Reply returns what has come so far.
func (c *Call) Reply() script.Reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.reply
	r.Body = bytes.Clone(r.Body)
	return r
}

// Abort breaks the connection as a client that crashes does.
func (c *Call) Abort() {
	if tcp, ok := c.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a connection that is closed already needs no reset
	}
	_ = c.conn.Close()
	<-c.done
}

// settled waits until nothing has come for the time, or the reply has ended.
func (c *Call) settled(quiet time.Duration) {
	for {
		c.mu.Lock()
		left := quiet - time.Since(c.last)
		c.mu.Unlock()
		if left <= 0 {
			return
		}
		select {
		case <-c.done:
			return
		case <-time.After(left):
		}
	}
}

// read reads the reply to its end and closes the connection.
func (c *Call) read(method string) {
	defer close(c.done)
	defer c.conn.Close()
	in := bufio.NewReader(c.conn)
	length, chunked, err := c.head(in)
	if err == nil {
		status := c.Reply().Status
		switch {
		case method == "HEAD" || status == 204 || status == 304:
			return
		case chunked:
			err = c.body(httputil.NewChunkedReader(in))
		case length >= 0:
			err = c.body(io.LimitReader(in, length))
			if err == nil && int64(len(c.Reply().Body)) < length {
				err = io.ErrUnexpectedEOF
			}
		default:
			err = c.body(in)
		}
	}
	if err != nil {
		c.mu.Lock()
		c.reply.Cut = true
		c.mu.Unlock()
	}
}

// head reads the status line and the headers. The length is -1 if none is
// given.
func (c *Call) head(in *bufio.Reader) (length int64, chunked bool, err error) {
	line := func() (string, error) {
		text, err := in.ReadString('\n')
		return strings.TrimRight(text, "\r\n"), err
	}
	first, err := line()
	if err != nil {
		return 0, false, err
	}
	_, rest, _ := strings.Cut(first, " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil {
		return 0, false, fmt.Errorf("envoy: status line %q: %w", first, err)
	}
	length = -1
	var headers [][2]string
	for {
		text, err := line()
		if err != nil {
			return 0, false, err
		}
		if text == "" {
			break
		}
		name, value, _ := strings.Cut(text, ":")
		name, value = strings.ToLower(name), strings.TrimSpace(value)
		headers = append(headers, [2]string{name, value})
		switch name {
		case "content-length":
			if length, err = strconv.ParseInt(value, 10, 64); err != nil {
				return 0, false, err
			}
		case "transfer-encoding":
			chunked = strings.EqualFold(value, "chunked")
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reply.Status, c.reply.Headers, c.last = status, headers, time.Now()
	return length, chunked, nil
}

// body reads a body to its end.
func (c *Call) body(in io.Reader) error {
	buffer := make([]byte, 64<<10)
	for {
		n, err := in.Read(buffer)
		c.mu.Lock()
		c.reply.Body = append(c.reply.Body, buffer[:n]...)
		c.last = time.Now()
		c.mu.Unlock()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
