//go:build wasip1

// Command guest is a proxy-wasm module that asks its host questions. The
// path of a request names the question; the answer is a local reply whose
// body is a JSON object of statuses and values. Requests with an x-do header
// are streams to be observed instead: the header says what to do in which
// callback.
package main

import (
	"strconv"
	"strings"
	"unsafe"
)

// Header maps, buffers and actions of ABI 0.2.0.
const (
	requestHeaders, requestTrailers, responseHeaders, responseTrailers = 0, 1, 2, 3
	requestBody, responseBody, calloutBody                             = 0, 1, 4
	vmConfiguration, pluginConfiguration                               = 6, 7

	goOn, pause = 0, 1
)

func main() {}

// A stream is what the guest knows of an HTTP stream.
type stream struct {
	do       string // the x-do header
	path     string
	body     string // of the request, as far as it was seen
	reenter  bool   // asked to tell what its own reply looks like
	sizes    string // of body callbacks, "3,5,5!" where ! marks the end
	response string // sizes of response body callbacks
}

var (
	streams = map[uint32]*stream{}
	roots   = map[uint32]string{} // root contexts and their configurations
	queue   uint32
)

//go:wasmexport proxy_abi_version_0_2_0
func version() {}

//go:wasmexport proxy_on_context_create
func onContextCreate(context, root uint32) {
	if root == 0 {
		roots[context] = ""
		return
	}
	streams[context] = &stream{}
}

//go:wasmexport proxy_on_vm_start
func onVMStart(_, _ uint32) uint32 {
	count("vm_start")
	return 1
}

// onConfigure reads a configuration of words: tick=MS asks for ticks,
// queue=NAME registers a queue, refuse and trap do what they say.
//
//go:wasmexport proxy_on_configure
func onConfigure(root, size uint32) uint32 {
	config := ""
	if size > 0 {
		config, _ = getBuffer(pluginConfiguration, 0, size)
	}
	roots[root] = config
	count("configure")
	for _, word := range strings.Fields(config) {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "tick":
			ms, _ := strconv.Atoi(value)
			proxySetTickPeriod(uint32(ms))
		case "queue":
			id := new(uint32)
			proxyRegisterQueue(at(value), uint32(len(value)), unsafe.Pointer(id))
			queue = *id
		case "refuse":
			message := "conform: config: told to refuse"
			proxyLog(4, at(message), uint32(len(message)))
			return 0
		case "trap":
			panic("told to trap")
		}
	}
	return 1
}

//go:wasmexport proxy_on_tick
func onTick(_ uint32) { count("tick") }

//go:wasmexport proxy_on_queue_ready
func onQueueReady(_, id uint32) {
	h := new(handed)
	if proxyDequeue(id, unsafe.Pointer(&h.data), unsafe.Pointer(&h.length)) == 0 {
		count("item:" + h.text())
	}
}

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(context, headers, end uint32) uint32 {
	s := streams[context]
	s.path, _ = getHeader(requestHeaders, ":path")
	s.do, _ = getHeader(requestHeaders, "x-do")
	if s.do == "" {
		return s.ask(end)
	}
	switch {
	case s.has("trap-headers"):
		panic("told to trap")
	case s.has("reply-headers"):
		reply(418, [][2]string{{"x-from", "headers"}}, "teapot")
		return pause
	case s.has("increment"):
		count("increment")
		if s.has("thrice") {
			count("increment")
			count("increment")
		}
	case s.has("increment-blindly"):
		value, _, _ := getShared("conform/blind")
		n, _ := strconv.Atoi(value)
		setShared("conform/blind", strconv.Itoa(n+1), 0)
	case s.has("read"):
		value, _, status := getShared("conform/" + s.path)
		reply(200, nil, strconv.Itoa(int(status))+" "+value)
		return pause
	case s.has("write"):
		_, cas, _ := getShared("conform/" + s.path)
		value, _ := getHeader(requestHeaders, "x-value")
		reply(200, nil, strconv.Itoa(int(setShared("conform/"+s.path, value, cas))))
		return pause
	case s.has("enqueue"):
		reply(200, nil, strconv.Itoa(int(proxyEnqueue(queue, at("x"), 1))))
		return pause
	case s.has("callout"):
		id := new(uint32)
		p := pack([][2]string{{":method", "GET"}, {":path", "/"}, {":authority", "a"}})
		proxyCallout(at("up"), 2, at(p), uint32(len(p)), nil, 0, nil, 0, 1000, unsafe.Pointer(id))
		waiting = context
		return pause
	}
	if s.has("want-bodies") {
		setProperty("wasm_process_req_body", "1")
	}
	replaceHeader(requestHeaders, "x-seen", strconv.Itoa(int(headers))+","+strconv.Itoa(int(end)))
	if s.has("rewrite") && !s.has("keep-length") {
		removeHeader(requestHeaders, "content-length")
	}
	if s.has("pause-headers") && (end == 0 || s.has("always")) {
		return pause
	}
	return goOn
}

