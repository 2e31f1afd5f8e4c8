package hostsim_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"fairshare/hostsim"
	"fairshare/hostsim/conform"
)

// guest is the conformance guest, compiled once for all tests.
var guest = sync.OnceValues(func() (*hostsim.Module, error) {
	dir, err := os.MkdirTemp("", "hostsim")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path, err := conform.Guest(dir)
	if err != nil {
		return nil, err
	}
	return hostsim.LoadModule(path)
})

// newHost starts a host with the conformance guest.
func newHost(t testing.TB, opt hostsim.Options) *hostsim.Host {
	t.Helper()
	var err error
	if opt.Module, err = guest(); err != nil {
		t.Fatal(err)
	}
	h, err := hostsim.New(context.Background(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// get returns the headers of a request whose x-do header is do.
func get(do string) hostsim.Headers {
	return hostsim.Headers{{":authority", "a"}, {":path", "/x"}, {":method", "GET"}, {"x-do", do}}
}

// post is get for a request with a body.
func post(do string) hostsim.Headers {
	h := get(do)
	h.Set(":method", "POST")
	return h
}

// counted returns a number that the guest counts in shared data.
func counted(h *hostsim.Host, name string) int {
	n, _ := strconv.Atoi(string(h.SharedData()["conform/"+name]))
	return n
}

// logged returns the guest's lines that begin with one of prefixes.
func logged(h *hostsim.Host, prefixes ...string) []string {
	var lines []string
	for _, l := range h.Logs() {
		for _, p := range prefixes {
			if strings.HasPrefix(l.Message, p) {
				lines = append(lines, l.Message)
			}
		}
	}
	return lines
}
