package flow

import "testing"

// What each client says of itself, as it was recorded from the client of that version,
// and what it is known for.
func TestMannersOfClients(t *testing.T) {
	for _, c := range []struct {
		agent, lang, version string
		want                 manners
	}{
		{"OpenAI/Python 1.109.1", "python", "1.109.1", 0},
		{"OpenAI/Python 2.30.0", "python", "2.30.0", 0},
		{"OpenAI/Python 3.0.0", "python", "3.0.0", onlyText},
		{"OpenAI/Python 3.52.0", "python", "3.52.0", onlyText},
		{"AsyncOpenAI/Python 3.57.0", "python", "3.57.0", onlyText},
		{"AzureOpenAI/Python 12.1.0", "", "", onlyText},
		{"OpenAI/Python 3.52.0", "", "", onlyText},
		{"OpenAI/Python 3.52.0", "python", "", onlyText},
		{"mine/1.0", "python", "3.52.0", onlyText},
		{"", "python", "3.52.0", onlyText},
		{"Agents/Python 0.24.0", "python", "3.57.0", onlyText}, // openai-agents
		{"Anthropic/Python 2.15.0", "python", "2.15.0", 0},
		{"AsyncAnthropicBedrock/Python 3.1.0", "python", "3.1.0", 0},
		{"Groq/Python 1.1.0", "python", "1.1.0", 0},
		{"OpenAI/JS 6.49.0", "js", "6.49.0", 0},
		{"OpenAI/Go 3.1.0", "go", "3.1.0", 0},
		{"OpenAI/Java 4.1.0", "java", "4.1.0", 0},
		{"ai/6.0.326 ai-sdk/provider-utils/4.0.66 runtime/node.js/v20.20.2", "", "", onlyText | asksAgain},
		{"ai-sdk/openai/2.0.131 ai-sdk/provider-utils/3.0.40 runtime/node.js/v20.20.2", "", "", onlyText | asksAgain},
		{"mine/1.0 ai-sdk/openai-compatible/1.0.61", "", "", onlyText | asksAgain},
		{"node", "", "", 0}, // Vercel's up to version 4, and whoever calls fetch
		{"langchainjs-openai/1.0.0 ((node/v20.20.2; linux; x64))", "js", "6.49.0", waitsAsTold | knowsQuota},
		{"OpenAI/2.5.0 (.NET 8.0.11; Debian GNU/Linux 12 (bookworm))", "", "", onlyText | textCode | waitsAsTold},
		{"mine azsdk-net-AI.OpenAI/2.1.0 (.NET Framework 4.8)", "", "", onlyText | textCode | waitsAsTold},
		{"google-genai-sdk/3.6.1 gl-python/3.11.7", "", "", 0},
		{"python-requests/2.32.5", "", "", 0},
		{"curl/7.88.1", "", "", 0},
		{"Go-http-client/1.1", "", "", 0},

		// What says nothing that can be read.
		{"", "", "", 0},
		{"OpenAI/Python ", "", "", 0},
		{"OpenAI/Python x", "", "", 0},
		{"OpenAI/Python -3", "", "", 0},
		{"mine/1.0", "python", "", 0},
		{"mine/1.0", "python", "three", 0},
		{"mine/1.0", "python", "99999999999999999999999999.0", onlyText},
	} {
		if got := mannersOf(c.agent, c.lang, c.version); got != c.want {
			t.Errorf("%q, %q %q: %b, want %b", c.agent, c.lang, c.version, got, c.want)
		}
	}
}
