package tenant_test

import (
	"testing"

	"fairshare/plugin/tenant"
)

func TestExpired(t *testing.T) {
	for _, c := range []struct {
		expires, now int64
		want         bool
	}{
		{0, 1 << 62, false}, // never
		{1000, 999, false},
		{1000, 1000, true},
		{1000, 1001, true},
	} {
		if got := (&tenant.Subject{Expires: c.expires}).Expired(c.now); got != c.want {
			t.Errorf("expires %d: Expired(%d) = %v, want %v", c.expires, c.now, got, c.want)
		}
	}
}
