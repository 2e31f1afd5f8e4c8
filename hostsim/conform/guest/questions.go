//go:build wasip1

package main

import (
	"strconv"
	"strings"
	"unsafe"
)

// An answer is a JSON object under construction.
type answer struct{ text string }

func (a *answer) status(name string, s uint32) { a.add(name, strconv.Itoa(int(s))) }

func (a *answer) number(name string, n int) { a.add(name, strconv.Itoa(n)) }

func (a *answer) string(name, v string) { a.add(name, strconv.Quote(v)) }

func (a *answer) add(name, v string) {
	if a.text != "" {
		a.text += ","
	}
	a.text += strconv.Quote(name) + ":" + v
}

// ask answers the question that the path names; end is what the host said of
// the end of the request.
func (s *stream) ask(end uint32) uint32 {
	path, query, _ := strings.Cut(s.path, "?")
	var a answer
	switch path {
	case "/shared-data":
		sharedData(&a, query)
	case "/queues":
		queues(&a, query)
	case "/metrics":
		metrics(&a, query)
	case "/headers":
		headers(&a)
	case "/buffers":
		buffers(&a)
	case "/properties":
		properties(&a)
	case "/calls":
		calls(&a)
	case "/end":
		a.number("end", int(end))
	case "/reenter":
		s.reenter = true
	case "/many-headers":
		n, _ := strconv.Atoi(query)
		many := make([][2]string, n)
		for i := range many {
			many[i] = [2]string{"x-many-" + strconv.Itoa(i), "1"}
		}
		reply(200, many, "{}")
		return pause
	default:
		return goOn
	}
	reply(200, [][2]string{{"content-type", "application/json"}}, "{"+a.text+"}")
	return pause
}

// sharedData asks what the number of a write means; the key begins with
// unique, which nobody used before.
func sharedData(a *answer, unique string) {
	_, _, s := getShared(unique + "a")
	a.status("get missing", s)
	a.status("set missing, number 7", setShared(unique+"a", "1", 7))
	a.status("set missing, number 0", setShared(unique+"b", "1", 0))
	a.status("set existing, number 0", setShared(unique+"b", "2", 0))
	value, cas, s := getShared(unique + "b")
	a.status("get", s)
	a.string("value", value)
	a.status("set existing, right number", setShared(unique+"b", "3", cas))
	a.status("set existing, the number before", setShared(unique+"b", "4", cas))
	value, next, _ := getShared(unique + "b")
	a.string("value after", value)
	a.number("number moved on", boolean(next != cas))
	a.status("set empty", setShared(unique+"b", "", next))
	value, _, s = getShared(unique + "b")
	a.status("get empty", s)
	a.string("value empty", value)
	a.status("set empty key", setShared("", "x", 0))
}

func queues(a *answer, unique string) {
	id, again := new(uint32), new(uint32)
	a.status("resolve missing", proxyResolveQueue(nil, 0, at(unique), uint32(len(unique)), unsafe.Pointer(id)))
	a.status("register", proxyRegisterQueue(at(unique), uint32(len(unique)), unsafe.Pointer(id)))
	a.status("register again", proxyRegisterQueue(at(unique), uint32(len(unique)), unsafe.Pointer(again)))
	a.number("same id", boolean(*id == *again))
	a.status("resolve", proxyResolveQueue(nil, 0, at(unique), uint32(len(unique)), unsafe.Pointer(again)))
	a.number("resolved same id", boolean(*id == *again))
	h := new(handed)
	a.status("dequeue empty", proxyDequeue(*id, unsafe.Pointer(&h.data), unsafe.Pointer(&h.length)))
	a.status("dequeue unknown", proxyDequeue(99999, unsafe.Pointer(&h.data), unsafe.Pointer(&h.length)))
	a.status("enqueue unknown", proxyEnqueue(99999, at("x"), 1))
	a.status("enqueue", proxyEnqueue(*id, at("one"), 3))
	a.status("enqueue second", proxyEnqueue(*id, at("two"), 3))
	a.status("dequeue", proxyDequeue(*id, unsafe.Pointer(&h.data), unsafe.Pointer(&h.length)))
	a.string("item", h.text())
	a.status("dequeue second", proxyDequeue(*id, unsafe.Pointer(&h.data), unsafe.Pointer(&h.length)))
	a.string("second item", h.text())
	a.status("dequeue again", proxyDequeue(*id, unsafe.Pointer(&h.data), unsafe.Pointer(&h.length)))
}

func metrics(a *answer, unique string) {
	kinds := []string{"counter", "gauge", "histogram"}
	for kind, name := range kinds {
		metric := unique + name
		id, again, value := new(uint32), new(uint32), new(uint64)
		a.status("define "+name, proxyDefineMetric(uint32(kind), at(metric), uint32(len(metric)), unsafe.Pointer(id)))
		a.status("define "+name+" again", proxyDefineMetric(uint32(kind), at(metric), uint32(len(metric)), unsafe.Pointer(again)))
		a.status("increment "+name+" by 3", proxyIncrementMetric(*id, 3))
		a.status("increment "+name+" by 0", proxyIncrementMetric(*id, 0))
		a.status("increment "+name+" by -1", proxyIncrementMetric(*id, -1))
		a.status("record "+name+" 5", proxyRecordMetric(*id, 5))
		a.status("get "+name, proxyGetMetric(*id, unsafe.Pointer(value)))
		a.number("value of "+name, int(*value))
	}
	id := new(uint32)
	a.status("define unknown kind", proxyDefineMetric(9, at(unique), uint32(len(unique)), unsafe.Pointer(id)))
	a.status("increment unknown", proxyIncrementMetric(0xfffff0, 1))
	a.status("record unknown", proxyRecordMetric(0xfffff0, 1))
}

