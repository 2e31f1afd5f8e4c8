package tenant

import (
	"encoding/binary"
	"strconv"

	"fairshare/plugin/quota"
)

// An index names the subjects of a kind, or those of a kind and an owner. It is
// a number of pages, and a head that tells how many and which have room. The
// first page needs no head, so that a small index is one value. A page that
// there is none of is empty.
//
// What a page names counts if the subject's record names the page. The head's
// room is a guess that is put right when found wrong.

// What an owner begins with.
const (
	ownerUser = "u:"
	ownerTeam = "t:"
)

// indexName is unlike that of any other kind and owner.
func indexName(kind Kind, owner string) string {
	// The prefix without "fs/" and the last slash.
	p := recordPrefix(kind)
	if owner == "" {
		return p[len("fs/") : len(p)-1]
	}
	return p[len("fs/"):] + short(owner)
}

// The number comes before the name, which may end in a number.
func headKey(name string) string              { return "fs/x/h/" + name }
func pageKey(name string, page uint16) string { return "fs/x/" + strconv.Itoa(int(page)) + "/" + name }

// Of a page, numbers little endian: magic 4 | checksum of what follows 4 |
// length of key 2 | number of entries 2 | its key | entries, each: op 4 |
// length 2 | id. A head is the same, but with the number of pages in place of
// that of the entries, and a bit for each that has room in place of those.
const (
	pageMagic  = 0x01585346 // "FSX" and layout 1
	headMagic  = 0x01485346 // "FSH" and layout 1
	atKeyLen   = 8
	atCount    = 10
	pageFixed  = 12
	entryFixed = 4 + 2

	// pageSize bounds a page, which is copied to add to it.
	pageSize = 8 << 10
	// roomy is how much must be free in a page that had no room for it to have some
	// again: an entry with an id of the usual length.
	roomy = 256
	// maxPages bounds an index: about 190 keys a page.
	maxPages = 1<<16 - 1
)

// wholePage reports whether v is what lies under that key, untorn.
func wholePage(v []byte, magic uint32, key string) bool {
	return ourPage(v, magic, key) && quota.Sealed(v, magic)
}

// ourPage is wholePage but for that the value may be torn.
func ourPage(v []byte, magic uint32, key string) bool {
	le := binary.LittleEndian
	return len(v) >= pageFixed+len(key) && le.Uint32(v) == magic && int(le.Uint16(v[atKeyLen:])) == len(key) &&
		string(v[pageFixed:pageFixed+len(key)]) == key
}

// getPage reads a page or a head. NotFound is also that another's value lies
// there, with a swap number other than absent.
func (d *Directory) getPage(magic uint32, key string) (v []byte, cas uint32, st quota.Status) {
	for range rereads {
		v, cas, st = d.store.Get(key)
		if st != quota.OK {
			return nil, absent, st
		}
		if wholePage(v, magic, key) {
			return v, cas, quota.OK
		}
	}
	if ourPage(v, magic, key) {
		return nil, 0, quota.Failed
	}
	return nil, cas, quota.NotFound
}

// setPage writes buf, a whole page but for its checksum.
func (d *Directory) setPage(key string, cas uint32) quota.Status {
	quota.Seal(d.buf, binary.LittleEndian.Uint32(d.buf))
	if cas == absent {
		return quota.Create(d.store, key, d.buf)
	}
	return d.store.Set(key, d.buf, cas)
}

func (d *Directory) newPage(magic uint32, key string, count int) {
	le := binary.LittleEndian
	d.buf = le.AppendUint32(d.buf[:0], magic)
	d.buf = le.AppendUint32(d.buf, 0)
	d.buf = le.AppendUint16(d.buf, uint16(len(key)))
	d.buf = le.AppendUint16(d.buf, uint16(count))
	d.buf = append(d.buf, key...)
}

// head reads an index's head into buf and returns where the bits begin. The
// head that there is none of is that of one page with room.
func (d *Directory) head(key string) (bits int, cas uint32, st quota.Status) {
	v, cas, st := d.getPage(headMagic, key)
	bits = pageFixed + len(key)
	switch {
	case st == quota.OK:
		d.buf = append(d.buf[:0], v...)
		if len(d.buf) != bits+(d.pages()+7)/8 {
			return 0, 0, quota.Failed
		}
	case st == quota.NotFound && cas == absent:
		d.newPage(headMagic, key, 1)
		d.buf = append(d.buf, 1)
	default:
		return 0, 0, quota.Failed
	}
	return bits, cas, quota.OK
}

