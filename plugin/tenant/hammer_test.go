//go:build !tinygo

// Not in wasm, where its thousands of goroutines take long.

package tenant_test

import (
	"flag"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

// seedFlag repeats a hammer's run; its failures print the seed.
var seedFlag = flag.Uint64("seed", 0, "seed of the hammer tests, 0 for a new one")

func seed(t *testing.T) uint64 {
	s := *seedFlag
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (repeat with -seed=%d)", s, s)
	return s
}

// A turn is a worker's store: each call waits until it is the worker's turn.
// Some swaps are lost although nobody came between.
type turn struct {
	store quota.Store
	lost  func() bool
	begin chan bool // false kills the worker
	done  chan bool // false when the worker has ended
}

// dead is how a worker ends that is killed.
type dead struct{}

func (w turn) wait() {
	w.done <- true
	if !<-w.begin {
		panic(dead{})
	}
}

func (w turn) Get(key string) ([]byte, uint32, quota.Status) {
	w.wait()
	v, cas, st := w.store.Get(key)
	return slices.Clone(v), cas, st
}

func (w turn) Set(key string, value []byte, cas uint32) quota.Status {
	w.wait()
	// What can't be lost is Envoy's creation of a value.
	if cas != 0xFFFFFFFF && w.lost() {
		return quota.Mismatch
	}
	return w.store.Set(key, value, cas)
}

// A script is what one worker does with its directory.
type script func(d *tenant.Directory)

// race runs the scripts, each in a worker of its own, their calls of the store
// in the order that pick chooses among n workers; pick kills the worker when it
// says so. between runs between any two calls.
func race(store quota.Store, scripts []script, pick func(n int) (i int, kill bool), lost func() bool, between func()) {
	var waiting []turn
	for _, s := range scripts {
		w := turn{store, lost, make(chan bool), make(chan bool)}
		go func() {
			defer func() {
				if r := recover(); r != nil && r != (dead{}) {
					panic(r)
				}
				w.done <- false
			}()
			d := tenant.NewDirectory(w, nil)
			s(d)
		}()
		if <-w.done {
			waiting = append(waiting, w)
		}
	}
	for len(waiting) > 0 {
		i, kill := pick(len(waiting))
		w := waiting[i]
		w.begin <- !kill
		if !<-w.done {
			waiting = slices.Delete(waiting, i, i+1)
		}
		between()
	}
}

func never() bool { return false }

// bursts picks workers at random, in some runs each for many calls on end: what
// takes one worker long may happen between two calls of another.
func bursts(rng *rand.Rand) func(n int) (int, bool) {
	last, stay := 0, []int{0, 50, 90, 97}[rng.IntN(4)]
	return func(n int) (int, bool) {
		if last >= n || rng.IntN(100) >= stay {
			last = rng.IntN(n)
		}
		return last, false
	}
}

// A schedule goes through all orders of the workers' calls, one after the other.
// next reports whether there is one that was not run yet.
type schedule struct {
	choices, among []int
	at             int
}

func (s *schedule) pick(n int) (int, bool) {
	if s.at == len(s.choices) {
		s.choices, s.among = append(s.choices, 0), append(s.among, n)
	}
	s.at++
	return s.choices[s.at-1], false
}

func (s *schedule) next() bool {
	s.at = 0
	for n := len(s.choices) - 1; n >= 0; n-- {
		if s.choices[n]++; s.choices[n] < s.among[n] {
			s.choices, s.among = s.choices[:n+1], s.among[:n+1]
			return true
		}
	}
	return false
}

// Of two workers at once exactly one has the key or the alias for which they
// race, and what the other took on its way is free.
func TestHammerAdd(t *testing.T) {
	first := seed(t)
	for _, c := range []struct {
		name string
		keys [2]*tenant.Subject
		loss tenant.Outcome
	}{
		{"one alias", [2]*tenant.Subject{key("sk-1", "a", "", ""), key("sk-2", "a", "", "")}, tenant.AliasTaken},
		{"one key", [2]*tenant.Subject{key("sk-1", "a", "u", ""), key("sk-1", "b", "", "t")}, tenant.Exists},
		{"one key without alias", [2]*tenant.Subject{key("sk-1", "", "u", ""), key("sk-1", "", "u", "")}, tenant.Exists},
		{"one key and one alias", [2]*tenant.Subject{key("sk-1", "a", "", ""), key("sk-1", "a", "", "")}, tenant.AliasTaken},
	} {
		for _, strict := range []bool{false, true} {
			for n := range uint64(1500) {
				rng := rand.New(rand.NewPCG(first, n))
				store := &flaky{strict: strict}
				var got [2]tenant.Outcome
				var scripts []script
				for i, k := range c.keys {
					scripts = append(scripts, func(d *tenant.Directory) { got[i] = d.Add(k) })
				}
				race(store, scripts, bursts(rng), func() bool { return rng.IntN(20) == 0 }, func() {})
				won := 0
				if got[1] == tenant.Added {
					won = 1
				}
				lost := 1 - won
				// The loser may come when the winner is through.
				if got[won] != tenant.Added || got[lost] != c.loss && got[lost] != tenant.Exists {
					t.Fatalf("%s, strict %v, seed %d run %d: %v", c.name, strict, first, n, got)
				}
				d := tenant.NewDirectory(store, nil)
				if k, st := d.FindKey(&c.keys[won].Hash); st != quota.OK || k.Alias != c.keys[won].Alias || k.UserID != c.keys[won].UserID {
					t.Fatalf("%s, strict %v, seed %d run %d: the winner is %+v, %v", c.name, strict, first, n, k, st)
				}
				if got := list(t, d, tenant.Key, ""); len(got) != 1 || got[0] != c.keys[won].ID || d.Count(tenant.Key, "") != 1 {
					t.Fatalf("%s, strict %v, seed %d run %d: listed %v, Count = %d", c.name, strict, first, n, got, d.Count(tenant.Key, ""))
				}
				for i, k := range c.keys {
					want := tenant.Added
					if k.Alias != "" && k.Alias == c.keys[won].Alias {
						want = tenant.AliasTaken
					}
					if got := d.Add(key("sk-later-"+strconv.Itoa(i), k.Alias, "", "")); got != want {
						t.Fatalf("%s, strict %v, seed %d run %d: alias %q afterwards: %v, want %v", c.name, strict, first, n, k.Alias, got, want)
					}
				}
			}
		}
	}
}

// Two workers that edit one subject, in every order of their calls of the store:
// neither change is lost.
func TestHammerChangeInEveryOrder(t *testing.T) {
	for _, strict := range []bool{false, true} {
		var s schedule
		runs := 0
		for more := true; more; more = s.next() {
			runs++
			store := &flaky{strict: strict}
			u := &tenant.Subject{Kind: tenant.User, ID: "u"}
			tenant.NewDirectory(store, nil).Add(u)
			var got [2]tenant.Outcome
			race(store, []script{
				func(d *tenant.Directory) {
					_, got[0] = d.Change(tenant.User, "u", func(s *tenant.Subject) { s.Email = "new" })
				},
				func(d *tenant.Directory) {
					_, got[1] = d.Change(tenant.User, "u", func(s *tenant.Subject) { s.Created++ })
				},
			}, s.pick, never, func() {})
			found, st := tenant.NewDirectory(store, nil).Find(tenant.User, "u")
			if got != [2]tenant.Outcome{tenant.Changed, tenant.Changed} || st != quota.OK || found.Email != "new" || found.Created != 1 {
				t.Fatalf("strict %v, order %v: %v, %+v, %v", strict, s.choices, got, found, st)
			}
		}
		if runs < 500 {
			t.Errorf("only %d orders were tried", runs)
		}
	}
}

// Eight workers edit one key, each its own field and all of them one: every
// edit counts.
func TestHammerChange(t *testing.T) {
	first := seed(t)
	for n := range uint64(60) {
		rng := rand.New(rand.NewPCG(first, n))
		store := &flaky{strict: n%2 == 1}
		k := key("sk-1", "a", "u", "t")
		k.PerModel = make([]tenant.ModelLimits, 8)
		tenant.NewDirectory(store, nil).Add(k)
		var scripts []script
		for w := range 8 {
			scripts = append(scripts, func(d *tenant.Directory) {
				for i := range 5 {
					_, got := d.Change(tenant.Key, k.ID, func(s *tenant.Subject) {
						s.Created++
						s.PerModel[w].TPM = limit(s.PerModel[w].TPM.Max + 1)
						switch w {
						case 0:
							s.Alias = "a" + strconv.Itoa(i)
						case 1:
							s.UserID = "u" + strconv.Itoa(i)
						case 2:
							s.TeamID = "t" + strconv.Itoa(i%2)
						}
					})
					if got != tenant.Changed {
						t.Errorf("seed %d run %d: Change = %v", first, n, got)
					}
				}
			})
		}
		race(store, scripts, bursts(rng), func() bool { return rng.IntN(30) == 0 }, func() {})
		d := tenant.NewDirectory(store, nil)
		got, st := d.FindKey(&k.Hash)
		if st != quota.OK || got.Created != 40 || got.Alias != "a4" || got.UserID != "u4" || got.TeamID != "t0" {
			t.Fatalf("seed %d run %d: %+v, %v", first, n, got, st)
		}
		for w := range 8 {
			if got.PerModel[w].TPM.Max != 5 {
				t.Fatalf("seed %d run %d: worker %d's edits count %d times", first, n, w, got.PerModel[w].TPM.Max)
			}
		}
		for owner, want := range map[string]int{"": 1, "u:u": 0, "u:u3": 0, "u:u4": 1, "t:t": 0, "t:t1": 0, "t:t0": 1} {
			if got := len(list(t, d, tenant.Key, owner)); got != want || d.Count(tenant.Key, owner) != want {
				t.Fatalf("seed %d run %d: %d keys of %q, Count = %d, want %d", first, n, got, owner, d.Count(tenant.Key, owner), want)
			}
		}
		for _, alias := range []string{"a", "a0", "a1", "a2", "a3", "a4"} {
			want := tenant.Added
			if alias == "a4" {
				want = tenant.AliasTaken
			}
			if got := d.Add(key("sk-"+alias, alias, "", "")); got != want {
				t.Fatalf("seed %d run %d: alias %q afterwards: %v, want %v", first, n, alias, got, want)
			}
		}
	}
}

// Whoever lists clears away what dead workers left, and never what one that is
// at work is about to need.
func TestHammerList(t *testing.T) {
	first := seed(t)
	for n := range uint64(4000) {
		rng := rand.New(rand.NewPCG(first, n))
		store := &flaky{strict: n%2 == 1}
		added, changed := key("sk-1", "", "u", ""), key("sk-2", "", "u", "")
		tenant.NewDirectory(store, nil).Add(changed)
		race(store, []script{
			func(d *tenant.Directory) {
				if got := d.Add(added); got != tenant.Added {
					t.Errorf("Add = %v", got)
				}
			},
			func(d *tenant.Directory) {
				if _, got := d.Change(tenant.Key, changed.ID, func(s *tenant.Subject) { s.UserID = "v" }); got != tenant.Changed {
					t.Errorf("Change = %v", got)
				}
			},
			func(d *tenant.Directory) { list(t, d, tenant.Key, "") },
			func(d *tenant.Directory) { list(t, d, tenant.Key, "u:v") },
		}, bursts(rng), func() bool { return rng.IntN(10) == 0 }, func() {})
		d := tenant.NewDirectory(store, nil)
		for owner, want := range map[string]int{"": 2, "u:u": 1, "u:v": 1} {
			if got := len(list(t, d, tenant.Key, owner)); got != want || d.Count(tenant.Key, owner) != want {
				t.Fatalf("seed %d run %d: %d keys of %q, Count = %d, want %d", first, n, got, owner, d.Count(tenant.Key, owner), want)
			}
		}
	}
}

// alive are the keys that there are, by ID.
func alive(t *testing.T, store quota.Store, ids []string) map[string]*tenant.Subject {
	t.Helper()
	d, found := tenant.NewDirectory(store, nil), map[string]*tenant.Subject{}
	for _, id := range ids {
		if k, st := d.Find(tenant.Key, id); st == quota.OK {
			found[id] = k
		} else if st != quota.NotFound {
			t.Fatalf("Find = %v", st)
		}
	}
	return found
}

// sound checks what must be true of keys when nobody is at work: lists, counts
// and aliases say what the records say, and all that no key has is free once
// those who died had their time.
func sound(t *testing.T, store quota.Store, ids, aliases, owners []string, now int64, context func() string) {
	t.Helper()
	keys := alive(t, store, ids)
	d := tenant.NewDirectory(store, nil)
	d.Refresh(now)
	for _, owner := range owners {
		var want []string
		for id, k := range keys {
			if owner == "" || owner == "u:"+k.UserID || owner == "t:"+k.TeamID {
				want = append(want, id)
			}
		}
		slices.Sort(want)
		for range 2 {
			got := list(t, d, tenant.Key, owner)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("%s: keys of %q:\n got %q\nwant %q", context(), owner, got, want)
			}
		}
		if got := d.Count(tenant.Key, owner); got != len(want) {
			t.Fatalf("%s: Count of keys of %q = %d, want %d", context(), owner, got, len(want))
		}
	}
	for i, alias := range aliases {
		holder := ""
		for id, k := range keys {
			if k.Alias == alias {
				if holder != "" {
					t.Fatalf("%s: two keys have the alias %q", context(), alias)
				}
				holder = id
			}
		}
		want := tenant.Added
		switch k, st := d.FindAlias(alias); {
		case holder == "" && st != quota.NotFound, holder != "" && (st != quota.OK || k.ID != holder):
			t.Fatalf("%s: FindAlias(%q) = %+v, %v, want %q", context(), alias, k, st, holder)
		case holder != "":
			want = tenant.AliasTaken
		}
		if got := d.Add(key("sk-later-"+strconv.Itoa(i), alias, "", "")); got != want {
			t.Fatalf("%s: alias %q afterwards: %v, want %v", context(), alias, got, want)
		}
	}
}

