package flow

import "strings"

// Manners are what is known of a client library and bears on how it is refused.
type manners uint8

const (
	onlyText    manners = 1 << iota // shows an error only if its message is text
	textCode                        // reads an error only if its code is text, too
	asksAgain                       // asks again whatever x-should-retry says, when retry-after-ms says
	waitsAsTold                     // ignores x-should-retry, and waits as long as Retry-After says
	knowsQuota                      // asks again after any 429 but one of OpenAI's code insufficient_quota
)

// clients are the libraries that would show their user nothing of a refusal in the
// documents' shape, or only after a silence. All others get the documents' shape: they
// print the body, or the message whatever it is.
var clients = [...]struct {
	// product stands in the user-agent, before the version, where it begins with a blank
	// as a word of its own: Google's client is called google-genai-sdk. beside stands there too.
	product, beside string
	// lang is the x-stainless-lang that says the same, with the version in
	// x-stainless-package-version: callers may give a user-agent of their own.
	lang string
	// since is the first major version of which it is true.
	since int
	manners
}{
	// OpenAI's Python client, and what is built on it: LangChain, LiteLLM, llm. From
	// 3.38 on it prints error.message if that is text, and else nothing but the status
	// (openai/_base_client.py, _make_status_error_from_response); 3.0 to 3.37 print either shape.
	{product: "OpenAI/Python ", lang: "python", since: 3, manners: onlyText},
	// Vercel's AI SDK, which has named itself since version 5: the message must be text, or the
	// status' name is shown (createJsonErrorResponseHandler). A 429 is asked again twice, after
	// retry-after-ms, or after Retry-After if that is less than a minute (getRetryDelayInMs).
	{product: " ai-sdk/", manners: onlyText | asksAgain},
	// LangChain's JavaScript asks again up to six times, after seconds that double, which is a
	// minute and more, unless a 429 has OpenAI's code for a quota or, of late, no Retry-After
	// (@langchain/core 1.1 and 1.4, utils/async_caller, defaultFailedAttemptHandler).
	{product: " langchainjs-", manners: waitsAsTold | knowsQuota},
	// OpenAI's .NET client, and Azure's: message and code are read as texts, or "Service request
	// failed" is all that is shown (OpenAIError.TryCreateFromResponse). A 429 is asked again three
	// times, after Retry-After or else within six seconds (ClientRetryPolicy.GetNextDelay).
	{product: "OpenAI/", beside: "(.NET", manners: onlyText | textCode | waitsAsTold},
}

// longestAgent is how much of a user-agent is looked at, in bytes.
const longestAgent = 256

// mannersOf tells a client by what its request says of it.
//
//go:noinline
func mannersOf(agent, lang, version string) manners {
	if len(agent) > longestAgent {
		agent = agent[:longestAgent]
	}
	// Anthropic's client has the same headers of Stainless' generator, and prints the body.
	if strings.Contains(agent, "Anthropic") {
		return 0
	}
	for i := range clients {
		c := &clients[i]
		number := version
		if c.lang == "" || c.lang != lang || version == "" {
			at := strings.Index(agent, c.product)
			first := c.product[0] == ' ' && strings.HasPrefix(agent, c.product[1:]) // then at is -1, before it
			if at < 0 && !first || !strings.Contains(agent, c.beside) {
				continue
			}
			number = agent[at+len(c.product):]
		}
		if atLeast(number, c.since) {
			return c.manners
		}
	}
	return 0
}

// atLeast reports whether the major version that a text begins with is at least so much.
//
//go:noinline
func atLeast(version string, major int) bool {
	n, i := 0, 0
	for ; i < len(version) && version[i] >= '0' && version[i] <= '9' && n < 1000; i++ {
		n = n*10 + int(version[i]-'0')
	}
	return major == 0 || i > 0 && n >= major
}
