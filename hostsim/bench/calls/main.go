//go:build wasip1

// Command calls is a filter that asks of its host all that Fairshare asks for one
// chat, in the same callbacks and the same order, and decides nothing: every value
// that it reads it drops, and every value that it writes is a constant of about the
// size of Fairshare's. Its cost is what the proxy itself takes for these calls, so it
// is the least that a filter with Fairshare's duties can cost there.
package main

import "unsafe"

//go:wasmimport env proxy_get_header_map_pairs
func getPairs(kind uint32, data, size unsafe.Pointer) uint32

//go:wasmimport env proxy_add_header_map_value
func addHeader(kind uint32, name unsafe.Pointer, nameSize uint32, value unsafe.Pointer, valueSize uint32) uint32

//go:wasmimport env proxy_replace_header_map_value
func replaceHeader(kind uint32, name unsafe.Pointer, nameSize uint32, value unsafe.Pointer, valueSize uint32) uint32

//go:wasmimport env proxy_get_buffer_bytes
func getBuffer(kind, start, most uint32, data, size unsafe.Pointer) uint32

//go:wasmimport env proxy_get_shared_data
func getSharedData(key unsafe.Pointer, keySize uint32, data, size, cas unsafe.Pointer) uint32

//go:wasmimport env proxy_set_shared_data
func setSharedData(key unsafe.Pointer, keySize uint32, data unsafe.Pointer, size, cas uint32) uint32

//go:wasmimport wasi_snapshot_preview1 clock_time_get
func clockTimeGet(clock uint32, precision uint64, result unsafe.Pointer) uint32

const (
	request, response = 0, 2 // header maps
	asked, answered   = 0, 1 // buffers
	goOn, pause       = 0, 1
)

// out is where the host writes what a call returns.
var out struct {
	data unsafe.Pointer
	size uint32
	cas  uint32
	ns   uint64
}

// room is what the host copies values to, for one callback at a time.
var (
	room [64 << 10]byte
	used uint32
)

//export malloc
func malloc(size uint32) unsafe.Pointer {
	if size > uint32(len(room))-used {
		panic("calls: a value that is larger than the benchmark's")
	}
	p := unsafe.Pointer(&room[used])
	used += (size + 7) &^ 7
	return p
}

func at(s string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(s)) }

func pairs(kind uint32) {
	used = 0
	getPairs(kind, unsafe.Pointer(&out.data), unsafe.Pointer(&out.size))
}

func body(kind, size uint32) {
	used = 0
	getBuffer(kind, 0, size, unsafe.Pointer(&out.data), unsafe.Pointer(&out.size))
}

// The values that are set. A page of the journal has the size of Fairshare's, and the
// record that of a model with one active key.
var (
	version [8]byte
	record  [344]byte
	page    [1760]byte
)

// get reads a value, which is there from the second time on.
func get(key string, first []byte) {
	if getSharedData(at(key), uint32(len(key)), unsafe.Pointer(&out.data), unsafe.Pointer(&out.size), unsafe.Pointer(&out.cas)) != 0 {
		out.cas = 0
		set(key, first)
	}
}

func set(key string, value []byte) {
	setSharedData(at(key), uint32(len(key)), unsafe.Pointer(unsafe.SliceData(value)), uint32(len(value)), out.cas)
}

// change is what an admission and a settlement do: the model's record is read and
// swapped, and the journal's page written.
func change() {
	get("fs/m/model", record[:])
	set("fs/m/model", record[:])
	out.cas = 0
	set("fs/w/0/0", page[:])
}

func replace(name, value string) {
	replaceHeader(request, at(name), uint32(len(name)), at(value), uint32(len(value)))
}

func add(kind uint32, name, value string) {
	addHeader(kind, at(name), uint32(len(name)), at(value), uint32(len(value)))
}

func main() {}

//export proxy_abi_version_0_2_0
func abiVersion() {}

//export proxy_on_vm_start
func onVMStart(_, _ uint32) bool { return true }

//export proxy_on_configure
func onConfigure(_, _ uint32) bool { return true }

//export proxy_on_context_create
func onContextCreate(_, _ uint32) {}

//export proxy_on_request_headers
func onRequestHeaders(_, _ uint32, _ bool) uint32 {
	pairs(request)
	get("fs/v", version[:])
	return pause
}

//export proxy_on_request_body
func onRequestBody(_, size uint32, end bool) uint32 {
	if !end {
		return pause
	}
	body(asked, size)
	clockTimeGet(0, 0, unsafe.Pointer(&out.ns))
	change()
	replace("authorization", "Bearer none")
	replace(":authority", "upstream.test")
	add(request, "x-fairshare-upstream", "upstream.test")
	return goOn
}

//export proxy_on_response_headers
func onResponseHeaders(_, _ uint32, _ bool) uint32 {
	pairs(response)
	add(response, "x-ratelimit-limit-requests", "1000000000")
	add(response, "x-ratelimit-remaining-requests", "999999997")
	add(response, "x-ratelimit-reset-requests", "37s")
	add(response, "x-ratelimit-limit-tokens", "1000000000")
	add(response, "x-ratelimit-remaining-tokens", "999999910")
	add(response, "x-ratelimit-reset-tokens", "37s")
	add(response, "x-litellm-model_group", "model")
	add(response, "x-ratelimit-remaining-litellm-project-tokens", "999999940")
	add(response, "x-ratelimit-remaining-model-tokens", "999999940")
	add(response, "x-ratelimit-remaining-litellm-project-requests", "999999997")
	add(response, "x-ratelimit-remaining-model-requests", "999999997")
	add(response, "x-ratelimit-current-active-projects", "1")
	return goOn
}

//export proxy_on_response_body
func onResponseBody(_, size uint32, end bool) uint32 {
	body(answered, size)
	if end {
		change()
	}
	return goOn
}

//export proxy_on_done
func onDone(_ uint32) bool { return true }

//export proxy_on_log
func onLog(_ uint32) {}

//export proxy_on_delete
func onDelete(_ uint32) {}
