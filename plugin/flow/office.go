package flow

import (
	"math"
	"strings"

	"fairshare/plugin/admin"
	"fairshare/plugin/llm"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

// newOffice makes the management API of the gateway.
func (g *Gateway) newOffice() *admin.Office {
	o := &admin.Office{
		Tenants: g.tenants, Books: books{g}, EndUserBudget: g.policy.EndUserBudgetID,
		Means: func(name string, subjects ...*tenant.Subject) bool {
			_, ok := g.policy.Means(name, subjects...)
			return ok
		}, Calendar: &g.policy.Calendar,
		Proxy: &tenant.Subject{Limits: g.policy.Proxy},
		Random: func(dst []byte) bool {
			g.mute = !g.worker.host.Random(dst)
			return !g.mute
		},
	}
	for i := range g.policy.Models {
		m := &g.policy.Models[i]
		for j := range m.Deployments {
			d := &m.Deployments[j]
			o.Models = append(o.Models, admin.Model{
				Name: m.Name, Provider: d.Provider, ProviderModel: d.ProviderModel, AccessGroups: m.AccessGroups,
				TPM: quota.Cap{Limited: m.LimitTPM, Max: m.TPM}, RPM: quota.Cap{Limited: m.LimitRPM, Max: m.RPM},
				Price: d.Price, Priced: d.Priced,
			})
		}
	}
	return o
}

// manage answers a request of the management API. body is nil where the route
// takes none.
func (x *Exchange) manage(now int64, body []byte) Decision {
	r := admin.Request{Route: x.office, Query: x.query, Body: body}
	if x.caller.key != x.gateway.master {
		r.Caller = x.caller.key
	}
	out, refusal := x.gateway.office.Serve(now, &r, x.body[:0])
	if refusal == nil {
		d := x.answer(200, out)
		if len(r.Unread) > 0 {
			x.header("x-fairshare-warning", "these fields do nothing: "+strings.Join(r.Unread, ", "))
			x.reply.Headers = x.headers
		}
		return d
	}
	x.headers = x.headers[:0]
	switch {
	case x.gateway.mute:
		x.gateway.mute = false
		return x.fail(noRandomness)
	case refusal.Status >= 500:
		return x.fail(keyStoreFailed)
	}
	return x.refuse(refusal.Status, llm.ErrorBody{
		Message: refusal.Message, Type: refusal.Type, Param: refusal.Param, Code: refusal.Status,
	}, BadRequests)
}

// books let the management API read and change what subjects spent.
type books struct{ *Gateway }

// meterFor is the meter of a subject by its own limits, or by those that it has
// for one model.
func (b books) meterFor(now int64, s *tenant.Subject, model string) *quota.Meter {
	if s == b.office.Proxy {
		return b.proxy.Meter
	}
	if model != "" {
		for i := range s.PerModel {
			if s.PerModel[i].Model == model {
				return b.meter(now, nil, s, s.PerModel[i].Limits, model).Meter
			}
		}
		return b.meter(now, nil, s, tenant.Limits{}, model).Meter
	}
	// The limits have to be those that requests are held by: another duration
	// would mean another period. A budget or a team that can't be read now leaves
	// the subject's own.
	find := func(kind tenant.Kind, id string) *tenant.Subject {
		if id == "" {
			return nil
		}
		found, _ := b.tenants.Find(kind, id)
		return found
	}
	budget := find(tenant.Budget, s.BudgetID)
	limits := tenant.Effective(s, budget)
	switch s.Kind {
	case tenant.Member:
		if team := find(tenant.Team, s.TeamID); team != nil {
			limits = tenant.Effective(&tenant.Subject{Limits: limits}, &tenant.Subject{Limits: team.Members})
		}
	case tenant.Customer:
		if s.BudgetID == "" {
			limits = tenant.Effective(s, find(tenant.Budget, b.policy.EndUserBudgetID))
		}
		limits = b.endUserLimits(limits)
	}
	return b.meter(now, nil, s, limits, "").Meter
}

// Book implements admin.Books.
func (b books) Book(now int64, s *tenant.Subject, model string) (admin.Book, bool) {
	v, err := b.worker.ledger.Balance(now, b.meterFor(now, s, model))
	if err != nil {
		return admin.Book{}, false
	}
	book := admin.Book{
		Spend: v.Spent.Plus(v.Others), Own: v.Spent, Held: v.Held, TotalSpend: v.TotalSpent, ResetAt: v.ResetAt,
		Requests: v.Requests, Tokens: v.Tokens, Slots: v.Slots,
	}
	if v.ResetAt == math.MaxInt64 {
		book.ResetAt = 0
	}
	return book, true
}

// SetSpend implements admin.Books.
func (b books) SetSpend(now int64, s *tenant.Subject, spend unit.PicoUSD) bool {
	return b.worker.ledger.SetSpent(now, b.meterFor(now, s, ""), spend) == nil
}

// Forget implements admin.Books.
func (b books) Forget(s *tenant.Subject) bool {
	ok := b.worker.ledger.Forget(s.Updated, b.meterFor(s.Updated, s, "")) == nil
	for i := range s.PerModel {
		ok = b.worker.ledger.Forget(s.Updated, b.meterFor(s.Updated, s, s.PerModel[i].Model)) == nil && ok
	}
	return ok
}
