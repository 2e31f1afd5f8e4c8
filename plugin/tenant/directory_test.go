package tenant_test

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fairshare/plugin/period"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

const t0 = 1_763_700_000_000 // ms since 1970

// A flaky store fails the calls that its user chooses.
type flaky struct {
	quota.Memory
	gets, sets int
	fails      func(call int) bool
	// strict is Kong's meaning of swap numbers: an absent key is created on 0
	// alone, and 0 never overwrites.
	strict bool
}

func (s *flaky) failing() bool { return s.fails != nil && s.fails(s.gets+s.sets) }

func (s *flaky) Get(key string) ([]byte, uint32, quota.Status) {
	if s.gets++; s.failing() {
		return nil, 0, quota.Failed
	}
	v, cas, st := s.Memory.Get(key)
	return slices.Clone(v), cas, st
}

func (s *flaky) Set(key string, value []byte, cas uint32) quota.Status {
	if s.sets++; s.failing() {
		return quota.Failed
	}
	if _, _, st := s.Memory.Get(key); s.strict && (st == quota.OK) == (cas == 0) {
		return quota.Mismatch
	}
	return s.Memory.Set(key, value, cas)
}

func (s *flaky) calls() int { return s.gets + s.sets }

// key is a key of a user and a team, any of which may be empty.
func key(secret, alias, user, team string) *tenant.Subject {
	hash := tenant.Hash(secret)
	k := tenant.NewKey(&hash)
	k.Alias, k.UserID, k.TeamID = alias, user, team
	return k
}

// full says something in every field.
func full(kind tenant.Kind) *tenant.Subject {
	s := &tenant.Subject{Kind: kind, ID: "id-" + strconv.Itoa(int(kind)), UserID: "u1", TeamID: "t1"}
	switch kind {
	case tenant.Key:
		s = key("sk-full", "", "u1", "t1")
	case tenant.Member:
		s.ID = tenant.MemberID("t1", "u1")
	}
	s.Alias, s.Name, s.Email, s.Role, s.BudgetID, s.Priority = "alice", "sk-...full", "a@example.com", "proxy_admin", "b1", "prod"
	s.Models = []string{"m", "beta-models", "openai/*", ""}
	s.Aliases = [][2]string{{"gpt", "gpt-4o"}, {"", ""}}
	s.Limits = tenant.Limits{
		Budget: limit(1), Soft: limit(0), TPM: limit(3), RPM: limit(4), Parallel: limit(1<<63 - 1),
		Duration: period.Duration{N: 1, Unit: period.Month},
	}
	s.PerModel = []tenant.ModelLimits{{Model: "m", Limits: tenant.Limits{TPM: limit(7)}}, {Model: "n"}}
	s.Members = tenant.Limits{Budget: limit(8), Duration: period.Duration{N: -7, Unit: period.Week}}
	s.Metadata, s.Extra = `{"priority": "prod"}`, `{"note":1}`
	s.TempIncrease, s.TempExpiry, s.Created, s.Updated, s.Expires = 1, 10, -11, 12, 1<<63-1
	s.Blocked = true
	return s
}

// Every field of every kind comes back as it was, from the VM that added it and
// from another.
func TestAddAndFind(t *testing.T) {
	store := new(flaky)
	one, two := tenant.NewDirectory(store, nil), tenant.NewDirectory(store, nil)
	for kind := range tenant.NumKinds {
		for _, s := range []*tenant.Subject{full(kind), {Kind: kind, ID: "plain"}, {Kind: kind, ID: "é\x00/\xff"}, {Kind: kind, ID: strings.Repeat("x", tenant.MaxID)}} {
			if kind == tenant.Key && s.Alias == "" {
				s = key(s.ID, "", "", "")
			}
			if s.Models == nil {
				// Strings of all lengths that count.
				s.Email, s.Metadata, s.Models = strings.Repeat("m", 255), strings.Repeat("x", 8000), []string{strings.Repeat("y", 256)}
			}
			want := *s
			if _, st := two.Find(kind, s.ID); st != quota.NotFound {
				t.Fatalf("kind %d, %.20q: before: %v", kind, s.ID, st)
			}
			if got := one.Add(s); got != tenant.Added {
				t.Fatalf("kind %d, %.20q: Add = %v", kind, s.ID, got)
			}
			if !reflect.DeepEqual(s, &want) {
				t.Errorf("kind %d, %.20q: Add changed its argument", kind, s.ID)
			}
			for i, d := range []*tenant.Directory{one, two, two} {
				d.Refresh(t0)
				if got, st := d.Find(kind, s.ID); st != quota.OK || !reflect.DeepEqual(got, &want) {
					t.Errorf("kind %d, %.20q, directory %d: %v\n got %+v\nwant %+v", kind, s.ID, i, st, got, &want)
				}
			}
			if got := two.Add(s); got != tenant.Exists {
				t.Errorf("kind %d, %.20q: Add again = %v", kind, s.ID, got)
			}
		}
	}
}

