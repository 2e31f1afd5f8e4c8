//go:build !tinygo

package tenant_test

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"fairshare/plugin/period"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

// at is where the subject's record lies in the store.
func at(s *tenant.Subject) string {
	if s.Kind == tenant.Key {
		return "fs/k/" + string(s.Hash[:])
	}
	return [...]string{"fs/k/", "fs/u/", "fs/g/", "fs/mb/", "fs/c/", "fs/b/"}[s.Kind] + s.ID
}

// stored is the subject's record, as it lies in the store.
func stored(t testing.TB, s *tenant.Subject) []byte {
	t.Helper()
	var store quota.Memory
	if got := tenant.NewDirectory(&store, nil).Add(s); got != tenant.Added {
		t.Fatalf("Add = %v", got)
	}
	v, _, st := store.Get(at(s))
	if st != quota.OK {
		t.Fatalf("the record is not where it should be: %v", st)
	}
	return v
}

// read puts a record into a store of its own and finds it there.
func read(t testing.TB, s *tenant.Subject, record []byte) (*tenant.Subject, quota.Status) {
	t.Helper()
	var store quota.Memory
	// Nothing behind its end to read by mistake.
	record = append(make([]byte, 0, len(record)), record...)
	store.Set(at(s), record, 0)
	d := tenant.NewDirectory(&store, nil)
	got, st := d.Find(s.Kind, s.ID)
	if st != quota.OK {
		return nil, st
	}
	if got.Kind != s.Kind || got.ID != s.ID || got.Hash != s.Hash || got.Line != s.Line {
		t.Fatalf("another's record: %+v, want %+v", got, s)
	}
	if got.Limits.Duration.Unit > period.Month || got.Members.Duration.Unit > period.Month {
		t.Fatalf("a duration that there is none of: %+v", got)
	}
	// A record says one thing in one way: what changes nothing writes it again.
	alias, user, team := got.Alias, got.UserID, got.TeamID
	if _, outcome := d.Change(s.Kind, s.ID, func(*tenant.Subject) {}); outcome == tenant.Changed {
		if again, _, _ := store.Get(at(s)); !bytes.Equal(again, record) {
			t.Fatalf("%x of %q %q %q is written as\n%x", record, alias, user, team, again)
		}
	} else if outcome != tenant.TooLarge {
		t.Fatalf("Change = %v", outcome)
	}
	return got, st
}

// repair makes the checksum right.
func repair(record []byte) []byte {
	if len(record) >= 8 {
		record = bytes.Clone(record)
		binary.LittleEndian.PutUint32(record[4:], quota.Checksum(record[8:]))
	}
	return record
}

func TestDamagedRecords(t *testing.T) {
	for kind := range tenant.NumKinds {
		s := full(kind)
		record := stored(t, s)
		if got, st := read(t, s, record); st != quota.OK || !reflect.DeepEqual(got, s) {
			t.Fatalf("kind %d: %v\n got %+v\nwant %+v", kind, st, got, s)
		}
		for n := range record {
			if _, st := read(t, s, record[:n]); st != quota.NotFound {
				t.Errorf("kind %d: the first %d bytes of %d are a record", kind, n, len(record))
			}
			for _, x := range []byte{1, 2, 0x10, 0x80, 0xff} {
				damaged := bytes.Clone(record)
				damaged[n] ^= x
				if _, st := read(t, s, damaged); st != quota.NotFound {
					t.Errorf("kind %d: with byte %d changed it is a record", kind, n)
				}
			}
		}
		if _, st := read(t, s, append(bytes.Clone(record), 0)); st != quota.NotFound {
			t.Errorf("kind %d: a byte too many is a record", kind)
		}
		// Another's record, where a host finds it by mistake.
		other := full(kind)
		if kind == tenant.Key {
			other = key("sk-other", "", "", "")
		} else {
			other.ID += "x"
		}
		if _, st := read(t, other, record); st != quota.NotFound {
			t.Errorf("kind %d: another's record is taken", kind)
		}
		for wrong := range tenant.NumKinds {
			if wrong != kind && wrong != tenant.Key && kind != tenant.Key {
				if _, st := read(t, &tenant.Subject{Kind: wrong, ID: s.ID}, record); st != quota.NotFound {
					t.Errorf("a record of kind %d is one of kind %d", kind, wrong)
				}
			}
		}
	}
}

