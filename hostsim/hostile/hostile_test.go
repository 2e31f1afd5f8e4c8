// Package hostile sends Envoy with the filter what clients and upstreams must not be
// able to hurt it with, mixed with requests that are as they should be, and compares
// its books with what the upstream answered.
//
// It has nothing but a test. HOSTILETIME says for how long (5s), HOSTILESEED which.
package hostile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fairshare/hostsim/envoy"
	"fairshare/hostsim/upstream"
)

const (
	master  = "sk-1234"
	behind  = "upstream.test"
	workers = 4
	clients = 16
	// rough of the clients meet answers that are charged by estimate.
	rough = 4
	// Money is in millionths of a dollar: 1 for a token of input, 10 for one of output.
	input, output = 1, 10
)

type (
	object = map[string]any
	list   = []any
)

// A ledger is what the upstream served, by the end user that the body names: this
// test's clients write their key's number there.
type ledger struct {
	mu   sync.Mutex
	cost map[string]int64
	seen map[string]int64 // of odd requests that arrived, by their kind
}

func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	var ask struct {
		User    string
		Model   string
		Stream  bool
		Options struct {
			Usage bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	if err != nil {
		return // the client left
	}
	if json.Unmarshal(raw, &ask) != nil || ask.Model != "real-name" {
		l.note("a body that is no request for the model")
	}
	if kind := r.Header.Get("content-type"); kind != "application/json" {
		l.note("content-type " + kind)
	}
	if r.Header.Get("content-encoding") != "" {
		l.note("content-encoding")
	}
	for name := range r.Header {
		if strings.HasPrefix(strings.ToLower(name), "x-envoy-upstream-rq") || strings.HasPrefix(strings.ToLower(name), "x-envoy-retry") {
			l.note(name)
		}
	}
	key, in, out := strings.Split(ask.User, ":"), int64(0), int64(0)
	if len(key) != 3 {
		l.note("a user that no client named")
		return
	}
	in, _ = strconv.ParseInt(key[1], 10, 64)
	end, mode, _ := strings.Cut(key[2], "-")
	out, _ = strconv.ParseInt(end, 10, 64)
	if mode == "error" {
		w.Header().Set("content-type", "application/json")
		io.WriteString(w, []string{`{"error":{"message":"no"}}`, `{"detail":"no"}`, `{"object":"error","message":"no"}`, "no"}[in%4])
		return // and costs nothing
	}
	if mode == "reset" {
		panic(http.ErrAbortHandler)
	}
	l.mu.Lock()
	l.cost[key[0]] += in*input + out*output
	l.mu.Unlock()
	usage := fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, in, out, in+out)
	switch mode {
	case "absurd":
		usage = `{"prompt_tokens":1e30,"completion_tokens":1e308,"total_tokens":9e999}`
	case "words":
		usage = fmt.Sprintf(`{"input_tokens":%d,"output_tokens":%d}`, in, out)
	case "slow": // its client leaves
		time.Sleep(20 * time.Millisecond)
	case "cut":
		w.Header().Set("content-type", "text/event-stream")
		fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case "gzip":
		w.Header().Set("content-type", "application/json")
		w.Header().Set("content-encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprintf(z, `{"choices":[{"message":{"content":"hi"}}],"usage":%s}`, usage)
		z.Close()
		return
	}
	if r.URL.Path == "/v1/embeddings" {
		w.Header().Set("content-type", "application/json")
		fmt.Fprintf(w, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":%d,"total_tokens":%d}}`, in, in)
		return
	}
	if ask.Stream {
		w.Header().Set("content-type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\ndata: {\"choices\":[],\"usage\":%s}\n\ndata: [DONE]\n\n", usage)
		return
	}
	w.Header().Set("content-type", "application/json")
	fmt.Fprintf(w, `{"choices":[{"message":{"content":"hi"}}],"usage":%s}`, usage)
}

func (l *ledger) note(kind string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[kind]++
}

// lasts reads a number of HOSTILETIME or HOSTILESEED.
func lasts(t *testing.T) (d time.Duration, seed uint64) {
	d, seed = 5*time.Second, rand.Uint64()
	var err error
	if v := os.Getenv("HOSTILETIME"); v != "" {
		if d, err = time.ParseDuration(v); err != nil {
			t.Fatal(err)
		}
	}
	if v := os.Getenv("HOSTILESEED"); v != "" {
		if seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	return d, seed
}

func TestHostileRequests(t *testing.T) {
	lasting, seed := lasts(t)
	t.Logf("HOSTILETIME=%v HOSTILESEED=%d", lasting, seed)
	up := &ledger{cost: map[string]int64{}, seen: map[string]int64{}}
	config, err := json.Marshal(object{
		"model_list": list{object{"model_name": "m", "litellm_params": object{
			"model": "openai/real-name", "api_key": "provider-secret", "api_base": "http://" + behind + "/v1",
			"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-5, "tpm": 1_000_000_000, "rpm": 100_000_000,
		}}},
		// Every name that a client gives is an end user with a budget.
		"litellm_settings": object{"callbacks": list{"dynamic_rate_limiter"}, "max_end_user_budget": 1_000_000},
		"general_settings": object{"master_key": master},
	})
	if err != nil {
		t.Fatal(err)
	}
	g := envoy.Start(t, envoy.Options{
		Config: config, Workers: workers, Timeout: time.Minute,
		Upstreams: map[string]string{behind: upstream.Start(t, up)}, Now: time.Date(2025, 11, 21, 10, 0, 5, 0, time.UTC),
	})
	web := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true}}
	send := func(method, path, key string, body []byte, headers ...string) (int, []byte) {
		r, err := http.NewRequest(method, g.BaseURL+path, bytes.NewReader(body))
		if err != nil {
			return 0, nil
		}
		r.Header.Set("authorization", "Bearer "+key)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		a, err := web.Do(r)
		if err != nil {
			return 0, nil
		}
		defer a.Body.Close()
		b, _ := io.ReadAll(a.Body) // what broke off is judged by the status
		return a.StatusCode, b
	}
	made := func(path, body string) {
		t.Helper()
		if status, answer := send("POST", path, master, []byte(body)); status != 200 {
			t.Fatalf("%s: %d %s", path, status, answer)
		}
	}
	made("/team/new", `{"team_id":"t","max_budget":1000000}`)
	made("/user/new", `{"user_id":"u","max_budget":1000000,"auto_create_key":false}`)
	keys := make([]string, clients)
	asked := make([]int64, clients) // by the rough ones
	for i := range keys {
		limits := `{"key_alias":"k` + strconv.Itoa(i) + `"` + []string{`,"max_budget":1000000`, ``, `,"team_id":"t"`, `,"user_id":"u","rpm_limit":10000000`}[i%4] + `}`
		var made struct{ Key string }
		status, body := send("POST", "/key/generate", master, []byte(limits))
		if json.Unmarshal(body, &made) != nil || made.Key == "" {
			t.Fatalf("/key/generate: %d %s", status, body)
		}
		keys[i] = made.Key
	}
	filler := strings.Repeat("a", 8<<20)
	one := func(i int, random *rand.Rand) {
		key := keys[i]
		in, out := 1+random.IntN(50), random.IntN(200) // a prompt of 0 beside a text would not be believed
		mode := []string{"", "", "", "-error", "-reset", "-words"}[random.IntN(6)]
		if i >= clients-rough {
			mode = []string{"", "-absurd", "-cut", "-gzip", "-slow"}[random.IntN(5)]
		}
		caps := []string{"", "", `"max_tokens":1,`, `"max_tokens":100000,"n":2,`, `"max_completion_tokens":-1,`}[random.IntN(5)]
		valid := fmt.Sprintf(`{"model":"m",%s"stream":%v,"user":"k%d:%d:%d%s","messages":[{"role":"user","content":"%s"}]}`,
			caps, random.IntN(2) == 0, i, in, out, mode, filler[:1<<random.IntN(18)])
		if i >= clients-rough {
			atomic.AddInt64(&asked[i], 1)
			if mode == "-slow" {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				defer cancel()
				r, _ := http.NewRequestWithContext(ctx, "POST", g.BaseURL+"/v1/chat/completions", strings.NewReader(valid))
				r.Header.Set("authorization", "Bearer "+key)
				if a, err := web.Do(r); err == nil {
					a.Body.Close()
				}
				return
			}
			send("POST", "/v1/chat/completions", key, []byte(valid))
			return
		}
		raw := func(wire string, wait time.Duration) {
			c, err := net.Dial("tcp", strings.TrimPrefix(g.BaseURL, "http://"))
			if err != nil {
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(wait)) // whoever is cut off here is meant to be
			_, _ = io.WriteString(c, wire)
			_, _ = bufio.NewReader(c).ReadString(0)
		}
		head := "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " + key + "\r\n"
		const chat = "/v1/chat/completions"
		switch n := random.IntN(100); {
		case n < 40:
			send("POST", chat, key, []byte(valid))
		case n < 45:
			send("POST", "/v1/embeddings", key, fmt.Appendf(nil, `{"model":"m","user":"k%d:%d:0","input":"%s"}`, i, in, filler[:1<<random.IntN(12)]))
		case n < 47: // a key that is replaced while a request of it is in flight
			var wg sync.WaitGroup
			wg.Go(func() { send("POST", chat, key, []byte(valid)) })
			var made struct{ Key string }
			status, body := send("POST", "/key/"+key+"/regenerate", master, []byte(`{}`))
			wg.Wait()
			if json.Unmarshal(body, &made) != nil || made.Key == "" {
				t.Errorf("/key/regenerate: %d %s", status, body)
				return
			}
			keys[i] = made.Key
		case n < 50: // names of end users that nobody hears of again
			send("POST", chat, "sk-nobody-at-all", []byte(strings.Replace(valid, `"user":"`, fmt.Sprintf(`"user":"%d`, random.Uint64()), 1)))
		case n < 55: // a large body for nobody
			send("POST", chat, key, []byte(`{"model":"nobody","messages":[{"role":"user","content":"`+filler[:random.IntN(len(filler)-100)]+`"}]}`))
		case n < 57: // a large valid one
			send("POST", chat, key, []byte(strings.Replace(valid, `"messages"`, `"metadata":{"a":"`+filler[:random.IntN(7<<20)]+`"},"messages"`, 1)))
		case n < 70: // a fault at any byte
			b := []byte(valid)
			b[random.IntN(len(b))] = "\x00\"{}[]\\\xff,:"[random.IntN(10)]
			if !bytes.Contains(b, fmt.Appendf(nil, `"user":"k%d:%d:%d"`, i, in, out)) {
				return // or the ledger could not tell whose it is
			}
			send("POST", chat, key, b)
		case n < 73:
			raw(head+"content-length: 8000000\r\n\r\n"+valid, 50*time.Millisecond)
		case n < 76:
			raw(head+"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n", 50*time.Millisecond)
		case n < 79:
			raw("POST "+chat+" HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-nobody\r\ncontent-length: 8000000\r\n\r\n{", 50*time.Millisecond)
		case n < 83:
			send("POST", chat, key, []byte(valid), "content-type", "application/json; charset=utf-7")
		case n < 86:
			send("POST", chat, key, []byte(valid), "content-encoding", "gzip")
		case n < 90:
			send("POST", chat, key, []byte(valid), "x-envoy-upstream-rq-timeout-ms", "1", "x-envoy-retry-on", "5xx", "x-envoy-max-retries", "9")
		case n < 93:
			send("POST", []string{"/v1/files/..;/chat/completions", "/v1//chat/completions", "/v1/%2e%2e/v1/chat/completions", "/v1/chat/completions/../embeddings"}[random.IntN(4)], key, []byte(valid))
		case n < 96:
			send("POST", "/key/generate", key, []byte(valid))
		default:
			send("GET", "/v1/models", key, nil, "x-many", filler[:random.IntN(50_000)])
		}
	}
	vms, err := g.Stats("wasm.")
	if err != nil {
		t.Fatal(err)
	}
	play := func(d time.Duration, round uint64) {
		var wg sync.WaitGroup
		stop := time.Now().Add(d)
		for i := range clients {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(seed, round<<32|uint64(i)))
				for time.Now().Before(stop) {
					one(i, random)
				}
			})
		}
		wg.Wait()
	}
	resident := func() int64 {
		n, _, err := g.Usage()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	play(lasting/3, 1)
	before := resident()
	play(lasting-lasting/3, 2)
	after := resident()
	t.Logf("resident %d MiB after a third of the time, %d MiB at the end", before>>20, after>>20)
	// A worker's VM may still double its heap for the first body of the largest size.
	if most := before + before/4 + workers*32<<20; after > most {
		t.Errorf("resident memory grew to %d MiB, want at most %d", after>>20, most>>20)
	}
	if log := g.Log(); strings.Contains(log, "Uncaught RuntimeError") || strings.Contains(log, "Function: proxy_on") {
		t.Errorf("a worker trapped:\n%.4000s", log[max(0, strings.Index(log, "Function: proxy_on")-500):])
	}
	if now, err := g.Stats("wasm."); err != nil {
		t.Error(err)
	} else {
		for name, n := range now {
			if strings.HasSuffix(name, ".created") && n != vms[name] {
				t.Errorf("%s is %d, was %d: a VM was made anew", name, n, vms[name])
			}
		}
		t.Logf("%v", now)
	}
	deadline := time.Now().Add(15 * time.Second)
	for {
		status, body := send("GET", "/fairshare/shares?model=m", master, nil)
		if status == 200 && bytes.Contains(body, []byte(`"in_flight":0`)) {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("something is still in flight: %d %.300s", status, body)
			break
		}
		time.Sleep(50 * time.Millisecond) // between two looks
	}
	time.Sleep(time.Second) // what limits nothing is written with a tick
	up.mu.Lock()
	defer up.mu.Unlock()
	for kind, n := range up.seen {
		t.Errorf("%d times the upstream got: %s", n, kind)
	}
	spent := func(path string) int64 {
		var info struct {
			Info struct{ Spend float64 }
			Team struct{ Spend float64 } `json:"team_info"`
			User struct{ Spend float64 } `json:"user_info"`
		}
		status, body := send("GET", path, master, nil)
		if err := json.Unmarshal(body, &info); err != nil {
			t.Fatalf("%s: %d %s", path, status, body)
		}
		return int64(math.Round((info.Info.Spend + info.Team.Spend + info.User.Spend) * 1e6))
	}
	var team, user int64
	for i, key := range keys {
		want, got := up.cost["k"+strconv.Itoa(i)], spent("/key/info?key="+key)
		if i%4 == 2 {
			team += got
		}
		if i%4 == 3 {
			user += got
		}
		if i < clients-rough {
			if got != want {
				t.Errorf("key %d spent %d, the upstream served for %d", i, got, want)
			}
			continue
		}
		// An estimate is of the text and of what its key was answered, 250,000 at most.
		if most := asked[i] * 250_000; got <= 0 || got > most {
			t.Errorf("key %d spent %d for %d requests, the upstream served for %d", i, got, asked[i], want)
		}
	}
	if got := spent("/team/info?team_id=t"); got != team {
		t.Errorf("the team spent %d, its keys %d", got, team)
	}
	if got := spent("/user/info?user_id=u"); got != user {
		t.Errorf("the user spent %d, its keys %d", got, user)
	}
}
