//go:build !tinygo

package admin

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"testing"
	"time"
	"unicode/utf8"

	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

// An answer is what LiteLLM's clients read of /key/generate.
type answer struct {
	Key      string          `json:"key"`
	KeyName  string          `json:"key_name"`
	Token    string          `json:"token"`
	TokenID  string          `json:"token_id"`
	Alias    string          `json:"key_alias"`
	Expires  *time.Time      `json:"expires"`
	Duration string          `json:"duration"`
	UserID   string          `json:"user_id"`
	TeamID   string          `json:"team_id"`
	Models   []string        `json:"models"`
	Metadata json.RawMessage `json:"metadata"`
}

func FuzzGenerate(f *testing.F) {
	for _, s := range []string{
		"", "{}", "[]", `{"key": "sk-chosen-by-hand", "key_alias": "a\"b", "user_id": "\u00e9", "team_id": "t\ud800"}`,
		`{"models": ["m", "openai/*"], "metadata": { "priority" : "prod", "n": [1.50, null] }, "duration": "30d"}`,
		`{"duration": "13mo", "max_budget": null}`, `{"max_budget": 0}`, `{"user_id": 1}`, `{"a": 1, "a": 1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		store := new(counted)
		d := tenant.NewDirectory(store, nil)
		given := bytes.Clone(body)
		out, refusal := Generate(d, now, &random, given, []byte("before"))
		if !bytes.Equal(given, body) {
			t.Fatal("Generate changed the body")
		}
		clear(given) // it is the host's
		rest, ok := bytes.CutPrefix(out, []byte("before"))
		if !ok {
			t.Fatalf("dst is lost: %q", out)
		}
		if refusal != nil {
			if refusal.Status < 400 || refusal.Status > 499 || refusal.Message == "" || refusal.Type == "" || !utf8.ValidString(refusal.Message+refusal.Param) {
				t.Fatalf("refused with %+v", refusal)
			}
			if store.writes != 0 || len(rest) != 0 {
				t.Fatalf("refused with %d writes and answer %q", store.writes, rest)
			}
			return
		}

		var a, asked answer
		if err := json.Unmarshal(rest, &a); err != nil || !utf8.Valid(rest) {
			t.Fatalf("the answer is no JSON: %v in %q", err, rest)
		}
		hash := tenant.Hash(a.Key)
		k, st := d.Find(&hash)
		if st != quota.OK {
			t.Fatalf("the key is not found: %v", st)
		}
		if token := hex.EncodeToString(hash[:]); a.Token != token || a.TokenID != token || a.KeyName != k.Name {
			t.Fatalf("the answer tells another key: %s", rest)
		}
		if k.Alias != a.Alias || k.UserID != a.UserID || k.TeamID != a.TeamID || len(k.Models) != len(a.Models) ||
			len(k.Models) > 0 && !reflect.DeepEqual(k.Models, a.Models) || k.Metadata != string(a.Metadata) && k.Metadata != "" {
			t.Fatalf("stored %+v, answered %s", k, rest)
		}
		if (a.Expires == nil) != (k.Expires == 0) || a.Expires != nil && a.Expires.UnixMilli() != k.Expires {
			t.Fatalf("stored %+v, answered %s", k, rest)
		}

		// What was asked for is what was given.
		if len(body) == 0 {
			return
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(body, &members); err != nil {
			t.Fatalf("encoding/json refuses the body: %v", err)
		}
		// By their names to the letter: encoding/json would also take "KEY".
		for name, dst := range map[string]any{
			"key": &asked.Key, "key_alias": &asked.Alias, "user_id": &asked.UserID, "team_id": &asked.TeamID,
			"models": &asked.Models, "metadata": &asked.Metadata, "duration": &asked.Duration,
		} {
			if raw, ok := members[name]; ok && string(raw) != "null" {
				if err := json.Unmarshal(raw, dst); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
		}
		if asked.Key != "" && asked.Key != a.Key || asked.Alias != a.Alias || asked.UserID != a.UserID || asked.TeamID != a.TeamID || asked.Duration != a.Duration ||
			len(asked.Models) != len(a.Models) || len(asked.Models) > 0 && !reflect.DeepEqual(asked.Models, a.Models) || string(asked.Metadata) != k.Metadata {
			t.Fatalf("asked %s\nanswered %s", body, rest)
		}
		for _, l := range limits {
			if raw := string(members[l.name]); raw != "" && raw[0] >= '0' && raw[0] <= '9' {
				t.Fatalf("%s is dropped: %s", l.name, body)
			}
		}

		// The same again: a key of its own, and an alias or a chosen key that is taken.
		next := random
		next[0]++
		if _, refusal := Generate(d, now, &next, body, nil); (refusal != nil) != (asked.Key != "" || asked.Alias != "") {
			t.Fatalf("asked again: %+v", refusal)
		}
	})
}
