package tenant_test

import (
	"strings"
	"testing"

	"fairshare/plugin/tenant"
)

func TestMayUse(t *testing.T) {
	long := strings.Repeat("a", 1<<10)
	for _, c := range []struct {
		grants string // separated by blanks
		model  string
		groups string
		want   bool
	}{
		{"", "m", "", true}, // no grants: all
		{"m", "m", "", true},
		{"n m", "m", "", true},
		{"n", "m", "", false},
		{"M", "m", "", false},
		{"m", "mm", "", false},
		{"mm", "m", "", false},
		{"*", "m", "", true},
		{"all-proxy-models", "m", "", true},
		{"all-team-models", "m", "", false},
		{"no-default-models", "m", "", false},
		{"beta-models", "m", "beta-models", true},
		{"beta-models", "m", "alpha beta-models", true},
		{"beta-models", "m", "beta", false},
		{"beta-*", "m", "beta-models", false}, // a pattern is for names, not for groups
		{"openai/*", "openai/gpt-4o", "", true},
		{"openai/*", "openai/", "", true},
		{"openai/*", "openai", "", false},
		{"openai/*", "xopenai/gpt-4o", "", false},
		{"openai/*", "azure/gpt-4o", "", false},
		{"*/gpt-4o", "openai/gpt-4o", "", true},
		{"*/gpt-4o", "openai/gpt-4o-mini", "", false},
		{"gpt-*-mini", "gpt-4o-mini", "", true},
		{"gpt-*-mini", "gpt-mini", "", false},
		{"**", "m", "", true},
		{"a*b*c", "aXbXbXc", "", true},
		{"a*b*c", "aXcXb", "", false},
		{"gpt.4o", "gpt-4o", "", false}, // a dot is a dot
		{"gpt-4o?", "gpt-4o", "", false},
		// As a regular expression these would take forever.
		{strings.Repeat("*a", 1<<9) + "b", long, "", false},
		{strings.Repeat("a*", 1<<9) + "b", long, "", false},
		{"*" + strings.Repeat("a", 1<<9) + "b", long, "", false},
		{strings.Repeat("*a", 1<<9), long, "", true},
		{strings.Repeat("*", 1<<10), long, "", true},
	} {
		if got := tenant.MayUse(strings.Fields(c.grants), c.model, strings.Fields(c.groups)); got != c.want {
			t.Errorf("grants %.40q, model %.40q in %q: MayUse = %v, want %v", c.grants, c.model, c.groups, got, c.want)
		}
	}
}

// holder makes a subject of a list of grants: "-" is no subject at all.
func holder(kind tenant.Kind, grants string) *tenant.Subject {
	if grants == "-" {
		return nil
	}
	return &tenant.Subject{Kind: kind, Models: strings.Fields(grants)}
}

