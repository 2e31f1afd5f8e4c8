package llm

import (
	"strconv"
	"unicode/utf8"
)

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
	content  bool   // messages or input was given
	elements elements
	output   output

	drop    drop // the member that is not to go upstream
	dropped int  // such members so far
	tail    bool // the comma that may follow goes with the last of them
	part    part // of a message
}

// elements is what the elements of input are; all must be the same.
type elements uint8

const (
	noElements elements = iota
	textElements
	tokenElements
	listElements
)

func (r *askReader) read(b []byte) *Fault {
	r.space(b)
	if r.i < len(b) && b[r.i] != '{' {
		if f := r.syntax(b); b[r.i] >= utf8.RuneSelf {
			return f
		}
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
			return r.syntax(b)
		}
		c := b[r.i]
		switch {
		case state == after && r.depth == 0:
			return r.syntax(b)
		case state == after && c == ',':
			if r.region == schemaRegion {
				r.ask.TextBytes++
			}
			if r.tail {
				r.cutComma()
			}
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
					return r.syntax(b)
				}
				r.spareComma()
			}
			r.i++
			r.close(state == firstKey)
			if r.drop.from > 0 && r.depth == r.drop.depth {
				r.endDrop()
			}
			state = after
		case state == after:
			return r.syntax(b)
		case state == key || state == firstKey:
			if f := r.key(b, state == firstKey); f != nil {
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
			if r.drop.from > 0 && r.depth == r.drop.depth {
				r.endDrop()
			}
			state = after
		}
	}
}

