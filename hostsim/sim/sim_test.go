package sim

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fairshare/hostsim"
)

// load is done once, so that the filter is compiled once.
var load = sync.OnceValues(func() (*hostsim.Module, error) { return hostsim.LoadModule("../../build/fairshare.wasm") })

// module is the filter.
func module(t *testing.T) *hostsim.Module {
	t.Helper()
	m, err := load()
	if err != nil {
		t.Fatalf("%v: make it with: make build", err)
	}
	return m
}

// plugin is the filter's rule.
func plugin(t *testing.T) Rule {
	t.Helper()
	return Fairshare(module(t))
}

// parse reads a scenario of the test.
func parse(t *testing.T, text string) *Scenario {
	t.Helper()
	s, err := Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mixed has every pattern, size and answer to a refusal.
const mixed = `{
	"title": "all kinds", "model": {"tpm": 20000, "rpm": 100}, "workers": 3, "minutes": 2, "seed": 7,
	"litellm_settings": {"callbacks": ["dynamic_rate_limiter"], "priority_reservation": {"gold": 0.5}},
	"tenants": [
		{"name": "steady", "count": 3, "arrivals": {"constant": 12}, "prompt_bytes": {"uniform": [10, 900]},
			"output_tokens": {"exponential": 80}, "latency_ms": {"exponential": 900, "max": 20000}, "stream": true},
		{"name": "random", "priority": "gold", "arrivals": {"poisson": 30}, "prompt_bytes": {"quantiles": [10, 100, 2000]},
			"max_tokens": 100, "output_tokens": {"uniform": [1, 200]}, "latency_ms": 300, "refused": {"then": "wait", "give_up_s": 40}},
		{"name": "bursts", "arrivals": {"burst": {"requests": 9, "every_s": 20}}, "bytes_per_token": 2.5, "prompt_bytes": 300,
			"output_tokens": 50, "latency_ms": {"uniform": [0, 50]}, "refused": {"then": "retry", "every_ms": 700}},
		{"name": "daily", "arrivals": {"diurnal": {"low": 20, "high": 40}}, "prompt_bytes": 100, "output_tokens": 10, "latency_ms": 5000},
		{"name": "hog", "arrivals": {"backlog": 3}, "awake": {"from_s": 15, "to_s": 30, "every_s": 60}, "prompt_bytes": 200,
			"output_tokens": {"uniform": [20, 90]}, "latency_ms": {"uniform": [300, 700]}, "refused": {"then": "retry", "every_ms": 400, "give_up_s": 5}}
	]
}`

// The same seed gives the same bytes in every file, another seed others; and
// every rule meets the same arrivals and sizes.
func TestSameSeedSameBytes(t *testing.T) {
	t.Parallel()
	rules := Rules(module(t))
	play := func(seed uint64) (dir string, outcomes []Outcome) {
		dir = t.TempDir()
		s := parse(t, mixed)
		s.Seed = seed
		for _, rule := range rules {
			o, err := Play(s, rule)
			if err != nil || o.Err != nil {
				t.Fatal(err, o.Err)
			}
			outcomes = append(outcomes, o)
		}
		if err := Write(dir, outcomes); err != nil {
			t.Fatal(err)
		}
		return dir, outcomes
	}
	first, outcomes := play(7)
	again, _ := play(7)
	other, _ := play(8)
	for _, name := range []string{"result.json", "result.csv", "rate.svg", "minute.svg"} {
		var text [3]string
		for i, dir := range []string{first, again, other} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			text[i] = string(b)
		}
		if text[0] != text[1] {
			t.Errorf("%s: two runs with one seed differ", name)
		}
		if text[0] == text[2] {
			t.Errorf("%s: two seeds give the same", name)
		}
	}
	for _, o := range outcomes {
		for _, name := range []string{"steady", "daily"} { // they drop what is refused, so each ask is an arrival
			got, want := tenancy(t, o.Result, name), tenancy(t, outcomes[0].Result, name)
			if got.Asked != want.Asked || got.AskedTokens != want.AskedTokens || got.Asked == 0 {
				t.Errorf("%s: %s asked %d requests of %d tokens, %s %d of %d", o.Rule, name, got.Asked, got.AskedTokens, outcomes[0].Rule, want.Asked, want.AskedTokens)
			}
		}
	}
}

func tenancy(t *testing.T, r *Result, name string) Tenancy {
	t.Helper()
	for _, x := range r.Tenants {
		if x.Name == name {
			return x
		}
	}
	t.Fatalf("there is no tenant %s", name)
	return Tenancy{}
}

