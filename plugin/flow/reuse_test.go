//go:build !tinygo

package flow

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

const reuseConfig = `{"model_list": [
	{"model_name": "gpt", "litellm_params": {"model": "openai/llama-3", "api_base": "https://llm.example/v1", "api_key": "none", "tpm": 100000, "rpm": 600}},
	{"model_name": "mock", "litellm_params": {"model": "openai/fake", "mock_response": "hi"}}],
 "litellm_settings": {"callbacks": ["dynamic_rate_limiter"], "max_end_user_budget": 0.5}, "general_settings": {"master_key": "sk-1234"},
 "customers": [{"user_id": "ann", "max_budget": 1, "rpm_limit": 9}, {"user_id": "blocked", "blocked": true}],
 "virtual_keys": [
	{"key_sha256": "ALPHA", "key_alias": "alpha", "max_budget": 1, "rpm_limit": 50, "model_rpm_limit": {"mock": 40}, "aliases": {"best": "mock"}},
	{"key_sha256": "BRAVO"}]}`

// A turn is one request with its answer.
type turn struct {
	name    string
	headers [][2]string
	body    string
	status  string // of the upstream's answer
	answer  string
}

func headersOf(method, path, key string, more ...[2]string) [][2]string {
	return append([][2]string{{":method", method}, {":path", path}, {":authority", "a"}, {"authorization", "Bearer " + key}}, more...)
}

// turns are requests of all kinds, which leave behind all that a request can.
func turns() []turn {
	const (
		chat   = "/v1/chat/completions"
		stream = `{"model":"gpt","stream":true,"user":"ann","messages":[{"role":"user","content":"hi"}]}`
		plain  = `{"model":"gpt","messages":[{"role":"user","content":"hi"}]}`
		mocked = `{"model":"mock","messages":[{"role":"user","content":"hi"}]}`
		usage  = `{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}`
		events = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\ndata: " + usage + "\n\ndata: [DONE]\n\n"
		alpha  = "sk-alpha-0123456789"
		bravo  = "sk-bravo-0123456789"
	)
	return []turn{
		{"plain", headersOf("POST", chat, bravo), plain, "200", usage},
		{"of an end user", headersOf("POST", "/chat/completions", alpha, [2]string{"x-litellm-end-user-id", "ann"}, [2]string{"accept-encoding", "gzip"}, [2]string{"x-fairshare-upstream", "x"}), plain, "200", usage},
		{"of another", headersOf("POST", chat, bravo, [2]string{"x-litellm-customer-id", "bea"}), plain, "200", usage},
		{"of a blocked one", headersOf("POST", chat, alpha, [2]string{"x-litellm-customer-id", "blocked"}), plain, "", ""},
		{"streamed", headersOf("POST", chat, alpha), stream, "200", events},
		{"broken off", headersOf("POST", chat, alpha), stream, "200", events[:80]},
		{"compressed", headersOf("POST", chat, bravo), plain, "200 gzip", "opaque"},
		{"an error", headersOf("POST", chat, alpha), plain, "500", "no"},
		{"no answer", headersOf("POST", chat, alpha), plain, "", ""},
		{"a mock", headersOf("POST", chat, bravo), mocked, "", ""},
		{"a mock by an alias", headersOf("POST", chat, alpha), strings.Replace(mocked, "mock", "best", 1), "", ""},
		{"streamed by a mock", headersOf("POST", chat, alpha), `{"model":"mock","stream":true,"stream_options":{"include_usage":true},"user":"ann","messages":[]}`, "", ""},
		{"embeddings", headersOf("POST", "/v1/embeddings", alpha), `{"model":"mock","input":["a","b"],"user":"bea"}`, "", ""},
		{"embeddings upstream", headersOf("POST", "/embeddings", bravo), `{"model":"gpt","input":"a","encoding_format":"base64"}`, "200", `{"usage":{"prompt_tokens":8,"total_tokens":8}}`},
		{"an unknown model", headersOf("POST", chat, alpha), `{"model":"none","messages":[]}`, "", ""},
		{"not JSON", headersOf("POST", chat, alpha), `{`, "", ""},
		{"a wrong key", headersOf("POST", chat, "sk-nobody"), plain, "", ""},
		{"two keys", headersOf("POST", chat, bravo, [2]string{"x-api-key", alpha}), plain, "200", usage},
		{"one key twice", headersOf("POST", chat, bravo, [2]string{"authorization", "x"}), plain, "", ""},
		{"no such path", headersOf("GET", "/nowhere", alpha), "", "", ""},
		{"a wrong method", headersOf("GET", chat, alpha), "", "", ""},
		{"the models", headersOf("GET", "/v1/models", alpha), "", "", ""},
		{"the shares", headersOf("GET", "/fairshare/shares?model=gpt", "sk-1234"), "", "", ""},
		{"its own key", headersOf("GET", "/key/info", alpha), "", "", ""},
		{"a list", headersOf("GET", "/user/list?page=1&page_size=7", "sk-1234"), "", "", ""},
		{"a cost", headersOf("POST", "/spend/calculate", "sk-1234"), `{"model":"gpt","messages":[{"role":"user","content":"hi"}]}`, "", ""},
		{"a key made anew", headersOf("POST", "/key/sk-nobody-0123456789/regenerate", "sk-1234"), `{}`, "", ""},
		{"not for it", headersOf("POST", "/team/new", alpha), `{}`, "", ""},
		{"too large", headersOf("POST", chat, alpha, [2]string{"content-length", "99999999"}), plain, "", ""},
	}
}

