// Package config turns LiteLLM's config.yaml into a Policy, or into one error that says
// where it is wrong, what was wanted there and what there was.
//
// A configuration takes effect as a whole or not at all: on an error the host keeps the
// old one. So Parse looks at everything before it gives anything, a number out of range
// is an error rather than a default, and what Fairshare reads but cannot do as LiteLLM
// does it is an error or a warning, never a silent difference in who may spend what.
// What it does not read at all is ignored: LiteLLM has hundreds of settings, and
// a file that works there should be one that starts here.
//
// For example
//
//	{"model_list": [
//	   {"model_name": "m", "litellm_params": {"model": "openai/gpt-4o", "tpm": 600}},
//	   {"model_name": "m", "litellm_params": {"model": "groq/llama-3.1-8b-instant", "tpm": "400"}}],
//	 "litellm_settings": {"callbacks": ["dynamic_rate_limiter"]}}
//
// is a Policy with one Model "m" of 1000 tokens a minute and two Deployments, the first
// at api.openai.com with weight 600, the second at api.groq.com with weight 400, shared
// among the keys that are active in the minute. With "tpm": "lots" it is
//
//	config: model_list[1].litellm_params.tpm: want a whole number of tokens a minute, 0 to 1e12, got "lots"
package config

import (
	"slices"
	"strings"

	"fairshare/plugin/document"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

// An Error is why a configuration was refused. Its text is one line without control
// characters, and it never shows a key or what an environment variable holds.
type Error struct {
	// Path leads to the value, as in model_list[2].litellm_params.tpm; it is a line and
	// column in text that is not JSON, and empty for the configuration as a whole.
	Path string
	Want string
	Got  string
}

// Error gives "config: path: want this, got that".
func (e *Error) Error() string {
	return "config: " + (*document.Error)(e).Error()
}

// Parse reads the plugin's configuration: LiteLLM's config.yaml as JSON text, or as the
// binary protobuf of google.protobuf.Struct. env looks up what "os.environ/NAME" refers
// to; nil has no variables. raw is not kept. The error is always an *Error and then the
// Policy is nil. Equal configurations give equal Policies, whichever way they come and
// in whatever order their members are.
func Parse(raw []byte, env func(name string) (string, bool)) (*Policy, error) {
	tree, err := decode(string(raw))
	if err != nil {
		return nil, &Error{Path: discreet(err.Path), Want: discreet(err.Want), Got: discreet(err.Got)}
	}
	r := &reading{tree: sorted(tree), env: env}
	p := r.policy()
	if r.err != nil {
		return nil, r.err
	}
	return p, nil
}

// decode tells the two forms apart: a Struct with any member holds the byte 0x12, the
// tag of an entry's value, and JSON text never holds a control but tab and line ends.
func decode(s string) (document.Tree, *document.Error) {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			return readStruct(s)
		}
	}
	const byteOrderMark = "\ufeff"
	s = strings.TrimPrefix(s, byteOrderMark)
	begin := strings.TrimLeft(s, " \t\r\n")
	if begin == "" {
		return nil, &document.Error{Want: "LiteLLM's config.yaml as JSON or as a google.protobuf.Struct", Got: "an empty configuration"}
	}
	if begin[0] != '{' {
		word := begin // and no more: a key may follow it
		if i := strings.IndexAny(begin, " \t\r\n"); i >= 0 {
			word = begin[:i]
		}
		return nil, &document.Error{Want: "a JSON object (YAML must be converted, or be in a google.protobuf.Struct)", Got: document.Quote(word)}
	}
	return document.ReadJSON(s)
}

// countings are the values of general_settings.token_rate_limit_type.
var countings = []string{"total", "input", "output"}

// windows are the values of fairshare_settings.window.
var windows = []string{"fixed", "sliding"}

// demoMasterKey is the one in LiteLLM's documents.
const demoMasterKey = "sk-1234"

func (r *reading) policy() *Policy {
	root := place{r: r}
	p := &Policy{}
	r.general(p, root.in("general_settings"))
	r.models(p, root.in("model_list"))
	r.limiter(p, root.in("litellm_settings"))
	r.budgets(p, root.in("litellm_settings"))
	r.endUser(p, root.in("general_settings"))
	r.fairshare(p, root.in("fairshare_settings"))
	r.subjects(p, root)
	r.ignored(root)
	p.Warnings = r.warnings
	return p
}

// Unset is what there is to say of an environment variable that is not there, behind its
// name. Envoy hands a filter no variable but those that its configuration lists.
const Unset = " is not set, or the proxy does not pass it on: Envoy's vm_config.environment_variables.host_env_keys must list it"

