package flow

import (
	"math"
	"strings"
	"unicode/utf8"

	"fairshare/plugin/config"
	"fairshare/plugin/llm"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

// A family is all samples of one name, in the order in which they are printed.
// The first ones are the amounts.
type family uint8

const (
	requestsFamily family = family(numAmounts) + iota
	failuresFamily
	shadowRequests
	shadowTokens
	shadowParallel
	shadowBudget
	modelAdmitted
	modelRefused
	modelTokens
	modelOvershoot
	modelStrandedTokens
	modelStrandedRequests
	modelErrorTokens
	modelErrorRequests
	swapRetries
	leaderChanges

	// Gauges. Of each kind of subject with a budget there are three: what remains,
	// the budget, and the hours until it begins anew.
	teamBudget
	teamMaxBudget
	teamBudgetHours
	keyBudget
	keyMaxBudget
	keyBudgetHours
	userBudget
	userMaxBudget
	userBudgetHours
	customerBudget
	customerMaxBudget
	customerBudgetHours
	keyModelRequests
	keyModelTokens
	keyLimit
	keyUsed
	teamLimit
	teamUsed
	deploymentTPM
	deploymentRPM
	totalUsers
	totalTeams
	inFlight
	modelCapacity
	modelUsed
	modelHeld
	modelInFlight
	modelActive
	modelJain
	keyShare
	keyTaken
	keyBorrowed
	priorityReservation
	priorityUsed
	priorityBorrowed
	priorityReleased
	leftOut
	numFamilies

	firstGauge = teamBudget
)

// families are the names and what they mean. All but Fairshare's own are
// LiteLLM's (integrations/prometheus.py).
var families = [numFamilies][2]string{
	spent:            {"litellm_spend_metric_total", "Total spend on LLM requests, in USD"},
	answered:         {"litellm_requests_metric_total", "Total number of LLM requests that were answered"},
	totalTokens:      {"litellm_total_tokens_metric_total", "Total number of input and output tokens of LLM requests"},
	inputTokens:      {"litellm_input_tokens_metric_total", "Total number of input tokens of LLM requests"},
	outputTokens:     {"litellm_output_tokens_metric_total", "Total number of output tokens of LLM requests"},
	cachedTokens:     {"litellm_input_cached_tokens_metric_total", "Input tokens read from a provider's cache"},
	cacheWriteTokens: {"litellm_input_cache_creation_tokens_metric_total", "Input tokens written to a provider's cache"},
	reasoningTokens:  {"litellm_output_reasoning_tokens_metric_total", "Output tokens of reasoning"},
	inputAudioTokens: {"litellm_input_audio_tokens_metric_total", "Input tokens of sound"},

	outputAudioTokens: {"litellm_output_audio_tokens_metric_total", "Output tokens of sound"},

	requestsFamily: {"litellm_proxy_total_requests_metric_total", "Total number of requests to the proxy"},
	failuresFamily: {"litellm_proxy_failed_requests_metric_total", "Total number of requests to the proxy that got no success"},

	shadowRequests:        {"fairshare_would_refuse_requests_total", "Requests that a limit of requests a minute would have refused if it were enforced"},
	shadowTokens:          {"fairshare_would_refuse_tokens_total", "Requests that a limit of tokens a minute would have refused if it were enforced"},
	shadowParallel:        {"fairshare_would_refuse_parallel_total", "Requests that a limit of requests in flight would have refused if it were enforced"},
	shadowBudget:          {"fairshare_would_refuse_budget_total", "Requests that a budget would have refused if it were enforced"},
	modelAdmitted:         {"fairshare_admitted_total", "Requests admitted to a model"},
	modelRefused:          {"fairshare_refused_total", "Requests for a model that were refused, by whose limit and of what"},
	modelTokens:           {"fairshare_tokens_total", "Tokens that a model's answers used, told or estimated"},
	modelOvershoot:        {"fairshare_overshoot_tokens_total", "Tokens that answers used above a model's capacity, paid by later minutes"},
	modelStrandedTokens:   {"fairshare_stranded_tokens_total", "Tokens that a model refused while as many were unused at the minute's end"},
	modelStrandedRequests: {"fairshare_stranded_requests_total", "Requests that a model refused while as many were unused at the minute's end"},
	modelErrorTokens:      {"fairshare_estimate_error_tokens_total", "Tokens by which holds differed from what answers told that they used"},
	modelErrorRequests:    {"fairshare_estimate_error_requests_total", "Answers that told what they used, each compared with its hold"},
	swapRetries:           {"fairshare_swap_retries_total", "Swaps lost to another worker and tried again"},
	leaderChanges:         {"fairshare_leader_changes_total", "Times that a worker became leader"},

	teamBudget:          {"litellm_remaining_team_budget_metric", "Remaining budget of a team, in USD"},
	teamMaxBudget:       {"litellm_team_max_budget_metric", "Budget of a team, in USD"},
	teamBudgetHours:     {"litellm_team_budget_remaining_hours_metric", "Hours until a team's budget begins anew"},
	keyBudget:           {"litellm_remaining_api_key_budget_metric", "Remaining budget of a key, in USD"},
	keyMaxBudget:        {"litellm_api_key_max_budget_metric", "Budget of a key, in USD"},
	keyBudgetHours:      {"litellm_api_key_budget_remaining_hours_metric", "Hours until a key's budget begins anew"},
	userBudget:          {"litellm_remaining_user_budget_metric", "Remaining budget of a user, in USD"},
	userMaxBudget:       {"litellm_user_max_budget_metric", "Budget of a user, in USD"},
	userBudgetHours:     {"litellm_user_budget_remaining_hours_metric", "Hours until a user's budget begins anew"},
	customerBudget:      {"litellm_remaining_customer_budget_metric", "Remaining budget of a customer, in USD"},
	customerMaxBudget:   {"litellm_customer_max_budget_metric", "Budget of a customer, in USD"},
	customerBudgetHours: {"litellm_customer_budget_remaining_hours_metric", "Hours until a customer's budget begins anew"},
	keyModelRequests:    {"litellm_remaining_api_key_requests_for_model", "Requests that a key may still make of a model in this minute"},
	keyModelTokens:      {"litellm_remaining_api_key_tokens_for_model", "Tokens that a key may still use of a model in this minute"},
	keyLimit:            {"litellm_api_key_rate_limit_allowed_metric", "Requests or tokens a minute that a key may use"},
	keyUsed:             {"litellm_api_key_rate_limit_used_metric", "Requests or tokens of this minute that a key used or holds"},
	teamLimit:           {"litellm_team_rate_limit_allowed_metric", "Requests or tokens a minute that a team may use"},
	teamUsed:            {"litellm_team_rate_limit_used_metric", "Requests or tokens of this minute that a team used or holds"},
	deploymentTPM:       {"litellm_deployment_tpm_limit", "Tokens a minute of a model group's deployments together"},
	deploymentRPM:       {"litellm_deployment_rpm_limit", "Requests a minute of a model group's deployments together"},
	totalUsers:          {"litellm_total_users", "Number of users"},
	totalTeams:          {"litellm_teams_count", "Number of teams"},
	inFlight:            {"litellm_in_flight_requests", "Requests that are being answered"},
	modelCapacity:       {"fairshare_capacity", "Tokens or requests a minute that a model allows"},
	modelUsed:           {"fairshare_used", "Tokens or requests of this minute that were used of a model"},
	modelHeld:           {"fairshare_held", "Tokens of this minute that are held for a model's requests in flight"},
	modelInFlight:       {"fairshare_in_flight", "Requests to a model that are being answered"},
	modelActive:         {"fairshare_active_keys", "Keys that are active on a model in this minute"},
	modelJain:           {"fairshare_jain_index", "Jain's fairness index of a model's keys in the last minute that is over, 1 if all got alike"},
	keyShare:            {"fairshare_key_share", "Tokens or requests of this minute that are an active key's share of a model"},
	keyTaken:            {"fairshare_key_used", "Tokens or requests of this minute that an active key used or holds of a model"},
	keyBorrowed:         {"fairshare_key_borrowed", "What of that is beyond its share"},
	priorityReservation: {"fairshare_priority_reservation", "Tokens or requests of a minute that a priority reserves of a model"},
	priorityUsed:        {"fairshare_priority_used", "Tokens or requests of this minute that a priority's keys used or hold of a model"},
	priorityBorrowed:    {"fairshare_priority_borrowed", "What of that is beyond its reservation"},
	priorityReleased:    {"fairshare_priority_released", "What a priority's keys did not take of its reservation and is not kept for them any more"},
	leftOut:             {"fairshare_metrics_left_out", "Subjects and series for which this answer had no room"},
}

// ModelMetrics are Fairshare's own families in /metrics, with what they mean (README
// lists them from here).
func ModelMetrics() (own [][2]string) {
	for _, f := range families {
		if strings.HasPrefix(f[0], "fairshare_") {
			own = append(own, f)
		}
	}
	return own
}

// printed are the labels of each counter: LiteLLM's, those included that are
// always absent here.
func printed(f family) labels {
	const (
		ofTokens   = ofWhom | 1<<byModel | 1<<byDeployment
		ofOrg      = 1<<byOrg | 1<<byOrgAlias
		ofClient   = 1<<byClientIP | 1<<byUserAgent
		ofRequests = ofWhom | 1<<byRoute | 1<<byDeployment | ofOrg | ofClient
	)
	switch {
	case f == family(spent):
		return ofTokens | ofOrg | ofClient | 1<<byServiceTier
	case f == family(answered):
		return ofTokens | ofOrg | ofClient
	case f <= family(outputTokens):
		return ofTokens | ofOrg
	case f < requestsFamily:
		return ofTokens
	case f == requestsFamily:
		return ofRequests | 1<<byStatus
	case f >= shadowRequests:
		return ofWhom
	}
	return ofRequests | 1<<byException | 1<<byExceptionStatus
}

const (
	// maxShown bounds how many subjects of one kind with a limit, and how many
	// series of one kind, an answer shows.
	maxShown = 2000
	// maxLooked bounds how many subjects of one kind are looked at for that.
	maxLooked = 20_000
	// maxMetrics bounds an answer in bytes, and maxSamples those of one subject
	// or series: labels are no longer than maxText.
	maxMetrics = 2 << 20
	maxSamples = 64 << 10
	maxText    = tenant.MaxID
)

// A scrape is one answer of /metrics under way. Samples come by subject and
// leave by family. A worker has one and uses its memory again: TinyGo's collector
// takes any number for an address, of which hashes of many keys are full, so that
// large pieces of memory that are asked for and dropped are hardly ever found free.
type scrape struct {
	gateway  *Gateway
	now      int64
	text     [numFamilies][]byte
	size     int // of all samples and what goes with them
	room     int // what size may be before the next subject
	left     int64
	failure  failure
	failed   bool
	at       family // being written
	labelled bool   // its sample has a label
	scratch  []byte
	body     []byte
}

// open begins an answer.
func (s *scrape) open(g *Gateway, now int64) {
	text, scratch, body := s.text, s.scratch, s.body
	*s = scrape{gateway: g, now: now, scratch: scratch, body: body}
	for f := range text {
		s.text[f] = text[f][:0]
	}
}

// answerMetrics is GET /metrics, in Prometheus' text format 0.0.4
// (prometheus.io/docs/instrumenting/exposition_formats).
func (x *Exchange) answerMetrics(now int64) Decision {
	g := x.gateway
	g.tenants.Refresh(now)
	g.worker.writeSeries()
	s := &g.worker.scrape
	s.open(g, now)
	for f := range families {
		s.size += len(head(nil, family(f)))
	}
	s.share(7)
	s.models()
	for i, kind := range [...]tenant.Kind{tenant.Team, tenant.User, tenant.Customer, tenant.Key} {
		s.share(6 - i)
		s.subjects(kind)
	}
	s.share(2)
	s.shares()
	s.share(1)
	s.series()
	if s.failed {
		return x.fail(s.failure)
	}
	s.sample(leftOut, float64(s.left))
	if cap(s.body) < s.size {
		s.body = make([]byte, 0, s.size+s.size/4)
	}
	body := s.body[:0]
	for f := range families {
		body = head(body, family(f))
		body = append(body, s.text[f]...)
	}
	s.body = body
	x.body, x.headers = body, x.headers[:0]
	d := x.send(200, "text/plain; version=0.0.4; charset=utf-8")
	x.body = nil // it is the worker's
	return d
}

// head appends what stands above a family's samples.
func head(dst []byte, f family) []byte {
	dst = append(dst, "# HELP "...)
	dst = append(dst, families[f][0]...)
	dst = append(dst, ' ')
	dst = append(dst, families[f][1]...)
	dst = append(dst, "\n# TYPE "...)
	dst = append(dst, families[f][0]...)
	if f < firstGauge {
		return append(dst, " counter\n"...)
	}
	return append(dst, " gauge\n"...)
}

// share gives the next part an n-th of the room that is left.
func (s *scrape) share(n int) { s.room = s.size + (maxMetrics-maxSamples-s.size)/n }

func (s *scrape) full() bool { return s.size >= s.room }

func (s *scrape) fail(f failure) { s.failure, s.failed = f, true }

// begin begins a sample, label adds a label to it, in alphabetical order as
// LiteLLM prints them, and end its value.
func (s *scrape) begin(f family) {
	s.at, s.labelled = f, false
	s.size -= len(s.text[f])
	s.text[f] = append(s.text[f], families[f][0]...)
}

func (s *scrape) label(name, value string) {
	s.named(name)
	s.text[s.at] = append(appendEscaped(s.text[s.at], value), '"')
}

// named begins a label.
func (s *scrape) named(name string) {
	c := byte(',')
	if !s.labelled {
		s.labelled, c = true, '{'
	}
	dst := append(s.text[s.at], c)
	dst = append(dst, name...)
	s.text[s.at] = append(dst, `="`...)
}

func (s *scrape) end(value float64) {
	dst := s.text[s.at]
	if s.labelled {
		dst = append(dst, '}')
	}
	dst = append(dst, ' ')
	dst = unit.AppendFloat(dst, value)
	dst = append(dst, '\n')
	s.text[s.at] = dst
	s.size += len(dst)
}

// sample is one without labels.
func (s *scrape) sample(f family, value float64) {
	s.begin(f)
	s.end(value)
}

// appendEscaped appends at most maxText bytes of a label's value as the text
// format wants it. What is not UTF-8 becomes U+FFFD.
func appendEscaped(dst []byte, value string) []byte {
	if len(value) <= maxText && harmless(value) {
		return append(dst, value...)
	}
	for i, r := range value {
		if i+utf8.RuneLen(r) > maxText {
			break
		}
		switch r {
		case '\\', '"':
			dst = append(dst, '\\', byte(r))
		case '\n':
			dst = append(dst, `\n`...)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// harmless reports whether a label's value is printed as it is, as most are.
func harmless(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// models shows the model groups' books and limits.
func (s *scrape) models() {
	g, w := s.gateway, s.gateway.worker
	slots := int64(0)
	for i := range g.groups {
		gr, b := &g.groups[i], &w.report.book
		if err := w.ledger.Read(s.now, &gr.terms, b); err != nil {
			s.fail(admissionFailure(err))
			return
		}
		if err := w.ledger.Refusals(&gr.terms, &w.report.why); err != nil {
			s.fail(admissionFailure(err))
			return
		}
		slots += b.Slots
		if s.full() {
			s.left++
			continue
		}
		if gr.model.LimitTPM {
			s.deployment(deploymentTPM, gr, gr.model.TPM)
		}
		if gr.model.LimitRPM {
			s.deployment(deploymentRPM, gr, gr.model.RPM)
		}
		s.book(gr, b)
	}
	s.sample(totalUsers, float64(g.tenants.Count(tenant.User, "")))
	s.sample(totalTeams, float64(g.tenants.Count(tenant.Team, "")))
	s.sample(inFlight, float64(slots))
	retries, _, _ := w.readRetries()
	s.sample(swapRetries, float64(retries+w.lost))
	s.sample(leaderChanges, float64(w.ledger.LeaderChanges()))
}

// book shows what /fairshare/shares tells of a model group.
func (s *scrape) book(gr *group, b *quota.Book) {
	t, why := &b.Totals, &s.gateway.worker.report.why
	if gr.terms.LimitTPM {
		s.model(modelCapacity, gr, inTokens, int64(gr.terms.TPM))
	}
	if gr.terms.LimitRPM {
		s.model(modelCapacity, gr, inRequests, gr.terms.RPM)
	}
	s.model(modelUsed, gr, inTokens, int64(b.Used))
	s.model(modelUsed, gr, inRequests, b.Requests)
	s.model(modelHeld, gr, inTokens, int64(b.Held))
	s.model(modelInFlight, gr, "", b.Slots)
	s.model(modelActive, gr, "", b.Active)
	if b.FairMinute == b.Minute-1 {
		s.begin(modelJain)
		s.label("model", gr.model.Name)
		s.end(float64(b.Fairness) / quota.One)
	}
	s.model(modelAdmitted, gr, "", t.Requests)
	s.model(modelTokens, gr, "", int64(t.Tokens))
	if gr.terms.LimitTPM {
		s.model(modelOvershoot, gr, "", int64(t.DebtTokens))
		s.model(modelStrandedTokens, gr, "", int64(t.StrandedTokens))
		s.model(modelErrorTokens, gr, "", int64(t.ErrorTokens))
		s.model(modelErrorRequests, gr, "", t.Told)
	}
	if gr.terms.LimitRPM {
		s.model(modelStrandedRequests, gr, "", t.StrandedRequests)
	}
	for by := range why.Counts {
		for i, n := range why.Counts[by] {
			if n == 0 {
				continue
			}
			s.begin(modelRefused)
			s.label("limit", limitings[by])
			s.label("model", gr.model.Name)
			s.label("reason", reasonNames[i])
			s.end(float64(n))
		}
	}
	for i := range b.Pools {
		if s.full() {
			s.left++
			continue
		}
		p, name := &b.Pools[i], orNone(s.gateway.priority(i))
		if gr.terms.LimitTPM {
			s.priority(gr, name, inTokens, p.TokenShare, int64(p.Used), int64(p.Held), p.TokensReleased)
		}
		if gr.terms.LimitRPM {
			s.priority(gr, name, inRequests, p.RequestShare, p.Requests, 0, p.RequestsReleased)
		}
	}
}

// The values of the label unit.
const (
	inTokens   = "tokens"
	inRequests = "requests"
)

func (s *scrape) priority(gr *group, name, unit string, share, used, held, released int64) {
	for i, n := range [...]int64{share, used + held, borrowed(share, used, held), released} {
		s.begin(priorityReservation + family(i))
		s.label("model", gr.model.Name)
		s.label("priority", name)
		s.label("unit", unit)
		s.end(float64(n))
	}
}

// shares shows the active keys of the model groups that have a limit.
func (s *scrape) shares() {
	w, shown := s.gateway.worker, 0
	for i := range s.gateway.groups {
		gr, b := &s.gateway.groups[i], &w.report.book
		if s.failed || !gr.terms.LimitTPM && !gr.terms.LimitRPM {
			continue
		}
		if err := w.ledger.Read(s.now, &gr.terms, b); err != nil {
			s.fail(admissionFailure(err))
			return
		}
		w.tabulate(s.now, gr)
		for k := range w.report.rows {
			r := &w.report.rows[k]
			if shown == maxShown || s.full() {
				s.left++
				continue
			}
			shown++
			if gr.terms.LimitTPM {
				s.key(gr, r, inTokens, r.TokenShare, int64(r.Used), int64(r.Held))
			}
			if gr.terms.LimitRPM {
				s.key(gr, r, inRequests, r.RequestShare, r.Requests, 0)
			}
		}
	}
}

func (s *scrape) key(gr *group, r *row, unit string, share, used, held int64) {
	for i, n := range [...]int64{share, used + held, borrowed(share, used, held)} {
		s.begin(keyShare + family(i))
		s.label("api_key_alias", orNone(r.alias))
		s.label("hashed_api_key", s.gateway.token(r))
		s.label("model", gr.model.Name)
		if len(s.gateway.policy.Priorities) > 0 {
			s.label("priority", orNone(s.gateway.priority(int(r.Pool))))
		}
		s.label("unit", unit)
		s.end(float64(n))
	}
}

// model shows a number of a model group.
func (s *scrape) model(f family, gr *group, unit string, n int64) {
	s.begin(f)
	s.label("model", gr.model.Name)
	if unit != "" {
		s.label("unit", unit)
	}
	s.end(float64(n))
}

// deployment shows a limit of a whole group under its first deployment.
func (s *scrape) deployment(f family, gr *group, n int64) {
	d := gr.targets[0].Deployment
	base := d.Upstream
	if base != "" {
		scheme := "http://"
		if d.TLS {
			scheme = "https://"
		}
		base = scheme + base + d.PathPrefix
	}
	s.begin(f)
	s.label("api_base", orNone(base))
	s.label("api_provider", orNone(d.Provider))
	s.label("litellm_model_name", orNone(d.ProviderModel))
	s.label("model_group", gr.model.Name)
	s.label("model_id", llm.None)
	s.end(float64(n))
}

// subjects shows those of a kind that have a limit.
func (s *scrape) subjects(kind tenant.Kind) {
	if s.failed {
		return
	}
	d := s.gateway.tenants
	looked, shown, cut := 0, 0, false
	st := d.List(kind, "", func(id string) bool {
		if looked == maxLooked || shown == maxShown || s.full() {
			cut = true
			return false
		}
		looked++
		switch subject, st := d.Find(kind, id); st {
		case quota.OK:
			if s.subject(subject) {
				shown++
			}
		case quota.NotFound: // removed meanwhile
		default:
			s.fail(keyStoreFailed)
		}
		return !s.failed
	})
	if st == quota.Failed {
		s.fail(keyStoreFailed)
	}
	if cut {
		s.left += int64(max(0, d.Count(kind, "")-looked))
	}
}

// subject shows the budget and the limits of a subject, and reports whether it
// has any to show.
func (s *scrape) subject(k *tenant.Subject) bool {
	limits, ok := s.limits(k)
	if !ok {
		s.fail(keyStoreFailed)
		return false
	}
	money := limits.Budget.Limited
	rates := (k.Kind == tenant.Key || k.Kind == tenant.Team) && (limits.RPM.Limited || limits.TPM.Limited)
	if money || rates {
		m := s.gateway.meter(s.now, nil, k, limits, "")
		b, err := s.gateway.worker.ledger.Balance(s.now, m.Meter)
		if err != nil {
			s.fail(admissionFailure(err))
			return false
		}
		if money {
			s.budget(k, m.Budget.Max, &b)
		}
		if rates && m.RPM.Limited {
			s.rate(k, "rpm", m.RPM.Max, b.Requests)
		}
		if rates && m.TPM.Limited {
			s.rate(k, "tpm", m.TPM.Max, b.Tokens+b.Hold)
		}
	}
	if k.Kind != tenant.Key {
		return money || rates
	}
	return s.perModel(k) || money || rates
}

// limits are those that hold for a subject, as for its requests.
func (s *scrape) limits(k *tenant.Subject) (tenant.Limits, bool) {
	g := s.gateway
	limits, budget := k.Limits, k.BudgetID
	if k.Kind == tenant.Customer && budget == "" {
		budget = g.policy.EndUserBudgetID
	}
	if budget != "" && k.Kind != tenant.Team {
		b, st := g.tenants.Find(tenant.Budget, budget)
		if st == quota.Failed {
			return limits, false
		}
		limits = tenant.Effective(k, b)
	}
	if k.Kind == tenant.Customer {
		limits = g.endUserLimits(limits)
	}
	return limits, true
}

// budget shows what is left of a subject's budget, held costs not taken off.
func (s *scrape) budget(k *tenant.Subject, most int64, b *quota.Balance) {
	f := teamBudget
	switch k.Kind {
	case tenant.Key:
		f = keyBudget
	case tenant.User:
		f = userBudget
	case tenant.Customer:
		f = customerBudget
	}
	s.money(f, k, unit.PicoUSD(most).Minus(b.Spent))
	s.money(f+1, k, unit.PicoUSD(most))
	if b.ResetAt != math.MaxInt64 {
		const hour = 3_600_000
		s.begin(f + 2)
		s.whose(k)
		s.end(float64(b.ResetAt-s.now) / hour)
	}
}

func (s *scrape) money(f family, k *tenant.Subject, m unit.PicoUSD) {
	s.begin(f)
	s.whose(k)
	s.end(usd(m))
}

func usd(m unit.PicoUSD) float64 { return float64(m) / float64(unit.USD) }

// whose are the labels of a budget. The documents name a team otherwise than
// LiteLLM 1.106.
func (s *scrape) whose(k *tenant.Subject) {
	switch k.Kind {
	case tenant.Team:
		if s.gateway.policy.ErrorFormat == config.LiteLLM {
			s.label("team", k.ID)
			s.label("team_alias", k.Alias)
			return
		}
		s.label("team_alias", k.Alias)
		s.label("team_id", k.ID)
	case tenant.Key:
		s.label("api_key_alias", k.Alias)
		s.label("hashed_api_key", k.ID)
	case tenant.User:
		s.label("user", k.ID)
	case tenant.Customer:
		s.label("end_user", k.ID)
	}
}

// rate shows a limit of a minute of a key or a team.
func (s *scrape) rate(k *tenant.Subject, kind string, most, used int64) {
	for f, n := range [...]int64{most, used} {
		if k.Kind == tenant.Team {
			s.begin(teamLimit + family(f))
			s.label("rate_limit_type", kind)
			s.label("team", k.ID)
			s.label("team_alias", orNone(k.Alias))
		} else {
			s.begin(keyLimit + family(f))
			s.label("api_key_alias", orNone(k.Alias))
			s.label("hashed_api_key", k.ID)
			s.label("rate_limit_type", kind)
		}
		s.end(float64(n))
	}
}

// perModel shows what is left of a key's limits for single models, and reports
// whether there are any.
func (s *scrape) perModel(k *tenant.Subject) bool {
	any := false
	for i := range k.PerModel {
		l := &k.PerModel[i]
		if !l.RPM.Limited && !l.TPM.Limited {
			continue
		}
		any = true
		if s.full() {
			s.left++
			continue
		}
		b, err := s.gateway.worker.ledger.Balance(s.now, s.gateway.meter(s.now, nil, k, l.Limits, l.Model).Meter)
		if err != nil {
			s.fail(admissionFailure(err))
			return any
		}
		if l.RPM.Limited {
			s.remaining(keyModelRequests, k, l.Model, l.RPM.Max-b.Requests)
		}
		if l.TPM.Limited {
			s.remaining(keyModelTokens, k, l.Model, l.TPM.Max-b.Tokens-b.Hold)
		}
	}
	return any
}

func (s *scrape) remaining(f family, k *tenant.Subject, model string, n int64) {
	s.begin(f)
	s.label("api_key_alias", orNone(k.Alias))
	s.label("hashed_api_key", k.ID)
	s.label("model", model)
	s.label("model_id", llm.None)
	s.end(float64(max(0, n)))
}

// series shows the counters.
func (s *scrape) series() {
	if s.failed {
		return
	}
	w := s.gateway.worker
	var rest [numSeriesKinds][numAmounts]int64
	var shown [numSeriesKinds]int
	for n := range seriesPages {
		if _, _, st := w.readPage(n); st != quota.OK {
			s.fail(storeRefused)
			return
		}
		for r := seriesOf(w.series.page); r.next(); {
			kind := r.kind()
			var amounts [numAmounts]int64
			for i := range kind.amounts() {
				amounts[i] = r.amount(i)
			}
			texts := r.texts()
			switch {
			case string(texts[byKey]) == others:
				// Every page has its own.
				for i, more := range amounts {
					rest[kind][i] = plus(rest[kind][i], more)
				}
			case shown[kind] == maxShown || s.full():
				s.left++
			default:
				shown[kind]++
				s.counters(kind, &texts, &amounts)
			}
		}
	}
	for kind := range numSeriesKinds {
		if rest[kind] != [numAmounts]int64{} {
			var texts [numLabels][]byte
			for l := range texts {
				texts[l] = []byte(others)
			}
			s.counters(kind, &texts, &rest[kind])
		}
	}
}

// counters shows a series, in as many families as it has amounts.
func (s *scrape) counters(kind seriesKind, texts *[numLabels][]byte, amounts *[numAmounts]int64) {
	// A label's text is escaped once for all families.
	s.scratch = s.scratch[:0]
	var ends [numLabels]int
	for l, t := range texts {
		if len(t) == 0 {
			s.scratch = append(s.scratch, llm.None...)
		} else {
			s.scratch = appendEscaped(s.scratch, string(t))
		}
		ends[l] = len(s.scratch)
	}
	first := family(0)
	switch kind {
	case ofRequests:
		first = requestsFamily
	case ofFailures:
		first = failuresFamily
	case ofShadow:
		first = shadowRequests
	}
	for i := range kind.amounts() {
		f := first + family(i)
		set, from := printed(f), 0
		s.begin(f)
		for l, end := range ends {
			if set.has(label(l)) {
				s.named(labelNames[l])
				s.text[f] = append(append(s.text[f], s.scratch[from:end]...), '"')
			}
			from = end
		}
		if f == family(spent) {
			s.end(usd(unit.PicoUSD(amounts[i])))
		} else {
			s.end(float64(amounts[i]))
		}
	}
}
