//go:build !tinygo

package flow

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"fairshare/plugin/admin"
	"fairshare/plugin/config"
	"fairshare/plugin/tenant"
)

const managementConfig = `{"model_list": [
	{"model_name": "local", "litellm_params": {"model": "openai/llama", "api_base": "http://127.0.0.1:8000/v1", "api_key": "none", "tpm": 1000, "rpm": 40}},
	{"model_name": "mock", "litellm_params": {"model": "openai/mock", "mock_response": "hi", "input_cost_per_token": 1e-6}, "model_info": {"access_groups": ["cheap"]}}],
 "litellm_settings": {"callbacks": ["dynamic_rate_limiter"], "max_budget": 100, "timezone": "Europe/Berlin"}, "general_settings": {"master_key": "sk-1234"},
 "virtual_keys": [{"key_sha256": "DECLARED", "key_alias": "zq7hidden-declared"}], "teams": [{"team_id": "zq7hidden-team"}],
 "fairshare_settings": {"max_body_bytes": 65536}}`

// managementRoutes are all that the gateway answers by itself, and what it sends on.
var managementRoutes = strings.Fields(`
	POST/key/generate POST/key/update POST/key/delete GET/key/info GET/key/list POST/key/block POST/key/unblock POST/key/regenerate
	POST/key/sk-bravo-0123456789/regenerate POST/user/new GET/user/info POST/user/update POST/user/delete GET/user/list
	POST/team/new GET/team/info POST/team/update POST/team/delete GET/team/list POST/team/block POST/team/unblock
	POST/team/member_add POST/team/member_update POST/team/member_delete
	POST/customer/new GET/customer/info POST/customer/update POST/customer/delete GET/customer/list POST/customer/block POST/customer/unblock
	POST/end_user/new GET/end_user/info POST/end_user/update POST/end_user/delete GET/end_user/list POST/end_user/block POST/end_user/unblock
	POST/budget/new POST/budget/info POST/budget/update POST/budget/delete GET/budget/list
	GET/model/info GET/v1/model/info GET/model_group/info GET/global/spend GET/spend/keys GET/spend/users GET/spend/teams POST/spend/calculate
	GET/metrics GET/fairshare/shares POST/fairshare/reset GET/health GET/health/readiness GET/v1/models GET/health/liveliness
	POST/v1/chat/completions POST/chat/completions POST/v1/embeddings POST/embeddings`)

// managementBodies are good for some route each, as good as all of them together.
var managementBodies = []string{
	`{"key_alias":"new","max_budget":1,"budget_duration":"30d","models":["mock","cheap"],"metadata":{"priority":"x"},"aliases":{"best":"mock"},"duration":"1h","spend":0.5}`,
	`{"key":"sk-bravo-0123456789","rpm_limit":5,"tpm_limit":null,"model_max_budget":{"mock":{"budget_limit":1,"time_period":"1d"}},"temp_budget_increase":1,"temp_budget_expiry":"2030-01-01","spend":2}`,
	`{"keys":["sk-bravo-0123456789"],"key_aliases":["zq7hidden-bravo"]}`,
	`{"key":"sk-bravo-0123456789","new_key":"sk-charlie-0123456789"}`,
	`{"user_id":"zq7hidden-user","user_email":"a@example.org","user_role":"internal_user","teams":["t"],"max_budget":3}`,
	`{"user_ids":["zq7hidden-user","zq7hidden-customer"],"team_ids":["t"],"id":"zq7hidden-budget","budgets":["zq7hidden-budget"]}`,
	`{"team_id":"t","team_alias":"T","member":[{"role":"admin","user_id":"zq7hidden-user"},{"role":"user","user_id":"other"}],"max_budget_in_team":1,"user_id":"zq7hidden-user","model_rpm_limit":{"mock":3}}`,
	`{"team_id":"t2","members_with_roles":[{"role":"user","user_id":"zq7hidden-user"}],"team_member_budget":1,"blocked":false}`,
	`{"user_id":"new-customer","budget_id":"zq7hidden-budget","blocked":false,"alias":"c"}`,
	`{"budget_id":"b2","max_budget":1,"soft_budget":0.5,"budget_duration":"1mo","max_parallel_requests":3}`,
	`{"model":"mock","messages":[{"role":"user","content":"hi"}],"user":"zq7hidden-customer","stream":true}`,
	`{"model":"local","input":["a"],"completion_response":{"usage":{"prompt_tokens":3}}}`,
	`{"team_id":"t","member":{"role":"user","user_id":"other"},"max_budget":2}`,
	`{"team_id":"t","user_id":"zq7hidden-user","max_budget_in_team":1,"role":"admin"}`,
	`{"user_ids":["zq7hidden-user"]}`, `{"user_ids":["zq7hidden-customer"]}`, `{"user_id":"zq7hidden-customer","blocked":true,"spend":1}`,
	`{}`, ``, `[]`, `{"key":`, `{"key":1e999}`, "{\"\xff\":0}",
}

