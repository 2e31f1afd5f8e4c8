package tenant

import "strings"

// The words that stand for more than a name in a list of grants.
const (
	allProxyModels  = "all-proxy-models"  // every model
	allTeamModels   = "all-team-models"   // on a key: what its team may use
	noDefaultModels = "no-default-models" // on a user: nothing, for keys without a team
)

// MayUse reports whether the grants cover the model group: by its name, one of
// its access groups, a pattern with "*" such as "openai/*", or a word for
// everything. A pattern is for names, not for groups. No grants at all cover
// everything (LiteLLM: auth/auth_checks.py, can_key_call_model).
func MayUse(grants []string, name string, groups []string) bool {
	return covers(grants, name, groups, "")
}

// covers is MayUse for a model that the provider serves, if that is known: a
// pattern covers "gpt-4o" also when it covers "openai/gpt-4o" and openai serves it.
func covers(grants []string, name string, groups []string, provider string) bool {
	if len(grants) == 0 {
		return true
	}
	for _, grant := range grants {
		if grant == name || grant == "*" || grant == allProxyModels {
			return true
		}
		for _, g := range groups {
			if g == grant {
				return true
			}
		}
		if strings.IndexByte(grant, '*') >= 0 &&
			(matches(grant, name) || provider != "" && matches(grant, provider+"/"+name)) {
			return true
		}
	}
	return false
}

// Allowed reports whether all that a request is for may use the model group,
// and if not, whose list denies it; denied means nothing otherwise. Key, team,
// member and user are asked in this order (LiteLLM: auth/auth_checks.py,
// common_checks), and all must grant it; those that there are not are nil and
// deny nothing. LiteLLM asks the user only for keys without a team; here a user's
// list holds over all its keys, but for no-default-models, which is about keys
// without a team alone. For the rest see MayUse. provider is who serves the
// model, or empty: a pattern covers "gpt-4o" also when it covers "openai/gpt-4o"
// and openai serves it.
func Allowed(key, user, team, member *Subject, name string, groups []string, provider string) (denied Kind, ok bool) {
	// Where a key has its team's models, it is the team's list that denies one.
	if key != nil && !covers(key.Models, name, groups, provider) && !has(key.Models, allTeamModels) {
		return Key, false
	}
	if team != nil && !covers(team.Models, name, groups, provider) {
		return Team, false
	}
	if member != nil && !covers(member.Models, name, groups, provider) {
		return Member, false
	}
	if user == nil {
		return 0, true
	}
	if has(user.Models, noDefaultModels) {
		return User, key != nil && key.TeamID != ""
	}
	return User, covers(user.Models, name, groups, provider)
}

// Resolve is the model that the name stands for by the subject's aliases: the
// name itself if it is none of them. An alias of an alias is not followed.
func Resolve(s *Subject, name string) string {
	if s != nil {
		for i := range s.Aliases {
			if s.Aliases[i][0] == name {
				return s.Aliases[i][1]
			}
		}
	}
	return name
}

func has(grants []string, word string) bool {
	for _, g := range grants {
		if g == word {
			return true
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
