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
		// DashScope: github.com/langchain4j/langchain4j-community/issues/788.
		{`{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":1000,"completion_tokens":20,"total_tokens":1020,"prompt_tokens_details":{"cached_tokens":900,"cache_creation_input_tokens":0}}}`, 390},
		// Mistral: docs.mistral.ai, "Prompt caching", with its two spellings.
		{`{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":1000,"completion_tokens":20,"total_tokens":1020,"num_cached_tokens":900,"prompt_token_details":{"cached_tokens":900}}}`, 390},
		// Perplexity's deep research reads what it cites: docs.perplexity.ai, "Pricing".
		{`{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":33,"completion_tokens":100,"total_tokens":133,"citation_tokens":67,"num_search_queries":18,"reasoning_tokens":300}}`, 4100},
		// xAI: docs.x.ai, "Reasoning".
		{`{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":94}}}`, 32 + 1030},
		// Google: ai.google.dev, UsageMetadata; what a tool gave to read is beside the prompt.
		{`{"candidates":[],"usageMetadata":{"promptTokenCount":10,"toolUsePromptTokenCount":5,"candidatesTokenCount":20,"thoughtsTokenCount":30,"totalTokenCount":65}}`, 15 + 500},
		// Cohere's second API: docs.cohere.com, "Chat", whole and at a stream's end.
		{`{"id":"1","message":{"content":[{"type":"text","text":"x"}]},"usage":{"billed_units":{"input_tokens":5,"output_tokens":20},"tokens":{"input_tokens":10,"output_tokens":20}}}`, 210},
		{"event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"tokens\":{\"input_tokens\":10,\"output_tokens\":20}}}}\n\n", 210},
		// Bedrock: docs.aws.amazon.com, TokenUsage of Converse.
		{`{"output":{"message":{"content":[{"text":"x"}]}},"usage":{"inputTokens":100,"outputTokens":20,"totalTokens":1020,"cacheReadInputTokens":900,"cacheWriteInputTokens":0}}`, 390},
		// A whole answer in an envelope.
		{`{"code":0,"message":"success","data":{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}}`, 210},
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