// The plugin's books end with what the upstream reported, and with nothing
// held: of a model that is too small, whose minutes end with nothing under way,
// and of one that has room for the answers that come after the end.
func TestConservation(t *testing.T) {
	t.Parallel()
	rule := plugin(t)
	for _, row := range []struct {
		workers int
		model   Capacity
	}{{1, Capacity{20000, 100}}, {3, Capacity{1_000_000, 0}}, {64, Capacity{0, 100}}} {
		s := parse(t, mixed)
		s.Workers, s.Model = row.workers, row.model
		r, err := Run(s, rule)
		if err != nil {
			t.Fatal(err)
		}
		var admitted, used, refused int64
		for _, x := range r.Tenants {
			admitted, used, refused = admitted+x.Admitted, used+x.Used, refused+x.Refused
		}
		b := r.Books
		if b == nil || b.Tokens != r.Reported || b.Requests != admitted || b.Refused != refused || b.Held != 0 || b.InFlight != 0 || b.Guessed != 0 {
			t.Errorf("%+v: books %+v, but %d requests, %d refused, %d tokens reported", row, b, admitted, refused, r.Reported)
		}
		if used != r.Reported || used == 0 || (refused == 0) != (row.model.RPM == 0) {
			t.Errorf("%+v: %d tokens admitted, %d reported, %d refused", row, used, r.Reported, refused)
		}
	}
}

// A seed chooses the worker of each request, and leaves none out.
func TestWorkers(t *testing.T) {
	t.Parallel()
	s := parse(t, mixed)
	s.Model = Capacity{RPM: 1000}
	var picks [2][]int
	for i := range picks {
		k := &key{tenant: s.Tenants[0], name: "t"}
		g, err := plugin(t).open(s, []*key{k})
		if err != nil {
			t.Fatal(err)
		}
		defer g.close()
		for range 30 {
			r := &request{key: k, bytes: leastBytes}
			if v, err := g.ask(0, r); err != nil || !v.admitted {
				t.Fatalf("%+v, %v", v, err)
			}
			picks[i] = append(picks[i], r.state.(*hostsim.Stream).Worker())
		}
	}
	if !slices.Equal(picks[0], picks[1]) || !slices.Contains(picks[0], 1) || !slices.Contains(picks[0], 2) || !slices.Contains(picks[0], 3) {
		t.Errorf("workers %v and %v", picks[0], picks[1])
	}
}

// The standing set reaches what its files want, in its first minutes; hostsim sim
// -set plays all of it.
func TestStandingSet(t *testing.T) {
	t.Parallel()
	rule := plugin(t)
	files, err := filepath.Glob("../../testdata/sim/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		s, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			if s.Minutes > 60 { // of a day, some minutes before noon
				s.Start = s.Start.Add(11 * time.Hour)
			}
			s.Minutes = min(s.Minutes, 10)
			r, err := Run(s, rule)
			if err != nil {
				t.Fatal(err)
			}
			for _, missed := range r.Missed() {
				t.Error(missed)
			}
			if r.Books.Tokens != r.Reported || r.Books.Held != 0 {
				t.Errorf("books %+v, %d tokens reported", r.Books, r.Reported)
			}
		})
	}
}

// One minute of ten tenants with 3,000 requests takes no more than two seconds
// of an idle machine; the bound is for busy ones.
func TestQuick(t *testing.T) {
	t.Parallel()
	s := parse(t, `{"title": "t", "model": {"tpm": 600000}, "workers": 4, "litellm_settings": {"callbacks": ["dynamic_rate_limiter"]},
		"tenants": [{"name": "t", "count": 10, "arrivals": {"poisson": 300}, "prompt_bytes": 400, "output_tokens": 200, "latency_ms": 1000}]}`)
	rule := plugin(t)
	began := time.Now()
	r, err := Run(s, rule)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 30*time.Second || r.Tenants[0].Asked < 2800 {
		t.Errorf("%d requests took %v", r.Tenants[0].Asked, took)
	}
}

// A configuration that the filter refuses is an outcome, which a set tells of
// and whose files lack that rule.
func TestConfigRefused(t *testing.T) {
	t.Parallel()
	s := parse(t, `{"title": "t", "model": {"rpm": 1}, "fairshare_settings": {"host": "nowhere"},
		"tenants": [{"name": "t", "arrivals": {"constant": 1}}], "want": {"whole": ["t"]}}`)
	var outcomes []Outcome
	for _, rule := range Rules(module(t)) {
		o, err := Play(s, rule)
		if err != nil {
			t.Fatal(err)
		}
		outcomes = append(outcomes, o)
	}
	failed := Failed(outcomes)
	if len(failed) != 1 || !strings.HasPrefix(failed[0], "test: the configuration is refused: ") || !strings.Contains(failed[0], "fairshare_settings.host") {
		t.Errorf("failed: %q", failed)
	}
	dir := filepath.Join(t.TempDir(), "new")
	if err := Write(dir, outcomes); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "result.json"))
	if err != nil || strings.Contains(string(text), `"Fairshare"`) || !strings.Contains(string(text), `"LiteLLM v1"`) {
		t.Errorf("%s, %v", text, err)
	}
	if err := Write(filepath.Join(dir, "none"), outcomes[:1]); err != nil {
		t.Error(err)
	}
}

