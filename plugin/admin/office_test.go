package admin

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"fairshare/plugin/document"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

// now is 2024-01-31T12:34:56.789Z.
const now = 1706704496789

// A shelf is a store that counts what is written, and fails from a certain call
// on if it is to.
type shelf struct {
	quota.Memory
	writes  int
	calls   int
	failAt  int // the first call that fails, 0 for none
	failFor int // how many fail, 0 for all from there on
	act     func()
	actAt   int // before which call act happens
}

func (s *shelf) fails() bool {
	s.calls++
	if s.calls == s.actAt {
		s.act()
	}
	return s.failAt > 0 && s.calls >= s.failAt && (s.failFor == 0 || s.calls < s.failAt+s.failFor)
}

func (s *shelf) Get(key string) ([]byte, uint32, quota.Status) {
	if s.fails() {
		return nil, 0, quota.Failed
	}
	return s.Memory.Get(key)
}

func (s *shelf) Set(key string, value []byte, cas uint32) quota.Status {
	if s.fails() {
		return quota.Failed
	}
	st := s.Memory.Set(key, value, cas)
	if st == quota.OK {
		s.writes++
	}
	return st
}

// books are Books in a map: by kind, id and model.
type books struct {
	spend   map[string]unit.PicoUSD
	calls   int
	failAt  int // the first call that fails, 0 for none
	failFor int // how many fail, 0 for all from there on
}

func account(s *tenant.Subject, model string) string {
	id := s.ID
	if s.Books != [32]byte{} {
		id = tenant.Token(&s.Books)
	}
	return fmt.Sprintf("%d %s %s", s.Kind, id, model)
}

func (b *books) fails() bool {
	b.calls++
	return b.failAt > 0 && b.calls >= b.failAt && (b.failFor == 0 || b.calls < b.failAt+b.failFor)
}

func (b *books) Book(_ int64, s *tenant.Subject, model string) (Book, bool) {
	if b.fails() {
		return Book{}, false
	}
	spend := b.spend[account(s, model)]
	return Book{Spend: spend, Own: spend}, true
}

func (b *books) SetSpend(_ int64, s *tenant.Subject, spend unit.PicoUSD) bool {
	if b.fails() {
		return false
	}
	b.set(s, "", spend)
	return true
}

func (b *books) set(s *tenant.Subject, model string, spend unit.PicoUSD) {
	if b.spend == nil {
		b.spend = map[string]unit.PicoUSD{}
	}
	b.spend[account(s, model)] = spend
	if spend == 0 {
		delete(b.spend, account(s, model))
	}
}

func (b *books) Forget(s *tenant.Subject) bool {
	if b.fails() {
		return false
	}
	maps.DeleteFunc(b.spend, func(key string, _ unit.PicoUSD) bool { return strings.HasPrefix(key, account(s, "")) })
	return true
}

// A desk is an office over a shelf.
type desk struct {
	*Office
	t      testing.TB
	shelf  *shelf
	books  *books
	drawn  byte // how often random bytes were drawn
	caller *tenant.Subject
}

func newDesk(t testing.TB, declared ...*tenant.Subject) *desk {
	d := &desk{t: t, shelf: new(shelf), books: new(books)}
	d.Office = &Office{Tenants: tenant.NewDirectory(d.shelf, declared), Books: d.books, Random: d.random}
	return d
}

// random gives 0, 1, 2 … 14, 255, and the number of the draw added to the first.
func (d *desk) random(b []byte) bool {
	for i := range b {
		b[i] = byte(i)
	}
	b[0] += d.drawn
	b[15] = 255
	d.drawn++
	return true
}

const (
	// secret is what comes of the first random bytes, sha256 its hash
	// (printf %s sk-AAECAwQFBgcICQoLDA0O_w | sha256sum), and secret2 and sha256of2
	// of the second.
	secret  = "sk-AAECAwQFBgcICQoLDA0O_w"
	sha256  = "acfc85266f6aff3f417cbd0423895f745c0f568e854e37b37a6a8e1b2b184ff9"
	secret2 = "sk-AQECAwQFBgcICQoLDA0O_w"
)

func tokenOf(secret string) string {
	hash := tenant.Hash(secret)
	return tenant.Token(&hash)
}

