//go:build !race

package hostsim_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"fairshare/hostsim"
)

// Bodies and answers of all sizes up to the largest, good ones and bad ones, leave a
// worker's memory as it is once it has met the largest.
func TestMemoryOfBodiesOfAllSizes(t *testing.T) {
	t.Parallel()
	const most, rounds = 8 << 20, 10_000
	// What its answers tell is less than their text can be, so each is charged by its text:
	// the limit of the one minute that this takes has room for that.
	config := `{"model_list": [{"model_name": "m", "litellm_params": {"model": "openai/real", "api_base": "http://up.test/v1", "api_key": "k", "tpm": 1000000000000}}],
		"litellm_settings": {"callbacks": ["dynamic_rate_limiter"]}, "general_settings": {"master_key": "sk-1234"}}`
	h, err := hostsim.New(t.Context(), hostsim.Options{Module: fairshare(t), Config: []byte(config), Now: time.Unix(1_800_000_000, 0), Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	const seed = 1
	random := rand.New(rand.NewPCG(seed, seed))
	filler := strings.Repeat("All work and no play makes Jack a dull boy. ", most/44+1)
	play := func(kind, size int) {
		t.Helper()
		model, stream := "m", "false"
		switch kind {
		case 1:
			model = "nobody"
		case 2:
			stream = "true"
		}
		body := `{"model": "` + model + `", "stream": ` + stream + `, "messages": [{"role": "user", "content": "`
		body += filler[:max(0, size-len(body)-8)] + `"}]}`
		if kind == 3 {
			body = body[:len(body)-1] // no JSON
		}
		s := h.Open(1)
		s.RequestHeaders(hostsim.Headers{
			{":method", "POST"},
			{":path", "/v1/chat/completions"},
			{":authority", "x"},
			{":scheme", "http"},
			{"authorization", "Bearer sk-1234"},
			{"content-length", strconv.Itoa(len(body))},
		}, false)
		s.RequestBody([]byte(body), true)
		if kind == 1 || kind == 3 {
			if status := s.Client().Headers.Get(":status"); status != "400" {
				t.Fatalf("%d bytes of kind %d: status %s", size, kind, status)
			}
			return
		}
		if status := s.Client().Headers.Get(":status"); status != "" || s.Over() {
			t.Fatalf("%d bytes of kind %d: status %q", size, kind, status)
		}
		answer, contentType := `{"choices": [{"message": {"content": "`+filler[:size]+`"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}`, "application/json"
		if kind == 2 {
			event := `data: {"choices":[{"index":0,"delta":{"content":"` + filler[:1000] + `"}}]}` + "\n\n"
			answer = strings.Repeat(event, size/len(event)) +
				`data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}` + "\n\ndata: [DONE]\n\n"
			contentType = "text/event-stream"
		}
		s.ResponseHeaders(hostsim.Headers{{":status", "200"}, {"content-type", contentType}}, false)
		s.ResponseBody([]byte(answer), true)
		want := answer
		if kind == 2 {
			at := strings.Index(answer, `data: {"choices":[],`)
			want = answer[:at] + "data: [DONE]\n\n"
		}
		if got := string(s.Client().Body); got != want {
			t.Fatalf("an answer of %d bytes came as %d bytes, want %d", len(answer), len(got), len(want))
		}
	}
	for kind := range 4 {
		play(kind, 700<<10)
		play(kind, most)
	}
	before := h.Memory(1)
	for i := range rounds {
		// As many of 1 KB as of 1 MB: sizes are even on a scale of powers of 2.
		size := 1 << random.IntN(24)
		size = min(most, size+random.IntN(size))
		play(random.IntN(4), size)
		if i%50 == 0 {
			h.Advance(200 * time.Millisecond)
		}
	}
	after := h.Memory(1)
	t.Logf("a worker has %d MiB before and %d MiB after %d bodies", before>>20, after>>20, rounds)
	if after > before {
		t.Errorf("a worker's memory grew from %d to %d bytes", before, after)
	}
}
