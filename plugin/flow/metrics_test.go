//go:build !tinygo

package flow

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"fairshare/plugin/config"
	"fairshare/plugin/period"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

const (
	metricsModels = `{"model_list": [
		{"model_name": "gpt", "litellm_params": {"model": "openai/llama-3", "api_base": "https://llm.example/v1", "api_key": "none", "tpm": 10000, "rpm": 60}},
		{"model_name": "mock", "litellm_params": {"model": "openai/fake", "mock_response": "hi"}}],
	 "litellm_settings": {"callbacks": ["dynamic_rate_limiter"]}, "general_settings": {"master_key": "sk-1234"}`
	metricsConfig    = metricsModels + "}"
	metricsOfLiteLLM = metricsModels + `, "fairshare_settings": {"error_format": "litellm"}}`
	// Ten minutes and ten seconds past midnight.
	metricsNow = int64(1_799_971_810_000)
)

// pricedGateway is newGateway, whose models cost 1 and 2 USD for a million
// tokens of input and output.
func pricedGateway(t testing.TB, h Host, instance uint64, text string) *Gateway {
	t.Helper()
	policy, err := config.Parse([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range policy.Models {
		d := &policy.Models[i].Deployments[0]
		d.Price.Set("input_cost_per_token", 1e-6)
		d.Price.Set("output_cost_per_token", 2e-6)
		d.Priced = true
	}
	return NewGateway(NewWorker(h, instance), policy)
}

func limitOf(most int64) quota.Cap { return quota.Cap{Limited: true, Max: most} }

// budgetOf is a budget.
func budgetOf(usd float64) quota.Cap { return limitOf(int64(usd * 1e12)) }

// makeKey is a virtual key's subject.
func makeKey(secret string, s tenant.Subject) *tenant.Subject {
	s.Kind, s.Hash = tenant.Key, tenant.Hash(secret)
	s.ID = tenant.Token(&s.Hash)
	s.Name = "sk-..." + secret[len(secret)-4:]
	return &s
}

func addSubjects(t testing.TB, g *Gateway, subjects ...*tenant.Subject) {
	t.Helper()
	for _, s := range subjects {
		if got := g.tenants.Add(s); got != tenant.Added {
			t.Fatalf("adding %q: %v", s.ID, got)
		}
	}
	for _, s := range subjects {
		if s.Kind == tenant.Key && s.TeamID != "" {
			// A team without limits, if it is not there.
			g.tenants.Add(&tenant.Subject{Kind: tenant.Team, ID: s.TeamID})
		}
	}
}

// converse lets a request for a model be answered, by the upstream if there is one.
func converse(g *Gateway, now int64, path, secret, body string, status int, usage string) {
	x := g.Open()
	if d := post(x, now, path, secret, body); d.Reply == nil {
		x.ResponseHeaders(now, [][2]string{{":status", strconv.Itoa(status)}, {"content-type", "application/json"}}, false)
		x.ResponseBody(now, []byte(`{"choices":[],"usage":`+usage+`}`), true)
	}
	x.Done(now)
}

// scrapeLines are those of an answer of /metrics, as they stand there but for the
// order.
func scrapeLines(t testing.TB, g *Gateway, now int64) []string {
	t.Helper()
	x := g.Open()
	d := x.RequestHeaders(now, [][2]string{{":method", "GET"}, {":path", "/metrics"}, {"authorization", "Bearer sk-1234"}}, true)
	if d.Reply == nil || d.Reply.Status != 200 {
		t.Fatalf("/metrics answers %+v", d.Reply)
	}
	if got := d.Reply.Headers; !slices.Equal(got, [][2]string{{"content-type", "text/plain; version=0.0.4; charset=utf-8"}}) {
		t.Errorf("the headers are %v", got)
	}
	text := slices.Clone(d.Reply.Body)
	x.Done(now)
	if len(text) > maxMetrics {
		t.Errorf("the answer has %d bytes", len(text))
	}
	if bytes.Contains(text, []byte("sk-")) {
		t.Errorf("the answer shows a key")
	}
	lines := slices.Collect(strings.Lines(string(text)))
	checkFormat(t, text, lines)
	lines = slices.DeleteFunc(lines, func(l string) bool { return l[0] == '#' })
	slices.Sort(lines)
	return lines
}

// checkFormat reads the answer with Prometheus' own parser, and looks for what
// that does not: families in pieces, and samples that are there twice.
func checkFormat(t testing.TB, text []byte, lines []string) {
	t.Helper()
	parsed := parseMetrics(t, text)
	closed, last, seen := map[string]bool{}, "", map[string]bool{}
	for _, l := range lines {
		name := l[:strings.IndexAny(l, " {")]
		kind := ""
		if name == "#" {
			kind, name = strings.Fields(l)[1], strings.Fields(l)[2]
		} else if i := strings.LastIndexByte(l, ' '); seen[l[:i]] {
			t.Errorf("there twice: %s", l)
		} else {
			seen[l[:i]] = true
		}
		if (kind == "HELP") != (name != last) || closed[name] {
			t.Errorf("a family is in pieces: %s", l)
		}
		if name != last {
			closed[last] = true
		}
		last = name
	}
	n := 0
	for name, f := range parsed {
		want := dto.MetricType_GAUGE
		if strings.HasSuffix(name, "_total") {
			want = dto.MetricType_COUNTER
		}
		if f.GetType() != want || f.GetHelp() == "" {
			t.Errorf("%s is a %v, %q", name, f.GetType(), f.GetHelp())
		}
		n += len(f.Metric)
	}
	if n != len(seen) {
		t.Errorf("%d samples are printed, %d read", len(seen), n)
	}
}

func parseMetrics(t testing.TB, text []byte) map[string]*dto.MetricFamily {
	t.Helper()
	p := expfmt.NewTextParser(model.LegacyValidation)
	parsed, err := p.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return parsed
}

// compareLines fails the test if the samples are not those wanted, one a line.
func compareLines(t testing.TB, got []string, want string) {
	t.Helper()
	lines := slices.Collect(strings.Lines(want))
	slices.Sort(lines)
	if slices.Equal(got, lines) {
		return
	}
	for _, l := range got {
		if !slices.Contains(lines, l) {
			t.Errorf("unwanted: %s", l)
		}
	}
	for _, l := range lines {
		if !slices.Contains(got, l) {
			t.Errorf("missing:  %s", l)
		}
	}
}

// ofFamilies keeps the samples of families whose name contains one of some words.
func ofFamilies(lines []string, words ...string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
		name := l[:strings.IndexAny(l, " {")]
		return !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
	})
}

