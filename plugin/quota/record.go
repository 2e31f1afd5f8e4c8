package quota

import (
	"encoding/binary"
	"math"

	"fairshare/plugin/unit"
)

// maxLines bounds the keys that a record follows one by one in a minute: 64 KB,
// which takes microseconds to move. A model that more keys than this use in one
// minute has the rest together on one line, or with pools on one for each: its
// crowd's.
const maxLines = 1024

// A record is a model group's book as it lies in the store, read and changed in
// place: its minute, the one before, what is known of its answers, and a line
// for each key of the minute. All numbers are little endian.
//
//	0   magic 4 | key length 2 | lines 2
//	8   stamp 8
//	16  the numbers below, 8 each
//	208 what was learned of answers 16, and of prompts 32
//	256 key, padded to 8
//	... lines, 64 each
//	... stamp 8, equal to the first
//
// A reader that meets two stamps caught a writer in the middle: Kong's store
// copies a value after it has given up its lock.
type record []byte

const (
	recordMagic = 0x03425346 // "FSB" and layout 3
	atStamp     = 8
	atMinute    = 16 // minutes since 1970
	atRequests  = 24 // admitted in this minute
	atUsed      = 32 // tokens, in this minute
	atHeld      = 40 // tokens of requests of this minute that are not settled
	atPrevUsed  = 48 // the minute before, for answers that end after it did
	atPrevHeld  = 56
	atSlots     = 64 // requests in flight, whatever minute they came in

	// Since the record was made; these only grow.
	atTotalRequests     = 72
	atTotalRefused      = 80
	atTotalTokens       = 88
	atEstimatedRequests = 96
	atEstimatedTokens   = 104
	atDebtTokens        = 112
	atReclaimed         = 120
	atStrandedTokens    = 128 // see finish
	atStrandedRequests  = 136
	atErrorTokens       = 144 // between holds and what answers told
	atTold              = 152 // answers that told

	// What the model refused in this minute.
	atRefusedTokens   = 160
	atRefusedRequests = 168

	// The last minute that had an index, and that; see finish.
	atFairMinute = 176
	atFairness   = 184 // millionths, and 1; 0 for never

	atFree       = 192 // of the requests in flight, those that hold none of the model's tokens, though it limits them
	atTotalWould = 200 // requests that only limits in shadow refused, since the record was made

	atLearned = 208
	atPrompts = 224
	atKey     = 256
)

// Offsets in a line.
const (
	lineSize    = 64
	lineID      = 0  // KeyID of the caller's key, or crowd of its pool for all keys beyond maxLines
	lineUsed    = 8  // tokens, in this minute
	lineHeld    = 16 // tokens, of this minute
	lineCount   = 24 // 4: requests admitted in this minute
	lineRefused = 28 // 4: in this minute
	lineSlots   = 32 // 4: in flight
	lineWeight  = 36 // 4: millionths
	lineLearned = 40
	linePool    = 56 // 1: index of the priority, NoPool for none
	lineAsked   = 57 // 1: whether it asked in this minute
	lineMarks   = 58 // 3 each: the marks of tokens and requests, see own

	// On a crowd's line in place of what was learned, about its whole pool.
	lineLentTokens   = lineLearned      // 8: what it borrowed in this minute, see look.charge
	lineLentRequests = lineLearned + 8  // 4
	lineSince        = lineLearned + 12 // 4: ms of the minute when one of it first asked, and 1; 0 for never
)

// newRecord makes the record of a group that nobody has used.
func newRecord(buf []byte, key string, now int64) record {
	n := atKey + (len(key)+7)&^7 + 8
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	clear(buf)
	r := record(buf)
	binary.LittleEndian.PutUint32(r, recordMagic)
	binary.LittleEndian.PutUint16(r[4:], uint16(len(key)))
	copy(r[atKey:], key)
	r.set(atMinute, now/minuteMS)
	return r
}

// valid reports whether v is key's record, whole and of this layout. Kong's
// store finds keys by a 32-bit hash alone, so it may be another key's.
func valid(v []byte, key string) bool {
	le := binary.LittleEndian
	if len(v) < atKey+8 || le.Uint32(v) != recordMagic || int(le.Uint16(v[4:])) != len(key) {
		return false
	}
	first := atKey + (len(key)+7)&^7
	return len(v) == first+int(le.Uint16(v[6:]))*lineSize+8 &&
		spells(v[atKey:], key) &&
		le.Uint64(v[atStamp:]) == le.Uint64(v[len(v)-8:])
}

// spells reports whether v begins with key. TinyGo would allocate for a comparison
// with string(v).
func spells(v []byte, key string) bool {
	for i := range len(key) {
		if v[i] != key[i] {
			return false
		}
	}
	return true
}

