//go:build !tinygo

package llm

import "testing"

// What an upstream answers with that has neither usage nor text is either an error, or
// nothing, or an answer of a shape that we don't know, which was paid for.
func TestObserveUnknown(t *testing.T) {
	for _, test := range []struct {
		body            string
		unknown, failed bool
	}{
		{``, false, false},
		{`{}`, false, false},
		{`[]`, false, false},
		{`["overloaded"]`, false, false},
		{`<html><body>Bad gateway</body></html>`, false, false},
		{`upstream overloaded`, false, false},
		{`{"id":"1","choices":null}`, false, false},
		{`{"id":"1","choices":null,"base_resp":{"status_code":1008}}`, false, false},
		{`{"base_resp":{"status_code":1008},"choices":null}`, false, false},
		{`{"error":{"message":"no"}}`, false, true},
		{`{"error":"no"}`, false, true},
		{`{"error":null,"answer":null,"done":false}`, false, false},
		{`{"answer":"four"}`, true, false},
		{`{"predictions":[{"x":1}]}`, true, false},
		{"{\"token\":\"fo\"}\n{\"token\":\"ur\"}\n", true, false},
		{"data: {\"error\":{\"message\":\"no\"}}\n\n", false, true},
		{"event: error\ndata: {\"error\":{\"message\":\"no\"}}\n\n", false, true},
		{"data: {\"token\":\"fo\"}\n\n", true, false},
	} {
		for cut := range len(test.body) + 1 {
			var o Observer
			o.Reset(Either, false)
			o.Chunk([]byte(test.body[:cut]), false)
			o.Chunk([]byte(test.body[cut:]), true)
			if o.Unknown() != test.unknown || o.Failed() != test.failed || o.Answered() {
				t.Fatalf("%s cut at %d: unknown %v, failed %v, answered %v", test.body, cut, o.Unknown(), o.Failed(), o.Answered())
			}
		}
	}
}
