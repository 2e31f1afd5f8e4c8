//go:build tinygo

package filter

import "unsafe"

// The calls to the host that the SDK and Go's packages would make more expensive: the SDK
// allocates for every header map and traps on an empty one, time.Now reads a
// second, monotonic clock each time, crypto/rand brings more code than the call
// itself, and syscall.Getenv brings the C library's malloc, which stands in the
// way of ours.

//go:wasmimport env proxy_get_header_map_pairs
func getPairs(kind uint32, data, size unsafe.Pointer) uint32

//go:wasmimport wasi_snapshot_preview1 clock_time_get
func clockTimeGet(clock uint32, precision uint64, result unsafe.Pointer) uint32

//go:wasmimport wasi_snapshot_preview1 random_get
func randomGet(buf unsafe.Pointer, size uint32) uint32

//go:wasmimport wasi_snapshot_preview1 environ_sizes_get
func environSizesGet(count, size unsafe.Pointer) uint32

//go:wasmimport wasi_snapshot_preview1 environ_get
func environGet(pointers, buf unsafe.Pointer) uint32
