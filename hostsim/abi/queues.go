package abi

// Queues is the chapter "Shared queues" of the specification: first in, first
// out, among all instances of the module in one proxy.
type Queues interface {
	// RegisterQueue creates the queue with this name if there is none and
	// makes the calling root context the one that is told of new items.
	RegisterQueue(name string) (id uint32, s Status)

	// ResolveQueue finds a queue that somebody registered. An empty vmID
	// stands for the caller's own.
	ResolveQueue(vmID, name string) (id uint32, s Status)

	// Enqueue puts value at the end.
	Enqueue(id uint32, value []byte) Status

	// Dequeue takes the item at the front.
	Dequeue(id uint32) (value []byte, s Status)
}

var queueFunctions = []function{
	// proxy_register_shared_queue(name, size, return_id *)
	//
	// Statuses: OK; InvalidMemoryAccess.
	{"proxy_register_shared_queue", "iii", func(c *call) Status {
		name, ok := c.text(0)
		c.arg("name", name)
		if !ok {
			return InvalidMemoryAccess
		}
		id, s := c.host.RegisterQueue(name)
		if s != OK {
			return s
		}
		c.resultN("id", int64(id))
		return c.putU32(2, id)
	}},
	// proxy_resolve_shared_queue(vm_id, size, name, size, return_id *)
	//
	// Statuses: OK; NotFound if nobody has registered it; InvalidMemoryAccess.
	{"proxy_resolve_shared_queue", "iiiii", func(c *call) Status {
		vmID, okVM := c.text(0)
		name, okName := c.text(2)
		c.arg("name", name)
		if !okVM || !okName {
			return InvalidMemoryAccess
		}
		id, s := c.host.ResolveQueue(vmID, name)
		if s != OK {
			return s
		}
		c.resultN("id", int64(id))
		return c.putU32(4, id)
	}},
	// proxy_dequeue_shared_queue(id, return_value **, return_size *)
	//
	// Statuses: OK; NotFound for an unknown id; Empty; InvalidMemoryAccess.
	{"proxy_dequeue_shared_queue", "iii", func(c *call) Status {
		c.argN("id", int64(c.u32(0)))
		value, s := c.host.Dequeue(c.u32(0))
		if s != OK {
			return s
		}
		c.result("value", value)
		return c.putBytes(1, value)
	}},
	// proxy_enqueue_shared_queue(id, value, size)
	//
	// Statuses: OK; NotFound for an unknown id; InvalidMemoryAccess.
	{"proxy_enqueue_shared_queue", "iii", func(c *call) Status {
		value, ok := c.bytes(1)
		c.argN("id", int64(c.u32(0)))
		c.arg("value", string(value))
		if !ok {
			return InvalidMemoryAccess
		}
		return c.host.Enqueue(c.u32(0), value)
	}},
}
