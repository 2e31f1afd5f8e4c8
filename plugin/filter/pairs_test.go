package filter

import (
	"encoding/binary"
	"slices"
	"testing"
)

func mapOf(pairs ...[2]string) []byte {
	le := binary.LittleEndian
	raw := le.AppendUint32(nil, uint32(len(pairs)))
	for _, p := range pairs {
		raw = le.AppendUint32(raw, uint32(len(p[0])))
		raw = le.AppendUint32(raw, uint32(len(p[1])))
	}
	for _, p := range pairs {
		raw = append(append(raw, p[0]...), 0)
		raw = append(append(raw, p[1]...), 0)
	}
	return raw
}

func TestPairsKeepOrderRepeatsAndEmptyValues(t *testing.T) {
	want := [][2]string{{":path", "/"}, {"x", "1"}, {"x", ""}, {"x", "1"}}
	got, ok := parsePairs(nil, mapOf(want...))
	if !ok || !slices.Equal(got, want) {
		t.Fatalf("%v %v, want %v", got, ok, want)
	}
	if got, ok := parsePairs(nil, mapOf()); !ok || len(got) != 0 {
		t.Fatalf("an empty map: %v %v", got, ok)
	}
}

// No bytes of a host make the filter trap.
func FuzzPairs(f *testing.F) {
	f.Add(mapOf([2]string{"a", "b"}, [2]string{"c", ""}))
	f.Add([]byte{255, 255, 255, 255})
	f.Add([]byte{1, 0, 0, 0, 255, 255, 255, 127, 255, 255, 255, 127})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) < 4 {
			return // readHeaders does not pass these on
		}
		got, ok := parsePairs(nil, raw)
		if ok && int(binary.LittleEndian.Uint32(raw)) != len(got) {
			t.Fatalf("%d pairs of %d", len(got), binary.LittleEndian.Uint32(raw))
		}
	})
}
