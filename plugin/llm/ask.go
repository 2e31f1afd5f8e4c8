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

	// TextBytes is the size of the text that the model will read: the strings
	// of messages, tools, functions and response_format as UTF-8, free of
	// JSON's escapes. Every picture, sound or file counts as mediaBytes,
	// whatever its size. It is the ground of an estimate, never a charge.
	TextBytes int64

	size    int  // of the body that was read
	model   span // the value of model, with its quotes
	options span // the value of stream_options; empty if there is none
	include span // the value of include_usage in it; empty if there is none
	spare   bool // options is an object without members
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
func ParseAsk(body []byte) (Ask, *Fault) {
	if !utf8.Valid(body) {
		return Ask{}, &Fault{Message: "could not parse the JSON body of your request: it is not UTF-8"}
	}
	r := askReader{body: body, ask: Ask{Choices: 1, size: len(body)}}
	if f := r.read(); f != nil {
		return Ask{}, f
	}
	if r.ask.Model == "" {
		return Ask{}, &Fault{Param: "model", Message: "you must provide a model parameter"}
	}
	if !r.messages {
		return Ask{}, &Fault{Param: "messages", Message: "you must provide a messages parameter"}
	}
	return r.ask, nil
}

// Rewrite appends to dst the body with model in place of the one asked for
// and, if includeUsage, with stream_options.include_usage set to true. Every
// other byte stays as the client sent it. body must be what a was parsed from
// and must not share memory with dst's spare room; a body of another size is
// appended as it is.
func (a *Ask) Rewrite(dst, body []byte, model string, includeUsage bool) []byte {
	if a.model.to == 0 || len(body) != a.size {
		return append(dst, body...)
	}
	at, text := span{len(body), len(body)}, ""
	if includeUsage && !a.UsageWanted {
		at, text = a.usageEdit(body)
	}
	from := 0
	if at.from < a.model.from {
		dst = append(dst, body[:at.from]...)
		dst = append(dst, text...)
		from = at.to
	}
	dst = append(dst, body[from:a.model.from]...)
	dst = AppendString(dst, model)
	from = a.model.to
	if at.from >= from {
		dst = append(dst, body[from:at.from]...)
		dst = append(dst, text...)
		from = at.to
	}
	return append(dst, body[from:]...)
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

// A param is a member of the request that this package reads.
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
	textParam // tools and the like: any type, may repeat, all its text counts
	includeUsageParam
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
}

// textNames are the members beside messages whose text the model reads.
var textNames = [...]string{"tools", "functions", "response_format"}

// A region says what the strings inside a container mean.
type region uint8

const (
	silentRegion   region = iota // nothing that the model reads
	rootRegion                   // the request itself
	optionsRegion                // stream_options
	messagesRegion               // values count
	mediaRegion                  // one picture, sound or file: its bulk does not count
	schemaRegion                 // keys and values count
)

// An askReader reads one request without recursion:
//
//	value  = object / array / string / number / "true" / "false" / "null"
//	object = "{" [ string ":" value *( "," string ":" value ) ] "}"
//	array  = "[" [ value *( "," value ) ] "]"
//
// with RFC 8259's strings, numbers and white space, and at most maxDepth open
// objects and arrays.
type askReader struct {
	body []byte
	i    int // the next byte
	ask  Ask

	depth   int
	regions [maxDepth]region
	arrays  uint64 // bit d: the container at depth d is an array

	param    param  // the member whose value is next, in root and options
	key      span   // the key whose value is next, without quotes; in other regions
	seen     uint16 // bit p: param p was given
	capped   bool   // max_completion_tokens was given, which outranks max_tokens
	messages bool
}

