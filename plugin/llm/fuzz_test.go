//go:build !tinygo

package llm

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"fairshare/plugin/unit"
)

// FuzzAsk: whatever ParseAsk lets through is one JSON object that
// encoding/json reads the same way, and a rewrite changes the model and
// include_usage, nothing else.
func FuzzAsk(f *testing.F) {
	for _, s := range []string{
		`{"model":"a","messages":[{"role":"user","content":"hi \u00e9"}],"stream":true}`,
		`{"stream_options":{"include_usage":false,"x":[1e2]},"m\u006fdel":"a\ud83d\ude00","messages":[],"n":2.0,"max_tokens":1e2,"user":"u"}`,
		`{"model":"a","messages":[],"stream_options":{ },"max_completion_tokens":0}`,
		`{"model":"a","messages":[],"stream_options":null,"Model":"b"}`,
		`{"model":"a","messages":[{"content":[{"image_url":{"url":"data:"}}]}],"tools":[{"x":"y"}]}`,
		`{"model":"a","messages":[[[[[[]]]]]],"x":-0.5E-7,"y":[true,false,null]}`,
		`{"stream_options":{"include_usage":null,},"messages":[{"content":",}\",]",},],"model":"a" , }`,
		`{"model":"a","messages":[],"max_tokens":5,"n_predict":70,"extra_body":{"n":3,"max_completion_tokens":90,"api_key":"k",},"best_of":2}`,
		`{"api_base":"u","timeout":[1,],"model":"a","mock_response":{"a":1,},"messages":[],"tags":[],}`,
		`{"model":"a","messages":[],"max_tokens":-1,"max_new_tokens":1e308,"n":0,"thinking":{"budget_tokens":100}}`,
		`{"model":"a","messages":[],"max_tokens":9,"reasoning":{"max_tokens":100},"options":{"num_predict":50},"enable_thinking":true,"x":"y"}`,
		`{"model":"a","messages":[],"tools":[ {"a": [1, "b" , null] , "c":{} , } ],"response_format":{"type":"json_schema","x":-1.5e3}}`,
	} {
		f.Add([]byte(s), "gpt-4o", byte(AskUsage))
		f.Add([]byte(s), "gpt-4o", byte(DropOptions))
	}
	f.Fuzz(checkAsk)
}

func checkAsk(t *testing.T, body []byte, name string, edit byte) {
	options := OptionsEdit(edit % 3)
	ask, fault := parseAsk(body)
	ask.Rewrite(nil, body[:len(body)/2], name, options)
	if fault != nil {
		return
	}
	sameAsOracle(t, body, ask)
	out := ask.Rewrite(nil, body, name, options)
	again, fault := parseAsk(out)
	if fault != nil {
		if name == "" && fault.Param == "model" {
			return
		}
		t.Fatalf("rewrite of %s to %s: %+v", body, out, fault)
	}
	want := plain(ask)
	want.Untidy = false
	want.MediaTokens = again.MediaTokens // the model's rule is another
	want.Model = strings.ToValidUTF8(name, "\uFFFD")
	if !utf8.ValidString(name) {
		// ToValidUTF8 gives one mark for a run of wrong bytes.
		want.Model = again.Model
	}
	switch options {
	case AskUsage:
		want.UsageWanted = true
	case DropOptions:
		if ask.HasOptions() && again.HasOptions() {
			t.Fatalf("rewrite of %s to %s", body, out)
		}
		want.UsageWanted, want.TextBytes = false, again.TextBytes
	}
	if got := plain(again); got != want {
		t.Fatalf("rewrite of %s to %s:\n %+v\n want %+v", body, out, got, want)
	}
	sameAsOracle(t, out, again)
	sameElse(t, dropped(t, body), out)
}

// TestRandomAsks makes bodies of the members that matter, with values of all
// kinds, in any order and number.
func TestRandomAsks(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	names := []string{
		"max_tokens", "max_completion_tokens", "max_new_tokens", "n_predict", "maxTokens", "Max_Length", "n", "best_of", "num_return_sequences",
		"thinking", "reasoning", "thinking_budget", "budget_tokens", "enable_thinking", "extra_body", "options", "tools", "response_format",
		"api_key", "mock_response", "timeout", "tags", "x", "prompt", "user", "stream", "metadata", "session_id", "stop", "stream_options",
		`\u006eum_predict`, "litellm_trace_id", "temperature", "tool_choice",
	}
	scalars := []string{
		"1", "2", "5", "70", "128", "129", "0", "-1", "1.5", "1e1", "100.0", "1e308", "16777217", "null", "true", "false", `"5"`, `"a\u00e9"`, `""`,
	}
	var value func(depth int) string
	space := func() string { return []string{"", "", "", " ", "\n\t"}[rng.IntN(5)] }
	list := func(open, end string, element func() string) string {
		s := open
		for i, n := 0, rng.IntN(4); i < n; i++ {
			s += space() + element() + space()
			if i < n-1 || rng.IntN(30) == 0 {
				s += ","
			}
		}
		return s + space() + end
	}
	member := func(depth int) string {
		return `"` + names[rng.IntN(len(names))] + `"` + space() + ":" + space() + value(depth)
	}
	value = func(depth int) string {
		switch k := rng.IntN(10); {
		case k < 2 && depth < 4:
			return list("{", "}", func() string { return member(depth + 1) })
		case k < 3 && depth < 4:
			return list("[", "]", func() string { return value(depth + 1) })
		}
		return scalars[rng.IntN(len(scalars))]
	}
	taken := 0
	for range 10_000 {
		members := []string{`"model":"a"`, `"messages":[{"content":"hi"}]`}
		for range rng.IntN(6) {
			members = append(members, member(0))
		}
		rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		body := []byte("{" + strings.Join(members, space()+",") + space() + "}")
		if _, fault := parseAsk(body); fault == nil {
			taken++
		}
		checkAsk(t, body, "gpt-4o", byte(rng.IntN(3)))
	}
	if taken < 2_000 {
		t.Errorf("%d of 10000 bodies were taken", taken)
	}
}

