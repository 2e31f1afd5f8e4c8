package admin

import (
	"fairshare/plugin/llm"
	"fairshare/plugin/price"
	"fairshare/plugin/quota"
	"fairshare/plugin/unit"
)

// modelInfo puts the deployments, or the one with the id that is asked for.
func (j *job) modelInfo() {
	id := j.param("litellm_model_id")
	j.put(`{"data":[`)
	found := false
	for i := range j.Models {
		m := &j.Models[i]
		if id != "" && m.ID != id {
			continue
		}
		found = true
		j.next()
		j.put(`{"model_name":`)
		j.quote(m.Name)
		j.put(`,"litellm_params":{"model":`)
		j.quote(m.ProviderModel)
		j.put(`},"model_info":{"id":`)
		j.quoteOrNull(m.ID)
		j.put(`,"db_model":false,"access_groups":[`)
		for _, g := range m.AccessGroups {
			j.next()
			j.quote(g)
		}
		j.put(`],"litellm_provider":`)
		j.quoteOrNull(m.Provider)
		j.capacity(m.TPM, m.RPM)
		j.prices(&m.Price, m.Priced)
		j.put("}}")
	}
	j.put("]}")
	if id != "" && !found {
		j.bad("litellm_model_id", "Model id = "+clip(id)+" not found on litellm proxy")
	}
}

// modelGroupInfo puts the model groups: what all deployments of one name can do
// together, at the price of the dearest.
func (j *job) modelGroupInfo() {
	chosen := j.param("model_group")
	j.put(`{"data":[`)
	for i := range j.Models {
		name := j.Models[i].Name
		if chosen != "" && name != chosen || j.group(name) != i {
			continue
		}
		j.next()
		j.put(`{"model_group":`)
		j.quote(name)
		j.put(`,"providers":[`)
		var tpm, rpm quota.Cap
		var dearest *price.Price
		for k := i; k < len(j.Models); k++ {
			m := &j.Models[k]
			if m.Name != name {
				continue
			}
			if j.provided(i, k) {
				j.next()
				j.quote(m.Provider)
			}
			tpm, rpm = plus(tpm, m.TPM), plus(rpm, m.RPM)
			if m.Priced && (dearest == nil || m.Price.Estimate(1000, 1000) > dearest.Estimate(1000, 1000)) {
				dearest = &m.Price
			}
		}
		j.put("]")
		j.capacity(tpm, rpm)
		j.prices(dearest, dearest != nil)
		j.put("}")
	}
	j.put("]}")
}

// group gives the place of a group's first deployment, -1 if there is none.
func (j *job) group(name string) int {
	for i := range j.Models {
		if j.Models[i].Name == name {
			return i
		}
	}
	return -1
}

// provided reports whether deployment k is the first of its provider in the
// group that begins at i.
func (j *job) provided(i, k int) bool {
	m := &j.Models[k]
	for ; i < k; i++ {
		if j.Models[i].Name == m.Name && j.Models[i].Provider == m.Provider {
			return false
		}
	}
	return m.Provider != ""
}

func plus(a, b quota.Cap) quota.Cap {
	return quota.Cap{Limited: a.Limited || b.Limited, Max: int64(unit.Tokens(a.Max).Plus(unit.Tokens(b.Max)))}
}

func (j *job) capacity(tpm, rpm quota.Cap) {
	j.put(`,"mode":"chat"`)
	for i, c := range [...]quota.Cap{tpm, rpm} {
		j.put([...]string{`,"tpm":`, `,"rpm":`}[i])
		if c.Limited {
			j.int(c.Max)
		} else {
			j.put("null")
		}
	}
}

// prices puts what a token costs, from a thousand of them: rates are smaller
// than a PicoUSD.
func (j *job) prices(p *price.Price, priced bool) {
	for i, name := range [...]string{`,"input_cost_per_token":`, `,"output_cost_per_token":`} {
		j.put(name)
		if !priced {
			j.put("null")
			continue
		}
		cost := p.Estimate(1000, 0)
		if i == 1 {
			cost = p.Estimate(0, 1000)
		}
		j.dst = unit.AppendFloat(j.dst, float64(cost)/(1000*float64(unit.USD)))
	}
}

// calculateSpend prices a request before it is made, by model and messages: its
// input, as LiteLLM does; or an answer by its usage.
func (j *job) calculateSpend() {
	answer := j.in(0, "completion_response")
	model := ""
	var cost unit.PicoUSD
	switch {
	case j.in(0, "model") != 0:
		if j.in(0, "messages") == 0 {
			j.bad("messages", "Bad Request - messages must be provided if 'model' is provided")
			return
		}
		var ask llm.Ask
		if fault := llm.ParseAsk([]byte(j.text), &ask); fault != nil {
			j.bad(fault.Param, fault.Message)
			return
		}
		model = ask.Model
		if p := j.price(model); p != nil {
			const bytesPerToken = 4
			cost = p.Estimate(unit.Tokens((ask.TextBytes+bytesPerToken-1)/bytesPerToken).Plus(ask.MediaTokens), 0)
		}
	case answer != 0:
		v := &j.tree[answer]
		model = j.strAt("completion_response.model", j.in(answer, "model"))
		var o llm.Observer
		o.Reset(llm.JSON, false)
		_, _ = o.Chunk([]byte(j.text[v.From:v.To]), true)
		usage, ok := o.Usage()
		if model == "" || !ok {
			j.bad("completion_response", "completion_response must have model and usage")
			return
		}
		if p := j.price(model); p != nil {
			cost = p.Cost(usage)
		}
	default:
		j.bad("", "Bad Request - Either 'model' or 'completion_response' must be provided")
		return
	}
	j.put(`{"cost":`)
	j.usd(cost)
	j.put("}")
}

// price gives the price of a model group, or of a model of the public price
// list; it refuses one that has none.
func (j *job) price(model string) *price.Price {
	if i := j.group(model); i >= 0 && j.Models[i].Priced {
		return &j.Models[i].Price
	}
	p, ok := price.Lookup(model)
	if !ok {
		j.bad("model", "This model isn't mapped yet. model="+clip(model))
		return nil
	}
	return &p
}