func (r record) at(off int) int64     { return int64(binary.LittleEndian.Uint64(r[off:])) }
func (r record) set(off int, v int64) { binary.LittleEndian.PutUint64(r[off:], uint64(v)) }
func (r record) add(off int, v int64) { r.set(off, int64(unit.Tokens(r.at(off)).Plus(unit.Tokens(v)))) }
func (r record) at4(off int) int64    { return int64(binary.LittleEndian.Uint32(r[off:])) }
func (r record) set4(off int, v int64) {
	binary.LittleEndian.PutUint32(r[off:], uint32(min(v, 1<<32-1)))
}

func (r record) take(off int, v int64) {
	r.set(off, max(0, int64(unit.Tokens(r.at(off)).Minus(unit.Tokens(v)))))
}
func (r record) take4(off int, v int64) { r.set4(off, max(0, r.at4(off)-v)) }

func (r record) seal(stamp uint64) {
	binary.LittleEndian.PutUint64(r[atStamp:], stamp)
	binary.LittleEndian.PutUint64(r[len(r)-8:], stamp)
}

// first and end are where the lines lie.
func (r record) first() int { return atKey + (int(binary.LittleEndian.Uint16(r[4:]))+7)&^7 }
func (r record) end() int   { return len(r) - 8 }
func (r record) lines() int { return int(binary.LittleEndian.Uint16(r[6:])) }

// active reports whether the line's key counts as active: it asked in this
// minute or still has requests in flight.
func (r record) active(line int) bool { return r[line+lineAsked] != 0 || r.at4(line+lineSlots) > 0 }

// mark and setMark read and write a line's mark, see own.
func (r record) mark(d dimension, line int) int64 {
	at := line + lineMarks + 3*int(d)
	return int64(r[at]) | int64(r[at+1])<<8 | int64(r[at+2])<<16
}

func (r record) setMark(d dimension, line int, v int64) {
	at := line + lineMarks + 3*int(d)
	r[at], r[at+1], r[at+2] = byte(v), byte(v>>8), byte(v>>16)
}

// find returns the line with this id, 0 if there is none.
func (r record) find(id uint64) int {
	for line := r.first(); line < r.end(); line += lineSize {
		if uint64(r.at(line+lineID)) == id {
			return line
		}
	}
	return 0
}

// open returns the key's line, its pool's crowd's if the record is full, making
// it if need be; the record may move.
func (r *record) open(id uint64, pool uint8) int {
	if line := r.find(id); line != 0 {
		return line
	}
	if r.lines() >= maxLines && !isCrowd(id) {
		return r.open(crowd(pool), pool)
	}
	line := r.end()
	*r = append(*r, make([]byte, lineSize)...)
	clear((*r)[line:])
	r.set(line+lineID, int64(id))
	(*r)[line+linePool] = pool
	binary.LittleEndian.PutUint16((*r)[6:], uint16(r.lines()+1))
	return line
}

func (r record) learned(off int) Learned {
	return Learned{
		Samples: uint32(r.at4(off)), Output: int32(r.at4(off + 4)),
		Spread: int32(r.at4(off + 8)), caps: caps{kept: uint16(r.at4(off + 12)), broken: uint16(r.at4(off+12) >> 16)},
	}
}

// learn takes an answer to a request that was held by h.
func (r record) learn(off int, s *Spent, h *Hold) {
	l := r.learned(off)
	l.learn(&answered{output: s.Completion, most: h.most, choices: h.choices, part: s.Part, seen: s.Estimated})
	r.set4(off, int64(l.Samples))
	r.set4(off+4, int64(l.Output))
	r.set4(off+8, int64(l.Spread))
	r.set4(off+12, int64(l.kept)|int64(l.broken)<<16)
}

// prompts reads what was learned of prompts.
func (r record) prompts() Prompts {
	return Prompts{r.float(atPrompts), r.float(atPrompts + 8), r.float(atPrompts + 16), r.float(atPrompts + 24)}
}

// learnPrompt takes the prompt of a request that was held by h.
func (r record) learnPrompt(s *Spent, h *Hold) {
	p := r.prompts()
	p.add(h.bytes, s.Prompt.Minus(h.media))
	r.set(atPrompts, int64(math.Float64bits(p.Bytes)))
	r.set(atPrompts+8, int64(math.Float64bits(p.Tokens)))
	r.set(atPrompts+16, int64(math.Float64bits(p.Variance)))
	r.set(atPrompts+24, int64(math.Float64bits(p.Covariance)))
}

func (r record) float(off int) float64 { return math.Float64frombits(uint64(r.at(off))) }

const minuteMS = 60_000

// maxDebt is the most that is carried from a minute into the next, in minutes of the
// limit: whatever an upstream says that an answer used, after so long the limit is
// whole again.
const maxDebt = 5

// msLeft is how much of the record's minute remains, in 0..60000 ms. A clock
// that stepped back before the minute's start leaves the whole of it.
func (r record) msLeft(now int64) int64 {
	return min(max(0, (r.at(atMinute)+1)*minuteMS-now), minuteMS)
}

