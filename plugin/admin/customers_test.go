package admin

import (
	"strings"
	"testing"

	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

// plainCustomer is a customer's row if nothing was asked for.
func plainCustomer(id string) string {
	return `{"user_id":"` + id + `","alias":null,"blocked":false,"budget_id":null,"max_budget":null,"budget_duration":null,"max_parallel_requests":null,"tpm_limit":null,"rpm_limit":null,` +
		`"models":[],"metadata":{},` + made + `,"spend":0.0,"budget_reset_at":null,"allowed_model_region":null,"default_model":null,"litellm_budget_table":null}`
}

func TestCustomers(t *testing.T) {
	d := newDesk(t)
	d.get("POST /budget/new", `{"budget_id": "free", "max_budget": 1, "budget_duration": "30d"}`)
	const free = `{"budget_id":"free","max_budget":1.0,"soft_budget":null,"budget_duration":"30d","max_parallel_requests":null,"tpm_limit":null,"rpm_limit":null}`
	row := strings.NewReplacer(`"budget_id":null`, `"budget_id":"free"`, `"budget_reset_at":null`, `"budget_reset_at":"2024-02-01T00:00:00Z"`,
		`"litellm_budget_table":null`, `"litellm_budget_table":`+free, `"spend":0.0`, `"spend":0.5`).Replace(plainCustomer("c"))
	// What a customer spent before there was a record counts.
	d.books.set(&tenant.Subject{Kind: tenant.Customer, ID: "c"}, "", unit.USD/2)
	d.want("POST /customer/new", `{"user_id": "c", "budget_id": "free"}`, row)
	d.want("GET /customer/info?end_user_id=c", "", row)
	d.want("GET /end_user/info?end_user_id=c", "", row)
	d.want("POST /end_user/new", `{"user_id": "d", "alias": "D", "max_budget": 0.0001, "budget_duration": "1h", "rpm_limit": 3, "spend": 0.25, "models": ["m"], "metadata": {"a":1}}`,
		`{"user_id":"d","alias":"D","blocked":false,"budget_id":null,"max_budget":0.0001,"budget_duration":"1h","max_parallel_requests":null,"tpm_limit":null,"rpm_limit":3,`+
			`"models":["m"],"metadata":{"a":1},`+made+`,"spend":0.25,"budget_reset_at":"2024-01-31T13:00:00Z","allowed_model_region":null,"default_model":null,`+
			`"litellm_budget_table":{"max_budget":0.0001,"soft_budget":null,"budget_duration":"1h","max_parallel_requests":null,"tpm_limit":null,"rpm_limit":3}}`)
	d.want("POST /customer/update", `{"user_id": "d", "alias": null, "max_budget": null, "budget_duration": null, "rpm_limit": null, "models": null, "metadata": null, "spend": 0}`, plainCustomer("d"))
	d.want("GET /customer/list", "", `[`+row+`,`+plainCustomer("d")+`]`)
	blocked := func(row string) string { return strings.Replace(row, `"blocked":false`, `"blocked":true`, 1) }
	// Also those that there is no record of.
	d.want("POST /customer/block", `{"user_ids": ["c", "new"]}`, `{"blocked_users":[`+blocked(row)+`,`+blocked(plainCustomer("new"))+`]}`)
	d.want("POST /customer/unblock", `{"user_ids": ["new", "c"]}`, `{"blocked_users":[`+plainCustomer("new")+`,`+row+`]}`)
	d.refuses(
		no{"POST /customer/new", `{}`, "user_id", 400, invalid, "user_id is required"},
		no{"POST /customer/new", `{"user_id": "c"}`, "user_id", 400, "bad_request", "Customer already exists, passed user_id=c. Please pass a new user_id."},
		no{"POST /customer/new", `{"user_id": "e", "budget_id": "free", "max_budget": 1}`, "budget_id", 400, invalid, "budget_id: want either max_budget or budget_id, got both"},
		no{"POST /customer/new", `{"user_id": "e", "budget_id": "paid"}`, "budget_id", 400, invalid, "Budget not found, passed budget_id=paid"},
		no{"POST /customer/new", `{"user_id": "e", "allowed_model_region": "eu"}`, "allowed_model_region", 400, invalid, `allowed_model_region: want nothing, since Fairshare does not enforce it here, got "eu"`},
		no{"POST /customer/update", `{"user_id": "nope"}`, "user_id", 404, "not_found", "End User Id=nope does not exist in db"},
		no{"POST /customer/update", `{"user_id": "c", "budget_id": "paid"}`, "budget_id", 400, invalid, "Budget not found, passed budget_id=paid"},
		no{"GET /customer/info?end_user_id=nope", "", "end_user_id", 404, "not_found", "End User Id=nope does not exist in db"},
		no{"GET /customer/info", "", "end_user_id", 404, "not_found", "End User Id= does not exist in db"},
		no{"POST /customer/block", `{}`, "user_ids", 400, invalid, "user_ids is required"},
		no{"POST /customer/block", `{"user_ids": ["c", "a\u0000"]}`, "user_ids[1]", 400, invalid, "user_ids[1] must not have control characters"},
		no{"POST /customer/delete", `{"user_ids": ["c", "x", "y"]}`, "user_ids", 404, "not_found", "End User Id(s)=x, y do not exist in db"},
	)
	d.want("POST /customer/delete", `{"user_ids": ["c", "new"]}`, `{"deleted_customers":2,"message":"Successfully deleted customers with ids: ['c', 'new']"}`)
	d.want("GET /customer/list", "", `[`+plainCustomer("d")+`]`)
	if len(d.books.spend) != 0 {
		t.Errorf("books %v", d.books.spend)
	}
	d = newDesk(t, &tenant.Subject{Kind: tenant.Customer, ID: "c"})
	const declared = "the configuration declares it, and only the configuration can change it"
	d.refuses(
		no{"POST /customer/block", `{"user_ids": ["new", "c"]}`, "user_ids", 400, invalid, declared},
		no{"POST /customer/delete", `{"user_ids": ["c"]}`, "user_ids", 400, invalid, declared},
		no{"POST /customer/update", `{"user_id": "c"}`, "user_id", 400, invalid, declared},
		no{"POST /customer/new", `{"user_id": "c", "spend": 1}`, "user_id", 400, "bad_request", "Customer already exists, passed user_id=c. Please pass a new user_id."},
	)
}

func TestBudgets(t *testing.T) {
	d := newDesk(t)
	const (
		tail    = made + `,"budget_reset_at":"2024-02-05T00:00:00Z","created_by":"default_user_id","updated_by":"default_user_id"}`
		row     = `{"budget_id":"b","max_budget":1.0,"soft_budget":0.5,"budget_duration":"7d","max_parallel_requests":1,"tpm_limit":2,"rpm_limit":3,` + tail
		changed = `{"budget_id":"b","max_budget":2.0,"soft_budget":null,"budget_duration":"7d","max_parallel_requests":1,"tpm_limit":2,"rpm_limit":3,` + tail
		made2   = `{"budget_id":"00010203-0405-4607-8809-0a0b0c0d0eff","max_budget":null,"soft_budget":null,"budget_duration":null,"max_parallel_requests":null,"tpm_limit":null,"rpm_limit":null,` + made + `,"budget_reset_at":null,"created_by":"default_user_id","updated_by":"default_user_id"}`
	)
	d.want("POST /budget/new", `{"budget_id": "b", "max_budget": 1, "soft_budget": 0.5, "max_parallel_requests": 1, "tpm_limit": 2, "rpm_limit": 3, "budget_duration": "7d"}`, row)
	d.want("POST /budget/new", `{}`, made2)
	d.want("POST /budget/info", `{"budgets": ["x", "b"]}`, `[`+row+`]`)
	d.want("GET /budget/list", "", `[`+row+`,`+made2+`]`)
	d.want("POST /budget/update", `{"budget_id": "b", "max_budget": 2, "soft_budget": null, "spend": "not of a budget"}`, changed)
	d.get("POST /key/generate", `{"key": "sk-chosen-by-hand", "budget_id": "b"}`)
	d.refuses(
		no{"POST /budget/new", `{"budget_id": "b"}`, "budget_id", 400, invalid, "Budget with id 'b' already exists."},
		no{"POST /budget/new", `{"max_budget": -1}`, "max_budget", 400, invalid, "max_budget: want a number from 0 to 9000000, got -1"},
		no{"POST /budget/info", `{}`, "budgets", 400, invalid, "budgets is required"},
		no{"POST /budget/update", `{"max_budget": 1}`, "budget_id", 400, invalid, "budget_id is required"},
		no{"POST /budget/update", `{"budget_id": "x"}`, "budget_id", 404, notFound, "Budget not found, passed budget_id=x"},
		no{"POST /budget/delete", `{}`, "id", 400, invalid, "id is required"},
		no{"POST /budget/delete", `{"id": "x"}`, "id", 404, notFound, "Budget not found, passed budget_id=x"},
		no{"POST /budget/delete", `{"id": "b"}`, "id", 400, invalid, "Budget with id 'b' is in use, by " + tokenOf(chosen) + " among others"},
	)
	d.get("POST /customer/new", `{"user_id": "c", "budget_id": "b"}`)
	d.get("POST /key/delete", `{"keys": ["sk-chosen-by-hand"]}`)
	d.refuses(no{"POST /budget/delete", `{"id": "b"}`, "id", 400, invalid, "Budget with id 'b' is in use, by c among others"})
	d.get("POST /customer/update", `{"user_id": "c", "budget_id": null}`)
	d.EndUserBudget = "b"
	d.refuses(no{"POST /budget/delete", `{"id": "b"}`, "id", 400, invalid, "Budget with id 'b' is in use, by every end user without another"})
	d.EndUserBudget = ""
	d.want("POST /budget/delete", `{"id": "b"}`, changed)
	d.want("GET /budget/list", "", `[`+made2+`]`)
}
