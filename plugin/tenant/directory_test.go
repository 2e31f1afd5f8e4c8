package tenant

import (
	"reflect"
	"strconv"
	"testing"

	"fairshare/plugin/quota"
)

// A flaky store fails the calls that its user chooses.
type flaky struct {
	quota.Memory
	calls int
	fails func(call int) bool
	// strict is Kong's meaning of swap numbers: an absent key is created on 0
	// alone, and 0 never overwrites.
	strict bool
}

func (s *flaky) failing() bool {
	s.calls++
	return s.fails != nil && s.fails(s.calls)
}

func (s *flaky) Get(key string) ([]byte, uint32, quota.Status) {
	if s.failing() {
		return nil, 0, quota.Failed
	}
	return s.Memory.Get(key)
}

func (s *flaky) Set(key string, value []byte, cas uint32) quota.Status {
	if s.failing() {
		return quota.Failed
	}
	if _, _, st := s.Memory.Get(key); s.strict && (st == quota.OK) == (cas == 0) {
		return quota.Mismatch
	}
	return s.Memory.Set(key, value, cas)
}

func named(secret, alias string) *Key {
	hash := Hash(secret)
	return &Key{Hash: hash, ID: quota.KeyID(&hash), Alias: alias}
}

func TestFind(t *testing.T) {
	store := new(flaky)
	declared := named("sk-declared", "")
	declared.UserID = "from the configuration"
	d := NewDirectory(store, []*Key{declared})

	if k, st := d.Find(&declared.Hash); k != declared || st != quota.OK || store.calls != 0 {
		t.Errorf("a declared key: %+v, %v after %d calls of the store", k, st, store.calls)
	}
	absent := Hash("sk-absent")
	if k, st := d.Find(&absent); k != nil || st != quota.NotFound {
		t.Errorf("an absent key: %+v, %v", k, st)
	}
	k := full()
	if got := d.Add(k); got != Added {
		t.Fatalf("Add = %v", got)
	}
	for range 2 {
		if got, st := d.Find(&k.Hash); st != quota.OK || !reflect.DeepEqual(got, k) {
			t.Errorf("a key from the store: %+v, %v", got, st)
		}
	}
	store.fails = func(int) bool { return true }
	if got, st := d.Find(&k.Hash); got != nil || st != quota.Failed {
		t.Errorf("with the store failing: %+v, %v", got, st)
	}
	if got, st := d.Find(&declared.Hash); got != declared || st != quota.OK {
		t.Errorf("a declared key with the store failing: %+v, %v", got, st)
	}
}

// A declared key counts although the store has another under its hash.
func TestDeclaredIsFirst(t *testing.T) {
	store := new(flaky)
	stored := named("sk-both", "")
	stored.UserID = "from the store"
	if got := NewDirectory(store, nil).Add(stored); got != Added {
		t.Fatalf("Add = %v", got)
	}
	declared := named("sk-both", "")
	declared.Blocked = true
	if k, st := NewDirectory(store, []*Key{declared}).Find(&stored.Hash); st != quota.OK || k != declared {
		t.Errorf("Find = %+v, %v, want the declared one", k, st)
	}
}

func TestOtherWorkersAreSeen(t *testing.T) {
	store := new(flaky)
	one, two := NewDirectory(store, nil), NewDirectory(store, nil)
	k := full()
	if _, st := two.Find(&k.Hash); st != quota.NotFound {
		t.Fatalf("before: %v", st)
	}
	if got := one.Add(k); got != Added {
		t.Fatalf("Add = %v", got)
	}
	first, st := two.Find(&k.Hash)
	if st != quota.OK || !first.Blocked {
		t.Fatalf("Find = %+v, %v", first, st)
	}
	if again, _ := two.Find(&k.Hash); again != first {
		t.Error("a record that did not change was decoded again")
	}

	changed := *k
	changed.Blocked = false
	store.Memory.Set(keyPrefix+string(k.Hash[:]), changed.Encode(nil), 0)
	if now, st := two.Find(&k.Hash); st != quota.OK || now.Blocked {
		t.Errorf("after another worker's change: %+v, %v", now, st)
	}
	if !first.Blocked {
		t.Error("a key that was handed out changed")
	}

	// A record that a dead worker left torn opens nothing, whatever was cached.
	store.Memory.Set(keyPrefix+string(k.Hash[:]), k.Encode(nil)[:60], 0)
	if now, st := two.Find(&k.Hash); st != quota.NotFound {
		t.Errorf("torn: %+v, %v", now, st)
	}
}

func TestCacheIsBounded(t *testing.T) {
	d := NewDirectory(new(quota.Memory), nil)
	for i := range maxSeen + 10 {
		k := named("sk-"+strconv.Itoa(i), "")
		d.Add(k)
		if got, st := d.Find(&k.Hash); st != quota.OK || got.Hash != k.Hash {
			t.Fatalf("key %d: %+v, %v", i, got, st)
		}
		if len(d.seen) > maxSeen {
			t.Fatalf("%d decoded records are kept", len(d.seen))
		}
	}
	first := Hash("sk-0")
	if got, st := d.Find(&first); st != quota.OK || got.Hash != first {
		t.Errorf("a key that was dropped: %+v, %v", got, st)
	}
}

func TestAdd(t *testing.T) {
	for _, strict := range []bool{false, true} {
		store := &flaky{strict: strict}
		d := NewDirectory(store, []*Key{named("sk-declared", "declared"), named("sk-nameless", "")})
		for _, c := range []struct {
			secret, alias string
			want          Outcome
		}{
			{"sk-1", "", Added},
			{"sk-2", "", Added}, // no alias is nobody's
			{"sk-3", "a", Added},
			{"sk-3", "a", KeyExists},
			{"sk-3", "b", KeyExists},
			{"sk-4", "a", AliasTaken},
			{"sk-4", "b", Added}, // neither refusal kept "b" or "sk-4"
			{"sk-declared", "c", KeyExists},
			{"sk-5", "declared", AliasTaken},
			{"sk-5", "c", Added},
		} {
			if got := d.Add(named(c.secret, c.alias)); got != c.want {
				t.Errorf("strict %v: Add(%s as %q) = %v, want %v", strict, c.secret, c.alias, got, c.want)
			}
		}
	}
}

// Whichever call of the store fails: the key is not there, and once the store
// works again another key may have the alias.
func TestAddIsBothOrNeither(t *testing.T) {
	for _, strict := range []bool{false, true} {
		for failing := 1; ; failing++ {
			store := &flaky{strict: strict, fails: func(call int) bool { return call == failing }}
			d := NewDirectory(store, nil)
			k := named("sk-1", "a")
			got := d.Add(k)
			if store.calls < failing {
				if got != Added {
					t.Fatalf("Add = %v with a store that works", got)
				}
				break
			}
			if got == Added {
				t.Errorf("strict %v: call %d failing: Add = %v", strict, failing, got)
			}
			if found, st := d.Find(&k.Hash); st != quota.NotFound {
				t.Errorf("strict %v: call %d failing: Find = %+v, %v", strict, failing, found, st)
			}
			if got := d.Add(named("sk-2", "a")); got != Added {
				t.Errorf("strict %v: call %d failing: the alias afterwards: %v", strict, failing, got)
			}
		}
	}
}
