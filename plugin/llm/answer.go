package llm

// knownDepth is how deep an answer's containers are told apart. The deepest
// that matters, a part of a message's content, is at 8; what lies deeper than
// knownDepth is only counted, so that its end is found.
const knownDepth = 16

// A place says what a container of an answer is.
type place uint8

const (
	elsewhere              place = iota
	documentPlace                // the answer, or the data of one event
	usagePlace                   // usage
	promptDetailsPlace           // usage.prompt_tokens_details
	completionDetailsPlace       // usage.completion_tokens_details
	choicesPlace                 // choices
	choicePlace                  // choices[]
	messagePlace                 // choices[].message or choices[].delta
	partsPlace                   // what a message's content or calls are made of, at any depth
	groqPlace                    // x_groq, where Groq's streams have their usage
)

// A voice is whose text a string holds.
type voice uint8

const (
	nobody       voice = iota
	byModel            // text of the answer
	byReasoning        // reasoning, as reasoning_content
	byReasoning2       // the same again, as reasoning
)

// A tokenState is where in a token of JSON the next byte stands.
type tokenState uint8

const (
	between tokenState = iota
	inString
	inEscape // behind a backslash
	inHex    // in the digits of \u
	inNumber // a number that counts; others are passed over
	ended    // the document is closed
)

// An answer reads one JSON document of a model after the other, as their bytes
// come, and keeps what they say of usage and how much they speak. It reads the
// grammar of askReader, but takes for granted that the document keeps to it:
// any bytes are taken, and wrong ones are passed over. It holds no text, so
// the size of an answer does not matter, and any cut of the same bytes leads
// to the same state.
//
// What counts as the model's own text is listed in stringVoice; base64 sounds
// and pictures do not.
type answer struct {
	// Of all documents since clear:
	top, side       Usage // the last usage of a document, and the last in x_groq
	hasTop, hasSide bool
	spoken          int64 // bytes of text, as UTF-8 free of escapes

	// Of the present document:
	depth    int64
	places   [knownDepth]place
	arrays   uint32 // bit d: the container at depth d is an array
	state    tokenState
	keyNext  bool // a string that begins now is a key
	isKey    bool // the string being read is a key
	listed   bool // choices is a list
	some     bool // and not an empty one
	used     bool // usage is an object
	trailing bool // something followed the end of the document

	key    [26]byte // of the member whose value is next; longer ones are nothing to us
	keyLen int8     // -1: too long

	voice voice // of the string being read
	hex   uint8 // digits of \u still to come
	unit  uint16

	count  count // of the number being read
	number number
	draft  usageDraft
	inSide bool // the usage being read is x_groq's

	// Bytes of byReasoning and byReasoning2 in this choice, and the larger of
	// both: vLLM sends the same text under both names.
	heard  [2]int64
	louder int64
}

// next prepares for another document and keeps what the ones before it said.
func (a *answer) next() {
	a.depth = 0
	a.state = between
	a.keyNext, a.isKey = false, false
	a.listed, a.some, a.used, a.trailing = false, false, false, false
}

// usageOnly reports whether the document is the event that OpenAI ends a
// stream with when asked for usage: a usage and an empty list of choices.
func (a *answer) usageOnly() bool {
	return a.state == ended && a.used && a.listed && !a.some && !a.trailing
}

func (a *answer) usage() (Usage, bool) {
	if a.hasTop {
		return a.top, true
	}
	return a.side, a.hasSide
}

// read takes the next bytes of the document.
func (a *answer) read(b []byte) {
	for i := 0; i < len(b); {
		switch a.state {
		case between:
			a.structure(b[i])
			i++
		case inString:
			from := i
			for i < len(b) && b[i] != '"' && b[i] != '\\' {
				i++
			}
			if i > from {
				a.text(b[from:i])
			}
			if i == len(b) {
				return
			}
			a.state = inEscape
			if b[i] == '"' {
				a.state = between
			}
			i++
		case inEscape:
			if b[i] == 'u' {
				a.state, a.hex, a.unit = inHex, 4, 0
			} else {
				a.state = inString
				a.escape(uint16(plainEscape(b[i])))
			}
			i++
		case inHex:
			digit, ok := hexDigit(b[i])
			if !ok {
				a.state = inString
				continue
			}
			a.unit = a.unit<<4 | digit
			a.hex--
			if a.hex == 0 {
				a.state = inString
				a.escape(a.unit)
			}
			i++
		case inNumber:
			switch c := b[i]; {
			case c >= '0' && c <= '9', c == '.', c == 'e', c == 'E', c == '+', c == '-':
				a.number.add(c)
				i++
			default:
				a.draft.set(a.count, &a.number)
				a.state = between
			}
		case ended:
			if !isSpace(b[i]) {
				a.trailing = true
			}
			i++
		}
	}
}

// structure takes a byte that is outside of strings and of numbers that count.
func (a *answer) structure(c byte) {
	switch c {
	case ' ', '\t', '\r', '\n', ':':
	case ',':
		a.keyNext = a.inObject()
	case '{', '[':
		a.value()
		a.open(c)
	case '}', ']':
		a.close()
	case '"':
		a.state = inString
		a.isKey, a.voice = a.keyNext, nobody
		if a.keyNext {
			a.keyNext, a.keyLen = false, 0
			return
		}
		a.value()
		a.voice = a.stringVoice()
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		a.value()
		if a.count = a.countHere(); a.count != noCount {
			a.number = number{}
			a.number.add(c)
			a.state = inNumber
		}
	default:
		a.value()
	}
}

