package llm

import (
	"strconv"
	"unicode/utf8"

	"fairshare/plugin/unit"
)

const (
	// maxDepth is how deep a request may nest. Messages take 7 levels and a
	// tool's JSON schema two for each of its own (OpenAI allows ten), so 64
	// is twice what a client sends and small enough for an array on the stack.
	maxDepth = 64

	// maxChoices is the most that OpenAI takes for n.
	maxChoices = 128

	// mediaBytes is what one picture, sound or file adds to TextBytes in
	// place of its base64: 1,024 tokens at four bytes each. A picture of
	// 1024×1024 costs 765 tokens in full detail with GPT-4o.
	mediaBytes = 4096

	// maxInputs is the most inputs that OpenAI embeds in one request.
	maxInputs = 2048

	// tokenBytes is what a token adds to TextBytes that an embedding's input
	// names by its number: English text has four bytes a token.
	tokenBytes = 4

	// maxSpareCommas is how many spare commas a body may have. People who
	// paste an example leave one or two; a program that leaves more should
	// be told.
	maxSpareCommas = 4
)

// An Ask is what the body of a request asks of a model. The strings are
// copies: an Ask outlives the body. The zero Ask asks for nothing.
type Ask struct {
	Model       string      // the model group; never empty in an Ask that ParseAsk gave
	Stream      bool        // the answer is to be a stream of events
	UsageWanted bool        // the client itself set stream_options.include_usage
	MaxOutput   unit.Tokens // max_completion_tokens, else max_tokens; per choice, at least 0
	Capped      bool        // whether MaxOutput was given; 0 is a cap as well
	Choices     int64       // n: 1 to 128
	User        string      // user, which names the end user; empty if not given

	// Of a request for embeddings only.
	Inputs int64 // how many vectors are asked for: 1 to 2048; 0 if none are
	Base64 bool  // the vectors are to be base64 of float32s (encoding_format)

	// Untidy says that the body is JSON only once its spare commas are out:
	// never the body but its Rewrite may go upstream, whatever its model.
	Untidy bool

	// TextBytes is the size of the text that the model will read: the strings
	// of messages, tools, functions and response_format, or of input, as
	// UTF-8, free of JSON's escapes. Every picture, sound or file counts as
	// mediaBytes, whatever its size, and every token that is given by its
	// number as tokenBytes. It is the ground of an estimate, never a charge.
	TextBytes int64

	// MediaTokens is what the providers' published rules make of pictures,
	// sounds and files, beside TextBytes.
	MediaTokens unit.Tokens

	size    int                 // of the body that was read
	model   span                // the value of model, with its quotes
	options span                // the value of stream_options; empty if there is none
	include span                // the value of include_usage in it; empty if there is none
	spare   bool                // options is an object without members
	commas  [maxSpareCommas]int // where the spare commas are, in their order; 0 where there are no more
}

// A span is a part of a body. The empty span is at 0, where no value that
// matters can be.
type span struct{ from, to int }

// A Fault is what is wrong with a request that a client can put right. It is
// an answer with status 400, not a failure of the gateway.
type Fault struct {
	Param   string // the parameter at fault, dotted; empty if it is the body
	Message string
}

// ParseAsk reads the body of a chat completion request. It refuses what
// another parser could read differently, since the upstream's parser has the
// last word and its reading must not go round the limits: bytes that are not
// UTF-8, a parameter that matters given twice, or spelled in other letters
// ("Model"), which Go's encoding/json takes for the same name. For the
// parameters it knows it holds to OpenAI's types; null is the same as absent.
// All other members pass unread.
//
// A comma behind the last member of an object or element of an array is no
// JSON, but LiteLLM's documents print it: a few are taken, and Rewrite takes
// them out.
//
// What the body asks is put into a, unless there is a fault.
func ParseAsk(body []byte, a *Ask) *Fault {
	r := askReader{root: rootRegion}
	r.ask.Choices, r.ask.size = 1, len(body)
	return r.parse(body, messagesParam, a)
}

