package admin

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestLenient(t *testing.T) {
	for text, want := range map[string]string{
		// What LiteLLM's documents have.
		"{\"a\": [\"b\"], # 👈 Group\n\"c\": 0}":      "{\"a\": [\"b\"],             \n\"c\": 0}",
		"{\n\"a\": {\"b\": \"c\"} # 👈 KEY CHANGE\n}": "{\n\"a\": {\"b\": \"c\"}                  \n}",
		"{\"a\": 1,\n}":                     "{\"a\": 1 \n}",
		"{\"a\": [1, 2, ], }":               "{\"a\": [1, 2  ]  }",
		"{\"a\": {}, # last\r\n# more\r\n}": "{\"a\": {}        \r\n      \r\n}",
		"[1,#,\n]":                          "[1   \n]",
		"# only":                            "      ",
		"{} # to the end":                   "{}             ",
		"[[],[],]":                          "[[],[] ]",
		`["x",]`:                            `["x" ]`,
		`["\"",]`:                           `["\"" ]`,

		// What stays.
		``:                           ``,
		`{"a": "# , ]", "b,]": [1]}`: `{"a": "# , ]", "b,]": [1]}`,
		`{"a": "\"#,]"}`:             `{"a": "\"#,]"}`,
		`{"a": "\\",}`:               `{"a": "\\" }`,
		`[,]`:                        `[,]`,
		`{,}`:                        `{,}`,
		`[1,,]`:                      `[1,,]`,
		`[1,2`:                       `[1,2`,
		`{"a":,}`:                    `{"a":,}`,
		`,]`:                         `,]`,
		`"#,]`:                       `"#,]`,
		`"\`:                         `"\`,
		"[1 //x\n]":                  "[1 //x\n]",
		`{'a': 1}`:                   `{'a': 1}`,
	} {
		if got := lenient(text); got != want {
			t.Errorf("%q becomes\n%q, want\n%q", text, got, want)
		}
	}
}

func FuzzLenient(f *testing.F) {
	for _, s := range []string{
		"{\"a\": [\"b\",], # 👈 Group\n\"c\": 0,}", `{"a": "#,]\""}`, "[,]", "[1,,]", "\"", "# ,]\r]", `{"a":{"b":[1,2,{}],},}`, "[1,#\n,]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := lenient(s)
		if json.Valid([]byte(s)) && got != s {
			t.Fatalf("%q, which is JSON, becomes %q", s, got)
		}
		if len(got) != len(s) {
			t.Fatalf("%q becomes %q", s, got)
		}
		for i := range len(s) {
			if got[i] != s[i] && got[i] != ' ' {
				t.Fatalf("%q becomes %q", s, got)
			}
		}
		if again := lenient(got); again != got && json.Valid([]byte(got)) {
			t.Fatalf("%q becomes %q and then %q", s, got, again)
		}
		// Nothing but commas before brackets and comments goes.
		if !strings.Contains(s, "#") {
			plain := strings.NewReplacer(" ", "", "\t", "", "\n", "", "\r", "")
			if strings.ReplaceAll(plain.Replace(got), ",", "") != strings.ReplaceAll(plain.Replace(s), ",", "") {
				t.Fatalf("%q becomes %q", s, got)
			}
		}
	})
}
