package admin

import (
	"strings"

	"fairshare/plugin/document"
	"fairshare/plugin/tenant"
)

// newUser makes a user, its memberships, and a key of its own unless the body
// says not to. The user comes first: its limits hold before there is a key that
// they are for. If one of them can't be made none is.
func (j *job) newUser() {
	u := &tenant.Subject{Kind: tenant.User}
	j.apply(u, 0, "")
	if u.ID == "" {
		u.ID = j.newID()
	}
	spend, given := j.spend()
	j.fresh(u, "user_id")
	all := append([]*tenant.Subject{u}, j.memberships(u)...)
	var k *tenant.Subject
	secret := ""
	if j.flag("auto_create_key", true) {
		k, secret = j.newKey()
		k.UserID = u.ID
		// A user's budget and limits hold for all its keys, this one among them.
		// What holds for one key alone is this key's as well: limits for models,
		// and the models themselves if a team takes the place of the user.
		j.some(k, "key_alias duration aliases team_id metadata tags model_max_budget model_rpm_limit model_tpm_limit")
		if k.TeamID != "" {
			k.Models = u.Models
		}
		j.refers(k)
		j.fresh(k, "key")
		all = append(all, k)
	}
	before := Book{}
	if given && j.refusal == nil {
		// The books of a user may be older than its record.
		var ok bool
		if before, ok = j.Books.Book(j.now, u, ""); !ok || !j.Books.SetSpend(j.now, u, spend) {
			j.broken()
			return
		}
	}
	if !j.add(all, "user_id") {
		if given {
			_ = j.Books.SetSpend(j.now, u, before.Own)
		}
		return
	}
	if k != nil {
		j.showUserKey(k, secret)
	} else {
		j.put(`{"key":"","expires":null,`)
	}
	j.fields(u)
	j.rest(u)
	j.put("}")
}

// memberships makes the members of the teams that a new user joins: ids, or
// objects with team_id, max_budget_in_team and user_role.
func (j *job) memberships(u *tenant.Subject) []*tenant.Subject {
	n := j.in(0, "teams")
	if n == 0 {
		return nil
	}
	if j.tree[n].Kind != document.List {
		j.bad("teams", "teams must be a list of team ids")
		return nil
	}
	var all []*tenant.Subject
	for i := j.tree[n].First; i != 0; i = j.tree[i].Next {
		at := document.Item("teams", len(all))
		m := &tenant.Subject{Kind: tenant.Member, UserID: u.ID, Email: u.Email, Role: "user"}
		if j.tree[i].Kind == document.Object {
			j.apply(m, i, at)
			m.UserID = u.ID
			if role := j.strAt(at+".user_role", j.in(i, "user_role")); role != "" {
				m.Role = j.memberRole(role, at+".user_role")
			}
		} else {
			m.TeamID = j.strAt(at, i)
		}
		if j.refusal != nil {
			return nil
		}
		if j.find(tenant.Team, m.TeamID) == nil {
			j.missing(tenant.Team, m.TeamID, at)
			return nil
		}
		m.ID = tenant.MemberID(m.TeamID, m.UserID)
		for _, other := range all {
			if other.ID == m.ID {
				j.bad(at, at+" names a team twice")
			}
		}
		// A member may be older than its user's record.
		if j.find(tenant.Member, m.ID) == nil {
			all = append(all, m)
		}
	}
	return all
}

func (j *job) memberRole(role, param string) string {
	if role != "user" && role != "admin" {
		j.bad(param, param+" must be user or admin")
	}
	return role
}

// theUser gives the id of the user that an object of the body names, by its id
// or its email address.
func (j *job) theUser(object int, path string) (id, email string) {
	id, email = j.strAt(document.Member(path, "user_id"), j.in(object, "user_id")), j.strAt(document.Member(path, "user_email"), j.in(object, "user_email"))
	if id != "" || j.refusal != nil {
		return id, email
	}
	if email == "" {
		j.bad(document.Member(path, "user_id"), "Either user id or user email must be provided")
		return "", ""
	}
	// An address leads to no record: all are looked at, which is for people who
	// have few.
	j.each(tenant.User, "", func(u *tenant.Subject) bool {
		if u.Email == email {
			id = u.ID
		}
		return id == ""
	})
	return id, email
}