const (
	gptBody   = `{"model":"gpt","max_tokens":20,"messages":[{"role":"user","content":"Hello world!"}]}`
	usageFull = `{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":3,"audio_tokens":2},"completion_tokens_details":{"reasoning_tokens":6,"audio_tokens":1}}`
	usageHalf = `{"prompt_tokens":5,"completion_tokens":5,"total_tokens":10}`
)

// Three workers serve keys of a team and a user, an end user, refusals and
// errors; every worker then tells all of it.
func TestMetricsTellWhatHappened(t *testing.T) {
	t.Parallel()
	p, now := newProcess(1), metricsNow
	var g [3]*Gateway
	for i := range g {
		g[i] = pricedGateway(t, p, uint64(i+1)<<40, metricsConfig)
	}
	a := makeKey("sk-alpha-0123456789", tenant.Subject{
		Alias: "alpha", TeamID: "t1", UserID: "u1",
		Limits:   tenant.Limits{RPM: limitOf(50), TPM: limitOf(5000), Budget: budgetOf(1)},
		PerModel: []tenant.ModelLimits{{Model: "gpt", Limits: tenant.Limits{RPM: limitOf(9), TPM: limitOf(900)}}},
	})
	b := makeKey("sk-bravo-0123456789", tenant.Subject{Limits: tenant.Limits{Budget: budgetOf(0)}})
	c := makeKey("sk-charly-0123456789", tenant.Subject{BudgetID: "small"})
	day := period.Duration{N: 1, Unit: period.Day}
	addSubjects(t, g[0], a, b, c,
		&tenant.Subject{Kind: tenant.Team, ID: "t1", Alias: "QA Prod Bot", Limits: tenant.Limits{Budget: budgetOf(0.001), Duration: day, RPM: limitOf(40)}},
		&tenant.Subject{Kind: tenant.Team, ID: "t2", Alias: "unlimited"},
		&tenant.Subject{Kind: tenant.User, ID: "u1", Email: "u1@example.org", Limits: tenant.Limits{Budget: budgetOf(2)}},
		&tenant.Subject{Kind: tenant.Customer, ID: "known", Limits: tenant.Limits{Budget: budgetOf(0.5)}},
		&tenant.Subject{Kind: tenant.Customer, ID: "free"},
		&tenant.Subject{Kind: tenant.Budget, ID: "small", Limits: tenant.Limits{RPM: limitOf(0)}},
	)
	const chat, sk = "/v1/chat/completions", "sk-alpha-0123456789"
	named := func(user string) string { return gptBody[:1] + `"user":"` + user + `",` + gptBody[1:] }
	converse(g[0], now, chat, sk, gptBody, 200, usageFull)
	converse(g[1], now, chat, sk, gptBody, 200, usageHalf)
	converse(g[2], now, chat+"?x=1", sk, gptBody, 200, usageHalf)
	converse(g[1], now, "/chat/completions", sk, named("known"), 200, usageHalf)
	converse(g[2], now, chat, sk, named("stranger"), 200, usageHalf)
	converse(g[2], now, "/v1/embeddings", sk, `{"model":"mock","input":"x"}`, 0, "")
	converse(g[0], now, chat, sk, gptBody, 500, "{}")
	converse(g[0], now, chat, sk, gptBody, 429, "{}")
	converse(g[0], now, chat, sk, `{"model":"nope","messages":[]}`, 0, "")
	converse(g[0], now, chat, sk, `{`, 0, "")
	converse(g[0], now, chat, "sk-bravo-0123456789", gptBody, 0, "")
	converse(g[1], now, chat, "sk-charly-0123456789", gptBody, 0, "")
	converse(g[1], now, chat, "sk-charly-0123456789", gptBody, 0, "")
	converse(g[2], now, chat, "sk-nobody-0123456789", gptBody, 0, "") // no series: anybody can send anything
	converse(g[2], now, chat, "sk-1234", gptBody, 200, usageHalf)
	for _, g := range g {
		g.Tick(now)
	}

	whose := fmt.Sprintf(`api_key_alias="alpha",api_provider=%%q,client_ip="None",end_user=%%q,%%shashed_api_key="%s"`, a.ID)
	tail := `,user="u1",user_agent="None",user_email="u1@example.org"} `
	answered := func(user, model, group string, values ...string) (lines string) {
		for i, n := range values {
			if n == "" {
				continue
			}
			f := family(i)
			head := fmt.Sprintf(whose, "openai", user, "")
			org, service := `,org_alias="None",org_id="None"`, ""
			end := tail
			if i == 0 {
				service = `,service_tier="None"`
			}
			if i > 1 {
				head = strings.Replace(head, `,client_ip="None"`, "", 1)
				end = strings.Replace(end, `,user_agent="None"`, "", 1)
			}
			if i > 4 {
				org = ""
			}
			lines += families[f][0] + "{" + head + `,model="` + model + `",model_id="None"` + org + `,requested_model="` + group + `"` + service + `,team="t1",team_alias="QA Prod Bot"` + end + n + "\n"
		}
		return lines
	}
	requests := func(failed bool, who, provider, user, class, status, group, route, end, n string) string {
		f, exception, code := requestsFamily, "", `,status_code="`+status+`"`
		if failed {
			f, exception, code = failuresFamily, `exception_class="`+class+`",exception_status="`+status+`",`, ""
		}
		return families[f][0] + "{" + fmt.Sprintf(who, provider, user, exception) + `,model_id="None",org_alias="None",org_id="None",requested_model="` + group + `",route="` + route + `"` + code + end + n + "\n"
	}
	both := func(who, provider, user, class, status, group, route, end, n string) string {
		return requests(true, who, provider, user, class, status, group, route, end, n) + requests(false, who, provider, user, class, status, group, route, end, n)
	}
	of := func(k *tenant.Subject, master bool) (who string) {
		id, alias := k.ID, orNone(k.Alias)
		if master {
			id = "litellm_proxy_master_key"
		}
		return fmt.Sprintf(`api_key_alias=%q,api_provider=%%q,client_ip="None",end_user=%%q,%%shashed_api_key=%q`, alias, id)
	}
	const nobody = `,team="None",team_alias="None",user="None",user_agent="None",user_email="None"} `
	team := `,team="t1",team_alias="QA Prod Bot"` + tail
	want := answered("None", "llama-3", "gpt", "9.5e-05", "4.0", "60.0", "25.0", "35.0", "4.0", "3.0", "6.0", "2.0", "1.0") +
		answered("known", "llama-3", "gpt", "1.5e-05", "1.0", "10.0", "5.0", "5.0", "0.0", "0.0", "0.0", "0.0", "0.0") +
		answered("None", "fake", "mock", "1e-05", "1.0", "10.0", "10.0", "0.0", "0.0", "0.0", "0.0", "0.0", "0.0") +
		requests(false, whose, "openai", "None", "", "200", "gpt", chat, team, "4.0") +
		requests(false, whose, "openai", "known", "", "200", "gpt", "/chat/completions", team, "1.0") +
		requests(false, whose, "openai", "None", "", "200", "mock", "/v1/embeddings", team, "1.0") +
		both(whose, "openai", "None", "Openai.InternalServerError", "500", "gpt", chat, team, "1.0") +
		both(whose, "openai", "None", "Openai.RateLimitError", "429", "gpt", chat, team, "1.0") +
		requests(false, whose, "None", "None", "", "400", "other", chat, team, "1.0") +
		requests(false, whose, "None", "None", "", "400", "None", chat, team, "1.0") +
		requests(true, whose, "None", "None", "BadRequestError", "400", "other", chat, team, "1.0") +
		requests(true, whose, "None", "None", "BadRequestError", "400", "None", chat, team, "1.0") +
		both(of(b, false), "None", "None", "BudgetExceededError", "400", "gpt", chat, nobody, "1.0") +
		both(of(c, false), "None", "None", "HTTPException", "429", "gpt", chat, nobody, "2.0") +
		requests(false, of(g[0].master, true), "openai", "None", "", "200", "gpt", chat, nobody, "1.0")
	for _, g := range g {
		got := ofFamilies(scrapeLines(t, g, now), "metric_total")
		ours := slices.DeleteFunc(got, func(l string) bool {
			// The master key's own use is checked by its count alone.
			return strings.Contains(l, masterKeyLabel) && !strings.HasPrefix(l, "litellm_proxy_")
		})
		compareLines(t, ours, want)
	}

	hash := `hashed_api_key="` + a.ID + `"`
	fresh := `api_key_alias="None",hashed_api_key="litellm_proxy_master_key"` // the leader has not heard of its alias
	compareLines(t, slices.DeleteFunc(scrapeLines(t, g[1], now), func(l string) bool { return strings.Contains(l, "_metric_total{") }), `litellm_remaining_team_budget_metric{team_alias="QA Prod Bot",team_id="t1"} 0.00088
litellm_team_max_budget_metric{team_alias="QA Prod Bot",team_id="t1"} 0.001
litellm_team_budget_remaining_hours_metric{team_alias="QA Prod Bot",team_id="t1"} `+hoursToMidnight(now)+`
litellm_remaining_api_key_budget_metric{api_key_alias="alpha",`+hash+`} 0.99988
litellm_api_key_max_budget_metric{api_key_alias="alpha",`+hash+`} 1.0
litellm_remaining_api_key_budget_metric{api_key_alias="",hashed_api_key="`+b.ID+`"} 0.0
litellm_api_key_max_budget_metric{api_key_alias="",hashed_api_key="`+b.ID+`"} 0.0
litellm_remaining_user_budget_metric{user="u1"} 2.0
litellm_user_max_budget_metric{user="u1"} 2.0
litellm_remaining_customer_budget_metric{end_user="known"} 0.499985
litellm_customer_max_budget_metric{end_user="known"} 0.5
litellm_remaining_api_key_requests_for_model{api_key_alias="alpha",`+hash+`,model="gpt",model_id="None"} 2.0
litellm_remaining_api_key_tokens_for_model{api_key_alias="alpha",`+hash+`,model="gpt",model_id="None"} 830.0
litellm_api_key_rate_limit_allowed_metric{api_key_alias="alpha",`+hash+`,rate_limit_type="rpm"} 50.0
litellm_api_key_rate_limit_allowed_metric{api_key_alias="alpha",`+hash+`,rate_limit_type="tpm"} 5000.0
litellm_api_key_rate_limit_used_metric{api_key_alias="alpha",`+hash+`,rate_limit_type="rpm"} 10.0
litellm_api_key_rate_limit_used_metric{api_key_alias="alpha",`+hash+`,rate_limit_type="tpm"} 80.0
litellm_api_key_rate_limit_allowed_metric{api_key_alias="None",hashed_api_key="`+c.ID+`",rate_limit_type="rpm"} 0.0
litellm_api_key_rate_limit_used_metric{api_key_alias="None",hashed_api_key="`+c.ID+`",rate_limit_type="rpm"} 0.0
litellm_team_rate_limit_allowed_metric{rate_limit_type="rpm",team="t1",team_alias="QA Prod Bot"} 40.0
litellm_team_rate_limit_used_metric{rate_limit_type="rpm",team="t1",team_alias="QA Prod Bot"} 10.0
litellm_deployment_tpm_limit{api_base="https://llm.example/v1",api_provider="openai",litellm_model_name="llama-3",model_group="gpt",model_id="None"} 10000.0
litellm_deployment_rpm_limit{api_base="https://llm.example/v1",api_provider="openai",litellm_model_name="llama-3",model_group="gpt",model_id="None"} 60.0
litellm_total_users 1.0
litellm_teams_count 2.0
litellm_in_flight_requests 0.0
fairshare_capacity{model="gpt",unit="tokens"} 10000.0
fairshare_capacity{model="gpt",unit="requests"} 60.0
fairshare_used{model="gpt",unit="tokens"} 80.0
fairshare_used{model="gpt",unit="requests"} 8.0
fairshare_held{model="gpt",unit="tokens"} 0.0
fairshare_in_flight{model="gpt"} 0.0
fairshare_active_keys{model="gpt"} 2.0
fairshare_admitted_total{model="gpt"} 8.0
fairshare_tokens_total{model="gpt"} 80.0
fairshare_refused_total{limit="key",model="gpt",reason="budget"} 1.0
fairshare_refused_total{limit="key",model="gpt",reason="requests"} 2.0
fairshare_overshoot_tokens_total{model="gpt"} 0.0
fairshare_stranded_tokens_total{model="gpt"} 0.0
fairshare_stranded_requests_total{model="gpt"} 0.0
fairshare_estimate_error_tokens_total{model="gpt"} 97.0
fairshare_estimate_error_requests_total{model="gpt"} 6.0
fairshare_key_share{api_key_alias="alpha",`+hash+`,model="gpt",unit="tokens"} 5000.0
fairshare_key_share{api_key_alias="alpha",`+hash+`,model="gpt",unit="requests"} 30.0
fairshare_key_used{api_key_alias="alpha",`+hash+`,model="gpt",unit="tokens"} 70.0
fairshare_key_used{api_key_alias="alpha",`+hash+`,model="gpt",unit="requests"} 7.0
fairshare_key_borrowed{api_key_alias="alpha",`+hash+`,model="gpt",unit="tokens"} 0.0
fairshare_key_borrowed{api_key_alias="alpha",`+hash+`,model="gpt",unit="requests"} 0.0
fairshare_key_share{`+fresh+`,model="gpt",unit="tokens"} 5000.0
fairshare_key_share{`+fresh+`,model="gpt",unit="requests"} 30.0
fairshare_key_used{`+fresh+`,model="gpt",unit="tokens"} 10.0
fairshare_key_used{`+fresh+`,model="gpt",unit="requests"} 1.0
fairshare_key_borrowed{`+fresh+`,model="gpt",unit="tokens"} 0.0
fairshare_key_borrowed{`+fresh+`,model="gpt",unit="requests"} 0.0
fairshare_used{model="mock",unit="tokens"} 10.0
fairshare_used{model="mock",unit="requests"} 1.0
fairshare_held{model="mock",unit="tokens"} 0.0
fairshare_in_flight{model="mock"} 0.0
fairshare_active_keys{model="mock"} 1.0
fairshare_admitted_total{model="mock"} 1.0
fairshare_tokens_total{model="mock"} 10.0
fairshare_swap_retries_total 0.0
fairshare_leader_changes_total 1.0
fairshare_metrics_left_out 0.0
`)
}