func (r *askReader) open(c byte) *Fault {
	if r.depth == maxDepth {
		return &Fault{Message: "the body of the request is nested deeper than " + strconv.Itoa(maxDepth) + " levels"}
	}
	next := silentRegion
	switch r.region {
	case rootRegion, embeddingRegion, optionsRegion, extraRegion:
		switch p := r.param; {
		case p == messagesParam && c == '[':
			next, r.content = messagesRegion, true
		case p == inputParam && c == '[':
			next, r.content = inputRegion, true
		case p == streamOptionsParam && c == '{':
			next, r.ask.options.from = optionsRegion, r.i
		case p == schemaParam:
			next = schemaRegion
			r.ask.TextBytes++
		case p == extraParam && c == '{':
			next = extraRegion
		case p == thinkParam:
			next = thinkRegion
		case p == silentParam || p == proxyParam || p == otherParam && r.region == optionsRegion:
		case p == otherParam || p >= firstLoose:
			next = otherRegion
		default:
			return wrongType(p)
		}
	case messagesRegion, otherRegion, thinkRegion, mediaRegion:
		next = r.region
		switch p := r.param; {
		case p >= imageParam && p <= sourceParam:
			next = mediaRegion
			r.part.kind = p
		case p == thinkParam:
			next = thinkRegion
		}
		if r.array && c == '{' {
			r.beginPart()
		}
	case schemaRegion:
		next = schemaRegion
		r.ask.TextBytes++
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
	switch r.region {
	case optionsRegion:
		r.ask.options.to = r.i
		r.ask.spare = empty
	case schemaRegion:
		r.ask.TextBytes++
	}
	r.depth--
	r.tail = false
	r.region, r.array = r.around[r.depth], r.arrays&1 == 1
	r.arrays >>= 1
	r.param = otherParam
	if r.part.pending && (r.array || r.depth == 0) {
		r.endPart()
	}
}

// spareComma takes the last comma, which nothing follows.
//
//go:noinline
func (r *askReader) spareComma() {
	r.spare++
	if r.region == schemaRegion {
		r.ask.TextBytes--
	}
	r.cut(span{r.comma, r.comma + 1})
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
		if f := r.text(b); f != nil {
			return f
		}
		return r.string(b, span{from, r.i})
	case c == '-' || c >= '0' && c <= '9':
		if r.number(b) {
			return r.numeral(b[from:r.i])
		}
	case r.word(b, "true"), r.word(b, "false"), r.word(b, "null"):
		return r.literal(c, span{from, r.i})
	}
	return r.syntax(b)
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
	case messagesRegion, mediaRegion, otherRegion, thinkRegion:
		p := r.param
		if r.region == mediaRegion && r.array {
			p = bulkParam
		}
		if p != otherParam || r.region != messagesRegion && r.size >= bulkBytes {
			r.special(p, b[s.from+1:s.to-1])
			return nil
		}
		r.ask.TextBytes += r.size
	case schemaRegion:
		r.ask.TextBytes += r.size + marks
	case rootRegion, embeddingRegion, optionsRegion, extraRegion:
		raw := b[s.from+1 : s.to-1]
		var ok bool
		switch r.param {
		case otherParam:
			if r.region == optionsRegion {
				break
			}
			if r.size >= bulkBytes {
				r.special(otherParam, raw)
				break
			}
			r.ask.TextBytes += r.size
		case schemaParam:
			r.ask.TextBytes += r.size + marks
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
			if r.param < firstLoose {
				return wrongType(r.param)
			}
			r.special(r.param, raw)
		}
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

// special takes the string with raw between its quotes, of a member p that may
// be something else than text.
//
//go:noinline
func (r *askReader) special(p param, raw []byte) {
	switch p {
	case silentParam, proxyParam:
	case limitParam, budgetParam:
		// Some servers take "100" for a number, and who knows what for others.
		r.output.open = true
	case detailParam:
		r.ask.TextBytes += r.size
		r.part.look(equal(raw, "low"))
	default:
		if !r.bulk(p, raw) {
			r.ask.TextBytes += r.size
		}
	}
}

func (r *askReader) numeral(raw []byte) *Fault {
	p := r.param
	switch r.region {
	case schemaRegion:
		r.ask.TextBytes += int64(len(raw))
		return nil
	case inputRegion, tokensRegion:
	case silentRegion, messagesRegion, mediaRegion:
		return nil
	default:
		if p == otherParam {
			return nil
		}
	}
	var n number
	for _, c := range raw {
		n.add(c)
	}
	v, integral := n.value()
	if r.region == inputRegion || r.region == tokensRegion {
		if !integral || v < 0 || r.region == inputRegion && !r.element(tokenElements) {
			return wrongType(inputParam)
		}
		r.ask.TextBytes += tokenBytes
		return nil
	}
	return r.amount(p, v, integral)
}

// literal takes the literal at s, which begins with c.
func (r *askReader) literal(c byte, s span) *Fault {
	switch r.region {
	case inputRegion, tokensRegion:
		return wrongType(inputParam)
	case schemaRegion:
		r.ask.TextBytes += int64(s.to - s.from)
		return nil
	}
	if !r.region.strict() {
		return nil
	}
	switch p := r.param; {
	case p == switchParam:
		r.output.thinks = r.output.thinks || c == 't'
	case p == otherParam || p >= firstLoose:
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

const notUTF8 = "could not parse the JSON body of your request: it is not UTF-8"

// syntax is the Fault of a body that stops to be JSON at r.i.
//
//go:noinline
func (r *askReader) syntax(b []byte) *Fault {
	if r.i < len(b) && b[r.i] >= utf8.RuneSelf {
		if _, size := utf8.DecodeRune(b[r.i:]); size == 1 {
			return &Fault{Message: notUTF8}
		}
	}
	return &Fault{Message: "could not parse the JSON body of your request: it is not JSON at byte " + strconv.Itoa(r.i)}
}

func (r *askReader) space(b []byte) {
	for r.i < len(b) && isSpace(b[r.i]) {
		r.i++
	}
}

// text reads the string at r.i and its size. If the string is wrong, r.i is
// where it goes wrong.
func (r *askReader) text(b []byte) *Fault {
	from := r.i + 1
	i := special(b, from)
	var escapes int64 // what their undoing takes away
	for i < len(b) && b[i] != '"' && b[i] >= ' ' {
		if b[i] == '\\' {
			u, n := unescape(b[i:])
			if n == 0 {
				break
			}
			escapes += int64(n) - runeSize(u)
			i += n
			if i < len(b) && b[i] == '\\' {
				continue
			}
		} else if n := stretch(b[i:]); n > 0 {
			i += n
		} else {
			return &Fault{Message: notUTF8}
		}
		i = special(b, i)
	}
	r.i = i
	if i == len(b) || b[i] != '"' {
		return r.syntax(b)
	}
	r.i++
	r.size = int64(i-from) - escapes
	return nil
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
