package llm

import (
	"math"
	"testing"
)

func TestErrorBody(t *testing.T) {
	for _, c := range []struct {
		body ErrorBody
		want string
	}{
		// seeds: the 429 of dynamic_rate_limiter
		{
			ErrorBody{Message: "Key=ab over available TPM=0. Model TPM=0, Active keys=2", Type: None, Param: None, Code: 429, Nested: true},
			`{"error":{"message":{"error":"Key=ab over available TPM=0. Model TPM=0, Active keys=2"},"type":"None","param":"None","code":429}}`,
		},
		// seeds: a team's budget
		{
			ErrorBody{Message: "Budget has been exceeded! Current cost: 3.5e-06, Max budget: 1e-09", Type: "auth_error", Code: 400},
			`{"error":{"message":"Budget has been exceeded! Current cost: 3.5e-06, Max budget: 1e-09","type":"auth_error","param":null,"code":400}}`,
		},
		{
			ErrorBody{Message: "no \"key\"", Type: "auth_error", Param: None, Code: 401, CodeText: true},
			`{"error":{"message":"no \"key\"","type":"auth_error","param":"None","code":"401"}}`,
		},
		{ErrorBody{}, `{"error":{"message":"","type":null,"param":null,"code":0}}`},
	} {
		if got := string(c.body.Append([]byte(">"))); got != ">"+c.want {
			t.Errorf("%+v\n = %s\n want %s", c.body, got, ">"+c.want)
		}
	}
}

func TestAppendString(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{``, `""`},
		{`plain <b>&`, `"plain <b>&"`},
		{`"\/`, `"\"\\/"`},
		{"\n\r\t\b\x00\x1f\x7f", "\"\\n\\r\\t\\u0008\\u0000\\u001f\x7f\""},
		{"é中😀\u2028", "\"é中😀\u2028\""},
		{"a\xffb\xc3", "\"a\uFFFDb\uFFFD\""},
		{"\uFFFD", "\"\uFFFD\""},
		{"\xed\xa0\x80", "\"\uFFFD\uFFFD\uFFFD\""},
	} {
		if got := string(AppendString(nil, c.in)); got != c.want {
			t.Errorf("AppendString(%q) = %s, want %s", c.in, got, c.want)
		}
	}
}

func TestAppendModels(t *testing.T) {
	const want = `{"data":[{"id":"a","object":"model","created":1677610602,"owned_by":"openai"},` +
		`{"id":"b\"","object":"model","created":1677610602,"owned_by":"openai"}],"object":"list"}`
	if got := string(AppendModels(nil, []string{"a", `b"`})); got != want {
		t.Errorf("AppendModels = %s, want %s", got, want)
	}
	if got := string(AppendModels(nil, nil)); got != `{"data":[],"object":"list"}` {
		t.Errorf("AppendModels of none = %s", got)
	}
}

func TestMockJSON(t *testing.T) {
	const want = `{"id":"chatcmpl-5","created":1763670000,"model":"fake","object":"chat.completion",` +
		`"choices":[{"finish_reason":"stop","index":0,"message":{"content":"hello-world","role":"assistant"}}],` +
		`"usage":{"completion_tokens":20,"prompt_tokens":10,"total_tokens":30}}`
	if got := string(AppendMockJSON(nil, "chatcmpl-5", 1763670000, "fake", "hello-world", MockUsage)); got != want {
		t.Errorf("AppendMockJSON\n = %s\n want %s", got, want)
	}
}

