package tenant

import (
	"strings"
	"testing"

	"fairshare/plugin/document"
)

func TestKeep(t *testing.T) {
	for _, c := range []struct{ before, text, want string }{
		{"", `{}`, ""},
		{"", `{"note": null, "max_budget": 1}`, ""},
		{"", `{"note": {"a": [1, "}"]}, "rpm_limit": 1, "owner":"}"}`, `{"note":{"a": [1, "}"]},"owner":"}"}`},
		{`{"note":1}`, `{"rpm_limit": 1}`, `{"note":1}`},
		{`{"note":1}`, `{"owner": 2}`, `{"note":1,"owner":2}`},
		{`{"note":1,"owner":2}`, `{"note": {}}`, `{"owner":2,"note":{}}`},
		{`{"note":1,"owner":2}`, `{"note": null}`, `{"owner":2}`},
		{`{"note":1}`, `{"note": null}`, ""},
		{"", `{"spend": 1, "key": "x", "litellm_budget_table": 1, "": 1, "\u00e9\"": 1}`, `{"é\"":1}`},
	} {
		s := Subject{Kind: Key, Extra: c.before}
		tree, err := document.ReadJSON(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if err := Keep(&s, c.text, tree, 0, ""); err != nil || s.Extra != c.want {
			t.Errorf("%s with %s: %s, %v, want %s", c.before, c.text, s.Extra, err, c.want)
		}
		if _, err := document.ReadJSON("{" + string(AppendFields(nil, &s)) + "}"); err != nil {
			t.Errorf("%s: the row is no JSON: %v", c.text, err)
		}
	}
}

// What is kept has a bound, also when it comes bit by bit.
func TestKeepIsBounded(t *testing.T) {
	s := Subject{Kind: Team}
	for i := range 100 {
		text := `{"note` + strings.Repeat("x", i) + `": "` + strings.Repeat("y", 500) + `"}`
		tree, err := document.ReadJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := Keep(&s, text, tree, 0, "at"); err != nil {
			if i < 6 || !strings.HasPrefix(err.Path, "at.note") {
				t.Errorf("after %d: %v", i, err)
			}
			return
		}
		if len(s.Extra) > maxExtra {
			t.Fatalf("%d bytes are kept", len(s.Extra))
		}
	}
	t.Error("there is no bound")
}
