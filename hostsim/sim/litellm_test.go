package sim

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The models of LiteLLM's rules do what the real LiteLLM 1.106.2 was seen to
// do. An ask is a key, a colon and its priority; its answer of 30 tokens comes
// before the next ask unless all come at once.
func TestLiteLLM(t *testing.T) {
	t.Parallel()
	const pools = `{"priority_reservation": {"prod": 0.9, "dev": 0.1}, "priority_reservation_settings": {"default_priority": 0, "saturation_threshold": 0.5}}`
	repeat := func(ask string, n int) string { return strings.TrimSpace(strings.Repeat(ask+" ", n)) }
	const ok = "200"
	for _, row := range []struct {
		name     string
		rule     Rule
		model    Capacity
		settings string
		asks     string
		atOnce   bool
		want     []string // a number of times "× n", then "200" or what the refusal says
	}{
		{
			"v1: 60 tokens for two keys", LiteLLM1,
			Capacity{TPM: 60},
			"", "k1 k2 k2 k1", false,
			[]string{
				"2 × 200", "1 × Key=k2 over available TPM=0. Model TPM=0, Active keys=2",
				"1 × Key=k1 over available TPM=0. Model TPM=0, Active keys=2",
			},
		},
		{
			"v1: the fourth of 4 requests is stranded", LiteLLM1,
			Capacity{RPM: 4},
			"", "a b a b a", false,
			[]string{
				"3 × 200", "1 × Key=b over available RPM=0. Model RPM=1, Active keys=2",
				"1 × Key=a over available RPM=0. Model RPM=1, Active keys=2",
			},
		},
		{"v1: 40 requests at once, 4 allowed", LiteLLM1, Capacity{RPM: 4}, "", repeat("k", 40), true, []string{"40 × 200"}},
		{"v1: 40 requests at once, 60 tokens allowed", LiteLLM1, Capacity{TPM: 60}, "", repeat("k", 40), true, []string{"40 × 200"}},
		{
			"v1: the document's reservation of 0", LiteLLM1,
			Capacity{RPM: 100},
			`{"priority_reservation": {"dev": 0, "prod": 1}}`, "k:dev k:prod", false,
			[]string{"1 × Key=k over available RPM=0. Model RPM=100, Active keys=None", "1 × 200"},
		},
		{
			"v3: 60 tokens, no reservation", LiteLLM3,
			Capacity{TPM: 60},
			"", "k1 k2 k2 k1", false,
			[]string{"2 × 200", "2 × Model capacity reached for m. Priority: None, Rate limit type: tokens, Model TPM: 60, Model RPM: not configured, Remaining: 0"},
		},
		{
			"v3: 4 requests, no reservation", LiteLLM3,
			Capacity{RPM: 4},
			"", repeat("k", 6), false,
			[]string{"4 × 200", "2 × Model capacity reached for m. Priority: None, Rate limit type: requests, Model TPM: not configured, Model RPM: 4, Remaining: 0"},
		},
		{"v3: 40 requests at once, 60 tokens allowed", LiteLLM3, Capacity{TPM: 60}, "", repeat("k", 40), true, []string{"40 × 200"}},
		{
			"v3: 40 requests at once, 4 allowed", LiteLLM3,
			Capacity{RPM: 4},
			"", repeat("k", 40), true,
			[]string{"4 × 200", "36 × Model capacity reached for m. Priority: None, Rate limit type: requests, Model TPM: not configured, Model RPM: 4, Remaining: 0"},
		},
		{
			"v3: what dev borrowed is prod's", LiteLLM3,
			Capacity{RPM: 10},
			pools, repeat("d:dev", 6) + " " + repeat("p:prod", 6), false,
			[]string{
				"5 × 200", "1 × Priority-based rate limit exceeded. Model: m, Priority: dev, Rate limit type: requests, Model TPM: not configured, Model RPM: 10, Remaining: -1, Model saturation: 50.0%",
				"5 × 200", "1 × Model capacity reached for m. Priority: prod, Rate limit type: requests, Model TPM: not configured, Model RPM: 10, Remaining: 0",
			},
		},
		{
			"v3: a key without a priority", LiteLLM3,
			Capacity{RPM: 10},
			pools, repeat("k", 7), false,
			[]string{"5 × 200", "2 × Priority-based rate limit exceeded. Model: m, Priority: None, Rate limit type: requests, Model TPM: not configured, Model RPM: 10, Remaining: -1, Model saturation: 50.0%"},
		},
		{
			"v3: an unknown priority is in the default pool", LiteLLM3,
			Capacity{RPM: 10},
			pools, repeat("k", 3) + " " + repeat("z:zzz", 3), false,
			[]string{"5 × 200", "1 × Priority-based rate limit exceeded. Model: m, Priority: zzz, Rate limit type: requests, Model TPM: not configured, Model RPM: 10, Remaining: -1, Model saturation: 50.0%"},
		},
		{
			"v3: prod alone", LiteLLM3,
			Capacity{RPM: 10},
			pools, repeat("p:prod", 12), false,
			[]string{"9 × 200", "3 × Priority-based rate limit exceeded. Model: m, Priority: prod, Rate limit type: requests, Model TPM: not configured, Model RPM: 10, Remaining: 0, Model saturation: 90.0%"},
		},
	} {
		g := openGate(t, row.rule, row.model, row.settings, 1)
		var got []string
		var open []*request
		for i, ask := range strings.Fields(row.asks) {
			name, priority, _ := strings.Cut(ask, ":")
			r := &request{key: g.key(name, priority), prompt: 10, output: 20}
			now := time.Duration(i) * 10 * time.Millisecond
			v, err := g.gate.ask(now, r)
			if err != nil {
				t.Fatal(err)
			}
			text := v.message
			if v.admitted {
				text = ok
				open = append(open, r)
			}
			if n := len(got); n > 0 && strings.HasSuffix(got[n-1], " × "+text) {
				times, _, _ := strings.Cut(got[n-1], " ")
				count, err := strconv.Atoi(times)
				if err != nil {
					t.Fatal(err)
				}
				got[n-1] = fmt.Sprintf("%d × %s", count+1, text)
			} else {
				got = append(got, "1 × "+text)
			}
			for ; len(open) > 0 && !row.atOnce; open = open[1:] {
				if err := g.gate.answer(now+time.Millisecond, open[0]); err != nil {
					t.Fatal(err)
				}
			}
		}
		if strings.Join(got, "\n") != strings.Join(row.want, "\n") {
			t.Errorf("%s: got\n\t%s\nwant\n\t%s", row.name, strings.Join(got, "\n\t"), strings.Join(row.want, "\n\t"))
		}
	}
}

