package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"fairshare/hostsim"
)

// Fairshare is the plugin itself: module, loaded by as many workers as the
// scenario says, in the simulated host. Run's error is a [hostsim.ConfigError]
// if the plugin refuses the scenario's settings.
func Fairshare(module *hostsim.Module) Rule { return &fairshare{module} }

type fairshare struct{ module *hostsim.Module }

func (*fairshare) Name() string { return "Fairshare" }

// The names that the plugin's configuration and the requests agree on.
const (
	modelName = "m"
	masterKey = "sk-master"
	chatPath  = "/v1/chat/completions"
	booksPath = "/fairshare/shares?model=" + modelName
)

// leastBytes is the size of the smallest text that a request has: its role, which
// the model reads as well, and one letter.
const leastBytes = int64(len(role) + 1)

const role = "user"

func (f *fairshare) open(s *Scenario, keys []*key) (gate, error) {
	config, err := configuration(s, keys)
	if err != nil {
		return nil, err
	}
	host, err := hostsim.New(context.Background(), hostsim.Options{
		Module: f.module, Workers: s.Workers, Config: config, Now: s.Start, Seed: s.Seed,
	})
	if err != nil {
		return nil, err
	}
	return &gateway{host: host, start: s.Start, workers: s.Workers, pick: newChance(s.Seed, "workers")}, nil
}

// configuration is what the plugin is given: one model, one deployment, all
// keys.
func configuration(s *Scenario, keys []*key) ([]byte, error) {
	type object = map[string]any
	params := object{"model": "openai/" + modelName, "api_base": "http://upstream.test/v1", "api_key": "none"}
	if s.Model.TPM > 0 {
		params["tpm"] = s.Model.TPM
	}
	if s.Model.RPM > 0 {
		params["rpm"] = s.Model.RPM
	}
	config := object{
		"model_list":       []object{{"model_name": modelName, "litellm_params": params}},
		"general_settings": object{"master_key": masterKey},
	}
	if s.LiteLLM != nil {
		config["litellm_settings"] = s.LiteLLM
	}
	if s.Fairshare != nil {
		config["fairshare_settings"] = s.Fairshare
	}
	declared := make([]object, len(keys))
	for i, k := range keys {
		hash := sha256.Sum256([]byte(secret(k)))
		declared[i] = object{"key_sha256": hex.EncodeToString(hash[:]), "key_alias": k.name}
		if p := k.tenant.Priority; p != "" {
			declared[i]["metadata"] = object{"priority": p}
		}
	}
	config["virtual_keys"] = declared
	return json.Marshal(config)
}

func secret(k *key) string { return "sk-" + k.name }

// gateway is Fairshare's gate.
type gateway struct {
	host    *hostsim.Host
	start   time.Time
	workers int
	pick    *chance // of the worker that a request comes to
	body    []byte
}

// advance moves the host's clock to now; workers tick on the way.
func (g *gateway) advance(now time.Duration) { g.host.Advance(g.start.Add(now).Sub(g.host.Now())) }

func (g *gateway) ask(now time.Duration, r *request) (verdict, error) {
	g.advance(now)
	s := g.host.Open(1 + int(g.pick.below(int64(g.workers))))
	g.body = appendAsk(g.body[:0], r)
	s.RequestHeaders(hostsim.Headers{
		{":authority", "gateway.test"},
		{":path", chatPath},
		{":method", "POST"},
		{":scheme", "http"},
		{"authorization", "Bearer " + secret(r.key)},
		{"content-type", "application/json"},
		{"content-length", strconv.Itoa(len(g.body))},
	}, false)
	s.RequestBody(g.body, true)
	r.state = s
	if s.Upstream().Ended {
		return verdict{admitted: true}, nil
	}
	c := s.Client()
	if c.Headers.Get(":status") != "429" || !c.Ended {
		return verdict{}, fmt.Errorf("a request of %s got status %q and %s", r.key.name, c.Headers.Get(":status"), c.Body)
	}
	v := verdict{message: string(c.Body)}
	if seconds, err := strconv.Atoi(c.Headers.Get("retry-after")); err == nil {
		v.retry = time.Duration(seconds) * time.Second
	}
	return v, nil
}

