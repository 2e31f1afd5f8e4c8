package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A configuration is what a file tells the gateway.
type configuration struct {
	plugin []byte            // the filter's configuration, JSON
	env    map[string]string // the variables that it names, as far as they are set
	plain  map[string]bool   // authorities whose api_base says http
}

// readConfig reads LiteLLM's configuration, YAML or JSON, or an Envoy file
// that holds one as the configuration of a wasm filter.
func readConfig(path string, getenv func(string) (string, bool)) (configuration, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return configuration{}, err
	}
	c, err := parseConfig(text, getenv)
	if err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// parseConfig is readConfig for the text of a file.
func parseConfig(text []byte, getenv func(string) (string, bool)) (configuration, error) {
	var document any
	if err := yaml.Unmarshal(text, &document); err != nil {
		return configuration{}, err
	}
	if top, ok := document.(map[string]any); ok && top["static_resources"] != nil {
		plugin, ok := wasmConfiguration(document)
		if !ok {
			return configuration{}, errors.New("no filter in it has a vm_config and a configuration")
		}
		document = plugin
	}
	c := configuration{env: map[string]string{}, plain: map[string]bool{}}
	if s, ok := document.(string); ok {
		c.plugin = []byte(s)
	} else {
		plugin, err := json.Marshal(document)
		if err != nil {
			return c, err
		}
		c.plugin = plugin
	}
	for _, name := range append(named(c.plugin), "LITELLM_MASTER_KEY") {
		if v, ok := getenv(name); ok {
			c.env[name] = v
		}
	}
	for _, m := range plainBase.FindAllSubmatch(c.plugin, -1) {
		c.plain[string(m[1])] = true
	}
	return c, nil
}

var (
	environment = regexp.MustCompile(`os\.environ/(\w+)`)
	plainBase   = regexp.MustCompile(`"api_base":\s*"http://([^/"]+)`)
)

// named returns the environment variables that a configuration names.
func named(plugin []byte) []string {
	var names []string
	for _, m := range environment.FindAllSubmatch(plugin, -1) {
		names = append(names, string(m[1]))
	}
	return names
}

// wasmConfiguration finds the configuration of the first wasm filter below
// node: that beside a vm_config, in the value of a Struct or a StringValue.
func wasmConfiguration(node any) (any, bool) {
	switch n := node.(type) {
	case map[string]any:
		if box, ok := n["configuration"].(map[string]any); ok && n["vm_config"] != nil {
			value, ok := box["value"]
			return value, ok
		}
		for _, child := range n {
			if c, ok := wasmConfiguration(child); ok {
				return c, true
			}
		}
	case []any:
		for _, child := range n {
			if c, ok := wasmConfiguration(child); ok {
				return c, true
			}
		}
	}
	return nil, false
}

// scheme returns how an upstream is spoken to: without TLS if an api_base
// says so or the host is this machine.
func (c configuration) scheme(authority string) string {
	host := authority
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	if c.plain[authority] || host == "localhost" || host == "[::1]" || strings.HasPrefix(host, "127.") {
		return "http"
	}
	return "https"
}
