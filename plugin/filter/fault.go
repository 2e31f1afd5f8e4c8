//go:build !faults

package filter

// fault does nothing outside test builds.
func fault([]byte) {}
