package llm

// A Kind is how an answer's body is written.
type Kind uint8

const (
	Opaque Kind = iota // nothing is read from it
	JSON               // one document
	SSE                // server-sent events, text/event-stream
	Either             // JSON or SSE, as the first bytes say
)

// maxHeld is the largest event, in bytes up to the end of its blank line, that
// may be taken out of a stream. The usage event of any upstream we know stays
// below 1 KiB.
const maxHeld = 16 << 10

// An Observer reads an answer as it streams past and finds the usage in it. It
// buffers no part of the answer but the beginning of an event that may still
// have to be taken out, at most maxHeld bytes. Any cut of the same bytes gives
// the same results and the same bytes passed on.
//
// A stream of events is read as WHATWG's HTML, section 9.2, has it:
//
//	stream = [ BOM ] *event
//	event  = *( line end ) end
//	line   = ":" *any / name [ ":" [ " " ] *any ]
//	end    = CR LF / LF / CR
//
// where the data of an event is the values of its lines named "data", joined
// by LF. Unlike there, an event that the end of the stream cuts short counts
// too: the model was paid for it.
//
// The zero Observer passes everything on and reads nothing. An Observer can be
// used again after Reset, and then allocates nothing any more.
type Observer struct {
	kind   Kind
	unsure bool // the first byte that tells JSON from SSE is to come
	strip  bool
	answer answer
	events int64
	done   bool // [DONE] was seen

	line    lineState
	matched uint8 // bytes of "data", or of a byte order mark, that the line began with
	begun   bool  // the first line is past its byte order mark
	data    bool  // the event has a data line
	token   int8  // bytes of [DONE] that are the event's whole data; -1: it is something else
	counted bool  // the event is in events
	passing bool  // the event can't be the one to take out
	cr      crState

	held []byte // of the event at hand, neither passed on nor taken out
	out  []byte // what Chunk returned, if that is not the chunk

	// Of the call of Chunk under way: chunk[:mark] is decided, and is in out
	// if changed.
	mark    int
	changed bool
}

// A lineState is where in a line the next byte stands.
type lineState uint8

const (
	inName  lineState = iota // so far the line is the first bytes of "data"
	inSpace                  // behind "data:"
	inData                   // in a value of data
	inOther                  // in a comment or another field
)

// A crState says what the last byte was, if it was a CR: an LF that follows
// belongs to the same line end and shares the lot of its line.
type crState uint8

const (
	noCR    crState = iota
	lineCR          // ended a line of the event at hand
	keptCR          // ended an event that was passed on
	takenCR         // ended an event that was taken out
)

const (
	dataName  = "data"
	doneData  = "[DONE]"
	byteOrder = "\uFEFF"
)

// Reset makes o ready for an answer of this kind. With strip, which only
// matters for SSE, the usage event is taken out of the stream with
// its blank line: the one whose choices are an empty list and whose usage is
// an object. All other bytes pass, its comments too.
func (o *Observer) Reset(kind Kind, strip bool) {
	held, out := o.held[:0], o.out[:0]
	*o = Observer{}
	if kind == Either {
		kind, o.unsure = SSE, true
	}
	o.kind, o.strip, o.held, o.out = kind, strip && kind == SSE, held, out
	o.answer.many = kind == JSON
	o.answer.next()
}

// Chunk takes the next bytes of the answer and returns what to pass on in
// their place: chunk itself with changed false, or other bytes, perhaps none,
// with changed true, which are o's and stand until the next call. end says that
// the answer ends with chunk; nothing is held back then. An event is never held
// back beyond its own end.
func (o *Observer) Chunk(chunk []byte, end bool) (out []byte, changed bool) {
	if o.unsure && o.sniff(chunk) {
		o.answer.read(chunk)
		if len(o.held) == 0 {
			return chunk, false
		}
		o.out = append(append(o.out[:0], o.held...), chunk...)
		o.held = o.held[:0]
		return o.out, true
	}
	switch o.kind {
	case JSON:
		o.answer.read(chunk)
		return chunk, false
	case SSE:
	default:
		return chunk, false
	}
	o.mark, o.changed = 0, len(o.held) > 0
	o.out = o.out[:0]
	for i := 0; i < len(chunk); {
		i = o.step(chunk, i)
	}
	if end {
		o.endLine()
	}
	switch {
	case end && o.takes(chunk, len(chunk)):
		o.drop(chunk, len(chunk))
	case !o.strip || o.passing || end || o.pending(len(chunk)) > maxHeld:
		o.passing = true
		o.pass(chunk, len(chunk))
	case o.mark < len(chunk):
		o.change(chunk)
		o.held = append(o.held, chunk[o.mark:]...)
	}
	if !o.changed {
		return chunk, false
	}
	return o.out, true
}

// sniff looks for the first byte that is neither blank nor of a byte order mark, and
// reports whether it begins a JSON document: an object or a list, which no line of a
// stream of events begins with. Upstreams name the one as the other, or neither.
func (o *Observer) sniff(chunk []byte) (json bool) {
	for _, c := range chunk {
		switch c {
		case ' ', '\t', '\r', '\n', byteOrder[0], byteOrder[1], byteOrder[2]:
			continue
		}
		o.unsure = false
		if c != '{' && c != '[' {
			return false
		}
		o.kind, o.strip, o.answer.many = JSON, false, true
		o.answer.next()
		return true
	}
	return false
}

// Answered reports whether the answer has a choice, an embedding or text.
func (o *Observer) Answered() bool { return o.answer.answered || o.answer.spoken > 0 }

// Failed reports whether the answer tells of an error.
func (o *Observer) Failed() bool { return o.answer.failed }

