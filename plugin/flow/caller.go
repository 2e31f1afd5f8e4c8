package flow

import (
	"slices"

	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

// A caller is whom a request is for: its key, and what belongs to it. It is
// built once for a key and kept until one of its subjects changes.
type caller struct {
	key, user, team, member *tenant.Subject // user, team and member may be nil
	budgets                 [3]*tenant.Subject
	until                   int64  // ms; a budget's temporary increase ends then
	serial                  uint64 // no other caller of the worker has it
	priority                string
	spoiled                 int64 // ms, when a body of it was last refused; 0 for never

	// meters can refuse, tallied only count. The key's comes first in either.
	meters  []metered
	tallied []*quota.Meter
	own     []quota.Meter // what those are made of
	// models are the meters of the key, the user and the team for single models.
	models []metered
}

// metered is a meter and whose it is.
type metered struct {
	*quota.Meter
	subject *tenant.Subject // nil for the proxy's
	model   string          // the one that it is for, as its limit names it; empty for all
	group   *group          // that model's, nil for all
}

// scopes are the meters' scopes of the kinds of subjects.
var scopes = [tenant.NumKinds]quota.Scope{
	tenant.Key: quota.ForKey, tenant.User: quota.ForUser, tenant.Team: quota.ForTeam,
	tenant.Member: quota.ForMember, tenant.Customer: quota.ForCustomer,
}

// maxCallers is how many callers a gateway remembers, a power of two. More made
// requests dearer: the collector searches all that is remembered.
const maxCallers = 256

// caller gives the caller of a key. Failed means that the store can't be read.
func (g *Gateway) caller(now int64, key *tenant.Subject) (*caller, quota.Status) {
	var c caller
	c.key = key
	st := g.attach(&c)
	if st != quota.OK {
		return nil, st
	}
	at := &g.callers[key.Line&(maxCallers-1)]
	if old := *at; old != nil && old.key == c.key && old.user == c.user && old.team == c.team && old.member == c.member &&
		old.budgets == c.budgets && (old.until == 0 || now < old.until) {
		return old, quota.OK
	}
	built := new(caller)
	*built = c
	g.build(now, built)
	*at = built
	return built, quota.OK
}

// attach finds what belongs to the caller's key. A user whom the key names and nobody
// made limits nothing, and is counted all the same; a team must be there, see authorise.
func (g *Gateway) attach(c *caller) quota.Status {
	k, ok := c.key, true
	if k.UserID != "" {
		c.user, ok = g.find(tenant.User, k.UserID)
	}
	if ok && k.TeamID != "" {
		c.team, ok = g.find(tenant.Team, k.TeamID)
		if ok && k.UserID != "" {
			c.member, ok = g.find(tenant.Member, tenant.MemberID(k.TeamID, k.UserID))
		}
	}
	for i, s := range [...]*tenant.Subject{c.key, c.user, c.member} {
		if ok && s != nil && s.BudgetID != "" {
			c.budgets[i], ok = g.find(tenant.Budget, s.BudgetID)
		}
	}
	if !ok {
		return quota.Failed
	}
	return quota.OK
}

// find gives a subject, nil if there is none, and false if the store fails.
func (g *Gateway) find(kind tenant.Kind, id string) (s *tenant.Subject, ok bool) {
	s, st := g.tenants.Find(kind, id)
	return s, st != quota.Failed
}

// build makes the caller's meters.
//
//go:noinline
func (g *Gateway) build(now int64, c *caller) {
	k := c.key
	g.worker.callers++
	c.serial, c.priority = g.worker.callers, k.Priority
	if c.team != nil && c.team.Priority != "" {
		c.priority = c.team.Priority // LiteLLM: the team's wins (dynamic_rate_limiter_v3.py)
	}
	c.room(k)
	c.add(g.meter(now, c, k, tenant.Effective(k, c.budgets[0]), ""))
	if k.UserID != "" {
		s, limits := c.user, tenant.Limits{}
		if s == nil {
			s = &tenant.Subject{Kind: tenant.User, ID: k.UserID}
		} else {
			limits = tenant.Effective(s, c.budgets[1])
		}
		if g.teamPays(c) {
			limits.Budget, limits.Soft = quota.Cap{}, quota.Cap{}
			m := g.meter(now, c, s, limits, "")
			m.Skips = quota.Budget
			c.add(m)
		} else {
			c.add(g.meter(now, c, s, limits, ""))
		}
	}
	if k.TeamID != "" {
		s, limits := c.team, tenant.Limits{}
		if s == nil {
			s = &tenant.Subject{Kind: tenant.Team, ID: k.TeamID}
		} else {
			limits = s.Limits
		}
		c.add(g.meter(now, c, s, limits, ""))
		if k.UserID != "" {
			c.add(g.meter(now, c, memberOf(c), g.memberLimits(c), ""))
		}
	}
	g.addModels(now, c, k)
	g.addModels(now, c, c.user)
	g.addModels(now, c, c.team)
}

// teamPays reports whether the caller's key spends its team's money, not its user's own:
// neither holds nor spending count on the user's meters then, whatever the configuration
// says when they are written.
func (g *Gateway) teamPays(c *caller) bool {
	return c.key.TeamID != "" && !g.policy.UserBudgetOnTeamKeys
}

// addModels makes the meters that a subject has for single models. A team's rpm
// and tpm for a model are for keys that have none of their own for it (LiteLLM:
// parallel_request_limiter_v3.py), and what the others ask for does not count
// there; its money is everybody's.
func (g *Gateway) addModels(now int64, c *caller, s *tenant.Subject) {
	if s == nil {
		return
	}
	begun := len(c.models)
	for i := range s.PerModel {
		gr := g.limited(c, s.PerModel[i].Model)
		if gr == nil {
			continue // a configuration without the model has nothing to limit
		}
		l, own := s.PerModel[i].Limits, false
		l.Shadow = s.Limits.Shadow
		for j := range c.key.PerModel {
			k := &c.key.PerModel[j]
			own = own || s.Kind == tenant.Team && (k.RPM.Limited || k.TPM.Limited) && g.limited(c, k.Model) == gr
		}
		if own {
			l.RPM, l.TPM = quota.Cap{}, quota.Cap{}
		}
		teams := s.Kind == tenant.User && g.teamPays(c)
		if teams {
			l.Budget, l.Soft = quota.Cap{}, quota.Cap{}
		}
		m := g.meter(now, c, s, l, s.PerModel[i].Model)
		if own {
			m.Skips = quota.Requests | quota.Tokens
		}
		if teams {
			m.Skips |= quota.Budget
		}
		m.group = gr
		if slices.ContainsFunc(c.models[begun:], func(other metered) bool {
			if other.group == gr {
				other.tighten(m.Meter)
			}
			return other.group == gr
		}) {
			continue
		}
		c.models = append(c.models, m)
	}
}

// limited gives the model group that a limit is for by its name, see config.Policy.Means,
// nil if there is none. The names that the caller has for models count.
func (g *Gateway) limited(c *caller, name string) *group {
	if gr := g.group(name); gr != nil {
		return gr
	}
	model, _ := g.policy.Means(name, c.key, c.team)
	return g.group(model)
}

// tighten makes a meter hold the smaller of two limits of each kind: of what a model is
// called by two names.
func (m metered) tighten(other *quota.Meter) {
	for _, p := range [...][2]*quota.Cap{
		{&m.RPM, &other.RPM}, {&m.TPM, &other.TPM}, {&m.Parallel, &other.Parallel}, {&m.Budget, &other.Budget}, {&m.Soft, &other.Soft},
	} {
		if p[1].Limited && (!p[0].Limited || p[1].Max < p[0].Max) {
			*p[0] = *p[1]
		}
	}
}

func memberOf(c *caller) *tenant.Subject {
	if c.member != nil {
		return c.member
	}
	return &tenant.Subject{Kind: tenant.Member, ID: tenant.MemberID(c.key.TeamID, c.key.UserID), TeamID: c.key.TeamID, UserID: c.key.UserID}
}

// memberLimits are the member's own limits, where it has none those of its
// team's members.
func (g *Gateway) memberLimits(c *caller) tenant.Limits {
	var own tenant.Limits
	if c.member != nil {
		own = tenant.Effective(c.member, c.budgets[2])
	}
	if c.team == nil {
		return own
	}
	theirs := c.team.Members
	theirs.Shadow = c.team.Limits.Shadow
	return tenant.Effective(&tenant.Subject{Limits: own}, &tenant.Subject{Limits: theirs})
}

// room makes room for the meters of the key and of those that it names.
func (c *caller) room(k *tenant.Subject) {
	n := 1
	for _, id := range [...]string{k.UserID, k.TeamID} {
		if id != "" {
			n++
		}
	}
	if n == 3 {
		n++ // the user is a member of the team
	}
	c.own = make([]quota.Meter, 0, n)
}

func (c *caller) add(m metered) {
	if m.Limits() {
		if c.meters == nil {
			c.meters = make([]metered, 0, cap(c.own))
		}
		c.meters = append(c.meters, m)
	} else {
		c.tallied = append(c.tallied, m.Meter)
	}
}

// meter makes the meter of a subject with these limits; model is empty for all
// models.
func (g *Gateway) meter(now int64, c *caller, s *tenant.Subject, l tenant.Limits, model string) metered {
	var m *quota.Meter
	if c != nil && model == "" {
		n := len(c.own)
		c.own = c.own[:n+1]
		m = &c.own[n]
	} else {
		m = new(quota.Meter)
	}
	switch {
	case s.Kind == tenant.Key && model == "":
		m.NameKey(s.BooksOf())
	case s.Kind == tenant.Key && s.Books != [32]byte{}:
		m.Name(quota.ForKey, tenant.Token(&s.Books), model)
	default:
		m.Name(scopes[s.Kind], s.ID, model)
	}
	m.RPM, m.TPM, m.Parallel, m.Budget, m.Soft = l.RPM, l.TPM, l.Parallel, l.Budget, l.Soft
	m.Shadow = l.Shadow | g.policy.Shadow
	m.Every, m.Anchor, m.Calendar = l.Duration, s.Created, &g.policy.Calendar
	m.Sliding = g.policy.SlidingWindow
	if now < s.TempExpiry && m.Budget.Limited && model == "" {
		m.Budget.Max = int64(unit.PicoUSD(m.Budget.Max).Plus(s.TempIncrease))
		if c != nil && (c.until == 0 || s.TempExpiry < c.until) {
			c.until = s.TempExpiry
		}
	}
	return metered{Meter: m, subject: s, model: model}
}

// customer is the meter of an end user, without one (nil) if nothing is known of
// him and nothing limits him: whoever calls names end users, and books of all of
// them could fill the memory.
func (g *Gateway) customer(now int64, id string) (metered, quota.Status) {
	s, st := g.tenants.Find(tenant.Customer, id)
	if st == quota.Failed {
		return metered{}, st
	}
	budget, known := g.policy.EndUserBudgetID, s != nil
	if !known {
		if budget == "" && g.policy.EndUser == (tenant.Limits{}) {
			return metered{}, quota.OK
		}
		s = &tenant.Subject{Kind: tenant.Customer, ID: id}
	}
	if s.BudgetID != "" {
		budget = s.BudgetID
	}
	limits := s.Limits
	if budget != "" {
		b, st := g.tenants.Find(tenant.Budget, budget)
		if st == quota.Failed {
			return metered{}, st
		}
		limits = tenant.Effective(s, b)
	}
	m := g.meter(now, nil, s, g.endUserLimits(limits), "")
	if known {
		return m, quota.OK
	}
	if !m.Limits() {
		return metered{}, quota.OK
	}
	if st = g.worker.ledger.NameGuest(m.Meter, id); st != quota.OK {
		return metered{}, st
	}
	return m, quota.OK
}

// endUserLimits are an end user's limits with the budget that everyone has who
// has none of his own.
func (g *Gateway) endUserLimits(l tenant.Limits) tenant.Limits {
	if !l.Budget.Limited {
		l.Budget, l.Duration = g.policy.EndUser.Budget, g.policy.EndUser.Duration
	}
	return l
}

// resolve gives the name of the model that the caller means: an alias of its key
// or of its team stands for another.
func (c *caller) resolve(name string) string {
	if to := tenant.Resolve(c.key, name); to != name || c.team == nil {
		return to
	}
	return tenant.Resolve(c.team, name)
}

// proxyMeter is the budget of all requests together, the master key's included.
func (g *Gateway) proxyMeter() metered {
	m := quota.NewMeter(quota.ForProxy, "", "")
	l := &g.policy.Proxy
	m.Budget, m.Soft, m.Every, m.Calendar = l.Budget, l.Soft, l.Duration, &g.policy.Calendar
	m.Shadow = g.policy.Shadow
	return metered{Meter: m}
}