func (r *reading) general(p *Policy, general place) {
	p.Counts = quota.Counting(general.in("token_rate_limit_type").choice(countings))
	const variable = "LITELLM_MASTER_KEY"
	at := general.in("master_key")
	key, ok := at.secret()
	switch _, fromVariable := at.variableName(); {
	case ok && !fromVariable && key != demoMasterKey:
		r.warn(at.path, "is in the configuration itself, which Envoy's /config_dump shows: use os.environ/"+variable)
	case !at.there():
		if value, set := r.variable(variable); set {
			if key = strings.TrimSpace(value); !graphic(key) {
				r.fail(at.path, "printable ASCII without blanks in environment variable "+variable, "another character (not shown)")
			}
			ok = true
		}
	}
	if !ok {
		r.warn(at.path, "is not set, and neither is environment variable "+variable+", or the proxy does not pass it on (host_env_keys): the management routes stay closed")
		return
	}
	p.MasterKey, p.HasMasterKey = tenant.Hash(key), true
	if key == demoMasterKey {
		p.DemoMasterKey = true
		r.warn(at.path, "is the documents' "+demoMasterKey+", which everybody knows: whoever reaches this proxy can make keys")
	}
}

func (r *reading) fairshare(p *Policy, at place) {
	at.only(fairshareSettings)
	p.CORSOrigins = r.corsOrigins(at.in("cors_origins"))
	p.ErrorFormat = ErrorFormat(at.in("error_format").choice(errorFormats))
	p.LimitHeaders = LimitHeaders(at.in("limit_headers").choice(limitHeaders))
	p.Host = HostKind(at.in("host").choice(hostKinds))
	p.ClientRetries = at.in("client_retries").flag()
	p.SlidingWindow = at.in("window").choice(windows) != 0
	r.unpricedModels(p, at.in("unpriced_models"))
	r.shadow(p, at.in("enforce"))
	r.streamOptions(at.in("stream_options"))
	p.GraceMS = 10_000
	if n, ok := at.in("grace_seconds").whole(0, 60, "a whole number of seconds, 0 to 60"); ok {
		p.GraceMS = n * 1000
	}
	p.MaxBodyBytes = 8 << 20
	if n, ok := at.in("max_body_bytes").whole(1<<10, MaxBody, "a whole number of bytes, 1024 to 67108864, which a worker's VM can hold"); ok {
		p.MaxBodyBytes = int(n)
	}
	p.MaxBodies, p.MaxBodiesPerKey, p.MaxBodyMemory = 1024, 64, 256<<20
	if n, ok := at.in("max_bodies").whole(1, 1<<16, "a whole number of bodies, 1 to 65536"); ok {
		p.MaxBodies = int(n)
	}
	if n, ok := at.in("max_bodies_per_key").whole(1, 1<<16, "a whole number of bodies, 1 to 65536"); ok {
		p.MaxBodiesPerKey = int(n)
	}
	if n, ok := at.in("max_body_memory").whole(1<<20, 1<<32, "a whole number of bytes, 1048576 to 4294967296"); ok {
		p.MaxBodyMemory = n
	}
	p.ForwardHeaders = r.forwardHeaders(at.in("forward_headers"))
	paths := at.in("pass_through_paths")
	p.PassThroughPaths = paths.texts()
	for i, path := range p.PassThroughPaths {
		if !strings.HasPrefix(path, "/") || !validPath(path) || strings.Contains(strings.TrimSuffix(path, "/*"), "*") {
			r.fail(document.Item(paths.path, i), `a path such as "/v1/files" or "/v1/files/*"`, document.Quote(path))
		}
		if path == "/*" {
			r.warn(document.Item(paths.path, i), "lets every unknown path past the limits")
		}
	}
}

// ignored warns of settings that would limit somebody if LiteLLM read them, and of
// whole sections that nobody here reads.
func (r *reading) ignored(root place) {
	for _, path := range unenforced {
		section, name, _ := strings.Cut(path, ".")
		if at := root.in(section).in(name); at.there() {
			r.warn(at.path, "is not enforced yet")
		}
	}
	sections, names := root.members()
	for i, s := range sections {
		if s.there() && !slices.Contains(sectionsRead, names[i]) {
			r.warn(s.path, "is not read")
		}
	}
	for _, entry := range root.in("model_list").items() {
		params := entry.in("litellm_params")
		for _, at := range [...]place{
			params.in("max_parallel_requests"), params.in("max_budget"), params.in("budget_duration"), entry.in("model_info").in("team_id"),
		} {
			if at.there() {
				r.warn(at.path, "is not enforced yet")
			}
		}
	}
}