// here is the innermost container; elsewhere at the top and in the deep.
func (a *answer) here() place {
	if a.depth == 0 || a.depth > knownDepth {
		return elsewhere
	}
	return a.places[a.depth-1]
}

func (a *answer) inObject() bool {
	return a.depth > 0 && a.depth <= knownDepth && a.arrays>>(a.depth-1)&1 == 0
}

// keyIs reports whether the value at hand is that of a member of this name.
func (a *answer) keyIs(name string) bool {
	return a.inObject() && int(a.keyLen) == len(name) && equal(a.key[:len(name)], name)
}

// value notes that a value begins. It may be called again within one.
func (a *answer) value() {
	switch a.here() {
	case choicesPlace:
		a.some = true
	case usagePlace, promptDetailsPlace, completionDetailsPlace:
		a.draft.forget(a.countHere())
		if a.keyIs("prompt_tokens_details") {
			a.draft.forget(cachedCount)
		}
		if a.keyIs("completion_tokens_details") {
			a.draft.forget(reasoningCount)
		}
	}
}

// countHere is the count that a number would be here.
func (a *answer) countHere() count {
	switch at := a.here(); {
	case at == usagePlace && a.keyIs("prompt_tokens"):
		return promptCount
	case at == usagePlace && a.keyIs("completion_tokens"):
		return completionCount
	case at == usagePlace && a.keyIs("total_tokens"):
		return totalCount
	case at == promptDetailsPlace && a.keyIs("cached_tokens"):
		return cachedCount
	case at == completionDetailsPlace && a.keyIs("reasoning_tokens"):
		return reasoningCount
	}
	return noCount
}

// stringVoice is whose text a string would be here.
func (a *answer) stringVoice() voice {
	switch a.here() {
	case choicePlace:
		// The older text completions.
		if a.keyIs("text") {
			return byModel
		}
	case messagePlace:
		switch {
		case a.keyIs("content"), a.keyIs("refusal"):
			return byModel
		case a.keyIs("reasoning_content"):
			return byReasoning
		case a.keyIs("reasoning"):
			return byReasoning2
		}
	case partsPlace:
		if a.keyIs("text") || a.keyIs("arguments") || a.keyIs("name") || a.keyIs("input") ||
			a.keyIs("thinking") || a.keyIs("transcript") {
			return byModel
		}
	}
	return nobody
}

func (a *answer) open(c byte) {
	next := elsewhere
	switch a.here() {
	case elsewhere:
		if a.depth == 0 && c == '{' {
			next = documentPlace
		}
	case documentPlace:
		switch {
		case c == '{' && a.keyIs("usage"):
			next = usagePlace
			a.used, a.inSide, a.draft = true, false, usageDraft{}
		case c == '[' && a.keyIs("choices"):
			next = choicesPlace
			a.listed = true
		case c == '{' && a.keyIs("x_groq"):
			next = groqPlace
		}
	case groqPlace:
		if c == '{' && a.keyIs("usage") {
			next = usagePlace
			a.inSide, a.draft = true, usageDraft{}
		}
	case usagePlace:
		switch {
		case c == '{' && a.keyIs("prompt_tokens_details"):
			next = promptDetailsPlace
		case c == '{' && a.keyIs("completion_tokens_details"):
			next = completionDetailsPlace
		}
	case choicesPlace:
		if c == '{' {
			next = choicePlace
			a.heard, a.louder = [2]int64{}, 0
		}
	case choicePlace:
		if c == '{' && (a.keyIs("delta") || a.keyIs("message")) {
			next = messagePlace
		}
	case messagePlace:
		if a.keyIs("content") || a.keyIs("tool_calls") || a.keyIs("function_call") || a.keyIs("audio") {
			next = partsPlace
		}
	case partsPlace:
		next = partsPlace
	}
	if a.depth < knownDepth {
		a.places[a.depth] = next
		a.arrays &^= 1 << a.depth
		if c == '[' {
			a.arrays |= 1 << a.depth
		}
	}
	a.depth++
	a.keyNext = a.inObject()
}

func (a *answer) close() {
	if a.depth == 0 {
		return
	}
	if a.here() == usagePlace {
		if u, ok := a.draft.usage(); ok && a.inSide {
			a.side, a.hasSide = u, true
		} else if ok {
			a.top, a.hasTop = u, true
		}
	}
	a.keyNext = false
	a.depth--
	if a.depth == 0 {
		a.state = ended
	}
}

// text takes bytes of a string that are no escape.
func (a *answer) text(b []byte) {
	if !a.isKey {
		a.speak(int64(len(b)))
		return
	}
	if a.keyLen < 0 || int(a.keyLen)+len(b) > len(a.key) {
		a.keyLen = -1
		return
	}
	a.keyLen += int8(copy(a.key[a.keyLen:], b))
}

// escape takes the UTF-16 unit of an escape in a string.
func (a *answer) escape(u uint16) {
	switch {
	case !a.isKey:
		a.speak(runeSize(u))
	case u < 0x80:
		a.spell(byte(u))
	default:
		a.spell(0xFF) // in no name that matters
	}
}

// spell takes a byte of a key.
func (a *answer) spell(c byte) {
	if a.keyLen < 0 || int(a.keyLen) == len(a.key) {
		a.keyLen = -1
		return
	}
	a.key[a.keyLen] = c
	a.keyLen++
}

// speak counts n bytes of the string being read.
func (a *answer) speak(n int64) {
	switch a.voice {
	case byModel:
		a.spoken += n
	case byReasoning, byReasoning2:
		h := &a.heard[a.voice-byReasoning]
		*h += n
		if *h > a.louder {
			a.spoken += *h - a.louder
			a.louder = *h
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
