package llm

import (
	"testing"

	"fairshare/plugin/unit"
)

// Whatever caps a body gives, in whatever order, no server that reads some of
// them may write more than the Ask says.
func TestOutput(t *testing.T) {
	const open = -1 // no cap, but others may be known
	for _, c := range []struct {
		members string
		tokens  unit.Tokens // open if not capped
		limit   unit.Tokens // the largest by any name where it is open
		choices int64
	}{
		{members: `"max_tokens":5`, tokens: 5},
		{members: `"max_tokens":5,"max_completion_tokens":7`, tokens: 7},
		{members: `"max_completion_tokens":5,"max_tokens":7`, tokens: 7},
		{members: `"max_completion_tokens":null,"max_tokens":5`, tokens: 5},
		{members: `"max_tokens":1e2,"n":2.0`, tokens: 100, choices: 2},
		{members: `"max_tokens":100.0`, tokens: 100},
		{members: `"max_tokens":16777216`, tokens: 1 << 24},

		// No cap: what Ollama, llama.cpp, LM Studio and llama-cpp-python read so,
		// and what no model reaches.
		{members: `"max_tokens":-1`, tokens: open},
		{members: `"max_tokens":-1.0`, tokens: open},
		{members: `"max_tokens":-2`, tokens: open},
		{members: `"max_tokens":0`, tokens: open},
		{members: `"max_tokens":-0`, tokens: open},
		{members: `"max_tokens":null`, tokens: open},
		{members: `"max_tokens":16777217`, tokens: open},
		{members: `"max_tokens":1e12`, tokens: open},
		{members: `"max_tokens":1e308`, tokens: open},
		{members: `"max_tokens":1e400`, tokens: open},
		{members: `"max_tokens":9223372036854775808`, tokens: open},
		{members: `"max_tokens":-9223372036854775809`, tokens: open},
		{members: `"max_tokens":5,"max_completion_tokens":-1`, tokens: open},
		{members: `"max_completion_tokens":-1,"max_tokens":5`, tokens: open},
		{members: `"max_tokens":5,"n_predict":-1`, tokens: open},
		{members: `"max_tokens":5,"options":{"num_predict":-2}`, tokens: open},

		// A name that only some servers read makes a cap larger, never one.
		{members: `"max_tokens":5,"n_predict":70`, tokens: 70},
		{members: `"n_predict":70,"max_tokens":5`, tokens: 70},
		{members: `"max_tokens":5,"max_output_tokens":3`, tokens: 5},
		{members: `"max_output_tokens":70`, tokens: open, limit: 70},
		{members: `"max_tokens":5,"options":{"x":[{"num_predict":50}]}`, tokens: 50},
		{members: `"max_tokens":5,"parameters":{"max_new_tokens":50,"best_of":3}`, tokens: 50, choices: 3},
		{members: `"max_tokens":5,"generationConfig":{"maxOutputTokens":50,"candidateCount":4}`, tokens: 50, choices: 4},
		{members: `"max_tokens":5,"maxTokens":50`, tokens: 50},
		{members: `"max_tokens":5,"MAX_NEW_TOKENS":50`, tokens: 50},
		{members: `"max_tokens":5,"max\u005fnew_tokens":50`, tokens: 50},
		{members: `"max_tokens":5,"max\u0054okens":50`, tokens: 50},
		{members: `"max_tokens":5,"options":{"num\u005fpredict":50}`, tokens: 50},
		{members: `"max_tokens":5,"n_predict":9,"n_predict":50`, tokens: 50},
		{members: `"max_tokens":5,"n_predict":50,"n_predict":9`, tokens: 50},
		{members: `"max_tokens":5,"max_new_tokens":"100"`, tokens: open},
		{members: `"max_tokens":5,"max_new_tokens":50.5`, tokens: open},
		{members: `"max_tokens":5,"max_new_tokens":null`, tokens: 5},
		{members: `"max_tokens":5,"metadata":{"max_new_tokens":50}`, tokens: 5},
		{members: `"max_tokens":5,"tools":[{"max_new_tokens":50}]`, tokens: 5},

		// extra_body goes before what is beside it, where it is read.
		{members: `"max_tokens":5,"extra_body":{"max_tokens":50,"n":3}`, tokens: 50, choices: 3},
		{members: `"max_tokens":5,"extra_body":{"max_completion_tokens":50}`, tokens: 50},
		{members: `"max_tokens":5,"extra_body":{"max_tokens":3,"extra_body":{"max_tokens":60}}`, tokens: 60},
		{members: `"extra_body":{"max_tokens":50}`, tokens: open, limit: 50},
		{members: `"max_tokens":5,"extra_body":{"max_tokens":"50"}`, tokens: open},
		{members: `"max_tokens":5,"extra_body":[{"max_tokens":50}]`, tokens: 50},

		// Reasoning comes on top.
		{members: `"max_tokens":5,"thinking":{"type":"enabled","budget_tokens":100}`, tokens: 105},
		{members: `"max_tokens":5,"reasoning":{"max_tokens":100}`, tokens: 105},
		{members: `"max_tokens":5,"thinking_budget":100,"thinking_token_budget":30`, tokens: 105},
		{members: `"max_tokens":5,"extra_body":{"google":{"thinking_config":{"thinking_budget":100}}}`, tokens: 105},
		{members: `"max_tokens":5,"extra_body":{"google":{"thinking_config":{"thinking_budget":-1}}}`, tokens: open},
		{members: `"max_tokens":5,"thinking_budget":0`, tokens: 5},
		{members: `"max_tokens":5,"enable_thinking":true`, tokens: open},
		{members: `"max_tokens":5,"enable_thinking":true,"thinking_budget":20`, tokens: 25},
		{members: `"max_tokens":5,"enable_thinking":false`, tokens: 5},

		{members: `"n":3`, tokens: open, choices: 3},
		{members: `"n":3,"best_of":5`, tokens: open, choices: 5},
		{members: `"best_of":2,"n":3`, tokens: open, choices: 3},
		{members: `"n":2,"num_return_sequences":6,"n_cmpl":4`, tokens: open, choices: 6},
		{members: `"n":0`, tokens: open},
		{members: `"n":-1,"best_of":-1`, tokens: open},
		{members: `"n":null,"best_of":null`, tokens: open},
		{members: `"num_return_sequences":-1,"candidate_count":1.5`, tokens: open},
	} {
		body := `{` + c.members + `,"model":"a","messages":[]}`
		ask, fault := parseAsk([]byte(body))
		if fault != nil {
			t.Errorf("parseAsk(%s): %+v", body, fault)
			continue
		}
		tokens, capped := c.tokens, true
		if tokens == open {
			tokens, capped = c.limit, false
		}
		if ask.MaxOutput != tokens || ask.Capped != capped || ask.Choices != max(c.choices, 1) {
			t.Errorf("parseAsk(%s) = %d tokens, capped %v, %d choices, want %d, %v, %d",
				body, ask.MaxOutput, ask.Capped, ask.Choices, tokens, capped, max(c.choices, 1))
		}
	}
}
