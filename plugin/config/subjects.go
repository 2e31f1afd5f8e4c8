package config

import (
	"slices"
	"strings"

	"fairshare/plugin/document"
	"fairshare/plugin/tenant"
)

// A roll is a list of the configuration that declares subjects of one kind.
type roll struct {
	section string
	kind    tenant.Kind
	id      string // the member that names an entry; a key is known by its hash
	own     string // members, with blanks between them, that the management API has not
}

var rolls = [...]roll{
	{"virtual_keys", tenant.Key, "", "key key_sha256 expires"},
	{"users", tenant.User, "user_id", ""},
	{"teams", tenant.Team, "team_id", "members"},
	{"customers", tenant.Customer, "user_id", ""},
	{"budgets", tenant.Budget, "budget_id", ""},
}

// membership is how a team lists its members.
var membership = roll{"teams[].members", tenant.Member, "user_id", ""}

// A declaration is a subject and where it is declared.
type declaration struct {
	*tenant.Subject
	roll
	at place
}

// identity is what a declaration is found by.
func identity(kind tenant.Kind, id string) string { return string([]byte{byte(kind)}) + id }

// subjects reads whom limits are for. What their fields mean is package tenant's
// knowledge, and the same in the management API.
func (r *reading) subjects(p *Policy, root place) {
	var all []declaration
	for _, l := range rolls {
		at := root.in(l.section)
		if nested := root.in("general_settings").in(l.section); !at.there() {
			at = nested
		} else if nested.there() {
			r.fail(nested.path, l.section+" in one place", "them at the top level, too")
		}
		for _, it := range at.items() {
			r.resolve(it)
			d := r.declared(l, it)
			all = append(all, d)
			for _, m := range d.members() {
				member := r.declared(membership, m)
				member.TeamID, member.ID = d.ID, tenant.MemberID(d.ID, member.UserID)
				all = append(all, member)
			}
			if r.err != nil {
				return
			}
		}
	}
	known := r.identities(p, all)
	for _, d := range all {
		p.Subjects = append(p.Subjects, d.Subject)
	}
	for _, d := range all {
		r.dangling(p, known, d)
	}
	if id := p.EndUserBudgetID; id != "" && known[identity(tenant.Budget, id)] == "" {
		r.warn("litellm_settings.max_end_user_budget_id", undeclared)
	}
}

// members gives the entries for a team's members, none of another kind's.
func (d declaration) members() []place {
	if d.kind != tenant.Team {
		return nil
	}
	return d.at.in("members").items()
}

// declared reads one entry. After an error its subject is of no use.
func (r *reading) declared(l roll, at place) declaration {
	members, names := at.members()
	for i, m := range members {
		m.read()
		switch name := names[i]; {
		case l.kind == tenant.Key && name == "duration":
			r.fail(m.path, "expires with a date instead (nothing tells when a declared key was made)", "a duration")
		case l.kind == tenant.Member && name == "team_id", !tenant.Known(l.kind, name) && !slices.Contains(strings.Fields(l.own), name):
			r.fail(m.path, "a setting that README lists for "+l.section, "one that does not exist")
		}
	}
	d := declaration{&tenant.Subject{Kind: l.kind}, l, at}
	if l.kind == tenant.Key {
		hash := r.keyHash(at)
		d.Subject = tenant.NewKey(&hash)
		d.Expires = at.in("expires").moment()
	} else {
		at.in(l.id).required("an id")
	}
	d.Declared = true
	if metadata := at.in("metadata"); metadata.there() {
		metadata.in("priority").read()
	}
	if r.err == nil {
		if err := tenant.Read(d.Subject, 0, r.tree, at.n, at.path); err != nil {
			r.fail(err.Path, err.Want, r.shown(err))
		}
	}
	return d
}

// keyHash reads a virtual key, of which only the hash is kept.
func (r *reading) keyHash(at place) [32]byte {
	plain, hashed := at.in("key"), at.in("key_sha256")
	_, fromVariable := plain.variableName()
	switch {
	case plain.there() && hashed.there():
		r.fail(plain.path, "either key or key_sha256", "both")
	case plain.there() && !fromVariable:
		r.fail(plain.path, "os.environ/NAME, or key_sha256 instead (Envoy's /config_dump shows the configuration)", "a plain key (not shown)")
	case !plain.there() && !hashed.there():
		at.fail("an entry with key: os.environ/NAME or key_sha256: <64 hexadecimal digits>")
	}
	if h, ok := hashed.hash(); ok {
		return h
	}
	key, ok := plain.secret()
	if ok && !strings.HasPrefix(key, "sk-") {
		r.fail(plain.path, `a key that begins with "sk-"`, "another (not shown)")
	}
	return tenant.Hash(key)
}

// moment reads a moment of RFC 3339 in ms since 1970, 0 if there is none.
func (p place) moment() int64 {
	s, ok := p.text()
	if !ok {
		return 0
	}
	seconds, ok := parseRFC3339(s)
	if !ok || seconds <= 0 {
		p.fail(`a moment after 1970 as in "2026-12-31T23:59:59Z"`)
	}
	return seconds * 1000
}

