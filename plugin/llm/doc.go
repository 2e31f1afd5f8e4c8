// Package llm reads and writes what clients and models say to each other: what
// a request asks, what an answer used, and the bodies that Fairshare itself
// answers with. It speaks OpenAI's chat completions, as JSON and as a stream
// of server-sent events, and OpenAI's embeddings.
//
// All of it meets bytes that others wrote, and in a proxy's VM a panic is the
// end of every request that the VM serves. So nothing here recurses, indexes
// by a number from the wire, or grows with what it reads; wrong bytes give a
// Fault or are passed over.
//
// Two readers of JSON stand side by side on purpose. ParseAsk is strict,
// because what it lets through is judged again by another parser upstream and
// both must see the same request; the one slip that it takes, a spare comma,
// it also takes out, together with members that are for a proxy alone. Observer is lenient and reads any cut of the bytes,
// because an answer is passed on whatever it says.
//
// For example, the request
//
//	{"model":"fast","stream":true,"messages":[{"role":"user","content":"hi"}]}
//
// is Ask{Model: "fast", Stream: true, Choices: 1, TextBytes: 6} and is
// rewritten for its provider to
//
//	{"model":"gpt-4o-mini","stream_options":{"include_usage":true},"stream":true,"messages":[…]}
//
// whose stream an Observer then reads, taking out the usage event that this
// client did not ask for.
package llm