// Ids of one text are different subjects in each kind, and none of them is where
// an index or an alias lies.
func TestKindsAreApart(t *testing.T) {
	d := tenant.NewDirectory(new(quota.Memory), nil)
	token := key("sk-1", "", "", "").ID
	for kind := range tenant.NumKinds {
		for _, id := range []string{token, "h/k", "0/k", "a/0", "a"} {
			s := &tenant.Subject{Kind: kind, ID: id, Email: strconv.Itoa(int(kind)) + id, UserID: "a", TeamID: "a/0", Alias: id}
			if kind == tenant.Key && id != token {
				continue
			}
			if got := d.Add(s); got != tenant.Added {
				t.Fatalf("kind %d, id %q: Add = %v", kind, id, got)
			}
		}
	}
	for kind := range tenant.NumKinds {
		want := 5
		if kind == tenant.Key {
			want = 1
		}
		n := 0
		d.List(kind, "", func(id string) bool {
			n++
			if s, st := d.Find(kind, id); st != quota.OK || s.ID != id || s.Email != strconv.Itoa(int(kind))+id {
				t.Errorf("kind %d, id %q: %+v, %v", kind, id, s, st)
			}
			return true
		})
		if n != want || d.Count(kind, "") != want {
			t.Errorf("kind %d: %d in the list, Count = %d, want %d", kind, n, d.Count(kind, ""), want)
		}
	}
	for owner, want := range map[string]int{"u:a": 1, "t:a/0": 1, "t:a": 0, "u:a/0": 0, "u:": 0, "t:": 0, "x:a": 0, "u": 0, "a": 0} {
		if got := d.Count(tenant.Key, owner); got != want {
			t.Errorf("Count of keys of %q = %d, want %d", owner, got, want)
		}
	}
	if got := d.Count(tenant.Team, "u:a"); got != 0 {
		t.Errorf("%d teams are owned by a user", got)
	}
}

func TestAddRefuses(t *testing.T) {
	long := strings.Repeat("x", tenant.MaxID+1)
	other := key("sk-key", "", "", "")
	for name, c := range map[string]struct {
		s    tenant.Subject
		want tenant.Outcome
	}{
		"no id":               {tenant.Subject{Kind: tenant.User}, tenant.BadID},
		"no kind":             {tenant.Subject{Kind: tenant.NumKinds, ID: "x"}, tenant.BadID},
		"a key's name":        {tenant.Subject{Kind: tenant.Key, ID: "sk-key"}, tenant.BadID},
		"a long id":           {tenant.Subject{Kind: tenant.Customer, ID: long}, tenant.TooLarge},
		"a long owner":        {tenant.Subject{Kind: tenant.Key, ID: other.ID, UserID: long}, tenant.TooLarge},
		"a long team":         {tenant.Subject{Kind: tenant.Key, ID: other.ID, TeamID: long}, tenant.TooLarge},
		"a long key's alias":  {tenant.Subject{Kind: tenant.Key, ID: other.ID, Alias: long}, tenant.TooLarge},
		"a long record":       {tenant.Subject{Kind: tenant.User, ID: "x", Metadata: strings.Repeat("x", tenant.MaxRecord)}, tenant.TooLarge},
		"one long model":      {tenant.Subject{Kind: tenant.User, ID: "x", Models: []string{strings.Repeat("x", 1<<16)}}, tenant.TooLarge},
		"many models":         {tenant.Subject{Kind: tenant.User, ID: "x", Models: make([]string, 1<<16)}, tenant.TooLarge},
		"many aliases":        {tenant.Subject{Kind: tenant.User, ID: "x", Aliases: make([][2]string, 1<<16)}, tenant.TooLarge},
		"many models' limits": {tenant.Subject{Kind: tenant.User, ID: "x", PerModel: make([]tenant.ModelLimits, 1<<16)}, tenant.TooLarge},
		"a long user's alias": {tenant.Subject{Kind: tenant.User, ID: "x", Alias: long}, tenant.Added},
		"a hash and no id":    {tenant.Subject{Kind: tenant.Key, Hash: other.Hash}, tenant.Added},
	} {
		store := new(quota.Memory)
		d := tenant.NewDirectory(store, nil)
		if got := d.Add(&c.s); got != c.want {
			t.Errorf("%s: Add = %v, want %v", name, got, c.want)
		}
		if c.want == tenant.Added {
			continue
		}
		for kind := range tenant.NumKinds {
			if n := d.Count(kind, ""); n != 0 {
				t.Errorf("%s: %d of kind %d", name, n, kind)
			}
		}
	}
}

// What fits is kept whatever it is made of, and a subject that is one byte too
// large is not.
func TestTheLargestRecord(t *testing.T) {
	for name, fill := range map[string]func(s *tenant.Subject, n int){
		"metadata": func(s *tenant.Subject, n int) { s.Metadata = strings.Repeat("m", n) },
		"models":   func(s *tenant.Subject, n int) { s.Models = make([]string, n) },
		"aliases":  func(s *tenant.Subject, n int) { s.Aliases = make([][2]string, n) },
		"limits": func(s *tenant.Subject, n int) {
			s.PerModel = make([]tenant.ModelLimits, n)
			for i := range s.PerModel {
				s.PerModel[i].Limits = full(tenant.User).Limits
			}
		},
	} {
		low, high := 0, tenant.MaxRecord
		for high-low > 1 {
			n := (low + high) / 2
			sizes := new(sized)
			d := tenant.NewDirectory(sizes, nil)
			s := full(tenant.User)
			fill(s, n)
			switch got := d.Add(s); got {
			case tenant.Added:
				low = n
				if found, st := d.Find(s.Kind, s.ID); st != quota.OK || !reflect.DeepEqual(found, s) {
					t.Fatalf("%s, %d: %v", name, n, st)
				}
				if sizes.largest > tenant.MaxRecord {
					t.Fatalf("%s, %d: a record of %d bytes", name, n, sizes.largest)
				}
			case tenant.TooLarge:
				high = n
			default:
				t.Fatalf("%s, %d: Add = %v", name, n, got)
			}
		}
		if low < 200 {
			t.Errorf("%s: %d are too many", name, high)
		}
	}
}

// sized is a store that knows how large its values are.
type sized struct {
	quota.Memory
	largest int
}

func (s *sized) Set(key string, value []byte, cas uint32) quota.Status {
	s.largest = max(s.largest, len(value))
	return s.Memory.Set(key, value, cas)
}

