package admin

import (
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

// globalSpend puts what all callers spent together in the present period.
func (j *job) globalSpend() {
	var b Book
	if j.Proxy != nil {
		b = j.book(j.Proxy, nil)
	}
	j.put(`{"spend":`)
	j.usd(b.Spend)
	j.put(`,"max_budget":`)
	if j.Proxy != nil && j.Proxy.Limits.Budget.Limited {
		j.usd(unit.PicoUSD(j.Proxy.Limits.Budget.Max))
	} else {
		j.put("null")
	}
	j.put(`,"budget_reset_at":`)
	j.time(b.ResetAt)
	j.put("}")
}

// spendOf puts the rows of a kind, those that spent most first, or the one that
// a parameter names.
func (j *job) spendOf(kind tenant.Kind, param string) {
	id := j.param(param)
	if kind == tenant.Key {
		id = keyID(id)
	}
	var all []*tenant.Subject
	switch {
	case j.refusal != nil:
	case id == "":
		all = j.listed(kind)
	default:
		if s := j.find(kind, id); s != nil {
			all = append(all, s)
		}
	}
	j.put("[")
	j.spent(all)
	j.put("]")
}
