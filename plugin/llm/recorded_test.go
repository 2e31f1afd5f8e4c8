//go:build !tinygo

package llm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestObserveRecorded reads whole answers as upstreams write them.
func TestObserveRecorded(t *testing.T) {
	openAI := Usage{Prompt: 19, Completion: 10, Total: 29, Cached: 4, Reasoning: 3}
	const hello = int64(len("Hello! How can I help – 你好?"))
	want := map[string]struct {
		usage  Usage // zero: the answer tells none
		output int64
		events int64
		strips bool // the usage event is the last but one and can be taken out
	}{
		"chat.json":                {usage: openAI, output: int64(len("Hello! How can I assist you today?"))},
		"tools.json":               {usage: Usage{Prompt: 82, Completion: 17, Total: 99}, output: int64(len("get_weather{\n\"location\": \"Boston, MA\"\n}"))},
		"quoted.json":              {usage: Usage{Prompt: 11, Completion: 22, Total: 33}, output: 96},
		"stream.sse":               {usage: openAI, output: hello, events: 9, strips: true},
		"stream-without-usage.sse": {output: hello, events: 9},
		"crlf.sse":                 {usage: openAI, output: hello, events: 9, strips: true},
		"tools.sse":                {usage: Usage{Prompt: 51, Completion: 15, Total: 66}, output: int64(len(`get_weather{"location":"Paris, "usage":{}"}`)), events: 7, strips: true},
		"quoted.sse":               {usage: Usage{Prompt: 8, Completion: 40, Total: 48}, output: 103, events: 3, strips: true},
		"vllm-continuous.sse":      {usage: Usage{Prompt: 12, Completion: 6, Total: 18}, output: int64(len("Hm, okYes.")), events: 6, strips: true},
		"groq.sse":                 {usage: Usage{Prompt: 36, Completion: 2, Total: 38}, output: 2, events: 3},
		"azure.sse":                {usage: Usage{Prompt: 9, Completion: 3, Total: 12}, output: int64(len("Hello! How")), events: 5, strips: true},
	}
	files, err := filepath.Glob("../../testdata/upstream/openai/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded answers: %v", err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		w, ok := want[name]
		if !ok {
			t.Errorf("%s: no test wants it", name)
		}
		delete(want, name)
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text, kind := string(body), JSON
		if strings.HasSuffix(name, ".sse") {
			kind = SSE
		}
		expected := seen{w.usage, w.usage != Usage{}, true, w.output, w.events, text}
		if got := observeCuts(t, kind, false, text); got != expected {
			t.Errorf("%s:\n %+v\n want %+v", name, got, expected)
		}
		if w.strips {
			end := strings.LastIndex(text, "data: [DONE]")
			blank := "\n\n"
			if strings.Contains(text, "\r") {
				blank = "\r\n\r\n"
			}
			start := strings.LastIndex(text[:end-len(blank)], blank) + len(blank)
			expected.passed = text[:start] + text[end:]
		}
		if got := observeCuts(t, kind, true, text); got != expected {
			t.Errorf("%s, stripped:\n %+v\n want %+v", name, got, expected)
		}
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
}
