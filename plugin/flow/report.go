package flow

import (
	"encoding/binary"
	"strconv"

	"fairshare/plugin/llm"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
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
	stamp []int64         // per group: what the published table was made from
	buf   []byte
	book  quota.Book
}

type name struct {
	hash  [32]byte
	alias string
}

// maxNames bounds what the leader remembers; past it the names are forgotten
// and learned anew from the next events.
const maxNames = 8192

// drain takes all messages from the queue.
func (w *Worker) drain() {
	if w.report.names == nil {
		w.report.names = make(map[uint64]name)
	}
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
			id := quota.KeyID(&hash)
			if known, ok := w.report.names[id]; !ok || known.alias != string(m[eventSize:eventSize+n]) {
				if len(w.report.names) >= maxNames {
					clear(w.report.names)
				}
				w.report.names[id] = name{hash, string(m[eventSize : eventSize+n])}
			}
			m = m[eventSize+n:]
		}
	}
}

// tablePrefix and the model group's name are where its share table lies: 8
// bytes of ms since 1970 when it was made, then the members of a JSON array.
const tablePrefix = "fs/t/"

// publish writes each group's share table, as long as there is something new.
// Its readers want to look at shares, not to decide by them: admission always
// computes them from the book.
func (w *Worker) publish(now int64, g *Gateway) {
	if len(w.report.stamp) != len(g.groups) {
		w.report.stamp = make([]int64, len(g.groups))
	}
	for i := range g.groups {
		gr := &g.groups[i]
		b := &w.report.book
		if err := w.ledger.Read(now, &gr.terms, b); err != nil {
			w.count(onFail[storeRefused].metric, 1)
			continue
		}
		// Requests in flight, refusals and the minute move the stamp; an idle
		// group's table is left alone.
		s := b.Minute ^ (b.Totals.Requests+b.Totals.Refused)<<20 ^ b.Slots<<44 ^ int64(b.Totals.Tokens)<<8
		if s == w.report.stamp[i] && len(b.Lines) == 0 {
			continue
		}
		w.report.stamp[i] = s
		w.report.buf = binary.LittleEndian.AppendUint64(w.report.buf[:0], uint64(now))
		w.report.buf = g.appendTable(w.report.buf, b, &gr.terms)
		if quota.Put(w.host, tablePrefix+gr.model.Name, w.report.buf) != quota.OK {
			w.count(onFail[storeRefused].metric, 1)
		}
	}
}

