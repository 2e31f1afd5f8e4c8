// Command bench compares what stands between a client and an upstream: Envoy
// alone, Envoy with its local_ratelimit, Envoy with a filter that makes Fairshare's
// host calls and decides nothing (calls), Envoy with Fairshare.
//
//	bench -rounds 3 -duration 8s
//
// All run for the whole time, with one worker each, before one upstream:
// a further Envoy that answers 600 bytes of JSON by itself. In every round each
// gets the same load from wrk, one after the other, so that what else happens
// on the machine meets them alike. What is printed are the medians of the
// rounds. Every request of Fairshare has all that a real one has: a virtual
// key, a limit of tokens and of requests a minute, a hold, a usage to read and
// to settle.
//
// A second comparison is of ten keys, of ten among 100,000, and of all of those,
// each request having one by chance. Each key and its team have a budget and limits.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairshare/hostsim/envoy"
)

const (
	behind   = "upstream.test" // the authority of the upstream, in Fairshare's configuration
	master   = "sk-bench"      // the master key
	question = `{"model":"model","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"Hello!"}],"max_tokens":100}`
)

func main() {
	rounds := flag.Int("rounds", 3, "how often each is measured")
	duration := flag.Duration("duration", 8*time.Second, "how long each is measured in a round")
	connections := flag.Int("connections", 16, "connections at once")
	keys := flag.Int("keys", 100_000, "keys that the second comparison has, ten to a team")
	peers := flag.Bool("peers", true, "whether to make the first comparison")
	flag.Parse()
	if err := run(*rounds, *duration, *connections, *keys, *peers); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type (
	object = map[string]any
	list   = []any
)

// A subject is one of what is compared.
type subject struct {
	name    string
	envoy   *envoy.Envoy
	keys    []string // bearer tokens; each request has one of them
	samples []sample
}

// A sample is what one round measured.
type sample struct {
	rate     float64 // requests a second
	p50, p99 time.Duration
	cpu      time.Duration // of Envoy, a request
	resident int64         // of Envoy, bytes
}

func run(rounds int, duration time.Duration, connections, keys int, peers bool) error {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)

	says, err := answer()
	if err != nil {
		return err
	}
	up, err := envoy.New(envoy.Options{Workers: 1, Filters: []any{whole()}, Answer: says})
	if err != nil {
		return err
	}
	defer up.Close()
	upstreams := map[string]string{behind: strings.TrimPrefix(up.BaseURL, "http://")}

	if peers {
		if err := comparePeers(upstreams, folder, rounds, duration, connections); err != nil {
			return err
		}
	}

	// Many keys on a model without a limit of its own: what is compared is the
	// search for keys and the books of tenants, not the shares of active keys.
	tenants, err := json.Marshal(object{
		"model_list": list{object{"model_name": "model", "litellm_params": object{
			"model": "openai/model", "api_base": "http://" + behind + "/v1", "api_key": "none",
			"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6,
		}}},
		"general_settings": object{"master_key": master},
	})
	if err != nil {
		return err
	}
	few, many := &subject{name: "10 keys"}, &subject{name: strconv.Itoa(keys) + " keys"}
	for _, s := range []*subject{few, many} {
		if s.envoy, err = envoy.New(envoy.Options{Workers: 1, Upstreams: upstreams, Config: tenants}); err != nil {
			return err
		}
		defer s.envoy.Close()
	}
	if err := few.populate(10); err != nil {
		return err
	}
	if err := many.populate(keys); err != nil {
		return err
	}
	// The same store, of which a few keys ask: whether finding them takes longer.
	some := &subject{name: "10 of " + strconv.Itoa(keys), envoy: many.envoy, keys: many.keys[:10]}
	many.name = "all of " + strconv.Itoa(keys)
	return compare([]*subject{few, some, many}, folder, rounds, duration, connections)
}

// limited is Fairshare's configuration with limits on a model that are never reached.
func limited() ([]byte, error) {
	return json.Marshal(object{
		"model_list": list{object{"model_name": "model", "litellm_params": object{
			"model": "openai/model", "api_base": "http://" + behind + "/v1", "api_key": "none",
			"tpm": 1_000_000_000, "rpm": 1_000_000_000,
		}}},
		"litellm_settings": object{"callbacks": list{"dynamic_rate_limiter"}},
		"general_settings": object{"master_key": master},
	})
}