// ParseEmbeddingAsk reads the body of a request for embeddings as strictly. Its
// Ask has a cap of 0 tokens of output.
func ParseEmbeddingAsk(body []byte, a *Ask) *Fault {
	r := askReader{root: embeddingRegion}
	r.ask.Choices, r.ask.Capped, r.ask.size = 1, true, len(body)
	return r.parse(body, inputParam, a)
}

// Rewrite appends to dst the body with model in place of the one asked for
// and, if includeUsage, with stream_options.include_usage set to true, which
// embeddings do not have. Spare commas are left out. Every other byte stays as
// the client sent it. body must be what a was parsed from and must not share
// memory with dst's spare room; a body of another size is appended as it is.
func (a *Ask) Rewrite(dst, body []byte, model string, includeUsage bool) []byte {
	if a.model.to == 0 || len(body) != a.size {
		return append(dst, body...)
	}
	at, text := span{len(body), len(body)}, ""
	if includeUsage && !a.UsageWanted && a.Inputs == 0 {
		at, text = a.usageEdit(body)
	}
	from := 0
	if at.from < a.model.from {
		dst = a.tidy(dst, body, from, at.from)
		dst = append(dst, text...)
		from = at.to
	}
	dst = a.tidy(dst, body, from, a.model.from)
	dst = AppendString(dst, model)
	from = a.model.to
	if at.from >= from {
		dst = a.tidy(dst, body, from, at.from)
		dst = append(dst, text...)
		from = at.to
	}
	return a.tidy(dst, body, from, len(body))
}

// tidy appends body[from:to] to dst without its spare commas.
func (a *Ask) tidy(dst, body []byte, from, to int) []byte {
	for _, comma := range a.commas {
		if comma >= from && comma < to && comma > 0 {
			dst = append(dst, body[from:comma]...)
			from = comma + 1
		}
	}
	return append(dst, body[from:to]...)
}

// usageEdit returns which part of body must become what to ask for usage.
func (a *Ask) usageEdit(body []byte) (span, string) {
	const member = `"include_usage":true`
	inside := span{a.options.from + 1, a.options.from + 1}
	switch {
	case a.include.to > 0:
		return a.include, "true"
	case a.options.to == 0:
		return span{a.model.to, a.model.to}, `,"stream_options":{` + member + `}`
	case body[a.options.from] != '{':
		return a.options, `{` + member + `}`
	case a.spare:
		return inside, member
	default:
		return inside, member + ","
	}
}

// A param is what a member of the request is to this package.
type param uint8

const (
	otherParam param = iota
	modelParam
	messagesParam
	streamParam
	streamOptionsParam
	maxTokensParam
	maxCompletionTokensParam
	nParam
	userParam
	includeUsageParam
	inputParam
	encodingFormatParam
	textParam  // tools and the like: any type, may repeat, all its text counts
	imageParam // image_url in a message: a string in it is LiteLLM's short form of {"url": …}
	mediaParam // another object in a message that is a picture, sound or file
	bulkParam  // the bulk of one
)

// paramNames has the names that must be given once and in this spelling.
var paramNames = [...]string{
	modelParam:               "model",
	messagesParam:            "messages",
	streamParam:              "stream",
	streamOptionsParam:       "stream_options",
	maxTokensParam:           "max_tokens",
	maxCompletionTokensParam: "max_completion_tokens",
	nParam:                   "n",
	userParam:                "user",
	includeUsageParam:        "include_usage",
	inputParam:               "input",
	encodingFormatParam:      "encoding_format",
}

// A region says what the strings inside a container mean.
type region uint8

const (
	silentRegion   region = iota // nothing that the model reads
	messagesRegion               // values count
	mediaRegion                  // one picture, sound or file: its bulk does not count
	schemaRegion                 // keys and values count
	inputRegion                  // input: texts, tokens or lists of tokens
	tokensRegion                 // such a list

	// In regions from here on a parameter that is known must be given once,
	// in this spelling and with a value of its type.
	rootRegion      // the request itself
	embeddingRegion // or the one for embeddings
	optionsRegion   // stream_options
)

