package filter

import (
	"runtime"
	"unsafe"
)

// Every value that the host hands over, it first asks the guest to allocate
// room for. Envoy and Kong's host look for an export named malloc and use
// proxy_on_memory_allocate only if there is none, and nobody ever calls free.
// TinyGo's own malloc would keep each block for ever, hence the build tag
// custommalloc. Kong's host asks for 0 bytes when a header is empty, and must
// get an address all the same.
//
// A value is needed only as long as the callback that asked for it, so it is
// put into one arena that starts over with each callback: nothing for the
// collector to do. What does not fit is collected memory.
//
// One value a callback that is larger has a piece of its own, which is used again
// as well: large pieces that are dropped are hardly ever found free. A client
// chooses how large its body is, and a heap that has to find room for 0.6, then 2,
// then 8 MB doubles until the VM has no more. So there are two such pieces and
// never another: one that is there from the first value which the arena does not
// hold, and one that has room for the largest body and is made for the first that
// needs it. Both are bytes without pointers, which the collector does not read.
var (
	arena    []byte
	arenaEnd int
	large    []byte // largeSize, or what the largest body takes
	largest  int    // bytes, of a request's body that any configuration accepts
	taken    bool   // large is in use
	inStream bool   // the arena is in use: configuration is kept, so it never lies there
)

const (
	arenaSize = 128 << 10
	largeSize = 512 << 10
	// sliceSize is how much of a buffer is read at once, where a part is as good
	// as the whole.
	sliceSize = 64 << 10
)

// The heap grows by the room before the first request. The collector runs when
// the heap is full and reads all globals each time: with a heap that is just
// large enough it runs every few requests. A heap of megabytes has a cost of its
// own, because allocation walks through all of it before anything is used
// again, and drives what Envoy works with out of the processor's cache. Memory
// is never given back to the host, so what is asked for and dropped leaves that
// much room for good. It is asked for in pieces: the collector takes any number
// that could be an address for one, and would find one that lies in a piece of
// megabytes.
const (
	roomPieces = 32
	roomPiece  = 16 << 10
)

// prepare makes the arena and the room. It must not be called by an initialiser:
// TinyGo runs those when it compiles, and turns what they allocate into globals,
// which the collector then searches for pointers in every cycle.
func prepare() {
	if arena == nil {
		room := make([][]byte, roomPieces)
		for i := range room {
			room[i] = make([]byte, roomPiece)
		}
		runtime.KeepAlive(room)
		arena = make([]byte, arenaSize)
	}
}

//export malloc
func malloc(size uint32) unsafe.Pointer {
	n := (int(size) + 7) &^ 7
	if inStream && n > 0 && n <= len(arena)-arenaEnd {
		p := unsafe.Pointer(&arena[arenaEnd])
		arenaEnd += n
		return p
	}
	if inStream && !taken && arenaSize/2 < n && n <= max(largeSize, largest) {
		if taken = true; n > len(large) {
			size := largeSize
			if n > size {
				size = largest
			}
			large = nil // which may be room for the larger one
			large = make([]byte, size)
		}
		return unsafe.Pointer(&large[0])
	}
	b := make([]byte, max(size, 1))
	return unsafe.Pointer(&b[0])
}

// accept makes room for bodies of up to n bytes, once one comes.
func accept(n int) { largest = max(largest, (n+7)&^7) }

// begin starts a callback: what the host handed over before is gone.
func begin() { inStream, taken, arenaEnd = true, false, 0 }
