package config

import (
	"slices"
	"strconv"
)

// maxDepth bounds how deep objects and lists may nest. LiteLLM's own settings need 6;
// the rest is for the foreign parts of a config.yaml, such as a tool's JSON schema.
const maxDepth = 64

type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	list
	object
)

// A node is one value of a document. Nodes refer to each other by index, so that
// reading and walking a document needs no recursion: a wasm VM has 64 KiB of stack,
// and running out of it kills the VM.
type node struct {
	kind  kind
	key   string  // its name, if it is a member of an object
	str   string  // of text
	num   float64 // of number; 1 for a boolean that is true
	first int32   // first child of a list or an object; 0 if it is empty
	next  int32   // next sibling; 0 if there is none (the root, 0, is nobody's sibling)
}

// A document is a configuration as a tree, node 0 being its root. JSON text and a
// binary Struct that say the same make the same tree but for the order of members.
type document struct {
	nodes []node
	open  []span // the lists and objects that the reader is inside of
}

// A span is a list or an object that is being read.
type span struct {
	node, last int32 // itself, and its last child so far (0: none)
	count      int   // of children so far
	pos, end   int   // what is left of its bytes, where the encoding tells (Struct)
}

// add appends n as a child of the innermost open span.
func (d *document) add(n node) int32 {
	i := int32(len(d.nodes))
	d.nodes = append(d.nodes, n)
	if len(d.open) == 0 {
		return i
	}
	in := &d.open[len(d.open)-1]
	if in.last == 0 {
		d.nodes[in.node].first = i
	} else {
		d.nodes[in.last].next = i
	}
	in.last = i
	in.count++
	return i
}

// enter adds a list or an object and makes it the innermost open span.
func (d *document) enter(n node, pos, end int) *Error {
	i := d.add(n)
	if len(d.open) == maxDepth {
		return &Error{
			Path: member("", d.nodes[d.open[1].node].key), // all of it would be longer than helpful
			Want: "at most " + strconv.Itoa(maxDepth) + " lists and objects inside each other",
			Got:  "more",
		}
	}
	d.open = append(d.open, span{node: i, pos: pos, end: end})
	return nil
}

// leave closes the innermost open span. A member that occurs twice is an error, since
// which of the two counts would depend on the reader.
func (d *document) leave() *Error {
	in := d.open[len(d.open)-1]
	if d.nodes[in.node].kind == object && in.count > 1 {
		names := make([]string, 0, in.count)
		for i := d.nodes[in.node].first; i != 0; i = d.nodes[i].next {
			names = append(names, d.nodes[i].key)
		}
		slices.Sort(names)
		for i := 1; i < len(names); i++ {
			if names[i] == names[i-1] {
				return &Error{Path: member(d.path(), names[i]), Want: "a name that occurs once", Got: "it twice"}
			}
		}
	}
	d.open = d.open[:len(d.open)-1]
	return nil
}

// path names the innermost open span.
func (d *document) path() string {
	path := ""
	for i := 1; i < len(d.open); i++ {
		if outer := &d.open[i-1]; d.nodes[outer.node].kind == list {
			path = item(path, outer.count-1)
		} else {
			path = member(path, d.nodes[d.open[i].node].key)
		}
	}
	return path
}

// child names the value that the innermost open span is to have next.
func (d *document) child(key string) string {
	in := &d.open[len(d.open)-1]
	if d.nodes[in.node].kind == list {
		return item(d.path(), in.count)
	}
	return member(d.path(), key)
}

// member and item extend a path: litellm_settings.callbacks[0], but
// priority_reservation["très urgent"].
func member(path, name string) string {
	if !plainName(name) {
		return path + "[" + strconv.QuoteToASCII(name) + "]"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

func item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

func plainName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return s != ""
}
