package flow

import (
	"encoding/binary"

	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

// The share table is who has which share of a model, as the leader saw it with its
// last tick. It is there to be looked at: admission always computes shares from the
// book, so a table that is old, missing or garbage changes no decision. Whoever
// wants to look then computes the same from the book.
//
// Layout, numbers little endian:
//
//	magic 4 | checksum of what follows 4 | ms since 1970 when it was made 8 |
//	length of the model group's name 2 | name | rows
//
// A row is: flags 1 | pool 1 | length of the alias 1 | 0 | weight 4 | line 8 |
// key hash 32 | numbers, 8 each | alias.
const (
	tablePrefix = "fs/t/"
	tableMagic  = 0x01545346 // "FST" and layout 1
	tableHead   = 4 + 4 + 8 + 2
	rowHead     = 4 + 4 + 8 + 32
	rowSize     = rowHead + rowNumbers*8
	rowNumbers  = 9
	rowNamed    = 1 // flag: hash and alias are known

	// tableMS is how old a table may be to be shown.
	tableMS = TickMS + 50
)

// A row is an active key's part of a share table.
type row struct {
	quota.Line
	name
	named bool // the hash and the alias are known
}

// numbers are those of a row that are written as they are.
func numbers(l *quota.Line) [rowNumbers]*int64 {
	return [...]*int64{
		(*int64)(&l.Used), (*int64)(&l.Held), &l.Requests, &l.Refused, &l.Slots,
		&l.TokenShare, &l.TokensAvailable, &l.RequestShare, &l.RequestsAvailable,
	}
}

// token is how the key of a row is told. The line of all keys that have none of their
// own is the others'. Until the leader has heard of a key, its line's id is all there
// is: the first eight bytes of its hash. Of the master key nothing is told.
func (g *Gateway) token(r *row) string {
	switch {
	case r.ID == g.master.Line || r.named && r.hash == g.master.Hash:
		return masterKeyLabel
	case r.named:
		return tenant.Token(&r.hash)
	case quota.IsCrowd(r.ID):
		return others
	}
	var hash [32]byte
	binary.LittleEndian.PutUint64(hash[:], r.ID)
	return tenant.Token(&hash)[:16] + "..."
}

// borrowed is what was taken beyond a share.
func borrowed(share, used, held int64) int64 { return max(0, used+held-share) }

// publish writes each group's share table, as long as there is something new.
func (w *Worker) publish(now int64, g *Gateway) {
	if len(w.report.stamp) != len(g.groups) {
		w.report.stamp = make([]int64, len(g.groups))
	}
	for i := range g.groups {
		gr := &g.groups[i]
		if !g.reports(gr) {
			continue
		}
		b := &w.report.book
		if err := w.ledger.Watch(now, &gr.terms, b); err != nil {
			w.count(onFail[storeRefused].metric, 1)
			continue
		}
		// Requests in flight, refusals and the minute move the stamp; an idle
		// group's table is left alone.
		s := b.Minute ^ (b.Totals.Requests+b.Totals.Refused+b.Totals.WouldRefuse)<<20 ^ b.Slots<<44 ^ int64(b.Totals.Tokens)<<8
		if s == w.report.stamp[i] && len(b.Lines) == 0 {
			continue
		}
		w.report.stamp[i] = s
		w.report.buf = w.report.appendTable(w.report.buf[:0], now, gr.model.Name)
		if quota.Put(w.host, tablePrefix+gr.model.Name, w.report.buf) != quota.OK {
			w.count(onFail[storeRefused].metric, 1)
		}
	}
}

// succeed takes over what the last leader knew of names.
func (w *Worker) succeed(g *Gateway) {
	for i := range g.groups {
		model := g.groups[i].model.Name
		if v, _, st := w.host.Get(tablePrefix + model); st == quota.OK {
			w.report.readTable(v, model)
			w.report.learnRows()
		}
	}
}

// appendTable appends the table of a group's book.
func (r *report) appendTable(dst []byte, now int64, model string) []byte {
	le, start := binary.LittleEndian, len(dst)
	dst = quota.Unsealed(dst)
	dst = le.AppendUint64(dst, uint64(now))
	dst = le.AppendUint16(dst, uint16(len(model)))
	dst = append(dst, model...)
	for i := range r.book.Lines {
		l := &r.book.Lines[i]
		n, named := r.names[l.ID]
		flags := byte(0)
		if named {
			flags = rowNamed
		}
		dst = append(dst, flags, l.Pool, byte(len(n.alias)), 0)
		dst = le.AppendUint32(dst, l.Weight)
		dst = le.AppendUint64(dst, l.ID)
		dst = append(dst, n.hash[:]...)
		for _, v := range numbers(l) {
			dst = le.AppendUint64(dst, uint64(*v))
		}
		dst = append(dst, n.alias...)
	}
	quota.Seal(dst[start:], tableMagic)
	return dst
}

// readTable reads a group's table into r.rows and tells when it was made. What is
// not the group's table, whole, has no rows.
func (r *report) readTable(v []byte, model string) (at int64, ok bool) {
	r.rows = r.rows[:0]
	le := binary.LittleEndian
	if len(v) < tableHead+len(model) || !quota.Sealed(v, tableMagic) ||
		int(le.Uint16(v[16:])) != len(model) || string(v[tableHead:tableHead+len(model)]) != model {
		return 0, false
	}
	at, v = int64(le.Uint64(v[8:])), v[tableHead+len(model):]
	for len(v) > 0 {
		if len(v) < rowSize || len(v) < rowSize+int(v[2]) {
			r.rows = r.rows[:0]
			return 0, false
		}
		end := rowSize + int(v[2])
		x := row{named: v[0]&rowNamed != 0}
		x.Pool, x.Weight, x.ID = v[1], le.Uint32(v[4:]), le.Uint64(v[8:])
		copy(x.hash[:], v[16:])
		for i, n := range numbers(&x.Line) {
			*n = int64(le.Uint64(v[rowHead+8*i:]))
		}
		x.alias = string(v[rowSize:end])
		r.rows = append(r.rows, x)
		v = v[end:]
	}
	return at, true
}

// learnRows remembers whose the rows are.
func (r *report) learnRows() {
	for i := range r.rows {
		if x := &r.rows[i]; x.named {
			r.learn(&x.hash, []byte(x.alias))
		}
	}
}

// tabulate leaves in w.report.rows the active keys of the group whose book
// w.report.book is, and tells from when they are: the leader's table, or if that is
// older than 250 ms, of another minute or unreadable, the book's own lines.
func (w *Worker) tabulate(now int64, gr *group) (at int64) {
	r := &w.report
	if v, _, st := w.host.Get(tablePrefix + gr.model.Name); st == quota.OK {
		if at, ok := r.readTable(v, gr.model.Name); ok && at <= now && now-at <= tableMS && at/60_000 == r.book.Minute {
			return at
		}
		r.learnRows()
	}
	r.rows = r.rows[:0]
	for i := range r.book.Lines {
		x := row{Line: r.book.Lines[i]}
		x.name, x.named = r.names[x.ID]
		r.rows = append(r.rows, x)
	}
	return now
}
