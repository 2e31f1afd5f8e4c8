package llm

import (
	"strings"
	"testing"
)

func TestParseEmbeddingAsk(t *testing.T) {
	const (
		wrong = `input: input must be a string, an array of tokens, or an array of 1 to 2048 of either`
		i     = `"input":"hi"`
	)
	many := func(n int, element string) string {
		return `{"model":"a","input":[` + strings.Repeat(element+",", n-1) + element + `]}`
	}
	for _, c := range []struct {
		body  string
		want  Ask // beside Choices and Capped
		fault string
	}{
		{body: `{"model":"a","input":"h\u00e9"}`, want: Ask{Model: "a", Inputs: 1, TextBytes: 3}},
		{body: `{"input":["ab","cde",""],"m\u006fdel":"a","user":"u"}`, want: Ask{Model: "a", User: "u", Inputs: 3, TextBytes: 5}},
		{body: `{"model":"a","input":[1212,318,0]}`, want: Ask{Model: "a", Inputs: 1, TextBytes: 12}},
		{body: `{"model":"a","input":[[1212,318],[7],[]]}`, want: Ask{Model: "a", Inputs: 3, TextBytes: 12}},
		{body: `{"model":"a","input":"","encoding_format":"base64","dimensions":256}`, want: Ask{Model: "a", Inputs: 1, Base64: true}},
		{body: `{"model":"a",` + i + `,"encoding_format":"\u0062ase64"}`, want: Ask{Model: "a", Inputs: 1, TextBytes: 2, Base64: true}},
		{body: `{"model":"a",` + i + `,"encoding_format":"float","user":null}`, want: Ask{Model: "a", Inputs: 1, TextBytes: 2}},
		{body: `{"model":"a",` + i + `,"encoding_format":null}`, want: Ask{Model: "a", Inputs: 1, TextBytes: 2}},
		{body: `{"model":"a","input":["ab",],}`, want: Ask{Model: "a", Inputs: 1, TextBytes: 2, Untidy: true}},
		// What matters in a chat only passes unread.
		{
			body: `{"model":"a",` + i + `,"messages":7,"stream":true,"n":99,"max_tokens":"x","stream_options":{"include_usage":7,"include_usage":8},"tools":["xyz"]}`,
			want: Ask{Model: "a", Inputs: 1, TextBytes: 2 + 4},
		},
		{body: many(2048, `"x"`), want: Ask{Model: "a", Inputs: 2048, TextBytes: 2048}},
		{body: many(2048, `[5]`), want: Ask{Model: "a", Inputs: 2048, TextBytes: 4 * 2048}},
		{body: many(9999, `5`), want: Ask{Model: "a", Inputs: 1, TextBytes: 4 * 9999}},

		{body: `{"model":"a"}`, fault: `input: you must provide an input parameter`},
		{body: `{"model":"a","messages":[]}`, fault: `input: you must provide an input parameter`},
		{body: `{"model":"a","input":null}`, fault: `input: you must provide an input parameter`},
		{body: `{` + i + `}`, fault: `model: you must provide a model parameter`},
		{body: `{"model":"",` + i + `}`, fault: `model: you must provide a model parameter`},
		{body: many(2049, `"x"`), fault: wrong},
		{body: many(2049, `[]`), fault: wrong},
		{body: `{"model":"a","input":[]}`, fault: wrong},
		{body: `{"model":"a","input":{}}`, fault: wrong},
		{body: `{"model":"a","input":7}`, fault: wrong},
		{body: `{"model":"a","input":true}`, fault: wrong},
		{body: `{"model":"a","input":[null]}`, fault: wrong},
		{body: `{"model":"a","input":["a",1]}`, fault: wrong},
		{body: `{"model":"a","input":[1,"a"]}`, fault: wrong},
		{body: `{"model":"a","input":[1,[1]]}`, fault: wrong},
		{body: `{"model":"a","input":[[1],1]}`, fault: wrong},
		{body: `{"model":"a","input":[[1],"a"]}`, fault: wrong},
		{body: `{"model":"a","input":["a",["b"]]}`, fault: wrong},
		{body: `{"model":"a","input":[["b"]]}`, fault: wrong},
		{body: `{"model":"a","input":[[null]]}`, fault: wrong},
		{body: `{"model":"a","input":[[[1]]]}`, fault: wrong},
		{body: `{"model":"a","input":[{"text":"b"}]}`, fault: wrong},
		{body: `{"model":"a","input":[[{}]]}`, fault: wrong},
		{body: `{"model":"a","input":[1.5]}`, fault: wrong},
		{body: `{"model":"a","input":[-1]}`, fault: wrong},
		{body: `{"model":"a","input":[[1,-1]]}`, fault: wrong},
		{body: `{"model":"a",` + i + `,"encoding_format":1}`, fault: `encoding_format: encoding_format must be a string`},
		{body: `{"model":"a",` + i + `,"user":[]}`, fault: `user: user must be a string`},
		{body: `{"model":"a",` + i + `,"input":"b"}`, fault: `input: the parameter 'input' is given twice`},
		{body: `{"model":"a",` + i + `,"Input":"b"}`, fault: `input: the parameter 'input' is given twice`},
		{body: `{"model":"a","Input":"b"}`, fault: `input: the parameter 'input' must be spelled so, in small letters`},
		{body: `{"model":"a",` + i + `,"Encoding_Format":"base64"}`, fault: `encoding_format: the parameter 'encoding_format' must be spelled so, in small letters`},
		{body: `{"model":"a",` + i + `,"model":"b"}`, fault: `model: the parameter 'model' is given twice`},
		{body: `{"model":"a","input":"` + "\xff" + `"}`, fault: `: could not parse the JSON body of your request: it is not UTF-8`},
		{body: `{"model":"a","input":[1`, fault: `: could not parse the JSON body of your request: it is not JSON at byte 23`},
	} {
		got, fault := parseEmbeddingAsk([]byte(c.body))
		message := ""
		if fault != nil {
			message = fault.Param + ": " + fault.Message
		} else {
			c.want.Choices, c.want.Capped = 1, true
		}
		if len(c.body) > 200 {
			c.body = c.body[:200] + "…"
		}
		if message != c.fault {
			t.Errorf("parseEmbeddingAsk(%s)\n fault %q\n want  %q", c.body, message, c.fault)
		}
		if got = plain(got); got != c.want {
			t.Errorf("parseEmbeddingAsk(%s)\n = %+v\n want %+v", c.body, got, c.want)
		}
	}
}

// In a chat an input is no parameter.
func TestParseAskPassesInput(t *testing.T) {
	ask, fault := parseAsk([]byte(`{"model":"a","messages":[],"input":7,"Input":[null],"encoding_format":{}}`))
	if want := (Ask{Model: "a", Choices: 1}); fault != nil || plain(ask) != want {
		t.Errorf("parseAsk = %+v, fault %+v", ask, fault)
	}
}

func TestRewriteEmbedding(t *testing.T) {
	const body = `{"input":["a", "b",], "model":"a","encoding_format":"base64"}`
	ask, _ := parseEmbeddingAsk([]byte(body))
	const want = `{"input":["a", "b"], "model":"x","encoding_format":"base64"}`
	if got := string(ask.Rewrite(nil, []byte(body), "x", AskUsage)); got != want {
		t.Errorf("Rewrite = %s, want %s", got, want)
	}
}
