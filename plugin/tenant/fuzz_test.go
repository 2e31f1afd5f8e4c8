//go:build !tinygo

package tenant

import (
	"bytes"
	"testing"

	"fairshare/plugin/quota"
)

func FuzzKeyDecode(f *testing.F) {
	k := full()
	record := k.Encode(nil)
	f.Add(record, k.Hash[:], false)
	f.Add(record[:57], k.Hash[:], true)
	f.Add(record, []byte("another's hash"), true)
	f.Add([]byte{}, []byte{}, false)
	f.Fuzz(func(t *testing.T, v, h []byte, repair bool) {
		var hash [32]byte
		copy(hash[:], h)
		// Few inputs that a fuzzer makes have a whole head; repair gives them one.
		if repair && len(v) >= 40 {
			v = bytes.Clone(v)
			v[0], v[1], v[2], v[3] = keyMagic&0xff, keyMagic>>8&0xff, keyMagic>>16&0xff, keyMagic>>24
			copy(v[8:], hash[:])
			sum := quota.Checksum(v[8:])
			v[4], v[5], v[6], v[7] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
		}
		before := bytes.Clone(v)
		var got Key
		ok := got.decode(v, &hash)
		if !bytes.Equal(v, before) {
			t.Fatal("decode changed its argument")
		}
		if !ok {
			return
		}
		if got.Hash != hash {
			t.Fatalf("another key's record: %x, want %x", got.Hash, hash)
		}
		// A record says one thing in one way, but for the byte of blocked.
		if again := got.Encode(nil); !bytes.Equal(again[57:], v[57:]) || !bytes.Equal(again[8:56], v[8:56]) {
			t.Fatalf("%x is encoded as\n%x", v, again)
		}
	})
}

// Any key whose strings fit survives the store.
func FuzzKeyRoundTrip(f *testing.F) {
	f.Add("sk-...full", "alice", "u", "t", "prod", `{"a": 1}`, "m", int64(1), int64(2), true)
	f.Fuzz(func(t *testing.T, name, alias, user, team, priority, metadata, model string, created, expires int64, blocked bool) {
		for _, s := range []string{name, alias, user, team, priority, metadata, model} {
			if len(s) >= 1<<16 {
				return
			}
		}
		k := Key{
			Hash: Hash(name), Name: name, Alias: alias, UserID: user, TeamID: team, Priority: priority,
			Metadata: metadata, Models: []string{model, ""}, Created: created, Expires: expires, Blocked: blocked,
		}
		record := k.Encode(nil)
		var got Key
		if !got.decode(record, &k.Hash) {
			t.Fatal("a record is refused")
		}
		if !bytes.Equal(got.Encode(nil), record) || got.Name != name || got.Metadata != metadata || len(got.Models) != 2 || got.Models[0] != model {
			t.Fatalf("got %+v\nwant %+v", got, k)
		}
	})
}
