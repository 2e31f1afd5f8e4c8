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

func TestMallocUsesOneLargePieceAgain(t *testing.T) {
	prepare()
	begin()
	defer func() { inStream = false }()
	first, second := malloc(arenaSize+8), malloc(arenaSize+8)
	if first == second {
		t.Fatal("two values of a callback lie in one place")
	}
	begin()
	if malloc(arenaSize+16) != first {
		t.Fatal("the next callback got another piece")
	}
	accept(8 << 20)
	begin()
	most := malloc(8 << 20)
	for _, size := range []uint32{600 << 10, 8 << 20, arenaSize + 8, 2 << 20, 8<<20 - 1} {
		begin()
		if malloc(size) != most {
			t.Errorf("a value of %d bytes got a piece of its own", size)
		}
		if malloc(size) == most {
			t.Errorf("two values of %d bytes lie in one place", size)
		}
	}
	accept(1 << 20) // a second configuration, beside the first
	begin()
	if malloc(8<<20) != most {
		t.Error("a configuration with a smaller bound took the larger one's room")
	}
}
