package flow

import (
	"testing"

	"fairshare/plugin/config"
	"fairshare/plugin/quota"
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
 "api_base":"http://127.0.0.1:8000/v1","api_key":"none","rpm":1000000000,"tpm":100000000000}}],
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
