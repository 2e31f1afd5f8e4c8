package llm

import (
	"strings"
	"testing"
)

// What upstreams say beside the three main numbers, and how it is held to
// parts that do not overlap.
func TestObserveUsageParts(t *testing.T) {
	const most = 1<<63 - 1
	for _, c := range []struct {
		name  string
		usage string
		want  Usage
	}{
		{
			"OpenAI", `"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,"prompt_tokens_details":{"cached_tokens":1920,"audio_tokens":6},"completion_tokens_details":{"reasoning_tokens":64,"audio_tokens":30,"accepted_prediction_tokens":5}`,
			Usage{Prompt: 2006, Completion: 300, Total: 2306, Cached: 1920, PromptAudio: 6, Reasoning: 64, CompletionAudio: 30},
		},
		{
			"LiteLLM before Anthropic", `"completion_tokens":7,"prompt_tokens":1050,"total_tokens":1057,"prompt_tokens_details":{"audio_tokens":null,"cached_tokens":300,"cache_creation_tokens":700},"cache_creation_input_tokens":700,"cache_read_input_tokens":300`,
			Usage{Prompt: 1050, Completion: 7, Total: 1057, Cached: 300, CacheWrite: 700},
		},
		{
			"the numbers of Anthropic alone", `"cache_creation_input_tokens":700,"cache_read_input_tokens":300,"prompt_tokens":1050,"completion_tokens":7`,
			Usage{Prompt: 1050, Completion: 7, Total: 1057, Cached: 300, CacheWrite: 700},
		},
		{
			"OpenRouter", `"prompt_tokens":50,"completion_tokens":1,"total_tokens":51,"prompt_tokens_details":{"cached_tokens":10,"cache_write_tokens":20}`,
			Usage{Prompt: 50, Completion: 1, Total: 51, Cached: 10, CacheWrite: 20},
		},
		{
			"details outrank what is read from a cache beside them", `"cache_read_input_tokens":40,"prompt_tokens":50,"prompt_tokens_details":{"cached_tokens":10}`,
			Usage{Prompt: 50, Total: 50, Cached: 10},
		},
		{
			"none in the details is a number too", `"cache_read_input_tokens":40,"prompt_tokens":50,"prompt_tokens_details":{"cached_tokens":0}`,
			Usage{Prompt: 50, Total: 50},
		},
		{
			"null in the details is none", `"prompt_tokens_details":{"cached_tokens":null},"cache_read_input_tokens":40,"prompt_tokens":50`,
			Usage{Prompt: 50, Total: 50, Cached: 40},
		},
		{
			"the largest of the names of a write", `"prompt_tokens":50,"cache_creation_input_tokens":0,"prompt_tokens_details":{"cache_write_tokens":4,"cache_creation_tokens":5}`,
			Usage{Prompt: 50, Total: 50, CacheWrite: 5},
		},
		{
			"details that are told again", `"prompt_tokens":50,"completion_tokens":9,"prompt_tokens_details":{"cached_tokens":1,"cache_write_tokens":2,"cache_creation_tokens":3,"audio_tokens":4},"prompt_tokens_details":{},"completion_tokens_details":{"reasoning_tokens":5,"audio_tokens":2},"completion_tokens_details":null`,
			Usage{Prompt: 50, Completion: 9, Total: 59},
		},
		{
			"names elsewhere", `"prompt_tokens":50,"cache_write_tokens":2,"audio_tokens":3,"prompt_tokens_details":{"cache_creation_input":5,"reasoning_tokens":6},"cache_creation_input_tokens2":9`,
			Usage{Prompt: 50, Total: 50},
		},
		{
			"more parts than prompt", `"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":8,"cache_write_tokens":4,"audio_tokens":3},"completion_tokens_details":{"reasoning_tokens":4,"audio_tokens":4}`,
			Usage{Prompt: 10, Completion: 5, Total: 15, Cached: 8, CacheWrite: 2, Reasoning: 4, CompletionAudio: 1},
		},
		{
			"one part is more than all", `"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":11,"cache_write_tokens":1},"completion_tokens_details":{"reasoning_tokens":6}`,
			Usage{Prompt: 10, Completion: 11, Total: 21, Cached: 10, Reasoning: 6},
		},
		{
			"less than none", `"prompt_tokens":-10,"completion_tokens":5,"cache_creation_input_tokens":-3,"cache_read_input_tokens":-1e99`,
			Usage{Completion: 5, Total: 5},
		},
		{
			"numbers without end", `"prompt_tokens":1e99,"completion_tokens":1e99,"total_tokens":1e99,"prompt_tokens_details":{"cached_tokens":1e99,"cache_write_tokens":1e99,"audio_tokens":1e99},"completion_tokens_details":{"reasoning_tokens":1e99,"audio_tokens":1e99}`,
			Usage{Prompt: most, Completion: most, Total: most, Cached: most, Reasoning: most},
		},
		{
			"xAI's reasoning beside the completion", `"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":94,"audio_tokens":0}`,
			Usage{Prompt: 32, Completion: 103, Total: 135, Reasoning: 94},
		},
		{
			"a total that says more than the reasoning", `"prompt_tokens":32,"completion_tokens":9,"total_tokens":136,"completion_tokens_details":{"reasoning_tokens":94}`,
			Usage{Prompt: 32, Completion: 104, Total: 136, Reasoning: 94},
		},
		{
			"reasoning without a total", `"completion_tokens":9,"completion_tokens_details":{"reasoning_tokens":94}`,
			Usage{Completion: 103, Total: 103, Reasoning: 94},
		},
		{
			"DeepSeek", `"prompt_tokens":1200,"completion_tokens":9,"total_tokens":1209,"prompt_cache_hit_tokens":900,"prompt_cache_miss_tokens":300`,
			Usage{Prompt: 1200, Completion: 9, Total: 1209, Cached: 900},
		},
		{
			"Moonshot", `"prompt_tokens":1200,"completion_tokens":9,"total_tokens":1209,"cached_tokens":900`,
			Usage{Prompt: 1200, Completion: 9, Total: 1209, Cached: 900},
		},
		{
			"OpenAI's newer names", `"input_tokens":50,"output_tokens":20,"total_tokens":70,"input_tokens_details":{"cached_tokens":10},"output_tokens_details":{"reasoning_tokens":5}`,
			Usage{Prompt: 50, Completion: 20, Total: 70, Cached: 10, Reasoning: 5},
		},
		{
			"Anthropic's, without what a cache read or wrote", `"input_tokens":50,"output_tokens":20,"cache_read_input_tokens":30,"cache_creation_input_tokens":7`,
			Usage{Prompt: 87, Completion: 20, Total: 107, Cached: 30, CacheWrite: 7},
		},
		{
			"Google's thoughts are in the total alone", `"prompt_tokens":20,"completion_tokens":100,"total_tokens":1920`,
			Usage{Prompt: 20, Completion: 1900, Total: 1920},
		},
		{
			"Perplexity's reasoning beside the completion", `"prompt_tokens":33,"completion_tokens":7163,"total_tokens":7196,"reasoning_tokens":74311`,
			Usage{Prompt: 33, Completion: 81474, Total: 81507, Reasoning: 74311},
		},
	} {
		want := seen{usage: c.want, found: true, complete: true, passed: `{"usage":{` + c.usage + `}}`}
		if got := observeCuts(t, JSON, false, want.passed); got != want {
			t.Errorf("%s: observe(%s)\n = %+v\n want %+v", c.name, want.passed, got.usage, c.want)
		}
	}
}