// What a file says wrong is told with its place.
func TestParse(t *testing.T) {
	t.Parallel()
	const tenant = `{"name": "t", "arrivals": {"constant": 1}}`
	for _, row := range []struct{ text, want string }{
		{`{"model": {"tpm": 1}, "tenants": [` + tenant + `]}`, ""},
		{`{"model": {"tpm": 1}, "tenants": [` + tenant + `]} x`, "more after the end"},
		{`{"model": {"tpm": 1}, "tenant": []}`, "tenant"},
		{`{"tenants": [` + tenant + `]}`, "model"},
		{`{"model": {"tpm": -1}, "tenants": [` + tenant + `]}`, "model"},
		{`{"model": {"tpm": 1}}`, "tenants"},
		{`{"model": {"tpm": 1}, "tenants": [null]}`, "tenants[0]"},
		{`{"model": {"tpm": 1}, "tenants": [` + tenant + `,` + tenant + `]}`, "tenants[1].name"},
		{`{"model": {"tpm": 1}, "tenants": [` + tenant + `, {"name": "x", "count": 2, "arrivals": {"constant": 1}}, {"name": "x-2", "arrivals": {"constant": 1}}]}`, "tenants[2].name"},
		{`{"model": {"tpm": 1}, "workers": 65, "tenants": [` + tenant + `]}`, "workers"},
		{`{"model": {"tpm": 1}, "litellm_instances": 65, "tenants": [` + tenant + `]}`, "litellm_instances"},
		{`{"model": {"tpm": 1}, "minutes": 20000, "tenants": [` + tenant + `]}`, "minutes"},
		{`{"model": {"tpm": 1}, "start": "2026-01-01T00:00:01Z", "tenants": [` + tenant + `]}`, "start"},
		{`{"model": {"tpm": 1}, "want": {"whole": ["x"]}, "tenants": [` + tenant + `]}`, "want.whole"},
		{`{"model": {"tpm": 1}, "litellm_settings": {"priority_reservation": 1}, "tenants": [` + tenant + `]}`, "priority_reservation"},
	} {
		_, err := Parse("test", []byte(row.text))
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.text, err, row.want)
		}
	}
	for _, row := range []struct{ members, want string }{
		{`"arrivals": {"constant": 1}, "count": 1001`, "count"},
		{`"arrivals": {}`, "arrivals"},
		{`"arrivals": {"constant": 1, "poisson": 1}`, "arrivals"},
		{`"arrivals": {"poisson": -1}`, "arrivals"},
		{`"arrivals": {"poisson": 1e9}`, "arrivals"},
		{`"arrivals": {"burst": {"requests": 1}}`, "arrivals.burst"},
		{`"arrivals": {"diurnal": {"low": 2, "high": 1}}`, "arrivals.diurnal"},
		{`"arrivals": {"backlog": 1}, "latency_ms": 1`, "arrivals.backlog"},
		{`"arrivals": {"backlog": 1}, "refused": {"then": "retry"}`, "arrivals.backlog"},
		{`"arrivals": {"constant": 1}, "awake": {"from_s": 2, "to_s": 1}`, "awake"},
		{`"arrivals": {"constant": 1}, "awake": {"from_s": 2, "every_s": 10}`, "awake"},
		{`"arrivals": {"constant": 1}, "bytes_per_token": 0.1`, "bytes_per_token"},
		{`"arrivals": {"constant": 1}, "max_tokens": -1`, "max_tokens"},
		{`"arrivals": {"constant": 1}, "refused": {"then": "cry"}`, "refused.then"},
		{`"arrivals": {"constant": 1}, "refused": {"every_ms": -1}`, "refused"},
		{`"arrivals": {"constant": 1}, "prompt_bytes": {}`, "distribution"},
	} {
		text := `{"model": {"tpm": 1}, "tenants": [{"name": "t", ` + row.members + `}]}`
		if _, err := Parse("test", []byte(text)); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.members, err, row.want)
		}
	}
	s := parse(t, `{"model": {"rpm": 1}, "tenants": [`+tenant+`]}`)
	x := s.Tenants[0]
	if s.Name != "test" || s.Workers != 2 || s.Instances != 1 || s.Minutes != 1 || s.Start.Format(time.RFC3339) != "2026-01-05T00:00:00Z" ||
		x.Count != 1 || x.BytesPerToken != 4 || x.Refused != (Refused{Then: "drop", EveryMS: 1000}) {
		t.Errorf("defaults: %+v, %+v", s, x)
	}
	if _, err := Load("no-such-file.json"); err == nil {
		t.Error("a missing file: no error")
	}
}

// A recorder admits all and notes what was asked when.
type recorder struct {
	queueless
	asks *[]ask
	deny bool          // all
	wait time.Duration // that a refusal tells
}

type ask struct {
	at  time.Duration
	who string
	*request
}

func (r recorder) Name() string { return "recorder" }

