package document

import (
	"slices"
	"strconv"
)

// MaxDepth bounds how deep objects and lists may nest. LiteLLM's own settings need 6;
// the rest is for the foreign parts of a config.yaml, such as a tool's JSON schema.
const MaxDepth = 64

// A Builder makes a Tree of values in the order in which they are written. Encodings
// that say the same make the same tree but for the order of members and the places in
// the text. The zero Builder is empty.
type Builder struct {
	tree Tree
	open []span // the lists and objects that the next value is inside of
}

// A span is a list or an object that is being read.
type span struct {
	node, last int // itself, and its last child so far (0: none)
	count      int // of children so far
}

// Tree gives what was built. The Builder must not be used any more.
func (b *Builder) Tree() Tree { return b.tree }

// InObject reports whether the next value is a member of an object.
func (b *Builder) InObject() bool {
	n := len(b.open)
	return n > 0 && b.tree[b.open[n-1].node].Kind == Object
}

// Add appends n as a child of the innermost list or object, or as the root.
func (b *Builder) Add(n Node) { b.add(n) }

func (b *Builder) add(n Node) int {
	i := len(b.tree)
	b.tree = append(b.tree, n)
	if len(b.open) == 0 {
		return i
	}
	in := &b.open[len(b.open)-1]
	if in.last == 0 {
		b.tree[in.node].First = i
	} else {
		b.tree[in.last].Next = i
	}
	in.last = i
	in.count++
	return i
}

// Enter adds a list or an object, which becomes the innermost one.
func (b *Builder) Enter(n Node) *Error {
	i := b.add(n)
	if len(b.open) == MaxDepth {
		return &Error{
			Path: b.outermost(),
			Want: "at most " + strconv.Itoa(MaxDepth) + " lists and objects inside each other",
			Got:  "more",
		}
	}
	b.open = append(b.open, span{node: i})
	return nil
}

// outermost names the child of the root that the next value is in: the whole path of
// something nested too deep would be longer than helpful.
func (b *Builder) outermost() string {
	if b.tree[0].Kind == List {
		return Item("", b.open[0].count-1)
	}
	return Member("", b.tree[b.open[1].node].Key)
}

// Leave closes the innermost list or object. A member that occurs twice is an error.
func (b *Builder) Leave() *Error {
	in := b.open[len(b.open)-1]
	if b.tree[in.node].Kind == Object && in.count > 1 {
		names := make([]string, 0, in.count)
		for i := b.tree[in.node].First; i != 0; i = b.tree[i].Next {
			names = append(names, b.tree[i].Key)
		}
		slices.Sort(names)
		for i := 1; i < len(names); i++ {
			if names[i] == names[i-1] {
				return &Error{Path: Member(b.path(), names[i]), Want: "a name that occurs once", Got: "it twice"}
			}
		}
	}
	b.open = b.open[:len(b.open)-1]
	return nil
}

// path names the innermost list or object.
func (b *Builder) path() string {
	path := ""
	for i := 1; i < len(b.open); i++ {
		if outer := &b.open[i-1]; b.tree[outer.node].Kind == List {
			path = Item(path, outer.count-1)
		} else {
			path = Member(path, b.tree[b.open[i].node].Key)
		}
	}
	return path
}

// Child names the next value, which is to be called key in an object.
func (b *Builder) Child(key string) string {
	in := &b.open[len(b.open)-1]
	if b.tree[in.node].Kind == List {
		return Item(b.path(), in.count)
	}
	return Member(b.path(), key)
}
