package hostsim_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fairshare/hostsim"
)

// crowd is a model's traffic on several workers: a hog, the first key, and small
// ones, who all want more than their shares. Every answer costs 30 tokens, which is what is held.
type crowd struct {
	*hostsim.Host
	rng    *rand.Rand
	start  time.Time
	open   []*call
	got    [][crowdKeys]int // requests admitted by minute and key
	cost   []int            // tokens by minute, but for what died with a worker
	events []string         // what became of each request
}

type call struct {
	*hostsim.Stream
	due    time.Time
	minute int
}

const (
	crowdKeys     = 5
	crowdTPM      = 6000
	crowdCost     = 30
	crowdStep     = 50 * time.Millisecond
	crowdPriority = 2 // of the keys, those below are of the priority dev
)

func newCrowd(t *testing.T, seed uint64, limiter string) *crowd {
	t.Helper()
	var keys []string
	for i := range crowdKeys {
		hash, priority := sha256.Sum256(fmt.Appendf(nil, "sk-key-%d", i)), "prod"
		if i < crowdPriority {
			priority = "dev"
		}
		keys = append(keys, fmt.Sprintf(`{"key_sha256": "%x", "key_alias": "key-%d", "metadata": {"priority": %q}}`, hash, i, priority))
	}
	config := `{"model_list": [{"model_name": "m", "litellm_params": {"model": "openai/m", "api_base": "http://127.0.0.1:8000/v1", "api_key": "none", "tpm": ` + strconv.Itoa(crowdTPM) + `}}],
		"litellm_settings": ` + limiter + `, "general_settings": {"master_key": "sk-1234"}, "virtual_keys": [` + string(bytes.Join(toBytes(keys), []byte(","))) + `]}`
	start := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	h, err := hostsim.New(t.Context(), hostsim.Options{Module: fairshare(t), Workers: 4, Config: []byte(config), Now: start, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return &crowd{Host: h, rng: rand.New(rand.NewPCG(seed, 7)), start: start}
}

func toBytes(texts []string) (b [][]byte) {
	for _, s := range texts {
		b = append(b, []byte(s))
	}
	return b
}

func (c *crowd) minute() int { return int(c.Now().Sub(c.start) / time.Minute) }

// step lets 50 ms of traffic pass.
func (c *crowd) step() {
	c.Advance(crowdStep)
	now := c.Now()
	for len(c.got) <= c.minute() {
		c.got, c.cost = append(c.got, [crowdKeys]int{}), append(c.cost, 0)
	}
	c.open = slices.DeleteFunc(c.open, func(x *call) bool {
		if x.Over() || x.Client().Cut { // with its worker
			c.cost[x.minute] -= crowdCost
			return true
		}
		if now.Before(x.due) {
			return false
		}
		x.ResponseHeaders(hostsim.Headers{{":status", "200"}, {"content-type", "application/json"}}, false)
		x.ResponseBody([]byte(`{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":23,"total_tokens":30}}`), true)
		return true
	})
	// Who comes when all is spent finds nothing, so the small keys are there when the
	// minute begins.
	begins := now.Sub(c.start)%time.Minute < crowdStep
	for key := 1; key < crowdKeys; key++ {
		if begins || c.rng.IntN(3) == 0 {
			c.ask(key)
		}
	}
	for range 3 {
		c.ask(0)
	}
}

func (c *crowd) ask(key int) {
	s := c.Open(1 + c.rng.IntN(c.Workers()))
	wait := time.Duration(100+c.rng.IntN(500)) * time.Millisecond
	body := []byte(`{"model": "m", "max_tokens": 23, "messages": [{"role": "user", "content": "Hello world!"}]}`)
	s.RequestHeaders(hostsim.Headers{
		{":method", "POST"},
		{":path", "/v1/chat/completions"},
		{":authority", "x"},
		{":scheme", "http"},
		{"authorization", "Bearer sk-key-" + strconv.Itoa(key)},
		{"content-type", "application/json"},
		{"content-length", strconv.Itoa(len(body))},
	}, false)
	s.RequestBody(body, true)
	status := s.Client().Headers.Get(":status")
	c.events = append(c.events, strconv.Itoa(key)+" "+status+s.Client().Headers.Get("retry-after"))
	if status == "" && s.Upstream().Ended {
		c.got[c.minute()][key]++
		c.cost[c.minute()] += crowdCost
		c.open = append(c.open, &call{s, c.Now().Add(wait), c.minute()})
	}
}

// leader is who leads by the lease, and tableAge how old the share table is.
func (c *crowd) leader() (instance uint64, leads bool) {
	v := c.SharedData()["fs/lead"]
	if len(v) < 24 {
		return 0, false
	}
	return binary.LittleEndian.Uint64(v[8:]), int64(binary.LittleEndian.Uint64(v[16:])) > c.Now().UnixMilli()
}

func (c *crowd) tableAge() time.Duration {
	v := c.SharedData()["fs/t/m"]
	if len(v) < 16 {
		return time.Hour
	}
	return time.Duration(c.Now().UnixMilli()-int64(binary.LittleEndian.Uint64(v[8:]))) * time.Millisecond
}

// killLeader traps the leader in the middle of its work: nobody else takes from the
// queue.
func (c *crowd) killLeader(t *testing.T) (worker int) {
	t.Helper()
	before := len(c.Logs())
	for w := range c.Workers() + 1 {
		c.TrapOn(w, "proxy_dequeue_shared_queue", 1)
	}
	worker = -1
	for range 40 {
		c.step()
		for _, l := range c.Logs()[before:] {
			if strings.HasPrefix(l.Message, "trap: "+hostsim.ErrInjected.Error()) {
				worker = l.Worker
			}
		}
		if worker >= 0 {
			break
		}
	}
	if worker < 0 {
		t.Fatal("nobody led")
	}
	for w := range c.Workers() + 1 {
		c.TrapOn(w, "", 0)
	}
	return worker
}

// shown is what /fairshare/shares answers, by a worker that lives.
func (c *crowd) shown(t *testing.T) (answer struct {
	KeysAt time.Time `json:"keys_at"`
	Keys   []struct {
		Alias string `json:"key_alias"`
	}
},
) {
	t.Helper()
	for w := range c.Workers() {
		s := c.Open(w + 1)
		s.RequestHeaders(hostsim.Headers{
			{":method", "GET"},
			{":path", "/fairshare/shares?model=m"},
			{":authority", "x"},
			{":scheme", "http"},
			{"authorization", "Bearer sk-1234"},
		}, true)
		if s.Client().Headers.Get(":status") != "200" {
			continue
		}
		if err := json.Unmarshal(s.Client().Body, &answer); err != nil {
			t.Fatalf("%v: %s", err, s.Client().Body)
		}
		return answer
	}
	t.Fatal("nobody answers")
	return answer
}

// A leader that traps in the middle of its work, twice, changes nothing but that
// another leads within two seconds: no cap is exceeded, every key has its part, the
// share table is 250 ms old at most while somebody leads, and meanwhile reports are
// made of the exact counts.
func TestKilledLeader(t *testing.T) {
	t.Parallel()
	for limiter, least := range map[string][crowdKeys]int{
		// A fifth of 200 requests for each.
		`{"callbacks": ["dynamic_rate_limiter"]}`: {40, 40, 40, 40, 40},
		// dev has a quarter of them for two keys, prod the rest for three.
		`{"callbacks": ["dynamic_rate_limiter_v3"], "priority_reservation": {"dev": 0.25, "prod": 0.75}, "priority_reservation_settings": {"default_priority": 0}}`: {25, 25, 50, 50, 50},
	} {
		for seed := uint64(1); seed <= 2; seed++ {
			t.Run(fmt.Sprintf("seed %d %.38s", seed, limiter), func(t *testing.T) {
				t.Parallel()
				c := newCrowd(t, seed, limiter)
				killed := map[int]bool{}
				led := time.Time{} // since when the present leader is known to lead
				old, _ := uint64(0), false
				var died time.Time
				for c.minute() < 3 {
					at := c.Now().Sub(c.start).Milliseconds()
					if at == 80_000 || at == 100_000 { // in the second minute
						old, _ = c.leader()
						killed[c.killLeader(t)] = true
						died, led = c.Now(), time.Time{}
					}
					c.step()
					now := c.Now()
					if led.IsZero() {
						if a := c.shown(t); !died.IsZero() && (len(a.Keys) != crowdKeys || now.Sub(a.KeysAt) > 250*time.Millisecond) {
							t.Fatalf("without a leader %d keys of %v are shown, at %v", len(a.Keys), a.KeysAt, now)
						}
						if instance, leads := c.leader(); leads && instance != old {
							led = now
							if !died.IsZero() && now.Sub(died) > 2*time.Second {
								t.Errorf("another leads after %v", now.Sub(died))
							}
						} else if !died.IsZero() && now.Sub(died) > 2*time.Second {
							t.Fatalf("nobody leads %v after the leader's death", now.Sub(died))
						}
						continue
					}
					if now.Sub(led) > time.Second && c.tableAge() > 250*time.Millisecond {
						t.Fatalf("%v after the start the share table is %v old", now.Sub(c.start), c.tableAge())
					}
					for minute, cost := range c.cost {
						if cost > crowdTPM {
							t.Fatalf("minute %d took %d tokens of %d", minute, cost, crowdTPM)
						}
					}
				}
				if len(killed) != 2 {
					t.Errorf("the workers %v were killed, want two", killed)
				}
				for minute, got := range c.got[:3] {
					for key, n := range got {
						if n < least[key]-1 {
							t.Errorf("minute %d: key %d got %d requests, its share is %d", minute, key, n, least[key])
						}
					}
				}
				for _, k := range c.shown(t).Keys {
					if k.Alias == "" {
						t.Error("after the leaders died a key's alias is lost")
					}
				}
			})
		}
	}
}

// Without the share table every request is decided as with it.
func TestMissingTableChangesNothing(t *testing.T) {
	t.Parallel()
	const seed = 20261121
	var events [2][]string
	for i := range events {
		c := newCrowd(t, seed, `{"callbacks": ["dynamic_rate_limiter"]}`)
		for c.Now().Sub(c.start) < 70*time.Second {
			c.step()
			if i == 1 {
				c.Evict("fs/t/m")
			}
		}
		events[i] = c.events
	}
	if !slices.Equal(events[0], events[1]) || len(events[0]) < 1000 {
		t.Errorf("seed %d: without a table other requests are admitted", seed)
	}
}