// appendTable appends the active keys' part of a book as members of a JSON
// array.
func (g *Gateway) appendTable(dst []byte, b *quota.Book, t *quota.Terms) []byte {
	w := g.worker
	for i := range b.Lines {
		l := &b.Lines[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		// Until the leader has heard of a key, its line's id is all there is:
		// the first eight bytes of its hash.
		n, known := w.report.names[l.ID]
		token := tenant.Token(&n.hash)
		if !known {
			binary.LittleEndian.PutUint64(n.hash[:], l.ID)
			token = tenant.Token(&n.hash)[:16] + "..."
		}
		dst = append(dst, `{"key":`...)
		dst = llm.AppendString(dst, token)
		dst = append(dst, `,"key_alias":`...)
		dst = llm.AppendNullable(dst, n.alias)
		dst = append(dst, `,"weight":`...)
		dst = strconv.AppendFloat(dst, float64(l.Weight)/quota.One, 'g', -1, 64)
		if len(b.Pools) > 0 {
			dst = append(dst, `,"priority":`...)
			dst = llm.AppendNullable(dst, g.priority(int(l.Pool)))
		}
		if t.LimitTPM {
			dst = appendPart(dst, "tpm", l.TokenShare, int64(l.Used), int64(l.Held), l.TokensAvailable)
		}
		if t.LimitRPM {
			dst = appendPart(dst, "rpm", l.RequestShare, l.Requests, 0, l.RequestsAvailable)
		}
		dst = append(dst, `,"in_flight":`...)
		dst = strconv.AppendInt(dst, l.Slots, 10)
		dst = append(dst, `,"refused":`...)
		dst = strconv.AppendInt(dst, l.Refused, 10)
		dst = append(dst, '}')
	}
	return dst
}

// priority names a pool, empty for that of callers without a declared priority.
func (g *Gateway) priority(pool int) string {
	if pool >= len(g.policy.Priorities) {
		return ""
	}
	return g.policy.Priorities[pool].Name
}

// appendPools appends the pools of a book as a JSON array.
func (g *Gateway) appendPools(dst []byte, b *quota.Book, t *quota.Terms) []byte {
	dst = append(dst, '[')
	for i := range b.Pools {
		p := &b.Pools[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"priority":`...)
		dst = llm.AppendNullable(dst, g.priority(i))
		dst = append(dst, `,"weight":`...)
		dst = strconv.AppendFloat(dst, float64(p.Weight)/quota.One, 'g', -1, 64)
		dst = append(dst, `,"active_keys":`...)
		dst = strconv.AppendInt(dst, p.Active, 10)
		if t.LimitTPM {
			dst = appendPart(dst, "tpm", p.TokenShare, int64(p.Used), int64(p.Held), p.TokensAvailable)
		}
		if t.LimitRPM {
			dst = appendPart(dst, "rpm", p.RequestShare, p.Requests, 0, p.RequestsAvailable)
		}
		dst = append(dst, `,"refused":`...)
		dst = strconv.AppendInt(dst, p.Refused, 10)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendPart(dst []byte, what string, share, used, held, available int64) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, what...)
	dst = append(dst, `":{"share":`...)
	dst = strconv.AppendInt(dst, share, 10)
	dst = append(dst, `,"used":`...)
	dst = strconv.AppendInt(dst, used, 10)
	dst = append(dst, `,"held":`...)
	dst = strconv.AppendInt(dst, held, 10)
	dst = append(dst, `,"available":`...)
	dst = strconv.AppendInt(dst, available, 10)
	return append(dst, '}')
}

// answerShares is GET /fairshare/shares?model=: the group's book as it is now,
// and the leader's table of who has which share.
func (x *Exchange) answerShares(now int64, query string) Decision {
	w := x.gateway.worker
	asked := parameter(query, "model")
	at, ok := x.gateway.index[asked]
	if !ok {
		return x.refuse(404, llm.ErrorBody{Message: "There is no model " + clip(asked) + ": name one with ?model=", Type: "invalid_request_error", Param: "model", Code: 404}, BadRequests)
	}
	gr := &x.gateway.groups[at]
	b := &w.report.book
	if err := w.ledger.Read(now, &gr.terms, b); err != nil {
		return x.fail(admissionFailure(err))
	}
	dst := append(x.body[:0], `{"model":`...)
	dst = llm.AppendString(dst, gr.model.Name)
	dst = append(dst, `,"minute":`...)
	dst = appendStamp(dst, b.Minute*60_000)
	dst = append(dst, `,"active_keys":`...)
	dst = strconv.AppendInt(dst, b.Active, 10)
	if gr.terms.LimitTPM {
		dst = appendBook(dst, "tpm", int64(gr.terms.TPM), int64(b.Used), int64(b.Held))
	}
	if gr.terms.LimitRPM {
		dst = appendBook(dst, "rpm", gr.terms.RPM, b.Requests, 0)
	}
	dst = append(dst, `,"in_flight":`...)
	dst = strconv.AppendInt(dst, b.Slots, 10)
	dst = append(dst, `,"late_held":`...)
	dst = strconv.AppendInt(dst, int64(b.PrevHeld), 10)
	if len(b.Pools) > 0 {
		dst = append(dst, `,"priorities":`...)
		dst = x.gateway.appendPools(dst, b, &gr.terms)
	}
	t := &b.Totals
	dst = append(dst, `,"totals":{"requests":`...)
	dst = strconv.AppendInt(dst, t.Requests, 10)
	for _, v := range [...]struct {
		name string
		n    int64
	}{
		{"refused", t.Refused},
		{"tokens", int64(t.Tokens)},
		{"estimated_requests", t.EstimatedRequests},
		{"estimated_tokens", int64(t.EstimatedTokens)},
		{"debt_tokens", int64(t.DebtTokens)},
		{"reclaimed", t.Reclaimed},
	} {
		dst = append(dst, `,"`...)
		dst = append(dst, v.name...)
		dst = append(dst, `":`...)
		dst = strconv.AppendInt(dst, v.n, 10)
	}
	dst = append(dst, `},"keys_at":`...)
	if v, _, st := w.host.Get(tablePrefix + gr.model.Name); st == quota.OK && len(v) >= 8 {
		dst = appendStamp(dst, int64(binary.LittleEndian.Uint64(v)))
		dst = append(dst, `,"keys":[`...)
		dst = append(dst, v[8:]...)
	} else {
		dst = append(dst, `null,"keys":[`...)
	}
	return x.answer(200, append(dst, "]}"...))
}

func appendBook(dst []byte, what string, limit, used, held int64) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, what...)
	dst = append(dst, `":{"limit":`...)
	dst = strconv.AppendInt(dst, limit, 10)
	dst = append(dst, `,"used":`...)
	dst = strconv.AppendInt(dst, used, 10)
	dst = append(dst, `,"held":`...)
	dst = strconv.AppendInt(dst, held, 10)
	return append(dst, '}')
}
