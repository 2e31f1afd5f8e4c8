package tenant

import (
	"reflect"
	"strings"
	"testing"

	"fairshare/plugin/config"
	"fairshare/plugin/quota"
)

// full is a key that says something in every field.
func full() *Key {
	hash := Hash("sk-full")
	return &Key{
		Hash: hash, ID: quota.KeyID(&hash), Name: "sk-...full", Alias: "alice", UserID: "u1", TeamID: "t1",
		Priority: "prod", Models: []string{"m", "beta-models", "openai/*"}, Metadata: `{"priority": "prod"}`,
		Created: 1_700_000_000_000, Expires: 1_800_000_000_000, Blocked: true,
	}
}

func TestRecordHoldsEverything(t *testing.T) {
	long := strings.Repeat("x", 1<<16-1)
	for _, k := range []*Key{
		{},
		full(),
		{Models: []string{""}},
		{Created: -1, Expires: 1<<63 - 1},
		{Name: long, Alias: long, UserID: long, TeamID: long, Priority: long, Metadata: long, Models: []string{long, long}},
		{Alias: "\x00\xff", UserID: "é"},
	} {
		record := k.Encode([]byte("before"))
		if string(record[:6]) != "before" {
			t.Fatal("Encode does not append")
		}
		var got Key
		if !got.decode(record[6:], &k.Hash) {
			t.Fatalf("a record is refused: %.200q", record[6:])
		}
		want := *k
		want.ID = 0 // the store's key tells it
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
}

// A record is copied, as the store's memory is the host's.
func TestDecodeCopies(t *testing.T) {
	k := full()
	record := k.Encode(nil)
	var got Key
	if !got.decode(record, &k.Hash) {
		t.Fatal("a record is refused")
	}
	clear(record)
	got.ID = k.ID
	if !reflect.DeepEqual(&got, k) {
		t.Errorf("with the store's memory overwritten: %+v", got)
	}
}

func TestDamagedRecords(t *testing.T) {
	k := full()
	record := k.Encode(nil)
	var got Key
	for n := range record {
		if got.decode(record[:n], &k.Hash) {
			t.Errorf("the first %d bytes of %d are a record", n, len(record))
		}
		torn := append([]byte(nil), record...)
		torn[n] ^= 0x10
		if got.decode(torn, &k.Hash) {
			t.Errorf("byte %d changed is a record", n)
		}
	}
	if other := Hash("sk-other"); got.decode(record, &other) {
		t.Error("another key's record is taken")
	}
}

// A checksum can be right by chance, or by another layout's.
func TestWholeChecksumOverNonsense(t *testing.T) {
	k := full()
	record := k.Encode(nil)
	decode := func(v []byte) bool {
		v = append(make([]byte, 0, len(v)), v...) // nothing behind its end to read by mistake
		sum := quota.Checksum(v[8:])
		v[4], v[5], v[6], v[7] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
		return new(Key).decode(v[:len(v):len(v)], &k.Hash)
	}
	if !decode(record) {
		t.Fatal("a record is refused")
	}
	for n := 40; n < len(record); n++ {
		if decode(record[:n]) {
			t.Errorf("the first %d bytes of %d are a record", n, len(record))
		}
	}
	if decode(append(record, 0)) {
		t.Error("a byte too many is a record")
	}
	for at := 57; at < len(record); at++ {
		for _, c := range []byte{0, 1, 0xff} {
			v := append([]byte(nil), record...)
			v[at] += c
			decode(v)
		}
	}
}

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
		if got := (&Key{Expires: c.expires}).Expired(c.now); got != c.want {
			t.Errorf("expires %d: Expired(%d) = %v, want %v", c.expires, c.now, got, c.want)
		}
	}
}

func TestToken(t *testing.T) {
	// printf %s sk-alice | sha256sum
	const want = "099295a3784e1bd368dc348843a7398c1931b6b8ec2504c73e91ed2040bdc46c"
	hash := Hash("sk-alice")
	if got := Token(&hash); got != want {
		t.Errorf("Token = %s, want %s", got, want)
	}
}

func TestMayUse(t *testing.T) {
	long := strings.Repeat("a", 1<<10)
	for _, c := range []struct {
		grants string // separated by blanks
		model  string
		groups string
		want   bool
	}{
		{"", "m", "", true}, // no grants: all
		{"m", "m", "", true},
		{"n m", "m", "", true},
		{"n", "m", "", false},
		{"M", "m", "", false},
		{"m", "mm", "", false},
		{"mm", "m", "", false},
		{"*", "m", "", true},
		{"all-proxy-models", "m", "", true},
		{"all-team-models", "m", "", true},
		{"no-default-models", "m", "", false},
		{"beta-models", "m", "beta-models", true},
		{"beta-models", "m", "alpha beta-models", true},
		{"beta-models", "m", "beta", false},
		{"beta-*", "m", "beta-models", false}, // a pattern is for names, not for groups
		{"openai/*", "openai/gpt-4o", "", true},
		{"openai/*", "openai/", "", true},
		{"openai/*", "openai", "", false},
		{"openai/*", "xopenai/gpt-4o", "", false},
		{"openai/*", "azure/gpt-4o", "", false},
		{"*/gpt-4o", "openai/gpt-4o", "", true},
		{"*/gpt-4o", "openai/gpt-4o-mini", "", false},
		{"gpt-*-mini", "gpt-4o-mini", "", true},
		{"gpt-*-mini", "gpt-mini", "", false},
		{"**", "m", "", true},
		{"a*b*c", "aXbXbXc", "", true},
		{"a*b*c", "aXcXb", "", false},
		{"gpt.4o", "gpt-4o", "", false}, // a dot is a dot
		{"gpt-4o?", "gpt-4o", "", false},
		// As a regular expression these would take forever.
		{strings.Repeat("*a", 1<<9) + "b", long, "", false},
		{strings.Repeat("a*", 1<<9) + "b", long, "", false},
		{"*" + strings.Repeat("a", 1<<9) + "b", long, "", false},
		{strings.Repeat("*a", 1<<9), long, "", true},
		{strings.Repeat("*", 1<<10), long, "", true},
	} {
		k := &Key{Models: strings.Fields(c.grants)}
		m := &config.Model{Name: c.model, AccessGroups: strings.Fields(c.groups)}
		if got := k.MayUse(m); got != c.want {
			t.Errorf("grants %.40q, model %.40q in %q: MayUse = %v, want %v", c.grants, c.model, c.groups, got, c.want)
		}
	}
}

// The worst pattern takes as many steps as the product of the lengths.
func BenchmarkMatches(b *testing.B) {
	pattern, name := "*"+strings.Repeat("a", 1<<9)+"b", strings.Repeat("a", 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		if matches(pattern, name) {
			b.Fatal("matches")
		}
	}
}
