package filter

import "fairshare/plugin/flow"

// A stream is one request and its answer. Streams are reused.
type stream struct {
	id       uint32 // of its context, the host's choice
	plugin   *plugin
	exchange *flow.Exchange
	probed   bool // in the list of the probe
	since    int64
	next     *stream // in its row of the table, or in the list of ended ones
}

// A table finds streams by their contexts' numbers, which hosts mostly give one
// after the other: the low bits choose the row, and rows are about one long.
type table struct {
	rows []*stream // a power of two
	n    int
}

func (t *table) find(id uint32) *stream {
	if len(t.rows) == 0 {
		return nil
	}
	s := t.rows[id&uint32(len(t.rows)-1)]
	for s != nil && s.id != id {
		s = s.next
	}
	return s
}

// put adds a stream whose number is not in the table.
func (t *table) put(s *stream) {
	if t.n >= len(t.rows) {
		t.grow()
	}
	row := &t.rows[s.id&uint32(len(t.rows)-1)]
	s.next, *row = *row, s
	t.n++
}

// take removes and returns the stream with this number, nil if there is none.
func (t *table) take(id uint32) *stream {
	if len(t.rows) == 0 {
		return nil
	}
	for at := &t.rows[id&uint32(len(t.rows)-1)]; *at != nil; at = &(*at).next {
		if s := *at; s.id == id {
			*at, s.next = s.next, nil
			t.n--
			return s
		}
	}
	return nil
}

func (t *table) grow() {
	old := t.rows
	t.rows = make([]*stream, max(64, 2*len(old)))
	t.n = 0
	for _, s := range old {
		for s != nil {
			next := s.next
			t.put(s)
			s = next
		}
	}
}

var (
	plugins []*plugin // all configurations that the host has not dropped
	streams table     // the streams under way
	ended   *stream   // for reuse, linked by next
)

// findPlugin returns the plugin of a root context, nil if there is none.
func findPlugin(id uint32) *plugin {
	for _, p := range plugins {
		if p.id == id {
			return p
		}
	}
	return nil
}

// open begins a stream of the plugin.
func open(id uint32, p *plugin) {
	if old := streams.take(id); old != nil {
		old.end() // the host gave a number again without having ended its stream
	}
	s := ended
	if s == nil {
		s = new(stream)
	} else {
		ended = s.next
	}
	s.id, s.plugin, s.exchange = id, p, p.gateway.Open()
	streams.put(s)
}

// end ends a stream that was taken out of the table.
func (s *stream) end() {
	s.exchange.Done(clock)
	s.leaveProbe()
	s.exchange, s.plugin = nil, nil
	s.next, ended = ended, s
}
