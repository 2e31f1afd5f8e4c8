//go:build !tinygo

package price

import (
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fairshare/plugin/llm"
	"fairshare/plugin/unit"
)

// An entry is a model of LiteLLM's file: fields and their exact amounts.
type entry map[string]*big.Rat

// cost is the rules once more, on fractions without an end. inclusive thresholds
// are crossed when reached.
func (e entry) cost(u llm.Usage, inclusive bool) unit.PicoUSD {
	thresholds := map[int64]bool{}
	for name := range e {
		if _, tail, ok := strings.Cut(name, "_above_"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(tail, "k_tokens"), 10, 64)
			thresholds[n] = true
		}
	}
	crossed := []int64{}
	for n := range thresholds {
		if int64(u.Prompt) > n*1000 || inclusive && int64(u.Prompt) == n*1000 {
			crossed = append(crossed, n)
		}
	}
	slices.Sort(crossed)
	slices.Reverse(crossed)
	rate := func(names ...string) *big.Rat {
		for _, name := range names {
			for _, n := range crossed {
				if r, ok := e[name+"_above_"+strconv.FormatInt(n, 10)+"k_tokens"]; ok {
					return r
				}
			}
			if r, ok := e[name]; ok {
				return r
			}
		}
		return new(big.Rat)
	}
	sum := new(big.Rat)
	charge := func(whole *big.Int, part unit.Tokens, r *big.Rat) {
		n := big.NewInt(max(int64(part), 0))
		if n.Cmp(whole) > 0 {
			n.Set(whole)
		}
		whole.Sub(whole, n)
		sum.Add(sum, new(big.Rat).Mul(new(big.Rat).SetInt(n), r))
	}
	const in, out = "input_cost_per_token", "output_cost_per_token"
	prompt, completion := big.NewInt(max(int64(u.Prompt), 0)), big.NewInt(max(int64(u.Completion), 0))
	charge(prompt, u.Cached, rate("cache_read_input_token_cost", in))
	charge(prompt, u.CacheWrite, rate("cache_creation_input_token_cost", in))
	charge(prompt, u.PromptAudio, rate("input_cost_per_audio_token", in))
	charge(prompt, math.MaxInt64, rate(in))
	charge(completion, u.Reasoning, rate("output_cost_per_reasoning_token", out))
	charge(completion, u.CompletionAudio, rate("output_cost_per_audio_token", out))
	charge(completion, math.MaxInt64, rate(out))

	sum.Mul(sum, big.NewRat(1e12, 1))
	whole, rest := new(big.Int).QuoRem(sum.Num(), sum.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		whole.Add(whole, big.NewInt(1))
	}
	if !whole.IsInt64() {
		return math.MaxInt64
	}
	return unit.PicoUSD(whole.Int64())
}

// sample is a part of LiteLLM's price file, of its fields of prices per token.
func sample(t testing.TB) map[string]entry {
	t.Helper()
	text, err := os.ReadFile("testdata/sample.json")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]map[string]json.Number
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	models := map[string]entry{}
	for name, fields := range file {
		models[name] = entry{}
		for field, n := range fields {
			r, ok := new(big.Rat).SetString(string(n))
			if !ok {
				t.Fatalf("%s: %s is %s", name, field, n)
			}
			models[name][field] = r
		}
	}
	return models
}

// usages are such that each field of a price and each threshold shows.
func usages() []llm.Usage {
	var all []llm.Usage
	for _, prompt := range []unit.Tokens{0, 1, 999, 99_999, 100_000, 100_001, 127_999, 128_000, 128_001, 200_000, 200_001, 272_000, 272_001, 512_001} {
		all = append(all,
			llm.Usage{Prompt: prompt},
			llm.Usage{Prompt: prompt, Completion: 1},
			llm.Usage{Prompt: prompt, Cached: prompt},
			llm.Usage{Prompt: prompt, CacheWrite: prompt},
			llm.Usage{Prompt: prompt, PromptAudio: prompt},
			llm.Usage{Prompt: prompt, Completion: 7, Reasoning: 7},
			llm.Usage{Prompt: prompt, Completion: 7, CompletionAudio: 7},
			llm.Usage{Prompt: prompt, Completion: 9, Cached: prompt / 3, CacheWrite: prompt / 5, PromptAudio: 1, Reasoning: 4, CompletionAudio: 2},
		)
	}
	return all
}

