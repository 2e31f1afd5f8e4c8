//go:build !tinygo

package document

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// same reports whether a node says what encoding/json read.
func same(tree Tree, n int, v any) bool {
	switch v := v.(type) {
	case nil:
		return tree[n].Kind == Null
	case bool:
		return tree[n].Kind == Boolean && (tree[n].Num == 1) == v
	case float64:
		return tree[n].Kind == Number && tree[n].Num == v
	case string:
		return tree[n].Kind == Text && tree[n].Str == v
	case []any:
		i := tree[n].First
		for _, item := range v {
			if i == 0 || !same(tree, i, item) {
				return false
			}
			i = tree[i].Next
		}
		return tree[n].Kind == List && i == 0
	case map[string]any:
		count := 0
		for i := tree[n].First; i != 0; i = tree[i].Next {
			item, ok := v[tree[i].Key]
			if !ok || !same(tree, i, item) {
				return false
			}
			count++
		}
		return tree[n].Kind == Object && count == len(v)
	}
	return false
}

func FuzzReadJSON(f *testing.F) {
	for _, s := range []string{
		`{"tpm": 60, "models": ["m"]}`,
		"{\"a\":[1,-0.5e+3,true,false,null,\"\\ud83d\\ude00\"],\"b\\/\":{}}",
		`{"a":1,"a":2}`, `{"a b":[[]`, " 1e999 ", "\"\\ud83d\\ud83d\\udd00\"", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tree, err := ReadJSON(s)
		var v any
		standard := json.Unmarshal([]byte(s), &v)
		if err != nil {
			line := err.Error()
			if tree != nil || !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Fatalf("not a plain line: %q", line)
			}
			if standard == nil && utf8.ValidString(s) && err.Got != "it twice" && err.Got != "more" {
				t.Fatalf("refuses what encoding/json takes: %v", err)
			}
			return
		}
		if standard != nil {
			t.Fatalf("takes what encoding/json refuses: %v", standard)
		}
		if !same(tree, 0, v) {
			t.Fatalf("%q is read as %+v, by encoding/json as %v", s, tree, v)
		}
		for i, n := range tree {
			again, err := ReadJSON(s[n.From:n.To])
			if err != nil || again[0].Kind != n.Kind || again[0].Str != n.Str || again[0].Num != n.Num || again[0].To != n.To-n.From {
				t.Fatalf("node %d of %q stands at %q: %+v, %v", i, s, s[n.From:n.To], again, err)
			}
		}
	})
}
