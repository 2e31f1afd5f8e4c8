package hostsim

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"fairshare/hostsim/abi"
)

// maxPages bounds a VM's memory to 1 GiB, as V8 in Envoy does
// (flag wasm_max_mem_pages).
const maxPages = 1 << 14

// A Module is a WebAssembly module whose compiled code any number of Hosts
// may share. It is safe for concurrent use.
type Module struct {
	wasm  []byte
	cache wazero.CompilationCache
}

// NewModule returns the module with these bytes. They are compiled by the
// first host that starts with it, which reports what is wrong with them.
func NewModule(wasm []byte) *Module {
	return &Module{wasm: wasm, cache: wazero.NewCompilationCache()}
}

// LoadModule is NewModule for a file.
func LoadModule(path string) (*Module, error) {
	wasm, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return NewModule(wasm), nil
}

// Options say what a proxy is to be like.
type Options struct {
	Module   *Module
	Profile  Profile // the zero Profile stands for Envoy
	Workers  int     // VMs that serve requests; 0 stands for 1
	Config   []byte  // the plugin's configuration
	VMConfig []byte
	Env      map[string]string

	// Now is where the virtual clock stands at first; the zero time stands
	// for 2026-01-01 00:00:00 UTC.
	Now time.Time

	// RealTime takes clock and randomness from the machine; nothing is then
	// repeatable, and ticks come from RunTicks instead of Advance.
	RealTime bool

	// Seed fixes what guests read as random and where faults strike.
	Seed uint64

	// Clusters are the upstreams that call-outs may name; nil allows all.
	Clusters []string

	Faults Faults
	Trace  io.Writer  // gets the transcript of the boundary, nil for none
	Log    func(Line) // is told of each line that the guest logs, nil for none

	// Callout is told of each call-out that the guest makes, nil for none. It
	// may keep it to answer it later but not answer it before it returns.
	Callout func(*PendingCallout)
}

// A Line is a line that a guest logged.
type Line struct {
	Worker  int // 0 is the main thread, -1 a canary
	Level   abi.LogLevel
	Message string
}

// String returns the line as a proxy's log has it.
func (l Line) String() string {
	return fmt.Sprintf("[w%d][%s] %s", l.Worker, l.Level, l.Message)
}

// A ConfigError says that the guest refused its configuration. Message is the
// last line that the guest logged at level error or above meanwhile.
type ConfigError struct{ Message string }

func (e *ConfigError) Error() string { return e.Message }

// A Host is one proxy process: some workers over shared state. Its methods
// are safe for concurrent use, except as Interleave says.
type Host struct {
	opt      Options
	profile  Profile
	ctx      context.Context
	runtime  wazero.Runtime
	compiled wazero.CompiledModule

	schedule atomic.Pointer[schedule]
	faults   atomic.Pointer[Faults]
	shared   *shared
	workers  []*worker // [0] is the main thread, nil if the profile has none
	next     atomic.Uint32

	mu       sync.Mutex // guards what follows
	clock    time.Time
	rng      *rand.Rand
	config   []byte
	logs     []Line
	posted   []event
	callouts []*PendingCallout
	tickless chan struct{} // closed and replaced when something new may be due
}

// An event waits to be delivered to a worker.
type event struct {
	w     *worker
	root  uint32
	queue uint32
}

// keptLines bounds what Logs returns.
const keptLines = 10000

// New starts a proxy. The error is a *ConfigError if the guest refused its
// configuration.
func New(ctx context.Context, opt Options) (_ *Host, err error) {
	if opt.Profile.Name == "" {
		opt.Profile = Envoy
	}
	opt.Workers = max(opt.Workers, 1)
	if opt.Now.IsZero() {
		opt.Now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	h := &Host{
		opt: opt, profile: opt.Profile, ctx: ctx, clock: opt.Now, config: opt.Config,
		rng:      rand.New(rand.NewPCG(opt.Seed, 1)),
		tickless: make(chan struct{}),
	}
	h.SetFaults(opt.Faults)
	h.shared = newShared(&h.profile, h.faults.Load, h.chance)

	h.runtime = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().
		WithCompilationCache(opt.Module.cache).WithMemoryLimitPages(maxPages))
	defer func() {
		if err != nil {
			h.runtime.Close(ctx)
		}
	}()
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, h.runtime); err != nil {
		return nil, err
	}
	missing := func(name string) bool { return h.profile.Functions[name] == Missing }
	if err := abi.Register(ctx, h.runtime, missing, func(ctx context.Context) abi.Host {
		return ctx.Value(workerKey{}).(*worker)
	}); err != nil {
		return nil, err
	}
	if h.compiled, err = h.runtime.CompileModule(ctx, opt.Module.wasm); err != nil {
		return nil, err
	}
	if _, ok := h.compiled.ExportedFunctions()[abi.Version020]; !ok {
		return nil, errors.New("hostsim: the module does not export " + abi.Version020)
	}

	if h.profile.Canary {
		if err := h.tryConfig(opt.Config); err != nil {
			return nil, err
		}
	}
	first := 1
	if h.profile.MainThread {
		first = 0
	} else {
		h.workers = append(h.workers, nil)
	}
	for id := first; id <= opt.Workers; id++ {
		w := newWorker(h, id)
		h.workers = append(h.workers, w)
		if h.profile.ConfigLazy {
			continue
		}
		w.enter()
		err := w.birth(opt.Config, true)
		w.leave()
		if err != nil {
			return nil, err
		}
	}
	return h, nil
}

