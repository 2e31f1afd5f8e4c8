//go:build faults

package filter

import "bytes"

// fault traps the VM when an answer says so. It exists only in the wasm built
// with the tag faults, with which tests show what becomes of a worker's holds
// when the worker dies in the middle of a stream.
func fault(chunk []byte) {
	if bytes.Contains(chunk, []byte("fairshare-test-trap")) {
		panic("fairshare: told to trap")
	}
}
