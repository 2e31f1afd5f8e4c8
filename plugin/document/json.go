package document

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ReadJSON reads RFC 8259:
//
//	value  = "{" [ string ":" value *( "," string ":" value ) ] "}"
//	       | "[" [ value *( "," value ) ] "]"
//	       | string | number | "true" | "false" | "null"
//	string = DQUOTE *( UTF-8 without DQUOTE, "\" and controls | "\" escape ) DQUOTE
//	number = [ "-" ] ( "0" | 1-9 *digit ) [ "." 1*digit ] [ ( "e" | "E" ) [ "+" | "-" ] 1*digit ]
//
// with blanks, tabs and line ends between any two of these. Numbers are doubles,
// because a Struct's are; one that no double can hold is an error. A lone surrogate
// becomes U+FFFD. An error tells line and column, for people who paste by hand. The
// tree's strings are parts of s where they can be.
func ReadJSON(s string) (Tree, *Error) {
	p := jsonReader{s: s}
	if !utf8.ValidString(s) {
		for p.pos < len(s) {
			r, n := utf8.DecodeRuneInString(s[p.pos:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			p.pos += n
		}
		return nil, p.fault("text in UTF-8", "another byte")
	}
	if err := p.read(); err != nil {
		return nil, err
	}
	return p.doc.Tree(), nil
}

type jsonReader struct {
	s   string
	pos int
	doc Builder
}

func (p *jsonReader) read() *Error {
	for {
		key, err := p.name()
		if err != nil {
			return err
		}
		p.skipBlanks()
		n := Node{Key: key, From: p.pos}
		switch c := p.peek(); c {
		case '{':
			n.Kind = Object
			err = p.doc.Enter(n)
			p.pos++
		case '[':
			n.Kind = List
			err = p.doc.Enter(n)
			p.pos++
		default:
			if err = p.scalar(&n, c); err == nil {
				n.To = p.pos
				p.doc.Add(n)
			}
		}
		if err != nil {
			return err
		}
		more, err := p.advance()
		if err != nil || !more {
			return err
		}
	}
}

// advance closes what ends at this place and passes the comma, if any, before the
// next value. It reports whether there is a next value.
func (p *jsonReader) advance() (bool, *Error) {
	for {
		p.skipBlanks()
		if len(p.doc.open) == 0 {
			if p.pos < len(p.s) {
				return false, p.fault("the end of the JSON text", p.here())
			}
			return false, nil
		}
		in := &p.doc.open[len(p.doc.open)-1]
		closing, want := byte(']'), `"," or "]"`
		if p.doc.InObject() {
			closing, want = '}', `"," or "}"`
		}
		switch c := p.peek(); {
		case c == closing:
			p.pos++
			p.doc.tree[in.node].To = p.pos
			if err := p.doc.Leave(); err != nil {
				return false, err
			}
		case in.count == 0:
			return true, nil
		case c == ',':
			p.pos++
			return true, nil
		default:
			return false, p.fault(want, p.here())
		}
	}
}

// name reads the name and colon of an object's next member; it is empty elsewhere.
func (p *jsonReader) name() (string, *Error) {
	if !p.doc.InObject() {
		return "", nil
	}
	p.skipBlanks()
	if p.peek() != '"' {
		return "", p.fault("a name in double quotes", p.here())
	}
	name, err := p.string()
	if err != nil {
		return "", err
	}
	p.skipBlanks()
	if p.peek() != ':' {
		return "", p.fault(`":"`, p.here())
	}
	p.pos++
	return name, nil
}

func (p *jsonReader) scalar(n *Node, c byte) (err *Error) {
	rest := p.s[p.pos:]
	switch {
	case c == '"':
		n.Kind = Text
		n.Str, err = p.string()
	case c == '-' || c >= '0' && c <= '9':
		n.Kind = Number
		n.Num, err = p.number()
	case strings.HasPrefix(rest, "true"):
		p.pos += 4
		n.Kind, n.Num = Boolean, 1
	case strings.HasPrefix(rest, "false"):
		p.pos += 5
		n.Kind = Boolean
	case strings.HasPrefix(rest, "null"):
		p.pos += 4
		n.Kind = Null
	default:
		err = p.fault("a JSON value", p.here())
	}
	return err
}

// ParseNumber reads all of s as what JSON calls a number. strconv alone would also take
// "inf" and "0x1p4".
func ParseNumber(s string) (float64, bool) {
	p := jsonReader{s: s}
	f, err := p.number()
	return f, err == nil && p.pos == len(s)
}

func (p *jsonReader) number() (float64, *Error) {
	start := p.pos
	if p.peek() == '-' {
		p.pos++
	}
	if p.peek() == '0' {
		p.pos++
	} else if !p.digits() {
		return 0, p.fault("a digit", p.here())
	}
	if p.peek() == '.' {
		p.pos++
		if !p.digits() {
			return 0, p.fault("a digit", p.here())
		}
	}
	if p.peek()|0x20 == 'e' {
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if !p.digits() {
			return 0, p.fault("a digit", p.here())
		}
	}
	f, err := strconv.ParseFloat(p.s[start:p.pos], 64)
	if err != nil {
		p.pos = start
		return 0, p.fault("a number that a double can hold", "a larger one")
	}
	return f, nil
}

func (p *jsonReader) digits() bool {
	start := p.pos
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.pos++
	}
	return p.pos > start
}

func (p *jsonReader) string() (string, *Error) {
	p.pos++
	start := p.pos
	var out []byte // what came before start, once an escape made a copy necessary
	for {
		switch c := p.peek(); {
		case p.pos == len(p.s):
			return "", p.fault("a closing double quote", p.here())
		case c < ' ':
			return "", p.fault("text without line ends and controls", p.here())
		case c == '"':
			part := p.s[start:p.pos]
			p.pos++
			if out == nil {
				return part, nil
			}
			return string(append(out, part...)), nil
		case c == '\\':
			out = append(out, p.s[start:p.pos]...)
			p.pos++
			var ok bool
			if out, ok = p.escape(out); !ok {
				return "", p.fault("an escape that JSON has", p.here())
			}
			start = p.pos
		default:
			p.pos++
		}
	}
}

// escape reads what follows a backslash and appends the character it stands for.
func (p *jsonReader) escape(out []byte) ([]byte, bool) {
	c := p.peek()
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		p.pos++
		return append(out, "\"\\/\b\f\n\r\t"[i]), true
	}
	r, ok := p.codeUnit(p.pos)
	if !ok {
		return out, false
	}
	p.pos += 5
	if utf16.IsSurrogate(r) {
		if p.peek() != '\\' {
			return utf8.AppendRune(out, utf8.RuneError), true
		}
		low, ok := p.codeUnit(p.pos + 1)
		if r = utf16.DecodeRune(r, low); ok && r != utf8.RuneError {
			p.pos += 6
		}
	}
	return utf8.AppendRune(out, r), true
}