// strict reports whether what a has are parameters.
func (a region) strict() bool { return a >= rootRegion }

// param is the param that name is in a.
func (a region) param(name []byte) param {
	switch a {
	case rootRegion:
		switch {
		case equal(name, "model"):
			return modelParam
		case equal(name, "messages"):
			return messagesParam
		case equal(name, "stream"):
			return streamParam
		case equal(name, "stream_options"):
			return streamOptionsParam
		case equal(name, "max_tokens"):
			return maxTokensParam
		case equal(name, "max_completion_tokens"):
			return maxCompletionTokensParam
		case equal(name, "n"):
			return nParam
		case equal(name, "user"):
			return userParam
		case equal(name, "tools"), equal(name, "functions"), equal(name, "response_format"):
			return textParam
		}
	case embeddingRegion:
		switch {
		case equal(name, "model"):
			return modelParam
		case equal(name, "input"):
			return inputParam
		case equal(name, "encoding_format"):
			return encodingFormatParam
		case equal(name, "user"):
			return userParam
		}
	case optionsRegion:
		if equal(name, "include_usage") {
			return includeUsageParam
		}
	case messagesRegion:
		switch {
		case equal(name, "image_url"):
			return imageParam
		case equal(name, "video_url"), equal(name, "audio_url"), equal(name, "input_audio"), equal(name, "file"):
			return mediaParam
		}
	case mediaRegion:
		if equal(name, "url") || equal(name, "data") || equal(name, "file_data") || equal(name, "file_id") {
			return bulkParam
		}
	}
	return otherParam
}

// An askReader reads one request without recursion:
//
//	value  = object / array / string / number / "true" / "false" / "null"
//	object = "{" [ string ":" value *( "," string ":" value ) [ "," ] ] "}"
//	array  = "[" [ value *( "," value ) [ "," ] ] "]"
//
// with RFC 8259's strings, numbers and white space, at most maxDepth open
// objects and arrays and at most maxSpareCommas of the commas at an end.
//
// It does not hold the body: TinyGo notes each pointer that is read from
// memory for its collector, which would double the time.
type askReader struct {
	ask  Ask
	root region // of the outermost object

	depth  int
	region region           // of the innermost container
	array  bool             // it is an array
	around [maxDepth]region // the regions around it, from the outside in
	arrays uint64           // which of them are arrays, the nearest in bit 0

	i     int   // the next byte
	comma int   // the last comma between values
	spare uint8 // spare commas so far
	size  int64 // of the string that was read, in UTF-8 and free of escapes
	param param // the value that is next

	seen     uint16 // bit p: param p was given
	capped   bool   // max_completion_tokens was given, which outranks max_tokens
	content  bool   // messages or input was given
	elements elements
}

// elements is what the elements of input are; all must be the same.
type elements uint8

const (
	noElements elements = iota
	textElements
	tokenElements
	listElements
)

// parse reads a whole body that must give content, messages or input.
func (r *askReader) parse(b []byte, content param, a *Ask) *Fault {
	if !utf8.Valid(b[ascii(b):]) {
		return &Fault{Message: "could not parse the JSON body of your request: it is not UTF-8"}
	}
	if f := r.read(b); f != nil {
		return f
	}
	if r.ask.Model == "" {
		return missing(modelParam)
	}
	if !r.content {
		return missing(content)
	}
	if content == inputParam && r.ask.Inputs == 0 {
		return wrongType(inputParam)
	}
	*a = r.ask
	return nil
}

func missing(p param) *Fault {
	article := "a "
	if p == inputParam {
		article = "an "
	}
	return &Fault{Param: paramNames[p], Message: "you must provide " + article + paramNames[p] + " parameter"}
}

