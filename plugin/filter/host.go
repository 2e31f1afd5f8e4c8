package filter

import (
	"errors"

	"fairshare/plugin/flow"
	"fairshare/plugin/quota"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"
)

// host is flow.Host over the proxy-wasm ABI.
type host struct {
	quota.Store
	queue    uint32
	hasQueue bool
	counters [flow.NumMetrics]proxywasm.MetricCounter
	defined  [flow.NumMetrics]bool
}

// shared is the host's shared data.
type shared struct{}

func (shared) Get(key string) ([]byte, uint32, quota.Status) {
	v, cas, err := proxywasm.GetSharedData(key)
	return v, cas, status(err)
}

func (shared) Set(key string, value []byte, cas uint32) quota.Status {
	return status(proxywasm.SetSharedData(key, value, cas))
}

func status(err error) quota.Status {
	switch {
	case err == nil:
		return quota.OK
	case errors.Is(err, types.ErrorStatusNotFound):
		return quota.NotFound
	case errors.Is(err, types.ErrorStatusCasMismatch):
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
		id, err := proxywasm.RegisterSharedQueue("fairshare")
		h.queue, h.hasQueue = id, err == nil
	}
	return h
}

func (h *host) Random(dst []byte) bool { return random(dst) }

func (h *host) Enqueue(message []byte) bool {
	return h.hasQueue && len(message) > 0 && proxywasm.EnqueueSharedQueue(h.queue, message) == nil
}

func (h *host) Dequeue() ([]byte, bool) {
	if !h.hasQueue {
		return nil, false
	}
	m, err := proxywasm.DequeueSharedQueue(h.queue)
	return m, err == nil
}

func (h *host) Add(m flow.Metric, n uint64) {
	if !h.defined[m] {
		h.counters[m], h.defined[m] = proxywasm.DefineCounterMetric(flow.MetricNames[m][0]), true
	}
	h.counters[m].Increment(n)
}
