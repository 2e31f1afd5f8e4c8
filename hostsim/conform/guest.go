// Package conform asks a proxy what its side of the ABI does, by plain HTTP
// requests to a guest module (conform/guest) that it has loaded. The same
// questions go to the host simulator and to a real proxy, and the answers
// have to be the same.
package conform

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Guest returns the path of the guest's wasm: the file that the environment
// variable CONFORM_WASM names (made by TinyGo, as real proxies want it small),
// or else one that Go's own compiler makes in dir.
func Guest(dir string) (string, error) {
	if path := os.Getenv("CONFORM_WASM"); path != "" {
		return path, nil
	}
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		return "", fmt.Errorf("conform: the place of the guest's source is not known")
	}
	path := filepath.Join(dir, "conform.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-o", path, ".")
	build.Dir = filepath.Join(filepath.Dir(here), "guest")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("conform: building the guest: %w\n%s", err, out)
	}
	return path, nil
}
