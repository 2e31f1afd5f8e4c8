//go:build !tinygo

package flow

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"fairshare/plugin/llm"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

// wide is a label that fills pages.
var wide = strings.Repeat("x", 250)

// fillSeries counts an answer of each of n keys.
func fillSeries(w *Worker, n int, label string) {
	for i := range n {
		o := occasion{&caller{key: &tenant.Subject{ID: strconv.Itoa(i), Alias: label, TeamID: label, UserID: label}}, place{serial: uint64(i + 1), status: 200}}
		d := w.delta(&o)
		d.answers[answered]++
		d.answers[spent] += int64(i)
		d.requests[0]++
	}
	for len(w.series.deltas) > 0 {
		w.writeSeries()
	}
}

// seriesTotals adds up all series in the store, and gives how many there are of
// each kind, those of others left out, and the size of the largest page.
func seriesTotals(t testing.TB, h Host) (sum [numAmounts + 2]int64, n [numSeriesKinds]int, largest int) {
	t.Helper()
	names := map[string]bool{}
	for page := range seriesPages {
		v, _, st := h.Get(new(tableau).seriesKey(page))
		if st == quota.NotFound {
			continue
		}
		if st != quota.OK || !wholePage(v, page) {
			t.Fatalf("page %d can't be read", page)
		}
		largest = max(largest, len(v))
		for s := seriesOf(v); s.next(); {
			name := string(s.name)
			if texts := s.texts(); string(texts[byKey]) == others {
				name += strconv.Itoa(page)
				n[s.kind()]--
			}
			if names[name] {
				t.Fatalf("%q is there twice", s.name)
			}
			names[name] = true
			n[s.kind()]++
			first := [numSeriesKinds]int{0, int(numAmounts), int(numAmounts) + 1}[s.kind()]
			for i := range s.kind().amounts() {
				sum[first+i] += s.amount(i)
			}
		}
	}
	return sum, n, largest
}

// crossing is a store in which other workers write between the get and the set
// of one, and which tears values, fails and loses swaps.
type crossing struct {
	*process
	rng     *rand.Rand
	workers []*Worker
	busy    map[*Worker]bool
	old     map[string][]byte
	cas     map[string]uint32
	wild    bool // what goes wrong goes wrong
}

func (c *crossing) Get(key string) ([]byte, uint32, quota.Status) {
	v, cas, st := c.process.Get(key)
	if !c.wild || st != quota.OK || !strings.HasPrefix(key, "fs/p/") {
		return v, cas, st
	}
	switch c.rng.IntN(20) {
	case 0:
		return nil, 0, quota.Failed
	case 1, 2:
		// As on Kong: the number of the old value, and half of each.
		if old := c.old[key]; old != nil {
			half := len(v) / 2
			torn := append(append([]byte(nil), v[:half]...), old[min(half, len(old)):]...)
			return torn, c.cas[key], quota.OK
		}
	}
	return v, cas, st
}

func (c *crossing) Set(key string, value []byte, cas uint32) quota.Status {
	if c.wild {
		switch c.rng.IntN(8) {
		case 0:
			return quota.Failed
		case 1, 2:
			value = bytes.Clone(value)
			if w := c.workers[c.rng.IntN(len(c.workers))]; !c.busy[w] {
				c.write(w)
			}
		}
	}
	before, number, st := c.process.Get(key)
	if st == quota.OK {
		before = bytes.Clone(before)
	}
	got := c.process.Set(key, value, cas)
	if got == quota.OK && st == quota.OK {
		c.old[key], c.cas[key] = before, number
	}
	return got
}

func (c *crossing) write(w *Worker) {
	c.busy[w] = true
	w.writeSeries()
	c.busy[w] = false
}

