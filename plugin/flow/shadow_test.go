//go:build !tinygo

package flow

import (
	"strings"
	"testing"

	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

// Whose limit it is that would have refused, in the words of the label, for each subject that
// can have one; and whose enforce concerns which limits.
func TestWouldRefuse(t *testing.T) {
	t.Parallel()
	const (
		now    = int64(1_800_000_000_000)
		secret = "sk-alpha-0123456789"
	)
	shadow := func(l tenant.Limits, of quota.Reasons) tenant.Limits {
		l.Shadow = of
		return l
	}
	rpm, tpm, parallel := tenant.Limits{RPM: limitOf(0)}, tenant.Limits{TPM: limitOf(0)}, tenant.Limits{Parallel: limitOf(0)}
	budget := tenant.Limits{Budget: budgetOf(0)}
	user := &tenant.Subject{Kind: tenant.User, ID: "ü=%;\x7f"}
	team := func(edit func(*tenant.Subject)) *tenant.Subject {
		s := &tenant.Subject{Kind: tenant.Team, ID: "red team"}
		edit(s)
		return s
	}
	member := func(l tenant.Limits) *tenant.Subject {
		return &tenant.Subject{Kind: tenant.Member, ID: tenant.MemberID("red team", user.ID), TeamID: "red team", UserID: user.ID, Limits: l}
	}
	model := func(l tenant.Limits) []tenant.ModelLimits { return []tenant.ModelLimits{{Model: "mock", Limits: l}} }
	for _, c := range []struct {
		name     string
		key      tenant.Subject
		more     []*tenant.Subject
		settings string
		want     string // empty if it is refused
		metric   Metric
	}{
		{"a key", tenant.Subject{Limits: shadow(rpm, quota.AllReasons)}, nil, "", "requests; key=" + tokenOf(secret), WouldRefuseRequests},
		{"with an alias", tenant.Subject{Alias: "alice's, \"key\"", Limits: shadow(tpm, quota.Tokens)}, nil, "", "tokens; key=alice's,%20\"key\"", WouldRefuseTokens},
		{"of another kind", tenant.Subject{Limits: shadow(tpm, quota.AllReasons&^quota.Tokens)}, nil, "", "", RefusedTokens},
		{"of the kind, everywhere", tenant.Subject{Alias: "a", Limits: tpm}, nil, `{"tpm_limit": false}`, "tokens; key=a", WouldRefuseTokens},
		{"of another kind, everywhere", tenant.Subject{Limits: tpm}, nil, `{"rpm_limit": false}`, "", RefusedTokens},
		{"for a model", tenant.Subject{Alias: "a", PerModel: model(rpm), Limits: tenant.Limits{Shadow: quota.Requests}}, nil, "", "requests; key=a; model=mock", WouldRefuseRequests},
		{"a budget's limit", tenant.Subject{Alias: "a", BudgetID: "b"}, []*tenant.Subject{{Kind: tenant.Budget, ID: "b", Limits: shadow(parallel, quota.Parallel)}}, "", "parallel; key=a", WouldRefuseParallel},
		{
			"a budget says nothing of the key's own limit",
			tenant.Subject{BudgetID: "b", Limits: rpm},
			[]*tenant.Subject{{Kind: tenant.Budget, ID: "b", Limits: shadow(parallel, quota.AllReasons)}},
			"", "", RefusedRequests,
		},
		{"the first reason of several", tenant.Subject{Alias: "a", Limits: rpm}, []*tenant.Subject{member(parallel)}, "false", "parallel; member=red%20team/%C3%BC%3D%25%3B%7F", WouldRefuseParallel},
		{"an enforced one beside it", tenant.Subject{Limits: rpm}, []*tenant.Subject{member(shadow(parallel, quota.AllReasons))}, "", "", RefusedRequests},
		{"a user", tenant.Subject{}, []*tenant.Subject{{Kind: tenant.User, ID: user.ID, Limits: shadow(rpm, quota.Requests)}}, "", "requests; user=%C3%BC%3D%25%3B%7F", WouldRefuseRequests},
		{"a team", tenant.Subject{}, []*tenant.Subject{team(func(s *tenant.Subject) { s.Limits = shadow(budget, quota.Budget) })}, "", "budget; team=red%20team", WouldRefuseBudget},
		{"a team's limit for a model", tenant.Subject{}, []*tenant.Subject{team(func(s *tenant.Subject) {
			s.Limits.Shadow, s.PerModel = quota.Tokens, model(tpm)
		})}, "", "tokens; team=red%20team; model=mock", WouldRefuseTokens},
		{"a team's limit for members", tenant.Subject{}, []*tenant.Subject{team(func(s *tenant.Subject) {
			s.Limits.Shadow, s.Members = quota.Requests, rpm
		})}, "", "requests; member=red%20team/%C3%BC%3D%25%3B%7F", WouldRefuseRequests},
		{"a member of such a team", tenant.Subject{}, []*tenant.Subject{member(rpm), team(func(s *tenant.Subject) {
			s.Limits.Shadow = quota.AllReasons
		})}, "", "", RefusedRequests},
		{"a customer", tenant.Subject{}, []*tenant.Subject{{Kind: tenant.Customer, ID: "c", Limits: shadow(rpm, quota.Requests)}}, "", "requests; customer=c", WouldRefuseRequests},
		{"the proxy", tenant.Subject{}, nil, `{"max_budget": false}}, "litellm_settings": {"max_budget": 0`, "budget; proxy", WouldRefuseBudget},
		{"the proxy, enforced", tenant.Subject{}, nil, `{"rpm_limit": false}}, "litellm_settings": {"max_budget": 0`, "", RefusedBudget},
	} {
		if c.settings == "" {
			c.settings = "true"
		}
		p := newProcess(1)
		g := pricedGateway(t, p, 1<<40, strings.TrimSuffix(callerConfig, "}")+`, "fairshare_settings": {"enforce": `+c.settings+`}}`)
		c.key.UserID, c.key.TeamID = user.ID, "red team"
		addSubjects(t, g, append(c.more, makeKey(secret, c.key))...)
		status, headers, _ := chat(g, now, secret, `{"model":"mock","user":"c","messages":[]}`)
		want := 200
		if c.want == "" {
			want = 429
			if c.metric == RefusedBudget {
				want = 400
			}
		}
		if got, _ := lookup(headers, wouldRefuseHeader); status != want || got != c.want {
			t.Errorf("%s: %d %q, want %d %q", c.name, status, got, want, c.want)
		}
		g.Tick(now)
		for m := RefusedRequests; m <= WouldRefuseBudget; m++ {
			if n := p.added[m]; (n == 1) != (m == c.metric) || n > 1 {
				t.Errorf("%s: %s is %d", c.name, MetricNames[m][0], n)
			}
		}
		if n := p.added[Admitted]; n != 1 && c.want != "" {
			t.Errorf("%s: %d admitted", c.name, n)
		}
	}
}

// Limits in shadow cost what enforced ones do: as many reads, writes and allocations for a
// request that passes, and for one that would not, as many reads and writes.
func TestShadowCosts(t *testing.T) {
	const now = int64(1_800_000_000_000)
	cost := func(enforce string, rpm int64) (calls int, allocs float64) {
		host := &counted{memory: new(memory)}
		g := pricedGateway(t, host, 1<<40, strings.TrimSuffix(upstreamConfig, "}")+`, "fairshare_settings": {"enforce": `+enforce+`}}`)
		addSubjects(t, g, makeKey("sk-alpha-0123456789", tenant.Subject{Limits: tenant.Limits{RPM: limitOf(rpm), TPM: limitOf(1 << 40)}}))
		ask := func() {
			x := g.Open()
			post(x, now, "/v1/chat/completions", "sk-alpha-0123456789", string(askBody))
			x.ResponseHeaders(now, answerHeaders, false)
			x.ResponseBody(now, answerBody, true)
			x.Done(now)
		}
		for range 20 {
			ask()
		}
		host.calls = 0
		ask()
		calls = host.calls
		return calls, testing.AllocsPerRun(200, ask)
	}
	calls, allocs := cost("true", 1<<40)
	if in, more := cost("false", 1<<40); in != calls || more != allocs {
		t.Errorf("%d calls and %v allocations, in shadow %d and %v", calls, allocs, in, more)
	}
	if in, _ := cost("false", 0); in != calls {
		t.Errorf("%d calls, of a request that would be refused %d", calls, in)
	}
}

type counted struct {
	*memory
	calls int
}

func (c *counted) Get(key string) ([]byte, uint32, quota.Status) {
	c.calls++
	return c.memory.Get(key)
}

func (c *counted) Set(key string, value []byte, cas uint32) quota.Status {
	c.calls++
	return c.memory.Set(key, value, cas)
}

// Without a limiter a model limits nothing, and nothing of it is in shadow.
func TestShadowWithoutALimiter(t *testing.T) {
	const now = int64(1_800_000_000_000)
	g := pricedGateway(t, newProcess(1), 1<<40, `{"model_list": [{"model_name": "gpt", "litellm_params": {"model": "openai/llama-3", "api_base": "https://llm.example/v1", "api_key": "none", "tpm": 1000, "rpm": 40}}],
		"general_settings": {"master_key": "sk-1234"}, "fairshare_settings": {"enforce": false}}`)
	if got := g.groups[0].terms.Shadow; got != 0 {
		t.Errorf("in shadow: %b", got)
	}
	addSubjects(t, g, makeKey("sk-alpha-0123456789", tenant.Subject{Limits: tenant.Limits{RPM: limitOf(0)}}))
	for range 5 {
		askAndAnswer(t, g, now, "sk-alpha-0123456789")
	}
	var b quota.Book
	if err := g.worker.ledger.Read(now, &g.groups[0].terms, &b); err != nil || b.Used != 50 || b.Requests != 5 || b.Slots != 0 {
		t.Errorf("%v: used %d requests %d slots %d, want 50 5 0", err, b.Used, b.Requests, b.Slots)
	}
}

// askAndAnswer is a request that an upstream answers.
func askAndAnswer(t *testing.T, g *Gateway, now int64, secret string) {
	t.Helper()
	x := g.Open()
	if d := post(x, now, "/v1/chat/completions", secret, `{"model":"gpt","max_tokens":5,"messages":[]}`); d.Reply != nil {
		t.Fatal(string(d.Reply.Body))
	}
	x.ResponseHeaders(now, [][2]string{{":status", "200"}, {"content-type", "application/json"}}, false)
	x.ResponseBody(now, []byte(`{"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}`), true)
	x.Done(now)
}

// Explain tells what passed in shadow apart from what was refused.
func TestWouldRefuseIsNoRefusal(t *testing.T) {
	const now = int64(1_800_000_000_000)
	g := pricedGateway(t, newProcess(1), 1<<40, `{"model_list": [{"model_name": "gpt", "litellm_params": {"model": "openai/llama-3", "api_base": "https://llm.example/v1", "api_key": "none", "rpm": 1}}],
		"litellm_settings": {"callbacks": ["dynamic_rate_limiter"]}, "general_settings": {"master_key": "sk-1234"}, "fairshare_settings": {"enforce": false}}`)
	addSubjects(t, g, makeKey("sk-alpha-0123456789", tenant.Subject{}))
	for range 5 {
		askAndAnswer(t, g, now, "sk-alpha-0123456789")
	}
	if text := string(get(t, g, now, "/fairshare/shares?model=gpt")); !strings.Contains(text, `"totals":{"requests":5,"refused":0,"would_refuse":4,`) || !strings.Contains(text, `"refused_by":[],"last_refusal":null`) {
		t.Error(text)
	}
}
