package quota

import (
	"encoding/binary"

	"fairshare/plugin/unit"
)

// maxLines bounds the keys that a book follows one by one in a minute. A book
// of that size is 57 KB and costs microseconds to move, so a model that more keys than
// this use in one minute puts the rest together on one line (line id 0).
const maxLines = 1024

// A Book is a model group's record: the present minute, the one before, what
// is known of its answers, and a line for each key of the minute. It is read
// from the store, changed by one act and written back in one swap.
type Book struct {
	Minute   int64 // minutes since 1970 that Used, Held and Requests count in
	Requests int64 // requests admitted in this minute
	Used     unit.Tokens
	Held     unit.Tokens // admitted in this minute and not settled

	// The minute before this one, for answers that end after it did.
	PrevUsed unit.Tokens
	PrevHeld unit.Tokens

	Slots int64 // requests in flight, whatever minute they came in

	// Since the record was made; they only grow.
	Totals Totals

	Learned Learned // of the whole model group

	Lines []Line
}

// Totals count all that a model group ever did.
type Totals struct {
	Requests          int64       // admitted
	Refused           int64       // by this book
	Tokens            unit.Tokens // used, told or estimated
	EstimatedRequests int64       // answers that did not tell their usage
	EstimatedTokens   unit.Tokens // what those were charged
	DebtTokens        unit.Tokens // usage above the hold that crossed the capacity
	Reclaimed         int64       // requests in flight taken back from dead workers
}

// A Line is one key's part of the book.
type Line struct {
	ID       uint64 // KeyID of the caller's key; 0 for all keys beyond maxLines
	Used     unit.Tokens
	Held     unit.Tokens // of this minute
	Requests int64       // admitted in this minute
	Refused  int64       // in this minute
	Slots    int64       // in flight
	Weight   uint32      // millionths
	Pool     uint8       // index of the priority, noPool for none
	Asked    bool        // in this minute
	Learned  Learned
}

// Active reports whether the key counts as active: it asked in this minute or
// still has requests in flight.
func (l *Line) Active() bool { return l.Asked || l.Slots > 0 }

// Learned is what past answers say about the next one. Means move by an eighth
// of the difference, so equal samples give exactly that sample.
type Learned struct {
	Samples uint32
	Output  int32 // mean completion tokens of an answer, 1/16 tokens
	Spread  int32 // mean distance from Output, 1/16 tokens
	Ratio   int32 // prompt tokens a text byte, 1/65536
}

const learnedScale = 16

func (l *Learned) add(output unit.Tokens, prompt unit.Tokens, textBytes int64) {
	const most = 1 << 26 // tokens of one answer; more is not a language model
	out := int32(min(max(output, 0), most)) * learnedScale
	if l.Samples == 0 {
		l.Output = out
	}
	d := out - l.Output
	l.Output += d / 8
	if d < 0 {
		d = -d
	}
	l.Spread += (d - l.Spread) / 8
	if textBytes > 0 && prompt > 0 {
		r := int32(min(int64(min(prompt, most))*65536/textBytes, 1<<22))
		if l.Ratio == 0 {
			l.Ratio = r
		}
		l.Ratio += (r - l.Ratio) / 8
	}
	if l.Samples < 1<<30 {
		l.Samples++
	}
}

// Layout: little endian. magic+version 4 | checksum 4 | key length 2 | lines 2 |
// key | fixed part | lines. The checksum covers all behind itself.
const (
	bookMagic  = 0x01425346 // "FSB" and layout 1
	headSize   = 12
	fixedSize  = 6*8 + 8 + 7*8 + learnSize
	learnSize  = 16
	lineSize   = 8 + 5*8 + 4 + 1 + 1 + 2 + learnSize
	noPool     = 0xFF
	poolUnused = noPool
)

