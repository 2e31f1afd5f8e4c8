package flow

import (
	"strconv"

	"fairshare/plugin/unit"
)

// A telling collects headers for an answer. Most values are numbers; all of them
// together are one string, because each string costs the collector.
type telling struct {
	headers [][2]string
	digits  []byte
	numbers []numeral
}

// A numeral says where the digits of a header's value lie.
type numeral struct{ header, from, to int }

func (t *telling) clear() {
	t.headers, t.digits, t.numbers = t.headers[:0], t.digits[:0], t.numbers[:0]
}

func (t *telling) text(name, value string) {
	t.headers = push(t.headers, [2]string{name, value})
}

func (t *telling) number(name string, n int64) {
	from := len(t.digits)
	t.digits = strconv.AppendInt(t.digits, n, 10)
	t.follow(name, from)
}

func (t *telling) money(name string, m unit.PicoUSD) {
	from := len(t.digits)
	t.digits = m.Append(t.digits)
	t.follow(name, from)
}

func (t *telling) follow(name string, from int) {
	t.numbers = push(t.numbers, numeral{len(t.headers), from, len(t.digits)})
	t.text(name, "")
}

// done gives the headers their numbers. Nothing is added afterwards.
func (t *telling) done() {
	all := string(t.digits)
	for _, n := range t.numbers {
		t.headers[n.header][1] = all[n.from:n.to]
	}
}

// A limitKind is what a tenant's limit counts.
type limitKind uint8

const (
	ofRequestsLimit limitKind = iota
	ofTokensLimit
	ofParallelLimit
	numLimitKinds
)

// A limitHeader is what LiteLLM calls a limit and what is left of it
// (parallel_request_limiter_v3.py, dynamic_rate_limiter_v3.py).
type limitHeader struct{ limit, remaining string }

// limitHeaders are the headers about limits of whose, a descriptor's name. There
// are a dozen of those, and each one's headers are made once.
func (w *Worker) limitHeaders(whose string) *[numLimitKinds]limitHeader {
	h := w.limits[whose]
	if h == nil {
		h = new([numLimitKinds]limitHeader)
		for i, what := range [numLimitKinds]string{"requests", "tokens", "max_parallel_requests"} {
			h[i] = limitHeader{"x-ratelimit-" + whose + "-limit-" + what, "x-ratelimit-" + whose + "-remaining-" + what}
		}
		if w.limits == nil {
			w.limits = make(map[string]*[numLimitKinds]limitHeader)
		}
		w.limits[whose] = h
	}
	return h
}