// The table says what LiteLLM's file says.
func TestTableOfSample(t *testing.T) {
	for name, e := range sample(t) {
		p, ok := Lookup(name)
		if !ok {
			t.Errorf("Lookup(%q) finds nothing", name)
			continue
		}
		for _, u := range usages() {
			if got, want := p.Cost(u), e.cost(u, strings.HasPrefix(name, "xai/")); got != want {
				t.Errorf("%s: %+v costs %d, want %d", name, u, got, want)
				break
			}
		}
		if strings.HasPrefix(name, "xai/") {
			continue // whose thresholds Set can't give
		}
		var set Price
		for field, usd := range e {
			f, _ := usd.Float64()
			if !set.Set(field, f) {
				t.Errorf("%s: Set(%q, %v) = false", name, field, f)
			}
		}
		if set != p {
			t.Errorf("%s: the table has %+v, the file %+v", name, p, set)
		}
	}
}

// Any price, any usage: the cost is what fractions give.
func TestCostOfAny(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	tokens := func() unit.Tokens {
		switch n := r.Int64(); r.IntN(8) {
		case 0:
			return unit.Tokens(n)
		case 1:
			return -unit.Tokens(n)
		case 2:
			return unit.Tokens(n % 3)
		case 3:
			return 128_000*unit.Tokens(n%3) + unit.Tokens(r.IntN(3)) - 1
		default:
			return unit.Tokens(n % 600_000)
		}
	}
	for range 20_000 {
		var p Price
		e := entry{}
		for _, base := range []string{
			"input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost", "cache_creation_input_token_cost",
			"output_cost_per_reasoning_token", "input_cost_per_audio_token", "output_cost_per_audio_token",
		} {
			for _, tier := range []string{"", "_above_128k_tokens", "_above_256k_tokens", "_above_1k_tokens"} {
				if r.IntN(3) > 0 {
					continue
				}
				femto := r.Int64N(1e15 + 1)
				if r.IntN(2) == 0 {
					femto %= 10_000
				}
				if p.Set(base+tier, float64(femto)/1e15) {
					e[base+tier] = big.NewRat(femto, 1e15)
				}
			}
		}
		u := llm.Usage{
			Prompt: tokens(), Completion: tokens(), Total: tokens(), Cached: tokens(), CacheWrite: tokens(),
			PromptAudio: tokens(), Reasoning: tokens(), CompletionAudio: tokens(),
		}
		if got, want := p.Cost(u), e.cost(u, false); got != want {
			t.Fatalf("%v: %+v costs %d, want %d", e, u, got, want)
		}
		if got, want := p.Estimate(u.Prompt, u.Completion), e.cost(llm.Usage{Prompt: u.Prompt, Completion: u.Completion}, false); got != want {
			t.Fatalf("%v: the estimate of %d and %d is %d, want %d", e, u.Prompt, u.Completion, got, want)
		}
	}
}

