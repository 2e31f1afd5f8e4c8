package admin

import (
	"fairshare/plugin/document"
	"fairshare/plugin/tenant"
)

// newTeam makes a team and its members, the team first. If one of them can't be
// made none is.
func (j *job) newTeam() {
	t := &tenant.Subject{Kind: tenant.Team}
	j.apply(t, 0, "")
	if t.ID == "" {
		t.ID = j.newID()
	}
	j.fresh(t, "team_id")
	users, members := j.members(t, "members_with_roles", nil)
	all := append([]*tenant.Subject{t}, users...)
	if j.add(append(all, members...), "team_id") {
		j.row(t)
	}
}

// theTeam gives the team that the body names, to be changed.
func (j *job) theTeam() *tenant.Subject {
	id := j.need("team_id")
	if j.refusal != nil {
		return nil
	}
	return j.changeable(tenant.Team, id, "team_id")
}

func (j *job) updateTeam() {
	t := j.theTeam()
	if t == nil {
		return
	}
	if t = j.change(t, "team_id", 0, nil); t != nil {
		j.put(`{"team_id":`)
		j.quote(t.ID)
		j.put(`,"data":`)
		j.put("{")
		j.fields(t)
		j.rest(t)
		j.put("}}")
	}
}

func (j *job) blockTeam(blocked bool) {
	t := j.theTeam()
	if t == nil {
		return
	}
	if t = j.change(t, "team_id", noFields, func(t *tenant.Subject) { t.Blocked = blocked }); t != nil {
		j.row(t)
	}
}

// deleteTeams removes teams with their keys and memberships. Keys go first: none
// may outlive the limits of its team. If the store fails on the way, asking
// again removes the rest.
func (j *job) deleteTeams() {
	var all []*tenant.Subject
	for _, id := range j.needs("team_ids") {
		t := j.changeable(tenant.Team, id, "team_ids")
		if t == nil {
			return
		}
		all = append(all, t)
	}
	if j.removeAll(j.withOwned(all, "t:"), "team_ids") {
		j.put(`{"deleted_teams":[`)
		j.ids(all)
		j.put("]}")
	}
}

func (j *job) teamInfo() {
	id := j.param("team_id")
	if id == "" {
		j.refuse(422, invalid, "team_id", "Malformed request. No team id passed in.")
		return
	}
	t := j.find(tenant.Team, id)
	if t == nil {
		j.refuse(404, notFound, "team_id", "Team not found, passed team id: "+clip(id)+".")
		return
	}
	j.put(`{"team_id":`)
	j.quote(t.ID)
	j.put(`,"team_info":{`)
	j.fields(t)
	j.rest(t)
	j.put("}")
	j.owned("t:" + t.ID)
	j.put(`,"team_memberships":[`)
	j.rows(j.all(tenant.Member, "t:"+t.ID))
	j.put("]}")
}

// listTeams puts all teams, or those that a user is a member of.
func (j *job) listTeams() {
	user := j.param("user_id")
	if user == "" {
		j.list(tenant.Team)
		return
	}
	j.put("[")
	for _, m := range j.all(tenant.Member, "u:"+user) {
		if t := j.find(tenant.Team, m.TeamID); t != nil {
			j.row(t)
		}
	}
	j.put("]")
}