func TestDeclaredIsFirst(t *testing.T) {
	store := new(flaky)
	made := tenant.NewDirectory(store, nil)
	for _, s := range []*tenant.Subject{key("sk-both", "made", "u", "t"), {Kind: tenant.User, ID: "u", Email: "made"}} {
		if got := made.Add(s); got != tenant.Added {
			t.Fatalf("Add = %v", got)
		}
	}
	both, only := key("sk-both", "declared", "u", ""), key("sk-only", "only", "", "t")
	both.Line, only.ID = 0, "" // NewDirectory makes the one of the other
	user := &tenant.Subject{Kind: tenant.User, ID: "u", Email: "declared"}
	d := tenant.NewDirectory(store, []*tenant.Subject{both, only, user})
	store.fails = func(int) bool { return true }
	for _, want := range []*tenant.Subject{both, only, user} {
		if got, st := d.Find(want.Kind, want.ID); got != want || st != quota.OK || !got.Declared {
			t.Errorf("Find = %+v, %v", got, st)
		}
	}
	if got, st := d.FindKey(&both.Hash); got != both || st != quota.OK || got.Line != quota.KeyID(&got.Hash) {
		t.Errorf("FindKey = %+v, %v", got, st)
	}
	if got, st := d.FindAlias("declared"); got != both || st != quota.OK {
		t.Errorf("FindAlias = %+v, %v", got, st)
	}
	store.fails = nil

	for _, s := range []*tenant.Subject{both, only, user} {
		if got := d.Add(s); got != tenant.Exists {
			t.Errorf("Add = %v", got)
		}
		if _, got := d.Change(s.Kind, s.ID, func(*tenant.Subject) { t.Error("a declared subject is edited") }); got != tenant.IsDeclared {
			t.Errorf("Change = %v", got)
		}
		if got := d.Remove(s.Kind, s.ID); got != tenant.IsDeclared {
			t.Errorf("Remove = %v", got)
		}
	}
	if got := d.Add(key("sk-new", "only", "", "")); got != tenant.AliasTaken {
		t.Errorf("Add with a declared key's alias = %v", got)
	}
	// The store's key has the same id, and is not there twice; nor is it in a
	// list where only the declared one belongs.
	if got := d.Add(key("sk-new", "new", "u", "t")); got != tenant.Added {
		t.Fatalf("Add = %v", got)
	}
	id := key("sk-new", "", "", "").ID
	for owner, want := range map[string][]string{"": {both.ID, only.ID, id}, "u:u": {both.ID, id}, "t:t": {only.ID, id}, "u:x": nil} {
		if got := list(t, d, tenant.Key, owner); !slices.Equal(got, want) {
			t.Errorf("keys of %q: %v, want %v", owner, got, want)
		}
		if got := d.Count(tenant.Key, owner); got != len(want) {
			t.Errorf("Count of keys of %q = %d, want %d", owner, got, len(want))
		}
	}
	if got := list(t, d, tenant.User, ""); !slices.Equal(got, []string{"u"}) || d.Count(tenant.User, "") != 1 {
		t.Errorf("users: %v, Count = %d", got, d.Count(tenant.User, ""))
	}
	for _, stop := range []int{1, 2, 3} {
		n := 0
		d.List(tenant.Key, "", func(string) bool { n++; return n < stop })
		if n != stop {
			t.Errorf("List went on to %d after %d", n, stop)
		}
	}
}

// A hidden key is found, and not listed.
func TestHidden(t *testing.T) {
	master := key("sk-master", "master", "u", "")
	master.Hidden = true
	store := new(quota.Memory)
	tenant.NewDirectory(store, nil).Add(key("sk-master", "", "u", "")) // before it was the master key
	d := tenant.NewDirectory(store, []*tenant.Subject{master, key("sk-1", "", "u", "")})
	if got, st := d.FindKey(&master.Hash); got != master || st != quota.OK {
		t.Errorf("FindKey = %+v, %v", got, st)
	}
	if got := d.Add(key("sk-2", "master", "", "")); got != tenant.AliasTaken {
		t.Errorf("Add with its alias = %v", got)
	}
	for _, owner := range []string{"", "u:u"} {
		if got := list(t, d, tenant.Key, owner); len(got) != 1 || got[0] != key("sk-1", "", "", "").ID || d.Count(tenant.Key, owner) != 1 {
			t.Errorf("keys of %q: %v, Count = %d", owner, got, d.Count(tenant.Key, owner))
		}
	}
}

// Of two that are declared with one id the last counts.
func TestDeclaredTwice(t *testing.T) {
	first, last := key("sk-1", "a", "", ""), key("sk-1", "b", "", "")
	user, again := &tenant.Subject{Kind: tenant.User, ID: "u"}, &tenant.Subject{Kind: tenant.User, ID: "u"}
	d := tenant.NewDirectory(new(quota.Memory), []*tenant.Subject{first, last, user, again})
	if got, _ := d.FindKey(&first.Hash); got != last {
		t.Errorf("FindKey = %+v", got)
	}
	if got, _ := d.Find(tenant.User, "u"); got != again {
		t.Errorf("Find = %+v", got)
	}
	for _, kind := range []tenant.Kind{tenant.Key, tenant.User} {
		if got := list(t, d, kind, ""); len(got) != 1 || d.Count(kind, "") != 1 {
			t.Errorf("kind %d: %v, Count = %d", kind, got, d.Count(kind, ""))
		}
	}
}

func list(t *testing.T, d *tenant.Directory, kind tenant.Kind, owner string) []string {
	t.Helper()
	var ids []string
	if st := d.List(kind, owner, func(id string) bool { ids = append(ids, id); return true }); st != quota.OK {
		t.Fatalf("List = %v", st)
	}
	return ids
}

