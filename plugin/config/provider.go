package config

import (
	"slices"
	"strconv"
	"strings"
)

// A provider is someone who serves models in OpenAI's dialect. Its name is the prefix
// that LiteLLM knows it by ("groq/llama-3.1-8b-instant").
type provider struct {
	name   string
	base   string // api_base when none is given; empty if one must be
	keyVar string // where the credential is when none is given; empty if none is needed
}

// providers that speak OpenAI's dialect; bases and variables are those of LiteLLM's
// litellm/llms/ and of the providers' own documents.
var providers = []provider{
	{azure, "", ""},
	{"cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"},
	{"custom_openai", "", ""},
	{"deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"},
	{"deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"},
	{"fireworks_ai", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"},
	{"groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"},
	{"hosted_vllm", "", ""},
	{"litellm_proxy", "", ""},
	{"llamafile", "http://127.0.0.1:8080/v1", ""},
	{"lm_studio", "", ""},
	{"mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"},
	{"moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"},
	{"nvidia_nim", "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"},
	{"ollama", "http://localhost:11434/v1", ""},
	{"ollama_chat", "http://localhost:11434/v1", ""},
	{"openai", "https://api.openai.com/v1", "OPENAI_API_KEY"},
	{"openai_like", "", ""},
	{"openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"},
	{"perplexity", "https://api.perplexity.ai/", "PERPLEXITYAI_API_KEY"},
	{"sambanova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"},
	{"together_ai", "https://api.together.xyz/v1", "TOGETHERAI_API_KEY"},
	{"xai", "https://api.x.ai/v1", "XAI_API_KEY"},
}

// azure is Azure OpenAI, which speaks OpenAI's dialect below /openai/v1: the model is
// the name of the deployment there, the credential goes where OpenAI's does, and no
// version is asked for. (learn.microsoft.com, "Azure OpenAI v1 API". LiteLLM asks the
// older API unless api_version is v1.)
const azure = "azure"

// azurePath gives the way to that API from an api_base's path, which may lead to the
// resource, to the API or to one of the older API's deployments.
func azurePath(path string) string {
	before, _, _ := strings.Cut(path+"/", "/openai/")
	return strings.TrimRight(before, "/") + "/openai/v1"
}

// otherDialects are LiteLLM's names of providers whose API is not OpenAI's.
var otherDialects = []string{
	"ai21", "anthropic", "azure_ai", "azure_text", "bedrock", "cloudflare", "cohere", "cohere_chat",
	"databricks", "gemini", "huggingface", "nlp_cloud", "oci", "petals", "predibase", "replicate", "sagemaker",
	"sagemaker_chat", "snowflake", "text-completion-openai", "triton", "vertex_ai", "vertex_ai_beta", "watsonx",
}

func providerNamed(name string) (provider, bool) {
	i := slices.IndexFunc(providers, func(p provider) bool { return p.name == name })
	if i < 0 {
		return provider{}, false
	}
	return providers[i], true
}

// splitModel splits litellm_params.model into the provider's name and the model's.
// custom is litellm_params.custom_llm_provider, which wins if it is there. A name
// without a prefix is OpenAI's, unless it is plainly another maker's: that maker's
// key must not be sent to OpenAI.
//
//	"gpt-4o"                     openai, gpt-4o
//	"groq/llama-3.1-8b-instant"  groq, llama-3.1-8b-instant
//	"openrouter/openai/gpt-4o"   openrouter, openai/gpt-4o
func splitModel(model, custom string) (providerName, name string) {
	before, after, found := strings.Cut(model, "/")
	switch {
	case custom != "" && found && before == custom:
		return custom, after
	case custom != "":
		return custom, model
	case found:
		return before, after
	case strings.HasPrefix(model, "claude-"):
		return "anthropic", model
	case strings.HasPrefix(model, "gemini-"):
		return "gemini", model
	}
	return "openai", model
}

// A base is api_base taken apart.
type base struct {
	tls    bool
	host   string // in lower case, with the port if it is not the scheme's own
	prefix string // "" or "/…" without "/" at its end
}

// parseBase reads
//
//	api_base = ( "http" | "https" ) "://" host [ ":" port ] [ path ]
//
// where host is a name, an IPv4 address or an IPv6 address in brackets. Without a path
// it is "/v1", where OpenAI-compatible servers have their API; "/" alone is the root.
// A path that names the whole endpoint loses that part, as LiteLLM accepts both.
func parseBase(s string) (base, bool) {
	var b base
	scheme, rest, ok := strings.Cut(s, "://")
	port := ":80"
	switch {
	case ok && strings.EqualFold(scheme, "https"):
		b.tls, port = true, ":443"
	case ok && strings.EqualFold(scheme, "http"):
	default:
		return b, false
	}
	b.prefix = "/v1"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		b.prefix = strings.TrimRight(strings.TrimSuffix(strings.TrimRight(rest[i:], "/"), "/chat/completions"), "/")
		rest = rest[:i]
	}
	b.host = strings.TrimSuffix(strings.ToLower(rest), port)
	return b, validAuthority(b.host) && validPath(b.prefix)
}

// validAuthority reports whether s is host[:port], fit for a header and a route.
func validAuthority(s string) bool {
	host, allowed := s, "abcdefghijklmnopqrstuvwxyz0123456789.-_"
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return false
		}
		host, s, allowed = s[1:end], s[end+1:], "abcdef0123456789.:"
		if s != "" && s[0] != ':' {
			return false
		}
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		host, s = s[:i], s[i:]
	} else {
		s = ""
	}
	if host == "" {
		return false
	}
	for i := range len(host) {
		if strings.IndexByte(allowed, host[i]) < 0 {
			return false
		}
	}
	if s == "" {
		return true
	}
	n, err := strconv.ParseUint(s[1:], 10, 16)
	return err == nil && n > 0
}

// validPath reports whether s can stand in a request line: no query, no blanks, no
// step upwards that a proxy may resolve differently.
func validPath(s string) bool {
	return graphic(s) && !strings.ContainsAny(s, `?#\"<>`) && !strings.Contains(s, "//") &&
		!strings.Contains(s+"/", "/../") && !strings.Contains(s+"/", "/./")
}
