package tenant

import "fairshare/plugin/quota"

// An Outcome is what became of a change.
type Outcome uint8

const (
	done        Outcome = iota // a step of a change, not yet all of it
	Added                      // there is a new subject
	Changed                    // the subject is as edited
	Removed                    // the subject is gone
	Exists                     // there is a subject with that id
	Missing                    // there is none
	IsDeclared                 // the configuration declares it; nothing else changes it
	AliasTaken                 // another key has the alias, or is about to
	BadID                      // the id is empty, or a key's is not a hash
	TooLarge                   // the record would be larger than MaxRecord, or an id than MaxID
	Full                       // an index can't name more subjects
	StoreFailed                // the store can't be read or written
)

// What leads to a subject beside its id, by the numbers of its links.
const (
	linkAlias = iota // of a key
	linkAll          // the index of its kind
	linkUser         // the index of its user's keys or memberships
	linkTeam         // likewise of its team's
	numLinks
)

// A link is one way to a subject: the alias, or the name of an index; empty if
// it has none.
type link struct {
	name string
	place
}

func (r *row) links() (l [numLinks]link) {
	if r.Kind == Key {
		l[linkAlias].name = r.Alias
	}
	l[linkAll].name = indexName(r.Kind, "")
	if r.Kind == Key || r.Kind == Member {
		if r.UserID != "" {
			l[linkUser].name = indexName(r.Kind, ownerUser+r.UserID)
		}
		if r.TeamID != "" {
			l[linkTeam].name = indexName(r.Kind, ownerTeam+r.TeamID)
		}
	}
	for i := range l {
		l[i].place = r.places[i]
	}
	return l
}

// An act is one change of one subject.
type act struct {
	d    *Directory
	op   uint32 // no other act has it, nor another try of this one
	kind Kind
	id   string // what the record is found by: a key's hash, any other's ID
	at   string // where it lies
}

// begin makes the act of changing a subject. It answers done if there is
// nothing against it.
func (d *Directory) begin(kind Kind, id string) (act, Outcome) {
	a := act{d: d, kind: kind, id: id}
	switch {
	case kind >= NumKinds || id == "":
		return a, BadID
	case kind == Key:
		hash, ok := ParseToken(id)
		if !ok {
			return a, BadID
		}
		if d.keys[hash] != nil {
			return a, IsDeclared
		}
		a.id = string(hash[:])
	case d.others[kind][id] != nil:
		return a, IsDeclared
	case len(id) > MaxID:
		return a, TooLarge
	}
	a.at = recordKey(kind, a.id)
	op, ok := d.bump()
	if !ok {
		return a, StoreFailed
	}
	a.op = op
	return a, done
}

// again makes the act another one, for another try: what it took in the last one
// may be gone, or about to go.
func (a *act) again(try int) bool {
	if try == 0 {
		return true
	}
	var ok bool
	a.op, ok = a.d.bump()
	return ok
}

// end tells the other workers. If it can't, they know in recheckMS.
func (a *act) end() { _, _ = a.d.bump() }

// take makes the links in want that are not in have, all or none, and notes
// their places.
func (a *act) take(want, have *[numLinks]link) Outcome {
	for i := range want {
		w := &want[i]
		w.place = have[i].place
		if w.name == have[i].name {
			continue
		}
		w.place = place{}
		if w.name == "" {
			continue
		}
		w.op = a.op
		var got Outcome
		if i == linkAlias {
			got = a.d.takeAlias(w.name, (*[32]byte)([]byte(a.id)), a.op)
		} else {
			w.page, got = a.d.insert(w.name, a.id, a.op)
		}
		if got != done {
			*w = have[i]
			for j := i + 1; j < numLinks; j++ {
				want[j] = have[j]
			}
			a.drop(want, have)
			return got
		}
	}
	return done
}

// drop takes back the links in old that are not in kept. One that can't be taken
// back leads nowhere, as no record names it.
func (a *act) drop(old, kept *[numLinks]link) {
	for i := range old {
		switch o := &old[i]; {
		case o.name == "" || o.name == kept[i].name:
		case i == linkAlias:
			a.d.freeAlias(o.name, (*[32]byte)([]byte(a.id)), o.op)
		default:
			a.d.erase(o.name, a.id, o.place)
		}
	}
}

// set writes the record with its links.
func (a *act) set(r *row, l *[numLinks]link, cas uint32) quota.Status {
	for i := range l {
		r.places[i] = l[i].place
	}
	return a.d.write(a.at, a.id, r, cas)
}

// absent is the swap number of no record.
const absent = 0

// write writes a record if its swap number is still cas.
func (d *Directory) write(at, id string, r *row, cas uint32) quota.Status {
	d.buf = r.append(d.buf[:0], id)
	if cas == absent {
		return quota.Create(d.store, at, d.buf)
	}
	return d.store.Set(at, d.buf, cas)
}

