//go:build !tinygo

package flow

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowedConfig lets two headers of the operator's through.
const allowedConfig = `{"model_list":[{"model_name":"local-model","litellm_params":{"model":"openai/local-model",
 "api_base":"http://127.0.0.1:8000/v1","api_key":"none"}}],
 "general_settings":{"master_key":"sk-1234"},"fairshare_settings":{"forward_headers":["x-mine","x-team-*"]}}`

// sentOn is what an upstream gets of the headers of a chat, beside Envoy's own.
func sentOn(t *testing.T, g *Gateway, head [][2]string) (sent [][2]string, edits int) {
	t.Helper()
	x := g.Open()
	defer x.Done(0)
	d := x.RequestHeaders(1_000_000_000_000, slices.Clone(head), false)
	if !d.Pause {
		t.Fatalf("%v: %+v", head, d.Reply)
	}
	d = x.RequestBody(1_000_000_000_000, askBody)
	if d.Reply != nil {
		t.Fatalf("%d %s", d.Reply.Status, d.Reply.Body)
	}
	return edit(slices.Clone(head), d.Edits), len(d.Edits)
}

// What reaches an upstream, written out here a second time: what is not in it must not
// leave, whatever it is called.
const upstreamKnows = ` :method :path :authority :scheme
	accept accept-language user-agent content-type content-length accept-encoding authorization x-fairshare-upstream
	host connection keep-alive transfer-encoding x-forwarded-proto sec-fetch-mode
	traceparent tracestate baggage b3 sentry-trace x-request-id x-correlation-id x-client-request-id x-ms-client-request-id
	x-cloud-trace-context x-amzn-trace-id uber-trace-id x-ot-span-context grpc-trace-bin
	idempotency-key openai-beta anthropic-version anthropic-beta x-goog-api-client
	http-referer x-title x-openrouter-title x-openrouter-categories x-grok-conv-id x-session-affinity
	x-mine `

func mayLeave(name string) bool {
	for _, family := range []string{"x-stainless-", "x-datadog-", "x-b3-", "x-team-"} {
		if strings.HasPrefix(name, family) {
			return true
		}
	}
	return slices.Contains(strings.Fields(upstreamKnows), name)
}

func TestOnlyKnownHeadersLeave(t *testing.T) {
	t.Parallel()
	g, _ := gateway(t, allowedConfig)
	random := rand.New(rand.NewPCG(1, 2))
	names := strings.Fields(upstreamKnows + `cookie set-cookie proxy-authorization x-proxy-authorization x-auth-token x-csrf-token
		x-amz-security-token x-api-key api-key x-goog-api-key x-litellm-api-key forwarded via x-real-ip x-client-ip true-client-ip cf-connecting-ip
		x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-client-cert x-forwarded-user x-envoy-retry-on x-envoy-max-retries
		x-envoy-hedge-on-per-try-timeout x-envoy-upstream-rq-timeout-ms x-envoy-upstream-alt-stat-name x-envoy-original-path x-envoy-external-address
		x-envoy-decorator-operation openai-organization openai-project x-goog-user-project x-litellm-tags x-litellm-end-user-id x-fairshare-worker
		helicone-auth helicone-target-url cf-aig-authorization x-portkey-provider x-dashscope-sse nvcf-poll-seconds azureml-model-deployment x-hf-bill-to
		te trailer upgrade expect keep-alive proxy-connection range content-range content-language content-location content-md5 digest
		content-digest repr-digest content-disposition if-match if-none-match x-http-method-override x-method-override x-original-url
		x-rewrite-url content_type content-type2 origin referer sec-fetch-site sec-websocket-key access-control-request-headers
		accept-language accept-charset dnt priority save-data x-requested-with grpc-timeout x-mines x-team x-stainless`)
	for round := range 3000 {
		head := slices.Clone(askHeaders)
		for range 1 + random.IntN(8) {
			name := names[random.IntN(len(names))]
			switch random.IntN(4) {
			case 0: // a name near to it
				at := random.IntN(len(name))
				name = name[:at] + string(rune('a'+random.IntN(26))) + name[at+random.IntN(2):]
			case 1:
				name += "-" + strconv.Itoa(random.IntN(30))
			}
			if name[0] == ':' || credentialOf(name) < numCredentials || name == "content-length" || name == "transfer-encoding" {
				continue
			}
			value := "v"
			if name == "content-encoding" {
				value = "identity"
			}
			head = append(head, [2]string{name, value})
		}
		sent, _ := sentOn(t, g, head)
		for _, h := range sent {
			switch {
			case !mayLeave(h[0]):
				t.Fatalf("round %d: %s reached the upstream", round, h[0])
			case h[0] == "authorization" && h[1] != "Bearer none", h[0] == "content-type" && h[1] != "application/json",
				h[0] == "x-fairshare-upstream" && h[1] != "127.0.0.1:8000":
				t.Fatalf("round %d: the upstream got %s: %s", round, h[0], h[1])
			}
		}
		for _, h := range head {
			if mayLeave(h[0]) && !slices.ContainsFunc(sent, func(s [2]string) bool { return s[0] == h[0] }) {
				t.Fatalf("round %d: %s was kept back", round, h[0])
			}
		}
	}
}

// Each change of a header costs a proxy about half a microsecond. Beside the four that
// every request needs (key, host, upstream, no compression), a usual client's takes none.
func TestUsualClientsNeedFewEdits(t *testing.T) {
	t.Parallel()
	g, _ := gateway(t, allowedConfig)
	begin := [][2]string{{":authority", "127.0.0.1:4000"}, {":path", "/v1/chat/completions"}, {":method", "POST"}, {":scheme", "http"}}
	end := [][2]string{
		{"authorization", "Bearer sk-1234"},
		{"content-type", "application/json"},
		{"content-length", "191"},
		{"x-forwarded-proto", "http"},
		{"x-request-id", "5d1f"},
	}
	stainless := [][2]string{
		{"x-stainless-lang", "python"},
		{"x-stainless-package-version", "3.52.0"},
		{"x-stainless-os", "Linux"},
		{"x-stainless-arch", "x64"},
		{"x-stainless-runtime", "CPython"},
		{"x-stainless-runtime-version", "3.11.2"},
		{"x-stainless-async", "false"},
		{"x-stainless-raw-response", "true"},
		{"x-stainless-retry-count", "0"},
		{"x-stainless-read-timeout", "600"},
	}
	for _, c := range []struct {
		client string
		own    [][2]string
		want   int
	}{
		{"openai-python", append([][2]string{{"accept", "application/json"}, {"accept-encoding", "gzip, deflate"}, {"user-agent", "OpenAI/Python 3.52.0"}}, stainless...), 4},
		{"openai-node", append([][2]string{{"accept", "application/json"}, {"accept-encoding", "gzip, deflate"}, {"user-agent", "OpenAI/JS 6.1.0"}, {"accept-language", "*"}, {"sec-fetch-mode", "cors"}}, stainless...), 4},
		{"curl", [][2]string{{"accept", "*/*"}, {"user-agent", "curl/7.88.1"}}, 3},
		{"requests", [][2]string{{"accept", "*/*"}, {"accept-encoding", "gzip, deflate"}, {"user-agent", "python-requests/2.32.5"}}, 4},
		{"go", [][2]string{{"accept-encoding", "gzip"}, {"user-agent", "Go-http-client/1.1"}}, 4},
	} {
		if _, n := sentOn(t, g, slices.Concat(begin, c.own, end)); n != c.want {
			t.Errorf("%s: %d edits, want %d", c.client, n, c.want)
		}
	}
}
