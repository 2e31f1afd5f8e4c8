package config

import (
	"reflect"
	"strings"
	"testing"

	"fairshare/plugin/price"
)

// priced is a table's price, none for "", with these fields set.
func priced(t *testing.T, name string, fields map[string]float64) price.Price {
	t.Helper()
	var p price.Price
	if name != "" {
		var ok bool
		if p, ok = price.Lookup(name); !ok {
			t.Fatalf("no price of %s", name)
		}
	}
	for field, usd := range fields {
		if !p.Set(field, usd) {
			t.Fatalf("price has no %s", field)
		}
	}
	return p
}

func TestPrices(t *testing.T) {
	const in, out, read, above = "input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost", "input_cost_per_token_above_128k_tokens"
	type fields = map[string]float64
	for _, c := range []struct {
		params, info string
		want         price.Price
		none         bool
		warnings     []string // below model_list[0]
	}{
		{params: `"model": "gpt-4o"`, want: priced(t, "gpt-4o", nil)},
		{params: `"model": "openai/gpt-4o"`, want: priced(t, "gpt-4o", nil)},
		{params: `"model": "gpt-4o", "custom_llm_provider": "openai"`, want: priced(t, "gpt-4o", nil)},
		{params: `"model": "mine"`, none: true, warnings: []string{`litellm_params.model: has no price: requests that a budget would have to pay for are refused`}},
		{params: `"model": "mine"`, info: `"base_model": "gpt-4o"`, want: priced(t, "gpt-4o", nil)},
		{params: `"model": "mine", "base_model": "gpt-4o"`, info: `"base_model": "gpt-3.5-turbo"`, want: priced(t, "gpt-4o", nil)},
		{params: `"model": "gpt-4o"`, info: `"base_model": "gpt-3.5-turbo"`, want: priced(t, "gpt-3.5-turbo", nil)},
		{
			params: `"model": "gpt-4o"`, info: `"base_model": "gpt-nine"`, want: priced(t, "gpt-4o", nil),
			warnings: []string{`model_info.base_model: is not in the table of prices: the model's own name is looked up`},
		},
		// One's own prices, of which litellm_params' come first.
		{params: `"model": "mine", "` + in + `": 1e-6, "` + out + `": "2e-6"`, want: priced(t, "", fields{in: 1e-6, out: 2e-6})},
		{params: `"model": "mine"`, info: `"` + in + `": 1e-6, "` + out + `": 2e-6, "` + read + `": 1e-7`, want: priced(t, "", fields{in: 1e-6, out: 2e-6, read: 1e-7})},
		{params: `"model": "mine", "` + in + `": 1e-6`, info: `"` + in + `": 3e-6, "` + out + `": 2e-6`, want: priced(t, "", fields{in: 1e-6, out: 2e-6})},
		{params: `"model": "mine", "` + in + `": null`, info: `"` + in + `": 3e-6, "` + out + `": 2e-6`, want: priced(t, "", fields{in: 3e-6, out: 2e-6})},
		{params: `"model": "mine", "` + in + `": 0, "` + out + `": 0`, want: priced(t, "", fields{in: 0, out: 0})},
		{params: `"model": "mine", "` + in + `": "os.environ/BUDGET", "` + out + `": 0`, want: priced(t, "", fields{in: 1e-9, out: 0})},
		// Over the table's, but both of them leave nothing of it.
		{params: `"model": "gpt-4o", "` + in + `": 1e-6`, want: priced(t, "gpt-4o", fields{in: 1e-6})},
		{params: `"model": "gpt-4o", "` + read + `": 1e-6, "` + above + `": 3e-6`, want: priced(t, "gpt-4o", fields{read: 1e-6, above: 3e-6})},
		{params: `"model": "gpt-4o", "` + in + `": 1e-6, "` + out + `": 0`, want: priced(t, "", fields{in: 1e-6, out: 0})},
		{params: `"model": "gpt-4o", "` + in + `": 1e-6`, info: `"` + out + `": 0`, want: priced(t, "", fields{in: 1e-6, out: 0})},
		// Half a price, and what is none.
		{
			params: `"model": "mine", "` + in + `": 1e-6`, want: priced(t, "", fields{in: 1e-6}),
			warnings: []string{`litellm_params: has no output_cost_per_token: what the model writes is free`},
		},
		{
			params: `"model": "mine"`, info: `"` + out + `": 1e-6`, want: priced(t, "", fields{out: 1e-6}),
			warnings: []string{`litellm_params: has no input_cost_per_token: what the model reads is free`},
		},
		{
			params: `"model": "mine", "` + read + `": 1e-6`, want: priced(t, "", fields{read: 1e-6}), none: true,
			warnings: []string{`litellm_params.model: has no price: requests that a budget would have to pay for are refused`},
		},
		{
			params: `"model": "gpt-4o", "input_cost_per_second": 1, "max_budget": 5, "budget_duration": "1d"`, info: `"tiered_pricing": [], "search_context_cost_per_query": {}, "team_id": "t", "mode": "chat"`,
			want: priced(t, "gpt-4o", nil),
			warnings: []string{
				`model_info.search_context_cost_per_query: is not charged: Fairshare charges by the token`,
				`model_info.tiered_pricing: is not charged: Fairshare charges by the token`,
				`litellm_params.input_cost_per_second: is not charged: Fairshare charges by the token`,
				`litellm_params.max_budget: is not enforced yet`, `litellm_params.budget_duration: is not enforced yet`, `model_info.team_id: is not enforced yet`,
			},
		},
	} {
		p := mustParse(t, `{"model_list": [{"model_name": "m", "litellm_params": {"mock_response": "", `+c.params+`}, "model_info": {`+c.info+`}}]}`)
		d := p.Models[0].Deployments[0]
		if d.Price != c.want || d.Priced == c.none {
			t.Errorf("%s; %s:\n got %+v, %v\nwant %+v, %v", c.params, c.info, d.Price, d.Priced, c.want, !c.none)
		}
		var warnings []string
		for _, w := range p.Warnings {
			if w, ok := strings.CutPrefix(w, "model_list[0]."); ok {
				warnings = append(warnings, w)
			}
		}
		if !reflect.DeepEqual(warnings, c.warnings) {
			t.Errorf("%s; %s:\n got %q\nwant %q", c.params, c.info, warnings, c.warnings)
		}
	}
}