func (r recorder) open(*Scenario, []*key) (gate, error) { return &r, nil }

func (r *recorder) ask(now time.Duration, q *request) (verdict, error) {
	*r.asks = append(*r.asks, ask{now, q.key.name, q})
	return verdict{admitted: !r.deny, retry: r.wait}, nil
}

// asks runs one tenant for some minutes under a recorder.
func asks(t *testing.T, minutes int, tenant string, r recorder) []ask {
	t.Helper()
	s := parse(t, fmt.Sprintf(`{"model": {"rpm": 1}, "minutes": %d, "start": "2026-01-05T00:00:00Z", "tenants": [{"name": "t", %s}]}`, minutes, tenant))
	var all []ask
	r.asks = &all
	if _, err := Run(s, r); err != nil {
		t.Fatal(err)
	}
	return all
}

// Each pattern asks as often as it says, and only while awake.
func TestArrivals(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		arrivals  string
		minutes   int
		want, off float64 // requests, and how many more or less there may be
	}{
		{`"arrivals": {"constant": 30}`, 10, 300, 0},
		{`"arrivals": {"constant": 30}, "count": 5`, 10, 1500, 0},
		{`"arrivals": {"poisson": 30}`, 100, 3000, 4 * math.Sqrt(3000)},
		{`"arrivals": {"burst": {"requests": 7, "every_s": 20}}`, 2, 42, 0},
		{`"arrivals": {"burst": {"requests": 7, "every_s": 20}}, "awake": {"from_s": 50}`, 2, 28, 0},
		{`"arrivals": {"diurnal": {"low": 2, "high": 10}}`, 1440, 6 * 1440, 4 * math.Sqrt(6*1440)},
		{`"arrivals": {"diurnal": {"low": 0, "high": 10}}`, 60, 1.7, 6}, // ∫ 10 sin²(πt/day) over the first hour
		{`"arrivals": {"poisson": 60}, "awake": {"from_s": 30, "to_s": 45, "every_s": 60}`, 100, 1500, 4 * math.Sqrt(1500)},
		{`"arrivals": {"constant": 60}, "awake": {"from_s": 10, "to_s": 20}`, 3, 10, 0},
		{`"arrivals": {"backlog": 3}, "latency_ms": 2000, "refused": {"then": "retry"}`, 1, 90, 0},
		{`"arrivals": {"backlog": 3}, "latency_ms": 2000, "refused": {"then": "retry"}, "awake": {"from_s": 30, "to_s": 40, "every_s": 60}`, 2, 30, 0},
	} {
		got := asks(t, row.minutes, row.arrivals, recorder{})
		if n := float64(len(got)); math.Abs(n-row.want) > row.off {
			t.Errorf("%s: %g requests in %d minutes, want %g ± %g", row.arrivals, n, row.minutes, row.want, row.off)
		}
		for _, a := range got {
			if !a.key.tenant.Awake.open(a.at) {
				t.Errorf("%s: an ask at %v", row.arrivals, a.at)
			}
		}
	}
	// The constant ones of several keys do not come at one moment.
	got := asks(t, 1, `"arrivals": {"constant": 1}, "count": 20`, recorder{})
	at := map[time.Duration]bool{}
	for _, a := range got {
		at[a.at] = true
	}
	if len(at) != 20 {
		t.Errorf("20 keys asked at %d moments", len(at))
	}
}

// A refused request comes again as its tenant says, with the same sizes.
func TestRefused(t *testing.T) {
	t.Parallel()
	const one = `"arrivals": {"burst": {"requests": 1, "every_s": 1000}}, "awake": {"from_s": 1}, "output_tokens": {"uniform": [1, 1000000]}, `
	for _, row := range []struct {
		refused string
		retry   time.Duration
		want    string
	}{
		{`"refused": {"then": "drop"}`, time.Second, "1s"},
		{`"refused": {"then": "retry", "every_ms": 20000}`, time.Second, "1s 21s 41s"},
		{`"refused": {"then": "retry", "every_ms": 20000, "give_up_s": 20}`, time.Second, "1s 21s"},
		{`"refused": {"then": "retry", "every_ms": 20000, "give_up_s": 19}`, time.Second, "1s"},
		{`"refused": {"then": "wait", "every_ms": 20000}`, 25 * time.Second, "1s 26s 51s"},
		{`"refused": {"then": "wait", "every_ms": 20000}`, 0, "1s 21s 41s"},
	} {
		var at []string
		sizes := map[int64]bool{}
		for _, a := range asks(t, 1, one+row.refused, recorder{deny: true, wait: row.retry}) {
			at = append(at, a.at.String())
			sizes[a.tokens()] = true
		}
		if got := strings.Join(at, " "); got != row.want || len(sizes) != 1 {
			t.Errorf("%s: asked at %s with %d sizes, want %s", row.refused, got, len(sizes), row.want)
		}
	}
	// A hog that gives up asks for the next thing, and never has more than its
	// backlog under way.
	const hog = `"arrivals": {"backlog": 2}, "latency_ms": 1, "output_tokens": {"uniform": [1, 1000000]}, "refused": {"then": "retry", "every_ms": 10000, "give_up_s": 15}`
	got := asks(t, 1, hog, recorder{deny: true})
	sizes := map[int64]bool{}
	for _, a := range got {
		sizes[a.tokens()] = true
	}
	if len(got) != 12 || len(sizes) != 6 {
		t.Errorf("a hog that gives up: %d asks of %d requests, want 12 of 6", len(got), len(sizes))
	}
	// Not even if it wakes between giving up and the next one.
	got = asks(t, 2, strings.Replace(hog, `15}`, `1}, "awake": {"from_s": 0, "to_s": 25, "every_s": 25}`, 1), recorder{deny: true})
	if len(got) != 24 {
		t.Errorf("a hog that wakes again: %d asks, want 24", len(got))
	}
}