// What is remembered costs no call of the store while nothing changes; what
// another worker changes is seen with the next exchange.
func TestRemembers(t *testing.T) {
	store := new(flaky)
	one, two := tenant.NewDirectory(store, nil), tenant.NewDirectory(store, nil)
	k, now := key("sk-1", "", "", ""), int64(t0)
	user := &tenant.Subject{Kind: tenant.User, ID: "u"}
	find := func(want quota.Status, gets int) {
		t.Helper()
		two.Refresh(now)
		before := store.gets
		for range 3 {
			_, st := two.FindKey(&k.Hash)
			if got, byID := two.Find(tenant.Key, k.ID); st != want || byID != want || (got != nil) != (want == quota.OK) {
				t.Errorf("FindKey = %v, Find = %v, want %v", st, byID, want)
			}
			if got, st := two.Find(tenant.User, "u"); st != want || (got != nil) != (want == quota.OK) {
				t.Errorf("Find of a user = %v, want %v", st, want)
			}
		}
		if got := store.gets - before; got != gets {
			t.Errorf("%d gets, want %d", got, gets)
		}
	}
	find(quota.NotFound, 2)
	now += 999
	find(quota.NotFound, 0)
	now++
	find(quota.NotFound, 2)
	one.Add(k)
	one.Add(user)
	find(quota.OK, 2)
	find(quota.OK, 0)
	now += 999
	find(quota.OK, 0)
	now++
	find(quota.OK, 2)
	now -= 1 // a clock that steps back
	find(quota.OK, 2)

	first, _ := two.FindKey(&k.Hash)
	now += 1000
	two.Refresh(now)
	if again, _ := two.FindKey(&k.Hash); again != first {
		t.Error("a record that did not change was decoded again")
	}
	one.Change(tenant.Key, k.ID, func(s *tenant.Subject) { s.Blocked = true })
	two.Refresh(now)
	if again, _ := two.FindKey(&k.Hash); !again.Blocked {
		t.Error("a change is not seen")
	}
	if first.Blocked {
		t.Error("a key that was handed out changed")
	}
	one.Remove(tenant.Key, k.ID)
	one.Remove(tenant.User, "u")
	find(quota.NotFound, 2)
	one.Add(k)
	one.Add(user)
	find(quota.OK, 2)

	// What this VM changes it sees at once.
	if _, got := two.Change(tenant.Key, k.ID, func(s *tenant.Subject) { s.Blocked = true }); got != tenant.Changed {
		t.Errorf("Change = %v", got)
	}
	if got, _ := two.FindKey(&k.Hash); !got.Blocked {
		t.Error("a change of its own is not seen")
	}
	two.Remove(tenant.Key, k.ID)
	if _, st := two.FindKey(&k.Hash); st != quota.NotFound {
		t.Errorf("a key that it removed: %v", st)
	}
}

// A store that can't be read answers Failed, and nothing else afterwards because
// of it.
func TestUnreadableStore(t *testing.T) {
	store := new(flaky)
	d := tenant.NewDirectory(store, nil)
	k := key("sk-1", "a", "u", "t")
	d.Add(k)
	d.Refresh(t0)
	fresh := tenant.NewDirectory(store, nil)
	for range 2 {
		store.fails = func(int) bool { return true }
		fresh.Refresh(t0)
		for name, got := range map[string]quota.Status{
			"FindKey":   second(fresh.FindKey(&k.Hash)),
			"Find":      second(fresh.Find(tenant.User, "u")),
			"FindAlias": second(fresh.FindAlias("a")),
			"List":      fresh.List(tenant.Key, "", func(string) bool { t.Error("visited"); return true }),
			"of a user": fresh.List(tenant.Key, "u:u", func(string) bool { t.Error("visited"); return true }),
		} {
			if got != quota.Failed {
				t.Errorf("%s = %v, want Failed", name, got)
			}
		}
		if _, got := fresh.Change(tenant.Key, k.ID, func(*tenant.Subject) {}); got != tenant.StoreFailed {
			t.Errorf("Change = %v", got)
		}
		if got := fresh.Remove(tenant.Key, k.ID); got != tenant.StoreFailed {
			t.Errorf("Remove = %v", got)
		}
		if got := fresh.Add(key("sk-2", "", "", "")); got != tenant.StoreFailed {
			t.Errorf("Add = %v", got)
		}
		store.fails = nil
		if st := second(fresh.FindKey(&k.Hash)); st != quota.OK {
			t.Errorf("afterwards FindKey = %v", st)
		}
		fresh.Refresh(t0 + 1)
		if st := second(fresh.FindKey(&k.Hash)); st != quota.OK {
			t.Errorf("afterwards FindKey = %v", st)
		}
	}
	// A page or a record that fails in the middle of a list.
	for failing := 1; ; failing++ {
		begin := store.calls()
		store.fails = func(call int) bool { return call-begin == failing }
		n := 0
		st := fresh.List(tenant.Key, "u:u", func(string) bool { n++; return true })
		if store.calls()-begin < failing {
			if st != quota.OK || n != 1 {
				t.Errorf("List = %v of %d", st, n)
			}
			break
		}
		if st != quota.Failed {
			t.Errorf("call %d failing: List = %v", failing, st)
		}
	}
}

func second[T any](_ T, st quota.Status) quota.Status { return st }

// However many keys come by, each is found as it is; and a hundred do not drive
// each other out.
func TestMoreThanRemembered(t *testing.T) {
	store := new(flaky)
	d := tenant.NewDirectory(store, nil)
	var keys []*tenant.Subject
	for i := range 3000 {
		keys = append(keys, key("sk-"+strconv.Itoa(i), "", "", ""))
		keys[i].Created = int64(i)
		d.Add(keys[i])
	}
	d.Refresh(t0)
	for range 2 {
		for i, k := range keys {
			if got, st := d.FindKey(&k.Hash); st != quota.OK || got.Hash != k.Hash || got.Created != int64(i) {
				t.Fatalf("key %d: %+v, %v", i, got, st)
			}
		}
	}
	for range 2 {
		store.gets = 0
		for _, k := range keys[:100] {
			d.FindKey(&k.Hash)
		}
	}
	if store.gets > 20 {
		t.Errorf("%d of 100 keys are not remembered", store.gets)
	}
}

