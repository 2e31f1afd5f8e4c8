//go:build !tinygo

package admin

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever is asked for in whatever state: nothing panics, the store works and
// so no status is 5xx, answers are JSON, and a refusal changes nothing.
func FuzzServe(f *testing.F) {
	lines := strings.Split(paths, "\n")
	for i, seed := range []string{
		`{"key": "sk-0123456789-new", "key_alias": "n", "user_id": "u", "team_id": "t", "models": ["m"], "max_budget": 1, "metadata": {"priority": "p", "model_rpm_limit": {"m": 1}}, "spend": 1}`,
		`{"key": "sk-chosen-by-hand", "key_alias": "b", "tpm_limit": 1, "duration": null, "temp_budget_increase": 1, "temp_budget_expiry": "2024-05-01"}`,
		`{"keys": ["sk-chosen-by-hand"], "key_aliases": ["b"]}`, ``, ``, `{"key": "sk-chosen-by-hand"}`, `{"key": "sk-chosen-by-hand"}`, `{"key": "sk-chosen-by-hand", "new_key": "sk-0123456789-new"}`,
		`{"user_id": "n", "teams": ["t", {"team_id": "t"}], "key_alias": "n", "auto_create_key": true,}`, ``, `{"user_email": "u@x", "models": ["m"]}`, `{"user_ids": ["u"]}`, ``,
		`{"team_alias": "QA", "max_budget": 1e-9, "budget_duration": "1d", "members_with_roles": [{"user_id": "u"}, {"user_email": "n@x", "role": "admin"}]}`, ``,
		`{"team_id": "t", "soft_budget": 1, "max_budget": 2}`, `{"team_ids": ["t"]}`, ``, `{"team_id": "t"}`, `{"team_id": "t"}`,
		`{"team_id": "t", "member": [{"user_id": "v"}, {"user_email": "u@x"}], "max_budget_in_team": 5}`, `{"team_id": "t", "user_id": "u", "role": "user"}`, `{"team_id": "t", "user_email": "u@x"}`,
		`{"user_id": "n", "budget_id": "b", "blocked": true}`, ``, `{"user_id": "c", "max_budget": 1, "spend": 0}`, `{"user_ids": ["c"]}`, ``, `{"user_ids": ["c", "n"]}`, `{"user_ids": ["n"]}`,
		`{"model_max_budget": {"m": {"max_budget": 1, "budget_duration": "1d"}}}`, `{"budgets": ["b"]}`, `{"budget_id": "b", "max_budget": null}`, `{"id": "unused"}`, ``,
		``, ``, ``, ``, ``, ``, `{"model": "fast", "messages": [{"role": "user", "content": "hi"}]}`,
	} {
		for _, query := range []string{"", "key=sk-chosen-by-hand&user_id=u&team_id=t&end_user_id=c&page=1&size=2", "page_size=1&user_id=u%2b&model_group=fast&return_full_object=true"} {
			f.Add(byte(i), query, []byte(seed), byte(i+1), "", []byte(seed))
			f.Add(byte(i), query, []byte(strings.Replace(seed, ":", ": #\n", 1)), byte(4), query, []byte{})
		}
	}
	untouched := setUp(f).dump()
	f.Fuzz(func(t *testing.T, first byte, query1 string, body1 []byte, second byte, query2 string, body2 []byte) {
		d := setUp(t)
		d.Models = []Model{{Name: "fast", Provider: "openai", ProviderModel: "gpt-4o"}}
		before := untouched
		for i, r := range []byte{first, second} {
			query, body := query1, body1
			if i == 1 {
				query, body = query2, body2
			}
			_, path, _ := strings.Cut(lines[int(r)%len(lines)], " ")
			if r&128 != 0 {
				path = "/key/" + strings.ReplaceAll(query, "?", "") + "/regenerate"
			}
			route, ok := Find(path)
			if !ok {
				continue
			}
			given := append([]byte(nil), body...)
			out, refusal := d.Serve(now, &Request{Route: route, Query: query, Body: given}, []byte("before"))
			if string(given) != string(body) {
				t.Fatal("the body is changed")
			}
			clear(given)
			rest, ok := strings.CutPrefix(string(out), "before")
			if !ok {
				t.Fatalf("dst is lost: %q", out)
			}
			if refusal == nil {
				if !json.Valid([]byte(rest)) || !utf8.ValidString(rest) {
					t.Fatalf("%s: the answer is no JSON: %q", path, rest)
				}
				before = d.dump()
				continue
			}
			if refusal.Status < 400 || refusal.Status > 499 || refusal.Message == "" || refusal.Type == "" || !utf8.ValidString(refusal.Message+refusal.Param) || rest != "" {
				t.Fatalf("%s: refused with %+v and %q", path, refusal, rest)
			}
			if after := d.dump(); after != before {
				t.Fatalf("%s: refused with %+v, but%s", path, refusal, change(before, after))
			}
		}
	})
}