func TestMockStream(t *testing.T) {
	event := func(choice, tail string) string {
		return `data: {"id":"i","created":1,"model":"m","object":"chat.completion.chunk","choices":[` + choice + `]` + tail + "}\n\n"
	}
	piece := func(text, role string) string {
		return event(`{"index":0,"delta":{"content":"`+text+`"`+role+`}}`, "")
	}
	const role = `,"role":"assistant"`
	finish := event(`{"finish_reason":"stop","index":0,"delta":{}}`, "")
	usage := event(`{"index":0,"delta":{}}`, `,"usage":{"completion_tokens":20,"prompt_tokens":10,"total_tokens":30}`)
	const done = "data: [DONE]\n\n"
	for _, c := range []struct {
		text  string
		usage bool
		want  string
	}{
		{"hello-world", false, piece("hel", role) + piece("lo-", "") + piece("wor", "") + piece("ld", "") + finish + done},
		// Three characters, not three bytes.
		{"你好世界", true, piece("你好世", role) + piece("界", "") + finish + usage + done},
		{"", false, piece("", role) + finish + done},
	} {
		got := string(AppendMockStream(nil, "i", 1, "m", c.text, MockUsage, c.usage))
		if got != c.want {
			t.Errorf("AppendMockStream(%q, %v)\n = %s\n want %s", c.text, c.usage, got, c.want)
		}
	}
}

func TestMockEmbedding(t *testing.T) {
	const tail = `],"model":"fake","usage":{"prompt_tokens":10,"total_tokens":10}}`
	item := func(index, vector string) string {
		return `{"object":"embedding","index":` + index + `,"embedding":` + vector + `}`
	}
	for _, c := range []struct {
		vector []float64
		inputs int64
		base64 bool
		want   string
	}{
		{nil, 1, false, item("0", "[0.1,0.2,0.3]")},
		{nil, 1, true, item("0", `"zczMPc3MTD6amZk+"`)},
		{[]float64{0.5, -1e-7, 3}, 3, false, item("0", "[0.5,-1e-07,3.0]") + "," + item("1", "[0.5,-1e-07,3.0]") + "," + item("2", "[0.5,-1e-07,3.0]")},
		// The three lengths of a tail in base64.
		{[]float64{1}, 1, true, item("0", `"AACAPw=="`)},
		{[]float64{1, -2}, 2, true, item("0", `"AACAPwAAAMA="`) + "," + item("1", `"AACAPwAAAMA="`)},
		{[]float64{1, -2, 0}, 1, true, item("0", `"AACAPwAAAMAAAAAA"`)},
		{[]float64{math.NaN(), math.Inf(1), 1e300, 1}, 1, false, item("0", "[0.0,0.0,0.0,1.0]")},
		{[]float64{math.NaN(), math.Inf(-1), -1e300}, 1, true, item("0", `"AAAAAAAAAAAAAAAA"`)},
		{nil, 0, false, ""},
	} {
		want := `>{"object":"list","data":[` + c.want + tail
		if got := string(AppendMockEmbedding([]byte(">"), "fake", c.vector, c.inputs, c.base64)); got != want {
			t.Errorf("AppendMockEmbedding(%v, %d, %v)\n = %s\n want %s", c.vector, c.inputs, c.base64, got, want)
		}
	}
}

// What Fairshare answers itself, it also counts right.
func TestObserveMocks(t *testing.T) {
	var o Observer
	o.Reset(JSON, false)
	o.Chunk(AppendMockJSON(nil, "i", 1, "m", "hello-world", MockUsage), true)
	if u, ok := o.Usage(); u != MockUsage || !ok || !o.Complete() || o.OutputBytes() != 11 {
		t.Errorf("mock JSON: usage %+v %v, complete %v, output %d", u, ok, o.Complete(), o.OutputBytes())
	}
	o.Reset(SSE, true)
	o.Chunk(AppendMockStream(nil, "i", 1, "m", "hello-world", MockUsage, true), true)
	if u, ok := o.Usage(); u != MockUsage || !ok || !o.Complete() || o.OutputBytes() != 11 {
		t.Errorf("mock stream: usage %+v %v, complete %v, output %d", u, ok, o.Complete(), o.OutputBytes())
	}
	o.Reset(JSON, false)
	o.Chunk(AppendMockEmbedding(nil, "m", nil, 3, false), true)
	if u, ok := o.Usage(); u != MockEmbeddingUsage || !ok || !o.Complete() || o.OutputBytes() != 0 {
		t.Errorf("mock embeddings: usage %+v %v, complete %v, output %d", u, ok, o.Complete(), o.OutputBytes())
	}
}
