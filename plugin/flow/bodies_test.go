//go:build !tinygo

package flow

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

const bodiesConfig = `{"model_list": [
	{"model_name": "m", "litellm_params": {"model": "openai/real", "api_base": "http://up.test/v1", "api_key": "k", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}}],
 "general_settings": {"master_key": "sk-1234"},
 "virtual_keys": [{"key_sha256": "ALPHA", "key_alias": "alpha"}, {"key_sha256": "BRAVO", "key_alias": "bravo", "rpm_limit": 3}],
 "fairshare_settings": {"max_body_bytes": 300000, "max_bodies": 6, "max_bodies_per_key": 4, "max_body_memory": 1048576}}`

func bodiesGateway(t *testing.T) *Gateway {
	return pricedGateway(t, newProcess(1), 1<<40, strings.NewReplacer("ALPHA", tokenOf("sk-alpha-0123456789"), "BRAVO", tokenOf("sk-bravo-0123456789")).Replace(bodiesConfig))
}

// asking opens an exchange and gives it the headers of a chat.
func asking(g *Gateway, now int64, key string) (*Exchange, Decision) {
	x := g.Open()
	return x, x.RequestHeaders(now, [][2]string{{":method", "POST"}, {":path", "/v1/chat/completions"}, {"authorization", "Bearer " + key}}, false)
}

func statusOf(d Decision) int {
	if d.Reply == nil {
		return 0
	}
	return d.Reply.Status
}

// Bodies that never end take the places of their key and then those of all; whatever
// ends one gives its place back.
func TestBodiesThatNeverEnd(t *testing.T) {
	const now, alpha, bravo = 1_800_000_000_000, "sk-alpha-0123456789", "sk-bravo-0123456789"
	g := bodiesGateway(t)
	var open []*Exchange
	for i := range 4 {
		x, d := asking(g, now, alpha)
		if !d.Pause {
			t.Fatalf("body %d: status %d", i, statusOf(d))
		}
		open = append(open, x)
	}
	if x, d := asking(g, now, alpha); statusOf(d) != 429 || !slices.Contains(d.Reply.Headers, [2]string{"retry-after", "1"}) {
		t.Fatalf("a fifth body of a key: status %d", statusOf(d))
	} else {
		x.Done(now)
	}
	for range 2 {
		x, d := asking(g, now, bravo)
		if !d.Pause {
			t.Fatalf("another key: status %d", statusOf(d))
		}
		open = append(open, x)
	}
	if _, d := asking(g, now, "sk-1234"); statusOf(d) != 503 {
		t.Fatalf("a seventh body: status %d", statusOf(d))
	}
	if n := g.worker.counts[RefusedBodies]; n != 2 {
		t.Errorf("%d refused bodies were counted, want 2", n)
	}
	open[0].Done(now)                                             // reset
	open[1].RequestBody(now, []byte(`{`))                         // decided
	if d := open[2].BodyGrows(now, 300_001); statusOf(d) != 413 { // refused
		t.Fatalf("too large a body: status %d", statusOf(d))
	}
	for i := range 3 {
		if _, d := asking(g, now, alpha); !d.Pause {
			t.Fatalf("place %d was not given back: status %d", i, statusOf(d))
		}
	}
	if b := &g.worker.bodies; len(b.list) != 6 || b.bytes != 0 {
		t.Fatalf("%d bodies of %d bytes on their way, want 6 of 0", len(b.list), b.bytes)
	}
	for _, x := range open[1:] { // the first is in use again
		x.Done(now)
	}
	if b := &g.worker.bodies; len(b.list) != 3 || b.bytes != 0 {
		t.Fatalf("%d bodies of %d bytes on their way, want 3 of 0", len(b.list), b.bytes)
	}
}

