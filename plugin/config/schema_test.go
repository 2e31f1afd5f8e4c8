package config

import (
	"slices"
	"strings"
	"testing"

	"fairshare/plugin/document"
)

// pattern turns a path into what Fields calls it.
func pattern(path string) string {
	const reservation = "litellm_settings.priority_reservation."
	out := ""
	for path != "" {
		before, rest, found := strings.Cut(path, "[")
		out += before
		if !found {
			break
		}
		_, path, _ = strings.Cut(rest, "]")
		out += "[]"
	}
	if rest, ok := strings.CutPrefix(out, reservation); ok {
		_, member, found := strings.Cut(rest, ".")
		out = reservation + "*"
		if found {
			out += "." + member
		}
	}
	return out
}

// Each setting that Parse looks at is in Fields, and each Field is looked at.
func TestFieldsAreWhatIsRead(t *testing.T) {
	tree, err := document.ReadJSON(everything)
	if err != nil {
		t.Fatal(err)
	}
	read := make(map[string]bool)
	r := &reading{tree: tree, env: vars, seen: func(path string) { read[pattern(path)] = true }}
	r.policy()
	if r.err != nil {
		t.Fatal(r.err)
	}
	listed := make(map[string]bool)
	for _, f := range Fields {
		if listed[f.Path] {
			t.Errorf("%s is listed twice", f.Path)
		}
		listed[f.Path] = true
		if !read[f.Path] {
			t.Errorf("%s is listed and never read", f.Path)
		}
		if section, _, _ := strings.Cut(strings.ReplaceAll(f.Path, "[]", ""), "."); !slices.Contains(sectionsRead, section) {
			t.Errorf("%s is in a section that is said not to be read", f.Path)
		}
	}
	for path := range read {
		// The members of a list are the list's field.
		if !listed[path] && !listed[strings.TrimSuffix(path, "[]")] {
			t.Errorf("%s is read and not listed", path)
		}
	}
}

func TestTable(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(Table(), "\n"), "\n")
	if len(lines) != len(Fields)+2 {
		t.Fatalf("the table has %d lines, want %d", len(lines), len(Fields)+2)
	}
	for _, line := range lines {
		if strings.Count(line, "|") != 5 {
			t.Errorf("want four columns: %s", line)
		}
	}
	const want = "| `virtual_keys[].blocked` | true or false | false | Whether the key is refused. |"
	if !slices.Contains(lines, want) {
		t.Errorf("the table lacks %s", want)
	}
}