// Deployments of one group may have each its own price.
func TestPricesOfAGroup(t *testing.T) {
	p := mustParse(t, `{"model_list": [
		{"model_name": "m", "litellm_params": {"model": "gpt-4o", "mock_response": ""}},
		{"model_name": "m", "litellm_params": {"model": "mine", "mock_response": ""}},
		{"model_name": "n", "litellm_params": {"model": "mine", "mock_response": ""}},
		{"model_name": "m", "litellm_params": {"model": "gpt-4o", "mock_response": "", "input_cost_per_token": 1}},
		{"model_name": "m", "litellm_params": {"model": "mine", "mock_response": ""}}]}`)
	d := p.Models[0].Deployments
	if d[0].Price != priced(t, "gpt-4o", nil) || d[1].Priced || d[3].Priced || d[2].Price != priced(t, "gpt-4o", map[string]float64{"input_cost_per_token": 1}) {
		t.Errorf("Deployments = %+v", d)
	}
	// A group's first one without a price is enough to say.
	const remark = ".litellm_params.model: has no price: requests that a budget would have to pay for are refused"
	if want := []string{"model_list[1]" + remark, "model_list[2]" + remark}; !reflect.DeepEqual(p.Warnings[1:], want) {
		t.Errorf("Warnings = %q, want %q", p.Warnings[1:], want)
	}
}

func TestUnpricedModels(t *testing.T) {
	const (
		refused = "has no price: requests that a budget would have to pay for are refused"
		free    = "HAS NO PRICE AND IS SERVED FREE, whatever the budgets are: fairshare_settings.unpriced_models is zero"
		charged = "has no price: it costs what fairshare_settings.unpriced_models says"
	)
	for _, c := range []struct {
		setting string
		want    Unpriced
		price   map[string]float64
		remark  string
	}{
		{`null`, UnpricedRefuse, nil, refused},
		{`"refuse"`, UnpricedRefuse, nil, refused},
		{`"zero"`, UnpricedZero, nil, free},
		{`{"input": "1e-6", "output": 2e-6}`, UnpricedDefault, map[string]float64{"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}, charged},
		{`{"input": 0, "output": 0}`, UnpricedDefault, map[string]float64{"input_cost_per_token": 0, "output_cost_per_token": 0}, charged},
	} {
		p := mustParse(t, `{"model_list": [{"model_name": "m", "litellm_params": {"model": "mine", "mock_response": ""}}], "fairshare_settings": {"unpriced_models": `+c.setting+`}}`)
		if p.Unpriced != c.want || p.UnpricedPrice != priced(t, "", c.price) {
			t.Errorf("%s: %v, %+v", c.setting, p.Unpriced, p.UnpricedPrice)
		}
		if want := []string{"model_list[0].litellm_params.model: " + c.remark}; !reflect.DeepEqual(p.Warnings[1:], want) {
			t.Errorf("%s: Warnings = %q, want %q", c.setting, p.Warnings[1:], want)
		}
	}
}
