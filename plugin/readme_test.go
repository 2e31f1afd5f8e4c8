//go:build !tinygo

package main

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"fairshare/plugin/config"
	"fairshare/plugin/flow"
)

var update = flag.Bool("update", false, "write the generated parts of README.md anew")

const readme = "../README.md"

// The tables of README.md are the ones that the code has.
func TestReadmeTables(t *testing.T) {
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for name, want := range map[string]string{"configuration": config.Table(), "metrics": metricsTable(), "model metrics": modelMetricsTable()} {
		begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->"
		before, rest, found := strings.Cut(text, begin)
		got, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Fatalf("README.md has no part between %q and %q", begin, end)
		}
		if got == want {
			continue
		}
		if !*update {
			t.Errorf("README.md's table of %s is not the code's: go test ./plugin -update, and read the difference", name)
			continue
		}
		text = before + begin + want + end + after
	}
	if *update {
		if err := os.WriteFile(readme, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func metricsTable() string {
	var b strings.Builder
	b.WriteString("| counter | what it counts |\n|---|---|\n")
	for _, m := range flow.MetricNames {
		b.WriteString("| `" + m[0] + "` | " + m[1] + " |\n")
	}
	return b.String()
}

func modelMetricsTable() string {
	var b strings.Builder
	b.WriteString("| metric | meaning |\n|---|---|\n")
	for _, m := range flow.ModelMetrics() {
		b.WriteString("| `" + m[0] + "` | " + m[1] + " |\n")
	}
	return b.String()
}

// Every path that README.md's tree and links name exists.
func TestReadmePaths(t *testing.T) {
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	_, tree, found := strings.Cut(string(data), "<!-- tree -->\n")
	tree, _, closed := strings.Cut(tree, "<!-- end of tree -->")
	if !found || !closed {
		t.Fatal("README.md has no tree")
	}
	paths := regexp.MustCompile("(?m)^\\| `([^`]+)` ").FindAllStringSubmatch(tree, -1)
	if len(paths) == 0 {
		t.Fatal("README.md's tree is empty")
	}
	for _, p := range paths {
		if _, err := os.Stat("../" + p[1]); err != nil {
			t.Errorf("README.md names %s: %v", p[1], err)
		}
	}
}
