package filter

import "slices"

// What hosts call: proxy-wasm ABI 0.2.0. Envoy calls what is exported and
// nothing else, and each call costs it about half a microsecond, so what says
// nothing to the gateway is not here, as far as all hosts bear that.

// ABIVersion tells the host by its name what to expect.
//
//export proxy_abi_version_0_2_0
func ABIVersion() {}

// OnVMStart begins a VM.
//
//export proxy_on_vm_start
func OnVMStart(_, _ uint32) bool { return true }

// OnContextCreate begins a configuration (root is 0) or a stream of one.
//
//export proxy_on_context_create
func OnContextCreate(id, root uint32) {
	if root == 0 {
		plugins = append(plugins, &plugin{id: id})
		return
	}
	if p := findPlugin(root); p != nil && p.gateway != nil {
		open(id, p)
	}
}

// OnConfigure gives a root context its configuration.
//
//export proxy_on_configure
func OnConfigure(root, _ uint32) bool {
	p := findPlugin(root)
	return p != nil && p.configure()
}

// OnTick comes every flow.TickMS.
//
//export proxy_on_tick
func OnTick(root uint32) {
	if p := findPlugin(root); p != nil {
		p.tick()
	}
}

// request returns the stream that a callback about a request is for. Without
// one nobody can say whether the request may pass: the trap makes the host
// refuse it.
func request(id uint32) *stream {
	s := streams.find(id)
	if s == nil {
		panic("fairshare: the host names a stream that it did not begin")
	}
	return s
}

// OnRequestHeaders comes with a request's headers.
//
//export proxy_on_request_headers
func OnRequestHeaders(id, _ uint32, end bool) uint32 {
	return uint32(request(id).requestHeaders(end))
}

// OnRequestBody comes with each part of a request's body. size is that of all
// parts that the host holds.
//
//export proxy_on_request_body
func OnRequestBody(id, size uint32, end bool) uint32 {
	return uint32(request(id).requestBody(int(size), end))
}

// OnRequestTrailers ends a request instead of a body's last part.
//
//export proxy_on_request_trailers
func OnRequestTrailers(id, _ uint32) uint32 {
	return uint32(request(id).requestTrailers())
}

// OnResponseHeaders comes with an answer's headers, whoever answers.
//
//export proxy_on_response_headers
func OnResponseHeaders(id, _ uint32, end bool) uint32 {
	if s := streams.find(id); s != nil {
		s.responseHeaders(end)
	}
	return uint32(resume)
}

// OnResponseBody comes with each part of an answer.
//
//export proxy_on_response_body
func OnResponseBody(id, size uint32, end bool) uint32 {
	if s := streams.find(id); s != nil {
		s.responseBody(int(size), end)
	}
	return uint32(resume)
}

// OnResponseTrailers ends an answer instead of its body's last part.
//
//export proxy_on_response_trailers
func OnResponseTrailers(id, _ uint32) uint32 {
	if s := streams.find(id); s != nil {
		s.responseTrailers()
	}
	return uint32(resume)
}

// OnDone ends a stream, however that came, or a configuration. It is the one of
// the three callbacks about an end that every host makes: APISIX never calls
// OnLog. It returns whether the context may be deleted.
//
//export proxy_on_done
func OnDone(id uint32) bool {
	if s := streams.take(id); s != nil {
		begin()
		s.end()
		return true
	}
	plugins = slices.DeleteFunc(plugins, func(p *plugin) bool {
		if p.id == id && p.gateway != nil {
			p.gateway.Close()
		}
		return p.id == id
	})
	return true
}

// OnLog and OnDelete come beside OnDone. Kong's host calls both without looking
// whether they exist, and its worker dies if they do not.

// OnLog does nothing.
//
//export proxy_on_log
func OnLog(uint32) {}

// OnDelete does nothing.
//
//export proxy_on_delete
func OnDelete(uint32) {}