func (r *askReader) read(b []byte) *Fault {
	r.space(b)
	if r.i < len(b) && b[r.i] != '{' {
		return &Fault{Message: "the body of the request must be a JSON object"}
	}
	const (
		value    = iota // a value must follow
		first           // after [: a value or the end
		firstKey        // after {: a key or the end
		key             // a key must follow
		after           // after a value: a comma or the end
	)
	state := value
	for {
		r.space(b)
		if r.i >= len(b) {
			if state == after && r.depth == 0 {
				return nil
			}
			return r.syntax()
		}
		c := b[r.i]
		switch {
		case state == after && r.depth == 0:
			return r.syntax()
		case state == after && c == ',':
			r.comma = r.i
			r.i++
			state = key
			if r.array {
				state = value
			}
		case c == '}' && (state == firstKey || state == key || state == after && !r.array),
			c == ']' && (state == first || r.array && (state == value || state == after)):
			if state == key || state == value {
				if r.spare == maxSpareCommas {
					r.i = r.comma
					return r.syntax()
				}
				r.ask.commas[r.spare] = r.comma
				r.spare++
				r.ask.Untidy = true
			}
			r.i++
			r.close(state == firstKey)
			state = after
		case state == after:
			return r.syntax()
		case state == key || state == firstKey:
			if f := r.key(b); f != nil {
				return f
			}
			state = value
		case c == '{' || c == '[':
			if f := r.open(c); f != nil {
				return f
			}
			state = firstKey
			if c == '[' {
				state = first
			}
		default:
			if f := r.scalar(b, c); f != nil {
				return f
			}
			state = after
		}
	}
}

// key reads a member's name and its colon, and notes what its value will be.
func (r *askReader) key(b []byte) *Fault {
	from := r.i + 1
	if b[r.i] != '"' || !r.text(b) {
		return r.syntax()
	}
	name := b[from : r.i-1]
	r.space(b)
	if r.i >= len(b) || b[r.i] != ':' {
		return r.syntax()
	}
	r.i++
	switch {
	case r.region.strict():
		return r.name(name)
	case r.region == schemaRegion:
		r.ask.TextBytes += r.size
	default:
		// Other spellings of these names merely count as text.
		r.param = r.region.param(name)
	}
	return nil
}

// name notes the param that raw spells, and refuses one that is given twice or
// that only a lenient parser would take for it.
func (r *askReader) name(raw []byte) *Fault {
	p, exact := r.region.param(raw), true
	if p == otherParam && !small(raw) {
		var buf [24]byte
		var n int
		n, exact = fold(&buf, raw)
		p = r.region.param(buf[:n])
	}
	r.param = p
	if p == otherParam || p == textParam {
		return nil
	}
	if r.seen>>p&1 == 1 {
		return &Fault{Param: paramPath(p), Message: "the parameter '" + paramNames[p] + "' is given twice"}
	}
	if !exact {
		return &Fault{Param: paramPath(p), Message: "the parameter '" + paramNames[p] + "' must be spelled so, in small letters"}
	}
	r.seen |= 1 << p
	return nil
}

func paramPath(p param) string {
	if p == includeUsageParam {
		return "stream_options.include_usage"
	}
	return paramNames[p]
}

func (r *askReader) open(c byte) *Fault {
	if r.depth == maxDepth {
		return &Fault{Message: "the body of the request is nested deeper than " + strconv.Itoa(maxDepth) + " levels"}
	}
	next := silentRegion
	switch r.region {
	case rootRegion, embeddingRegion, optionsRegion:
		switch p := r.param; {
		case p == messagesParam && c == '[':
			next, r.content = messagesRegion, true
		case p == inputParam && c == '[':
			next, r.content = inputRegion, true
		case p == streamOptionsParam && c == '{':
			next, r.ask.options.from = optionsRegion, r.i
		case p == textParam:
			next = schemaRegion
		case p != otherParam:
			return wrongType(p)
		}
	case messagesRegion:
		next = messagesRegion
		if r.param == imageParam || r.param == mediaParam {
			next = mediaRegion
		}
	case mediaRegion:
		next = messagesRegion
	case schemaRegion:
		next = schemaRegion
	case inputRegion:
		if c == '{' || !r.element(listElements) {
			return wrongType(inputParam)
		}
		next = tokensRegion
	case tokensRegion:
		return wrongType(inputParam)
	default:
		if r.depth == 0 {
			next = r.root
		}
	}
	r.around[r.depth] = r.region
	r.arrays <<= 1
	if r.array {
		r.arrays |= 1
	}
	r.depth++
	r.region, r.array = next, c == '['
	r.param = otherParam
	r.i++
	return nil
}

