//go:build !tinygo

package flow

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"fairshare/plugin/config"
	"fairshare/plugin/period"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

const periodsConfig = `{"model_list": [
	{"model_name": "gpt", "litellm_params": {"model": "openai/llama-3", "api_base": "https://llm.example/v1", "api_key": "none", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}},
	{"model_name": "mock", "litellm_params": {"model": "openai/fake", "mock_response": "hi", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}}],
 "general_settings": {"master_key": "sk-1234"}, "litellm_settings": {"timezone": "Asia/Kolkata", "max_budget": 1000, "budget_duration": "PROXY"},
 "teams": [{"team_id": "declared", "max_budget": 1000, "budget_duration": "TEAM"}]}`

// periodsBodies make each subject anew with another period, D, or with none.
var periodsBodies = map[string]struct {
	path, body string
	kind       tenant.Kind
	id, model  string
}{
	"a key":                   {"/key/update", `{"key": "sk-alpha-0123456789", D}`, tenant.Key, tokenOf("sk-alpha-0123456789"), ""},
	"a key's model":           {"/key/update", `{"key": "sk-alpha-0123456789", "model_max_budget": {"mock": {"budget_limit": 1000, M}}}`, tenant.Key, tokenOf("sk-alpha-0123456789"), "mock"},
	"a user":                  {"/user/update", `{"user_id": "ann", D}`, tenant.User, "ann", ""},
	"a team":                  {"/team/update", `{"team_id": "t", D}`, tenant.Team, "t", ""},
	"a member":                {"/team/member_update", `{"team_id": "t", "user_id": "bob", "max_budget_in_team": 1000, D}`, tenant.Member, tenant.MemberID("t", "bob"), ""},
	"an end user":             {"/customer/update", `{"user_id": "c", D}`, tenant.Customer, "c", ""},
	"a key's budget":          {"/budget/update", `{"budget_id": "b", "max_budget": 1000, D}`, tenant.Key, tokenOf("sk-bravo-0123456789"), ""},
	"the configuration's":     {"", "TEAM", tenant.Team, "declared", ""},
	"all of the proxy's keys": {"", "PROXY", tenant.NumKinds, "", ""},
}