func TestAliases(t *testing.T) {
	for _, strict := range []bool{false, true} {
		store := &flaky{strict: strict}
		d := tenant.NewDirectory(store, nil)
		d.Refresh(t0)
		long := strings.Repeat("long ", tenant.MaxID/5)
		rename := func(secret, alias string) tenant.Outcome {
			_, got := d.Change(tenant.Key, key(secret, "", "", "").ID, func(s *tenant.Subject) { s.Alias = alias })
			return got
		}
		for i, c := range []struct {
			act           string
			secret, alias string
			want          tenant.Outcome
		}{
			{"add", "1", "", tenant.Added},
			{"add", "2", "", tenant.Added}, // no alias is nobody's
			{"add", "3", "a", tenant.Added},
			{"add", "3", "a", tenant.Exists},
			{"add", "3", "b", tenant.Exists},
			{"add", "4", "a", tenant.AliasTaken},
			{"add", "4", "b", tenant.Added}, // neither refusal kept "b" or the key
			{"rename", "4", "a", tenant.AliasTaken},
			{"rename", "4", "b", tenant.Changed},
			{"rename", "4", "c", tenant.Changed},
			{"rename", "1", "b", tenant.Changed}, // given back
			{"rename", "2", "c", tenant.AliasTaken},
			{"remove", "4", "", tenant.Removed},
			{"remove", "4", "", tenant.Missing},
			{"rename", "4", "x", tenant.Missing},
			{"rename", "2", "c", tenant.Changed},
			{"rename", "2", "", tenant.Changed},
			{"add", "4", "c", tenant.Added}, // again
			{"remove", "4", "", tenant.Removed},
			{"add", "4", "c", tenant.Added},
			{"add", "5", long, tenant.Added},
			{"add", "6", long, tenant.AliasTaken},
			{"add", "6", long[1:], tenant.Added},
			{"rename", "9", "x", tenant.Missing},
			{"remove", "9", "", tenant.Missing},
		} {
			var got tenant.Outcome
			switch c.act {
			case "add":
				got = d.Add(key(c.secret, c.alias, "", ""))
			case "rename":
				got = rename(c.secret, c.alias)
			default:
				got = d.Remove(tenant.Key, key(c.secret, "", "", "").ID)
			}
			if got != c.want {
				t.Errorf("strict %v, step %d: %s %s %.5q = %v, want %v", strict, i, c.act, c.secret, c.alias, got, c.want)
			}
		}
		for alias, secret := range map[string]string{"a": "3", "b": "1", "c": "4", long: "5", long[1:]: "6", "": "", "x": "", "-": "", long + "x": ""} {
			got, st := d.FindAlias(alias)
			if secret == "" && st != quota.NotFound || secret != "" && (st != quota.OK || got.ID != key(secret, "", "", "").ID) {
				t.Errorf("strict %v: FindAlias(%.5q) = %+v, %v", strict, alias, got, st)
			}
		}
		// Other kinds have aliases that nobody guards.
		for _, id := range []string{"u", "v"} {
			if got := d.Add(&tenant.Subject{Kind: tenant.User, ID: id, Alias: "a"}); got != tenant.Added {
				t.Errorf("a user with an alias: %v", got)
			}
		}
	}
}

// A worker that died after it took an alias holds it for a while, not for ever.
func TestAliasOfADeadWorker(t *testing.T) {
	held := 0
	for failing := range 40 {
		store := new(flaky)
		dead, d := tenant.NewDirectory(store, nil), tenant.NewDirectory(store, nil)
		dead.Refresh(t0)
		store.fails = func(call int) bool { return call > failing }
		dead.Add(key("sk-dead", "a", "u", ""))
		store.fails = nil
		d.Refresh(t0)
		_, st := d.FindAlias("a")
		d.Refresh(t0 + 9999)
		first := d.Add(key("sk-1", "a", "", ""))
		d.Refresh(t0 + 10_000)
		second := d.Add(key("sk-2", "a", "", ""))
		switch {
		case st == quota.OK:
			if first != tenant.AliasTaken || second != tenant.AliasTaken {
				t.Errorf("died after %d calls, with the key made: %v, %v", failing, first, second)
			}
		case first == tenant.AliasTaken && second == tenant.Added:
			held++
		case first != tenant.Added || second != tenant.AliasTaken:
			t.Errorf("died after %d calls: %v, after 10 s %v", failing, first, second)
		}
	}
	if held == 0 {
		t.Error("no dead worker held the alias")
	}
}

func TestChange(t *testing.T) {
	store := new(flaky)
	d := tenant.NewDirectory(store, nil)
	k := full(tenant.Key)
	d.Add(k)
	got, outcome := d.Change(tenant.Key, k.ID, func(s *tenant.Subject) {
		if !reflect.DeepEqual(s, k) {
			t.Errorf("edit got %+v", s)
		}
		s.Kind, s.ID, s.Hash, s.Line, s.Declared, s.Hidden = tenant.Team, "x", [32]byte{}, 1, true, true
		s.Models[0], s.Updated, s.Blocked = "changed", 13, false
		s.PerModel = nil
	})
	want := *full(tenant.Key)
	want.Models[0], want.Updated, want.Blocked, want.PerModel = "changed", 13, false, nil
	if outcome != tenant.Changed || !reflect.DeepEqual(got, &want) {
		t.Errorf("Change = %v\n got %+v\nwant %+v", outcome, got, &want)
	}
	if found, _ := d.FindKey(&k.Hash); !reflect.DeepEqual(found, &want) {
		t.Errorf("afterwards %+v", found)
	}
	m := full(tenant.Member)
	d.Add(m)
	if _, got := d.Change(tenant.Member, m.ID, func(s *tenant.Subject) { s.TeamID, s.UserID = "x", "x" }); got != tenant.Changed {
		t.Errorf("Change = %v", got)
	}
	if found, _ := d.Find(tenant.Member, m.ID); !reflect.DeepEqual(found, m) {
		t.Errorf("a member that is in another team now: %+v", found)
	}
	if _, got := d.Change(tenant.Key, k.ID, func(s *tenant.Subject) { s.Metadata = strings.Repeat("x", tenant.MaxRecord) }); got != tenant.TooLarge {
		t.Errorf("Change = %v", got)
	}
	for _, id := range []string{"", "x", strings.Repeat("x", tenant.MaxID+1)} {
		for kind := range tenant.NumKinds + 1 {
			if _, got := d.Change(kind, id, func(*tenant.Subject) { t.Error("edited") }); got != tenant.Missing {
				t.Errorf("Change(%d, %.5q) = %v", kind, id, got)
			}
			if got := d.Remove(kind, id); got != tenant.Missing {
				t.Errorf("Remove(%d, %.5q) = %v", kind, id, got)
			}
			if _, got := d.Find(kind, id); got != quota.NotFound {
				t.Errorf("Find(%d, %.5q) = %v", kind, id, got)
			}
		}
	}
}