// Whatever swaps are lost and whatever the store fails at: once all is written,
// every series is what was counted, no more and no less.
func TestHammerSeries(t *testing.T) {
	t.Parallel()
	first := rand.Uint64()
	for n := range uint64(300) {
		rng := rand.New(rand.NewPCG(first, n))
		c := &crossing{process: newProcess(n), rng: rng, busy: map[*Worker]bool{}, old: map[string][]byte{}, cas: map[string]uint32{}, wild: true}
		for i := range 4 {
			c.workers = append(c.workers, NewWorker(c, uint64(i+1)<<40))
		}
		callers := make([]*caller, 1+rng.IntN(40))
		for i := range callers {
			callers[i] = &caller{key: &tenant.Subject{ID: strconv.Itoa(i % 30), Alias: "k"}, serial: uint64(i)} // some are one and the same
		}
		var want [numAmounts + 2]int64
		for range rng.IntN(400) {
			w := c.workers[rng.IntN(len(c.workers))]
			who := callers[rng.IntN(len(callers))]
			o := occasion{who, place{serial: who.serial, status: 200}}
			if rng.IntN(3) == 0 {
				o.status, o.why = 429, RefusedTokens
			}
			d := w.delta(&o)
			if o.status == 200 {
				for i := range d.answers {
					more := rng.Int64N(1000)
					if amount(i) == answered {
						more = 1
					}
					d.answers[i] += more
					want[i] += more
				}
			} else {
				d.failures[0]++
				want[numAmounts+1]++
			}
			d.requests[0]++
			want[numAmounts]++
			if rng.IntN(10) == 0 {
				c.write(w)
			}
		}
		for _, w := range c.workers {
			c.write(w)
		}
		c.wild = false
		for _, w := range c.workers {
			c.write(w)
			if len(w.series.deltas) != 0 || len(w.series.at) != 0 {
				t.Fatalf("seed %d run %d: %d deltas are left", first, n, len(w.series.deltas))
			}
		}
		if got, kinds, _ := seriesTotals(t, c); got != want || kinds[ofAnswers] > 30 || kinds[ofFailures] > 30 {
			t.Fatalf("seed %d run %d: %v in %v series, want %v", first, n, got, kinds, want)
		}
	}
}

// A series of which every swap is lost waits, and so does one that the store
// does not take. What waits is bounded, and what there is no room for is told
// under others.
func TestSeriesWaitForTheStore(t *testing.T) {
	t.Parallel()
	p := newProcess(1)
	h := &failing{process: p}
	w := NewWorker(h, 1<<40)
	count := func(from, to int) {
		for i := from; i < to; i++ {
			o := occasion{&caller{key: &tenant.Subject{ID: strconv.Itoa(i)}}, place{serial: uint64(i + 1), status: 429}}
			w.delta(&o).requests[0]++
		}
	}
	count(0, 10)
	w.writeSeries()
	count(0, 10)
	p.lose = 1 << 30
	w.writeSeries()
	p.lose = 0
	if sum, _, _ := seriesTotals(t, p); sum[numAmounts] != 10 {
		t.Errorf("%d requests are told", sum[numAmounts])
	}
	h.prefix = "fs/p/"
	w.writeSeries()
	h.failed = 0
	count(10, 2000)
	if h.failed > 0 {
		t.Errorf("between two ticks the store is asked in vain %d times", h.failed)
	}
	if n := len(w.series.deltas); n > maxDeltas+1 {
		t.Errorf("%d deltas wait", n)
	}
	h.prefix = ""
	w.writeSeries()
	sum, n, _ := seriesTotals(t, p)
	if sum[numAmounts] != 2010 || n[ofRequests] != maxDeltas {
		t.Errorf("%d requests in %d series", sum[numAmounts], n[ofRequests])
	}
}

// A page does not grow without bound: what is new to a full one counts as one
// of the others, of which an answer has one series.
func TestSeriesOfFullPages(t *testing.T) {
	t.Parallel()
	g := pricedGateway(t, newProcess(1), 1<<40, metricsConfig)
	w, h := g.worker, g.worker.host
	const keys = 2_500
	fillSeries(w, keys, wide)
	sum, n, largest := seriesTotals(t, h)
	if sum[answered] != keys || sum[spent] != keys*(keys-1)/2 || sum[numAmounts] != keys {
		t.Errorf("%v of %d keys", sum, keys)
	}
	if largest > maxSeriesPage || largest < maxSeriesPage*9/10 {
		t.Errorf("the largest page has %d bytes", largest)
	}
	fillSeries(w, keys, wide)
	again, m, _ := seriesTotals(t, h)
	if again[answered] != 2*keys || m != n {
		t.Errorf("%v and %v series, then %v and %v", sum, n, again, m)
	}
	got := scrapeLines(t, g, metricsNow)
	total := 0.0
	for _, l := range ofFamilies(got, "requests_metric") {
		if strings.HasPrefix(l, "litellm_requests_metric_total{") && strings.Contains(l, `hashed_api_key="other"`) {
			if !strings.Contains(l, `api_provider="other"`) || !strings.Contains(l, `client_ip="other"`) {
				t.Errorf("%s", l)
			}
			v, err := strconv.ParseFloat(strings.TrimSpace(l[strings.LastIndexByte(l, ' '):]), 64)
			if err != nil {
				t.Fatal(err)
			}
			total += v
		}
	}
	if shown := float64(2 * (keys - n[ofAnswers])); total != shown {
		t.Errorf("%g answers of others, want %g", total, shown)
	}
}

