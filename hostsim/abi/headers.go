package abi

import "strconv"

// A MapType says which headers or trailers a header function is about.
type MapType uint32

// The header maps of ABI 0.2.0.
const (
	RequestHeaders      MapType = 0
	RequestTrailers     MapType = 1
	ResponseHeaders     MapType = 2
	ResponseTrailers    MapType = 3
	GrpcInitialMetadata MapType = 4
	GrpcTrailing        MapType = 5
	CalloutHeaders      MapType = 6
	CalloutTrailers     MapType = 7
)

// String returns a short name of m, or its number if it has none.
func (m MapType) String() string {
	names := [...]string{
		"request", "request_trailers", "response", "response_trailers",
		"grpc_metadata", "grpc_trailing", "callout", "callout_trailers",
	}
	if int(m) < len(names) {
		return names[m]
	}
	return strconv.Itoa(int(m))
}

// Headers is the chapter "HTTP fields" of the specification. Names arrive as
// the guest gave them; a host compares them without regard to case and keeps
// them in lower case.
type Headers interface {
	// HeaderPairs returns all pairs of m, in order, repeats kept.
	HeaderPairs(m MapType) ([][2]string, Status)

	// SetHeaderPairs replaces all pairs of m.
	SetHeaderPairs(m MapType, pairs [][2]string) Status

	// HeaderValue returns the first value of name (Envoy's
	// Context::getHeaderMapValue), or NotFound.
	HeaderValue(m MapType, name string) (string, Status)

	// AddHeader appends a pair.
	AddHeader(m MapType, name, value string) Status

	// ReplaceHeader sets name to value and drops its other values.
	ReplaceHeader(m MapType, name, value string) Status

	// RemoveHeader drops all values of name; that there was none is no error.
	RemoveHeader(m MapType, name string) Status
}

var headerFunctions = []function{
	// proxy_get_header_map_size(map_type, return_size *) gives the bytes of
	// all names and values. Kong's and APISIX' hosts do not export it.
	{"proxy_get_header_map_size", "ii", func(c *call) Status {
		m, s := c.mapType()
		if s != OK {
			return s
		}
		pairs, s := c.host.HeaderPairs(m)
		if s != OK {
			return s
		}
		size := 0
		for _, p := range pairs {
			size += len(p[0]) + len(p[1])
		}
		c.resultN("size", int64(size))
		return c.putU32(1, uint32(size))
	}},
	// proxy_get_header_map_pairs(map_type, return_data **, return_size *)
	//
	// The pairs are packed as [PackPairs] tells.
	//
	// Statuses: OK; BadArgument if the type is unknown, and on some hosts if
	// the map cannot be read now (Envoy then answers OK and no pairs);
	// InvalidMemoryAccess.
	{"proxy_get_header_map_pairs", "iii", func(c *call) Status {
		m, s := c.mapType()
		if s != OK {
			return s
		}
		pairs, s := c.host.HeaderPairs(m)
		if s != OK {
			return s
		}
		c.resultN("pairs", int64(len(pairs)))
		if len(pairs) == 0 {
			// src/exports.cc, getPairs: nothing is allocated for no pairs.
			if s := c.putU32(1, 0); s != OK {
				return s
			}
			return c.putU32(2, 0)
		}
		return c.putBytes(1, PackPairs(pairs))
	}},
	// proxy_set_header_map_pairs(map_type, data, size)
	//
	// Bytes that are not packed pairs, more than 1024 pairs, or more than
	// 1 MiB count as no pairs at all (src/pairs_util.cc, toPairs), so the map
	// is emptied without an error.
	//
	// Statuses: OK; BadArgument; InvalidMemoryAccess.
	{"proxy_set_header_map_pairs", "iii", func(c *call) Status {
		m, s := c.mapType()
		if s != OK {
			return s
		}
		pairs, s := c.pairs(1)
		if s != OK {
			return s
		}
		return c.host.SetHeaderPairs(m, pairs)
	}},
	// proxy_get_header_map_value(map_type, name, name_size, return_value **, return_size *)
	//
	// Statuses: OK; NotFound if there is no such name; BadArgument if the map
	// cannot be read now; InvalidMemoryAccess.
	{"proxy_get_header_map_value", "iiiii", func(c *call) Status {
		m, name, s := c.field()
		if s != OK {
			return s
		}
		value, s := c.host.HeaderValue(m, name)
		if s != OK {
			return s
		}
		c.result("value", []byte(value))
		return c.putBytes(3, []byte(value))
	}},
	// proxy_add_header_map_value(map_type, name, name_size, value, value_size)
	//
	// Statuses: OK; BadArgument if the map cannot be changed now;
	// InvalidMemoryAccess.
	{"proxy_add_header_map_value", "iiiii", func(c *call) Status {
		return c.setField(c.host.AddHeader)
	}},
	// proxy_replace_header_map_value(map_type, name, name_size, value, value_size)
	//
	// Statuses: as proxy_add_header_map_value.
	{"proxy_replace_header_map_value", "iiiii", func(c *call) Status {
		return c.setField(c.host.ReplaceHeader)
	}},
	// proxy_remove_header_map_value(map_type, name, name_size)
	//
	// Statuses: as proxy_add_header_map_value.
	{"proxy_remove_header_map_value", "iii", func(c *call) Status {
		m, name, s := c.field()
		if s != OK {
			return s
		}
		return c.host.RemoveHeader(m, name)
	}},
}

// mapType returns argument 0 as a header map, or BadArgument.
func (c *call) mapType() (MapType, Status) {
	m := MapType(c.u32(0))
	c.arg("map", m.String())
	if m > CalloutTrailers {
		return m, BadArgument
	}
	return m, OK
}

// field returns the arguments map type and name.
func (c *call) field() (MapType, string, Status) {
	m, s := c.mapType()
	if s != OK {
		return m, "", s
	}
	name, ok := c.text(1)
	c.arg("name", name)
	if !ok {
		return m, "", InvalidMemoryAccess
	}
	return m, name, OK
}

// setField gives the arguments map type, name and value to set.
func (c *call) setField(set func(m MapType, name, value string) Status) Status {
	m, name, s := c.field()
	if s != OK {
		return s
	}
	value, ok := c.text(3)
	c.arg("value", value)
	if !ok {
		return InvalidMemoryAccess
	}
	return set(m, name, value)
}

// pairs returns the packed pairs in arguments i and i+1.
func (c *call) pairs(i int) ([][2]string, Status) {
	data, ok := c.bytes(i)
	if !ok {
		return nil, InvalidMemoryAccess
	}
	pairs := UnpackPairs(data)
	c.argN("pairs", int64(len(pairs)))
	return pairs, OK
}
