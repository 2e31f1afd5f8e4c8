package flow

import (
	"slices"
	"strconv"
	"strings"

	"fairshare/plugin/admin"
	"fairshare/plugin/config"
	"fairshare/plugin/price"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

// TickMS is how often Tick wants to be called, in milliseconds. The leader's
// table is then at most 250 ms old.
const TickMS = 200

// A Worker is what one VM keeps between requests. Gateways of several
// configurations may share it: after a reload the old one still serves the
// exchanges that it began.
type Worker struct {
	host   Host
	ledger *quota.Ledger
	counts [NumMetrics]uint64
	told   struct{ retries, elected int64 }
	lost   int64 // swaps, not in the process' count yet
	events events
	report report
	resets resets
	limits map[string]*[numLimitKinds]limitHeader
	series tableau
	scrape scrape
	free   []*Exchange
	// verdict is that of the admission under way: a value that is passed on by its
	// address TinyGo would put on the heap each time.
	verdict quota.Verdict
	bodies  bodies
	serial  uint64 // of the answers that this worker made itself

	warning string // for the operator's log
	warned  int64  // ms, when the last one was handed out

	callers uint64 // how many were built

	// caught is up to which change what was collected is written, see catchUp.
	caught struct {
		by      *Gateway
		version uint64
	}

	// newest are the last gateways that were made for each model group, by its name.
	newest map[string]*Gateway
}

// NewWorker returns the worker of a VM. instance must be random: it tells the
// VM from all others of the process.
func NewWorker(h Host, instance uint64) *Worker {
	return &Worker{host: h, ledger: quota.NewLedger(h, instance)}
}

func (w *Worker) count(m Metric, n int64) {
	if n > 0 {
		w.counts[m] += uint64(n)
	}
}

// Announces reports whether this worker is the first of the process to get the
// configuration, so that what there is to say about it is said once and not by
// every worker.
func (w *Worker) Announces(configuration []byte) bool {
	const key = "fs/said"
	hash := tenant.Hash(string(configuration))
	if said, _, st := w.host.Get(key); st == quota.OK && string(said) == string(hash[:]) {
		return false
	}
	// If it can't be noted, it is said more than once.
	_ = quota.Put(w.host, key, hash[:])
	return true
}

// A Gateway serves one configuration on one worker.
type Gateway struct {
	worker  *Worker
	policy  *config.Policy
	tenants *tenant.Directory
	master  *tenant.Subject
	proxy   metered
	office  *admin.Office
	mute    bool                // the host gave no random bytes when last asked
	callers [maxCallers]*caller // the last ones, by the line of their keys
	groups  []group
	named   []*group // the same in the order of their models' names
	terms   []*quota.Terms
	early   bool // headers go upstream before the body is read
}

// A group is a model group with what serving it needs.
type group struct {
	model    *config.Model
	provider string // of its first deployment
	terms    quota.Terms
	weights  []uint32 // of the policy's priorities, millionths
	targets  []target // the model's deployments
	costless bool     // whichever serves it
	rpm      string   // the limits, as headers tell them
	tpm      string
}

// A target is a deployment with the headers that lead to it.
type target struct {
	*config.Deployment
	price  *price.Price // nil if it has none, and its tokens cost nothing
	bearer string
	turn   int64 // of the smooth weighted round robin
}

func newTarget(p *config.Policy, d *config.Deployment) target {
	t := target{Deployment: d, price: &d.Price}
	switch {
	case d.Priced:
	case p.Unpriced == config.UnpricedDefault:
		t.price = &p.UnpricedPrice
	case !d.SelfHosted:
		t.price = nil
	}
	if d.APIKey != "" {
		t.bearer = "Bearer " + d.APIKey
	}
	return t
}

// Serves returns a *config.Error for a policy that is well formed but asks for
// what this gateway does not do: a limit that is accepted and not kept is worse
// than none.
func Serves(p *config.Policy) error {
	most := quota.MaxPools
	if p.Limiter == config.ByPriority {
		most-- // one is for callers without a priority
	}
	if n := len(p.Priorities); n > most {
		return &config.Error{
			Path: "litellm_settings.priority_reservation",
			Want: "at most " + strconv.Itoa(most) + " priorities",
			Got:  strconv.Itoa(n),
		}
	}
	return nil
}

// NewGateway returns the gateway of a policy that config.Parse gave and Serves
// takes.
func NewGateway(w *Worker, p *config.Policy) *Gateway {
	master := &tenant.Subject{
		Kind: tenant.Key, ID: tenant.Token(&p.MasterKey), Hash: p.MasterKey, Line: quota.KeyID(&p.MasterKey),
		Alias: "litellm_proxy_master_key", Declared: true, Hidden: true,
	}
	declared := p.Subjects
	if p.HasMasterKey {
		declared = append(slices.Clip(declared), master) // so that no virtual key can be made of it
	}
	g := &Gateway{
		worker: w, policy: p,
		tenants: tenant.NewDirectory(w.host, declared),
		master:  master,
		groups:  make([]group, len(p.Models)),
	}
	g.proxy = g.proxyMeter()
	g.office = g.newOffice()
	for i := range p.Models {
		m := &p.Models[i]
		limited := p.Limiter != config.Unlimited
		gr := group{model: m, provider: m.Deployments[0].Provider, tpm: strconv.FormatInt(m.TPM, 10), rpm: strconv.FormatInt(m.RPM, 10)}
		for j := range m.Deployments {
			gr.targets = append(gr.targets, newTarget(p, &m.Deployments[j]))
		}
		gr.costless = !slices.ContainsFunc(gr.targets, func(t target) bool { return t.price != nil && !t.price.Free() })
		gr.terms = quota.NewTerms(m.Name, m.TPM, m.RPM, limited && m.LimitTPM, limited && m.LimitRPM)
		gr.terms.Shadow = m.Shadow & gr.terms.Limits()
		if p.Limiter == config.ByPriority {
			gr.terms.Pools = poolsOf(p, m)
		}
		for _, f := range p.Fractions(m) {
			gr.weights = append(gr.weights, millionths(f))
		}
		if p.Limiter == config.ByActiveKeys {
			gr.terms.Hard = gr.weights
		}
		g.groups[i] = gr
		if w.newest == nil {
			w.newest = make(map[string]*Gateway)
		}
		w.newest[m.Name] = g
	}
	for i := range g.groups {
		g.terms = append(g.terms, &g.groups[i].terms)
		at, _ := g.search(g.groups[i].model.Name)
		g.named = slices.Insert(g.named, at, &g.groups[i])
	}
	return g
}

// group returns the model group of that name, nil if there is none. A map of strings
// would allocate for each search.
func (g *Gateway) group(name string) *group {
	if at, ok := g.search(name); ok {
		return g.named[at]
	}
	return nil
}

// search returns where in named the model group of that name is, or would be.
func (g *Gateway) search(name string) (at int, ok bool) {
	return slices.BinarySearchFunc(g.named, name, func(gr *group, name string) int { return strings.Compare(gr.model.Name, name) })
}

// Close tells that the configuration is gone: nothing more is asked of the gateway
// but to end the exchanges under way.
func (g *Gateway) Close() {
	for name, of := range g.worker.newest {
		if of == g {
			delete(g.worker.newest, name)
		}
	}
}

// reports tells whether a model group is this gateway's to report of. A replaced
// configuration drains for minutes beside the new one, and must not end a minute by
// limits that no longer hold.
func (g *Gateway) reports(gr *group) bool {
	w, name := g.worker, gr.model.Name
	if w.newest[name] == nil {
		w.newest[name] = g // a newer one is gone
	}
	return w.newest[name] == g
}

// ForwardEarly tells that the host sends a request's headers upstream before
// its body is there, so that headers can't follow from the body.
func (g *Gateway) ForwardEarly() { g.early = true }

// poolsOf are the parts of a model that the policy's priorities reserve, in their
// order, and then the one for all callers without a declared priority.
//
// As in LiteLLM the declared reservations are divided by their sum if that exceeds 1.
// There default_priority comes on top of them: prod 0.9, dev 0.1 and 0.25 for the
// rest promise 1.25 of the model, and the first to come get it. Here, if the
// operator wrote such a sum, all of them together are divided by it, so that each can
// be kept; a default that nobody wrote takes only what is over.
func poolsOf(p *config.Policy, m *config.Model) quota.Pools {
	fractions := append(p.Fractions(m), p.DefaultFraction(m))
	sum := 0.0
	for _, f := range fractions {
		sum += f
	}
	pools := quota.Pools{GraceMS: p.GraceMS}
	for _, f := range fractions {
		pools.Weights = append(pools.Weights, millionths(f/max(1, sum)))
	}
	if p.HasSaturationThreshold {
		pools.Threshold = int64(millionths(p.SaturationThreshold))
	}
	return pools
}

// millionths keeps the smallest part from becoming none.
func millionths(part float64) uint32 {
	if part <= 0 {
		return 0
	}
	return max(1, uint32(part*quota.One+0.5))
}

// claim is what a request of a caller asks of the group.
func (g *Gateway) claim(gr *group, who *caller) quota.Claim {
	c := quota.Claim{Key: who.key.Line, Weight: quota.One, Pool: quota.NoPool}
	if !gr.terms.LimitTPM && !gr.terms.LimitRPM {
		c.Key = quota.Everybody // nothing is shared, so nobody needs a line
		return c
	}
	pooled := g.policy.Limiter == config.ByPriority
	if pooled {
		c.Pool = uint8(len(g.policy.Priorities))
	}
	if who.priority == "" {
		return c
	}
	for i := range g.policy.Priorities {
		if g.policy.Priorities[i].Name == who.priority {
			if c.Pool = uint8(i); !pooled {
				c.Weight, c.Hard = gr.weights[i], true
			}
		}
	}
	return c
}

// next chooses the deployment for a request: each in turn, as often as its
// weight says, evenly interleaved (nginx's smooth weighted round robin).
func (gr *group) next() *target {
	if len(gr.targets) == 1 {
		return &gr.targets[0]
	}
	best, sum := &gr.targets[0], int64(0)
	for i := range gr.targets {
		t := &gr.targets[i]
		t.turn += t.Weight
		sum += t.Weight
		if t.turn > best.turn {
			best = t
		}
	}
	best.turn -= sum
	return best
}

// Tick does what is not part of any request: keeps the worker's seat, hands the
// counters to the host, and if this worker leads, the leader's work. now is ms
// since 1970.
func (g *Gateway) Tick(now int64) {
	w := g.worker
	w.count(Ticks, 1)
	w.flush()
	w.writeSeries()
	leads := w.ledger.Tick(now, g.terms)
	if leads {
		if !w.report.leads {
			w.succeed(g)
		}
		w.drain()
		w.publish(now, g)
	}
	w.report.leads = leads
	w.count(SwapRetries, w.ledger.Retries-w.told.retries)
	w.count(LeaderChanges, w.ledger.Elected-w.told.elected)
	w.told.retries, w.told.elected = w.ledger.Retries, w.ledger.Elected
	w.lost += int64(w.counts[SwapRetries])
	w.addRetries()
	for m := range w.counts {
		if n := w.counts[m]; n > 0 {
			w.host.Add(Metric(m), n)
			w.counts[m] = 0
		}
	}
}