// Whatever period a subject is given and however often, directly, by a budget or by a
// reload: its spend is that of the requests admitted in the present one. An independent
// account keeps every request with its instant.
func TestChangedPeriodsOfAllSubjects(t *testing.T) {
	t.Parallel()
	zone, _ := period.Zone("Asia/Kolkata")
	calendar := &period.Calendar{Zone: zone}
	durations := strings.Fields("none 10s 30s 1m 15m 1h 5h 24h 1d 3d 7d 30d 1mo 2mo 90d 2w 45s 20m")
	for name, c := range periodsBodies {
		for seed := range uint64(12) {
			rng := rand.New(rand.NewPCG(seed, 16))
			p, now := newProcess(1), int64(1_800_000_000_000)+rng.Int64N(1e11)
			first := strings.NewReplacer("PROXY", "1d", "TEAM", "1d").Replace(periodsConfig)
			g := pricedGateway(t, p, 1<<40, first)
			workers := []*Gateway{g, pricedGateway(t, p, 2<<40, first)}
			manage := func(path, body string) {
				t.Helper()
				x := workers[rng.IntN(2)].Open()
				d := post(x, now, path, "sk-1234", body)
				if d.Reply == nil || d.Reply.Status != 200 {
					t.Fatalf("%s %s: %+v %s", path, body, d.Reply, d.Reply.Body)
				}
				x.Done(now)
			}
			manage("/budget/new", `{"budget_id": "b", "max_budget": 1000}`)
			manage("/user/new", `{"user_id": "ann", "max_budget": 1000, "auto_create_key": false}`)
			manage("/user/new", `{"user_id": "bob", "auto_create_key": false}`)
			manage("/team/new", `{"team_id": "t", "max_budget": 1000, "members_with_roles": [{"role": "user", "user_id": "bob"}]}`)
			manage("/customer/new", `{"user_id": "c", "max_budget": 1000}`)
			manage("/key/generate", `{"key": "sk-alpha-0123456789", "max_budget": 1000, "user_id": "ann"}`)
			manage("/key/generate", `{"key": "sk-bravo-0123456789", "budget_id": "b", "user_id": "bob", "team_id": "t"}`)
			manage("/key/generate", `{"key": "sk-charlie-0123456789", "team_id": "declared"}`)
			secrets := []string{"sk-alpha-0123456789", "sk-bravo-0123456789", "sk-charlie-0123456789"}
			made := now
			duration := func(d string) {
				switch {
				case c.path != "" && d == "none":
					manage(c.path, strings.NewReplacer("D}", `"budget_duration": null}`, ", M", "").Replace(c.body))
				case c.path != "":
					manage(c.path, strings.NewReplacer("D}", `"budget_duration": "`+d+`"}`, "M}", `"time_period": "`+d+`"}`).Replace(c.body))
				default:
					if d == "none" {
						d = "1000000mo"
					}
					text := strings.NewReplacer(c.body, d).Replace(periodsConfig)
					text = strings.NewReplacer("PROXY", "1d", "TEAM", "1d").Replace(text)
					policy, err := config.Parse([]byte(text), nil)
					if err != nil {
						t.Fatal(err)
					}
					for i, w := range workers {
						workers[i] = NewGateway(w.worker, policy)
					}
				}
			}
			d := "1d"
			duration(d)
			type request struct {
				at int64
				x  *Exchange
			}
			var spent []int64 // when
			var open []request
			for step := range 60 {
				now += []int64{rng.Int64N(5000), rng.Int64N(60_000), rng.Int64N(3_600_000), rng.Int64N(86_400_000), rng.Int64N(30 * 86_400_000)}[min(rng.IntN(5), rng.IntN(5))]
				w := workers[rng.IntN(2)]
				if rng.IntN(3) == 0 {
					w.Tick(now)
				}
				for _, secret := range secrets {
					if rng.IntN(3) == 0 {
						continue
					}
					if secret == "sk-charlie-0123456789" != (c.path == "") {
						continue
					}
					if c.kind == tenant.Key && tokenOf(secret) != c.id || c.kind == tenant.User && secret[3] == 'b' ||
						(c.kind == tenant.Team || c.kind == tenant.Member) && c.path != "" && secret[3] == 'a' {
						continue
					}
					model := "mock"
					if c.model == "" && rng.IntN(2) == 0 {
						model = "gpt"
					}
					x := w.Open()
					if r := post(x, now, "/v1/chat/completions", secret, fmt.Sprintf(`{"model":%q,"user":"c","messages":[{"role":"user","content":"hi"}]}`, model)); r.Reply != nil {
						if model == "gpt" || r.Reply.Status != 200 {
							t.Fatalf("%s: %s", name, r.Reply.Body)
						}
						x.Done(now)
						spent = append(spent, now)
					} else {
						open = append(open, request{now, x})
					}
				}
				for len(open) > 0 && rng.IntN(2) == 0 {
					x := open[0].x
					x.ResponseHeaders(now, [][2]string{{":status", "200"}, {"content-type", "application/json"}}, false)
					x.ResponseBody(now, []byte(usageBody), true)
					x.Done(now)
					spent, open = append(spent, open[0].at), open[1:]
				}
				if rng.IntN(3) == 0 {
					d = durations[rng.IntN(len(durations))]
					duration(d)
				}
				w = workers[rng.IntN(2)] // a reload made others
				s, anchor := w.office.Proxy, int64(0)
				if c.kind != tenant.NumKinds {
					w.tenants.Refresh(now)
					s, _ = w.tenants.Find(c.kind, c.id)
					anchor = s.Created
				}
				if c.path != "" && c.kind != tenant.Member && anchor/1000 != made/1000 {
					t.Fatalf("%s was made at %d, want %d", name, anchor, made)
				}
				of, _ := period.Parse(d)
				start, end := calendar.Span(of, anchor, now)
				want := unit.PicoUSD(0)
				for _, at := range spent {
					if start <= at && at < end {
						want += 50e6
					}
				}
				for _, w := range workers { // what either has collected is written
					w.worker.ledger.WriteTallies(now)
				}
				if b, ok := (books{w}).Book(now, s, c.model); !ok || b.Spend != want {
					t.Errorf("%s, seed %d, step %d: %s spent in %s, want %s", name, seed, step, b.Spend.String(), d, want.String())
					break
				}
			}
		}
	}
}
