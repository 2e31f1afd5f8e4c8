package tenant

import (
	"encoding/binary"

	"fairshare/plugin/period"
	"fairshare/plugin/quota"
)

const (
	// MaxRecord bounds a subject's record, in bytes.
	MaxRecord = 16 << 10
	// MaxID bounds in bytes what a subject is found by: its ID, a key's alias, and
	// the ids of the user and the team that it belongs to.
	MaxID = 1024
)

// A row is a subject's record as it lies in the store.
type row struct {
	Subject
	places  [numLinks]place // where the indexes and the alias name the subject
	removed bool            // a tombstone: a store has no delete
}

// A place says where something names the subject: the page of an index, and
// which act put it there. An alias has one place, and so no page.
type place struct {
	page uint16
	op   uint32
}

// The layout of a record, numbers little endian:
//
//	magic 4 | checksum of what follows 4 | kind 1 | flags 1 | length of id 2 | length of all before the text 2
//	numLinks times page 2 | op 4
//	which of the times and amounts are not zero 1 | those, 8 each
//	limits | members' limits | with flagBooks the hash of the key whose books it has, 32
//	lengths of the other strings, 2 each
//	number of models 2 | lengths, 2 each
//	number of aliases 2 | two lengths, 2 each
//	number of models with limits 2 | length 2 and limits, each
//	text: the id, then all strings in the order of their lengths
//
// Limits are which of them there are 1 | caps, 8 each | N 4 and unit 1 of the
// duration | what is in shadow 1. A key's id is its hash, 32 bytes. A record says one thing in one
// way alone, so that records are equal when subjects are.
const (
	rowMagic  = 0x02535346 // "FSS" and layout 2
	atKind    = 8
	atFlags   = 9
	atIDLen   = 10
	atText    = 12
	atPlaces  = 14
	placeSize = 6
	atFields  = atPlaces + numLinks*placeSize
)

const (
	flagBlocked = 1 << iota
	flagRemoved
	flagBooks // 32 bytes of Books are behind the limits
	allFlags  = flagBlocked | flagRemoved | flagBooks
)

// numbers are the numbers of a record.
func (s *Subject) numbers() [5]*int64 {
	return [...]*int64{(*int64)(&s.TempIncrease), &s.TempExpiry, &s.Created, &s.Updated, &s.Expires}
}

// texts are the strings of a record, but for those in lists.
func (s *Subject) texts() [10]*string {
	return [...]*string{&s.Alias, &s.Name, &s.Email, &s.Role, &s.UserID, &s.TeamID, &s.BudgetID, &s.Priority, &s.Metadata, &s.Extra}
}

func (l *Limits) caps() [5]*quota.Cap {
	return [...]*quota.Cap{&l.Budget, &l.Soft, &l.TPM, &l.RPM, &l.Parallel}
}

// reasons are what each of caps refuses for; a soft budget refuses nobody.
var reasons = [5]quota.Reasons{quota.Budget, 0, quota.Tokens, quota.Requests, quota.Parallel}

const (
	hasDuration = 1 << 5
	hasShadow   = 1 << 6
)

// fits reports whether the subject can be kept.
func (s *Subject) fits() bool {
	// The largest that all but the text can be, beside its lists.
	n := atFields + 1 + 5*8 + 2*maxLimits + len(s.Books) + 10*2 + 3*2 + len(s.ID)
	for _, t := range s.texts() {
		n += len(*t)
	}
	for i := range s.Models {
		n += 2 + len(s.Models[i])
	}
	for i := range s.Aliases {
		n += 4 + len(s.Aliases[i][0]) + len(s.Aliases[i][1])
	}
	for i := range s.PerModel {
		n += 2 + maxLimits + len(s.PerModel[i].Model)
	}
	return n <= MaxRecord && len(s.ID) <= MaxID && len(s.UserID) <= MaxID && len(s.TeamID) <= MaxID &&
		(s.Kind != Key || len(s.Alias) <= MaxID)
}

const maxLimits = 1 + 5*8 + 5 + 1

