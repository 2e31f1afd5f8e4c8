package hostsim

import (
	"encoding/binary"
	"strconv"
	"strings"

	"fairshare/hostsim/abi"
)

// Property implements abi.Properties.
func (w *worker) Property(path []string) ([]byte, abi.Status) {
	name := strings.Join(path, ".")
	s := w.stream()
	if s != nil {
		if v, ok := s.properties[name]; ok {
			return v, abi.OK
		}
	}
	switch w.host.profile.Properties {
	case Strings:
		return w.kongProperty(s, name)
	case NginxNames:
		return w.nginxVariable(s, name)
	}
	return w.envoyProperty(s, path, name)
}

// SetProperty implements abi.Properties. Envoy keeps it as filter state under
// "wasm." and finds it by its own path again; the nginx hosts know only
// variables that exist and can be changed.
func (w *worker) SetProperty(path []string, value []byte) abi.Status {
	s := w.stream()
	if s == nil {
		return abi.NotFound
	}
	name := strings.Join(path, ".")
	switch w.host.profile.Properties {
	case Strings:
		if !strings.HasPrefix(name, "ngx.") {
			return abi.NotFound
		}
	case NginxNames:
		// apache/apisix docs/en/latest/wasm.md
		switch name {
		case "wasm_process_req_body":
			s.wantReq = true
		case "wasm_process_resp_body":
			s.wantResp = true
		}
	}
	s.properties[name] = value
	return abi.OK
}

// envoyProperty follows envoy source/extensions/filters/common/expr/context.cc
// and source/extensions/common/wasm/context.cc: strings raw, integers as 8
// bytes little-endian, request attributes only while the headers can be read.
func (w *worker) envoyProperty(s *Stream, path []string, name string) ([]byte, abi.Status) {
	text := func(v string) ([]byte, abi.Status) { return []byte(v), abi.OK }
	number := func(v int64) ([]byte, abi.Status) {
		return binary.LittleEndian.AppendUint64(nil, uint64(v)), abi.OK
	}
	switch name {
	case "plugin_name", "plugin_root_id", "plugin_vm_id":
		return text("hostsim")
	case "xds.node.id":
		return text(w.host.profile.NodeID)
	case "xds.cluster_name", "xds.route_name", "xds.virtual_host_name", "xds.node.cluster":
		return text("hostsim")
	}
	if s == nil {
		return nil, abi.NotFound
	}
	switch name {
	case "source.address":
		return text("127.0.0.1:40512")
	case "source.port":
		return number(40512)
	case "connection.id":
		return number(int64(s.id))
	case "connection.mtls":
		return []byte{0}, abi.OK
	case "request.time":
		return number(w.host.Now().UnixNano())
	}
	if rest, ok := strings.CutPrefix(name, "request."); ok {
		h := w.fields(abi.RequestHeaders, false)
		if h == nil {
			return nil, abi.NotFound
		}
		full := h.Get(":path")
		short, query, _ := strings.Cut(full, "?")
		switch rest {
		case "path":
			return text(full)
		case "url_path":
			return text(short)
		case "query":
			return text(query)
		case "host":
			return text(h.Get(":authority"))
		case "method":
			return text(h.Get(":method"))
		case "scheme":
			return text(h.Get(":scheme"))
		case "protocol":
			return text("HTTP/1.1")
		}
		if len(path) == 3 && path[1] == "headers" {
			if v, ok := h.Lookup(path[2]); ok {
				return text(v)
			}
		}
		if rest == "id" {
			if v, ok := h.Lookup("x-request-id"); ok {
				return text(v)
			}
		}
		return nil, abi.NotFound
	}
	if s.resp.headers == nil {
		return nil, abi.NotFound
	}
	switch name {
	case "response.code":
		code, err := strconv.ParseInt(s.resp.headers.Get(":status"), 10, 64)
		if err != nil {
			return nil, abi.NotFound
		}
		return number(code)
	case "response.code_details":
		if s.local {
			return text("wasm_local_reply")
		}
		return text("via_upstream")
	}
	return nil, abi.NotFound
}

// kongProperty follows ngx src/common/proxy_wasm/ngx_proxy_wasm_properties.c:
// all values are text, and reading plugin_name outside of a request kills the
// worker process.
func (w *worker) kongProperty(s *Stream, name string) ([]byte, abi.Status) {
	if s == nil {
		if name == "plugin_name" {
			w.trap("plugin_name outside of a request")
		}
		return nil, abi.InternalFailure
	}
	switch name {
	case "plugin_root_id":
		return []byte("0"), abi.OK
	case "source.address":
		return []byte("127.0.0.1"), abi.OK
	case "source.port":
		return []byte("40512"), abi.OK
	case "request.path":
		return []byte(s.req.headers.Get(":path")), abi.OK
	case "request.method":
		return []byte(s.req.headers.Get(":method")), abi.OK
	case "request.id":
		if v, ok := s.req.headers.Lookup("x-request-id"); ok {
			return []byte(v), abi.OK
		}
	case "response.code":
		if v, ok := s.resp.headers.Lookup(":status"); ok {
			return []byte(v), abi.OK
		}
	}
	if variable, ok := strings.CutPrefix(name, "ngx."); ok {
		return w.nginxVariable(s, variable)
	}
	return nil, abi.NotFound
}

// nginxVariable follows wnm src/http/ngx_http_wasm_api.c,
// proxy_get_property: variables by their own name, nothing without a request.
func (w *worker) nginxVariable(s *Stream, name string) ([]byte, abi.Status) {
	if s == nil {
		return nil, abi.BadArgument
	}
	full := s.req.headers.Get(":path")
	_, query, _ := strings.Cut(full, "?")
	switch name {
	case "remote_addr":
		return []byte("127.0.0.1"), abi.OK
	case "request_uri":
		return []byte(full), abi.OK
	case "args":
		return []byte(query), abi.OK
	case "host":
		return []byte(s.req.headers.Get(":authority")), abi.OK
	case "plugin_root_id":
		return []byte("hostsim"), abi.OK
	}
	if header, ok := strings.CutPrefix(name, "http_"); ok {
		if v, ok := s.req.headers.Lookup(strings.ReplaceAll(header, "_", "-")); ok {
			return []byte(v), abi.OK
		}
	}
	return nil, abi.NotFound
}
