//go:build !tinygo

package flow

import (
	"fmt"
	"strings"
	"testing"

	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

// A model that costs nothing is served on every subject's budget of 0, one that costs
// something on none.
func TestCostlessModelsPassEveryBudget(t *testing.T) {
	t.Parallel()
	const now, secret = int64(1_800_000_000_000), "sk-alpha-0123456789"
	const models = `{"model_list": [
		{"model_name": "free", "litellm_params": {"model": "hosted_vllm/llama", "mock_response": "hi"}},
		{"model_name": "zero", "litellm_params": {"model": "openai/f", "mock_response": "hi", "input_cost_per_token": 0, "output_cost_per_token": 0}},
		{"model_name": "paid", "litellm_params": {"model": "openai/p", "mock_response": "hi", "input_cost_per_token": 0, "output_cost_per_token": 1e-9}}],
	 "general_settings": {"master_key": "sk-1234"%s}, "litellm_settings": {"drop_params": true%s}}`
	zero := tenant.Limits{Budget: budgetOf(0)}
	perModel := []tenant.ModelLimits{{Model: "free", Limits: zero}, {Model: "zero", Limits: zero}, {Model: "paid", Limits: zero}}
	user, team := tenant.Subject{Kind: tenant.User, ID: "u"}, tenant.Subject{Kind: tenant.Team, ID: "t"}
	for name, c := range map[string]struct {
		general, settings string
		key               tenant.Subject
		others            []tenant.Subject
	}{
		"key":                {key: tenant.Subject{Limits: zero}},
		"user":               {key: tenant.Subject{UserID: "u"}, others: []tenant.Subject{{Kind: tenant.User, ID: "u", Limits: zero}}},
		"user of a team key": {`, "apply_user_budget_to_team_keys": true`, "", tenant.Subject{UserID: "u", TeamID: "t"}, []tenant.Subject{{Kind: tenant.User, ID: "u", Limits: zero}, team}},
		"team":               {key: tenant.Subject{TeamID: "t"}, others: []tenant.Subject{{Kind: tenant.Team, ID: "t", Limits: zero}}},
		"member": {key: tenant.Subject{UserID: "u", TeamID: "t"}, others: []tenant.Subject{
			user, team, {Kind: tenant.Member, ID: tenant.MemberID("t", "u"), TeamID: "t", UserID: "u", Limits: zero},
		}},
		"budget":          {key: tenant.Subject{BudgetID: "b"}, others: []tenant.Subject{{Kind: tenant.Budget, ID: "b", Limits: zero}}},
		"end user":        {others: []tenant.Subject{{Kind: tenant.Customer, ID: "c", Limits: zero}}},
		"every end user":  {settings: `, "max_end_user_budget": 0`},
		"the proxy":       {settings: `, "max_budget": 0`},
		"key's model":     {key: tenant.Subject{PerModel: perModel}},
		"user's model":    {key: tenant.Subject{UserID: "u"}, others: []tenant.Subject{{Kind: tenant.User, ID: "u", PerModel: perModel}}},
		"team's model":    {key: tenant.Subject{TeamID: "t"}, others: []tenant.Subject{{Kind: tenant.Team, ID: "t", PerModel: perModel}}},
		"key of an alias": {key: tenant.Subject{Limits: zero, Aliases: [][2]string{{"best", "free"}}}},
	} {
		g := newGateway(t, newProcess(1), 1<<40, fmt.Sprintf(models, c.general, c.settings))
		subjects := []*tenant.Subject{makeKey(secret, c.key)}
		for i := range c.others {
			subjects = append(subjects, &c.others[i])
		}
		addSubjects(t, g, subjects...)
		for model, want := range map[string]int{"free": 200, "zero": 200, "paid": 400, "best": 200} {
			if model == "best" && !strings.Contains(name, "alias") {
				continue
			}
			body := `{"model":"` + model + `","user":"c","messages":[{"role":"user","content":"hi"}]}`
			if status, _, text := chat(g, now, secret, body); status != want || want == 400 && !strings.Contains(text, "Budget has been exceeded") {
				t.Errorf("%s, %s: %d %s", name, model, status, text)
			}
		}
		if b, _ := (books{g}).Book(now, subjects[0], ""); b.Spend != unit.PicoUSD(0) {
			t.Errorf("%s spent %s", name, b.Spend.String())
		}
	}
}
