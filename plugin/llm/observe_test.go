package llm

import (
	"strings"
	"testing"
)

// A seen is everything that an Observer tells of an answer.
type seen struct {
	usage    Usage
	found    bool
	complete bool
	output   int64
	events   int64
	passed   string
}

// observe gives body to o in chunks that end at the cuts, which rise. The end
// comes with the last chunk or, if late, with an empty one after it. Each chunk
// is overwritten once it is read, as a proxy's buffers are.
func observe(o *Observer, kind Kind, strip bool, body string, late bool, cuts ...int) seen {
	o.Reset(kind, strip)
	var passed strings.Builder
	chunk := func(s string, end bool) {
		b := []byte(s)
		out, changed := o.Chunk(b, end)
		if !changed && string(out) != s {
			passed.WriteString("!unchanged, but other bytes!")
		}
		passed.Write(out)
		for i := range b {
			b[i] = '#'
		}
	}
	from := 0
	for _, to := range cuts {
		chunk(body[from:to], false)
		from = to
	}
	chunk(body[from:], !late)
	if late {
		chunk("", true)
	}
	s := seen{complete: o.Complete(), output: o.OutputBytes(), events: o.Events(), passed: passed.String()}
	s.usage, s.found = o.Usage()
	return s
}

// observeCuts observes body whole, byte by byte, cut once and cut twice within
// a few bytes, anywhere unless it is long, and fails where that differs.
func observeCuts(t *testing.T, kind Kind, strip bool, body string) seen {
	t.Helper()
	var o Observer
	want := observe(&o, kind, strip, body, false)
	check := func(got seen, cuts ...int) {
		t.Helper()
		if got != want {
			t.Fatalf("cut at %v: %+v\nwhole: %+v", cuts, got, want)
		}
	}
	var all []int
	for i := range len(body) + 1 {
		all = append(all, i)
		if i%(1+len(body)/500) != 0 {
			continue
		}
		check(observe(&o, kind, strip, body, i%2 == 0, i), i)
		for j := i; j < min(i+4, len(body), 500); j++ {
			check(observe(&o, kind, strip, body, j%2 == 0, i, j), i, j)
		}
	}
	check(observe(&o, kind, strip, body, true, all...), all...)
	return want
}

