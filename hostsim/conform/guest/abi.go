//go:build wasip1

package main

import (
	"encoding/binary"
	"unsafe"
)

// The imports are declared here and not taken from an SDK: a question is
// about the status that a host answers, and an SDK hides some of them.

//go:wasmimport env proxy_log
func proxyLog(level uint32, message unsafe.Pointer, size uint32) uint32

//go:wasmimport env proxy_set_tick_period_milliseconds
func proxySetTickPeriod(period uint32) uint32

//go:wasmimport env proxy_get_buffer_bytes
func proxyGetBuffer(kind, start, size uint32, data, length unsafe.Pointer) uint32

//go:wasmimport env proxy_set_buffer_bytes
func proxySetBuffer(kind, start, size uint32, data unsafe.Pointer, length uint32) uint32

//go:wasmimport env proxy_get_header_map_pairs
func proxyGetPairs(kind uint32, data, length unsafe.Pointer) uint32

//go:wasmimport env proxy_set_header_map_pairs
func proxySetPairs(kind uint32, data unsafe.Pointer, length uint32) uint32

//go:wasmimport env proxy_get_header_map_value
func proxyGetHeader(kind uint32, name unsafe.Pointer, size uint32, data, length unsafe.Pointer) uint32

//go:wasmimport env proxy_add_header_map_value
func proxyAddHeader(kind uint32, name unsafe.Pointer, size uint32, value unsafe.Pointer, length uint32) uint32

//go:wasmimport env proxy_replace_header_map_value
func proxyReplaceHeader(kind uint32, name unsafe.Pointer, size uint32, value unsafe.Pointer, length uint32) uint32

//go:wasmimport env proxy_remove_header_map_value
func proxyRemoveHeader(kind uint32, name unsafe.Pointer, size uint32) uint32

//go:wasmimport env proxy_send_local_response
func proxyReply(status uint32, details unsafe.Pointer, detailsSize uint32, body unsafe.Pointer, bodySize uint32,
	headers unsafe.Pointer, headersSize uint32, grpc int32) uint32

//go:wasmimport env proxy_continue_stream
func proxyContinue(stream uint32) uint32

//go:wasmimport env proxy_set_effective_context
func proxyEffective(context uint32) uint32

//go:wasmimport env proxy_http_call
func proxyCallout(upstream unsafe.Pointer, upstreamSize uint32, headers unsafe.Pointer, headersSize uint32,
	body unsafe.Pointer, bodySize uint32, trailers unsafe.Pointer, trailersSize uint32,
	timeout uint32, id unsafe.Pointer) uint32

//go:wasmimport env proxy_call_foreign_function
func proxyForeign(name unsafe.Pointer, size uint32, argument unsafe.Pointer, argumentSize uint32,
	data, length unsafe.Pointer) uint32

//go:wasmimport env proxy_get_shared_data
func proxyGetShared(key unsafe.Pointer, size uint32, data, length, cas unsafe.Pointer) uint32

//go:wasmimport env proxy_set_shared_data
func proxySetShared(key unsafe.Pointer, size uint32, value unsafe.Pointer, length uint32, cas uint32) uint32

// proxySetSharedAt is proxySetShared with a key that need not lie in memory.
//
//go:wasmimport env proxy_set_shared_data
func proxySetSharedAt(key, size uint32, value unsafe.Pointer, length uint32, cas uint32) uint32

//go:wasmimport env proxy_register_shared_queue
func proxyRegisterQueue(name unsafe.Pointer, size uint32, id unsafe.Pointer) uint32

//go:wasmimport env proxy_resolve_shared_queue
func proxyResolveQueue(vm unsafe.Pointer, vmSize uint32, name unsafe.Pointer, size uint32, id unsafe.Pointer) uint32

//go:wasmimport env proxy_enqueue_shared_queue
func proxyEnqueue(id uint32, value unsafe.Pointer, length uint32) uint32

//go:wasmimport env proxy_dequeue_shared_queue
func proxyDequeue(id uint32, data, length unsafe.Pointer) uint32

