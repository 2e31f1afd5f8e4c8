// Package abi is the guest's side of the fence, seen from the host: the
// functions that a proxy-wasm 0.2.0 module imports from "env", one file for
// each chapter of the specification, and the marshalling between the module's
// memory and plain Go values.
//
// Each function is a method of [Host] that takes and returns Go values and a
// [Status]. Register wraps them: it reads the arguments out of the module's
// memory, calls the method and writes the results back, in memory that the
// guest itself allocates. A host decides what a function does; this package
// decides only how its arguments look in memory. So one Host can stand for
// Envoy, Kong or APISIX.
//
// Example of a crossing, proxy_get_header_map_value(map_type=0,
// key="x-id", ...) for a header with the value "7":
//
//	                    map_type=0  key ptr,len   &value  &size
//	call i32s:          0           1024, 4       2048    2052
//	memory before:      1024: 'x' '-' 'i' 'd'
//	guest's malloc(1):  -> 4096
//	memory after:       4096: '7'   2048: 00 10 00 00   2052: 01 00 00 00
//	result i32:         0 (OK)
//
// The specification is https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1;
// what hosts do where it is silent follows proxy-wasm-cpp-host, src/exports.cc,
// which Envoy, Istio and Higress run.
package abi

import (
	"context"
	"strconv"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// A Status is the result of a host function (proxy-wasm-cpp-host,
// include/proxy-wasm/wasm_api_impl.h, enum WasmResult).
type Status uint32

// The results that a host function can have.
const (
	OK                   Status = 0
	NotFound             Status = 1
	BadArgument          Status = 2
	SerializationFailure Status = 3
	ParseFailure         Status = 4
	BadExpression        Status = 5
	InvalidMemoryAccess  Status = 6
	Empty                Status = 7
	CasMismatch          Status = 8
	ResultMismatch       Status = 9
	InternalFailure      Status = 10
	BrokenConnection     Status = 11
	Unimplemented        Status = 12
)

var statusNames = [...]string{
	"OK", "NotFound", "BadArgument", "SerializationFailure", "ParseFailure",
	"BadExpression", "InvalidMemoryAccess", "Empty", "CasMismatch",
	"ResultMismatch", "InternalFailure", "BrokenConnection", "Unimplemented",
}

// String returns the name of s, or its number if it has none.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "Status(" + strconv.Itoa(int(s)) + ")"
}

// A Host is what stands on the other side of the boundary while one instance
// of the module runs. Its methods are called on the goroutine that called
// into the module and may call back only through Allocate.
type Host interface {
	Headers
	Bodies
	SharedData
	Queues
	Metrics
	Ticks
	Properties
	Callouts
	LocalReplies
	Streams
	Logging
	Boundary
}

// A Boundary sees every crossing, whatever its function.
type Boundary interface {
	// Enter is called before the function with this name. If ok is false the
	// function is not carried out and the guest gets the status. It may panic
	// to trap the guest, as hosts do for functions that they do not allow.
	Enter(function string) (s Status, ok bool)

	// Allocate asks the guest for size bytes of its memory and reports
	// whether it got them. What a host does for size 0 differs by host.
	Allocate(ctx context.Context, mod api.Module, size uint32) (ptr uint32, ok bool)

	// Tracing reports whether Crossed wants to be called.
	Tracing() bool

	// Crossed gets one line for each host function that was called, such as
	//	proxy_get_shared_data(key="a") = OK value="1" cas=1
	Crossed(line string)
}

// A function is one import: its name, the value types of its parameters ('i'
// for i32, 'I' for i64; the result is always one i32), and what it does.
type function struct {
	name   string
	params string
	run    func(c *call) Status
}

// functions are in the order of the specification's chapters.
func functions() []function {
	var all []function
	for _, chapter := range [][]function{
		loggingFunctions, tickFunctions, bodyFunctions, headerFunctions,
		localReplyFunctions, streamFunctions, calloutFunctions, sharedDataFunctions,
		queueFunctions, metricFunctions, propertyFunctions,
	} {
		all = append(all, chapter...)
	}
	return all
}

// Names returns the names of all functions that this package knows, in the
// order of the specification's chapters.
func Names() []string {
	var names []string
	for _, f := range functions() {
		names = append(names, f.name)
	}
	return names
}

