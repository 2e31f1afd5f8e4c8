//go:build !tinygo

package flow

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"fairshare/plugin/config"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

// get is the answer to the master key's GET.
func get(t testing.TB, g *Gateway, now int64, path string) []byte {
	t.Helper()
	x := g.Open()
	d := x.RequestHeaders(now, [][2]string{{":method", "GET"}, {":path", path}, {"authorization", "Bearer sk-1234"}}, true)
	if d.Reply == nil || d.Reply.Status != 200 {
		t.Fatalf("%s answers %+v", path, d.Reply)
	}
	body := slices.Clone(d.Reply.Body)
	x.Done(now)
	return body
}

// An explained is an answer of /fairshare/shares.
type explained struct {
	ActiveKeys int64 `json:"active_keys"`
	InFlight   int64 `json:"in_flight"`
	TPM, RPM   *struct{ Capacity, Used, Held int64 }
	Totals     struct {
		Requests, Refused, Tokens int64
		DebtTokens                int64 `json:"debt_tokens"`
		StrandedTokens            int64 `json:"stranded_tokens"`
		StrandedRequests          int64 `json:"stranded_requests"`
		ErrorTokens               int64 `json:"estimate_error_tokens"`
		ErrorRequests             int64 `json:"estimate_error_requests"`
	}
	LastMinute *struct {
		Jain float64 `json:"jain_index"`
	} `json:"last_minute"`
	RefusedBy []struct {
		Limit, Reason string
		Requests      int64
	} `json:"refused_by"`
	LastRefusal *struct {
		Alias  string `json:"key_alias"`
		Limit  string
		Reason string
		Text   string
	} `json:"last_refusal"`
	KeysAt     string `json:"keys_at"`
	Priorities []struct {
		Priority *string
		TPM, RPM *explainedPart
	}
	Keys []struct {
		Key      string
		Alias    *string `json:"key_alias"`
		Priority *string
		TPM, RPM *explainedPart
	}
}

type explainedPart struct {
	Share, Reservation, Used, Held, Borrowed, Released, Available int64
}

func explain(t testing.TB, g *Gateway, now int64, model string) *explained {
	t.Helper()
	e, text := new(explained), get(t, g, now, "/fairshare/shares?model="+model)
	if err := json.Unmarshal(text, e); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return e
}