// append appends the record to dst. id is what the record is found by: a key's
// hash, any other subject's ID. The subject fits.
func (r *row) append(dst []byte, id string) []byte {
	le := binary.LittleEndian
	start := len(dst)
	dst = quota.Unsealed(dst)
	flags := byte(0)
	if r.Blocked {
		flags |= flagBlocked
	}
	if r.removed {
		flags |= flagRemoved
	}
	if r.Books != [32]byte{} {
		flags |= flagBooks
	}
	dst = append(dst, byte(r.Kind), flags)
	dst = le.AppendUint16(dst, uint16(len(id)))
	dst = le.AppendUint16(dst, 0)
	for _, p := range r.places {
		dst = le.AppendUint16(dst, p.page)
		dst = le.AppendUint32(dst, p.op)
	}
	mask := len(dst)
	dst = append(dst, 0)
	for i, n := range r.numbers() {
		if *n != 0 {
			dst[mask] |= 1 << i
			dst = le.AppendUint64(dst, uint64(*n))
		}
	}
	dst = r.Limits.append(dst)
	dst = r.Members.append(dst)
	if r.Books != [32]byte{} {
		dst = append(dst, r.Books[:]...)
	}
	texts := r.texts()
	for _, s := range texts {
		dst = le.AppendUint16(dst, uint16(len(*s)))
	}
	dst = le.AppendUint16(dst, uint16(len(r.Models)))
	for _, s := range r.Models {
		dst = le.AppendUint16(dst, uint16(len(s)))
	}
	dst = le.AppendUint16(dst, uint16(len(r.Aliases)))
	for i := range r.Aliases {
		dst = le.AppendUint16(dst, uint16(len(r.Aliases[i][0])))
		dst = le.AppendUint16(dst, uint16(len(r.Aliases[i][1])))
	}
	dst = le.AppendUint16(dst, uint16(len(r.PerModel)))
	for i := range r.PerModel {
		dst = le.AppendUint16(dst, uint16(len(r.PerModel[i].Model)))
		dst = r.PerModel[i].append(dst)
	}

	le.PutUint16(dst[start+atText:], uint16(len(dst)-start))
	dst = append(dst, id...)
	for _, s := range texts {
		dst = append(dst, *s...)
	}
	for _, s := range r.Models {
		dst = append(dst, s...)
	}
	for i := range r.Aliases {
		dst = append(dst, r.Aliases[i][0]...)
		dst = append(dst, r.Aliases[i][1]...)
	}
	for i := range r.PerModel {
		dst = append(dst, r.PerModel[i].Model...)
	}
	quota.Seal(dst[start:], rowMagic)
	return dst
}

func (l *Limits) append(dst []byte) []byte {
	mask := len(dst)
	dst = append(dst, 0)
	for i, c := range l.caps() {
		if c.Limited {
			dst[mask] |= 1 << i
			dst = binary.LittleEndian.AppendUint64(dst, uint64(c.Max))
		}
	}
	if l.Duration.N != 0 {
		dst[mask] |= hasDuration
		dst = binary.LittleEndian.AppendUint32(dst, uint32(l.Duration.N))
		dst = append(dst, byte(l.Duration.Unit))
	}
	if l.Shadow != 0 {
		dst[mask] |= hasShadow
		dst = append(dst, byte(l.Shadow))
	}
	return dst
}

// whole reports whether v is the record of the subject of that kind and id,
// untorn. Kong's store finds keys by a 32-bit hash alone, so it may be another's.
func whole(v []byte, kind Kind, id string) bool {
	le := binary.LittleEndian
	if len(v) < atFields || v[atKind] != byte(kind) || v[atFlags]&^allFlags != 0 {
		return false
	}
	n, text := int(le.Uint16(v[atIDLen:])), int(le.Uint16(v[atText:]))
	return text >= atFields && text+n <= len(v) && n == len(id) && string(v[text:text+n]) == id &&
		quota.Sealed(v, rowMagic)
}

// placeIn is a link's place in a whole record. A tombstone has none.
func placeIn(v []byte, link int) place {
	at := atPlaces + link*placeSize
	return place{binary.LittleEndian.Uint16(v[at:]), binary.LittleEndian.Uint32(v[at+2:])}
}