// hoursToMidnight is how long it is until midnight.
func hoursToMidnight(now int64) string {
	const day = 86_400_000
	return strconv.FormatFloat(float64(day-now%day)/3_600_000, 'g', -1, 64)
}

// What is in flight shows as held, in limits and not in budgets.
func TestMetricsOfRequestsInFlight(t *testing.T) {
	t.Parallel()
	p, now := newProcess(1), metricsNow
	g, other := pricedGateway(t, p, 1<<40, metricsOfLiteLLM), pricedGateway(t, p, 2<<40, metricsOfLiteLLM)
	a := makeKey("sk-alpha-0123456789", tenant.Subject{TeamID: "t1", Limits: tenant.Limits{TPM: limitOf(500)}, PerModel: []tenant.ModelLimits{{Model: "gpt", Limits: tenant.Limits{TPM: limitOf(900)}}}})
	addSubjects(t, g, a, &tenant.Subject{Kind: tenant.Team, ID: "t1", Limits: tenant.Limits{Budget: budgetOf(1), TPM: limitOf(600)}})
	x := g.Open()
	if d := post(x, now, "/v1/chat/completions", "sk-alpha-0123456789", gptBody); d.Reply != nil {
		t.Fatalf("%s", d.Reply.Body)
	}
	hash := `hashed_api_key="` + a.ID + `"`
	words := []string{"team", "tokens_for_model", "rate_limit", "in_flight", "held"}
	// 7 tokens of input and 20 of output are held.
	compareLines(t, ofFamilies(scrapeLines(t, other, now), words...), `litellm_remaining_team_budget_metric{team="t1",team_alias=""} 1.0
litellm_team_max_budget_metric{team="t1",team_alias=""} 1.0
litellm_team_rate_limit_allowed_metric{rate_limit_type="tpm",team="t1",team_alias="None"} 600.0
litellm_team_rate_limit_used_metric{rate_limit_type="tpm",team="t1",team_alias="None"} 27.0
litellm_api_key_rate_limit_allowed_metric{api_key_alias="None",`+hash+`,rate_limit_type="tpm"} 500.0
litellm_api_key_rate_limit_used_metric{api_key_alias="None",`+hash+`,rate_limit_type="tpm"} 27.0
litellm_remaining_api_key_tokens_for_model{api_key_alias="None",`+hash+`,model="gpt",model_id="None"} 873.0
litellm_teams_count 1.0
litellm_in_flight_requests 1.0
fairshare_held{model="gpt",unit="tokens"} 27.0
fairshare_in_flight{model="gpt"} 1.0
fairshare_held{model="mock",unit="tokens"} 0.0
fairshare_in_flight{model="mock"} 0.0
`)
	x.Done(now)
	compareLines(t, ofFamilies(scrapeLines(t, other, now), "in_flight_requests", "held"), "litellm_in_flight_requests 0.0\nfairshare_held{model=\"gpt\",unit=\"tokens\"} 0.0\nfairshare_held{model=\"mock\",unit=\"tokens\"} 0.0\n")
}

