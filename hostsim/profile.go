package hostsim

import (
	"time"

	"fairshare/hostsim/abi"
)

// A Profile describes one kind of proxy as data: what it offers a filter and
// in which order it calls it. The zero value is not useful; take one of
// Envoy, EnvoyNoFlag, Kong and APISIX and change what a test wants changed.
//
// Sources are named beside each profile by their file in these repositories:
// cpp-host is proxy-wasm/proxy-wasm-cpp-host, envoy is envoyproxy/envoy, ngx
// is Kong/ngx_wasm_module, wnm is api7/wasm-nginx-module.
type Profile struct {
	Name string

	// Memory.

	Alloc      []string // exports that hand out guest memory, the first one that exists is used
	AllocEmpty bool     // asks for 0 bytes for an empty value; otherwise a NULL pointer

	// Life of a VM.

	Canary      bool          // a throw-away VM tries a configuration first
	MainThread  bool          // one more VM that ticks but serves nothing
	VMStart     VMStart       // when proxy_on_vm_start is called
	ConfigLazy  bool          // configured at the first request instead of at start
	AfterTrap   AfterTrap     // what becomes of a VM that trapped
	ReloadAfter time.Duration // a trapped VM is not made anew earlier than this
	ReloadNewVM bool          // a new configuration gets new VMs instead of a new root context
	DrainTime   time.Duration // how long an old configuration lives beside the new one

	// Life of a stream.

	End          StreamEnd // order of the last callbacks
	ReuseContext bool      // every stream of a worker has the same context number

	// Headers.

	RequestEnd     EndOfStream // end_of_stream of proxy_on_request_headers
	ResponseEnd    EndOfStream // end_of_stream of proxy_on_response_headers
	KeepCase       bool        // names come as they were sent; otherwise in lower case
	CountHeaders   bool        // num_headers is given; otherwise 0
	HeadersLeave   bool        // request headers cannot be read once they have gone upstream
	FrozenHeaders  bool        // changing response headers in the body phase traps
	HeaderPause    HeaderPause // meaning of Pause from a headers callback
	ReplyInHeaders LateReply   // proxy_send_local_response from response headers
	ReplyInBody    LateReply   // and from the response body
	ReplyNewline   bool        // a newline is added to the body of a local reply

	// Bodies.

	RequestWhole  bool // the request body comes in one piece, before the upstream is contacted
	EmptyBody     bool // with RequestWhole: called even when there is no body
	BodyOnDemand  bool // only after wasm_process_req_body / wasm_process_resp_body was set
	BodyLimit     int  // bytes that a Pause may hold
	AbsentIsEmpty bool // a body or the pairs of a map that is not there now read as empty, without an error
	ResponseSpill bool // a response beyond BodyLimit flows on; otherwise it is broken off

	// Shared state.

	Swap       Swap
	KeyByCRC32 bool // keys are looked up by their CRC32 alone
	QueueLimit int  // items in a queue, 0 for no limit
	QueueReady bool // proxy_on_queue_ready is called

	// The rest.

	TickOnce       bool // a second non-zero tick period traps
	Properties     PropertyStyle
	NodeID         string               // property xds.node.id
	CalloutByHost  bool                 // call-outs name host:port instead of a cluster
	CalloutFailure bool                 // a failed call-out has a status (503, 504) instead of no headers
	Functions      map[string]Treatment // host functions that are not carried out
	GaugeTraps     bool
}

// VMStart says when proxy_on_vm_start is called.
type VMStart int

// The ways to start a VM.
const (
	StartPerRoot  VMStart = iota // for every root context, again for every configuration
	StartPerBirth                // once when the worker starts, not after a trap
	StartNever
)

// AfterTrap says what becomes of a VM that trapped.
type AfterTrap int

// The lives after a trap.
const (
	FailReload AfterTrap = iota // a new VM at the next request; 503 until ReloadAfter is over
	FailClosed                  // 503 for ever
	FailOpen                    // requests pass without the filter
	Recreate                    // a new VM at the next request; 500 for the one that trapped
	Reuse                       // the same VM goes on
)

// StreamEnd is the order of a stream's last callbacks.
type StreamEnd int

// The orders of a stream's last callbacks.
const (
	LogDoneDelete StreamEnd = iota
	DoneLogDelete
	DoneDelete
)

// EndOfStream says what a host tells about the end of a message.
type EndOfStream int

// The ways to tell the end of a message.
const (
	EndExact EndOfStream = iota
	EndNever
	EndAlways
)

// HeaderPause is the meaning of Pause from a headers callback.
type HeaderPause int

// The meanings of Pause from a headers callback.
const (
	StopIteration  HeaderPause = iota // headers wait, body callbacks run
	StopAll                           // body callbacks wait as well
	WaitForCallout                    // hangs unless a call-out is under way
	CrashNoCallout                    // kills the worker unless a call-out is under way
)

