package sim

import (
	"fmt"
	"time"
)

// LiteLLM1 is the rule of LiteLLM's callback dynamic_rate_limiter, version
// 1.106.2, from proxy/hooks/dynamic_rate_limiter.py and router.py: a set of
// the keys that were admitted in the clock minute, what is left of the model
// divided by their number, and usage that counts once the answer is there. It
// is modelled as one process, with the licence that its priorities want.
//
// What goes wrong there by design: only 0 refuses, so whoever sees one token
// left sends any number of requests; a key that comes is not in the set that
// its own share is computed from; and nothing in flight counts.
var LiteLLM1 Rule = liteLLM1{}

type liteLLM1 struct{}

func (liteLLM1) Name() string { return "LiteLLM v1" }

func (liteLLM1) open(s *Scenario, _ []*key) (gate, error) {
	return &projects{capacity: s.Model, limiter: s.limiter}, nil
}

// projects is LiteLLM1's gate.
type projects struct {
	capacity Capacity
	limiter  limiter
	minute   int
	active   map[int]struct{} // numbers of keys admitted in the minute
	tokens   int64            // of answers that came in the minute
	requests int64            // whose answers came in the minute
}

// roll begins a new minute if it is time.
func (p *projects) roll(now time.Duration) {
	if m := minute(now); p.active == nil || m != p.minute {
		p.minute, p.active, p.tokens, p.requests = m, map[int]struct{}{}, 0, 0
	}
}

// available is what the hook computes for a key: what is left of a limit, and
// the key's part of it.
func (p *projects) available(limit, used int64, k *key) (part, left int64) {
	left = limit - used
	weight := 1.0
	if reserved, ok := p.limiter.reserved(k.tenant.Priority); ok && k.tenant.Priority != "" {
		weight = reserved
	}
	share := float64(float64(left) * weight)
	if n := len(p.active); n > 0 {
		share /= float64(n)
	}
	return max(0, int64(share)), left
}

func (p *projects) ask(now time.Duration, r *request) (verdict, error) {
	p.roll(now)
	for _, limit := range []struct {
		name      string
		max, used int64
	}{{"TPM", p.capacity.TPM, p.tokens}, {"RPM", p.capacity.RPM, p.requests}} {
		if limit.max == 0 {
			continue
		}
		if part, left := p.available(limit.max, limit.used, r.key); part == 0 {
			active := "None"
			if n := len(p.active); n > 0 {
				active = fmt.Sprint(n)
			}
			return verdict{message: fmt.Sprintf("Key=%s over available %s=%d. Model %s=%d, Active keys=%s",
				r.key.name, limit.name, part, limit.name, left, active)}, nil
		}
	}
	p.active[r.key.number] = struct{}{}
	return verdict{admitted: true}, nil
}

func (p *projects) answer(now time.Duration, r *request) error {
	p.roll(now)
	p.tokens += r.tokens()
	p.requests++
	return nil
}

func (p *projects) end(time.Duration) (*Books, error) { return nil, nil }
func (p *projects) close() error                      { return nil }

// LiteLLM3 is the rule of LiteLLM's callback dynamic_rate_limiter_v3, version
// 1.106.2, from proxy/hooks/dynamic_rate_limiter_v3.py and
// parallel_request_limiter_v3.py: a counter for the model and one for each
// priority, in windows of 60 s that begin with the first request after the
// last window. Requests count at once, tokens when the answer is there. The
// model's cap comes first; a priority's only counts while the model is
// saturated, and is then also the most that the priority gets.
//
// With several instances the counters are shared and exact, but an instance
// reads the saturation from a copy of its own, which it makes anew when it
// writes or when the copy is saturation_check_cache_ttl old.
var LiteLLM3 Rule = liteLLM3{}

type liteLLM3 struct{}

func (liteLLM3) Name() string { return "LiteLLM v3" }

func (liteLLM3) open(s *Scenario, _ []*key) (gate, error) {
	p := &priorities{
		capacity: s.Model, limiter: s.limiter, pools: map[string]*counter{},
		copies: make([]saturationCopy, s.Instances),
	}
	p.model.limit = s.Model
	p.model.limited = Capacity{min(1, s.Model.TPM), min(1, s.Model.RPM)}
	return p, nil
}

// priorities is LiteLLM3's gate.
type priorities struct {
	capacity Capacity
	limiter  limiter
	model    counter
	pools    map[string]*counter
	copies   []saturationCopy // by instance
	asked    int              // picks the instance
}

// windowSeconds is LITELLM_RATE_LIMIT_WINDOW_SIZE.
const windowSeconds = 60

// A counter counts the requests and tokens of its window against limits.
type counter struct {
	limit    Capacity
	limited  Capacity // 1 where the limit counts: a limit of 0 refuses all
	open     bool
	start    int64 // second in which the window began
	requests int64
	tokens   int64
}

// A saturationCopy is what one instance believes the saturation is.
type saturationCopy struct {
	value float64
	until time.Duration
}

// lapsed reports whether the window is over: then its counters are gone.
func (c *counter) lapsed(now time.Duration) bool {
	return !c.open || int64(now/time.Second)-c.start >= windowSeconds
}

