package abi

import "strings"

// Properties is the chapter "Properties" of the specification.
type Properties interface {
	// Property returns the value at path, in the host's own serialisation:
	// Envoy gives integers as 8 bytes little-endian, Kong as decimal text.
	Property(path []string) (value []byte, s Status)

	// SetProperty writes the value at path.
	SetProperty(path []string, value []byte) Status
}

var propertyFunctions = []function{
	// proxy_get_property(path, size, return_value **, return_size *)
	//
	// The path's segments are joined by NUL, "request" NUL "path".
	//
	// Statuses: OK; NotFound; InvalidMemoryAccess.
	{"proxy_get_property", "iiii", func(c *call) Status {
		path, s := c.path()
		if s != OK {
			return s
		}
		value, s := c.host.Property(path)
		if s != OK {
			return s
		}
		c.result("value", value)
		return c.putBytes(2, value)
	}},
	// proxy_set_property(path, size, value, size)
	//
	// Statuses: OK; NotFound where the host knows no such property;
	// InvalidMemoryAccess.
	{"proxy_set_property", "iiii", func(c *call) Status {
		path, s := c.path()
		if s != OK {
			return s
		}
		value, ok := c.bytes(2)
		c.arg("value", string(value))
		if !ok {
			return InvalidMemoryAccess
		}
		return c.host.SetProperty(path, value)
	}},
}

// path returns the segments in arguments 0 and 1.
func (c *call) path() ([]string, Status) {
	joined, ok := c.text(0)
	if !ok {
		return nil, InvalidMemoryAccess
	}
	path := strings.Split(strings.TrimSuffix(joined, "\x00"), "\x00")
	c.arg("path", strings.Join(path, "."))
	return path, OK
}
