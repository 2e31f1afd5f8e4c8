package abi

import "time"

// A Callout is an HTTP request that the guest makes.
type Callout struct {
	Upstream string // cluster name on Envoy, host:port on the nginx hosts
	Headers  [][2]string
	Body     []byte
	Trailers [][2]string
	Timeout  time.Duration // 0 waits for ever
}

// Callouts is the chapter "HTTP calls" of the specification.
type Callouts interface {
	// StartCallout sends c and returns the number by which
	// proxy_on_http_call_response will name it.
	StartCallout(c Callout) (id uint32, s Status)

	// CallForeign calls the host's own function with this name.
	CallForeign(name string, argument []byte) (result []byte, s Status)
}

var calloutFunctions = []function{
	// proxy_http_call(upstream, size, headers, size, body, size, trailers,
	// size, timeout_milliseconds, return_id *)
	//
	// Statuses: OK; BadArgument for an unknown upstream or when :method,
	// :path or :authority is missing (Envoy,
	// source/extensions/common/wasm/context.cc, httpCall); InternalFailure if
	// the request could not be sent; InvalidMemoryAccess.
	{"proxy_http_call", "iiiiiiiiii", func(c *call) Status {
		var co Callout
		var okUpstream, okBody bool
		co.Upstream, okUpstream = c.text(0)
		co.Body, okBody = c.bytes(4)
		c.arg("upstream", co.Upstream)
		if !okUpstream || !okBody {
			return InvalidMemoryAccess
		}
		var s Status
		if co.Headers, s = c.pairs(2); s != OK {
			return s
		}
		if co.Trailers, s = c.pairs(6); s != OK {
			return s
		}
		co.Timeout = time.Duration(c.u32(8)) * time.Millisecond
		// The place of the id is tried before anything is sent.
		if s := c.putU32(9, 0); s != OK {
			return s
		}
		id, s := c.host.StartCallout(co)
		if s != OK {
			return s
		}
		c.resultN("id", int64(id))
		return c.putU32(9, id)
	}},
	// proxy_call_foreign_function(name, size, argument, size, return_data **, return_size *)
	//
	// Statuses: OK; NotFound if the host has no such function;
	// InvalidMemoryAccess; and whatever that function answers.
	{"proxy_call_foreign_function", "iiiiii", func(c *call) Status {
		name, okName := c.text(0)
		argument, okArgument := c.bytes(2)
		c.arg("name", name)
		if !okName || !okArgument {
			return InvalidMemoryAccess
		}
		result, s := c.host.CallForeign(name, argument)
		if s != OK {
			return s
		}
		return c.putBytes(4, result)
	}},
}
