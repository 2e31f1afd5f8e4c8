package filter

import (
	"testing"
	"unsafe"
)

func TestMallocHandsOutTheArenaAndStartsOverWithEachCallback(t *testing.T) {
	prepare()
	begin()
	first, second := malloc(10), malloc(0)
	third := malloc(16)
	if first != unsafe.Pointer(&arena[0]) || third != unsafe.Pointer(&arena[16]) {
		t.Fatal("the first values of a callback are not at the arena's start")
	}
	if second == nil {
		t.Fatal("nothing for a value of size 0: the host would write to address 0")
	}
	if big := malloc(uint32(arenaSize)); big == unsafe.Pointer(&arena[arenaEnd]) {
		t.Fatal("a value that does not fit was put into the arena")
	}
	begin()
	if malloc(10) != first {
		t.Fatal("the next callback does not start over")
	}
	inStream = false
	if p := malloc(10); p == unsafe.Pointer(&arena[16]) {
		t.Fatal("a configuration, which is kept, was put into the arena")
	}
}
