package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"fairshare/hostsim/envoy"
	"fairshare/hostsim/upstream"
)

// burst sends n chat requests at once, the ith with the ith key, over again
// where there are fewer, and returns the answers.
func (g *gateway) burst(t *testing.T, n int, keys []string, model, wish string) []answer {
	t.Helper()
	answers := make([]answer, n)
	errs := make([]error, n)
	body := ask(model, nil)
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			answers[i], errs[i] = g.send(http.MethodPost, "/v1/chat/completions", keys[i%len(keys)], body, upstream.Header, wish)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return answers
}

// passed counts the answers with status 200, and fails the test if another is
// not a 429.
func passed(t *testing.T, answers []answer) int {
	t.Helper()
	n := 0
	for _, a := range answers {
		switch a.status {
		case http.StatusOK:
			n++
		case http.StatusTooManyRequests:
		default:
			t.Fatalf("status %d: %s", a.status, a.body)
		}
	}
	return n
}

// 200 requests at once, where 60 tokens a minute fit two of 30: two pass,
// whether the filter answers or an upstream that takes its time, with one key
// and with 200, on any number of workers. In the first minute nothing is known
// of the upstream's usage, and a third may pass.
func TestBurstNeverOverAdmits(t *testing.T) {
	t.Parallel()
	const connections, rounds = 200, 50
	for _, workers := range []int{2, 4} {
		for _, model := range []string{mockModel, upstreamModel} {
			for _, callers := range []int{1, connections} {
				t.Run(fmt.Sprintf("%dworkers/%s/%dkeys", workers, model, callers), func(t *testing.T) {
					t.Parallel()
					g := launch(t, config(object{"tpm": 60}), envoy.Options{Workers: workers})
					keys := make([]string, callers)
					for i := range keys {
						keys[i] = g.key(t, nil)
					}
					for round := range rounds {
						g.minute(t, round)
						got := passed(t, g.burst(t, connections, keys, model, "delay=300ms"))
						most := 2
						if model == upstreamModel && round == 0 {
							most = 3
						}
						if got > most || got < 2 {
							t.Fatalf("round %d: %d of %d passed, want 2 to %d; the books are %+v",
								round, got, connections, most, g.books(t, model))
						}
					}
					g.idle(t, model)
				})
			}
		}
	}
}

// Of 200 requests at once, rpm: 4 lets exactly four pass.
func TestBurstOfRequests(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{2, 4} {
		t.Run(fmt.Sprintf("%dworkers", workers), func(t *testing.T) {
			t.Parallel()
			g := launch(t, config(object{"rpm": 4}), envoy.Options{Workers: workers})
			for round := range 50 {
				g.minute(t, round)
				if got := passed(t, g.burst(t, 200, []string{master}, mockModel, "")); got != 4 {
					t.Fatalf("round %d: %d passed, want 4", round, got)
				}
			}
		})
	}
}

// A caller who allows 200 tokens an answer and uses 30 gets the rest back: of
// 600 a minute at least 14 calls pass, and what 30 tokens each would allow is
// the most.
func TestRefund(t *testing.T) {
	t.Parallel()
	g := launch(t, config(object{"tpm": 600}), envoy.Options{Workers: 2})
	calls := 0
	for {
		a := g.chat(t, master, upstreamModel, "prompt=10 completion=20", object{"max_tokens": 200})
		if a.status == http.StatusTooManyRequests {
			break
		}
		if a.status != http.StatusOK {
			t.Fatalf("call %d: %d %s", calls, a.status, a.body)
		}
		calls++
		if calls > 20 {
			break
		}
	}
	if calls < 14 || calls > 20 {
		t.Errorf("%d calls passed, want 14 to 20", calls)
	}
}

// Retry-After is true: before it is over the caller is still refused, after it
// he is served.
func TestRetryAfterIsTrue(t *testing.T) {
	t.Parallel()
	g := launch(t, config(object{"tpm": 60}), envoy.Options{Workers: 1})
	passed(t, g.burst(t, 2, []string{master}, mockModel, ""))
	refused := g.chat(t, master, mockModel, "", nil)
	var seconds int
	if _, err := fmt.Sscan(refused.header.Get("retry-after"), &seconds); err != nil {
		t.Fatalf("%d, retry-after %q: %v", refused.status, refused.header.Get("retry-after"), err)
	}
	for _, step := range []struct {
		after time.Duration
		want  int
	}{
		{time.Duration(seconds)*time.Second - time.Millisecond, http.StatusTooManyRequests},
		{time.Duration(seconds) * time.Second, http.StatusOK},
	} {
		if err := g.SetClock(start.Add(step.after)); err != nil {
			t.Fatal(err)
		}
		if a := g.chat(t, master, mockModel, "", nil); a.status != step.want {
			t.Errorf("%v after the refusal: %d, want %d", step.after, a.status, step.want)
		}
	}
}

// Two workers count as one: of 100 requests one by one over new connections,
// which either worker gets, exactly rpm pass.
func TestWorkersCountAsOne(t *testing.T) {
	t.Parallel()
	g := launch(t, config(object{"rpm": 10}), envoy.Options{Workers: 4})
	got := 0
	for range 100 {
		a, err := g.send(http.MethodPost, "/v1/chat/completions", master, ask(mockModel, nil), "connection", "close")
		if err != nil {
			t.Fatal(err)
		}
		got += passed(t, []answer{a})
	}
	if got != 10 {
		t.Errorf("%d passed, want 10", got)
	}
}
