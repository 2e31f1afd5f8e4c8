package tenant_test

import (
	"runtime"
	"strconv"
	"testing"

	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

// weighed is a store that counts the bytes of its keys and values.
type weighed struct {
	quota.Memory
	bytes int
}

func (s *weighed) Set(key string, value []byte, cas uint32) quota.Status {
	old, _, st := s.Memory.Get(key)
	if st == quota.NotFound {
		s.bytes += len(key)
	}
	s.bytes += len(value) - len(old)
	return s.Memory.Set(key, value, cas)
}

// BenchmarkFindKey finds as many keys in turn, each in an exchange of its own,
// with 10,000 teams beside them when they are many. stored-B/key is what the store
// holds for a key: record, alias and lines in three indexes; VM-B is all that the
// VM remembers.
func BenchmarkFindKey(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			store := new(weighed)
			made := tenant.NewDirectory(store, nil)
			teams := max(1, n/10)
			for i := range teams {
				if got := made.Add(&tenant.Subject{Kind: tenant.Team, ID: "team-" + strconv.Itoa(i), Limits: tenant.Limits{TPM: limit(1000)}}); got != tenant.Added {
					b.Fatalf("Add = %v", got)
				}
			}
			before := store.bytes
			keys := make([]*tenant.Subject, n)
			for i := range keys {
				s := strconv.Itoa(i)
				k := key("sk-"+s, "alias-"+s, "user-"+strconv.Itoa(i/3), "team-"+strconv.Itoa(i%teams))
				k.Name, k.Models, k.Metadata, k.Limits.Budget = "sk-...abcd", []string{"gpt-4o", "openai/*"}, `{"priority": "prod"}`, limit(1e12)
				k.Priority, k.Created, k.Updated = "prod", t0, t0
				if got := made.Add(k); got != tenant.Added {
					b.Fatalf("Add = %v", got)
				}
				keys[i] = k
			}
			stored := float64(store.bytes-before) / float64(n)
			var memory runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&memory)
			empty := memory.HeapAlloc
			d := tenant.NewDirectory(store, nil)
			now := int64(t0)
			find := func(i int) {
				now++
				d.Refresh(now)
				if k, st := d.FindKey(&keys[i].Hash); st != quota.OK || k.Line != keys[i].Line {
					b.Fatalf("FindKey = %v", st)
				}
			}
			for i := range keys {
				find(i)
			}
			runtime.GC()
			runtime.ReadMemStats(&memory)
			remembered := float64(memory.HeapAlloc - empty)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if i++; i == n {
					i = 0
				}
				find(i)
			}
			b.ReportMetric(stored, "stored-B/key")
			b.ReportMetric(remembered, "VM-B")
		})
	}
}

// BenchmarkList lists 100,000 keys, and counts them.
func BenchmarkList(b *testing.B) {
	d := tenant.NewDirectory(new(quota.Memory), nil)
	const n = 100_000
	for i := range n {
		if got := d.Add(key("sk-"+strconv.Itoa(i), "", "", "")); got != tenant.Added {
			b.Fatalf("Add = %v", got)
		}
	}
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			found := 0
			if st := d.List(tenant.Key, "", func(string) bool { found++; return true }); st != quota.OK || found != n {
				b.Fatalf("%d listed, %v", found, st)
			}
		}
	})
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			if got := d.Count(tenant.Key, ""); got != n {
				b.Fatalf("Count = %d", got)
			}
		}
	})
	b.Run("add and remove", func(b *testing.B) {
		k := key("sk-one more", "alias", "u", "t")
		for b.Loop() {
			if d.Add(k) != tenant.Added || d.Remove(tenant.Key, k.ID) != tenant.Removed {
				b.Fatal("not added or not removed")
			}
		}
	})
}
