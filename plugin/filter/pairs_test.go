package filter

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

func TestNamesInLowerCase(t *testing.T) {
	sent := [][2]string{{"Content-TYPE", "A"}, {"@[`{Z", "B"}, {"\xc3\x80A", "C"}}
	want := [][2]string{{"content-type", "A"}, {"@[`{z", "B"}, {"\xc3\x80a", "C"}}
	if got, ok := parsePairs(nil, appendPairs(nil, sent)); !ok || !slices.Equal(got, want) {
		t.Fatalf("%q %v, want %q", got, ok, want)
	}
}

func TestPairsKeepOrderRepeatsAndEmptyValues(t *testing.T) {
	want := [][2]string{{":path", "/"}, {"x", "1"}, {"x", ""}, {"x", "1"}}
	got, ok := parsePairs(nil, appendPairs(nil, want))
	if !ok || !slices.Equal(got, want) {
		t.Fatalf("%v %v, want %v", got, ok, want)
	}
	if got, ok := parsePairs(nil, appendPairs(nil, nil)); !ok || len(got) != 0 {
		t.Fatalf("an empty map: %v %v", got, ok)
	}
}

// No bytes of a host make the filter trap.
func FuzzPairs(f *testing.F) {
	f.Add(appendPairs(nil, [][2]string{{"a", "b"}, {"c", ""}}))
	f.Add([]byte{255, 255, 255, 255})
	f.Add([]byte{1, 0, 0, 0, 255, 255, 255, 127, 255, 255, 255, 127})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) < 4 {
			return // readHeaders does not pass these on
		}
		got, ok := parsePairs(nil, bytes.Clone(raw))
		if ok && int(binary.LittleEndian.Uint32(raw)) != len(got) {
			t.Fatalf("%d pairs of %d", len(got), binary.LittleEndian.Uint32(raw))
		}
	})
}
