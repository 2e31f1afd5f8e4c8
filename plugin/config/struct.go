package config

import (
	"math"
	"strconv"
	"unicode/utf8"

	"fairshare/plugin/document"
)

// readStruct reads protobuf's binary form of google.protobuf.Struct, which Envoy 1.36
// to 1.40 hand over as it is, although their documentation promises JSON:
//
//	Struct    = *( field 1, bytes: Entry )      Entry = field 1, bytes: key; field 2, bytes: Value
//	ListValue = *( field 1, bytes: Value )
//	Value     = field 1 varint: null | field 2 fixed64: number | field 3 bytes: string |
//	            field 4 varint: bool | field 5 bytes: Struct | field 6 bytes: ListValue
//
// The order of the entries is random. For example {"rpm": 60} is
//
//	0a 10                                        entry, 16 bytes
//	  0a 03 72 70 6d                             key "rpm"
//	  12 09 11 00 00 00 00 00 00 4e 40           value, 9 bytes: number 60.0
//
// Unknown fields are skipped. What protobuf would take and no encoder writes is an error:
// a second value where one belongs (protobuf merges the two), and groups. So is a number
// that JSON does not have (NaN, infinities). Whatever is taken means what it means to
// protobuf.
func readStruct(s string) (document.Tree, *document.Error) {
	r := structReader{s: s}
	if err := r.enter(document.Node{Kind: document.Object}, field{next: len(s)}); err != nil {
		return nil, err
	}
	for len(r.open) > 0 {
		in := &r.open[len(r.open)-1]
		if in.from == in.next {
			r.open = r.open[:len(r.open)-1]
			if err := r.doc.Leave(); err != nil {
				return nil, err
			}
			continue
		}
		f, ok := readField(s, in.from, in.next)
		if !ok {
			return nil, brokenStruct(in.from)
		}
		in.from = f.next
		if f.number != 1 || f.wire != wireBytes {
			continue
		}
		key, value := "", f
		if r.doc.InObject() {
			if key, value, ok = readEntry(s, f); !ok {
				return nil, brokenStruct(f.from)
			}
		}
		if err := r.add(key, value); err != nil {
			return nil, err
		}
	}
	return r.doc.Tree(), nil
}

type structReader struct {
	s    string
	doc  document.Builder
	open []field // what is left of each list and object that is being read
}

func (r *structReader) enter(n document.Node, content field) *document.Error {
	r.open = append(r.open, content)
	return r.doc.Enter(n)
}

// readEntry splits a map entry into its key and its value's bytes. A part that is
// missing is empty, and an empty Value is null.
func readEntry(s string, entry field) (key string, value field, ok bool) {
	var name field
	for pos := entry.from; pos < entry.next; {
		f, ok := readField(s, pos, entry.next)
		if !ok {
			return "", field{}, false
		}
		pos = f.next
		if f.wire != wireBytes || f.number > 2 {
			continue
		}
		part := &name
		if f.number == 2 {
			part = &value
		}
		if part.number != 0 {
			return "", field{}, false
		}
		*part = f
	}
	key = s[name.from:name.next]
	return key, value, utf8.ValidString(key)
}

// add adds what the bytes of a Value say. A list or an object is entered, and its
// members are left to the caller.
func (r *structReader) add(key string, value field) *document.Error {
	var v field
	for pos := value.from; pos < value.next; {
		f, ok := readField(r.s, pos, value.next)
		if !ok {
			return brokenStruct(pos)
		}
		if f.number < len(valueWire) && f.wire == valueWire[f.number] {
			if v.number != 0 {
				return brokenStruct(pos)
			}
			v = f
		}
		pos = f.next
	}
	n := document.Node{Key: key}
	switch v.number {
	case 2:
		n.Kind, n.Num = document.Number, math.Float64frombits(v.value)
		if math.IsNaN(n.Num) || math.IsInf(n.Num, 0) {
			return &document.Error{Path: r.doc.Child(key), Want: "a number that JSON has", Got: strconv.FormatFloat(n.Num, 'g', -1, 64)}
		}
	case 3:
		n.Kind, n.Str = document.Text, r.s[v.from:v.next]
		if !utf8.ValidString(n.Str) {
			return brokenStruct(v.from)
		}
	case 4:
		n.Kind = document.Boolean
		if v.value != 0 {
			n.Num = 1
		}
	case 5:
		n.Kind = document.Object
		return r.enter(n, v)
	case 6:
		n.Kind = document.List
		return r.enter(n, v)
	}
	r.doc.Add(n)
	return nil
}

// valueWire holds the wire type of each of a Value's fields.
var valueWire = [...]int{1: wireVarint, 2: wireFixed64, 3: wireBytes, 4: wireVarint, 5: wireBytes, 6: wireBytes}

const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// A field is one field of a message. Its zero value is an empty one.
type field struct {
	number, wire int
	value        uint64 // of a varint or a fixed number
	from, next   int    // its content's first byte, and the next field's
}

// readField reads the field at pos of a message that ends at end.
func readField(s string, pos, end int) (field, bool) {
	tag, pos, ok := readVarint(s, pos, end)
	if !ok || tag>>3 == 0 || tag>>3 > 1<<29-1 {
		return field{}, false
	}
	f := field{number: int(tag >> 3), wire: int(tag & 7), from: pos, next: pos}
	size := uint64(0)
	switch f.wire {
	case wireVarint:
		f.value, f.next, ok = readVarint(s, pos, end)
	case wireFixed64:
		size = 8
	case wireFixed32:
		size = 4
	case wireBytes:
		size, f.from, ok = readVarint(s, pos, end)
		f.next = f.from
	default:
		ok = false
	}
	if !ok || size > uint64(end-f.next) {
		return field{}, false
	}
	f.next += int(size)
	if f.wire == wireFixed64 {
		for i := range 8 {
			f.value |= uint64(s[f.from+i]) << (8 * i)
		}
	}
	return f, true
}

// readVarint reads a number of at most 64 bits, 7 to a byte, the lowest first.
func readVarint(s string, pos, end int) (v uint64, next int, ok bool) {
	for shift := 0; shift < 64 && pos < end; shift += 7 {
		c := s[pos]
		pos++
		if shift == 63 && c > 1 {
			return 0, 0, false
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v, pos, true
		}
	}
	return 0, 0, false
}

func brokenStruct(pos int) *document.Error {
	return &document.Error{
		Want: "JSON text or a binary google.protobuf.Struct",
		Got:  "bytes that are neither, from byte " + strconv.Itoa(pos),
	}
}
