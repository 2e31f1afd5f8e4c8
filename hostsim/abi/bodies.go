package abi

import "strconv"

// A BufferType says which bytes a buffer function is about.
type BufferType uint32

// The buffers of ABI 0.2.0.
const (
	RequestBody         BufferType = 0
	ResponseBody        BufferType = 1
	DownstreamData      BufferType = 2
	UpstreamData        BufferType = 3
	CalloutBody         BufferType = 4
	GrpcReceive         BufferType = 5
	VMConfiguration     BufferType = 6
	PluginConfiguration BufferType = 7
	CallData            BufferType = 8
)

// String returns a short name of b, or its number if it has none.
func (b BufferType) String() string {
	names := [...]string{
		"request_body", "response_body", "downstream", "upstream",
		"callout_body", "grpc", "vm_configuration", "plugin_configuration", "call_data",
	}
	if int(b) < len(names) {
		return names[b]
	}
	return strconv.Itoa(int(b))
}

// Bodies is the chapter "Buffers" of the specification.
type Bodies interface {
	// Buffer returns the bytes that b holds at this moment. They may be
	// empty. NotFound says that there is no such buffer now, for example a
	// request body after it has left.
	Buffer(b BufferType) ([]byte, Status)

	// SetBuffer replaces size bytes from start on by data, as Envoy's
	// Buffer::copyFrom (source/extensions/common/wasm/context.cc) does:
	// start 0 with size 0 prepends, start 0 replaces the first size bytes,
	// start beyond the end appends, anything else is BadArgument.
	SetBuffer(b BufferType, start, size uint32, data []byte) Status
}

var bodyFunctions = []function{
	// proxy_get_buffer_bytes(type, start, max_size, return_data **, return_size *)
	//
	// Returns at most max_size bytes from start on; nothing is allocated when
	// there is nothing to return, and both results are 0.
	//
	// Statuses: OK; NotFound if there is no such buffer now; BadArgument for
	// an unknown type; InvalidMemoryAccess.
	{"proxy_get_buffer_bytes", "iiiii", func(c *call) Status {
		b, start, size := BufferType(c.u32(0)), c.u32(1), c.u32(2)
		c.arg("type", b.String())
		c.argN("start", int64(start))
		c.argN("size", int64(size))
		if b > CallData {
			return BadArgument
		}
		data, s := c.host.Buffer(b)
		if s != OK {
			return s
		}
		data = data[min(int(start), len(data)):]
		data = data[:min(int(size), len(data))]
		c.result("data", data)
		if len(data) == 0 {
			if s := c.putU32(3, 0); s != OK {
				return s
			}
			return c.putU32(4, 0)
		}
		return c.putBytes(3, data)
	}},
	// proxy_get_buffer_status(type, return_length *, return_flags *)
	//
	// Statuses: OK; NotFound; BadArgument for an unknown type. Kong's and
	// APISIX' hosts do not export it.
	{"proxy_get_buffer_status", "iii", func(c *call) Status {
		b := BufferType(c.u32(0))
		c.arg("type", b.String())
		if b > CallData {
			return BadArgument
		}
		data, s := c.host.Buffer(b)
		if s != OK {
			return s
		}
		c.resultN("length", int64(len(data)))
		if s := c.putU32(1, uint32(len(data))); s != OK {
			return s
		}
		return c.putU32(2, 0)
	}},
	// proxy_set_buffer_bytes(type, start, size, data, data_size)
	//
	// Statuses: OK; NotFound if there is no such buffer now; BadArgument for
	// a place in the middle or a buffer that cannot be changed;
	// InvalidMemoryAccess.
	{"proxy_set_buffer_bytes", "iiiii", func(c *call) Status {
		b, start, size := BufferType(c.u32(0)), c.u32(1), c.u32(2)
		data, ok := c.bytes(3)
		c.arg("type", b.String())
		c.argN("start", int64(start))
		c.argN("size", int64(size))
		c.arg("data", string(data))
		if b > CallData {
			return BadArgument
		}
		if !ok {
			return InvalidMemoryAccess
		}
		return c.host.SetBuffer(b, start, size, data)
	}},
}
