package abi

import (
	"bytes"
	"strings"
	"testing"
)

func TestPackPairs(t *testing.T) {
	t.Parallel()
	want := []byte("\x01\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00a\x00bc\x00")
	if got := PackPairs([][2]string{{"a", "bc"}}); !bytes.Equal(got, want) {
		t.Errorf("PackPairs = %q, want %q", got, want)
	}
}

func TestUnpackPairsDrops(t *testing.T) {
	t.Parallel()
	many := make([][2]string, MaxPairs+1)
	for name, b := range map[string][]byte{
		"nothing":         nil,
		"too many":        PackPairs(many),
		"too large":       PackPairs([][2]string{{"a", strings.Repeat("x", MaxPairsBytes)}}),
		"cut off":         PackPairs([][2]string{{"a", "bc"}})[:16],
		"no NUL":          []byte("\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00abcd"),
		"lengths missing": []byte("\x02\x00\x00\x00\x01\x00\x00\x00"),
		"length too big":  []byte("\x01\x00\x00\x00\xff\xff\xff\xff\x01\x00\x00\x00a\x00b\x00"),
	} {
		if got := UnpackPairs(b); len(got) != 0 {
			t.Errorf("%s: UnpackPairs = %v, want none", name, got)
		}
	}
	if got := UnpackPairs(PackPairs(many[:MaxPairs])); len(got) != MaxPairs {
		t.Errorf("UnpackPairs of %d pairs gives %d", MaxPairs, len(got))
	}
}

// Whatever the bytes, nothing panics, and what unpacks packs to the same
// again but for bytes behind the last pair.
func FuzzUnpackPairs(f *testing.F) {
	f.Add(PackPairs([][2]string{{"a", "bc"}, {"", ""}}))
	f.Add([]byte("\x01\x00\x00\x00\xff\xff\xff\xff\x01\x00\x00\x00a\x00b\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		pairs := UnpackPairs(b)
		if pairs == nil {
			return
		}
		if again := PackPairs(pairs); !bytes.HasPrefix(b, again) {
			t.Errorf("%q unpacks to %q, which packs to %q", b, pairs, again)
		}
	})
}