// One tick does not write all full pages; a few do.
func TestSeriesAreWrittenInTurn(t *testing.T) {
	t.Parallel()
	p := newProcess(1)
	w := NewWorker(p, 1<<40)
	fillSeries(w, 2_500, wide)
	for i := range 500 {
		o := occasion{&caller{key: &tenant.Subject{ID: strconv.Itoa(i), Alias: wide, TeamID: wide, UserID: wide}}, place{serial: uint64(i + 1), status: 200}}
		w.delta(&o).requests[0]++
	}
	ticks := 0
	for ; len(w.series.deltas) > 0; ticks++ {
		w.writeSeries()
	}
	if full := seriesPages * maxSeriesPage / tickBytes; ticks < full/2 || ticks > full+2 {
		t.Errorf("%d ticks", ticks)
	}
	if sum, _, _ := seriesTotals(t, p); sum[numAmounts] != 3_000 {
		t.Errorf("%d requests", sum[numAmounts])
	}
}

// A page that is none of ours, or another's, is not believed, and not for ever
// in the way.
func TestForeignPages(t *testing.T) {
	t.Parallel()
	entry := func(name []byte) func(n int) []byte {
		return func(n int) []byte {
			p := binary.LittleEndian.AppendUint32(newPage(nil, n), quota.Checksum(name))
			p = append(binary.LittleEndian.AppendUint16(p, uint16(len(name))), name...)
			p = append(p, 1, 0, 0, 0, 0, 0, 0, 0)
			quota.Seal(p, seriesMagic)
			return p
		}
	}
	whole := nameOf("k")
	if n := 5; !wholePage(entry(whole)(n), n) {
		t.Fatal("the test makes no pages")
	}
	for what, foreign := range map[string]func(n int) []byte{
		"nothing":         func(int) []byte { return nil },
		"a letter":        func(int) []byte { return []byte("x") },
		"many letters":    func(int) []byte { return bytes.Repeat([]byte("x"), 100) },
		"another page":    func(n int) []byte { return pageOf(n+1, whole) },
		"another layout":  func(n int) []byte { return append([]byte{'F', 'S', 'P', 9}, pageOf(n, whole)[4:]...) },
		"a large page":    func(n int) []byte { return append(newPage(nil, n), make([]byte, 70_000)...) },
		"a cut page":      func(n int) []byte { return pageOf(n, whole)[:60] },
		"no name":         entry(nil),
		"no such kind":    entry([]byte{byte(numSeriesKinds)}),
		"a kind alone":    entry(whole[:1]),
		"a cut name":      entry(whole[:len(whole)-1]),
		"a label missing": entry(whole[:len(whole)-1-int(whole[len(whole)-1])]),
		"too long a name": entry(append(bytes.Clone(whole), 0)),
	} {
		p := newProcess(1)
		w := NewWorker(p, 1<<40)
		for n := range seriesPages {
			v := foreign(n)
			if wholePage(v, n) {
				t.Errorf("%s is a page", what)
			}
			p.Set(new(tableau).seriesKey(n), v, 0)
		}
		fillSeries(w, 200, "")
		if sum, _, _ := seriesTotals(t, p); sum[numAmounts] != 200 {
			t.Errorf("after %s: %d requests", what, sum[numAmounts])
		}
	}
}

// Names with one hash are two series, and texts that print alike are one.
func TestSeriesHaveNames(t *testing.T) {
	t.Parallel()
	one, other := nameOf("139599"), nameOf("322382")
	if quota.Checksum(one) != quota.Checksum(other) {
		t.Fatal("the hashes differ")
	}
	r := seriesOf(pageOf(0, one, other, one))
	if !r.next() || r.amount(0) != 2 || !r.next() || r.amount(0) != 1 || r.next() {
		t.Errorf("two keys are one series")
	}
	p := newProcess(1)
	w := NewWorker(p, 1<<40)
	for i, alias := range []string{"a\xff", "a\xfe", "a\uFFFD", wide + "123456", wide + "12345678", wide + "1234é"} {
		o := occasion{&caller{key: &tenant.Subject{ID: "k", Alias: alias}}, place{serial: uint64(i + 1), status: 200}}
		w.delta(&o).requests[0]++
	}
	w.writeSeries()
	if sum, n, _ := seriesTotals(t, p); sum[numAmounts] != 6 || n[ofRequests] != 3 {
		t.Errorf("%d requests in %d series", sum[numAmounts], n[ofRequests])
	}
}

// nameOf is that of a series of a key's requests.
func nameOf(key string) []byte {
	o := occasion{&caller{key: &tenant.Subject{ID: key}}, place{status: 200}}
	return o.appendName(nil, ofRequests)
}

// pageOf is page n with one request of each name.
func pageOf(n int, names ...[]byte) []byte {
	page := newPage(nil, n)
	for _, name := range names {
		page = addSeries(page, name, []int64{1})
	}
	quota.Seal(page, seriesMagic)
	return page
}

