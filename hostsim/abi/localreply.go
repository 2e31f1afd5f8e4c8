package abi

// A LocalReply is an answer that the guest gives in the upstream's place.
type LocalReply struct {
	Status  uint32
	Details string // for the access log, %RESPONSE_CODE_DETAILS%
	Body    []byte
	Headers [][2]string
	Grpc    int32 // grpc-status, -1 for none
}

// LocalReplies is the chapter "HTTP streams: local responses" of the
// specification.
type LocalReplies interface {
	// SendLocalReply answers the client with r once the guest has returned.
	// The action that the callback returns no longer counts.
	SendLocalReply(r LocalReply) Status
}

var localReplyFunctions = []function{
	// proxy_send_local_response(status, details, details_size, body,
	// body_size, headers, headers_size, grpc_status)
	//
	// More than 1024 headers are dropped, all of them, without an error: see
	// proxy_set_header_map_pairs.
	//
	// Statuses: OK, even where there is no stream to answer
	// (proxy-wasm-cpp-host, src/exports.cc, send_local_response);
	// InvalidMemoryAccess.
	{"proxy_send_local_response", "iiiiiiii", func(c *call) Status {
		r := LocalReply{Status: c.u32(0), Grpc: int32(c.u32(7))}
		var okDetails, okBody bool
		r.Details, okDetails = c.text(1)
		r.Body, okBody = c.bytes(3)
		c.argN("status", int64(r.Status))
		c.arg("details", r.Details)
		c.arg("body", string(r.Body))
		if !okDetails || !okBody {
			return InvalidMemoryAccess
		}
		var s Status
		if r.Headers, s = c.pairs(5); s != OK {
			return s
		}
		return c.host.SendLocalReply(r)
	}},
}