// A request that is asked again in a minute is one ask and so many refusals; one
// that waits into the next minute is wanted there, too.
func TestAskedOnce(t *testing.T) {
	t.Parallel()
	s := parse(t, `{"model": {"tpm": 100}, "minutes": 2, "tenants": [{"name": "t", "arrivals": {"burst": {"requests": 1, "every_s": 1000}}, "awake": {"from_s": 15},
		"prompt_bytes": 400, "refused": {"then": "retry", "every_ms": 20000}}]}`)
	r, err := Run(s, recorder{asks: new([]ask), deny: true})
	if err != nil {
		t.Fatal(err)
	}
	for m, want := range []Minute{
		{Asked: 1, AskedTokens: 100, Refused: 3, First: 15 * time.Second, largest: Capacity{100, 1}},
		{Asked: 1, AskedTokens: 100, Refused: 3, First: 15 * time.Second, largest: Capacity{100, 1}},
	} {
		if got := r.Keys[0].Minutes[m]; got != want {
			t.Errorf("minute %d: %+v, want %+v", m, got, want)
		}
	}
}

// First come first served fills a minute to the brim and no further.
func TestFirstCome(t *testing.T) {
	t.Parallel()
	g, err := FirstCome.open(&Scenario{Model: Capacity{TPM: 100, RPM: 3}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		at     time.Duration
		tokens int64
		retry  time.Duration // 0 for admitted
	}{
		{0, 60, 0},
		{10 * time.Second, 41, 50 * time.Second},
		{10 * time.Second, 40, 0},
		{59 * time.Second, 0, 0},
		{59 * time.Second, 0, time.Second}, // the fourth request
		{60 * time.Second, 101, 0},         // one that no minute could hold
		{61 * time.Second, 1, 59 * time.Second},
		{120 * time.Second, 1, 0},
	} {
		v, err := g.ask(row.at, &request{output: row.tokens})
		if err != nil || v.admitted != (row.retry == 0) || v.retry != row.retry {
			t.Errorf("%d tokens at %v: %+v, %v", row.tokens, row.at, v, err)
		}
	}
}

// Answers come even after the end of traffic.
func TestLateAnswers(t *testing.T) {
	t.Parallel()
	s := parse(t, `{"model": {"tpm": 100000}, "tenants": [{"name": "t", "arrivals": {"constant": 60}, "prompt_bytes": 400, "latency_ms": 90000}]}`)
	r, err := Run(s, FirstCome)
	if err != nil || r.Reported != 6000 || r.Tenants[0].Used != 6000 {
		t.Errorf("%d tokens reported, %d admitted, %v", r.Reported, r.Tenants[0].Used, err)
	}
}

// Sizes are as the tenant says.
func TestSizes(t *testing.T) {
	t.Parallel()
	got := asks(t, 1, `"arrivals": {"constant": 60}, "prompt_bytes": 1, "output_tokens": 500, "max_tokens": 100, "latency_ms": 70`, recorder{})
	for _, a := range got {
		if a.bytes != leastBytes || a.prompt != 1 || a.output != 100 || a.latency != 70*time.Millisecond {
			t.Fatalf("%+v", a.request)
		}
	}
	got = asks(t, 1, `"arrivals": {"constant": 60}, "prompt_bytes": 1000, "bytes_per_token": 2.5, "output_tokens": 5`, recorder{})
	for _, a := range got {
		body := appendAsk(nil, a.request)
		if a.prompt != 400 || a.output != 5 || a.tokens() != 405 || strings.Count(string(body), "a") != 1000-len(role)+strings.Count(`{"messages":[{"role":"user"`, "a") {
			t.Fatalf("%+v: %s", a.request, body)
		}
	}
}

// made returns the result of minutes that a test writes down: for each key
// asked, used and refused requests of 100 tokens.
func made(t *testing.T, text string, cells map[string][][3]int64) *Result {
	t.Helper()
	s := parse(t, text)
	r := newResult(s, FirstCome)
	for _, x := range s.Tenants {
		for n := range x.Count {
			name := x.keyName(n)
			r.addKey(x, name)
			for m, c := range cells[name] {
				r.Keys[len(r.Keys)-1].Minutes[m] = Minute{
					Asked: c[0], AskedTokens: 100 * c[0], Admitted: c[1], Used: 100 * c[1], Refused: c[2],
					Hungry: x.Arrivals.Backlog > 0 && c[2] > 0, largest: Capacity{100, 1},
				}
			}
		}
	}
	r.measure()
	return r
}

// The measures of minutes that can be checked by hand.
func TestMeasures(t *testing.T) {
	t.Parallel()
	const (
		head  = `{"model": {"tpm": 1000}, "minutes": 2, "tenants": [`
		open  = `"arrivals": {"constant": 1}}`
		hog   = `"arrivals": {"backlog": 1}, "latency_ms": 1, "refused": {"then": "retry"}}`
		pools = `{"model": {"tpm": 1000}, "minutes": 2, "litellm_settings": {"callbacks": ["dynamic_rate_limiter_v3"], "priority_reservation": {"prod": 0.8, "dev": 0.2}}, "tenants": [`
	)
	for _, row := range []struct {
		name  string
		text  string
		cells map[string][][3]int64
		want  string // utilisation, Jain, share error, short, delivered, stranded, overshoot, refused
	}{
		{
			"nobody asks for too much", head + `{"name": "a", "count": 2, ` + open + `]}`,
			map[string][][3]int64{"a-1": {{5, 5, 0}, {1, 1, 0}}, "a-2": {{3, 3, 0}, {0, 0, 0}}},
			"– 1.000 0.000 0 – 0.000 0.000 0",
		},
		{
			"two keys ask for all, one gets it", head + `{"name": "a", "count": 2, ` + open + `]}`,
			map[string][][3]int64{"a-1": {{10, 10, 0}, {10, 10, 0}}, "a-2": {{10, 0, 10}, {10, 0, 10}}},
			"1.000 0.500 1.000 2 – 0.000 0.000 20",
		},
		{
			"a small taker is no injustice", head + `{"name": "a", "count": 2, ` + open + `]}`,
			map[string][][3]int64{"a-1": {{20, 9, 11}, {20, 9, 11}}, "a-2": {{1, 1, 0}, {1, 1, 0}}},
			"1.000 1.000 0.000 0 – 0.000 0.000 22",
		},
		{
			"a small taker that does not get its own is", head + `{"name": "a", "count": 2, ` + open + `]}`,
			map[string][][3]int64{"a-1": {{20, 10, 10}, {20, 10, 10}}, "a-2": {{2, 0, 2}, {2, 0, 2}}},
			"1.000 0.500 1.000 2 – 0.000 0.000 24",
		},
		{
			"a refusal strands what is left", head + `{"name": "a", ` + hog + `]}`,
			map[string][][3]int64{"a": {{9, 8, 1}, {0, 0, 0}}},
			"0.800 – 0.200 1 – 0.200 0.000 1",
		},
		{
			"what is above the capacity is not utilisation", head + `{"name": "a", ` + open + `]}`,
			map[string][][3]int64{"a": {{15, 15, 0}, {20, 5, 15}}},
			"0.750 – 0.000 1 – 0.500 0.250 15",
		},
		{
			"a pool that gets its part", pools + `{"name": "p", "priority": "prod", ` + hog + `, {"name": "d", "priority": "dev", ` + hog + `]}`,
			map[string][][3]int64{"p": {{9, 8, 1}, {9, 8, 1}}, "d": {{3, 2, 1}, {3, 2, 1}}},
			"1.000 – 0.000 0 prod 1.000, dev 1.000 0.000 0.000 4",
		},
		{
			"a pool that is robbed in one minute", pools + `{"name": "p", "priority": "prod", ` + hog + `, {"name": "d", "priority": "dev", ` + hog + `]}`,
			map[string][][3]int64{"p": {{9, 2, 1}, {9, 10, 1}}, "d": {{9, 8, 1}, {0, 0, 0}}},
			"1.000 – 0.250 1 prod 0.625, dev 1.000 0.000 0.000 3",
		},
		{
			"a pool that asks for less than it has", pools + `{"name": "p", "priority": "prod", ` + open + `, {"name": "d", "priority": "dev", ` + hog + `]}`,
			map[string][][3]int64{"p": {{4, 3, 1}, {0, 0, 0}}, "d": {{9, 7, 1}, {0, 0, 0}}},
			"1.000 – 0.250 0 prod 0.750, dev 1.000 0.000 0.000 2",
		},
	} {
		got := strings.Join(measureTexts(&made(t, row.text, row.cells).Measures), " ")
		if got != row.want {
			t.Errorf("%s: got  %s\n\twant %s", row.name, got, row.want)
		}
	}
}

// Shares follow the callback and its reservations.
func TestShares(t *testing.T) {
	t.Parallel()
	const tenants = `"tenants": [
		{"name": "p", "count": 2, "priority": "prod", "arrivals": {"constant": 1}},
		{"name": "d", "priority": "dev", "arrivals": {"constant": 1}},
		{"name": "u", "arrivals": {"constant": 1}}]}`
	for _, row := range []struct {
		settings string
		active   string // names
		want     string
	}{
		{`{}`, "p-1 p-2 d u", "250 250 250 250"},
		{`{}`, "p-1", "1000 0 0 0"},
		{`{"priority_reservation": {"prod": 0.75, "dev": 0.25}}`, "p-1 d", "750 0 250 0"},
		{`{"priority_reservation": {"prod": 0.75, "dev": 0.25}}`, "p-1 p-2", "375 375 0 0"}, // a reservation is a limit
		{`{"priority_reservation": {"prod": 0.75, "dev": 0.25}}`, "p-1 d u", "375 0 125 500"},
		{`{"callbacks": ["dynamic_rate_limiter_v3"]}`, "p-1 u", "500 0 0 500"},
		{`{"callbacks": ["dynamic_rate_limiter_v3"], "priority_reservation": {"prod": 0.6, "dev": 0.2}, "priority_reservation_settings": {"default_priority": 0.1}}`, "p-1 p-2 d u", "300 300 200 100"},
		{`{"callbacks": ["dynamic_rate_limiter_v3"], "priority_reservation": {"prod": 0.6, "dev": 0.2}}`, "p-1", "600 0 0 0"},
		{`{"callbacks": ["dynamic_rate_limiter_v3"], "priority_reservation": {"prod": 0.8, "dev": 0.2}}`, "p-1 d u", "640 0 160 200"}, // 1.25 in all
	} {
		s := parse(t, `{"model": {"rpm": 1000}, "litellm_settings": `+row.settings+`, `+tenants)
		r := newResult(s, FirstCome)
		for _, name := range []string{"p-1", "p-2", "d", "u"} {
			at := map[byte]int{'p': 0, 'd': 1, 'u': 2}[name[0]]
			r.addKey(s.Tenants[at], name)
			if slices.Contains(strings.Fields(row.active), name) {
				r.Keys[len(r.Keys)-1].Minutes[0].Asked = 1
			}
		}
		var got []string
		for _, share := range r.shares(ofRequests, 0) {
			got = append(got, fmt.Sprint(math.Round(share)))
		}
		if text := strings.Join(got, " "); text != row.want {
			t.Errorf("%s, %s: %s, want %s", row.settings, row.active, text, row.want)
		}
		early := r.shares(ofRequests, 0)[0]
		r.Keys[0].Minutes[0].First = 45 * time.Second
		if late := r.shares(ofRequests, 0)[0]; math.Abs(late-early/4) > 1e-9 || early == 0 {
			t.Errorf("%s: a share of %g from second 45 on, of %g", row.settings, late, early)
		}
	}
}

// Windows say when they are open, and for how long.
func TestWindow(t *testing.T) {
	t.Parallel()
	const s = time.Second
	always, late := Window{}, Window{FromS: 30}
	once, again := Window{FromS: 30, ToS: 45}, Window{FromS: 30, ToS: 45, EveryS: 60}
	for _, row := range []struct {
		w       Window
		a, b    time.Duration
		open    bool // at a
		during  time.Duration
		opening time.Duration // not before a; -1 for none
	}{
		{always, 0, 60 * s, true, 60 * s, 0},
		{always, 7 * s, 60 * s, true, 53 * s, -1},
		{late, 0, 60 * s, false, 30 * s, 30 * s},
		{late, 30 * s, 60 * s, true, 30 * s, 30 * s},
		{once, 0, 300 * s, false, 15 * s, 30 * s},
		{once, 45 * s, 300 * s, false, 0, -1},
		{again, 0, 300 * s, false, 75 * s, 30 * s},
		{again, 31 * s, 92 * s, true, 16 * s, 90 * s},
		{again, 90 * s, 104 * s, true, 14 * s, 90 * s},
	} {
		opening, ok := row.w.opening(row.a)
		if !ok {
			opening = -1
		}
		if open, during := row.w.open(row.a), row.w.during(row.a, row.b); open != row.open || during != row.during || opening != row.opening {
			t.Errorf("%+v from %v to %v: open %v, for %v, next %v; want %v, %v, %v", row.w, row.a, row.b, open, during, opening, row.open, row.during, row.opening)
		}
	}
}

// The plots are XML with a panel for each rule and a colour for each tenant,
// and the files are as a reader wants them.
func TestWritten(t *testing.T) {
	t.Parallel()
	s := parse(t, strings.Replace(mixed, `"title": "all kinds"`, `"title": "a < b"`, 1))
	s.Tenants[0].Name = `say "hi", all`
	var results []*Result
	for _, rule := range []Rule{LiteLLM3, FirstCome} {
		r, err := Run(s, rule)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	for name, plot := range map[string]func(io.Writer, []*Result) error{"rate": plotRate, "minute": plotMinute} {
		var b strings.Builder
		if err := plot(&b, results); err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(strings.NewReader(b.String()))
		texts := ""
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if text, ok := token.(xml.CharData); ok {
				texts += string(text) + "\n"
			}
		}
		for _, want := range []string{"a < b\n", "LiteLLM v3\n", "first come\n", "say \"hi\", all × 3\n", "hog\n", "2:00\n"} {
			if !strings.Contains(texts, want) {
				t.Errorf("%s: no %q in\n%s", name, want, texts)
			}
		}
		if n := strings.Count(b.String(), "<path d=\"M"); n < 2*len(s.Tenants) || b.Len() > 40_000 {
			t.Errorf("%s: %d paths, %d bytes", name, n, b.Len())
		}
	}
	var csv strings.Builder
	if err := writeCSV(&csv, results); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(csv.String(), "\nLiteLLM v3,0,\"say \"\"hi\"\", all\",\"say \"\"hi\"\", all-1\",") {
		t.Errorf("%.300s", csv.String())
	}
}

// The area of a plot is what was admitted.
func TestStack(t *testing.T) {
	t.Parallel()
	y := func(v int64) int64 { return 100 - v }
	below := []int64{0, 0, 0, 0}
	if got, want := stack(below, []int64{5, 5, 7, 0}, 40, y), "M70 95H90V93H100V100H110V100H70Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := stack(below, []int64{1, 0, 0, 0}, 40, y), "M70 94H80V95H90V93H100V100H110V100H100V93H90V95H70Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := stack(below, []int64{0, 0, 0, 0}, 40, y); got != "" {
		t.Errorf("nothing is drawn as %s", got)
	}
}

// The tables that people read.
func TestTables(t *testing.T) {
	t.Parallel()
	r := made(t, `{"title": "a | b", "model": {"tpm": 1000, "rpm": 20}, "minutes": 2, "tenants": [{"name": "a", "count": 2, "arrivals": {"constant": 1}}]}`,
		map[string][][3]int64{"a-1": {{10, 10, 0}, {10, 10, 0}}, "a-2": {{10, 0, 10}, {10, 0, 10}}})
	outcomes := []Outcome{
		{r.Scenario, "Fairshare", nil, errors.New("the configuration is refused: no | way")},
		{r.Scenario, "first come", r, nil},
	}
	var text, markdown strings.Builder
	if err := errors.Join(WriteText(&text, r.Scenario, outcomes), WriteMarkdown(&markdown, outcomes)); err != nil {
		t.Fatal(err)
	}
	const wantText = `test: a | b
1000 tokens a minute, 20 requests a minute, 2 workers, 2 minutes, seed 0

rule        utilisation   Jain  share error  short  delivered  stranded  overshoot  refused
Fairshare       not run
first come        1.000  0.500        1.000      2          –     0.000      0.000       20

tenant  keys  asked  used  refused          by
a          2   4000  2000       20  first come

the configuration is refused: no | way
`
	const wantMarkdown = `| scenario | rule | utilisation | Jain | share error | short | delivered | stranded | overshoot | refused |
|---|---|---|---|---|---|---|---|---|---|
| a \| b | Fairshare | not run: the configuration is refused: no \| way | | | | | | | |
|  | first come | 1.000 | 0.500 | 1.000 | 2 | – | 0.000 | 0.000 | 20 |
`
	if text.String() != wantText {
		t.Errorf("got\n%s\nwant\n%s", text.String(), wantText)
	}
	if markdown.String() != wantMarkdown {
		t.Errorf("got\n%s\nwant\n%s", markdown.String(), wantMarkdown)
	}
}

// Missed names what a scenario wants in vain.
func TestMissed(t *testing.T) {
	t.Parallel()
	const text = `{"title": "t", "model": {"tpm": 1000}, "minutes": 2, "tenants": [{"name": "a", "count": 2, "arrivals": {"constant": 1}}], "want": %s}`
	cells := map[string][][3]int64{"a-1": {{10, 10, 0}, {10, 11, 0}}, "a-2": {{10, 0, 10}, {10, 0, 10}}}
	for _, row := range []struct{ want, missed string }{
		{`{}`, ""},
		{`{"utilisation": 1, "jain": 0.5, "overshoot": 0.1, "stranded": 0}`, ""},
		{`{"jain": 0.98}`, "Jain 0.5000 < 0.98"},
		{`{"overshoot": 0}`, "overshoot 0.1000 > 0"},
		{`{"whole": ["a"]}`, "a was refused 20 times"},
		{`{"delivered": 0.95}`, "no priority with a reservation asked"},
	} {
		if got := strings.Join(made(t, fmt.Sprintf(text, row.want), cells).Missed(), "; "); got != row.missed {
			t.Errorf("%s: %q, want %q", row.want, got, row.missed)
		}
	}
}
