package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"fairshare/hostsim/envoy"
)

// A reply is what curl got.
type reply struct {
	status int
	header http.Header
	body   string
}

// curl runs a command of testdata/documents, with the gateway in the place of
// the address that is printed there, and pairs of other replacements.
func (g *gateway) curl(t *testing.T, name string, replace ...string) reply {
	t.Helper()
	r, stderr, err := g.shell(t, name, replace...)
	if err != nil {
		t.Fatalf("%s: %v (make envoy installs curl)\n%s", name, err, stderr)
	}
	return r
}

// shell is curl for a command that may fail as such.
func (g *gateway) shell(t *testing.T, name string, replace ...string) (r reply, stderr string, err error) {
	t.Helper()
	root, err := envoy.Root()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(root, "testdata/documents", name+".sh"))
	if err != nil {
		t.Fatal(err)
	}
	command := address.ReplaceAllLiteralString(string(raw), g.BaseURL)
	command = placeholder.ReplaceAllLiteralString(command, master)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(command, replace[i]) {
			t.Fatalf("%s does not contain %q", name, replace[i])
		}
		command = strings.ReplaceAll(command, replace[i], replace[i+1])
	}
	const mark = "\n--- "
	c := exec.Command("bash", "-c", `curl() { command curl --silent --show-error --write-out '`+mark+`%{http_code} %{header_json}' "$@"; }`+"\n"+command)
	c.Dir = t.TempDir() // where curl may write
	c.Env = append(os.Environ(), "LITELLM_PROXY_URL="+g.BaseURL, "LITELLM_API_KEY="+master)
	var out, errors bytes.Buffer
	c.Stdout, c.Stderr = &out, &errors
	err = c.Run()
	body, rest, _ := strings.Cut(out.String(), mark)
	status, fields, _ := strings.Cut(rest, " ")
	r = reply{header: http.Header{}, body: body}
	r.status, _ = strconv.Atoi(status) // 0 where there was no answer
	var lines map[string][]string
	if json.Unmarshal([]byte(fields), &lines) == nil {
		for name, values := range lines {
			r.header[http.CanonicalHeaderKey(name)] = values
		}
	}
	// Where the command has curl print the headers, too, they come first.
	if strings.HasPrefix(body, "HTTP/1.1 ") {
		_, r.body, _ = strings.Cut(body, "\r\n\r\n")
	}
	return r, errors.String(), err
}

var (
	address     = regexp.MustCompile(`https?://(0\.0\.0\.0|localhost):[48]000`)
	placeholder = regexp.MustCompile(`<your-master-key>|<admin-key>|\bLITELLM_MASTER_KEY\b`)
)

// document is curl for the status and the body.
func (g *gateway) document(t *testing.T, name string, replace ...string) (int, string) {
	t.Helper()
	r := g.curl(t, name, replace...)
	return r.status, r.body
}

// member gives a member of a JSON object.
func member(t *testing.T, body, name string) any {
	t.Helper()
	var o object
	if err := json.Unmarshal([]byte(body), &o); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	v, ok := o[name]
	if !ok {
		t.Fatalf("no %s in %s", name, body)
	}
	return v
}

func want(t *testing.T, what string, status int, body string, wantStatus int, wantBody string) {
	t.Helper()
	if status != wantStatus || wantBody != "" && body != wantBody {
		t.Fatalf("%s: %d %s\nwant %d %s", what, status, body, wantStatus, wantBody)
	}
}

// at sets the clock.
func (g *gateway) at(t *testing.T, now time.Time) {
	t.Helper()
	if err := g.SetClock(now); err != nil {
		t.Fatal(err)
	}
}

// seed 001 of the documents: budgets and limits of the proxy, a user, a key.

func TestProxyBudgetOfTheDocuments(t *testing.T) {
	t.Parallel()
	for _, d := range deliveries {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := config(nil)
			c["model_list"] = list{mockOf("gpt-3.5-turbo", nil)}
			c["litellm_settings"] = object{"max_budget": 0, "budget_duration": "30d"}
			g := launch(t, c, d.options())
			// The documents misspell the header.
			status, body := g.document(t, "proxy-budget")
			want(t, "as printed", status, body, 401, `{"error":{"message":"Authentication Error, No api key passed in.","type":"auth_error","param":"None","code":401}}`)
			status, body = g.document(t, "proxy-budget", "Autherization", "Authorization")
			want(t, "spelled right", status, body, 400, `{"error":{"message":"Budget has been exceeded! Current cost: 0.0, Max budget: 0.0","type":"auth_error","param":null,"code":400}}`)
		})
	}
}