// Credentials: none, a virtual key's, those that are almost the master key's, and
// the master key's.
const (
	nobody = iota
	virtual
	almost
	master
)

var almostMaster = []string{
	"Bearer sk-1235", "Bearer sk-123", "Bearer sk-12345", "Bearer SK-1234", "Bearer  sk-1234", "sk-1234\x00", " sk-1234", "Bearer sk-1234,", "Basic sk-1234", "sk-1234\t",
	"Bearer " + tokenOf("sk-1234"), "Bearer ", "Bearer sk-1234 sk-1234",
}

// Whoever asks for whatever: nothing panics, no answer is an error of the gateway
// as long as its store works, and all answers are JSON but for the few that are
// not meant to be. Who has no key changes nothing. A virtual key changes by a
// request for a model what that uses, and nothing by any other request. Neither
// learns of anybody else.
func FuzzManagement(f *testing.F) {
	for i := range managementRoutes {
		for who := range uint8(4) {
			f.Add(uint8(i), "", "", managementBodies[i%len(managementBodies)], who, uint8(i))
		}
	}
	for i, body := range managementBodies {
		for at := range managementRoutes {
			f.Add(uint8(at), "", "", body, uint8(master), uint8(i))
		}
	}
	for i, suffix := range []string{
		"/", "//", "?key=sk-bravo-0123456789", "?user_id=zq7hidden-user", "?team_id=t&page=2&size=1", "?end_user_id=zq7hidden-customer", "?model=local",
		"?return_full_object=true&page=99999999999999999999", "?key=%", "#x", "/../../key/generate", "%2f", "?start_date=x&end_date=y&limit=1e9", "?page=-1&size=0&key_alias=x",
	} {
		for at := range managementRoutes {
			f.Add(uint8(at), suffix, "content-length: 5\nx-fairshare-upstream: x\nx-litellm-end-user-id: me", "", uint8(i), uint8(i))
			f.Add(uint8(at), suffix, "", "{}", uint8(master), uint8(i))
		}
	}
	f.Add(uint8(255), "GET /key/generate", "x-http-method-override: POST\nx-original-url: /key/generate", "{}", uint8(virtual), uint8(0))
	f.Add(uint8(255), "POST /key//regenerate", "", "{}", uint8(master), uint8(0))
	f.Add(uint8(255), "HEAD /key/info", "", "", uint8(virtual), uint8(3))

	const now = int64(1_800_000_000_000)
	policy, err := config.Parse([]byte(strings.Replace(managementConfig, "DECLARED", tokenOf("sk-declared-0123456789"), 1)), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, route uint8, suffix, lines, body string, who, how uint8) {
		p := &recorder{process: newProcess(1), values: map[string]string{}}
		g := NewGateway(NewWorker(p, 1<<40), policy)
		bravo := makeKey("sk-bravo-0123456789", tenant.Subject{Alias: "zq7hidden-bravo", UserID: "zq7hidden-user", TeamID: "t", Metadata: `{"zq7hidden":1}`})
		addSubjects(t, g,
			makeKey("sk-alpha-0123456789", tenant.Subject{Alias: "alpha", UserID: "me", Limits: tenant.Limits{Budget: budgetOf(1)}}), bravo,
			&tenant.Subject{Kind: tenant.User, ID: "zq7hidden-user", Email: "zq7hidden@example.org", Limits: tenant.Limits{Budget: budgetOf(1)}},
			&tenant.Subject{Kind: tenant.Team, ID: "t", Alias: "zq7hidden-t", Limits: tenant.Limits{RPM: limitOf(3)}},
			&tenant.Subject{Kind: tenant.Member, ID: tenant.MemberID("t", "zq7hidden-user"), TeamID: "t", UserID: "zq7hidden-user"},
			&tenant.Subject{Kind: tenant.Customer, ID: "zq7hidden-customer", BudgetID: "zq7hidden-budget"},
			&tenant.Subject{Kind: tenant.Budget, ID: "zq7hidden-budget", Limits: tenant.Limits{Budget: budgetOf(1)}})
		before := maps.Clone(p.values)

		method, target, _ := strings.Cut(suffix, " ")
		if int(route) < len(managementRoutes) {
			at := strings.IndexByte(managementRoutes[route], '/')
			method, target = managementRoutes[route][:at], managementRoutes[route][at:]+suffix
		}
		pairs := [][2]string{{":method", method}, {":path", target}, {":authority", "a"}}
		who %= 4
		credential := credentialNames[int(how)%len(credentialNames)]
		switch who {
		case virtual:
			pairs = append(pairs, [2]string{credential, "Bearer sk-alpha-0123456789"})
		case almost:
			pairs = append(pairs, [2]string{credential, almostMaster[int(how)%len(almostMaster)]})
		case master:
			pairs = append(pairs, [2]string{"authorization", "Bearer sk-1234"})
		}
		if c := pairs[len(pairs)-1]; who == virtual && c[0] != "authorization" && c[0] != "x-litellm-api-key" {
			pairs[len(pairs)-1][1] = strings.TrimPrefix(c[1], "Bearer ")
		}
	headers:
		for line := range strings.Lines(lines) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			name = strings.ToLower(name)
			for _, c := range credentialNames {
				if name == c || strings.HasPrefix(name, ":") {
					continue headers
				}
			}
			pairs = append(pairs, [2]string{name, value})
		}

		x := g.Open()
		d := x.RequestHeaders(now, pairs, body == "")
		if d.Pause {
			x.BodyGrows(now, len(body)/2)
			d = x.RequestBody(now, []byte(body))
		}
		if d.Pause {
			t.Fatal("it hangs")
		}
		if d.Reply != nil {
			checkReply(t, d.Reply, who, method+" "+target+lines+body)
		} else {
			x.ResponseHeaders(now, [][2]string{{":status", "200"}, {"content-type", "application/json"}}, false)
			x.ResponseBody(now, []byte(usageBody), true)
		}
		x.Done(now)
		if who == nobody || who == almost {
			if d.Reply == nil {
				t.Fatalf("%s %q goes upstream", method, target)
			}
			if !maps.Equal(before, p.values) {
				t.Fatalf("%s %q without a key changes %q", method, target, changed(before, p.values))
			}
		}
		path, _, _ := strings.Cut(target, "?")
		path, _, _ = strings.Cut(path, "#")
		path = strings.TrimSuffix(path, "/")
		if _, managed := admin.Find(path); who == virtual && (managed || find(path) != nil && find(path).method == "GET") {
			if !maps.Equal(before, p.values) {
				t.Fatalf("%s %q by a virtual key changes %q", method, target, changed(before, p.values))
			}
		}
		g.Tick(now)
		if who == virtual {
			for _, key := range changed(before, p.values) {
				if !mayUse(key) {
					t.Fatalf("%s %q by a virtual key changes %q", method, target, key)
				}
			}
		}
		if err := balanced(now, g); err != nil {
			t.Fatal(err)
		}
		if who == master {
			// Whatever was made, all can still be listed and used.
			for _, list := range []string{"/key/list?return_full_object=true&size=100", "/user/list", "/team/list", "/customer/list", "/budget/list", "/spend/keys", "/metrics"} {
				x := g.Open()
				d := x.RequestHeaders(now, headersOf("GET", list, "sk-1234"), true)
				if d.Reply == nil || d.Reply.Status != 200 {
					t.Fatalf("after %s %q %s: %s: %+v", method, target, body, list, d.Reply)
				}
				checkReply(t, d.Reply, master, "")
				x.Done(now)
			}
		}
	})
}

