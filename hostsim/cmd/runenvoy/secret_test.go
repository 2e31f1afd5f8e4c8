package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Nobody on the machine reads the configuration's secrets in a list of processes, nor
// in what stays behind.
func TestSecretsAreInNoCommandLine(t *testing.T) {
	text, err := os.ReadFile("../../../envoy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const secret = "sk-a-secret-of-the-test"
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	path := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte("sk-1234"), []byte(secret)), 0o600); err != nil {
		t.Fatal(err)
	}
	port, admin := unused(t), unused(t)
	t.Setenv("PORT", port)
	t.Setenv("ADMIN_PORT", admin)
	t.Setenv("CONCURRENCY", "1")
	ended := make(chan error, 1)
	go func() { ended <- run(path) }()
	seen := false
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, line := range lines {
			words, _ := os.ReadFile(line) // a process may have ended
			seen = seen || bytes.Contains(words, []byte("runenvoy")) && bytes.Contains(words, []byte("--config-path"))
			if bytes.Contains(words, []byte(secret)) {
				t.Fatalf("%s holds the secret", line)
			}
		}
		files, _ := filepath.Glob(dir + "/runenvoy*/*")
		for _, file := range files {
			if info, err := os.Stat(file); err == nil && info.Mode().Perm() != 0o600 {
				t.Fatalf("%s has mode %v", file, info.Mode())
			}
		}
		if seen && len(files) == 0 {
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("it ended: %v", err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("Envoy seen %v, files %v", seen, files)
		}
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
}

// Envoy quotes its configuration beside an error in it; what a user sees of that holds no
// secret of the filter's, in whatever form it is handed over.
func TestErrorsShowNoSecret(t *testing.T) {
	const master, provider = "sk-a-secret-of-the-test", "the-provider-s-secret"
	for _, file := range []string{"envoy.yaml", "testdata/envoy/istio.yaml"} {
		text, err := os.ReadFile("../../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte("sk-1234"), []byte(master))
		text = bytes.ReplaceAll(text, []byte("my-fake-key"), []byte(provider))
		for _, fault := range [][2]string{
			{"stat_prefix: fairshare", "stat_prefix: [fairshare]"},
			{"stat_prefix: fairshare", "stat_prefix: \"\""},
		} {
			dir := t.TempDir()
			path := filepath.Join(dir, "envoy.yaml")
			if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte(fault[0]), []byte(fault[1])), 0o600); err != nil {
				t.Fatal(err)
			}
			said, err := os.Create(filepath.Join(dir, "said"))
			if err != nil {
				t.Fatal(err)
			}
			t.Setenv("PORT", unused(t))
			t.Setenv("ADMIN_PORT", unused(t))
			stderr := os.Stderr
			os.Stderr = said
			err = run(path)
			os.Stderr = stderr
			said.Close()
			text, readErr := os.ReadFile(said.Name())
			if err == nil || readErr != nil || len(text) == 0 {
				t.Fatalf("%s, %s: %v, %v; said %q", file, fault[1], err, readErr, text)
			}
			for _, secret := range []string{master, provider} {
				if bytes.Contains(text, []byte(secret)) || strings.Contains(err.Error(), secret) {
					t.Errorf("%s, %s: %s is shown", file, fault[1], secret)
				}
			}
		}
	}
}

func TestWelcomeShowsNoSecret(t *testing.T) {
	for key, shown := range map[string]bool{"sk-1234": true, "sk-of-somebody": false} {
		got, _ := demo(map[string]any{"general_settings": map[string]any{"master_key": key}})
		if strings.Contains(got, key) != shown {
			t.Errorf("%s: %q", key, got)
		}
	}
}

func unused(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}
