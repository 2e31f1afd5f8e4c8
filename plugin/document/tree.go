// Package document holds text that somebody wrote, a configuration or a request to
// manage keys, as a tree of values, and reads it from JSON.
//
// Such text decides who may spend what, so nothing in it is guessed: what is not JSON to
// the letter is an error, and so is a member that occurs twice, since which of the two
// counts would depend on the reader. Reading and walking need no recursion: a wasm VM has
// 64 KiB of stack, and running out of it kills the VM.
//
// For example {"tpm": 60, "models": ["m"]} is the Tree
//
//	0  object  First 1
//	1    number 60, Key "tpm", Next 2
//	2    list, Key "models", First 3
//	3      text "m"
package document

// A Kind is what sort of value a Node is.
type Kind uint8

const (
	Null Kind = iota
	Boolean
	Number
	Text
	List
	Object
)

// A Node is one value of a Tree. Nodes refer to each other by index.
type Node struct {
	Kind  Kind
	Key   string  // its name, if it is a member of an object
	Str   string  // of Text
	Num   float64 // of Number; 1 for a Boolean that is true
	First int     // first child of a List or an Object; 0 if it is empty
	Next  int     // next sibling; 0 if there is none (the root, 0, is nobody's sibling)

	// From and To are where the value begins and ends in the text that ReadJSON read.
	// Of Number, for one, they show the digits as they were written.
	From, To int
}

// A Tree is a document as a whole; its root is node 0.
type Tree []Node

// Member gives the member of an object called name, 0 if there is none.
func (t Tree) Member(object int, name string) int {
	i := t[object].First
	for i != 0 && t[i].Key != name {
		i = t[i].Next
	}
	return i
}

// An Error is why a document was refused. Its text is one line without control
// characters.
type Error struct {
	// Path leads to the value, as in model_list[2].litellm_params.tpm; it is a line and
	// column in text that is not JSON, and empty for the document as a whole.
	Path string
	Want string
	Got  string
}

// Error gives "path: want this, got that".
func (e *Error) Error() string {
	s := "want " + e.Want + ", got " + e.Got
	if e.Path == "" {
		return s
	}
	return e.Path + ": " + s
}
