package hostsim

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"fairshare/hostsim/abi"
)

// workerKey is the key of the worker in the context of a call.
type workerKey struct{}

// A worker is one thread of a proxy with its VM. It runs one callback at a
// time: whoever wants in calls enter and, when done, leave.
type worker struct {
	host *Host
	id   int // 1 up; 0 is the main thread, -1 a canary
	ctx  context.Context

	mu     sync.Mutex
	holder *actor // instead of mu while a schedule runs

	mod      api.Module
	exports  map[string]api.Function
	starting bool  // in _initialize, where hardly any call is allowed
	epoch    int   // counts VMs; a stream belongs to the VM of its epoch
	failed   error // why the VM is dead, nil while it lives
	failedAt time.Time
	ticks    int

	roots       []*root // the last one is the present configuration
	streams     map[uint32]*Stream
	lastContext uint32
	lastCallout uint32

	// Set while a callback runs.
	callback    string
	effective   uint32   // the context that host calls act for
	after       []func() // what the guest asked for that is done once it has returned
	answer      *CalloutAnswer
	configuring *root

	trapOn string // the host function that traps
	trapIn int    // at this call of it
}

// A root is a root context: one configuration in one VM.
type root struct {
	id     uint32
	config []byte
	period time.Duration // of its ticks, 0 for none
	next   time.Time     // its next tick
	ticked bool          // a period was set before
	drain  time.Time     // when it is deleted; zero while it is the present one
}

func newWorker(h *Host, id int) *worker {
	w := &worker{host: h, id: id}
	w.ctx = context.WithValue(h.ctx, workerKey{}, w)
	return w
}

// enter waits for the worker and takes it.
func (w *worker) enter() {
	if s := w.host.schedule.Load(); s != nil {
		s.enter(w)
		return
	}
	w.mu.Lock()
}

// leave gives the worker back and delivers what its callbacks posted.
func (w *worker) leave() {
	w.leaveQuietly()
	w.host.deliver()
}

// leaveQuietly gives the worker back.
func (w *worker) leaveQuietly() {
	if s := w.host.schedule.Load(); s != nil {
		s.leave(w)
		return
	}
	w.mu.Unlock()
}

// peek runs f, which only reads, without taking the worker in a schedule:
// nobody else moves meanwhile.
func (w *worker) peek(f func()) {
	if w.host.schedule.Load() == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
	}
	f()
}

// birth makes the VM and configures it. first is false for a VM that takes
// the place of one that trapped.
func (w *worker) birth(config []byte, first bool) error {
	if err := w.instantiate(); err != nil {
		return err
	}
	return w.configure(config, first)
}

// instantiate makes a new VM without any context.
func (w *worker) instantiate() error {
	w.discard()
	start := abi.Start
	if _, ok := w.host.compiled.ExportedFunctions()[abi.Initialize]; ok {
		start = abi.Initialize
	}
	system := abi.System{
		Now:    w.host.Now,
		Random: w.host.random(w.id, w.epoch),
		Env:    w.host.opt.Env,
		Output: func(p []byte) error {
			w.host.log(Line{w.id, abi.Error, string(p)})
			return nil
		},
	}
	w.starting = true
	defer func() { w.starting = false }()
	w.epoch++
	mod, err := w.host.runtime.InstantiateModule(w.ctx, w.host.compiled,
		system.Apply(wazero.NewModuleConfig().WithName("").WithStartFunctions(start)))
	if err != nil {
		w.failed = err
		return fmt.Errorf("hostsim: %w", err)
	}
	w.mod, w.failed = mod, nil
	w.exports = map[string]api.Function{}
	w.streams = map[uint32]*Stream{}
	w.roots, w.lastContext, w.lastCallout = nil, 0, 0
	return nil
}

// discard frees the VM, if there is one, without a callback.
func (w *worker) discard() {
	if w.mod != nil {
		w.mod.Close(w.ctx)
		w.mod = nil
	}
	w.roots = nil
}

