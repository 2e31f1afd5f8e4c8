package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// badDeps are the packages that no stage of the gateway may reach, and why.
var badDeps = map[string]string{
	"encoding/json": "adds 350 KB to the wasm, and reads by reflection what the gateway scans once",
	"fmt":           "adds 130 KB to the wasm",
	"log":           "the core tells what it did by decisions and counters; package filter logs",
	"net":           "the proxy talks to the network",
	"os":            "there is no system below the core: what it needs comes in as an argument",
	"reflect":       "TinyGo has only a part of it, which fails when run, not when built",
	"regexp":        "adds 220 KB to the wasm",

	"fairshare/plugin/filter": "package filter alone knows the host",
}

// tolerated are standard packages that reach a bad one by a way that is not
// taken, and why.
var tolerated = map[string]string{
	"crypto/sha256":   "reaches os by the source of randomness that Go's other cryptography shares; TinyGo's linker leaves that out",
	"encoding/binary": "reaches reflect by Read and Write; only the byte orders are used here",
}

// All that the wasm is made of beside package filter is pure: it neither
// reaches a host nor what would make the file large.
func TestPurity(t *testing.T) {
	t.Parallel()
	imports := graph(t, ".")
	for pkg := range imports {
		inCore := strings.HasPrefix(pkg, "fairshare/plugin/") && pkg != "fairshare/plugin/filter"
		if !inCore {
			continue
		}
		for bad, why := range badDeps {
			if chain := path(imports, pkg, bad); chain != nil {
				t.Errorf("%s (%s)", strings.Join(chain, " imports "), why)
			}
		}
	}
}

// The simulator and the runner of real Envoy know the filter as a file of
// wasm, never as code: what they say of it holds for any filter.
func TestPurityOfTheHosts(t *testing.T) {
	t.Parallel()
	for pkg, imported := range graph(t, "../hostsim/...") {
		for _, to := range imported {
			if strings.HasPrefix(pkg, "fairshare/hostsim") && strings.HasPrefix(to, "fairshare/plugin") {
				t.Errorf("%s imports %s", pkg, to)
			}
		}
	}
}

// graph returns what each package of the pattern, and each that it needs,
// imports in its code without tests.
func graph(t *testing.T, pattern string) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, pattern).Output()
	if err != nil {
		t.Fatal(err)
	}
	imports := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		imports[words[0]] = words[1:]
	}
	return imports
}

// path returns a chain of imports from one package to another, nil if there is
// none but by those that are tolerated.
func path(imports map[string][]string, from, to string) []string {
	before := map[string]string{from: ""}
	for next := []string{from}; len(next) > 0; next = next[1:] {
		if next[0] == to {
			var chain []string
			for at := to; at != ""; at = before[at] {
				chain = append(chain, at)
			}
			slices.Reverse(chain)
			return chain
		}
		for _, i := range imports[next[0]] {
			if _, seen := before[i]; !seen && tolerated[i] == "" {
				before[i] = next[0]
				next = append(next, i)
			}
		}
	}
	return nil
}
