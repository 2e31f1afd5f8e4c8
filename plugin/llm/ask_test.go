package llm

import (
	"strings"
	"testing"
)

func TestParseAsk(t *testing.T) {
	const m = `"messages":[]`
	for _, c := range []struct {
		body  string
		want  Ask
		fault string // param: message; empty if none
	}{
		{
			body: `{"model":"fast","stream":true,"messages":[{"role":"user","content":"hi"}]}`,
			want: Ask{Model: "fast", Stream: true, Choices: 1, TextBytes: 6},
		},
		{
			body: "\n\t {\"messages\" : [ ] , \"model\" : \"\\u0067\\u00fc\\ud83d\\ude00\" } \r\n",
			want: Ask{Model: "gü😀", Choices: 1},
		},
		{body: `{"m\u006fdel":"a",` + m + `}`, want: Ask{Model: "a", Choices: 1}},
		{
			body: `{"model":"a",` + m + `,"user":"u\n1","n":3,"stream":false}`,
			want: Ask{Model: "a", User: "u\n1", Choices: 3},
		},
		// null is absent.
		{
			body: `{"model":"a",` + m + `,"user":null,"n":null,"stream":null,"max_tokens":null,"max_completion_tokens":null,"stream_options":null}`,
			want: Ask{Model: "a", Choices: 1},
		},
		{
			body: `{"model":"a",` + m + `,"stream_options":{"include_usage":true,"other":{"include_usage":false}}}`,
			want: Ask{Model: "a", Choices: 1, UsageWanted: true},
		},
		{body: `{"model":"a",` + m + `,"stream_options":{"include_usage":null}}`, want: Ask{Model: "a", Choices: 1}},

		// The ceiling of the output: zero is one, the newer name wins in
		// either order, whole numbers may be spelled as floats.
		{body: `{"model":"a",` + m + `,"max_tokens":0}`, want: Ask{Model: "a", Choices: 1, Capped: true}},
		{body: `{"model":"a",` + m + `,"max_tokens":5,"max_completion_tokens":7}`, want: Ask{Model: "a", Choices: 1, MaxOutput: 7, Capped: true}},
		{body: `{"model":"a",` + m + `,"max_completion_tokens":7,"max_tokens":5}`, want: Ask{Model: "a", Choices: 1, MaxOutput: 7, Capped: true}},
		{body: `{"model":"a",` + m + `,"max_completion_tokens":null,"max_tokens":5}`, want: Ask{Model: "a", Choices: 1, MaxOutput: 5, Capped: true}},
		{body: `{"model":"a",` + m + `,"max_tokens":1e2,"n":2.0}`, want: Ask{Model: "a", Choices: 2, MaxOutput: 100, Capped: true}},
		{body: `{"model":"a",` + m + `,"max_tokens":1e400}`, want: Ask{Model: "a", Choices: 1, MaxOutput: 1<<63 - 1, Capped: true}},
		{body: `{"model":"a",` + m + `,"max_tokens":-0}`, want: Ask{Model: "a", Choices: 1, Capped: true}},

		// What the model reads: escapes count as what they stand for, keys
		// only where they are part of a definition.
		{
			body: `{"model":"a","messages":[{"content":"a\n\u00e9\u4e2d\ud83d\ude00"}]}`,
			want: Ask{Model: "a", Choices: 1, TextBytes: 11},
		},
		{
			body: `{"model":"a","messages":[{"content":[{"type":"text","text":"abc"}]}],"tools":[{"xy":"z"}],"metadata":{"long":"text"}}`,
			want: Ask{Model: "a", Choices: 1, TextBytes: 4 + 3 + 3},
		},
		// Media count by the piece, text beside them does not hide behind it.
		{
			body: `{"model":"a","messages":[{"content":[{"image_url":{"url":"data:image/png;base64,` + strings.Repeat("A", 9000) + `","detail":"low"}}]}]}`,
			want: Ask{Model: "a", Choices: 1, TextBytes: mediaBytes + 3},
		},
		{
			body: `{"model":"a","messages":[{"content":[{"image_url":"https://x"},{"input_audio":{"data":"AAAA","format":"wav"}},{"file":{"file_data":"AAAA"}}]}]}`,
			want: Ask{Model: "a", Choices: 1, TextBytes: 3*mediaBytes + 3},
		},
		{
			body: `{"model":"a","messages":[{"image_url":{"detail":"x"},"content":["https://x"]}]}`,
			want: Ask{Model: "a", Choices: 1, TextBytes: 1 + 9},
		},

		{body: ``, fault: `: could not parse the JSON body of your request: it is not JSON at byte 0`},
		{body: `hello`, fault: `: the body of the request must be a JSON object`},
		{body: `[]`, fault: `: the body of the request must be a JSON object`},
		{body: `{"model":"a",,}`, fault: `: could not parse the JSON body of your request: it is not JSON at byte 13`},
		{body: `{"model":"a",` + m + `} {}`, fault: `: could not parse the JSON body of your request: it is not JSON at byte 28`},
		{body: `{"model":"a",` + m + `,"x":"` + "\xff" + `"}`, fault: `: could not parse the JSON body of your request: it is not UTF-8`},
		{body: `{}`, fault: `model: you must provide a model parameter`},
		{body: `{"model":"",` + m + `}`, fault: `model: you must provide a model parameter`},
		{body: `{"model":null,` + m + `}`, fault: `model: you must provide a model parameter`},
		{body: `{"model":7,` + m + `}`, fault: `model: model must be a string`},
		{body: `{"model":["a"],` + m + `}`, fault: `model: model must be a string`},
		{body: `{"model":"\ud800",` + m + `}`, fault: `model: model must be Unicode text`},
		{body: `{"model":"\ud800\u0041",` + m + `}`, fault: `model: model must be Unicode text`},
		{body: `{"model":"a"}`, fault: `messages: you must provide a messages parameter`},
		{body: `{"model":"a","messages":null}`, fault: `messages: you must provide a messages parameter`},
		{body: `{"model":"a","messages":{}}`, fault: `messages: messages must be an array`},
		{body: `{"model":"a","messages":"hi"}`, fault: `messages: messages must be an array`},
		{body: `{"model":"a",` + m + `,"stream":"yes"}`, fault: `stream: stream must be true or false`},
		{body: `{"model":"a",` + m + `,"stream":1}`, fault: `stream: stream must be true or false`},
		{body: `{"model":"a",` + m + `,"stream_options":[]}`, fault: `stream_options: stream_options must be an object`},
		{body: `{"model":"a",` + m + `,"stream_options":{"include_usage":1}}`, fault: `stream_options.include_usage: stream_options.include_usage must be true or false`},
		{body: `{"model":"a",` + m + `,"max_tokens":-1}`, fault: `max_tokens: max_tokens must be a whole number, 0 or more`},
		{body: `{"model":"a",` + m + `,"max_tokens":1.5}`, fault: `max_tokens: max_tokens must be a whole number, 0 or more`},
		{body: `{"model":"a",` + m + `,"max_tokens":"9"}`, fault: `max_tokens: max_tokens must be a whole number, 0 or more`},
		{body: `{"model":"a",` + m + `,"max_completion_tokens":true}`, fault: `max_completion_tokens: max_completion_tokens must be a whole number, 0 or more`},
		{body: `{"model":"a",` + m + `,"n":0}`, fault: `n: n must be a whole number from 1 to 128`},
		{body: `{"model":"a",` + m + `,"n":129}`, fault: `n: n must be a whole number from 1 to 128`},
		{body: `{"model":"a",` + m + `,"user":{}}`, fault: `user: user must be a string`},

		// Ways to say one thing to us and another to the upstream.
		{body: `{"model":"a",` + m + `,"model":"b"}`, fault: `model: the parameter 'model' is given twice`},
		{body: `{"model":"a",` + m + `,"\u006dodel":"b"}`, fault: `model: the parameter 'model' is given twice`},
		{body: `{"model":"a",` + m + `,"Model":"b"}`, fault: `model: the parameter 'model' is given twice`},
		{body: `{"model":"a",` + m + `,"Stream":true}`, fault: `stream: the parameter 'stream' must be spelled so, in small letters`},
		{body: `{"model":"a",` + m + `,"max_to` + "\u212a" + `ens":9}`, fault: `max_tokens: the parameter 'max_tokens' must be spelled so, in small letters`},
		{body: `{"model":"a",` + m + `,"u\u017fer":"x"}`, fault: `user: the parameter 'user' must be spelled so, in small letters`},
		{body: `{"model":"a",` + m + `,"stream_options":{"include_usage":true,"include_usage":false}}`, fault: `stream_options.include_usage: the parameter 'include_usage' is given twice`},
		{body: `{"model":"a",` + m + `,"stream_options":{},"stream_options":{}}`, fault: `stream_options: the parameter 'stream_options' is given twice`},
		// A name inside another member is none of ours.
		{body: `{"x":{"model":"b","model":1},"model":"a",` + m + `}`, want: Ask{Model: "a", Choices: 1}},
	} {
		got, fault := parseAsk([]byte(c.body))
		message := ""
		if fault != nil {
			message = fault.Param + ": " + fault.Message
		}
		if message != c.fault {
			t.Errorf("parseAsk(%s)\n fault %q\n want  %q", c.body, message, c.fault)
		}
		if got = plain(got); got != c.want {
			t.Errorf("parseAsk(%s)\n = %+v\n want %+v", c.body, got, c.want)
		}
	}
}

