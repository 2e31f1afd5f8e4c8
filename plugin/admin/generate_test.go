package admin

import (
	"reflect"
	"strconv"
	"strings"
	"testing"

	"fairshare/plugin/document"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

// now is 2024-01-31T12:34:56.789Z.
const now = 1706704496789

var random = [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255}

// secret is what comes of random.
const secret = "sk-AAECAwQFBgcICQoLDA0O_w"

// A counted store counts what is written: a refused request writes nothing.
type counted struct {
	quota.Memory
	writes  int
	failing bool
}

func (s *counted) Set(key string, value []byte, cas uint32) quota.Status {
	if s.failing {
		return quota.Failed
	}
	st := s.Memory.Set(key, value, cas)
	if st == quota.OK {
		s.writes++
	}
	return st
}

// generate asks for a key, and fails if a refusal wrote anything.
func generate(t *testing.T, store *counted, body string) (string, *Refusal) {
	t.Helper()
	given := []byte(body)
	before := store.writes
	out, refusal := Generate(tenant.NewDirectory(store, nil), now, &random, given, []byte("before"))
	clear(given)
	if !strings.HasPrefix(string(out), "before") {
		t.Fatalf("%s: dst is lost: %q", body, out)
	}
	if refusal != nil && (string(out) != "before" || store.writes != before) {
		t.Fatalf("%s: refused with %d writes and answer %q", body, store.writes-before, out)
	}
	return string(out[len("before"):]), refusal
}

func TestAnswer(t *testing.T) {
	const (
		// printf %s sk-AAECAwQFBgcICQoLDA0O_w | sha256sum
		token = "acfc85266f6aff3f417cbd0423895f745c0f568e854e37b37a6a8e1b2b184ff9"
		rest  = `,"spend":0.0,"max_budget":null,"budget_duration":null,"tpm_limit":null,"rpm_limit":null,"max_parallel_requests":null,"blocked":null,"litellm_budget_table":null,` +
			`"created_by":"default_user_id","updated_by":"default_user_id","created_at":"2024-01-31T12:34:56.789Z","updated_at":"2024-01-31T12:34:56.789Z"}`
		empty = `{"key":"` + secret + `","key_name":"sk-...0O_w","token":"` + token + `","token_id":"` + token + `","key_alias":null,"expires":null,` +
			`"duration":null,"user_id":null,"team_id":null,"models":[],"metadata":{}` + rest
	)
	own := tenant.Hash("sk-chosen-by-hand")
	ownToken := tenant.Token(&own)
	for _, c := range []struct{ body, want string }{
		{``, empty},
		{`{}`, empty},
		{` {"key": null, "key_alias": null, "models": null, "metadata": null, "duration": null, "max_budget": null, "unknown": [1]} `, empty},
		{
			`{"key": "sk-chosen-by-hand", "key_alias": "a\"b", "user_id": "\u00e9", "team_id": "t", "models": ["m", "openai/*"],
				"metadata": { "priority" : "prod", "n": [1.50, null] }, "duration": "30d"}`,
			`{"key":"sk-chosen-by-hand","key_name":"sk-...hand","token":"` + ownToken + `","token_id":"` + ownToken + `","key_alias":"a\"b","expires":"2024-03-01T12:34:56.789Z",` +
				`"duration":"30d","user_id":"é","team_id":"t","models":["m","openai/*"],"metadata":{ "priority" : "prod", "n": [1.50, null] }` + rest,
		},
	} {
		got, refusal := generate(t, new(counted), c.body)
		if refusal != nil || got != c.want {
			t.Errorf("%s:\n got %s, %+v\nwant %s", c.body, got, refusal, c.want)
		}
		if _, err := document.ReadJSON(got); err != nil {
			t.Errorf("%s: the answer is no JSON: %v", c.body, err)
		}
		buf := append(make([]byte, 0, 4096), c.body...)
		over, _ := Generate(tenant.NewDirectory(new(counted), nil), now, &random, buf, buf[:0])
		if string(over) != c.want {
			t.Errorf("%s: an answer written over the body is %s", c.body, over)
		}
	}
}

func TestStoredKey(t *testing.T) {
	const full = `{"key": "sk-chosen-by-hand", "key_alias": "a", "user_id": "u", "team_id": "t", "models": ["m", ""], "metadata": {"priority": "prod"}, "duration": "1h"}`
	for _, c := range []struct {
		body, secret string
		want         tenant.Key
	}{
		{"", secret, tenant.Key{Name: "sk-...0O_w"}},
		{`{"metadata": {"priority": null}}`, secret, tenant.Key{Name: "sk-...0O_w", Metadata: `{"priority": null}`}},
		{
			full, "sk-chosen-by-hand",
			tenant.Key{
				Name: "sk-...hand", Alias: "a", UserID: "u", TeamID: "t", Models: []string{"m", ""},
				Priority: "prod", Metadata: `{"priority": "prod"}`, Expires: now + 3600_000,
			},
		},
	} {
		store := new(counted)
		if _, refusal := generate(t, store, c.body); refusal != nil {
			t.Fatalf("%s: %+v", c.body, refusal)
		}
		c.want.Hash = tenant.Hash(c.secret)
		c.want.ID = quota.KeyID(&c.want.Hash)
		c.want.Created = now
		got, st := tenant.NewDirectory(store, nil).Find(&c.want.Hash)
		if st != quota.OK || !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", c.body, got, st, c.want)
		}
	}
}

