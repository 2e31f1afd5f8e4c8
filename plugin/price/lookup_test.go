package price_test

import (
	"testing"
	"time"

	"fairshare/plugin/price"
)

// Names of one model, and names that are none.
func TestLookup(t *testing.T) {
	for _, c := range []struct{ name, same string }{ // same is in the table; empty if name is not found
		{"gpt-4o", "gpt-4o"},
		{"openai/gpt-4o", "gpt-4o"},
		{"claude-opus-4-5", "anthropic/claude-opus-4-5"},
		{"anthropic/claude-opus-4-5", "claude-opus-4-5"},
		{"vertex_ai/gemini-2.5-pro", "gemini-2.5-pro"},
		{"vertex_ai_beta/gemini-2.5-pro", "gemini-2.5-pro"},
		{"mistral-large-latest", "mistral/mistral-large-latest"},
		{"gpt-35-turbo", "azure/gpt-35-turbo"},
		{"text-completion-openai/gpt-3.5-turbo-instruct", "gpt-3.5-turbo-instruct"},
		{"text-completion-codestral/codestral-latest", "codestral/codestral-latest"},
		{"cohere_chat/command-r-plus-08-2024", "command-r-plus-08-2024"},
		{"bedrock/amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"},
		{"bedrock/converse/amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"},
		{"bedrock/mars-north-1/amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"},
		{"bedrock/converse/mars-north-1/amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"},
		{"ft:gpt-4o-2024-08-06", "ft:gpt-4o-2024-08-06"},
		{"ft:gpt-4o-2024-08-06:acme::1", "ft:gpt-4o-2024-08-06"},
		{"ft:gpt-4o-2024-08-06:acme:a/b:1", "ft:gpt-4o-2024-08-06"},
		{"openai/ft:gpt-4o-2024-08-06:acme:a/b:1", "ft:gpt-4o-2024-08-06"},

		{"", ""},
		{"/", ""},
		{"gpt-4", "gpt-4"},
		{"gpt-4oo", ""},
		{"gpt-", ""},
		{"GPT-4o", ""},
		{"gpt-4o ", ""},
		{"openai/", ""},
		{"openai/openai/gpt-4o", ""},
		{"ollama/gpt-4o", ""},
		{"hosted_vllm/openai/gpt-4o", ""},
		{"openai/claude-opus-4-5", ""},
		{"openai/deepseek-chat", ""},
		{"amazon.nova-pro-v1:0/x", ""},
		{"bedrock/x/y", ""},
		{"bedrock/", ""},
		{"ft:", ""},
		{"ft:gpt-4o-2024-08-06x", ""},
		{"gpt-4o-2024-08-06:acme::1", ""},
		{"\x00", ""},
		{"zzzz", ""},
		{"fake", ""},
	} {
		got, ok := price.Lookup(c.name)
		if c.same == "" {
			if ok || got != (price.Price{}) {
				t.Errorf("Lookup(%q) = %+v, %v, want none", c.name, got, ok)
			}
			continue
		}
		want, found := price.Lookup(c.same)
		if !ok || !found || got != want || got == (price.Price{}) {
			t.Errorf("Lookup(%q) = %+v, %v, want as %q, %+v, %v", c.name, got, ok, c.same, want, found)
		}
	}
}

// Where the file has a bare name and one with a provider at different prices,
// each has its own.
func TestLookupOfTwoPrices(t *testing.T) {
	bare, ok := price.Lookup("gemini-exp-1206")
	prefixed, ok2 := price.Lookup("gemini/gemini-exp-1206")
	if !ok || !ok2 || bare.Estimate(10, 0) == 0 || prefixed.Estimate(10, 0) != 0 {
		t.Errorf("gemini-exp-1206: %+v %v, with its provider %+v %v", bare, ok, prefixed, ok2)
	}
}

func TestTableDate(t *testing.T) {
	if _, err := time.Parse(time.DateOnly, price.TableDate); err != nil {
		t.Error(err)
	}
}

var sink price.Price

func BenchmarkLookup(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sink, _ = price.Lookup("openai/gpt-4o-mini")
	}
}
