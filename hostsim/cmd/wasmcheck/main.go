// Command wasmcheck looks at a filter's wasm file as a proxy would when it
// loads it, and fails if some proxy could not.
//
// It runs nothing of the file. What it looks for:
//
//   - imports come from the proxy-wasm ABI or from WASI preview 1 only: a host
//     that lacks an import refuses the whole file;
//   - the exports that hosts call are there, among them malloc, which hosts
//     prefer to proxy_on_memory_allocate;
//   - with -max, the file is no larger than that many bytes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/tetratelabs/wazero"
)

// exports lists what a host needs to find: the ABI's version, the start-up of
// a library, and an allocator for what the host hands in.
var exports = []string{"proxy_abi_version_0_2_0", "_initialize", "malloc"}

func main() {
	limit := flag.Int("max", 0, "the largest size that passes, in `bytes`; 0 for any")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: wasmcheck [-max bytes] file.wasm")
		os.Exit(2)
	}
	path := flag.Arg(0)
	wasm, err := os.ReadFile(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	faults := check(wasm, *limit)
	for _, fault := range faults {
		fmt.Fprintf(os.Stderr, "%s: %s\n", path, fault)
	}
	if len(faults) > 0 {
		os.Exit(1)
	}
	fmt.Printf("%s: %d bytes, imports and exports as every host wants them\n", path, len(wasm))
}

// check returns what is wrong with the file, one line a fault.
func check(wasm []byte, limit int) []string {
	ctx := context.Background()
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer runtime.Close(ctx)
	module, err := runtime.CompileModule(ctx, wasm)
	if err != nil {
		return []string{err.Error()}
	}
	var faults []string
	for _, f := range module.ImportedFunctions() {
		from, name, _ := f.Import()
		abi := from == "env" && strings.HasPrefix(name, "proxy_")
		if !abi && from != "wasi_snapshot_preview1" {
			faults = append(faults, fmt.Sprintf("want imports of the ABI and WASI only, got %s.%s", from, name))
		}
	}
	for _, name := range exports {
		if module.ExportedFunctions()[name] == nil {
			faults = append(faults, "want an export "+name+", got none")
		}
	}
	if limit > 0 && len(wasm) > limit {
		faults = append(faults, fmt.Sprintf("want at most %d bytes, got %d", limit, len(wasm)))
	}
	return faults
}
