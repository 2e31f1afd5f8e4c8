package admin

import (
	"strconv"
	"strings"
	"testing"

	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

const (
	// plainUser is a user's row behind its id if nothing was asked for, but for its teams.
	plainUser = `"user_alias":null,"user_email":null,"user_role":null,"models":[],"max_budget":null,"soft_budget":null,"budget_duration":null,"max_parallel_requests":null,` +
		`"tpm_limit":null,"rpm_limit":null,"metadata":{},"model_max_budget":{},"model_rpm_limit":{},"model_tpm_limit":{},` + made + `,"spend":0.0,"budget_reset_at":null,"teams":`
	// noLimits is the litellm_budget_table of nothing.
	noLimits = `{"max_budget":null,"soft_budget":null,"budget_duration":null,"max_parallel_requests":null,"tpm_limit":null,"rpm_limit":null}`
)

// The documents' own curl line (seeds/001).
func TestNewUser(t *testing.T) {
	d := newDesk(t)
	d.want("POST /user/new", `{"user_id": "krrish@berri.ai", "max_parallel_requests": 10, "tpm_limit": 20, "rpm_limit": 4}`,
		`{"key":"`+secret+`","token":"`+sha256+`","token_id":"`+sha256+`","duration":null,"key_name":"sk-...0O_w","key_alias":null,"expires":null,"team_id":null,`+
			`"user_id":"krrish@berri.ai","user_alias":null,"user_email":null,"user_role":null,"models":[],"max_budget":null,"soft_budget":null,"budget_duration":null,`+
			`"max_parallel_requests":10,"tpm_limit":20,"rpm_limit":4,"metadata":{},"model_max_budget":{},"model_rpm_limit":{},"model_tpm_limit":{},`+made+
			`,"spend":0.0,"budget_reset_at":null,"teams":[]}`)
	d.want("GET /key/list?user_id=krrish%40berri.ai", "", `{"keys":["`+sha256+`"],"total_count":1,"current_page":1,"total_pages":1}`)
	// The key has no limits of its own: those of the user hold over all its keys.
	k, _ := d.Tenants.Find(tenant.Key, sha256)
	u, _ := d.Tenants.Find(tenant.User, "krrish@berri.ai")
	if k.Limits != (tenant.Limits{}) || u.Limits.RPM != (quota.Cap{Limited: true, Max: 4}) || k.UserID != u.ID {
		t.Errorf("key %+v of user %+v", k, u)
	}

	// With a comment in the body, and no id.
	answer := d.get("POST /user/new", "{\"models\": [\"beta-models\"], # 👈 Model Access Group\n\"max_budget\": 0}")
	for name, want := range map[string]string{
		"user_id": `"01010203-0405-4607-8809-0a0b0c0d0eff"`, "models": `["beta-models"]`, "max_budget": "0.0", "key": `"sk-AgECAwQFBgcICQoLDA0O_w"`,
	} {
		if got := field(t, answer, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}

	// What belongs to a key is the key's; what was spent under the id before there was a record stays.
	d.get("POST /team/new", `{"team_id": "t"}`)
	d.get("POST /team/new", `{"team_id": "s"}`)
	lazy := &tenant.Subject{Kind: tenant.User, ID: "lazy"}
	d.books.set(lazy, "", unit.USD/2)
	d.want("POST /user/new", `{"user_id": "lazy", "user_email": "l@x", "user_role": "internal_user", "key_alias": "a", "duration": "1h", "aliases": {"x": "m"}, "team_id": "t", "models": ["m"],
		"metadata": {"priority": "p"}, "model_rpm_limit": {"m": 1}, "teams": ["s", {"team_id": "t", "max_budget_in_team": 2, "user_role": "admin"}], "max_budget": 1, "budget_duration": "1d"}`,
		`{"key":"sk-AwECAwQFBgcICQoLDA0O_w","token":"`+tokenOf("sk-AwECAwQFBgcICQoLDA0O_w")+`","token_id":"`+tokenOf("sk-AwECAwQFBgcICQoLDA0O_w")+`","duration":"1h","key_name":"sk-...0O_w",`+
			`"key_alias":"a","expires":"2024-01-31T13:34:56.789000Z","team_id":"t","user_id":"lazy","user_alias":null,"user_email":"l@x","user_role":"internal_user","models":["m"],`+
			`"max_budget":1.0,"soft_budget":null,"budget_duration":"1d","max_parallel_requests":null,"tpm_limit":null,"rpm_limit":null,`+
			`"metadata":{"priority": "p","model_rpm_limit":{"m":1}},"model_max_budget":{},"model_rpm_limit":{"m":1},"model_tpm_limit":{},`+made+
			`,"spend":0.5,"budget_reset_at":"2024-02-01T00:00:00Z","teams":["s","t"]}`)
	k, _ = d.Tenants.FindAlias("a")
	if k.TeamID != "t" || k.Priority != "p" || len(k.Models) != 1 || len(k.PerModel) != 1 || len(k.Aliases) != 1 || k.Limits != (tenant.Limits{}) {
		t.Errorf("the key is %+v", k)
	}
	m, _ := d.Tenants.Find(tenant.Member, tenant.MemberID("t", "lazy"))
	if m.Role != "admin" || m.Limits.Budget.Max != 2e12 || m.UserID != "lazy" || m.Email != "l@x" {
		t.Errorf("the member is %+v", m)
	}

	d.want("POST /user/new", `{"user_id": "plain", "auto_create_key": false, "spend": 0.25}`,
		`{"key":"","expires":null,"user_id":"plain",`+strings.Replace(plainUser, `"spend":0.0`, `"spend":0.25`, 1)+`[]}`)
	d.want("GET /key/list?user_id=plain", "", `{"keys":[],"total_count":0,"current_page":1,"total_pages":0}`)

	long := strings.Repeat("x", 600)
	d.get("POST /team/new", `{"team_id": "`+long+`"}`)
	d.refuses(
		no{"POST /user/new", `{"user_id": "plain"}`, "user_id", 409, invalid, "User with id plain already exists"},
		no{"POST /user/new", `{"user_id": 1}`, "user_id", 400, invalid, "user_id: want a string, got 1"},
		no{"POST /user/new", `{"auto_create_key": "no"}`, "auto_create_key", 400, invalid, "auto_create_key must be true or false"},
		no{"POST /user/new", `{"key": "sk-short"}`, "key", 400, invalid, "a custom key must have at least 16 characters and at most 1024"},
		no{"POST /user/new", `{"user_id": "n", "key_alias": "a"}`, "key_alias", 400, invalid, "Key with alias 'a' already exists. Unique key aliases across all keys are required."},
		no{"POST /user/new", `{"user_id": "n", "duration": "x"}`, "duration", 400, invalid, "Invalid duration 'x'. Use a format like '1h', '24h', '7d', or '30d'."},
		no{"POST /user/new", `{"user_id": "n", "team_id": "x"}`, "team_id", 404, notFound, "Team not found, passed team_id=x"},
		no{"POST /user/new", `{"user_id": "n", "teams": ["t", "x"]}`, "teams[1]", 404, notFound, "Team not found, passed team_id=x"},
		no{"POST /user/new", `{"user_id": "n", "teams": ["t", {"team_id": "t"}]}`, "teams[1]", 400, invalid, "teams[1] names a team twice"},
		no{"POST /user/new", `{"user_id": "n", "teams": [{"team_id": "t", "user_role": "x"}]}`, "teams[0].user_role", 400, invalid, "teams[0].user_role must be user or admin"},
		no{"POST /user/new", `{"user_id": "n", "teams": [{"team_id": "t", "max_budget_in_team": -1}]}`, "teams[0].max_budget_in_team", 400, invalid, "teams[0].max_budget_in_team: want a number from 0 to 9000000, got -1"},
		no{"POST /user/new", `{"user_id": "n", "teams": "t"}`, "teams", 400, invalid, "teams must be a list of team ids"},
		no{"POST /user/new", `{"user_id": "n", "teams": [1]}`, "teams[0]", 400, invalid, "teams[0] must be a string"},
		no{"POST /user/new", `{"user_id": "n", "blocked": true}`, "blocked", 400, invalid, "blocked: want nothing, since Fairshare does not enforce it here, got true"},
		no{"POST /user/new", `{"user_id": "n", "spend": "x"}`, "spend", 400, invalid, "spend must be a number from 0 to 9000000"},
	)
	// A membership's id is too long only when both are.
	if _, refusal := d.ask("POST /user/new", `{"user_id": "`+long+`", "teams": ["`+long+`"]}`); refusal == nil || refusal.Status != 400 {
		t.Errorf("%+v", refusal)
	}
	d.Random = func([]byte) bool { return false }
	d.refuses(no{"POST /user/new", `{"auto_create_key": false}`, "", 503, internal, "there is no randomness to make an id or a key of"})
}

func TestUpdateUser(t *testing.T) {
	d := newDesk(t)
	d.get("POST /user/new", `{"user_id": "u", "user_email": "u@x", "models": ["m"], "auto_create_key": false}`)
	d.want("POST /user/update", `{"user_id": "u", "models": [], "user_email": null, "spend": 0.25}`,
		`{"user_id":"u","data":{"user_id":"u",`+strings.Replace(plainUser, `"spend":0.0`, `"spend":0.25`, 1)+`[]}}`)
	d.get("POST /user/update", `{"user_id": "u", "user_email": "u@y"}`)
	if got := field(t, d.get("POST /user/update", `{"user_email": "u@y", "tpm_limit": 5}`), "data", "tpm_limit"); got != "5" {
		t.Errorf("tpm_limit is %s", got)
	}
	d.refuses(
		no{"POST /user/update", `{}`, "user_id", 400, invalid, "Either user id or user email must be provided"},
		no{"POST /user/update", `{"user_id": "v"}`, "user_id", 404, notFound, "User not found, passed user_id=v"},
		no{"POST /user/update", `{"user_email": "u@x"}`, "user_email", 404, notFound, "User not found, passed user_email=u@x"},
		no{"POST /user/update", `{"user_id": ["u"]}`, "user_id", 400, invalid, "user_id must be a string"},
		no{"POST /user/update", `{"user_id": "u", "rpm_limit": 0.5}`, "rpm_limit", 400, invalid, "rpm_limit: want a whole number from 0 to 1000000000000, got 0.5"},
	)
}

func TestUserInfo(t *testing.T) {
	d := newDesk(t)
	d.get("POST /team/new", `{"team_id": "t"}`)
	d.get("POST /user/new", `{"user_id": "a+b c@x", "key": "sk-chosen-by-hand", "teams": ["t"]}`)
	d.get("POST /user/new", `{"user_id": "other"}`)
	want := `{"user_id":"a+b c@x","user_info":{"user_id":"a+b c@x",` + plainUser + `["t"]},` +
		`"keys":[{"token":"` + tokenOf(chosen) + `","key_name":"sk-...hand","key_alias":null,"user_id":"a+b c@x","team_id":null,` + plainKey + `}],"keys_total":1,` +
		`"teams":[{` + plainTeam("t", `"admins":[],"members":["a+b c@x"],"members_with_roles":[{"role":"user","user_id":"a+b c@x","user_email":null}]`) + `}]}`
	d.want("GET /user/info?user_id=a%2Bb%20c%40x", "", want)
	d.want("GET /user/info?user_id=a+b%20c@x", "", want) // as LiteLLM takes a plus here
	d.refuses(
		no{"GET /user/info", "", "user_id", 400, invalid, "user_id is required"},
		no{"GET /user/info?user_id=nope", "", "user_id", 404, notFound, "User nope not found"},
		no{"GET /user/info?user_id=a%00b", "", "user_id", 400, invalid, "user_id must be at most 1024 bytes of UTF-8 without control characters"},
	)
}

func TestListUsers(t *testing.T) {
	d := newDesk(t)
	d.get("POST /team/new", `{"team_id": "t"}`)
	for i := range 30 {
		role, teams := "internal_user", "[]"
		if i%10 == 0 {
			role, teams = "proxy_admin", `["t"]`
		}
		d.get("POST /user/new", `{"user_id": "u`+strconv.Itoa(i)+`", "user_email": "U`+strconv.Itoa(i)+`@x", "user_role": "`+role+`", "teams": `+teams+`, "auto_create_key": false}`)
	}
	for query, want := range map[string]string{
		"":                     "25 u0 u24 30 1 25 2",
		"?page=2":              "5 u25 u29 30 2 25 2",
		"?page=3&page_size=10": "10 u20 u29 30 3 10 3",
		"?role=proxy_admin":    "3 u0 u20 3 1 25 1",
		"?role=proxy_admin&team=t&page=2&page_size=2": "1 u20 u20 3 2 2 2",
		"?user_email=u1":       "11 u1 u19 11 1 25 1",
		"?user_ids=u3,%20u5,u": "2 u3 u5 2 1 25 1",
		"?team=x":              "0   0 1 25 0",
	} {
		answer := d.get("GET /user/list"+query, "")
		rows := strings.Split(answer, `{"user_id":"`)[1:]
		first, last := "", ""
		if len(rows) > 0 {
			first, last = rows[0][:strings.IndexByte(rows[0], '"')], rows[len(rows)-1][:strings.IndexByte(rows[len(rows)-1], '"')]
		}
		got := strings.Join([]string{strconv.Itoa(len(rows)), first, last, field(t, answer, "total"), field(t, answer, "page"), field(t, answer, "page_size"), field(t, answer, "total_pages")}, " ")
		if got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	d.want("GET /user/list?user_ids=u7", "", `{"users":[{"user_id":"u7",`+
		strings.Replace(strings.Replace(plainUser, `"user_email":null`, `"user_email":"U7@x"`, 1), `"user_role":null`, `"user_role":"internal_user"`, 1)+`[]}],"total":1,"page":1,"page_size":25,"total_pages":1}`)
	d.refuses(no{"GET /user/list?page_size=101", "", "page_size", 400, invalid, "page_size must be a whole number from 1 to 100"})
}

// A user's keys and memberships go with it.
func TestDeleteUsers(t *testing.T) {
	d := newDesk(t)
	d.get("POST /team/new", `{"team_id": "t"}`)
	d.get("POST /user/new", `{"user_id": "u", "key": "sk-chosen-by-hand", "teams": ["t"], "spend": 1}`)
	d.get("POST /user/new", `{"user_id": "v", "key": "sk-other-0123456789", "teams": ["t"]}`)
	d.refuses(
		no{"POST /user/delete", `{}`, "user_ids", 400, invalid, "user_ids is required"},
		no{"POST /user/delete", `{"user_ids": ["u", "x"]}`, "user_ids", 404, notFound, "User not found, passed user_id=x"},
		no{"POST /user/delete", `{"user_ids": [""]}`, "user_ids[0]", 400, invalid, "user_ids[0] must be a string that is not empty"},
	)
	d.want("POST /user/delete", `{"user_ids": ["u"]}`, "1")
	d.refuses(no{"GET /user/info?user_id=u", "", "user_id", 404, notFound, "User u not found"},
		no{"GET /key/info?key=" + chosen, "", "key", 404, notFound, "Key not found in database"})
	if got := field(t, d.get("GET /team/info?team_id=t", ""), "team_info", "members"); got != `["v"]` {
		t.Errorf("members %s", got)
	}
	if len(d.books.spend) != 0 {
		t.Errorf("books %v", d.books.spend)
	}
}
