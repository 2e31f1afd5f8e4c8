package admin

import (
	"strconv"

	"fairshare/plugin/document"
)

// A form is the body of one management request. Its first refusal sticks, and
// fields are looked up in the order of the code, so that equal bodies are
// refused alike whatever order their members have.
type form struct {
	body    string
	tree    document.Tree
	refusal *Refusal
}

// read reads a body; an empty one is an empty object.
func read(body []byte) (*form, *Refusal) {
	if len(body) > maxBody {
		return nil, &Refusal{Status: 413, Type: "invalid_request_error", Message: "the body must be at most " + strconv.Itoa(maxBody) + " bytes"}
	}
	f := &form{body: "{}"}
	if len(body) > 0 {
		f.body = string(body)
	}
	tree, err := document.ReadJSON(f.body)
	if err != nil {
		return nil, bad("", "the body must be a JSON object: "+err.Error())
	}
	if tree[0].Kind != document.Object {
		return nil, bad("", "the body must be a JSON object")
	}
	f.tree = tree
	return f, nil
}

func (f *form) fail(param, message string) {
	if f.refusal == nil {
		f.refusal = bad(param, message)
	}
}

// in gives the member of an object called name, 0 if there is none or it is
// null, which to LiteLLM is the same.
func (f *form) in(object int, name string) int {
	n := f.tree.Member(object, name)
	if f.tree[n].Kind == document.Null {
		return 0
	}
	return n
}

// raw gives a value as it was written.
func (f *form) raw(n int) string { return f.body[f.tree[n].From:f.tree[n].To] }

// limits refuses an object that has one of these members and limits something
// by it.
func (f *form) limits(object int, path string, limits []limit) {
	for _, l := range limits {
		n := f.in(object, l.name)
		if n == 0 || f.tree[n].Kind == l.kind && l.kind != document.Number && f.empty(n) {
			continue
		}
		field := document.Member(path, l.name)
		f.fail(field, field+" is not enforced by this version of Fairshare, so it is not accepted")
	}
}

// empty reports whether n is false, "", [] or {}.
func (f *form) empty(n int) bool {
	v := &f.tree[n]
	return v.Str == "" && v.Num == 0 && v.First == 0
}

// text reads a string, "" if there is none.
func (f *form) text(field string, n int) string {
	if n == 0 {
		return ""
	}
	v := &f.tree[n]
	if v.Kind != document.Text {
		f.fail(field, field+" must be a string")
		return ""
	}
	if len(v.Str) > maxText {
		f.fail(field, field+" must be at most "+strconv.Itoa(maxText)+" bytes")
		return ""
	}
	return v.Str
}

// texts reads a list of strings.
func (f *form) texts(field string, n int) []string {
	if n == 0 {
		return nil
	}
	if f.tree[n].Kind != document.List {
		f.fail(field, field+" must be an array of strings")
		return nil
	}
	var all []string
	for i := f.tree[n].First; i != 0; i = f.tree[i].Next {
		if len(all) == maxModels {
			f.fail(field, field+" must have at most "+strconv.Itoa(maxModels)+" members")
			return nil
		}
		all = append(all, f.text(document.Item(field, len(all)), i))
	}
	return all
}
