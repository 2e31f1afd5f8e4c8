package flow

import "testing"

// On a host that sends headers before the body is there, they lead to the first
// upstream whatever the route is, and the answer is the same as elsewhere.
func TestHeadersGoEarly(t *testing.T) {
	for _, c := range []struct {
		path, body string
		status     int // 0 goes upstream
		upstream   string
	}{
		{"/v1/chat/completions", string(askBody), 0, "/v1/chat/completions"},
		{"/v1/embeddings", `{"model":"local-model","input":"hi"}`, 0, "/v1/embeddings"},
		{"/key/generate", "{}", 200, "/v1/chat/completions"},
		{"/team/new", `{"team_id":7}`, 400, "/v1/chat/completions"},
	} {
		g, _ := gateway(t, upstreamConfig)
		g.ForwardEarly()
		x := g.Open()
		headers := append([][2]string(nil), askHeaders...)
		headers[1][1] = c.path
		d := x.RequestHeaders(1_000_000_000_000, headers, false)
		path := c.path
		for _, e := range d.Edits {
			if e.Name == ":path" {
				path = e.Value
			}
		}
		if d.Pause || d.Reply != nil || path != c.upstream {
			t.Errorf("%s: headers %+v", c.path, d)
		}
		d = x.RequestBody(1_000_000_000_000, []byte(c.body))
		status := 0
		if d.Reply != nil {
			status = d.Reply.Status
		}
		if status != c.status {
			t.Errorf("%s: %d, want %d: %+v", c.path, status, c.status, d.Reply)
		}
		x.Done(1_000_000_000_000)
	}
}