// Each key has its own series, whatever else two of them have in common.
func TestMetricsOfKeysThatAreAlike(t *testing.T) {
	t.Parallel()
	g := pricedGateway(t, newProcess(1), 1<<40, metricsConfig)
	one, two := makeKey("sk-alpha-0123456789", tenant.Subject{}), makeKey("sk-bravo-0123456789", tenant.Subject{})
	addSubjects(t, g, one, two)
	for _, secret := range []string{"sk-alpha-0123456789", "sk-bravo-0123456789", "sk-alpha-0123456789"} {
		converse(g, metricsNow, "/v1/chat/completions", secret, mockBody, 0, "")
	}
	of := map[string]string{}
	for _, l := range ofFamilies(scrapeLines(t, g, metricsNow), "litellm_requests_metric_total") {
		_, rest, _ := strings.Cut(l, `hashed_api_key="`)
		id, _, _ := strings.Cut(rest, `"`)
		of[id] += l[strings.LastIndexByte(l, ' ')+1:]
	}
	if len(of) != 2 || of[one.ID] != "2.0\n" || of[two.ID] != "1.0\n" {
		t.Errorf("the requests of keys are %q", of)
	}
}

// A subject's limits are those that hold: filled in by its budget, raised for a
// time. An overspent budget is below zero, of overused tokens none remain. What
// has no limit is not shown.
func TestMetricsOfEffectiveLimits(t *testing.T) {
	t.Parallel()
	p, now := newProcess(1), metricsNow
	g := pricedGateway(t, p, 1<<40, metricsConfig)
	raised := makeKey("sk-alpha-0123456789", tenant.Subject{
		Limits: tenant.Limits{Budget: budgetOf(0.00001)}, TempIncrease: 1e12, TempExpiry: now + 1000,
		PerModel: []tenant.ModelLimits{{Model: "gpt", Limits: tenant.Limits{TPM: limitOf(10)}}},
	})
	addSubjects(t, g, raised, makeKey("sk-bravo-0123456789", tenant.Subject{Alias: "no limit"}),
		&tenant.Subject{Kind: tenant.User, ID: "u1", BudgetID: "big"},
		&tenant.Subject{Kind: tenant.User, ID: "u2", BudgetID: "none such"},
		&tenant.Subject{Kind: tenant.Customer, ID: "c1", BudgetID: "big"},
		&tenant.Subject{Kind: tenant.Team, ID: "t1"},
		&tenant.Subject{Kind: tenant.Budget, ID: "big", Limits: tenant.Limits{Budget: budgetOf(7)}},
	)
	converse(g, now, "/v1/chat/completions", "sk-alpha-0123456789", gptBody, 200, usageFull)
	for _, c := range []struct {
		at         int64
		left, most string
	}{{now, "0.99996", "1.00001"}, {now + 1000, "-4e-05", "1e-05"}} {
		compareLines(t, ofFamilies(scrapeLines(t, g, c.at), "budget", "for_model"), `litellm_remaining_api_key_tokens_for_model{api_key_alias="None",hashed_api_key="`+raised.ID+`",model="gpt",model_id="None"} 0.0
litellm_remaining_api_key_budget_metric{api_key_alias="",hashed_api_key="`+raised.ID+`"} `+c.left+`
litellm_api_key_max_budget_metric{api_key_alias="",hashed_api_key="`+raised.ID+`"} `+c.most+`
litellm_remaining_user_budget_metric{user="u1"} 7.0
litellm_user_max_budget_metric{user="u1"} 7.0
litellm_remaining_customer_budget_metric{end_user="c1"} 7.0
litellm_customer_max_budget_metric{end_user="c1"} 7.0
`)
	}
}

