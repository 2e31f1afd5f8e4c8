//go:build !tinygo

package llm

import "testing"

// Usage under the names and in the places that users of providers report, and what they cost at
// 1 a token of input, .1 one of the cache and 10 of output.
func TestUsageInProvidersWords(t *testing.T) {
	for _, test := range []struct {
		body string
		want int64
	}{
		// DeepSeek: docs.stigg.io/documentation/ai-agents/llm-wrappers/providers/deepseek.
		{`{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":1000,"completion_tokens":20,"total_tokens":1020,"prompt_cache_hit_tokens":900,"prompt_cache_miss_tokens":100}}`, 390},
		// Moonshot has cached_tokens directly in usage.
		{`{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":1000,"completion_tokens":20,"total_tokens":1020,"cached_tokens":900}}`, 390},
		// Moonshot's streams: github.com/earendil-works/pi/issues/2017.
		{"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20,\"total_tokens\":30}}]}\n\n", 210},
		{`{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":20,"completion_tokens":10,"total_tokens":200}}`, 1820},
		{`{"choices":[{"message":{"content":"x"}}],"usage":{"input_tokens":10,"output_tokens":20}}`, 210},
	} {
		var o Observer
		o.Reset(Either, false)
		o.Chunk([]byte(test.body), true)
		u, found := o.Usage()
		if got := int64(u.Prompt-u.Cached) + int64(u.Cached)/10 + 10*int64(u.Completion); !found || got != test.want {
			t.Errorf("%s: %+v costs %d, want %d", test.body, u, got, test.want)
		}
	}
}
