package hostsim

import "errors"

// ErrInjected is the cause of a trap that a test asked for.
var ErrInjected = errors.New("hostsim: injected trap")

// ErrHostTrap is the cause of a trap by which a host answers a call that it
// does not allow, as ngx_wasm_module does.
var ErrHostTrap = errors.New("hostsim: the host traps on this call")

// Faults are what can go wrong in a proxy at any time, as switches. The zero
// value is a proxy without faults. What is random comes from the host's seed.
type Faults struct {
	// SwapLoss is the probability, 0 to 1, that a write of shared data which
	// names the present number loses the race: somebody else has written the
	// same value a moment before, so the number has moved on.
	SwapLoss float64

	// TornRead is the probability, 0 to 1, that a read of shared data returns
	// the first half of the value before last and the second half of the last
	// one: ngx_wasm_module copies the value after it has given the lock back
	// (src/common/proxy_wasm/ngx_proxy_wasm_host.c:1262).
	TornRead float64

	// QueueFull makes every Enqueue fail: with InternalFailure, or with a
	// trap where the profile's queue is limited.
	QueueFull bool

	// Unimplemented names host functions that answer Unimplemented.
	Unimplemented map[string]bool
}

// SetFaults turns faults on or off from now on.
func (h *Host) SetFaults(f Faults) { h.faults.Store(&f) }

// Trap kills the VM of worker as a trap in its code would. Its streams get no
// further callback.
func (h *Host) Trap(worker int) {
	w := h.worker(worker)
	w.enter()
	defer w.leave()
	w.fail(ErrInjected)
}

// TrapOn makes the n-th call (from 1) that worker makes from now on of the
// host function with this name trap, in the middle of whatever the guest was
// doing.
func (h *Host) TrapOn(worker int, function string, n int) {
	w := h.worker(worker)
	w.enter()
	defer w.leave()
	w.trapOn, w.trapIn = function, n
}

// Evict forgets a key of shared data, as ngx_wasm_module does when its zone
// is full (directive shm_kv, eviction=slru).
func (h *Host) Evict(key string) {
	h.shared.mu.Lock()
	defer h.shared.mu.Unlock()
	delete(h.shared.data, h.shared.index(key))
}
