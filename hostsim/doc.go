// Package hostsim is a proxy for one filter: it loads any proxy-wasm 0.2.0
// module into wazero and calls it as Envoy, Istio, Kong or APISIX would, with
// a clock that stands still until a test moves it, randomness from a seed, and
// no network.
//
// The rule is that time, chance and concurrency are arguments. A [Host] is one
// proxy process: N workers, each a VM of its own, over one shared data, queues
// and metrics. A [Stream] is one HTTP request on a worker; what happens to it
// on the network is a method call. What came of it is read from
// [Stream.Upstream] and [Stream.Client].
//
//	h, err := hostsim.New(ctx, hostsim.Options{Module: m, Workers: 2, Config: config})
//	s := h.Open(1)                             // on worker 1
//	s.RequestHeaders(headers, false)
//	s.RequestBody([]byte(`{"model":"m"}`), true)
//	s.Upstream().Body                          // what the filter let through, or
//	s.Client().Headers.Get(":status")          // what it answered itself
//	h.Advance(30 * time.Second)                // every VM ticks as it asked to
//
// Three ways to run several workers: call streams one after the other on one
// goroutine; from many goroutines at once; or by [Host.Interleave], where a
// seed picks who moves at every host call that touches shared state, so that a
// lost update found once is found again.
//
// [Driver] plays the scenarios of package script on a Host. Package abi has the
// boundary itself, one file for each chapter of the specification. Package
// conform asks a Host and a real proxy the same questions.
//
// # Fidelity
//
// What each profile does, and whose source or behaviour it follows. cpp-host is
// proxy-wasm/proxy-wasm-cpp-host; envoy is envoyproxy/envoy, below
// source/extensions/common/wasm unless it says otherwise; ngx is
// Kong/ngx_wasm_module; wnm is api7/wasm-nginx-module. Each Profile names its
// rows' files.
//
//	                         envoy, istio               kong                     apisix
//	guest memory             malloc, then               malloc, then             proxy_on_memory_allocate,
//	                         on_memory_allocate         on_memory_allocate       then malloc
//	  cpp-host src/wasm.cc; wnm src/vm/wasmtime.c
//	empty value              NULL pointer               asks for 0 bytes         NULL pointer
//	VMs                      canary, main, N workers    N workers                N workers
//	on_vm_start              per root context           per worker start         never
//	  cpp-host src/context.cc onStart
//	on_configure false       refused, old goes on       worker does not start    503, tried again
//	new configuration        new root context, old      new VMs                  new root context
//	                         one drains for 600 s
//	request end_of_stream    exact                      always false             always true
//	num_headers              exact                      exact                    0
//	Pause in headers         waits, bodies run          hangs without a          kills the worker
//	                         (istio: all stops)         call-out                 without a call-out
//	  cpp-host include/proxy-wasm/context.h
//	request body             by chunks                  whole, before the        whole, on demand
//	                                                    upstream is contacted
//	Pause in body            holds, grows, 413 above    waits for a call-out     waits for a call-out
//	                         the buffer limit
//	  envoy context.cc decodeData; source/common/http/filter_manager.cc
//	request headers later    while held; in on_log      always                   always
//	  envoy context.cc decodeHeaders, continueStream
//	reply from the response  replaces, then breaks off  status only, then traps  ignored
//	own reply seen again     yes                        yes, newline added       yes (not measured)
//	stream's end             log, done, delete          done, log, delete        done, delete
//	  envoy context.cc log, onDestroy
//	shared data, number 0    overwrites                 only if missing          Unimplemented
//	  cpp-host src/shared_data.cc; ngx src/common/shm/ngx_wa_shm_kv.c:279
//	number on missing key    creates                    CasMismatch
//	empty value              kept                       deletes
//	keys                     exact                      by CRC32 alone
//	queue                    unbounded, on_queue_ready  bounded, full traps      Unimplemented
//	ticks                    per root context and VM    set once                 Unimplemented
//	metrics                  all                        gauge increment traps    ignored
//	properties               typed bytes                text                     nginx variables
//	a trap                   503; new VM after 1 s      500; new VM, no vm_start 503; the VM goes on
//	  envoy api/envoy/extensions/wasm/v3/wasm.proto FailurePolicy
//	failed call-out          status 503 or 504          no headers               no headers
//
// What it does not do: TCP filters, gRPC calls, metadata, 1xx answers,
// upgrades, retries inside the router, singleton services, a context that asks
// for time in proxy_on_done, capability restriction. Backpressure is not
// simulated: with everything stopped a body of any size waits. A second local
// reply in one callback is ignored. A call that the simulator does not know
// answers Unimplemented or fails to link, never OK.
package hostsim