func (j *job) updateUser() {
	id, email := j.theUser(0, "")
	if j.refusal != nil {
		return
	}
	if id == "" {
		j.refuse(404, notFound, "user_email", "User not found, passed user_email="+clip(email))
		return
	}
	u := j.changeable(tenant.User, id, "user_id")
	if u == nil {
		return
	}
	if u = j.change(u, "user_id", 0, nil); u != nil {
		j.put(`{"user_id":`)
		j.quote(u.ID)
		j.put(`,"data":`)
		j.put("{")
		j.fields(u)
		j.rest(u)
		j.put("}}")
	}
}

// deleteUsers removes users with their keys and memberships. Keys go first:
// none may outlive the limits of its user. If the store fails on the way, asking
// again removes the rest.
func (j *job) deleteUsers() {
	var all []*tenant.Subject
	for _, id := range j.needs("user_ids") {
		u := j.changeable(tenant.User, id, "user_ids")
		if u == nil {
			return
		}
		all = append(all, u)
	}
	n := len(all)
	if j.removeAll(j.withOwned(all, "u:"), "user_ids") {
		j.int(int64(n))
	}
}

// withOwned puts before subjects their keys and memberships, which go with them.
func (j *job) withOwned(all []*tenant.Subject, prefix string) []*tenant.Subject {
	var first []*tenant.Subject
	for _, s := range all {
		for _, kind := range [...]tenant.Kind{tenant.Key, tenant.Member} {
			for _, o := range j.all(kind, prefix+s.ID) {
				if o.Declared {
					j.bad("", "the configuration declares a key or a member of "+clip(s.ID)+", and only the configuration can change it")
				}
				first = append(first, o)
			}
		}
	}
	return append(first, all...)
}

func (j *job) userInfo() {
	id := j.param("user_id")
	if strings.Contains(id, " ") {
		// LiteLLM takes "+" for itself here: it is in many addresses.
		id = j.decoded("user_id", '+')
	}
	if id == "" {
		j.bad("user_id", "user_id is required")
		return
	}
	u := j.find(tenant.User, id)
	if u == nil {
		j.refuse(404, notFound, "user_id", "User "+clip(id)+" not found")
		return
	}
	j.put(`{"user_id":`)
	j.quote(u.ID)
	j.put(`,"user_info":{`)
	j.fields(u)
	j.rest(u)
	j.put("}")
	j.owned("u:" + u.ID)
	j.put(`,"teams":[`)
	for _, m := range j.all(tenant.Member, "u:"+u.ID) {
		if t := j.find(tenant.Team, m.TeamID); t != nil {
			j.row(t)
		}
	}
	j.put("]}")
}

// listUsers puts a page of the users' rows.
func (j *job) listUsers() {
	p, _ := j.paged("page_size", 25, 100)
	role, email, team := j.param("role"), j.param("user_email"), j.param("team")
	ids := strings.Split(j.param("user_ids"), ",")
	if j.refusal != nil {
		return
	}
	chosen := role != "" || email != "" || team != "" || ids[0] != ""
	j.put(`{"users":[`)
	n := int64(0)
	j.each(tenant.User, "", func(u *tenant.Subject) bool {
		switch {
		case role != "" && u.Role != role:
			return true
		case email != "" && !containsFold(u.Email, email):
			return true
		case ids[0] != "" && !contains(ids, u.ID):
			return true
		case team != "" && j.find(tenant.Member, tenant.MemberID(team, u.ID)) == nil:
			return true
		}
		if n++; n > p.skip() && n <= p.skip()+p.size {
			j.row(u)
		}
		return chosen || n < p.skip()+p.size
	})
	if !chosen {
		n = max(n, int64(j.Tenants.Count(tenant.User, "")))
	}
	j.put(`],"total":`)
	j.int(n)
	j.put(`,"page":`)
	j.int(p.number)
	j.put(`,"page_size":`)
	j.int(p.size)
	j.put(`,"total_pages":`)
	j.int(p.of(n))
	j.put("}")
}

// containsFold reports whether part is in s, whatever case their ASCII letters
// have.
func containsFold(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		n := 0
		for n < len(part) && lower(s[i+n]) == lower(part[n]) {
			n++
		}
		if n == len(part) {
			return true
		}
	}
	return false
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// contains reports whether a list of ids, as it came parted by commas, has the
// id.
func contains(ids []string, id string) bool {
	for _, one := range ids {
		if strings.TrimSpace(one) == id {
			return true
		}
	}
	return false
}
