//go:build clients

package e2e

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"fairshare/hostsim/envoy"
)

// JavaScript's clients show a refusal, and soon. make clients installs and runs them:
// they take npm, and more time to install than the rest of the tests' tools.
func TestRefusalsInJavaScript(t *testing.T) {
	t.Parallel()
	root, err := envoy.Root()
	if err != nil {
		t.Fatal(err)
	}
	g := launch(t, config(object{"tpm": 30}), envoy.Options{Workers: 2})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "node", filepath.Join(root, "testdata/e2e/clients.mjs"), g.BaseURL, filepath.Join(root, ".tools"))
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v (make clients installs the clients)\n%s", err, output)
	}
	t.Logf("%s", output)
}
