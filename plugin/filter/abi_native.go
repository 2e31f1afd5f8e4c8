//go:build !tinygo

package filter

import "unsafe"

// Outside a wasm there is no host: every call fails. The package is compiled
// natively only to be checked and to test what needs no host.

const unimplemented = 12 // proxy-wasm ABI 0.2.0, status codes

func getPairs(uint32, unsafe.Pointer, unsafe.Pointer) uint32 { return unimplemented }
func clockTimeGet(uint32, uint64, unsafe.Pointer) uint32     { return unimplemented }
func randomGet(unsafe.Pointer, uint32) uint32                { return unimplemented }
func environSizesGet(unsafe.Pointer, unsafe.Pointer) uint32  { return unimplemented }
func environGet(unsafe.Pointer, unsafe.Pointer) uint32       { return unimplemented }
