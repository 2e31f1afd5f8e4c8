//go:build !tinygo

package flow

import (
	"strconv"
	"strings"
	"testing"

	"fairshare/plugin/period"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

const callerConfig = `{"model_list": [
	{"model_name": "gpt", "litellm_params": {"model": "openai/llama-3", "api_base": "https://llm.example/v1", "api_key": "none"}},
	{"model_name": "mock", "litellm_params": {"model": "openai/fake", "mock_response": "hi"}}],
 "general_settings": {"master_key": "sk-1234"}}`

// chat asks the mock and gives what is told.
func chat(g *Gateway, now int64, secret, body string) (status int, headers [][2]string, text string) {
	x := g.Open()
	defer x.Done(now)
	d := post(x, now, "/v1/chat/completions", secret, body)
	if d.Reply == nil {
		return 0, nil, ""
	}
	return d.Reply.Status, append([][2]string(nil), d.Reply.Headers...), string(d.Reply.Body)
}

// Keys whose lines fall on one place of what a gateway remembers are two callers
// all the same.
func TestCallersThatShareAPlace(t *testing.T) {
	t.Parallel()
	const now = int64(1_800_000_000_000)
	g := pricedGateway(t, newProcess(1), 1<<40, callerConfig)
	secrets := make(map[uint64]string)
	var one, two string
	for i := 0; two == ""; i++ {
		secret := "sk-key-number-" + strconv.Itoa(i) + "-of-many"
		hash := tenant.Hash(secret)
		place := quota.KeyID(&hash) % maxCallers
		if one = secrets[place]; one != "" {
			two = secret
		}
		secrets[place] = secret
	}
	first := makeKey(one, tenant.Subject{Limits: tenant.Limits{RPM: limitOf(2)}, UserID: "u1", TeamID: "t1"})
	second := makeKey(two, tenant.Subject{UserID: "u2"})
	for _, k := range []*tenant.Subject{first, second} {
		k.Line = quota.KeyID(&k.Hash)
	}
	addSubjects(t, g, first, second, &tenant.Subject{Kind: tenant.User, ID: "u2", Limits: tenant.Limits{RPM: limitOf(3)}})
	for i, c := range []struct {
		secret string
		status int
		limit  string
	}{
		{one, 200, "x-ratelimit-api_key-limit-requests"},
		{two, 200, "x-ratelimit-user-limit-requests"},
		{one, 200, "x-ratelimit-api_key-limit-requests"},
		{two, 200, "x-ratelimit-user-limit-requests"},
		{one, 429, "x-ratelimit-api_key-limit-requests"},
		{two, 200, "x-ratelimit-user-limit-requests"},
		{two, 429, "x-ratelimit-user-limit-requests"},
	} {
		status, headers, _ := chat(g, now, c.secret, mockBody)
		n := 0
		for _, h := range headers {
			if strings.HasSuffix(h[0], "-limit-requests") && h[0] != limitNames[0] {
				n++
			}
		}
		if _, ok := lookup(headers, c.limit); status != c.status || !ok || n != 1 {
			t.Fatalf("request %d: %d %q", i+1, status, headers)
		}
	}
}

// What is remembered of a caller is what holds now: whatever of it another worker
// changes, makes or removes, and when a raise of its budget ends.
func TestCallersAreUpToDate(t *testing.T) {
	t.Parallel()
	now := int64(1_800_000_000_000)
	p := newProcess(1)
	g, other := pricedGateway(t, p, 1<<40, callerConfig), pricedGateway(t, p, 2<<40, callerConfig)
	const secret = "sk-alpha-0123456789"
	key := makeKey(secret, tenant.Subject{UserID: "u", TeamID: "t", BudgetID: "b"})
	addSubjects(t, other, key)
	rpm := func(n int64) func(*tenant.Subject) { return func(s *tenant.Subject) { s.Limits.RPM = limitOf(n) } }
	model := func(s *tenant.Subject) {
		s.PerModel = []tenant.ModelLimits{{Model: "mock", Limits: tenant.Limits{RPM: limitOf(177)}}}
	}
	for _, c := range []struct {
		name   string
		change func() tenant.Outcome
		header string
		want   string
	}{
		{"a user is made", func() tenant.Outcome {
			return other.tenants.Add(&tenant.Subject{Kind: tenant.User, ID: "u", Limits: tenant.Limits{RPM: limitOf(111)}})
		}, "user-limit-requests", "111"},
		{"it is changed", func() tenant.Outcome { _, got := other.tenants.Change(tenant.User, "u", rpm(112)); return got }, "user-limit-requests", "112"},
		{"for a model", func() tenant.Outcome { _, got := other.tenants.Change(tenant.User, "u", model); return got }, "model_per_user-limit-requests", "177"},
		{"its team gets a limit", func() tenant.Outcome {
			_, got := other.tenants.Change(tenant.Team, "t", rpm(113))
			return got
		}, "team-limit-requests", "113"},
		{"it has a limit for its members", func() tenant.Outcome {
			_, got := other.tenants.Change(tenant.Team, "t", func(s *tenant.Subject) { s.Members.RPM = limitOf(114) })
			return got
		}, "team_member-limit-requests", "114"},
		{"and for a model", func() tenant.Outcome { _, got := other.tenants.Change(tenant.Team, "t", model); return got }, "model_per_team-limit-requests", "177"},
		{"a member is made", func() tenant.Outcome {
			return other.tenants.Add(&tenant.Subject{
				Kind: tenant.Member, ID: tenant.MemberID("t", "u"), TeamID: "t", UserID: "u", Limits: tenant.Limits{RPM: limitOf(115)}, BudgetID: "m",
			})
		}, "team_member-limit-requests", "115"},
		{"its budget is made", func() tenant.Outcome {
			return other.tenants.Add(&tenant.Subject{Kind: tenant.Budget, ID: "m", Limits: tenant.Limits{Parallel: limitOf(116)}})
		}, "team_member-limit-max_parallel_requests", "116"},
		{"the key's budget is made", func() tenant.Outcome {
			return other.tenants.Add(&tenant.Subject{Kind: tenant.Budget, ID: "b", Limits: tenant.Limits{RPM: limitOf(117)}})
		}, "api_key-limit-requests", "117"},
		{"it is changed", func() tenant.Outcome { _, got := other.tenants.Change(tenant.Budget, "b", rpm(118)); return got }, "api_key-limit-requests", "118"},
		{"the key is changed", func() tenant.Outcome { _, got := other.tenants.Change(tenant.Key, key.ID, rpm(119)); return got }, "api_key-limit-requests", "119"},
		{"it has its own for a model", func() tenant.Outcome { _, got := other.tenants.Change(tenant.Key, key.ID, model); return got }, "model_per_key-limit-requests", "177"},
		{"which takes the place of the team's", func() tenant.Outcome { return tenant.Changed }, "model_per_team-limit-requests", ""},
		{"the user is gone", func() tenant.Outcome { return other.tenants.Remove(tenant.User, "u") }, "user-limit-requests", ""},
		{"the member is gone", func() tenant.Outcome { return other.tenants.Remove(tenant.Member, tenant.MemberID("t", "u")) }, "team_member-limit-requests", "114"},
		{"a budget is gone", func() tenant.Outcome { return other.tenants.Remove(tenant.Budget, "b") }, "api_key-limit-requests", "119"},
	} {
		if got := c.change(); got != tenant.Added && got != tenant.Changed && got != tenant.Removed {
			t.Fatalf("%s: %v", c.name, got)
		}
		status, headers, text := chat(g, now, secret, mockBody)
		if got, _ := lookup(headers, "x-ratelimit-"+c.header); status != 200 || got != c.want {
			t.Errorf("%s: %d, %s is %q, want %q\n%s", c.name, status, c.header, got, c.want, text)
		}
	}
	other.tenants.Change(tenant.Key, key.ID, func(s *tenant.Subject) {
		s.Limits.Budget, s.TempIncrease, s.TempExpiry = limitOf(1), 1e12, now+2
	})
	for _, want := range []string{"1.000000000001", "1.000000000001", "1e-12"} {
		_, headers, text := chat(g, now, secret, mockBody)
		if got, _ := lookup(headers, "x-litellm-key-max-budget"); got != want && !strings.Contains(text, "Max budget: "+want) {
			t.Errorf("the budget is %s, want %s\n%s", got, want, text)
		}
		now++
	}
	if got := other.tenants.Remove(tenant.Team, "t"); got != tenant.Removed {
		t.Fatal(got)
	}
	if status, _, text := chat(g, now, secret, mockBody); status != 401 || !strings.Contains(text, "Team doesn't exist") {
		t.Errorf("the team is gone: %d %s", status, text)
	}
}

// A soft budget counts a request that is admitted once, and none that is refused.
func TestSoftBudgetsCountAdmitted(t *testing.T) {
	t.Parallel()
	const now = int64(1_800_000_000_000)
	g := pricedGateway(t, newProcess(1), 1<<40, callerConfig)
	soft := tenant.Limits{Soft: limitOf(0), RPM: limitOf(2)}
	addSubjects(t, g, makeKey("sk-alpha-0123456789", tenant.Subject{Limits: soft, UserID: "u"}), &tenant.Subject{Kind: tenant.User, ID: "u", Limits: soft})
	for range 5 {
		chat(g, now, "sk-alpha-0123456789", mockBody)
	}
	if n := g.worker.counts[OverSoftBudget]; n != 2 {
		t.Errorf("%d are counted, want the 2 that were admitted", n)
	}
}

// Whoever calls names end users. Of one whom nothing limits and nobody made there
// is no book, whatever the configuration says of others.
func TestUnknownEndUsersHaveNoBooks(t *testing.T) {
	t.Parallel()
	const now = int64(1_800_000_000_000)
	for settings, want := range map[string]int{
		``:                                     0,
		`"max_end_user_budget_id": "gone",`:    0,
		`"max_end_user_budget_id": "limited",`: 1,
		`"max_end_user_budget": 1,`:            1,
	} {
		p := &recorder{process: newProcess(1), values: map[string]string{}}
		g := pricedGateway(t, p, 1<<40, strings.Replace(callerConfig, `"general_settings"`, `"litellm_settings": {`+strings.TrimSuffix(settings, ",")+`}, "general_settings"`, 1))
		addSubjects(t, g, makeKey("sk-alpha-0123456789", tenant.Subject{}), &tenant.Subject{Kind: tenant.Customer, ID: "known"},
			&tenant.Subject{Kind: tenant.Budget, ID: "limited", Limits: tenant.Limits{RPM: limitOf(5)}})
		count := func() (n int) {
			g.Tick(now)
			for key := range p.values {
				if strings.HasPrefix(key, "fs/s/"+string(rune(quota.ForCustomer))) {
					n++
				}
			}
			return n
		}
		chat(g, now, "sk-alpha-0123456789", `{"user":"stranger",`+mockBody[1:])
		if n := count(); n != want {
			t.Errorf("%s: %d books of a stranger, want %d", settings, n, want)
		}
		chat(g, now, "sk-alpha-0123456789", `{"user":"known",`+mockBody[1:])
		if n := count(); n != want+1 {
			t.Errorf("%s: %d books, want one more for whom somebody made", settings, n)
		}
	}
}

// recorder is a process that tells what is in its store.
type recorder struct {
	*process
	values map[string]string
}

func (r *recorder) Set(key string, value []byte, cas uint32) quota.Status {
	st := r.process.Set(key, value, cas)
	if st == quota.OK {
		r.values[key] = string(value)
	}
	return st
}

// A request may be held on as many meters as there can be.
func TestAllMetersAtOnce(t *testing.T) {
	t.Parallel()
	const now = int64(1_800_000_000_000)
	g := pricedGateway(t, newProcess(1), 1<<40, strings.Replace(callerConfig, `"general_settings"`, `"litellm_settings": {"max_budget": 1}, "general_settings"`, 1))
	all := tenant.Limits{RPM: limitOf(9), TPM: limitOf(9999), Parallel: limitOf(3), Budget: budgetOf(1)}
	perModel := []tenant.ModelLimits{{Model: "gpt", Limits: tenant.Limits{RPM: limitOf(9), Budget: budgetOf(1)}}}
	addSubjects(t, g,
		makeKey("sk-alpha-0123456789", tenant.Subject{UserID: "u", TeamID: "t", Limits: all, PerModel: perModel}),
		&tenant.Subject{Kind: tenant.User, ID: "u", Limits: all, PerModel: perModel},
		&tenant.Subject{Kind: tenant.Team, ID: "t", Limits: all, PerModel: perModel},
		&tenant.Subject{Kind: tenant.Member, ID: tenant.MemberID("t", "u"), TeamID: "t", UserID: "u", Limits: all},
		&tenant.Subject{Kind: tenant.Customer, ID: "c", Limits: all})
	x := g.Open()
	if d := post(x, now, "/v1/chat/completions", "sk-alpha-0123456789", `{"model":"gpt","user":"c","max_tokens":20,"messages":[]}`); d.Reply != nil {
		t.Fatalf("%d %s", d.Reply.Status, d.Reply.Body)
	}
	if x.nmetered != quota.MaxMeters {
		t.Errorf("held on %d meters, want %d", x.nmetered, quota.MaxMeters)
	}
	if err := balanced(now, g); err == nil {
		t.Error("nothing is held")
	}
	x.ResponseHeaders(now, [][2]string{{":status", "200"}, {"content-type", "application/json"}}, false)
	x.ResponseBody(now, []byte(usageBody), true)
	x.Done(now)
	if err := balanced(now, g); err != nil {
		t.Error(err)
	}
	for kind, ids := range map[tenant.Kind]string{tenant.Key: tokenOf("sk-alpha-0123456789"), tenant.User: "u", tenant.Team: "t", tenant.Member: tenant.MemberID("t", "u"), tenant.Customer: "c"} {
		s, _ := g.tenants.Find(kind, ids)
		for _, model := range []string{"", "gpt"} {
			if model != "" && len(s.PerModel) == 0 {
				continue
			}
			own := unit.PicoUSD(50e6)
			if kind == tenant.User {
				own = 0 // its team pays
			}
			if b, _ := (books{g}).Book(now, s, model); b.Spend != 50e6 || b.Own != own {
				t.Errorf("%q of %q spent %s, %s of its own", model, s.ID, b.Spend.String(), b.Own.String())
			}
		}
	}
	if b, _ := (books{g}).Book(now, g.office.Proxy, ""); b.Spend != 50e6 {
		t.Errorf("the proxy spent %s", b.Spend.String())
	}
}

// What a subject without limits for a model spends on it is counted there alone.
func TestMoneyOfModelsWithoutLimits(t *testing.T) {
	t.Parallel()
	const now = int64(1_800_000_000_000)
	g := pricedGateway(t, newProcess(1), 1<<40, callerConfig)
	k := makeKey("sk-alpha-0123456789", tenant.Subject{PerModel: []tenant.ModelLimits{{Model: "gpt"}, {Model: "mock"}}})
	addSubjects(t, g, k)
	if status, _, body := chat(g, now, "sk-alpha-0123456789", mockBody); status != 200 {
		t.Fatal(status, body)
	}
	g.Tick(now)
	for model, want := range map[string]unit.PicoUSD{"": 50e6, "mock": 50e6, "gpt": 0} {
		if b, _ := (books{g}).Book(now, k, model); b.Spend != want {
			t.Errorf("%q: spent %s, want %s", model, b.Spend.String(), want.String())
		}
	}
}

// The management API tells of the period that requests are held by: that of a
// subject's Budget, and of an end user the one that everybody has.
func TestPeriodsOfBudgets(t *testing.T) {
	t.Parallel()
	const now, hour = int64(1_800_000_000_000), int64(3_600_000)
	g := pricedGateway(t, newProcess(1), 1<<40, strings.Replace(callerConfig, `"general_settings"`, `"litellm_settings": {"max_end_user_budget_id": "hourly"}, "general_settings"`, 1))
	k, c := makeKey("sk-alpha-0123456789", tenant.Subject{BudgetID: "hourly"}), &tenant.Subject{Kind: tenant.Customer, ID: "ann"}
	addSubjects(t, g, k, c, &tenant.Subject{Kind: tenant.Budget, ID: "hourly", Limits: tenant.Limits{Budget: budgetOf(1), Duration: period.Duration{N: 1, Unit: period.Hour}}})
	for _, s := range []*tenant.Subject{k, c} {
		if b, ok := (books{g}).Book(now, s, ""); !ok || b.ResetAt <= now || b.ResetAt > now+hour {
			t.Errorf("%q: resets at %d, want within an hour of %d", s.ID, b.ResetAt, now)
		}
	}
	// Who has no budget of his own has everybody's, which never begins anew, and no
	// part of his own.
	g = pricedGateway(t, newProcess(1), 1<<40, strings.Replace(callerConfig, `"general_settings"`, `"litellm_settings": {"max_end_user_budget": 1}, "general_settings"`, 1))
	c = &tenant.Subject{Kind: tenant.Customer, ID: "ann", Limits: tenant.Limits{Duration: period.Duration{N: 1, Unit: period.Hour}}}
	addSubjects(t, g, c)
	if b, ok := (books{g}).Book(now, c, ""); !ok || b.ResetAt != 0 {
		t.Errorf("resets at %d, want never", b.ResetAt)
	}
}

// Callers of all shapes are built: a key with and without a user, a team, limits of
// its own and for single models, and these with and without theirs.
func TestCallersOfAllShapes(t *testing.T) {
	t.Parallel()
	const now = int64(1_800_000_000_000)
	limits := tenant.Limits{RPM: limitOf(100), Budget: budgetOf(1)}
	perModel := []tenant.ModelLimits{{Model: "mock", Limits: limits}, {Model: "gpt", Limits: limits}}
	for mask := range 1 << 8 {
		has := func(bit int) bool { return mask>>bit&1 == 1 }
		k, others := tenant.Subject{}, []*tenant.Subject(nil)
		if has(0) {
			k.UserID = "u"
		}
		if has(1) {
			k.TeamID = "t"
		}
		if has(2) {
			k.Limits, k.TempIncrease, k.TempExpiry = limits, 5, now+1000
		}
		if has(3) {
			k.PerModel = perModel
		}
		if has(4) {
			others = append(others, &tenant.Subject{Kind: tenant.User, ID: "u", Limits: limits, PerModel: perModel, BudgetID: "b"})
		}
		if has(5) {
			others = append(others, &tenant.Subject{Kind: tenant.Team, ID: "t", Limits: limits, PerModel: perModel, Members: limits})
		}
		if has(6) {
			others = append(others, &tenant.Subject{Kind: tenant.Member, ID: tenant.MemberID("t", "u"), TeamID: "t", UserID: "u", Limits: limits, BudgetID: "b"})
		}
		if has(7) {
			others = append(others, &tenant.Subject{Kind: tenant.Budget, ID: "b", Limits: limits})
			k.BudgetID = "b"
		}
		g := pricedGateway(t, newProcess(1), 1<<40, callerConfig)
		addSubjects(t, g, append(others, makeKey("sk-alpha-0123456789", k))...)
		for i := range int64(3) {
			if status, _, text := chat(g, now+600*i, "sk-alpha-0123456789", `{"user":"c",`+mockBody[1:]); status != 200 {
				t.Fatalf("%b: %d %s", mask, status, text)
			}
		}
	}
}
