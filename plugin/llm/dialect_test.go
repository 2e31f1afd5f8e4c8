package llm

import "testing"

// Counts are found where a provider puts them, and of what is told more than once the
// largest counts.
func TestObserveProviders(t *testing.T) {
	const usage = `"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}`
	for _, c := range []struct {
		name, body string
		want       Usage
	}{
		{"Moonshot's stream", "data: {\"choices\":[{\"index\":0,\"delta\":{}," + usage + "}]}\n\ndata: [DONE]\n\n", MockUsage},
		{"of two choices", `data: {"choices":[{"index":0,"usage":{"prompt_tokens":10,"completion_tokens":8}}]}` + "\n\n" + `data: {"choices":[{"index":1,"usage":{"prompt_tokens":10,"completion_tokens":12}}]}` + "\n\n", MockUsage},
		{"Groq's stream", `data: {"x_groq":{` + usage + "},\"choices\":[{}]}\n\n", MockUsage},
		{"split over events", `data: {"type":"message_start","message":{"usage":{"input_tokens":10,"output_tokens":1}}}` + "\n\n" + `data: {"type":"message_delta","usage":{"output_tokens":20}}` + "\n\n", MockUsage},
		{"a placeholder behind", "data: {\"choices\":[{}]," + usage + "}\n\n" + `data: {"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}` + "\n\n", MockUsage},
		{"an early one", `data: {"choices":[{}],"usage":{"prompt_tokens":10,"completion_tokens":1,"total_tokens":11}}` + "\n\ndata: {\"choices\":[]," + usage + "}\n\n", MockUsage},
		{"Cohere", `{"meta":{"billed_units":{"input_tokens":8,"output_tokens":20},"tokens":{"input_tokens":10,"output_tokens":20}}}`, MockUsage},
		{"llama.cpp", `{"choices":[{}],"timings":{"cache_n":3,"prompt_n":7,"predicted_n":20}}`, MockUsage},
		{"llama.cpp's own", `{"content":"x","tokens_evaluated":10,"tokens_predicted":20}`, MockUsage},
		{"Ollama", `{"message":{"content":"x"},"done":false}` + "\n" + `{"done":true,"prompt_eval_count":10,"eval_count":20}` + "\n", MockUsage},
		{"Google", `[{"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":15,"totalTokenCount":30}}]`, Usage{}},
		{"Cloudflare", `{"result":{"response":"x",` + usage + `},"success":true}`, MockUsage},
		{"a byte order mark", "\uFEFF{" + usage + "}", MockUsage},
	} {
		got := observeCuts(t, Either, true, c.body)
		got.usage.Reasoning = 0
		if got.usage != c.want || got.passed != c.body && c.name != "an early one" && c.name != "a placeholder behind" {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// What an event says beside its usage keeps it in the stream.
func TestObserveStripsItsOwn(t *testing.T) {
	for _, c := range []struct {
		member string
		strips bool
	}{
		{"", true},
		{`,"id":"x","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":"f","service_tier":null,"x_groq":{"id":"r"}`, true},
		{`,"error":null,"other":null`, true},
		{`,"error":{"message":"no"}`, false},
		{`,"error":"no"`, false},
		{`,"x_groq":{"error":"no"}`, false},
		{`,"other":1`, false},
		{`,"other":"x"`, false},
		{`,"other":true`, false},
		{`,"citations":[]`, false},
		{`,"content":"x"`, false},
	} {
		body := `data: {"choices":[],"usage":{"total_tokens":5}` + c.member + "}\n\n"
		if got := observeCuts(t, Either, true, body); (got.passed == "") != c.strips {
			t.Errorf("%s: passed %q", body, got.passed)
		}
	}
}
