package admin

import (
	"slices"
	"strings"

	"fairshare/plugin/document"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

// newKey makes the record of a key from the body's fields, and its secret.
func (j *job) newKey() (*tenant.Subject, string) {
	// LiteLLM's keys for management routes: Fairshare opens those to the master
	// key alone.
	switch j.str("key_type") {
	case "", "default", "llm_api":
	default:
		j.bad("key_type", "key_type must be default or llm_api: only the master key opens other routes")
	}
	secret := j.secret("key")
	hash := tenant.Hash(secret)
	k := tenant.NewKey(&hash)
	k.Name = displayName(secret)
	return k, secret
}

// generateKey makes a key. Where it is to have spent something already, that is
// noted when the key is there but nobody has its secret yet; if it can't be, the
// key is taken back.
func (j *job) generateKey() {
	k, secret := j.newKey()
	j.apply(k, 0, "")
	spend, given := j.spend()
	j.refers(k)
	j.fresh(k, "key")
	if !j.add([]*tenant.Subject{k}, "key") {
		return
	}
	if given && !j.Books.SetSpend(j.now, k, spend) {
		j.takeBack([]*tenant.Subject{k})
		j.written = false
		j.broken()
		return
	}
	j.showKey(k, secret)
}

// showKey puts the answer that shows a key's secret.
func (j *job) showKey(k *tenant.Subject, secret string) {
	j.shown(k, secret)
	j.fields(k)
	j.rest(k)
	j.put("}")
}

// theKey gives the key that the body names in "key", to be changed.
func (j *job) theKey() *tenant.Subject {
	key := j.need("key")
	if j.refusal != nil {
		return nil
	}
	return j.changeable(tenant.Key, keyID(key), "key")
}

// putKey puts a key's row with the hash in the place of the key.
func (j *job) putKey(k *tenant.Subject) {
	if k != nil {
		j.put(`{"key":"` + k.ID + `",`)
		j.fields(k)
		j.rest(k)
		j.put("}")
	}
}

func (j *job) updateKey() {
	if k := j.theKey(); k != nil {
		j.putKey(j.change(k, "key", 0, nil))
	}
}

func (j *job) blockKey(blocked bool) {
	k := j.theKey()
	if k == nil {
		return
	}
	k = j.change(k, "key", noFields, func(k *tenant.Subject) {
		k.Blocked = blocked
		if !blocked {
			k.Role = "" // see regenerateKey
		}
	})
	if k != nil {
		j.row(k)
	}
}

// deleteKeys removes the keys that there are of those named. If the store fails
// between two of them the first are gone and asking again removes the others.
func (j *job) deleteKeys() {
	names, aliases := j.strs("keys"), j.strs("key_aliases")
	if len(names) == 0 && len(aliases) == 0 {
		j.bad("keys", "At least one of 'keys' or 'key_aliases' must be provided.")
	}
	var found []*tenant.Subject
	take := func(k *tenant.Subject, param string, i int) {
		switch {
		case k == nil:
		case k.Declared:
			j.came(tenant.IsDeclared, k, document.Item(param, i))
		case !slices.Contains(found, k):
			found = append(found, k)
		}
	}
	for i, name := range names {
		take(j.find(tenant.Key, keyID(name)), "keys", i)
	}
	for i, alias := range aliases {
		k, st := j.Tenants.FindAlias(alias)
		if st == quota.Failed {
			j.broken()
		}
		take(k, "key_aliases", i)
	}
	if len(found) == 0 {
		j.refuse(404, notFound, "keys", "{'error': 'No keys found'}")
	}
	if j.removeAll(found, "keys") {
		j.put(`{"deleted_keys":[`)
		j.ids(found)
		j.put("]}")
	}
}

// removeAll removes subjects in their order.
func (j *job) removeAll(all []*tenant.Subject, param string) bool {
	if j.refusal != nil {
		return false
	}
	for _, s := range all {
		if !j.remove(s, param) {
			return false
		}
	}
	j.written = true
	return true
}

// ids puts the subjects' ids, parted by commas.
func (j *job) ids(all []*tenant.Subject) {
	for _, s := range all {
		j.next()
		j.quote(s.ID)
	}
}

// keyInfo tells of the key asked for, or of the caller's own.
func (j *job) keyInfo() {
	id := keyID(j.param("key"))
	if id == "" && j.caller != nil {
		id = j.caller.ID
	}
	if j.caller != nil && id != j.caller.ID {
		j.refuse(403, "auth_error", "key", "You are not allowed to access this key's info. Your role=unknown")
		return
	}
	k := j.find(tenant.Key, id)
	if k == nil {
		j.refuse(404, notFound, "key", "Key not found in database")
		return
	}
	status := "active"
	switch {
	case k.Blocked:
		status = "revoked"
	case k.Expired(j.now):
		status = "expired"
	}
	j.put(`{"key":"` + k.ID + `","info":{"status":"` + status + `",`)
	j.fields(k)
	j.rest(k)
	j.put("}}")
}

// listKeys puts a page of the keys' hashes or rows.
func (j *job) listKeys() {
	p, _ := j.paged("size", 10, 100)
	user, team, hash, alias := j.param("user_id"), j.param("team_id"), j.param("key_hash"), j.param("key_alias")
	full := strings.EqualFold(j.param("return_full_object"), "true")
	if j.refusal != nil {
		return
	}
	owner := ""
	switch {
	case user != "":
		owner = "u:" + user
	case team != "":
		owner = "t:" + team
	}
	chosen := hash != "" || alias != "" || user != "" && team != ""
	j.put(`{"keys":[`)
	n := int64(0)
	st := j.Tenants.List(tenant.Key, owner, func(id string) bool {
		last := p.skip() + p.size
		var k *tenant.Subject
		if chosen || full && n >= p.skip() {
			k = j.find(tenant.Key, id)
			if k == nil || hash != "" && k.ID != hash || alias != "" && k.Alias != alias || team != "" && k.TeamID != team {
				return j.refusal == nil
			}
		}
		if n++; n > p.skip() && n <= last {
			if full {
				j.row(k)
			} else {
				j.next()
				j.quote(id)
			}
		}
		return chosen || n < last
	})
	if st == quota.Failed {
		j.broken()
	}
	if !chosen {
		n = max(n, int64(j.Tenants.Count(tenant.Key, owner)))
	}
	j.put(`],"total_count":`)
	j.int(n)
	j.put(`,"current_page":`)
	j.int(p.number)
	j.put(`,"total_pages":`)
	j.int(p.of(n))
	j.put("}")
}

// regenerating is the role of a key that regenerateKey is at work on. Until that
// is done it can be unblocked, in case nobody is at work on it any more, and
// deleted; other changes would be lost.
const (
	regenerating     = "regenerating"
	beingRegenerated = "this key is being regenerated by another request: unblock or delete it if that has failed"
)

// regenerateKey puts a key with a new secret in the place of an old one. The
// body may change fields on the way.
//
// The old key is blocked and gives up its alias before anything else, so that
// never two keys are open, and the worker that does it is the one that goes on.
// The new key goes on with its books, so that requests in flight settle where they are
// held; then the old one is removed, if nobody else did, who meant this key to end. If the store fails all is taken
// back as far as it lets: an old key stays blocked rather than that two are
// open, and one that can't be removed stays in the lists, blocked.
func (j *job) regenerateKey(named string) {
	if key := j.str("key"); key != "" {
		named = key
	}
	if named == "" {
		j.bad("key", "No key passed in.")
	}
	for _, name := range [...]string{"new_master_key", "grace_period"} {
		if n := j.in(0, name); n != 0 && j.tree[n].Str != "" {
			j.bad(name, name+" is not supported: the old key ends at once, and the master key is the configuration's")
		}
	}
	if j.refusal != nil {
		return
	}
	old := j.changeable(tenant.Key, keyID(named), "key")
	if old == nil {
		return
	}
	secret := j.secret("new_key")
	k := j.successor(old, secret)
	spend, given := j.spend()
	j.refers(k)
	if k.Alias != old.Alias {
		j.unused(k)
	}
	if j.refusal == nil && j.find(tenant.Key, k.ID) != nil {
		j.exists(k, "new_key")
	}
	if j.refusal != nil {
		return
	}

	var was tenant.Subject
	_, got := j.Tenants.Change(tenant.Key, old.ID, func(o *tenant.Subject) {
		was = *o
		if o.Role != regenerating {
			o.Blocked, o.Alias, o.Role = true, "", regenerating
		}
	})
	if !j.came(got, old, "key") {
		return
	}
	if was.Role == regenerating {
		j.refuse(409, invalid, "key", beingRegenerated)
		return
	}
	// Another worker may have changed it since it was first looked at.
	k = j.successor(&was, secret)
	if j.refusal != nil {
		j.restore(&was)
		return
	}
	k.Updated = j.now
	got = j.Tenants.Add(k)
	if got == tenant.Added && given && !j.Books.SetSpend(j.now, k, spend) {
		j.takeBack([]*tenant.Subject{k})
		got = tenant.StoreFailed
	}
	if got != tenant.Added {
		j.restore(&was)
		if got == tenant.AliasTaken && k.Alias == was.Alias {
			got = tenant.StoreFailed // which could not free it
		}
		j.came(got, k, "new_key")
		return
	}
	if j.Tenants.Remove(tenant.Key, was.ID) == tenant.Missing {
		j.remove(k, "key")
		j.missing(tenant.Key, was.ID, "key")
		return
	}
	j.written = true
	j.showKey(k, secret)
}

// successor makes the key that comes in the place of an old one.
func (j *job) successor(old *tenant.Subject, secret string) *tenant.Subject {
	hash := tenant.Hash(secret)
	k := tenant.NewKey(&hash)
	id := k.ID
	*k = *old
	k.Hash, k.ID, k.Books, k.Name = hash, id, *old.BooksOf(), displayName(secret)
	j.apply(k, 0, "")
	return k
}

// restore undoes what regenerateKey does to the old key. An alias that another
// key has by now is lost, and so is one that the store failed to free.
func (j *job) restore(was *tenant.Subject) {
	for _, alias := range [...]string{was.Alias, ""} {
		_, got := j.Tenants.Change(tenant.Key, was.ID, func(o *tenant.Subject) {
			o.Blocked, o.Alias, o.Role = was.Blocked, alias, was.Role
		})
		if got != tenant.AliasTaken {
			return
		}
	}
}

// showUserKey puts what a key has beside its user's fields.
func (j *job) showUserKey(k *tenant.Subject, secret string) {
	j.shown(k, secret)
	j.put(`"key_name":`)
	j.quote(k.Name)
	j.put(`,"key_alias":`)
	j.quoteOrNull(k.Alias)
	j.put(`,"expires":`)
	j.time(k.Expires)
	j.put(`,"team_id":`)
	j.quoteOrNull(k.TeamID)
	j.put(",")
}
