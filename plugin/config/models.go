package config

import (
	"slices"
	"strings"

	"fairshare/plugin/document"
)

// mostPerMinute bounds tpm, rpm and weights, so that no sum of them can overflow.
const mostPerMinute = 1_000_000_000_000

// terms are what a deployment says about its part of its group.
type terms struct{ weight, rpm, tpm term }

type term struct {
	value int64
	ok    bool
}

func (r *reading) models(p *Policy, at place) {
	const want = "a list of at least one model"
	entries := at.items()
	if len(entries) == 0 {
		at.fail(want)
		return
	}
	p.index = make(map[string]int)
	var groups [][]terms // parallel to p.Models
	for _, entry := range entries {
		name := entry.in("model_name").required("the name that callers ask for")
		if strings.Contains(name, "*") {
			entry.in("model_name").fail("a name without \"*\" (wildcards are not served yet)")
		}
		deployment, said := r.deployment(entry)
		if r.err != nil {
			return
		}
		i, ok := p.index[name]
		if !ok {
			i = len(p.Models)
			p.index[name] = i
			p.Models = append(p.Models, Model{Name: name})
			groups = append(groups, nil)
		}
		m := &p.Models[i]
		priceless := func(d Deployment) bool { return !d.Priced && !d.SelfHosted }
		if priceless(deployment) && !slices.ContainsFunc(m.Deployments, priceless) {
			r.unpriced = append(r.unpriced, entry.in("litellm_params").in("model").path)
		}
		m.Deployments = append(m.Deployments, deployment)
		groups[i] = append(groups[i], said)
		if said.tpm.ok {
			m.TPM, m.LimitTPM = m.TPM+said.tpm.value, true
		}
		if said.rpm.ok {
			m.RPM, m.LimitRPM = m.RPM+said.rpm.value, true
		}
		m.Shadow |= entry.in("model_info").in("enforce").shadow("rpm", "tpm")
		for _, group := range entry.in("model_info").in("access_groups").texts() {
			if !slices.Contains(m.AccessGroups, group) {
				m.AccessGroups = append(m.AccessGroups, group)
			}
		}
	}
	for i := range p.Models {
		weigh(p.Models[i].Deployments, groups[i])
	}
}

// weigh sets the Weight of each deployment of a group. As in LiteLLM (simple_shuffle.py)
// the first deployment's most explicit term is the whole group's unit, and a deployment
// without that term has weight 0: a weight of 2 must not meet an rpm of 1000. If
// that leaves nobody with a weight, all are equal.
func weigh(deployments []Deployment, said []terms) {
	pick := func(terms) term { return term{} }
	switch first := said[0]; {
	case first.weight.ok:
		pick = func(t terms) term { return t.weight }
	case first.rpm.ok:
		pick = func(t terms) term { return t.rpm }
	case first.tpm.ok:
		pick = func(t terms) term { return t.tpm }
	}
	sum := int64(0)
	for i := range deployments {
		deployments[i].Weight = pick(said[i]).value
		sum += deployments[i].Weight
	}
	if sum == 0 {
		for i := range deployments {
			deployments[i].Weight = 1
		}
	}
}

