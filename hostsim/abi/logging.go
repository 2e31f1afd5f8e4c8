package abi

import "strconv"

// A LogLevel is the severity of a line that the guest logs.
type LogLevel uint32

// The levels of proxy_log.
const (
	Trace LogLevel = iota
	Debug
	Info
	Warn
	Error
	Critical
)

// String returns the name of l in lower case, or its number if it has none.
func (l LogLevel) String() string {
	names := [...]string{"trace", "debug", "info", "warn", "error", "critical"}
	if int(l) < len(names) {
		return names[l]
	}
	return "level(" + strconv.Itoa(int(l)) + ")"
}

// Logging is the chapter "Logging" of the specification.
type Logging interface {
	// Log gets one line. Envoy dies of a level that is not in the list
	// (source/extensions/common/wasm/context.cc, Context::log, PANIC); a host
	// here answers BadArgument.
	Log(level LogLevel, message string) Status
}

var loggingFunctions = []function{
	// proxy_log(level i32, message_data, message_size)
	//
	// Statuses: OK; InvalidMemoryAccess if the message lies outside of memory.
	{"proxy_log", "iii", func(c *call) Status {
		message, ok := c.text(1)
		level := LogLevel(c.u32(0))
		if c.traced {
			c.args = note(c.args, ",", "level", level.String())
		}
		c.arg("message", message)
		if !ok {
			return InvalidMemoryAccess
		}
		return c.host.Log(level, message)
	}},
	// proxy_get_log_level(return_level *i32) came with ABI 0.2.1. Envoy
	// offers it only to modules that export proxy_abi_version_0_2_1
	// (proxy-wasm-cpp-host, src/wasm.cc).
	{"proxy_get_log_level", "i", func(c *call) Status {
		c.resultN("level", int64(Info))
		return c.putU32(0, uint32(Info))
	}},
}
