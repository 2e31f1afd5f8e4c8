package abi

import (
	"io"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/sys"
)

// A System is where the module's WASI functions (wasi_snapshot_preview1) get
// clock, randomness, environment and output from. Go guests read the clock
// and randomness there and not through the proxy's own functions.
type System struct {
	Now    func() time.Time     // clock_time_get, realtime and monotonic
	Random io.Reader            // random_get
	Env    map[string]string    // environ_get
	Output func(p []byte) error // fd_write to 1 and 2: a Go panic prints there
}

// Apply returns config with the functions of s. Sleeping returns at once: a
// filter that sleeps would block a proxy's worker, and the clock here moves
// only when it is told to. proc_exit traps, as in Envoy
// (proxy-wasm-cpp-host, src/exports.cc, wasi_unstable_proc_exit).
func (s System) Apply(config wazero.ModuleConfig) wazero.ModuleConfig {
	out := writer(s.Output)
	config = config.
		WithWalltime(func() (sec int64, nsec int32) {
			now := s.Now()
			return now.Unix(), int32(now.Nanosecond())
		}, sys.ClockResolution(time.Microsecond)).
		WithNanotime(func() int64 { return s.Now().UnixNano() }, sys.ClockResolution(time.Nanosecond)).
		WithNanosleep(func(int64) {}).
		WithRandSource(s.Random).
		WithStdout(out).
		WithStderr(out)
	for name, value := range s.Env {
		config = config.WithEnv(name, value)
	}
	return config
}

// writer makes an io.Writer of a function.
type writer func(p []byte) error

func (w writer) Write(p []byte) (int, error) {
	if w == nil {
		return len(p), nil
	}
	return len(p), w(p)
}
