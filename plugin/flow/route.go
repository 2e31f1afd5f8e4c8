package flow

import (
	"strings"

	"fairshare/plugin/admin"
)

// A route is one thing that a path can mean.
type route uint8

const (
	unknownPath route = iota
	chatCompletions
	embeddings
	listModels
	alive
	manage // the management API, see package admin
	showShares
	resetShares
	showMetrics
	passThrough
)

type endpoint struct {
	path   string
	method string
	route  route
}

// endpoints are all paths that this gateway serves. Anything else is refused
// unless pass_through_paths lists it: an unknown path must not be a way round
// the limits.
var endpoints = [...]endpoint{
	{"/v1/chat/completions", "POST", chatCompletions},
	{"/chat/completions", "POST", chatCompletions},
	{"/v1/embeddings", "POST", embeddings},
	{"/embeddings", "POST", embeddings},
	{"/v1/models", "GET", listModels},
	{"/models", "GET", listModels},
	{"/health/liveliness", "GET", alive},
	{"/health/liveness", "GET", alive},
	{"/fairshare/shares", "GET", showShares},
	{"/fairshare/reset", "POST", resetShares},
	{"/metrics", "GET", showMetrics},
}

// upstreamPaths follow a deployment's prefix.
var upstreamPaths = [...]string{chatCompletions: "/chat/completions", embeddings: "/embeddings"}

// find returns the endpoint of path, nil if there is none. One "/" at the end
// is ignored.
func find(path string) *endpoint {
	if len(path) > 1 && path[len(path)-1] == '/' {
		path = path[:len(path)-1]
	}
	for i := range endpoints {
		if endpoints[i].path == path {
			return &endpoints[i]
		}
	}
	return nil
}

// findOffice finds a route of the management API.
//
//go:noinline
func (x *Exchange) findOffice(r *requestHead) *endpoint {
	path := strings.Clone(r.path) // a key in it is needed when the body is there
	if len(path) > 1 && path[len(path)-1] == '/' {
		path = path[:len(path)-1]
	}
	route, ok := admin.Find(path)
	if !ok {
		return nil
	}
	x.office = route
	return &endpoint{route.Path, route.Method, manage}
}

// split cuts a request target into path and query.
func split(target string) (path, query string) {
	for i := range len(target) {
		if target[i] == '?' || target[i] == '#' {
			return target[:i], target[i+1:]
		}
	}
	return target, ""
}

// plain reports whether path has a single reading: no empty or dot segments, no
// backslash and nothing percent-encoded, all of which an upstream might resolve
// to another path than the one that was allowed.
func plain(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	for i := range len(path) {
		switch c := path[i]; {
		case c == '%' || c == '\\' || c < ' ' || c == 0x7f:
			return false
		case c == '/' && i+1 < len(path):
			rest := path[i+1:]
			if rest[0] == '/' || rest == "." || rest == ".." ||
				len(rest) > 1 && rest[:2] == "./" || len(rest) > 2 && rest[:3] == "../" {
				return false
			}
		}
	}
	return true
}