// tryConfig has a canary try config.
func (h *Host) tryConfig(config []byte) error {
	canary := newWorker(h, -1)
	canary.enter()
	defer canary.leave()
	err := canary.birth(config, true)
	canary.discard()
	return err
}

// Reload gives the proxy a new configuration. If the guest refuses it the
// error is a *ConfigError and the old configuration goes on. Where the
// profile keeps the VM, the old root context lives on beside the new one for
// the profile's DrainTime.
func (h *Host) Reload(config []byte) error {
	if h.profile.Canary {
		if err := h.tryConfig(config); err != nil {
			return err
		}
	}
	for _, w := range h.workers {
		if w == nil {
			continue
		}
		if err := w.reload(config); err != nil {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.config = config
	return nil
}

// Close ends the proxy without further callbacks and frees what it held.
func (h *Host) Close() error { return h.runtime.Close(h.ctx) }

// Now returns the time on the proxy's clock.
func (h *Host) Now() time.Time {
	if h.opt.RealTime {
		return time.Now()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock
}

// Workers returns the number of workers that serve requests.
func (h *Host) Workers() int { return h.opt.Workers }

// Profile returns what the proxy is like.
func (h *Host) Profile() Profile { return h.profile }

// Logs returns the latest lines that guests logged, oldest first.
func (h *Host) Logs() []Line {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.logs)
}

// Memory returns the bytes of linear memory of a worker's VM; 0 names the
// main thread.
func (h *Host) Memory(worker int) uint32 {
	w := h.worker(worker)
	w.enter()
	defer w.leave()
	if w.mod == nil {
		return 0
	}
	return w.mod.Memory().Size()
}

// worker returns the worker with this number, 0 being the main thread.
func (h *Host) worker(id int) *worker {
	if id < 0 || id >= len(h.workers) || h.workers[id] == nil {
		panic(fmt.Sprintf("BUG: hostsim: there is no worker %d", id))
	}
	return h.workers[id]
}

// log keeps a line.
func (h *Host) log(l Line) {
	h.mu.Lock()
	if len(h.logs) == keptLines {
		h.logs = slices.Delete(h.logs, 0, keptLines/2)
	}
	h.logs = append(h.logs, l)
	h.mu.Unlock()
	if h.opt.Log != nil {
		h.opt.Log(l)
	}
}

// chance returns a random number from 0 to 1.
func (h *Host) chance() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rng.Float64()
}

// random returns the randomness that a VM of worker id reads, after so many
// before it.
func (h *Host) random(id, before int) io.Reader {
	if h.opt.RealTime {
		return crand.Reader
	}
	var seed [32]byte
	for i := range 8 {
		seed[i] = byte(h.opt.Seed >> (8 * i))
		seed[8+i] = byte(uint64(id+2) >> (8 * i))
		seed[16+i] = byte(uint64(before) >> (8 * i))
	}
	return rand.NewChaCha8(seed)
}

// post leaves an event for a worker; leaving a worker delivers it.
func (h *Host) post(e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.posted = append(h.posted, e)
}

// deliver carries out what was posted.
func (h *Host) deliver() {
	for {
		h.mu.Lock()
		if len(h.posted) == 0 {
			h.mu.Unlock()
			return
		}
		e := h.posted[0]
		h.posted = h.posted[1:]
		h.mu.Unlock()
		e.w.enter()
		e.w.onQueueReady(e.root, e.queue)
		e.w.leaveQuietly()
	}
}

// lastError returns the last line at level error or above that worker id
// logged since the host had logged n lines, or fallback.
func (h *Host) lastError(since int, id int, fallback string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	message := fallback
	for _, l := range h.logs[min(since, len(h.logs)):] {
		if l.Worker == id && l.Level >= abi.Error {
			message = l.Message
		}
	}
	return strings.TrimSpace(message)
}
