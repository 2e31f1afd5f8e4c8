package price_test

import (
	"math"
	"testing"

	"fairshare/plugin/llm"
	"fairshare/plugin/price"
	"fairshare/plugin/unit"
)

// A given is a field and its amount, as a configuration gives it.
type given struct {
	field string
	usd   float64
}

func priced(t testing.TB, list []given) price.Price {
	t.Helper()
	var p price.Price
	for _, g := range list {
		if !p.Set(g.field, g.usd) {
			t.Fatalf("Set(%q, %v) = false", g.field, g.usd)
		}
	}
	return p
}

// The costs are worked out by hand, in pico dollars: a price of 1e-6 is
// 1,000,000 of them a token.
func TestCost(t *testing.T) {
	const (
		in, out     = "input_cost_per_token", "output_cost_per_token"
		read, write = "cache_read_input_token_cost", "cache_creation_input_token_cost"
		reasoning   = "output_cost_per_reasoning_token"
		most        = math.MaxInt64
	)
	var (
		turbo  = []given{{in, 5e-7}, {out, 1.5e-6}}
		omni   = []given{{in, 2.5e-6}, {out, 1e-5}, {read, 1.25e-6}}
		sonnet = []given{{in, 3e-6}, {out, 1.5e-5}, {read, 3e-7}, {write, 3.75e-6}}
		thinks = []given{{in, 1e-6}, {out, 4e-6}, {reasoning, 6e-6}}
		audio  = []given{{in, 2.5e-6}, {out, 1e-5}, {"input_cost_per_audio_token", 4e-5}, {"output_cost_per_audio_token", 8e-5}}
		pro    = []given{
			{in, 1.25e-6},
			{out, 1e-5},
			{read, 1.25e-7},
			{in + "_above_200k_tokens", 2.5e-6},
			{out + "_above_200k_tokens", 1.5e-5},
			{read + "_above_200k_tokens", 2.5e-7},
		}
		partly = []given{{in, 1e-6}, {out, 2e-6}, {read, 1e-7}, {in + "_above_128k_tokens", 3e-6}}
		two    = []given{
			{in + "_above_256k_tokens", 4e-6},
			{in, 1e-6},
			{out, 2e-6},
			{in + "_above_128k_tokens", 2e-6},
			{out + "_above_128k_tokens", 5e-6},
		}
		femto = []given{{in, 1e-15}, {out, 1e-15}, {read, 0}}
	)
	for _, c := range []struct {
		name  string
		price []given
		usage llm.Usage
		want  unit.PicoUSD
	}{
		{"the mock answer of gpt-3.5-turbo, 3.5e-05 USD", turbo, llm.MockUsage, 35_000_000},
		{"nothing used", turbo, llm.Usage{}, 0},
		{"a total alone", turbo, llm.Usage{Total: 30}, 0},
		{"no price", nil, llm.MockUsage, 0},
		{"a price of 0", []given{{in, 0}, {out, 0}}, llm.MockUsage, 0},
		{"input only", turbo, llm.Usage{Prompt: 7}, 3_500_000},
		{"output only", turbo, llm.Usage{Completion: 1}, 1_500_000},
		{"an embedding", []given{{in, 2e-8}}, llm.Usage{Prompt: 8, Total: 8}, 160_000},
		{"output without a price", []given{{in, 2e-8}}, llm.Usage{Prompt: 8, Completion: 9}, 160_000},

		{"nothing cached", omni, llm.Usage{Prompt: 1000, Completion: 100}, 3_500_000_000},
		{"part of it cached", omni, llm.Usage{Prompt: 1000, Completion: 100, Cached: 600}, 2_750_000_000},
		{"all of it cached", omni, llm.Usage{Prompt: 1000, Completion: 100, Cached: 1000}, 2_250_000_000},
		{"more than all of it cached", omni, llm.Usage{Prompt: 1000, Completion: 100, Cached: 1500}, 2_250_000_000},
		{"cached without a price of its own", turbo, llm.Usage{Prompt: 10, Cached: 4}, 5_000_000},
		{"cached for nothing", []given{{in, 1e-6}, {read, 0}}, llm.Usage{Prompt: 10, Cached: 9}, 1_000_000},
		{"written without a price of its own", omni, llm.Usage{Prompt: 1000, CacheWrite: 200}, 2_500_000_000},
		{"read and written", sonnet, llm.Usage{Prompt: 1050, Completion: 7, Cached: 300, CacheWrite: 700}, 2_970_000_000},
		{"all of it written", sonnet, llm.Usage{Prompt: 100, CacheWrite: 100}, 375_000_000},
		{"more read and written than there is", sonnet, llm.Usage{Prompt: 100, Cached: 80, CacheWrite: 50}, 99_000_000},

		{"reasoning", thinks, llm.Usage{Completion: 100, Reasoning: 40}, 480_000_000},
		{"nothing but reasoning", thinks, llm.Usage{Completion: 100, Reasoning: 100}, 600_000_000},
		{"more reasoning than completion", thinks, llm.Usage{Completion: 100, Reasoning: 150}, 600_000_000},
		{"reasoning without a price of its own", sonnet, llm.Usage{Completion: 100, Reasoning: 40}, 1_500_000_000},
		{"reasoning for nothing", []given{{out, 1e-6}, {reasoning, 0}}, llm.Usage{Completion: 100, Reasoning: 40}, 60_000_000},
		{"sound", audio, llm.Usage{Prompt: 110, PromptAudio: 100, Completion: 50, CompletionAudio: 40}, 7_325_000_000},
		{"sound without a price of its own", omni, llm.Usage{Prompt: 110, PromptAudio: 100, Completion: 50, CompletionAudio: 40}, 775_000_000},

		{"at a threshold", pro, llm.Usage{Prompt: 200_000, Completion: 1}, 250_010_000_000},
		{"above it, all of it", pro, llm.Usage{Prompt: 200_001, Completion: 1}, 500_017_500_000},
		{"above it, all of it cached", pro, llm.Usage{Prompt: 200_001, Cached: 200_001}, 50_000_250_000},
		{"above it, nearly all of it cached", pro, llm.Usage{Prompt: 200_001, Cached: 200_000}, 50_002_500_000},
		{"output alone crosses none", pro, llm.Usage{Prompt: 1, Completion: 300_000}, 3_000_001_250_000},
		{"what a tier does not say", partly, llm.Usage{Prompt: 128_001, Completion: 1, Cached: 1}, 384_002_100_000},
		{"cached at a tier's input", []given{{in, 1e-6}, {in + "_above_128k_tokens", 3e-6}}, llm.Usage{Prompt: 128_001, Cached: 128_001}, 384_003_000_000},
		{"below two thresholds", two, llm.Usage{Prompt: 128_000, Completion: 1}, 128_002_000_000},
		{"between them", two, llm.Usage{Prompt: 128_001, Completion: 1}, 256_007_000_000},
		{"at the higher one", two, llm.Usage{Prompt: 256_000, Completion: 1}, 512_005_000_000},
		{"above both, output as in the lower tier", two, llm.Usage{Prompt: 256_001, Completion: 1}, 1_024_009_000_000},
		{"reasoning above a threshold", append([]given{{reasoning, 6e-6}}, two...), llm.Usage{Prompt: 128_001, Completion: 2, Reasoning: 1}, 256_013_000_000},

		{"a thousandth of a pico dollar", femto, llm.Usage{Prompt: 1}, 1},
		{"a whole one", femto, llm.Usage{Prompt: 1000}, 1},
		{"a bit more", femto, llm.Usage{Prompt: 1001}, 2},
		{"rounded once, not for each part", femto, llm.Usage{Prompt: 700, Completion: 400, Cached: 100}, 1},

		{"the end of the range", []given{{in, 1e-12}}, llm.Usage{Prompt: most}, most},
		{"just within it", []given{{in, 1e-12}}, llm.Usage{Prompt: most - 1}, most - 1},
		{"just beyond it", []given{{in, 1e-12}, {out, 1e-12}}, llm.Usage{Prompt: most, Completion: 1}, most},
		{"a remainder at its end", []given{{in, 1e-12}, {out, 1e-15}}, llm.Usage{Prompt: most - 1, Completion: 1}, most},
		{"far beyond it", []given{{in, 1}, {out, 1}, {reasoning, 1}}, llm.Usage{Prompt: most, Completion: most, Reasoning: 5}, most},
		{"less than none", sonnet, llm.Usage{Prompt: -5, Completion: -1, Cached: -1, CacheWrite: -7, Reasoning: -9, PromptAudio: -2, CompletionAudio: math.MinInt64}, 0},
		{"less than none of a part", sonnet, llm.Usage{Prompt: 10, Completion: 10, Cached: -3, Reasoning: math.MinInt64}, 180_000_000},
	} {
		p := priced(t, c.price)
		if got := p.Cost(c.usage); got != c.want {
			t.Errorf("%s: %+v costs %d, want %d", c.name, c.usage, int64(got), int64(c.want))
		}
	}
}

func TestEstimate(t *testing.T) {
	p, ok := price.Lookup("gpt-3.5-turbo")
	if got := p.Estimate(10, 20); !ok || got.String() != "3.5e-05" {
		t.Errorf("10 and 20 tokens of gpt-3.5-turbo are estimated at %s USD, %v, want 3.5e-05", got, ok)
	}
	p = priced(t, []given{{"input_cost_per_token", 1e-6}, {"output_cost_per_token", 2e-6}, {"input_cost_per_token_above_128k_tokens", 3e-6}, {"output_cost_per_reasoning_token", 9e-6}})
	if got := p.Estimate(128_001, 5); got != 384_013_000_000 {
		t.Errorf("the estimate is %d, want 384013000000", int64(got))
	}
	if got := p.Estimate(-1, -1); got != 0 {
		t.Errorf("the estimate of less than nothing is %d", int64(got))
	}
}
