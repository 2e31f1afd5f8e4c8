package config

import (
	"slices"
	"strings"

	"fairshare/plugin/document"
)

func (r *reading) virtualKeys(p *Policy, root place) {
	at := root.in("virtual_keys")
	if nested := root.in("general_settings").in("virtual_keys"); !at.there() {
		at = nested
	} else if nested.there() {
		r.fail(nested.path, "virtual_keys in one place", "them at the top level, too")
	}
	hashes, aliases := make(map[[32]byte]string), make(map[string]string)
	for _, it := range at.items() {
		k := r.virtualKey(it)
		if r.err != nil {
			return
		}
		if first, ok := hashes[k.Hash]; ok {
			r.fail(it.path, "a key that no other entry has", "that of "+first)
		}
		if p.HasMasterKey && k.Hash == p.MasterKey {
			r.fail(it.path, "a key of its own", "the master key")
		}
		if first, ok := aliases[k.Alias]; ok && k.Alias != "" {
			r.fail(it.in("key_alias").path, "an alias that no other key has", "that of "+first)
		}
		hashes[k.Hash], aliases[k.Alias] = it.path, it.path
		for i, name := range k.Models {
			if !p.grants(name) {
				r.warn(document.Item(it.in("models").path, i), document.Quote(name)+" is no model and no access group: it grants nothing")
			}
		}
		if k.Priority != "" && !p.declares(k.Priority) {
			r.warn(it.in("metadata").in("priority").path, document.Quote(k.Priority)+" is not in litellm_settings.priority_reservation")
		}
		p.VirtualKeys = append(p.VirtualKeys, k)
	}
}

func (r *reading) virtualKey(at place) VirtualKey {
	var k VirtualKey
	if at.in("duration").there() {
		r.fail(at.in("duration").path, "expires with a date instead (nothing tells when a declared key was made)", "a duration")
	}
	at.only("virtual_keys[]")
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
		k.Hash = h
	}
	if key, ok := plain.secret(); ok {
		if !strings.HasPrefix(key, "sk-") {
			r.fail(plain.path, `a key that begins with "sk-"`, "another (not shown)")
		}
		k.Hash = hashOf(key)
	}
	k.Alias, _ = at.in("key_alias").text()
	k.UserID, _ = at.in("user_id").text()
	k.TeamID, _ = at.in("team_id").text()
	k.Models = at.in("models").texts()
	k.Priority, _ = at.in("metadata").in("priority").text()
	k.Blocked = at.in("blocked").flag()
	expires := at.in("expires")
	if s, ok := expires.text(); ok {
		if k.Expires, ok = parseRFC3339(s); !ok || k.Expires <= 0 {
			expires.fail(`a moment after 1970 as in "2026-12-31T23:59:59Z"`)
		}
	}
	return k
}

// grants reports whether a name in a key's models can grant anything: a model, an
// access group, a wildcard or one of LiteLLM's own words.
func (p *Policy) grants(name string) bool {
	if _, ok := p.index[name]; ok || strings.Contains(name, "*") {
		return true
	}
	if name == "all-proxy-models" || name == "all-team-models" || name == "no-default-models" {
		return true
	}
	return slices.ContainsFunc(p.Models, func(m Model) bool { return slices.Contains(m.AccessGroups, name) })
}

func (p *Policy) declares(priority string) bool {
	return slices.ContainsFunc(p.Priorities, func(o Priority) bool { return o.Name == priority })
}