// waiting is the stream for which a call-out is under way.
var waiting uint32

//go:wasmexport proxy_on_http_call_response
func onCalloutResponse(_, _, headers, _, _ uint32) {
	proxyEffective(waiting)
	replaceHeader(requestHeaders, "x-callout", strconv.Itoa(int(headers)))
	proxyContinue(0)
}

//go:wasmexport proxy_on_request_body
func onRequestBody(context, size, end uint32) uint32 {
	s := streams[context]
	s.sizes = appendSize(s.sizes, size, end)
	switch {
	case s.has("trap-body"):
		panic("told to trap")
	case s.has("reply-body") && end == 1:
		reply(418, [][2]string{{"x-from", "body"}}, "teapot")
		return pause
	case s.has("hold") && end == 0:
		return pause
	case s.has("rewrite") && end == 1:
		b := "rewritten"
		proxySetBuffer(requestBody, 0, size, at(b), uint32(len(b)))
	}
	if end == 1 {
		// Where the headers have left, this has no effect upstream.
		replaceHeader(requestHeaders, "x-sizes", s.sizes)
	}
	return goOn
}

//go:wasmexport proxy_on_request_trailers
func onRequestTrailers(context, trailers uint32) uint32 {
	addHeader(requestTrailers, "x-trailers", strconv.Itoa(int(trailers)))
	return goOn
}

//go:wasmexport proxy_on_response_headers
func onResponseHeaders(context, _, end uint32) uint32 {
	s := streams[context]
	if s.reenter {
		_, status := getHeader(requestHeaders, ":path")
		replaceHeader(responseHeaders, "x-request-readable", strconv.Itoa(int(status)))
		replaceHeader(responseHeaders, "x-end", strconv.Itoa(int(end)))
		return goOn
	}
	switch {
	case s.has("trap-response"):
		panic("told to trap")
	case s.has("reply-response"):
		reply(418, [][2]string{{"x-from", "response"}}, "teapot")
		return pause
	case s.has("hold-response"):
		return pause
	}
	if s.has("want-bodies") {
		setProperty("wasm_process_resp_body", "1")
	}
	if s.do != "" {
		addHeader(responseHeaders, "x-response", "seen")
		addHeader(responseHeaders, "x-request-sizes", s.sizes)
	}
	return goOn
}

//go:wasmexport proxy_on_response_body
func onResponseBody(context, size, end uint32) uint32 {
	s := streams[context]
	s.response = appendSize(s.response, size, end)
	switch {
	case s.has("hold-response") && end == 0, s.has("hold-body"):
		return pause
	case s.has("reply-late"):
		reply(500, nil, "late")
	case s.has("freeze"):
		addHeader(responseHeaders, "x-late", "1")
	case s.has("hold-response"):
		b := "[" + s.response + "]"
		proxySetBuffer(responseBody, 0, size, at(b), uint32(len(b)))
	}
	return goOn
}

//go:wasmexport proxy_on_response_trailers
func onResponseTrailers(_, _ uint32) uint32 { return goOn }

//go:wasmexport proxy_on_log
func onLog(context uint32) {
	if s := streams[context]; s != nil && s.do != "" {
		path, status := getHeader(requestHeaders, ":path")
		logLine("log " + path + " " + strconv.Itoa(int(status)) + " " + s.response)
	}
}

//go:wasmexport proxy_on_done
func onDone(context uint32) uint32 {
	if s := streams[context]; s != nil && s.do != "" {
		logLine("done " + s.path)
	}
	return 1
}

//go:wasmexport proxy_on_delete
func onDelete(context uint32) {
	if s := streams[context]; s != nil && s.do != "" {
		logLine("delete " + s.path)
	}
	delete(streams, context)
}

// has reports whether the x-do header holds word.
func (s *stream) has(word string) bool {
	for _, w := range strings.Split(s.do, " ") {
		if w == word {
			return true
		}
	}
	return false
}

func appendSize(to string, size, end uint32) string {
	if to != "" {
		to += ","
	}
	to += strconv.Itoa(int(size))
	if end == 1 {
		to += "!"
	}
	return to
}

func setProperty(path, value string) uint32 {
	return proxySetProperty(at(path), uint32(len(path)), at(value), uint32(len(value)))
}

// count adds one to a number in shared data, again as long as the race is lost.
func count(name string) {
	key := "conform/" + name
	for range 1000 {
		value, cas, status := getShared(key)
		n, _ := strconv.Atoi(value)
		if status == 1 {
			// Where a wrong number creates a missing key, 0 would overwrite
			// that of somebody faster; elsewhere only 0 creates.
			cas = 0xffffffff
			if setShared(key, "1", cas) == 0 {
				return
			}
			if _, _, status := getShared(key); status != 1 {
				continue
			}
			cas = 0
		}
		if s := setShared(key, strconv.Itoa(n+1), cas); s != 8 {
			return
		}
	}
}
