package config

import (
	"slices"
	"strings"

	"fairshare/plugin/document"
)

// endUser reads how requests name their end user, and whether they must.
func (r *reading) endUser(p *Policy, general place) {
	p.EnforceUser = general.in("enforce_user_param").flag()
	p.UserBudgetOnTeamKeys = general.in("apply_user_budget_to_team_keys").flag()

	mappings := general.in("user_header_mappings")
	entries := []place{mappings}
	if !mappings.there() || mappings.node().Kind == document.List {
		entries = mappings.items()
	}
	for _, it := range entries {
		name, at := it.in("header_name").header(), it.in("litellm_user_role")
		switch role := at.required("customer or internal_user"); {
		case strings.EqualFold(role, "internal_user"):
			r.warn(at.path, "is not enforced yet: only a customer's header is read")
		case !strings.EqualFold(role, "customer"):
			at.fail("customer or internal_user")
		case !slices.Contains(p.UserHeaders, name):
			p.UserHeaders = append(p.UserHeaders, name)
		}
	}
	// As in LiteLLM (auth_utils.py, get_end_user_id_from_request_body) the single name
	// counts only if no mapping is a customer's.
	switch single := general.in("user_header_name"); {
	case !single.read():
	case len(p.UserHeaders) > 0:
		r.warn(single.path, "is ignored, as user_header_mappings names a customer's header")
	default:
		p.UserHeaders = []string{single.header()}
	}
}

// header reads the name of a header, which must be there, in lower case.
func (p place) header() string {
	const (
		want   = `a header's name such as "x-user-id"`
		others = "!#$%&'*+-.^_`|~" // than letters and digits (RFC 9110, token)
	)
	name := strings.ToLower(p.required(want))
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			p.fail(want)
			break
		}
	}
	return name
}