// plain returns what a caller sees of a.
func plain(a Ask) Ask {
	a.size, a.model, a.options, a.include, a.spare = 0, span{}, span{}, span{}, false
	a.commas = [maxSpareCommas]int{}
	return a
}

func TestParseAskRefusesWhatIsNotJSON(t *testing.T) {
	for _, value := range []string{
		``, `01`, `1.`, `.5`, `+1`, `1e`, `1e+`, `-`, `--1`, `0x1`, `NaN`, `nul`, `nulll`, `True`, `tru`,
		`'a'`, `"`, `"\x"`, `"\u12g4"`, `"\u123`, "\"\n\"", "\"\x00\"", `"\`,
		`[,]`, `[1,,]`, `[1,,2]`, `[,1]`, `[1 2]`, `[1}`, `[1,}`, `[1,:]`, `{"a"}`, `{"a":}`, `{"a":]`, `{"a":]}`, `{,}`, `{,"a":1}`, `{"a":1,,}`, `{"a":1,]`, `{"a",}`, `{"a":,}`, `{a:1}`, `{1:1}`, `{"a":1]`, `{"a" "b"}`, `[`, `{`, `/**/1`,
	} {
		body := `{"model":"a","messages":[],"x":` + value + `}`
		if _, fault := parseAsk([]byte(body)); fault == nil {
			t.Errorf("parseAsk(%s) = no fault", body)
		}
	}
}

// A spare comma at an end is taken, up to four of them, and never goes
// upstream.
func TestSpareCommas(t *testing.T) {
	const usage = `"stream_options":{"include_usage":true`
	for _, c := range []struct{ body, want string }{
		// The documents' own line, of a curl.
		{
			`{"model": "gpt-3.5-turbo","messages": [{"role": "user","content": "what llm are you"}],}`,
			`{"model": "x",` + usage + `},"messages": [{"role": "user","content": "what llm are you"}]}`,
		},
		{`{"messages":[],"model":"a",}`, `{"messages":[],"model":"x",` + usage + `}}`},
		{`{"messages":[],"model":"a" , }`, `{"messages":[],"model":"x",` + usage + `}  }`},
		{`{"messages":[{"content":",}",},],"model":"a","n":1,}`, `{"messages":[{"content":",}"}],"model":"x",` + usage + `},"n":1}`},
		{`{"stream_options":{"z":[1,],},"model":"a","messages":[],}`, `{` + usage + `,"z":[1]},"model":"x","messages":[]}`},
		{`{"stream_options":{"include_usage":false,},"model":"a","messages":[]}`, `{` + usage + `},"model":"x","messages":[]}`},
		{`{"stream_options":null,"model":"a","messages":[1,],}`, `{` + usage + `},"model":"x","messages":[1]}`},
		{`{"x":[[[[1,],],],],"model":"a","messages":[]}`, `{"x":[[[[1]]]],"model":"x",` + usage + `},"messages":[]}`},
	} {
		ask, fault := parseAsk([]byte(c.body))
		if fault != nil || !ask.Untidy {
			t.Errorf("parseAsk(%s) = %+v, fault %+v", c.body, ask, fault)
			continue
		}
		if got := string(ask.Rewrite(nil, []byte(c.body), "x", true)); got != c.want {
			t.Errorf("Rewrite(%s)\n = %s\n want %s", c.body, got, c.want)
		}
	}
	if ask, _ := parseAsk([]byte(`{"model":"a","messages":[],"x":",]"}`)); ask.Untidy {
		t.Error("a comma in a string is spare")
	}
	_, fault := parseAsk([]byte(`{"model":"a","messages":[],"x":[[[[1,],],],],}`))
	if fault == nil || !strings.HasSuffix(fault.Message, "not JSON at byte 44") {
		t.Errorf("five spare commas: fault %+v", fault)
	}
}

func TestParseAskDepth(t *testing.T) {
	nested := func(levels int) []byte {
		// The root and messages are two of the levels.
		return []byte(`{"model":"a","messages":[` + strings.Repeat("[", levels-2) + strings.Repeat("]", levels-2) + `]}`)
	}
	if _, fault := parseAsk(nested(maxDepth)); fault != nil {
		t.Errorf("parseAsk(%d levels) = %q", maxDepth, fault.Message)
	}
	if _, fault := parseAsk(nested(maxDepth + 1)); fault == nil {
		t.Errorf("parseAsk(%d levels) = no fault", maxDepth+1)
	}
	if _, fault := parseAsk([]byte(strings.Repeat(`{"a":`, 1<<20))); fault == nil {
		t.Error("parseAsk(a million levels) = no fault")
	}
}

func TestRewrite(t *testing.T) {
	for _, c := range []struct {
		body  string
		usage bool
		want  string
	}{
		{`{ "model" : "a" ,"messages":[]}`, false, `{ "model" : "x/\"y\"" ,"messages":[]}`},
		{`{"messages":[],"model":"a"}`, true, `{"messages":[],"model":"x/\"y\"","stream_options":{"include_usage":true}}`},
		{`{"model":"a","messages":[],"stream_options":null}`, true, `{"model":"x/\"y\"","messages":[],"stream_options":{"include_usage":true}}`},
		{`{"stream_options": { } ,"model":"a","messages":[]}`, true, `{"stream_options": {"include_usage":true } ,"model":"x/\"y\"","messages":[]}`},
		{`{"model":"a","messages":[],"stream_options":{ "z":1}}`, true, `{"model":"x/\"y\"","messages":[],"stream_options":{"include_usage":true, "z":1}}`},
		{`{"stream_options":{"z":{},"include_usage" : false},"model":"a","messages":[]}`, true, `{"stream_options":{"z":{},"include_usage" : true},"model":"x/\"y\"","messages":[]}`},
		{`{"model":"a","messages":[],"stream_options":{"include_usage":null}}`, true, `{"model":"x/\"y\"","messages":[],"stream_options":{"include_usage":true}}`},
		{`{"model":"a","messages":[],"stream_options":{"include_usage":true}}`, true, `{"model":"x/\"y\"","messages":[],"stream_options":{"include_usage":true}}`},
		{`{"model":"a","messages":[],"stream_options":{"include_usage":false}}`, false, `{"model":"x/\"y\"","messages":[],"stream_options":{"include_usage":false}}`},
		{`{"m\u006fdel":"a","messages":["model","\u00e9"]}`, false, `{"m\u006fdel":"x/\"y\"","messages":["model","\u00e9"]}`},
	} {
		ask, fault := parseAsk([]byte(c.body))
		if fault != nil {
			t.Errorf("parseAsk(%s) = %q", c.body, fault.Message)
			continue
		}
		got := string(ask.Rewrite([]byte(">"), []byte(c.body), `x/"y"`, c.usage))
		if got != ">"+c.want {
			t.Errorf("Rewrite(%s, %v)\n = %s\n want %s", c.body, c.usage, got, ">"+c.want)
		}
	}
}

// A body that is not the one that was parsed can't be rewritten, but it must
// not be read out of its bounds either.
func TestRewriteOfAnotherBody(t *testing.T) {
	ask, _ := parseAsk([]byte(`{"model":"a","messages":[]}`))
	for _, a := range []Ask{ask, {}} {
		if got := string(a.Rewrite(nil, []byte(`{}`), "x", true)); got != `{}` {
			t.Errorf("Rewrite({}) = %s", got)
		}
	}
}

func TestNumber(t *testing.T) {
	const most = 1<<63 - 1
	for _, c := range []struct {
		text     string
		value    int64
		integral bool
	}{
		{"0", 0, true},
		{"-0.0e9", 0, true},
		{"30", 30, true},
		{"-12", -12, true},
		{"100.0", 100, true},
		{"1e2", 100, true},
		{"1E+2", 100, true},
		{"0.0001e6", 100, true},
		{"12345e-2", 123, false},
		{"1e-1", 0, false},
		{"1e-99999999999999999999", 0, false},
		{"0e99999999999999999999", 0, true},
		{"9223372036854775807", most, true},
		{"9223372036854775808", most, true},
		{"-9223372036854775808", -most - 1, true},
		{"1e99999999999999999999", most, true},
		{"-1e400", -most - 1, true},
		{"1900000000000000000.5", 1900000000000000000, false},
		{"19000000000000000005e-1", 1900000000000000000, false},
		{"19000000000000000000e-1", 1900000000000000000, true},
		{"1" + strings.Repeat("0", 500) + "e-500", 1, true},
		{"0." + strings.Repeat("0", 500) + "7e501", 7, true},
		{"5." + strings.Repeat("0", 500), 5, true},
		{"5." + strings.Repeat("0", 500) + "1", 5, false},
	} {
		var n number
		for i := range len(c.text) {
			n.add(c.text[i])
		}
		if v, integral := n.value(); v != c.value || integral != c.integral {
			t.Errorf("number %s = %d, %v, want %d, %v", c.text, v, integral, c.value, c.integral)
		}
	}
}

// parseAsk is ParseAsk with the Ask as a result, that of a fault being empty. Nothing
// of what the Ask was before is in it.
func parseAsk(body []byte) (Ask, *Fault) { return parsed(ParseAsk, body) }

// parseEmbeddingAsk is the same for ParseEmbeddingAsk.
func parseEmbeddingAsk(body []byte) (Ask, *Fault) { return parsed(ParseEmbeddingAsk, body) }

func parsed(parse func([]byte, *Ask) *Fault, body []byte) (Ask, *Fault) {
	before := Ask{
		Model: "before", Stream: true, UsageWanted: true, MaxOutput: 9, Capped: true, Choices: 9, User: "before", Inputs: 9, Base64: true,
		Untidy: true, TextBytes: 9, size: 9, model: span{1, 9}, options: span{1, 9}, include: span{1, 9}, spare: true, commas: [maxSpareCommas]int{1, 2},
	}
	a := before
	f := parse(body, &a)
	if f != nil {
		if a != before {
			panic("a fault changed the Ask")
		}
		return Ask{}, f
	}
	return a, nil
}