// Many workers add, change and remove the same few keys under the same few
// aliases, in random orders, losing swaps and dying: at no time do two keys have
// one alias, every success happened once, and what is left is sound.
func TestHammerAll(t *testing.T) {
	first := seed(t)
	aliases, owners := []string{"a", "b", "c"}, []string{"", "u:x", "u:y", "t:x", "t:y"}
	names := []string{"", "x", "y"}
	var ids []string
	for i := range 4 {
		ids = append(ids, key("sk-"+strconv.Itoa(i), "", "", "").ID)
	}
	for n := range uint64(400) {
		rng := rand.New(rand.NewPCG(first, n))
		store := &flaky{strict: n%2 == 1}
		deaths := 0
		if n%3 == 0 {
			deaths = 4
		}
		// Some workers stand still while others' clocks go on.
		late := n%5 == 0
		context := func() string { return "seed " + strconv.FormatUint(first, 10) + " run " + strconv.FormatUint(n, 10) }
		born := map[string]int{} // additions less removals that were told
		dying := map[string]int{}
		var scripts []script
		for range 2 + rng.IntN(7) {
			scripts = append(scripts, func(d *tenant.Directory) {
				for range 1 + rng.IntN(6) {
					now := int64(t0)
					if late {
						now += int64(rng.IntN(30_000))
					}
					d.Refresh(now)
					i := rng.IntN(len(ids))
					id := ids[i]
					alias, user, team := aliases[rng.IntN(len(aliases))], names[rng.IntN(3)], names[rng.IntN(3)]
					dying[id]++ // who dies does not tell what became of it
					var got tenant.Outcome
					switch rng.IntN(4) {
					case 0:
						if got = d.Add(key("sk-"+strconv.Itoa(i), alias, user, team)); got == tenant.Added {
							born[id]++
						}
					case 1:
						_, got = d.Change(tenant.Key, id, func(s *tenant.Subject) { s.Alias, s.UserID, s.TeamID = alias, user, team })
					case 2:
						d.List(tenant.Key, owners[rng.IntN(len(owners))], func(string) bool { return true })
					default:
						if got = d.Remove(tenant.Key, id); got == tenant.Removed {
							born[id]--
						}
					}
					dying[id]--
					if got == tenant.StoreFailed {
						t.Errorf("%s: the store works, and yet it failed", context())
					}
				}
			})
		}
		burst := bursts(rng)
		pick := func(n int) (int, bool) {
			i, _ := burst(n)
			kill := deaths > 0 && rng.IntN(150) == 0
			if kill {
				deaths--
			}
			return i, kill
		}
		step := 0
		race(store, scripts, pick, func() bool { return rng.IntN(40) == 0 }, func() {
			if step++; step%8 != 0 {
				return
			}
			has := map[string]string{}
			for id, k := range alive(t, &store.Memory, ids) {
				if k.Alias != "" && has[k.Alias] != "" {
					t.Fatalf("%s step %d: two keys have the alias %q", context(), step, k.Alias)
				}
				has[k.Alias] = id
			}
		})
		keys := alive(t, store, ids)
		for _, id := range ids {
			is := 0
			if keys[id] != nil {
				is = 1
			}
			if dying[id] == 0 && born[id] != is {
				t.Fatalf("%s: %d additions less removals of a key, but there are %d of it", context(), born[id], is)
			}
		}
		now := int64(t0)
		if n%3 == 0 || late {
			now += 40_000
		}
		sound(t, store, ids, aliases, owners, now, context)
	}
}

