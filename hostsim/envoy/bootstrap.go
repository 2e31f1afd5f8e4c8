package envoy

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"
)

// bootstrap returns the whole configuration of a test's Envoy: a listener on
// a port that Envoy chooses, an admin page likewise, and per upstream a route
// and a cluster. With o.Static the listener is part of it; else Envoy reads it
// from the folder, where it can be replaced.
func (o *Options) bootstrap(folder string) (object, error) {
	clusters := list{}
	for i, authority := range o.authorities() {
		made, err := o.cluster(clusterName(i), o.Upstreams[authority])
		if err != nil {
			return nil, err
		}
		clusters = append(clusters, made)
	}
	static := object{"clusters": clusters}
	node := "test"
	if o.Istio {
		node = "router~10.0.0.1~gateway-1.istio-system~istio-system.svc.cluster.local"
	}
	b := object{
		"node":             object{"id": node, "cluster": "test"},
		"admin":            object{"address": address("127.0.0.1", 0)},
		"static_resources": static,
		"overload_manager": object{"resource_monitors": list{object{
			"name": "envoy.resource_monitors.global_downstream_max_connections",
			"typed_config": object{
				"@type":                             "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
				"max_active_downstream_connections": 50000,
			},
		}}},
	}
	if o.Static {
		listener, err := o.listener(1)
		if err != nil {
			return nil, err
		}
		static["listeners"] = list{listener}
		return b, nil
	}
	b["dynamic_resources"] = object{"lds_config": object{
		"resource_api_version": "V3",
		"path_config_source": object{
			"path":              folder + "/" + listenerFile,
			"watched_directory": object{"path": folder},
		},
	}}
	return b, nil
}

// listenerFile is the name of the file that Envoy watches.
const listenerFile = "listener.json"

// listener returns the listener of the nth configuration. Every answer
// carries the number in its server header, so that one can see which
// configuration served it.
func (o *Options) listener(n int) (object, error) {
	filters := o.Filters
	if filters == nil {
		filter, err := o.fairshare()
		if err != nil {
			return nil, err
		}
		filters = []any{filter}
	}
	filters = append(slices.Clone(filters), object{
		"name":         "envoy.filters.http.router",
		"typed_config": object{"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
	})
	buffer := o.BufferLimit
	if buffer == 0 {
		buffer = 8 << 20
	}
	return object{
		"name":                              "fairshare",
		"address":                           address("127.0.0.1", o.port),
		"per_connection_buffer_limit_bytes": buffer,
		"filter_chains": list{object{"filters": list{object{
			"name": "envoy.filters.network.http_connection_manager",
			"typed_config": object{
				"@type":                        "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
				"stat_prefix":                  "fairshare",
				"server_name":                  serverName(n),
				"common_http_protocol_options": object{"max_headers_count": maxHeaders},
				"http_filters":                 filters,
				"route_config":                 o.routes(),
			},
		}}}},
	}, nil
}

// maxHeaders is how many headers a test's Envoy lets through in one message.
const maxHeaders = 4000

// serverName is the server header of the nth configuration's answers.
func serverName(n int) string { return "envoy-" + strconv.Itoa(n) }

// fairshare returns the filter as an HTTP filter of Envoy.
func (o *Options) fairshare() (object, error) {
	wasm := o.Wasm
	if wasm == "" {
		var err error
		if wasm, err = find("build/fairshare.wasm"); err != nil {
			return nil, err
		}
	}
	configuration := object{
		"@type": "type.googleapis.com/google.protobuf.StringValue",
		"value": string(o.Config),
	}
	if o.Struct {
		var tree object
		if err := json.Unmarshal(o.Config, &tree); err != nil {
			return nil, fmt.Errorf("a Struct can only hold a JSON object: %w", err)
		}
		configuration = object{"@type": "type.googleapis.com/google.protobuf.Struct", "value": tree}
	}
	names := append(slices.Sorted(maps.Keys(o.Env)), "OPENAI_API_KEY", "LITELLM_MASTER_KEY")
	slices.Sort(names)
	config := object{
		"name":           "fairshare",
		"root_id":        "filter",
		"configuration":  configuration,
		"failure_policy": "FAIL_RELOAD",
		"reload_config":  object{"backoff": object{"base_interval": "1s"}},
		"vm_config": object{
			"vm_id":                 "fairshare",
			"runtime":               "envoy.wasm.runtime.v8",
			"code":                  object{"local": object{"filename": wasm}},
			"environment_variables": object{"host_env_keys": slices.Compact(names)},
		},
	}
	if o.Istio {
		delete(config["vm_config"].(object), "vm_id")
	} else {
		config["allow_on_headers_stop_iteration"] = true
	}
	return object{
		"name": "fairshare",
		"typed_config": object{
			"@type":  "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
			"config": config,
		},
	}, nil
}

// routes returns the route table: one route per upstream, by the header that
// the filter sets, and none for what has no such header. Where the filter
// cannot hold the headers, or there is no filter, the first upstream gets that.
func (o *Options) routes() object {
	routes := list{}
	timeout := duration(o.Timeout)
	for i, authority := range o.authorities() {
		routes = append(routes, object{
			"match": object{"prefix": "/", "headers": list{object{
				"name": "x-fairshare-upstream", "string_match": object{"exact": authority},
			}}},
			"route": object{"cluster": clusterName(i), "timeout": timeout},
		})
	}
	last := object{"match": object{"prefix": "/"}}
	switch {
	case o.Answer != "":
		last["direct_response"] = object{"status": 200, "body": object{"inline_string": o.Answer}}
		last["response_headers_to_add"] = list{object{
			"header": object{"key": "content-type", "value": "application/json"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
		}}
	case (o.Istio || o.Filters != nil) && len(routes) > 0:
		last["route"] = object{"cluster": clusterName(0), "timeout": timeout}
	default:
		last["direct_response"] = object{"status": 404, "body": object{"inline_string": "no upstream was chosen"}}
	}
	return object{
		"name":          "fairshare",
		"virtual_hosts": list{object{"name": "fairshare", "domains": list{"*"}, "routes": append(routes, last)}},
	}
}

// authorities returns the upstreams' names in the order of their clusters.
func (o *Options) authorities() []string { return slices.Sorted(maps.Keys(o.Upstreams)) }

func clusterName(i int) string { return "upstream_" + strconv.Itoa(i) }

// cluster returns a cluster of one endpoint, host:port.
func (o *Options) cluster(name, endpoint string) (object, error) {
	host, text, err := net.SplitHostPort(endpoint)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	protocol := "http_protocol_options"
	if o.UpstreamH2 {
		protocol = "http2_protocol_options"
	}
	many := 100_000
	return object{
		"name":            name,
		"type":            "STATIC",
		"connect_timeout": duration(5 * time.Second),
		"circuit_breakers": object{"thresholds": list{object{
			"max_connections": many, "max_pending_requests": many, "max_requests": many,
		}}},
		"typed_extension_protocol_options": object{
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": object{
				"@type":                        "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
				"explicit_http_config":         object{protocol: object{}},
				"common_http_protocol_options": object{"max_headers_count": maxHeaders},
			},
		},
		"load_assignment": object{
			"cluster_name": name,
			"endpoints":    list{object{"lb_endpoints": list{object{"endpoint": object{"address": address(host, port)}}}}},
		},
	}, nil
}

func address(host string, port int) object {
	return object{"socket_address": object{"address": host, "port_value": port}}
}

// duration writes d as protobuf's JSON does.
func duration(d time.Duration) string { return fmt.Sprintf("%.3fs", d.Seconds()) }
