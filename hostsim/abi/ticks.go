package abi

import "time"

// Ticks is the chapter "Timers" of the specification, with the clock of the
// host. Guests built by Go SDKs take the time from WASI; see wasi.go.
type Ticks interface {
	// SetTickPeriod asks for a proxy_on_tick of the calling root context
	// every period; zero stops it.
	SetTickPeriod(period time.Duration) Status

	// Now returns the wall clock.
	Now() time.Time
}

var tickFunctions = []function{
	// proxy_get_current_time_nanoseconds(return_time *i64)
	//
	// Statuses: OK; InvalidMemoryAccess.
	{"proxy_get_current_time_nanoseconds", "i", func(c *call) Status {
		now := c.host.Now().UnixNano()
		if !c.mem.WriteUint64Le(c.u32(0), uint64(now)) {
			return InvalidMemoryAccess
		}
		c.resultN("time", now)
		return OK
	}},
	// proxy_set_tick_period_milliseconds(period i32)
	//
	// Statuses: OK. Envoy replaces an earlier period; Kong's host traps on a
	// second one; APISIX answers Unimplemented.
	{"proxy_set_tick_period_milliseconds", "i", func(c *call) Status {
		c.argN("period", int64(c.u32(0)))
		return c.host.SetTickPeriod(time.Duration(c.u32(0)) * time.Millisecond)
	}},
}