// Whichever call of the store fails, or all from it on: a key is there whole or
// not at all, as the outcome says, and all else is free.
func TestFailingStore(t *testing.T) {
	aliases := []string{"a", "b"}
	owners := []string{"", "u:u", "u:v", "t:t", "t:s"}
	id := key("sk-1", "", "", "").ID
	for name, act := range map[string]func(d *tenant.Directory) bool{
		"Add": func(d *tenant.Directory) bool {
			return d.Add(key("sk-2", "b", "u", "t")) == tenant.Added
		},
		"Change": func(d *tenant.Directory) bool {
			_, got := d.Change(tenant.Key, id, func(s *tenant.Subject) { s.Alias, s.UserID, s.TeamID = "b", "v", "s" })
			return got == tenant.Changed
		},
		"Remove": func(d *tenant.Directory) bool { return d.Remove(tenant.Key, id) == tenant.Removed },
	} {
		for _, strict := range []bool{false, true} {
			for _, forGood := range []bool{false, true} {
				failed := 0
				for failing := 1; ; failing++ {
					store := &flaky{strict: strict}
					setup := tenant.NewDirectory(store, nil)
					setup.Refresh(t0)
					if setup.Add(key("sk-1", "a", "u", "t")) != tenant.Added {
						t.Fatal("not added")
					}
					begin := store.calls()
					store.fails = func(call int) bool { return call-begin == failing || forGood && call-begin > failing }
					d := tenant.NewDirectory(store, nil)
					d.Refresh(t0)
					ok := act(d)
					through := store.calls()-begin < failing
					store.fails = nil
					context := func() string {
						return name + ", strict " + strconv.FormatBool(strict) + ", for good " + strconv.FormatBool(forGood) + ", call " + strconv.Itoa(failing)
					}
					keys := alive(t, store, []string{id, key("sk-2", "", "", "").ID})
					one, two := keys[id], keys[key("sk-2", "", "", "").ID]
					var right bool
					switch name {
					case "Add":
						right = (two != nil) == ok && one != nil && (two == nil || two.Alias == "b")
					case "Change":
						right = one != nil && (one.Alias == "b") == ok && (one.UserID == "v") == ok && (one.TeamID == "s") == ok
					default:
						right = (one == nil) == ok
					}
					if !right {
						t.Errorf("%s: success %v, but %+v, %+v", context(), ok, one, two)
					}
					if !ok {
						failed++
					}
					now := int64(t0)
					if forGood || ok && !through {
						now += 10_000 // what could not be given back
					}
					sound(t, store, []string{id, key("sk-2", "", "", "").ID}, aliases, owners, now, context)
					if through {
						if !ok {
							t.Errorf("%s: failed with a store that works", context())
						}
						break
					}
				}
				if failed < 4 {
					t.Errorf("%s: failed at %d calls alone", name, failed)
				}
			}
		}
	}
}