// A record, an index's page or an alias that is damaged or another's opens
// nothing and is not written over.
func TestForeignRecords(t *testing.T) {
	hash := tenant.Hash("sk-1")
	for _, at := range []string{"fs/k/" + string(hash[:]), "fs/a/a", "fs/x/0/k", "fs/x/h/k", "fs/x/0/k/u:u", "fs/v"} {
		for _, foreign := range []string{"", "x", strings.Repeat("another's record ", 20)} {
			store := new(flaky)
			store.Memory.Set(at, []byte(foreign), 0)
			d := tenant.NewDirectory(store, nil)
			d.Refresh(t0)
			got := d.Add(key("sk-1", "a", "u", ""))
			if v, _, _ := store.Memory.Get(at); string(v) != foreign {
				t.Errorf("%q was written over", at)
			}
			_, st := d.FindKey(&hash)
			if (got == tenant.Added) != (st == quota.OK) {
				t.Errorf("%q foreign: Add = %v, FindKey = %v", at, got, st)
			}
			// A page that is another's only has no room.
			if page := strings.HasPrefix(at, "fs/x/0/"); page != (got == tenant.Added) {
				t.Errorf("%q foreign: Add = %v", at, got)
			} else if page && (len(list(t, d, tenant.Key, "u:u")) != 1 || len(list(t, d, tenant.Key, "")) != 1 || d.Count(tenant.Key, "") != 1) {
				t.Errorf("%q foreign: the key is not listed", at)
			}
		}
	}
}

// A host that finds values by a short hash of their keys may give another's: of
// the same sort, whole, and not to be written over.
func TestOthersRecords(t *testing.T) {
	source := new(flaky)
	d := tenant.NewDirectory(source, nil)
	other, free := key("sk-other", "b", "v", ""), key("sk-free", "c", "", "")
	d.Add(other)
	d.Add(free)
	d.Remove(tenant.Key, free.ID)
	d.Add(&tenant.Subject{Kind: tenant.User, ID: "x"})
	for i := range 300 { // so that there is a head
		d.Add(&tenant.Subject{Kind: tenant.User, ID: strings.Repeat("x", 40) + strconv.Itoa(i)})
	}
	k := key("sk-1", "a", "u", "")
	for from, to := range map[string]string{
		"fs/k/" + string(other.Hash[:]): "fs/k/" + string(k.Hash[:]),
		"fs/k/" + string(free.Hash[:]):  "fs/k/" + string(k.Hash[:]),
		"fs/a/b":                        "fs/a/a",
		"fs/a/c":                        "fs/a/a",
		"fs/x/0/u":                      "fs/x/0/k",
		"fs/x/1/u":                      "fs/x/0/k",
		"fs/x/0/k/u:v":                  "fs/x/0/k/u:u",
		"fs/x/h/u":                      "fs/x/h/k",
	} {
		v, _, st := source.Get(from)
		if st != quota.OK {
			t.Fatalf("%q: %v", from, st)
		}
		store := new(flaky)
		store.Memory.Set(to, v, 0)
		d := tenant.NewDirectory(store, nil)
		d.Refresh(t0)
		if st := second(d.FindKey(&k.Hash)); st != quota.NotFound {
			t.Errorf("%q at %q: FindKey = %v", from, to, st)
		}
		if st := second(d.FindAlias("a")); st != quota.NotFound {
			t.Errorf("%q at %q: FindAlias = %v", from, to, st)
		}
		added := d.Add(k) == tenant.Added
		if is, _, _ := store.Memory.Get(to); string(is) != string(v) {
			t.Errorf("%q at %q: written over", from, to)
		}
		if st := second(d.FindKey(&k.Hash)); added != (st == quota.OK) {
			t.Errorf("%q at %q: added %v, FindKey = %v", from, to, added, st)
		}
	}
}

// An index has an end.
func TestFullIndex(t *testing.T) {
	const at = "fs/x/h/c"
	head := binary.LittleEndian.AppendUint64(nil, 0x01485346)
	head = binary.LittleEndian.AppendUint16(head, uint16(len(at)))
	head = binary.LittleEndian.AppendUint16(head, 1<<16-1)
	head = append(append(head, at...), make([]byte, 8<<10)...)
	binary.LittleEndian.PutUint32(head[4:], quota.Checksum(head[8:]))
	store := new(quota.Memory)
	store.Set(at, head, 0)
	d := tenant.NewDirectory(store, nil)
	if got := d.Add(&tenant.Subject{Kind: tenant.Customer, ID: "x"}); got != tenant.Full {
		t.Errorf("Add = %v", got)
	}
	if _, st := d.Find(tenant.Customer, "x"); st != quota.NotFound {
		t.Errorf("Find = %v", st)
	}
	if got := d.Add(&tenant.Subject{Kind: tenant.User, ID: "x"}); got != tenant.Added {
		t.Errorf("Add to another index = %v", got)
	}
}

