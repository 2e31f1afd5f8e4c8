//go:build !tinygo

package flow

import (
	"slices"
	"testing"

	"fairshare/plugin/config"
)

const faultyConfig = `{"model_list": [
	{"model_name": "local", "litellm_params": {"model": "openai/llama", "api_base": "http://127.0.0.1:8000/v1", "api_key": "none", "tpm": 100000}},
	{"model_name": "mock", "litellm_params": {"model": "openai/mock", "mock_response": "hi", "tpm": 100000}}],
 "litellm_settings": {"callbacks": ["dynamic_rate_limiter"]}, "general_settings": {"master_key": "sk-1234"}}`

const (
	localBody = `{"model":"local","max_tokens":20,"messages":[{"role":"user","content":"Hello world!"}]}`
	mockBody  = `{"model":"mock","messages":[]}`
	usageBody = `{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}`
)

// newGateway returns the gateway of a worker of p.
func newGateway(t testing.TB, p *process, instance uint64, text string) *Gateway {
	t.Helper()
	policy, err := config.Parse([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return NewGateway(NewWorker(p, instance), policy)
}

// post asks for a path with a key and a body.
func post(x *Exchange, now int64, path, key, body string) Decision {
	d := x.RequestHeaders(now, [][2]string{
		{":method", "POST"}, {":path", path}, {":authority", "a"}, {"authorization", "Bearer " + key},
	}, false)
	if d.Pause {
		d = x.RequestBody(now, []byte(body))
	}
	return d
}

// What the failure table says happens: before admission the client gets an
// error and nothing goes upstream, afterwards the answer, and each failure is
// counted.
func TestFailures(t *testing.T) {
	t.Parallel()
	const (
		chat = "/v1/chat/completions"
		now  = int64(1_800_000_000_000)
	)
	broken := func(p *process) { p.broken = true }
	lost := func(p *process) { p.lose = 1 << 30 }
	for _, row := range []struct {
		name            string
		fail            func(p *process)
		path, key, body string
		status          int
		message         string
		retry           string // Retry-After, empty for none
		metric          Metric
	}{
		{
			"shared data refuses at admission", broken, chat, "sk-1234", localBody,
			503, "Rate limit enforcement unavailable: the shared store can't be used", "", StoreFailures,
		},
		{
			"and for a mock", broken, chat, "sk-1234", mockBody,
			503, "Rate limit enforcement unavailable: the shared store can't be used", "", StoreFailures,
		},
		{
			"other workers win every swap", lost, chat, "sk-1234", localBody,
			503, "Rate limit enforcement unavailable: too many requests at this moment", "1", ConflictFailures,
		},
		{
			"and for a mock", lost, chat, "sk-1234", mockBody,
			503, "Rate limit enforcement unavailable: too many requests at this moment", "1", ConflictFailures,
		},
		{
			"a key's record can't be read", broken, chat, "sk-somebody", localBody,
			503, "Keys can't be checked: the shared store can't be used", "", StoreFailures,
		},
		{
			"the host gives no random bytes", func(p *process) { p.mute = true }, "/key/generate", "sk-1234", "{}",
			503, "No key can be made: the host gives no random bytes", "", StoreFailures,
		},
	} {
		p := newProcess(1)
		g := newGateway(t, p, 1, faultyConfig)
		// The books exist before something fails, as in a proxy that has run
		// for a while.
		for _, body := range []string{localBody, mockBody} {
			x := g.Open()
			post(x, now, chat, "sk-1234", body)
			x.Done(now)
		}
		row.fail(p)
		x := g.Open()
		d := post(x, now, row.path, row.key, row.body)
		want := `{"error":{"message":"` + row.message + `","type":"internal_server_error","param":null,"code":503}}`
		if d.Reply == nil || d.Reply.Status != row.status || string(d.Reply.Body) != want {
			t.Fatalf("%s: %+v, want %d %s", row.name, d, row.status, want)
		}
		if retry, _ := lookup(d.Reply.Headers, "retry-after"); retry != row.retry {
			t.Errorf("%s: Retry-After %q, want %q", row.name, retry, row.retry)
		}
		if !slices.Contains(d.Reply.Headers, [2]string{"content-type", "application/json"}) {
			t.Errorf("%s: the headers are %v, want a content-type of JSON", row.name, d.Reply.Headers)
		}
		x.Done(now)
		if n := g.worker.counts[row.metric]; n != 1 {
			t.Errorf("%s: %s is %d, want 1", row.name, MetricNames[row.metric][0], n)
		}
		p.broken, p.mute, p.lose = false, false, 0
		if err := balanced(now, g); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// After admission a failure costs the client nothing.
func TestFailuresAfterAdmission(t *testing.T) {
	t.Parallel()
	const now = int64(1_800_000_000_000)
	for _, row := range []struct {
		name    string
		fail    func(p *process)
		headers [][2]string
		body    string
		metric  Metric
		used    int64
	}{
		{"the books can't be changed", func(p *process) { p.broken = true }, nil, usageBody, UnsettledRequests, 0},
		{"every swap is lost", func(p *process) { p.lose = 1 << 30 }, nil, usageBody, UnsettledRequests, 0},
		{"the queue is full", func(p *process) { p.full = true }, nil, usageBody, QueueDropped, 30},
		{"no usage", nil, nil, `{"choices":[{"message":{"content":"four"}}]}`, EstimatedRequests, 7 + 1},
		{"compressed", nil, [][2]string{{"content-encoding", "gzip"}}, "opaque", EstimatedRequests, 7 + 20},
	} {
		p := newProcess(1)
		g := newGateway(t, p, 1, faultyConfig)
		x := g.Open()
		if d := post(x, now, "/v1/chat/completions", "sk-1234", localBody); d.Reply != nil {
			t.Fatalf("%s: %d %s", row.name, d.Reply.Status, d.Reply.Body)
		}
		if row.fail != nil {
			row.fail(p)
		}
		x.ResponseHeaders(now, append([][2]string{{":status", "200"}, {"content-type", "application/json"}}, row.headers...), false)
		if d := x.ResponseBody(now, []byte(row.body), true); d.Reply != nil || d.Replace {
			t.Errorf("%s: the answer is changed: %+v", row.name, d)
		}
		x.Done(now)
		g.Tick(now)
		if n := p.added[row.metric]; n != 1 {
			t.Errorf("%s: %s is %d, want 1", row.name, MetricNames[row.metric][0], n)
		}
		p.broken, p.lose = false, 0
		b := &g.worker.report.book
		if err := g.worker.ledger.Read(now, g.terms[0], b); err != nil {
			t.Fatal(err)
		}
		if int64(b.Used) != row.used {
			t.Errorf("%s: %d tokens are used, want %d", row.name, b.Used, row.used)
		}
	}
}

// Readiness fails while what the workers share can't be read: every request would.
func TestReadiness(t *testing.T) {
	t.Parallel()
	p := newProcess(1)
	g := newGateway(t, p, 1, faultyConfig)
	for _, c := range []struct {
		broken bool
		status int
	}{{false, 200}, {true, 503}, {false, 200}} {
		p.broken = c.broken
		x := g.Open()
		d := x.RequestHeaders(0, [][2]string{{":method", "GET"}, {":path", "/health/readiness"}}, true)
		if got := statusOf(d); got != c.status {
			t.Errorf("broken %v: status %d, want %d", c.broken, got, c.status)
		}
		x.Done(0)
	}
}
