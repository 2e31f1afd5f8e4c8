package filter

import (
	"encoding/binary"
	"unsafe"

	"fairshare/plugin/flow"
)

// Header maps cross the boundary whole, in one call each way: a call costs
// about a microsecond however little it carries, and an answer gets up to six
// headers. The SDK's versions of these two calls allocate for every header.

//go:wasmimport env proxy_get_header_map_pairs
func getPairs(kind uint32, data, size unsafe.Pointer) uint32

//go:wasmimport env proxy_set_header_map_pairs
func setPairs(kind uint32, data unsafe.Pointer, size uint32) uint32

const (
	requestHeaders  = 0 // proxy-wasm ABI 0.2.0, header map types
	responseHeaders = 2
)

// A headerMap is a request's or answer's headers, as read and to be written.
// It is reused from stream to stream.
type headerMap struct {
	pairs [][2]string
	raw   []byte // what pairs point into, if kept
}

// read gets the headers from the host. They lie in the host's memory, until the
// callback ends.
func (m *headerMap) read(kind uint32) bool {
	var data unsafe.Pointer
	var size uint32
	if getPairs(kind, unsafe.Pointer(&data), unsafe.Pointer(&size)) != 0 || size < 4 {
		return false
	}
	m.raw = unsafe.Slice((*byte)(data), size)
	return m.parse()
}

// parse reads the ABI's form: count 4 | count × (name size 4 | value size 4) |
// count × (name NUL value NUL), little endian.
func (m *headerMap) parse() bool {
	le := binary.LittleEndian
	n := int(le.Uint32(m.raw))
	m.pairs = m.pairs[:0]
	at := 4 + 8*n
	if n < 0 || at > len(m.raw) {
		return false
	}
	for i := range n {
		name, value := int(le.Uint32(m.raw[4+8*i:])), int(le.Uint32(m.raw[8+8*i:]))
		if name < 0 || value < 0 || at+name+value+2 > len(m.raw) {
			return false
		}
		m.pairs = append(m.pairs, [2]string{text(m.raw[at : at+name]), text(m.raw[at+name+1 : at+name+1+value])})
		at += name + value + 2
	}
	return true
}

// keep copies the headers out of the host's memory into buf.
func (m *headerMap) keep(buf []byte) []byte {
	buf = append(buf[:0], m.raw...)
	m.raw = buf
	m.parse()
	return buf
}

// maxPairs and maxBytes bound what is written as a whole: Envoy drops a map of
// more than 1024 pairs or 1 MiB without a word (proxy-wasm-cpp-host
// pairs_util.cc). Larger ones are edited header by header.
const (
	maxPairs = 1000
	maxBytes = 512 << 10
)

// edited appends the map's ABI form to buf, with the edits made: a set header
// takes the place of the first of its name, or comes last. It reports false if
// the map is too large to be written as a whole.
func (m *headerMap) edited(buf []byte, edits []flow.Edit) ([]byte, bool) {
	if len(m.pairs)+len(edits) > maxPairs || len(m.raw) > maxBytes {
		return buf, false
	}
	for e := range edits {
		edit, done := &edits[e], edits[e].Remove
		kept := m.pairs[:0]
		for _, p := range m.pairs {
			switch {
			case p[0] != edit.Name:
				kept = append(kept, p)
			case !done:
				kept = append(kept, [2]string{p[0], edit.Value})
				done = true
			}
		}
		if !done {
			kept = append(kept, [2]string{edit.Name, edit.Value})
		}
		m.pairs = kept
	}
	le := binary.LittleEndian
	buf = le.AppendUint32(buf, uint32(len(m.pairs)))
	for i := range m.pairs {
		buf = le.AppendUint32(buf, uint32(len(m.pairs[i][0])))
		buf = le.AppendUint32(buf, uint32(len(m.pairs[i][1])))
	}
	for i := range m.pairs {
		buf = append(append(buf, m.pairs[i][0]...), 0)
		buf = append(append(buf, m.pairs[i][1]...), 0)
	}
	return buf, true
}

// text is b as a string, not copied.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