// Register makes the functions importable as module "env" of rt. Functions
// for which omit returns true are left out, so that a module which imports
// them fails to link. The host of a call is taken from the context that the
// module was called with.
func Register(ctx context.Context, rt wazero.Runtime, omit func(name string) bool, host func(context.Context) Host) error {
	b := rt.NewHostModuleBuilder("env")
	for _, f := range functions() {
		if omit != nil && omit(f.name) {
			continue
		}
		types := make([]api.ValueType, len(f.params))
		for i, p := range f.params {
			types[i] = api.ValueTypeI32
			if p == 'I' {
				types[i] = api.ValueTypeI64
			}
		}
		b.NewFunctionBuilder().
			WithGoModuleFunction(adapt(f, host), types, []api.ValueType{api.ValueTypeI32}).
			Export(f.name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

// adapt turns f into what wazero calls.
func adapt(f function, host func(context.Context) Host) api.GoModuleFunction {
	return api.GoModuleFunc(func(ctx context.Context, mod api.Module, stack []uint64) {
		h := host(ctx)
		c := call{ctx: ctx, host: h, mod: mod, mem: mod.Memory(), stack: stack}
		if h.Tracing() {
			c.args, c.results = make([]byte, 0, 64), make([]byte, 0, 64)
			c.traced = true
		}
		s, ok := h.Enter(f.name)
		if ok {
			s = f.run(&c)
		}
		if c.traced {
			h.Crossed(f.name + "(" + string(c.args) + ") = " + s.String() + string(c.results))
		}
		stack[0] = api.EncodeU32(uint32(s))
	})
}

// A call is one crossing: its arguments on the stack and the module's memory.
type call struct {
	ctx   context.Context
	host  Host
	mod   api.Module
	mem   api.Memory
	stack []uint64

	traced        bool
	args, results []byte
}

// u32 returns argument i.
func (c *call) u32(i int) uint32 { return api.DecodeU32(c.stack[i]) }

// bytes returns a copy of the memory that arguments i (pointer) and i+1
// (length) describe, and false if it lies outside of the module's memory.
func (c *call) bytes(i int) ([]byte, bool) {
	size := c.u32(i + 1)
	if size == 0 {
		return nil, true
	}
	b, ok := c.mem.Read(c.u32(i), size)
	if !ok {
		return nil, false
	}
	return append([]byte(nil), b...), true
}

// text is bytes as a string.
func (c *call) text(i int) (string, bool) {
	size := c.u32(i + 1)
	if size == 0 {
		return "", true
	}
	b, ok := c.mem.Read(c.u32(i), size)
	return string(b), ok
}

// putU32 writes v to where argument i points.
func (c *call) putU32(i int, v uint32) Status {
	if !c.mem.WriteUint32Le(c.u32(i), v) {
		return InvalidMemoryAccess
	}
	return OK
}

// putBytes allocates guest memory for b, copies it there, and writes pointer
// and length to where arguments i and i+1 point.
func (c *call) putBytes(i int, b []byte) Status {
	ptr, ok := c.host.Allocate(c.ctx, c.mod, uint32(len(b)))
	if !ok {
		return InvalidMemoryAccess
	}
	if len(b) > 0 && !c.mem.Write(ptr, b) {
		return InvalidMemoryAccess
	}
	if s := c.putU32(i, ptr); s != OK {
		return s
	}
	return c.putU32(i+1, uint32(len(b)))
}

// arg notes an argument for the trace.
func (c *call) arg(name string, v string) {
	if c.traced {
		c.args = note(c.args, ",", name, Quote(v))
	}
}

// argN notes a numeric argument for the trace.
func (c *call) argN(name string, v int64) {
	if c.traced {
		c.args = note(c.args, ",", name, strconv.FormatInt(v, 10))
	}
}

// result notes a result for the trace.
func (c *call) result(name string, v []byte) {
	if c.traced {
		c.results = note(append(c.results, ' '), "", name, Quote(string(v)))
	}
}

// resultN notes a numeric result for the trace.
func (c *call) resultN(name string, v int64) {
	if c.traced {
		c.results = note(append(c.results, ' '), "", name, strconv.FormatInt(v, 10))
	}
}

func note(to []byte, sep, name, v string) []byte {
	if len(to) > 0 {
		to = append(to, sep...)
	}
	to = append(to, name...)
	to = append(to, '=')
	return append(to, v...)
}

// Quote returns v as a trace shows it: quoted if it is short printable ASCII,
// otherwise as its length in bytes.
func Quote(v string) string {
	const longest = 120
	if len(v) > longest {
		return strconv.Itoa(len(v)) + "B"
	}
	for i := 0; i < len(v); i++ {
		if (v[i] < 0x20 && v[i] != '\n' && v[i] != '\t') || v[i] > 0x7e {
			return strconv.Itoa(len(v)) + "B"
		}
	}
	return strconv.Quote(v)
}