// What is in the store may be torn for a moment: a reader looks again.
func TestTornReads(t *testing.T) {
	store := &torn{rng: rand.New(rand.NewPCG(1, 2))}
	one, two := tenant.NewDirectory(store, nil), tenant.NewDirectory(store, nil)
	for i := range 500 {
		k := key("sk-"+strconv.Itoa(i), "a"+strconv.Itoa(i), "u", "t")
		if got := one.Add(k); got != tenant.Added {
			t.Fatalf("key %d: Add = %v", i, got)
		}
		two.Refresh(int64(i))
		if got, st := two.FindKey(&k.Hash); st != quota.OK || got.ID != k.ID {
			t.Fatalf("key %d: FindKey = %v", i, st)
		}
		if got, st := two.FindAlias(k.Alias); st != quota.OK || got.ID != k.ID {
			t.Fatalf("key %d: FindAlias = %v", i, st)
		}
		if _, got := two.Change(tenant.Key, k.ID, func(s *tenant.Subject) { s.Blocked = true }); got != tenant.Changed {
			t.Fatalf("key %d: Change = %v", i, got)
		}
		if got := len(list(t, two, tenant.Key, "u:u")); got != i+1 {
			t.Fatalf("%d of %d keys are listed", got, i+1)
		}
	}
}

// torn is a store of which every read in five is torn, never two in a row.
type torn struct {
	quota.Memory
	rng *rand.Rand
	was bool
}

func (s *torn) Get(key string) ([]byte, uint32, quota.Status) {
	v, cas, st := s.Memory.Get(key)
	s.was = !s.was && st == quota.OK && len(v) > 8 && s.rng.IntN(5) == 0
	if s.was {
		v = slices.Clone(v)
		v[s.rng.IntN(len(v))] ^= byte(1 + s.rng.IntN(255))
	}
	return v, cas, st
}

// A model is what directories over one store should say.
type model map[tenant.Kind]map[string]*tenant.Subject