// roll begins a new window if the last one is over.
func (c *counter) roll(now time.Duration) {
	if c.lapsed(now) {
		c.open, c.start, c.requests, c.tokens = true, int64(now/time.Second), 0, 0
	}
}

// over returns which limit one more request would break, and what is left of
// it; empty if none.
func (c *counter) over() (dimension string, left int64) {
	switch {
	case c.limited.RPM > 0 && c.requests+1 > c.limit.RPM:
		return "requests", c.limit.RPM - c.requests
	case c.limited.TPM > 0 && c.tokens >= c.limit.TPM:
		return "tokens", c.limit.TPM - c.tokens
	}
	return "", 0
}

// track counts a request of a pool that is not limited now. It counts it as a
// token as well, and stops counting one above the limit, as LiteLLM does.
func (c *counter) track() {
	if c.limited.RPM > 0 && c.requests > c.limit.RPM || c.limited.TPM > 0 && c.tokens > c.limit.TPM {
		return
	}
	c.requests++
	c.tokens++
}

// charge counts the tokens of an answer. Those that come after the window's end
// are lost.
func (c *counter) charge(now time.Duration, tokens int64) {
	if !c.lapsed(now) {
		c.tokens += tokens
	}
}

// pool returns the counter that a key's priority counts on, nil without
// reservations.
func (p *priorities) pool(priority string) *counter {
	if !p.limiter.reserves {
		return nil
	}
	part, ok := p.limiter.normalised(priority)
	name := "priority " + priority
	if !ok || priority == "" {
		part, name = p.limiter.fallback, "default_pool"
	}
	c := p.pools[name]
	if c == nil {
		c = &counter{limited: p.model.limited, limit: Capacity{
			TPM: int64(float64(p.capacity.TPM) * part), RPM: int64(float64(p.capacity.RPM) * part),
		}}
		p.pools[name] = c
	}
	return c
}

// present is the true saturation, as a copy that lasts no longer than the
// window that it counts.
func (p *priorities) present(now time.Duration) saturationCopy {
	if p.model.lapsed(now) {
		return saturationCopy{}
	}
	s := 0.0
	if p.capacity.RPM > 0 {
		s = float64(p.model.requests) / float64(p.capacity.RPM)
	}
	if p.capacity.TPM > 0 {
		s = max(s, float64(p.model.tokens)/float64(p.capacity.TPM))
	}
	end := time.Duration(p.model.start+windowSeconds) * time.Second
	return saturationCopy{s, min(end, now+p.limiter.ttl)}
}

// saturation is what an instance takes the saturation for.
func (p *priorities) saturation(now time.Duration, instance int) float64 {
	c := &p.copies[instance]
	if now >= c.until {
		// What is read lasts as long as it may, even beyond its window.
		*c = saturationCopy{p.present(now).value, now + p.limiter.ttl}
	}
	return c.value
}

func (p *priorities) ask(now time.Duration, r *request) (verdict, error) {
	instance := p.asked % len(p.copies)
	p.asked++
	r.state = instance
	priority := r.key.tenant.Priority
	saturation := p.saturation(now, instance)
	p.model.roll(now)
	if dimension, left := p.model.over(); dimension != "" {
		return p.refuse(fmt.Sprintf("Model capacity reached for m. Priority: %s, Rate limit type: %s, %s, Remaining: %d",
			orNone(priority), dimension, p.limits(), left)), nil
	}
	if pool := p.pool(priority); pool != nil {
		pool.roll(now)
		if saturation < p.limiter.threshold {
			pool.track()
		} else {
			if dimension, left := pool.over(); dimension != "" {
				return p.refuse(fmt.Sprintf("Priority-based rate limit exceeded. Model: m, Priority: %s, Rate limit type: %s, %s, Remaining: %d, Model saturation: %.1f%%",
					orNone(priority), dimension, p.limits(), left, 100*saturation)), nil
			}
			pool.requests++
		}
	}
	p.model.requests++
	p.copies[instance] = p.present(now)
	return verdict{admitted: true}, nil
}

// refuse refuses with LiteLLM's Retry-After, which is always a whole window.
func (p *priorities) refuse(message string) verdict {
	return verdict{retry: windowSeconds * time.Second, message: message}
}

func (p *priorities) answer(now time.Duration, r *request) error {
	p.model.charge(now, r.tokens())
	if pool := p.pool(r.key.tenant.Priority); pool != nil {
		pool.charge(now, r.tokens())
	}
	p.copies[r.state.(int)] = p.present(now)
	return nil
}

func (p *priorities) end(time.Duration) (*Books, error) { return nil, nil }
func (p *priorities) close() error                      { return nil }

// limits names the model's limits as LiteLLM does.
func (p *priorities) limits() string {
	show := func(limit int64) string {
		if limit == 0 {
			return "not configured"
		}
		return fmt.Sprint(limit)
	}
	return "Model TPM: " + show(p.capacity.TPM) + ", Model RPM: " + show(p.capacity.RPM)
}

// orNone is Python's text of a string that may be missing.
func orNone(s string) string {
	if s == "" {
		return "None"
	}
	return s
}
