package abi

// SharedData is the chapter "Shared data" of the specification: a map that
// all instances of the module in one proxy share. It has neither delete nor
// expiry nor listing. Each entry has a number that changes with every write;
// a set that names it succeeds only while it is the present one.
type SharedData interface {
	// SharedValue returns the value of key and its number.
	SharedValue(key string) (value []byte, cas uint32, s Status)

	// SetSharedValue writes the value of key. What cas means when it is 0,
	// or when there is no such key, differs by host.
	SetSharedValue(key string, value []byte, cas uint32) Status
}

var sharedDataFunctions = []function{
	// proxy_get_shared_data(key, key_size, return_value **, return_size *, return_cas *)
	//
	// For an entry "a" with the value "1" and the number 5, in little-endian:
	//
	//	key 'a'   value '1'   size 01 00 00 00   cas 05 00 00 00
	//
	// Statuses: OK; NotFound if there is no such key; InvalidMemoryAccess.
	{"proxy_get_shared_data", "iiiii", func(c *call) Status {
		key, ok := c.text(0)
		c.arg("key", key)
		if !ok {
			return InvalidMemoryAccess
		}
		value, cas, s := c.host.SharedValue(key)
		if s != OK {
			return s
		}
		c.result("value", value)
		c.resultN("cas", int64(cas))
		if s := c.putBytes(2, value); s != OK {
			return s
		}
		return c.putU32(4, cas)
	}},
	// proxy_set_shared_data(key, key_size, value, value_size, cas)
	//
	// Statuses: OK; CasMismatch if cas is not the number that the host wants;
	// InvalidMemoryAccess. Which cas is wanted (proxy-wasm-cpp-host,
	// src/shared_data.cc, set; ngx_wasm_module, ngx_wa_shm_kv.c):
	//
	//	                    Envoy        Kong
	//	key exists, cas 0   overwrites   CasMismatch
	//	key exists, wrong   CasMismatch  CasMismatch
	//	no key, cas 0       creates      creates
	//	no key, cas not 0   creates      CasMismatch
	{"proxy_set_shared_data", "iiiii", func(c *call) Status {
		key, okKey := c.text(0)
		value, okValue := c.bytes(2)
		c.arg("key", key)
		c.arg("value", string(value))
		c.argN("cas", int64(c.u32(4)))
		if !okKey || !okValue {
			return InvalidMemoryAccess
		}
		return c.host.SetSharedValue(key, value, c.u32(4))
	}},
}
