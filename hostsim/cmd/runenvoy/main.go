// Command runenvoy runs an Envoy file until Ctrl-C, and says how to try it.
//
//	runenvoy envoy.yaml
//
// PORT and ADMIN_PORT in the environment replace the ports of the file's first
// listener and of its admin page; CONCURRENCY is the number of workers, 0 for
// one a core. Envoy gets its configuration as a file that only this user can read,
// since everybody sees arguments, and which is gone as soon as Envoy has read it.
// Envoy uses no shared memory and ends when this command does.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"fairshare/hostsim/envoy"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: runenvoy envoy.yaml")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "fairshare:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	port, err := number("PORT", 4000)
	if err != nil {
		return err
	}
	admin, err := number("ADMIN_PORT", 9901)
	if err != nil {
		return err
	}
	workers, err := number("CONCURRENCY", 0)
	if err != nil {
		return err
	}
	file, err := envoy.ReadFile(path)
	if err != nil {
		return err
	}
	// Envoy itself would share the port with whoever has it.
	if err := errors.Join(free(port, "PORT"), free(admin, "ADMIN_PORT")); err != nil {
		return err
	}
	file.Listen(port, admin)
	config, err := file.JSON()
	if err != nil {
		return err
	}

	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	remove, passed, err := pass(config)
	if err != nil {
		return err
	}
	defer remove()
	args := []string{"--config-path", passed, "--log-level", "warning", "--component-log-level", "wasm:info"}
	if workers > 0 {
		args = append(args, "--concurrency", strconv.Itoa(workers))
	}
	screen := &screen{said: make(map[string]bool), secrets: file.Secrets()}
	process, err := envoy.Launch(&envoy.Log{Also: screen}, nil, args...)
	if err != nil {
		return err
	}
	defer process.Stop()
	defer screen.close()

	ready := time.NewTicker(50 * time.Millisecond)
	defer ready.Stop()
	for {
		select {
		case <-ended:
			return nil
		case <-process.Done():
			return fmt.Errorf("%s: Envoy ended by itself: %w", path, process.Ended())
		case <-ready.C:
			if live(admin) {
				ready.Stop()
				remove()
				screen.started()
				fmt.Print(welcome(file, path, port, admin))
			}
		}
	}
}

// pass writes a configuration, which has secrets, where Envoy can read it and nobody
// else can.
func pass(config string) (remove func(), path string, err error) {
	dir, err := os.MkdirTemp("", "runenvoy") // mode 0700
	if err != nil {
		return nil, "", err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	path = filepath.Join(dir, "envoy.json")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		remove()
		return nil, "", err
	}
	return remove, path, nil
}

// free returns an error if somebody listens on the port.
func free(port int, variable string) error {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return fmt.Errorf("port %d is in use: choose another with %s=", port, variable)
	}
	return listener.Close()
}

// A screen shows Envoy's log to a user. Every worker starts a filter of its
// own, and they all say the same: at the start, each line of the filter is shown
// once.
type screen struct {
	mu     sync.Mutex
	rest   []byte          // of a line that has not ended
	said   map[string]bool // nil after the start
	closed bool

	secrets []string // are not shown
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rest = append(s.rest, p...)
	for !s.closed {
		end := bytes.IndexByte(s.rest, '\n')
		if end < 0 {
			break
		}
		line := string(s.rest[:end+1])
		s.rest = s.rest[end+1:]
		for _, secret := range s.secrets {
			line = strings.ReplaceAll(line, secret, "(not shown)")
		}
		if text, ok := envoy.PluginLine(line); ok {
			if s.said[text] {
				continue
			}
			if s.said != nil {
				s.said[text] = true
			}
			line = text + "\n"
		}
		if _, err := os.Stderr.WriteString(line); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// started tells that every worker has started.
func (s *screen) started() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = nil
}

// close ends the showing: that Envoy was told to end is no news.
func (s *screen) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// number reads a number from the environment; empty stands for otherwise.
func number(name string, otherwise int) (int, error) {
	text := os.Getenv(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 65535 {
		return 0, fmt.Errorf("%s: want a number up to 65535, got %q", name, text)
	}
	return n, nil
}

// live reports whether Envoy serves requests.
func live(admin int) bool {
	answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/ready", admin))
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// welcome is the screen that a user sees when Envoy serves.
func welcome(file *envoy.File, path string, port, admin int) string {
	key, model := demo(file.Plugin())
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	ask := fmt.Sprintf(`{"model": %q, "messages": [{"role": "user", "content": "Hello world!"}]}`, model)
	return fmt.Sprintf(`
Fairshare runs in Envoy with %s.

  API         %s/v1
  admin       http://127.0.0.1:%d
  master key  %s

Ask:

  curl %s/v1/chat/completions -H 'Authorization: Bearer %s' --json '%s'

Make a key for somebody:

  curl %s/key/generate -H 'Authorization: Bearer %s' --json '{}'

Ctrl-C ends it.

`, path, base, admin, key, base, key, ask, base, key)
}

// demo picks the key and the model for the lines that a user pastes: a model
// that answers by itself if there is one. A key that is not the documents' is a
// secret.
func demo(plugin map[string]any) (key, model string) {
	key, model = "<your master key>", "<your model>"
	general, _ := plugin["general_settings"].(map[string]any)
	if text, ok := general["master_key"].(string); ok && text == "sk-1234" {
		key = text
	}
	models, _ := plugin["model_list"].([]any)
	for i := len(models) - 1; i >= 0; i-- {
		entry, _ := models[i].(map[string]any)
		params, _ := entry["litellm_params"].(map[string]any)
		name, ok := entry["model_name"].(string)
		if !ok {
			continue
		}
		model = name
		if params["mock_response"] != nil {
			break
		}
	}
	return key, model
}