// configure gives the VM a root context with config. On failure the VM is as
// it was before, but for a trap.
func (w *worker) configure(config []byte, first bool) error {
	since := len(w.host.Logs())
	r := &root{id: w.newContext(), config: config}
	old := w.roots
	w.roots = append(slices.Clone(old), r)
	refuse := func(what string) error {
		w.roots = old
		return &ConfigError{w.host.lastError(since, w.id, what)}
	}

	w.configuring = r
	defer func() { w.configuring = nil }()
	w.invoke(abi.OnContextCreate, 0, uint64(r.id), 0)
	starts := w.host.profile.VMStart == StartPerRoot || (w.host.profile.VMStart == StartPerBirth && first)
	if starts && w.invoke(abi.OnVMStart, 1, uint64(r.id), uint64(len(w.host.opt.VMConfig))) == 0 {
		return refuse("the plugin did not start")
	}
	ok := w.invoke(abi.OnConfigure, 1, uint64(r.id), uint64(len(config))) != 0
	switch {
	case w.failed != nil:
		return refuse("trap: " + firstLine(w.failed.Error()))
	case !ok:
		return refuse("the plugin refused its configuration")
	}
	return nil
}

// reload changes the worker to config.
func (w *worker) reload(config []byte) error {
	w.enter()
	defer w.leave()
	p := &w.host.profile
	switch {
	case p.ConfigLazy && w.mod == nil:
		return nil
	case p.ReloadNewVM, w.failed != nil:
		w.cutStreams()
		return w.birth(config, true)
	}
	old := w.roots
	if err := w.configure(config, false); err != nil {
		return err
	}
	for _, r := range old {
		if r.drain.IsZero() {
			r.drain = w.host.Now().Add(p.DrainTime)
		}
	}
	return nil
}

// retire ends an old configuration: its streams are cut and its root context
// is deleted.
func (w *worker) retire(r *root) {
	for _, s := range w.sorted() {
		if s.root == r {
			s.cut()
		}
	}
	w.invoke(abi.OnDone, 1, uint64(r.id))
	w.invoke(abi.OnDelete, 0, uint64(r.id))
	w.roots = slices.DeleteFunc(slices.Clone(w.roots), func(x *root) bool { return x == r })
}

// sorted returns the open streams by age.
func (w *worker) sorted() []*Stream {
	var all []*Stream
	for _, s := range w.streams {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *Stream) int { return int(a.id) - int(b.id) })
	return all
}

// cutStreams breaks all streams off without a callback: their process is gone.
func (w *worker) cutStreams() {
	for _, s := range w.sorted() {
		s.client.Cut, s.over = true, true
		s.note()
	}
	clear(w.streams)
}

// ready makes sure that a live, configured VM stands behind the worker and
// returns its present configuration. Otherwise status is what the proxy
// answers a request with; 0 lets the request pass without the filter.
func (w *worker) ready() (r *root, status int) {
	p := &w.host.profile
	if w.failed != nil {
		switch p.AfterTrap {
		case FailClosed:
			return nil, 503
		case FailOpen:
			return nil, 0
		case FailReload:
			if w.host.Now().Before(w.failedAt.Add(p.ReloadAfter)) {
				return nil, 503
			}
		}
		if err := w.birth(w.host.presentConfig(), false); err != nil {
			w.fail(err)
			if p.AfterTrap == FailReload {
				return nil, 503
			}
			return nil, 500
		}
	}
	if w.mod == nil {
		if err := w.instantiate(); err != nil {
			return nil, 503
		}
	}
	config := w.host.presentConfig()
	if len(w.roots) == 0 || (p.ConfigLazy && string(w.roots[len(w.roots)-1].config) != string(config)) {
		if err := w.configure(config, true); err != nil {
			return nil, 503
		}
	}
	return w.roots[len(w.roots)-1], 200
}

func (h *Host) presentConfig() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.config
}

// newContext returns the number of a new context.
func (w *worker) newContext() uint32 {
	if w.host.profile.ReuseContext && w.lastContext >= 2 && w.streams[2] == nil {
		return 2
	}
	w.lastContext++
	return w.lastContext
}

// fail marks the VM as dead, unless the profile goes on with it.
func (w *worker) fail(cause error) {
	w.host.log(Line{w.id, abi.Critical, "trap: " + cause.Error()})
	if w.host.profile.AfterTrap == Reuse && w.mod != nil && !w.mod.IsClosed() {
		w.trapped()
		return
	}
	if w.failed == nil {
		w.failed, w.failedAt = cause, w.host.Now()
	}
	w.after = nil
	for _, s := range w.streams {
		s.note()
	}
}

// trapped tells the stream that is being served of a trap that the VM
// survives.
func (w *worker) trapped() {
	w.after = nil
	if s := w.streams[w.effective]; s != nil {
		s.trapped = true
	}
}

// crash is the death of the whole worker process; a new one takes its place.
func (w *worker) crash(cause string) {
	w.host.log(Line{w.id, abi.Critical, "worker process died: " + cause})
	w.cutStreams()
	if w.host.profile.ConfigLazy {
		w.discard()
		w.mod = nil
		return
	}
	if err := w.birth(w.host.presentConfig(), true); err != nil {
		w.fail(err)
	}
}

