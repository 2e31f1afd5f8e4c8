package config

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// readJSON reads RFC 8259:
//
//	value  = "{" [ string ":" value *( "," string ":" value ) ] "}"
//	       | "[" [ value *( "," value ) ] "]"
//	       | string | number | "true" | "false" | "null"
//	string = DQUOTE *( UTF-8 without DQUOTE, "\" and controls | "\" escape ) DQUOTE
//	number = [ "-" ] ( "0" | 1-9 *digit ) [ "." 1*digit ] [ ( "e" | "E" ) [ "+" | "-" ] 1*digit ]
//
// with blanks, tabs and line ends between any two of these. Numbers are doubles,
// because a Struct's are; one that no double can hold is an error. A lone surrogate
// becomes U+FFFD. An error tells line and column, for people who paste by hand.
func readJSON(s string) (*document, *Error) {
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
	return &p.doc, nil
}

type jsonReader struct {
	s   string
	pos int
	doc document
}

func (p *jsonReader) read() *Error {
	for {
		key, err := p.name()
		if err != nil {
			return err
		}
		p.skipBlanks()
		switch c := p.peek(); {
		case c == '{':
			err = p.doc.enter(node{kind: object, key: key}, 0, 0)
			p.pos++
		case c == '[':
			err = p.doc.enter(node{kind: list, key: key}, 0, 0)
			p.pos++
		default:
			var n node
			n, err = p.scalar(c)
			n.key = key
			if err == nil {
				p.doc.add(n)
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
		if p.inObject() {
			closing, want = '}', `"," or "}"`
		}
		switch c := p.peek(); {
		case c == closing:
			p.pos++
			if err := p.doc.leave(); err != nil {
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
	if !p.inObject() {
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

func (p *jsonReader) scalar(c byte) (node, *Error) {
	rest := p.s[p.pos:]
	switch {
	case c == '"':
		s, err := p.string()
		return node{kind: text, str: s}, err
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case strings.HasPrefix(rest, "true"):
		p.pos += 4
		return node{kind: boolean, num: 1}, nil
	case strings.HasPrefix(rest, "false"):
		p.pos += 5
		return node{kind: boolean}, nil
	case strings.HasPrefix(rest, "null"):
		p.pos += 4
		return node{kind: null}, nil
	}
	return node{}, p.fault("a JSON value", p.here())
}

func (p *jsonReader) number() (node, *Error) {
	start := p.pos
	if p.peek() == '-' {
		p.pos++
	}
	if p.peek() == '0' {
		p.pos++
	} else if !p.digits() {
		return node{}, p.fault("a digit", p.here())
	}
	if p.peek() == '.' {
		p.pos++
		if !p.digits() {
			return node{}, p.fault("a digit", p.here())
		}
	}
	if p.peek()|0x20 == 'e' {
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if !p.digits() {
			return node{}, p.fault("a digit", p.here())
		}
	}
	f, err := strconv.ParseFloat(p.s[start:p.pos], 64)
	if err != nil {
		p.pos = start
		return node{}, p.fault("a number that a double can hold", "a larger one")
	}
	return node{kind: number, num: f}, nil
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

func (p *jsonReader) inObject() bool {
	n := len(p.doc.open)
	return n > 0 && p.doc.nodes[p.doc.open[n-1].node].kind == object
}

// here describes what stands at the reader's place.
func (p *jsonReader) here() string {
	if p.pos >= len(p.s) {
		return "the end"
	}
	r, _ := utf8.DecodeRuneInString(p.s[p.pos:])
	return quote(string(r))
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
