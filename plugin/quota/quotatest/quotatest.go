// Package quotatest checks that a store behaves as package quota relies on:
// the same test for the store in a VM, and for each proxy's shared data.
package quotatest

import (
	"bytes"
	"testing"

	"fairshare/plugin/quota"
)

// TestStore runs the checks on stores that open makes, each empty.
func TestStore(t *testing.T, open func(t *testing.T) quota.Store) {
	t.Run("an absent key is NotFound", func(t *testing.T) {
		if _, _, st := open(t).Get("k"); st != quota.NotFound {
			t.Fatalf("Get of an absent key: %v, want NotFound", st)
		}
	})
	t.Run("a swap needs the number of the last get", func(t *testing.T) {
		s := open(t)
		must(t, quota.Create(s, "k", []byte("1")))
		_, cas := get(t, s, "k", "1")
		must(t, s.Set("k", []byte("2"), cas))
		if st := s.Set("k", []byte("3"), cas); st != quota.Mismatch {
			t.Fatalf("Set with a number that is out of date: %v, want Mismatch", st)
		}
		get(t, s, "k", "2")
	})
	t.Run("only one creator wins", func(t *testing.T) {
		s := open(t)
		must(t, quota.Create(s, "k", []byte("first")))
		if st := quota.Create(s, "k", []byte("second")); st != quota.Mismatch {
			t.Fatalf("Create of a key that exists: %v, want Mismatch", st)
		}
		get(t, s, "k", "first")
	})
	t.Run("put writes whatever is there", func(t *testing.T) {
		s := open(t)
		for _, v := range []string{"a", "bb", "c"} {
			must(t, quota.Put(s, "k", []byte(v)))
			get(t, s, "k", v)
		}
	})
	t.Run("keys do not touch each other, and may be any bytes", func(t *testing.T) {
		s := open(t)
		must(t, quota.Create(s, "k\x00a", []byte("1")))
		must(t, quota.Create(s, "k\x00b", []byte("2")))
		get(t, s, "k\x00a", "1")
		get(t, s, "k\x00b", "2")
	})
	t.Run("values are copies", func(t *testing.T) {
		s, v := open(t), []byte("abc")
		must(t, quota.Create(s, "k", v))
		v[0] = 'x'
		get(t, s, "k", "abc")
	})
}

func must(t *testing.T, st quota.Status) {
	t.Helper()
	if st != quota.OK {
		t.Fatalf("status %v, want OK", st)
	}
}

func get(t *testing.T, s quota.Store, key, want string) ([]byte, uint32) {
	t.Helper()
	v, cas, st := s.Get(key)
	must(t, st)
	if !bytes.Equal(v, []byte(want)) {
		t.Fatalf("Get(%q) = %q, want %q", key, v, want)
	}
	return v, cas
}
