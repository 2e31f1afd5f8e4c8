package tenant_test

import (
	"strings"
	"testing"

	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

func TestToken(t *testing.T) {
	// printf %s sk-alice | sha256sum
	const want = "099295a3784e1bd368dc348843a7398c1931b6b8ec2504c73e91ed2040bdc46c"
	hash := tenant.Hash("sk-alice")
	if got := tenant.Token(&hash); got != want {
		t.Errorf("Token = %s, want %s", got, want)
	}
	if got, ok := tenant.ParseToken(want); !ok || got != hash {
		t.Errorf("ParseToken = %x, %v", got, ok)
	}
	k := tenant.NewKey(&hash)
	if k.Kind != tenant.Key || k.ID != want || k.Hash != hash || k.Line != quota.KeyID(&hash) {
		t.Errorf("NewKey = %+v", k)
	}
}

func TestParseTokenRefuses(t *testing.T) {
	const token = "099295a3784e1bd368dc348843a7398c1931b6b8ec2504c73e91ed2040bdc46c"
	for _, s := range []string{"", "sk-alice", token[:63], token + "0", token[:62], strings.ToUpper(token)} {
		if _, ok := tenant.ParseToken(s); ok {
			t.Errorf("ParseToken(%q) is a hash", s)
		}
	}
	for at := range token {
		for c := range 256 {
			s := token[:at] + string([]byte{byte(c)}) + token[at+1:]
			_, ok := tenant.ParseToken(s)
			if want := strings.IndexByte("0123456789abcdef", byte(c)) >= 0; ok != want {
				t.Errorf("ParseToken(%q) is a hash: %v", s, ok)
			}
		}
	}
}
