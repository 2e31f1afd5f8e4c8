//go:build !tinygo

package admin

import (
	"encoding/json"
	"strings"
	"testing"

	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

// setUp has a bit of everything.
func setUp(t testing.TB) *desk {
	d := newDesk(t)
	for _, c := range [][2]string{
		{"POST /budget/new", `{"budget_id": "b", "max_budget": 5, "budget_duration": "1d"}`},
		{"POST /budget/new", `{"budget_id": "unused"}`},
		{"POST /team/new", `{"team_id": "t", "max_budget": 3, "members_with_roles": [{"user_id": "u", "role": "admin"}]}`},
		{"POST /user/update", `{"user_id": "u", "user_email": "u@x", "tpm_limit": 10}`},
		{"POST /key/generate", `{"key": "sk-chosen-by-hand", "key_alias": "a", "user_id": "u", "team_id": "t", "max_budget": 1, "budget_id": "b", "spend": 0.5, "model_rpm_limit": {"m": 1}}`},
		{"POST /key/generate", `{"key": "sk-other-0123456789", "key_alias": "b", "user_id": "u"}`},
		{"POST /customer/new", `{"user_id": "c", "budget_id": "b", "spend": 1}`},
	} {
		if _, refusal := d.serve(c[0], c[1]); refusal != nil {
			t.Fatalf("%s: %+v", c[1], refusal)
		}
	}
	return d
}

// doors counts the open keys and tells whether a key or a membership has
// outlived its user or team.
func (d *desk) doors() (open int, orphan bool) {
	tenants := tenant.NewDirectory(&d.shelf.Memory, nil)
	gone := func(kind tenant.Kind, id string) bool {
		_, st := tenants.Find(kind, id)
		return id != "" && st != quota.OK
	}
	for _, kind := range []tenant.Kind{tenant.Key, tenant.Member} {
		tenants.List(kind, "", func(id string) bool {
			s, _ := tenants.Find(kind, id)
			if s == nil {
				return true
			}
			if kind == tenant.Key && !s.Blocked {
				open++
			}
			orphan = orphan || gone(tenant.User, s.UserID) || gone(tenant.Team, s.TeamID)
			return true
		})
	}
	return open, orphan
}

// Whichever call of the store or the books fails, alone or with all behind it,
// the answer is a refusal or what was asked for, and no door is open that was
// not to be.
func TestStoreFails(t *testing.T) {
	for _, c := range []struct {
		what, body string
		// keeps is that what is refused has changed nothing, if only one call fails.
		keeps bool
		// opens is how many keys it adds.
		opens int
	}{
		{"POST /key/generate", `{"key_alias": "n", "user_id": "u", "team_id": "t", "spend": 1}`, true, 1},
		{"POST /key/update", `{"key": "sk-chosen-by-hand", "key_alias": "c", "tpm_limit": 5, "spend": 0, "team_id": null}`, true, 0},
		{"POST /key/block", `{"key": "sk-chosen-by-hand"}`, true, 0},
		{"POST /key/sk-chosen-by-hand/regenerate", `{"rpm_limit": 1, "spend": 0.25}`, true, 0},
		{"POST /key/sk-chosen-by-hand/regenerate", ``, true, 0},
		{"POST /key/delete", `{"keys": ["sk-chosen-by-hand"]}`, true, 0},
		{"POST /key/delete", `{"keys": ["sk-chosen-by-hand", "sk-other-0123456789"]}`, false, 0},
		{"POST /user/new", `{"user_id": "n", "teams": ["t"], "key_alias": "n", "spend": 1}`, true, 1},
		{"POST /user/update", `{"user_email": "u@x", "tpm_limit": 5, "spend": 2}`, true, 0},
		{"POST /user/delete", `{"user_ids": ["u"]}`, false, 0},
		{"POST /team/new", `{"team_id": "n", "members_with_roles": [{"user_id": "u"}, {"user_id": "v"}]}`, true, 0},
		{"POST /team/update", `{"team_id": "t", "team_alias": "T", "max_budget": 9}`, true, 0},
		{"POST /team/block", `{"team_id": "t"}`, true, 0},
		{"POST /team/delete", `{"team_ids": ["t"]}`, false, 0},
		{"POST /team/member_add", `{"team_id": "t", "member": [{"user_id": "v"}, {"user_email": "w@x"}], "max_budget_in_team": 1}`, true, 0},
		{"POST /team/member_update", `{"team_id": "t", "user_id": "u", "role": "user"}`, true, 0},
		{"POST /team/member_delete", `{"team_id": "t", "user_id": "u"}`, false, 0},
		{"POST /customer/new", `{"user_id": "n", "spend": 1}`, true, 0},
		{"POST /customer/update", `{"user_id": "c", "alias": "C", "spend": 0}`, true, 0},
		{"POST /customer/block", `{"user_ids": ["c"]}`, true, 0},
		{"POST /customer/block", `{"user_ids": ["c", "n"]}`, false, 0},
		{"POST /customer/delete", `{"user_ids": ["c"]}`, true, 0},
		{"POST /budget/new", `{}`, true, 0},
		{"POST /budget/update", `{"budget_id": "b", "max_budget": 6}`, true, 0},
		{"POST /budget/delete", `{"id": "unused"}`, true, 0},
		{"GET /key/info?key=sk-chosen-by-hand", ``, true, 0},
		{"GET /key/list?return_full_object=true", ``, true, 0},
		{"GET /user/info?user_id=u", ``, true, 0},
		{"GET /user/list?role=x", ``, true, 0},
		{"GET /team/info?team_id=t", ``, true, 0},
		{"GET /team/list?user_id=u", ``, true, 0},
		{"GET /customer/list", ``, true, 0},
		{"GET /customer/info?end_user_id=c", ``, true, 0},
		{"POST /budget/info", `{"budgets": ["b"]}`, true, 0},
		{"GET /spend/keys", ``, true, 0},
		{"GET /spend/users?user_id=u", ``, true, 0},
	} {
		good := setUp(t)
		before, _ := good.doors()
		asked := good.dump()
		good.get(c.what, c.body)
		wanted := good.dump()
		refused := false
		for _, failFor := range []int{1, 0} {
			for _, inBooks := range []bool{false, true} {
				for at := 1; ; at++ {
					d := setUp(t)
					d.drawn = 0
					if inBooks {
						d.books.calls, d.books.failAt, d.books.failFor = 0, at, failFor
					} else {
						d.shelf.calls, d.shelf.failAt, d.shelf.failFor = 0, at, failFor
					}
					answer, refusal := d.serve(c.what, c.body)
					calls := d.shelf.calls
					if inBooks {
						calls = d.books.calls
					}
					if calls < at {
						break
					}
					after := d.dump()
					switch {
					case refusal == nil && !json.Valid([]byte(answer)):
						t.Fatalf("%s, call %d: %s", c.what, at, answer)
					case refusal == nil && strings.HasPrefix(c.what, "POST") && after != wanted && !lasting(c.what, inBooks) && failFor == 1:
						t.Errorf("%s, call %d (%v): answered, but%s", c.what, at, inBooks, change(wanted, after))
					case refusal != nil && refusal.Status != 503:
						t.Errorf("%s, call %d: %+v", c.what, at, refusal)
					case refusal != nil && c.keeps && failFor == 1 && after != asked &&
						// A store that fails to free an alias costs it.
						!(strings.HasSuffix(c.what, "/regenerate") && after == strings.Replace(asked, `"key_alias":"a"`, `"key_alias":null`, 1)):
						t.Errorf("%s, call %d (%v): %+v, but%s", c.what, at, inBooks, refusal, change(asked, after))
					}
					refused = refused || refusal != nil
					open, orphan := d.doors()
					if orphan {
						t.Errorf("%s, call %d: a key or a membership without its user or team: %s", c.what, at, change(asked, after))
					}
					if open > before && (refusal != nil || open > before+c.opens) {
						t.Errorf("%s, call %d (%d, %v): %d keys are open, %+v", c.what, at, failFor, inBooks, open, refusal)
					}
				}
			}
		}
		if !refused && c.what != "POST /budget/new" {
			t.Errorf("%s is never refused", c.what)
		}
	}
}

// lasting are requests that succeed although something of theirs stays: what was
// spent by whom is gone, or the rest of the old key.
func lasting(what string, inBooks bool) bool {
	return inBooks && strings.Contains(what, "delete") || strings.HasSuffix(what, "/regenerate")
}

// When the store works again so does the office.
func TestStoreRecovers(t *testing.T) {
	d := newDesk(t)
	d.shelf.failAt = 1
	if _, refusal := d.serve("POST /key/generate", `{"key_alias": "a"}`); refusal == nil ||
		*refusal != (Refusal{Status: 503, Type: internal, Message: "the store can't be read or written"}) {
		t.Errorf("%+v", refusal)
	}
	d.shelf.failAt = 0
	d.get("POST /key/generate", `{"key_alias": "a"}`)
}

// While one worker serves a request another serves one of the same subject,
// whenever that is. Both are done one after the other, or one is refused.
func TestWorkersMeet(t *testing.T) {
	type end struct{ mine, theirs *Refusal }
	for _, c := range []struct {
		name         string
		mine, theirs [2]string
		check        func(t *testing.T, d *desk, e end)
	}{
		{
			"edits of one key",
			[2]string{"POST /key/update", `{"key": "sk-chosen-by-hand", "tpm_limit": 11, "key_alias": "mine"}`},
			[2]string{"POST /key/update", `{"key": "sk-chosen-by-hand", "rpm_limit": 22, "metadata": {"their": 1}}`},
			func(t *testing.T, d *desk, e end) {
				k, _ := d.Tenants.FindAlias("mine")
				if e.mine != nil || e.theirs != nil || k == nil || k.Limits.TPM.Max != 11 || k.Limits.RPM.Max != 22 || k.Metadata != `{"their": 1}` || k.Limits.Budget.Max != 1e12 {
					t.Errorf("%+v: %+v", e, k)
				}
			},
		},
		{
			"edits of one team",
			[2]string{"POST /team/update", `{"team_id": "t", "soft_budget": 2}`},
			[2]string{"POST /team/update", `{"team_id": "t", "max_budget": 1}`},
			func(t *testing.T, d *desk, e end) {
				// Each is good alone, both together are not.
				s, _ := d.Tenants.Find(tenant.Team, "t")
				if (e.mine == nil) == (e.theirs == nil) || s.Limits.Soft.Limited && s.Limits.Soft.Max >= s.Limits.Budget.Max {
					t.Errorf("%+v %+v: %+v", e.mine, e.theirs, s)
				}
			},
		},
		{
			"one alias",
			[2]string{"POST /key/generate", `{"key": "sk-0123456789-mine", "key_alias": "x"}`},
			[2]string{"POST /key/generate", `{"key": "sk-0123456789-their", "key_alias": "x"}`},
			func(t *testing.T, d *desk, e end) {
				open, _ := d.doors()
				if open != 3 || (e.mine == nil) == (e.theirs == nil) {
					t.Errorf("%+v: %v", e, open)
				}
			},
		},
		{
			"one key",
			[2]string{"POST /key/generate", `{"key": "sk-0123456789-mine", "tpm_limit": 1}`},
			[2]string{"POST /key/generate", `{"key": "sk-0123456789-mine", "tpm_limit": 2}`},
			func(t *testing.T, d *desk, e end) {
				k, _ := d.Tenants.Find(tenant.Key, tokenOf("sk-0123456789-mine"))
				if (e.mine == nil) == (e.theirs == nil) || k.Limits.TPM.Max != 1 && e.mine == nil || k.Limits.TPM.Max != 2 && e.theirs == nil {
					t.Errorf("%+v: %+v", e, k)
				}
			},
		},
		{
			"one user",
			[2]string{"POST /user/new", `{"user_id": "n", "key": "sk-0123456789-mine"}`},
			[2]string{"POST /user/new", `{"user_id": "n", "key": "sk-0123456789-their"}`},
			func(t *testing.T, d *desk, e end) {
				n := d.Tenants.Count(tenant.Key, "u:n")
				if (e.mine == nil) == (e.theirs == nil) || n != 1 {
					t.Errorf("%+v: %d keys", e, n)
				}
			},
		},
		{
			"regenerating one key",
			[2]string{"POST /key/sk-chosen-by-hand/regenerate", `{"new_key": "sk-0123456789-mine"}`},
			[2]string{"POST /key/sk-chosen-by-hand/regenerate", `{"new_key": "sk-0123456789-their"}`},
			func(t *testing.T, d *desk, e end) {
				open, _ := d.doors()
				k, _ := d.Tenants.FindAlias("a")
				if (e.mine == nil) == (e.theirs == nil) || open != 2 || k == nil || d.books.spend[account(k, "")] != unit.USD/2 {
					t.Errorf("%+v %+v: %v %+v %v", e.mine, e.theirs, open, k, d.books.spend)
				}
			},
		},
		{
			"regenerating a key that is deleted",
			[2]string{"POST /key/sk-chosen-by-hand/regenerate", `{"new_key": "sk-0123456789-mine"}`},
			[2]string{"POST /key/delete", `{"keys": ["sk-chosen-by-hand"]}`},
			func(t *testing.T, d *desk, e end) {
				open, _ := d.doors()
				if (e.mine == nil) == (e.theirs == nil) || (e.mine == nil) != (open == 2) || d.Tenants.Count(tenant.Key, "u:u") != open {
					t.Errorf("%+v %+v: %v", e.mine, e.theirs, open)
				}
			},
		},
		{
			"regenerating a key that is edited",
			[2]string{"POST /key/sk-chosen-by-hand/regenerate", `{"rpm_limit": 22}`},
			[2]string{"POST /key/update", `{"key": "sk-chosen-by-hand", "tpm_limit": 11}`},
			func(t *testing.T, d *desk, e end) {
				k, _ := d.Tenants.FindAlias("a")
				if e.mine != nil || k == nil || k.Limits.RPM.Max != 22 || k.Limits.TPM.Limited != (e.theirs == nil) {
					t.Errorf("%+v %+v: %+v", e.mine, e.theirs, k)
				}
			},
		},
		{
			"regenerating a key that is blocked",
			[2]string{"POST /key/sk-chosen-by-hand/regenerate", `{"rpm_limit": 22}`},
			[2]string{"POST /key/block", `{"key": "sk-chosen-by-hand"}`},
			func(t *testing.T, d *desk, e end) {
				k, _ := d.Tenants.FindAlias("a")
				if e.mine != nil || k == nil || k.Blocked != (e.theirs == nil) {
					t.Errorf("%+v %+v: %+v", e.mine, e.theirs, k)
				}
			},
		},
		{
			"a customer that is blocked while it is made",
			[2]string{"POST /customer/new", `{"user_id": "n", "alias": "N"}`},
			[2]string{"POST /customer/block", `{"user_ids": ["n"]}`},
			func(t *testing.T, d *desk, e end) {
				if c, _ := d.Tenants.Find(tenant.Customer, "n"); c == nil || !c.Blocked || e.theirs != nil {
					t.Errorf("%+v %+v: %+v", e.mine, e.theirs, c)
				}
			},
		},
		{
			"a customer that is made while it is blocked",
			[2]string{"POST /customer/block", `{"user_ids": ["n"]}`},
			[2]string{"POST /customer/new", `{"user_id": "n", "alias": "N"}`},
			func(t *testing.T, d *desk, e end) {
				if c, _ := d.Tenants.Find(tenant.Customer, "n"); c == nil || !c.Blocked || e.mine != nil {
					t.Errorf("%+v %+v: %+v", e.mine, e.theirs, c)
				}
			},
		},
		{
			"one member",
			[2]string{"POST /team/member_add", `{"team_id": "t", "member": {"user_id": "v"}, "max_budget_in_team": 1}`},
			[2]string{"POST /team/member_add", `{"team_id": "t", "member": {"user_id": "v"}, "max_budget_in_team": 2}`},
			func(t *testing.T, d *desk, e end) {
				m, _ := d.Tenants.Find(tenant.Member, tenant.MemberID("t", "v"))
				if (e.mine == nil) == (e.theirs == nil) || m.Limits.Budget.Max != 1e12 && e.mine == nil || m.Limits.Budget.Max != 2e12 && e.theirs == nil {
					t.Errorf("%+v %+v: %+v", e.mine, e.theirs, m)
				}
			},
		},
		{
			"a key and the end of its budget",
			[2]string{"POST /budget/delete", `{"id": "unused"}`},
			[2]string{"POST /key/update", `{"key": "sk-other-0123456789", "tpm_limit": 5}`},
			func(t *testing.T, d *desk, e end) {
				if e.mine != nil || e.theirs != nil {
					t.Errorf("%+v", e)
				}
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := 1
			for ; ; before++ {
				d := setUp(t)
				their := newDesk(t)
				their.Tenants, their.Books = tenant.NewDirectory(&d.shelf.Memory, nil), d.books
				var e end
				d.shelf.calls, d.shelf.actAt = 0, before
				d.shelf.act = func() { _, e.theirs = their.serve(c.theirs[0], c.theirs[1]) }
				_, e.mine = d.serve(c.mine[0], c.mine[1])
				if d.shelf.calls < before {
					break
				}
				d.shelf.actAt = 0
				d.dump() // it checks the aliases
				for _, r := range []*Refusal{e.mine, e.theirs} {
					if r != nil && (r.Status < 400 || r.Status > 499) {
						t.Fatalf("before call %d: %+v", before, r)
					}
				}
				if c.check(t, d, e); t.Failed() {
					t.Fatalf("before call %d", before)
				}
			}
			if before < 10 {
				t.Errorf("only %d calls of the store", before)
			}
		})
	}
}
