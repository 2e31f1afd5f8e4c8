package admin

import "github.com/tidwall/gjson"

// maxNesting is how deep a management request may nest. gjson checks a document
// by recursion, and the wasm's stack is small.
const maxNesting = 32

// validDocument reports whether body is one JSON value nested at most
// maxNesting deep.
func validDocument(body []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxNesting {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return gjson.ValidBytes(body)
}
