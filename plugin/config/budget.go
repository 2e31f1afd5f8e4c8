package config

import (
	"strconv"
	"strings"

	"fairshare/plugin/period"
	"fairshare/plugin/quota"
	"fairshare/plugin/unit"
)

// budgets reads the budgets of all requests and of end users, when periods begin, and
// what a refusal by a budget looks like.
//
// A max_budget of 0 lets nothing through, as the documents say it ("sets max budget as
// $0 USD"); LiteLLM of today takes it for no budget. Without a budget_duration a budget
// is never reset.
func (r *reading) budgets(p *Policy, settings place) {
	p.Proxy.Budget = settings.in("max_budget").dollars()
	p.Proxy.Duration = settings.in("budget_duration").duration()
	p.EndUser.Budget = settings.in("max_end_user_budget").dollars()
	p.EndUserBudgetID, _ = settings.in("max_end_user_budget_id").text()
	if n, ok := settings.in("budget_exceeded_status_code").whole(400, 499, "an HTTP status from 400 to 499"); ok {
		p.BudgetStatus = int(n)
	}
	// LiteLLM takes a zone that it does not know for UTC and says nothing.
	zone := settings.in("timezone")
	if name, ok := zone.text(); ok {
		if p.Calendar.Zone, ok = period.Zone(name); !ok {
			zone.fail(`the IANA name of a time zone, such as "Europe/Berlin"`)
		}
	}
	p.Calendar.ResetMinute = settings.in("budget_reset_time").timeOfDay()
	if open := settings.in("require_auth_for_metrics_endpoint"); open.read() {
		p.OpenMetrics = !open.flag()
	}
}

// dollars reads an amount of money.
func (p place) dollars() quota.Cap {
	const want = "an amount in US dollars, 0 or 1e-12 to 9e6"
	f, ok := p.number(0, mostDollars, want)
	most := int64(unit.Dollars(f))
	if most == 0 && f > 0 {
		p.fail(want) // or a tiny budget would be one of 0
	}
	return quota.Cap{Limited: ok, Max: most}
}

// mostDollars bounds a budget to what fits into unit.PicoUSD.
const mostDollars = 9_000_000

// duration reads a budget's period in LiteLLM's grammar.
func (p place) duration() period.Duration {
	const want = `a duration such as "30s", "24h", "7d" or "1mo"`
	s, ok := p.resolved(want)
	if !ok {
		return period.Duration{}
	}
	d, ok := period.Parse(s)
	if !ok {
		p.fail(want)
	}
	return d
}

// timeOfDay reads "HH:MM" and gives the minutes since midnight, 0 to 1439. As in
// LiteLLM (timezone_utils.py, parse_budget_reset_time) it is midnight if empty, may have
// seconds, here of 0, and is not a number, which is what YAML makes of 12:00 without
// quotes.
func (p place) timeOfDay() int {
	const want = `a time of day in quotes, such as "08:30"`
	s, ok := p.resolved(want)
	if !ok || s == "" {
		return 0
	}
	parts := strings.Split(s, ":")
	if len(parts) == 3 && parts[2] == "00" {
		parts = parts[:2]
	}
	minute := 0
	for i, part := range parts {
		most := [...]uint64{23, 59}
		n, err := strconv.ParseUint(part, 10, 8)
		if len(parts) != len(most) || err != nil || len(part) > 2 || n > most[i] {
			p.fail(want)
			return 0
		}
		minute = minute*60 + int(n)
	}
	return minute
}
