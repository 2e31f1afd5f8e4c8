package quota

import (
	"math/rand/v2"
	"testing"

	"fairshare/plugin/unit"
)

// An upstream answers what it is asked: how long a choice is, of a cap for each of
// so many choices.
type upstream struct {
	name   string
	keeps  func(*rand.Rand) bool // its caps
	counts bool                  // n: it makes as many choices
	silent bool                  // it tells no usage
}

// natural is what a choice of these upstreams has without a cap.
const natural = 480

func (u *upstream) answer(rng *rand.Rand, a *Ask) Spent {
	n := max(1, a.Choices)
	each := int64(natural)
	if a.Capped && u.keeps(rng) {
		each = min(each, int64(a.MaxOutput)/n)
	}
	if !u.counts {
		n = 1
	}
	s := costs(10, unit.Tokens(each*n))
	if u.silent {
		s.Estimated = true
	}
	s.Cost = unit.PicoUSD(s.Total)
	return s
}

func always(v bool) func(*rand.Rand) bool { return func(*rand.Rand) bool { return v } }

var upstreams = []upstream{
	{"ignores caps", always(false), true, false},
	{"keeps caps", always(true), true, false},
	{"keeps some", func(r *rand.Rand) bool { return r.IntN(2) == 0 }, true, false},
	{"seldom breaks one", func(r *rand.Rand) bool { return r.IntN(100) > 0 }, true, false},
	{"ignores caps and n", always(false), false, false},
	{"keeps caps, ignores n", always(true), false, false},
	{"tells nothing and ignores caps", always(false), true, true},
	{"tells nothing and keeps caps", always(true), true, true},
}

// plans are how a client chooses caps and choices: what it asks one by one, to teach the
// model's books something, and what then at once.
var plans = []struct {
	name         string
	teach, burst func(*rand.Rand, *Ask)
}{
	{"any", func(r *rand.Rand, a *Ask) { anyAsk(r, a) }, func(r *rand.Rand, a *Ask) { anyAsk(r, a) }},
	{"small, then large", capOf(1, 1), capOf(1000, 1)},
	{"small, then none", capOf(1, 1), capOf(0, 1)},
	{"small, then smaller", capOf(16, 1), capOf(1, 1)},
	{"large, then small", capOf(1000, 1), capOf(1, 1)},
	{"many choices, then one", capOf(0, 10), capOf(0, 1)},
	{"one choice, then many", capOf(0, 1), capOf(0, 10)},
	{"small with many, then large with one", capOf(3, 7), capOf(900, 1)},
}

func capOf(most, n int64) func(*rand.Rand, *Ask) {
	return func(_ *rand.Rand, a *Ask) {
		a.Capped, a.MaxOutput, a.Choices = most > 0, unit.Tokens(most*n), n
	}
}

func anyAsk(r *rand.Rand, a *Ask) {
	n := 1 + r.Int64N(1<<r.IntN(4))
	capOf(r.Int64N(1<<r.IntN(11)), n)(r, a)
}

// A game is a client that teaches the books one by one and then asks for ten at once, for
// so many rounds.
type game struct {
	u           *upstream
	teach, ask  func(*rand.Rand, *Ask)
	tpm, budget int64 // of its key, 0 for none
}

// play returns in how many rounds more was admitted at once than fits beside one request,
// what was spent in all, and the dearest round.
func (g *game) play(t *testing.T, rounds int) (over int, spent, dearest unit.Tokens) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	terms, l := tpm(1<<40), NewLedger(new(Memory), 1)
	key := NewMeter(ForKey, "k", "")
	if g.tpm > 0 {
		key.TPM = capped(g.tpm)
	}
	c := Claim{Key: 1, Weight: One, Pool: NoPool, Ask: Ask{TextBytes: 40}, Price: byToken{}}
	other := Claim{Key: 2, Weight: One, Pool: NoPool, Ask: Ask{TextBytes: 40}}
	now := t0
	settle := func(h *Hold, s Spent) {
		if err := l.Settle(now, terms, h, s); err != nil {
			t.Fatal(err)
		}
	}
	decide := func(c Claim) Verdict {
		v, err := l.decide(now, terms, c)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for range rounds {
		// Somebody else uses the model as it is meant.
		v := decide(other)
		settle(&v.Hold, g.u.answer(rng, &other.Ask))
		c.Meters = nil
		for range 30 {
			g.teach(rng, &c.Ask)
			v := decide(c)
			settle(&v.Hold, g.u.answer(rng, &c.Ask))
		}
		now += minuteMS
		c.Meters = []*Meter{key}
		if g.budget > 0 {
			key.Budget = capped(g.budget)
		}
		var holds []Hold
		var answers []Spent
		used, largest := unit.Tokens(0), unit.Tokens(0)
		for range 10 {
			g.ask(rng, &c.Ask)
			if v := decide(c); v.OK() {
				s := g.u.answer(rng, &c.Ask)
				holds, answers = append(holds, v.Hold), append(answers, s)
				used, largest = used.Plus(s.Total), max(largest, s.Total)
			}
		}
		if g.tpm > 0 && int64(used) > g.tpm+int64(largest) {
			over++
		}
		spent, dearest = spent.Plus(used), max(dearest, largest)
		for i := range holds {
			settle(&holds[i], answers[i])
		}
		now += 10 * minuteMS // whatever is owed is paid
	}
	return over, spent, dearest
}

// byToken is a picodollar a token.
type byToken struct{}

func (byToken) Estimate(input, output unit.Tokens) unit.PicoUSD {
	return unit.PicoUSD(input.Plus(output))
}

// Whatever caps and numbers of choices a client writes, and whatever the upstream makes
// of them: after the first rounds no more is admitted at once than a limit has, but for
// one request, and of a budget no more is spent than that.
func TestClientsChooseNoSmallHolds(t *testing.T) {
	for i := range upstreams {
		u := &upstreams[i]
		for _, plan := range plans {
			for _, limit := range []int64{500, 5000} {
				g := game{u: u, teach: plan.teach, ask: plan.burst, tpm: limit}
				const rounds, free = 40, 4
				if over, _, _ := g.play(t, rounds); over > free {
					t.Errorf("%s; %s: of %d tokens a minute more was admitted at once in %d of %d rounds", u.name, plan.name, limit, over, rounds)
				}
				// A budget that the first rounds don't reach.
				g = game{u: u, teach: plan.teach, ask: plan.burst, budget: 40 * limit}
				if _, spent, dearest := g.play(t, 100); int64(spent) > g.budget+2*int64(dearest) {
					t.Errorf("%s; %s: of a budget of %d are spent %d", u.name, plan.name, g.budget, spent)
				}
			}
		}
	}
}
