package e2e

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"fairshare/hostsim/envoy"
	"fairshare/hostsim/script"
)

// Every scenario plays in Envoy as it does in the simulator and on the core
// alone, which write what it prints.
func TestScenarios(t *testing.T) {
	t.Parallel()
	root, err := envoy.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := script.Files(filepath.Join(root, "testdata/scenarios"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			d := &envoy.Driver{}
			err := script.Run(file, script.Options{Driver: d, Is: []string{"envoy"}})
			switch {
			case errors.Is(err, script.ErrSkipped):
				t.Skip(err)
			case err != nil:
				t.Errorf("%v\n\nEnvoy's log:\n%s", err, d.Log())
			}
		})
	}
}
