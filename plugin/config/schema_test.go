package config

import (
	"slices"
	"strings"
	"testing"

	"fairshare/plugin/document"
	"fairshare/plugin/tenant"
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
	if strings.HasPrefix(out, "fairshare_settings.stream_options.") {
		out = "fairshare_settings.stream_options.*"
	}
	if i := strings.Index(out, "_above_"); i >= 0 {
		out = out[:strings.LastIndexByte(out, '.')] + ".*_above_*k_tokens"
	}
	return out
}

// paths gives each path that a Field's stands for.
func paths(path string) []string {
	before, rest, found := strings.Cut(path, "{")
	if !found {
		return []string{path}
	}
	either, after, _ := strings.Cut(rest, "}")
	var all []string
	for choice := range strings.SplitSeq(either, ",") {
		for _, tail := range paths(after) {
			all = append(all, before+choice+tail)
		}
	}
	return all
}

// members gives the names of an object's own members that Fields has: for
// "virtual_keys[]" among others metadata, of virtual_keys[].metadata.priority.
func members(object string) []string {
	var names []string
	for _, f := range Fields {
		for _, path := range paths(f.Path) {
			if name, ok := strings.CutPrefix(path, object+"."); ok {
				name, _, _ = strings.Cut(name, ".")
				names = append(names, strings.TrimSuffix(name, "[]"))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Each setting that Parse looks at is in Fields, and each Field is looked at.
func TestFieldsAreWhatIsRead(t *testing.T) {
	tree, err := document.ReadJSON(everything)
	if err != nil {
		t.Fatal(err)
	}
	read := make(map[string]bool)
	r := &reading{tree: tree, env: vars, seen: func(path string) {
		// The same lists may stand below general_settings.
		if nested, ok := strings.CutPrefix(path, "general_settings.budgets"); ok {
			path = "budgets" + nested
		}
		read[pattern(path)] = true
	}}
	r.policy()
	if r.err != nil {
		t.Fatal(r.err)
	}
	listed := make(map[string]bool)
	for _, f := range Fields {
		for _, path := range paths(f.Path) {
			if listed[path] {
				t.Errorf("%s is listed twice", path)
			}
			listed[path] = true
			if !read[path] {
				t.Errorf("%s is listed and never read", path)
			}
			if section, _, _ := strings.Cut(strings.ReplaceAll(path, "[]", ""), "."); !slices.Contains(sectionsRead, section) {
				t.Errorf("%s is in a section that is said not to be read", path)
			}
		}
	}
	for path := range read {
		switch {
		// The members of a list are the list's field.
		case listed[path], listed[strings.TrimSuffix(path, "[]")]:
		case path == "teams[].members": // whose items have fields
		case path == "model_list[].litellm_params.input_cost_per_second": // is read to be warned of
		default:
			t.Errorf("%s is read and not listed", path)
		}
	}
}

// Where a setting that does not exist is an error, those that Fields lists exist, and no
// others do.
func TestFieldsAreWhatIsAllowed(t *testing.T) {
	for object, allowed := range map[string]string{
		"fairshare_settings": fairshareSettings, "fairshare_settings.unpriced_models": unpricedMembers,
	} {
		if got := strings.Join(members(object), " "); got != allowed {
			t.Errorf("%s: listed are %s, allowed are %s", object, got, allowed)
		}
	}
	for _, l := range append(rolls[:], membership) {
		listed := members(l.section + "[]")
		for _, name := range listed {
			if !tenant.Known(l.kind, name) && !slices.Contains(strings.Fields(l.own), name) {
				t.Errorf("%s: %s is listed and not allowed", l.section, name)
			}
		}
		// What a subject's row shows is what can be set, but for these.
		const shown = "key_name created_at updated_at"
		row := append(tenant.AppendFields([]byte{'{'}, &tenant.Subject{Kind: l.kind, TempExpiry: 1}), '}')
		tree, err := document.ReadJSON(string(row))
		if err != nil {
			t.Fatalf("%s: %s: %v", l.section, row, err)
		}
		for i := tree[0].First; i != 0; i = tree[i].Next {
			name := tree[i].Key
			if !slices.Contains(strings.Fields(shown), name) && !slices.Contains(listed, name) && (l.kind != tenant.Member || name != "team_id") {
				t.Errorf("%s: %s is allowed and not listed", l.section, name)
			}
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
	const want = "| `fairshare_settings.window` | fixed or sliding | fixed | Whether limits a minute count clock minutes or any 60 seconds. |"
	if !slices.Contains(lines, want) {
		t.Errorf("the table lacks %s", want)
	}
}
