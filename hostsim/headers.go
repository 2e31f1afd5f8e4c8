package hostsim

import "strings"

// Headers are the fields of a message in order, with repeats; names are in
// lower case unless the profile keeps the sender's, pseudo headers such as :path come first.
type Headers [][2]string

// Get returns the first value of name, or "".
func (h Headers) Get(name string) string {
	v, _ := h.Lookup(name)
	return v
}

// Lookup returns the first value of name and reports whether there is one.
func (h Headers) Lookup(name string) (string, bool) {
	for _, p := range h {
		if strings.EqualFold(p[0], name) {
			return p[1], true
		}
	}
	return "", false
}

// Values returns all values of name.
func (h Headers) Values(name string) []string {
	var all []string
	for _, p := range h {
		if strings.EqualFold(p[0], name) {
			all = append(all, p[1])
		}
	}
	return all
}

// Add appends a pair.
func (h *Headers) Add(name, value string) {
	*h = append(*h, [2]string{strings.ToLower(name), value})
}

// Set gives name one value, in the place of its first one.
func (h *Headers) Set(name, value string) {
	name = strings.ToLower(name)
	kept := make(Headers, 0, len(*h)+1)
	set := false
	for _, p := range *h {
		if !strings.EqualFold(p[0], name) {
			kept = append(kept, p)
		} else if !set {
			kept, set = append(kept, [2]string{name, value}), true
		}
	}
	if !set {
		kept = append(kept, [2]string{name, value})
	}
	*h = kept
}

// Remove drops all values of name.
func (h *Headers) Remove(name string) {
	name = strings.ToLower(name)
	kept := make(Headers, 0, len(*h))
	for _, p := range *h {
		if !strings.EqualFold(p[0], name) {
			kept = append(kept, p)
		}
	}
	*h = kept
}

// Clone returns a copy; that of nil is empty and not nil.
func (h Headers) Clone() Headers {
	return append(make(Headers, 0, len(h)), h...)
}

// lower returns pairs with names in lower case.
func lower(pairs [][2]string) Headers {
	h := make(Headers, len(pairs))
	for i, p := range pairs {
		h[i] = [2]string{strings.ToLower(p[0]), p[1]}
	}
	return h
}

// names returns the headers of a message from outside as the host shows them.
func (s *Stream) names(pairs [][2]string) Headers {
	if s.host.profile.KeepCase {
		return Headers(pairs).Clone()
	}
	return lower(pairs)
}