// close ends the innermost container, whose last byte was just read.
func (r *askReader) close(empty bool) {
	if r.region == optionsRegion {
		r.ask.options.to = r.i
		r.ask.spare = empty
	}
	r.depth--
	r.region, r.array = r.around[r.depth], r.arrays&1 == 1
	r.arrays >>= 1
	r.param = otherParam
}

// element takes an element of input, and reports whether it may stand there.
func (r *askReader) element(e elements) bool {
	first := r.elements == noElements
	if first {
		r.elements = e
	}
	if first || e != tokenElements {
		r.ask.Inputs++ // all tokens of one list are one input
	}
	return r.elements == e && r.ask.Inputs <= maxInputs
}

// scalar reads a string, a number or a literal.
func (r *askReader) scalar(b []byte, c byte) *Fault {
	from := r.i
	switch {
	case c == '"':
		if r.text(b) {
			return r.string(b, span{from, r.i})
		}
	case c == '-' || c >= '0' && c <= '9':
		if r.number(b) {
			return r.integer(b[from:r.i])
		}
	case r.word(b, "true"), r.word(b, "false"), r.word(b, "null"):
		return r.literal(c, span{from, r.i})
	}
	return r.syntax()
}

// word takes s if it is next.
func (r *askReader) word(b []byte, s string) bool {
	if len(b)-r.i < len(s) || !equal(b[r.i:r.i+len(s)], s) {
		return false
	}
	r.i += len(s)
	return true
}

func (r *askReader) string(b []byte, s span) *Fault {
	switch r.region {
	case rootRegion, embeddingRegion, optionsRegion:
		raw := b[s.from+1 : s.to-1]
		var ok bool
		switch r.param {
		case otherParam:
		case textParam:
			r.ask.TextBytes += r.size
		case modelParam:
			if r.ask.Model, ok = unquote(raw); !ok {
				return &Fault{Param: "model", Message: "model must be Unicode text"}
			}
			r.ask.model = s
		case userParam:
			if r.ask.User, ok = unquote(raw); !ok {
				return &Fault{Param: "user", Message: "user must be Unicode text"}
			}
		case inputParam:
			r.content, r.ask.Inputs = true, 1
			r.ask.TextBytes += r.size
		case encodingFormatParam:
			format, _ := unquote(raw)
			r.ask.Base64 = format == "base64"
		default:
			return wrongType(r.param)
		}
	case messagesRegion, mediaRegion, schemaRegion:
		if r.param == imageParam || r.param == bulkParam {
			r.size = mediaBytes
		}
		r.ask.TextBytes += r.size
	case inputRegion:
		if !r.element(textElements) {
			return wrongType(inputParam)
		}
		r.ask.TextBytes += r.size
	case tokensRegion:
		return wrongType(inputParam)
	}
	return nil
}

func (r *askReader) integer(raw []byte) *Fault {
	p := r.param
	tokens := r.region == inputRegion || r.region == tokensRegion
	if !tokens && (!r.region.strict() || p == otherParam || p == textParam) {
		return nil
	}
	var n number
	for _, c := range raw {
		n.add(c)
	}
	v, integral := n.value()
	if tokens {
		if !integral || v < 0 || r.region == inputRegion && !r.element(tokenElements) {
			return wrongType(inputParam)
		}
		r.ask.TextBytes += tokenBytes
		return nil
	}
	switch p {
	case maxTokensParam, maxCompletionTokensParam:
		if !integral || v < 0 {
			return wrongType(p)
		}
		if p == maxCompletionTokensParam || !r.capped {
			r.ask.MaxOutput, r.ask.Capped = unit.Tokens(v), true
		}
		r.capped = r.capped || p == maxCompletionTokensParam
	case nParam:
		if !integral || v < 1 || v > maxChoices {
			return wrongType(p)
		}
		r.ask.Choices = v
	default:
		return wrongType(p)
	}
	return nil
}