// What the proxy holds of bodies that are not complete is bounded, for each key and
// in all.
func TestBytesOfBodiesThatNeverEnd(t *testing.T) {
	const now, alpha, bravo = 1_800_000_000_000, "sk-alpha-0123456789", "sk-bravo-0123456789"
	g := bodiesGateway(t)
	first, _ := asking(g, now, alpha)
	second, _ := asking(g, now, alpha)
	if d := first.BodyGrows(now, 300_000); !d.Pause {
		t.Fatalf("one body as large as they may be: status %d", statusOf(d))
	}
	if d := second.BodyGrows(now, 100); statusOf(d) != 429 {
		t.Fatalf("a key's bodies beyond their part: status %d", statusOf(d))
	}
	for range 2 {
		x, _ := asking(g, now, bravo)
		x.BodyGrows(now, 150_000)
	}
	x, _ := asking(g, now, "sk-1234")
	if d := x.BodyGrows(now, 299_000); !d.Pause {
		t.Fatalf("there is room for it: status %d", statusOf(d))
	}
	if b := &g.worker.bodies; b.bytes != 899_000 {
		t.Fatalf("%d bytes, want 899000", b.bytes)
	}
	if d := first.RequestBody(now, []byte(`{"model": "m", "messages": []}`)); d.Reply != nil {
		t.Fatalf("a good body: %d %s", d.Reply.Status, d.Reply.Body)
	}
	if b := &g.worker.bodies; b.bytes != 599_000 {
		t.Fatalf("%d bytes after one is there, want 599000", b.bytes)
	}
}

// A body that is refused takes a request of the key's minute, and once those are
// used up the next body is not read.
func TestRefusedBodiesCountAsRequests(t *testing.T) {
	const now, bravo = 1_800_000_000_000, "sk-bravo-0123456789"
	for name, body := range map[string]string{
		"no JSON":          `{"model": `,
		"no such model":    `{"model": "nobody", "messages": []}`,
		"too large a body": strings.Repeat(" ", 300_001),
	} {
		g := bodiesGateway(t)
		for i := range 3 {
			x, d := asking(g, now, bravo)
			if !d.Pause {
				t.Fatalf("%s, %d: status %d before the body", name, i, statusOf(d))
			}
			if d = x.RequestBody(now, []byte(body)); statusOf(d) != 400 && statusOf(d) != 413 {
				t.Fatalf("%s, %d: status %d", name, i, statusOf(d))
			}
			x.Done(now)
		}
		x, d := asking(g, now, bravo)
		if statusOf(d) != 429 || !strings.Contains(string(d.Reply.Body), "Rate limit exceeded for api_key") || g.worker.counts[RefusedRequests] != 1 {
			t.Fatalf("%s: the fourth has status %d, want 429 before its body", name, statusOf(d))
		}
		x.Done(now)
		if x, d = asking(g, now+60_000, bravo); !d.Pause {
			t.Fatalf("%s: status %d in the next minute", name, statusOf(d))
		}
		if d = x.RequestBody(now+60_000, []byte(`{"model": "m", "messages": []}`)); d.Reply != nil {
			t.Fatalf("%s: a good body has status %d in the next minute", name, statusOf(d))
		}
	}
}

// The rewrites of all large bodies lie in one place, whatever their order.
func TestLargeRewritesUseOnePlace(t *testing.T) {
	const now, alpha = 1_800_000_000_000, "sk-alpha-0123456789"
	g := bodiesGateway(t)
	at := map[*byte]bool{}
	for i := range 50 {
		x, _ := asking(g, now, alpha)
		content := strings.Repeat("a", 70_000+(i*i*7919)%229_000)
		d := x.RequestBody(now, []byte(`{"model": "m", "stream": true, "messages": [{"role": "user", "content": "`+content+`"}]}`))
		if !d.Replace || !strings.Contains(string(d.Body), content) {
			t.Fatalf("body %d was not rewritten: status %d", i, statusOf(d))
		}
		if n := strconv.Itoa(len(d.Body)); !slices.ContainsFunc(d.Edits, func(e Edit) bool { return e.Name == "content-length" && e.Value == n }) {
			t.Errorf("body %d has another length than its header says", i)
		}
		at[&d.Body[0]] = true
		x.Done(now)
	}
	if len(at) != 1 {
		t.Errorf("large rewrites lay in %d places", len(at))
	}
}
