package config

import (
	"strings"

	"fairshare/plugin/document"
)

// A held text is one that an environment variable holds, in the tree in place of
// os.environ/NAME.
type held struct {
	n              int // its node
	path, variable string
}

// resolve makes an entry ready for package tenant, which knows neither environment
// variables nor numbers that YAML's quotes made texts: "os.environ/NAME" becomes what the
// variable holds, and a limit of "60" becomes 60. A key stays, because it may come from
// nowhere else, and so does metadata but for the priority in it.
func (r *reading) resolve(entry place) {
	if !entry.there() {
		return
	}
	for open := []place{entry}; len(open) > 0; {
		in := open[len(open)-1]
		open = open[:len(open)-1]
		amounts := in.n != entry.n && limitsModels(in.node().Key)
		item := 0
		for i := in.node().First; i != 0; i = r.tree[i].Next {
			v := &r.tree[i]
			path := document.Member(in.path, v.Key)
			if in.node().Kind == document.List {
				path = document.Item(in.path, item)
				item++
			}
			switch {
			case v.Kind == document.Text && (in.n != entry.n || v.Key != "key"):
				r.substitute(place{r, path, i}, amounts || isAmount(v.Key))
			case v.Key == "metadata":
				if n := r.tree.Member(i, "priority"); n != 0 && r.tree[n].Kind == document.Text {
					r.substitute(place{r, document.Member(path, "priority"), n}, false)
				}
			case v.Kind == document.List || v.Kind == document.Object:
				open = append(open, place{r, path, i})
			}
		}
	}
}

// substitute replaces a text by what the variable holds that it names, if any, and an
// amount by its number.
func (r *reading) substitute(at place, amount bool) {
	if name, ok := at.variableName(); ok {
		s, _ := at.resolved("")
		at.node().Str = s
		r.held = append(r.held, held{at.n, at.path, name})
	}
	if f, ok := document.ParseNumber(strings.TrimSpace(at.node().Str)); ok && amount {
		at.node().Kind, at.node().Num = document.Number, f
	}
}

// isAmount reports whether a subject's member of this name is a number.
func isAmount(name string) bool {
	switch name {
	case "max_budget", "soft_budget", "budget_limit", "max_budget_in_team", "temp_budget_increase", "team_member_budget",
		"tpm_limit", "rpm_limit", "max_parallel_requests", "team_member_tpm_limit", "team_member_rpm_limit":
		return true
	}
	return false
}

// limitsModels reports whether the members of a member of this name are models' limits.
func limitsModels(name string) bool {
	return name == "model_max_budget" || name == "model_tpm_limit" || name == "model_rpm_limit"
}

// shown is what an error of package tenant got, unless a variable holds it.
func (r *reading) shown(err *document.Error) string {
	for _, h := range r.held {
		if strings.HasPrefix(h.path, err.Path) {
			return "what variable " + printable(h.variable) + " holds"
		}
	}
	return err.Got
}