// encode appends the book under its key to dst.
func (b *Book) encode(dst []byte, key string) []byte {
	le := binary.LittleEndian
	start := len(dst)
	dst = le.AppendUint32(dst, bookMagic)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint16(dst, uint16(len(key)))
	dst = le.AppendUint16(dst, uint16(len(b.Lines)))
	dst = append(dst, key...)
	for _, v := range [...]int64{
		b.Minute, b.Requests, int64(b.Used), int64(b.Held), int64(b.PrevUsed), int64(b.PrevHeld), b.Slots,
		b.Totals.Requests, b.Totals.Refused, int64(b.Totals.Tokens), b.Totals.EstimatedRequests,
		int64(b.Totals.EstimatedTokens), int64(b.Totals.DebtTokens), b.Totals.Reclaimed,
	} {
		dst = le.AppendUint64(dst, uint64(v))
	}
	dst = b.Learned.encode(dst)
	for i := range b.Lines {
		l := &b.Lines[i]
		dst = le.AppendUint64(dst, l.ID)
		dst = le.AppendUint64(dst, uint64(l.Used))
		dst = le.AppendUint64(dst, uint64(l.Held))
		dst = le.AppendUint64(dst, uint64(l.Requests))
		dst = le.AppendUint64(dst, uint64(l.Refused))
		dst = le.AppendUint64(dst, uint64(l.Slots))
		dst = le.AppendUint32(dst, l.Weight)
		asked := byte(0)
		if l.Asked {
			asked = 1
		}
		dst = append(dst, l.Pool, asked, 0, 0)
		dst = l.Learned.encode(dst)
	}
	le.PutUint32(dst[start+4:], checksum(dst[start+8:]))
	return dst
}

func (l *Learned) encode(dst []byte) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, l.Samples)
	dst = le.AppendUint32(dst, uint32(l.Output))
	dst = le.AppendUint32(dst, uint32(l.Spread))
	return le.AppendUint32(dst, uint32(l.Ratio))
}

func (l *Learned) decode(v []byte) {
	le := binary.LittleEndian
	l.Samples = le.Uint32(v)
	l.Output = int32(le.Uint32(v[4:]))
	l.Spread = int32(le.Uint32(v[8:]))
	l.Ratio = int32(le.Uint32(v[12:]))
}

// decode reads a record made by encode, reusing b's lines. It reports false,
// with b undefined, for another key's record (Kong's store finds keys by a
// 32-bit hash alone), a torn or foreign one, and a layout of another version.
func (b *Book) decode(v []byte, key string) bool {
	le := binary.LittleEndian
	if len(v) < headSize || le.Uint32(v) != bookMagic {
		return false
	}
	keyLen, lines := int(le.Uint16(v[8:])), int(le.Uint16(v[10:]))
	if keyLen != len(key) || len(v) != headSize+keyLen+fixedSize+lines*lineSize {
		return false
	}
	if string(v[headSize:headSize+keyLen]) != key || le.Uint32(v[4:]) != checksum(v[8:]) {
		return false
	}
	v = v[headSize+keyLen:]
	at := func(i int) int64 { return int64(le.Uint64(v[i*8:])) }
	b.Minute, b.Requests = at(0), at(1)
	b.Used, b.Held = unit.Tokens(at(2)), unit.Tokens(at(3))
	b.PrevUsed, b.PrevHeld = unit.Tokens(at(4)), unit.Tokens(at(5))
	b.Slots = at(6)
	b.Totals = Totals{
		Requests: at(7), Refused: at(8), Tokens: unit.Tokens(at(9)), EstimatedRequests: at(10),
		EstimatedTokens: unit.Tokens(at(11)), DebtTokens: unit.Tokens(at(12)), Reclaimed: at(13),
	}
	b.Learned.decode(v[14*8:])
	v = v[fixedSize:]
	if cap(b.Lines) < lines {
		b.Lines = make([]Line, lines, lines+lines/4+4)
	}
	b.Lines = b.Lines[:lines]
	for i := range b.Lines {
		l := &b.Lines[i]
		l.ID = le.Uint64(v)
		l.Used = unit.Tokens(le.Uint64(v[8:]))
		l.Held = unit.Tokens(le.Uint64(v[16:]))
		l.Requests = int64(le.Uint64(v[24:]))
		l.Refused = int64(le.Uint64(v[32:]))
		l.Slots = int64(le.Uint64(v[40:]))
		l.Weight = le.Uint32(v[48:])
		l.Pool = v[52]
		l.Asked = v[53] != 0
		l.Learned.decode(v[56:])
		v = v[lineSize:]
	}
	return true
}

