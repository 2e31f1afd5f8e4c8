package hostsim

import (
	"context"
	"time"
)

// Advance moves the virtual clock on by d. On the way it stands still at
// every moment at which something is due, and delivers that: ticks of every
// root context of every VM, call-outs that time out, old configurations whose
// drain is over. What is due at the same moment comes in the order of the
// workers, the main thread first.
func (h *Host) Advance(d time.Duration) {
	target := h.Now().Add(d)
	for {
		at, w, due := h.earliest(target)
		if due == nil {
			break
		}
		h.setClock(at)
		if w == nil {
			due()
			continue
		}
		w.enter()
		due()
		w.leave()
	}
	h.setClock(target)
}

// Tick delivers one tick to every root context of worker (0 is the main
// thread) that asked for ticks, without moving the clock or the next tick.
func (h *Host) Tick(worker int) {
	w := h.worker(worker)
	w.enter()
	defer w.leave()
	for _, r := range w.roots {
		if r.period > 0 {
			w.onTick(r)
		}
	}
}

// Ticks returns how many ticks worker's guest has had; 0 is the main thread.
func (h *Host) Ticks(worker int) int {
	n := 0
	w := h.worker(worker)
	w.peek(func() { n = w.ticks })
	return n
}

// RunTicks delivers ticks by the real clock until ctx ends. It is for hosts
// with RealTime.
func (h *Host) RunTicks(ctx context.Context) {
	for {
		h.mu.Lock()
		changed := h.tickless
		h.mu.Unlock()
		const idle = time.Minute
		now := time.Now()
		at, w, due := h.earliest(now.Add(idle))
		if due != nil && !at.After(now) {
			if w == nil {
				due()
				continue
			}
			w.enter()
			due()
			w.leave()
			continue
		}
		wait := idle
		if due != nil {
			wait = at.Sub(now)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-changed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

func (h *Host) setClock(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock = t
}

// earliest returns what is due first, not after limit, and the worker that
// must be entered for it. due is nil if nothing is.
func (h *Host) earliest(limit time.Time) (at time.Time, in *worker, due func()) {
	consider := func(t time.Time, w *worker, f func()) {
		if t.After(limit) || (due != nil && !t.Before(at)) {
			return
		}
		at, in, due = t, w, f
	}
	for _, w := range h.workers {
		if w == nil {
			continue
		}
		w.peek(func() {
			for _, r := range w.roots {
				if r.period > 0 {
					consider(r.next, w, func() {
						if r.period > 0 {
							r.next = r.next.Add(r.period)
							if h.opt.RealTime {
								r.next = time.Now().Add(r.period)
							}
							w.onTick(r)
						}
					})
				}
				if !r.drain.IsZero() {
					consider(r.drain, w, func() { w.retire(r) })
				}
			}
		})
	}
	for _, c := range h.Callouts() {
		if c.Timeout > 0 {
			consider(c.deadline, nil, func() { h.timeOut(c) })
		}
	}
	return at, in, due
}