// comparePeers measures Envoy alone, with its local_ratelimit, with mere calls, and
// with Fairshare.
func comparePeers(upstreams map[string]string, folder string, rounds int, duration time.Duration, connections int) error {
	config, err := limited()
	if err != nil {
		return err
	}
	root, err := envoy.Root()
	if err != nil {
		return err
	}
	subjects := []*subject{{name: "Envoy alone"}, {name: "local_ratelimit"}, {name: "calls"}, {name: "Fairshare"}}
	for i, o := range []envoy.Options{
		{Filters: []any{}}, {Filters: []any{localRateLimit()}}, {Wasm: filepath.Join(root, "build/calls.wasm")}, {Config: config},
	} {
		o.Workers, o.Upstreams = 1, upstreams
		e, err := envoy.New(o)
		if err != nil {
			return err
		}
		defer e.Close()
		subjects[i].envoy, subjects[i].keys = e, []string{"sk-nobody"}
	}
	fairshare := subjects[len(subjects)-1]
	key, err := post(fairshare.envoy, "/key/generate", object{})
	if err != nil {
		return err
	}
	fairshare.keys = []string{key}
	return compare(subjects, folder, rounds, duration, connections)
}

// populate makes keys, ten to a team, all with a budget and limits that are
// never reached.
func (s *subject) populate(keys int) error {
	s.keys = make([]string, keys)
	limits := func(more object) object {
		all := object{"max_budget": 1_000_000, "budget_duration": "30d", "rpm_limit": 1_000_000_000, "tpm_limit": 1_000_000_000}
		maps.Copy(all, more)
		return all
	}
	const clients = 16
	failed := make(chan error, clients)
	for c := range clients {
		go func() {
			failed <- func() error {
				for first := 10 * c; first < keys; first += 10 * clients {
					team := "team-" + strconv.Itoa(first/10)
					if _, err := post(s.envoy, "/team/new", limits(object{"team_id": team})); err != nil {
						return err
					}
					for i := first; i < min(first+10, keys); i++ {
						key, err := post(s.envoy, "/key/generate", limits(object{"team_id": team, "key_alias": "key-" + strconv.Itoa(i)}))
						if err != nil {
							return err
						}
						s.keys[i] = key
					}
				}
				return nil
			}()
		}()
	}
	var errs []error
	for range clients {
		errs = append(errs, <-failed)
	}
	return errors.Join(errs...)
}

// compare measures the subjects in turn, and prints the medians.
func compare(subjects []*subject, folder string, rounds int, duration time.Duration, connections int) error {
	// One short round first, which counts for nothing: connections, caches
	// and V8's optimised code.
	for _, s := range subjects {
		if _, err := s.measure(folder, 2*time.Second, connections); err != nil {
			return err
		}
	}
	for range rounds {
		for _, s := range subjects {
			got, err := s.measure(folder, duration, connections)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			s.samples = append(s.samples, got)
		}
	}
	report(subjects, rounds, duration, connections)
	return nil
}

// answer is what the upstream says: about 600 bytes, as a short chat has.
func answer() (string, error) {
	text, err := json.Marshal(object{
		"id": "chatcmpl-" + strings.Repeat("0", 29), "object": "chat.completion", "created": 1763719200, "model": "model",
		"system_fingerprint": "fp_" + strings.Repeat("0", 10),
		"choices": list{object{
			"index": 0, "finish_reason": "stop", "logprobs": nil,
			"message": object{"role": "assistant", "content": strings.Repeat("Hello there. ", 13), "refusal": nil},
		}},
		"usage": object{
			"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30,
			"prompt_tokens_details": object{"cached_tokens": 0, "audio_tokens": 0},
		},
	})
	return string(text), err
}

// whole makes the upstream read a request to its end before it answers, as
// every model does. Without it Envoy answers at the headers, and closes the
// connection if the body is not there yet: who sends both at once would win.
func whole() object {
	return object{
		"name": "envoy.filters.http.buffer",
		"typed_config": object{
			"@type":             "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer",
			"max_request_bytes": 1 << 20,
		},
	}
}

// localRateLimit is Envoy's own limiter of requests, with a limit that is
// never reached.
func localRateLimit() object {
	always := object{"default_value": object{"numerator": 100, "denominator": "HUNDRED"}}
	return object{
		"name": "envoy.filters.http.local_ratelimit",
		"typed_config": object{
			"@type":           "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
			"stat_prefix":     "limit",
			"token_bucket":    object{"max_tokens": 1_000_000_000, "tokens_per_fill": 1_000_000_000, "fill_interval": "60s"},
			"filter_enabled":  always,
			"filter_enforced": always,
		},
	}
}

