//go:build !tinygo

package flow

import (
	"fmt"
	"strings"
	"testing"

	"fairshare/plugin/config"
	"fairshare/plugin/period"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

// What a user's own keys and those of a team spend in one second, neither with limits, is
// told apart though both count on the user's one book.
func TestMoneyOfAUserWithKeysOfTwoKinds(t *testing.T) {
	t.Parallel()
	const now, own, works = int64(1_800_000_000_000), "sk-own-0123456789", "sk-works-0123456789"
	for _, order := range [][]string{{own, works}, {works, own}, {works, own, works}, {own, works, works, own}} {
		g := pricedGateway(t, newProcess(1), 1<<40, callerConfig)
		u := &tenant.Subject{Kind: tenant.User, ID: "ann"}
		addSubjects(t, g, makeKey(own, tenant.Subject{UserID: "ann"}), makeKey(works, tenant.Subject{UserID: "ann", TeamID: "t"}), u)
		want := unit.PicoUSD(0)
		for _, secret := range order {
			if secret == own {
				want += 50e6
			}
			if status, _, body := chat(g, now, secret, mockBody); status != 200 {
				t.Fatal(status, body)
			}
		}
		if b, _ := (books{g}).Book(now, u, ""); b.Own != want {
			t.Errorf("%v: spent %s, want %s", order, b.Own.String(), want.String())
		}
	}
}

// A limit that a reload puts on counts what was spent before it, whether a tick came
// between or not, on whomever it is.
func TestReloadedLimitsCountWithoutATick(t *testing.T) {
	t.Parallel()
	const now, secret = int64(1_800_000_000_000), "sk-alpha-0123456789"
	declared := func(key, user, team, customer, proxy string) string {
		priced := strings.Replace(callerConfig, `"mock_response": "hi"`, `"mock_response": "hi", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6`, 1)
		return strings.TrimSuffix(priced, "}") + fmt.Sprintf(`, "virtual_keys": [{"key_sha256": %q, "user_id": "ann", "team_id": "t"%s}],
			"users": [{"user_id": "ann"%s}], "teams": [{"team_id": "t"%s}], "customers": [{"user_id": "c", "rpm_limit": 1000%s}],
			"litellm_settings": {"drop_params": true%s}}`, fmt.Sprintf("%x", tenant.Hash(secret)), key, user, team, customer, proxy)
	}
	const budget = `, "max_budget": 1e-05`
	body := strings.Replace(mockBody, "{", `{"user": "c", `, 1)
	for name, text := range map[string]string{
		"key": declared(budget, "", "", "", ""), "team": declared("", "", budget, "", ""), "customer": declared("", "", "", budget, ""),
		"proxy": declared("", "", "", "", budget),
	} {
		for _, ticks := range [][2]bool{{}, {true, false}, {false, true}} {
			g := pricedGateway(t, newProcess(1), 1<<40, declared("", "", "", "", ""))
			if status, _, text := chat(g, now, secret, body); status != 200 {
				t.Fatal(name, status, text)
			}
			if ticks[0] {
				g.Tick(now)
			}
			p, err := config.Parse([]byte(text), nil)
			if err != nil {
				t.Fatal(err)
			}
			g = NewGateway(g.worker, p)
			if ticks[1] {
				g.Tick(now)
			}
			if status, _, text := chat(g, now, secret, body); status != 400 || !strings.Contains(text, "Current cost: 5e-05") {
				t.Errorf("%s, ticks %v: %d %s", name, ticks, status, text)
			}
		}
	}
}

// What is only counted belongs to the period in which its request was admitted, as what is limited does.
func TestTalliesOfTheRequestsPeriod(t *testing.T) {
	t.Parallel()
	const midnight, secret = int64(1_800_057_600_000), "sk-alpha-0123456789"
	g := pricedGateway(t, newProcess(1), 1<<40, callerConfig)
	k := makeKey(secret, tenant.Subject{Limits: tenant.Limits{Duration: period.Duration{N: 1, Unit: period.Day}}})
	addSubjects(t, g, k)
	x := g.Open()
	if d := post(x, midnight-1000, "/v1/chat/completions", secret, `{"model":"gpt","messages":[]}`); d.Reply != nil {
		t.Fatal(string(d.Reply.Body))
	}
	x.ResponseHeaders(midnight+1000, [][2]string{{":status", "200"}, {"content-type", "application/json"}}, false)
	x.ResponseBody(midnight+1000, []byte(usageBody), true)
	x.Done(midnight + 1000)
	for at, want := range map[int64]unit.PicoUSD{midnight - 1: 50e6, midnight + 1000: 0} {
		if b, _ := (books{g}).Book(at, k, ""); b.Spend != want || b.TotalSpend != 50e6 {
			t.Errorf("%d ms: spent %s, in all %s", at-midnight, b.Spend.String(), b.TotalSpend.String())
		}
	}
}

// A key that goes to another team and user, or gets and loses limits, while an answer is
// awaited: who owned it when the request was admitted pays.
func TestAnswersArePaidByWhoAsked(t *testing.T) {
	t.Parallel()
	const now, secret = int64(1_800_000_000_000), "sk-alpha-0123456789"
	for _, limit := range []string{"", `, "max_budget": 5`} {
		for _, ticks := range []bool{false, true} {
			g := pricedGateway(t, newProcess(1), 1<<40, callerConfig)
			manage := func(path, body string) {
				t.Helper()
				x := g.Open()
				defer x.Done(now)
				if d := post(x, now, path, "sk-1234", body); d.Reply == nil || d.Reply.Status != 200 {
					t.Fatalf("%s: %s", path, d.Reply.Body)
				}
				if ticks {
					g.Tick(now)
				}
			}
			for _, id := range []string{"old", "new"} {
				manage("/team/new", `{"team_id": "`+id+`"`+limit+`}`)
				manage("/user/new", `{"user_id": "`+id+`-user", "auto_create_key": false`+limit+`}`)
			}
			manage("/key/generate", `{"key": "`+secret+`", "team_id": "old"`+limit+`}`)
			ask := func() *Exchange {
				x := g.Open()
				if d := post(x, now, "/v1/chat/completions", secret, `{"model":"gpt","messages":[]}`); d.Reply != nil {
					t.Fatal(string(d.Reply.Body))
				}
				return x
			}
			answer := func(x *Exchange) {
				x.ResponseHeaders(now, [][2]string{{":status", "200"}, {"content-type", "application/json"}}, false)
				x.ResponseBody(now, []byte(usageBody), true)
				x.Done(now)
			}
			first := ask()
			manage("/key/update", `{"key": "`+secret+`", "team_id": "new", "max_budget": 7}`)
			second := ask()
			manage("/key/update", `{"key": "`+secret+`", "team_id": null, "user_id": "new-user", "max_budget": null}`)
			third := ask()
			answer(third)
			answer(first)
			answer(second)
			for id, want := range map[string]unit.PicoUSD{"old": 50e6, "new": 50e6, "old-user": 0, "new-user": 50e6} {
				kind := tenant.Team
				if strings.HasSuffix(id, "-user") {
					kind = tenant.User
				}
				s, _ := g.tenants.Find(kind, id)
				if b, _ := (books{g}).Book(now, s, ""); b.Spend != want || b.Held != 0 || b.Slots != 0 {
					t.Errorf("limit %q, ticks %v: %s spent %s, want %s: %+v", limit, ticks, id, b.Spend.String(), want.String(), b)
				}
			}
			k, _ := g.tenants.Find(tenant.Key, tokenOf(secret))
			if b, _ := (books{g}).Book(now, k, ""); b.Spend != 150e6 || b.Held != 0 {
				t.Errorf("limit %q, ticks %v: the key spent %s", limit, ticks, b.Spend.String())
			}
		}
	}
}
