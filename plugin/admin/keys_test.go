package admin

import (
	"reflect"
	"strings"
	"testing"

	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

const (
	// made is the end of a row that was made now and not changed since.
	made = `"created_at":"2024-01-31T12:34:56.789000Z","updated_at":"2024-01-31T12:34:56.789000Z"`
	// byAdmin is the end of a key's row.
	byAdmin = `"permissions":{},"config":{},"allowed_cache_controls":[],"created_by":"default_user_id","updated_by":"default_user_id"`
	// plainKey is a key's row behind key_alias, user_id and team_id if nothing was asked for.
	plainKey = `"budget_id":null,"models":[],"aliases":{},"max_budget":null,"soft_budget":null,"budget_duration":null,"max_parallel_requests":null,` +
		`"tpm_limit":null,"rpm_limit":null,"metadata":{},"model_max_budget":{},"model_rpm_limit":{},"model_tpm_limit":{},"blocked":false,"expires":null,` + made +
		`,"spend":0.0,"budget_reset_at":null,"litellm_budget_table":null,"model_spend":{},` + byAdmin

	chosen  = "sk-chosen-by-hand"
	missing = "sk-none-such-0123456789"
)

func TestGenerateKey(t *testing.T) {
	const (
		full = `{"key": "sk-chosen-by-hand", "key_alias": "a\"b", "user_id": "\u00e9", "models": ["m", "openai/*"], "aliases": {"x": "m"},
			"metadata": { "priority" : "prod", "n": [1.50, null] }, "duration": "30d", "max_budget": 10, "soft_budget": 1e-9, "budget_duration": "1d",
			"tpm_limit": 20, "rpm_limit": 4.0, "max_parallel_requests": 0, "model_max_budget": {"m": {"budget_limit": 2, "time_period": "1d"}},
			"model_rpm_limit": {"m": 3}, "spend": 0.25, "key_type": "llm_api", "send_invite_email": false, "unknown": [1]}`
		empty = `{"key":"` + secret + `","token":"` + sha256 + `","token_id":"` + sha256 + `","duration":null,"key_name":"sk-...0O_w","key_alias":null,"user_id":null,"team_id":null,` + plainKey + `}`
	)
	token := tokenOf(chosen)
	for _, c := range []struct{ body, want string }{
		{``, empty},
		{`{}`, empty},
		{" {\"key\": null, \"key_alias\": null, \"models\": null, # none\r\n \"metadata\": null, \"duration\": null, \"max_budget\": null, \"spend\": null, \"unknown\": [1,],} ", strings.Replace(empty, `,"spend"`, `,"unknown":[1 ],"spend"`, 1)},
		{
			full, `{"key":"` + chosen + `","token":"` + token + `","token_id":"` + token + `","duration":"30d","key_name":"sk-...hand","key_alias":"a\"b","user_id":"é","team_id":null,` +
				`"budget_id":null,"models":["m","openai/*"],"aliases":{"x":"m"},"max_budget":10.0,"soft_budget":1e-09,"budget_duration":"1d","max_parallel_requests":0,` +
				`"tpm_limit":20,"rpm_limit":4,"metadata":{ "priority" : "prod", "n": [1.50, null],"model_rpm_limit":{"m":3}},` +
				`"model_max_budget":{"m":{"budget_limit":2.0,"time_period":"1d"}},"model_rpm_limit":{"m":3},"model_tpm_limit":{},"blocked":false,"expires":"2024-03-01T12:34:56.789000Z",` + made +
				`,"send_invite_email":false,"unknown":[1],"spend":0.25,"budget_reset_at":"2024-02-01T00:00:00Z","litellm_budget_table":null,"model_spend":{"m":0.0},` + byAdmin + `}`,
		},
	} {
		newDesk(t).want("POST /key/generate", c.body, c.want)
		// The answer may be written over the body.
		d := newDesk(t)
		buf := append(make([]byte, 0, 8192), c.body...)
		route, _ := Find("/key/generate")
		over, _ := d.Serve(now, &Request{Route: route, Body: buf}, buf[:0])
		if string(over) != c.want {
			t.Errorf("%s: an answer written over the body is %s", c.body, over)
		}
	}

	d := newDesk(t)
	d.get("POST /key/generate", full)
	got, st := d.Tenants.Find(tenant.Key, token)
	hash := tenant.Hash(chosen)
	day := got.Limits.Duration
	want := &tenant.Subject{
		Kind: tenant.Key, ID: token, Hash: hash, Line: quota.KeyID(&hash), Name: "sk-...hand", Alias: `a"b`, UserID: "é",
		Models: []string{"m", "openai/*"}, Aliases: [][2]string{{"x", "m"}}, Metadata: `{ "priority" : "prod", "n": [1.50, null] }`, Priority: "prod",
		Extra: `{"send_invite_email":false,"unknown":[1]}`,
		Limits: tenant.Limits{
			Budget: quota.Cap{Limited: true, Max: 10e12}, Soft: quota.Cap{Limited: true, Max: 1000}, Duration: day,
			TPM: quota.Cap{Limited: true, Max: 20}, RPM: quota.Cap{Limited: true, Max: 4}, Parallel: quota.Cap{Limited: true},
		},
		PerModel: []tenant.ModelLimits{{Model: "m", Limits: tenant.Limits{Budget: quota.Cap{Limited: true, Max: 2e12}, Duration: day, RPM: quota.Cap{Limited: true, Max: 3}}}},
		Created:  now, Updated: now, Expires: now + 30*86400_000,
	}
	if st != quota.OK || day.String() != "1d" || !reflect.DeepEqual(got, want) {
		t.Errorf("stored\n %+v, want\n %+v", got, want)
	}
	if spend := d.books.spend[account(got, "")]; spend != unit.USD/4 {
		t.Errorf("spent %s", spend)
	}
}

// Each row is a body that must be refused, the field that is named, and the
// whole text.
func TestGenerateKeyRefuses(t *testing.T) {
	const (
		object    = "the body must be a JSON object"
		durations = ". Use a format like '1h', '24h', '7d', or '30d'."
		badKey    = "Invalid key format. LiteLLM Virtual Key must start with 'sk-'. Received: ****"
		unprinted = "a key must be of printable ASCII without blanks and commas: it travels in a header"
		length    = "a custom key must have at least 16 characters and at most 1024"
		where     = ": want nothing, since Fairshare does not enforce it here, got "
	)
	x := func(n int) string { return strings.Repeat("x", n) }
	d := newDesk(t)
	d.get("POST /key/generate", `{"key": "sk-chosen-by-hand", "key_alias": "taken"}`)
	for _, c := range []struct{ body, param, want string }{
		// The body as a whole.
		{"null", "", object},
		{"[]", "", object},
		{`"{}"`, "", object},
		{" ", "", object + ": line 1 column 2: want a JSON value, got the end"},
		{"{", "", object + ": line 1 column 2: want a name in double quotes, got the end"},
		{"{,}", "", object + ": line 1 column 2: want a name in double quotes, got \",\""},
		{"{} {}", "", object + ": line 1 column 4: want the end of the JSON text, got \"{\""},
		{"{\"user_id\": \"\xff\"}", "", object + ": line 1 column 14: want text in UTF-8, got another byte"},
		{`{"user_id": "a", "user\u005fid": "a"}`, "", object + ": user_id: want a name that occurs once, got it twice"},
		{`{"metadata": {"a": {"b": 1, "b": 2}}}`, "", object + ": metadata.a.b: want a name that occurs once, got it twice"},
		{`{"x": ` + strings.Repeat("[", 5000), "", object + ": x: want at most 64 lists and objects inside each other, got more"},
		{`{"metadata": {"x": "` + x(7000) + `"}, "models": [` + strings.Repeat(`"`+x(1000)+`",`, 10) + `"` + x(1000) + `"]}`, "", "the record would be larger than 16384 bytes, or an id in it than 1024"},

		// The key.
		{`{"key": 1}`, "key", "key must be a string"},
		{`{"key": ""}`, "key", badKey},
		{`{"key": "SK-0123456789abcdef"}`, "key", badKey},
		{`{"key": "sk-0123456789ab"}`, "key", length},
		{`{"key": "sk-` + x(1022) + `"}`, "key", length},
		{`{"key": "sk-0123456789 abc"}`, "key", unprinted},
		{`{"key": "sk-0123456789\u0000abc"}`, "key", unprinted},
		{`{"key": "sk-0123456789\r\nabc"}`, "key", unprinted},
		{`{"key": "sk-0123456789abcé"}`, "key", unprinted},
		{`{"key": "sk-0123456789,abc"}`, "key", unprinted},
		{`{"key": "sk-chosen-by-hand"}`, "key", "this key already exists"},
		{`{"key": "sk-chosen-by-hand", "key_alias": "taken"}`, "key", "this key already exists"},
		{`{"key_alias": "taken"}`, "key_alias", "Key with alias 'taken' already exists. Unique key aliases across all keys are required."},
		{`{"key_type": "management"}`, "key_type", "key_type must be default or llm_api: only the master key opens other routes"},
		{`{"key_type": 1}`, "key_type", "key_type must be a string"},

		// Fields.
		{`{"max_budget": "one"}`, "max_budget", `max_budget: want a number from 0 to 9000000, got "one"`},
		{`{"models": ["m", 1]}`, "models[1]", "models[1]: want a string, got 1"},
		{`{"model_rpm_limit": {"m": -1}}`, "model_rpm_limit.m", "model_rpm_limit.m: want a whole number from 0 to 1000000000000, got -1"},
		{`{"metadata": {"tag_rpm_limit": {"t": 1}}}`, "metadata.tag_rpm_limit", "metadata.tag_rpm_limit" + where + "an object"},
		{`{"allowed_routes": ["/x"]}`, "allowed_routes", "allowed_routes" + where + "a list"},
		{`{"duration": "1y"}`, "duration", "Invalid duration '1y'" + durations},
		{`{"budget_duration": "30 days"}`, "budget_duration", "Invalid budget_duration '30 days'" + durations},
		{`{"budget_duration": 30}`, "budget_duration", "Invalid budget_duration '30'" + durations},
		{`{"budget_duration": "` + x(300) + `"}`, "budget_duration", "Invalid budget_duration '\"" + x(64) + "\"...'" + durations},
		{`{"model_rpm_limit": {"` + x(300) + `": -1}}`, "model_rpm_limit." + x(240) + "...", "model_rpm_limit." + x(240) + "...: want a whole number from 0 to 1000000000000, got -1"},
		{`{"spend": -1}`, "spend", "spend must be a number from 0 to 9000000"},
		{`{"spend": "1"}`, "spend", "spend must be a number from 0 to 9000000"},
		{`{"budget_id": "b"}`, "budget_id", "Budget not found, passed budget_id=b"},
		{`{"user_id": "` + x(1025) + `"}`, "user_id", "user_id: want at most 1024 bytes, got 1025"},
	} {
		d.refuses(no{"POST /key/generate", c.body, c.param, 400, invalid, c.want})
	}
	d.refuses(
		no{"POST /key/generate", `{"team_id": "t"}`, "team_id", 404, notFound, "Team not found, passed team_id=t"},
		no{"POST /key/generate", "{}" + strings.Repeat(" ", maxBody-1), "", 413, invalid, "the body must be at most 65536 bytes"},
	)
	d.get("POST /key/generate", "{}"+strings.Repeat(" ", maxBody-2))
	d.Random = func([]byte) bool { return false }
	d.refuses(no{"POST /key/generate", "", "", 503, internal, "there is no randomness to make an id or a key of"})
	d.get("POST /key/generate", `{"key": "sk-0123456789-mine"}`)
}

// A refusal reaches logs and screens that the key must not.
func TestRefusalsHideTheKey(t *testing.T) {
	d := newDesk(t)
	d.get("POST /key/generate", `{"key": "sk-0123456789-mine"}`)
	for _, body := range []string{
		`{"key": "hidden-0123456789"}`, `{"key": "sk-hidden"}`, `{"key": "sk-hidden-0123456789 "}`,
		`{"key": "sk-hidden-0123456789", "rpm_limit": -1}`, `{"key": "sk-hidden-0123456789" "x"}`,
		`{"key": "sk-hidden-0123456789`, `{"key": ["sk-hidden-0123456789"]}`,
		`{"keys": ["sk-hidden-0123456789"]}`, `{"new_key": "sk-hidden"}`, `{"new_key": "sk-hidden-0123456789", "rpm_limit": -1}`,
	} {
		for _, path := range []string{"/key/generate", "/key/update", "/key/delete", "/key/block", "/key/regenerate", "/key/sk-hidden-0123456789/regenerate", "/key/sk-0123456789-mine/regenerate"} {
			if _, refusal := d.ask("POST "+path, body); refusal != nil && strings.Contains(refusal.Message+refusal.Param, "hidden") {
				t.Errorf("%s %s: %+v", path, body, refusal)
			}
		}
	}
	if _, refusal := d.ask("GET /key/info?key=sk-hidden-0123456789", ""); refusal == nil || strings.Contains(refusal.Message, "hidden") {
		t.Errorf("%+v", refusal)
	}
	route, _ := Find("/key/sk-hidden-0123456789/regenerate")
	if strings.Contains(route.Path, "hidden") {
		t.Errorf("%+v", route)
	}
}

// Answers to other requests than those that make a key never show it.
func TestAnswersHideTheKey(t *testing.T) {
	d := newDesk(t)
	d.get("POST /user/new", `{"user_id": "u", "auto_create_key": false}`)
	d.get("POST /team/new", `{"team_id": "t"}`)
	d.get("POST /key/generate", `{"key": "sk-chosen-by-hand", "user_id": "u", "team_id": "t"}`)
	for _, c := range [][2]string{
		{"GET /key/info?key=" + chosen},
		{"GET /key/list?return_full_object=true"},
		{"POST /key/update", `{"key": "sk-chosen-by-hand", "tpm_limit": 1}`},
		{"POST /key/block", `{"key": "sk-chosen-by-hand"}`},
		{"POST /key/unblock", `{"key": "sk-chosen-by-hand"}`},
		{"GET /user/info?user_id=u"},
		{"GET /team/info?team_id=t"},
		{"GET /spend/keys"},
		{"GET /spend/keys?api_key=" + chosen},
		{"POST /key/delete", `{"keys": ["sk-chosen-by-hand"]}`},
	} {
		if answer := d.get(c[0], c[1]); strings.Contains(answer, "chosen") || !strings.Contains(answer, tokenOf(chosen)) {
			t.Errorf("%s: %s", c[0], answer)
		}
	}
}

func TestUpdateKey(t *testing.T) {
	d := newDesk(t)
	d.get("POST /team/new", `{"team_id": "t"}`)
	d.get("POST /budget/new", `{"budget_id": "b", "max_budget": 3, "budget_duration": "30d"}`)
	d.get("POST /key/generate", `{"key": "sk-chosen-by-hand", "key_alias": "a", "max_budget": 1, "duration": "1d", "metadata": {"x":1}}`)
	d.get("POST /key/generate", `{"key": "sk-other-0123456789", "key_alias": "b"}`)
	token := tokenOf(chosen)
	d.books.set(&tenant.Subject{Kind: tenant.Key, ID: token}, "", unit.USD/2)

	// What is not named stays, and so does what was spent.
	d.want("POST /key/update", `{"key": "sk-chosen-by-hand", "tpm_limit": 7, "team_id": "t", "budget_id": "b", "key_alias": "c",}`,
		`{"key":"`+token+`","key_name":"sk-...hand","key_alias":"c","user_id":null,"team_id":"t","budget_id":"b","models":[],"aliases":{},"max_budget":1.0,"soft_budget":null,`+
			`"budget_duration":null,"max_parallel_requests":null,"tpm_limit":7,"rpm_limit":null,"metadata":{"x":1},"model_max_budget":{},"model_rpm_limit":{},"model_tpm_limit":{},`+
			`"blocked":false,"expires":"2024-02-01T12:34:56.789000Z",`+made+`,"spend":0.5,"budget_reset_at":"2024-02-01T00:00:00Z",`+
			`"litellm_budget_table":{"budget_id":"b","max_budget":3.0,"soft_budget":null,"budget_duration":"30d","max_parallel_requests":null,"tpm_limit":null,"rpm_limit":null},`+
			`"model_spend":{},`+byAdmin+`}`)
	// By its hash; null clears.
	d.want("POST /key/update", `{"key": "`+token+`", "max_budget": null, "duration": null, "metadata": null, "tpm_limit": null, "team_id": null, "budget_id": null, "key_alias": null,
		"temp_budget_increase": 1.5, "temp_budget_expiry": "2024-03-01", "spend": 0.125}`,
		`{"key":"`+token+`","key_name":"sk-...hand","key_alias":null,"user_id":null,"team_id":null,"budget_id":null,"models":[],"aliases":{},"max_budget":null,"soft_budget":null,`+
			`"budget_duration":null,"max_parallel_requests":null,"tpm_limit":null,"rpm_limit":null,"metadata":{},"model_max_budget":{},"model_rpm_limit":{},"model_tpm_limit":{},`+
			`"blocked":false,"temp_budget_increase":1.5,"temp_budget_expiry":"2024-03-01T00:00:00Z","expires":null,`+made+
			`,"spend":0.125,"budget_reset_at":null,"litellm_budget_table":null,"model_spend":{},`+byAdmin+`}`)
	d.want("GET /key/list?key_alias=b", "", `{"keys":["`+tokenOf("sk-other-0123456789")+`"],"total_count":1,"current_page":1,"total_pages":1}`)
	// The alias it had is free, its own it may name again.
	d.get("POST /key/update", `{"key": "sk-other-0123456789", "key_alias": "a"}`)
	d.get("POST /key/update", `{"key": "sk-other-0123456789", "key_alias": "a"}`)
	d.refuses(
		no{"POST /key/update", `{}`, "key", 400, invalid, "key is required"},
		no{"POST /key/update", `{"key": 1}`, "key", 400, invalid, "key must be a string"},
		no{"POST /key/update", `{"key": "` + missing + `", "tpm_limit": 1}`, "key", 404, notFound, "Key not found."},
		no{"POST /key/update", `{"key": "` + strings.ToUpper(token) + `"}`, "key", 404, notFound, "Key not found."},
		no{"POST /key/update", `{"key": "` + chosen + `", "tpm_limit": 1, "rpm_limit": -1}`, "rpm_limit", 400, invalid, "rpm_limit: want a whole number from 0 to 1000000000000, got -1"},
		no{"POST /key/update", `{"key": "` + chosen + `", "key_alias": "a"}`, "key_alias", 400, invalid, "Key with alias 'a' already exists. Unique key aliases across all keys are required."},
		no{"POST /key/update", `{"key": "` + chosen + `", "team_id": "x"}`, "team_id", 404, notFound, "Team not found, passed team_id=x"},
		no{"POST /key/update", `{"key": "` + chosen + `", "budget_id": "x"}`, "budget_id", 400, invalid, "Budget not found, passed budget_id=x"},
		no{"POST /key/update", `{"key": "` + chosen + `", "spend": false, "tpm_limit": 9}`, "spend", 400, invalid, "spend must be a number from 0 to 9000000"},
		no{"POST /key/update", `{"key": "` + chosen + `", "temp_budget_increase": 9}`, "temp_budget_increase", 400, invalid, "temp_budget_increase: want temp_budget_increase and temp_budget_expiry together, got one of them"},
	)
}

// An edit is seen, and when it was made, whatever this worker knew before.
func TestEditsAreSeen(t *testing.T) {
	d := newDesk(t)
	d.get("POST /key/generate", `{"key": "sk-chosen-by-hand"}`)
	other := newDesk(t)
	other.Tenants = tenant.NewDirectory(&d.shelf.Memory, nil)
	// As at the beginning of an exchange, before the body came.
	other.Tenants.Refresh(now)
	if _, st := other.Tenants.Find(tenant.Key, tokenOf(chosen)); st != quota.OK {
		t.Fatal(st)
	}
	route, _ := Find("/key/update")
	if _, refusal := d.Serve(now+1500, &Request{Route: route, Body: []byte(`{"key": "sk-chosen-by-hand", "tpm_limit": 5}`)}, nil); refusal != nil {
		t.Fatal(refusal)
	}
	info := other.get("GET /key/info?key="+chosen, "")
	for name, want := range map[string]string{"tpm_limit": "5", "created_at": `"2024-01-31T12:34:56.789000Z"`, "updated_at": `"2024-01-31T12:34:58.289000Z"`} {
		if got := field(t, info, "info", name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestBlockKey(t *testing.T) {
	d := newDesk(t)
	d.get("POST /key/generate", `{"key": "sk-chosen-by-hand"}`)
	token := tokenOf(chosen)
	row := `{"token":"` + token + `","key_name":"sk-...hand","key_alias":null,"user_id":null,"team_id":null,` + plainKey + `}`
	d.want("POST /key/block", `{"key": "sk-chosen-by-hand", "spend": 5, "tpm_limit": 1}`, strings.Replace(row, `"blocked":false`, `"blocked":true`, 1))
	if got := field(t, d.get("GET /key/info?key="+token, ""), "info", "status"); got != `"revoked"` {
		t.Errorf("status %s", got)
	}
	d.want("POST /key/unblock", `{"key": "`+token+`"}`, row)
	d.refuses(
		no{"POST /key/block", `{"key": "` + missing + `"}`, "key", 404, notFound, "Key not found."},
		no{"POST /key/unblock", ``, "key", 400, invalid, "key is required"},
	)
}

func TestDeleteKeys(t *testing.T) {
	d := newDesk(t)
	keys := []string{"sk-0123456789-one", "sk-0123456789-two", "sk-0123456789-three"}
	for i, key := range keys {
		d.get("POST /key/generate", `{"key": "`+key+`", "key_alias": "a`+string(rune('0'+i))+`", "spend": 1}`)
	}
	d.refuses(
		no{"POST /key/delete", `{}`, "keys", 400, invalid, "At least one of 'keys' or 'key_aliases' must be provided."},
		no{"POST /key/delete", `{"keys": []}`, "keys", 400, invalid, "At least one of 'keys' or 'key_aliases' must be provided."},
		no{"POST /key/delete", `{"keys": "` + keys[0] + `"}`, "keys", 400, invalid, "keys must be a list of strings"},
		no{"POST /key/delete", `{"keys": ["` + keys[0] + `", 1]}`, "keys[1]", 400, invalid, "keys[1] must be a string"},
		no{"POST /key/delete", `{"keys": ["` + missing + `"]}`, "keys", 404, notFound, "{'error': 'No keys found'}"},
		no{"POST /key/delete", `{"key_aliases": ["x"]}`, "keys", 404, notFound, "{'error': 'No keys found'}"},
	)
	d.want("POST /key/delete", `{"keys": ["`+keys[0]+`", "`+missing+`", "`+tokenOf(keys[0])+`"], "key_aliases": ["a1", "x"]}`,
		`{"deleted_keys":["`+tokenOf(keys[0])+`","`+tokenOf(keys[1])+`"]}`)
	d.want("GET /key/list", "", `{"keys":["`+tokenOf(keys[2])+`"],"total_count":1,"current_page":1,"total_pages":1}`)
	// Another key of the name begins at nothing.
	if got := field(t, d.get("POST /key/generate", `{"key": "`+keys[0]+`", "key_alias": "a0"}`), "spend"); got != "0.0" {
		t.Errorf("spent %s", got)
	}
}

func TestKeyInfo(t *testing.T) {
	d := newDesk(t)
	d.get("POST /key/generate", `{"key": "sk-chosen-by-hand", "model_max_budget": {"m": 1, "n": {"rpm_limit": 1}}}`)
	d.get("POST /key/generate", `{"key": "sk-other-0123456789", "duration": "1s"}`)
	token := tokenOf(chosen)
	key := &tenant.Subject{Kind: tenant.Key, ID: token}
	d.books.set(key, "m", unit.USD/8)
	want := `{"key":"` + token + `","info":{"status":"active","key_name":"sk-...hand","key_alias":null,"user_id":null,"team_id":null,"budget_id":null,"models":[],"aliases":{},` +
		`"max_budget":null,"soft_budget":null,"budget_duration":null,"max_parallel_requests":null,"tpm_limit":null,"rpm_limit":null,"metadata":{"model_rpm_limit":{"n":1}},` +
		`"model_max_budget":{"m":{"budget_limit":1.0}},"model_rpm_limit":{"n":1},"model_tpm_limit":{},"blocked":false,"expires":null,` + made +
		`,"spend":0.0,"budget_reset_at":null,"litellm_budget_table":null,"model_spend":{"m":0.125},` + byAdmin + `}}`
	d.want("GET /key/info?x=1&key=sk%2dchosen-by-hand&key=sk-2", "", want)
	d.want("GET /key/info?key="+token, "not read", want)
	unknown := no{"GET /key/info?key=" + missing, "", "key", 404, notFound, "Key not found in database"}
	d.refuses(unknown, no{"GET /key/info", "", "key", 404, notFound, "Key not found in database"},
		no{"GET /key/info?key=%ff", "", "key", 400, invalid, "key must be at most 1024 bytes of UTF-8 without control characters"})

	// A virtual key asks for itself.
	d.caller = key
	d.want("GET /key/info", "", want)
	d.want("GET /key/info?key="+chosen, "", want)
	other := no{"GET /key/info?key=sk-other-0123456789", "", "key", 403, "auth_error", "You are not allowed to access this key's info. Your role=unknown"}
	d.refuses(other, no{"GET /key/info?key=" + missing, "", "key", 403, "auth_error", other.message})
	const admin = "Authentication Error, Only proxy admin can be used to generate, delete, update info for new keys/users/teams. Route="
	for _, what := range []string{"POST /key/generate", "GET /key/list", "POST /key/x/regenerate", "POST /user/new", "GET /global/spend", "POST /end_user/new"} {
		path := strings.Replace(what[strings.IndexByte(what, ' ')+1:], "/x/", "/{key}/", 1)
		d.refuses(no{what, "{", "None", 401, "auth_error", admin + path + ". Your role=unknown. Your user_id=***"})
	}
	d.caller = nil
	route, _ := Find("/key/info")
	out, _ := d.Serve(now+1000, &Request{Route: route, Query: "key=sk-other-0123456789"}, nil)
	if got := field(t, string(out), "info", "status"); got != `"expired"` {
		t.Errorf("status %s", got)
	}
}

func TestListKeys(t *testing.T) {
	d := newDesk(t)
	d.get("POST /team/new", `{"team_id": "t"}`)
	var tokens []string
	for i := range 12 {
		key := "sk-0123456789ab-" + string(rune('a'+i))
		body := `{"key": "` + key + `"`
		if i%3 == 0 {
			body += `, "user_id": "u&v"`
		}
		if i%2 == 0 {
			body += `, "team_id": "t"`
		}
		d.get("POST /key/generate", body+`, "key_alias": "a`+key[len(key)-1:]+`"}`)
		tokens = append(tokens, tokenOf(key))
	}
	list := func(i ...int) string {
		var all []string
		for _, i := range i {
			all = append(all, `"`+tokens[i]+`"`)
		}
		return strings.Join(all, ",")
	}
	for what, want := range map[string]string{
		"GET /key/list":                                       `{"keys":[` + list(0, 1, 2, 3, 4, 5, 6, 7, 8, 9) + `],"total_count":12,"current_page":1,"total_pages":2}`,
		"GET /key/list?page=2":                                `{"keys":[` + list(10, 11) + `],"total_count":12,"current_page":2,"total_pages":2}`,
		"GET /key/list?page=3":                                `{"keys":[],"total_count":12,"current_page":3,"total_pages":2}`,
		"GET /key/list?page=2&size=5":                         `{"keys":[` + list(5, 6, 7, 8, 9) + `],"total_count":12,"current_page":2,"total_pages":3}`,
		"GET /key/list?user_id=u%26v":                         `{"keys":[` + list(0, 3, 6, 9) + `],"total_count":4,"current_page":1,"total_pages":1}`,
		"GET /key/list?team_id=t&size=2":                      `{"keys":[` + list(0, 2) + `],"total_count":6,"current_page":1,"total_pages":3}`,
		"GET /key/list?team_id=t&user_id=u%26v&size=1&page=2": `{"keys":[` + list(6) + `],"total_count":2,"current_page":2,"total_pages":2}`,
		"GET /key/list?key_hash=" + tokens[7]:                 `{"keys":[` + list(7) + `],"total_count":1,"current_page":1,"total_pages":1}`,
		"GET /key/list?key_alias=ac&team_id=t":                `{"keys":[` + list(2) + `],"total_count":1,"current_page":1,"total_pages":1}`,
		"GET /key/list?key_alias=ab&team_id=t":                `{"keys":[],"total_count":0,"current_page":1,"total_pages":0}`,
		"GET /key/list?user_id=nobody":                        `{"keys":[],"total_count":0,"current_page":1,"total_pages":0}`,
		"GET /key/list?page=2&size=1&return_full_object=True": `{"keys":[{"token":"` + tokens[1] + `","key_name":"sk-...ab-b","key_alias":"ab","user_id":null,"team_id":null,` +
			plainKey + `}],"total_count":12,"current_page":2,"total_pages":12}`,
	} {
		d.want(what, "", want)
	}
	for query, param := range map[string]string{"page=0": "page", "page=-1": "page", "page=x": "page", "page=1000000001": "page", "page=99999999999999999999": "page"} {
		d.refuses(no{"GET /key/list?" + query, "", param, 400, invalid, "page must be a whole number from 1 to 1000000000"})
	}
	for _, query := range []string{"size=0", "size=101", "size=1.5", "size=+1"} {
		d.refuses(no{"GET /key/list?" + query, "", "size", 400, invalid, "size must be a whole number from 1 to 100"})
	}
}

func TestRegenerateKey(t *testing.T) {
	d := newDesk(t)
	d.get("POST /key/generate", `{"key": "sk-chosen-by-hand", "key_alias": "a", "user_id": "u", "max_budget": 1, "model_max_budget": {"m": 1}, "duration": "30d", "metadata": {"priority":"p"}, "spend": 0.5}`)
	d.get("POST /key/generate", `{"key": "sk-other-0123456789", "key_alias": "b"}`)
	old, st := d.Tenants.Find(tenant.Key, tokenOf(chosen))
	if st != quota.OK {
		t.Fatal(st)
	}
	d.books.set(old, "m", unit.USD/4)
	was := *old
	token := tokenOf(secret)
	d.want("POST /key/sk-chosen-by-hand/regenerate", `{"rpm_limit": 3}`,
		`{"key":"`+secret+`","token":"`+token+`","token_id":"`+token+`","duration":null,"key_name":"sk-...0O_w","key_alias":"a","user_id":"u","team_id":null,"budget_id":null,"models":[],`+
			`"aliases":{},"max_budget":1.0,"soft_budget":null,"budget_duration":null,"max_parallel_requests":null,"tpm_limit":null,"rpm_limit":3,"metadata":{"priority":"p"},`+
			`"model_max_budget":{"m":{"budget_limit":1.0}},"model_rpm_limit":{},"model_tpm_limit":{},"blocked":false,"expires":"2024-03-01T12:34:56.789000Z",`+made+
			`,"spend":0.5,"budget_reset_at":null,"litellm_budget_table":null,"model_spend":{"m":0.25},`+byAdmin+`}`)
	d.refuses(no{"GET /key/info?key=" + chosen, "", "key", 404, notFound, "Key not found in database"})
	if len(d.books.spend) != 2 {
		t.Errorf("the books are %v", d.books.spend)
	}
	got, _ := d.Tenants.FindAlias("a")
	hash := tenant.Hash(secret)
	was.ID, was.Books, was.Hash, was.Name, was.Limits.RPM = token, was.Hash, hash, "sk-...0O_w", quota.Cap{Limited: true, Max: 3}
	if !reflect.DeepEqual(*got, was) {
		t.Errorf("the new key is\n%+v, want\n%+v", *got, was)
	}

	// By the hash, in the body, with a key of one's own, other books and another alias; a blocked key stays blocked.
	d.get("POST /key/block", `{"key": "`+secret+`"}`)
	answer := d.get("POST /key/regenerate", `{"key": "`+token+`", "new_key": "sk-second-by-hand", "spend": 0, "key_alias": "c"}`)
	for name, want := range map[string]string{"key": `"sk-second-by-hand"`, "key_alias": `"c"`, "spend": "0.0", "blocked": "true", "rpm_limit": "3", "model_spend": `{"m":0.25}`} {
		if got := field(t, answer, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	const keys = "POST /key/sk-second-by-hand/regenerate"
	d.refuses(
		no{"POST /key/sk-none-such-0123456789/regenerate", "", "key", 404, notFound, "Key not found."},
		no{"POST /key/regenerate", "", "key", 400, invalid, "No key passed in."},
		no{keys, `{"new_key": "sk-other-0123456789"}`, "new_key", 400, invalid, "this key already exists"},
		no{keys, `{"new_key": "sk-second-by-hand"}`, "new_key", 400, invalid, "this key already exists"},
		no{keys, `{"new_key": "second-by-hand-0"}`, "new_key", 400, invalid, "Invalid key format. LiteLLM Virtual Key must start with 'sk-'. Received: ****"},
		no{keys, `{"key_alias": "b"}`, "key_alias", 400, invalid, "Key with alias 'b' already exists. Unique key aliases across all keys are required."},
		no{keys, `{"team_id": "x"}`, "team_id", 404, notFound, "Team not found, passed team_id=x"},
		no{keys, `{"rpm_limit": "x"}`, "rpm_limit", 400, invalid, `rpm_limit: want a whole number from 0 to 1000000000000, got "x"`},
		no{keys, `{"spend": "x"}`, "spend", 400, invalid, "spend must be a number from 0 to 9000000"},
		no{keys, `{"grace_period": "1d"}`, "grace_period", 400, invalid, "grace_period is not supported: the old key ends at once, and the master key is the configuration's"},
		no{keys, `{"new_master_key": "sk-x"}`, "new_master_key", 400, invalid, "new_master_key is not supported: the old key ends at once, and the master key is the configuration's"},
	)
	// A worker that died in the middle leaves a blocked key, which can be unblocked.
	_, _ = d.Tenants.Change(tenant.Key, tokenOf("sk-second-by-hand"), func(k *tenant.Subject) { k.Blocked, k.Role = true, regenerating })
	const busy = "this key is being regenerated by another request: unblock or delete it if that has failed"
	for _, what := range []string{keys, "POST /key/update", "POST /key/block"} {
		if _, refusal := d.ask(what, `{"key": "sk-second-by-hand"}`); refusal == nil || *refusal != (Refusal{Status: 409, Type: invalid, Param: "key", Message: busy}) {
			t.Errorf("%s: %+v", what, refusal)
		}
	}
	d.get("POST /key/unblock", `{"key": "sk-second-by-hand"}`)
	d.get("POST /key/update", `{"key": "sk-second-by-hand"}`)

	// The key and its alias are as they were.
	if k, _ := d.Tenants.FindAlias("c"); k == nil || k.ID != tokenOf("sk-second-by-hand") {
		t.Errorf("the alias leads to %+v", k)
	}
}

// What the configuration declares the API shows and does not change.
func TestDeclaredKey(t *testing.T) {
	declared := &tenant.Subject{Kind: tenant.Key, Hash: tenant.Hash(chosen), Alias: "declared", UserID: "u"}
	d := newDesk(t, declared)
	token := tokenOf(chosen)
	d.want("GET /key/list", "", `{"keys":["`+token+`"],"total_count":1,"current_page":1,"total_pages":1}`)
	if got := field(t, d.get("GET /key/info?key="+chosen, ""), "info", "created_at"); got != "null" {
		t.Errorf("made at %s", got)
	}
	const text = "the configuration declares it, and only the configuration can change it"
	d.refuses(
		no{"POST /key/update", `{"key": "` + chosen + `", "tpm_limit": 1, "spend": 1}`, "key", 400, invalid, text},
		no{"POST /key/block", `{"key": "` + chosen + `"}`, "key", 400, invalid, text},
		no{"POST /key/delete", `{"keys": ["` + chosen + `"]}`, "keys[0]", 400, invalid, text},
		no{"POST /key/delete", `{"key_aliases": ["declared"]}`, "key_aliases[0]", 400, invalid, text},
		no{"POST /key/regenerate", `{"key": "` + chosen + `"}`, "key", 400, invalid, text},
		no{"POST /key/generate", `{"key": "` + chosen + `"}`, "key", 400, invalid, "this key already exists"},
		no{"POST /key/generate", `{"key_alias": "declared"}`, "key_alias", 400, invalid, "Key with alias 'declared' already exists. Unique key aliases across all keys are required."},
	)
	d.get("POST /user/new", `{"user_id": "u", "auto_create_key": false}`)
	d.refuses(no{"POST /user/delete", `{"user_ids": ["u"]}`, "", 400, invalid, "the configuration declares a key or a member of u, and only the configuration can change it"})
}