func TestAllowed(t *testing.T) {
	const (
		yes = tenant.NumKinds
		no  = "no-default-models"
	)
	for _, c := range []struct {
		key, user, team, member string
		model, groups, provider string
		denied                  tenant.Kind // yes if allowed
	}{
		{"-", "-", "-", "-", "m", "", "", yes},
		{"", "", "", "", "m", "", "", yes},
		{"m", "-", "-", "-", "m", "", "", yes},
		{"n", "-", "-", "-", "m", "", "", tenant.Key},
		// All of them.
		{"m n", "-", "m", "-", "m", "", "", yes},
		{"m n", "-", "m", "-", "n", "", "", tenant.Team},
		{"m", "-", "m n", "-", "n", "", "", tenant.Key},
		{"n", "-", "n", "-", "m", "", "", tenant.Key}, // the first that denies
		{"", "-", "m n", "m", "m", "", "", yes},
		{"", "-", "m n", "m", "n", "", "", tenant.Member},
		{"", "-", "m", "", "m", "", "", yes}, // a member without a list
		{"", "-", "m", "n", "n", "", "", tenant.Team},
		// A user's list holds over all its keys; its word for keys without a team.
		{"m n", "m", "-", "-", "m", "", "", yes},
		{"m n", "m", "-", "-", "n", "", "", tenant.User},
		{"m n", "m", "n", "-", "n", "", "", tenant.User},
		{"m n", "n", "n", "-", "n", "", "", yes},
		{"", no, "-", "-", "m", "", "", tenant.User},
		{"", no + " m", "-", "-", "m", "", "", tenant.User},
		{"m", no, "-", "-", "m", "", "", tenant.User},
		{"m", no, "m", "-", "m", "", "", yes},
		{"-", "n", "-", "-", "m", "", "", tenant.User},
		// The team's list as the key's.
		{"all-team-models", "-", "m", "-", "m", "", "", yes},
		{"all-team-models", "-", "m", "-", "n", "", "", tenant.Team},
		{"all-team-models n", "-", "m", "-", "n", "", "", tenant.Team},
		{"all-team-models", "-", "", "-", "n", "", "", yes},
		{"all-team-models", "-", "-", "-", "m", "", "", yes},
		{"all-team-models", "n", "-", "-", "m", "", "", tenant.User},
		{"all-team-models", "-", "all-proxy-models", "-", "m", "", "", yes},
		{"m", "-", "all-team-models", "-", "m", "", "", tenant.Team}, // a key's word
		// Groups and patterns, in every list.
		{"beta", "beta", "-", "-", "m", "beta", "", yes},
		{"beta", "-", "beta", "beta", "m", "beta", "", yes},
		{"beta", "-", "beta", "alpha", "m", "beta", "", tenant.Member},
		{"openai/*", "-", "-", "-", "gpt-4o", "", "openai", yes},
		{"openai/*", "-", "-", "-", "gpt-4o", "", "azure", tenant.Key},
		{"openai/*", "-", "-", "-", "gpt-4o", "", "", tenant.Key},
		{"openai/gpt-4*", "-", "-", "-", "gpt-4o", "", "openai", yes},
		{"openai/gpt-4*", "-", "-", "-", "o3", "", "openai", tenant.Key},
		{"*/gpt-4o", "-", "-", "-", "gpt-4o", "", "openai", yes},
		{"openai/gpt-4o", "-", "-", "-", "gpt-4o", "", "openai", tenant.Key}, // no pattern
		{"gpt-*", "-", "openai/*", "*", "gpt-4o", "", "openai", yes},
		{"gpt-*", "openai/*", "-", "-", "gpt-4o", "", "openai", yes},
		{"all-team-models", "-", "openai/*", "openai/*", "gpt-4o", "", "openai", yes},
	} {
		key := holder(tenant.Key, c.key)
		if key != nil && c.team != "-" {
			key.TeamID = "t"
		}
		denied, ok := tenant.Allowed(key, holder(tenant.User, c.user), holder(tenant.Team, c.team), holder(tenant.Member, c.member),
			c.model, strings.Fields(c.groups), c.provider)
		if ok != (c.denied == yes) || !ok && denied != c.denied {
			t.Errorf("%+v: Allowed = %v, %v", c, denied, ok)
		}
	}
}

func TestResolve(t *testing.T) {
	s := &tenant.Subject{Aliases: [][2]string{{"a", "b"}, {"b", "c"}, {"a", "never"}}}
	for name, want := range map[string]string{"a": "b", "b": "c", "c": "c", "": ""} {
		if got := tenant.Resolve(s, name); got != want {
			t.Errorf("Resolve(%q) = %q, want %q", name, got, want)
		}
	}
	if got := tenant.Resolve(nil, "m"); got != "m" {
		t.Errorf("Resolve of nobody = %q", got)
	}
}

// The worst pattern takes as many steps as the product of the lengths.
func BenchmarkMayUse(b *testing.B) {
	grants, name := []string{"*" + strings.Repeat("a", 1<<9) + "b"}, strings.Repeat("a", 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		if tenant.MayUse(grants, name, nil) {
			b.Fatal("matches")
		}
	}
}