// dump is all that the store and the books say.
func (d *desk) dump() string {
	var b strings.Builder
	tenants := tenant.NewDirectory(&d.shelf.Memory, nil)
	for kind := range tenant.NumKinds {
		if tenants.List(kind, "", func(id string) bool {
			s, st := tenants.Find(kind, id)
			if s == nil {
				d.t.Errorf("%d %q is listed and not found: %d", kind, id, st)
				return true
			}
			fmt.Fprintf(&b, "%d %q %s %s %d %s\n", kind, id, s.Email, s.Priority, s.Line, tenant.AppendFields(nil, s))
			if kind == tenant.Key && s.Alias != "" {
				if of, _ := tenants.FindAlias(s.Alias); of == nil || of.ID != s.ID {
					d.t.Errorf("the alias of %s leads to %+v", id, of)
				}
			}
			return true
		}) != quota.OK {
			d.t.Fatal("the store can't be listed")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(d.books.spend)) {
		fmt.Fprintf(&b, "%s spent %s\n", key, d.books.spend[key])
	}
	return b.String()
}

// change tells two dumps apart by the lines that are in one of them alone.
func change(before, after string) string {
	var b strings.Builder
	for i, lines := range [...]string{before, after} {
		other := [...]string{after, before}[i]
		for line := range strings.Lines(lines) {
			if !strings.Contains(other, line) {
				b.WriteString([...]string{"\n- ", "\n+ "}[i] + strings.TrimSuffix(line, "\n"))
			}
		}
	}
	return b.String()
}

// serve asks for "POST /path" or "GET /path?query".
func (d *desk) serve(what, body string) (string, *Refusal) {
	d.t.Helper()
	method, target, _ := strings.Cut(what, " ")
	path, query, _ := strings.Cut(target, "?")
	route, ok := Find(path)
	if !ok || route.Method != method {
		d.t.Fatalf("%s has no route: %+v", what, route)
	}
	given := []byte(body)
	out, refusal := d.Serve(now, &Request{Route: route, Query: query, Body: given, Caller: d.caller}, []byte("before"))
	clear(given) // it is the host's
	answer, kept := strings.CutPrefix(string(out), "before")
	if !kept {
		d.t.Fatalf("%s %s: dst is lost: %q", what, body, out)
	}
	return answer, refusal
}

// ask is serve, and fails unless the answer is JSON, or a refusal that changed
// nothing.
func (d *desk) ask(what, body string) (string, *Refusal) {
	d.t.Helper()
	before := d.dump()
	answer, refusal := d.serve(what, body)
	if refusal != nil {
		if answer != "" {
			d.t.Errorf("%s %.200s: refused with answer %s", what, body, answer)
		}
		if !utf8.ValidString(refusal.Message+refusal.Param) || refusal.Message == "" || refusal.Type == "" || len(refusal.Message) > 2000 {
			d.t.Errorf("%s %.200s: refused with %+v", what, body, refusal)
		}
		if after := d.dump(); after != before {
			d.t.Errorf("%s %.200s: refused with %+v, but%s", what, body, refusal, change(before, after))
		}
		return "", refusal
	}
	if !json.Valid([]byte(answer)) {
		d.t.Errorf("%s %s: the answer is no JSON: %s", what, body, answer)
	}
	// It also refuses members that are there twice.
	if _, err := document.ReadJSON(answer); err != nil {
		d.t.Errorf("%s %s: %v: %s", what, body, err, answer)
	}
	return answer, nil
}

// get is ask for what must not be refused.
func (d *desk) get(what, body string) string {
	d.t.Helper()
	answer, refusal := d.ask(what, body)
	if refusal != nil {
		d.t.Fatalf("%s %s: %+v", what, body, refusal)
	}
	return answer
}

// want compares the answer with a golden one.
func (d *desk) want(what, body, golden string) {
	d.t.Helper()
	if answer := d.get(what, body); answer != golden {
		d.t.Errorf("%s %s:\n got %s\nwant %s", what, body, answer, golden)
	}
}

// A no is a request that is refused, and how.
type no struct {
	what, body, param string
	status            int
	typ, message      string
}

// refuses checks refusals; they write nothing.
func (d *desk) refuses(all ...no) {
	d.t.Helper()
	for _, c := range all {
		writes := d.shelf.writes
		answer, refusal := d.ask(c.what, c.body)
		want := Refusal{Status: c.status, Type: c.typ, Param: c.param, Message: c.message}
		if refusal == nil || *refusal != want {
			d.t.Errorf("%s %.150s:\n got %+v %s\nwant %+v", c.what, c.body, refusal, answer, want)
		}
		if d.shelf.writes != writes {
			d.t.Errorf("%s %.150s: refused after %d writes", c.what, c.body, d.shelf.writes-writes)
		}
	}
}

// field gives a member of an answer, as it is written.
func field(t testing.TB, answer string, path ...string) string {
	t.Helper()
	raw := json.RawMessage(answer)
	for _, name := range path {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		raw = members[name]
	}
	return string(raw)
}
