package flow

import (
	"encoding/binary"

	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

// Workers tell the leader what happened by events on the shared queue. Events
// are news: the books are the truth, and a lost event costs a line of a
// report. To spare a host call and a wake-up for each request, a worker
// collects its events and sends them with its tick or when they are many.
//
// Message: events of  key hash 32 | group 2 | refused 1 | alias length 1 |
// prompt 8 | completion 8 | alias.
const (
	eventSize  = 32 + 2 + 1 + 1 + 8 + 8
	maxAlias   = 64
	batchBytes = 4 << 10
)

type events struct{ batch []byte }

// tell reports an admitted and settled, or a refused, request to the leader.
func (x *Exchange) tell(prompt, completion unit.Tokens, refused bool) {
	x.gateway.worker.event(x.caller.key, x.gateway.index[x.group.model.Name], refused, prompt, completion)
}

// introduce tells the leader of a key before its first request is over.
func (w *Worker) introduce(key *tenant.Subject) { w.event(key, 0, false, 0, 0) }

func (w *Worker) event(key *tenant.Subject, group int, refused bool, prompt, completion unit.Tokens) {
	le := binary.LittleEndian
	alias := key.Alias
	if len(alias) > maxAlias {
		alias = alias[:maxAlias]
	}
	b := w.events.batch
	b = append(b, key.Hash[:]...)
	b = le.AppendUint16(b, uint16(group))
	no := byte(0)
	if refused {
		no = 1
	}
	b = append(b, no, byte(len(alias)))
	b = le.AppendUint64(b, uint64(prompt))
	b = le.AppendUint64(b, uint64(completion))
	w.events.batch = append(b, alias...)
	if len(w.events.batch) >= batchBytes {
		w.flush()
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
			n := int(m[35])
			if len(m) < eventSize+n {
				break
			}
			hash := [32]byte(m[:32])
			w.report.learn(&hash, m[eventSize:eventSize+n])
			m = m[eventSize+n:]
		}
	}
}
