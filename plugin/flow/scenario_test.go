//go:build !tinygo

package flow

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fairshare/hostsim/script"
	"fairshare/plugin/config"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

var update = flag.Bool("update", false, "write what the scenarios print on the core into their files")

// Every scenario tells the same story on the core alone as on the wasm in the
// simulator and in Envoy, whatever the pieces are in which bodies come.
func TestScenarios(t *testing.T) {
	t.Parallel()
	files, err := script.Files("../../testdata/scenarios")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			drivers := []*driver{{pieces: 1}, {pieces: 3}, {pieces: 1, ticks: 1}}
			for seed := range uint64(4) {
				drivers = append(drivers, &driver{pieces: 1, ticks: 0.5, random: rand.New(rand.NewPCG(seed, 1))})
			}
			for i, d := range drivers {
				err := script.Run(file, script.Options{Driver: d, Is: []string{"core"}, Update: *update})
				switch {
				case errors.Is(err, script.ErrSkipped):
					t.Skip(err)
				case err != nil:
					t.Errorf("driver %d (request bodies in %d pieces, ticks beside a step with chance %v): %v", i, d.pieces, d.ticks, err)
				}
			}
		})
	}
}

// process is one proxy process: what its workers share.
type process struct {
	shared quota.Memory
	queue  [][]byte
	added  [NumMetrics]uint64
	random *rand.ChaCha8

	// broken, mute and full make the host refuse to keep and find values, give
	// no random bytes and take no messages. The next lose swaps are lost.
	broken, mute, full bool
	lose               int
}

func newProcess(seed uint64) *process {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return &process{random: rand.NewChaCha8(key)}
}

func (p *process) Get(key string) ([]byte, uint32, quota.Status) {
	if p.broken {
		return nil, 0, quota.Failed
	}
	return p.shared.Get(key)
}

func (p *process) Set(key string, value []byte, cas uint32) quota.Status {
	switch {
	case p.broken:
		return quota.Failed
	case p.lose > 0 && cas != 0:
		p.lose--
		return quota.Mismatch
	}
	return p.shared.Set(key, value, cas)
}

func (p *process) Random(dst []byte) bool {
	if p.mute {
		return false
	}
	_, err := p.random.Read(dst)
	return err == nil
}

func (p *process) Enqueue(message []byte) bool {
	if p.full {
		return false
	}
	p.queue = append(p.queue, slices.Clone(message))
	return true
}

func (p *process) Dequeue() ([]byte, bool) {
	if len(p.queue) == 0 {
		return nil, false
	}
	first := p.queue[0]
	p.queue = p.queue[1:]
	return first, true
}

func (p *process) Add(m Metric, n uint64) { p.added[m] += n }

// driver plays scenarios on the core. It carries decisions out as package
// filter does.
type driver struct {
	pieces int // in which a request's body comes
	// ticks is the chance of each worker to tick before and after each step: what a
	// story tells depends on no tick.
	ticks  float64
	random *rand.Rand // nil where ticks is 0 or 1

	process  *process
	policy   *config.Policy
	env      map[string]string
	now      int64      // ms since 1970
	workers  []*Gateway // the first is the main thread's, which only ticks
	turn     int        // the worker that served last
	open     map[string]*dialogue
	instance uint64 // of the last worker made
}

var _ script.Driver = (*driver)(nil)

// A dialogue is a request that was forwarded and whose answer has not ended.
type dialogue struct {
	x       *Exchange
	worker  int
	method  string
	started bool // its answer has begun
	reply   script.Reply
}

// Start implements script.Driver.
func (d *driver) Start(setup script.Setup) error {
	d.env, d.open = setup.Env, map[string]*dialogue{}
	if err := d.parse(setup.Config); err != nil {
		return err
	}
	d.process, d.now = newProcess(1), setup.Now.UnixMilli()
	for range setup.Workers + 1 {
		d.workers = append(d.workers, d.birth())
	}
	return nil
}

// parse reads a configuration as the filter does.
func (d *driver) parse(text []byte) error {
	p, err := config.Parse(text, func(name string) (string, bool) {
		v, ok := d.env[name]
		return v, ok
	})
	if err != nil {
		return errors.New("fairshare: " + err.Error())
	}
	d.policy = p
	return nil
}

// birth makes a worker with the present configuration.
func (d *driver) birth() *Gateway {
	d.instance++
	// Instances lie far apart, as random ones do: a worker counts its writes
	// up from its own.
	return NewGateway(NewWorker(d.process, d.instance<<40), d.policy)
}

// Reload implements script.Driver.
func (d *driver) Reload(text []byte) error {
	if err := d.parse(text); err != nil {
		return err
	}
	d.tick()
	defer d.tick()
	for i, g := range d.workers {
		d.workers[i] = NewGateway(g.worker, d.policy)
		d.tick() // some workers have the new one, others the old
	}
	return nil
}

