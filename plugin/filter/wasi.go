package filter

import (
	"strings"
	"unsafe"
)

// now is the wall clock in ms since 1970, UTC.
func now() int64 {
	if clockTimeGet(0, 1e6, unsafe.Pointer(&out.ns)) != 0 {
		return 0 // the realtime clock always exists
	}
	return int64(out.ns / 1e6)
}

func random(dst []byte) bool {
	return len(dst) == 0 || randomGet(unsafe.Pointer(&dst[0]), uint32(len(dst))) == 0
}

// getenv looks a variable of the proxy's environment up.
func getenv(name string) (string, bool) {
	var count, size uint32
	if environSizesGet(unsafe.Pointer(&count), unsafe.Pointer(&size)) != 0 || count == 0 || size == 0 {
		return "", false
	}
	pointers, buf := make([]uint32, count), make([]byte, size)
	if environGet(unsafe.Pointer(&pointers[0]), unsafe.Pointer(&buf[0])) != 0 {
		return "", false
	}
	for entry := range strings.SplitSeq(string(buf), "\x00") {
		if key, value, ok := strings.Cut(entry, "="); ok && key == name {
			return value, true
		}
	}
	return "", false
}
