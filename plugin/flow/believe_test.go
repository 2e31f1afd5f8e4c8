//go:build !tinygo

package flow

import (
	"strings"
	"testing"

	"fairshare/plugin/tenant"
)

// Usage that nothing explains is counted and told to the operator once a minute, with the
// model's name and the numbers.
func TestUnbelievedUsageIsTold(t *testing.T) {
	const now = int64(1_800_000_000_000)
	g := pricedGateway(t, newProcess(1), 1<<40, callerConfig)
	addSubjects(t, g, makeKey("sk-alpha-0123456789", tenant.Subject{}))
	answer := func(at int64, usage string) {
		converse(g, at, "/v1/chat/completions", "sk-alpha-0123456789", `{"model":"gpt","messages":[{"role":"user","content":"hi"}]}`, 200, usage)
	}
	answer(now, `{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}`)
	if s := g.Warning(now); s != "" || g.worker.counts[UnbelievedUsage] != 0 {
		t.Fatalf("told %q of usage that is as it should be", s)
	}
	answer(now, `{"prompt_tokens":1e30,"completion_tokens":20}`)
	answer(now+1, `{"prompt_tokens":10,"completion_tokens":1e308}`)
	s := g.Warning(now + 1)
	if !strings.Contains(s, `model "gpt"`) || !strings.Contains(s, "9223372036854775807 input") || g.worker.counts[UnbelievedUsage] != 2 {
		t.Errorf("told %q, counted %d", s, g.worker.counts[UnbelievedUsage])
	}
	answer(now+2, `{"prompt_tokens":1e30,"completion_tokens":20}`)
	if s := g.Warning(now + 2); s != "" {
		t.Errorf("told again: %q", s)
	}
	if s := g.Warning(now + 60_001); s == "" {
		t.Error("not told again after a minute")
	}
}