// FuzzSet: what Set takes is charged, to the nearest Rate; what it does not
// take changes nothing.
func FuzzSet(f *testing.F) {
	f.Add("input_cost_per_token", 5e-7)
	f.Add("cache_read_input_token_cost_above_200k_tokens", 1.0)
	f.Add("output_cost_per_reasoning_token", math.NaN())
	f.Add("output_cost_per_audio_token_above_1k_tokens", -1.0)
	f.Add("output_cost_per_token_above_1000000k_tokens", 1e-16)
	f.Fuzz(func(t *testing.T, name string, usd float64) {
		var p Price
		ok := p.Set(name, usd)
		if valid := usd >= 0 && usd <= 1; ok != (valid && Known(name)) {
			t.Fatalf("Set(%q, %v) = %v, Known %v", name, usd, ok, Known(name))
		}
		if !ok {
			if p != (Price{}) {
				t.Fatalf("Set(%q, %v) changed the price to %+v", name, usd, p)
			}
			return
		}
		base, _, tiered := strings.Cut(name, "_above_")
		n := unit.Tokens(1000)
		if tiered {
			n += 1_000_000_000 // above any threshold
		}
		u := map[string]llm.Usage{
			"input_cost_per_token":            {Prompt: n},
			"output_cost_per_token":           {Prompt: n, Completion: n},
			"cache_read_input_token_cost":     {Prompt: n, Cached: n},
			"cache_creation_input_token_cost": {Prompt: n, CacheWrite: n},
			"output_cost_per_reasoning_token": {Completion: n, Reasoning: n},
			"input_cost_per_audio_token":      {Prompt: n, PromptAudio: n},
			"output_cost_per_audio_token":     {Completion: n, CompletionAudio: n},
		}[base]
		cost, picos := int64(p.Cost(u)), int64(n)/1000 // a Rate costs that
		if cost == math.MaxInt64 && usd*1e15*float64(picos) >= math.MaxInt64/2 {
			return
		}
		rate := cost / picos
		if cost%picos != 0 || math.Abs(float64(rate)-usd*1e15) > 0.5 && rate != 1 || usd > 0 && rate == 0 {
			t.Fatalf("Set(%q, %v): %+v costs %d", name, usd, u, cost)
		}
	})
}

// FuzzLookup: any bytes are found where the rules of names lead to a name of
// the table, and only there.
func FuzzLookup(f *testing.F) {
	all := tableNames(f)
	for i := 0; i < len(all); i += 17 {
		f.Add(all[i])
		_, bare, _ := strings.Cut(all[i], "/")
		f.Add(bare)
		f.Add(all[i][:len(all[i])-1])
		f.Add(all[i] + "x")
	}
	f.Add("bedrock/eu-west-1/converse/amazon.nova-pro-v1:0")
	f.Add("openai/ft:gpt-4o-2024-08-06:a:b:c")
	f.Fuzz(func(t *testing.T, name string) {
		base := name
		if i := strings.Index(name, "ft:"); i == 0 || i > 0 && strings.Index(name, "/") == i-1 {
			if j := strings.Index(name[i+3:], ":"); j >= 0 {
				base = name[:i+3+j]
			}
		}
		candidates := []string{base}
		provider, model, prefixed := strings.Cut(base, "/")
		if !prefixed {
			for _, p := range strings.Split(strings.TrimSuffix(providers, "/"), "/") {
				candidates = append(candidates, p+"/"+base)
			}
		}
		for alias, p := range map[string]string{
			"text-completion-openai": "openai", "cohere_chat": "cohere", "text-completion-codestral": "codestral", "vertex_ai_beta": "vertex_ai",
		} {
			if prefixed && provider == alias {
				candidates = append(candidates, p+"/"+model)
			}
		}
		if prefixed && provider == "bedrock" {
			for i := range model {
				if model[i] == '/' {
					candidates = append(candidates, "bedrock/"+model[i+1:])
				}
			}
		}
		want := slices.IndexFunc(candidates, func(c string) bool {
			_, ok := slices.BinarySearch(all, c)
			return ok
		})
		got, ok := Lookup(name)
		if ok != (want >= 0) {
			t.Fatalf("Lookup(%q) = %+v, %v, candidates %q", name, got, ok, candidates)
		}
		if ok {
			if same, _ := Lookup(candidates[want]); same != got {
				t.Fatalf("Lookup(%q) = %+v, that of %q is %+v", name, got, candidates[want], same)
			}
		}
	})
}
