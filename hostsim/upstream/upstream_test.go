package upstream

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// An upstream does as the request's words tell it, and books what it did.
func TestServer(t *testing.T) {
	t.Parallel()
	s := &Server{}
	base := "http://" + Start(t, s)
	const sse = `{"model":"m","stream":true}`
	for _, row := range []struct {
		wish, body string
		status     int
		has, not   string // what the answer holds, and what it doesn't
		cut        bool
		books      Books
	}{
		{"prompt=1 completion=2", `{"model":"m"}`, 200, `"total_tokens":3`, "data:", false, Books{Requests: 1, Reported: 1, Tokens: 3}},
		{"usage=never", `{"model":"m"}`, 200, "word", "total_tokens", false, Books{Requests: 1, Silent: 1}},
		{"cut=1", sse, 200, "data: [DONE]", "total_tokens", false, Books{Requests: 1, Silent: 1}},
		{"usage=always", sse, 200, `"total_tokens":30`, "", false, Books{Requests: 1, Reported: 1, Tokens: 30}},
		{"", `{"model":"m","stream":true,"stream_options":{"include_usage":true}}`, 200, `"total_tokens":30`, "", false, Books{Requests: 1, Reported: 1, Tokens: 30}},
		{"reset=1", sse, 200, "word", "[DONE]", true, Books{Requests: 1, Broken: 1}},
		{"status=500", sse, 500, "error", "word", false, Books{Requests: 1, Failed: 1}},
		{"staus=500", sse, 400, "staus=500", "", false, Books{Requests: 1, Failed: 1}},
	} {
		before := s.Books()
		r, err := http.NewRequest(http.MethodPost, base, strings.NewReader(row.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(Header, row.wish)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatalf("%q: %v", row.wish, err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != row.status || (err != nil) != row.cut ||
			!strings.Contains(string(body), row.has) || row.not != "" && strings.Contains(string(body), row.not) {
			t.Errorf("%q: %d %v %s", row.wish, response.StatusCode, err, body)
		}
		got := s.Books()
		got.Requests -= before.Requests
		got.Tokens -= before.Tokens
		got.Reported -= before.Reported
		got.Silent -= before.Silent
		got.Broken -= before.Broken
		got.Failed -= before.Failed
		if got != row.books {
			t.Errorf("%q: books %+v, want %+v", row.wish, got, row.books)
		}
	}
	if s.Open() != 0 {
		t.Errorf("%d requests are open", s.Open())
	}
}
