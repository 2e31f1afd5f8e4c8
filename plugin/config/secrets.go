package config

import "strings"

// notShown stands in an error or a warning for what may be a credential.
const notShown = "(not shown)"

// credentialBegins are how keys of providers and of this gateway begin, LiteLLM's own
// sk- first: OpenAI, Anthropic, OpenRouter and DeepSeek have it too. The others are
// Groq's, xAI's, Google's, Amazon's, Hugging Face's, NVIDIA's, Perplexity's, Replicate's,
// Fireworks', Cerebras', Databricks', GitHub's, and a JSON Web Token's.
var credentialBegins = [...]string{
	"sk-", "gsk_", "xai-", "AIza", "AKIA", "ASIA", "hf_", "nvapi-", "pplx-", "r8_", "fw_", "csk-", "dapi", "ghp_", "github_pat_", "eyJ",
}

// discreet is s without what looks like a credential, wherever it was written: in a
// place for something else, as the name of a setting or of a variable.
func discreet(s string) string {
	begin := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && (s[i] == '_' || s[i] == '-' || alphanumeric(s[i])) {
			continue
		}
		if credential(s[begin:i]) {
			s = s[:begin] + notShown + s[i:]
			i = begin + len(notShown)
		}
		begin = i + 1
	}
	return s
}

// credential reports whether a word looks like one: by its begin, or because it has so
// many letters and digits in a row as no name of a model or a setting has.
func credential(word string) bool {
	const (
		ownAtLeast = len("sk-12345") // the documents' sk-1234 is everybody's
		atLeast    = 20
		row        = 24
	)
	for i, begin := range credentialBegins {
		if strings.HasPrefix(word, begin) && (len(word) >= atLeast || i == 0 && len(word) >= ownAtLeast) {
			return true
		}
	}
	n, digits, letters := 0, false, false
	for i := range len(word) {
		if !alphanumeric(word[i]) {
			n, digits, letters = 0, false, false
			continue
		}
		n++
		digit := word[i] <= '9'
		digits, letters = digits || digit, letters || !digit
		if n >= row && digits && letters {
			return true
		}
	}
	return false
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}
