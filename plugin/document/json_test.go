package document

import (
	"strconv"
	"strings"
	"testing"
)

func TestTree(t *testing.T) {
	tree, err := ReadJSON(`{"tpm": 60, "models": ["m"]}`)
	if err != nil {
		t.Fatal(err)
	}
	want := Tree{
		{Kind: Object, First: 1, To: 28},
		{Kind: Number, Key: "tpm", Num: 60, Next: 2, From: 8, To: 10},
		{Kind: List, Key: "models", First: 3, From: 22, To: 27},
		{Kind: Text, Str: "m", From: 23, To: 26},
	}
	if len(tree) != len(want) {
		t.Fatalf("%d nodes, want %d", len(tree), len(want))
	}
	for i := range tree {
		if tree[i] != want[i] {
			t.Errorf("node %d is %+v, want %+v", i, tree[i], want[i])
		}
	}
	for name, want := range map[string]int{"tpm": 1, "models": 2, "m": 0, "": 0} {
		if got := tree.Member(0, name); got != want {
			t.Errorf("Member(%q) = %d, want %d", name, got, want)
		}
	}
	if got := tree.Member(1, "tpm"); got != 0 {
		t.Errorf("a number has a member %d", got)
	}
}

func TestPlacesInTheText(t *testing.T) {
	const s = "\n[ -1.50 , \"a\\\"]\" ,true, null ,{ \"k\" :[ ] } ]\t"
	tree, err := ReadJSON(s)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{s[1 : len(s)-1], "-1.50", `"a\"]"`, "true", "null", `{ "k" :[ ] }`, "[ ]"}
	for i, n := range tree {
		if got := s[n.From:n.To]; got != want[i] {
			t.Errorf("node %d is %s, want %s", i, got, want[i])
		}
	}
}

func TestScalars(t *testing.T) {
	for s, want := range map[string]Node{
		"null":                                 {Kind: Null},
		"false":                                {Kind: Boolean},
		"true":                                 {Kind: Boolean, Num: 1},
		"0":                                    {Kind: Number},
		"-0.5e+3":                              {Kind: Number, Num: -500},
		"1E2":                                  {Kind: Number, Num: 100},
		"9007199254740993":                     {Kind: Number, Num: 9007199254740992}, // as doubles are
		`""`:                                   {Kind: Text},
		`"\"\\\/\b\f\n\r\t\u00e9\uD83D\ude00"`: {Kind: Text, Str: "\"\\/\b\f\n\r\té😀"},
		`"\ud83d\u0041\ude00"`:                 {Kind: Text, Str: "\ufffdA\ufffd"},
	} {
		want.To = len(s)
		if tree, err := ReadJSON(s); err != nil || len(tree) != 1 || tree[0] != want {
			t.Errorf("%s is %+v, %v, want %+v", s, tree, err, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "line 1 column 1: want a JSON value, got the end"},
		{" \n ", "line 2 column 2: want a JSON value, got the end"},
		{"\ufeff{}", `line 1 column 1: want a JSON value, got "\ufeff"`},
		{"NaN", `line 1 column 1: want a JSON value, got "N"`},
		{"truex", `line 1 column 5: want the end of the JSON text, got "x"`},
		{"[1,]", `line 1 column 4: want a JSON value, got "]"`},
		{"[1}", `line 1 column 3: want "," or "]", got "}"`},
		{`{"a":1,}`, `line 1 column 8: want a name in double quotes, got "}"`},
		{`{"a":1]`, `line 1 column 7: want "," or "}", got "]"`},
		{`{a:1}`, `line 1 column 2: want a name in double quotes, got "a"`},
		{"{\n\"é\" 1}", `line 2 column 6: want ":", got "1"`}, // columns count bytes
		{"+1", `line 1 column 1: want a JSON value, got "+"`},
		{".5", `line 1 column 1: want a JSON value, got "."`},
		{"1.e1", `line 1 column 3: want a digit, got "e"`},
		{"-", "line 1 column 2: want a digit, got the end"},
		{"[-1e400]", "line 1 column 2: want a number that a double can hold, got a larger one"},
		{"\"\x1f\"", `line 1 column 2: want text without line ends and controls, got "\x1f"`},
		{`"\`, "line 1 column 3: want an escape that JSON has, got the end"},
		{`"\u00g0"`, `line 1 column 3: want an escape that JSON has, got "u"`},
		{"[\"\xc3\"]", "line 1 column 3: want text in UTF-8, got another byte"},
		{`{"a":[{"b":1,"b":1}]}`, "a[0].b: want a name that occurs once, got it twice"},
		{`{"a":1,"\u0061":1}`, "a: want a name that occurs once, got it twice"},
		{`{"":1,"":1}`, `[""]: want a name that occurs once, got it twice`},
	} {
		tree, err := ReadJSON(c.text)
		if err == nil || err.Error() != c.want || tree != nil {
			t.Errorf("%q: %v, %v, want %s", c.text, tree, err, c.want)
		}
	}
}

func TestDepth(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, c := range []struct{ text, path string }{
		{nested(MaxDepth), ""},
		{nested(MaxDepth + 1), "[0]"},
		{strings.Repeat("[", 1<<16), "[0]"},
		{"[0," + nested(MaxDepth) + "]", "[1]"},
		{`{"a b":` + nested(MaxDepth-1) + "}", ""},
		{`{"a b":` + nested(MaxDepth) + "}", `["a b"]`},
	} {
		_, err := ReadJSON(c.text)
		if c.path == "" {
			if err != nil {
				t.Errorf("%.10s: %v", c.text, err)
			}
			continue
		}
		want := c.path + ": want at most " + strconv.Itoa(MaxDepth) + " lists and objects inside each other, got more"
		if err == nil || err.Error() != want {
			t.Errorf("%.10s: %v, want %s", c.text, err, want)
		}
	}
}

func TestParseNumber(t *testing.T) {
	for s, want := range map[string]float64{"60": 60, "-1e-1": -0.1} {
		if got, ok := ParseNumber(s); !ok || got != want {
			t.Errorf("ParseNumber(%q) = %v, %v, want %v", s, got, ok, want)
		}
	}
	for _, s := range []string{"", " 1", "1 ", "01", "+1", "0x1p4", "inf", "NaN", "1_0", "1.", ".1", "1e", "1e999"} {
		if got, ok := ParseNumber(s); ok {
			t.Errorf("ParseNumber(%q) = %v, want none", s, got)
		}
	}
}

func TestPaths(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Member("", "a"), "a"},
		{Member("a", "b-C_9"), "a.b-C_9"},
		{Member("a", ""), `a[""]`},
		{Member("", "x y"), `["x y"]`},
		{Member("a", "é\n"), `a["\u00e9\n"]`},
		{Item("a", 2), "a[2]"},
		{Item("", 0), "[0]"},
		{Quote("a\"é\x00"), `"a\"\u00e9\x00"`},
		{Quote(strings.Repeat("a", 64)), `"` + strings.Repeat("a", 64) + `"`},
		{Quote(strings.Repeat("a", 65)), `"` + strings.Repeat("a", 64) + `"...`},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func BenchmarkReadJSON(b *testing.B) {
	text := `{"models": ["m"` + strings.Repeat(`, "openai/gpt-4o"`, 100) + `], "metadata": {"priority": "prod", "n": [1, 2.5, -3e4]}}`
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadJSON(text); err != nil {
			b.Fatal(err)
		}
	}
}
