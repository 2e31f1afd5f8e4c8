package admin

import (
	"slices"
	"strings"
	"testing"

	"fairshare/plugin/document"
)

// unreadOf is what of a request's body did nothing.
func unreadOf(t *testing.T, d *desk, path, body string) []string {
	t.Helper()
	route, ok := Find(path)
	if !ok {
		t.Fatal(path)
	}
	r := Request{Route: route, Body: []byte(body)}
	out, refusal := d.Serve(now, &r, nil)
	if refusal != nil {
		t.Fatalf("%s %s: %+v", path, body, refusal)
	}
	// A member that is there twice would be an error.
	if _, err := document.ReadJSON(string(out)); err != nil {
		t.Errorf("%s %s: %s: %v", path, body, out, err)
	}
	return r.Unread
}

// What a route reads is not named, everything else is.
func TestUnread(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct{ path, body, want string }{
		{"/team/new", `{"team_id": "t", "team_alias": "a", "max_budget": 1, "members_with_roles": [{"user_id": "m", "role": "user", "user_email": null}], "tags": []}`, ""},
		{"/budget/new", `{"budget_id": "b", "max_budget": 1, "budget_duration": "1d", "budget_reset_at": "2027-01-01"}`, "budget_reset_at"},
		{"/user/new", `{"user_id": "u", "user_email": "u@x", "teams": [{"team_id": "t", "max_budget_in_team": 1, "user_role": "user", "desk": 4}], "auto_create_key": true,
			"duration": "1d", "key_alias": "ua", "spend": 1, "sso_user_id": "x", "metadata": {"a": 1}, "aliases": {}}`, "sso_user_id teams[0].desk"},
		{"/user/update", `{"user_id": "u", "rpm_limit": 3, "auto_create_key": false, "password": "x"}`, "auto_create_key password"},
		{"/key/generate", `{"key": "sk-0123456789-one", "team_id": "t", "budget_id": "b", "spend": 0, "key_type": "default", "send_invite_email": true}`, "send_invite_email"},
		{"/key/update", `{"key": "sk-0123456789-one", "rpm_limit": 3, "budget_id": null, "spend": 2}`, ""},
		{"/key/update", `{"key": "sk-0123456789-one", "Notes": "x", "priority": "prod"}`, "Notes priority"},
		{"/key/sk-0123456789-one/regenerate", `{"new_key": "sk-0123456789-two", "tpm_limit": 1, "spend": 1, "note": "1d"}`, "note"},
		{"/key/block", `{"key": "sk-0123456789-two", "max_budget": 3}`, "max_budget"},
		{"/team/update", `{"team_id": "t", "members": []}`, "members"},
		{"/team/member_add", `{"team_id": "t", "member": [{"user_id": "n", "role": "admin"}], "max_budget_in_team": 1}`, ""},
		{"/team/member_update", `{"team_id": "t", "user_id": "n", "role": "user", "rpm_limit": 1, "tpm": 1}`, "tpm"},
		{"/customer/new", `{"user_id": "c", "alias": "a", "spend": 1, "blocked": false, "budget_id": "b", "default_model": null}`, ""},
		{"/customer/update", `{"user_id": "c", "max_parallel_requests": 1, "x, y\n": 1}`, `["x??y\n"]`},
		{"/customer/block", `{"user_ids": ["c"], "why": "because"}`, "why"},
		{"/budget/update", `{"budget_id": "b", "max_budget": 2, "reason": ""}`, "reason"},
		{"/team/member_delete", `{"team_id": "t", "user_id": "n", "why": 1}`, "why"},
		{"/key/delete", `{"keys": ["sk-0123456789-two"], "force": true}`, "force"},
	} {
		if got := strings.Join(unreadOf(t, d, c.path, c.body), " "); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.path, c.body, got, c.want)
		}
	}
}

// A name that rows have anyway is never kept beside it, whatever was sent.
func TestUnreadNamesOfRows(t *testing.T) {
	d := newDesk(t)
	unreadOf(t, d, "/budget/new", `{"budget_id": "b"}`)
	for i, path := range []string{"/key/generate", "/user/new", "/team/new", "/customer/new", "/budget/new"} {
		id := []string{"key_alias", "user_id", "team_id", "user_id", "budget_id"}[i]
		made, refusal := d.serve("POST "+path, `{"`+id+`": "first"}`)
		if refusal != nil {
			t.Fatal(refusal)
		}
		tree, err := document.ReadJSON(made)
		if err != nil {
			t.Fatal(err)
		}
		for n := tree[0].First; n != 0; n = tree[n].Next {
			name := tree[n].Key
			body := `{"` + id + `": "` + name + `", "` + name + `": 7}`
			route, _ := Find(path)
			if name == id {
				continue
			}
			out, refusal := d.Serve(now, &Request{Route: route, Body: []byte(body)}, nil)
			if refusal != nil {
				continue
			}
			if _, err := document.ReadJSON(string(out)); err != nil {
				t.Errorf("%s %s: %s: %v", path, body, out, err)
			}
		}
	}
}

// A header's length does not depend on what was sent.
func TestUnreadIsBounded(t *testing.T) {
	body := `{"a": 1`
	for i := range 200 {
		body += `, "` + strings.Repeat("é", 10+i/100) + strings.Repeat("z", i) + `": null, "b` + strings.Repeat("z", i) + `": 1`
	}
	d := newDesk(t)
	unreadOf(t, d, "/key/generate", `{"key": "`+chosen+`"}`)
	got := unreadOf(t, d, "/key/block", strings.Replace(body, "{", `{"key": "`+chosen+`", `, 1)+"}")
	if text := strings.Join(got, ", "); len(text) > maxUnread*(maxName+5)+20 || !slices.Contains(got, "and 169 more") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}
