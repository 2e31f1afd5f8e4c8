package admin

import (
	"strconv"

	"fairshare/plugin/document"
	"fairshare/plugin/tenant"
)

// see notes that something reads a node.
//
//go:noinline
func (f *form) see(n int) {
	if n > 0 && n < len(f.seen) {
		f.seen[n] = true
	}
}

// seeFields notes that the members of an object that a kind has were read.
//
//go:noinline
func (j *job) seeFields(kind tenant.Kind, node int, path string) {
	if len(j.seen) == 0 {
		return
	}
	for i := j.tree[node].First; i != 0; i = j.tree[i].Next {
		if tenant.Known(kind, j.tree[i].Key) {
			j.see(i)
		}
	}
	if node != 0 {
		j.nested = append(j.nested, place{node, path})
	}
}

const (
	maxUnread = 32 // names in an answer's header
	maxName   = 64 // bytes of each
)

// unread gives the paths of members that nothing read. null says nothing.
//
//go:noinline
func (j *job) unread() (names []string) {
	if len(j.seen) == 0 {
		return nil
	}
	more := 0
	for _, at := range append([]place{{}}, j.nested...) {
		for i := j.tree[at.node].First; i != 0; i = j.tree[i].Next {
			switch v := &j.tree[i]; {
			case j.seen[i] || v.Kind == document.Null:
			case len(names) == maxUnread:
				more++
			default:
				names = append(names, inHeader(document.Member(at.path, v.Key)))
			}
		}
	}
	if more > 0 {
		names = append(names, "and "+strconv.Itoa(more)+" more")
	}
	return names
}

// inHeader makes a name fit for a header's list.
func inHeader(name string) string {
	b := []byte(name)
	if len(b) > maxName {
		b = append(b[:maxName], "..."...)
	}
	for i, c := range b {
		if c <= ' ' || c > '~' || c == ',' {
			b[i] = '?'
		}
	}
	return string(b)
}