// tick lets workers tick without time passing, see driver.ticks.
func (d *driver) tick() {
	for _, g := range d.workers {
		if d.ticks == 1 || d.random != nil && d.random.Float64() < d.ticks {
			g.Tick(d.now)
		}
	}
}

// Advance implements script.Driver.
func (d *driver) Advance(by time.Duration) error {
	until := d.now + by.Milliseconds()
	for d.now < until {
		d.now = min(until, d.now-d.now%TickMS+TickMS)
		for _, g := range d.workers {
			g.Tick(d.now)
		}
	}
	return nil
}

// Send implements script.Driver.
func (d *driver) Send(name string, r script.Request) (script.Outcome, error) {
	if d.open[name] != nil {
		return script.Outcome{}, fmt.Errorf("request %q is still open", name)
	}
	d.tick()
	defer d.tick()
	worker := r.Worker
	if worker == 0 {
		worker = d.turn%(len(d.workers)-1) + 1
	}
	if worker >= len(d.workers) {
		return script.Outcome{}, fmt.Errorf("there is no worker %d", worker)
	}
	d.turn = worker
	head := [][2]string{{":authority", "localhost"}, {":path", r.Path}, {":method", r.Method}, {":scheme", "http"}}
	head = append(head, r.Headers...)
	if _, ok := lookup(head, "content-length"); !ok && len(r.Body) > 0 {
		head = append(head, [2]string{"content-length", strconv.Itoa(len(r.Body))})
	}
	head = append(head, [2]string{"x-forwarded-proto", "http"}, [2]string{"x-request-id", "1"})

	x := d.workers[worker].Open()
	decision := x.RequestHeaders(d.now, slices.Clone(head), len(r.Body) == 0)
	head = edit(head, decision.Edits)
	for piece := 1; piece < d.pieces && decision.Pause && len(r.Body) > 0; piece++ {
		decision = x.BodyGrows(d.now, len(r.Body)*piece/d.pieces)
	}
	body := r.Body
	if decision.Pause {
		decision = x.RequestBody(d.now, slices.Clone(body))
		head = edit(head, decision.Edits)
	}
	if decision.Replace {
		body = slices.Clone(decision.Body)
	}
	switch {
	case decision.Reply != nil:
		reply := script.Reply{
			Status: decision.Reply.Status, Headers: slices.Clone(decision.Reply.Headers), Body: slices.Clone(decision.Reply.Body),
		}
		if r.Method == "HEAD" {
			reply.Body = nil
		}
		// Envoy shows the filter its own answer, too.
		own := x.ResponseHeaders(d.now, append([][2]string{{":status", strconv.Itoa(reply.Status)}}, reply.Headers...), false)
		if len(own.Edits) > 0 || x.ResponseBody(d.now, reply.Body, true).Replace {
			return script.Outcome{}, fmt.Errorf("the gateway changes its own answer to %q", name)
		}
		x.Done(d.now)
		return script.Outcome{Reply: &reply}, nil
	case decision.Pause:
		return script.Outcome{}, fmt.Errorf("request %q hangs", name)
	}
	f := &script.Request{Worker: worker, Body: body}
	for _, p := range head {
		switch p[0] {
		case ":method":
			f.Method = p[1]
		case ":path":
			f.Path = p[1]
		case ":scheme":
		default:
			f.Headers = append(f.Headers, p)
		}
	}
	d.open[name] = &dialogue{x: x, worker: worker, method: r.Method}
	return script.Outcome{Forwarded: f}, fits(head, body, "request")
}

// lookup returns the first header called name.
func lookup(head [][2]string, name string) (string, bool) {
	for _, p := range head {
		if p[0] == name {
			return p[1], true
		}
	}
	return "", false
}

// edit carries out edits as a proxy does: a header that is set takes the place
// of all that have its name.
func edit(head [][2]string, edits []Edit) [][2]string {
	for _, e := range edits {
		same := func(p [2]string) bool { return p[0] == e.Name }
		at := slices.IndexFunc(head, same)
		if e.Op != Add {
			head = slices.DeleteFunc(head, same)
		}
		switch {
		case e.Op == Remove:
		case e.Op == Set && at >= 0:
			head = slices.Insert(head, at, [2]string{e.Name, e.Value})
		default:
			head = append(head, [2]string{e.Name, e.Value})
		}
	}
	return head
}

// fits reports an error if a message's content-length is not its body's.
func fits(head [][2]string, body []byte, what string) error {
	if n, ok := lookup(head, "content-length"); ok && len(body) > 0 && n != strconv.Itoa(len(body)) {
		return fmt.Errorf("the %s's content-length is %s, its body has %d bytes", what, n, len(body))
	}
	return nil
}

// find returns the open request with this name.
func (d *driver) find(name string) (*dialogue, error) {
	if s := d.open[name]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("no request %q is open", name)
}

