package admin

import (
	"strconv"
	"strings"
	"testing"

	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

// plainTeam is a team's row without its braces if nothing was asked for but members.
func plainTeam(id, members string) string {
	return `"team_alias":null,"team_id":"` + id + `","models":[],"model_aliases":{},"max_budget":null,"soft_budget":null,"budget_duration":null,"max_parallel_requests":null,` +
		`"tpm_limit":null,"rpm_limit":null,"metadata":{},"model_max_budget":{},"model_rpm_limit":{},"model_tpm_limit":{},"blocked":false,` +
		`"team_member_budget":null,"team_member_budget_duration":null,"team_member_rpm_limit":null,"team_member_tpm_limit":null,` + made +
		`,"spend":0.0,"budget_reset_at":null,"organization_id":null,` + members
}

// plainMember is a member's row if nothing was asked for.
func plainMember(team, user, role string) string {
	return `{"user_id":"` + user + `","team_id":"` + team + `","role":"` + role + `","max_budget_in_team":null,"budget_duration":null,"max_parallel_requests":null,"tpm_limit":null,"rpm_limit":null,` +
		`"allowed_models":[],` + made + `,"spend":0.0,"budget_reset_at":null,"litellm_budget_table":` + noLimits + `}`
}

// The documents' own curl line (seeds/002), and a key for the team.
func TestNewTeam(t *testing.T) {
	d := newDesk(t)
	const id = "00010203-0405-4607-8809-0a0b0c0d0eff"
	d.want("POST /team/new", "{\n\"team_alias\": \"QA Prod Bot\",\n\"max_budget\": 0.000000001,\n\"budget_duration\": \"1d\"\n}",
		`{"team_alias":"QA Prod Bot","team_id":"`+id+`","models":[],"model_aliases":{},"max_budget":1e-09,"soft_budget":null,"budget_duration":"1d","max_parallel_requests":null,`+
			`"tpm_limit":null,"rpm_limit":null,"metadata":{},"model_max_budget":{},"model_rpm_limit":{},"model_tpm_limit":{},"blocked":false,`+
			`"team_member_budget":null,"team_member_budget_duration":null,"team_member_rpm_limit":null,"team_member_tpm_limit":null,`+made+
			`,"spend":0.0,"budget_reset_at":"2024-02-01T00:00:00Z","organization_id":null,"admins":[],"members":[],"members_with_roles":[]}`)
	d.want("POST /key/generate", `{"team_id": "`+id+`"}`,
		`{"key":"`+secret2+`","token":"`+tokenOf(secret2)+`","token_id":"`+tokenOf(secret2)+`","duration":null,"key_name":"sk-...0O_w","key_alias":null,"user_id":null,"team_id":"`+id+`",`+plainKey+`}`)

	d.want("POST /team/new", `{"team_id": "t", "members_with_roles": [{"role": "admin", "user_id": "u"}, {"role": "user", "user_email": "x@y"}], "metadata": {"priority":"dev"},
		"soft_budget": 1, "max_budget": 2, "model_aliases": {"a": "b"}, "tags": ["x"], "blocked": true, "team_member_budget": 3, "team_member_rpm_limit": 4}`,
		`{"team_alias":null,"team_id":"t","models":[],"model_aliases":{"a":"b"},"max_budget":2.0,"soft_budget":1.0,"budget_duration":null,"max_parallel_requests":null,`+
			`"tpm_limit":null,"rpm_limit":null,"metadata":{"priority":"dev","tags":["x"]},"model_max_budget":{},"model_rpm_limit":{},"model_tpm_limit":{},"blocked":true,`+
			`"team_member_budget":3.0,"team_member_budget_duration":null,"team_member_rpm_limit":4,"team_member_tpm_limit":null,`+made+
			`,"spend":0.0,"budget_reset_at":null,"organization_id":null,"admins":["u"],"members":["u","02010203-0405-4607-8809-0a0b0c0d0eff"],`+
			`"members_with_roles":[{"role":"admin","user_id":"u","user_email":null},{"role":"user","user_id":"02010203-0405-4607-8809-0a0b0c0d0eff","user_email":"x@y"}]}`)
	// Who becomes a member becomes a user.
	d.want("GET /user/list?user_email=x@y", "", `{"users":[{"user_id":"02010203-0405-4607-8809-0a0b0c0d0eff",`+
		strings.Replace(plainUser, `"user_email":null`, `"user_email":"x@y"`, 1)+`["t"]}],"total":1,"page":1,"page_size":25,"total_pages":1}`)
	d.get("GET /user/info?user_id=u", "")

	d.refuses(
		no{"POST /team/new", `{"team_id": "t"}`, "team_id", 400, invalid, "Team id = t already exists. Please use a different team id."},
		no{"POST /team/new", `{"team_id": "n", "soft_budget": 2, "max_budget": 2}`, "soft_budget", 400, invalid, "soft_budget: want less than max_budget (2.0), got 2.0"},
		no{"POST /team/new", `{"team_id": "n", "members_with_roles": [{"role": "owner", "user_id": "u"}]}`, "members_with_roles[0].role", 400, invalid, "members_with_roles[0].role must be user or admin"},
		no{"POST /team/new", `{"team_id": "n", "members_with_roles": [{"role": "user"}]}`, "members_with_roles[0].user_id", 400, invalid, "Either user id or user email must be provided"},
		no{"POST /team/new", `{"team_id": "n", "members_with_roles": [{"user_id": "u"}, {"user_id": "u"}]}`, "members_with_roles[1]", 400, invalid, "members_with_roles[1] names a member twice"},
		no{"POST /team/new", `{"team_id": "n", "members_with_roles": [{"user_email": "n@x"}, {"user_email": "n@x"}]}`, "members_with_roles[1]", 400, invalid, "members_with_roles[1] names a member twice"},
		no{"POST /team/new", `{"team_id": "n", "members_with_roles": ["u"]}`, "members_with_roles[0]", 400, invalid, "members_with_roles[0] must be an object"},
		no{"POST /team/new", `{"team_id": "n", "members_with_roles": 1}`, "members_with_roles", 400, invalid, "members_with_roles must be an object or a list of objects"},
		no{"POST /team/new", `{"team_id": "n", "organization_id": "o"}`, "organization_id", 400, invalid, `organization_id: want nothing, since Fairshare does not enforce it here, got "o"`},
	)
}

func TestUpdateTeam(t *testing.T) {
	d := newDesk(t)
	d.get("POST /team/new", `{"team_id": "t", "team_alias": "a", "max_budget": 2, "soft_budget": 1, "members_with_roles": [{"user_id": "u"}]}`)
	d.books.set(&tenant.Subject{Kind: tenant.Team, ID: "t"}, "", unit.USD/2)
	const members = `"admins":[],"members":["u"],"members_with_roles":[{"role":"user","user_id":"u","user_email":null}]`
	row := plainTeam("t", members)
	row = strings.Replace(row, `"spend":0.0`, `"spend":0.5`, 1)
	d.want("POST /team/update", `{"team_id": "t", "team_alias": null, "max_budget": null, "soft_budget": null}`, `{"team_id":"t","data":{`+row+`}}`)
	d.want("POST /team/block", `{"team_id": "t"}`, `{`+strings.Replace(row, `"blocked":false`, `"blocked":true`, 1)+`}`)
	d.want("POST /team/unblock", `{"team_id": "t"}`, `{`+row+`}`)
	d.get("POST /team/update", `{"team_id": "t", "max_budget": 1, "soft_budget": 0.5}`)
	unknown := "Team not found, passed team_id=x"
	d.refuses(
		no{"POST /team/update", `{}`, "team_id", 400, invalid, "team_id is required"},
		no{"POST /team/update", `{"team_id": "x"}`, "team_id", 404, notFound, unknown},
		no{"POST /team/block", `{"team_id": "x"}`, "team_id", 404, notFound, unknown},
		no{"POST /team/unblock", `{"team_id": 1}`, "team_id", 400, invalid, "team_id must be a string"},
		// Against what was there before.
		no{"POST /team/update", `{"team_id": "t", "max_budget": 0.25, "rpm_limit": 1}`, "soft_budget", 400, invalid, "soft_budget: want less than max_budget (0.25), got 0.5"},
	)
}

func TestTeamInfo(t *testing.T) {
	d := newDesk(t)
	d.get("POST /team/new", `{"team_id": "t", "members_with_roles": [{"user_id": "u", "role": "admin"}]}`)
	d.get("POST /team/new", `{"team_id": "empty"}`)
	d.get("POST /key/generate", `{"key": "sk-chosen-by-hand", "team_id": "t"}`)
	row := `{` + plainTeam("t", `"admins":["u"],"members":["u"],"members_with_roles":[{"role":"admin","user_id":"u","user_email":null}]`) + `}`
	empty := `{` + plainTeam("empty", `"admins":[],"members":[],"members_with_roles":[]`) + `}`
	d.want("GET /team/info?team_id=t", "", `{"team_id":"t","team_info":`+row+`,"keys":[{"token":"`+tokenOf(chosen)+`","key_name":"sk-...hand","key_alias":null,"user_id":null,"team_id":"t",`+
		plainKey+`}],"keys_total":1,"team_memberships":[`+plainMember("t", "u", "admin")+`]}`)
	d.want("GET /team/list", "", `[`+row+`,`+empty+`]`)
	d.want("GET /team/list?page=2&page_size=1", "", `[`+empty+`]`)
	d.want("GET /team/list?user_id=u", "", `[`+row+`]`)
	d.want("GET /team/list?user_id=v", "", `[]`)
	d.refuses(
		no{"GET /team/info", "", "team_id", 422, invalid, "Malformed request. No team id passed in."},
		no{"GET /team/info?team_id=x", "", "team_id", 404, notFound, "Team not found, passed team id: x."},
		no{"GET /team/list?page_size=1001", "", "page_size", 400, invalid, "page_size must be a whole number from 1 to 1000"},
	)
}

// A team's keys and memberships go with it; users stay.
func TestDeleteTeams(t *testing.T) {
	d := newDesk(t)
	d.get("POST /team/new", `{"team_id": "t", "members_with_roles": [{"user_id": "u"}]}`)
	d.get("POST /team/new", `{"team_id": "s"}`)
	d.get("POST /key/generate", `{"key": "sk-chosen-by-hand", "team_id": "t", "spend": 1}`)
	d.refuses(
		no{"POST /team/delete", `{}`, "team_ids", 400, invalid, "team_ids is required"},
		no{"POST /team/delete", `{"team_ids": ["t", "x"]}`, "team_ids", 404, notFound, "Team not found, passed team_id=x"},
	)
	d.want("POST /team/delete", `{"team_ids": ["t"]}`, `{"deleted_teams":["t"]}`)
	d.want("GET /key/list", "", `{"keys":[],"total_count":0,"current_page":1,"total_pages":0}`)
	d.want("GET /team/list?user_id=u", "", `[]`)
	if got := field(t, d.get("GET /user/info?user_id=u", ""), "user_info", "teams"); got != "[]" || len(d.books.spend) != 0 {
		t.Errorf("teams %s, books %v", got, d.books.spend)
	}
}

func TestMembers(t *testing.T) {
	d := newDesk(t)
	d.get("POST /team/new", `{"team_id": "t"}`)
	d.get("POST /user/new", `{"user_id": "known", "user_email": "k@x", "auto_create_key": false}`)
	limits := `"max_budget":5.0,"soft_budget":null,"budget_duration":"1d","max_parallel_requests":null,"tpm_limit":null,"rpm_limit":2`
	member := func(user string) string {
		return `{"user_id":"` + user + `","team_id":"t","role":"user","max_budget_in_team":5.0,"budget_duration":"1d","max_parallel_requests":null,"tpm_limit":null,"rpm_limit":2,` +
			`"allowed_models":["m"],` + made + `,"spend":0.0,"budget_reset_at":"2024-02-01T00:00:00Z","litellm_budget_table":{` + limits + `}}`
	}
	d.want("POST /team/member_add", `{"team_id": "t", "member": {"role": "user", "user_id": "v"}, "max_budget_in_team": 5, "budget_duration": "1d", "rpm_limit": 2, "allowed_models": ["m"]}`,
		`{`+plainTeam("t", `"admins":[],"members":["v"],"members_with_roles":[{"role":"user","user_id":"v","user_email":null}]`)+
			`,"updated_users":[{"user_id":"v",`+plainUser+`["t"]}],"updated_team_memberships":[`+member("v")+`]}`)
	answer := d.get("POST /team/member_add", `{"team_id": "t", "member": [{"role": "admin", "user_email": "k@x"}, {"user_email": "n@x"}]}`)
	if got := field(t, answer, "members_with_roles"); got != `[{"role":"user","user_id":"v","user_email":null},{"role":"admin","user_id":"known","user_email":"k@x"},`+
		`{"role":"user","user_id":"00010203-0405-4607-8809-0a0b0c0d0eff","user_email":"n@x"}]` {
		t.Errorf("members %s", got)
	}
	if got := field(t, answer, "updated_team_memberships"); got != `[`+plainMember("t", "known", "admin")+`,`+plainMember("t", "00010203-0405-4607-8809-0a0b0c0d0eff", "user")+`]` {
		t.Errorf("memberships %s", got)
	}

	d.want("POST /team/member_update", `{"team_id": "t", "user_email": "k@x", "max_budget_in_team": 1, "role": "user"}`, `{"user_email":"k@x",`+
		strings.Replace(strings.Replace(plainMember("t", "known", "user"), `"max_budget_in_team":null`, `"max_budget_in_team":1.0`, 1), `"max_budget":null`, `"max_budget":1.0`, 1)[1:])
	d.want("POST /team/member_update", `{"team_id": "t", "user_id": "known", "max_budget_in_team": null}`, `{"user_email":"k@x",`+plainMember("t", "known", "user")[1:])
	d.books.set(&tenant.Subject{Kind: tenant.Member, ID: tenant.MemberID("t", "v")}, "", 7)
	d.want("POST /team/member_delete", `{"team_id": "t", "user_id": "v"}`, `{`+plainTeam("t", `"admins":[],"members":["known","00010203-0405-4607-8809-0a0b0c0d0eff"],`+
		`"members_with_roles":[{"role":"user","user_id":"known","user_email":"k@x"},{"role":"user","user_id":"00010203-0405-4607-8809-0a0b0c0d0eff","user_email":"n@x"}]`)+`}`)
	if len(d.books.spend) != 0 {
		t.Errorf("books %v", d.books.spend)
	}
	twice := "User with user_id=known already in team."
	unknown := "Team not found, passed team_id=x"
	d.refuses(
		no{"POST /team/member_add", `{"team_id": "t", "member": {"user_id": "known"}}`, "member", 400, "team_member_already_in_team", twice},
		no{"POST /team/member_add", `{"team_id": "t", "member": [{"user_id": "new"}, {"user_email": "k@x"}]}`, "member[1]", 400, "team_member_already_in_team", twice},
		no{"POST /team/member_add", `{"team_id": "t", "member": [{"user_id": "new"}, {"user_id": 1}]}`, "member[1].user_id", 400, invalid, "member[1].user_id must be a string"},
		no{"POST /team/member_add", `{"team_id": "t", "member": []}`, "member", 400, invalid, "No member/members passed in"},
		no{"POST /team/member_add", `{"team_id": "t"}`, "member", 400, invalid, "No member/members passed in"},
		no{"POST /team/member_add", `{"team_id": "t", "member": {"user_id": "new"}, "max_budget_in_team": "five"}`, "max_budget_in_team", 400, invalid, `max_budget_in_team: want a number from 0 to 9000000, got "five"`},
		no{"POST /team/member_add", `{"team_id": "t", "member": {"user_id": "new"}, "max_budget": 5}`, "max_budget", 400, invalid, "max_budget: want nothing, since Fairshare does not enforce it here, got 5"},
		no{"POST /team/member_add", `{"team_id": "x", "member": {"user_id": "new"}}`, "team_id", 404, notFound, unknown},
		no{"POST /team/member_update", `{"team_id": "x", "user_id": "known"}`, "team_id", 404, notFound, unknown},
		no{"POST /team/member_update", `{"team_id": "t", "user_id": "v"}`, "user_id", 400, invalid, "User not found in team"},
		no{"POST /team/member_update", `{"team_id": "t", "user_id": "known", "role": "owner"}`, "role", 400, invalid, `role: want one of user admin, got "owner"`},
		no{"POST /team/member_update", `{"team_id": "t"}`, "user_id", 400, invalid, "Either user id or user email must be provided"},
		no{"POST /team/member_delete", `{"team_id": "t", "user_email": "x@x"}`, "user_id", 400, invalid, "User not found in team"},
	)
	// A declared team takes members, but does not lose those that are declared with it.
	d = newDesk(t, &tenant.Subject{Kind: tenant.Team, ID: "t"}, &tenant.Subject{Kind: tenant.Member, ID: tenant.MemberID("t", "u"), TeamID: "t", UserID: "u", Role: "user"})
	d.get("POST /team/member_add", `{"team_id": "t", "member": {"user_id": "v"}}`)
	d.get("POST /team/member_delete", `{"team_id": "t", "user_id": "v"}`)
	// Who is declared a member may become a user.
	if got := field(t, d.get("POST /user/new", `{"user_id": "u", "teams": ["t"], "auto_create_key": false}`), "teams"); got != `["t"]` {
		t.Errorf("teams %s", got)
	}
	const declared = "the configuration declares it, and only the configuration can change it"
	d.refuses(
		no{"POST /team/member_delete", `{"team_id": "t", "user_id": "u"}`, "user_id", 400, invalid, declared},
		no{"POST /team/update", `{"team_id": "t"}`, "team_id", 400, invalid, declared},
		no{"POST /team/delete", `{"team_ids": ["t"]}`, "team_ids", 400, invalid, declared},
		no{"POST /team/new", `{"team_id": "t"}`, "team_id", 400, invalid, "Team id = t already exists. Please use a different team id."},
	)
}

// Lists that would be too long are not cut but refused.
func TestLongLists(t *testing.T) {
	d := newDesk(t)
	for i := range maxRows + 1 {
		c := &tenant.Subject{Kind: tenant.Customer, ID: "c" + strconv.Itoa(i), Created: now, Updated: now}
		if d.Tenants.Add(c) != tenant.Added {
			t.Fatal(i)
		}
		hash := tenant.Hash(c.ID)
		k := tenant.NewKey(&hash)
		k.UserID = "u"
		if d.Tenants.Add(k) != tenant.Added {
			t.Fatal(i)
		}
	}
	d.Tenants.Add(&tenant.Subject{Kind: tenant.User, ID: "u"})
	const text = "there are more than 1000 of them: ask for page=1 and page_size=1000 and so on"
	d.refuses(no{"GET /customer/list", "", "page", 400, invalid, text}, no{"GET /spend/keys", "", "page", 400, invalid, text})
	for query, want := range map[string]int{"?page=1": maxRows, "?page=2": 1, "?page_size=1000": maxRows, "?page=51&page_size=20": 1, "?page=52&page_size=20": 0} {
		if got := strings.Count(d.get("GET /customer/list"+query, ""), `{"user_id":`); got != want {
			t.Errorf("%s: %d rows, want %d", query, got, want)
		}
	}
	answer := d.get("GET /user/info?user_id=u", "")
	if got := field(t, answer, "keys_total"); strings.Count(answer, `{"token":`) != maxRows || got != strconv.Itoa(maxRows+1) {
		t.Errorf("%d keys of %s", strings.Count(answer, `{"token":`), got)
	}
	if d.Tenants.Remove(tenant.Customer, "c7") != tenant.Removed {
		t.Fatal("c7")
	}
	if got := strings.Count(d.get("GET /end_user/list", ""), `{"user_id":`); got != maxRows {
		t.Errorf("%d rows", got)
	}
}
