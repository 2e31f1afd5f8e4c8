package llm

import (
	"strconv"
	"strings"
	"testing"
)

// Results that the compiler may not drop.
var (
	benchAsk  Ask
	benchSeen Usage
)

func BenchmarkParseAsk(b *testing.B) {
	body := []byte(`{"model":"gpt-4o","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"` +
		strings.Repeat("lorem ipsum ", 80) + `"}],"temperature":0.7,"max_tokens":200,"stream":true,"user":"u-1"}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		benchAsk, _ = parseAsk(body)
	}
}

func BenchmarkRewrite(b *testing.B) {
	body := []byte(`{"model":"gpt-4o","messages":[{"role":"user","content":"` + strings.Repeat("lorem ipsum ", 80) + `"}],"stream":true}`)
	ask, _ := parseAsk(body)
	var out []byte
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		out = ask.Rewrite(out[:0], body, "gpt-4o-mini", AskUsage)
	}
}

// BenchmarkObserveSSEChunk reads one event of a long stream a time, as most
// proxies deliver them.
func BenchmarkObserveSSEChunk(b *testing.B) {
	chunk := []byte(`data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini","service_tier":"default","system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{"content":"Hello"},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n")
	var o Observer
	o.Reset(SSE, true)
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	for b.Loop() {
		o.Chunk(chunk, false)
	}
}

// BenchmarkObserveSSECut is the same with every event in two chunks, the
// first of which might still become the usage event.
func BenchmarkObserveSSECut(b *testing.B) {
	event := `data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"Hello"}}]}` + "\n\n"
	head, tail := []byte(event[:40]), []byte(event[40:])
	var o Observer
	o.Reset(SSE, true)
	b.SetBytes(int64(len(event)))
	b.ReportAllocs()
	for b.Loop() {
		o.Chunk(head, false)
		o.Chunk(tail, false)
	}
}

func BenchmarkObserveJSON(b *testing.B) {
	body := []byte(`{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion","created":1741569952,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"` +
		strings.Repeat("lorem ipsum ", 40) + `","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":3}},"service_tier":"default"}`)
	var o Observer
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		o.Reset(JSON, false)
		o.Chunk(body, true)
		benchSeen, _ = o.Usage()
	}
}

// BenchmarkRefuse reads a body of 8.3 MB up to its fault, which a worker does
// again and again for a client that sends nothing else.
func BenchmarkRefuse(b *testing.B) {
	const size = 8_300_000
	for _, c := range []struct{ name, text string }{
		{"ASCII", "lorem ipsum "}, {"Chinese", "中文文本"}, {"French", "été à"}, {"escapes", `\n\"`},
	} {
		text := `{"model":"a","messages":[{"role":"user","content":"` + strings.Repeat(c.text, size/len(c.text)) + `"}]}`
		for _, at := range []int{0, 100, len(text) - 1} {
			body := []byte(text)
			body[at] = 1
			b.Run(c.name+" at "+strconv.Itoa(at), func(b *testing.B) {
				for b.Loop() {
					if _, fault := parseAsk(body); fault == nil {
						b.Fatal("no fault")
					}
				}
			})
		}
	}
}