func checkReply(t *testing.T, r *Reply, who uint8, asked string) {
	t.Helper()
	if r.Status >= 500 || r.Status < 200 {
		t.Fatalf("%q: %d %s", asked, r.Status, r.Body)
	}
	if kind, _ := lookup(r.Headers, "content-type"); kind == "application/json" && !json.Valid(r.Body) {
		t.Fatalf("%q: no JSON: %s", asked, r.Body)
	}
	if who != master && !strings.Contains(asked, "hidden") && bytes.Contains(r.Body, []byte("hidden")) {
		t.Fatalf("%q: tells of others: %s", asked, r.Body)
	}
	if r.Status == 200 && (who == nobody || who == almost) && !bytes.Contains(r.Body, []byte("I'm alive")) && !bytes.Contains(r.Body, []byte(`"status":"healthy"`)) {
		t.Fatalf("%q: answered without a key: %s", asked, r.Body)
	}
}

// changed are the keys of a store whose values differ.
func changed(before, after map[string]string) (keys []string) {
	for key, value := range after {
		if was, ok := before[key]; !ok || was != value {
			keys = append(keys, key)
		}
	}
	return keys
}

// mayUse reports whether a request for a model may change what lies under a key:
// the books of models and of subjects, the journal, reports and metrics.
func mayUse(key string) bool {
	for _, prefix := range []string{"fs/m/", "fs/s/", "fs/w/", "fs/lead", "fs/t/", "fs/p/", "fs/x/", "fs/r"} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// Every route of the management API is one that the fuzzer begins with.
func TestFuzzedRoutes(t *testing.T) {
	t.Parallel()
	n := 0
	for _, r := range managementRoutes {
		at := strings.IndexByte(r, '/')
		if route, ok := admin.Find(r[at:]); ok {
			if route.Method != r[:at] {
				t.Errorf("%s is %s", r, route.Method)
			}
			n++
		} else if e := find(r[at:]); e == nil || e.method != r[:at] {
			t.Errorf("there is no %s", r)
		}
	}
	for i := range endpoints {
		if e := &endpoints[i]; !strings.Contains(strings.Join(managementRoutes, " "), e.method+e.path) && e.path != "/models" && e.path != "/health/liveness" {
			t.Errorf("%s %s is missing", e.method, e.path)
		}
	}
}
