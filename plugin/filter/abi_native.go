//go:build !tinygo

package filter

import "unsafe"

// Outside a wasm there is no host: every call fails. The package is compiled
// natively only to be checked and to test what needs no host. What it logs goes
// to standard error.

func proxyLog(_ uint32, text unsafe.Pointer, size uint32) uint32 {
	println(unsafe.String((*byte)(text), size))
	return okay
}

func proxySetTickPeriod(uint32) uint32 { return unimplemented }
func proxyGetProperty(unsafe.Pointer, uint32, unsafe.Pointer, unsafe.Pointer) uint32 {
	return unimplemented
}

func proxySetProperty(unsafe.Pointer, uint32, unsafe.Pointer, uint32) uint32 {
	return unimplemented
}
func proxySetEffectiveContext(uint32) uint32 { return unimplemented }
func proxyContinueStream(uint32) uint32      { return unimplemented }
func proxySendLocalResponse(uint32, unsafe.Pointer, uint32, unsafe.Pointer, uint32, unsafe.Pointer, uint32, uint32) uint32 {
	return unimplemented
}
func proxyGetPairs(uint32, unsafe.Pointer, unsafe.Pointer) uint32 { return unimplemented }
func proxyAddHeader(uint32, unsafe.Pointer, uint32, unsafe.Pointer, uint32) uint32 {
	return unimplemented
}

func proxyReplaceHeader(uint32, unsafe.Pointer, uint32, unsafe.Pointer, uint32) uint32 {
	return unimplemented
}
func proxyRemoveHeader(uint32, unsafe.Pointer, uint32) uint32 { return unimplemented }
func proxyGetBuffer(uint32, uint32, uint32, unsafe.Pointer, unsafe.Pointer) uint32 {
	return unimplemented
}
func proxySetBuffer(uint32, uint32, uint32, unsafe.Pointer, uint32) uint32 { return unimplemented }
func proxyGetSharedData(unsafe.Pointer, uint32, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer) uint32 {
	return unimplemented
}

func proxySetSharedData(unsafe.Pointer, uint32, unsafe.Pointer, uint32, uint32) uint32 {
	return unimplemented
}
func proxyRegisterQueue(unsafe.Pointer, uint32, unsafe.Pointer) uint32        { return unimplemented }
func proxyEnqueue(uint32, unsafe.Pointer, uint32) uint32                      { return unimplemented }
func proxyDequeue(uint32, unsafe.Pointer, unsafe.Pointer) uint32              { return unimplemented }
func proxyDefineMetric(uint32, unsafe.Pointer, uint32, unsafe.Pointer) uint32 { return unimplemented }
func proxyIncrementMetric(uint32, int64) uint32                               { return unimplemented }
func clockTimeGet(uint32, uint64, unsafe.Pointer) uint32                      { return unimplemented }
func randomGet(unsafe.Pointer, uint32) uint32                                 { return unimplemented }
func environSizesGet(unsafe.Pointer, unsafe.Pointer) uint32                   { return unimplemented }
func environGet(unsafe.Pointer, unsafe.Pointer) uint32                        { return unimplemented }