func (r *askReader) read() *Fault {
	r.space()
	if r.i < len(r.body) && r.body[r.i] != '{' {
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
		r.space()
		if r.i >= len(r.body) {
			if state == after && r.depth == 0 {
				return nil
			}
			return r.syntax()
		}
		c := r.body[r.i]
		if state == after && r.depth == 0 {
			return r.syntax()
		}
		array := r.depth > 0 && r.arrays>>(r.depth-1)&1 == 1
		switch {
		case c == '}' && (state == firstKey || state == after && !array),
			c == ']' && (state == first || state == after && array):
			r.i++
			r.close(state == firstKey)
			state = after
		case state == after:
			if c != ',' {
				return r.syntax()
			}
			r.i++
			state = key
			if array {
				state = value
			}
		case state == key || state == firstKey:
			if f := r.readKey(); f != nil {
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
			if f := r.scalar(c); f != nil {
				return f
			}
			state = after
		}
	}
}

func (r *askReader) region() region {
	if r.depth == 0 {
		return silentRegion
	}
	return r.regions[r.depth-1]
}

// readKey reads a member's name and its colon, and notes what its value will
// be.
func (r *askReader) readKey() *Fault {
	if r.body[r.i] != '"' {
		return r.syntax()
	}
	s, size, ok := r.text()
	if !ok {
		return r.syntax()
	}
	name := r.body[s.from+1 : s.to-1]
	r.space()
	if r.i >= len(r.body) || r.body[r.i] != ':' {
		return r.syntax()
	}
	r.i++
	r.key = span{s.from + 1, s.to - 1}
	switch r.region() {
	case rootRegion:
		return r.name(name, modelParam, userParam)
	case optionsRegion:
		return r.name(name, includeUsageParam, includeUsageParam)
	case schemaRegion:
		r.ask.TextBytes += size
	}
	return nil
}

// name finds the param of lo to hi that raw spells, and refuses one that is
// given twice or that only a lenient parser would take for it.
func (r *askReader) name(raw []byte, lo, hi param) *Fault {
	r.param = otherParam
	var buf [24]byte
	n, exact := fold(&buf, raw)
	folded := buf[:n]
	for p := lo; p <= hi; p++ {
		name := paramNames[p]
		if !equal(folded, name) {
			continue
		}
		if r.seen>>p&1 == 1 {
			return &Fault{Param: paramPath(p), Message: "the parameter '" + name + "' is given twice"}
		}
		if !exact {
			return &Fault{Param: paramPath(p), Message: "the parameter '" + name + "' must be spelled so, in small letters"}
		}
		r.seen |= 1 << p
		r.param = p
		return nil
	}
	if lo == modelParam {
		for _, name := range textNames {
			if equal(folded, name) {
				r.param = textParam
			}
		}
	}
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
	switch at := r.region(); at {
	case rootRegion, optionsRegion:
		switch p := r.param; {
		case p == messagesParam && c == '[':
			next, r.messages = messagesRegion, true
		case p == streamOptionsParam && c == '{':
			next, r.ask.options.from = optionsRegion, r.i
		case p == textParam:
			next = schemaRegion
		case p != otherParam:
			return wrongType(p)
		}
	case messagesRegion:
		next = messagesRegion
		if r.keyIs("image_url") || r.keyIs("video_url") || r.keyIs("audio_url") ||
			r.keyIs("input_audio") || r.keyIs("file") {
			next = mediaRegion
		}
	case mediaRegion:
		next = messagesRegion
	case schemaRegion:
		next = schemaRegion
	default:
		if r.depth == 0 {
			next = rootRegion
		}
	}
	r.arrays &^= 1 << r.depth
	if c == '[' {
		r.arrays |= 1 << r.depth
	}
	r.regions[r.depth] = next
	r.depth++
	r.i++
	return nil
}

// close ends the innermost container, whose last byte was just read.
func (r *askReader) close(empty bool) {
	if r.region() == optionsRegion {
		r.ask.options.to = r.i
		r.ask.spare = empty
	}
	r.depth--
}

// keyIs reports whether the value that is next belongs to a member of this
// name. Other spellings of the name merely count as text.
func (r *askReader) keyIs(name string) bool {
	return r.arrays>>(r.depth-1)&1 == 0 && equal(r.body[r.key.from:r.key.to], name)
}

// scalar reads a string, a number or a literal.
func (r *askReader) scalar(c byte) *Fault {
	if c == '"' {
		s, size, ok := r.text()
		if !ok {
			return r.syntax()
		}
		return r.string(s, size)
	}
	from := r.i
	if c == '-' || c >= '0' && c <= '9' {
		var n number
		if !r.number(&n) {
			return r.syntax()
		}
		return r.integer(&n)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if len(r.body)-r.i < len(word) || !equal(r.body[r.i:r.i+len(word)], word) {
			continue
		}
		r.i += len(word)
		return r.literal(word, span{from, r.i})
	}
	return r.syntax()
}

func (r *askReader) string(s span, size int64) *Fault {
	switch r.region() {
	case rootRegion, optionsRegion:
		raw := r.body[s.from+1 : s.to-1]
		var ok bool
		switch r.param {
		case otherParam:
		case textParam:
			r.ask.TextBytes += size
		case modelParam:
			if r.ask.Model, ok = unquote(raw); !ok {
				return &Fault{Param: "model", Message: "model must be Unicode text"}
			}
			r.ask.model = s
		case userParam:
			if r.ask.User, ok = unquote(raw); !ok {
				return &Fault{Param: "user", Message: "user must be Unicode text"}
			}
		default:
			return wrongType(r.param)
		}
	case messagesRegion:
		// A bare string is LiteLLM's short form of {"url": …}.
		if r.keyIs("image_url") {
			size = mediaBytes
		}
		r.ask.TextBytes += size
	case mediaRegion:
		if r.keyIs("url") || r.keyIs("data") || r.keyIs("file_data") || r.keyIs("file_id") {
			size = mediaBytes
		}
		r.ask.TextBytes += size
	case schemaRegion:
		r.ask.TextBytes += size
	}
	return nil
}

func (r *askReader) integer(n *number) *Fault {
	if at := r.region(); at != rootRegion && at != optionsRegion {
		return nil
	}
	v, integral := n.value()
	switch p := r.param; p {
	case otherParam, textParam:
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

func (r *askReader) literal(word string, s span) *Fault {
	if at := r.region(); at != rootRegion && at != optionsRegion {
		return nil
	}
	switch p := r.param; {
	case p == otherParam || p == textParam:
	case p == streamOptionsParam && word == "null":
		r.ask.options = s
	case p == includeUsageParam:
		r.ask.include = s
		r.ask.UsageWanted = word == "true"
	case word == "null":
	case p == streamParam:
		r.ask.Stream = word == "true"
	default:
		return wrongType(p)
	}
	return nil
}

// wrongType is the Fault of a value that p can't have.
func wrongType(p param) *Fault {
	wanted := ""
	switch p {
	case modelParam, userParam:
		wanted = "a string"
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

func (r *askReader) space() {
	for r.i < len(r.body) {
		switch r.body[r.i] {
		case ' ', '\t', '\n', '\r':
			r.i++
		default:
			return
		}
	}
}

// text reads the string at r.i. s is the string with its quotes, size what it
// takes in UTF-8 once its escapes are undone. If the string is wrong, r.i is
// where it goes wrong.
func (r *askReader) text() (s span, size int64, ok bool) {
	b, i, from := r.body, r.i+1, r.i
	for i < len(b) {
		c := b[i]
		switch {
		case c == '"':
			r.i = i + 1
			return span{from, r.i}, size, true
		case c < ' ':
			r.i = i
			return span{}, 0, false
		case c != '\\':
			i++
			size++
			continue
		}
		u, n := unescape(b[i:])
		if n == 0 {
			r.i = i
			return span{}, 0, false
		}
		i += n
		size += runeSize(u)
	}
	r.i = i
	return span{}, 0, false
}

// number reads the number at r.i into n and reports whether it is one:
//
//	[ "-" ] ( "0" / digit1-9 *digit ) [ "." 1*digit ] [ ( "e" / "E" ) [ "+" / "-" ] 1*digit ]
func (r *askReader) number(n *number) bool {
	r.take(n, '-', '-')
	if !r.take(n, '0', '0') && !r.digits(n) {
		return false
	}
	if r.take(n, '.', '.') && !r.digits(n) {
		return false
	}
	if !r.take(n, 'e', 'E') {
		return true
	}
	r.take(n, '+', '-')
	return r.digits(n)
}

// take gives n the byte at r.i if that is a or b.
func (r *askReader) take(n *number, a, b byte) bool {
	if r.i >= len(r.body) || r.body[r.i] != a && r.body[r.i] != b {
		return false
	}
	n.add(r.body[r.i])
	r.i++
	return true
}

func (r *askReader) digits(n *number) bool {
	from := r.i
	for r.i < len(r.body) && r.body[r.i] >= '0' && r.body[r.i] <= '9' {
		n.add(r.body[r.i])
		r.i++
	}
	return r.i > from
}
