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
		// What servers and gateways say in place of an answer.
		{`{"detail":"Not Found"}`, false, false}, // FastAPI
		{`{"detail":[{"type":"missing","loc":["body","model"],"msg":"Field required"}]}`, false, false},
		{`{"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400}`, false, false}, // vLLM
		{`{"code":"InvalidParameter","message":"no","request_id":"1"}`, false, false},                              // DashScope
		{`{"code":20012,"message":"Model does not exist","data":null}`, false, false},                              // SiliconFlow
		{`{"error_code":336003,"error_msg":"no","id":"as-1"}`, false, false},                                       // Baidu
		{`{"message":"no Route matched","request_id":"1"}`, false, false},                                          // Kong
		{`{"result":null,"success":false,"errors":[{"code":5007,"message":"No such model"}],"messages":[]}`, false, false},
		{`{"type":"about:blank","title":"Too many","status":429,"detail":"x","instance":"/a"}`, false, false}, // RFC 9457
		{`{"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}`, false, false},              // MiniMax
		{"data: {\"object\":\"error\",\"message\":\"no\",\"code\":40303}\n\ndata: [DONE]\n\n", false, false},
		{`{"code":0,"message":"success","data":{"answer":"four"}}`, true, false},
		{`{"result":{"text":"four"},"success":true}`, true, false},
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
