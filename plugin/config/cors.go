package config

import (
	"strings"

	"fairshare/plugin/document"
)

// corsOrigins reads fairshare_settings.cors_origins. Where nothing is said it is LiteLLM's
// default, every origin.
func (r *reading) corsOrigins(at place) []string {
	if !at.read() {
		return []string{"*"}
	}
	origins := at.texts()
	for i, o := range origins {
		scheme, host, _ := strings.Cut(o, "://")
		if o != "*" && (scheme == "" || host == "" || strings.ContainsAny(scheme+host, "/ *,?#@") || strings.ToLower(o) != o) {
			r.fail(document.Item(at.path, i), `an origin such as "https://page.example", in lower case, or "*"`, document.Quote(o))
		}
	}
	return origins
}
