package filter

import (
	"strconv"
	"unsafe"
)

// A status is the result of a host call (proxy-wasm ABI 0.2.0, proxy_status_t).
type status = uint32

const (
	okay          status = 0
	notFound      status = 1
	casMismatch   status = 8
	unimplemented status = 12
)

// An action is what a callback of a stream returns.
type action uint32

const (
	resume action = 0
	pause  action = 1
)

// Header maps.
const (
	requestHeaders  = 0
	responseHeaders = 2
)

// Buffers.
const (
	requestBody         = 0
	responseBody        = 1
	pluginConfiguration = 7
)

// Log levels.
const (
	logWarn     = 3
	logError    = 4
	logCritical = 5
)

const (
	requestStream = 0
	counterMetric = 0
	noGRPC        = 1<<32 - 1 // no grpc-status
	whole         = 1<<31 - 1 // as a length: whatever there is
)

// out is where the host writes what a call returns. It is one variable for all
// calls because the address of a local one would move that to the heap: one
// allocation for every value of every call.
var out struct {
	data unsafe.Pointer
	size uint32
	cas  uint32
	id   uint32
	ns   uint64
}

// given is the value that the host wrote last. It lies in memory that malloc
// handed out and is valid until the callback ends.
func given() []byte {
	if out.size == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(out.data), out.size)
}

func address(s string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(s)) }

func start(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

func tell(level uint32, text string) {
	text = "fairshare: " + text
	proxyLog(level, address(text), uint32(len(text)))
}

// report tells of a change that the host did not make, and whether it did.
func report(st status) bool {
	if st != okay {
		tell(logError, "the host refused a change: status "+strconv.Itoa(int(st)))
	}
	return st == okay
}

// readBuffer gets a part of a buffer, nil if there is none.
func readBuffer(kind uint32, size int) []byte { return readSlice(kind, 0, size) }

// readSlice gets at most size bytes of a buffer from a place on.
func readSlice(kind uint32, from, size int) []byte {
	if proxyGetBuffer(kind, uint32(from), uint32(size), unsafe.Pointer(&out.data), unsafe.Pointer(&out.size)) != okay {
		return nil
	}
	return given()
}

// property gets a property of the host. The parts of path end with NUL each,
// but the last one.
func property(path string) (string, bool) {
	if proxyGetProperty(address(path), uint32(len(path)), unsafe.Pointer(&out.data), unsafe.Pointer(&out.size)) != okay {
		return "", false
	}
	return text(given()), true
}

// reply answers the client in the upstream's place.
func reply(code int, headers [][2]string, body []byte) {
	raw := appendPairs(nil, headers)
	if st := proxySendLocalResponse(uint32(code), nil, 0, start(body), uint32(len(body)), start(raw), uint32(len(raw)), noGRPC); st != okay {
		tell(logError, "an answer could not be sent: status "+strconv.Itoa(int(st)))
	}
}

// text is b as a string, not copied.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