// invoke calls an export of the guest and returns its result; missing is what
// counts as the result of an export that does not exist and of a call that
// traps. Once the guest has returned, what it asked for meanwhile is done.
func (w *worker) invoke(callback string, missing uint64, args ...uint64) uint64 {
	if w.failed != nil || w.mod == nil {
		return missing
	}
	f := w.exported(callback)
	if f == nil {
		return missing
	}
	outerCallback, outerEffective, outerAfter := w.callback, w.effective, w.after
	w.callback, w.after = callback, nil
	w.effective = uint32(args[0])

	tracing := w.host.opt.Trace != nil
	if tracing {
		w.traceIn(callback, args)
	}
	results, err := f.Call(w.ctx, args[:min(len(args), len(f.Definition().ParamTypes()))]...)
	result := missing
	if err == nil && len(results) > 0 {
		result = results[0]
	}
	if tracing {
		w.traceOut(callback, result, err)
	}
	if err != nil {
		w.effective = uint32(args[0])
		w.fail(err)
		result = missing
	}
	after := w.after
	w.callback, w.effective, w.after = outerCallback, outerEffective, outerAfter
	for _, f := range after {
		f()
	}
	return result
}

// exported returns the guest's export, or nil.
func (w *worker) exported(name string) api.Function {
	f, ok := w.exports[name]
	if !ok {
		f = w.mod.ExportedFunction(name)
		w.exports[name] = f
	}
	return f
}

func (w *worker) onTick(r *root) {
	w.ticks++
	w.invoke(abi.OnTick, 0, uint64(r.id))
}

func (w *worker) onQueueReady(root, queue uint32) {
	w.invoke(abi.OnQueueReady, 0, uint64(root), uint64(queue))
}

// Allocate implements abi.Boundary.
func (w *worker) Allocate(ctx context.Context, mod api.Module, size uint32) (uint32, bool) {
	if size == 0 && !w.host.profile.AllocEmpty {
		return 0, true
	}
	for _, name := range w.host.profile.Alloc {
		f := mod.ExportedFunction(name)
		if f == nil {
			continue
		}
		results, err := f.Call(ctx, uint64(size))
		if err != nil {
			// A trap inside the guest's allocator unwinds the whole callback.
			panic(fmt.Errorf("%s(%d): %w", name, size, err))
		}
		return uint32(results[0]), results[0] != 0 || size == 0
	}
	return 0, false
}

// yields are the host calls at which a schedule may let somebody else move.
var yields = map[string]bool{
	"proxy_get_shared_data": true, "proxy_set_shared_data": true,
	"proxy_register_shared_queue": true, "proxy_resolve_shared_queue": true,
	"proxy_enqueue_shared_queue": true, "proxy_dequeue_shared_queue": true,
}

// atStart are the only host calls that a module may make while it
// initialises itself; Envoy traps on others (cpp-host src/exports.cc: there
// is no context yet).
var atStart = map[string]bool{"proxy_log": true, "proxy_get_current_time_nanoseconds": true}

// Enter implements abi.Boundary.
func (w *worker) Enter(function string) (abi.Status, bool) {
	if w.starting && !atStart[function] {
		panic(fmt.Errorf("%w: %s before any context exists", ErrHostTrap, function))
	}
	if w.trapIn > 0 && w.trapOn == function {
		if w.trapIn--; w.trapIn == 0 {
			panic(fmt.Errorf("%w in %s", ErrInjected, function))
		}
	}
	switch w.host.profile.Functions[function] {
	case Unimplemented:
		return abi.Unimplemented, false
	case Trapped:
		w.trap(function)
	case Ignored:
		return abi.OK, false
	}
	if w.host.faults.Load().Unimplemented[function] {
		return abi.Unimplemented, false
	}
	if yields[function] {
		if s := w.host.schedule.Load(); s != nil {
			s.yield()
		}
	}
	return abi.OK, true
}

// trap makes the guest's present callback trap because the host does not
// allow what it asks for.
func (w *worker) trap(what string) {
	panic(fmt.Errorf("%w: %s in %s", ErrHostTrap, what, w.callback))
}

// Tracing implements abi.Boundary.
func (w *worker) Tracing() bool { return w.host.opt.Trace != nil }

// Crossed implements abi.Boundary.
func (w *worker) Crossed(line string) { w.host.trace(w, "    "+line) }