func mockOf(name string, more object) object {
	p := object{"model": name, "api_key": "x", "mock_response": "hello-world"}
	for k, v := range more {
		p[k] = v
	}
	return object{"model_name": name, "litellm_params": p}
}

func TestUserLimitsOfTheDocuments(t *testing.T) {
	t.Parallel()
	c := config(nil)
	c["model_list"] = list{mockOf("gpt-3.5-turbo", nil)}
	c["litellm_settings"] = object{}
	g := launch(t, c, envoy.Options{Workers: 2})
	status, body := g.document(t, "user-limits")
	want(t, "/user/new", status, body, 200, "")
	key, _ := member(t, body, "key").(string)
	if member(t, body, "user_id") != "krrish@berri.ai" || !strings.HasPrefix(key, "sk-") || len(key) != 25 {
		t.Fatalf("no key of the user in %s", body)
	}
	member(t, body, "expires")
	// The limits hold over all keys of the user: its second key meets what its
	// first used. One answer of 30 tokens is more than 20.
	second := g.key(t, object{"user_id": "krrish@berri.ai"})
	if a := g.chat(t, key, "gpt-3.5-turbo", "", nil); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	a := g.chat(t, second, "gpt-3.5-turbo", "", nil)
	const text = `{"error":{"message":"Rate limit exceeded for user: krrish@berri.ai. Limit type: tokens. Current limit: 20, Remaining: 0. Limit resets at: 2025-11-21 10:02:00 UTC","type":"None","param":"None","code":429}}`
	want(t, "second key", a.status, string(a.body), 429, text)
	for name, value := range map[string]string{"retry-after": "115", "rate_limit_type": "tokens", "reset_at": "2025-11-21 10:02:00 UTC", "x-should-retry": "false"} {
		if got := a.header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	// True: not a second before, but then.
	g.at(t, start.Add(114*time.Second))
	if a := g.chat(t, second, "gpt-3.5-turbo", "", nil); a.status != 429 {
		t.Errorf("a second before Retry-After: %d", a.status)
	}
	g.at(t, start.Add(115*time.Second))
	if a := g.chat(t, second, "gpt-3.5-turbo", "", nil); a.status != 200 {
		t.Errorf("after Retry-After: %d %s", a.status, a.body)
	}
}

func TestAccessGroupOfTheDocuments(t *testing.T) {
	t.Parallel()
	c := config(nil)
	c["model_list"] = list{
		object{
			"model_name": "text-embedding-ada-002",
			"litellm_params": object{
				"model": "azure/azure-embedding-model", "api_base": "os.environ/AZURE_API_BASE",
				"api_key": "os.environ/AZURE_API_KEY", "api_version": "2023-07-01-preview",
				"input_cost_per_token": 1e-7, "output_cost_per_token": 0,
			},
			"model_info": object{"access_groups": list{"beta-models"}},
		},
		mockOf("gpt-3.5-turbo", nil),
	}
	c["litellm_settings"] = object{}
	g := launch(t, c, envoy.Options{Workers: 2, Env: map[string]string{"AZURE_API_BASE": "http://" + behind, "AZURE_API_KEY": "azure-secret"}})
	status, body := g.document(t, "access-group")
	want(t, "/user/new", status, body, 200, "")
	key, _ := member(t, body, "key").(string)
	embed := func(key string) answer {
		a, err := g.send(http.MethodPost, "/v1/embeddings", key, text(t, object{"model": "text-embedding-ada-002", "input": "hi"}))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := g.chat(t, key, "gpt-3.5-turbo", "", nil)
	want(t, "another model", a.status, string(a.body), 403, `{"error":{"message":"The requested model 'gpt-3.5-turbo' is not available for this API key, or the model name is invalid. Check the models available to you and try again.","type":"user_model_access_denied","param":"model","code":403}}`)
	a = embed(key)
	want(t, "the group's model with a budget of 0", a.status, string(a.body), 400, `{"error":{"message":"Budget has been exceeded! Current cost: 0.0, Max budget: 0.0","type":"auth_error","param":null,"code":400}}`)

	// Keys of an existing user: the group has to be on the key and on the user.
	if status, body = g.document(t, "user-limits", `"tpm_limit": 20`, `"models": ["beta-models"]`); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	status, body = g.document(t, "key-for-user")
	want(t, "/key/generate", status, body, 200, "")
	if member(t, body, "user_id") != "krrish@berri.ai" {
		t.Fatal(body)
	}
	key, _ = member(t, body, "key").(string)
	a = embed(key)
	if a.status != 403 || !strings.Contains(string(a.body), "key_model_access_denied") {
		t.Errorf("a model that only the user is granted: %d %s", a.status, a.body)
	}
	a, err := g.send(http.MethodGet, "/v1/models", key, nil)
	if err != nil || strings.Contains(string(a.body), `"id"`) {
		t.Errorf("/v1/models shows %s, %v", a.body, err)
	}
}

// seed 002 of the documents: a team's budget.

func TestTeamBudgetOfTheDocuments(t *testing.T) {
	t.Parallel()
	c := config(nil)
	// 10 + 20 tokens cost what the documents' answer cost.
	c["model_list"] = list{mockOf("llama3", object{"input_cost_per_token": 5e-8, "output_cost_per_token": 1.5e-7})}
	c["litellm_settings"] = object{"success_callback": list{"prometheus"}, "failure_callback": list{"prometheus"}}
	g := launch(t, c, envoy.Options{Workers: 2})
	status, body := g.document(t, "team-new")
	want(t, "/team/new", status, body, 200, "")
	team, _ := member(t, body, "team_id").(string)
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(team) {
		t.Errorf("team_id %q is no random UUID", team)
	}
	if member(t, body, "team_alias") != "QA Prod Bot" || member(t, body, "max_budget") != 1e-9 || member(t, body, "budget_duration") != "1d" {
		t.Errorf("%s", body)
	}
	if at, _ := member(t, body, "budget_reset_at").(string); !strings.HasPrefix(at, "2025-11-22T00:00:00") {
		t.Errorf("budget_reset_at %q, want the next midnight", at)
	}
	status, body = g.document(t, "team-key", "de35b29e-6ca8-4f47-b804-2b79d07aa99a", team)
	want(t, "/key/generate", status, body, 200, "")
	if member(t, body, "team_id") != team {
		t.Errorf("%s", body)
	}
	key, _ := member(t, body, "key").(string)
	status, body = g.document(t, "team-call", "sk-mso-JSykEGri86KyOvgxBw", key)
	want(t, "first call", status, body, 200, "")
	status, body = g.document(t, "team-call", "sk-mso-JSykEGri86KyOvgxBw", key)
	want(t, "second call", status, body, 400, `{"error":{"message":"Budget has been exceeded! Current cost: 3.5e-06, Max budget: 1e-09","type":"auth_error","param":null,"code":400}}`)
	a := g.chat(t, key, "llama3", "", nil)
	if got := a.header.Get("x-should-retry"); got != "false" {
		t.Errorf("x-should-retry: %q", got)
	}

	status, body = g.document(t, "team-new", "0.000000001", "0.0000132")
	want(t, "/team/new", status, body, 200, "")
	team, _ = member(t, body, "team_id").(string)
	key = g.key(t, object{"team_id": team})
	if a := g.chat(t, key, "llama3", "", nil); a.status != 200 || a.header.Get("x-litellm-response-cost") != "3.5e-06" {
		t.Errorf("%d, cost %q", a.status, a.header.Get("x-litellm-response-cost"))
	}
	metrics, err := g.send(http.MethodGet, "/metrics", master, nil)
	if err != nil {
		t.Fatal(err)
	}
	line := `litellm_remaining_team_budget_metric{team_alias="QA Prod Bot",team_id="` + team + `"} 9.7e-06`
	if !strings.Contains(string(metrics.body), line) {
		t.Errorf("no line %s in\n%s", line, metrics.body)
	}
	// The next day the budget is whole again.
	g.at(t, time.Date(2025, 11, 22, 0, 0, 0, 0, time.UTC))
	if a := g.chat(t, key, "llama3", "", nil); a.status != 200 {
		t.Errorf("after the reset: %d %s", a.status, a.body)
	}
}

// budget_duration is when the budget is whole again: the documents' table.
func TestBudgetDurationsOfTheDocuments(t *testing.T) {
	t.Parallel()
	c := config(nil)
	c["model_list"] = list{mockOf("llama3", object{"input_cost_per_token": 5e-8, "output_cost_per_token": 1.5e-7})}
	c["litellm_settings"] = object{}
	g := launch(t, c, envoy.Options{Workers: 2})
	of := []struct {
		duration string
		reset    time.Time
	}{
		{"1s", start.Add(time.Second)},
		{"1m", time.Date(2025, 11, 21, 10, 1, 0, 0, time.UTC)},
		{"1h", time.Date(2025, 11, 21, 11, 0, 0, 0, time.UTC)},
		{"1d", time.Date(2025, 11, 22, 0, 0, 0, 0, time.UTC)},
		{"30d", time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)}, // every month, as the documents say
	}
	keys := make([]string, len(of))
	for i, d := range of {
		status, body := g.document(t, "team-new", `"1d"`, `"`+d.duration+`"`)
		want(t, d.duration, status, body, 200, "")
		if got := member(t, body, "budget_reset_at"); got != d.reset.Format(time.RFC3339) {
			t.Errorf("%s: budget_reset_at %v, want %v", d.duration, got, d.reset)
		}
		keys[i] = g.key(t, object{"team_id": member(t, body, "team_id")})
		if a := g.chat(t, keys[i], "llama3", "", nil); a.status != 200 {
			t.Fatalf("%s: %d %s", d.duration, a.status, a.body)
		}
	}
	for i, d := range of {
		g.at(t, d.reset.Add(-time.Millisecond))
		if a := g.chat(t, keys[i], "llama3", "", nil); a.status != 400 {
			t.Errorf("%s: %d a millisecond before the reset", d.duration, a.status)
		}
		g.at(t, d.reset)
		if a := g.chat(t, keys[i], "llama3", "", nil); a.status != 200 {
			t.Errorf("%s: %d %s at the reset", d.duration, a.status, a.body)
		}
	}
}

// A reservation, by curl. The documents print -D where they mean -d, and a
// comment behind a backslash: as printed the first command sends no body, and
// the second is none.
func TestPriorityCommandsOfTheDocuments(t *testing.T) {
	t.Parallel()
	c := config(nil)
	c["model_list"] = list{object{
		"model_name":     "gpt-3.5-turbo",
		"litellm_params": object{"model": "gpt-3.5-turbo", "api_key": "x", "rpm": 100, "mock_response": "hello-world"},
	}}
	c["litellm_settings"] = object{"callbacks": list{"dynamic_rate_limiter"}, "priority_reservation": object{"dev": 0, "prod": 1}}
	g := launch(t, c, envoy.Options{Workers: 2})

	status, body := g.document(t, "priority-key")
	want(t, "as printed", status, body, 200, "")
	if metadata, _ := member(t, body, "metadata").(object); len(metadata) != 0 {
		t.Errorf("a key without a body has the metadata %v", metadata)
	}
	if r, stderr, err := g.shell(t, "priority-call"); err == nil || r.status == 200 {
		t.Errorf("as printed: %d, %s, want no command", r.status, stderr)
	}

	key := func(priority string) (key, hash string) {
		status, body := g.document(t, "priority-key", "-D", "-d", `"dev"`, `"`+priority+`"`)
		want(t, "/key/generate", status, body, 200, "")
		key, _ = member(t, body, "key").(string)
		hash, _ = member(t, body, "token").(string)
		return key, hash
	}
	dev, hash := key("dev")
	prod, _ := key("prod")
	call := func(key string) (int, string) {
		return g.document(t, "priority-call", "-D", "-d", `\ # 👈 key from step 2.`, `\`, "sk-...", key)
	}
	status, body = call(dev)
	want(t, "dev", status, body, 429, `{"error":{"message":{"error":"Key=`+hash+` over available RPM=0. Model RPM=100, Active keys=None"},"type":"None","param":"None","code":429}}`)
	status, body = call(prod)
	want(t, "prod", status, body, 200, "")
}