// identities gives the path of each declaration. It refuses somebody who is declared
// twice, an alias of two keys, and a virtual key that is the master key.
func (r *reading) identities(p *Policy, all []declaration) map[string]string {
	known, aliases := make(map[string]string, len(all)), make(map[string]string)
	for _, d := range all {
		id := identity(d.kind, d.ID)
		first := known[id]
		known[id] = d.at.path
		if d.kind != tenant.Key {
			if first != "" {
				r.fail(d.at.in(d.id).path, "an id that no other entry has", "that of "+first)
			}
			continue
		}
		if first != "" {
			r.fail(d.at.path, "a key that no other entry has", "that of "+first)
		}
		if p.HasMasterKey && d.Hash == p.MasterKey {
			r.fail(d.at.path, "a key of its own", "the master key")
		}
		if other := aliases[d.Alias]; other != "" && d.Alias != "" {
			r.fail(d.at.in("key_alias").path, "an alias that no other key has", "that of "+other)
		}
		aliases[d.Alias] = d.at.path
	}
	return known
}

const undeclared = "is not declared here: it limits nothing until the management API makes it"

// dangling warns of names in a declaration that nothing in the configuration has.
func (r *reading) dangling(p *Policy, known map[string]string, d declaration) {
	refer := func(kind tenant.Kind, id, member string) {
		if id != "" && known[identity(kind, id)] == "" {
			remark := undeclared
			if kind == tenant.Team {
				remark = "is not declared here: the key is refused until the management API makes it"
			}
			r.warn(d.at.in(member).path, remark)
		}
	}
	refer(tenant.Budget, d.BudgetID, "budget_id")
	switch d.kind {
	case tenant.Key:
		refer(tenant.Team, d.TeamID, "team_id")
	case tenant.Member:
		refer(tenant.User, d.UserID, "user_id")
	}
	models := d.at.in("models")
	if d.kind == tenant.Member {
		models = d.at.in("allowed_models")
	}
	for i, it := range models.items() {
		if !p.grants(d.Models[i]) {
			r.warn(it.path, it.describe()+" is no model and no access group: it grants nothing")
		}
	}
	for i := range d.PerModel {
		model := d.PerModel[i].Model
		if _, ok := p.Means(model, d.Subject, p.team(d.TeamID)); !ok {
			r.fail(d.at.path, "limits for models of model_list, by their names, by an alias or by the name of one provider's model in them", document.Quote(model))
		}
	}
	for _, alias := range d.Aliases {
		if p.lacks(alias[1]) {
			r.warn(d.at.path, "has an alias "+document.Quote(alias[0])+" of what is no model of model_list")
		}
	}
	if d.Priority != "" && !p.declares(d.Priority) {
		priority := d.at.in("metadata").in("priority")
		r.warn(priority.path, priority.describe()+" is not in litellm_settings.priority_reservation")
	}
}

// grants reports whether a name in a list of models can grant anything: a model, an
// access group, a wildcard or one of LiteLLM's own words.
func (p *Policy) grants(name string) bool {
	if strings.Contains(name, "*") || !p.lacks(name) {
		return true
	}
	if name == "all-proxy-models" || name == "all-team-models" || name == "no-default-models" {
		return true
	}
	return slices.ContainsFunc(p.Models, func(m Model) bool { return slices.Contains(m.AccessGroups, name) })
}

// Means gives the model group that a limit for a model is for, by its name: that of the
// group, an alias of one of the subjects, which may be nil, or, with the provider's prefix
// or without, the name of a provider's model that one group alone has. It is false if that
// is none.
func (p *Policy) Means(name string, subjects ...*tenant.Subject) (group string, ok bool) {
	if !p.lacks(name) {
		return name, true
	}
	for _, s := range subjects {
		if to := tenant.Resolve(s, name); !p.lacks(to) {
			return to, true
		}
	}
	for i := range p.Models {
		m := &p.Models[i]
		for j := range m.Deployments {
			d := &m.Deployments[j]
			prefix, rest, _ := strings.Cut(name, "/")
			if d.ProviderModel != name && (prefix != d.Provider || d.ProviderModel != rest) || group == m.Name {
				continue
			}
			if group != "" {
				return "", false
			}
			group = m.Name
		}
	}
	return group, group != ""
}

// team is the declared team of an id, nil if there is none.
func (p *Policy) team(id string) *tenant.Subject {
	for _, s := range p.Subjects {
		if s.Kind == tenant.Team && s.ID == id {
			return s
		}
	}
	return nil
}

// lacks reports whether no model group is called so.
func (p *Policy) lacks(model string) bool {
	_, ok := p.index[model]
	return !ok
}

func (p *Policy) declares(priority string) bool {
	return slices.ContainsFunc(p.Priorities, func(o Priority) bool { return o.Name == priority })
}
