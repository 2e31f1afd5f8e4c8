package envoy

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

type (
	object = map[string]any
	list   = []any
)

// A File is an Envoy file as users write it: a whole bootstrap in YAML.
type File struct {
	tree object
}

// ReadFile reads an Envoy file.
func ReadFile(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &File{}
	if err := yaml.Unmarshal(text, &f.tree); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if f.listener() == nil {
		return nil, fmt.Errorf("%s: want a listener in static_resources.listeners, got none", path)
	}
	return f, nil
}

// listener returns the first listener, nil if there is none.
func (f *File) listener() object {
	listeners, _ := at(f.tree, "static_resources", "listeners").(list)
	if len(listeners) == 0 {
		return nil
	}
	first, _ := listeners[0].(object)
	return first
}

// Listen makes the first listener and the admin page listen on other ports of
// the hosts that the file names.
func (f *File) Listen(port, admin int) {
	setPort(f.listener(), port)
	page, ok := f.tree["admin"].(object)
	if !ok {
		page = object{}
		f.tree["admin"] = page
	}
	setPort(page, admin)
}

// setPort changes the port of x's address, which becomes the loopback's if x
// has none.
func setPort(x object, port int) {
	socket, ok := at(x, "address", "socket_address").(object)
	if !ok {
		socket = object{"address": "127.0.0.1"}
		x["address"] = object{"socket_address": socket}
	}
	socket["port_value"] = port
}

// JSON returns the file for Envoy's --config-path.
func (f *File) JSON() (string, error) {
	text, err := json.Marshal(f.tree)
	return string(text), err
}

// Plugin returns the filter's configuration: the first google.protobuf.Struct
// or StringValue below a typed_config of a Wasm filter, nil if there is none.
func (f *File) Plugin() object {
	var found object
	var walk func(x any)
	walk = func(x any) {
		switch x := x.(type) {
		case list:
			for _, item := range x {
				walk(item)
			}
		case object:
			if kind, _ := x["@type"].(string); filepath.Ext(kind) == ".Wasm" && found == nil {
				switch value := at(x, "config", "configuration", "value").(type) {
				case object:
					found = value
				case string:
					_ = json.Unmarshal([]byte(value), &found) // the filter reports what is wrong with it
				}
			}
			for _, item := range x {
				walk(item)
			}
		}
	}
	walk(f.tree)
	return found
}

// Secrets returns the texts in the file that are credentials by the names of their
// settings, its own and the filter's. Envoy quotes its whole configuration beside many
// an error in it.
func (f *File) Secrets() []string {
	var found []string
	var walk func(name string, x any)
	walk = func(name string, x any) {
		switch x := x.(type) {
		case string:
			// What is shorter is a placeholder such as none, or the documents' sk-1234.
			const least = 8
			if secretive(name) && len(x) >= least && !strings.HasPrefix(x, "os.environ/") {
				found = append(found, x)
			}
		case list:
			for _, item := range x {
				walk(name, item)
			}
		case object:
			for inner, item := range x {
				if inner == "inline_string" || inner == "inline_bytes" {
					inner = name // a DataSource: what it is, its setting says
				}
				walk(inner, item)
			}
		}
	}
	walk("", f.tree)
	walk("", f.Plugin())
	// The longest first: one may be the begin of another.
	slices.SortFunc(found, func(a, b string) int { return len(b) - len(a) })
	return found
}

func secretive(name string) bool {
	for _, part := range []string{"key", "secret", "password", "token", "credential"} {
		if strings.Contains(strings.ToLower(name), part) {
			return true
		}
	}
	return false
}

// at returns what stands in x at the path, nil if nothing does.
func at(x any, path ...string) any {
	for _, name := range path {
		inner, _ := x.(object)
		x = inner[name]
	}
	return x
}
