package flow

import (
	"encoding/binary"

	"fairshare/plugin/quota"
)

// The host's counters can't be read, so that /metrics, which any worker answers,
// can tell how often all workers lost swaps, they sum it up in a sealed value: swaps 8.
const (
	retriesKey   = "fs/r"
	retriesMagic = 0x01525346 // "FSR" and layout 1
	retriesSize  = 4 + 4 + 8
)

// addRetries adds what this worker counted since it last did. What can't be added
// now waits for the next tick.
func (w *Worker) addRetries() {
	for try := 0; w.lost > 0 && try < quota.MaxTries; try++ {
		n, cas, st := w.readRetries()
		var v [retriesSize]byte
		binary.LittleEndian.PutUint64(v[8:], uint64(plus(n, w.lost)))
		quota.Seal(v[:], retriesMagic)
		switch st {
		case quota.NotFound:
			st = quota.Create(w.host, retriesKey, v[:])
		case quota.OK:
			st = w.host.Set(retriesKey, v[:], cas)
		}
		switch st {
		case quota.OK:
			w.lost = 0
		case quota.Mismatch:
		default:
			return
		}
	}
}

// readRetries gives the sum; what is not the record counts as 0.
func (w *Worker) readRetries() (n int64, cas uint32, st quota.Status) {
	var v []byte
	for range tornPages {
		if v, cas, st = w.host.Get(retriesKey); st != quota.OK {
			break
		}
		if len(v) == retriesSize && quota.Sealed(v, retriesMagic) {
			return int64(binary.LittleEndian.Uint64(v[8:])), cas, st
		}
	}
	return 0, cas, st
}