// What LiteLLM's success headers show are these numbers, as observed.
func TestLiteLLMHeaders(t *testing.T) {
	t.Parallel()
	v1 := openGate(t, LiteLLM1, Capacity{TPM: 60}, "", 1)
	for _, row := range []struct {
		key                 string
		part, left, project int64
	}{{"k1", 30, 30, 1}, {"k2", 0, 0, 2}} {
		r := &request{key: v1.key(row.key, ""), prompt: 10, output: 20}
		v1.serve(t, 0, r)
		p := v1.gate.(*projects)
		part, left := p.available(60, p.tokens, r.key)
		if part != row.part || left != row.left || int64(len(p.active)) != row.project {
			t.Errorf("v1, %s: project-tokens %d, model-tokens %d, active %d, want %+v", row.key, part, left, len(p.active), row)
		}
	}

	v3 := openGate(t, LiteLLM3, Capacity{RPM: 10}, `{"priority_reservation": {"prod": 0.9}, "priority_reservation_settings": {"default_priority": 0}}`, 1)
	p := v3.gate.(*priorities)
	for range 5 {
		v3.serve(t, 0, &request{key: v3.key("k", "")})
		if pool := p.pool(""); pool.limit.RPM != 0 || pool.limit.RPM-pool.requests != -1 {
			t.Errorf("v3: the default pool has a limit of %d and %d left, want 0 and -1", pool.limit.RPM, pool.limit.RPM-pool.requests)
		}
	}
	v3 = openGate(t, LiteLLM3, Capacity{RPM: 10}, `{"priority_reservation": {"prod": 0.9}}`, 1)
	p = v3.gate.(*priorities)
	for want := int64(8); want >= 0; want-- {
		v3.serve(t, 0, &request{key: v3.key("k", "prod")})
		if pool := p.pool("prod"); pool.limit.RPM-pool.requests != want {
			t.Errorf("v3: prod has %d left, want %d", pool.limit.RPM-pool.requests, want)
		}
	}
}

// A gateUnderTest is a rule's gate and the keys that were named to it.
type gateUnderTest struct {
	gate gate
	keys map[string]*key
}

