package filter

import "fairshare/plugin/config"

// A profile is what a kind of proxy lets a filter do. Calls that a proxy traps
// on are never tried there.
type profile struct {
	// holdHeaders: after a pause in the headers callback the body callbacks
	// still come, and the headers can be changed in them. Envoy with
	// allow_on_headers_stop_iteration.
	holdHeaders bool
	// bodyFirst: the body callback comes before anything goes upstream, with
	// no pause needed. Kong's and APISIX's hosts.
	bodyFirst bool
	// bodyAsked: the body callback comes only if a property asks for it.
	bodyAsked  bool
	sharedData bool
	queue      bool
}

var profiles = map[config.HostKind]profile{
	config.Envoy:  {holdHeaders: true, sharedData: true, queue: true},
	config.Istio:  {sharedData: true, queue: true},
	config.Kong:   {bodyFirst: true, sharedData: true},
	config.Apisix: {bodyFirst: true, bodyAsked: true},
}

// kindOf settles config.Auto. Istio's proxies have node ids that begin with
// their role (istio.io, pkg/model/proxy.go, NodeType), and it can't set
// allow_on_headers_stop_iteration. Every other host is taken for Envoy as
// envoy.yaml configures it: asking for properties where there are none makes
// Kong's worker crash, so Kong and APISIX must be named.
func kindOf(k config.HostKind) config.HostKind {
	if k != config.Auto {
		return k
	}
	id, ok := property("xds\x00node\x00id")
	if !ok {
		return config.Envoy
	}
	for _, role := range [...]string{"sidecar~", "router~", "waypoint~"} {
		if len(id) > len(role) && id[:len(role)] == role {
			return config.Istio
		}
	}
	return config.Envoy
}
