package config

import (
	"slices"
	"strings"

	"fairshare/plugin/document"
	"fairshare/plugin/price"
)

// selfHosted are the providers whose models run on the operator's own machines, which
// LiteLLM takes for free unless something else is said (llms/ollama, get_model_info;
// router.py, get_model_group_info, for those that its price file does not have).
var selfHosted = []string{"hosted_vllm", "llamafile", "lm_studio", "ollama", "ollama_chat"}

// perToken is what a price must be.
const perToken = "a price in US dollars per token, 0 to 1"

// price finds what a deployment costs. As in LiteLLM (cost_calculator.py) a price of its
// own comes before the built-in table, in which it is looked up as base_model or else as
// litellm_params.model; of its own prices, those in litellm_params come before those in
// model_info (types/router.py, Deployment). One that says what input and output cost has
// nothing of the table's: not its prices of cached tokens and long inputs either.
func (r *reading) price(d *Deployment, params, info place) {
	base := params.in("base_model")
	if !base.read() {
		base = info.in("base_model")
	}
	name, ok := base.text()
	if ok {
		if d.Price, d.Priced = price.Lookup(name); !d.Priced {
			r.warn(base.path, "is not in the table of prices: the model's own name is looked up")
		}
	}
	if !d.Priced {
		d.Price, d.Priced = price.Lookup(d.Provider + "/" + d.ProviderModel)
	}
	input := params.in("input_cost_per_token").there() || info.in("input_cost_per_token").there()
	output := params.in("output_cost_per_token").there() || info.in("output_cost_per_token").there()
	if input && output {
		d.Price = price.Price{}
	}
	r.ownPrice(&d.Price, info)
	r.ownPrice(&d.Price, params)
	switch {
	case !d.Priced && input && !output:
		r.warn(params.path, "has no output_cost_per_token: what the model writes is free")
	case !d.Priced && output && !input:
		r.warn(params.path, "has no input_cost_per_token: what the model reads is free")
	}
	d.Priced = d.Priced || input || output
	d.SelfHosted = slices.Contains(selfHosted, d.Provider)
}

// ownPrice sets the prices that an object has among its members.
func (r *reading) ownPrice(p *price.Price, at place) {
	members, names := at.members()
	for i, m := range members {
		if !m.there() || !strings.Contains(names[i], "cost") && names[i] != "tiered_pricing" {
			continue
		}
		if !price.Known(names[i]) {
			r.warn(m.path, "is not charged: Fairshare charges by the token")
			continue
		}
		if usd, ok := m.number(0, 1, perToken); ok && !p.Set(names[i], usd) {
			r.fail(m.path, "at most 3 thresholds of a model, the table's among them", "one more")
		}
	}
}

// unpricedModels reads what becomes of requests that no price is known for, and says
// which models those are.
func (r *reading) unpricedModels(p *Policy, at place) {
	remark := "has no price: requests that a budget would have to pay for are refused"
	switch {
	case !at.read():
	case at.node().Kind == document.Object:
		at.only(unpricedMembers)
		p.Unpriced, remark = UnpricedDefault, "has no price: it costs what fairshare_settings.unpriced_models says"
		for _, name := range [...]string{"input", "output"} {
			m := at.in(name)
			usd, ok := m.number(0, 1, perToken)
			if !ok {
				m.fail(perToken)
			}
			p.UnpricedPrice.Set(name+"_cost_per_token", usd)
		}
	default:
		switch word, _ := at.resolved(unpricedWant); word {
		case "refuse":
		case "zero":
			p.Unpriced, remark = UnpricedZero, "HAS NO PRICE AND IS SERVED FREE, whatever the budgets are: fairshare_settings.unpriced_models is zero"
		default:
			at.fail(unpricedWant)
		}
	}
	for _, path := range r.unpriced {
		r.warn(path, remark)
	}
}

const unpricedWant = "refuse, zero, or {input, output} in US dollars per token"
