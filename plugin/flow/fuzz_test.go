//go:build !tinygo

package flow

import (
	"bytes"
	"path"
	"slices"
	"strings"
	"testing"

	"fairshare/plugin/config"
	"fairshare/plugin/quota"
)

const fuzzConfig = `{"model_list": [
	{"model_name": "local", "litellm_params": {"model": "openai/llama", "api_base": "http://127.0.0.1:8000/v1", "api_key": "none", "tpm": 1000, "rpm": 40}},
	{"model_name": "mock", "litellm_params": {"model": "openai/mock", "mock_response": "hi", "tpm": 300}}],
 "litellm_settings": {"callbacks": ["dynamic_rate_limiter"]}, "general_settings": {"master_key": "sk-1234"},
 "fairshare_settings": {"max_body_bytes": 1024, "pass_through_paths": ["/v1/files/*"]}}`

// What the events of FuzzFlow carry, by a number from the fuzzer.
var (
	fuzzPaths  = []string{"/v1/chat/completions", "/v1/chat/completions", "/key/generate", "/v1/models", "/fairshare/shares?model=local", "/nowhere", "/v1/files/1"}
	fuzzBodies = []string{
		localBody, mockBody, `{"model":"local","stream":true,"messages":[]}`,
		`{"model":"local","stream":true,"stream_options":{"include_usage":true},"messages":[]}`, "", "{", `{"model":"nope","messages":[]}`,
	}
	fuzzHeads = [][][2]string{
		{{":status", "200"}, {"content-type", "application/json"}},
		{{":status", "200"}, {"content-type", "text/event-stream"}, {"content-length", "7"}},
		{{":status", "200"}, {"content-type", "application/json"}, {"content-encoding", "gzip"}},
		{{":status", "500"}, {"content-type", "application/json"}},
		{{":status", "100"}},
		{{":status", "wrong"}, {"x-ratelimit-limit-tokens", "9"}},
		nil,
	}
	fuzzChunks = []string{
		usageBody, usageBody[:40], usageBody[40:], "data: " + usageBody + "\n\n", "data: [DONE]\n\n",
		"data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\n", "", "}", "\xff\x00",
	}
)

// Any order of events, late and repeated ones included, of several exchanges
// on several workers, with swaps lost, configurations replaced and a clock that
// goes on or back: nothing panics, and in the end every hold was closed exactly
// once.
func FuzzFlow(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02\x00\x00\x03\x00\x00\x04\x00\x00\x06\x00\x00"))
	f.Add([]byte("\x00\x01\x00\x02\x01\x02\x03\x01\x01\x04\x01\x05\x07\x00\x40\x04\x01\x03\x04\x01\x04\x05\x01\x00"))
	f.Add([]byte("\x00\x02\x00\x02\x02\x00\x09\x05\x00\x07\x00\xff\x08\x00\x00\x08\x01\x00\x03\x02\x00\x04\x02\x00\x0a\x02\x00\x06\x02\x00"))
	f.Add([]byte("\x00\x00\x0e\x02\x00\x00\x02\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x02\x00\x00\x01\x00\x05\x02\x00\x00\x03\x00\x00\x04\x00\x80\x04\x00\x00\x03\x00\x00"))
	f.Fuzz(func(t *testing.T, program []byte) {
		const workers, slots, most = 3, 5, 600
		p, now := newProcess(1), int64(1_800_000_000_000)
		var gateways [workers]*Gateway
		for i := range gateways {
			gateways[i] = newGateway(t, p, uint64(i+1)<<40, fuzzConfig)
		}
		var open [slots]*Exchange
		for i := range open {
			open[i] = Ended
		}
		straight := true // the clock never stepped back
		opened := uint64(0)
		for n := 0; len(program) >= 3 && n < most; n++ {
			event, at, arg := program[0], int(program[1]), int(program[2])
			program = program[3:]
			x := &open[at%slots]
			g := gateways[at%workers]
			end := arg >= 128
			switch event % 11 {
			case 0:
				if *x == Ended {
					*x = g.Open()
					opened++
				}
				method := "POST"
				if arg%7 > 2 {
					method = "GET"
				}
				key := "Bearer sk-1234"
				if arg%5 == 4 {
					key = "Bearer sk-nobody"
				}
				(*x).RequestHeaders(now, [][2]string{{":method", method}, {":path", fuzzPaths[arg%7]}, {"authorization", key}}, end)
			case 1:
				reading := (*x).Reading()
				late(t, reading, (*x).BodyGrows(now, arg*8))
			case 2:
				reading := (*x).Reading()
				late(t, reading, (*x).RequestBody(now, []byte(fuzzBodies[arg%7])))
			case 3:
				waiting := (*x).Waiting()
				late(t, waiting, (*x).ResponseHeaders(now, fuzzHeads[arg%7], end))
			case 4:
				answering := (*x).Answering()
				late(t, answering, (*x).ResponseBody(now, []byte(fuzzChunks[arg%9]), end))
			case 5:
				answering := (*x).Answering()
				late(t, answering, (*x).ResponseTrailers(now))
			case 6:
				(*x).Done(now)
				*x = Ended
			case 7:
				step := int64(arg) * 500
				if at%8 == 0 {
					step = -step
					straight = straight && step == 0
				}
				now += step
			case 8:
				g.Tick(now)
			case 9:
				p.lose = arg % 20
			case 10:
				gateways[at%workers] = NewGateway(g.worker, g.policy)
			}
		}
		p.lose = 0
		for _, x := range open {
			x.Done(now)
		}
		for _, g := range gateways {
			g.Tick(now)
		}
		used, requests := int64(0), int64(0)
		for _, terms := range gateways[0].terms {
			var b quota.Book
			if err := gateways[0].worker.ledger.Read(now, terms, &b); err != nil {
				t.Fatal(err)
			}
			// A clock that steps back leaves the holds of a minute that is
			// not there any more to that minute's end.
			if b.Slots != 0 || straight && (b.Held != 0 || b.PrevHeld != 0) {
				t.Errorf("%s: %d in flight, %d and %d tokens held", terms.Key, b.Slots, b.Held, b.PrevHeld)
			}
			used += int64(b.Totals.Tokens)
			requests += b.Totals.Requests
		}
		if settled := int64(p.added[PromptTokens] + p.added[CompletionTokens]); used != settled {
			t.Errorf("%d tokens are on the books, %d were settled", used, settled)
		}
		if n := int64(p.added[Admitted]); requests != n {
			t.Errorf("%d requests are on the books, %d were admitted", requests, n)
		}
		if p.added[Admitted] > opened {
			t.Errorf("%d requests were admitted of %d", p.added[Admitted], opened)
		}
		if n := p.added[UnsettledRequests] + p.added[ConflictFailures] + p.added[StoreFailures]; n != 0 {
			t.Errorf("%d failures of a store that works", n)
		}
	})
}

