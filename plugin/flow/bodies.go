package flow

import (
	"strconv"

	"fairshare/plugin/llm"
	"fairshare/plugin/quota"
)

// Bodies that are on their way lie in the host's memory until they are whole, and
// who sends one need never end it. So what a worker waits for is bounded: by
// number and by bytes, for each key and for all of them.

// bodies are the exchanges of a worker that wait for their body.
type bodies struct {
	list    []*Exchange
	bytes   int64  // that the host holds of them
	rewrite []byte // of a body that is too large for its exchange's own memory
}

// keyPart is which part of max_body_memory the bodies of one key may take.
const keyPart = 4

// maxManagementBody bounds the bodies of the management API, which are read into a
// tree several times as large. /key/generate and the like take a few hundred bytes.
const maxManagementBody = 256 << 10

// await begins to wait for the body, or says why not.
func (x *Exchange) await() *Decision {
	b, p := &x.gateway.worker.bodies, x.gateway.policy
	if len(b.list) >= p.MaxBodiesPerKey && x.bodiesOfKey() >= p.MaxBodiesPerKey {
		return x.tooManyBodies(429, "of this key: "+strconv.Itoa(p.MaxBodiesPerKey)+" may be on their way at a time")
	}
	if len(b.list) >= p.MaxBodies {
		return x.tooManyBodies(503, "in all: "+strconv.Itoa(p.MaxBodies)+" may be on their way at a time")
	}
	x.place, x.read = len(b.list), 0
	b.list = push(b.list, x)
	x.state = reading
	return nil
}

// grow notes how much of the body the host has.
func (x *Exchange) grow(size int) *Decision {
	b, most := &x.gateway.worker.bodies, x.gateway.policy.MaxBodyMemory
	b.bytes += int64(size) - x.read
	x.read = int64(size)
	if b.bytes <= most/keyPart {
		return nil
	}
	if x.bytesOfKey() > max(most/keyPart, int64(x.gateway.policy.MaxBodyBytes)) {
		x.arrived()
		return x.tooManyBodies(429, "of this key: they take more than their part of this gateway's memory")
	}
	if b.bytes > most {
		x.arrived()
		return x.tooManyBodies(503, "in all: they take more memory than this gateway gives them")
	}
	return nil
}

// arrived ends the wait for the body, however it ends.
func (x *Exchange) arrived() {
	if x.state != reading {
		return
	}
	x.state = passing
	b := &x.gateway.worker.bodies
	last := len(b.list) - 1
	b.list[x.place] = b.list[last]
	b.list[x.place].place = x.place
	b.list[last] = nil
	b.list = b.list[:last]
	b.bytes -= x.read
	x.read = 0
}

// bodiesOfKey and bytesOfKey go through all bodies, which is rare: only where there
// are as many of them as one key may have.
func (x *Exchange) bodiesOfKey() int {
	n := 0
	for _, o := range x.gateway.worker.bodies.list {
		if o.caller.key.Line == x.caller.key.Line {
			n++
		}
	}
	return n
}

func (x *Exchange) bytesOfKey() int64 {
	n := int64(0)
	for _, o := range x.gateway.worker.bodies.list {
		if o.caller.key.Line == x.caller.key.Line {
			n += o.read
		}
	}
	return n
}

//go:noinline
func (x *Exchange) tooManyBodies(status int, whose string) *Decision {
	kind := "throttling_error"
	if status == 503 {
		kind = "internal_server_error"
	}
	x.headers = append(x.headers[:0], [2]string{"retry-after", "1"})
	d := x.refuse(status, llm.ErrorBody{Message: "Too many request bodies " + whose, Type: kind, Code: status}, RefusedBodies)
	return &d
}

// maxBody is the largest body that the request may have, in bytes.
func (x *Exchange) maxBody() int {
	if x.route == manage {
		return min(maxManagementBody, x.gateway.policy.MaxBodyBytes)
	}
	return x.gateway.policy.MaxBodyBytes
}

// rewriteRoom is memory for the rewrite of a body of so many bytes, which comes to at
// most more bytes beyond it. The large one is the worker's and made twice at most,
// for the reason that filter.malloc gives.
func (x *Exchange) rewriteRoom(size, more int) []byte {
	if size+more <= maxScratch {
		return x.body[:0]
	}
	const usual = 512 << 10
	b := &x.gateway.worker.bodies
	if n := size + more; n > cap(b.rewrite) {
		if n = max(n, x.gateway.policy.MaxBodyBytes+more); size+more <= usual {
			n = usual
		}
		b.rewrite = nil // which may be room for the larger one
		b.rewrite = make([]byte, 0, n)
	}
	return b.rewrite[:0]
}

// refuseBody refuses a request for what its body says. It costs what it costs to
// read it, so it counts as a request of the key's, the user's, the team's, the
// member's and the proxy's.
//
//go:noinline
func (x *Exchange) refuseBody(now int64, status int, e llm.ErrorBody) Decision {
	if x.route != manage && x.caller != nil {
		x.gatherOwn()
		x.gateway.worker.ledger.Spoil(now, x.meters[:x.nmetered])
		x.caller.spoiled = now
	}
	return x.refuse(status, e, BadRequests)
}

// gatherOwn collects the meters that do not depend on the body.
func (x *Exchange) gatherOwn() {
	x.nmetered = 0
	for i := range x.caller.meters {
		x.meter(&x.caller.meters[i])
	}
	if x.gateway.proxy.Limits() {
		x.meter(&x.gateway.proxy)
	}
}

// suspectMS is for how long the bodies of a caller are looked at with suspicion: while
// one that was refused can count in a window of a minute.
const suspectMS = 2 * 60_000

// unread refuses a request whose body would be in vain: a body of the caller was
// refused of late, and its requests a minute are used up. Others learn that with
// their admission, which spares their requests the reading of meters here.
//
//go:noinline
func (x *Exchange) unread(now int64) *Decision {
	x.gatherOwn()
	v := &x.gateway.worker.verdict
	*v = quota.Verdict{}
	if !x.gateway.worker.ledger.OutOfRequests(now, x.meters[:x.nmetered], v) {
		return nil
	}
	x.told.clear()
	d := x.overMeter(now, v)
	return &d
}
