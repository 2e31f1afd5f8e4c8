package flow

import (
	"fairshare/plugin/quota"
)

// Workers tell the leader by the shared queue whose the lines of the books are.
// That is news: the books are the truth, and what is lost costs a report a name,
// until it is told again. To spare a host call and a wake-up for each request, a
// worker collects it and sends it with its tick or when it is much.
//
// Message: several of  key hash 32 | alias length 1 | alias.
const (
	eventSize  = 32 + 1
	maxAlias   = 64
	batchBytes = 4 << 10
	// retellMS is how long a key that was told is not told again.
	retellMS = 2000
)

type events struct {
	batch []byte
	told  [256]told // the last ones, by the line of their keys
}

type told struct {
	serial uint64 // of the caller
	at     int64  // ms since 1970
}

// tell lets the leader know whose key asks, if its line is of interest to anybody.
func (x *Exchange) tell(now int64) {
	e, c := &x.gateway.worker.events, x.caller
	if t := &x.group.terms; !t.LimitTPM && !t.LimitRPM {
		return
	}
	last := &e.told[byte(c.key.Line)]
	if age := now - last.at; last.serial == c.serial && age >= 0 && age < retellMS {
		return
	}
	*last = told{c.serial, now}
	alias := c.key.Alias
	if len(alias) > maxAlias {
		alias = alias[:maxAlias]
	}
	e.batch = append(e.batch, c.key.Hash[:]...)
	e.batch = append(e.batch, byte(len(alias)))
	e.batch = append(e.batch, alias...)
	if len(e.batch) >= batchBytes {
		x.gateway.worker.flush()
	}
}

// flush sends the collected events.
func (w *Worker) flush() {
	if len(w.events.batch) == 0 {
		return
	}
	if !w.host.Enqueue(w.events.batch) {
		w.count(onFail[queueFull].metric, 1)
	}
	w.events.batch = w.events.batch[:0]
}

// A report is what the leader knows beside the books: whose the lines are.
type report struct {
	names map[uint64]name // by quota.KeyID
	leads bool            // when it last ticked
	stamp []int64         // per group: what the published table was made from
	buf   []byte
	book  quota.Book
	rows  []row
	why   quota.Refusals

	answer []byte // of /fairshare/shares, see scrape
}

type name struct {
	hash  [32]byte
	alias string
}

// maxNames bounds what the leader remembers; past it the names are forgotten
// and learned anew from the next events.
const maxNames = 8192

// learn remembers whose a line is.
func (r *report) learn(hash *[32]byte, alias []byte) {
	id := quota.KeyID(hash)
	known, ok := r.names[id]
	if ok && known.alias == string(alias) {
		return
	}
	if r.names == nil {
		r.names = make(map[uint64]name)
	}
	if len(r.names) >= maxNames {
		clear(r.names)
	}
	r.names[id] = name{*hash, string(alias)}
}

// drain takes all messages from the queue.
func (w *Worker) drain() {
	for range 1 << 10 { // the rest waits for the next tick
		m, ok := w.host.Dequeue()
		if !ok {
			return
		}
		for len(m) >= eventSize {
			n := int(m[32])
			if len(m) < eventSize+n {
				break
			}
			hash := [32]byte(m[:32])
			w.report.learn(&hash, m[eventSize:eventSize+n])
			m = m[eventSize+n:]
		}
	}
}
