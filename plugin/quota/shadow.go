package quota

import "fairshare/plugin/unit"

// Shadow mode: a limit that is in shadow decides and counts, but refuses nobody.
//
// A request that only limits in shadow refuse passes, and its hold is a shadow
// one: it takes nothing of any limit that is in shadow, as if they had refused it,
// and counts whole on those that are enforced. So the books of limits in shadow are what
// enforcing all of them would leave, and whom they refuse next is whom they
// would refuse then. (If it were counted, one hog would use up a model that it
// could never have used up, and everybody's verdict would be wrong.)
//
// Money is the exception: what was spent is spent, and counts, though a budget in
// shadow would have kept it from being spent.

// Reasons is a set of reasons to refuse.
type Reasons uint8

// The sets of one reason, and of all of them.
const (
	Budget     Reasons = 1 << (OverBudget - 1)
	Parallel   Reasons = 1 << (OverParallel - 1)
	Requests   Reasons = 1 << (OverRequests - 1)
	Tokens     Reasons = 1 << (OverTokens - 1)
	AllReasons         = Budget | Parallel | Requests | Tokens
)

// Has reports whether all reasons of s are in the set.
func (r Reasons) Has(s Reasons) bool { return r&s == s }

// enforced is the meter with the limits alone that are not in shadow.
func (m *Meter) enforced() Meter {
	e := *m
	e.Budget.Limited = m.Budget.Limited && !m.Shadow.Has(Budget)
	e.Parallel.Limited = m.Parallel.Limited && !m.Shadow.Has(Parallel)
	e.RPM.Limited = m.RPM.Limited && !m.Shadow.Has(Requests)
	e.TPM.Limited = m.TPM.Limited && !m.Shadow.Has(Tokens)
	return e
}

// limits is the meter with the limits alone that the hold has to fit: if enforced,
// those that are not in shadow, and no budget if it costs nothing.
func (h *Hold) limits(m *Meter, enforced bool) *Meter {
	if !enforced && !h.unpaid {
		return m
	}
	e := *m
	if enforced {
		e = m.enforced()
	}
	e.Budget.Limited = e.Budget.Limited && !h.unpaid
	return &e
}

// inShadow reports whether the terms have limits and all of them are in shadow.
func (t *Terms) inShadow() bool {
	return (t.LimitTPM || t.LimitRPM) && (!t.LimitTPM || t.Shadow.Has(Tokens)) && (!t.LimitRPM || t.Shadow.Has(Requests))
}

// Limits are the limits that the terms have.
func (t *Terms) Limits() Reasons {
	limits := Reasons(0)
	if t.LimitTPM {
		limits |= Tokens
	}
	if t.LimitRPM {
		limits |= Requests
	}
	return limits
}

// noLine is the key of a hold that is on no line of the model's record. No line
// has this id.
const noLine = ^uint64(MaxPools)

// skips are what the hold does not count for on a meter.
func (h *Hold) skips(m *Meter) Reasons {
	if h.shadow {
		return m.Skips | m.Shadow
	}
	return m.Skips
}

// wants are the tokens that the hold is on a meter for. What enforced limits hold does
// not depend on those in shadow: a small one would make all holds as small.
func (h *Hold) wants(m *Meter) unit.Tokens {
	if m.Shadow.Has(Tokens) {
		return h.shade
	}
	return h.want
}

// atLeast is the least that a request which is to hold so many tokens may well come to.
func (h *Hold) atLeast(want int64) int64 {
	if h.least == 0 {
		return want
	}
	return min(want, int64(h.least))
}
