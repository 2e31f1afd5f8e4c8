package admin

import (
	"strconv"
	"unicode/utf8"

	"fairshare/plugin/document"
	"fairshare/plugin/unit"
)

const (
	maxBody = 64 << 10 // bytes; the tree of a larger one could exhaust the VM's memory
	maxText = 1 << 10  // bytes of an id
)

// A form is the body of a management request.
type form struct {
	text string
	tree document.Tree
	seen []bool // the nodes that something reads
	// nested are objects within the body whose members should be read, too.
	nested []place
}

// A place is a node of the body and the path that leads to it.
type place struct {
	node int
	path string
}

// emptyForm is that of a request without a body.
func emptyForm() form { return form{text: "{}", tree: document.Tree{{Kind: document.Object, To: 2}}} }

// read reads a body; an empty one is an empty object.
func (j *job) read(body []byte) {
	if len(body) > maxBody {
		j.refuse(413, invalid, "", "the body must be at most "+strconv.Itoa(maxBody)+" bytes")
		return
	}
	if len(body) == 0 {
		return
	}
	text := lenient(string(body))
	tree, err := document.ReadJSON(text)
	if err != nil {
		j.bad("", "the body must be a JSON object: "+clip(err.Path)+": want "+err.Want+", got "+err.Got)
		return
	}
	if tree[0].Kind != document.Object {
		j.bad("", "the body must be a JSON object")
		return
	}
	j.form = form{text: text, tree: tree, seen: make([]bool, len(tree))}
}

// in gives the member of an object called name, 0 if there is none or it is
// null, which to LiteLLM is mostly the same.
//
//go:noinline
func (f *form) in(object int, name string) int {
	n := f.tree.Member(object, name)
	f.see(n)
	if f.tree[n].Kind == document.Null {
		return 0
	}
	return n
}

// str reads a string of the body, "" if there is none.
//
//go:noinline
func (j *job) str(name string) string { return j.strAt(name, j.in(0, name)) }

//go:noinline
func (j *job) strAt(path string, n int) string {
	if n == 0 {
		return ""
	}
	v := &j.tree[n]
	switch {
	case v.Kind != document.Text:
		j.bad(path, clip(path)+" must be a string")
	case len(v.Str) > maxText:
		j.bad(path, clip(path)+" must be at most "+strconv.Itoa(maxText)+" bytes")
	case !printable(v.Str):
		j.bad(path, clip(path)+" must not have control characters")
	default:
		return v.Str
	}
	return ""
}

// need is str for a string that must be there.
func (j *job) need(name string) string {
	s := j.str(name)
	if s == "" {
		j.bad(name, name+" is required")
	}
	return s
}

// strs reads a list of strings that are not empty, nil if there is none.
func (j *job) strs(name string) []string {
	n := j.in(0, name)
	if n == 0 {
		return nil
	}
	if j.tree[n].Kind != document.List {
		j.bad(name, name+" must be a list of strings")
		return nil
	}
	var all []string
	for i := j.tree[n].First; i != 0; i = j.tree[i].Next {
		at := document.Item(name, len(all))
		s := j.strAt(at, i)
		if s == "" {
			j.bad(at, at+" must be a string that is not empty")
		}
		all = append(all, s)
	}
	return all
}

// needs is strs for a list that must have members.
func (j *job) needs(name string) []string {
	all := j.strs(name)
	if len(all) == 0 {
		j.bad(name, name+" is required")
	}
	return all
}

// flag reads a boolean of the body.
func (j *job) flag(name string, absent bool) bool {
	n := j.in(0, name)
	if n == 0 {
		return absent
	}
	if j.tree[n].Kind != document.Boolean {
		j.bad(name, name+" must be true or false")
	}
	return j.tree[n].Num != 0
}

// spend reads what a subject is to have spent, in US dollars.
func (j *job) spend() (spend unit.PicoUSD, given bool) {
	n := j.in(0, "spend")
	if n == 0 {
		return 0, false
	}
	v := &j.tree[n]
	if v.Kind != document.Number || v.Num < 0 || v.Num > 9e6 {
		j.bad("spend", "spend must be a number from 0 to 9000000")
	}
	return unit.Dollars(v.Num), true
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// clip makes what a caller sent fit for a message.
//
//go:noinline
func clip(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}
