// Package envoy runs real Envoy with the filter, for tests and for make run.
//
// What a test needs and a user's Envoy has not: ports that Envoy chooses, a
// wall clock that the test sets (the true one goes on driving Envoy's timers),
// a configuration that is replaced while requests run, and a look at the
// process's memory and processor time.
//
// A test that fails prints Envoy's log.
package envoy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ErrNoClock tells that an Envoy was started without a clock to set.
var ErrNoClock = errors.New("envoy: the clock is the true one")

// patience is how long a change of Envoy's state may take before it counts as
// one that never comes.
const patience = 30 * time.Second

// prompt asks what is answered at once.
var prompt = &http.Client{Timeout: 10 * time.Second}

// Options say which Envoy to start. The zero value is an Envoy with one worker
// per core, the filter without configuration and no upstream.
type Options struct {
	Config  []byte            // the filter's configuration: LiteLLM's config.yaml as JSON
	Struct  bool              // hand Config over as google.protobuf.Struct instead of as text
	Workers int               // 0 for one per core
	Wasm    string            // the filter's file; "" for build/fairshare.wasm
	Env     map[string]string // environment that Envoy has and the filter may read
	Now     time.Time         // where the wall clock stands; zero for the true clock

	// Upstreams maps the authority of an api_base, as the filter writes it
	// into x-fairshare-upstream, to the host:port that serves it.
	Upstreams  map[string]string
	UpstreamH2 bool          // speak HTTP/2 without TLS to the upstreams
	Timeout    time.Duration // of the routes; 0 for none

	// Istio configures the filter as Istio does: without a vm_id, without
	// allow_on_headers_stop_iteration, in a proxy whose node id says what it
	// is. The model in a body then cannot choose the upstream: the first one
	// gets every request.
	Istio       bool
	BufferLimit int   // per_connection_buffer_limit_bytes; 0 for 8 MiB
	Static      bool  // make the listener part of the bootstrap: it cannot be replaced, and a bad one stops Envoy
	Filters     []any // HTTP filters in place of Fairshare; every request goes to the first upstream

	// Answer, if not empty, is JSON with which Envoy answers what it would
	// send to no upstream: an upstream that costs next to nothing.
	Answer string

	// File is a shipped Envoy file to run as it is, but for its ports. All
	// other options but Workers, Env and Now are then left alone.
	File string

	port int // of the listener; 0 lets Envoy choose
}

// An Envoy is a running Envoy. Reload, Kill and Close are for one goroutine at
// a time, the other methods for any number.
type Envoy struct {
	BaseURL  string // where it serves, without a slash at the end
	AdminURL string

	options Options
	folder  string // its files, removed by Close
	process *Process
	log     Log
	clock   *clock // nil if the clock is the true one
	version int    // of the listener's configuration, counted from 1
}

// Start starts Envoy for a test, which ends it. It fails the test if Envoy
// refuses its configuration.
func Start(t testing.TB, o Options) *Envoy {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatalf("starting Envoy: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Envoy's log:\n%s", e.Log())
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// New starts Envoy and returns when it serves. A configuration that the filter
// refuses gives a *ConfigError.
func New(o Options) (e *Envoy, err error) {
	folder, err := os.MkdirTemp("", "envoy")
	if err != nil {
		return nil, err
	}
	e = &Envoy{options: o, folder: folder, version: 1}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	var bootstrap object
	if o.File != "" {
		file, err := ReadFile(o.File)
		if err != nil {
			return nil, err
		}
		file.Listen(0, 0)
		bootstrap = file.tree
	} else if bootstrap, err = o.bootstrap(folder); err != nil {
		return nil, err
	}
	if err := e.write("envoy.json", bootstrap); err != nil {
		return nil, err
	}
	if !o.Static && o.File == "" {
		if err := e.writeListener(); err != nil {
			return nil, err
		}
	}
	var env []string
	for name, value := range o.Env {
		env = append(env, name+"="+value)
	}
	if !o.Now.IsZero() {
		if e.clock, err = newClock(filepath.Join(folder, "clock"), o.Now); err != nil {
			return nil, err
		}
		preload, err := e.clock.environment()
		if err != nil {
			return nil, err
		}
		env = append(env, preload...)
	}
	args := []string{
		"--config-path", filepath.Join(folder, "envoy.json"),
		"--admin-address-path", filepath.Join(folder, "admin"),
		"--log-level", "warning", "--component-log-level", "wasm:info",
	}
	if o.Workers > 0 {
		args = append(args, "--concurrency", strconv.Itoa(o.Workers))
	}
	if e.process, err = Launch(&e.log, env, args...); err != nil {
		return nil, err
	}
	return e, e.serving()
}

// A ConfigError is the filter's refusal of a configuration.
type ConfigError struct {
	Line string // what the filter said, one line
	Log  string // what Envoy said
}

func (e *ConfigError) Error() string { return e.Line }

// configError returns the refusal that the log holds after the mark. What
// Envoy counts it has logged before, but the log comes through a pipe.
func (e *Envoy) configError(mark int) error {
	said := &ConfigError{Line: "envoy: it refused the configuration"}
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		said.Log = e.log.String()[mark:]
		if lines := e.log.PluginErrors(mark); len(lines) > 0 {
			said.Line = lines[0]
			return said
		}
		if time.Now().After(deadline) {
			return said
		}
	}
}

