package sim

import (
	"container/heap"
	"fmt"
	"time"
)

// Run plays a scenario under a rule until every answer is there. The same
// scenario, seed and rule give the same result; the same scenario and seed give
// every rule the same arrivals and sizes.
func Run(s *Scenario, rule Rule) (*Result, error) {
	p := &play{s: s, end: time.Duration(s.Minutes) * time.Minute}
	p.result = newResult(s, rule)
	for i, t := range s.Tenants {
		for n := range t.Count {
			name := t.keyName(n)
			p.keys = append(p.keys, &key{
				number: len(p.keys), tenant: t, group: i, name: name,
				arrivals: newChance(s.Seed, "arrivals of "+name), sizes: newChance(s.Seed, "sizes of "+name),
			})
			p.result.addKey(t, name)
		}
	}
	g, err := rule.open(s, p.keys)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", rule.Name(), err)
	}
	p.gate = g
	err = p.run()
	if closed := g.close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, fmt.Errorf("%s, %s into it: %w", rule.Name(), p.now, err)
	}
	p.result.measure()
	return p.result, nil
}

// A play is a run under way.
type play struct {
	s      *Scenario
	gate   gate
	keys   []*key
	result *Result

	now    time.Duration
	end    time.Duration // when traffic ends
	events events
	pushed int
	err    error
}

// An event is something that happens at a moment.
type event struct {
	at     time.Duration
	number int // in the order of making: what is due at one moment comes in this order
	happen func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].number < e[j].number
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// plan makes something happen at a moment. What would happen after the end of
// traffic does not.
func (p *play) plan(at time.Duration, happen func()) {
	if at < p.end {
		p.planLate(at, happen)
	}
}

// planLate is plan for what happens even after the end of traffic.
func (p *play) planLate(at time.Duration, happen func()) {
	p.pushed++
	heap.Push(&p.events, event{at, p.pushed, happen})
}

func (p *play) run() error {
	for _, k := range p.keys {
		if k.tenant.Arrivals.Backlog > 0 {
			p.planWaking(k, 0)
		} else {
			p.planArrival(k, 0, true)
		}
	}
	for len(p.events) > 0 && p.err == nil {
		e := heap.Pop(&p.events).(event)
		p.now = e.at
		e.happen()
	}
	if p.err != nil {
		return p.err
	}
	books, err := p.gate.end(max(p.now, p.end))
	p.result.Books = books
	return err
}

// planArrival plans the next arrival of a key after now.
func (p *play) planArrival(k *key, now time.Duration, first bool) {
	at := k.tenant.next(now, first, k.arrivals)
	p.plan(at, func() {
		n := k.tenant.wants(p.s.Start, at, k.arrivals)
		if k.tenant.Awake.open(at) {
			for range n {
				p.ask(p.want(k))
			}
		}
		p.planArrival(k, at, false)
	})
}

// planWaking plans the next moment, not before now, at which a hog wakes.
func (p *play) planWaking(k *key, now time.Duration) {
	at, ok := k.tenant.Awake.opening(now)
	if !ok {
		return
	}
	p.plan(at, func() {
		for k.live < k.tenant.Arrivals.Backlog {
			p.askNext(k)
		}
		p.planWaking(k, at+1)
	})
}

// askNext makes a hog ask for one more thing, if it is awake.
func (p *play) askNext(k *key) {
	if p.now < p.end && k.tenant.Awake.open(p.now) {
		r := p.want(k)
		r.hog = true
		k.live++
		p.ask(r)
	}
}

// want draws the next thing that a key wants.
func (p *play) want(k *key) *request {
	t := k.tenant
	r := &request{
		key:     k,
		bytes:   max(leastBytes, t.PromptBytes.draw(k.sizes)),
		output:  t.OutputTokens.draw(k.sizes),
		latency: time.Duration(t.LatencyMS.draw(k.sizes)) * time.Millisecond,
		wanted:  p.now,
		minute:  -1,
	}
	r.prompt = max(1, int64(float64(r.bytes)/t.BytesPerToken))
	if t.MaxTokens > 0 {
		r.output = min(r.output, t.MaxTokens)
	}
	return r
}

// ask puts a request before the gate and plans what follows.
func (p *play) ask(r *request) {
	if p.err != nil {
		return
	}
	if r.hog && !r.key.tenant.Awake.open(p.now) {
		r.key.live--
		return
	}
	v, err := p.gate.ask(p.now, r)
	if err != nil {
		p.err = err
		return
	}
	p.result.asked(p.now, r, v.admitted)
	if v.admitted {
		p.planLate(p.now+r.latency, func() {
			p.err = p.gate.answer(p.now, r)
			p.result.Reported += r.tokens()
			if r.hog {
				r.key.live--
				p.askNext(r.key)
			}
		})
		return
	}
	how := &r.key.tenant.Refused
	wait := time.Duration(how.EveryMS) * time.Millisecond
	if how.Then == "wait" && v.retry > 0 {
		wait = v.retry
	}
	giveUp := how.GiveUpS > 0 && p.now+wait > r.wanted+time.Duration(how.GiveUpS)*time.Second
	switch {
	case how.Then == "drop":
	case giveUp && r.hog:
		p.plan(p.now+wait, func() {
			r.key.live--
			p.askNext(r.key)
		})
	case !giveUp:
		p.plan(p.now+wait, func() { p.ask(r) })
	}
}
