package filter

import "unsafe"

// Every value that the host hands over, it first asks the guest to allocate
// room for. Envoy and Kong's host look for an export named malloc and use
// proxy_on_memory_allocate only if there is none, and nobody ever calls free.
// TinyGo's own malloc would keep each block for ever (hence the build tag
// custommalloc), and the SDK's proxy_on_memory_allocate traps on size 0, which
// Kong's host asks for when a header is empty.
//
// A value is needed only as long as the callback that asked for it, so it is
// put into one arena that starts over with each callback: nothing for the
// collector to do. What does not fit is collected memory.
var (
	// On the heap, where the collector knows that it holds no pointers; a
	// global would be searched for some in every cycle.
	arena    = make([]byte, arenaSize)
	arenaEnd int
	inStream bool // the arena is in use: configuration is kept, so it never lies there
)

const arenaSize = 128 << 10

//export malloc
func malloc(size uint32) unsafe.Pointer {
	n := (int(size) + 7) &^ 7
	if inStream && n > 0 && n <= arenaSize-arenaEnd {
		p := unsafe.Pointer(&arena[arenaEnd])
		arenaEnd += n
		return p
	}
	b := make([]byte, max(size, 1))
	return unsafe.Pointer(&b[0])
}

// begin starts a callback: what the host handed over before is gone.
func begin() { inStream, arenaEnd = true, 0 }