// pages is the number of pages of the head in buf.
func (d *Directory) pages() int { return int(binary.LittleEndian.Uint16(d.buf[atCount:])) }

// mark notes in the head whether a page has room.
func (d *Directory) mark(name string, page uint16, room bool) {
	key := headKey(name)
	for range quota.MaxTries {
		bits, cas, st := d.head(key)
		at, bit := bits+int(page/8), byte(1)<<(page%8)
		if st != quota.OK || int(page) >= d.pages() || d.buf[at]&bit != 0 == room {
			return
		}
		d.buf[at] ^= bit
		if d.setPage(key, cas) != quota.Mismatch {
			return
		}
	}
}

// choose returns a page that should have room, a new one if none does.
func (d *Directory) choose(name string) (uint16, Outcome) {
	key := headKey(name)
	for range quota.MaxTries {
		bits, cas, st := d.head(key)
		if st != quota.OK {
			return 0, StoreFailed
		}
		n := d.pages()
		for i := range n {
			if d.buf[bits+i/8]&(1<<(i%8)) != 0 {
				return uint16(i), done
			}
		}
		if n == maxPages {
			return 0, Full
		}
		if n%8 == 0 {
			d.buf = append(d.buf, 0)
		}
		d.buf[bits+n/8] |= 1 << (n % 8)
		binary.LittleEndian.PutUint16(d.buf[atCount:], uint16(n+1))
		switch d.setPage(key, cas) {
		case quota.OK:
			return uint16(n), done
		case quota.Mismatch:
		default:
			return 0, StoreFailed
		}
	}
	return 0, StoreFailed
}

// insert names an id in an index.
func (d *Directory) insert(name, id string, op uint32) (uint16, Outcome) {
	le := binary.LittleEndian
	for range quota.MaxTries {
		page, got := d.choose(name)
		if got != done {
			return 0, got
		}
		key := pageKey(name, page)
		v, cas, st := d.getPage(pageMagic, key)
		switch {
		case st == quota.Failed:
			return 0, StoreFailed
		case st == quota.NotFound && cas != absent:
			d.mark(name, page, false)
			continue
		case st == quota.NotFound:
			d.newPage(pageMagic, key, 0)
		default:
			d.buf = append(d.buf[:0], v...)
		}
		if len(d.buf)+entryFixed+len(id) > pageSize {
			d.mark(name, page, false)
			continue
		}
		d.buf = le.AppendUint32(d.buf, op)
		d.buf = le.AppendUint16(d.buf, uint16(len(id)))
		d.buf = append(d.buf, id...)
		le.PutUint16(d.buf[atCount:], le.Uint16(d.buf[atCount:])+1)
		switch d.setPage(key, cas) {
		case quota.OK:
			return page, done
		case quota.Mismatch:
		default:
			return 0, StoreFailed
		}
	}
	return 0, StoreFailed
}

// erase takes an id out of an index.
func (d *Directory) erase(name, id string, p place) {
	le := binary.LittleEndian
	key := pageKey(name, p.page)
	for range quota.MaxTries {
		v, cas, st := d.getPage(pageMagic, key)
		if st != quota.OK {
			return
		}
		d.buf = d.buf[:0]
		e := entries{v: v, at: pageFixed + len(key)}
		for e.next() {
			if e.op == p.op && string(e.id()) == id {
				d.buf = append(append(d.buf, v[:e.from]...), v[e.at:]...)
				break
			}
		}
		if len(d.buf) == 0 {
			return
		}
		le.PutUint16(d.buf[atCount:], le.Uint16(d.buf[atCount:])-1)
		size := len(d.buf)
		switch d.setPage(key, cas) {
		case quota.OK:
			if pageSize-size >= roomy {
				d.mark(name, p.page, true)
			}
			return
		case quota.Mismatch:
		default:
			return
		}
	}
}

// entries goes through those of a page.
type entries struct {
	v        []byte
	from, at int // of the entry, and behind it
	op       uint32
}

// next reports false behind the last entry.
func (e *entries) next() bool {
	e.from = e.at
	if e.at+entryFixed > len(e.v) {
		return false
	}
	n := int(binary.LittleEndian.Uint16(e.v[e.at+4:]))
	if e.at+entryFixed+n > len(e.v) {
		return false
	}
	e.op = binary.LittleEndian.Uint32(e.v[e.at:])
	e.at += entryFixed + n
	return true
}

func (e *entries) id() []byte { return e.v[e.from+entryFixed : e.at] }

