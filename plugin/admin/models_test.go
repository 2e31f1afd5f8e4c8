package admin

import (
	"testing"

	"fairshare/plugin/period"
	"fairshare/plugin/price"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

func priced(t *testing.T, input, output float64) (p price.Price) {
	t.Helper()
	if !p.Set("input_cost_per_token", input) || !p.Set("output_cost_per_token", output) {
		t.Fatal("no price")
	}
	return p
}

func withModels(t *testing.T) *desk {
	d := newDesk(t)
	d.Models = []Model{
		{Name: "fast", ID: "1", Provider: "openai", ProviderModel: "openai/gpt-4o", TPM: quota.Cap{Limited: true, Max: 100}, Price: priced(t, 5e-7, 1.5e-6), Priced: true},
		{Name: "my \"model\"", Provider: "azure", ProviderModel: "azure/x", AccessGroups: []string{"beta-models", "b"}},
		{Name: "fast", ID: "2", Provider: "azure", ProviderModel: "azure/y", TPM: quota.Cap{Limited: true, Max: 50}, RPM: quota.Cap{Limited: true, Max: 5}, Price: priced(t, 7.5e-8, 3e-6), Priced: true},
		{Name: "fast", ID: "3", Provider: "openai", ProviderModel: "openai/gpt-4o"},
	}
	return d
}

func TestModelInfo(t *testing.T) {
	const (
		one   = `{"model_name":"fast","litellm_params":{"model":"openai/gpt-4o"},"model_info":{"id":"1","db_model":false,"access_groups":[],"litellm_provider":"openai","mode":"chat","tpm":100,"rpm":null,"input_cost_per_token":5e-07,"output_cost_per_token":1.5e-06}}`
		two   = `{"model_name":"my \"model\"","litellm_params":{"model":"azure/x"},"model_info":{"id":null,"db_model":false,"access_groups":["beta-models","b"],"litellm_provider":"azure","mode":"chat","tpm":null,"rpm":null,"input_cost_per_token":null,"output_cost_per_token":null}}`
		three = `{"model_name":"fast","litellm_params":{"model":"azure/y"},"model_info":{"id":"2","db_model":false,"access_groups":[],"litellm_provider":"azure","mode":"chat","tpm":50,"rpm":5,"input_cost_per_token":7.5e-08,"output_cost_per_token":3e-06}}`
		four  = `{"model_name":"fast","litellm_params":{"model":"openai/gpt-4o"},"model_info":{"id":"3","db_model":false,"access_groups":[],"litellm_provider":"openai","mode":"chat","tpm":null,"rpm":null,"input_cost_per_token":null,"output_cost_per_token":null}}`
		fast  = `{"model_group":"fast","providers":["openai","azure"],"mode":"chat","tpm":150,"rpm":5,"input_cost_per_token":7.5e-08,"output_cost_per_token":3e-06}`
		mine  = `{"model_group":"my \"model\"","providers":["azure"],"mode":"chat","tpm":null,"rpm":null,"input_cost_per_token":null,"output_cost_per_token":null}`
	)
	d := withModels(t)
	d.want("GET /model/info", "", `{"data":[`+one+`,`+two+`,`+three+`,`+four+`]}`)
	d.want("GET /v1/model/info?litellm_model_id=2", "", `{"data":[`+three+`]}`)
	d.refuses(no{"GET /model/info?litellm_model_id=9", "", "litellm_model_id", 400, invalid, "Model id = 9 not found on litellm proxy"})
	d.want("GET /model_group/info", "", `{"data":[`+fast+`,`+mine+`]}`)
	d.want("GET /model_group/info?model_group=fast", "", `{"data":[`+fast+`]}`)
	d.want("GET /model_group/info?model_group=x", "", `{"data":[]}`)
	newDesk(t).want("GET /model/info", "", `{"data":[]}`)
}

func TestCalculateSpend(t *testing.T) {
	const path = "POST /spend/calculate"
	d := withModels(t)
	// The message and its role are 25 bytes of text, 7 tokens.
	d.want(path, `{"model": "fast", "messages": [{"role": "user", "content": "Hey, how's it going?!"}],}`, `{"cost":3.5e-06}`)
	d.want(path, `{"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": "Hey, how's it going?!"}]}`, `{"cost":3.5e-06}`)
	const usage = `"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}}}`
	d.want(path, `{"completion_response": {"id": "x", "model": "gpt-3.5-turbo", `+usage, `{"cost":3.5e-05}`)
	d.want(path, `{"completion_response": {"model": "fast", `+usage, `{"cost":3.5e-05}`)
	d.refuses(
		no{path, `{}`, "", 400, invalid, "Bad Request - Either 'model' or 'completion_response' must be provided"},
		no{path, `{"model": "fast"}`, "messages", 400, invalid, "Bad Request - messages must be provided if 'model' is provided"},
		no{path, `{"model": "no-such-model", "messages": []}`, "model", 400, invalid, "This model isn't mapped yet. model=no-such-model"},
		no{path, `{"model": "my \"model\"", "messages": []}`, "model", 400, invalid, `This model isn't mapped yet. model=my "model"`},
		no{path, `{"completion_response": {"model": "no-such-model", ` + usage, "model", 400, invalid, "This model isn't mapped yet. model=no-such-model"},
		no{path, `{"completion_response": {"model": "fast"}}`, "completion_response", 400, invalid, "completion_response must have model and usage"},
		no{path, `{"completion_response": {` + usage, "completion_response", 400, invalid, "completion_response must have model and usage"},
		no{path, `{"completion_response": {"model": 1, ` + usage, "completion_response.model", 400, invalid, "completion_response.model must be a string"},
		no{path, `{"completion_response": [1]}`, "completion_response", 400, invalid, "completion_response must have model and usage"},
	)
	if _, refusal := d.ask(path, `{"model": 1, "messages": 2}`); refusal == nil || refusal.Status != 400 {
		t.Errorf("%+v", refusal)
	}
}

func TestSpend(t *testing.T) {
	d := newDesk(t)
	d.want("GET /global/spend", "", `{"spend":0.0,"max_budget":null,"budget_reset_at":null}`)
	d.Proxy = &tenant.Subject{Kind: tenant.Budget, ID: "proxy", Limits: tenant.Limits{Budget: quota.Cap{Limited: true, Max: 2e12}, Duration: period.Duration{N: 30, Unit: period.Day}}}
	d.books.set(d.Proxy, "", unit.USD/2)
	d.want("GET /global/spend", "", `{"spend":0.5,"max_budget":2.0,"budget_reset_at":"2024-02-01T00:00:00Z"}`)

	var tokens []string
	for i, spend := range []string{"0.25", "1", "0"} {
		id := string(rune('a' + i))
		d.get("POST /key/generate", `{"key": "sk-0123456789ab-`+id+`", "spend": `+spend+`}`)
		d.get("POST /user/new", `{"user_id": "`+id+`", "spend": `+spend+`, "auto_create_key": false}`)
		d.get("POST /team/new", `{"team_id": "`+id+`"}`)
		tokens = append(tokens, tokenOf("sk-0123456789ab-"+id))
	}
	d.books.set(&tenant.Subject{Kind: tenant.Team, ID: "c"}, "", unit.USD)
	order := func(what, name string) string {
		var all string
		rows := d.get(what, "")
		for i := 0; i < len(rows); i++ {
			for j, id := range append([]string{"a", "b", "c"}, tokens...) {
				if prefix := `"` + name + `":"` + id + `"`; len(rows)-i >= len(prefix) && rows[i:i+len(prefix)] == prefix {
					all += string(rune('a' + j%3))
				}
			}
		}
		return all
	}
	// Those that spent most come first.
	for what, want := range map[[2]string]string{
		{"GET /spend/keys", "token"}: "bac", {"GET /spend/users", "user_id"}: "bac", {"GET /spend/teams", "team_id"}: "cab",
		{"GET /spend/users?user_id=a", "user_id"}: "a", {"GET /spend/users?user_id=x", "user_id"}: "", {"GET /spend/teams?team_id=b", "team_id"}: "b",
		{"GET /spend/keys?api_key=sk-0123456789ab-c", "token"}: "c", {"GET /spend/keys?api_key=" + tokens[0], "token"}: "a", {"GET /spend/keys?page=2&page_size=2", "token"}: "c",
	} {
		if got := order(what[0], what[1]); got != want {
			t.Errorf("%s: %s, want %s", what[0], got, want)
		}
	}
	d.want("GET /spend/users?user_id=x", "", `[]`)
}