// A checksum can be right by chance, or by another layout's: then nothing must
// be read that is not there, and nothing in two ways.
func TestWholeChecksumOverNonsense(t *testing.T) {
	for kind := range tenant.NumKinds {
		s := full(kind)
		record := stored(t, s)
		for n := range record {
			if _, st := read(t, s, repair(record[:n])); st == quota.OK {
				t.Errorf("kind %d: the first %d bytes of %d are a record", kind, n, len(record))
			}
			for _, c := range []byte{1, 2, 0x20, 0x80, 0xff} {
				damaged := bytes.Clone(record)
				damaged[n] += c
				read(t, s, repair(damaged))
			}
		}
		if _, st := read(t, s, repair(append(bytes.Clone(record), 0))); st == quota.OK {
			t.Errorf("kind %d: a byte too many is a record", kind)
		}
	}
}

// What a record says of its own size is not believed.
func TestNonsenseCostsLittle(t *testing.T) {
	s := full(tenant.User)
	record := stored(t, s)
	for n := 16; n+1 < len(record); n++ {
		damaged := bytes.Clone(record)
		damaged[n], damaged[n+1] = 0xff, 0xff
		var store quota.Memory
		store.Set(at(s), repair(damaged), 0)
		d := tenant.NewDirectory(&store, nil)
		d.Find(tenant.User, "other") // which makes the table
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d.Find(s.Kind, s.ID)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<10 {
			t.Errorf("with nonsense at byte %d of %d a find takes %d bytes", n, len(record), got)
		}
	}
}

func FuzzRecord(f *testing.F) {
	for kind := range tenant.NumKinds {
		s := full(kind)
		record := stored(f, s)
		f.Add(byte(kind), s.ID, record, false)
		f.Add(byte(kind), s.ID, record, true)
		f.Add(byte(kind), s.ID, record[:57], true)
	}
	f.Add(byte(0), "another's", []byte{}, false)
	f.Fuzz(func(t *testing.T, kind byte, id string, record []byte, right bool) {
		s := &tenant.Subject{Kind: tenant.Kind(kind) % tenant.NumKinds, ID: id}
		if len(id) > 100 || id == "" {
			return
		}
		inside := id
		if s.Kind == tenant.Key {
			hash, ok := tenant.ParseToken(id)
			if !ok {
				hash = tenant.Hash(id)
			}
			s = tenant.NewKey(&hash)
			inside = string(hash[:])
		}
		// Few inputs that a fuzzer makes have a whole head and an id: give them one.
		if right && len(record) >= 16 {
			good := stored(t, s)
			record = bytes.Clone(record)
			copy(record[:12], good)
			if begin := int(binary.LittleEndian.Uint16(record[12:])); begin <= len(record) && begin >= 16 {
				rest := bytes.Clone(record[min(len(record), begin+len(inside)):])
				record = append(append(record[:begin:begin], inside...), rest...)
			}
			record = repair(record)
		}
		read(t, s, record)
	})
}

