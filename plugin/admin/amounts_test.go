package admin

import (
	"strings"
	"testing"
)

// What is no amount of money, or too small or too large to be counted, makes no budget:
// neither one of 0 nor none.
func TestAmountsThatAreNone(t *testing.T) {
	d := newDesk(t)
	d.get("POST /team/new", `{"team_id": "t"}`)
	d.get("POST /user/new", `{"user_id": "u", "auto_create_key": false}`)
	d.get("POST /customer/new", `{"user_id": "c"}`)
	d.get("POST /key/generate", `{"key": "sk-chosen-by-hand"}`)
	d.get("POST /team/member_add", `{"team_id": "t", "member": {"user_id": "u"}}`)
	for _, amount := range []string{
		"1e-30", "1e-13", "-1", "-1e-30", "1e999", "-1e999", "9000001", "NaN", "Infinity", "true", "[]", "{}",
		`"NaN"`, `"nan"`, `"Infinity"`, `"inf"`, `"-inf"`, `"1e-30"`, `"-1"`, `"1e999"`, `"0x1p3"`, `"1_000"`, `"ten"`, `""`, `" 1"`, `"1,5"`, `"$5"`,
	} {
		for _, c := range [][2]string{
			{"POST /key/generate", `{"max_budget": AMOUNT}`},
			{"POST /key/generate", `{"soft_budget": AMOUNT}`},
			{"POST /key/generate", `{"model_max_budget": {"m": AMOUNT}}`},
			{"POST /key/generate", `{"model_max_budget": {"m": {"budget_limit": AMOUNT, "time_period": "1d"}}}`},
			{"POST /key/generate", `{"temp_budget_increase": AMOUNT, "temp_budget_expiry": "1d"}`},
			{"POST /key/update", `{"key": "sk-chosen-by-hand", "max_budget": AMOUNT}`},
			{"POST /key/sk-chosen-by-hand/regenerate", `{"max_budget": AMOUNT}`},
			{"POST /user/new", `{"max_budget": AMOUNT}`},
			{"POST /user/update", `{"user_id": "u", "max_budget": AMOUNT}`},
			{"POST /team/new", `{"max_budget": AMOUNT}`},
			{"POST /team/new", `{"team_member_budget": AMOUNT}`},
			{"POST /team/update", `{"team_id": "t", "max_budget": AMOUNT}`},
			{"POST /team/member_add", `{"team_id": "t", "member": {"user_id": "v"}, "max_budget_in_team": AMOUNT}`},
			{"POST /team/member_update", `{"team_id": "t", "user_id": "u", "max_budget_in_team": AMOUNT}`},
			{"POST /customer/new", `{"user_id": "e", "max_budget": AMOUNT}`},
			{"POST /customer/update", `{"user_id": "c", "max_budget": AMOUNT}`},
			{"POST /budget/new", `{"max_budget": AMOUNT}`},
			{"POST /key/update", `{"key": "sk-chosen-by-hand", "rpm_limit": AMOUNT}`},
			{"POST /key/update", `{"key": "sk-chosen-by-hand", "spend": AMOUNT}`},
		} {
			switch {
			case amount == "9000001" && strings.Contains(c[1], "rpm_limit"): // so many requests are possible
				continue
			case strings.HasPrefix(amount, "1e-") && strings.Contains(c[1], "spend"): // nothing was spent
				continue
			case amount == "{}" && strings.Contains(c[1], `{"m": AMOUNT}`): // an object that names no budget
				continue
			}
			body := strings.Replace(c[1], "AMOUNT", amount, 1)
			if _, refusal := d.ask(c[0], body); refusal == nil || refusal.Status != 400 {
				t.Errorf("%s %s: %+v, want 400", c[0], body, refusal)
			}
		}
	}
}
