package flow

import "testing"

// Each header that may carry a key is found under its own place.
func TestCredentialNames(t *testing.T) {
	for i, name := range credentialNames {
		if got := credentialOf(name); got != i {
			t.Errorf("%s is at %d, want %d", name, got, i)
		}
	}
	if got := credentialOf("x-authorization"); got != numCredentials {
		t.Errorf("another header is at %d", got)
	}
}
