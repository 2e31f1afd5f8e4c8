package tenant_test

import (
	"testing"

	"fairshare/plugin/period"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

func limit(n int64) quota.Cap { return quota.Cap{Limited: true, Max: n} }

func TestEffective(t *testing.T) {
	month := period.Duration{N: 1, Unit: period.Month}
	all := tenant.Limits{Budget: limit(1), Soft: limit(2), TPM: limit(3), RPM: limit(4), Parallel: limit(5), Duration: month}
	some := tenant.Limits{Budget: limit(0), RPM: limit(9)}
	mixed := all
	mixed.Budget, mixed.RPM = limit(0), limit(9)
	day := tenant.Limits{Duration: period.Duration{N: 1, Unit: period.Day}}
	daily := all
	daily.Duration = day.Duration
	none := tenant.Limits{}
	in := func(l tenant.Limits, shadow quota.Reasons) tenant.Limits {
		l.Shadow = shadow
		return l
	}
	for name, c := range map[string]struct{ own, budget, want tenant.Limits }{
		"nothing of its own":                 {none, all, all},
		"a limit of 0 is a limit":            {some, all, mixed},
		"all of its own":                     {all, some, all},
		"a duration of its own":              {day, all, daily},
		"what neither has":                   {some, none, some},
		"a budget with a part of the limits": {none, some, some},
		"a budget in shadow":                 {some, in(all, quota.AllReasons), in(mixed, quota.Tokens|quota.Parallel)},
		"limits in shadow":                   {in(some, quota.Requests|quota.Tokens), all, in(mixed, quota.Requests|quota.Tokens)},
		"both in shadow":                     {in(none, quota.Budget), in(some, quota.Requests|quota.Tokens), in(some, quota.Budget|quota.Requests)},
	} {
		s, b := &tenant.Subject{Limits: c.own}, &tenant.Subject{Kind: tenant.Budget, Limits: c.budget}
		if got := tenant.Effective(s, b); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		if got := tenant.Effective(s, nil); got != c.own {
			t.Errorf("%s, without the budget: %+v, want %+v", name, got, c.own)
		}
		if s.Limits != c.own || b.Limits != c.budget {
			t.Errorf("%s: an argument changed", name)
		}
	}
}
