package document

import "strconv"

// Member extends a path by an object's member: litellm_settings.callbacks, but
// priority_reservation["très urgent"].
func Member(path, name string) string {
	if !Plain(name) {
		return path + "[" + strconv.QuoteToASCII(name) + "]"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// Item extends a path by a list's item: callbacks[0].
func Item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// Plain reports whether a name can stand in a line as it is: letters, digits, "_" and "-".
func Plain(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return name != ""
}

// Quote makes s fit for a line: quoted, and cut if it is long.
func Quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "..."
	}
	return strconv.QuoteToASCII(s)
}