// sameAsOracle holds an Ask against encoding/json's reading of the body, into
// a struct as a Go upstream would, which folds names and takes the last.
func sameAsOracle(t *testing.T, body []byte, ask Ask) {
	t.Helper()
	body = tidied(t, body, ask.Untidy)
	var want struct {
		Model   string
		Stream  bool
		User    string
		Options *struct {
			Usage *bool `json:"include_usage"`
		} `json:"stream_options"`
		Messages []any
	}
	if err := json.Unmarshal(body, &want); err != nil {
		t.Fatalf("parseAsk took %s, encoding/json says %v", body, err)
	}
	wanted := want.Options != nil && want.Options.Usage != nil && *want.Options.Usage
	if ask.Model != want.Model || ask.Stream != want.Stream || ask.User != want.User || ask.UsageWanted != wanted || want.Messages == nil {
		t.Fatalf("parseAsk(%s) = %+v, encoding/json %+v", body, ask, want)
	}
	var o askOracle
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	o.value(d, nil, otherRegion, 0)
	tokens, capped := o.most()
	if ask.MaxOutput != tokens || ask.Capped != capped || ask.Choices != max(1, o.choices) {
		t.Fatalf("parseAsk(%s) = %+v, want %d tokens, capped %v, %d choices", body, ask, tokens, capped, o.choices)
	}
	// Half a surrogate pair has another size as U+FFFD, media have no oracle.
	if ask.TextBytes != o.text && !o.media && !strings.Contains(strings.ToLower(string(body)), `\ud`) {
		t.Fatalf("parseAsk(%s) = %+v, want %d bytes of text", body, ask, o.text)
	}
}

// An askOracle finds caps, choices and text in a request, member by member as
// encoding/json gives them.
type askOracle struct {
	limit, budget  unit.Tokens
	given, open    bool
	thinks, bounds bool
	choices        int64
	text           int64
	media          bool // there may be pictures and the like
}

var (
	oracleLimits  = regexp.MustCompile(`^(max_output_tokens|max_new_tokens|max_length|max_gen_len|max_tokens_to_sample|max_generated_tokens|max_response_tokens|maxTokens|maxTokenCount|maxNewTokens|maxOutputTokens|maxCompletionTokens|n_predict|num_predict|numPredict|tokens_to_generate)$`)
	oracleBudgets = regexp.MustCompile(`^(budget_tokens|max_thinking_tokens|max_reasoning_tokens|reasoning_budget|reasoning_max_tokens|thinking_budget|thinkingBudget|thinking_budget_tokens|thinking_token_budget)$`)
	oracleChoices = regexp.MustCompile(`^(bestOf|candidate_count|candidateCount|n_cmpl|num_return_sequences|num_generations|num_completions|numResults|numReturnSequences)$`)
	oracleThinks  = regexp.MustCompile(`^(reasoning|reasoning_config|thinking|thinking_config|thinkingConfig)$`)
	oracleMedia   = regexp.MustCompile(`^(audio|audio_url|b64_json|bytes|detail|data|document|file|fileData|file_.*|fileUri|image.*|input_.*|inline.*|source|ur[li]|video.*)$`)
	oracleSilent  = regexp.MustCompile(`._(id|key|identifier)$|^metadata$`)
	oracleSchema  = regexp.MustCompile(`^(tools|functions|response_format)$`)
	oracleStrict  = regexp.MustCompile(`^(model|messages|stream|stream_options|max_tokens|max_completion_tokens|n|best_of|user|extra_body)$`)
)

func (o *askOracle) most() (unit.Tokens, bool) {
	if o.open || o.thinks && !o.bounds {
		return 0, false
	}
	return o.limit + o.budget, o.given
}