// Everybody names end users: one of whom nothing is known but the limit of all
// has no series of his own.
func TestMetricsOfUnknownEndUsers(t *testing.T) {
	t.Parallel()
	g := pricedGateway(t, newProcess(1), 1<<40, strings.Replace(metricsConfig, `"litellm_settings": {`, `"litellm_settings": {"max_end_user_budget": 3, `, 1))
	addSubjects(t, g, makeKey("sk-alpha-0123456789", tenant.Subject{}), &tenant.Subject{Kind: tenant.Customer, ID: "known"})
	for _, user := range []string{"known", "stranger", "another"} {
		converse(g, metricsNow, "/v1/chat/completions", "sk-alpha-0123456789", `{"user":"`+user+`",`+mockBody[1:], 0, "")
	}
	got := scrapeLines(t, g, metricsNow)
	compareLines(t, ofFamilies(got, "customer"), `litellm_remaining_customer_budget_metric{end_user="known"} 2.99995
litellm_customer_max_budget_metric{end_user="known"} 3.0
`)
	var of []string
	for _, l := range ofFamilies(got, "litellm_requests_metric_total") {
		_, rest, _ := strings.Cut(l, `end_user="`)
		name, _, _ := strings.Cut(rest, `"`)
		of = append(of, name+l[strings.LastIndexByte(l, ' '):])
	}
	if !slices.Equal(of, []string{"None 2.0\n", "known 1.0\n"}) {
		t.Errorf("the end users are %q", of)
	}
}

