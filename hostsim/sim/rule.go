package sim

import "time"

// A Rule is a way to decide who may take how much of a model's minute:
// [Fairshare], [LiteLLM1], [LiteLLM3] or [FirstCome].
type Rule interface {
	// Name is the rule's name in tables, files and plots.
	Name() string

	open(s *Scenario, keys []*key) (gate, error)
}

// A gate is a rule at work on one model. Time is what has passed since the
// scenario's start; it never goes back.
type gate interface {
	// ask decides about a request. A request that was refused may come again.
	ask(now time.Duration, r *request) (verdict, error)

	// answer tells that the upstream's answer to an admitted request is there,
	// whose usage is r.tokens().
	answer(now time.Duration, r *request) error

	// end is called once, when nothing is under way any more. The books are nil
	// if the rule keeps none.
	end(now time.Duration) (*Books, error)

	// close frees what the gate holds.
	close() error
}

// A verdict is what a gate decided.
type verdict struct {
	admitted bool
	retry    time.Duration // if refused: after which time the caller is told to ask again; 0 if not told
	message  string        // if refused: the text that the caller gets, where the rule has one
}

// A key is one virtual key.
type key struct {
	number int // among all keys
	tenant *Tenant
	group  int // number of the tenant
	name   string

	arrivals, sizes *chance
	live            int // of a hog: requests open or waiting
}

// A request is one thing that a key wants. Its sizes are drawn when it is
// first wanted and depend on the seed, the key and its number, not on the rule.
type request struct {
	key     *key
	bytes   int64 // of text
	prompt  int64 // tokens
	output  int64 // tokens
	latency time.Duration

	wanted time.Duration // when it was asked first
	minute int           // the last minute in which it was asked
	hog    bool          // another one follows it

	state any // of the gate
}

// tokens is what the request really costs.
func (r *request) tokens() int64 { return r.prompt + r.output }

// Books are what the plugin's own books say when all is over.
type Books struct {
	Requests int64 `json:"requests"` // admitted
	Refused  int64 `json:"refused"`
	Tokens   int64 `json:"tokens"`    // used
	Held     int64 `json:"held"`      // tokens still held
	InFlight int64 `json:"in_flight"` // requests still open
	Guessed  int64 `json:"guessed"`   // requests charged by estimate
	Debt     int64 `json:"debt"`      // tokens used above a hold that crossed the capacity
}

// minute is the number of the minute that a moment lies in.
func minute(at time.Duration) int { return int(at / time.Minute) }

// untilMinute is the time from now to the next full minute.
func untilMinute(now time.Duration) time.Duration {
	return time.Duration(minute(now)+1)*time.Minute - now
}