// value reads the value at path. in is schemaRegion, messagesRegion,
// silentRegion, thinkRegion or otherRegion; extra is how many extra_body are
// around it.
func (o *askOracle) value(d *json.Decoder, path []string, in region, extra int) {
	token, err := d.Token()
	if err != nil {
		return
	}
	name := ""
	if len(path) > 0 {
		name = path[len(path)-1]
	}
	beside := len(path) == 1+extra // beside model, or in extra_body
	_, isNumber := token.(json.Number)
	_, isBool := token.(bool)
	if in == schemaRegion && (!beside || token != nil && !isNumber && !isBool) {
		switch v := token.(type) {
		case json.Delim:
			o.text++
		case string:
			o.text += int64(len(v)) + 2
		case json.Number:
			o.text += int64(len(v))
		case bool:
			o.text += int64(len(strconv.FormatBool(v)))
		default:
			o.text += int64(len("null"))
		}
	}
	switch v := token.(type) {
	case json.Delim:
		for first := true; d.More(); first = false {
			element, next, deeper := "", in, extra
			if in == schemaRegion && !first {
				o.text++
			}
			if v == '{' {
				key, err := d.Token()
				if err != nil {
					return
				}
				element = key.(string)
				if in == schemaRegion {
					o.text += int64(len(element)) + 3
				}
				// Names in other spellings are no oracle's business.
				root := len(path) == extra && in == otherRegion
				folded := strings.ToLower(element)
				switch {
				case in == schemaRegion || in == silentRegion:
				case root && element != folded && (oracleStrict.MatchString(folded) || oracleLimits.MatchString(folded) || oracleBudgets.MatchString(folded) ||
					oracleThinks.MatchString(folded) || oracleSchema.MatchString(folded) || oracleChoices.MatchString(folded) || folded == "enable_thinking"):
					element = folded
				}
				switch {
				case in == schemaRegion || in == silentRegion:
				case root && element == "messages":
					next = messagesRegion
				case root && oracleSchema.MatchString(element):
					next = schemaRegion
				case root && element == "extra_body":
					deeper++
				case root && (element == "stream_options" || oracleSilent.MatchString(element) || proxyMember([]byte(element)) || proxyMember([]byte(folded))):
					next = silentRegion
				case in != messagesRegion && oracleThinks.MatchString(element):
					next = thinkRegion
				case !root && oracleMedia.MatchString(element):
					o.media = true
				}
			}
			at := append(path[:len(path):len(path)], element)
			if deeper > extra {
				// An extra_body that is no object is as any other.
				at = append(path[:len(path):len(path)], "extra_body")
			}
			o.value(d, at, next, deeper)
		}
		d.Token()
		if in == schemaRegion {
			o.text++
		}
	case json.Number:
		o.number(name, v, in, beside, extra)
	case string:
		switch {
		case in == schemaRegion || in == silentRegion:
		case in == messagesRegion:
			o.text += int64(len(v))
		case beside && (name == "model" || name == "user") && extra == 0:
		case oracleLimits.MatchString(name) || oracleBudgets.MatchString(name), beside && extra > 0 && (name == "max_tokens" || name == "max_completion_tokens"),
			!beside && (name == "max_tokens" || name == "max_completion_tokens"):
			o.open = true
		default:
			if len(v) >= bulkBytes {
				o.media = true
			}
			o.text += int64(len(v))
		}
	case bool:
		if name == "enable_thinking" && beside && in == otherRegion {
			o.thinks = o.thinks || v
		}
	}
}

func (o *askOracle) number(name string, v json.Number, in region, beside bool, extra int) {
	if in != otherRegion && in != thinkRegion {
		return
	}
	strict := beside && extra == 0
	openAI := name == "max_tokens" || name == "max_completion_tokens"
	n := oracleTokens(string(v))
	whole, negative := oracleWhole(string(v))
	switch {
	case oracleBudgets.MatchString(name), in == thinkRegion && (name == "max_tokens" || oracleLimits.MatchString(name)):
		switch {
		case whole && !negative && n == 0:
			o.bounds = true
		case !whole || negative || n > longestOutput:
			o.open = true
		default:
			o.budget, o.bounds = max(o.budget, n), true
		}
	case openAI || oracleLimits.MatchString(name):
		if !whole || negative || n == 0 || n > longestOutput {
			o.open = true
			return
		}
		o.limit = max(o.limit, n)
		o.given = o.given || openAI && strict
	case name == "best_of", name == "n" && beside, oracleChoices.MatchString(name):
		if whole && !negative {
			o.choices = max(o.choices, int64(n))
		}
	}
}

// oracleWhole reports whether text spells a whole number, and one below 0.
func oracleWhole(text string) (whole, negative bool) {
	mantissa, power, _ := strings.Cut(strings.ToLower(text), "e")
	negative = strings.HasPrefix(text, "-")
	if strings.Trim(mantissa, "-0.") == "" {
		return true, false
	}
	if p, err := strconv.Atoi(power); power != "" && (err != nil || p > 5000 || p < -5000) {
		return !strings.HasPrefix(power, "-"), negative
	}
	r, ok := new(big.Rat).SetString(text)
	return ok && r.IsInt(), negative
}