// checksum mixes eight bytes a step (the multiplier is FNV-1a's 64-bit prime,
// https://www.rfc-editor.org/rfc/rfc9923): it finds torn records, not enemies.
func checksum(v []byte) uint32 {
	h := uint64(len(v)) ^ 0xcbf29ce484222325
	for len(v) >= 8 {
		h = (h ^ binary.LittleEndian.Uint64(v)) * 0x100000001b3
		h ^= h >> 29
		v = v[8:]
	}
	for _, c := range v {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	return uint32(h ^ h>>32)
}

// line returns the key's line, or nil. Keys beyond maxLines have line 0 once
// the book is full.
func (b *Book) line(id uint64) *Line {
	var rest *Line
	for i := range b.Lines {
		switch b.Lines[i].ID {
		case id:
			return &b.Lines[i]
		case 0:
			rest = &b.Lines[i]
		}
	}
	return rest
}

// open returns the key's line, making it if need be.
func (b *Book) open(id uint64) *Line {
	for i := range b.Lines {
		if b.Lines[i].ID == id {
			return &b.Lines[i]
		}
	}
	if len(b.Lines) >= maxLines {
		id = 0
		if l := b.line(0); l != nil {
			return l
		}
	}
	b.Lines = append(b.Lines, Line{ID: id, Pool: poolUnused})
	return &b.Lines[len(b.Lines)-1]
}

// Active counts the keys active in the book's minute.
func (b *Book) Active() int64 {
	var n int64
	for i := range b.Lines {
		if b.Lines[i].Active() {
			n++
		}
	}
	return n
}

const minuteMS = 60_000

// roll brings the book into the minute of now. What was used above capacity is
// debt: it is used again in the next minutes until paid off, by the keys that
// took more than their share. Holds of the minute before stay open in PrevHeld;
// older ones were never more than promises and end with their minute.
//
// A clock that steps back a little stays in the book's minute; one that steps
// back further starts anew, so that a wrong clock can't lock a model for long.
func (b *Book) roll(now int64, t *Terms) {
	minute := now / minuteMS
	if minute == b.Minute || minute == b.Minute-1 {
		return
	}
	gone := minute - b.Minute
	if gone < 0 {
		gone = 1
	}
	var debt unit.Tokens
	if t.LimitTPM {
		if paid, over := int64(t.TPM)*min(gone, 1<<20), b.Used; over > unit.Tokens(paid) {
			debt = over - unit.Tokens(paid)
		}
	}
	if gone == 1 {
		b.PrevUsed, b.PrevHeld = b.Used, b.Held
	} else {
		b.PrevUsed, b.PrevHeld = 0, 0
	}
	b.carry(debt, t)
	kept := b.Lines[:0]
	for _, l := range b.Lines {
		known := l.Asked && gone == 1 // what was learned of a key lives a minute longer than its last ask
		if l.Slots == 0 && l.Used == 0 && !known {
			continue
		}
		l.Held, l.Requests, l.Refused, l.Asked = 0, 0, 0, false
		kept = append(kept, l)
	}
	b.Lines = kept
	b.Minute, b.Requests, b.Used, b.Held = minute, 0, debt, 0
}

// carry leaves each line the part of the debt that it made: in proportion to
// what it used above its share.
func (b *Book) carry(debt unit.Tokens, t *Terms) {
	if debt <= 0 {
		for i := range b.Lines {
			b.Lines[i].Used = 0
		}
		return
	}
	weights := b.weights()
	var excess int64
	for i := range b.Lines {
		l := &b.Lines[i]
		part := share(int64(t.TPM), l, weights) / milli
		l.Used = max(0, l.Used-unit.Tokens(part))
		excess = int64(unit.Tokens(excess).Plus(l.Used))
	}
	if excess == 0 {
		return
	}
	for i := range b.Lines {
		l := &b.Lines[i]
		l.Used = unit.Tokens(mulDiv(int64(l.Used), int64(debt), excess))
	}
}