// late fails the test if an event that was not expected led to anything.
func late(t *testing.T, expected bool, d Decision) {
	t.Helper()
	if !expected && (d.Pause || d.Reply != nil || d.Replace || len(d.Edits) > 0) {
		t.Errorf("an event that came too late led to %+v", d)
	}
}

// Whatever the method, the path and the headers are: nothing panics, and only
// what the configuration names goes upstream.
func FuzzRequestHead(f *testing.F) {
	f.Add("POST", "/v1/chat/completions", "authorization: Bearer sk-1234")
	f.Add("GET", "/v1/files/a/../../chat/completions?x=/v1/files/", "x-fairshare-upstream: evil\nx-api-key: sk-1234")
	f.Add("GET", "/v1/files/%2e%2e/keys", "authorization: ")
	f.Add("GET", "/fairshare/shares?model=%6cocal&model=x", "x-api-key: sk-1234\nx-api-key: sk-1234")
	f.Add("GET", "/v1/files/7", "authorization: bearer  sk-1234\ncookie: a=b\nx-envoy-max-retries: 9")
	f.Add("POST", "/v1/chat/completions?x", "x-api-key: sk-1234\ncontent-type: text/plain\ncontent-encoding: identity")
	f.Add("", "", ":path: /v1/models\ncontent-length: 99999999999999999999")
	f.Fuzz(func(t *testing.T, method, target, lines string) {
		pairs := [][2]string{{":method", method}, {":path", target}}
		for line := range strings.Lines(lines) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			if !strings.HasPrefix(name, ":") { // a proxy has one of each
				pairs = append(pairs, [2]string{strings.ToLower(name), value})
			}
		}
		p, now := newProcess(1), int64(1_800_000_000_000)
		g := newGateway(t, p, 1, fuzzConfig)
		x := g.Open()
		d := x.RequestHeaders(now, pairs, false)
		if d.Pause {
			d = x.RequestBody(now, []byte(localBody))
		}
		if d.Reply == nil {
			forwarded := edit(pairs, d.Edits)
			where, _, _ := strings.Cut(target, "?")
			where, _, _ = strings.Cut(where, "#")
			chat := method == "POST" && (strings.TrimSuffix(where, "/") == "/v1/chat/completions" || strings.TrimSuffix(where, "/") == "/chat/completions")
			file := strings.HasPrefix(where, "/v1/files/") && path.Clean(where) == strings.TrimSuffix(where, "/") && !strings.ContainsAny(where, `%\`)
			if !chat && !file {
				t.Errorf("%s %q was forwarded", method, target)
			}
			upstreams := 0
			for _, h := range forwarded {
				if config.InternalHeader(h[0]) && h != [2]string{upstreamHeader, "127.0.0.1:8000"} || h[0] == "cookie" ||
					chat && (h[0] == "content-encoding" || h[0] == "content-type" && h[1] != "application/json") {
					t.Errorf("%v went upstream", h)
				}
				if words := strings.Fields(h[1]); slices.Contains(credentialNames[:], h[0]) && len(words) > 0 && words[len(words)-1] == "sk-1234" {
					t.Errorf("the master key went upstream: %v", h)
				}
				if h[0] == upstreamHeader {
					upstreams++
				}
				if chat && slices.Contains(credentialNames[:], h[0]) && strings.Contains(h[1], "sk-1234") {
					t.Errorf("the caller's key went upstream: %v", h)
				}
			}
			if chat && upstreams != 1 {
				t.Errorf("%d upstreams are named", upstreams)
			}
		} else if !bytes.HasPrefix(d.Reply.Body, []byte("{")) && !bytes.HasPrefix(d.Reply.Body, []byte(`"I'm alive`)) {
			t.Errorf("the reply is %q", d.Reply.Body)
		}
		x.Done(now)
		if err := balanced(now, g); err != nil {
			t.Error(err)
		}
	})
}