func headers(a *answer) {
	_, s := getHeader(requestHeaders, "x-absent")
	a.status("get absent", s)
	v, s := getHeader(requestHeaders, "x-empty")
	a.status("get empty", s)
	a.string("empty", v)
	v, s = getHeader(requestHeaders, "x-twice")
	a.status("get twice", s)
	a.string("twice", v)
	v, s = getHeader(requestHeaders, "X-TWICE")
	a.status("get in upper case", s)
	a.string("upper case", v)
	a.status("add", addHeader(requestHeaders, "x-new", "1"))
	a.status("add again", addHeader(requestHeaders, "x-new", "2"))
	v, _ = getHeader(requestHeaders, "x-new")
	a.string("added", v)
	a.status("replace", replaceHeader(requestHeaders, "x-new", "3"))
	v, _ = getHeader(requestHeaders, "x-new")
	a.string("replaced", v)
	a.status("remove", removeHeader(requestHeaders, "x-new"))
	_, s = getHeader(requestHeaders, "x-new")
	a.status("get removed", s)
	a.status("remove absent", removeHeader(requestHeaders, "x-absent"))
	_, s = getHeader(responseHeaders, ":status")
	a.status("get response header in request", s)
	a.status("set response header in request", replaceHeader(responseHeaders, "x-a", "b"))
	_, s = getHeader(requestTrailers, "x")
	a.status("get trailer in headers", s)
	_, s = getHeader(99, "x")
	a.status("get of unknown map", s)
	h := new(handed)
	a.status("get pairs", proxyGetPairs(requestHeaders, unsafe.Pointer(&h.data), unsafe.Pointer(&h.length)))
	a.status("get response pairs in request", proxyGetPairs(responseHeaders, unsafe.Pointer(&h.data), unsafe.Pointer(&h.length)))
}

func buffers(a *answer) {
	h := &handed{length: 77}
	status := func(kind, start, size uint32) uint32 {
		h.data, h.length = nil, 77
		return proxyGetBuffer(kind, start, size, unsafe.Pointer(&h.data), unsafe.Pointer(&h.length))
	}
	a.status("request body in headers", status(requestBody, 0, 10))
	a.number("length written", int(h.length))
	a.status("response body in headers", status(responseBody, 0, 10))
	a.status("call-out body in headers", status(calloutBody, 0, 10))
	a.status("plugin configuration in headers", status(pluginConfiguration, 0, 10))
	a.status("vm configuration in headers", status(vmConfiguration, 0, 10))
	a.status("unknown buffer", status(99, 0, 10))
	b := "x"
	a.status("set request body in headers", proxySetBuffer(requestBody, 0, 0, at(b), 1))
	a.status("start overflows", status(requestBody, 0xffffffff, 10))
}

func properties(a *answer) {
	v, s := getProperty("source\x00port")
	a.status("source.port", s)
	a.number("source.port length", len(v))
	v, s = getProperty("request\x00path")
	a.status("request.path", s)
	a.string("path", v)
	v, s = getProperty("request\x00headers\x00x-twice")
	a.status("request.headers.x-twice", s)
	_, s = getProperty("request\x00headers\x00x-absent")
	a.status("request.headers.x-absent", s)
	v, s = getProperty("request\x00time")
	a.status("request.time", s)
	a.number("request.time length", len(v))
	_, s = getProperty("response\x00code")
	a.status("response.code in request", s)
	_, s = getProperty("no\x00such\x00thing")
	a.status("unknown", s)
	_, s = getProperty("node")
	a.status("node", s)
	a.status("set own", setProperty("conform", "v"))
	v, s = getProperty("conform")
	a.status("get own", s)
	a.string("own", v)
}

func calls(a *answer) {
	h := new(handed)
	name := "no_such_function"
	a.status("unknown foreign function",
		proxyForeign(at(name), uint32(len(name)), nil, 0, unsafe.Pointer(&h.data), unsafe.Pointer(&h.length)))
	id := new(uint32)
	whole := pack([][2]string{{":method", "GET"}, {":path", "/"}, {":authority", "a"}})
	cluster := "no-such-cluster"
	a.status("call-out to unknown cluster", proxyCallout(at(cluster), uint32(len(cluster)),
		at(whole), uint32(len(whole)), nil, 0, nil, 0, 1000, unsafe.Pointer(id)))
	a.status("effective context unknown", proxyEffective(999999))
	a.status("continue upstream", proxyContinue(3))
	a.status("continue unknown", proxyContinue(9))
	a.status("key outside of memory", proxySetSharedAt(0xfffffff0, 10, nil, 0, 0))
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}