//go:wasmimport env proxy_define_metric
func proxyDefineMetric(kind uint32, name unsafe.Pointer, size uint32, id unsafe.Pointer) uint32

//go:wasmimport env proxy_increment_metric
func proxyIncrementMetric(id uint32, offset int64) uint32

//go:wasmimport env proxy_record_metric
func proxyRecordMetric(id uint32, value int64) uint32

//go:wasmimport env proxy_get_metric
func proxyGetMetric(id uint32, value unsafe.Pointer) uint32

//go:wasmimport env proxy_get_property
func proxyGetProperty(path unsafe.Pointer, size uint32, data, length unsafe.Pointer) uint32

//go:wasmimport env proxy_set_property
func proxySetProperty(path unsafe.Pointer, size uint32, value unsafe.Pointer, length uint32) uint32

// kept holds the blocks that the host was given lately: between the host's
// writing of a pointer and the guest's reading of it nothing else refers to
// its block.
var (
	kept   [64][]byte
	keptAt int
)

//go:wasmexport malloc
func malloc(size uint32) unsafe.Pointer {
	b := make([]byte, max(size, 1))
	kept[keptAt%len(kept)] = b
	keptAt++
	return unsafe.Pointer(&b[0])
}

// at returns the place of b's bytes, which may be none.
func at[T string | []byte](b T) unsafe.Pointer {
	switch v := any(b).(type) {
	case string:
		return unsafe.Pointer(unsafe.StringData(v))
	case []byte:
		return unsafe.Pointer(unsafe.SliceData(v))
	}
	return nil
}

// A handed is what the host hands out: pointer and length.
type handed struct {
	data   unsafe.Pointer
	length uint32
}

func (h *handed) text() string {
	if h.data == nil || h.length == 0 {
		return ""
	}
	return string(unsafe.Slice((*byte)(h.data), h.length))
}

func getShared(key string) (value string, cas, status uint32) {
	h := new(handed)
	n := new(uint32)
	status = proxyGetShared(at(key), uint32(len(key)), unsafe.Pointer(&h.data), unsafe.Pointer(&h.length), unsafe.Pointer(n))
	return h.text(), *n, status
}

func setShared(key, value string, cas uint32) uint32 {
	return proxySetShared(at(key), uint32(len(key)), at(value), uint32(len(value)), cas)
}

func getHeader(kind uint32, name string) (value string, status uint32) {
	h := new(handed)
	status = proxyGetHeader(kind, at(name), uint32(len(name)), unsafe.Pointer(&h.data), unsafe.Pointer(&h.length))
	return h.text(), status
}

func addHeader(kind uint32, name, value string) uint32 {
	return proxyAddHeader(kind, at(name), uint32(len(name)), at(value), uint32(len(value)))
}

func replaceHeader(kind uint32, name, value string) uint32 {
	return proxyReplaceHeader(kind, at(name), uint32(len(name)), at(value), uint32(len(value)))
}

func removeHeader(kind uint32, name string) uint32 {
	return proxyRemoveHeader(kind, at(name), uint32(len(name)))
}

func getBuffer(kind, start, size uint32) (data string, status uint32) {
	h := new(handed)
	status = proxyGetBuffer(kind, start, size, unsafe.Pointer(&h.data), unsafe.Pointer(&h.length))
	return h.text(), status
}

func getProperty(path string) (value string, status uint32) {
	h := new(handed)
	status = proxyGetProperty(at(path), uint32(len(path)), unsafe.Pointer(&h.data), unsafe.Pointer(&h.length))
	return h.text(), status
}

func reply(status uint32, headers [][2]string, body string) uint32 {
	packed := pack(headers)
	return proxyReply(status, nil, 0, at(body), uint32(len(body)), at(packed), uint32(len(packed)), -1)
}

func logLine(message string) { proxyLog(2, at(message), uint32(len(message))) }

// pack returns pairs as the ABI has them in memory.
func pack(pairs [][2]string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(pairs)))
	for _, p := range pairs {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p[0])))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p[1])))
	}
	for _, p := range pairs {
		b = append(append(b, p[0]...), 0)
		b = append(append(b, p[1]...), 0)
	}
	return b
}