// dropped is body without its spare commas and, beside model and in
// extra_body, without the members that are for a proxy alone.
func dropped(t *testing.T, body []byte) []byte {
	t.Helper()
	body = spareComma.ReplaceAll(body, []byte("$1$2"))
	d := json.NewDecoder(bytes.NewReader(body))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	out := []byte("{")
	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
		if proxyMember([]byte(key.(string))) || proxyMember([]byte(strings.ToLower(key.(string)))) {
			continue
		}
		if strings.EqualFold(key.(string), "extra_body") && value[0] == '{' {
			value = dropped(t, value)
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		name, _ := json.Marshal(key)
		out = append(append(append(out, name...), ':'), value...)
	}
	return append(out, '}')
}

// spareComma finds a string, or a comma that nothing but a closing bracket
// follows; what may stay of either are its groups.
var spareComma = regexp.MustCompile(`("(?:[^"\\]|\\.)*")|,([ \t\r\n]*[\]}])`)

// tidied is body without its spare commas. If not untidy, there are none.
func tidied(t *testing.T, body []byte, untidy bool) []byte {
	t.Helper()
	tidy := spareComma.ReplaceAll(body, []byte("$1$2"))
	if spare := len(body) - len(tidy); spare > maxSpareCommas || !untidy && spare > 0 || spare > 0 == json.Valid(body) {
		t.Fatalf("%s has %d spare commas, Untidy is %v", body, spare, untidy)
	}
	return tidy
}

// sameElse checks that all members but the two that Rewrite touches are the
// same, byte for byte.
func sameElse(t *testing.T, body, out []byte) {
	t.Helper()
	body = spareComma.ReplaceAll(body, []byte("$1$2"))
	var before, after map[string]json.RawMessage
	if json.Unmarshal(body, &before) != nil || json.Unmarshal(out, &after) != nil {
		t.Fatalf("%s became %s", body, out)
	}
	for _, name := range []string{"model", "stream_options"} {
		delete(before, name)
		delete(after, name)
	}
	if len(before) != len(after) {
		t.Fatalf("%s became %s", body, out)
	}
	for name := range before {
		if !bytes.Equal(before[name], after[name]) && (!strings.EqualFold(name, "extra_body") || !sameJSON(before[name], after[name])) {
			t.Fatalf("%s became %s: %q differs", body, out, name)
		}
	}
}

