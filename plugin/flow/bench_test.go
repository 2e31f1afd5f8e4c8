package flow

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"fairshare/plugin/config"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

// memory is the host of one worker, all in this process.
type memory struct {
	quota.Memory
	queue [][]byte
	added [NumMetrics]uint64
}

func (m *memory) Random(dst []byte) bool {
	for i := range dst {
		dst[i] = byte(i + 1)
	}
	return true
}

func (m *memory) Enqueue(message []byte) bool {
	m.queue = append(m.queue, append([]byte(nil), message...))
	return true
}

func (m *memory) Dequeue() ([]byte, bool) {
	if len(m.queue) == 0 {
		return nil, false
	}
	first := m.queue[0]
	m.queue = m.queue[1:]
	return first, true
}

func (m *memory) Add(k Metric, n uint64) { m.added[k] += n }

func noEnv(string) (string, bool) { return "", false }

func gateway(t testing.TB, text string) (*Gateway, *memory) {
	t.Helper()
	p, err := config.Parse([]byte(text), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	m := new(memory)
	return NewGateway(NewWorker(m, 1), p), m
}

const upstreamConfig = `{"model_list":[{"model_name":"local-model","litellm_params":{"model":"openai/local-model",
 "api_base":"http://127.0.0.1:8000/v1","api_key":"none","rpm":1000000000,"tpm":100000000000,
 "input_cost_per_token":1e-6,"output_cost_per_token":2e-6}}],
 "litellm_settings":{"callbacks":["dynamic_rate_limiter"]},"general_settings":{"master_key":"sk-1234"}}`

var (
	askHeaders = [][2]string{
		{":authority", "127.0.0.1:4000"},
		{":path", "/v1/chat/completions"},
		{":method", "POST"},
		{":scheme", "http"},
		{"content-type", "application/json"},
		{"authorization", "Bearer sk-1234"},
		{"content-length", "191"},
		{"accept-encoding", "gzip, deflate"},
		{"user-agent", "OpenAI/Python 3.52.0"},
		{"x-request-id", "5d1f"},
		{"x-forwarded-proto", "http"},
	}
	askBody       = []byte(`{"model":"local-model","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"Hello, how are you today? Please tell me something nice about proxies."}],"temperature":0.7}`)
	answerHeaders = [][2]string{{":status", "200"}, {"content-type", "application/json"}, {"content-length", "602"}, {"date", "x"}, {"server", "envoy"}}
	answerBody    = []byte(`{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion","created":1741569952,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Hello! How can I assist you today? I am a language model and happy to help with questions, writing, and code; tell me what you need and I will do my best to answer.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}`)
)

// BenchmarkExchange is a whole JSON exchange with an upstream, without a host.
func BenchmarkExchange(b *testing.B) {
	g, m := gateway(b, upstreamConfig)
	b.ReportAllocs()
	now := int64(1_000_000_000_000)
	for b.Loop() {
		x := g.Open()
		x.RequestHeaders(now, askHeaders, false)
		x.RequestBody(now, askBody)
		x.ResponseHeaders(now, answerHeaders, false)
		x.ResponseBody(now, answerBody, true)
		x.Done(now)
		m.queue = m.queue[:0]
	}
}

// BenchmarkTenants is the same for keys of teams with a budget and limits each,
// chosen at random: ten keys of one team, and 100,000 of 10,000.
func BenchmarkTenants(b *testing.B) {
	for _, keys := range []int{10, 100_000} {
		b.Run(strconv.Itoa(keys)+"keys", func(b *testing.B) {
			g, m := gateway(b, upstreamConfig)
			limits := tenant.Limits{
				Budget: quota.Cap{Limited: true, Max: int64(1_000_000 * unit.USD)},
				RPM:    quota.Cap{Limited: true, Max: 1e12}, TPM: quota.Cap{Limited: true, Max: 1e12},
			}
			secrets := make([]string, keys)
			for i := range keys {
				team := "team-" + strconv.Itoa(i/10)
				if i%10 == 0 {
					if got := g.tenants.Add(&tenant.Subject{Kind: tenant.Team, ID: team, Limits: limits}); got != tenant.Added {
						b.Fatal(got)
					}
				}
				secrets[i] = "sk-key-of-the-benchmark-" + strconv.Itoa(i)
				hash := tenant.Hash(secrets[i])
				k := tenant.NewKey(&hash)
				k.TeamID, k.Limits, k.Alias = team, limits, "alias-"+strconv.Itoa(i)
				if got := g.tenants.Add(k); got != tenant.Added {
					b.Fatal(got)
				}
			}
			rng := rand.New(rand.NewPCG(1, 2))
			headers := append([][2]string(nil), askHeaders...)
			b.ReportAllocs()
			now := int64(1_000_000_000_000)
			for b.Loop() {
				headers[5][1] = "Bearer " + secrets[rng.IntN(keys)]
				x := g.Open()
				x.RequestHeaders(now, headers, false)
				if d := x.RequestBody(now, askBody); d.Reply != nil {
					b.Fatal(string(d.Reply.Body))
				}
				x.ResponseHeaders(now, answerHeaders, false)
				x.ResponseBody(now, answerBody, true)
				x.Done(now)
				m.queue = m.queue[:0]
				now += 6_000 // ten of them are active in a minute
			}
		})
	}
}