// Unknown reports whether the answer is an object of a shape that we don't know: it says
// something, but not in choices, and not that there are none.
func (o *Observer) Unknown() bool { return o.answer.unknown && !o.answer.vacant }

// Lines reports whether the answer is read as a stream of events.
func (o *Observer) Lines() bool { return o.kind == SSE }

// Usage returns what the answer told, for each count the largest, and whether it told
// any. Null is no usage, nor is an object without one of the main numbers.
func (o *Observer) Usage() (Usage, bool) { return o.answer.usage() }

// Complete reports whether the answer has told all it has to tell: the JSON
// document is closed, or the stream has come to [DONE].
func (o *Observer) Complete() bool {
	return o.done || o.kind == JSON && o.answer.state == ended
}

// OutputBytes returns how much text the model has written so far, in bytes of
// UTF-8: contents, reasoning, refusals, the names and arguments of calls.
func (o *Observer) OutputBytes() int64 { return o.answer.spoken }

// Events returns how many events with choices the stream has had so far.
func (o *Observer) Events() int64 { return o.events }

// step takes the bytes of chunk from i on that are of one sort, and returns
// where they end.
func (o *Observer) step(chunk []byte, i int) int {
	c := chunk[i]
	if c == '\n' && o.cr != noCR {
		switch o.cr {
		case keptCR:
			o.pass(chunk, i+1)
		case takenCR:
			o.drop(chunk, i+1)
		}
		o.cr = noCR
		return i + 1
	}
	o.cr = noCR
	if !o.begun && o.byteOrderMark(c) {
		return i + 1
	}
	if c == '\n' || c == '\r' {
		o.endOfLine(chunk, i)
		return i + 1
	}
	switch o.line {
	case inName:
		switch {
		case int(o.matched) < len(dataName) && c == dataName[o.matched]:
			o.matched++
		case int(o.matched) == len(dataName) && c == ':':
			o.beginData()
			o.line = inSpace
		default:
			o.line = inOther
		}
		return i + 1
	case inSpace:
		o.line = inData
		if c == ' ' {
			return i + 1
		}
	}
	end := either(chunk, i, feeds, returns)
	if o.line == inData {
		o.readData(chunk[i:end])
	}
	return end
}

// byteOrderMark takes c if it is part of a byte order mark at the beginning of
// the stream.
func (o *Observer) byteOrderMark(c byte) bool {
	if c == byteOrder[o.matched] {
		o.matched++
		if int(o.matched) == len(byteOrder) {
			o.begun, o.matched = true, 0
		}
		return true
	}
	if o.matched > 0 {
		o.line = inOther
	}
	o.begun, o.matched = true, 0
	return false
}

// endOfLine takes the line end that begins at i.
func (o *Observer) endOfLine(chunk []byte, i int) {
	blank := o.line == inName && o.matched == 0
	o.endLine()
	cr := lineCR
	if blank {
		cr = keptCR
		if o.takes(chunk, i+1) {
			cr = takenCR
			o.drop(chunk, i+1)
		} else {
			o.pass(chunk, i+1)
		}
		o.data, o.counted, o.passing = false, false, false
	}
	if chunk[i] == '\r' {
		o.cr = cr
	}
}

// endLine closes the line at hand, if there is one.
func (o *Observer) endLine() {
	if o.line == inName && int(o.matched) == len(dataName) {
		o.beginData()
	}
	if o.data && int(o.token) == len(doneData) {
		o.done = true
	}
	o.line, o.matched = inName, 0
}

// beginData begins a line of data.
func (o *Observer) beginData() {
	if o.data {
		o.readData([]byte{'\n'})
		return
	}
	o.data, o.token = true, 0
	o.answer.next()
}

// readData takes bytes of the event's data.
func (o *Observer) readData(b []byte) {
	o.answer.read(b)
	if o.answer.some && !o.counted {
		o.counted = true
		o.events++
	}
	o.passing = o.passing || o.answer.some
	for _, c := range b {
		if o.token < 0 {
			return
		}
		if int(o.token) == len(doneData) || c != doneData[o.token] {
			o.token = -1
			return
		}
		o.token++
	}
}

// takes reports whether the event that ends at chunk[:to] is to be taken out.
func (o *Observer) takes(chunk []byte, to int) bool {
	return o.strip && !o.passing && o.data && o.answer.usageOnly() && o.pending(to) <= maxHeld
}

// pending is the size of the event at hand up to chunk[:to], if none of it
// was passed on.
func (o *Observer) pending(to int) int { return len(o.held) + to - o.mark }

// pass passes on what is held and chunk up to to.
func (o *Observer) pass(chunk []byte, to int) {
	if o.changed {
		o.out = append(o.out, o.held...)
		o.out = append(o.out, chunk[o.mark:to]...)
		o.held = o.held[:0]
	}
	o.mark = to
}

// drop takes out what is held and chunk up to to, but for comments, which are no part
// of the event. Its name and id go with it: OpenAI's Python client makes an event of
// them alone, whose data is no JSON then (openai-python, _streaming.py, SSEDecoder).
func (o *Observer) drop(chunk []byte, to int) {
	o.change(chunk)
	o.held = append(o.held, chunk[o.mark:to]...)
	for rest := o.held; len(rest) > 0; {
		end := either(rest, 0, feeds, returns)
		next := min(end+1, len(rest))
		if next < len(rest) && rest[end] == '\r' && rest[next] == '\n' {
			next++
		}
		if rest[0] == ':' {
			o.out = append(o.out, rest[:next]...)
		}
		rest = rest[next:]
	}
	o.held = o.held[:0]
	o.mark = to
}

// change makes the result of the call differ from chunk from o.mark on.
func (o *Observer) change(chunk []byte) {
	if !o.changed {
		o.changed = true
		o.out = append(o.out, chunk[:o.mark]...)
	}
}