// samples of the metrics that are about a model, by name and the other labels.
func samples(parsed map[string]*dto.MetricFamily, model string) map[string]float64 {
	all := map[string]float64{}
	for name, f := range parsed {
		if !strings.HasPrefix(name, "fairshare_") {
			continue
		}
		for _, m := range f.Metric {
			of, id := "", name
			for _, l := range m.Label {
				if l.GetName() == "model" {
					of = l.GetValue()
				} else {
					id += " " + l.GetName() + "=" + l.GetValue()
				}
			}
			if of == model {
				all[id] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return all
}

// expected are the samples that say what an explanation says.
func (e *explained) expected(priorities bool) map[string]float64 {
	all := map[string]float64{
		"fairshare_active_keys":    float64(e.ActiveKeys),
		"fairshare_in_flight":      float64(e.InFlight),
		"fairshare_admitted_total": float64(e.Totals.Requests),
		"fairshare_tokens_total":   float64(e.Totals.Tokens),
	}
	orNothing := func(s *string) string {
		if s == nil {
			return "None"
		}
		return *s
	}
	type sized struct {
		unit string
		part *explainedPart
	}
	for _, k := range e.Keys {
		labels := " api_key_alias=" + orNothing(k.Alias) + " hashed_api_key=" + k.Key
		if priorities {
			labels += " priority=" + orNothing(k.Priority)
		}
		for _, p := range []sized{{"tokens", k.TPM}, {"requests", k.RPM}} {
			if p.part != nil {
				all["fairshare_key_share"+labels+" unit="+p.unit] = float64(p.part.Share)
				all["fairshare_key_used"+labels+" unit="+p.unit] = float64(p.part.Used + p.part.Held)
				all["fairshare_key_borrowed"+labels+" unit="+p.unit] = float64(p.part.Borrowed)
			}
		}
	}
	for _, k := range e.Priorities {
		labels := " priority=" + orNothing(k.Priority)
		for _, p := range []sized{{"tokens", k.TPM}, {"requests", k.RPM}} {
			if p.part != nil {
				all["fairshare_priority_reservation"+labels+" unit="+p.unit] = float64(p.part.Reservation)
				all["fairshare_priority_used"+labels+" unit="+p.unit] = float64(p.part.Used + p.part.Held)
				all["fairshare_priority_borrowed"+labels+" unit="+p.unit] = float64(p.part.Borrowed)
				all["fairshare_priority_released"+labels+" unit="+p.unit] = float64(p.part.Released)
			}
		}
	}
	all["fairshare_capacity unit=tokens"] = float64(e.TPM.Capacity)
	all["fairshare_used unit=tokens"] = float64(e.TPM.Used)
	all["fairshare_held unit=tokens"] = float64(e.TPM.Held)
	all["fairshare_overshoot_tokens_total"] = float64(e.Totals.DebtTokens)
	all["fairshare_stranded_tokens_total"] = float64(e.Totals.StrandedTokens)
	all["fairshare_estimate_error_tokens_total"] = float64(e.Totals.ErrorTokens)
	all["fairshare_estimate_error_requests_total"] = float64(e.Totals.ErrorRequests)
	all["fairshare_capacity unit=requests"] = float64(e.RPM.Capacity)
	all["fairshare_used unit=requests"] = float64(e.RPM.Used)
	all["fairshare_stranded_requests_total"] = float64(e.Totals.StrandedRequests)
	for _, r := range e.RefusedBy {
		all["fairshare_refused_total limit="+r.Limit+" reason="+r.Reason] = float64(r.Requests)
	}
	if e.LastMinute != nil {
		all["fairshare_jain_index"] = e.LastMinute.Jain
	}
	return all
}

// explainConfig is a model of 1,000 tokens and 40 requests a minute under a limiter.
func explainConfig(settings string) string {
	return `{"model_list": [{"model_name": "gpt", "litellm_params": {"model": "openai/llama-3", "api_base": "https://llm.example/v1", "api_key": "none", "tpm": 1000, "rpm": 40}}],
		"litellm_settings": ` + settings + `, "general_settings": {"master_key": "sk-1234"}}`
}

var explainSettings = []string{
	`{"callbacks": ["dynamic_rate_limiter"]}`,
	`{"callbacks": ["dynamic_rate_limiter"], "priority_reservation": {"prod": 0.7, "dev": 0.2}}`,
	`{"callbacks": ["dynamic_rate_limiter_v3"], "priority_reservation": {"prod": 0.7, "dev": 0.2}}`,
}

// What /fairshare/shares and /metrics tell is the same, whoever is asked and whatever
// happened; and what they tell adds up.
func TestSharesAndMetricsAgree(t *testing.T) {
	t.Parallel()
	const seed = 20261121
	for _, settings := range explainSettings {
		rng := rand.New(rand.NewPCG(seed, 1))
		p, now := newProcess(1), metricsNow
		g := [2]*Gateway{pricedGateway(t, p, 1<<40, explainConfig(settings)), pricedGateway(t, p, 2<<40, explainConfig(settings))}
		for i := range 6 {
			k := makeKey(fmt.Sprintf("sk-key-%d-0123456789", i), tenant.Subject{Priority: []string{"prod", "dev", ""}[i%3], Limits: tenant.Limits{RPM: limitOf(25)}})
			if i%2 == 0 {
				k.Alias = fmt.Sprintf("key-%d", i)
			}
			addSubjects(t, g[0], k)
		}
		kinds, jains := map[string]bool{}, 0
		var open []*Exchange
		for round := range 400 {
			now += rng.Int64N(1000)
			at := g[rng.IntN(2)]
			if n := len(open); n > 0 && rng.IntN(3) == 0 {
				x := open[n-1]
				open = open[:n-1]
				x.ResponseHeaders(now, [][2]string{{":status", "200"}, {"content-type", "application/json"}}, false)
				x.ResponseBody(now, fmt.Appendf(nil, `{"usage":{"prompt_tokens":7,"completion_tokens":%d}}`, rng.IntN(30)), true)
				x.Done(now)
			} else {
				x := at.Open()
				body := fmt.Sprintf(`{"model":"gpt","max_tokens":%d,"messages":[{"role":"user","content":"Hello world!"}]}`, 1+rng.IntN(60))
				if d := post(x, now, "/v1/chat/completions", fmt.Sprintf("sk-key-%d-0123456789", rng.IntN(6)), body); d.Reply == nil {
					open = append(open, x)
				} else {
					x.Done(now)
				}
			}
			if rng.IntN(3) > 0 {
				continue
			}
			for _, g := range g {
				g.Tick(now)
			}
			now += rng.Int64N(400) // the table may be old, or of another minute
			e := explain(t, at, now, "gpt")
			minute := now / 60_000
			if e.LastMinute != nil && at.worker.report.book.FairMinute != minute-1 {
				e.LastMinute = nil // the gauge is of the minute just over
			} else if e.LastMinute != nil {
				jains++
			}
			got, want := samples(parseMetrics(t, get(t, at, now, "/metrics")), "gpt"), e.expected(strings.Contains(settings, "prod"))
			for id, n := range want {
				if m, ok := got[id]; !ok || m != n {
					t.Fatalf("seed %d round %d, %s: %s is %v (%v) in the metrics, %v in the answer", seed, round, settings, id, m, ok, n)
				}
			}
			if len(got) != len(want) {
				t.Fatalf("seed %d round %d, %s: %d metrics, %d numbers in the answer", seed, round, settings, len(got), len(want))
			}
			refused := int64(0)
			for _, r := range e.RefusedBy {
				kinds[r.Limit+" "+r.Reason] = true
				if r.Limit != "key" {
					refused += r.Requests
				}
			}
			if refused != e.Totals.Refused {
				t.Fatalf("seed %d round %d: %d refusals by reason, %d in all", seed, round, refused, e.Totals.Refused)
			}
		}
		if len(kinds) < 3 || jains == 0 {
			t.Errorf("%s: only %v refused, %d indices", settings, kinds, jains)
		}
	}
}

// A share table that is gone, old, another model's or garbage changes no decision,
// and what is told then is the book itself, by the names that are known.
func TestTableThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	const seed = 20261121
	spoil := []struct {
		name string
		do   func(p *process, table []byte, rng *rand.Rand) []byte
	}{
		{"whole", nil},
		{"empty", func(*process, []byte, *rand.Rand) []byte { return []byte{} }},
		{"cut", func(_ *process, v []byte, rng *rand.Rand) []byte { return v[:rng.IntN(len(v))] }},
		{"one byte changed", func(_ *process, v []byte, rng *rand.Rand) []byte {
			v[rng.IntN(len(v))] ^= byte(1 + rng.IntN(255))
			return v
		}},
		{"random", func(_ *process, v []byte, rng *rand.Rand) []byte {
			for i := range v {
				v[i] = byte(rng.Uint32())
			}
			return v
		}},
		{"old", func(_ *process, v []byte, _ *rand.Rand) []byte {
			at := int64(binary.LittleEndian.Uint64(v[8:])) - 251
			binary.LittleEndian.PutUint64(v[8:], uint64(at))
			binary.LittleEndian.PutUint32(v[4:], quota.Checksum(v[8:]))
			return v
		}},
		{"of another layout", func(_ *process, v []byte, _ *rand.Rand) []byte {
			v[3]++
			return v
		}},
	}
	var first []int
	for _, s := range spoil {
		rng, chance := rand.New(rand.NewPCG(seed, 2)), rand.New(rand.NewPCG(seed, 3))
		p, now := newProcess(1), metricsNow
		g := pricedGateway(t, p, 1<<40, explainConfig(explainSettings[0]))
		for i := range 4 {
			addSubjects(t, g, makeKey(fmt.Sprintf("sk-key-%d-0123456789", i), tenant.Subject{Alias: fmt.Sprintf("key-%d", i)}))
		}
		var statuses []int
		for range 300 {
			now += rng.Int64N(300)
			g.Tick(now)
			v, _, st := p.Get("fs/t/gpt")
			if st != quota.OK {
				t.Fatal("there is no table")
			}
			if s.do != nil {
				p.Set("fs/t/gpt", s.do(p, bytes.Clone(v), chance), 0)
			}
			x := g.Open()
			status := 200
			if d := post(x, now, "/v1/chat/completions", fmt.Sprintf("sk-key-%d-0123456789", rng.IntN(4)), gptBody); d.Reply != nil {
				status = d.Reply.Status
			} else {
				x.ResponseHeaders(now, [][2]string{{":status", "200"}, {"content-type", "application/json"}}, false)
				x.ResponseBody(now, []byte(`{"usage":`+usageHalf+`}`), true)
			}
			x.Done(now)
			statuses = append(statuses, status)
			e := explain(t, g, now, "gpt")
			sum := int64(0)
			for _, k := range e.Keys {
				sum += k.TPM.Used
			}
			if s.do != nil && (sum != e.TPM.Used || int64(len(e.Keys)) != e.ActiveKeys) {
				t.Fatalf("%s: %d tokens of %d keys are told, there are %d of %d", s.name, sum, len(e.Keys), e.TPM.Used, e.ActiveKeys)
			}
		}
		if first == nil {
			first = statuses
		}
		if !slices.Equal(statuses, first) || !slices.Contains(statuses, 429) {
			t.Errorf("%s: with such a table other requests are admitted", s.name)
		}
		asked := []*Gateway{g}
		if s.name == "whole" || s.name == "old" { // then it has names for other workers
			asked = append(asked, pricedGateway(t, p, 2<<40, explainConfig(explainSettings[0])))
		}
		for _, g := range asked {
			for _, k := range explain(t, g, now, "gpt").Keys {
				if k.Alias == nil {
					t.Errorf("%s: the alias of %s is not told", s.name, k.Key)
				}
			}
		}
	}
}

// A table of the minute before is not shown, however new it is.
func TestTableOfAnotherMinute(t *testing.T) {
	t.Parallel()
	p, now := newProcess(1), metricsNow/60_000*60_000+59_900
	g := pricedGateway(t, p, 1<<40, explainConfig(explainSettings[0]))
	addSubjects(t, g, makeKey("sk-key-0-0123456789", tenant.Subject{Alias: "key-0"}))
	converse(g, now, "/v1/chat/completions", "sk-key-0-0123456789", gptBody, 200, usageHalf)
	g.Tick(now)
	if e := explain(t, g, now+50, "gpt"); len(e.Keys) != 1 || e.Keys[0].TPM.Used != 10 || e.KeysAt != "2027-01-15T00:10:59.900Z" {
		t.Errorf("in the minute: %+v", e)
	}
	if e := explain(t, g, now+150, "gpt"); len(e.Keys) != 0 || e.ActiveKeys != 0 {
		t.Errorf("in the next minute %d keys are told of %d active", len(e.Keys), e.ActiveKeys)
	}
}

// Who leads next knows the names that the last leader knew.
func TestNamesOutliveTheLeader(t *testing.T) {
	t.Parallel()
	p, now := newProcess(1), metricsNow
	g := [2]*Gateway{pricedGateway(t, p, 1<<40, explainConfig(explainSettings[0])), pricedGateway(t, p, 2<<40, explainConfig(explainSettings[0]))}
	addSubjects(t, g[0], makeKey("sk-key-0-0123456789", tenant.Subject{Alias: "key-0"}))
	g[0].Tick(now)
	converse(g[0], now, "/v1/chat/completions", "sk-key-0-0123456789", gptBody, 200, usageHalf)
	g[0].Tick(now + 200)
	for range 11 {
		now += 200
		g[1].Tick(now)
	}
	if !g[1].worker.report.leads {
		t.Fatal("nobody leads after two seconds")
	}
	e := explain(t, g[1], now, "gpt")
	if len(e.Keys) != 1 || e.Keys[0].Alias == nil || *e.Keys[0].Alias != "key-0" {
		t.Errorf("the keys are %+v", e.Keys)
	}
	if n := g[1].worker.ledger.LeaderChanges(); n != 2 {
		t.Errorf("%d leaders were counted, want 2", n)
	}
}

// FuzzTable reads whatever lies where the table ought to be.
func FuzzTable(f *testing.F) {
	r := &report{}
	r.learn(&[32]byte{7}, []byte("alias"))
	r.book.Lines = []quota.Line{{ID: 7, Used: 3}, {ID: 8}}
	whole := r.appendTable(nil, metricsNow, "gpt")
	f.Add(whole, false)
	f.Add(whole[:40], true)
	f.Fuzz(func(t *testing.T, v []byte, mend bool) {
		if mend && len(v) >= len(whole) {
			v = bytes.Clone(v)
			copy(v, whole[:tableHead+3])
			binary.LittleEndian.PutUint32(v[4:], quota.Checksum(v[8:]))
		}
		r := &report{}
		if _, ok := r.readTable(v, "gpt"); !ok && len(r.rows) > 0 {
			t.Error("what is no table has rows")
		}
	})
}

// A model that 1,100 keys of 64 priorities share is explained whole, in memory that does
// not grow, and its metrics stay within their bounds.
func TestManyKeysAreExplained(t *testing.T) {
	t.Parallel()
	var reservation []string
	for i := range 63 {
		reservation = append(reservation, fmt.Sprintf(`"p%02d": 0.015`, i))
	}
	config := strings.Replace(explainConfig(`{"callbacks": ["dynamic_rate_limiter_v3"], "priority_reservation": {`+strings.Join(reservation, ",")+`}, "priority_reservation_settings": {"default_priority": 0.01}}`), `"tpm": 1000, "rpm": 40`, `"tpm": 10000000`, 1)
	p, now := newProcess(1), metricsNow
	g := pricedGateway(t, p, 1<<40, config)
	const keys = 1100
	for i := range keys {
		addSubjects(t, g, makeKey(fmt.Sprintf("sk-key-%d-0123456789", i), tenant.Subject{Alias: strings.Repeat("a", 60) + strconv.Itoa(i), Priority: fmt.Sprintf("p%02d", i%64)}))
	}
	for i := range keys {
		converse(g, now, "/v1/chat/completions", fmt.Sprintf("sk-key-%d-0123456789", i), gptBody, 200, usageHalf)
		if i%50 == 0 {
			g.Tick(now)
		}
	}
	g.Tick(now)
	for _, at := range []int64{now, now + 5000} { // by the table, and by the book
		e := explain(t, g, at, "gpt")
		used, named := int64(0), 0
		for _, k := range e.Keys {
			used += k.TPM.Used
			if k.Alias != nil {
				named++
			}
		}
		// A line for each key, but for those beyond 1,024, pools' lines included.
		if len(e.Priorities) != 64 || used != e.TPM.Used || used != keys*10 || named < 900 || len(e.Keys) > 1024+64 {
			t.Errorf("%d priorities, %d keys, %d named, with %d tokens of %d", len(e.Priorities), len(e.Keys), named, used, e.TPM.Used)
		}
	}
	lines := scrapeLines(t, g, now)
	if n := len(ofFamilies(lines, "fairshare_key_share")); n < 900 || n > maxShown {
		t.Errorf("%d keys have a share in the metrics", n)
	}
	x, size := g.Open(), 0
	for range 3 {
		for range 20 {
			get(t, g, now, "/fairshare/shares?model=gpt")
		}
		if n := cap(g.worker.report.rows) + cap(g.worker.report.buf) + cap(g.worker.report.book.Lines); size == 0 {
			size = n
		} else if n != size {
			t.Errorf("what a report needs grows from %d to %d", size, n)
		}
	}
	x.Done(now)
}

func TestReasonsAreSentences(t *testing.T) {
	for _, c := range []struct {
		refusal  quota.Refusal
		priority string
		want     string
	}{
		{quota.Refusal{By: quota.ByShare, Reason: quota.OverTokens, Wanted: 30, Left: 40, Share: 30, Taken: 30, Kept: 40, Others: 2, RetryMS: 11_200}, "", "key k wanted 30 tokens; it took 30, its share is 30, and of the 40 left 40 are kept for 2 other active keys; it may ask again in 12 s"},
		{quota.Refusal{By: quota.ByModel, Reason: quota.OverRequests, Wanted: 1, Share: 10, Taken: 10, RetryMS: 1}, "", "key k wanted 1 request; of the model's 10 a minute 0 are left for all; it may ask again in 1 s"},
		{quota.Refusal{By: quota.ByPriority, Reason: quota.OverTokens, Wanted: 5, Left: 9, RetryMS: quota.Never}, "", "key k wanted 5 tokens; those without a priority took 0, 0 are reserved and no more can be had; no wait would help"},
		{quota.Refusal{By: quota.ByPriority, Reason: quota.OverTokens, Wanted: 5, Left: 9, Share: 10, Taken: 10, Kept: 9, RetryMS: 3000}, "dev", "key k wanted 5 tokens; priority dev took 10, 10 are reserved, and of the 9 left 9 are kept for other priorities; it may ask again in 3 s"},
		{quota.Refusal{By: quota.ByUser, Reason: quota.OverBudget, Wanted: 2e12, Share: 3e12, Taken: 2e12, RetryMS: quota.Never}, "", "key k wanted 2.0 dollars; its user's limit is 3.0, and 2.0 of that is used; no wait would help"},
		{quota.Refusal{By: quota.ByMember, Reason: quota.OverParallel, Wanted: 1, Share: 4, Taken: 4, RetryMS: 1000}, "", "key k wanted 1 request in flight; its team_member's limit is 4, and 4 of that is used; it may ask again in 1 s"},
	} {
		if got := reasonOf(&c.refusal, "k", c.priority); got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
}

// Any worker tells how many swaps all of them lost, and what lies in the place of the
// sum and is not it counts as none.
func TestSwapRetriesOfAllWorkers(t *testing.T) {
	t.Parallel()
	p, now := newProcess(1), metricsNow
	var g [3]*Gateway
	for i := range g {
		g[i] = pricedGateway(t, p, uint64(i+1)<<40, explainConfig(explainSettings[0]))
		g[i].Tick(now)
	}
	shown := func(want string) {
		t.Helper()
		compareLines(t, ofFamilies(scrapeLines(t, g[2], now), "swap_retries"), "fairshare_swap_retries_total "+want+"\n")
	}
	lose := func(g *Gateway, n int) {
		converse(g, now, "/v1/chat/completions", "sk-1234", gptBody, 200, usageHalf) // the records are there
		p.lose = n
		converse(g, now, "/v1/chat/completions", "sk-1234", gptBody, 200, usageHalf)
		if p.lose != 0 {
			t.Fatalf("%d swaps were not lost", p.lose)
		}
		g.Tick(now)
	}
	shown("0.0")
	lose(g[0], 3)
	shown("3.0")
	lose(g[1], 4)
	shown("7.0")
	p.Set("fs/r", []byte("x"), 0)
	shown("0.0")
	lose(g[0], 2)
	shown("2.0")
}

// Nothing is told of the master key's hash, from which a short key could be found,
// before the leader knows whose the line is and after.
func TestMasterKeyIsNotTold(t *testing.T) {
	const now = int64(1_800_000_000_000)
	g := pricedGateway(t, newProcess(1), 1<<40, explainConfig(explainSettings[0]))
	post(g.Open(), now, "/v1/chat/completions", "sk-1234", `{"model":"gpt","max_tokens":5,"messages":[]}`)
	for range 2 {
		for _, path := range []string{"/metrics", "/fairshare/shares?model=gpt"} {
			text := string(get(t, g, now, path))
			if strings.Contains(text, tokenOf("sk-1234")[:16]) || !strings.Contains(text, masterKeyLabel) {
				t.Errorf("%s: %s", path, text)
			}
		}
		g.Tick(now)
		g.Tick(now)
	}
}

// On a model without limits nobody has a line; whom another limit refuses there is
// named all the same.
func TestRefusalOnAModelWithoutLimitsIsNamed(t *testing.T) {
	const now = int64(1_800_000_000_000)
	g := pricedGateway(t, newProcess(1), 1<<40, callerConfig)
	addSubjects(t, g, makeKey("sk-alpha-0123456789", tenant.Subject{Limits: tenant.Limits{RPM: limitOf(0)}}))
	if status, _, _ := chat(g, now, "sk-alpha-0123456789", mockBody); status != 429 {
		t.Fatal(status)
	}
	if text := string(get(t, g, now, "/fairshare/shares?model=mock")); !strings.Contains(text, tokenOf("sk-alpha-0123456789")) {
		t.Error(text)
	}
}

// What is kept about a model overwrites nothing else, whatever the model is called.
func TestModelsThatAreCalledLikeIndexes(t *testing.T) {
	const now = int64(1_800_000_000_000)
	for _, model := range []string{"0/k", "h/k", "0", "lead", "v"} {
		g := pricedGateway(t, newProcess(1), 1<<40, strings.Replace(explainConfig(explainSettings[0]), `"gpt"`, `"`+model+`"`, 1))
		addSubjects(t, g, makeKey("sk-alpha-0123456789", tenant.Subject{Limits: tenant.Limits{RPM: limitOf(0)}}))
		x := g.Open()
		if d := post(x, now, "/v1/chat/completions", "sk-alpha-0123456789", `{"model":"`+model+`","max_tokens":5,"messages":[]}`); d.Reply == nil || d.Reply.Status != 429 {
			t.Fatalf("%s: %+v", model, d.Reply)
		}
		x.Done(now)
		g.Tick(now)
		addSubjects(t, g, makeKey("sk-bravo-0123456789", tenant.Subject{}))
		if n := g.tenants.Count(tenant.Key, ""); n != 2 {
			t.Errorf("%s: %d keys are listed, want 2", model, n)
		}
	}
}

// While a replaced configuration drains, its ticks go on beside the new one's: they
// must not end a minute by limits that no longer hold.
func TestReplacedGatewaysEndNoMinutes(t *testing.T) {
	const now, minute = int64(1_800_000_000_000), int64(60_000)
	of := func(tpm string) *config.Policy {
		p, err := config.Parse([]byte(`{"model_list": [{"model_name": "mock", "litellm_params": {"model": "openai/fake", "mock_response": "hi", "tpm": `+tpm+`}}],
			"litellm_settings": {"callbacks": ["dynamic_rate_limiter"]}, "general_settings": {"master_key": "sk-1234"}}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	w := NewWorker(newProcess(1), 1<<40)
	old := NewGateway(w, of("60"))
	ask := func(g *Gateway, now int64) (passed int) {
		for range 4 {
			if status, _, _ := chat(g, now, "sk-1234", mockBody); status == 200 {
				passed++
			}
		}
		return passed
	}
	if n := ask(old, now); n != 2 {
		t.Fatalf("%d passed, want 2", n)
	}
	g := NewGateway(w, of("90"))
	if n := ask(g, now); n != 1 {
		t.Fatalf("%d more passed, want 1", n)
	}
	old.Tick(now + minute)
	g.Tick(now + minute)
	if n := ask(g, now+minute); n != 3 {
		t.Errorf("in the next minute %d passed, want 3", n)
	}
	// A configuration that is gone leaves the others their reports.
	g.Close()
	ask(old, now+2*minute)
	old.Tick(now + 2*minute)
	if at, ok := w.report.readTable(mustGet(t, w.host, tablePrefix+"mock"), "mock"); !ok || at != now+2*minute {
		t.Errorf("the table is of %d, want %d", at, now+2*minute)
	}
}

func mustGet(t *testing.T, h Host, key string) []byte {
	t.Helper()
	v, _, st := h.Get(key)
	if st != quota.OK {
		t.Fatalf("%s: %d", key, st)
	}
	return v
}
