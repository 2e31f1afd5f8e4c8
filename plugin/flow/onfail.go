package flow

import (
	"errors"

	"fairshare/plugin/quota"
)

// A failure is machinery that broke, as opposed to a refusal, which is a
// decision.
type failure uint8

const (
	storeRefused   failure = iota // shared data can't be read or written at admission
	swapsSpent                    // other workers won every swap at admission
	keyStoreFailed                // a key's record can't be read
	noRandomness                  // the host gives no random bytes
	unsettled                     // the books could not be changed when the answer ended
	unreadable                    // an answer of which nothing could be read (compressed, unknown type)
	noUsage                       // an answer without usage
	clientLeft                    // the client closed before its answer began
	queueFull                     // a usage report found no room
)

// An effect is what happens then: open lets the exchange go on, closed answers
// with status and message.
type effect struct {
	closed  bool
	status  int
	message string
	retry   bool   // the client may try again at once
	metric  Metric // counts it
}

// onFail is the one table that decides what a failure does. Before admission
// everything fails closed: a gateway that can't count would let all through,
// which is what limits are there to prevent. After admission everything fails
// open: the upstream has done the work, and the client gets it.
//
// A body that is too large, a bad configuration and a bad reload aren't here:
// they are refusals (413) or keep the old configuration, see exchange.go and
// the filter.
var onFail = [...]effect{
	storeRefused:   {closed: true, status: 503, message: "Rate limit enforcement unavailable: the shared store can't be used", metric: StoreFailures},
	swapsSpent:     {closed: true, status: 503, message: "Rate limit enforcement unavailable: too many requests at this moment", retry: true, metric: ConflictFailures},
	keyStoreFailed: {closed: true, status: 503, message: "Keys can't be checked: the shared store can't be used", metric: StoreFailures},
	noRandomness:   {closed: true, status: 503, message: "No key can be made: the host gives no random bytes", metric: StoreFailures},
	unsettled:      {metric: UnsettledRequests},
	unreadable:     {metric: EstimatedRequests},
	noUsage:        {metric: EstimatedRequests},
	clientLeft:     {metric: EstimatedRequests},
	queueFull:      {metric: QueueDropped},
}

func admissionFailure(err error) failure {
	if errors.Is(err, quota.ErrConflict) {
		return swapsSpent
	}
	return storeRefused
}