// List visits the ids of all subjects of a kind, declared ones first, until
// visit reports false. owner "" is all of them; "u:" and a user_id are that
// user's keys or memberships, "t:" and a team_id a team's. A subject that is
// there all the while is visited once. It answers Failed when the store can't be
// read. visit may use the directory.
func (d *Directory) List(kind Kind, owner string, visit func(id string) bool) quota.Status {
	number, ok := ownerLink(kind, owner)
	if !ok {
		return quota.OK
	}
	for _, s := range d.declared {
		if s.Kind == kind && !s.Hidden && owned(s, number, owner) && d.isDeclared(kind, s.ID) == s && !visit(s.ID) {
			return quota.OK
		}
	}
	name := indexName(kind, owner)
	if _, _, st := d.head(headKey(name)); st != quota.OK {
		return quota.Failed
	}
	var page []byte
	pages := d.pages() // visit and names use buf
	for n := range pages {
		key := pageKey(name, uint16(n))
		v, _, st := d.getPage(pageMagic, key)
		if st == quota.Failed {
			return quota.Failed
		}
		page = append(page[:0], v...)
		e := entries{v: page, at: pageFixed + len(key)}
		for st == quota.OK && e.next() {
			id := string(e.id())
			named, st := d.names(name, kind, id, number, place{uint16(n), e.op})
			if st != quota.OK {
				return quota.Failed
			}
			if !named {
				continue
			}
			if kind == Key {
				var token [64]byte
				putToken(&token, e.id())
				id = string(token[:])
			}
			if d.isDeclared(kind, id) == nil && !visit(id) {
				return quota.OK
			}
		}
	}
	return quota.OK
}

// names reports whether the record with that id names the place. Where it does
// not, a worker died or the store failed between the two, unless one is just at
// it: the place is then freed, and that one takes another.
func (d *Directory) names(name string, kind Kind, id string, number int, p place) (bool, quota.Status) {
	at := recordKey(kind, id)
	for range rereads {
		v, _, st := d.store.Get(at)
		if st != quota.OK && st != quota.NotFound {
			return false, st
		}
		if st == quota.OK && whole(v, kind, id) {
			if placeIn(v, number) == p {
				return true, quota.OK
			}
		} else if st == quota.OK {
			continue
		}
		if d.forestall(kind, id, number, p) == quota.OK {
			d.erase(name, id, p)
		}
		return false, quota.OK
	}
	return false, quota.OK
}

// Count is how many subjects List would visit. A worker that dies while it adds
// or removes one may leave one too many, until the next List; pages that can't be
// read count as empty.
func (d *Directory) Count(kind Kind, owner string) int {
	number, ok := ownerLink(kind, owner)
	if !ok {
		return 0
	}
	n := 0
	for _, s := range d.declared {
		if s.Kind != kind || d.isDeclared(kind, s.ID) != s {
			continue
		}
		if !s.Hidden && owned(s, number, owner) {
			n++
		}
		// The store may have a subject that was declared later.
		id := s.ID
		if kind == Key {
			id = string(s.Hash[:])
		}
		var r row
		if _, st := d.load(recordKey(kind, id), kind, id, &r); st == quota.OK && owned(&r.Subject, number, owner) {
			n--
		}
	}
	name := indexName(kind, owner)
	if _, _, st := d.head(headKey(name)); st != quota.OK {
		return n
	}
	for i := range d.pages() {
		key := pageKey(name, uint16(i))
		if v, _, st := d.store.Get(key); st == quota.OK && ourPage(v, pageMagic, key) {
			n += int(binary.LittleEndian.Uint16(v[atCount:]))
		}
	}
	return n
}

// isDeclared returns the declared subject of that kind and id, nil if there is
// none.
func (d *Directory) isDeclared(kind Kind, id string) *Subject {
	if kind == Key {
		hash, _ := ParseToken(id)
		return d.keys[hash]
	}
	return d.others[kind][id]
}

// ownerLink is the number of the link that leads from an owner to subjects of a
// kind. It reports false where nothing can.
func ownerLink(kind Kind, owner string) (number int, ok bool) {
	switch {
	case kind >= NumKinds:
		return 0, false
	case owner == "":
		return linkAll, true
	case kind != Key && kind != Member || len(owner) == len(ownerUser):
		return 0, false
	case owner[:min(len(owner), len(ownerUser))] == ownerUser:
		return linkUser, true
	case owner[:min(len(owner), len(ownerTeam))] == ownerTeam:
		return linkTeam, true
	}
	return 0, false
}

func owned(s *Subject, number int, owner string) bool {
	switch number {
	case linkUser:
		return s.UserID == owner[len(ownerUser):]
	case linkTeam:
		return s.TeamID == owner[len(ownerTeam):]
	}
	return true
}