// post sends a request of the management API, and returns the key in its
// answer, if there is one.
func post(e *envoy.Envoy, path string, fields object) (key string, err error) {
	body, err := json.Marshal(fields)
	if err != nil {
		return "", err
	}
	r, err := http.NewRequest(http.MethodPost, e.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("authorization", "Bearer "+master)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var made struct{ Key string }
	if err := json.NewDecoder(response.Body).Decode(&made); err != nil || response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s %w", path, response.Status, err)
	}
	return made.Key, nil
}

// load is wrk's script: chat requests with a key by chance from a file of them,
// and the report that measure reads.
const load = `
wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.body = %q
wrk.headers["content-type"] = "application/json"
local keys = {}
for key in io.lines(%q) do keys[#keys + 1] = "Bearer " .. key end
wrk.headers["authorization"] = keys[1]
if #keys > 1 then
  function request()
    wrk.headers["authorization"] = keys[math.random(#keys)]
    return wrk.format()
  end
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("result %%d %%d %%d %%d %%d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
`

// measure puts load on the subject for the time.
func (s *subject) measure(folder string, duration time.Duration, connections int) (sample, error) {
	script := filepath.Join(folder, "load.lua")
	keys := filepath.Join(folder, "keys")
	if err := os.WriteFile(keys, []byte(strings.Join(s.keys, "\n")+"\n"), 0o600); err != nil {
		return sample{}, err
	}
	if err := os.WriteFile(script, fmt.Appendf(nil, load, question, keys), 0o600); err != nil {
		return sample{}, err
	}
	_, before, err := s.envoy.Usage()
	if err != nil {
		return sample{}, err
	}
	output, err := exec.Command("wrk", "--threads", "1", "--connections", strconv.Itoa(connections),
		"--duration", strconv.Itoa(int(duration.Seconds()))+"s", "--script", script, s.envoy.BaseURL).CombinedOutput()
	if err != nil {
		return sample{}, fmt.Errorf("wrk: %w\n%s", err, output)
	}
	resident, after, err := s.envoy.Usage()
	if err != nil {
		return sample{}, err
	}
	_, line, _ := strings.Cut(string(output), "result ")
	var requests, micros, p50, p99, errors int64
	if _, err := fmt.Sscan(line, &requests, &micros, &p50, &p99, &errors); err != nil {
		return sample{}, fmt.Errorf("wrk printed no result: %w\n%s", err, output)
	}
	if errors > 0 || requests == 0 {
		return sample{}, fmt.Errorf("of %d requests %d went wrong\n%s", requests, errors, output)
	}
	return sample{
		rate:     float64(requests) / (float64(micros) / 1e6),
		p50:      time.Duration(p50) * time.Microsecond,
		p99:      time.Duration(p99) * time.Microsecond,
		cpu:      (after - before) / time.Duration(requests),
		resident: resident,
	}, nil
}

// median returns the middle one of the samples, by what of tells of each.
func median[T cmp.Ordered](samples []sample, of func(sample) T) T {
	values := make([]T, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// report prints the medians, side by side.
func report(subjects []*subject, rounds int, duration time.Duration, connections int) {
	fmt.Printf("medians of %d interleaved rounds of %v, %d connections, one worker\n\n", rounds, duration, connections)
	fmt.Printf("%-16s %11s %6s %9s %9s %12s %9s\n", "", "requests/s", "ratio", "p50", "p99", "CPU/request", "memory")
	base := median(subjects[0].samples, func(s sample) float64 { return s.rate })
	for _, s := range subjects {
		rate := median(s.samples, func(s sample) float64 { return s.rate })
		fmt.Printf("%-16s %11.0f %6.2f %9v %9v %12v %5d MiB\n", s.name, rate, rate/base,
			median(s.samples, func(s sample) time.Duration { return s.p50 }),
			median(s.samples, func(s sample) time.Duration { return s.p99 }),
			median(s.samples, func(s sample) time.Duration { return s.cpu }).Round(time.Microsecond/10),
			median(s.samples, func(s sample) int64 { return s.resident })>>20)
	}
	fmt.Println()
}
