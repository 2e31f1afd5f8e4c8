package abi

import "strconv"

// A StreamType says which direction of which stream is meant.
type StreamType uint32

// The streams of ABI 0.2.0.
const (
	RequestStream    StreamType = 0
	ResponseStream   StreamType = 1
	DownstreamStream StreamType = 2
	UpstreamStream   StreamType = 3
)

// String returns a short name of s, or its number if it has none.
func (s StreamType) String() string {
	names := [...]string{"request", "response", "downstream", "upstream"}
	if int(s) < len(names) {
		return names[s]
	}
	return strconv.Itoa(int(s))
}

// An Action is what a stream callback returns.
type Action uint32

// The actions of ABI 0.2.0.
const (
	Continue Action = 0
	Pause    Action = 1
)

// String returns the name of a in lower case.
func (a Action) String() string {
	switch a {
	case Continue:
		return "continue"
	case Pause:
		return "pause"
	}
	return "action(" + strconv.Itoa(int(a)) + ")"
}

// Streams is the specification's chapters "Streams" and "Context lifecycle".
type Streams interface {
	// ContinueStream takes a paused direction up again once the guest has
	// returned.
	ContinueStream(t StreamType) Status

	// CloseStream resets the stream once the guest has returned.
	CloseStream(t StreamType) Status

	// SetEffectiveContext makes further calls of this callback act for
	// another context of the same module.
	SetEffectiveContext(id uint32) Status

	// ContextDone tells that a context which asked for time in proxy_on_done
	// may now be deleted.
	ContextDone() Status
}

var streamFunctions = []function{
	// proxy_continue_stream(stream_type)
	//
	// Statuses: OK; Unimplemented for upstream; BadArgument for an unknown
	// type (Envoy, source/extensions/common/wasm/context.cc, continueStream).
	{"proxy_continue_stream", "i", func(c *call) Status {
		c.arg("stream", StreamType(c.u32(0)).String())
		return c.host.ContinueStream(StreamType(c.u32(0)))
	}},
	// proxy_close_stream(stream_type)
	//
	// Statuses: OK; BadArgument for an unknown type.
	{"proxy_close_stream", "i", func(c *call) Status {
		c.arg("stream", StreamType(c.u32(0)).String())
		return c.host.CloseStream(StreamType(c.u32(0)))
	}},
	// proxy_set_effective_context(context_id)
	//
	// Statuses: OK; BadArgument if there is no such context.
	{"proxy_set_effective_context", "i", func(c *call) Status {
		c.argN("context", int64(c.u32(0)))
		return c.host.SetEffectiveContext(c.u32(0))
	}},
	// proxy_done()
	//
	// Statuses: OK; NotFound if the context did not ask for time.
	{"proxy_done", "", func(c *call) Status {
		return c.host.ContextDone()
	}},
}