// Metrics that are open to everyone tell of subjects what another worker made
// of them a moment ago.
func TestOpenMetrics(t *testing.T) {
	t.Parallel()
	p, now := newProcess(1), metricsNow
	open := strings.Replace(metricsConfig, `"litellm_settings": {`, `"litellm_settings": {"require_auth_for_metrics_endpoint": false, `, 1)
	g, other := pricedGateway(t, p, 1<<40, open), pricedGateway(t, p, 2<<40, open)
	addSubjects(t, other, makeKey("sk-alpha-0123456789", tenant.Subject{TeamID: "t1"}),
		&tenant.Subject{Kind: tenant.Team, ID: "t1", Alias: "old", Limits: tenant.Limits{Budget: budgetOf(1)}})
	converse(g, now, "/v1/chat/completions", "sk-alpha-0123456789", mockBody, 0, "")
	for _, alias := range []string{"old", "new"} {
		other.tenants.Change(tenant.Team, "t1", func(s *tenant.Subject) { s.Alias = alias })
		x := g.Open()
		d := x.RequestHeaders(now, [][2]string{{":method", "GET"}, {":path", "/metrics"}}, true)
		if d.Reply == nil || d.Reply.Status != 200 {
			t.Fatalf("%+v", d.Reply)
		}
		if want := `litellm_team_max_budget_metric{team_alias="` + alias + `",team_id="t1"} 1.0`; !strings.Contains(string(d.Reply.Body), want) {
			t.Errorf("there is no %s", want)
		}
		x.Done(now)
	}
}

// An answer is whole or an error: a scrape that misses half of the metrics
// would look like counters that were reset.
func TestMetricsOfABrokenStore(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"fs/p/63", "fs/m/gpt", "fs/s/", "fs/g/", "fs/x/0/c"} {
		p, now := newProcess(1), metricsNow
		h := &failing{process: p}
		g := pricedGateway(t, h, 1<<40, metricsConfig)
		addSubjects(t, g, &tenant.Subject{Kind: tenant.Team, ID: "t1", Limits: tenant.Limits{Budget: budgetOf(1)}},
			&tenant.Subject{Kind: tenant.Customer, ID: "c1", Limits: tenant.Limits{Budget: budgetOf(1)}})
		scrapeLines(t, g, now)
		h.prefix = prefix
		x := g.Open()
		d := x.RequestHeaders(now+2000, [][2]string{{":method", "GET"}, {":path", "/metrics"}, {"authorization", "Bearer sk-1234"}}, true)
		if d.Reply == nil || d.Reply.Status != 503 {
			t.Errorf("without %s: %+v", prefix, d.Reply)
		}
		x.Done(now)
	}
}

