package quota

// Status is what a store answers.
type Status uint8

const (
	OK       Status = iota
	NotFound        // the key was never set
	Mismatch        // another worker set the key since it was read
	Failed          // the host refused: no memory, unimplemented, anything else
)

// A Store is the host's shared data: values under keys, seen by all workers of
// one process, with a swap number that changes on every Set. It follows the
// proxy-wasm ABI 0.2.0 (proxy_get_shared_data, proxy_set_shared_data), which
// has no delete, no expiry and no listing.
type Store interface {
	// Get returns the value and its swap number. The value is valid until
	// the next call on the store and belongs to the store.
	Get(key string) (value []byte, cas uint32, status Status)

	// Set stores a copy of value if the key's swap number is still cas.
	// What cas 0 and an absent key mean differs between hosts: use Create
	// and Put.
	Set(key string, value []byte, cas uint32) Status
}

// impossible is a swap number that no existing value has.
const impossible = 0xFFFFFFFF

// Create sets an absent key. It answers Mismatch when the key exists, which
// includes that another worker created it a moment ago.
//
// Envoy creates on any number and overwrites on 0, so two workers that both saw
// NotFound would lose one value with cas 0 (proxy-wasm-cpp-host
// shared_data.cc); Kong creates on 0 alone (ngx_wa_shm_kv.c). Hence: an
// impossible number first, 0 only for a host that still has nothing then.
func Create(s Store, key string, value []byte) Status {
	st := s.Set(key, value, impossible)
	if st != Mismatch {
		return st
	}
	switch _, _, got := s.Get(key); got {
	case NotFound:
		return s.Set(key, value, 0)
	case OK:
		return Mismatch
	default:
		return got
	}
}

// Put sets a key that only one worker writes, whatever it holds.
func Put(s Store, key string, value []byte) Status {
	for range MaxTries {
		st := s.Set(key, value, 0)
		if st != Mismatch {
			return st
		}
		_, cas, got := s.Get(key)
		if got == OK {
			st = s.Set(key, value, cas)
		}
		if st != Mismatch {
			return st
		}
	}
	return Mismatch
}

// MaxTries bounds every swap loop. A swap is lost to somebody's progress, and
// workers that take turns at the store's lock can lose to the same one until it
// has nothing left to ask: 64 were lost in a row to bursts of 25 from 8 workers.
// 1,024 lost means that the store is broken, not busy; they take some 2 ms.
const MaxTries = 1024

// Memory is a store inside one VM: for hosts without shared data, where every
// worker then counts for itself, and for tests. The zero value is empty. It is
// not safe for concurrent use.
type Memory struct {
	cells map[string]cell
	last  uint32
}

type cell struct {
	value []byte
	cas   uint32
}

// Get implements Store.
func (m *Memory) Get(key string) ([]byte, uint32, Status) {
	c, ok := m.cells[key]
	if !ok {
		return nil, 0, NotFound
	}
	return c.value, c.cas, OK
}

// Set implements Store with Envoy's meaning of cas: 0 overwrites, and an absent
// key is created on any number.
func (m *Memory) Set(key string, value []byte, cas uint32) Status {
	c, ok := m.cells[key]
	if ok && cas != 0 && cas != c.cas {
		return Mismatch
	}
	if m.cells == nil {
		m.cells = make(map[string]cell)
	}
	m.last++
	c.value = append(c.value[:0], value...)
	c.cas = m.last
	m.cells[key] = c
	return OK
}