// decode reads the record of the subject of that kind and id (a key's hash, any
// other's ID) into the empty row, copying all of it. It reports false for a torn
// or foreign record.
func (r *row) decode(v []byte, kind Kind, id string) bool {
	if !whole(v, kind, id) {
		return false
	}
	le := binary.LittleEndian
	begin := int(le.Uint16(v[atText:]))
	in := reader{meta: v[atFields:begin]}
	// All strings lie in one. A key's ID is written out in it, once and for all.
	if kind == Key {
		if len(id) != len(r.Hash) {
			return false
		}
		copy(r.Hash[:], id)
		var token [64]byte
		putToken(&token, r.Hash[:])
		var most [512]byte // of most records
		in.text = string(append(append(most[:0], token[:]...), v[begin+len(id):]...))
		r.ID = in.cut(len(token))
	} else {
		in.text = string(v[begin:])
		r.ID = in.cut(len(id))
	}
	r.Kind = kind
	r.Blocked, r.removed = v[atFlags]&flagBlocked != 0, v[atFlags]&flagRemoved != 0
	for i := range r.places {
		r.places[i] = placeIn(v, i)
	}
	mask := in.byte()
	for i, n := range r.numbers() {
		if mask&(1<<i) != 0 {
			*n = in.number()
			in.bad = in.bad || *n == 0
		}
	}
	in.bad = in.bad || mask>>5 != 0
	in.limits(&r.Limits)
	in.limits(&r.Members)
	if v[atFlags]&flagBooks != 0 {
		copy(r.Books[:], in.take(len(r.Books)))
		in.bad = in.bad || kind != Key || r.Books == [32]byte{}
	}
	if kind == Key {
		r.Line = quota.KeyID(r.BooksOf())
	}
	for _, s := range r.texts() {
		*s = in.cut(in.length())
	}
	if n := in.count(2); n > 0 {
		r.Models = make([]string, n)
		for i := range r.Models {
			r.Models[i] = in.cut(in.length())
		}
	}
	if n := in.count(4); n > 0 {
		r.Aliases = make([][2]string, n)
		for i := range r.Aliases {
			r.Aliases[i][0] = in.cut(in.length())
			r.Aliases[i][1] = in.cut(in.length())
		}
	}
	if n := in.count(3); n > 0 {
		r.PerModel = make([]ModelLimits, n)
		for i := range r.PerModel {
			r.PerModel[i].Model = in.cut(in.length())
			in.limits(&r.PerModel[i].Limits)
		}
	}
	return !in.bad && len(in.meta) == 0 && in.text == ""
}

// A reader takes a record's fields one after the other. It is bad once one was
// not there; what it gives from then on is empty.
type reader struct {
	meta []byte
	text string
	bad  bool
}

// take cuts off the next n bytes, nil when there are fewer.
func (r *reader) take(n int) []byte {
	if n > len(r.meta) {
		r.bad, r.meta = true, nil
		return nil
	}
	v := r.meta[:n]
	r.meta = r.meta[n:]
	return v
}

func (r *reader) byte() byte {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) length() int {
	if v := r.take(2); v != nil {
		return int(binary.LittleEndian.Uint16(v))
	}
	return 0
}

// count is a number of things that take at least size bytes each: a record's
// own length bounds what is allocated for them.
func (r *reader) count(size int) int {
	n := r.length()
	if n*size > len(r.meta) {
		r.bad = true
		return 0
	}
	return n
}

func (r *reader) number() int64 {
	if v := r.take(8); v != nil {
		return int64(binary.LittleEndian.Uint64(v))
	}
	return 0
}

func (r *reader) cut(n int) string {
	if n > len(r.text) {
		r.bad = true
		return ""
	}
	s := r.text[:n]
	r.text = r.text[n:]
	return s
}

func (r *reader) limits(l *Limits) {
	mask := r.byte()
	for i, c := range l.caps() {
		if mask&(1<<i) != 0 {
			*c = quota.Cap{Limited: true, Max: r.number()}
		}
	}
	if mask&hasDuration != 0 {
		if v := r.take(5); v != nil {
			l.Duration.N = int32(binary.LittleEndian.Uint32(v))
			l.Duration.Unit = period.Unit(v[4])
		}
		r.bad = r.bad || l.Duration.N == 0 || l.Duration.Unit > period.Month
	}
	if mask&hasShadow != 0 {
		l.Shadow = quota.Reasons(r.byte())
		r.bad = r.bad || l.Shadow == 0 || l.Shadow > quota.AllReasons
	}
	r.bad = r.bad || mask>>7 != 0
}