// host lends memory until it takes it back.
type host struct{ lent [][]byte }

func (h *host) text(s string) string {
	b := []byte(s)
	h.lent = append(h.lent, b)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

func (h *host) pairs(all [][2]string) [][2]string {
	lent := make([][2]string, len(all))
	for i, p := range all {
		lent[i] = [2]string{h.text(p[0]), h.text(p[1])}
	}
	return lent
}

func (h *host) take() {
	for _, b := range h.lent {
		for i := range b {
			b[i] = 'X'
		}
	}
	h.lent = nil
}

// play plays a turn and tells what was decided. reclaim says that the host
// uses the memory of a callback's arguments for the next one's.
func play(g *Gateway, now int64, c *turn, reclaim bool) string {
	var h host
	var told strings.Builder
	tell := func(d Decision) Decision {
		fmt.Fprintf(&told, "pause %v edits %q replace %v body %q\n", d.Pause, d.Edits, d.Replace, d.Body)
		if d.Reply != nil {
			fmt.Fprintf(&told, "reply %d %q %s\n", d.Reply.Status, d.Reply.Headers, d.Reply.Body)
		}
		if reclaim {
			h.take()
		}
		return d
	}
	x := g.Open()
	d := tell(x.RequestHeaders(now, h.pairs(c.headers), c.body == ""))
	if d.Pause {
		tell(x.BodyGrows(now, 1))
		body := h.text(c.body)
		d = tell(x.RequestBody(now, unsafe.Slice(unsafe.StringData(body), len(body))))
	}
	if d.Reply == nil && c.status != "" {
		status, encoding, _ := strings.Cut(c.status, " ")
		tell(x.ResponseHeaders(now, h.pairs([][2]string{
			{":status", status},
			{"content-type", map[bool]string{true: "text/event-stream", false: "application/json"}[strings.HasPrefix(c.answer, "data")]},
			{"content-encoding", encoding},
			{"x-ratelimit-limit-tokens", "7"},
		}), false))
		for chunk := range slices.Chunk([]byte(c.answer), 50) {
			lent := h.text(string(chunk))
			tell(x.ResponseBody(now, unsafe.Slice(unsafe.StringData(lent), len(lent)), false))
		}
		if !strings.HasPrefix(c.name, "broken") {
			tell(x.ResponseBody(now, nil, true))
		}
	}
	x.Done(now)
	return told.String()
}

// reuseGateway is a gateway of a new process, and a function that tells what is
// on all its books and counters.
func reuseGateway(t *testing.T) (*Gateway, func(now int64) string) {
	t.Helper()
	p := newProcess(1)
	g := pricedGateway(t, p, 1<<40, strings.NewReplacer("ALPHA", tokenOf("sk-alpha-0123456789"), "BRAVO", tokenOf("sk-bravo-0123456789")).Replace(reuseConfig))
	return g, func(now int64) string {
		var told strings.Builder
		g.Tick(now)
		for _, terms := range g.terms {
			var b quota.Book
			if err := g.worker.ledger.Read(now, terms, &b); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&told, "%+v\n", b)
		}
		for _, s := range append(slices.Clone(g.policy.Subjects), g.master, g.office.Proxy, &tenant.Subject{Kind: tenant.Customer, ID: "bea"}) {
			b, _ := books{g}.Book(now, s, "")
			m, _ := books{g}.Book(now, s, "mock")
			fmt.Fprintf(&told, "%s %+v %+v\n", s.ID, b, m)
		}
		for i, n := range p.added {
			fmt.Fprintf(&told, "%s %d\n", MetricNames[i][0], n)
		}
		told.WriteString(strings.Join(scrapeLines(t, g, now), ""))
		return told.String()
	}
}

// An exchange that served another request before does what a new one does,
// whatever that other request was.
func TestReusedExchange(t *testing.T) {
	t.Parallel()
	const now = int64(1_800_000_000_000)
	for _, before := range turns() {
		for _, after := range turns() {
			var got [2]string
			for i := range got {
				g, books := reuseGateway(t)
				play(g, now, &before, false)
				if i == 1 {
					if len(g.worker.free) != 1 {
						t.Fatal("the exchange is not kept")
					}
					g.worker.free = nil
				}
				got[i] = play(g, now, &after, false)
				if i == 0 && len(g.worker.free) != 1 {
					t.Fatal("the exchange is not reused")
				}
				got[i] += books(now)
			}
			if got[0] != got[1] {
				t.Fatalf("%q after %q: reused\n%s\nnew\n%s", after.name, before.name, got[0], got[1])
			}
		}
	}
}

// What the host lends for one callback is not looked at in another.
func TestHostTakesItsMemoryBack(t *testing.T) {
	t.Parallel()
	const now = int64(1_800_000_000_000)
	for _, c := range turns() {
		var got [2]string
		for i := range got {
			g, books := reuseGateway(t)
			got[i] = play(g, now, &c, i == 1)
			got[i] += play(g, now, &c, i == 1)
			got[i] += books(now)
		}
		if got[0] != got[1] {
			t.Errorf("%q: kept\n%s\ntaken back\n%s", c.name, got[0], got[1])
		}
	}
}
