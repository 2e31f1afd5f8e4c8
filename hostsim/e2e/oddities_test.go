package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"fairshare/hostsim/envoy"
	"fairshare/hostsim/script"
	"fairshare/hostsim/upstream"
)

// roomy is a limit that no test of an oddity reaches.
var roomy = object{"tpm": 1_000_000}

// call sends a request byte for byte.
func (g *gateway) call(t *testing.T, r script.Request) *envoy.Call {
	t.Helper()
	c, err := g.Call(r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// post is a chat request as it goes over the wire.
func post(model string, more object, headers ...[2]string) script.Request {
	return script.Request{
		Method: "POST", Path: "/v1/chat/completions", Body: ask(model, more),
		Headers: append([][2]string{{"authorization", "Bearer " + master}, {"content-type", "application/json"}}, headers...),
	}
}

// What the upstream sees is the provider's: its key, its model's name, its
// path and host, and nothing that the gateway keeps for itself.
func TestUpstreamSeesItsOwn(t *testing.T) {
	t.Parallel()
	desk := &upstream.Desk{Name: "x-b3-visit"}
	e := envoy.Start(t, envoy.Options{
		Config: text(t, config(roomy)), Workers: 1, Now: start,
		Upstreams: map[string]string{behind: upstream.Start(t, desk)},
	})
	call, err := e.Call(post(upstreamModel, object{"stream": true},
		[2]string{"x-b3-visit", "a"}, [2]string{"x-fairshare-upstream", "api.openai.com"}, [2]string{"x-api-key", master}))
	if err != nil {
		t.Fatal(err)
	}
	var visit *upstream.Visit
	select {
	case visit = <-desk.Arrival("a"):
	case <-call.Done():
		t.Fatalf("not forwarded: %+v", call.Reply())
	}
	r := visit.Request
	if got := r.Header.Get("authorization"); got != "Bearer provider-secret" {
		t.Errorf("authorization %q", got)
	}
	if r.Host != behind || r.URL.Path != "/v1/chat/completions" {
		t.Errorf("host %q, path %q", r.Host, r.URL.Path)
	}
	for name, values := range r.Header {
		for _, value := range values {
			if strings.Contains(value, master) {
				t.Errorf("the caller's key is in %s", name)
			}
		}
	}
	var body struct {
		Model  string
		Stream struct {
			Usage bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	if err := json.Unmarshal(visit.Body, &body); err != nil || body.Model != "real-name" || !body.Stream.Usage {
		t.Errorf("body %s: %v", visit.Body, err)
	}
	visit.Give(upstream.Part{Status: 200, Headers: [][2]string{{"content-type", "application/json"}}, Body: []byte(`{}`), Last: true})
	call.Wait()
}

// Headers that once surprised: empty ones, keys given twice, and a key that
// only one of two headers has.
func TestOddHeaders(t *testing.T) {
	t.Parallel()
	g := launch(t, config(roomy), envoy.Options{Workers: 1})
	body := ask(mockModel, nil)
	key := [2]string{"authorization", "Bearer " + master}
	for _, row := range []struct {
		name    string
		headers [][2]string
		want    int
	}{
		{"an empty header", [][2]string{key, {"x-e", ""}}, 200},
		{"an empty key", [][2]string{{"authorization", ""}}, 401},
		{"the same key twice", [][2]string{key, key}, 401}, // the upstream might read the other one
		{"two keys", [][2]string{key, {"authorization", "Bearer sk-other"}}, 401},
		{"1,100 headers", many(key, 1100), 200},
	} {
		reply := g.call(t, script.Request{Method: "POST", Path: "/v1/chat/completions", Headers: row.headers, Body: body}).Wait()
		if reply.Status != row.want {
			t.Errorf("%s: %d %s, want %d", row.name, reply.Status, reply.Body, row.want)
		}
	}
}

func many(key [2]string, n int) [][2]string {
	headers := [][2]string{key}
	for i := range n {
		headers = append(headers, [2]string{fmt.Sprintf("x-filler-%d", i), "v"})
	}
	return headers
}

// An answer goes through whatever its form, and is charged by its usage, or by
// an estimate that the books count as one.
func TestAnswersOfEveryForm(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		wish      string
		stream    bool
		status    int
		tokens    int64 // -1: an estimate
		cut       bool
		estimates int64
	}{
		{name: "JSON", wish: "prompt=9 completion=12", status: 200, tokens: 21},
		{name: "JSON byte by byte", wish: "prompt=9 completion=12 cut=1", status: 200, tokens: 21},
		{name: "stream byte by byte", wish: "prompt=9 completion=12 cut=1", stream: true, status: 200, tokens: 21},
		{name: "1,100 headers", wish: "prompt=9 completion=12 headers=1100", status: 200, tokens: 21},
		{name: "trailers", wish: "prompt=9 completion=12 trailers", status: 200, tokens: 21},
		{name: "stream with trailers", wish: "prompt=9 completion=12 trailers", stream: true, status: 200, tokens: 21},
		{name: "an error", wish: "status=500", status: 500},
		{name: "gzip all the same", wish: "prompt=9 completion=12 gzip", status: 200, tokens: -1, estimates: 1},
		{name: "stream of gzip", wish: "prompt=9 completion=12 gzip", stream: true, status: 200, tokens: -1, estimates: 1},
		{name: "no usage", wish: "usage=never", status: 200, tokens: -1, estimates: 1},
		{name: "stream without usage", wish: "usage=never", stream: true, status: 200, tokens: -1, estimates: 1},
		{name: "reset before the answer", wish: "reset=0", status: 503},
		{name: "reset in mid-stream", wish: "reset=2", stream: true, status: 200, tokens: -1, cut: true, estimates: 1},
	} {
		for _, h2 := range []bool{false, true} {
			name := row.name + "/h1"
			if h2 {
				name = row.name + "/h2"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				g := launch(t, config(roomy), envoy.Options{Workers: 1, UpstreamH2: h2})
				reply := g.call(t, post(upstreamModel, object{"stream": row.stream}, [2]string{upstream.Header, row.wish})).Wait()
				if reply.Status != row.status || reply.Cut != row.cut {
					t.Errorf("status %d, cut %v, want %d, %v: %s", reply.Status, reply.Cut, row.status, row.cut, reply.Body)
				}
				books := g.idle(t, upstreamModel)
				got := books.Totals
				if row.tokens >= 0 && got.Tokens != row.tokens || row.tokens < 0 && got.Tokens <= 0 {
					t.Errorf("%d tokens on the books, want %d (-1: some)", got.Tokens, row.tokens)
				}
				if got.EstimatedRequests != row.estimates || books.TPM.Used != got.Tokens {
					t.Errorf("estimates %d, want %d; used %d of the totals' %d", got.EstimatedRequests, row.estimates, books.TPM.Used, got.Tokens)
				}
			})
		}
	}
}

// An upstream that is silent for longer than the route allows, and one that
// nobody listens at: the client gets an error and nothing stays held.
func TestUpstreamNeverAnswers(t *testing.T) {
	t.Parallel()
	g := launch(t, config(roomy), envoy.Options{Workers: 1, Timeout: 200 * time.Millisecond})
	if a := g.chat(t, master, upstreamModel, "delay=1h", nil); a.status != http.StatusGatewayTimeout {
		t.Errorf("a silent upstream: %d %s", a.status, a.body)
	}
	if books := g.idle(t, upstreamModel); books.TPM.Used != 0 {
		t.Errorf("a request that timed out used %d tokens", books.TPM.Used)
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	g = &gateway{Envoy: envoy.Start(t, envoy.Options{
		Config: text(t, config(roomy)), Workers: 1, Now: start, Upstreams: map[string]string{behind: nobody},
	})}
	if a := g.chat(t, master, upstreamModel, "", nil); a.status != http.StatusServiceUnavailable {
		t.Errorf("nobody listens: %d %s", a.status, a.body)
	}
	if books := g.idle(t, upstreamModel); books.TPM.Used != 0 {
		t.Errorf("a request that nobody got used %d tokens", books.TPM.Used)
	}
}

// A client that goes away in mid-stream is charged for what it got, by
// estimate, and its hold and slot return. So does one that resets an HTTP/2
// stream.
func TestClientGoesAway(t *testing.T) {
	t.Parallel()
	g := launch(t, config(roomy), envoy.Options{Workers: 1})
	open := func() {
		t.Helper()
		g.until(t, upstreamModel, "the request to be in flight", func(s shares) bool { return s.InFlight == 1 })
	}
	settled := func(estimates int64) {
		t.Helper()
		if got := g.idle(t, upstreamModel).Totals; got.EstimatedRequests != estimates || got.Tokens != got.EstimatedTokens {
			t.Errorf("totals %+v, want %d estimates and no other tokens", got, estimates)
		}
	}

	call := g.call(t, post(upstreamModel, object{"stream": true}, [2]string{upstream.Header, "hang=2"}))
	open()
	for len(call.Reply().Body) == 0 {
		select {
		case <-call.Done():
			t.Fatalf("the stream ended by itself: %+v", call.Reply())
		case <-time.After(10 * time.Millisecond): // between two looks
		}
	}
	call.Abort()
	settled(1)

	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	h2 := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.BaseURL+"/v1/chat/completions", bytes.NewReader(ask(upstreamModel, object{"stream": true})))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("authorization", "Bearer "+master)
	r.Header.Set(upstream.Header, "hang=2")
	response, err := h2.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if response.ProtoMajor != 2 {
		t.Errorf("the client spoke %s", response.Proto)
	}
	open()
	if _, err := io.ReadFull(response.Body, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = io.Copy(io.Discard, response.Body)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the stream ended with %v", err)
	}
	settled(2)
}

// A body in two parts, with the connection silent between them, and one that
// ends with HTTP/2 trailers, are read whole.
func TestBodyInParts(t *testing.T) {
	t.Parallel()
	g := launch(t, config(roomy), envoy.Options{Workers: 1})
	body := ask(mockModel, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.BaseURL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\ncontent-length: %d\r\n\r\n%s", master, len(body), body[:20])
	if err := conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	if _, err := in.Peek(1); err == nil {
		t.Error("half a body was answered")
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(body[20:]); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(in, nil)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("a body in two parts: %v %v", response, err)
	}

	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	h2 := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	r, err := http.NewRequest(http.MethodPost, g.BaseURL+"/v1/chat/completions", io.NopCloser(bytes.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("authorization", "Bearer "+master)
	r.Trailer = http.Header{"X-End": {"yes"}}
	response, err = h2.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("a body with trailers: %d", response.StatusCode)
	}
}

// HEAD and GET are answered and never hang, whatever the path.
func TestBodilessMethods(t *testing.T) {
	t.Parallel()
	for _, d := range deliveries {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			g := launch(t, config(roomy), d.options())
			for _, row := range []struct {
				method, path string
				want         int
			}{
				{"GET", "/v1/models", 200},
				{"GET", "/health/liveliness", 200},
				{"GET", "/v1/chat/completions", 405},
				{"HEAD", "/v1/chat/completions", 405},
				{"GET", "/key/generate", 405},
				{"GET", "/nowhere", 404},
				{"HEAD", "/nowhere", 404},
				{"OPTIONS", "/v1/chat/completions", 405},
				{"POST", "/v1/chat/completions", 400},
				{"POST", "/key/generate", 200},
			} {
				reply := g.call(t, script.Request{
					Method: row.method, Path: row.path, Headers: [][2]string{{"authorization", "Bearer " + master}},
				})
				select {
				case <-reply.Done():
				case <-time.After(5 * time.Second):
					t.Errorf("%s %s: no answer within 5 s", row.method, row.path)
					continue
				}
				if got := reply.Reply().Status; got != row.want {
					t.Errorf("%s %s: %d, want %d", row.method, row.path, got, row.want)
				}
			}
		})
	}
}

// More than the gateway takes is refused with 413, as an error that a client
// can read: a body that says its length, and one that grows.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	c := config(roomy)
	c["fairshare_settings"] = object{"max_body_bytes": 100_000}
	g := launch(t, c, envoy.Options{Workers: 1})
	large := append(append([]byte(`{"model":"`), bytes.Repeat([]byte("x"), 200_000)...), `"}`...)
	for _, chunked := range []bool{false, true} {
		var body io.Reader = bytes.NewReader(large)
		if chunked {
			body = io.NopCloser(body)
		}
		r, err := http.NewRequest(http.MethodPost, g.BaseURL+"/v1/chat/completions", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("authorization", "Bearer "+master)
		response, err := client.Do(r)
		if err != nil {
			t.Fatalf("chunked %v: %v", chunked, err)
		}
		got, err := io.ReadAll(response.Body)
		response.Body.Close()
		var refusal struct {
			Error struct{ Message string }
		}
		if err != nil || response.StatusCode != http.StatusRequestEntityTooLarge || json.Unmarshal(got, &refusal) != nil || refusal.Error.Message == "" {
			t.Errorf("chunked %v: %d %s %v", chunked, response.StatusCode, got, err)
		}
	}
}

// A reload changes the limits and keeps keys and counters. A bad one is
// refused with one line, and the old configuration goes on serving.
func TestReload(t *testing.T) {
	t.Parallel()
	g := launch(t, config(object{"tpm": 60}), envoy.Options{Workers: 2})
	key := g.key(t, nil)
	if got := passed(t, g.burst(t, 3, []string{key}, mockModel, "")); got != 2 {
		t.Fatalf("%d passed, want 2", got)
	}
	if err := g.Reload(text(t, config(object{"tpm": 90}))); err != nil {
		t.Fatal(err)
	}
	client.CloseIdleConnections()
	if got := passed(t, g.burst(t, 3, []string{key}, mockModel, "")); got != 1 {
		t.Errorf("after 60 of 90 tokens %d more passed, want 1", got)
	}

	err := g.Reload([]byte(`{"model_list": 17}`))
	var refusal *envoy.ConfigError
	if !errors.As(err, &refusal) {
		t.Fatalf("a bad configuration: %v", err)
	}
	if line := refusal.Line; !strings.Contains(line, "model_list") || !strings.Contains(line, "want") || !strings.Contains(line, "got") || strings.Contains(line, "\n") {
		t.Errorf("the refusal %q does not say in one line where, what was wanted and what was there", line)
	}
	g.minute(t, 1)
	if got := passed(t, g.burst(t, 4, []string{key}, mockModel, "")); got != 3 {
		t.Errorf("under the old configuration %d passed, want 3", got)
	}
}

// A bad configuration in the file stops Envoy's start, in every delivery.
func TestBadConfigStopsStart(t *testing.T) {
	t.Parallel()
	for _, asStruct := range []bool{false, true} {
		e, err := envoy.New(envoy.Options{
			Config: []byte(`{"model_list":[{"model_name":"m","litellm_params":{"model":"x","tpm":"many"}}]}`),
			Static: true, Struct: asStruct, Workers: 1,
		})
		if err == nil {
			t.Fatal(e.Close(), "Envoy started")
		}
		var refusal *envoy.ConfigError
		if !errors.As(err, &refusal) {
			t.Fatal(err)
		}
		for _, want := range []string{"model_list[0].litellm_params.tpm", "want", "got"} {
			if !strings.Contains(refusal.Line, want) {
				t.Errorf("%q does not contain %q; Envoy's log:\n%s", refusal.Line, want, refusal.Log)
			}
		}
	}
}