func (r *reading) deployment(entry place) (Deployment, terms) {
	params, info := entry.in("litellm_params"), entry.in("model_info")
	d := Deployment{}
	at := params.in("model")
	model := at.required(`a model such as "openai/gpt-4o"`)
	custom, _ := params.in("custom_llm_provider").text()
	d.Provider, d.ProviderModel = splitModel(model, custom)
	if model != "" && d.ProviderModel == "" {
		at.fail("a model's name after the provider's")
	}
	d.Mock, d.IsMock = params.in("mock_response").resolved("the answer's text (other mocks are not served yet)")

	known, ok := providerNamed(d.Provider)
	switch {
	case ok || d.IsMock:
	case slices.Contains(otherDialects, d.Provider):
		at.fail("a provider that speaks OpenAI's dialect, such as \"openai/<model>\" with api_base: Fairshare does not translate dialects")
	default:
		at.fail("a provider that Fairshare knows before the \"/\", such as \"openai/<model>\" with api_base")
	}
	own, hasOwn := parseBase(known.base)
	upstream := r.upstream(params.in("api_base"), d.Provider, own, hasOwn || d.IsMock)
	if version := params.in("api_version"); d.Provider == azure && !d.IsMock && version.there() {
		r.warn(version.path, "is not used: Azure is asked by its v1 API")
	}
	d.Upstream, d.PathPrefix, d.TLS = upstream.host, upstream.prefix, upstream.tls
	if !hasOwn || upstream.host != own.host {
		known.keyVar = "" // a provider's key is for that provider only
	}
	r.credential(&d, params.in("api_key"), known.keyVar)
	r.price(&d, params, info)
	d.NoStreamOptions = r.noStreamOptions(d.Provider, info)

	const (
		tokens   = "a whole number of tokens a minute, 0 to 1e12"
		requests = "a whole number of requests a minute, 0 to 1e12"
	)
	said := terms{
		tpm: perMinute(tokens, entry.in("tpm"), params.in("tpm"), info.in("tpm")),
		rpm: perMinute(requests, entry.in("rpm"), params.in("rpm"), info.in("rpm")),
	}
	weight, ok := params.in("weight").number(0, mostPerMinute, "a number from 0 to 1e12")
	// In thousandths, because people write weights as 0.9 and 0.1.
	said.weight = term{int64(weight*1000 + 0.5), ok}
	return d, said
}

// perMinute reads every place and takes the first that says something, in LiteLLM's
// order (router.py, _set_model_group_info).
func perMinute(want string, places ...place) term {
	var t term
	for _, p := range places {
		if n, ok := p.whole(0, mostPerMinute, want); ok && !t.ok {
			t = term{n, true}
		}
	}
	return t
}

// upstream reads api_base. own is the provider's, and a place at its host without a path
// has its path; optional reports that there need not be another.
func (r *reading) upstream(at place, provider string, own base, optional bool) base {
	const want = `an api_base such as "http://127.0.0.1:8000/v1", without user, query or fragment`
	s, ok := at.text()
	if !ok {
		if !optional {
			at.fail(want)
		}
		return own
	}
	b, ok := parseBase(s)
	if !ok {
		if _, fromVariable := at.variableName(); !fromVariable && strings.ContainsAny(s, "@?#") {
			r.fail(at.path, want, "one with such a part (not shown)")
		}
		at.fail(want)
		return base{}
	}
	pathless := strings.Count(s, "/") == 2
	switch {
	case pathless && provider == azure:
		b.prefix = azurePath("")
	case provider == azure:
		b.prefix = azurePath(b.prefix)
	case pathless && b.host == own.host:
		b.prefix = own.prefix
	}
	return b
}

// credential reads api_key, or else what the provider's own variable holds. A mock
// needs neither.
func (r *reading) credential(d *Deployment, at place, variable string) {
	name, fromVariable := at.variableName()
	if !at.read() {
		name, fromVariable = variable, variable != ""
		if !fromVariable || d.IsMock {
			return
		}
	}
	if fromVariable {
		value, set := r.variable(name)
		if !set {
			if !d.IsMock {
				d.MissingKey = discreet(name) // told to callers
				r.warn(at.path, "environment variable "+printable(name)+Unset+": calls to this deployment answer an error")
			}
			return
		}
		if d.APIKey = strings.TrimSpace(value); !graphic(d.APIKey) {
			r.fail(at.path, "printable ASCII without blanks in environment variable "+printable(name), "another character (not shown)")
		}
		return
	}
	if at.node().Kind == document.Text && at.node().Str == "" {
		return // said to be none, so the provider's own variable does not count
	}
	d.APIKey, _ = at.secret()
	if !d.IsMock {
		r.warn(at.path, "is in the configuration itself, which Envoy's /config_dump shows: use os.environ/NAME")
	}
}
