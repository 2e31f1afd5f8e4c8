package filter

import (
	"unsafe"

	"fairshare/plugin/flow"
	"fairshare/plugin/quota"
)

// host is flow.Host over the proxy-wasm ABI.
type host struct {
	quota.Store
	queue    uint32
	hasQueue bool
	counters [flow.NumMetrics]uint32 // their ids
	defined  [flow.NumMetrics]bool
}

// shared is the host's shared data.
type shared struct{}

func (shared) Get(key string) ([]byte, uint32, quota.Status) {
	switch proxyGetSharedData(address(key), uint32(len(key)), unsafe.Pointer(&out.data), unsafe.Pointer(&out.size), unsafe.Pointer(&out.cas)) {
	case okay:
		return given(), out.cas, quota.OK
	case notFound:
		return nil, 0, quota.NotFound
	}
	return nil, 0, quota.Failed
}

func (shared) Set(key string, value []byte, cas uint32) quota.Status {
	switch proxySetSharedData(address(key), uint32(len(key)), start(value), uint32(len(value)), cas) {
	case okay:
		return quota.OK
	case notFound:
		return quota.NotFound
	case casMismatch:
		return quota.Mismatch
	}
	return quota.Failed
}

// newHost looks what the proxy offers. Without shared data (APISIX) every
// worker counts for itself.
func newHost(p profile) *host {
	h := &host{Store: shared{}}
	if !p.sharedData {
		h.Store = new(quota.Memory)
	}
	if p.queue {
		const name = "fairshare"
		h.hasQueue = proxyRegisterQueue(address(name), uint32(len(name)), unsafe.Pointer(&out.id)) == okay
		h.queue = out.id
	}
	return h
}

func (h *host) Random(dst []byte) bool { return random(dst) }

func (h *host) Enqueue(message []byte) bool {
	return h.hasQueue && len(message) > 0 && proxyEnqueue(h.queue, start(message), uint32(len(message))) == okay
}

func (h *host) Dequeue() ([]byte, bool) {
	if !h.hasQueue || proxyDequeue(h.queue, unsafe.Pointer(&out.data), unsafe.Pointer(&out.size)) != okay {
		return nil, false
	}
	return given(), true
}

func (h *host) Add(m flow.Metric, n uint64) {
	if !h.defined[m] {
		name := flow.MetricNames[m][0]
		if proxyDefineMetric(counterMetric, address(name), uint32(len(name)), unsafe.Pointer(&out.id)) != okay {
			return // the next tick tries again
		}
		h.counters[m], h.defined[m] = out.id, true
	}
	if proxyIncrementMetric(h.counters[m], int64(n)) != okay {
		h.defined[m] = false // so the next tick asks for it anew
	}
}