// failing is a process that can't read some keys.
type failing struct {
	*process
	prefix string
	failed int // reads
}

func (f *failing) Get(key string) ([]byte, uint32, quota.Status) {
	if f.prefix != "" && strings.HasPrefix(key, f.prefix) {
		f.failed++
		return nil, 0, quota.Failed
	}
	return f.process.Get(key)
}

// However many subjects, models and series there are, an answer is bounded and
// says how much is missing.
func TestMetricsAreBounded(t *testing.T) {
	t.Parallel()
	now := metricsNow
	count := func(lines []string, name string) (n int) {
		for _, l := range lines {
			if strings.HasPrefix(l, name) {
				n++
			}
		}
		return n
	}
	t.Run("subjects", func(t *testing.T) {
		t.Parallel()
		g := pricedGateway(t, newProcess(1), 1<<40, metricsConfig)
		for i := range 2500 {
			addSubjects(t, g, &tenant.Subject{Kind: tenant.User, ID: "u" + strconv.Itoa(i), Limits: tenant.Limits{Budget: budgetOf(1)}})
		}
		for i := range 100 {
			addSubjects(t, g, &tenant.Subject{Kind: tenant.Team, ID: "t" + strconv.Itoa(i), Limits: tenant.Limits{Budget: budgetOf(1)}})
		}
		got := scrapeLines(t, g, now)
		if n := count(got, "litellm_user_max_budget_metric"); n != maxShown {
			t.Errorf("%d users are shown", n)
		}
		if n := count(got, "litellm_team_max_budget_metric"); n != 100 {
			t.Errorf("%d teams are shown", n)
		}
		compareLines(t, ofFamilies(got, "left_out", "total_users"), "fairshare_metrics_left_out 500.0\nlitellm_total_users 2500.0\n")
	})
	t.Run("subjects without a limit", func(t *testing.T) {
		t.Parallel()
		policy, err := config.Parse([]byte(metricsConfig), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range maxLooked + 7 {
			policy.Subjects = append(policy.Subjects, &tenant.Subject{Kind: tenant.User, ID: "u" + strconv.Itoa(i)})
		}
		for _, i := range []int{maxLooked - 1, maxLooked} {
			policy.Subjects[i].Limits.Budget = budgetOf(1)
		}
		g := NewGateway(NewWorker(newProcess(1), 1), policy)
		compareLines(t, ofFamilies(scrapeLines(t, g, now), "left_out", "user_max"),
			"fairshare_metrics_left_out 7.0\nlitellm_user_max_budget_metric{user=\"u"+strconv.Itoa(maxLooked-1)+"\"} 1.0\n")
	})
	t.Run("bytes", func(t *testing.T) {
		t.Parallel()
		g := pricedGateway(t, newProcess(1), 1<<40, metricsConfig)
		wide := strings.Repeat("\\", 1000)
		for i := range 400 {
			addSubjects(t, g, &tenant.Subject{Kind: tenant.Team, ID: strconv.Itoa(i) + wide, Alias: wide, Limits: tenant.Limits{Budget: budgetOf(1), RPM: limitOf(1), TPM: limitOf(1)}})
			k := makeKey("sk-"+strconv.Itoa(i)+"-0123456789", tenant.Subject{Alias: strconv.Itoa(i) + wide, Limits: tenant.Limits{Budget: budgetOf(1)}})
			for j := range 50 {
				k.PerModel = append(k.PerModel, tenant.ModelLimits{Model: "m" + strconv.Itoa(j), Limits: tenant.Limits{RPM: limitOf(1), TPM: limitOf(1)}})
			}
			addSubjects(t, g, k)
		}
		fillSeries(g.worker, 3000, "")
		got := scrapeLines(t, g, now)
		teams, keys, series := count(got, "litellm_team_max"), count(got, "litellm_api_key_max"), count(got, "litellm_spend")
		if teams == 0 || teams == 400 || keys == 0 || keys == 400 || series < 50 || series == 3000 {
			t.Errorf("%d teams, %d keys and %d series are shown", teams, keys, series)
		}
		if n := count(got, "litellm_total_tokens"); n != series {
			t.Errorf("%d series have a spend, %d have tokens", series, n)
		}
		if size := len(strings.Join(got, "")); size < maxMetrics*9/10-maxSamples {
			t.Errorf("only %d bytes are used", size)
		}
		if compare := ofFamilies(got, "left_out"); compare[0] == "fairshare_metrics_left_out 0.0\n" {
			t.Errorf("nothing is said to be missing")
		}
	})
	t.Run("series", func(t *testing.T) {
		t.Parallel()
		g := pricedGateway(t, newProcess(1), 1<<40, metricsConfig)
		for i := range 2500 {
			o := occasion{&caller{key: &tenant.Subject{ID: strconv.Itoa(i)}}, place{serial: uint64(i + 1), status: 429, why: RefusedTokens}}
			d := g.worker.delta(&o)
			d.failures[0]++
			if i >= 2400 {
				d.requests[0]++
			}
			if i%500 == 499 {
				for len(g.worker.series.deltas) > 0 {
					g.worker.writeSeries()
				}
			}
		}
		g.Tick(now)
		got := scrapeLines(t, g, now)
		if n := count(got, "litellm_proxy_failed"); n != maxShown {
			t.Errorf("%d series of failures are shown", n)
		}
		if n := count(got, "litellm_proxy_total"); n != 100 {
			t.Errorf("%d series of requests are shown", n)
		}
		compareLines(t, ofFamilies(got, "left_out"), "fairshare_metrics_left_out 500.0\n")
	})
}

// Whatever labels are, Prometheus reads what they were, but for bytes that are no
// text.
func FuzzMetricsLabels(f *testing.F) {
	f.Add("alias", "team", "Team", "user", "u@example.org", "customer")
	f.Add(`a"b\c`, "new\nline", "\\n", "\xff\xfe", "", "é\u2028\x00")
	f.Add("", "t", strings.Repeat("é", 700), "u", strings.Repeat("x", 254)+"é", "c")
	f.Add(strings.Repeat("ä", 200), strings.Repeat("\\", 600), "{}", ",", "=", "\r\"")
	f.Fuzz(func(t *testing.T, alias, team, teamAlias, user, email, customer string) {
		if team == "" || user == "" || customer == "" || len(alias) > 1000 || max(len(team), len(user), len(customer)) > 1000 || len(teamAlias)+len(email) > 2000 {
			return
		}
		p, now := newProcess(1), metricsNow
		g := pricedGateway(t, p, 1<<40, metricsConfig)
		some := tenant.Limits{Budget: budgetOf(1), RPM: limitOf(5)}
		addSubjects(t, g, makeKey("sk-alpha-0123456789", tenant.Subject{Alias: alias, TeamID: team, UserID: user, Limits: some}),
			&tenant.Subject{Kind: tenant.Team, ID: team, Alias: teamAlias, Limits: some},
			&tenant.Subject{Kind: tenant.User, ID: user, Email: email, Limits: some},
			&tenant.Subject{Kind: tenant.Customer, ID: customer, Limits: some})
		x := g.Open()
		d := x.RequestHeaders(now, [][2]string{{":method", "POST"}, {":path", "/v1/chat/completions"}, {"authorization", "Bearer sk-alpha-0123456789"}, {"x-litellm-customer-id", customer}}, false)
		if d.Pause {
			d = x.RequestBody(now, []byte(mockBody))
		}
		if d.Reply == nil || d.Reply.Status != 200 {
			t.Fatalf("%s", d.Reply.Body)
		}
		x.Done(now)
		x = g.Open()
		d = x.RequestHeaders(now, [][2]string{{":method", "GET"}, {":path", "/metrics"}, {"authorization", "Bearer sk-1234"}}, true)
		parsed := parseMetrics(t, d.Reply.Body)
		x.Done(now)
		spend := map[string]string{
			"api_key_alias": labelText(alias, maxLabel), "team": labelText(team, maxLabel), "team_alias": labelText(teamAlias, maxLabel),
			"user": labelText(user, maxLabel), "user_email": labelText(email, maxLabel), "end_user": labelText(customer, maxLabel),
			"hashed_api_key": tokenOf("sk-alpha-0123456789"), "api_provider": "openai", "model": "fake", "requested_model": "mock",
		}
		for _, name := range []string{"client_ip", "model_id", "org_alias", "org_id", "service_tier", "user_agent"} {
			spend[name] = "None"
		}
		for name, v := range spend {
			if v == "" {
				spend[name] = "None"
			}
		}
		for name, want := range map[string]map[string]string{
			"litellm_spend_metric_total":                 spend,
			"litellm_remaining_team_budget_metric":       {"team_alias": labelText(teamAlias, maxText), "team_id": labelText(team, maxText)},
			"litellm_user_max_budget_metric":             {"user": labelText(user, maxText)},
			"litellm_customer_max_budget_metric":         {"end_user": labelText(customer, maxText)},
			"litellm_remaining_api_key_budget_metric":    {"api_key_alias": labelText(alias, maxText), "hashed_api_key": tokenOf("sk-alpha-0123456789")},
			"litellm_team_rate_limit_allowed_metric":     {"rate_limit_type": "rpm", "team": labelText(team, maxText), "team_alias": orNone(labelText(teamAlias, maxText))},
			"litellm_proxy_failed_requests_metric_total": nil,
		} {
			family := parsed[name]
			if want == nil {
				if family != nil {
					t.Errorf("there is a %v", family)
				}
				continue
			}
			if len(family.GetMetric()) != 1 {
				t.Fatalf("%s has %d samples", name, len(family.GetMetric()))
			}
			got := map[string]string{}
			for _, l := range family.Metric[0].Label {
				got[l.GetName()] = l.GetValue()
			}
			if !maps.Equal(got, want) {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	})
}

func tokenOf(secret string) string {
	hash := tenant.Hash(secret)
	return tenant.Token(&hash)
}

// labelText is what shows of a label: valid UTF-8 of at most so many bytes.
func labelText(s string, most int) string {
	out := []rune{}
	size := 0
	for i, r := range s {
		if most == maxText {
			size = i // the longest is told in bytes of what came in
		}
		if size += utf8.RuneLen(r); size > most {
			break
		}
		out = append(out, r)
	}
	return string(out)
}
