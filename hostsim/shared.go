package hostsim

import (
	"hash/crc32"
	"sync"

	"fairshare/hostsim/abi"
)

// shared is what all workers of a proxy have in common.
type shared struct {
	mu      sync.Mutex
	profile *Profile
	faults  func() *Faults
	chance  func() float64 // 0 to 1, from the host's seed

	data   map[string]*entry
	number uint32 // the last one given, on Envoy one counter for all keys

	queues     []*queue
	metrics    []*Metric
	metricByID map[string]uint32
}

// An entry is one key of shared data.
type entry struct {
	key           string // as its last writer called it
	value, before []byte // before is the value that value replaced
	cas           uint32
}

// A queue is one shared queue. owner and root are the root context that is
// told of new items.
type queue struct {
	name  string
	items [][]byte
	owner *worker
	root  uint32
}

// A Metric is one metric of the guest.
type Metric struct {
	Name    string
	Type    abi.MetricType
	Value   uint64   // of a counter or gauge
	Samples []uint64 // of a histogram
}

func newShared(p *Profile, faults func() *Faults, chance func() float64) *shared {
	return &shared{
		profile: p, faults: faults, chance: chance,
		data: map[string]*entry{}, metricByID: map[string]uint32{},
	}
}

// index returns what the host looks a key up by.
func (s *shared) index(key string) string {
	if !s.profile.KeyByCRC32 {
		return key
	}
	sum := crc32.ChecksumIEEE([]byte(key))
	return string([]byte{byte(sum), byte(sum >> 8), byte(sum >> 16), byte(sum >> 24)})
}

// nextNumber returns the number of the entry's next value.
func (s *shared) nextNumber(e *entry) uint32 {
	if s.profile.Swap == SwapStrict {
		return e.cas + 1
	}
	s.number++
	if s.number == 0 {
		s.number = 1
	}
	return s.number
}

// get is proxy_get_shared_data.
func (s *shared) get(key string) ([]byte, uint32, abi.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.data[s.index(key)]
	if e == nil {
		return nil, 0, abi.NotFound
	}
	value := append([]byte(nil), e.value...)
	if p := s.faults().TornRead; p > 0 && len(e.before) == len(value) && s.chance() < p {
		copy(value[:len(value)/2], e.before)
	}
	return value, e.cas, abi.OK
}

// set is proxy_set_shared_data.
func (s *shared) set(key string, value []byte, cas uint32) abi.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.index(key)
	e := s.data[at]
	if s.profile.Swap == SwapStrict {
		switch {
		case e == nil && cas != 0, e != nil && cas != e.cas:
			return abi.CasMismatch
		case len(value) == 0:
			delete(s.data, at)
			return abi.OK
		}
	} else if e != nil && cas != 0 && cas != e.cas {
		return abi.CasMismatch
	}
	if e == nil {
		e = &entry{}
		s.data[at] = e
	} else if p := s.faults().SwapLoss; p > 0 && cas != 0 && s.chance() < p {
		e.cas = s.nextNumber(e)
		return abi.CasMismatch
	}
	e.key, e.before, e.value, e.cas = key, e.value, value, s.nextNumber(e)
	return abi.OK
}

// register is proxy_register_shared_queue by root context root of w.
func (s *shared) register(name string, w *worker, root uint32) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, q := range s.queues {
		if q.name == name {
			q.owner, q.root = w, root
			return uint32(i + 1)
		}
	}
	s.queues = append(s.queues, &queue{name: name, owner: w, root: root})
	return uint32(len(s.queues))
}

// resolve is proxy_resolve_shared_queue.
func (s *shared) resolve(name string) (uint32, abi.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, q := range s.queues {
		if q.name == name {
			return uint32(i + 1), abi.OK
		}
	}
	return 0, abi.NotFound
}

// enqueue is proxy_enqueue_shared_queue. full reports that the queue took no
// more; owner and root are whom to tell of the item.
func (s *shared) enqueue(id uint32, value []byte) (owner *worker, root uint32, full bool, st abi.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == 0 || int(id) > len(s.queues) {
		return nil, 0, false, abi.NotFound
	}
	q := s.queues[id-1]
	if limit := s.profile.QueueLimit; s.faults().QueueFull || (limit > 0 && len(q.items) >= limit) {
		return nil, 0, true, abi.InternalFailure
	}
	q.items = append(q.items, value)
	return q.owner, q.root, false, abi.OK
}

// dequeue is proxy_dequeue_shared_queue.
func (s *shared) dequeue(id uint32) ([]byte, abi.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == 0 || int(id) > len(s.queues) {
		return nil, abi.NotFound
	}
	q := s.queues[id-1]
	if len(q.items) == 0 {
		return nil, abi.Empty
	}
	value := q.items[0]
	q.items = q.items[1:]
	return value, abi.OK
}

// define is proxy_define_metric.
func (s *shared) define(t abi.MetricType, name string) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := t.String() + "\x00" + name
	if id, ok := s.metricByID[key]; ok {
		return id
	}
	s.metrics = append(s.metrics, &Metric{Name: name, Type: t})
	s.metricByID[key] = uint32(len(s.metrics))
	return uint32(len(s.metrics))
}

// metric returns the metric with number id, or nil. s.mu must be held.
func (s *shared) metric(id uint32) *Metric {
	if id == 0 || int(id) > len(s.metrics) {
		return nil
	}
	return s.metrics[id-1]
}

// increment is proxy_increment_metric.
func (s *shared) increment(id uint32, offset int64) abi.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m := s.metric(id); {
	case m == nil:
		return abi.NotFound
	case m.Type == abi.Histogram, m.Type == abi.Counter && offset <= 0:
		return abi.BadArgument
	default:
		m.Value += uint64(offset)
	}
	return abi.OK
}

// record is proxy_record_metric.
func (s *shared) record(id uint32, value uint64) abi.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.metric(id)
	if m == nil {
		return abi.NotFound
	}
	switch m.Type {
	case abi.Counter:
		m.Value += value
	case abi.Gauge:
		m.Value = value
	default:
		m.Samples = append(m.Samples, value)
	}
	return abi.OK
}

// value is proxy_get_metric.
func (s *shared) value(id uint32) (uint64, abi.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m := s.metric(id); {
	case m == nil:
		return 0, abi.NotFound
	case m.Type == abi.Histogram:
		return 0, abi.BadArgument
	default:
		return m.Value, abi.OK
	}
}

// Metrics returns a copy of the guest's metrics by name.
func (h *Host) Metrics() map[string]Metric {
	h.shared.mu.Lock()
	defer h.shared.mu.Unlock()
	all := map[string]Metric{}
	for _, m := range h.shared.metrics {
		c := *m
		c.Samples = append([]uint64(nil), m.Samples...)
		all[m.Name] = c
	}
	return all
}

// SharedData returns a copy of the shared data by key. Of keys that the
// profile takes for one, only the one written last is there.
func (h *Host) SharedData() map[string][]byte {
	h.shared.mu.Lock()
	defer h.shared.mu.Unlock()
	all := map[string][]byte{}
	for _, e := range h.shared.data {
		all[e.key] = append([]byte(nil), e.value...)
	}
	return all
}

// Queued returns how many items wait in the queue with this name.
func (h *Host) Queued(name string) int {
	h.shared.mu.Lock()
	defer h.shared.mu.Unlock()
	for _, q := range h.shared.queues {
		if q.name == name {
			return len(q.items)
		}
	}
	return 0
}
