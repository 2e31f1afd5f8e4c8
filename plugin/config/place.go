package config

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"fairshare/plugin/document"
)

// A reading is one pass over a document. Its first error sticks: what is read after
// it has no effect, so the callers need not look after each step. Members are looked
// up in the order of the code, or of their names, so that equal configurations give
// equal policies, errors and warnings whatever order their members came in.
type reading struct {
	tree     document.Tree
	env      func(name string) (string, bool)
	err      *Error
	warnings []string
	held     []held
	// unpriced are the paths of models, the first of each group, that have no price.
	unpriced []string
	// seen, if not nil, is told the path of every setting that is looked at.
	seen func(path string)
}

// sorted gives a tree whose objects have their members in the order of their names.
func sorted(t document.Tree) document.Tree {
	var members []int
	for n := range t {
		if t[n].Kind != document.Object {
			continue
		}
		members = members[:0]
		for i := t[n].First; i != 0; i = t[i].Next {
			members = append(members, i)
		}
		slices.SortFunc(members, func(a, b int) int { return strings.Compare(t[a].Key, t[b].Key) })
		next := &t[n].First
		for _, i := range members {
			*next = i
			next = &t[i].Next
		}
		*next = 0
	}
	return t
}

func (r *reading) fail(path, want, got string) {
	if r.err == nil {
		r.err = &Error{Path: discreet(path), Want: discreet(want), Got: discreet(got)}
	}
}

func (r *reading) warn(path, remark string) {
	r.warnings = append(r.warnings, discreet(path+": "+remark))
}

// variable looks an environment variable up. One that holds only blanks counts as
// unset: it is what an empty secret leaves behind.
func (r *reading) variable(name string) (string, bool) {
	if r.env == nil || name == "" {
		return "", false
	}
	s, ok := r.env(name)
	return s, ok && strings.TrimSpace(s) != ""
}

// A place is a value of the document and the path that leads to it.
type place struct {
	r    *reading
	path string
	n    int // its node; absent if there is none or it is null (YAML's "api_base:")
}

const absent = -1

func (p place) there() bool { return p.n != absent }

func (p place) node() *document.Node { return &p.r.tree[p.n] }

func (p place) at(path string, n int) place {
	if p.r.tree[n].Kind == document.Null {
		n = absent
	}
	return place{p.r, path, n}
}

// fail records that want was not found here, and what was.
func (p place) fail(want string) { p.r.fail(p.path, want, p.describe()) }

// read reports whether there is a value here, as a setting that is of some kind.
func (p place) read() bool {
	if p.r.seen != nil {
		p.r.seen(p.path)
	}
	return p.there()
}

// in gives the member called name of an object. An absent object has only absent ones.
func (p place) in(name string) place {
	path := document.Member(p.path, name)
	if !p.there() {
		return place{p.r, path, absent}
	}
	if p.node().Kind != document.Object {
		p.fail("an object")
		return place{p.r, path, absent}
	}
	if i := p.r.tree.Member(p.n, name); i != 0 {
		return p.at(path, i)
	}
	return place{p.r, path, absent}
}

// members gives all members of an object, in the order of their names, with the names.
func (p place) members() (members []place, names []string) {
	if !p.there() {
		return nil, nil
	}
	if p.node().Kind != document.Object {
		p.fail("an object")
		return nil, nil
	}
	for i := p.node().First; i != 0; i = p.r.tree[i].Next {
		names = append(names, p.r.tree[i].Key)
		members = append(members, p.at(document.Member(p.path, p.r.tree[i].Key), i))
	}
	return members, names
}

// items gives the members of a list.
func (p place) items() []place {
	if !p.there() {
		return nil
	}
	if p.node().Kind != document.List {
		p.fail("a list")
		return nil
	}
	var items []place
	for i := p.node().First; i != 0; i = p.r.tree[i].Next {
		items = append(items, p.at(document.Item(p.path, len(items)), i))
	}
	return items
}

// only fails if an object has a member that is not among known, names with blanks
// between them.
func (p place) only(known string) {
	allowed := strings.Fields(known)
	members, names := p.members()
	for i, m := range members {
		if !slices.Contains(allowed, names[i]) {
			p.r.fail(m.path, "one of "+strings.Join(allowed, ", "), "a setting that does not exist")
		}
	}
}

// variableName gives NAME of a text "os.environ/NAME".
func (p place) variableName() (string, bool) {
	if !p.there() || p.node().Kind != document.Text {
		return "", false
	}
	return strings.CutPrefix(p.node().Str, "os.environ/")
}

