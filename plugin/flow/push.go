package flow

// push is append for one element on a path that every request takes. TinyGo calls
// its runtime for each append, and that copies by a call out of the wasm; here only
// growing does.
func push[T any](s []T, v T) []T {
	n := len(s)
	if n == cap(s) {
		return append(s, v)
	}
	s = s[:n+1]
	s[n] = v
	return s
}
