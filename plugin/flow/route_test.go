package flow

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPathsOfOneReading(t *testing.T) {
	for path, want := range map[string]bool{
		"/v1/files/7": true, "/v1/files/a.b": true, "/v1/files/..x": true, "/v1/files/x..": true, "/v1/files/.hidden": true,
		"/v1/files/a;b": true, "/v1/files/a;b=c/d": true, "/v1/files/": true, "/v1/files/..x;y": true, "/v1/files/a~b:c@d": true,
		"": false, "x": false, "/v1/files//x": false, "/v1/files/./x": false, "/v1/files/..": false, "/v1/files/.": false,
		"/v1/files/..;/x": false, "/v1/files/..;a=b/x": false, "/v1/files/.;/x": false, "/v1/files/..;": false, "/v1/files/;/x": false,
		"/v1/files/;a": false, "/v1/files/.../x": false, "/v1/files/%2e%2e/x": false, "/v1/files/%252e/x": false, "/v1/files/a%00b": false,
		"/v1/files/a%2fb": false, "/v1/files/a%5cb": false, "/v1/files/..\\x": false, "/v1/files/\xc0\xae\xc0\xae/x": false,
		"/v1/files/\xe0\x80\xae/x": false, "/v1/files/\uff0e\uff0e/x": false, "/v1/files/a b": false, "/v1/files/a\x00": false,
		// What a server that knows parameters, or no case, takes for a route of ours.
		"/v1/chat/completions;x=y": false, "/v1/chat;x/completions": false, "/v1;/embeddings": false, "/V1/Chat/completions": false,
		"/v1/chat./completions": false, "/v1/chat/completions.": false, "/v1/embeddings..;x": false, "/v1/chat/completions.x": true,
		"/v1/chat/completions;x/": false, "/key/generate;x": false, "/metrics;": false, "/chat/completions;": false,
	} {
		if got := plain(path); got != want {
			t.Errorf("plain(%q) = %v", path, got)
		}
	}
}

// No parameter, and no fragment, makes a route of a path, or a way round one.
func TestParametersOfARoute(t *testing.T) {
	for _, target := range []string{
		"/v1/chat/completions;x=y", "/v1/chat;x=y/completions", "/v1/embeddings;", "/V1/chat/completions", "/v1/chat/completions#x", "/v1/files/#x",
	} {
		g, _ := gateway(t, `{"model_list": [{"model_name": "m", "litellm_params": {"model": "m", "mock_response": "hi"}}],
			"general_settings": {"master_key": "sk-1234"}, "fairshare_settings": {"pass_through_paths": ["/v1/*"]}}`)
		x := g.Open()
		d := x.RequestHeaders(1, [][2]string{{":method", "POST"}, {":path", target}, {"authorization", "Bearer sk-1234"}}, true)
		if d.Reply == nil || d.Reply.Status != 404 {
			t.Errorf("%s: %+v", target, d)
		}
		x.Done(1)
	}
}

// A plain path below a prefix is below it in every reading that servers are known for:
// decoded once or twice, with "\" as "/", without the parameters of segments, without
// dots and blanks at their ends; then resolved.
func FuzzPlain(f *testing.F) {
	for _, s := range []string{"..;/chat", "%2e%2e/x", `..\x`, "a/.../../x", ".. /x", "a;/../b", "%252e%252e", "．．/x", "x/y.z", "7;v=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		const prefix = "/v1/files/"
		target, _ := split(prefix + rest)
		if !plain(target) {
			return
		}
		readings := []string{target}
		add := func(read func(string) string) {
			for _, r := range slices.Clone(readings) {
				readings = append(readings, read(r))
			}
		}
		decode := func(s string) string {
			if d, err := url.PathUnescape(s); err == nil {
				return d
			}
			return s
		}
		segments := func(each func(string) string) func(string) string {
			return func(s string) string {
				parts := strings.Split(s, "/")
				for i := range parts {
					parts[i] = each(parts[i])
				}
				return strings.Join(parts, "/")
			}
		}
		add(decode)
		add(decode)
		add(func(s string) string { return strings.ReplaceAll(s, `\`, "/") })
		add(segments(func(s string) string { name, _, _ := strings.Cut(s, ";"); return name }))
		add(segments(func(s string) string {
			if s == "." || s == ".." {
				return s
			}
			return strings.TrimRight(s, ". ")
		}))
		for _, r := range readings {
			if got := path.Clean(r) + "/"; !strings.HasPrefix(got, prefix) || strings.Contains(r, "//") || !utf8.ValidString(r) {
				t.Fatalf("%q may be read as %q", target, got)
			}
		}
	})
}
