package hostsim_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"fairshare/hostsim"
)

// A model that 1,100 keys of 64 priorities share in one minute is explained whole, as
// JSON and as metrics, again and again in the same memory.
func TestSharesOfManyKeys(t *testing.T) {
	t.Parallel()
	const keys = 1100
	var declared, reservation []string
	for i := range 63 {
		reservation = append(reservation, fmt.Sprintf(`"p%02d": 0.015`, i))
	}
	for i := range keys {
		declared = append(declared, fmt.Sprintf(`{"key_sha256": "%x", "key_alias": "key-%d", "metadata": {"priority": "p%02d"}}`, sha256.Sum256(fmt.Appendf(nil, "sk-key-%d", i)), i, i%64))
	}
	config := `{"model_list": [{"model_name": "m", "litellm_params": {"model": "m", "mock_response": "hi", "tpm": 10000000, "rpm": 1000000}}],
		"litellm_settings": {"callbacks": ["dynamic_rate_limiter_v3"], "priority_reservation": {` + strings.Join(reservation, ",") + `}, "priority_reservation_settings": {"default_priority": 0.01}},
		"general_settings": {"master_key": "sk-1234"}, "virtual_keys": [` + strings.Join(declared, ",") + `]}`
	h, err := hostsim.New(t.Context(), hostsim.Options{Module: fairshare(t), Workers: 2, Config: []byte(config), Now: time.Unix(1_800_000_000, 0), Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	send := func(worker int, method, path, key, body string) []byte {
		t.Helper()
		s := h.Open(worker)
		s.RequestHeaders(hostsim.Headers{
			{":method", method},
			{":path", path},
			{":authority", "x"},
			{":scheme", "http"},
			{"authorization", "Bearer " + key},
			{"content-length", strconv.Itoa(len(body))},
		}, body == "")
		if body != "" {
			s.RequestBody([]byte(body), true)
		}
		c := s.Client()
		if c.Headers.Get(":status") != "200" {
			t.Fatalf("%s %s: %s %s", method, path, c.Headers.Get(":status"), c.Body)
		}
		return c.Body
	}
	for i := range keys {
		send(1+i%2, "POST", "/v1/chat/completions", "sk-key-"+strconv.Itoa(i), `{"model": "m", "messages": []}`)
		if i%100 == 0 {
			h.Advance(200 * time.Millisecond)
		}
	}
	h.Advance(400 * time.Millisecond)
	look := func() {
		t.Helper()
		var shares struct {
			RPM        struct{ Used int64 }
			Priorities []struct{ RPM struct{ Used int64 } }
			Keys       []struct {
				Alias string `json:"key_alias"`
				RPM   struct{ Used int64 }
			}
		}
		if err := json.Unmarshal(send(1, "GET", "/fairshare/shares?model=m", "sk-1234", ""), &shares); err != nil {
			t.Fatal(err)
		}
		used, reserved, named := int64(0), int64(0), 0
		for _, k := range shares.Keys {
			used += k.RPM.Used
			if k.Alias != "" {
				named++
			}
		}
		for _, p := range shares.Priorities {
			reserved += p.RPM.Used
		}
		if used != keys || reserved != keys || shares.RPM.Used != keys || len(shares.Priorities) != 64 || named < 900 {
			t.Fatalf("%d requests of %d keys, %d of %d priorities, %d in all; %d keys have a name", used, len(shares.Keys), reserved, len(shares.Priorities), shares.RPM.Used, named)
		}
		metrics := string(send(1, "GET", "/metrics", "sk-1234", ""))
		if n := strings.Count(metrics, "\nfairshare_key_share{"); n < 1000 || n > 4000 {
			t.Fatalf("%d samples of shares", n)
		}
	}
	for range 10 {
		look()
	}
	before := h.Memory(1)
	for range 10 {
		look()
	}
	if after := h.Memory(1); after > before {
		t.Errorf("a worker's memory grew from %d to %d bytes", before, after)
	}
}