// An answer of embeddings is read to its end, whatever its size and wherever
// its usage stands, in room that does not grow.
func TestObserveEmbeddings(t *testing.T) {
	const usage = `"usage":{"prompt_tokens":8,"total_tokens":8}`
	floats := `"data":[` + strings.Repeat(`{"object":"embedding","usage":{"total_tokens":1},"embedding":[0.0023064255,-9.327292e-06, 12 ,-0.0]},`, 3) + `{"embedding":[]}]`
	base64 := `"data":[{"object":"embedding","index":0,"embedding":"` + strings.Repeat("AAAAPw+/", 30) + `"}]`
	for _, body := range []string{
		`{"object":"list",` + floats + `,"model":"m",` + usage + `}`,
		`{` + usage + `,"object":"list","model":"m",` + floats + `}`,
		`{"object":"list",` + base64 + `,"model":"m",` + usage + `}`,
		`{` + usage + `,` + base64 + `}`,
	} {
		want := seen{usage: Usage{Prompt: 8, Total: 8}, found: true, complete: true, passed: body}
		if got := observeCuts(t, JSON, false, body); got != want {
			t.Errorf("observe(%s)\n = %+v\n want %+v", body, got, want)
		}
	}
	if testing.Short() {
		t.Skip("counts allocations")
	}
	var o Observer
	head, tail := []byte(`{"data":[{"embedding":[0`), []byte(`]}],`+usage+`}`)
	chunk := []byte(strings.Repeat(",-0.0023064255", 1000))
	allocs := testing.AllocsPerRun(10, func() {
		o.Reset(JSON, false)
		o.Chunk(head, false)
		for range 100 {
			o.Chunk(chunk, false)
		}
		o.Chunk(tail, true)
	})
	if u, ok := o.Usage(); allocs != 0 || !ok || u.Total != 8 || !o.Complete() {
		t.Errorf("1.4 MB of embeddings: %v allocations, usage %+v, complete %v", allocs, u, o.Complete())
	}
}
