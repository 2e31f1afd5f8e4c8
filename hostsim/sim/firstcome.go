package sim

import "time"

// FirstCome admits whoever comes first as long as the minute has room for what
// the request will really cost: no shares, and holds that are exact because
// they look into the future. No rule can use more without going over.
var FirstCome Rule = firstCome{}

type firstCome struct{}

func (firstCome) Name() string { return "first come" }

func (firstCome) open(s *Scenario, _ []*key) (gate, error) {
	return &queueless{capacity: s.Model}, nil
}

// queueless is FirstCome's gate.
type queueless struct {
	capacity Capacity
	minute   int
	tokens   int64
	requests int64
}

func (q *queueless) ask(now time.Duration, r *request) (verdict, error) {
	if m := minute(now); m != q.minute {
		q.minute, q.tokens, q.requests = m, 0, 0
	}
	c := q.capacity
	if c.RPM > 0 && q.requests+1 > c.RPM || c.TPM > 0 && q.tokens > 0 && q.tokens+r.tokens() > c.TPM {
		return verdict{retry: untilMinute(now)}, nil
	}
	q.tokens += r.tokens()
	q.requests++
	return verdict{admitted: true}, nil
}

func (q *queueless) answer(time.Duration, *request) error { return nil }
func (q *queueless) end(time.Duration) (*Books, error)    { return nil, nil }
func (q *queueless) close() error                         { return nil }