// Each row is a body that must be refused, the field that is named, and the
// whole text.
func TestRefusals(t *testing.T) {
	const (
		object     = "the body must be a JSON object"
		unenforced = " is not enforced by this version of Fairshare, so it is not accepted"
		durations  = ". Use a format like '30s', '1h', '24h', '7d', or '30d'."
		badKey     = "Invalid key format. LiteLLM Virtual Key must start with 'sk-'. Received: ****"
		unprinted  = "a key must be of printable ASCII without blanks and commas: it travels in a header"
		badMeta    = "metadata must be an object of at most 8192 bytes"
	)
	x := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct{ body, param, want string }{
		// The body as a whole.
		{"null", "", object},
		{"[]", "", object},
		{`"{}"`, "", object},
		{" ", "", object + ": line 1 column 2: want a JSON value, got the end"},
		{"{", "", object + ": line 1 column 2: want a name in double quotes, got the end"},
		{"{} {}", "", object + ": line 1 column 4: want the end of the JSON text, got \"{\""},
		{"{\"user_id\": \"\xff\"}", "", object + ": line 1 column 14: want text in UTF-8, got another byte"},
		{`{"user_id": "a", "user_id": "b"}`, "", object + ": user_id: want a name that occurs once, got it twice"},
		{`{"user_id": "a", "user\u005fid": "a"}`, "", object + ": user_id: want a name that occurs once, got it twice"},
		{`{"x": 1, "x": 1}`, "", object + ": x: want a name that occurs once, got it twice"},
		{`{"metadata": {"a": {"b": 1, "b": 2}}}`, "", object + ": metadata.a.b: want a name that occurs once, got it twice"},
		{`{"x": ` + strings.Repeat("[", 5000), "", object + ": x: want at most 64 lists and objects inside each other, got more"},

		// Fields.
		{`{"key": 1}`, "key", "key must be a string"},
		{`{"key": ""}`, "key", badKey},
		{`{"key": "sk"}`, "key", badKey},
		{`{"key": "SK-0123456789abcdef"}`, "key", badKey},
		{`{"key": "sk-0123456789ab"}`, "key", "a custom key must have at least 16 characters"},
		{`{"key": "sk-0123456789 abc"}`, "key", unprinted},
		{`{"key": "sk-0123456789\u0000abc"}`, "key", unprinted},
		{`{"key": "sk-0123456789\r\nabc"}`, "key", unprinted},
		{`{"key": "sk-0123456789abcé"}`, "key", unprinted},
		{`{"key": "sk-0123456789,abc"}`, "key", unprinted},
		{`{"key": "sk-` + x(1022) + `"}`, "key", "key must be at most 1024 bytes"},
		{`{"key_alias": ["a"]}`, "key_alias", "key_alias must be a string"},
		{`{"key_alias": "` + x(1025) + `"}`, "key_alias", "key_alias must be at most 1024 bytes"},
		{`{"user_id": {}}`, "user_id", "user_id must be a string"},
		{`{"user_id": "` + strings.Repeat(`\u20ac`, 342) + `"}`, "user_id", "user_id must be at most 1024 bytes"}, // 3 bytes each
		{`{"team_id": false}`, "team_id", "team_id must be a string"},
		{`{"team_id": "` + x(1025) + `"}`, "team_id", "team_id must be at most 1024 bytes"},
		{`{"models": "m"}`, "models", "models must be an array of strings"},
		{`{"models": {}}`, "models", "models must be an array of strings"},
		{`{"models": ["m", 1]}`, "models[1]", "models[1] must be a string"},
		{`{"models": [null]}`, "models[0]", "models[0] must be a string"},
		{`{"models": ["` + x(1025) + `"]}`, "models[0]", "models[0] must be at most 1024 bytes"},
		{`{"models": [` + strings.Repeat(`"m",`, 256) + `"m"]}`, "models", "models must have at most 256 members"},
		{`{"models": [` + strings.Repeat(`"`+x(1000)+`",`, 16) + `"` + x(1000) + `"]}`, "", "the key's record would be larger than 16384 bytes"},
		{`{"metadata": []}`, "metadata", badMeta},
		{`{"metadata": "{}"}`, "metadata", badMeta},
		{`{"metadata": {"x": "` + x(8192-8) + `"}}`, "metadata", badMeta},
		{`{"metadata": {"priority": 1}}`, "metadata.priority", "metadata.priority must be a string"},
		{`{"metadata": {"priority": "` + x(1025) + `"}}`, "metadata.priority", "metadata.priority must be at most 1024 bytes"},
		{`{"duration": 30}`, "duration", "duration must be a string"},
		{`{"duration": ""}`, "duration", "Invalid duration ''" + durations},
		{`{"duration": "1y"}`, "duration", "Invalid duration '1y'" + durations},
		{`{"key_type": "management"}`, "key_type", "key_type must be default or llm_api: only the master key opens other routes"},
		{`{"key_type": 1}`, "key_type", "key_type must be a string"},

		// Limits.
		{`{"max_budget": 0}`, "max_budget", "max_budget" + unenforced}, // nothing may be spent
		{`{"max_budget": 0.5}`, "max_budget", "max_budget" + unenforced},
		{`{"max_budget": "0"}`, "max_budget", "max_budget" + unenforced},
		{`{"max_budget": ""}`, "max_budget", "max_budget" + unenforced},
		{`{"max_budget": false}`, "max_budget", "max_budget" + unenforced}, // 0 to LiteLLM
		{`{"soft_budget": 1}`, "soft_budget", "soft_budget" + unenforced},
		{`{"budget_duration": "1d"}`, "budget_duration", "budget_duration" + unenforced},
		{`{"budget_id": "b"}`, "budget_id", "budget_id" + unenforced},
		{`{"budget_limits": [{}]}`, "budget_limits", "budget_limits" + unenforced},
		{`{"model_max_budget": {"m": {}}}`, "model_max_budget", "model_max_budget" + unenforced},
		{`{"max_parallel_requests": 0}`, "max_parallel_requests", "max_parallel_requests" + unenforced},
		{`{"tpm_limit": 0}`, "tpm_limit", "tpm_limit" + unenforced},
		{`{"rpm_limit": -0e9}`, "rpm_limit", "rpm_limit" + unenforced},
		{`{"model_tpm_limit": {"m": 1}}`, "model_tpm_limit", "model_tpm_limit" + unenforced},
		{`{"model_rpm_limit": {"m": 0}}`, "model_rpm_limit", "model_rpm_limit" + unenforced},
		{`{"model_rpm_limit": []}`, "model_rpm_limit", "model_rpm_limit" + unenforced},
		{`{"tag_rpm_limit": {"t": 1}}`, "tag_rpm_limit", "tag_rpm_limit" + unenforced},
		{`{"blocked": true}`, "blocked", "blocked" + unenforced},
		{`{"permissions": {"x": false}}`, "permissions", "permissions" + unenforced},
		{`{"allowed_routes": [""]}`, "allowed_routes", "allowed_routes" + unenforced},
		{`{"enforced_params": ["user"]}`, "enforced_params", "enforced_params" + unenforced},
		{`{"guardrails": ["g"]}`, "guardrails", "guardrails" + unenforced},
		{`{"aliases": {"a": "m"}}`, "aliases", "aliases" + unenforced},
		{`{"allowed_cache_controls": ["no-cache"]}`, "allowed_cache_controls", "allowed_cache_controls" + unenforced},
		{`{"metadata": {"model_rpm_limit": {"m": 1}}}`, "metadata.model_rpm_limit", "metadata.model_rpm_limit" + unenforced},
		{`{"metadata": {"model_tpm_limit": {"m": 1}}}`, "metadata.model_tpm_limit", "metadata.model_tpm_limit" + unenforced},
		{`{"metadata": {"tag_rpm_limit": {"t": 1}}}`, "metadata.tag_rpm_limit", "metadata.tag_rpm_limit" + unenforced},

		// Of two faults the same is told, whichever member comes first.
		{`{"user_id": 1, "rpm_limit": 1}`, "rpm_limit", "rpm_limit" + unenforced},
		{`{"rpm_limit": 1, "user_id": 1}`, "rpm_limit", "rpm_limit" + unenforced},
	} {
		got, refusal := generate(t, new(counted), c.body)
		want := Refusal{Status: 400, Type: "invalid_request_error", Param: c.param, Message: c.want}
		if refusal == nil || *refusal != want {
			t.Errorf("%.80s:\n got %+v, %s\nwant %+v", c.body, refusal, got, want)
		}
	}
}

