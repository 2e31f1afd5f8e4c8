// Command wasmtest runs Go tests that TinyGo compiled to WebAssembly.
//
//	wasmtest build/test/plugin/quota.wasm build/test/plugin/llm.wasm
//
// Each file is one package's test binary. Its path below build/test is the
// package's folder, which the tests see as their working directory, read-only,
// as under go test. What a passing package prints is left out.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// built is where the Makefile puts test binaries.
const built = "build/test/"

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: wasmtest "+built+"FOLDER.wasm...")
		os.Exit(2)
	}
	failed := false
	for _, path := range os.Args[1:] {
		folder := strings.TrimSuffix(strings.TrimPrefix(path, built), ".wasm")
		began := time.Now()
		output, err := run(path, folder)
		took := time.Since(began).Round(time.Millisecond)
		if err != nil {
			failed = true
			fmt.Printf("%sFAIL\t%s (wasm)\t%v: %v\n", output, folder, took, err)
			continue
		}
		fmt.Printf("ok  \t%s (wasm)\t%v\n", folder, took)
	}
	if failed {
		os.Exit(1)
	}
}

// run runs one test binary to its end and returns all that it printed. The
// error is non-nil if a test failed or the binary trapped.
func run(path, folder string) ([]byte, error) {
	wasm, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, &fs.PathError{Op: "test in", Path: folder, Err: fs.ErrNotExist}
	}
	ctx := context.Background()
	runtime := wazero.NewRuntime(ctx)
	defer runtime.Close(ctx)
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, runtime); err != nil {
		return nil, err
	}
	var output bytes.Buffer
	config := wazero.NewModuleConfig().
		WithArgs("test").
		WithStdout(&output).WithStderr(&output).
		WithFSConfig(wazero.NewFSConfig().WithReadOnlyDirMount(folder, "/")).
		WithSysWalltime().WithSysNanotime().WithSysNanosleep().
		WithRandSource(rand.Reader)
	_, err = runtime.InstantiateWithConfig(ctx, wasm, config)
	var exit *sys.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 0 {
		err = nil
	}
	return output.Bytes(), err
}