// resolved gives the text here, or that of the environment variable it refers to.
// want says what to ask for if there is something else.
func (p place) resolved(want string) (string, bool) {
	if !p.read() {
		return "", false
	}
	if name, ok := p.variableName(); ok {
		s, ok := p.r.variable(name)
		if !ok {
			p.r.fail(p.path, "environment variable "+printable(name)+" set and passed on to the plugin", "nothing")
		}
		return s, ok
	}
	if p.node().Kind != document.Text {
		p.fail(want)
		return "", false
	}
	return p.node().Str, true
}

// text reads a text that is not empty. It reports whether there is one.
func (p place) text() (string, bool) {
	const want = "a text that is not empty"
	s, ok := p.resolved(want)
	if ok && s == "" {
		p.fail(want)
		return "", false
	}
	return s, ok
}

// required reads a text that must be there.
func (p place) required(want string) string {
	s, ok := p.text()
	if !ok {
		p.fail(want)
	}
	return s
}

// texts reads a list of texts.
func (p place) texts() []string {
	if !p.read() {
		return nil
	}
	var out []string
	for _, it := range p.items() {
		out = append(out, it.required("a text that is not empty"))
	}
	return out
}

// number reads a number from low to high, written as one or, as YAML's quotes make
// it, as text. It reports whether there is one.
func (p place) number(low, high float64, want string) (float64, bool) {
	if !p.read() {
		return 0, false
	}
	f, ok := 0.0, true
	if p.node().Kind == document.Number {
		f = p.node().Num
	} else {
		var s string
		if s, ok = p.resolved(want); !ok {
			return 0, false
		}
		f, ok = document.ParseNumber(strings.TrimSpace(s))
	}
	if !ok || f < low || f > high {
		p.fail(want)
		return 0, false
	}
	return f, true
}

// whole reads a whole number from low to high, both exact as doubles.
func (p place) whole(low, high int64, want string) (int64, bool) {
	f, ok := p.number(float64(low), float64(high), want)
	if ok && f != math.Trunc(f) {
		p.fail(want)
		return 0, false
	}
	return int64(f), ok
}

// flag reads true or false, false if there is neither.
func (p place) flag() bool {
	if !p.read() {
		return false
	}
	if p.node().Kind != document.Boolean {
		p.fail("true or false")
		return false
	}
	return p.node().Num != 0
}

// choice reads one of names and gives its index, 0 if there is nothing.
func (p place) choice(names []string) int {
	s, ok := p.text()
	if !ok {
		return 0
	}
	i := slices.Index(names, s)
	if i < 0 {
		p.fail("one of " + strings.Join(names, ", "))
		return 0
	}
	return i
}

// secret reads a key. Blanks around it are dropped, because a secret read from a file
// often ends with a line end; any inside would break a header apart.
// The error does not show it.
func (p place) secret() (string, bool) {
	const want = "a key as text"
	if p.there() && p.node().Kind != document.Text {
		p.r.fail(p.path, want, "something else (not shown)")
	}
	s, ok := p.resolved(want)
	if !ok {
		return "", false
	}
	s = strings.TrimSpace(s)
	if s == "" {
		p.r.fail(p.path, want, "an empty text")
		return "", false
	}
	if !graphic(s) {
		p.r.fail(p.path, "a key of printable ASCII without blanks", "one with another character (not shown)")
		return "", false
	}
	return s, true
}

func graphic(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// hash reads 64 hexadecimal digits.
func (p place) hash() (h [32]byte, ok bool) {
	const want = "64 hexadecimal digits (sha256sum of the key, without a line end)"
	s, ok := p.text()
	if !ok {
		return h, false
	}
	ok = len(s) == 2*len(h)
	for i := 0; ok && i < len(h); i++ {
		b, err := strconv.ParseUint(s[2*i:2*i+2], 16, 8)
		h[i], ok = byte(b), err == nil
	}
	if !ok {
		p.r.fail(p.path, want, "another text of "+strconv.Itoa(len(s))+" characters")
	}
	return h, ok
}

// describe says what is here, for an error. What a variable holds is not shown.
func (p place) describe() string {
	if !p.there() {
		return "nothing"
	}
	n := p.node()
	for _, h := range p.r.held {
		if h.n == p.n {
			return "what variable " + printable(h.variable) + " holds"
		}
	}
	switch n.Kind {
	case document.Text:
		if name, ok := p.variableName(); ok {
			return "what variable " + printable(name) + " holds"
		}
		return document.Quote(n.Str)
	case document.Number:
		return strconv.FormatFloat(n.Num, 'g', -1, 64)
	case document.Boolean:
		return strconv.FormatBool(n.Num != 0)
	case document.List:
		if n.First == 0 {
			return "an empty list"
		}
		return "a list"
	}
	return "an object"
}

// printable is s as it is if it is a plain name, and quoted otherwise.
func printable(s string) string {
	if document.Plain(s) {
		return s
	}
	return document.Quote(s)
}