// Answer implements script.Driver. As on an HTTP/1 connection the end comes by
// itself, after the last bytes.
func (d *driver) Answer(name string, a script.Answer) (script.Reply, error) {
	s, err := d.find(name)
	if err != nil {
		return script.Reply{}, err
	}
	d.tick()
	defer d.tick()
	if s.method == "HEAD" {
		a.Body = nil
	}
	if !s.started {
		s.begin(d.now, a.Status, a.Headers, !a.Unfinished && len(a.Body) == 0)
	}
	cut := a.Cut
	if cut <= 0 {
		cut = max(1, len(a.Body))
	}
	for chunk := range slices.Chunk(a.Body, cut) {
		s.chunk(d.now, chunk, false)
	}
	if a.Unfinished {
		return s.copy(), nil
	}
	s.chunk(d.now, nil, true)
	s.x.Done(d.now)
	delete(d.open, name)
	return s.copy(), fits(s.reply.Headers, s.reply.Body, "answer")
}

func (s *dialogue) begin(now int64, status int, headers [][2]string, end bool) {
	s.started = true
	head := append([][2]string{{":status", strconv.Itoa(status)}}, headers...)
	decision := s.x.ResponseHeaders(now, slices.Clone(head), end)
	s.reply.Status, s.reply.Headers = status, edit(head, decision.Edits)[1:]
}

func (s *dialogue) chunk(now int64, chunk []byte, end bool) {
	decision := s.x.ResponseBody(now, slices.Clone(chunk), end)
	if decision.Replace {
		chunk = decision.Body
	}
	s.reply.Body = append(s.reply.Body, chunk...)
}

func (s *dialogue) copy() script.Reply {
	r := s.reply
	r.Headers, r.Body = slices.Clone(r.Headers), slices.Clone(r.Body)
	return r
}

// ResetUpstream implements script.Driver. As in Envoy, a request whose answer
// has not begun gets one from the proxy, which the filter sees.
func (d *driver) ResetUpstream(name string) (script.Reply, error) {
	s, err := d.find(name)
	if err != nil {
		return script.Reply{}, err
	}
	d.tick()
	defer d.tick()
	s.reply.Cut = s.started
	if !s.started {
		s.begin(d.now, 503, [][2]string{{"content-type", "text/plain"}}, false)
		s.chunk(d.now, []byte("upstream reset"), true)
	}
	s.x.Done(d.now)
	delete(d.open, name)
	return s.copy(), nil
}

// Abort implements script.Driver.
func (d *driver) Abort(name string) error {
	s, err := d.find(name)
	if err != nil {
		return err
	}
	d.tick()
	defer d.tick()
	s.x.Done(d.now)
	delete(d.open, name)
	return nil
}

// Trap implements script.Driver. No request of the worker that dies has
// another event.
func (d *driver) Trap(name string) error {
	s, err := d.find(name)
	if err != nil {
		return err
	}
	d.tick()
	defer d.tick()
	for name, other := range d.open {
		if other.worker == s.worker {
			delete(d.open, name)
		}
	}
	d.workers[s.worker] = d.birth()
	return nil
}

// Close implements script.Driver. It ends what is open, lets so much time pass
// that nothing can be late any more, and wants all holds and slots back.
func (d *driver) Close() error {
	if d.process == nil {
		return nil
	}
	for _, s := range d.open {
		s.x.Done(d.now)
	}
	const deadIsGone = 10 * time.Second
	if err := d.Advance(deadIsGone); err != nil {
		return err
	}
	return balanced(d.now, d.workers[0])
}

// balanced reports an error if anything is still held or in flight, on the
// models' books or on anybody's that the gateway knows.
func balanced(now int64, g *Gateway) error {
	for _, t := range g.terms {
		var b quota.Book
		if err := g.worker.ledger.Read(now, t, &b); err != nil {
			return err
		}
		if b.Held != 0 || b.PrevHeld != 0 || b.Slots != 0 {
			return fmt.Errorf("when all is over the book of %s has %d tokens held, %d of the minute before, %d requests in flight", t.Key, b.Held, b.PrevHeld, b.Slots)
		}
	}
	g.tenants.Refresh(now)
	for kind := range tenant.NumKinds {
		var bad error
		st := g.tenants.List(kind, "", func(id string) bool {
			s, st := g.tenants.Find(kind, id)
			if st != quota.OK || kind == tenant.Budget {
				return true
			}
			bad = errors.Join(bad, empty(now, g, s, ""))
			for i := range s.PerModel {
				bad = errors.Join(bad, empty(now, g, s, s.PerModel[i].Model))
			}
			return true
		})
		if bad != nil {
			return bad
		}
		if st == quota.Failed {
			return errors.New("the subjects can't be listed")
		}
	}
	return empty(now, g, g.office.Proxy, "")
}

// empty reports an error if a subject still holds anything.
func empty(now int64, g *Gateway, s *tenant.Subject, model string) error {
	b, ok := books{g}.Book(now, s, model)
	if !ok {
		return errors.New("a book can't be read")
	}
	if b.Held != 0 || b.Slots != 0 {
		return fmt.Errorf("when all is over subject %q (kind %d) has %s USD held and %d requests in flight", s.ID, s.Kind, b.Held.String(), b.Slots)
	}
	return nil
}
