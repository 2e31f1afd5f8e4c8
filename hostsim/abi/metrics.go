package abi

import "strconv"

// A MetricType is the kind of a metric.
type MetricType uint32

// The kinds of metrics.
const (
	Counter   MetricType = 0
	Gauge     MetricType = 1
	Histogram MetricType = 2
)

// String returns the name of t in lower case, or its number if it has none.
func (t MetricType) String() string {
	names := [...]string{"counter", "gauge", "histogram"}
	if int(t) < len(names) {
		return names[t]
	}
	return strconv.Itoa(int(t))
}

// Metrics is the chapter "Metrics" of the specification.
type Metrics interface {
	// DefineMetric returns the number of the metric with this name, the same
	// for every instance that asks.
	DefineMetric(t MetricType, name string) (id uint32, s Status)

	// IncrementMetric adds offset. Envoy refuses an offset below 1 for a
	// counter.
	IncrementMetric(id uint32, offset int64) Status

	// RecordMetric adds to a counter, sets a gauge, adds a sample to a
	// histogram.
	RecordMetric(id uint32, value uint64) Status

	// MetricValue returns the value of a counter or gauge.
	MetricValue(id uint32) (value uint64, s Status)
}

var metricFunctions = []function{
	// proxy_define_metric(type, name, size, return_id *)
	//
	// Statuses: OK; BadArgument for an unknown type; InvalidMemoryAccess.
	{"proxy_define_metric", "iiii", func(c *call) Status {
		name, ok := c.text(1)
		c.arg("type", MetricType(c.u32(0)).String())
		c.arg("name", name)
		if !ok {
			return InvalidMemoryAccess
		}
		if MetricType(c.u32(0)) > Histogram {
			return BadArgument
		}
		id, s := c.host.DefineMetric(MetricType(c.u32(0)), name)
		if s != OK {
			return s
		}
		c.resultN("id", int64(id))
		return c.putU32(3, id)
	}},
	// proxy_increment_metric(id, offset i64)
	//
	// Statuses: OK; NotFound for an unknown id; BadArgument for a histogram,
	// and for a counter when offset is below 1.
	{"proxy_increment_metric", "iI", func(c *call) Status {
		c.argN("id", int64(c.u32(0)))
		c.argN("offset", int64(c.stack[1]))
		return c.host.IncrementMetric(c.u32(0), int64(c.stack[1]))
	}},
	// proxy_record_metric(id, value i64)
	//
	// Statuses: OK; NotFound for an unknown id.
	{"proxy_record_metric", "iI", func(c *call) Status {
		c.argN("id", int64(c.u32(0)))
		c.argN("value", int64(c.stack[1]))
		return c.host.RecordMetric(c.u32(0), c.stack[1])
	}},
	// proxy_get_metric(id, return_value *i64)
	//
	// Statuses: OK; NotFound for an unknown id; BadArgument for a histogram;
	// InvalidMemoryAccess.
	{"proxy_get_metric", "ii", func(c *call) Status {
		c.argN("id", int64(c.u32(0)))
		value, s := c.host.MetricValue(c.u32(0))
		if s != OK {
			return s
		}
		c.resultN("value", int64(value))
		if !c.mem.WriteUint64Le(c.u32(1), value) {
			return InvalidMemoryAccess
		}
		return OK
	}},
}
