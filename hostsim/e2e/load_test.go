package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fairshare/hostsim/envoy"
	"fairshare/hostsim/upstream"
)

// seed returns the seed of a test's random choices and prints it.
func seed(t *testing.T) uint64 {
	s := rand.Uint64()
	t.Logf("seed %d", s)
	return s
}

// After many requests of every kind, through minutes that pass meanwhile, the
// books say what the upstream says: each token that it reported once, the
// answers without a usage by estimate, and nothing held.
func TestHammerBooksBalance(t *testing.T) {
	const requests, clients, workers = 100_000, 50, 4
	g := launch(t, config(object{"tpm": 1_000_000_000, "rpm": 1_000_000_000}), envoy.Options{Workers: workers})
	keys := make([]string, 10)
	for i := range keys {
		keys[i] = g.key(t, nil)
	}

	transport := &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	// one sends a request. aborted answers are read up to their first bytes.
	one := func(key, wish string, stream, abort bool) (status int, err error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		body := strings.NewReader(string(ask(upstreamModel, object{"stream": stream})))
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.BaseURL+"/v1/chat/completions", body)
		if err != nil {
			return 0, err
		}
		r.Header.Set("authorization", "Bearer "+key)
		r.Header.Set(upstream.Header, wish)
		response, err := client.Do(r)
		if err != nil {
			return 0, err
		}
		defer response.Body.Close()
		if abort {
			_, err = io.ReadFull(response.Body, make([]byte, 1))
			return response.StatusCode, err
		}
		_, err = io.Copy(io.Discard, response.Body)
		return response.StatusCode, err
	}

	var odd atomic.Int64
	var wg sync.WaitGroup
	s := seed(t)
	for c := range clients {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(s, uint64(c)))
			for range requests / clients {
				key := keys[random.IntN(len(keys))]
				// A prompt of 0 beside a text would not be believed.
				usage := fmt.Sprintf("prompt=%d completion=%d ", 1+random.IntN(50), random.IntN(200))
				var status, want int
				var err error
				broken := false // the client may see an error
				switch n := random.IntN(100); {
				case n < 45:
					status, err = one(key, usage, false, false)
					want = 200
				case n < 75:
					status, err = one(key, usage, true, false)
					want = 200
				case n < 80:
					status, err = one(key, "usage=never", random.IntN(2) == 0, false)
					want = 200
				case n < 85:
					status, err = one(key, "status=500", false, false)
					want = 500
				case n < 90:
					status, err = one(key, "reset=0", false, false)
					want = 503
				case n < 95:
					status, err = one(key, usage+"reset=2", true, false)
					want, broken = 200, true
				default:
					status, err = one(key, usage+"hang=1", true, true)
					want = 200
				}
				if status != want || err != nil && !broken {
					if odd.Add(1) <= 5 {
						t.Errorf("status %d, want %d: %v", status, want, err)
					}
				}
			}
		})
	}
	finished := make(chan struct{})
	go func() {
		wg.Wait()
		close(finished)
	}()
	// A minute passes every two seconds.
	second := time.NewTicker(2 * time.Second)
	defer second.Stop()
	for running, minute := true, 1; running; minute++ {
		select {
		case <-finished:
			running = false
		case <-second.C:
			if err := g.SetClock(start.Add(time.Duration(minute) * time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
	}

	totals := g.idle(t, upstreamModel).Totals
	books := g.up.Books()
	t.Logf("upstream %+v\ngateway %+v", books, totals)
	if totals.Tokens != books.Tokens+totals.EstimatedTokens {
		t.Errorf("%d tokens on the books, want %d reported + %d estimated", totals.Tokens, books.Tokens, totals.EstimatedTokens)
	}
	// Whatever broke off after its headers, or ended without a usage.
	if totals.EstimatedRequests == 0 || totals.EstimatedTokens == 0 {
		t.Error("nothing was estimated, though answers broke off")
	}
	metrics := func() map[string]int64 {
		stats, err := g.Stats("wasmcustom")
		if err != nil {
			t.Fatal(err)
		}
		return stats
	}
	// Workers hand their counters over as they tick.
	deadline := time.Now().Add(10 * time.Second)
	for metrics()["wasmcustom.fairshare_estimated_tokens"] != totals.EstimatedTokens {
		if time.Now().After(deadline) {
			t.Errorf("the metric of estimated tokens is %d, the books say %d",
				metrics()["wasmcustom.fairshare_estimated_tokens"], totals.EstimatedTokens)
			break
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
	for _, none := range []string{"unsettled_requests", "store_failures"} {
		if n := metrics()["wasmcustom.fairshare_"+none]; n != 0 {
			t.Errorf("%s: %d, want none", none, n)
		}
	}
}

// Envoy's memory after ten times as many requests is what it was.
func TestMemoryIsFlat(t *testing.T) {
	const early, late, clients = 50_000, 500_000, 32
	g := launch(t, config(object{"tpm": 1_000_000_000_000}), envoy.Options{Workers: 2})
	keys := make([]string, clients)
	for i := range keys {
		keys[i] = g.key(t, nil)
	}
	resident := func() int64 {
		bytes, _, err := g.Usage()
		if err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	g.hammer(t, keys, early)
	before := resident()
	g.hammer(t, keys, late-early)
	after := resident()
	t.Logf("resident %d MiB after %d requests, %d MiB after %d", before>>20, early, after>>20, late)
	if after > before+before/20 {
		t.Errorf("resident memory grew from %d to %d bytes, more than 5 %%", before, after)
	}
}

// hammer sends n requests, every tenth to the upstream, over one connection
// per key, and fails the test if an answer is not 200.
func (g *gateway) hammer(t *testing.T, keys []string, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for _, key := range keys {
		wg.Go(func() {
			conn, err := net.Dial("tcp", strings.TrimPrefix(g.BaseURL, "http://"))
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			in := bufio.NewReader(conn)
			wire := func(model string) []byte {
				body := ask(model, nil)
				return fmt.Appendf(nil, "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\ncontent-length: %d\r\n\r\n%s", key, len(body), body)
			}
			mock, real := wire(mockModel), wire(upstreamModel)
			for i := range n / len(keys) {
				request := mock
				if i%10 == 9 {
					request = real
				}
				if _, err := conn.Write(request); err != nil {
					t.Error(err)
					return
				}
				response, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
					t.Errorf("request %d: %d %v", i, response.StatusCode, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
