package sim

import "time"

// A Result is what a scenario came to under a rule.
type Result struct {
	Scenario *Scenario
	Rule     string

	Keys     []Key
	Tenants  []Tenancy // as in the scenario
	Measures Measures

	Reported int64  // tokens that the upstream said it used
	Books    *Books // nil for a rule without

	bin  time.Duration // of the plot
	bins [][]int64     // for each tenant the tokens (or requests) admitted in each bin
}

// A Key is what became of one key.
type Key struct {
	Tenant  string
	Name    string
	Minutes []Minute
}

// A Minute is what became of one key in one minute. A request counts in the
// minute in which it was admitted, as providers count it, whenever its answer
// comes.
type Minute struct {
	Asked       int64 // requests, each once however often it was asked
	AskedTokens int64 // that these would cost
	Admitted    int64 // requests
	Used        int64 // tokens of those admitted
	Refused     int64 // 429s
	Hungry      bool  // it is a hog and was refused: it would have taken anything

	First   time.Duration // from the minute's start to the first ask, if any
	largest Capacity      // request asked
}

// newResult returns the empty result of s.
func newResult(s *Scenario, rule Rule) *Result {
	r := &Result{Scenario: s, Rule: rule.Name(), bin: binSize(s.Minutes)}
	count := int((time.Duration(s.Minutes)*time.Minute + r.bin - 1) / r.bin)
	for range s.Tenants {
		r.bins = append(r.bins, make([]int64, count))
	}
	return r
}

// binSize is how long a step of the plots is: 5 s, or a minute and more where
// that would be too many.
func binSize(minutes int) time.Duration {
	if minutes <= 15 {
		return 5 * time.Second
	}
	return time.Duration((minutes+179)/180) * time.Minute
}

func (r *Result) addKey(t *Tenant, name string) {
	r.Keys = append(r.Keys, Key{Tenant: t.Name, Name: name, Minutes: make([]Minute, r.Scenario.Minutes)})
}

// asked books what the gate said about a request.
func (r *Result) asked(now time.Duration, q *request, admitted bool) {
	m := minute(now)
	cell := &r.Keys[q.key.number].Minutes[m]
	if q.minute != m {
		q.minute = m
		if cell.Asked == 0 {
			cell.First = now - time.Duration(m)*time.Minute
		}
		cell.Asked++
		cell.AskedTokens += q.tokens()
		cell.largest = Capacity{max(cell.largest.TPM, q.tokens()), 1}
	}
	if !admitted {
		cell.Refused++
		cell.Hungry = cell.Hungry || q.hog
		return
	}
	cell.Admitted++
	cell.Used += q.tokens()
	amount := q.tokens()
	if r.Scenario.Model.TPM == 0 {
		amount = 1
	}
	r.bins[q.key.group][int(now/r.bin)] += amount
}
