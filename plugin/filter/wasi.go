package filter

import (
	"strings"
	"unsafe"
)

// The WASI calls that Go's packages would make more expensive: time.Now
// reads a second, monotonic clock each time, and crypto/rand brings more code
// than the call itself.

//go:wasmimport wasi_snapshot_preview1 clock_time_get
func clockTimeGet(clock uint32, precision uint64, result unsafe.Pointer) uint32

//go:wasmimport wasi_snapshot_preview1 random_get
func randomGet(buf unsafe.Pointer, size uint32) uint32

// now is the wall clock in ms since 1970, UTC.
func now() int64 {
	var ns uint64
	clockTimeGet(0, 1e6, unsafe.Pointer(&ns)) // the realtime clock always exists
	return int64(ns / 1e6)
}

func random(dst []byte) bool {
	return len(dst) == 0 || randomGet(unsafe.Pointer(&dst[0]), uint32(len(dst))) == 0
}

//go:wasmimport wasi_snapshot_preview1 environ_sizes_get
func environSizesGet(count, size unsafe.Pointer) uint32

//go:wasmimport wasi_snapshot_preview1 environ_get
func environGet(pointers, buf unsafe.Pointer) uint32

// getenv looks a variable of the proxy's environment up. (The syscall package
// would bring the C library's malloc, which stands in the way of ours.)
func getenv(name string) (string, bool) {
	var count, size uint32
	if environSizesGet(unsafe.Pointer(&count), unsafe.Pointer(&size)) != 0 || count == 0 || size == 0 {
		return "", false
	}
	pointers, buf := make([]uint32, count), make([]byte, size)
	if environGet(unsafe.Pointer(&pointers[0]), unsafe.Pointer(&buf[0])) != 0 {
		return "", false
	}
	for entry := range strings.SplitSeq(string(buf), "\x00") {
		if key, value, ok := strings.Cut(entry, "="); ok && key == name {
			return value, true
		}
	}
	return "", false
}
