package sha256

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
)

// The examples of NIST (csrc.nist.gov, Cryptographic Standards and Guidelines, SHA256).
func TestExamples(t *testing.T) {
	for text, want := range map[string]string{
		"":    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
		strings.Repeat("a", 1_000_000):                             "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
	} {
		if sum := Sum(text); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%.20q: %x, want %s", text, sum, want)
		}
	}
}

// It says what the standard library says, whatever the length.
func TestLengths(t *testing.T) {
	text := make([]byte, 0, 300)
	for i := range 300 {
		if got, want := Sum(string(text)), sha256.Sum256(text); got != want {
			t.Fatalf("%d bytes: %x, want %x", len(text), got, want)
		}
		text = append(text, byte(i*i*31))
	}
}

func FuzzSum(f *testing.F) {
	f.Add("sk-1234")
	f.Fuzz(func(t *testing.T, text string) {
		if got, want := Sum(text), sha256.Sum256([]byte(text)); got != want {
			t.Fatalf("%q: %x, want %x", text, got, want)
		}
	})
}

func BenchmarkSum(b *testing.B) {
	const key = "sk-0123456789012345678901"
	b.ReportAllocs()
	for b.Loop() {
		Sum(key)
	}
}