func TestBodyIsBounded(t *testing.T) {
	body := "{}" + strings.Repeat(" ", maxBody-2)
	if _, refusal := generate(t, new(counted), body); refusal != nil {
		t.Errorf("%d bytes: %+v", len(body), refusal)
	}
	_, refusal := generate(t, new(counted), body+" ")
	want := Refusal{Status: 413, Type: "invalid_request_error", Message: "the body must be at most 65536 bytes"}
	if refusal == nil || *refusal != want {
		t.Errorf("%d bytes: %+v, want %+v", len(body)+1, refusal, want)
	}
}

// What limits nothing, clients send without meaning it.
func TestNothingLimited(t *testing.T) {
	for _, body := range []string{
		`{"blocked": false, "budget_duration": "", "budget_limits": [], "model_max_budget": {}, "aliases": {}, "key_type": "default"}`,
		`{"permissions": {}, "allowed_routes": [], "metadata": {"model_rpm_limit": {}, "tag_rpm_limit": null}, "key_type": "llm_api"}`,
		`{"max_budget": null, "tpm_limit": null, "rpm_limit": null, "blocked": null, "key_type": null}`,
		`{"user_id": "` + strings.Repeat("x", 1024) + `", "models": [` + strings.Repeat(`"m",`, 255) + `"m"], "metadata": {"x": "` + strings.Repeat("x", 8192-9) + `"}}`,
	} {
		if _, refusal := generate(t, new(counted), body); refusal != nil {
			t.Errorf("%.80s: %+v", body, refusal)
		}
	}
}