// roll brings the record into the minute of now. What was used above capacity
// is debt: it is used again in the next minutes until paid off, by the keys
// that took more than their share. Holds of the minute before stay open in
// PrevHeld; older ones end with their minute.
//
// A clock that steps back a little stays in the record's minute; one that steps
// back further starts anew, so that a wrong clock can't lock a model for long.
func (r *record) roll(now int64, t *Terms) {
	minute, old := now/minuteMS, r.at(atMinute)
	if minute == old || minute == old-1 {
		return
	}
	gone := minute - old
	if gone < 0 {
		gone = 1
	}
	var debt int64
	if t.LimitTPM {
		debt = max(0, min(r.at(atUsed), mulDiv(int64(t.TPM), maxDebt+1, 1))-mulDiv(int64(t.TPM), gone, 1))
	}
	if gone == 1 {
		r.set(atPrevUsed, r.at(atUsed))
		r.set(atPrevHeld, r.at(atHeld))
	} else {
		r.set(atPrevUsed, 0)
		r.set(atPrevHeld, 0)
	}
	r.carry(debt, t)
	to, kept := r.first(), 0
	for line := r.first(); line < r.end(); line += lineSize {
		// What was learned of a key lives a minute longer than its last ask.
		known := (*r)[line+lineAsked] != 0 && gone == 1
		if r.at4(line+lineSlots) == 0 && r.at(line+lineUsed) == 0 && !known {
			continue
		}
		copy((*r)[to:], (*r)[line:line+lineSize])
		r.set(to+lineHeld, 0)
		r.set4(to+lineCount, 0)
		r.set4(to+lineRefused, 0)
		clear((*r)[to+lineAsked : to+lineSize])
		if isCrowd(uint64(r.at(to + lineID))) {
			clear((*r)[to+lineLearned : to+linePool])
		}
		to += lineSize
		kept++
	}
	*r = (*r)[:to+8]
	binary.LittleEndian.PutUint16((*r)[6:], uint16(kept))
	r.set(atMinute, minute)
	r.set(atRequests, 0)
	r.set(atUsed, debt)
	r.set(atHeld, 0)
}

// carry leaves each line the part of the debt that it made: first to the pools,
// in proportion to what they used above their reservations, and in each to the
// keys in proportion to what they used above their shares of that. Without
// pools all keys are as in one that reserves everything. What nobody made stays
// the group's alone.
func (r record) carry(debt int64, t *Terms) {
	n := min(len(t.Pools.Weights), MaxPools)
	if n == 0 || debt == 0 {
		r.blame(0, 0, int64(t.TPM), debt)
		return
	}
	excess := unit.Tokens(0)
	for q := range n + 1 {
		excess = excess.Plus(unit.Tokens(r.exceeds(q, n, t)))
	}
	for q := range n + 1 {
		mine := int64(0)
		if excess > 0 {
			mine = mulDiv(r.exceeds(q, n, t), debt, int64(excess))
		}
		r.blame(q, n, t.tokensOf(q), mine)
	}
}

// exceeds is what a pool used above its reservation.
func (r record) exceeds(q, n int, t *Terms) int64 { return max(0, r.usedBy(q, n)-t.tokensOf(q)) }

// inPool reports whether a line is of pool q of n; q = n are all others.
func (r record) inPool(line, q, n int) bool { return min(int(r[line+linePool]), n) == q }

// usedBy sums the tokens that a pool's lines used.
func (r record) usedBy(q, n int) int64 {
	sum := unit.Tokens(0)
	for line := r.first(); line < r.end(); line += lineSize {
		if r.inPool(line, q, n) {
			sum = sum.Plus(unit.Tokens(r.at(line + lineUsed)))
		}
	}
	return int64(sum)
}

// blame makes a debt the use of a pool's lines that reserved part together.
func (r record) blame(q, n int, part, debt int64) {
	weights, excess := int64(0), unit.Tokens(0)
	for line := r.first(); line < r.end(); line += lineSize {
		if r.inPool(line, q, n) && r.active(line) {
			weights += r.at4(line + lineWeight)
		}
	}
	for line := r.first(); line < r.end(); line += lineSize {
		if !r.inPool(line, q, n) {
			continue
		}
		over := int64(0)
		if debt > 0 {
			if weights > 0 && r.active(line) {
				over = mulDiv(part, r.at4(line+lineWeight), weights)
			}
			over = max(0, r.at(line+lineUsed)-over)
		}
		r.set(line+lineUsed, over)
		excess = excess.Plus(unit.Tokens(over))
	}
	for line := r.first(); line < r.end() && excess > 0; line += lineSize {
		if r.inPool(line, q, n) {
			r.set(line+lineUsed, mulDiv(r.at(line+lineUsed), debt, int64(excess)))
		}
	}
}