// members reads the members that an object or a list of objects in the body
// names, and gives their records and those of the users that there are not yet:
// as in LiteLLM, who becomes a member becomes a user. limits is a member with
// the limits that all of them get.
func (j *job) members(t *tenant.Subject, name string, limits *tenant.Subject) (users, members []*tenant.Subject) {
	n := j.in(0, name)
	if n == 0 || j.refusal != nil {
		return nil, nil
	}
	i, next, at := n, 0, name
	switch j.tree[n].Kind {
	case document.List:
		i, next = j.tree[n].First, 1
	case document.Object:
	default:
		j.bad(name, name+" must be an object or a list of objects")
		return nil, nil
	}
	for ; i != 0; i = j.tree[i].Next {
		if next > 0 {
			at = document.Item(name, len(members))
		}
		if j.tree[i].Kind != document.Object {
			j.bad(at, at+" must be an object")
			return nil, nil
		}
		m := &tenant.Subject{Kind: tenant.Member, TeamID: t.ID}
		if limits != nil {
			*m = *limits
			m.TeamID = t.ID
		}
		// Their limits stand beside member, not in it.
		e := tenant.Refuse(j.tree, i, at)
		if e == nil {
			e = tenant.Keep(m, j.text, j.tree, i, at)
		}
		if e != nil {
			j.fault(e)
			return nil, nil
		}
		j.nested = append(j.nested, place{i, at})
		m.Role = "user"
		if role := j.strAt(at+".role", j.in(i, "role")); role != "" {
			m.Role = j.memberRole(role, at+".role")
		}
		m.UserID, m.Email = j.theUser(i, at)
		if j.refusal != nil {
			return nil, nil
		}
		if m.UserID == "" || j.find(tenant.User, m.UserID) == nil {
			if m.UserID == "" {
				m.UserID = j.newID()
			}
			users = append(users, &tenant.Subject{Kind: tenant.User, ID: m.UserID, Email: m.Email})
		}
		m.ID = tenant.MemberID(t.ID, m.UserID)
		for _, other := range members {
			if other.ID == m.ID || m.Email != "" && other.Email == m.Email {
				j.bad(at, at+" names a member twice")
			}
		}
		j.fresh(m, at)
		members = append(members, m)
		if next == 0 {
			break
		}
	}
	return users, members
}

// addMembers makes members, and users of those who are none yet. If one of them
// can't be made none is. A member's limits are in the record that makes it one.
func (j *job) addMembers() {
	t := j.theTeamOf()
	if t == nil {
		return
	}
	limits := &tenant.Subject{Kind: tenant.Member}
	j.apply(limits, 0, "")
	users, members := j.members(t, "member", limits)
	if len(members) == 0 {
		j.bad("member", "No member/members passed in")
	}
	if !j.add(append(users, members...), "member") {
		return
	}
	j.put("{")
	j.fields(t)
	j.rest(t)
	j.put(`,"updated_users":[`)
	for _, m := range members {
		if u := j.find(tenant.User, m.UserID); u != nil {
			j.row(u)
		}
	}
	j.put(`],"updated_team_memberships":[`)
	j.rows(members)
	j.put("]}")
}

// theTeamOf gives the team whose members are to be changed, which may be
// declared.
func (j *job) theTeamOf() *tenant.Subject {
	id := j.need("team_id")
	if j.refusal != nil {
		return nil
	}
	t := j.find(tenant.Team, id)
	if t == nil {
		j.missing(tenant.Team, id, "team_id")
	}
	return t
}

// theMember gives the member that the body names, to be changed.
func (j *job) theMember() *tenant.Subject {
	t := j.theTeamOf()
	if t == nil {
		return nil
	}
	user, _ := j.theUser(0, "")
	if j.refusal != nil {
		return nil
	}
	return j.changeable(tenant.Member, tenant.MemberID(t.ID, user), "user_id")
}

func (j *job) updateMember() {
	m := j.theMember()
	if m == nil {
		return
	}
	if m = j.change(m, "user_id", 0, nil); m != nil {
		j.put(`{"user_email":`)
		j.quoteOrNull(m.Email)
		j.put(",")
		j.fields(m)
		j.rest(m)
		j.put("}")
	}
}

// deleteMember removes a member, and before it the keys that it has of the team, as
// LiteLLM does: they are the membership's.
func (j *job) deleteMember() {
	m := j.theMember()
	if m == nil {
		return
	}
	var all []*tenant.Subject
	for _, k := range j.all(tenant.Key, "t:"+m.TeamID) {
		if k.UserID != m.UserID {
			continue
		}
		if k.Declared {
			j.bad("user_id", "the configuration declares a key of "+clip(m.UserID)+" in this team, and only the configuration can change it")
		}
		all = append(all, k)
	}
	if !j.removeAll(append(all, m), "user_id") {
		return
	}
	if t := j.find(tenant.Team, m.TeamID); t != nil {
		j.row(t)
	} else {
		j.put("{}")
	}
}