// serving waits until Envoy serves requests and sets the addresses.
func (e *Envoy) serving() error {
	return e.wait("Envoy to serve", func() (bool, error) {
		if e.AdminURL == "" {
			text, err := os.ReadFile(filepath.Join(e.folder, "admin"))
			if err != nil || len(text) == 0 {
				return false, nil
			}
			e.AdminURL = "http://" + strings.TrimSpace(string(text))
		}
		if text, err := e.admin("/ready"); err != nil || !strings.HasPrefix(string(text), "LIVE") {
			return false, nil
		}
		stats, err := e.Stats("listener_manager")
		if err != nil {
			return false, err
		}
		if stats["listener_manager.lds.update_rejected"] > 0 {
			return false, e.configError(0)
		}
		if stats["listener_manager.workers_started"] == 0 {
			return false, nil
		}
		text, err := e.admin("/listeners?format=json")
		if err != nil {
			return false, err
		}
		var listeners struct {
			Listeners []struct {
				Address struct {
					Socket struct {
						Port int `json:"port_value"`
					} `json:"socket_address"`
				} `json:"local_address"`
			} `json:"listener_statuses"`
		}
		if err := json.Unmarshal(text, &listeners); err != nil {
			return false, err
		}
		if len(listeners.Listeners) == 0 {
			return false, nil
		}
		e.BaseURL = "http://127.0.0.1:" + strconv.Itoa(listeners.Listeners[0].Address.Socket.Port)
		return true, nil
	})
}

// wait asks until the condition holds, an error comes, Envoy ends, or patience
// does.
func (e *Envoy) wait(what string, condition func() (bool, error)) error {
	deadline := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		if ok, err := condition(); ok || err != nil {
			return err
		}
		select {
		case <-e.process.Done():
			return e.configError(0)
		case <-deadline:
			return fmt.Errorf("envoy: waited %v for %s", patience, what)
		case <-again.C:
		}
	}
}

// write puts x as JSON into a file of the folder, at once.
func (e *Envoy) write(name string, x any) error {
	text, err := json.Marshal(x)
	if err != nil {
		return err
	}
	path := filepath.Join(e.folder, name)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// writeListener gives Envoy the listener of the present version.
func (e *Envoy) writeListener() error {
	listener, err := e.options.listener(e.version)
	if err != nil {
		return err
	}
	listener["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener"
	return e.write(listenerFile, object{"version_info": strconv.Itoa(e.version), "resources": list{listener}})
}

// Reload replaces the filter's configuration and returns when every worker
// uses it. On error, a *ConfigError if the filter refused it, the old one goes
// on serving.
func (e *Envoy) Reload(config []byte) error {
	before, err := e.Stats("listener_manager.lds")
	if err != nil {
		return err
	}
	mark := e.log.Len()
	old := e.options.Config
	e.options.Config = config
	e.version++
	if err := e.writeListener(); err != nil {
		return err
	}
	err = e.wait("Envoy to take the configuration", func() (bool, error) {
		now, err := e.Stats("listener_manager.lds")
		if err != nil {
			return false, err
		}
		if now["listener_manager.lds.update_rejected"] > before["listener_manager.lds.update_rejected"] {
			return false, e.configError(mark)
		}
		return now["listener_manager.lds.update_success"] > before["listener_manager.lds.update_success"], nil
	})
	if err != nil {
		e.options.Config = old
		return err
	}
	// Workers take the new listener one by one. A new connection reaches any
	// of them, so a row of new connections that all see it means all have it.
	row := 0
	return e.wait("every worker to use the configuration", func() (bool, error) {
		server, err := e.server()
		if err != nil || server != serverName(e.version) {
			row = 0
			return false, nil
		}
		row++
		return row >= 16, nil
	})
}

// server returns the server header of an answer on a connection of its own.
func (e *Envoy) server() (string, error) {
	request, err := http.NewRequest(http.MethodGet, e.BaseURL+"/health/liveliness", nil)
	if err != nil {
		return "", err
	}
	request.Close = true
	answer, err := prompt.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	return answer.Header.Get("server"), nil
}

// SetClock moves the wall clock that Envoy and the filter read. It returns
// ErrNoClock if Envoy was started with the true clock.
func (e *Envoy) SetClock(now time.Time) error {
	if e.clock == nil {
		return ErrNoClock
	}
	e.clock.set(now)
	return nil
}

// Now is what Envoy's wall clock shows.
func (e *Envoy) Now() time.Time {
	if e.clock == nil {
		return time.Now()
	}
	return e.clock.now()
}

// Stats returns the counters and gauges whose names contain part.
func (e *Envoy) Stats(part string) (map[string]int64, error) {
	text, err := e.admin("/stats?format=json&filter=" + part)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Stats []struct {
			Name  string          `json:"name"`
			Value json.RawMessage `json:"value"`
		} `json:"stats"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, err
	}
	stats := make(map[string]int64)
	for _, stat := range answer.Stats {
		// Text readouts and histograms are no numbers and are left out.
		if n, err := strconv.ParseInt(string(bytes.TrimSpace(stat.Value)), 10, 64); err == nil {
			stats[stat.Name] = n
		}
	}
	return stats, nil
}

// admin gets a page of Envoy's admin server.
func (e *Envoy) admin(path string) ([]byte, error) {
	answer, err := prompt.Get(e.AdminURL + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("envoy: admin %s: %s", path, answer.Status)
	}
	return text, err
}

// Log returns what Envoy has logged.
func (e *Envoy) Log() string { return e.log.String() }

// Usage returns the process's resident memory in bytes and the processor time
// that it has used.
func (e *Envoy) Usage() (resident int64, cpu time.Duration, err error) {
	return e.process.Usage()
}

// Kill ends Envoy as a crash would. Close is still needed.
func (e *Envoy) Kill() { e.process.Kill() }

// Close ends Envoy and removes its files. It is safe to call twice.
func (e *Envoy) Close() error {
	if e.process != nil {
		e.process.Stop()
	}
	var err error
	if e.clock != nil {
		err = e.clock.close()
		e.clock = nil
	}
	return errors.Join(err, os.RemoveAll(e.folder))
}