// appendAsk appends the body of a chat completion whose text has r.bytes bytes.
func appendAsk(body []byte, r *request) []byte {
	body = append(body, `{"model":"`+modelName+`"`...)
	if t := r.key.tenant; t.Stream {
		body = append(body, `,"stream":true`...)
	}
	if most := r.key.tenant.MaxTokens; most > 0 {
		body = append(body, `,"max_tokens":`...)
		body = strconv.AppendInt(body, most, 10)
	}
	body = append(body, `,"messages":[{"role":"`+role+`","content":"`...)
	body = append(body, bytes.Repeat([]byte("a"), int(r.bytes)-len(role))...)
	return append(body, `"}]}`...)
}

func (g *gateway) answer(now time.Duration, r *request) error {
	g.advance(now)
	s := r.state.(*hostsim.Stream)
	kind, body := "application/json", answerJSON(r)
	if r.key.tenant.Stream {
		kind, body = "text/event-stream", answerSSE(r)
	}
	s.ResponseHeaders(hostsim.Headers{
		{":status", "200"}, {"content-type", kind}, {"content-length", strconv.Itoa(len(body))},
	}, false)
	s.ResponseBody(body, true)
	if c := s.Client(); !s.Over() || c.Headers.Get(":status") != "200" || !c.Ended {
		return fmt.Errorf("the answer to %s came as status %q and %s", r.key.name, c.Headers.Get(":status"), c.Body)
	}
	r.state = nil
	return nil
}

func usage(r *request) string {
	return fmt.Sprintf(`"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, r.prompt, r.output, r.tokens())
}

func answerJSON(r *request) []byte {
	return []byte(`{"id":"chatcmpl-1","object":"chat.completion","created":1767571200,"model":"` + modelName +
		`","choices":[{"index":0,"message":{"role":"assistant","content":"Hi."},"finish_reason":"stop"}],` + usage(r) + `}`)
}

func answerSSE(r *request) []byte {
	const chunk = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767571200,"model":"` + modelName + `","choices":[`
	return []byte(chunk + `{"index":0,"delta":{"role":"assistant","content":"Hi."},"finish_reason":null}],"usage":null}` + "\n\n" +
		chunk + `{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}` + "\n\n" +
		chunk + `],` + usage(r) + `}` + "\n\ndata: [DONE]\n\n")
}

func (g *gateway) end(now time.Duration) (*Books, error) {
	g.advance(now + time.Second) // every worker ticks
	s := g.host.Open(1)
	s.RequestHeaders(hostsim.Headers{
		{":authority", "gateway.test"},
		{":path", booksPath},
		{":method", "GET"},
		{":scheme", "http"},
		{"authorization", "Bearer " + masterKey},
	}, true)
	c := s.Client()
	if c.Headers.Get(":status") != "200" {
		return nil, fmt.Errorf("GET %s: status %q and %s", booksPath, c.Headers.Get(":status"), c.Body)
	}
	var page struct {
		TPM struct {
			Held int64 `json:"held"`
		} `json:"tpm"`
		LateHeld int64 `json:"late_held"`
		InFlight int64 `json:"in_flight"`
		Totals   *struct {
			Requests int64 `json:"requests"`
			Refused  int64 `json:"refused"`
			Tokens   int64 `json:"tokens"`
			Guessed  int64 `json:"estimated_requests"`
			Debt     int64 `json:"debt_tokens"`
		} `json:"totals"`
	}
	if err := json.Unmarshal(c.Body, &page); err != nil {
		return nil, fmt.Errorf("GET %s: %w", booksPath, err)
	}
	t := page.Totals
	if t == nil {
		return nil, errors.New("GET " + booksPath + ": there are no totals")
	}
	return &Books{
		Requests: t.Requests, Refused: t.Refused, Tokens: t.Tokens,
		Held: page.TPM.Held + page.LateHeld, InFlight: page.InFlight, Guessed: t.Guessed, Debt: t.Debt,
	}, nil
}

func (g *gateway) close() error { return g.host.Close() }
