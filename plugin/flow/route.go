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
	showModel
	showHealth
	alive
	ready
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
	{"/health/readiness", "GET", ready},
	{"/health", "GET", showHealth},
	{"/fairshare/shares", "GET", showShares},
	{"/fairshare/reset", "POST", resetShares},
	{"/metrics", "GET", showMetrics},
}

// served says what there is, for who asked for something else.
//
//go:noinline
func served() string {
	text := "This gateway serves "
	for i := range endpoints {
		if i > 0 {
			text += ", "
		}
		text += endpoints[i].method + " " + endpoints[i].path
	}
	return text + ", LiteLLM's management API, and what pass_through_paths lists"
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

// findOffice finds a route of the management API, or one whose path names a model.
//
//go:noinline
func (x *Exchange) findOffice(r *requestHead) *endpoint {
	if _, ok := modelOf(r.path); ok && (r.method == "GET" || r.method == "HEAD") {
		return &endpoint{r.path, "GET", showModel}
	}
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

// split cuts a request target into path and query. A target has no fragment (RFC 9112,
// section 3.2), so one with it has no path.
func split(target string) (path, query string) {
	for i := range len(target) {
		switch target[i] {
		case '?':
			return target[:i], target[i+1:]
		case '#':
			return "", ""
		}
	}
	return target, ""
}

// undotted is a path without the dots at its end, which Windows cuts off a name.
func undotted(path []byte) []byte {
	for len(path) > 0 && path[len(path)-1] == '.' {
		path = path[:len(path)-1]
	}
	return path
}

// plain reports whether path has a single reading, whoever reads it: nothing that an
// upstream might resolve to another path than the one that was allowed, or to one that
// this gateway serves itself. Servers decode %-sequences once or twice, take "\\" for "/",
// read wide or overlong forms of "." and "/", and cut parameters (";x=y") or dots off a segment
// before they resolve it.
func plain(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	read := make([]byte, 0, len(path)) // as by a server that cuts parameters and ignores case
	dots, parameters := true, false    // of the segment so far: it is dots alone; its parameters have begun
	begin := 0
	for i := range len(path) {
		c := path[i]
		switch {
		case c == '%' || c == '\\' || c <= ' ' || c >= 0x7f:
			return false
		case c == '/' || c == ';' && !parameters:
			if dots && i > 0 {
				return false // empty, or a dot segment
			}
			parameters = c == ';'
			read = undotted(read)
		}
		if c == '/' {
			begin, dots = i+1, true
		} else if c != '.' {
			dots = false
		}
		if !parameters {
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			read = append(read, c)
		}
	}
	if dots && begin < len(path) {
		return false
	}
	if read = undotted(read); find(string(read)) != nil {
		return false
	}
	if n := len(read); n > 1 && read[n-1] == '/' {
		read = read[:n-1]
	}
	_, ours := admin.Find(string(read))
	return !ours
}
