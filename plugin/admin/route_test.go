package admin

import "testing"

func TestFind(t *testing.T) {
	for path, want := range map[string]Route{
		"/key/generate":        {Path: "/key/generate", Method: "POST", op: keyGenerate},
		"/key/info":            {Path: "/key/info", Method: "GET", Own: true, op: keyInfo},
		"/key/regenerate":      {Path: "/key/regenerate", Method: "POST", op: keyRegenerate},
		"/key/sk-1/regenerate": {Path: "/key/{key}/regenerate", Method: "POST", op: keyRegenerate, key: "sk-1"},
		"/key/a/b/regenerate":  {Path: "/key/{key}/regenerate", Method: "POST", op: keyRegenerate, key: "a/b"},
		"/team/member_delete":  {Path: "/team/member_delete", Method: "POST", op: memberDelete},
		"/customer/list":       {Path: "/customer/list", Method: "GET", op: customerList},
		"/end_user/list":       {Path: "/end_user/list", Method: "GET", op: customerList},
		"/budget/info":         {Path: "/budget/info", Method: "POST", op: budgetInfo},
		"/v1/model/info":       {Path: "/v1/model/info", Method: "GET", op: modelInfo},
		"/model_group/info":    {Path: "/model_group/info", Method: "GET", op: modelGroupInfo},
		"/spend/calculate":     {Path: "/spend/calculate", Method: "POST", op: spendCalculate},
	} {
		if got, ok := Find(path); !ok || got != want {
			t.Errorf("%s: %+v, %v", path, got, ok)
		}
	}
	for _, path := range []string{
		"", "/", "/key", "/key/", "/key/generate/", "/key/generated", "key/generate", "/KEY/generate", "POST /key/generate", "/key//regenerate", "/user/x/regenerate",
		"/end_user/", "/end_user", "/v1/key/info", "/v1/model_group/info", "/customer/generate", "/key/generate\nPOST /key/update", "/regenerate",
	} {
		if got, ok := Find(path); ok {
			t.Errorf("%s: %+v", path, got)
		}
	}
}
