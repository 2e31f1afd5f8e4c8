package admin

// lenient makes JSON of what LiteLLM's documents show as bodies: a comma before
// a closing bracket, and what stands between "#" and the end of its line, become
// blanks. Both only outside of strings, so that a JSON text stays as it is, byte
// by byte; and whatever else is wrong with a text stays wrong at its place.
func lenient(text string) string {
	var out []byte
	blank := func(i int) {
		if out == nil {
			out = []byte(text)
		}
		out[i] = ' '
	}
	const none = -1
	comma := none         // where the last comma stands, if nothing came behind it
	var before, last byte // what came before that comma; what came last
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case ' ', '\t', '\n', '\r':
			continue
		case '#':
			for i < len(text) && text[i] != '\n' && text[i] != '\r' {
				blank(i)
				i++
			}
			i--
			continue
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case ',':
			comma, before = i, last
			last = c
			continue
		case ']', '}':
			// "[,]" and "[1,,]" are no lists.
			if comma != none && before != '[' && before != '{' && before != ',' && before != ':' && before != 0 {
				blank(comma)
			}
		}
		comma = none
		if i < len(text) {
			last = text[i]
		}
	}
	if out == nil {
		return text
	}
	return string(out)
}