func (m model) owned(kind tenant.Kind, owner string) []string {
	var ids []string
	for id, s := range m[kind] {
		if owner == "" || owner == "u:"+s.UserID || owner == "t:"+s.TeamID {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// check compares all that a directory tells with the model.
func (m model) check(t *testing.T, d *tenant.Directory, owners []string) {
	t.Helper()
	for kind := range tenant.NumKinds {
		for _, owner := range owners {
			want := m.owned(kind, owner)
			if owner != "" && kind != tenant.Key && kind != tenant.Member {
				want = nil
			}
			got := list(t, d, kind, owner)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("kind %d of %q: %d subjects, want %d\n got %.200q\nwant %.200q", kind, owner, len(got), len(want), got, want)
			}
			if n := d.Count(kind, owner); n != len(want) {
				t.Fatalf("kind %d of %q: Count = %d, want %d", kind, owner, n, len(want))
			}
		}
		for id, want := range m[kind] {
			if got, st := d.Find(kind, id); st != quota.OK || !reflect.DeepEqual(got, want) {
				t.Fatalf("kind %d, %.20q: %v\n got %+v\nwant %+v", kind, id, st, got, want)
			}
		}
	}
}

// Random acts through several directories over one store leave what the same
// acts leave in a map, and every directory knows it with its next exchange.
func TestDirectoriesAreOne(t *testing.T) {
	for n := range uint64(16) {
		rng := rand.New(rand.NewPCG(7, n))
		store := &flaky{strict: n%2 == 1}
		dirs := make([]*tenant.Directory, 3)
		for i := range dirs {
			dirs[i] = tenant.NewDirectory(store, nil)
		}
		m, aliases := model{}, map[string]string{}
		for kind := range tenant.NumKinds {
			m[kind] = map[string]*tenant.Subject{}
		}
		names := []string{"", "a", "b", strings.Repeat("long", 50)}
		owners := []string{"", "u:a", "u:b", "u:" + names[3], "t:a", "t:" + names[3], "t:x"}
		for step := range 400 {
			d := dirs[rng.IntN(len(dirs))]
			d.Refresh(t0 + int64(step))
			kind := tenant.Kind(rng.IntN(int(tenant.NumKinds)))
			id := strings.Repeat("i", 1+120*rng.IntN(2)) + strconv.Itoa(rng.IntN(12))
			user, team, alias := names[rng.IntN(len(names))], names[rng.IntN(len(names))], names[rng.IntN(len(names))]
			switch kind {
			case tenant.Key:
				id = key(id, "", "", "").ID
			case tenant.Member:
				id = tenant.MemberID(team, id+user)
			}
			was := m[kind][id]
			free := kind != tenant.Key || alias == "" || aliases[alias] == "" || aliases[alias] == id
			var got, want tenant.Outcome
			switch act := rng.IntN(3); {
			case act == 0:
				s := &tenant.Subject{Kind: kind, ID: id, Alias: alias, UserID: user, TeamID: team, Created: int64(step)}
				if kind == tenant.Key {
					s.Hash, _ = tenant.ParseToken(id)
					s.Line = quota.KeyID(&s.Hash)
				}
				got = d.Add(s)
				switch want = tenant.Added; {
				case was != nil:
					want = tenant.Exists
				case !free:
					want = tenant.AliasTaken
				default:
					m[kind][id] = s
				}
			case act == 1 && was != nil || act == 2:
				var s *tenant.Subject
				s, got = d.Change(kind, id, func(s *tenant.Subject) { s.Alias, s.UserID, s.TeamID, s.Updated = alias, user, team, int64(step) })
				switch want = tenant.Changed; {
				case was == nil:
					want = tenant.Missing
				case !free:
					want = tenant.AliasTaken
				default:
					is := *was
					is.Alias, is.Updated = alias, int64(step)
					if kind != tenant.Member {
						is.UserID, is.TeamID = user, team
					}
					if !reflect.DeepEqual(s, &is) {
						t.Fatalf("run %d step %d: Change gave %+v, want %+v", n, step, s, &is)
					}
					m[kind][id] = &is
				}
			default:
				got, want = d.Remove(kind, id), tenant.Missing
				if was != nil {
					want = tenant.Removed
				}
				delete(m[kind], id)
			}
			if got != want {
				t.Fatalf("run %d step %d: kind %d, %.20q: outcome %v, want %v", n, step, kind, id, got, want)
			}
			clear(aliases)
			for s := range maps.Values(m[tenant.Key]) {
				aliases[s.Alias] = s.ID
			}
			// Who asks in a new exchange knows.
			d = dirs[rng.IntN(len(dirs))]
			d.Refresh(t0 + int64(step))
			if rng.IntN(20) == 0 {
				m.check(t, d, owners)
			}
			if found, st := d.Find(kind, id); st == quota.OK != (m[kind][id] != nil) || found != nil && !reflect.DeepEqual(found, m[kind][id]) {
				t.Fatalf("run %d step %d: kind %d, %.20q: %+v, %v, want %+v", n, step, kind, id, found, st, m[kind][id])
			}
		}
		for _, d := range dirs {
			d.Refresh(t0 + 500)
			m.check(t, d, owners)
		}
	}
}

// Whoever visits may change what is listed, as those do who delete a team's keys.
func TestListWhileRemoving(t *testing.T) {
	d := tenant.NewDirectory(new(flaky), nil)
	for i := range 600 {
		d.Add(key("sk-"+strconv.Itoa(i), "", "", "t"))
	}
	n := 0
	st := d.List(tenant.Key, "t:t", func(id string) bool {
		if n++; n%3 == 0 {
			_, got := d.Change(tenant.Key, id, func(s *tenant.Subject) { s.TeamID = "other" })
			return got == tenant.Changed
		}
		return d.Remove(tenant.Key, id) == tenant.Removed
	})
	if st != quota.OK || n != 600 || d.Count(tenant.Key, "t:t") != 0 || d.Count(tenant.Key, "t:other") != 200 || d.Count(tenant.Key, "") != 200 {
		t.Errorf("%v, %d visited, %d left, %d elsewhere", st, n, d.Count(tenant.Key, "t:t"), d.Count(tenant.Key, "t:other"))
	}
}

// Pages are filled again, whichever entries were taken out; an index is as long
// as what it names needs, and a list reads it once.
func TestIndexReusesRoom(t *testing.T) {
	store := new(flaky)
	d := tenant.NewDirectory(store, nil)
	rng := rand.New(rand.NewPCG(3, 4))
	there := map[string]bool{}
	pages := func() int {
		n := 0
		for {
			if _, _, st := store.Memory.Get("fs/x/" + strconv.Itoa(n) + "/c"); st != quota.OK {
				return n
			}
			n++
		}
	}
	id := func() string { return strings.Repeat("c", rng.IntN(100)) + strconv.Itoa(rng.IntN(1<<30)) }
	for len(there) < 2000 {
		s := id()
		if d.Add(&tenant.Subject{Kind: tenant.Customer, ID: s}) == tenant.Added {
			there[s] = true
		}
	}
	first := pages()
	if most := 2000*(60+6+4)/(7<<10) + 1; first > most || first < 15 {
		t.Errorf("2000 entries on %d pages, want at most %d", first, most)
	}
	for range 4 {
		for s := range maps.Clone(there) {
			if rng.IntN(2) == 0 {
				d.Remove(tenant.Customer, s)
				delete(there, s)
			}
		}
		for len(there) < 2000 {
			s := id()
			if d.Add(&tenant.Subject{Kind: tenant.Customer, ID: s}) == tenant.Added {
				there[s] = true
			}
		}
	}
	if got := pages(); got > first+2 {
		t.Errorf("as many entries take %d pages after others were removed, %d before", got, first)
	}
	begin := store.calls()
	if got := len(list(t, d, tenant.Customer, "")); got != len(there) {
		t.Errorf("%d are listed of %d", got, len(there))
	}
	if got := store.calls() - begin; got > len(there)+pages()+1 {
		t.Errorf("a list of %d takes %d calls", len(there), got)
	}
	begin = store.calls()
	if got := d.Count(tenant.Customer, ""); got != len(there) {
		t.Errorf("Count = %d of %d", got, len(there))
	}
	if got := store.calls() - begin; got > pages()+1 {
		t.Errorf("Count takes %d calls for %d pages", got, pages())
	}
}

// Adding to and removing from a large index take as few calls as from a small one.
func TestIndexCostsTheSame(t *testing.T) {
	store := &flaky{}
	d := tenant.NewDirectory(store, nil)
	most := 0
	do := func(act func() tenant.Outcome, want tenant.Outcome) {
		t.Helper()
		begin := store.calls()
		if got := act(); got != want {
			t.Fatalf("outcome %v, want %v", got, want)
		}
		most = max(most, store.calls()-begin)
	}
	k := func(i int) *tenant.Subject { return key("sk-"+strconv.Itoa(i), "a"+strconv.Itoa(i), "u", "t") }
	for i := range 800 {
		do(func() tenant.Outcome { return d.Add(k(i)) }, tenant.Added)
	}
	for i := range 800 {
		do(func() tenant.Outcome { return d.Remove(tenant.Key, k(i*7%800).ID) }, tenant.Removed)
		do(func() tenant.Outcome { return d.Add(k(i * 7 % 800)) }, tenant.Added)
	}
	// Bump twice, alias, record, and three indexes each of which may be at the end
	// of its page.
	if most > 40 {
		t.Errorf("one act took %d calls of the store", most)
	}
}