// What is counted the second time costs no memory.
func TestRecordDoesNotAllocate(t *testing.T) {
	p := newProcess(1)
	g := pricedGateway(t, p, 1<<40, metricsConfig)
	addSubjects(t, g, makeKey("sk-alpha-0123456789", tenant.Subject{Alias: "alpha"}), &tenant.Subject{Kind: tenant.Customer, ID: "known"})
	x := g.Open()
	body := gptBody[:1] + `"user":"known",` + gptBody[1:]
	if d := post(x, metricsNow, "/v1/chat/completions", "sk-alpha-0123456789", body); d.Reply != nil {
		t.Fatalf("%s", d.Reply.Body)
	}
	u, s := llm.Usage{Prompt: 1, Completion: 1, Total: 2}, quota.Spent{Prompt: 1, Completion: 1, Total: 2}
	if n := testing.AllocsPerRun(100, func() { x.record(&u, &s) }); n != 0 {
		t.Errorf("an answer costs %g allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { x.recordRefusal(429, RefusedTokens) }); n != 0 {
		t.Errorf("a refusal costs %g allocations", n)
	}
	x.Done(metricsNow)
}

// No bytes in the store lead to a panic, and what is a page stays one when
// something is added.
func FuzzSeriesPage(f *testing.F) {
	two := pageOf(3, nameOf("a"), nameOf("b"))
	f.Add(two[pageHead:], uint8(3), []byte("k"))
	f.Add(two[pageHead:len(two)-1], uint8(3), []byte("a"))
	f.Add([]byte{}, uint8(0), []byte{})
	f.Add([]byte{1, 2, 3, 4, 2, 0, 9, 9}, uint8(1), []byte("\xff"))
	f.Fuzz(func(t *testing.T, rest []byte, n uint8, key []byte) {
		page := append(newPage(nil, int(n)), rest...)
		quota.Seal(page, seriesMagic)
		raw := append([]byte(nil), rest...)
		wholePage(raw, int(n))
		if !wholePage(page, int(n)) {
			return
		}
		for s := seriesOf(page); s.next(); {
			s.texts()
			s.amount(s.kind().amounts() - 1)
		}
		if wholePage(page, int(n)+1) {
			t.Error("a page is that of another number")
		}
		read := func(page []byte, name []byte) (sum int64, count int) {
			for s := seriesOf(page); s.next(); count++ {
				if bytes.Equal(s.name, name) && s.hash == quota.Checksum(name) {
					return s.amount(0), count
				}
			}
			return 0, count
		}
		name := nameOf(string(key))
		before, _ := read(page, name)
		page = addSeries(page, name, []int64{5})
		quota.Seal(page, seriesMagic)
		if len(page) <= maxSeriesPage && !wholePage(page, int(n)) {
			t.Errorf("adding broke the page %x", page)
		}
		if after, _ := read(page, name); len(rest) < 1000 && after != plus(before, 5) {
			t.Errorf("%d and 5 are %d", before, after)
		}
		for i := range page[pageHead:] {
			page[pageHead+i] ^= 1
			if wholePage(page, int(n)) {
				t.Errorf("byte %d does not count", i)
			}
			page[pageHead+i] ^= 1
			if i > 200 {
				break
			}
		}
		binary.LittleEndian.PutUint32(page, 0)
		if wholePage(page, int(n)) {
			t.Error("the magic does not count")
		}
	})
}

// A store that loses every swap of a page holds a tick up for one page's tries alone.
func TestPagesThatCanNotBeWritten(t *testing.T) {
	h := &stuckPages{process: newProcess(1)}
	w := NewWorker(h, 1<<40)
	fillSeries(w, 300, "k")
	h.stuck = true
	for i := range 300 {
		o := occasion{&caller{key: &tenant.Subject{ID: strconv.Itoa(i)}}, place{serial: uint64(1000 + i), status: 200}}
		w.delta(&o).requests[0]++
	}
	w.writeSeries()
	if h.sets != quota.MaxTries {
		t.Errorf("%d tries, want %d", h.sets, quota.MaxTries)
	}
	h.stuck = false
	for len(w.series.deltas) > 0 {
		w.writeSeries()
	}
	if sum, _, _ := seriesTotals(t, h); sum[numAmounts] != 600 {
		t.Errorf("%d requests are told, want 600", sum[numAmounts])
	}
}

type stuckPages struct {
	*process
	stuck bool
	sets  int
}

func (s *stuckPages) Set(key string, v []byte, cas uint32) quota.Status {
	if s.stuck && strings.HasPrefix(key, "fs/p/") {
		s.sets++
		return quota.Mismatch
	}
	return s.process.Set(key, v, cas)
}