// forestall makes sure that a subject's record does not name a place, and that
// no act does that is still on its way: its swap of the record fails once that
// was written anew. It answers Mismatch when the record names the place, and
// Failed when it can't tell.
func (d *Directory) forestall(kind Kind, id string, number int, p place) quota.Status {
	at := recordKey(kind, id)
	for range quota.MaxTries {
		var r row
		cas, st := d.load(at, kind, id, &r)
		switch st {
		case quota.OK:
			if r.places[number] == p {
				return quota.Mismatch
			}
		case quota.NotFound:
			r.Kind, r.removed = kind, true
		default:
			return quota.Failed
		}
		if st = d.write(at, id, &r, cas); st != quota.Mismatch {
			return st
		}
	}
	return quota.Failed
}

// Add keeps a new subject: record, alias and indexes, or nothing. A key may have
// its Hash or its ID; Declared and Hidden are not kept.
//
// The ways to the record come first, because a key opens doors from the moment
// it is written, and none may be open that no list shows. Of workers that race
// for one id or one alias, the swap numbers let exactly one have it.
func (d *Directory) Add(s *Subject) Outcome {
	if !s.fits() {
		return TooLarge
	}
	id := s.ID
	if s.Kind == Key && id == "" {
		id = Token(&s.Hash)
	}
	a, got := d.begin(s.Kind, id)
	if got == IsDeclared {
		return Exists
	}
	if got != done {
		return got
	}
	defer a.end()
	for try := 0; try < quota.MaxTries && a.again(try); try++ {
		var old row
		cas, st := d.load(a.at, a.kind, a.id, &old)
		switch st {
		case quota.OK:
			return Exists
		case quota.NotFound:
		default:
			return StoreFailed
		}
		r := row{Subject: *s}
		var none [numLinks]link
		l := r.links()
		if got := a.take(&l, &none); got != done {
			return got
		}
		if st = a.set(&r, &l, cas); st == quota.OK {
			return Added
		}
		a.drop(&l, &none)
		if st != quota.Mismatch {
			break
		}
	}
	return StoreFailed
}

// Change edits a subject. edit gets a copy that is its own, and is called again
// on a new one when another worker changed the subject meanwhile, so that
// neither change is lost; what it does to Kind, ID, a member's TeamID and UserID
// and what follows from them is undone. The result is shared.
func (d *Directory) Change(kind Kind, id string, edit func(*Subject)) (*Subject, Outcome) {
	a, got := d.begin(kind, id)
	if got == BadID || got == TooLarge {
		return nil, Missing
	}
	if got != done {
		return nil, got
	}
	defer a.end()
	for try := 0; try < quota.MaxTries && a.again(try); try++ {
		r := new(row)
		cas, st := d.load(a.at, a.kind, a.id, r)
		switch st {
		case quota.OK:
		case quota.Failed:
			return nil, StoreFailed
		default:
			return nil, Missing
		}
		have := r.links()
		was := r.Subject
		edit(&r.Subject)
		r.Kind, r.ID, r.Hash, r.Books, r.Line, r.Declared, r.Hidden = was.Kind, was.ID, was.Hash, was.Books, was.Line, false, false
		if kind == Member {
			r.TeamID, r.UserID = was.TeamID, was.UserID
		}
		if !r.fits() {
			return nil, TooLarge
		}
		l := r.links()
		if got := a.take(&l, &have); got != done {
			return nil, got
		}
		switch st = a.set(r, &l, cas); st {
		case quota.OK:
			a.drop(&have, &l)
			return &r.Subject, Changed
		case quota.Mismatch:
			a.drop(&l, &have)
		default:
			a.drop(&l, &have)
			return nil, StoreFailed
		}
	}
	return nil, StoreFailed
}

// Remove takes a subject away. Its id can be added again. A key's door closes
// first; its alias and its lines in the indexes are taken back afterwards.
func (d *Directory) Remove(kind Kind, id string) Outcome {
	a, got := d.begin(kind, id)
	if got == BadID || got == TooLarge {
		return Missing
	}
	if got != done {
		return got
	}
	defer a.end()
	for range quota.MaxTries {
		var r row
		cas, st := d.load(a.at, a.kind, a.id, &r)
		switch st {
		case quota.OK:
		case quota.Failed:
			return StoreFailed
		default:
			return Missing
		}
		have := r.links()
		var none [numLinks]link
		switch st = a.set(&row{Subject: Subject{Kind: kind}, removed: true}, &none, cas); st {
		case quota.OK:
			a.drop(&have, &none)
			return Removed
		case quota.Mismatch:
		default:
			return StoreFailed
		}
	}
	return StoreFailed
}