// literal takes the literal at s, which begins with c.
func (r *askReader) literal(c byte, s span) *Fault {
	if r.region == inputRegion || r.region == tokensRegion {
		return wrongType(inputParam)
	}
	if !r.region.strict() {
		return nil
	}
	switch p := r.param; {
	case p == otherParam || p == textParam:
	case p == streamOptionsParam && c == 'n':
		r.ask.options = s
	case p == includeUsageParam:
		r.ask.include = s
		r.ask.UsageWanted = c == 't'
	case c == 'n':
	case p == streamParam:
		r.ask.Stream = c == 't'
	default:
		return wrongType(p)
	}
	return nil
}

// wrongType is the Fault of a value that p can't have.
func wrongType(p param) *Fault {
	wanted := ""
	switch p {
	case modelParam, userParam, encodingFormatParam:
		wanted = "a string"
	case inputParam:
		wanted = "a string, an array of tokens, or an array of 1 to " + strconv.Itoa(maxInputs) + " of either"
	case messagesParam:
		wanted = "an array"
	case streamParam, includeUsageParam:
		wanted = "true or false"
	case streamOptionsParam:
		wanted = "an object"
	case maxTokensParam, maxCompletionTokensParam:
		wanted = "a whole number, 0 or more"
	case nParam:
		wanted = "a whole number from 1 to " + strconv.Itoa(maxChoices)
	}
	return &Fault{Param: paramPath(p), Message: paramPath(p) + " must be " + wanted}
}

// syntax is the Fault of a body that stops to be JSON at r.i.
func (r *askReader) syntax() *Fault {
	return &Fault{Message: "could not parse the JSON body of your request: it is not JSON at byte " + strconv.Itoa(r.i)}
}

func (r *askReader) space(b []byte) {
	for r.i < len(b) && isSpace(b[r.i]) {
		r.i++
	}
}

// text reads the string at r.i and its size. If the string is wrong, r.i is
// where it goes wrong.
func (r *askReader) text(b []byte) bool {
	from := r.i + 1
	i := special(b, from)
	var escapes int64 // what their undoing takes away
	for i < len(b) && b[i] == '\\' {
		u, n := unescape(b[i:])
		if n == 0 {
			break
		}
		escapes += int64(n) - runeSize(u)
		i = special(b, i+n)
	}
	r.i = i
	if i == len(b) || b[i] != '"' {
		return false
	}
	r.i++
	r.size = int64(i-from) - escapes
	return true
}

// number reads the number at r.i and reports whether it is one:
//
//	[ "-" ] ( "0" / digit1-9 *digit ) [ "." 1*digit ] [ ( "e" / "E" ) [ "+" / "-" ] 1*digit ]
func (r *askReader) number(b []byte) bool {
	r.take(b, '-', '-')
	if !r.take(b, '0', '0') && !r.digits(b) {
		return false
	}
	if r.take(b, '.', '.') && !r.digits(b) {
		return false
	}
	if !r.take(b, 'e', 'E') {
		return true
	}
	r.take(b, '+', '-')
	return r.digits(b)
}

// take takes the byte at r.i if it is x or y.
func (r *askReader) take(b []byte, x, y byte) bool {
	if r.i >= len(b) || b[r.i] != x && b[r.i] != y {
		return false
	}
	r.i++
	return true
}

func (r *askReader) digits(b []byte) bool {
	from := r.i
	for r.i < len(b) && b[r.i] >= '0' && b[r.i] <= '9' {
		r.i++
	}
	return r.i > from
}
