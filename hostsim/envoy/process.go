package envoy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrMissing tells that a file which make builds is not there.
var ErrMissing = errors.New("envoy: missing, run make build envoy build/clock.so")

// Root is the folder of the module that the working directory is in: what
// relative names in Envoy files stand below.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", &fs.PathError{Op: "find", Path: "go.mod", Err: fs.ErrNotExist}
		}
		dir = up
	}
}

// find returns the absolute path of a file that make builds.
func find(name string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s: %w", name, ErrMissing)
	}
	return path, nil
}

// A Process is a running Envoy. It does not outlive the process that started it.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended and err is set
	err  error
}

// Launch starts Envoy with the arguments, in the module's root. What it logs
// goes to log, and its environment is this process's plus env, entries of the
// form NAME=value.
func Launch(log *Log, env []string, args ...string) (*Process, error) {
	binary, err := find(".tools/envoy")
	if err != nil {
		return nil, err
	}
	root, err := Root()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, append(args, "--disable-hot-restart")...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	// A group of its own: Ctrl-C is for us, and we end Envoy. If we are
	// killed, so is Envoy.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The death signal comes with the end of the thread that started the
		// child, so the thread is kept until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended returns how the process ended. It waits for the end.
func (p *Process) Ended() error {
	<-p.done
	return p.err
}

// Stop asks the process to end, makes it end after 5 s, and waits until it
// has. It is safe to call twice.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		p.Kill()
	}
}

// Kill ends the process as a crash of the machine would, and waits until it
// has ended.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // an error means that it has ended
	<-p.done
}

// A Log keeps what Envoy printed. The zero Log is ready to use. It is safe for
// use by several goroutines.
type Log struct {
	// Also, if non-nil, sees every byte too.
	Also interface{ Write([]byte) (int, error) }

	mu   sync.Mutex
	text strings.Builder
}

// Write adds p to the log. It keeps no more than 8 MiB.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text.Len() < 8<<20 {
		l.text.Write(p)
	}
	if l.Also != nil {
		return l.Also.Write(p)
	}
	return len(p), nil
}

// String returns everything so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Len is the length of the log in bytes: a mark to give to PluginErrors.
func (l *Log) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Len()
}

// PluginLine returns what the filter logged with a line of Envoy's log, and
// false if Envoy said it itself.
func PluginLine(line string) (string, bool) {
	// "... wasm log ROOT_ID VM_ID: text"; the names may be missing.
	_, rest, ok := strings.Cut(line, "] wasm log")
	if !ok {
		return "", false
	}
	_, text, ok := strings.Cut(rest, ": ")
	return strings.TrimSpace(text), ok
}

// PluginErrors returns what the filter logged as error or critical after the
// mark, without Envoy's prefix.
func (l *Log) PluginErrors(mark int) []string {
	var found []string
	for line := range strings.Lines(l.String()[mark:]) {
		if !strings.Contains(line, "[error]") && !strings.Contains(line, "[critical]") {
			continue
		}
		if text, ok := PluginLine(line); ok {
			found = append(found, text)
		}
	}
	return found
}

// Usage returns the process's resident memory in bytes and the processor time
// that it has used, in user and system mode.
func (p *Process) Usage() (resident int64, cpu time.Duration, err error) {
	folder := fmt.Sprintf("/proc/%d/", p.PID())
	text, err := os.ReadFile(folder + "statm")
	if err != nil {
		return 0, 0, err
	}
	var size int64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		return 0, 0, fmt.Errorf("%sstatm: %w", folder, err)
	}
	text, err = os.ReadFile(folder + "stat")
	if err != nil {
		return 0, 0, err
	}
	// The second field is the command's name in parentheses and may hold
	// anything; utime and stime are the fields 14 and 15, in ticks of 10 ms.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("%sstat: %w", folder, err)
		}
		ticks += n
	}
	return resident * int64(os.Getpagesize()), time.Duration(ticks) * 10 * time.Millisecond, nil
}