// codeUnit reads "uXXXX" at pos, which stays.
func (p *jsonReader) codeUnit(pos int) (rune, bool) {
	if len(p.s)-pos < 5 || p.s[pos] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(p.s[pos+1 : pos+5]) {
		digit, ok := hexDigit(c)
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(digit)
	}
	return r, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// peek gives the byte at the reader's place, 0 at the end.
func (p *jsonReader) peek() byte {
	if p.pos < len(p.s) {
		return p.s[p.pos]
	}
	return 0
}

func (p *jsonReader) skipBlanks() {
	for c := p.peek(); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = p.peek() {
		p.pos++
	}
}

// here describes what stands at the reader's place.
func (p *jsonReader) here() string {
	if p.pos >= len(p.s) {
		return "the end"
	}
	r, _ := utf8.DecodeRuneInString(p.s[p.pos:])
	return Quote(string(r))
}

// fault says where in the text what was wanted; columns count bytes, from 1.
func (p *jsonReader) fault(want, got string) *Error {
	before := p.s[:p.pos]
	line := 1 + strings.Count(before, "\n")
	column := p.pos - strings.LastIndexByte(before, '\n')
	return &Error{
		Path: "line " + strconv.Itoa(line) + " column " + strconv.Itoa(column),
		Want: want,
		Got:  got,
	}
}
