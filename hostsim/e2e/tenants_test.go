package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"fairshare/hostsim/envoy"
	"fairshare/plugin/flow"
)

// tenants is a configuration of priced mocks: a call of small costs 5e-05, one
// of large 7e-05, one of vectors 1e-06.
func tenants() object {
	c := config(nil)
	grouped := mockOf("trial", object{"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6})
	grouped["model_info"] = object{"access_groups": list{"trial-models"}}
	served := mockOf("openai/gpt-4o-mini", nil)
	c["model_list"] = list{
		mockOf("small", object{"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}),
		mockOf("large", object{"input_cost_per_token": 1e-6, "output_cost_per_token": 3e-6}),
		mockOf("vectors", object{"input_cost_per_token": 1e-7, "output_cost_per_token": 0}),
		grouped, served,
	}
	c["litellm_settings"] = object{}
	return c
}

// A step is a command of testdata/documents/forms and what comes of it.
type step struct {
	command string
	with    string        // "placeholder=value" pairs, parted by blanks; a value such as $team was kept before
	status  int           // 200 if not said
	want    string        // JSON: members of the answer by their paths
	body    string        // the answer itself, or a part of it that begins and ends with "…"
	header  string        // "name: value" of the answer
	keep    string        // "name=path" pairs: what later steps take from the answer
	after   time.Duration // moves the clock before
}

// story runs steps one after the other on a gateway of its own.
func story(t *testing.T, c object, steps []step) {
	t.Parallel()
	g := launch(t, c, envoy.Options{Workers: 2})
	kept := map[string]string{}
	now := start
	for i, s := range steps {
		if s.after > 0 {
			now = now.Add(s.after)
			g.at(t, now)
			// A worker reads a request's headers by its last tick's clock.
			time.Sleep(3 * flow.TickMS * time.Millisecond)
		}
		if s.status == 0 {
			s.status = http.StatusOK
		}
		what := strconv.Itoa(i+1) + " " + s.command
		known := func(text string) string {
			for name, value := range kept {
				text = strings.ReplaceAll(text, "$"+name, value)
			}
			if at := strings.IndexByte(text, '$'); at >= 0 {
				t.Fatalf("%s: nothing was kept for %s", what, text[at:])
			}
			return text
		}
		var replace []string
		for pair := range strings.FieldsSeq(s.with) {
			placeholder, value, _ := strings.Cut(pair, "=")
			replace = append(replace, "<"+placeholder+">", known(value))
		}
		r := g.curl(t, "forms/"+s.command, replace...)
		if r.status != s.status {
			t.Fatalf("%s: %d %s\nwant %d", what, r.status, r.body, s.status)
		}
		switch part := strings.Trim(s.body, "…"); {
		case part == s.body && s.body != "" && r.body != known(s.body):
			t.Fatalf("%s: %s\nwant %s", what, r.body, known(s.body))
		case !strings.Contains(r.body, known(part)):
			t.Fatalf("%s: %s\nwant in it %s", what, r.body, known(part))
		}
		if s.header != "" {
			name, value, _ := strings.Cut(s.header, ": ")
			if got := r.header.Get(name); got != value {
				t.Fatalf("%s: %s: %q, want %q", what, name, got, value)
			}
		}
		if s.want != "" {
			var members object
			if err := json.Unmarshal([]byte(known(s.want)), &members); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			for path, value := range members {
				if got := at(t, r.body, path); !reflect.DeepEqual(got, value) {
					t.Fatalf("%s: %s is %v, want %v, in %s", what, path, got, value, r.body)
				}
			}
		}
		for pair := range strings.FieldsSeq(s.keep) {
			name, path, _ := strings.Cut(pair, "=")
			value, _ := at(t, r.body, path).(string)
			if value == "" {
				t.Fatalf("%s: no %s in %s", what, path, r.body)
			}
			kept[name] = value
		}
	}
}

// at gives what a path of members and places leads to in a JSON text; "#" is
// how many there are.
func at(t *testing.T, body, path string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	for name := range strings.SplitSeq(path, "/") {
		switch it := v.(type) {
		case object:
			member, ok := it[name]
			if !ok {
				t.Fatalf("no %s of %s in %s", name, path, body)
			}
			v = member
		case list:
			if name == "#" {
				v = float64(len(it))
				continue
			}
			n, err := strconv.Atoi(name)
			if err != nil || n >= len(it) {
				t.Fatalf("no %s of %s in %s", name, path, body)
			}
			v = it[n]
		default:
			t.Fatalf("no %s of %s in %s", name, path, body)
		}
	}
	return v
}

// What an exceeded budget and a denied model say.
const (
	exceeded = `{"error":{"message":"Budget has been exceeded! Current cost: COST, Max budget: MAX","type":"auth_error","param":null,"code":400}}`
	denied   = `{"error":{"message":"The requested model 'MODEL' is not available for this API key, or the model name is invalid. Check the models available to you and try again.","type":"KIND_model_access_denied","param":"model","code":403}}`
)

func over(cost, limit string) string {
	return strings.NewReplacer("COST", cost, "MAX", limit).Replace(exceeded)
}

func denies(kind, model string) string {
	return strings.NewReplacer("KIND", kind, "MODEL", model).Replace(denied)
}

func limited(name, value, kind, limit string) string {
	return `{"error":{"message":"Rate limit exceeded for ` + name + `: ` + value + `. Limit type: ` + kind + `. Current limit: ` + limit +
		`, Remaining: 0. Limit resets at: 2025-11-21 10:01:00 UTC","type":"None","param":"None","code":429}}`
}

const unknownKey = `…Authentication Error, Invalid proxy server token passed. Received API Key = …`

func TestCommandsForKeys(t *testing.T) {
	for name, steps := range map[string][]step{
		"life": {
			{
				command: "key-generate", keep: "key=key hash=token",
				want: `{"models": ["small", "large"], "metadata": {"owner": "ann@example.org"}, "expires": null, "max_budget": null, "spend": 0, "user_id": null, "team_id": null, "key_alias": null}`,
			},
			{command: "chat", with: "generated-key=$key", want: `{"choices/0/message/content": "hello-world", "usage/total_tokens": 30}`, header: "x-litellm-response-cost: 5e-05"},
			{command: "chat-headers", with: "generated-key=$key", body: `…"hello-world"…`, header: "x-litellm-response-cost: 7e-05"},
			{
				command: "key-info", with: "generated-key=$key", after: time.Second,
				want: `{"key": "$hash", "info/spend": 0.00012, "info/status": "active", "info/models": ["small", "large"], "info/aliases": {}, "info/max_parallel_requests": null, "info/config": {}}`,
			},
			{command: "key-info-own", with: "generated-key=$key", want: `{"key": "$hash", "info/spend": 0.00012}`},
			{command: "team-new-limits"},
			{
				command: "key-update", with: "generated-key=$key team-id=night-shift",
				want: `{"key": "$hash", "models": ["large"], "metadata": {"owner": "bob@example.org"}, "team_id": "night-shift"}`,
			},
			{command: "chat", with: "generated-key=$key", status: 403, body: denies("key", "small")},
			{command: "key-update-spend", with: "generated-key=$key", want: `{"spend": 0}`},
			{command: "key-block", with: "generated-key=$key", want: `{"token": "$hash", "blocked": true}`},
			{
				command: "chat-headers", with: "generated-key=$key", status: 401,
				body: "{\"error\":{\"message\":\"Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin.\",\"type\":\"auth_error\",\"param\":\"None\",\"code\":401}}",
			},
			{command: "key-info", with: "generated-key=$key", want: `{"info/status": "revoked", "info/blocked": true}`},
			{command: "key-unblock", with: "generated-key=$key", want: `{"blocked": false}`},
			{command: "chat-headers", with: "generated-key=$key"},
			{command: "key-regenerate", with: "generated-key=$key", after: time.Second, keep: "new=key", want: `{"max_budget": 40, "models": ["small", "large"], "metadata": {"rotated_by": "ann"}, "spend": 0.00007}`},
			{command: "chat-headers", with: "generated-key=$key", status: 401, body: unknownKey},
			{command: "key-delete", with: "generated-key=$new", want: `{"deleted_keys/#": 1}`},
			{command: "chat", with: "generated-key=$new", status: 401, body: unknownKey},
			{command: "key-info", with: "generated-key=$new", status: 404, want: `{"error/message": "Key not found in database"}`},
			{command: "key-delete", with: "generated-key=$new", status: 404},
		},
		"grants": {
			{command: "key-generate-tier", status: 400, want: `{"error/param": "budget_id"}`},
			{command: "budget-new-none", want: `{"budget_id": "no-calls", "rpm_limit": 0}`},
			{command: "key-generate-tier", keep: "key=key hash=token", want: `{"budget_id": "no-calls", "litellm_budget_table/budget_id": "no-calls", "litellm_budget_table/rpm_limit": 0}`},
			{
				command: "chat", with: "generated-key=$key", status: 429,
				want: `{"error/message": "Rate limit exceeded for api_key: $hash. Limit type: requests. Current limit: 0, Remaining: 0. Limit resets at: never"}`,
			},
			{command: "key-generate-group", keep: "key=key", want: `{"models": ["trial-models"], "max_budget": 3}`},
			{command: "chat", with: "generated-key=$key", status: 403, body: denies("key", "small")},
			{command: "models", with: "your-api-key=$key", want: `{"data/#": 1, "data/0/id": "trial"}`},
			{command: "key-generate-wildcard", keep: "wild=key"},
			{command: "models", with: "your-api-key=$wild", body: `…"id":"openai/gpt-4o-mini"…`},
			{command: "models", with: "your-api-key=sk-not-a-key-of-this-gateway", status: 401, body: unknownKey},
			{command: "key-generate-plain", keep: "key=key", want: `{"models": [], "max_budget": null, "expires": null}`},
			{command: "chat", with: "generated-key=$key"},
			{command: "chat-headers", with: "generated-key=$key"},
			{command: "chat-stream", with: "generated-key=$key", body: "…data: [DONE]…"},
			{command: "embeddings", with: "generated-key=$key", want: `{"data/0/embedding/#": 3, "usage/prompt_tokens": 10, "model": "vectors"}`, header: "x-litellm-response-cost: 1e-06"},
			{command: "models", with: "your-api-key=$key", want: `{"data/#": 5, "object": "list"}`},
			{command: "models-metadata", with: "your-api-key=$key", want: `{"data/#": 5}`},
			{command: "key-generate-alias", keep: "key=key", want: `{"aliases": {"large": "small"}, "duration": null, "expires": null, "key_alias": "forever"}`},
			{command: "chat-headers", with: "generated-key=$key", header: "x-litellm-response-cost: 5e-05"},
			{
				command: "key-generate-alias", status: 400,
				want: `{"error/message": "Key with alias 'forever' already exists. Unique key aliases across all keys are required.", "error/param": "key_alias"}`,
			},
			{command: "key-delete-alias", want: `{"deleted_keys/#": 1}`},
			{command: "key-generate-alias"},
			{command: "key-generate-alias-comment", keep: "key=key", want: `{"aliases": {"large": "small"}, "expires": "2025-11-21T10:30:05Z"}`},
			{command: "chat-headers", with: "generated-key=$key", header: "x-litellm-response-cost: 5e-05"},
		},
		"expiry": {
			{command: "team-new-models", keep: "team=team_id"},
			{
				command: "key-generate-for-team", with: "team-id=$team", keep: "key=key",
				want: `{"team_id": "$team", "max_budget": 12, "duration": "20m", "expires": "2025-11-21T10:20:05Z"}`,
			},
			{command: "chat", with: "generated-key=$key", header: "x-litellm-key-max-budget: 12.0"},
			{command: "chat", with: "generated-key=$key", after: 20*time.Minute - time.Millisecond},
			{
				command: "chat", with: "generated-key=$key", after: time.Millisecond, status: 401,
				want: `{"error/message": "Authentication Error - Expired Key. Key Expiry time 2025-11-21 10:20:05+00:00 and current time 2025-11-21 10:20:05+00:00", "error/type": "expired_key"}`,
			},
			{command: "key-list", with: "team-id=$team", want: `{"keys/#": 1, "keys/0/team_id": "$team", "total_count": 1, "current_page": 1, "total_pages": 1}`},
		},
		"budgets": {
			{command: "key-generate-budget", keep: "key=key", want: `{"max_budget": 0.00001, "budget_duration": "30s", "budget_reset_at": "2025-11-21T10:00:30Z"}`},
			{command: "chat", with: "generated-key=$key"},
			{command: "chat", with: "generated-key=$key", status: 400, body: over("5e-05", "1e-05"), header: "x-should-retry: false"},
			{command: "chat", with: "generated-key=$key", status: 400, after: 25*time.Second - time.Millisecond},
			{command: "chat", with: "generated-key=$key", after: time.Millisecond},
			{command: "key-info", with: "generated-key=$key", want: `{"info/spend": 0.00005, "info/budget_reset_at": "2025-11-21T10:01:00Z"}`},
			{command: "key-generate-model-budget", keep: "key=key", want: `{"model_max_budget": {"large": {"budget_limit": 2e-7, "time_period": "1d"}}}`},
			{command: "chat-headers", with: "generated-key=$key"},
			{command: "chat-headers", with: "generated-key=$key", status: 400, body: over("7e-05", "2e-07")},
			{command: "chat", with: "generated-key=$key"},
			{command: "key-info", with: "generated-key=$key", want: `{"info/model_spend": {"large": 0.00007}}`},
			{command: "chat-headers", with: "generated-key=$key", after: 14 * time.Hour},
		},
		"temporary increase": {
			{command: "key-generate-little", keep: "key=key", want: `{"max_budget": 3e-7}`},
			{command: "chat", with: "generated-key=$key", header: "x-litellm-key-max-budget: 3e-07"},
			{command: "chat", with: "generated-key=$key", status: 400, body: over("5e-05", "3e-07")},
			{command: "key-update-increase", with: "generated-key=$key", want: `{"temp_budget_increase": 50, "temp_budget_expiry": "2025-12-24T00:00:00Z", "max_budget": 3e-7}`},
			{command: "chat", with: "generated-key=$key", header: "x-litellm-key-max-budget: 50.0000003"},
			{command: "chat", with: "generated-key=$key", status: 400, after: 33 * 24 * time.Hour, body: over("0.0001", "3e-07")},
			{command: "key-update-increase-days", with: "generated-key=$key", want: `{"temp_budget_expiry": "2026-01-03T10:00:05Z"}`},
			{command: "chat", with: "generated-key=$key"},
		},
		"limits": {
			{command: "key-generate-model-limits", keep: "key=key hash=token", want: `{"model_rpm_limit": {"small": 1}, "metadata/model_tpm_limit": {"small": 200}}`},
			{command: "chat", with: "generated-key=$key", header: "x-ratelimit-model_per_key-remaining-tokens: 170"},
			{command: "chat", with: "generated-key=$key", status: 429, body: limited("model_per_key", "$hash:small", "requests", "1")},
			{command: "chat-headers", with: "generated-key=$key"},
			{command: "key-generate-limits", keep: "key=key hash=token", want: `{"max_parallel_requests": 5, "tpm_limit": 500, "rpm_limit": 2}`},
			{command: "chat", with: "generated-key=$key", header: "x-ratelimit-api_key-remaining-requests: 1"},
			{command: "chat", with: "generated-key=$key", header: "x-ratelimit-api_key-remaining-tokens: 440"},
			{command: "chat", with: "generated-key=$key", status: 429, body: limited("api_key", "$hash", "requests", "2"), header: "retry-after: 55"},
			{command: "chat", with: "generated-key=$key", status: 429, after: 55*time.Second - time.Millisecond},
			{command: "chat", with: "generated-key=$key", after: time.Millisecond},
		},
	} {
		t.Run(name, func(t *testing.T) { story(t, tenants(), steps) })
	}
}

// What Fairshare does not do it refuses: it never takes a limit that it does not
// hold, and a route that it does not have says so.
func TestCommandsThatAreRefused(t *testing.T) {
	const unenforced = ": want nothing, since Fairshare does not enforce it here, got "
	story(t, tenants(), []step{
		{command: "key-generate-permissions", status: 400, want: `{"error/message": "permissions` + unenforced + `an object", "error/param": "permissions"}`},
		{command: "key-generate-guardrails", status: 400, want: `{"error/message": "guardrails` + unenforced + `a list", "error/param": "guardrails"}`},
		{command: "key-generate-windows", status: 400, want: `{"error/message": "budget_limits` + unenforced + `a list", "error/param": "budget_limits"}`},
		{command: "team-new-organization", status: 400, want: `{"error/param": "organization_id"}`},
		{command: "key-generate-for-team", with: "team-id=nobody-s", status: 404, want: `{"error/message": "Team not found, passed team_id=nobody-s"}`},
		{command: "service-account", status: 404, want: `{"error/type": "invalid_request_error"}`},
		{command: "spend-report", status: 404, want: `{"error/type": "invalid_request_error"}`},
		{command: "spend-keys", want: `{"#": 0}`},
	})
}

func TestCommandsForUsers(t *testing.T) {
	story(t, tenants(), []step{
		{command: "user-new", keep: "user=user_id key=key", want: `{"user_email": "ann@example.org", "user_role": "internal_user", "max_budget": null, "models": [], "spend": 0}`},
		{command: "chat", with: "generated-key=$key"},
		{command: "key-generate-owned", with: "user-id=$user", keep: "second=key", want: `{"user_id": "$user", "max_budget": 25}`},
		{command: "models", with: "your-api-key=$second", want: `{"data/#": 5}`},
		{command: "chat-headers", with: "generated-key=$second"},
		{command: "spend-users", with: "user-id=$user", after: time.Second, want: `{"#": 1, "0/user_id": "$user", "0/spend": 0.00012}`},
		{command: "user-list", want: `{"users/#": 1, "users/0/user_id": "$user", "total": 1, "page": 1, "page_size": 10}`},
		{command: "user-new-budget", keep: "key=key", want: `{"user_id": "carl@example.org", "max_budget": 0, "models": ["small"], "expires": null}`},
		{command: "chat", with: "generated-key=$key", status: 400, body: over("0.0", "0.0")},
		{command: "chat-headers", with: "generated-key=$key", status: 403, body: denies("user", "large")},
		{command: "user-new-budget", status: 409, want: `{"error/message": "User with id carl@example.org already exists"}`},
		{
			command: "user-update",
			want:    `{"user_id": "carl@example.org", "data/max_budget": 7.5, "data/budget_duration": "1mo", "data/budget_reset_at": "2025-12-01T00:00:00Z", "data/rpm_limit": 9}`,
		},
		{command: "chat", with: "generated-key=$key", header: "x-ratelimit-user-remaining-requests: 8"},
		{
			command: "user-info", after: time.Second,
			want: `{"user_id": "carl@example.org", "user_info/spend": 0.00005, "user_info/max_budget": 7.5, "user_info/models": ["small"], "keys/#": 1, "keys/0/user_id": "carl@example.org", "teams": []}`,
		},
		{command: "user-delete"},
		{command: "chat", with: "generated-key=$key", status: 401, body: unknownKey},
		{command: "user-info", status: 404},
		{command: "team-new-models", keep: "team=team_id"},
		{
			command: "user-new-duration", with: "team-id=$team", keep: "user=user_id",
			want: `{"team_id": "$team", "max_budget": 15, "budget_duration": "30s", "budget_reset_at": "2025-11-21T10:00:30Z"}`,
		},
	})
}

func TestCommandsForTeams(t *testing.T) {
	for name, steps := range map[string][]step{
		"life": {
			{
				command: "team-new-members", keep: "team=team_id",
				want: `{"team_alias": "search-backend", "members_with_roles/#": 1, "members_with_roles/0/role": "admin", "members_with_roles/0/user_id": "2f0d4c1e-77aa-4c55-9a53-1f2a6f1f3c21",
					"admins/#": 1, "metadata": {}, "tpm_limit": null, "rpm_limit": 77, "max_budget": null, "models": [], "spend": 0, "max_parallel_requests": null, "budget_duration": null, "budget_reset_at": null}`,
			},
			{command: "key-generate-member", with: "team-id=$team", keep: "key=key", want: `{"user_id": "bob", "team_id": "$team"}`},
			{command: "chat", with: "generated-key=$key", header: "x-ratelimit-team-remaining-requests: 76"},
			{
				command: "team-update-budget", with: "team-id=$team", after: time.Second,
				want: `{"team_id": "$team", "data/max_budget": 20, "data/soft_budget": 0.00001, "data/budget_duration": "7d", "data/budget_reset_at": "2025-11-24T00:00:00Z", "data/spend": 0.00005}`,
			},
			{command: "chat", with: "generated-key=$key", header: "x-fairshare-soft-budget-exceeded: team"},
			{command: "team-info", with: "team-id=$team", want: `{"team_id": "$team", "team_info/team_alias": "search-backend", "team_info/spend": 0.0001, "keys/#": 1, "team_memberships/#": 1}`},
			{command: "team-block", with: "team-id=$team", want: `{"blocked": true}`},
			{
				command: "chat", with: "generated-key=$key", status: 401,
				want: "{\"error/message\": \"Authentication Error, Team=$team is blocked. Update via `/team/unblock` if you're an admin.\"}",
			},
			{command: "team-unblock", with: "team-id=$team", want: `{"blocked": false}`},
			{command: "chat", with: "generated-key=$key"},
			{command: "team-delete", with: "team-id=$team", want: `{"deleted_teams": ["$team"]}`},
			{command: "chat", with: "generated-key=$key", status: 401, body: unknownKey},
			{command: "team-info", with: "team-id=$team", status: 404, want: `{"error/message": "Team not found, passed team id: $team."}`},
			{command: "team-new-duration", keep: "team=team_id", want: `{"budget_duration": "30s", "budget_reset_at": "2025-11-21T10:00:30Z", "max_budget": 10}`},
		},
		"grants and limits": {
			{command: "team-new-models", keep: "team=team_id", want: `{"models": ["small"], "team_alias": "small-only"}`},
			{command: "key-generate-member", with: "team-id=$team", keep: "key=key"},
			{command: "chat", with: "generated-key=$key"},
			{command: "chat-headers", with: "generated-key=$key", status: 403, body: denies("team", "large")},
			{command: "models", with: "your-api-key=$key", want: `{"data/#": 1, "data/0/id": "small"}`},
			{command: "team-new-limits", want: `{"team_id": "night-shift", "max_parallel_requests": 8, "tpm_limit": 900, "rpm_limit": 1}`},
			{command: "team-new-limits", status: 400, want: `{"error/message": "Team id = night-shift already exists. Please use a different team id."}`},
			{command: "key-generate-member", with: "team-id=night-shift", keep: "key=key"},
			{command: "key-generate-member", with: "team-id=night-shift", keep: "second=key"},
			{command: "chat", with: "generated-key=$key"},
			{command: "chat", with: "generated-key=$second", status: 429, body: limited("team", "night-shift", "requests", "1")},
			{command: "team-new-model-limits", want: `{"model_rpm_limit": {"small": 1, "large": 50}, "model_tpm_limit": {"small": 5000, "large": 9000}}`},
			{command: "key-generate-member", with: "team-id=per-model", keep: "key=key"},
			{command: "chat", with: "generated-key=$key"},
			{command: "chat", with: "generated-key=$key", status: 429, body: limited("model_per_team", "per-model:small", "requests", "1")},
			{command: "team-update-model-limits", want: `{"data/model_rpm_limit": {"small": 2, "large": 60}, "data/model_tpm_limit": {"small": 5000, "large": 9000}}`},
			{command: "chat", with: "generated-key=$key"},
			{command: "chat", with: "generated-key=$key", status: 429, body: limited("model_per_team", "per-model:small", "requests", "2")},
			{command: "team-update-metadata", want: `{"data/metadata/model_rpm_limit": {"small": 3, "large": 70}, "data/model_tpm_limit": {"small": 6000, "large": 9000}}`},
			{command: "chat", with: "generated-key=$key", header: "x-ratelimit-model_per_team-remaining-requests: 0"},
		},
		"members": {
			{command: "team-new-members", keep: "team=team_id"},
			{command: "user-new-id", want: `{"user_id": "bob"}`},
			{
				command: "team-member-add", with: "team-id=$team",
				want: `{"team_id": "$team", "members_with_roles/#": 2, "updated_users/0/user_id": "bob", "updated_team_memberships/0/litellm_budget_table/max_budget": 4e-12}`,
			},
			{command: "team-member-add", with: "team-id=$team", status: 400, want: `{"error/message": "User with user_id=bob already in team.", "error/type": "team_member_already_in_team"}`},
			{command: "key-generate-member", with: "team-id=$team", keep: "key=key", want: `{"user_id": "bob", "team_id": "$team", "models": [], "spend": 0, "max_budget": null}`},
			{command: "chat", with: "generated-key=$key"},
			{command: "chat", with: "generated-key=$key", status: 400, body: over("5e-05", "4e-12")},
			{command: "team-member-update", with: "team-id=$team", want: `{"user_id": "bob", "team_id": "$team", "max_budget_in_team": 2.5, "role": "admin"}`},
			{command: "chat", with: "generated-key=$key"},
			{command: "team-member-add-many", with: "team-id=$team", want: `{"members_with_roles/#": 4, "updated_users/#": 2}`},
			{command: "team-member-delete", with: "team-id=$team", want: `{"members_with_roles/#": 3}`},
			{command: "team-member-delete", with: "team-id=$team", status: 400, want: `{"error/message": "User not found in team"}`},
			{command: "team-list", want: `{"#": 1, "0/team_id": "$team"}`},
		},
	} {
		t.Run(name, func(t *testing.T) { story(t, tenants(), steps) })
	}
}

func TestCommandsForCustomers(t *testing.T) {
	everybody := tenants()
	everybody["litellm_settings"] = object{"max_end_user_budget": 0.00006}
	for name, of := range map[string]struct {
		config object
		steps  []step
	}{
		"of a budget": {tenants(), []step{
			{command: "customer-new", status: 400, want: `{"error/param": "budget_id"}`},
			{command: "budget-new", want: `{"budget_id": "visitor", "tpm_limit": 30}`},
			{command: "budget-new", status: 400, want: `{"error/param": "budget_id"}`},
			{command: "customer-new", want: `{"user_id": "acme", "blocked": false, "alias": null, "spend": 0, "allowed_model_region": null, "default_model": null, "litellm_budget_table/tpm_limit": 30}`},
			{command: "customer-new", status: 400, want: `{"error/message": "Customer already exists, passed user_id=acme. Please pass a new user_id."}`},
			{command: "chat-customer", with: "generated-key=sk-1234", header: "x-ratelimit-end_user-remaining-tokens: 0"},
			{command: "chat-customer", with: "generated-key=sk-1234", status: 429, body: limited("end_user", "acme", "tokens", "30")},
			{command: "chat-customer-header", status: 429},
			{command: "chat", with: "generated-key=sk-1234"},
			{command: "budget-update", want: `{"budget_id": "visitor", "tpm_limit": 3000, "max_budget": 6}`},
			{command: "chat-customer-header"},
			{command: "customer-info", after: time.Second, want: `{"user_id": "acme", "spend": 0.0001, "litellm_budget_table/max_budget": 6}`},
			{command: "customer-block", want: `{"blocked_users/#": 2, "blocked_users/0/blocked": true}`},
			{
				command: "chat-customer", with: "generated-key=sk-1234", status: 401,
				want: "{\"error/message\": \"Authentication Error, End User=acme is blocked. Update via `/customer/unblock` if you're an admin.\"}",
			},
			{command: "customer-unblock", want: `{"blocked_users/#": 1, "blocked_users/0/blocked": false}`},
			{command: "chat-customer", with: "generated-key=sk-1234"},
			{command: "customer-list", want: `{"#": 2}`},
			{command: "budget-new-money", want: `{"max_budget": 5, "rpm_limit": null}`},
			{command: "budget-info", want: `{"#": 2, "0/budget_id": "visitor", "1/budget_id": "visitor-plus"}`},
			{command: "budget-delete"},
			{command: "budget-list", want: `{"#": 1, "0/budget_id": "visitor"}`},
		}},
		"of their own and everybody's": {everybody, []step{
			{command: "chat-customer", with: "generated-key=sk-1234"},
			{command: "chat-customer", with: "generated-key=sk-1234"},
			{command: "chat-customer", with: "generated-key=sk-1234", status: 400, body: over("0.0001", "6e-05")},
			{command: "chat", with: "generated-key=sk-1234"},
			{command: "customer-new-budget", want: `{"user_id": "globex", "litellm_budget_table/max_budget": 0}`},
			{command: "chat-globex", with: "generated-key=sk-1234", status: 400, body: over("0.0", "0.0")},
			{command: "end-user-info", want: `{"user_id": "globex"}`},
			{command: "customer-update", want: `{"alias": "Globex Inc.", "litellm_budget_table/max_budget": 4}`},
			{command: "chat-globex", with: "generated-key=sk-1234"},
			{command: "customer-delete", want: `{"deleted_customers": 1, "message": "Successfully deleted customers with ids: ['globex']"}`},
			{command: "end-user-info", status: 404, want: `{"error/message": "End User Id=globex does not exist in db", "error/type": "not_found"}`},
		}},
	} {
		t.Run(name, func(t *testing.T) { story(t, of.config, of.steps) })
	}
}

func TestCommandsForReports(t *testing.T) {
	c := tenants()
	c["litellm_settings"] = object{"max_budget": 100, "budget_duration": "30d"}
	story(t, c, []step{
		{command: "team-new-models", keep: "team=team_id"},
		{command: "key-generate-member", with: "team-id=$team", keep: "key=key hash=token"},
		{command: "chat", with: "generated-key=$key"},
		{command: "chat-variables"},
		{command: "global-spend", after: time.Second, want: `{"spend": 0.0001, "max_budget": 100}`},
		{command: "spend-keys", want: `{"#": 1, "0/token": "$hash", "0/spend": 0.00005}`},
		{command: "spend-teams", want: `{"#": 1, "0/team_id": "$team", "0/spend": 0.00005}`},
		{command: "spend-calculate", want: `{"cost": 0.000006}`},
		{command: "spend-calculate-answer", want: `{"cost": 0.00004}`},
		{command: "model-info", want: `{"data/#": 5, "data/0/model_name": "small", "data/0/model_info/input_cost_per_token": 1e-6}`},
		{command: "model-group-info", want: `{"data/#": 1, "data/0/model_group": "large", "data/0/output_cost_per_token": 3e-6}`},
		{command: "metrics", body: `…litellm_spend_metric_total{…`},
	})
}

// Budgets, limits and grants are to an OpenAI client what it knows.
func TestTenantsOfTheClient(t *testing.T) {
	t.Parallel()
	c := tenants()
	upstream := object{
		"model": "openai/real-name", "api_key": "provider-secret", "api_base": "http://" + behind + "/v1",
		"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6,
	}
	models, _ := c["model_list"].(list)
	c["model_list"] = append(models[:3:3], object{"model_name": upstreamModel, "litellm_params": upstream})
	c["virtual_keys"] = list{object{"key": "os.environ/OLD_KEY", "expires": "2025-01-01T00:00:00Z"}}
	g := launch(t, c, envoy.Options{Workers: 2, Env: map[string]string{"OLD_KEY": "sk-key-of-last-year"}})
	python(t, "tenants.py", g.BaseURL)
}

// Keys, users and teams are managed with requests.
func TestManagingWithRequests(t *testing.T) {
	t.Parallel()
	python(t, "managing.py", launch(t, tenants(), envoy.Options{Workers: 2}).BaseURL)
}

// Each command that lies there is run by a story.
func TestCommandsAreAllRun(t *testing.T) {
	root, err := envoy.Root()
	if err != nil {
		t.Fatal(err)
	}
	test, err := os.ReadFile(filepath.Join(root, "hostsim/e2e/tenants_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "testdata/documents/forms/*.sh"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d commands, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".sh")
		if !strings.Contains(string(test), `command: "`+name+`"`) {
			t.Errorf("no story runs %s", name)
		}
	}
}
