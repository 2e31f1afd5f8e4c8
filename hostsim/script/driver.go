// Package script runs scenarios: txtar files that tell one story of requests,
// answers and the clock, and that any driver can play. The same file runs
// against the decision core in process, the wasm in the host simulator and the
// wasm in real Envoy; what a scenario prints may not depend on which.
package script

import (
	"errors"
	"time"
)

// ErrUnsupported is what a driver returns for a step that it has no means to
// carry out. A scenario that needs the step says so by a condition.
var ErrUnsupported = errors.New("script: the driver cannot do this")

// A Driver plays a gateway under test. A scenario drives it from one
// goroutine; a driver may run as many of its own as it likes.
type Driver interface {
	// Start brings up the gateway with the plugin configuration (LiteLLM's
	// config.yaml as JSON) and the wall clock standing at setup.Now. An error
	// is the configuration error that the gateway reported, as one line.
	Start(setup Setup) error

	// Reload replaces the configuration of the running gateway. On error the
	// old configuration goes on serving.
	Reload(config []byte) error

	// Advance moves the wall clock on by d and lets every worker tick as
	// often as it would have in that time (at least once).
	Advance(d time.Duration) error

	// Send sends a whole request and returns when the gateway has either
	// answered it itself (Outcome.Reply) or forwarded it (Outcome.Forwarded);
	// a forwarded request waits for Answer, ResetUpstream or Abort.
	Send(name string, r Request) (Outcome, error)

	// Answer gives the upstream's answer to a forwarded request and returns
	// what the client received. With a.Unfinished the answer stays open for
	// a further Answer, whose status and headers are then ignored, and the
	// returned reply holds what the client has received so far.
	Answer(name string, a Answer) (Reply, error)

	// ResetUpstream breaks the upstream's side of a forwarded request.
	ResetUpstream(name string) (Reply, error)

	// Abort breaks the client's side of a forwarded request.
	Abort(name string) error

	// Trap kills the worker that serves the request as a trap in its code
	// would; its streams end without another callback. Drivers that cannot
	// return ErrUnsupported and the scenario says so in a condition.
	Trap(name string) error

	// Close ends the gateway and frees what it held.
	Close() error
}

// Setup is what Start needs to bring a gateway up.
type Setup struct {
	Config  []byte            // the plugin's configuration, JSON
	Workers int               // request-serving workers, at least 1
	Now     time.Time         // the wall clock at start
	Env     map[string]string // environment of the gateway's process
}

// A Request is one HTTP request of a client.
type Request struct {
	Worker  int // 1-based; 0 lets the gateway choose. Drivers over a real network ignore it.
	Method  string
	Path    string
	Headers [][2]string // lower-case names, without pseudo headers; order and repeats kept
	Body    []byte
}

// An Outcome tells what became of a request; exactly one field is set.
type Outcome struct {
	Reply     *Reply
	Forwarded *Request // as the upstream received it
}

// An Answer is what the upstream sends.
type Answer struct {
	Status     int
	Headers    [][2]string
	Body       []byte
	Cut        int  // bytes a chunk; 0 sends the body whole
	Unfinished bool // leave the answer open
}

// A Reply is what the client received.
type Reply struct {
	Status  int
	Headers [][2]string
	Body    []byte
	Cut     bool // the answer broke off before its end
}