// sameJSON compares what two documents say, whatever their spelling.
func sameJSON(x, y []byte) bool {
	var values [2]any
	for i, text := range [][]byte{x, y} {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if d.Decode(&values[i]) != nil {
			return false
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}

// oracleTokens is the number that text spells, cut to an integer from 0 up.
func oracleTokens(text string) unit.Tokens {
	mantissa, power, _ := strings.Cut(strings.ToLower(text), "e")
	if strings.HasPrefix(text, "-") || strings.Trim(mantissa, "0.") == "" {
		return 0
	}
	// A power beyond the digits' reach is beyond big.Rat's patience too.
	if p, err := strconv.Atoi(power); power != "" && (err != nil || p > 5000 || p < -5000) {
		if strings.HasPrefix(power, "-") {
			return 0
		}
		return math.MaxInt64
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0
	}
	n := new(big.Int).Quo(r.Num(), r.Denom())
	if !n.IsInt64() {
		return math.MaxInt64
	}
	return unit.Tokens(n.Int64())
}

// FuzzEmbeddingAsk: whatever ParseEmbeddingAsk lets through is one JSON object
// that encoding/json reads the same way, and a rewrite changes the model only.
func FuzzEmbeddingAsk(f *testing.F) {
	for _, s := range []string{
		`{"model":"a","input":"hi \u00e9","user":"u","encoding_format":"base64","dimensions":256}`,
		`{"input":["a","bc",],"m\u006fdel":"a","encoding_format":"float",}`,
		`{"model":"a","input":[1,2.0,3e0]}`,
		`{"model":"a","input":[[1,2],[],[3]],"encoding_format":null}`,
		`{"model":"a","input":"x","stream_options":{"include_usage":false},"Input":1}`,
		`{"model":"a","input":["x",1]}`,
	} {
		f.Add([]byte(s), "text-embedding-3-small")
	}
	f.Fuzz(func(t *testing.T, body []byte, name string) {
		ask, fault := parseEmbeddingAsk(body)
		ask.Rewrite(nil, body[:len(body)/2], name, AskUsage)
		if fault != nil {
			return
		}
		sameEmbeddingAsOracle(t, body, ask)
		out := ask.Rewrite(nil, body, name, AskUsage)
		again, fault := parseEmbeddingAsk(out)
		if fault != nil {
			if name == "" && fault.Param == "model" {
				return
			}
			t.Fatalf("rewrite of %s to %s: %+v", body, out, fault)
		}
		want := plain(ask)
		want.Untidy, want.Model = false, again.Model
		if got := plain(again); got != want || utf8.ValidString(name) && got.Model != name {
			t.Fatalf("rewrite of %s to %s:\n %+v\n want %+v", body, out, got, want)
		}
		sameEmbeddingAsOracle(t, out, again)
		sameElse(t, dropped(t, body), out)
	})
}

func sameEmbeddingAsOracle(t *testing.T, body []byte, ask Ask) {
	t.Helper()
	body = tidied(t, body, ask.Untidy)
	var want struct {
		Model  string
		User   string
		Input  any
		Format string `json:"encoding_format"`
	}
	if err := json.Unmarshal(body, &want); err != nil {
		t.Fatalf("parseEmbeddingAsk took %s, encoding/json says %v", body, err)
	}
	if ask.Model != want.Model || ask.User != want.User || ask.Base64 != (want.Format == "base64") ||
		ask.Choices != 1 || ask.MaxOutput != 0 || !ask.Capped || ask.Stream || ask.UsageWanted {
		t.Fatalf("parseEmbeddingAsk(%s) = %+v, encoding/json %+v", body, ask, want)
	}
	inputs, size := int64(1), int64(0)
	list, _ := want.Input.([]any)
	if list != nil {
		inputs = int64(len(list))
		if _, flat := list[0].(float64); flat {
			inputs = 1
		}
	} else {
		list = []any{want.Input}
	}
	for _, element := range list {
		switch e := element.(type) {
		case string:
			size += int64(len(e))
		case float64:
			size += tokenBytes
		case []any:
			for _, token := range e {
				if token.(float64) < 0 {
					t.Fatalf("parseEmbeddingAsk took %s", body)
				}
				size += tokenBytes
			}
		default:
			t.Fatalf("parseEmbeddingAsk took %s", body)
		}
	}
	// Half a surrogate pair has another size as U+FFFD, and other members may
	// have text as well.
	var members map[string]any
	json.Unmarshal(body, &members)
	most := size
	for name := range members {
		switch strings.ToLower(name) {
		case "model", "user", "input", "encoding_format":
		default:
			most = size + int64(len(body))
		}
	}
	if ask.Inputs != inputs || (ask.TextBytes < size || ask.TextBytes > most) && !strings.Contains(strings.ToLower(string(body)), `\ud`) {
		t.Fatalf("parseEmbeddingAsk(%s) = %+v, want %d inputs, %d bytes", body, ask, inputs, size)
	}
}

// FuzzObserveCuts: any bytes, cut anywhere, give the same results and the same
// bytes passed on, and without strip those are the bytes that came.
func FuzzObserveCuts(f *testing.F) {
	files, _ := filepath.Glob("../../testdata/upstream/openai/*")
	for i, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(body), strings.HasSuffix(file, ".sse"), i%2 == 0, []byte{1, 2, 3, 50, 7})
	}
	f.Add("\xef\xbb\xbfdata:{\"choices\":[],\r\ndata: \"usage\":{\"total_tokens\":1}}\r\n\r\n:\r\rdata", true, true, []byte{1})
	f.Add(": a\r\nid: 7\r\ndata: {\"choices\":[],\"usage\":{}}\r\nevent: b\r\n\r\ndata: [DONE]\r\n\r\n", true, true, []byte{4})
	for _, beside := range []string{``, `,"id":"a"`, `,"x":1`, `,"x":null`, `,"x":""`, `,"error":{}`, `,"error":""`, `,"x_groq":{"error":"e"}`, `,"x_groq":{"id":"a"}`, `,"message":"m"`, `,"choices":[{}]`, `,"eval_count":3`} {
		f.Add(`data: {"usage":{"total_tokens":1},"choices":[]`+beside+"}\n\ndata: [DONE]\n\n", true, true, []byte{9})
	}
	f.Fuzz(func(t *testing.T, body string, stream, strip bool, sizes []byte) {
		kind := JSON
		if stream {
			kind = SSE
		}
		var cuts []int
		for i, at := 0, 0; len(sizes) > 0; i++ {
			at += int(sizes[i%len(sizes)])
			if at > len(body) || len(cuts) > 4*len(body) {
				break
			}
			cuts = append(cuts, at)
		}
		var o Observer
		whole := observe(&o, kind, strip, body, false)
		if got := observe(&o, kind, strip, body, len(cuts)%2 == 0, cuts...); got != whole {
			t.Fatalf("%q cut at %v:\n %+v\nwhole:\n %+v", body, cuts, got, whole)
		}
		if (!strip || kind == JSON) && whole.passed != body {
			t.Fatalf("%q was passed on as %q", body, whole.passed)
		}
		if kind == SSE {
			want, alien, ok := oracleStream(body, strip)
			// Dialects that the oracle does not read may tell more.
			if ok && strip && whole.passed != want.passed {
				t.Fatalf("%q passed on as\n %q\noracle:\n %q", body, whole.passed, want.passed)
			}
			if ok && (whole.usage.Prompt < want.usage.Prompt || whole.usage.Completion < want.usage.Completion ||
				whole.usage.Total < want.usage.Total || want.found && !whole.found || whole.output < want.output ||
				whole.events != want.events || whole.complete != want.complete ||
				!alien && (whole.usage != want.usage || whole.found != want.found || whole.output != want.output)) {
				t.Fatalf("%q, strip %v:\n %+v\noracle:\n %+v", body, strip, whole, want)
			}
		}
	})
}

