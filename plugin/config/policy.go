package config

import (
	"fairshare/plugin/period"
	"fairshare/plugin/price"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

// A Policy is everything Fairshare was told: who may ask, for which models, and how
// a model's capacity is shared. It comes from Parse, is never changed afterwards and
// may be read by any number of exchanges; a new configuration is a new Policy.
// The zero Policy serves no model and has no master key.
type Policy struct {
	// MasterKey is the SHA-256 of the key that opens the management routes.
	// It is meaningful only if HasMasterKey; without one those routes stay closed.
	MasterKey    [32]byte
	HasMasterKey bool
	// DemoMasterKey reports that the master key is the documents' sk-1234, which
	// everybody knows. Warnings says so too.
	DemoMasterKey bool

	// Models are the model groups in the order in which model_list first names them.
	Models []Model

	// Limiter says how a model's tpm and rpm are enforced, if at all.
	Limiter Limiter
	// Priorities are the declared reservations, sorted by name; empty unless
	// litellm_settings.priority_reservation has members.
	Priorities []Priority
	// DefaultPriority is the fraction (0..1) of a model for the one pool of callers
	// without a priority or with an undeclared one, if the operator gave it, which
	// HasDefaultPriority reports. Only ByPriority uses it; see DefaultFraction.
	DefaultPriority    float64
	HasDefaultPriority bool
	// SaturationThreshold is the fraction (0..1) of a model's capacity in use below
	// which anyone may take idle capacity at once. HasSaturationThreshold reports
	// that the operator set it, and is not merely seeing LiteLLM's default.
	SaturationThreshold    float64
	HasSaturationThreshold bool
	// GraceMS bounds what is kept for a priority that asks beyond the rate that it
	// reserves, because its requests come at random, as that much time of its
	// reservation, 0 to 60000 ms.
	GraceMS int64
	// SaturationTTL is how many seconds LiteLLM may reuse a measured saturation.
	SaturationTTL int64

	// Subjects are what the configuration declares: virtual keys, users, teams each
	// before its members, customers and budgets, those of a kind in its order. All are
	// Declared, and made at no known time. IDs are unique in their kind, aliases among
	// keys, and no key is the master key.
	Subjects []*tenant.Subject
	// Proxy has the budget of all requests together and its period
	// (litellm_settings.max_budget, budget_duration).
	Proxy tenant.Limits
	// EndUser has the budget of each end user that has none of its own: that of the
	// Budget called EndUserBudgetID if it is not empty and there is one, and otherwise
	// EndUser, which is never reset.
	EndUser         tenant.Limits
	EndUserBudgetID string
	// Calendar says when days, weeks and months of budgets begin.
	Calendar period.Calendar
	// BudgetStatus is the HTTP status of a refusal by a budget, 400 to 499; 0 leaves it
	// to ErrorFormat.
	BudgetStatus int
	// Counts says which tokens count for limits of tokens a minute.
	Counts quota.Counting
	// UserBudgetOnTeamKeys reports that a user's budget also holds for those of its
	// keys that belong to a team.
	UserBudgetOnTeamKeys bool
	// EnforceUser reports that a request must name its end user.
	EnforceUser bool
	// UserHeaders are headers, in lower case, that name the end user. The first that a
	// request has counts, before the body's user.
	UserHeaders []string
	// Unpriced says what a request costs whose deployment is not Priced; UnpricedPrice
	// is its price with UnpricedDefault.
	Unpriced      Unpriced
	UnpricedPrice price.Price
	// Shadow are the limits that refuse nobody, whosever they are
	// (fairshare_settings.enforce). Each Model's and Subject's has these beside its own.
	Shadow quota.Reasons
	// SlidingWindow reports that limits a minute hold for any 60 seconds, and not for
	// clock minutes.
	SlidingWindow bool
	// OpenMetrics reports that anybody may read the metrics, without the master key.
	OpenMetrics bool

	ErrorFormat ErrorFormat
	// LimitHeaders says in whose words answers tell of limits.
	LimitHeaders LimitHeaders
	// MaxBodyBytes is the largest request body accepted, 1 KiB to MaxBody.
	MaxBodyBytes int
	// MaxBodies, MaxBodiesPerKey and MaxBodyMemory (bytes) bound the bodies that a
	// worker waits for at a time.
	MaxBodies, MaxBodiesPerKey int
	MaxBodyMemory              int64
	Host                       HostKind
	// PassThroughPaths are paths let through unlimited although they are neither
	// LLM nor management routes; see PassesThrough.
	PassThroughPaths []string
	// CORSOrigins are the origins whose pages may ask and read answers, "*" for all.
	CORSOrigins []string
	// ForwardHeaders are headers that go upstream beside those that always do, in lower
	// case; an entry that ends in "*" is a begin of names. See Forwards.
	ForwardHeaders []string
	// ClientRetries reports that a client may be told to retry a refusal (an OpenAI
	// client does so on its own unless a header forbids it).
	ClientRetries bool

	// Warnings are one-line remarks on what is ignored or dangerous, each beginning
	// with its path. They are to be logged once, when the Policy takes effect.
	Warnings []string

	index map[string]int // of Models, by name
}

// Model finds the model group called name. The result belongs to p and must not be
// changed. It finds nothing in a Policy that did not come from Parse.
func (p *Policy) Model(name string) (*Model, bool) {
	i, ok := p.index[name]
	if !ok {
		return nil, false
	}
	return &p.Models[i], true
}

// PassesThrough reports whether path (already normalised, without a query) is listed
// in pass_through_paths: either exactly, or below an entry that ends in "/*".
func (p *Policy) PassesThrough(path string) bool {
	for _, entry := range p.PassThroughPaths {
		if entry == path {
			return true
		}
		if n := len(entry) - 1; n >= 1 && entry[n] == '*' && len(path) >= n && path[:n] == entry[:n] {
			return true
		}
	}
	return false
}

// Fractions gives the part of m's capacity that each of p.Priorities reserves, in
// their order, each 0..1. With ByPriority, fractions that add up to more than 1 are
// divided by their sum, so that a reservation can always be kept; with ByActiveKeys
// they are weights among the keys active in the minute and stay as they are.
// LiteLLM: hooks/dynamic_rate_limiter_v3.py, _normalize_priority_weights.
func (p *Policy) Fractions(m *Model) []float64 {
	fractions := make([]float64, len(p.Priorities))
	sum := 0.0
	for i := range p.Priorities {
		fractions[i] = p.Priorities[i].Fraction(m)
		sum += fractions[i]
	}
	if p.Limiter == ByPriority && sum > 1 {
		for i := range fractions {
			fractions[i] /= sum
		}
	}
	return fractions
}

// DefaultFraction is the part of m's capacity, 0..1, that is reserved for callers
// without a declared priority: what the operator said, or else LiteLLM's default of a
// quarter, but no more than the declared priorities leave. Nobody wrote that default,
// so it takes nothing of what somebody did write.
func (p *Policy) DefaultFraction(m *Model) float64 {
	if p.HasDefaultPriority {
		return p.DefaultPriority
	}
	over := 1.0
	for _, f := range p.Fractions(m) {
		over -= f
	}
	const rounding = 1e-9 // of sums such as 0.7 + 0.2 + 0.1
	if over < rounding {
		return 0
	}
	return min(over, defaultPriority)
}

// defaultPriority is LiteLLM's (types/utils.py, PriorityReservationSettings).
const defaultPriority = 0.25

// A Limiter is the rule by which a model's capacity is shared.
type Limiter uint8

const (
	// Unlimited enforces no model's tpm or rpm: LiteLLM does so only through a limiter.
	Unlimited Limiter = iota
	// ByActiveKeys splits a model among the keys active in the minute
	// (callbacks: ["dynamic_rate_limiter"]).
	ByActiveKeys
	// ByPriority gives each priority its own pool of a model
	// (callbacks: ["dynamic_rate_limiter_v3"] with a priority_reservation).
	ByPriority
)

// String gives the limiter's name in metrics and logs.
func (l Limiter) String() string {
	switch l {
	case ByActiveKeys:
		return "active_keys"
	case ByPriority:
		return "priority"
	}
	return "unlimited"
}

// An ErrorFormat is the shape of the errors that clients of OpenAI routes see.
type ErrorFormat uint8

const (
	// ByClient is Documents, but for clients that could show nothing of it: they get
	// its words where they can.
	ByClient ErrorFormat = iota
	// Documents is the shape that LiteLLM's documents print: message is an object.
	Documents
	// LiteLLM is the flat shape of LiteLLM 1.106.
	LiteLLM
)

// String gives the format's name in the configuration.
func (f ErrorFormat) String() string { return errorFormats[f] }

var errorFormats = []string{"auto", "documents", "litellm"}

// LimitHeaders are the headers by which answers tell what is left of limits.
type LimitHeaders uint8

const (
	// AllLimitHeaders are OpenAI's and LiteLLM's.
	AllLimitHeaders LimitHeaders = iota
	// OpenAILimitHeaders are x-ratelimit-limit-requests and its five kin.
	OpenAILimitHeaders
	// LiteLLMLimitHeaders are those of LiteLLM's limiters, and what the key spent.
	LiteLLMLimitHeaders
	// NoLimitHeaders leaves all of them out.
	NoLimitHeaders
)

var limitHeaders = []string{"all", "openai", "litellm", "none"}

// A HostKind is the proxy that Fairshare runs in.
type HostKind uint8

const (
	// Auto lets Fairshare find out at start.
	Auto HostKind = iota
	Envoy
	Istio
	Kong
	Apisix
)

// String gives the host's name in the configuration.
func (h HostKind) String() string { return hostKinds[h] }

var hostKinds = []string{"auto", "envoy", "istio", "kong", "apisix"}

// Unpriced is what becomes of requests to a model that has no price.
type Unpriced uint8

const (
	// UnpricedRefuse refuses those that some budget would have to pay for.
	UnpricedRefuse Unpriced = iota
	// UnpricedZero serves them free.
	UnpricedZero
	// UnpricedDefault charges Policy.UnpricedPrice.
	UnpricedDefault
)

// A Model is a model group: all entries of model_list with one model_name.
type Model struct {
	// Name is what callers ask for.
	Name string
	// Deployments has at least one member, in the order of model_list.
	Deployments []Deployment
	// TPM (tokens) and RPM (requests) are per clock minute, 0..1e12 for each
	// deployment, summed over those that state one; meaningful only if LimitTPM or
	// LimitRPM, which report that any deployment did.
	TPM, RPM           int64
	LimitTPM, LimitRPM bool
	// Shadow are those of the two, of those that there are, that refuse nobody.
	Shadow quota.Reasons
	// AccessGroups are the names, without repeats, by which a key may be granted this
	// model among others (model_info.access_groups).
	AccessGroups []string
}

// A Deployment is one entry of model_list: an upstream, or a mock in its place.
type Deployment struct {
	// ProviderModel goes into the request body's model: litellm_params.model without
	// the provider's prefix.
	ProviderModel string
	// Provider is LiteLLM's name for who serves the model, such as "openai".
	Provider string
	// Upstream is the authority, host[:port] in lower case and without the scheme's
	// default port; empty if a mock has no api_base to fall back on.
	Upstream string
	// PathPrefix is empty or begins with "/" and does not end with one. The request
	// goes to PathPrefix + "/chat/completions".
	PathPrefix string
	TLS        bool
	// APIKey is the upstream's credential; empty if none is needed.
	APIKey string
	// MissingKey names the environment variable that should hold the credential and
	// is unset. Calls to this deployment must then answer an error, not go upstream.
	MissingKey string
	// Mock is the answer's text if IsMock; no upstream is called then.
	Mock   string
	IsMock bool
	// NoStreamOptions tells that a stream's usage must not be asked for: the upstream
	// refuses stream_options.
	NoStreamOptions bool
	// Weight is this deployment's part among its group's, 0 or more; a group has at
	// least one above 0. Weights of different groups are in different units.
	Weight int64
	// Price is what its tokens cost, if Priced; otherwise Policy.Unpriced says, which
	// takes nothing for what is SelfHosted unless it has a price for it.
	Price      price.Price
	Priced     bool
	SelfHosted bool
}

// A Priority is one member of litellm_settings.priority_reservation.
type Priority struct {
	Name  string
	Kind  Reservation
	Value float64 // 0..1 of a Fraction, otherwise requests or tokens per minute, 0..1e12
}

// A Reservation is the unit of a Priority's Value.
type Reservation uint8

const (
	// Fraction is a part of each model's capacity, 0..1.
	Fraction Reservation = iota
	// RPM is requests a minute of each model.
	RPM
	// TPM is tokens a minute of each model.
	TPM
)

// Fraction gives the part of m's capacity, 0..1, that p reserves in both of its
// dimensions. Requests are measured against m's rpm and tokens against its tpm; if m
// has no such limit (or it is 0), the value itself is taken as a fraction, which
// is what LiteLLM does (hooks/rate_limiter_utils.py, convert_priority_to_percent).
// More than all of m is all of m.
func (p Priority) Fraction(m *Model) float64 {
	f := p.Value
	switch {
	case p.Kind == RPM && m.LimitRPM && m.RPM > 0:
		f /= float64(m.RPM)
	case p.Kind == TPM && m.LimitTPM && m.TPM > 0:
		f /= float64(m.TPM)
	}
	return min(f, 1)
}

// MaxBody is the most bytes that a configuration may allow a request's body: a VM
// holds one as it came and one as it goes upstream, in a heap that grows by doubling
// and may have 1 GiB in Envoy.
const MaxBody = 64 << 20