// LateReply is what a local reply from a response callback does.
type LateReply int

// The effects of a late local reply.
const (
	ReplyReplaces LateReply = iota // takes the response's place; broken off once headers were sent
	ReplyStatus                    // the status changes, content-length stays, the body is cut to it
	ReplyIgnored
	ReplyTraps
)

// Swap is the meaning of the number in proxy_set_shared_data.
type Swap int

// The meanings of the number in proxy_set_shared_data.
const (
	SwapForced Swap = iota // 0 overwrites; a missing key is created whatever the number
	SwapStrict             // must be the present one, 0 only for a missing key; an empty value deletes
)

// PropertyStyle is how properties are named and written.
type PropertyStyle int

// The styles of properties.
const (
	Typed      PropertyStyle = iota // dotted attributes, numbers as 8 bytes little-endian
	Strings                         // dotted attributes as text, nginx variables under ngx.
	NginxNames                      // nginx variables by their own name
)

// Treatment is what happens to a host function that is not carried out.
type Treatment int

// The treatments of a host function.
const (
	Carried Treatment = iota
	Unimplemented
	Trapped
	Ignored // answers OK and does nothing
	Missing // cannot be imported
)

// Envoy is Envoy 1.36 to 1.40 with the options that a filter can ask for:
// allow_on_headers_stop_iteration and failure_policy FAIL_RELOAD. Istio and
// Higress run the same data plane.
//
//	Alloc           cpp-host src/wasm.cc (malloc is looked up first)
//	AllocEmpty      cpp-host src/wasm.cc copyToPointerSize
//	Canary          envoy source/extensions/common/wasm/wasm.cc, createWasm
//	VMStart         cpp-host src/context.cc onStart, once per root context
//	AfterTrap       envoy api/envoy/extensions/wasm/v3/wasm.proto, FailurePolicy
//	End             envoy source/extensions/common/wasm/context.cc, log, onDestroy
//	HeadersLeave    envoy context.cc, decodeHeaders (request_headers_ = nullptr)
//	HeaderPause     cpp-host include/proxy-wasm/context.h,
//	                convertVmCallResultToFilterHeadersStatus
//	ReplyInHeaders  envoy source/common/http/filter_manager.cc, sendLocalReply
//	BodyLimit       envoy listener per_connection_buffer_limit_bytes, 1 MiB
//	AbsentIsEmpty   asked of Envoy 1.40 by the conformance guest
//	Swap            cpp-host src/shared_data.cc, set
//	QueueReady      cpp-host src/shared_queue.cc, enqueue
var Envoy = Profile{
	Name:           "envoy",
	Alloc:          []string{abi.Malloc, abi.OnMemoryAllocate},
	Canary:         true,
	MainThread:     true,
	VMStart:        StartPerRoot,
	AfterTrap:      FailReload,
	ReloadAfter:    time.Second,
	DrainTime:      600 * time.Second,
	End:            LogDoneDelete,
	CountHeaders:   true,
	HeadersLeave:   true,
	HeaderPause:    StopIteration,
	BodyLimit:      1 << 20,
	AbsentIsEmpty:  true,
	Swap:           SwapForced,
	QueueReady:     true,
	Properties:     Typed,
	NodeID:         "hostsim",
	CalloutFailure: true,
}

// EnvoyNoFlag is Envoy without allow_on_headers_stop_iteration, which is what
// Istio's WasmPlugin can configure: Pause from request headers stops the body
// callbacks too (cpp-host include/proxy-wasm/context.h,
// convertVmCallResultToFilterHeadersStatus). Its node id has the form of
// Istio's (istio pkg/model/proxy.go, ServiceNode).
var EnvoyNoFlag = func() Profile {
	p := Envoy
	p.Name = "istio"
	p.HeaderPause = StopAll
	p.NodeID = "router~10.0.0.1~gateway-0.istio-system~istio-system.svc.cluster.local"
	return p
}()