// FuzzObserveJSON: a document that encoding/json takes is read as it reads it.
func FuzzObserveJSON(f *testing.F) {
	files, _ := filepath.Glob("../../testdata/upstream/openai/*.json")
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(body))
	}
	f.Add(`{"usage":{"prompt_tokens":-1,"completion_tokens":1e3,"completion_tokens":2.5,"prompt_tokens_details":{"cached_tokens":1},"prompt_tokens_details":{}},"usage":null}`)
	f.Add(`{"usage":{"prompt_tokens":9,"cache_read_input_tokens":4,"cache_creation_input_tokens":3,"prompt_tokens_details":{"cache_write_tokens":2,"cache_creation_tokens":1,"audio_tokens":8}}}`)
	f.Add(`{"usage":{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":94,"audio_tokens":2}}}`)
	f.Add(`{"choices":[{"message":{"content":[{"text":"a"}],"reasoning":"b","reasoning_content":"cc"}},{"text":"d"}],"x_groq":{"usage":{"total_tokens":1}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		want, ok := oracleDocument(body)
		if !ok {
			return
		}
		var o Observer
		got := observe(&o, JSON, false, body, false)
		first := strings.TrimLeft(body, " \t\r\n")
		usage, found := want.usage()
		if got.usage.Prompt < usage.Prompt || got.usage.Completion < usage.Completion || got.usage.Total < usage.Total ||
			found && !got.found || got.output < want.output || got.complete != (first[0] == '{' || first[0] == '[') ||
			!want.alien && (got.usage != usage || got.found != found || got.output != want.output) {
			t.Fatalf("%s\n %+v\noracle:\n %+v %v %+v", body, got, usage, found, want)
		}
	})
}

// An oracle is what encoding/json finds in the documents of an answer.
type oracle struct {
	told   map[string]unit.Tokens // by path in usage
	output int64

	// of the last document
	object, listed, some bool

	// alien tells of a member that may say something in another dialect than OpenAI's,
	// which the oracle does not read.
	alien bool
}

// foreign are such members: of the answer, of its usage, of a message.
var foreign = [...][]string{
	1: {
		"message", "delta", "content", "output", "response", "result", "data", "meta", "usageMetadata", "timings", "x_groq",
		"prompt_eval_count", "tokens_evaluated", "eval_count", "tokens_predicted",
	},
	2: {
		"promptTokenCount", "output_tokens", "totalTokenCount", "input_tokens_details", "prompt_token_details", "output_tokens_details", "input_tokens", "prompt_cache_hit_tokens",
		"prompt_cache_miss_tokens", "cached_tokens", "cachedContentTokenCount", "num_cached_tokens", "reasoning_tokens", "thoughtsTokenCount", "candidatesTokenCount",
		"prompt_n", "cache_n", "predicted_n", "billed_units", "tokens", "citation_tokens", "toolUsePromptTokenCount", "inputTokens", "outputTokens", "totalTokens",
		"cache_read_input_tokens", "cacheReadInputTokens", "cacheWriteInputTokens",
	},
	3: {"usage"},
	4: {"usage", "text", "partial_json", "thinking"},
}

// isForeign reports whether the member at path is one.
func isForeign(path []string) bool {
	n := len(path)
	if n == 0 {
		return false
	}
	name := path[n-1]
	switch {
	case n < len(foreign) && slices.Contains(foreign[n], name):
		return true
	case n == 3 && path[0] == "usage":
		return name == "cache_creation_input_tokens"
	}
	return false
}

// oracleDocument reads one document; false if it is none, or one whose text
// encoding/json changes as it reads.
func oracleDocument(body string) (oracle, bool) {
	if !json.Valid([]byte(body)) || !utf8.ValidString(body) || strings.Contains(strings.ToLower(body), `\ud`) {
		return oracle{}, false
	}
	var o oracle
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	o.value(d, nil, &[2]int64{}, nil)
	return o, true
}

// value reads the value at path, whose elements are member names, or "[]" for
// elements of an array. numbers holds the usage object around it.
func (o *oracle) value(d *json.Decoder, path []string, heard *[2]int64, numbers map[string]json.Number) {
	token, err := d.Token()
	if err != nil {
		return
	}
	at := strings.Join(path, "/")
	o.alien = o.alien || isForeign(path)
	if numbers != nil {
		delete(numbers, at)
		for name := range numbers {
			if strings.HasPrefix(name, at+"/") {
				delete(numbers, name)
			}
		}
	}
	if at == "choices/[]" {
		o.some = true
		*heard = [2]int64{}
	}
	switch v := token.(type) {
	case json.Delim:
		isUsage := v == '{' && at == "usage"
		if isUsage {
			numbers = map[string]json.Number{}
		}
		if at == "usage" && isUsage {
			o.object = true
		}
		if at == "choices" && v == '[' {
			o.listed = true
		}
		for d.More() {
			element := "[]"
			if v == '{' {
				name, err := d.Token()
				if err != nil {
					return
				}
				element = strings.NewReplacer("/", "%", "[", "%").Replace(name.(string))
			}
			o.value(d, append(path[:len(path):len(path)], element), heard, numbers)
		}
		d.Token()
		if isUsage {
			o.settle(at, numbers)
		}
	case json.Number:
		if numbers != nil {
			numbers[at] = v
		}
	case string:
		o.alien = o.alien || numbers != nil // perhaps a count
		o.text(path, int64(len(v)), heard)
	}
}

// settle keeps the counts of a usage object, whose members a later one of the same
// document replaces.
func (o *oracle) settle(at string, numbers map[string]json.Number) {
	o.told = map[string]unit.Tokens{}
	for name, n := range numbers {
		if !strings.HasPrefix(string(n), "-") {
			o.told[strings.TrimPrefix(name, at+"/")] = oracleTokens(string(n))
		}
	}
}

// merge takes another document's counts: of each the larger, of those that are cheaper the
// later.
func (o *oracle) merge(told map[string]unit.Tokens) {
	if o.told == nil {
		o.told = map[string]unit.Tokens{}
	}
	for name, n := range told {
		if name != "prompt_tokens_details/cached_tokens" {
			n = max(n, o.told[name])
		}
		o.told[name] = n
	}
}

func (o *oracle) usage() (u Usage, found bool) {
	var p, c, total bool
	u.Prompt, p = o.told["prompt_tokens"]
	u.Completion, c = o.told["completion_tokens"]
	u.Total, total = o.told["total_tokens"]
	if !p && !c && !total {
		return Usage{}, false
	}
	u.Cached = o.told["prompt_tokens_details/cached_tokens"]
	for _, name := range []string{"cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens"} {
		u.CacheWrite = max(u.CacheWrite, o.told["prompt_tokens_details/"+name])
	}
	u.CacheWrite = max(u.CacheWrite, o.told["cache_creation_input_tokens"])
	u.PromptAudio = o.told["prompt_tokens_details/audio_tokens"]
	u.Reasoning = o.told["completion_tokens_details/reasoning_tokens"]
	u.CompletionAudio = o.told["completion_tokens_details/audio_tokens"]
	if u.Reasoning > u.Completion && (p || c) {
		u.Completion, c = u.Completion.Plus(u.Reasoning), true
	}
	if sum := u.Prompt.Plus(u.Completion); u.Total <= sum {
		u.Total = sum
	} else if c && !p && u.Prompt == 0 {
		u.Prompt = u.Total - u.Completion
	} else if p {
		u.Completion = u.Total - u.Prompt
	}
	take := func(part *unit.Tokens, room unit.Tokens) unit.Tokens {
		*part = min(*part, room)
		return room - *part
	}
	take(&u.PromptAudio, take(&u.CacheWrite, take(&u.Cached, u.Prompt)))
	take(&u.CompletionAudio, take(&u.Reasoning, u.Completion))
	return u, true
}

func (o *oracle) text(path []string, size int64, heard *[2]int64) {
	if len(path) < 3 || len(path) > knownDepth || path[0] != "choices" || path[1] != "[]" {
		return
	}
	if len(path) == 3 {
		if path[2] == "text" {
			o.output += size
		}
		return
	}
	if path[2] != "message" && path[2] != "delta" {
		return
	}
	name := path[len(path)-1]
	if len(path) == 4 {
		switch name {
		case "content", "refusal":
			o.output += size
		case "reasoning_content", "reasoning":
			before := max(heard[0], heard[1])
			if name == "reasoning" {
				heard[0] += size
			} else {
				heard[1] += size
			}
			o.output += max(heard[0], heard[1]) - before
		}
		return
	}
	switch path[3] {
	case "content", "tool_calls", "function_call", "audio":
		switch name {
		case "text", "arguments", "name", "input", "thinking", "transcript":
			o.output += size
		}
	}
}

// pureUsage reports whether an event says nothing but usage: it is an object with a usage
// that is an object, choices that are an empty list, and beside them only members that
// name the answer or its server, or say nothing.
func pureUsage(text string) bool {
	d := json.NewDecoder(strings.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return false
	}
	used, listed := false, false
	for d.More() {
		name, _ := d.Token()
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return false
		}
		silent := string(value) == "null" || string(value) == "false"
		switch name {
		case "usage":
			used = used || value[0] == '{'
		case "choices":
			var list []any
			if value[0] == '[' && (json.Unmarshal(value, &list) != nil || len(list) > 0) {
				return false
			}
			listed = listed || value[0] == '['
		case "id", "object", "created", "model", "system_fingerprint", "service_tier", "obfuscation", "provider", "time_info", "timings":
		case "x_groq":
			var groq struct{ Error any }
			if value[0] == '{' && json.Unmarshal(value, &groq) == nil && groq.Error != nil && groq.Error != false && groq.Error != "" {
				return false
			}
		case "error":
			if !silent && string(value) != `""` {
				return false
			}
		default:
			if !silent {
				return false
			}
		}
	}
	return used && listed
}

// oracleStream reads a stream whole, line by line; false if an event's data
// is neither a document for encoding/json nor [DONE].
func oracleStream(body string, strip bool) (want seen, alien, ok bool) {
	rest := strings.TrimPrefix(body, "\uFEFF")
	want.passed = body[:len(body)-len(rest)]
	if want.passed != "" && strings.HasPrefix(rest, "\uFEFF") {
		return seen{}, false, false
	}
	var all oracle
	var raw strings.Builder
	raw.WriteString(want.passed)
	want.passed = ""
	var data []string
	for rest != "" || raw.Len() > 0 {
		n := strings.IndexAny(rest, "\r\n")
		line, end := rest, ""
		if n >= 0 {
			line, end = rest[:n], rest[n:n+1]
			if strings.HasPrefix(rest[n:], "\r\n") {
				end = "\r\n"
			}
		}
		rest = rest[len(line)+len(end):]
		raw.WriteString(line + end)
		if line == "data" {
			data = append(data, "")
		} else if value, ok := strings.CutPrefix(line, "data:"); ok {
			data = append(data, strings.TrimPrefix(value, " "))
		}
		if line != "" && rest != "" {
			continue
		}
		text := strings.Join(data, "\n")
		var event oracle
		if data != nil && text == "[DONE]" {
			want.complete = true
		} else if data != nil {
			if event, ok = oracleDocument(text); !ok {
				return seen{}, false, false
			}
			all.merge(event.told)
			all.output += event.output
			all.alien = all.alien || event.alien
			if event.some {
				want.events++
			}
		}
		size := raw.Len()
		if line == "" && end == "\r\n" {
			size-- // an event is decided by the CR
		}
		if !strip || data == nil || !pureUsage(text) || size > maxHeld {
			want.passed += raw.String()
		} else {
			want.passed += comments(raw.String())
		}
		raw.Reset()
		data = nil
	}
	want.usage, want.found = all.usage()
	want.output = all.output
	return want, all.alien, true
}

// comments are those of an event.
func comments(event string) (kept string) {
	for _, line := range regexp.MustCompile("[^\r\n]*(\r\n|\r|\n|$)").FindAllString(event, -1) {
		if strings.HasPrefix(line, ":") {
			kept += line
		}
	}
	return kept
}

// FuzzQuote: any bytes become a JSON string that says the same, with U+FFFD
// for what is not UTF-8, as encoding/json has it.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\/\b\f\n\r\t\x00", "é中😀\u2028", "\xff\xc3\xed\xa0\x80", "<script>&"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := AppendString([]byte("["), s)
		out = append(out, ']')
		var got []string
		if err := json.Unmarshal(out, &got); err != nil || !utf8.Valid(out) {
			t.Fatalf("AppendString(%q) = %q: %v", s, out, err)
		}
		if want := string([]rune(s)); got[0] != want {
			t.Fatalf("AppendString(%q) = %s, want %q", s, out, want)
		}
		raw := out[2 : len(out)-2]
		if back, ok := unquote(raw); !ok || back != got[0] {
			t.Fatalf("unquote(%s) = %q, %v", raw, back, ok)
		}
		body := ErrorBody{Message: s, Type: s, Param: s, Code: 400}.Append(nil)
		if !json.Valid(body) {
			t.Fatalf("error of %q = %s", s, body)
		}
		if models := AppendModels(nil, []string{s, s}); !json.Valid(models) {
			t.Fatalf("models of %q = %s", s, models)
		}
		if mock := AppendMockJSON(nil, s, 1, s, s, MockUsage); !json.Valid(mock) {
			t.Fatalf("mock of %q = %s", s, mock)
		}
		if mock := AppendMockEmbedding(nil, s, nil, 2, len(s)%2 == 0); !json.Valid(mock) {
			t.Fatalf("mock embedding of %q = %s", s, mock)
		}
		stream := string(AppendMockStream(nil, s, 1, s, s, MockUsage, true))
		got2, _, ok := oracleStream(stream, false)
		if !ok || got2.usage != MockUsage || !got2.complete || utf8.ValidString(s) && got2.output != int64(len(s)) {
			if !strings.Contains(strings.ToLower(stream), `\ud`) {
				t.Fatalf("mock stream of %q = %s", s, stream)
			}
		}
	})
}