// Any subject that is added is found as it was, as long as its record is small
// enough.
func FuzzSubject(f *testing.F) {
	f.Add(byte(1), "id", "alice", "u", "t", "prod", `{"a": 1}`, "m", int64(1), int64(2), int32(30), byte(3), true)
	f.Add(byte(0), "sk", "", "", "", "", "", "", int64(0), int64(-1), int32(0), byte(0), false)
	f.Fuzz(func(t *testing.T, kind byte, id, alias, user, team, priority, metadata, model string, created, max int64, n int32, u byte, flag bool) {
		s := &tenant.Subject{Kind: tenant.Kind(kind) % tenant.NumKinds, ID: id}
		if s.Kind == tenant.Key {
			hash := tenant.Hash(id)
			s = tenant.NewKey(&hash)
		}
		s.Alias, s.UserID, s.TeamID, s.Priority, s.Metadata, s.Extra = alias, user, team, priority, metadata, priority
		s.Models, s.Aliases = strings.Split(model, ","), [][2]string{{model, alias}}
		s.Created, s.TempIncrease, s.Blocked = created, unit.PicoUSD(max), flag
		l := tenant.Limits{TPM: quota.Cap{Limited: flag}, Soft: quota.Cap{Limited: true, Max: max}, Shadow: quota.Reasons(max) & quota.AllReasons}
		if n != 0 {
			l.Duration = period.Duration{N: n, Unit: period.Unit(u % 6)}
		}
		s.Limits, s.PerModel, s.Members = l, []tenant.ModelLimits{{Model: team, Limits: l}, {}}, tenant.Limits{RPM: quota.Cap{Limited: flag, Max: int64(utf8.RuneCountInString(id))}}
		if !flag {
			s.Members = tenant.Limits{}
		}
		var store quota.Memory
		d := tenant.NewDirectory(&store, nil)
		switch got := d.Add(s); got {
		case tenant.Added:
		case tenant.TooLarge, tenant.BadID:
			if id != "" && len(id)+len(alias)+len(user)+len(team) < 900 && len(priority)+len(metadata)+2*len(model) < 4000 && strings.Count(model, ",") < 500 {
				t.Fatalf("Add = %v", got)
			}
			return
		default:
			t.Fatalf("Add = %v", got)
		}
		if got, st := d.Find(s.Kind, s.ID); st != quota.OK || !reflect.DeepEqual(got, s) {
			t.Fatalf("%v\n got %+v\nwant %+v", st, got, s)
		}
		for _, owner := range []string{"", "u:" + user, "t:" + team} {
			want := []string{s.ID}
			if owner != "" && (len(owner) == 2 || s.Kind != tenant.Key && s.Kind != tenant.Member) {
				want = nil
			}
			var got []string
			d.List(s.Kind, owner, func(id string) bool { got = append(got, id); return true })
			if !reflect.DeepEqual(got, want) || d.Count(s.Kind, owner) != len(want) {
				t.Fatalf("of %q: %q, Count = %d", owner, got, d.Count(s.Kind, owner))
			}
		}
	})
}

// Whatever lies where an index, an alias and the version should: nothing breaks,
// a key is found if and only if it was added, and listed once at most.
func FuzzForeignIndex(f *testing.F) {
	var store quota.Memory
	k := key("sk-1", "a", "u", "")
	tenant.NewDirectory(&store, nil).Add(k)
	get := func(at string) []byte { v, _, _ := store.Get(at); return bytes.Clone(v) }
	page := get("fs/x/0/k")
	f.Add([]byte(nil), append(page[10:12:12], page[12+len("fs/x/0/k"):]...), get("fs/a/a"), true)
	f.Add([]byte{1, 0, 0, 0, 0xff}, get("fs/x/0/k")[:40], get("fs/a/a")[:9], false)
	f.Add([]byte{0xff, 0xff}, []byte{}, []byte{}, true)
	f.Fuzz(func(t *testing.T, head, page, alias []byte, right bool) {
		var store quota.Memory
		put := func(at string, magic uint32, v []byte) {
			if right {
				// Magic, checksum, length of the key, two bytes of v, key, the rest.
				count := append(bytes.Clone(v), 0, 0)[:2]
				w := binary.LittleEndian.AppendUint64(nil, uint64(magic))
				w = binary.LittleEndian.AppendUint16(w, uint16(len(at)))
				w = append(append(w, count...), at...)
				v = repair(append(w, v[min(2, len(v)):]...))
			}
			store.Set(at, v, 0)
		}
		if len(head) > 0 {
			put("fs/x/h/k", 0x01485346, head)
		}
		if len(page) > 0 {
			put("fs/x/0/k", 0x01585346, page)
		}
		if len(alias) > 0 {
			store.Set("fs/a/a", repair(alias), 0)
		}
		// No act had the number before that this one gets.
		store.Set("fs/v", binary.LittleEndian.AppendUint64(nil, 0x1234567887654321), 0)
		d := tenant.NewDirectory(&store, nil)
		d.Refresh(t0)
		added := d.Add(k) == tenant.Added
		if _, st := d.FindKey(&k.Hash); (st == quota.OK) != added {
			t.Fatalf("added: %v, FindKey = %v", added, st)
		}
		n := 0
		d.List(tenant.Key, "", func(id string) bool {
			if n++; id != k.ID {
				t.Fatalf("%s is listed", id)
			}
			return true
		})
		if n > 1 || n == 1 && !added {
			t.Fatalf("added: %v, but listed %d times", added, n)
		}
		d.Count(tenant.Key, "")
		d.FindAlias("a")
		if got := d.Remove(tenant.Key, k.ID); (got == tenant.Removed) != added {
			t.Fatalf("added: %v, Remove = %v", added, got)
		}
	})
}