func TestDurations(t *testing.T) {
	const (
		jan31 = 1706704496789 // 2024-01-31T12:34:56.789Z
		day   = 86400_000
	)
	for _, c := range []struct {
		now      int64
		duration string
		want     string // empty: refused
	}{
		{jan31, "30s", "2024-01-31T12:35:26.789Z"},
		{jan31, "30m", "2024-01-31T13:04:56.789Z"},
		{jan31, "30h", "2024-02-01T18:34:56.789Z"},
		{jan31, "30d", "2024-03-01T12:34:56.789Z"},
		{jan31, "1w", "2024-02-07T12:34:56.789Z"},
		{jan31, "007s", "2024-01-31T12:35:03.789Z"},
		{jan31, "1mo", "2024-02-29T12:34:56.789Z"}, // a leap year's last day of February
		{jan31, "2mo", "2024-03-31T12:34:56.789Z"},
		{jan31, "3mo", "2024-04-30T12:34:56.789Z"},
		{jan31, "12mo", "2025-01-31T12:34:56.789Z"},
		{jan31, "13mo", "2025-02-28T12:34:56.789Z"},
		{jan31 - 2*day, "1mo", "2024-02-29T12:34:56.789Z"},
		{jan31 - 3*day, "1mo", "2024-02-28T12:34:56.789Z"},
		{jan31 - 40*day, "2mo", "2024-02-22T12:34:56.789Z"}, // past the year's end
		{jan31, "7975y", ""},
		{jan31, "95699mo", "9998-12-31T12:34:56.789Z"},
		{jan31, "95711mo", "9999-12-31T12:34:56.789Z"},
		{jan31, "95712mo", ""}, // the year 10000
		{jan31, "2913143d", "9999-12-31T12:34:56.789Z"},
		{jan31, "2913144d", ""},
		{jan31, "9223372036854775807s", ""},
		{jan31, "9223372036854775807w", ""},
		{jan31, "9223372036854775808s", ""},
		{jan31, "9223372036854775807mo", ""},
		{jan31, strings.Repeat("9", 1000) + "s", ""},
		{jan31, "0s", ""},
		{jan31, "0mo", ""},
		{jan31, "-1", ""},
		{jan31, "-1s", ""},
		{jan31, "+1s", ""},
		{jan31, "1", ""},
		{jan31, "s", ""},
		{jan31, "1 s", ""},
		{jan31, " 1s", ""},
		{jan31, "1s ", ""},
		{jan31, "1.5h", ""},
		{jan31, "1H", ""},
		{jan31, "1MO", ""},
		{jan31, "1h30m", ""},
		{jan31, "daily", ""},
		{jan31, "٣s", ""},
	} {
		end, ok := after(c.now, c.duration)
		if !ok && c.want == "" {
			continue
		}
		if got := string(appendTime(nil, end)); !ok || got != strconv.Quote(c.want) {
			t.Errorf("%.30s after %d: %s, %v, want %s", c.duration, c.now, got, ok, c.want)
		}
	}
}

