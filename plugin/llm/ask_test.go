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

		// What the model reads: escapes count as what they stand for, keys
		// only where they are part of a definition.
		{
			body: `{"model":"a","messages":[{"content":"a\n\u00e9\u4e2d\ud83d\ude00"}]}`,
			want: Ask{Model: "a", Choices: 1, TextBytes: 11},
		},
		{
			body: `{"model":"a","messages":[{"content":[{"type":"text","text":"abc"}]}],"tools": [ {"xy": "z", "é":[ ]} , 1.50,null ],"metadata":{"long":"text"}}`,
			want: Ask{Model: "a", Choices: 1, TextBytes: 4 + 3 + int64(len(`[{"xy":"z","é":[]},1.50,null]`))},
		},
		// Members that are not known count as text, their names do not.
		{
			body: `{"model":"a","messages":[{"name":"bob","content":"abc","x":["de"]}],"documents":[{"t":"fgh"},"i"],"prompt":"jk","stop":"l"}`,
			want: Ask{Model: "a", Choices: 1, TextBytes: 12 + 3},
		},
		{
			body: `{"model":"a",` + m + `,"safety_identifier":"u","prompt_cache_key":"k","session_id":{"x":"y"},"tool_choice":"auto"}`,
			want: Ask{Model: "a", Choices: 1, TextBytes: 4},
		},
		// Media are no text, text beside them does not hide behind them.
		{
			body: `{"model":"a","messages":[{"content":[{"image_url":{"url":"data:image/png;base64,` + strings.Repeat("A", 9000) + `","detail":"low"}}]}]}`,
			want: Ask{Model: "a", Choices: 1, TextBytes: 3, MediaTokens: 85},
		},
		{
			body: `{"model":"a","messages":[{"content":[{"image_url":"https://x"},{"input_audio":{"data":"AAAA","format":"wav"}},{"file":{"file_data":"AAAA"}}]}]}`,
			want: Ask{Model: "a", Choices: 1, TextBytes: 3, MediaTokens: 1600 + pageTokens},
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
		{body: `{"model":"a",` + m + `,"max_tokens":1.5}`, fault: `max_tokens: max_tokens must be a whole number, 0 or more`},
		{body: `{"model":"a",` + m + `,"max_tokens":"9"}`, fault: `max_tokens: max_tokens must be a whole number, 0 or more`},
		{body: `{"model":"a",` + m + `,"max_completion_tokens":true}`, fault: `max_completion_tokens: max_completion_tokens must be a whole number, 0 or more`},
		{body: `{"model":"a",` + m + `,"n":129}`, fault: `n: n must be a whole number from 1 to 128`},
		{body: `{"model":"a",` + m + `,"best_of":129}`, fault: `best_of: best_of must be a whole number from 1 to 128`},
		{body: `{"model":"a",` + m + `,"best_of":"3"}`, fault: `best_of: best_of must be a whole number from 1 to 128`},
		{body: `{"model":"a",` + m + `,"num_return_sequences":129}`, fault: `n: n must be a whole number from 1 to 128`},
		{body: `{"model":"a",` + m + `,"n":1e400}`, fault: `n: n must be a whole number from 1 to 128`},
		{body: `{"model":"a",` + m + `,"n":1.5}`, fault: `n: n must be a whole number from 1 to 128`},
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
		{body: `{"model":"a",` + m + `,"mod\u0065l\u0000x":"b"}`, fault: `model: the parameter 'model' is given twice`},
		{body: `{"model":"a",` + m + `,"extra_body":{"model":"b"}}`, fault: `extra_body.model: the parameter 'model' must not be in extra_body`},
		{body: `{"model":"a",` + m + `,"extra_body":{"x":1,"Messages":null}}`, fault: `extra_body.messages: the parameter 'messages' must not be in extra_body`},
		{body: `{"model":"a",` + m + `,"extra_body":{"extra_body":{"stream":true}}}`, fault: `extra_body.stream: the parameter 'stream' must not be in extra_body`},
		{body: "\ufeff" + `{"model":"a",` + m + `}`, fault: `: could not parse the JSON body of your request: it is not JSON at byte 0`},
		{body: "\xff\xfe{\x00}\x00", fault: `: could not parse the JSON body of your request: it is not UTF-8`},
		{body: "{\x00}\x00", fault: `: could not parse the JSON body of your request: it is not JSON at byte 1`},
		{body: `{"model":"a",` + m + `,"` + "\xc3" + `":1}`, fault: `: could not parse the JSON body of your request: it is not UTF-8`},
		{body: `{"model":"a",` + m + `,"x":"é` + "\xed\xa0\x80" + `"}`, fault: `: could not parse the JSON body of your request: it is not UTF-8`},
		{body: `{"model":"a",` + m + `,"x":NaN}`, fault: `: could not parse the JSON body of your request: it is not JSON at byte 31`},
		// A name inside another member is none of ours.
		{body: `{"x":{"model":"b","model":1},"model":"a",` + m + `}`, want: Ask{Model: "a", Choices: 1, TextBytes: 1}},
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
	a.media, a.cuts = nil, nil
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
		if got := string(ask.Rewrite(nil, []byte(c.body), "x", AskUsage)); got != c.want {
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

// Members that are for a proxy alone never go upstream; all else stays as it is.
func TestProxyMembersAreDropped(t *testing.T) {
	const m = `"messages":[],"model":"a"`
	for _, c := range []struct{ body, want string }{
		{`{"api_key":"k",` + m + `}`, `{"messages":[],"model":"x"}`},
		{`{ "api_key" : "k" , ` + m + `}`, `{  "messages":[],"model":"x"}`},
		{`{` + m + `,"fallbacks":[{"a":["b"]}]}`, `{"messages":[],"model":"x"}`},
		{`{` + m + ` , "fallbacks" : null }`, `{"messages":[],"model":"x"  }`},
		{`{"messages":[],"timeout":1.5e3,"model":"a"}`, `{"messages":[],"model":"x"}`},
		{`{"api_key":"k","api_base":"u","base_url":"u",` + m + `,"tags":[],"cache":{"no-cache":true}}`, `{"messages":[],"model":"x"}`},
		{`{"api_key":"k","z":1,"api_key":"l",` + m + `}`, `{"z":1,"messages":[],"model":"x"}`},
		{`{"litellm_metadata":{"a":1},"mock_response":"hi","num_retries":3,` + m + `}`, `{"messages":[],"model":"x"}`},
		{`{"\u0061pi_key":"k","Api_Base":"u",` + m + `}`, `{"messages":[],"model":"x"}`},
		{`{"models":["dear"],"route":"fallback",` + m + `}`, `{"messages":[],"model":"x"}`},
		// Spare commas beside and inside of them.
		{`{` + m + `,"tags":["a",],}`, `{"messages":[],"model":"x"}`},
		{`{"tags":["a",],"x":[1,],` + m + `,}`, `{"x":[1],"messages":[],"model":"x"}`},
		{`{"extra_body":{"api_key":1,},` + m + `}`, `{"extra_body":{},"messages":[],"model":"x"}`},
		{`{"extra_body":{"api_key":1},"z":2,` + m + `}`, `{"extra_body":{},"z":2,"messages":[],"model":"x"}`},
		{`{"extra_body":{"a":1,"api_key":1,"b":[2]},` + m + `}`, `{"extra_body":{"a":1,"b":[2]},"messages":[],"model":"x"}`},
		{`{"extra_body":{"api_key":1,"tags":2,"b":[2]},` + m + `}`, `{"extra_body":{"b":[2]},"messages":[],"model":"x"}`},
		// What providers define themselves, and names inside other members, stay.
		{`{"metadata":{"api_key":"k"},"x":{"tags":[1]},"ttl":300,"user":"u","store":true,` + m + `}`, `{"metadata":{"api_key":"k"},"x":{"tags":[1]},"ttl":300,"user":"u","store":true,"messages":[],"model":"x"}`},
		{`{"messages":[{"timeout":1}],"tools":[{"tags":1}],"model":"a"}`, `{"messages":[{"timeout":1}],"tools":[{"tags":1}],"model":"x"}`},
	} {
		ask, fault := parseAsk([]byte(c.body))
		if fault != nil || ask.Untidy != (len(c.want) < len(c.body)) {
			t.Errorf("parseAsk(%s) = %+v, fault %+v", c.body, ask, fault)
			continue
		}
		if got := string(ask.Rewrite(nil, []byte(c.body), "x", KeepOptions)); got != c.want {
			t.Errorf("Rewrite(%s)\n = %s\n want %s", c.body, got, c.want)
		}
	}
	const body = `{"model":"a","api_key":"k","messages":[]}`
	ask, _ := parseAsk([]byte(body))
	if got, want := string(ask.Rewrite(nil, []byte(body), "x", AskUsage)), `{"model":"x","stream_options":{"include_usage":true},"messages":[]}`; got != want {
		t.Errorf("Rewrite(%s)\n = %s\n want %s", body, got, want)
	}
	ask, fault := parseEmbeddingAsk([]byte(`{"model":"a","input":"b","litellm_trace_id":"c"}`))
	if got, want := string(ask.Rewrite(nil, []byte(`{"model":"a","input":"b","litellm_trace_id":"c"}`), "x", AskUsage)), `{"model":"x","input":"b"}`; got != want || fault != nil {
		t.Errorf("Rewrite of an embedding = %s, fault %+v, want %s", got, fault, want)
	}
	if ask.TextBytes != 1 {
		t.Errorf("what is dropped counts as text: %d bytes", ask.TextBytes)
	}

	most := `{` + strings.Repeat(`"tags":1,`, maxDropped) + `"x":[1,],"y":[1,],"z":[1,],` + m + `,}`
	ask, fault = parseAsk([]byte(most))
	if got := string(ask.Rewrite(nil, []byte(most), "x", KeepOptions)); fault != nil || got != `{"x":[1],"y":[1],"z":[1],"messages":[],"model":"x"}` {
		t.Errorf("%d members dropped: %s, fault %+v", maxDropped, got, fault)
	}
	if _, fault := parseAsk([]byte(`{` + strings.Repeat(`"tags":1,`, maxDropped+1) + m + `}`)); fault == nil {
		t.Errorf("%d members dropped: no fault", maxDropped+1)
	}
}

// A body is read up to its first fault: what is behind that is not read at all.
// (BenchmarkRefuse shows that the time grows with what is read.)
func TestFirstFault(t *testing.T) {
	_, fault := parseAsk([]byte(`{"model":"a","model":"b","x":"` + "\xff" + `",]`))
	if fault == nil || !strings.Contains(fault.Message, "given twice") {
		t.Errorf("fault %+v", fault)
	}
}

// Text beyond ASCII is UTF-8 wherever it is cut to be looked at, and no wrong
// byte in it passes.
func TestTextBeyondASCII(t *testing.T) {
	for _, text := range []string{"é", "中", "😀", "aé", "é中😀x", "\u07ff\u0800\uffff"} {
		for offset := range 8 {
			long := strings.Repeat("x", offset) + strings.Repeat(text, 5000/len(text))
			body := `{"model":"a","messages":[{"content":"` + long + `"}]}`
			ask, fault := parseAsk([]byte(body))
			if fault != nil || ask.TextBytes != int64(len(long)) {
				t.Fatalf("%q after %d: %d bytes, fault %+v", text, offset, ask.TextBytes, fault)
			}
			for at := strings.Index(body, long); at < len(body)-4; at += 37 {
				wrong := []byte(body)
				wrong[at] = 0xC0
				if _, fault := parseAsk(wrong); fault == nil {
					t.Fatalf("%q after %d, wrong at %d: no fault", text, offset, at)
				}
			}
		}
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
		body    string
		options OptionsEdit
		want    string
	}{
		{`{ "model" : "a" ,"messages":[]}`, KeepOptions, `{ "model" : "x/\"y\"" ,"messages":[]}`},
		{`{"messages":[],"model":"a"}`, AskUsage, `{"messages":[],"model":"x/\"y\"","stream_options":{"include_usage":true}}`},
		{`{"model":"a","messages":[],"stream_options":null}`, AskUsage, `{"model":"x/\"y\"","messages":[],"stream_options":{"include_usage":true}}`},
		{`{"stream_options": { } ,"model":"a","messages":[]}`, AskUsage, `{"stream_options": {"include_usage":true } ,"model":"x/\"y\"","messages":[]}`},
		{`{"model":"a","messages":[],"stream_options":{ "z":1}}`, AskUsage, `{"model":"x/\"y\"","messages":[],"stream_options":{"include_usage":true, "z":1}}`},
		{`{"stream_options":{"z":{},"include_usage" : false},"model":"a","messages":[]}`, AskUsage, `{"stream_options":{"z":{},"include_usage" : true},"model":"x/\"y\"","messages":[]}`},
		{`{"model":"a","messages":[],"stream_options":{"include_usage":null}}`, AskUsage, `{"model":"x/\"y\"","messages":[],"stream_options":{"include_usage":true}}`},
		{`{"model":"a","messages":[],"stream_options":{"include_usage":true}}`, AskUsage, `{"model":"x/\"y\"","messages":[],"stream_options":{"include_usage":true}}`},
		{`{"model":"a","messages":[],"stream_options":{"include_usage":false}}`, KeepOptions, `{"model":"x/\"y\"","messages":[],"stream_options":{"include_usage":false}}`},
		{`{"model":"a","messages":[],"stream_options":{"include_usage":true}}`, DropOptions, `{"model":"x/\"y\"","messages":[]}`},
		{`{"stream\u005foptions" : {"x":[1,],} , "model":"a","messages":[]}`, DropOptions, `{ "model":"x/\"y\"","messages":[]}`},
		{`{"model":"a" , "stream_options":{},"messages":[]}`, DropOptions, `{"model":"x/\"y\"" , "messages":[]}`},
		{`{"model":"a","messages":[], "stream_options":{}, "fallbacks":[],}`, DropOptions, `{"model":"x/\"y\"","messages":[]}`},
		{`{"fallbacks":[],"stream_options":{},"tags":[],"model":"a","messages":[]}`, DropOptions, `{"model":"x/\"y\"","messages":[]}`},
		{`{"model":"a","messages":[],"stream_options":null}`, DropOptions, `{"model":"x/\"y\"","messages":[]}`},
		{`{"m\u006fdel":"a","messages":["model","\u00e9"]}`, KeepOptions, `{"m\u006fdel":"x/\"y\"","messages":["model","\u00e9"]}`},
	} {
		ask, fault := parseAsk([]byte(c.body))
		if fault != nil {
			t.Errorf("parseAsk(%s) = %q", c.body, fault.Message)
			continue
		}
		got := string(ask.Rewrite([]byte(">"), []byte(c.body), `x/"y"`, c.options))
		if got != ">"+c.want {
			t.Errorf("Rewrite(%s, %v)\n = %s\n want %s", c.body, c.options, got, ">"+c.want)
		}
	}
}

// A body that is not the one that was parsed can't be rewritten, but it must
// not be read out of its bounds either.
func TestRewriteOfAnotherBody(t *testing.T) {
	ask, _ := parseAsk([]byte(`{"model":"a","messages":[]}`))
	for _, a := range []Ask{ask, {}} {
		if got := string(a.Rewrite(nil, []byte(`{}`), "x", AskUsage)); got != `{}` {
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

var (
	someCuts  = &cuts{n: 1}
	someMedia = new(media)
)

func parsed(parse func([]byte, *Ask) *Fault, body []byte) (Ask, *Fault) {
	before := Ask{
		Model: "before", Stream: true, UsageWanted: true, MaxOutput: 9, Capped: true, Choices: 9, User: "before", Inputs: 9, Base64: true,
		Untidy: true, TextBytes: 9, size: 9, model: span{1, 9}, options: span{1, 9}, include: span{1, 9}, spare: true, cuts: someCuts, media: someMedia,
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