// locked is a store for goroutines, as Envoy's shared data is for its workers.
type locked struct {
	mu sync.Mutex
	m  quota.Memory
}

func (s *locked) Get(key string) ([]byte, uint32, quota.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, cas, st := s.m.Get(key)
	return slices.Clone(v), cas, st
}

func (s *locked) Set(key string, value []byte, cas uint32) quota.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.Set(key, value, cas)
}

// Workers on real threads add to one index, list it and take out again.
func TestHammerThreads(t *testing.T) {
	s := new(locked)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			d := tenant.NewDirectory(s, nil)
			for i := range 200 {
				d.Refresh(t0 + int64(i))
				k := key("sk-"+strconv.Itoa(w)+"-"+strconv.Itoa(i), "", "u", "t"+strconv.Itoa(w))
				if got := d.Add(k); got != tenant.Added {
					t.Errorf("Add = %v", got)
				}
				if i%3 == 0 {
					if got := d.Remove(tenant.Key, k.ID); got != tenant.Removed {
						t.Errorf("Remove = %v", got)
					}
				}
				if i%50 == 0 {
					if st := d.List(tenant.Key, "u:u", func(string) bool { return true }); st != quota.OK {
						t.Errorf("List = %v", st)
					}
				}
			}
		}()
	}
	wg.Wait()
	d := tenant.NewDirectory(s, nil)
	const want = 8 * 133
	if got := len(list(t, d, tenant.Key, "u:u")); got != want || d.Count(tenant.Key, "u:u") != want || d.Count(tenant.Key, "") != want {
		t.Errorf("%d listed, Count = %d of the user, %d of all, want %d", got, d.Count(tenant.Key, "u:u"), d.Count(tenant.Key, ""), want)
	}
}