func TestBase64URL(t *testing.T) {
	for _, c := range []struct {
		bytes [16]byte
		want  string // printf '...' | basenc --base64url
	}{
		{[16]byte{}, "AAAAAAAAAAAAAAAAAAAAAA"},
		{random, secret[3:]},
		{[16]byte([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")), "_____________________w"},
		{[16]byte([]byte("\xfb\xef\xbeany carnal ple")), "----YW55IGNhcm5hbCBwbA"},
	} {
		if got := string(appendBase64URL(nil, &c.bytes)); got != c.want {
			t.Errorf("%x is %s, want %s", c.bytes, got, c.want)
		}
	}
}

func TestKeysAndAliasesAreUnique(t *testing.T) {
	const (
		exists = "this key already exists"
		taken  = "Key with alias 'a' already exists. Unique key aliases across all keys are required."
	)
	store := new(counted)
	for _, c := range []struct{ body, param, want string }{
		{`{"key": "sk-number-one-of-all", "key_alias": "a"}`, "", ""},
		{`{"key": "sk-number-one-of-all", "key_alias": "a"}`, "key", exists},
		{`{"key": "sk-number-one-of-all", "key_alias": "b"}`, "key", exists},
		{`{"key": "sk-number-two-of-all", "key_alias": "a"}`, "key_alias", taken},
		{`{"key": "sk-number-two-of-all", "key_alias": "b"}`, "", ""}, // the refusals took neither
		{`{"key": "sk-number-three-of-all"}`, "", ""},
		{`{"key": "sk-number-four-of-all", "key_alias": ""}`, "", ""},
	} {
		_, refusal := generate(t, store, c.body)
		if c.want == "" {
			if refusal != nil {
				t.Errorf("%s: %+v", c.body, refusal)
			}
			continue
		}
		want := Refusal{Status: 400, Type: "invalid_request_error", Param: c.param, Message: c.want}
		if refusal == nil || *refusal != want {
			t.Errorf("%s: %+v, want %+v", c.body, refusal, want)
		}
	}
}

func TestStoreFails(t *testing.T) {
	store := &counted{failing: true}
	_, refusal := generate(t, store, `{"key_alias": "a"}`)
	want := Refusal{Status: 503, Type: "internal_server_error", Message: "the key store can't be written"}
	if refusal == nil || *refusal != want {
		t.Errorf("%+v, want %+v", refusal, want)
	}
	store.failing = false
	if _, refusal := generate(t, store, `{"key_alias": "a"}`); refusal != nil {
		t.Errorf("when it works again: %+v", refusal)
	}
}

// A refusal reaches logs and screens that the key must not.
func TestRefusalsHideTheKey(t *testing.T) {
	for _, body := range []string{
		`{"key": "hidden-0123456789"}`, `{"key": "sk-hidden"}`, `{"key": "sk-hidden-0123456789 "}`,
		`{"key": "sk-hidden-0123456789", "rpm_limit": 1}`, `{"key": "sk-hidden-0123456789" "x"}`,
		`{"key": "sk-hidden-0123456789`, `{"key": ["sk-hidden-0123456789"]}`,
	} {
		_, refusal := generate(t, new(counted), body)
		if refusal == nil || strings.Contains(refusal.Message, "hidden") {
			t.Errorf("%s: %+v", body, refusal)
		}
	}
}

// An interrupted store lets another worker act before one of its calls.
type interrupted struct {
	*counted
	calls, before int
	act           func()
}

func (s *interrupted) call() {
	if s.calls++; s.calls == s.before {
		s.act()
	}
}

func (s *interrupted) Get(key string) ([]byte, uint32, quota.Status) {
	s.call()
	return s.counted.Get(key)
}

func (s *interrupted) Set(key string, value []byte, cas uint32) quota.Status {
	s.call()
	return s.counted.Set(key, value, cas)
}

// While one worker makes a key another asks for the same alias, whenever that
// is: one of the two gets it, the other is told, and only the winner's key is
// there.
func TestHammerAlias(t *testing.T) {
	const alias = `{"key_alias": "a"}`
	others := [16]byte{1}
	for before := 1; ; before++ {
		store := new(counted)
		var theirs *Refusal
		worker := &interrupted{counted: store, before: before}
		worker.act = func() {
			_, theirs = Generate(tenant.NewDirectory(store, nil), now, &others, []byte(alias), nil)
		}
		_, mine := Generate(tenant.NewDirectory(worker, nil), now, &random, []byte(alias), nil)
		if worker.calls < before {
			if before < 3 {
				t.Errorf("a key takes %d calls of the store", worker.calls)
			}
			break
		}
		if (mine == nil) == (theirs == nil) {
			t.Fatalf("before call %d: %+v and %+v", before, mine, theirs)
		}
		d := tenant.NewDirectory(store, nil)
		for _, c := range []struct {
			random  [16]byte
			refusal *Refusal
		}{{random, mine}, {others, theirs}} {
			hash := tenant.Hash(string(appendBase64URL([]byte("sk-"), &c.random)))
			_, st := d.Find(&hash)
			switch {
			case c.refusal == nil && st != quota.OK:
				t.Errorf("before call %d: the winner's key: %v", before, st)
			case c.refusal != nil && (st != quota.NotFound || c.refusal.Param != "key_alias"):
				t.Errorf("before call %d: the loser's key: %v, %+v", before, st, c.refusal)
			}
		}
	}
}