// openGate opens a rule for a model with settings.
func openGate(t *testing.T, rule Rule, model Capacity, settings string, instances int) *gateUnderTest {
	t.Helper()
	limiter, err := readLimiter([]byte(settings), model)
	if err != nil {
		t.Fatal(err)
	}
	g, err := rule.open(&Scenario{Model: model, limiter: limiter, Instances: instances}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &gateUnderTest{g, map[string]*key{}}
}

// key returns the key with this name and priority.
func (g *gateUnderTest) key(name, priority string) *key {
	k := g.keys[name]
	if k == nil {
		k = &key{number: len(g.keys), name: name, tenant: &Tenant{Priority: priority}}
		g.keys[name] = k
	}
	k.tenant.Priority = priority
	return k
}

// serve asks and answers at once.
func (g *gateUnderTest) serve(t *testing.T, now time.Duration, r *request) {
	t.Helper()
	v, err := g.gate.ask(now, r)
	if err != nil || !v.admitted {
		t.Fatalf("%s at %v: %+v, %v", r.key.name, now, v, err)
	}
	if err := g.gate.answer(now, r); err != nil {
		t.Fatal(err)
	}
}

// The first rule counts in clock minutes, by when the answer comes; the third
// in windows that begin with a request, and loses what comes after them.
func TestLiteLLMWindows(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for _, row := range []struct {
		name   string
		rule   Rule
		asked  time.Duration // a request that takes all 30 tokens
		answer time.Duration
		again  time.Duration
		want   bool
	}{
		{"v1: in the same minute", LiteLLM1, 50 * s, 55 * s, 59 * s, false},
		{"v1: in the next minute", LiteLLM1, 50 * s, 55 * s, 60 * s, true},
		{"v1: an answer counts when it comes", LiteLLM1, 50 * s, 61 * s, 62 * s, false},
		{"v3: a window goes across the minute", LiteLLM3, 50 * s, 55 * s, 109 * s, false},
		{"v3: and ends after 60 seconds", LiteLLM3, 50 * s, 55 * s, 110 * s, true},
		{"v3: a window begins with the second", LiteLLM3, 50*s + 900*time.Millisecond, 55 * s, 110 * s, true},
		{"v3: an answer after the window is lost", LiteLLM3, 50 * s, 111 * s, 112 * s, true},
	} {
		g := openGate(t, row.rule, Capacity{TPM: 30}, "", 1)
		r := &request{key: g.key("k", ""), prompt: 10, output: 20}
		if v, err := g.gate.ask(row.asked, r); err != nil || !v.admitted {
			t.Fatalf("%s: %+v, %v", row.name, v, err)
		}
		if err := g.gate.answer(row.answer, r); err != nil {
			t.Fatal(err)
		}
		if v, err := g.gate.ask(row.again, &request{key: g.key("k", "")}); err != nil || v.admitted != row.want {
			t.Errorf("%s: admitted %v, %v, want %v", row.name, v.admitted, err, row.want)
		}
	}
}

// An instance that does not write takes the saturation from a copy that may be
// saturation_check_cache_ttl old.
func TestLiteLLMStaleSaturation(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		instances int
		ttl       int
		want      int // of dev's 10 requests, asked of the instances in turn
	}{
		{1, 60, 5},
		{2, 60, 6}, // the second one's copy is a request old
		{2, 0, 5},
	} {
		settings := fmt.Sprintf(`{"priority_reservation": {"prod": 0.9, "dev": 0.1}, "priority_reservation_settings": {"saturation_check_cache_ttl": %d}}`, row.ttl)
		g := openGate(t, LiteLLM3, Capacity{RPM: 10}, settings, row.instances)
		admitted := 0
		for i := range 10 {
			v, err := g.gate.ask(time.Duration(i)*time.Second, &request{key: g.key("k", "dev")})
			if err != nil {
				t.Fatal(err)
			}
			if v.admitted {
				admitted++
			}
		}
		if admitted != row.want {
			t.Errorf("%d instances, copies of %d s: %d admitted, want %d", row.instances, row.ttl, admitted, row.want)
		}
	}
}

// Reservations are read as LiteLLM reads them.
func TestLimiter(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		reservations string
		priority     string
		part         float64 // reserved
		normalised   float64
	}{
		{`{"a": 0.5}`, "a", 0.5, 0.5},
		{`{"a": {"value": 0.5}}`, "a", 0.5, 0.5},
		{`{"a": {"type": "percent", "value": 0.5}}`, "a", 0.5, 0.5},
		{`{"a": {"type": "rpm", "value": 5}}`, "a", 0.5, 0.5},
		{`{"a": {"type": "tpm", "value": 0.25}}`, "a", 0.25, 0.25}, // the model has no tpm
		{`{"a": 1.5, "b": 0.5}`, "a", 1.5, 0.75},
		{`{"a": {}}`, "a", 1, 1},
		{`{"a": 0.5}`, "b", 0, 0},
	} {
		l, err := readLimiter([]byte(`{"callbacks": ["x", "dynamic_rate_limiter_v3"], "priority_reservation": `+row.reservations+`}`), Capacity{RPM: 10})
		if err != nil || !l.pools || !l.reserves {
			t.Fatalf("%s: %+v, %v", row.reservations, l, err)
		}
		part, _ := l.reserved(row.priority)
		normalised, _ := l.normalised(row.priority)
		if part != row.part || normalised != row.normalised {
			t.Errorf("%s, %s: %g and %g, want %g and %g", row.reservations, row.priority, part, normalised, row.part, row.normalised)
		}
	}
	for _, bad := range []string{`{"priority_reservation": 3}`, `{"priority_reservation": {"a": "b"}}`, `[]`} {
		if _, err := readLimiter([]byte(bad), Capacity{}); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	if l, err := readLimiter([]byte(`{"callbacks": "dynamic_rate_limiter"}`), Capacity{}); err != nil || l.pools || l.reserves || l.fallback != 0.25 || l.threshold != 0.5 || l.ttl != time.Minute {
		t.Errorf("defaults: %+v, %v", l, err)
	}
}