func TestObserveJSON(t *testing.T) {
	for _, c := range []struct {
		body     string
		usage    Usage
		found    bool
		complete bool
		output   int64
	}{
		{body: `{"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}`, usage: MockUsage, found: true, complete: true},
		{body: ` { "us\u0061ge" : { "total_tokens" : 3e1 , "prompt_tokens":10.0,"completion_tokens":20 } } ` + "\n", usage: MockUsage, found: true, complete: true},
		// Other numbers that a body may hold.
		{body: `{"usage":{"prompt_tokens":10,"completion_tokens":20}}`, usage: MockUsage, found: true, complete: true},
		{body: `{"usage":{"prompt_tokens":-5,"completion_tokens":-1.5}}`, complete: true},
		{body: `{"usage":{"prompt_tokens":1e300,"completion_tokens":1e300}}`, usage: Usage{Prompt: 1<<63 - 1, Completion: 1<<63 - 1, Total: 1<<63 - 1}, found: true, complete: true},
		{body: `{"usage":{"total_tokens":5}}`, usage: Usage{Total: 5}, found: true, complete: true},
		{
			body:  `{"usage":{"total_tokens":9,"prompt_tokens":5,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"x":[{"reasoning_tokens":8}],"reasoning_tokens":3}}}`,
			usage: Usage{Prompt: 5, Completion: 4, Total: 9, Cached: 4, Reasoning: 3}, found: true, complete: true,
		},
		// No usage at all.
		{body: `{"usage":null}`, complete: true},
		{body: `{"usage":{}}`, complete: true},
		{body: `{"usage":{"total_tokens":"30 tokens","prompt_tokens":null,"completion_tokens":[1]}}`, complete: true},
		{body: `{"usage":{"total_tokens":"","prompt_tokens":"1\u0032","completion_tokens":{"x":1}}}`, complete: true},
		{body: `{"usage":{"total_tokens":"30","prompt_tokens":"10.0","completion_tokens":2e1}}`, usage: MockUsage, found: true, complete: true},
		{body: `{"usage":[{"total_tokens":30}]}`, complete: true},
		{body: `[{"usage":{"total_tokens":30}}]`, complete: true},
		{body: `{"Usage":{"total_tokens":30},"usage ":{"total_tokens":30},"usage\u00e9":{"total_tokens":30}}`, complete: true},
		{body: `{"error":{"message":"no","code":500}}`, complete: true},
		{body: `"usage"`},
		{body: ``},
		{body: `{"a_name_that_is_longer_than_any_we_look_for\nusage":1,"usage_of_which_there_is_none_at_all":{"total_tokens":30}}`, complete: true},
		// The last one counts, and within it the last of each number.
		{body: `{"usage":{"total_tokens":1,"prompt_tokens":7},"usage":{"total_tokens":2,"total_tokens":3}}`, usage: Usage{Total: 3}, found: true, complete: true},
		{body: `{"usage":{"total_tokens":1},"usage":null}`, usage: Usage{Total: 1}, found: true, complete: true},
		{body: `{"usage":{"total_tokens":1,"prompt_tokens":2,"total_tokens":null}}`, usage: Usage{Prompt: 2, Total: 2}, found: true, complete: true},
		// Not the answer's own.
		{body: `{"choices":[{"usages":{"total_tokens":9},"message":{"content":"\"usage\":{\"total_tokens\":9}","usage_":{"total_tokens":9}}}],"x":{"usage":{"total_tokens":9}}}`, complete: true, output: 26},
		{body: `{"x_groq":{"usage":{"total_tokens":9}}}`, usage: Usage{Total: 9}, found: true, complete: true},
		{body: `{"usage":{"total_tokens":8},"x_groq":{"usage":{"total_tokens":9}}}`, usage: Usage{Total: 9}, found: true, complete: true},
		// Cut short: what was told stands.
		{body: `{"usage":{"total_tokens":9},"choices":[`, usage: Usage{Total: 9}, found: true},
		{body: `{"usage":{"total_tokens":9`},
		// What the model wrote, of all choices.
		{body: `{"choices":[{"message":{"role":"assistant","content":"a\n\u4e2d\ud83d\ude00","refusal":"no"}},{"message":{"content":"b"}}]}`, complete: true, output: 9 + 2 + 1},
		{body: `{"choices":[{"text":"abc"}]}`, complete: true, output: 3},
		{body: `{"choices":[{"message":{"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}],"function_call":{"name":"g","arguments":""}}}]}`, complete: true, output: 4},
		{body: `{"choices":[{"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"ok"}],"audio":{"data":"AAAA","transcript":"yes"}}}]}`, complete: true, output: 7},
		// The same reasoning under two names, as vLLM sends it.
		{body: `{"choices":[{"message":{"reasoning_content":"hmm","reasoning":"hmm","content":"x"}},{"message":{"reasoning":"hm"}}]}`, complete: true, output: 6},
		{body: `{"choices":[{"message":{"reasoning_content":"hmm"}},{"message":{"reasoning":"hm"}}]}`, complete: true, output: 5},
		// Logprobs repeat the text; they are not written twice.
		{body: `{"choices":[{"message":{"content":"x"},"logprobs":{"content":[{"token":"x","text":"x"}]}}]}`, complete: true, output: 1},
		// Deep and broken bodies.
		{body: `{"x":` + strings.Repeat(`[{"usage":`, 40) + `{"total_tokens":1}` + strings.Repeat(`}]`, 40) + `,"usage":{"total_tokens":2}}`, usage: Usage{Total: 2}, found: true, complete: true},
		{body: `]}{"usage":{"total_tokens":2]}`, usage: Usage{Total: 2}, found: true, complete: true},
		{body: `{"usage":{"total_tokens":2}}}}]]{"usage":{"total_tokens":3}}`, usage: Usage{Total: 3}, found: true, complete: true},
		{body: `{"\u12zz\`},
	} {
		for _, strip := range []bool{false, true} {
			want := seen{c.usage, c.found, c.complete, c.output, 0, c.body}
			if got := observeCuts(t, JSON, strip, c.body); got != want {
				t.Errorf("observe(%s)\n = %+v\n want %+v", c.body, got, want)
			}
		}
	}
}

func TestObserveSSE(t *testing.T) {
	const (
		delta = `{"choices":[{"delta":{"content":"abc"}}],"usage":null}`
		usage = `{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}`
	)
	for _, c := range []struct {
		name   string
		body   string // <…> is taken out when stripped
		usage  Usage
		found  bool
		open   bool // [DONE] is not seen
		output int64
		events int64
	}{
		{name: "as OpenAI sends it", body: "data: " + delta + "\n\n<data: " + usage + "\n\n>data: [DONE]\n\n", usage: MockUsage, found: true, output: 3, events: 1},
		{name: "without usage", body: "data: " + delta + "\n\ndata: " + delta + "\n\ndata: [DONE]\n\n", output: 6, events: 2},
		{name: "CRLF", body: "data:" + delta + "\r\n\r\n<data:" + usage + "\r\n\r\n>data:[DONE]\r\n\r\n", usage: MockUsage, found: true, output: 3, events: 1},
		{name: "CR", body: "data: " + delta + "\r\r<data: " + usage + "\r\r>data: [DONE]\r\r", usage: MockUsage, found: true, output: 3, events: 1},
		{name: "mixed line ends", body: "data: " + delta + "\r\n\n<data: " + usage + "\n\r\n>\r<data: " + usage + "\r\n\r\n>\ndata: [DONE]\n\r", usage: MockUsage, found: true, output: 3, events: 1},
		{name: "CR, and LF of another line", body: "data: " + delta + "\r: c\n\n<data: " + usage + "\r>: c\n<\n>\r: c\n\ndata: [DONE]\n\n", usage: MockUsage, found: true, output: 3, events: 1},
		{name: "byte order mark", body: "\uFEFFdata: " + delta + "\n\n\uFEFFdata: " + delta + "\n\n", output: 3, events: 1, open: true},
		{name: "half a byte order mark", body: "\xef\xbbdata: " + delta + "\n\n", open: true},
		{name: "half a byte order mark, then an event", body: "\xef\ndata: " + delta + "\n\n", output: 3, events: 1, open: true},
		{name: "comments and fields", body: ": ping\n\nevent: x\nid: 1\nretry\n: c\ndata: " + delta + "\n\n: ping\n<event: usage\ndata: " + usage + "\nid: 2\n\n>: bye\n\n", usage: MockUsage, found: true, output: 3, events: 1, open: true},
		{name: "names that begin like data", body: "dat: " + usage + "\n\ndatas: " + usage + "\n\n data: " + usage + "\n\nDATA: " + usage + "\n\n", open: true},
		{name: "several lines of data", body: "<data: {\"choices\":[],\ndata:\ndata\ndata:  \"usage\":{\"total\\u005ftokens\"\ndata:: 5}}\n\n>data: [DO\ndata: NE]\n\n", usage: Usage{Total: 5}, found: true, open: true},
		{name: "blank lines", body: "\n\n\r\n<data: " + usage + "\n\n>\n\n", usage: MockUsage, found: true, open: true},
		{name: "usage first", body: `<data: {"usage":{"total_tokens":5},"choices":[ ]}` + "\n\n>", usage: Usage{Total: 5}, found: true, open: true},
		// Without its own blank line it is still the usage event.
		{name: "cut short behind the usage", body: "data: " + delta + "\n\n<data: " + usage + ">", usage: MockUsage, found: true, output: 3, events: 1, open: true},
		{name: "cut short behind the usage's line", body: "<data: " + usage + "\r>", usage: MockUsage, found: true, open: true},
		{name: "cut short in the usage", body: "data: " + usage[:len(usage)-1] + "\n", usage: MockUsage, found: true, open: true},
		{name: "cut short in a delta", body: "data: " + delta[:33] + "ab", output: 2, events: 1, open: true},
		{name: "cut short in [DONE]", body: "data: [DONE]"},
		{name: "longer than [DONE]", body: "data: [DONE]]\n\ndata: [DONE] \n\n", open: true},
		// What is not exactly the usage event passes.
		{name: "usage with choices", body: "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"total_tokens\":4}}\n\ndata: {\"choices\":[null],\"usage\":{\"total_tokens\":5}}\n\n", usage: Usage{Total: 5}, found: true, output: 1, events: 2, open: true},
		{name: "no choices", body: "data: {\"usage\":{\"total_tokens\":4}}\n\ndata: {\"choices\":null,\"usage\":{\"total_tokens\":5}}\n\n", usage: Usage{Total: 5}, found: true, open: true},
		{name: "empty choices without usage", body: "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\ndata: {\"choices\":[],\"usage\":null}\n\ndata: {\"choices\":[],\"x\":{\"usage\":{\"total_tokens\":4}}}\n\n", open: true},
		{name: "something behind the usage", body: "data: " + usage + "x\n\ndata: " + usage + "\ndata: {}\n\n", usage: MockUsage, found: true, open: true},
		{name: "the last usage", body: "data: {\"choices\":[{}],\"usage\":{\"total_tokens\":4}}\n\ndata: {\"choices\":[{}],\"usage\":{\"total_tokens\":6}}\n\ndata: {\"choices\":[{}],\"usage\":null}\n\n", usage: Usage{Total: 6}, found: true, events: 3, open: true},
		{name: "usage as text", body: `data: {"choices":[{"delta":{"content":"\n\ndata: {\"choices\":[],\"usage\":{\"total_tokens\":1}}\n\ndata: [DONE]\n\n"}}]}` + "\n\n", output: 65, events: 1, open: true},
		{name: "not JSON", body: "data: hello\n\ndata: \n\ndata\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"ab\n\n<data: " + usage + "\n\n>", usage: MockUsage, found: true, output: 2, events: 1, open: true},
		{name: "a body without lines", body: usage, open: true},
		{name: "nothing", open: true},
	} {
		body := strings.NewReplacer("<", "", ">", "").Replace(c.body)
		want := seen{c.usage, c.found, !c.open, c.output, c.events, body}
		if got := observeCuts(t, SSE, false, body); got != want {
			t.Errorf("%s:\n %+v\n want %+v", c.name, got, want)
		}
		want.passed = ""
		for _, part := range strings.Split(c.body, ">") {
			kept, _, _ := strings.Cut(part, "<")
			want.passed += kept
		}
		if got := observeCuts(t, SSE, true, body); got != want {
			t.Errorf("%s, stripped:\n %+v\n want %+v", c.name, got, want)
		}
	}
}

// An event is passed on with the byte that ends it, and with choices before.
func TestObserveHoldsNoLonger(t *testing.T) {
	const delta = `data: {"choices":[{"delta":{"content":"a"}}]}`
	const filter = `data: {"choices":[],"prompt_filter_results":[]}`
	var o Observer
	o.Reset(SSE, true)
	for i, c := range []struct {
		chunk   string
		passed  string
		changed bool
	}{
		{delta + "\n\n", delta + "\n\n", false},
		{delta, delta, false}, // not the usage event, whatever follows
		{"\n\n", "\n\n", false},
		{": ping\n\n", ": ping\n\n", false},
		{filter[:9], "", true}, // may still be it
		{filter[9:] + "\n", "", true},
		{"\n", filter + "\n\n", true},
		{delta + "\r\n\r", delta + "\r\n\r", false},
		{"\n", "\n", false},
		{delta[:18], "", true},
		{delta[18:], delta, true},
		{"\n\n" + filter, "\n\n", true},
		{"\n\n" + delta, filter + "\n\n" + delta, true},
		{"\n\ndata: [DONE]\n\n", "\n\ndata: [DONE]\n\n", false},
	} {
		out, changed := o.Chunk([]byte(c.chunk), false)
		if string(out) != c.passed || changed != c.changed {
			t.Errorf("%d: Chunk(%q) = %q, %v, want %q, %v", i, c.chunk, out, changed, c.passed, c.changed)
		}
	}
}

// Memory does not grow with what an upstream sends.
func TestObserveHoldsNoMore(t *testing.T) {
	usage := func(pad int) string {
		return `data: {"choices":[],"usage":{"total_tokens":5},"id":"` + strings.Repeat("x", pad) + "\"}\n\n"
	}
	var o Observer
	room := maxHeld - len(usage(0))
	for _, cut := range []int{1, 100, 4096, 1 << 20} {
		for _, c := range []struct {
			pad    int
			passed int
		}{{room, 0}, {room + 1, maxHeld + 1}, {1 << 20, len(usage(1 << 20))}} {
			body := usage(c.pad)
			var cuts []int
			for i := cut; i < len(body); i += cut {
				cuts = append(cuts, i)
			}
			got := observe(&o, SSE, true, body, false, cuts...)
			if len(got.passed) != c.passed || got.usage.Total != 5 {
				t.Errorf("event of %d bytes in chunks of %d: passed %d, usage %+v, want %d, 5", len(body), cut, len(got.passed), got.usage, c.passed)
			}
			if cap(o.held) > 4*maxHeld {
				t.Errorf("event of %d bytes in chunks of %d: holds %d bytes", len(body), cut, cap(o.held))
			}
		}
	}
}

func TestObserveOpaque(t *testing.T) {
	var o Observer
	for range 2 {
		out, changed := o.Chunk([]byte(`{"usage":{"total_tokens":5}}`), true)
		_, found := o.Usage()
		if len(out) != 28 || changed || found || o.Complete() || o.OutputBytes() != 0 || o.Events() != 0 {
			t.Errorf("an opaque answer was read: %q, %v", out, changed)
		}
		o.Reset(Opaque, true)
	}
}

func TestObserveAllocates(t *testing.T) {
	if testing.Short() {
		t.Skip("counts allocations")
	}
	const delta = `data: {"choices":[{"delta":{"content":"a"}}],"usage":null}` + "\n\n"
	const usage = `data: {"choices":[],"usage":{"total_tokens":5}}` + "\n\n"
	chunks := [][]byte{[]byte(delta), []byte(delta + usage[:30]), []byte(usage[30:] + delta[:10]), []byte(delta[10:])}
	var o Observer
	allocs := testing.AllocsPerRun(100, func() {
		o.Reset(SSE, true)
		for _, c := range chunks {
			o.Chunk(c, false)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations a stream, want 0", allocs)
	}
}