// Kong is nginx with Kong's ngx_wasm_module, each worker a process of its own.
//
//	Alloc           ngx src/wasm/ngx_wavm.c, malloc is looked up first
//	VMStart         ngx src/common/proxy_wasm/ngx_proxy_wasm.c
//	End             the same file: on_done runs before on_log
//	RequestEnd      ngx src/http/proxy_wasm/ngx_http_proxy_wasm.c, always false
//	KeepCase        nginx src/http/ngx_http_request.c: key is as sent, lowcase_key beside it
//	RequestWhole    ngx src/http/ngx_http_wasm_module.c, reads the body first
//	BodyLimit       directive wasm_response_body_buffers, 4 of 4 KiB
//	Swap            ngx src/common/shm/ngx_wa_shm_kv.c:279
//	Functions       ngx src/common/proxy_wasm/ngx_proxy_wasm_host.c:1913-2297,
//	                hfuncs_nop traps
var Kong = Profile{
	Name:           "kong",
	Alloc:          []string{abi.Malloc, abi.OnMemoryAllocate},
	AllocEmpty:     true,
	VMStart:        StartPerBirth,
	AfterTrap:      Recreate,
	ReloadNewVM:    true,
	End:            DoneLogDelete,
	RequestEnd:     EndNever,
	KeepCase:       true,
	CountHeaders:   true,
	FrozenHeaders:  true,
	HeaderPause:    WaitForCallout,
	ReplyInHeaders: ReplyStatus,
	ReplyInBody:    ReplyTraps,
	ReplyNewline:   true,
	RequestWhole:   true,
	BodyLimit:      16 << 10,
	ResponseSpill:  true,
	Swap:           SwapStrict,
	KeyByCRC32:     true,
	QueueLimit:     1024,
	TickOnce:       true,
	Properties:     Strings,
	CalloutByHost:  true,
	GaugeTraps:     true,
	Functions: map[string]Treatment{
		"proxy_get_log_level":         Trapped,
		"proxy_get_buffer_status":     Missing,
		"proxy_get_header_map_size":   Missing,
		"proxy_resolve_shared_queue":  Trapped,
		"proxy_close_stream":          Trapped,
		"proxy_set_effective_context": Ignored,
		"proxy_done":                  Trapped,
		"proxy_call_foreign_function": Trapped,
	},
}

// APISIX is nginx with api7's wasm-nginx-module, each worker a process of its
// own. It has no shared state at all.
//
//	Alloc           wnm src/vm/wasmtime.c, proxy_on_memory_allocate first
//	VMStart         never called
//	AfterTrap       the trapped instance goes on
//	End             wnm src/http/ngx_http_wasm_ctx.c: no proxy_on_log
//	RequestEnd      wnm src/http/ngx_http_wasm_module.c: always true, 0 headers
//	KeepCase        as in Kong
//	BodyOnDemand    apache/apisix docs/en/latest/wasm.md
//	Functions       wnm src/http/ngx_http_wasm_api.c:495-1830
//
// Whether its own response callbacks run for a local reply was not measured;
// here they do, as nginx runs its header filters for every response.
var APISIX = Profile{
	Name:           "apisix",
	Alloc:          []string{abi.OnMemoryAllocate, abi.Malloc},
	VMStart:        StartNever,
	ConfigLazy:     true,
	AfterTrap:      Reuse,
	DrainTime:      0,
	End:            DoneDelete,
	ReuseContext:   true,
	RequestEnd:     EndAlways,
	KeepCase:       true,
	ResponseEnd:    EndAlways,
	HeaderPause:    CrashNoCallout,
	ReplyInHeaders: ReplyIgnored,
	ReplyInBody:    ReplyIgnored,
	RequestWhole:   true,
	EmptyBody:      true,
	BodyOnDemand:   true,
	BodyLimit:      1 << 20,
	ResponseSpill:  true,
	Properties:     NginxNames,
	CalloutByHost:  true,
	Functions: map[string]Treatment{
		"proxy_get_log_level":                Missing,
		"proxy_get_current_time_nanoseconds": Unimplemented,
		"proxy_set_tick_period_milliseconds": Unimplemented,
		"proxy_set_buffer_bytes":             Unimplemented,
		"proxy_get_buffer_status":            Missing,
		"proxy_set_header_map_pairs":         Unimplemented,
		"proxy_get_header_map_size":          Missing,
		"proxy_get_shared_data":              Unimplemented,
		"proxy_set_shared_data":              Unimplemented,
		"proxy_register_shared_queue":        Unimplemented,
		"proxy_resolve_shared_queue":         Unimplemented,
		"proxy_enqueue_shared_queue":         Unimplemented,
		"proxy_dequeue_shared_queue":         Unimplemented,
		"proxy_define_metric":                Ignored,
		"proxy_increment_metric":             Ignored,
		"proxy_record_metric":                Ignored,
		"proxy_get_metric":                   Ignored,
		"proxy_continue_stream":              Ignored,
		"proxy_close_stream":                 Ignored,
		"proxy_set_effective_context":        Ignored,
		"proxy_done":                         Unimplemented,
		"proxy_call_foreign_function":        Unimplemented,
	},
}

// Profiles returns the profiles by their names.
func Profiles() map[string]Profile {
	return map[string]Profile{
		Envoy.Name: Envoy, EnvoyNoFlag.Name: EnvoyNoFlag, Kong.Name: Kong, APISIX.Name: APISIX,
	}
}
