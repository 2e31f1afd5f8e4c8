package conform_test

import (
	"context"
	"strconv"
	"testing"

	"fairshare/hostsim"
	"fairshare/hostsim/conform"
)

// sim is a hostsim.Host as a conform.Gateway.
type sim struct{ *hostsim.Host }

func (s sim) Do(method, path string, headers [][2]string, body []byte) (int, [][2]string, []byte, error) {
	h := hostsim.Headers{{":authority", "a"}, {":path", path}, {":method", method}, {":scheme", "http"}}
	stream := s.Open(1)
	stream.RequestHeaders(append(h, headers...), len(body) == 0)
	if len(body) > 0 {
		stream.RequestBody(body, true)
	}
	c := stream.Client()
	status, err := strconv.Atoi(c.Headers.Get(":status"))
	return status, c.Headers, c.Body, err
}

// instead is where a host differs from Envoy on purpose, by profile. The
// sources are those of the profiles.
var instead = map[string]map[string]map[string]string{
	// ngx: src/common/shm/ngx_wa_shm_kv.c:279 compares the number strictly and
	// deletes by an empty value; ngx_proxy_wasm_properties.c gives text; num
	// and end of headers: src/http/proxy_wasm/ngx_http_proxy_wasm.c. The guest
	// asks for queues, metrics and calls at which this host traps.
	"kong": {
		"/shared-data": {
			"set missing, number 7":  "8",
			"set existing, number 0": "8",
			"value":                  "1",
			"get empty":              "1",
		},
		"/properties": {
			"source.port length":      "5",
			"request.headers.x-twice": "1",
			"request.time":            "1",
			"request.time length":     "0",
			"set own":                 "1",
			"get own":                 "1",
			"own":                     "",
		},
		"/end": {"end": "0"},
	},
	// wnm: src/http/ngx_http_wasm_api.c answers Unimplemented to all of shared
	// data (1566) and queues, and does nothing for metrics.
	"apisix": {
		"/shared-data": {
			"get missing":                     "12",
			"set missing, number 7":           "12",
			"set missing, number 0":           "12",
			"set existing, number 0":          "12",
			"get":                             "12",
			"value":                           "",
			"set existing, right number":      "12",
			"set existing, the number before": "12",
			"value after":                     "",
			"number moved on":                 "0",
			"set empty":                       "12",
			"get empty":                       "12",
			"set empty key":                   "12",
		},
	},
}

// asked are the questions that a profile can be asked without a trap.
var asked = map[string]map[string]bool{
	"kong":   {"/shared-data": true, "/properties": true, "/end": true, "/many-headers": true},
	"apisix": {"/shared-data": true, "/end": true, "/many-headers": true},
}

func TestHosts(t *testing.T) {
	t.Parallel()
	path, err := conform.Guest(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	module, err := hostsim.LoadModule(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, profile := range hostsim.Profiles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := hostsim.New(context.Background(), hostsim.Options{Module: module, Profile: profile, Clusters: []string{"upstream"}})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			check(t, sim{h}, asked[name], instead[name])
		})
	}
}

// check asks g all questions, or those in only.
func check(t *testing.T, g conform.Gateway, only map[string]bool, instead map[string]map[string]string) {
	t.Helper()
	for _, q := range conform.Questions("t.") {
		if only != nil && !only[conform.Name(q)] {
			continue
		}
		got, err := conform.Ask(g, q)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, line := range conform.Differences(q, got, instead) {
			t.Error(line)
		}
	}
}
