package tenant

import "fairshare/plugin/config"

// MayUse reports whether the key's grants cover the model group: by its name,
// one of its access groups, a pattern with "*" such as "openai/*", or the
// words for everything. A key without grants may use all
// (LiteLLM: auth/auth_checks.py, can_key_call_model).
func (k *Key) MayUse(m *config.Model) bool {
	if len(k.Models) == 0 {
		return true
	}
	for _, grant := range k.Models {
		if grant == m.Name || grant == "*" || grant == "all-proxy-models" || matches(grant, m.Name) {
			return true
		}
		// all-team-models without a team's list stands for everything.
		if grant == "all-team-models" {
			return true
		}
		for _, g := range m.AccessGroups {
			if g == grant {
				return true
			}
		}
	}
	return false
}

// matches reports whether name has the form of pattern, in which each "*"
// stands for any characters. It takes no more than len(pattern)×len(name)
// steps, whatever they are.
func matches(pattern, name string) bool {
	p, n, star, mark := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
