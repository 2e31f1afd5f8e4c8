package llm

// knownDepth is how deep an answer's containers are told apart. The deepest
// that matters, a part of a message's content, is at 8; what lies deeper than
// knownDepth is only counted, so that its end is found.
const knownDepth = 16

// A place says what a container of an answer is.
type place uint8

const (
	elsewhere    place = iota // nothing in it matters
	outside                   // around the document
	choicesPlace              // choices
	partsPlace                // an array in what a message's content or calls are made of, at any depth

	// In objects from here on the members' names are read.
	documentPlace          // the answer, or the data of one event
	groqPlace              // x_groq, where Groq's streams have their usage
	usagePlace             // usage
	promptDetailsPlace     // usage.prompt_tokens_details
	completionDetailsPlace // usage.completion_tokens_details
	choicePlace            // choices[]
	messagePlace           // choices[].message or choices[].delta
	partPlace              // an object where partsPlace is an array
)

// named reports whether the values in p are told apart by their names.
func (p place) named() bool { return p >= documentPlace }

// A voice is whose text a string holds.
type voice uint8

const (
	nobody       voice = iota
	byModel            // text of the answer
	byReasoning        // reasoning, as reasoning_content
	byReasoning2       // the same again, as reasoning
	aName              // of a member
)

// A role says what a value is to us, before its type is known.
type role uint8

const (
	noRole role = iota
	documentRole
	choicesRole
	choiceRole
	messageRole
	textRole
	contentRole
	partRole
	reasoningRole
	reasoning2Role
	groqRole
	usageRole
	promptRole
	completionRole
	totalRole
	promptDetailsRole
	completionDetailsRole
	cachedRole
	cacheWriteRole
	cacheCreationRole
	promptAudioRole
	reasoningTokensRole
	completionAudioRole
	readInputRole
	creationInputRole
)

// roles says what a value of each type is in a role.
var roles = [...]struct {
	object, array place
	voice         voice // of a string
	number        count
	forgets       countSet // made not given by a value of any type
}{
	documentRole:          {object: documentPlace},
	choicesRole:           {array: choicesPlace},
	choiceRole:            {object: choicePlace},
	messageRole:           {object: messagePlace},
	textRole:              {voice: byModel},
	contentRole:           {voice: byModel, object: partPlace, array: partsPlace},
	partRole:              {object: partPlace, array: partsPlace},
	reasoningRole:         {voice: byReasoning},
	reasoning2Role:        {voice: byReasoning2},
	groqRole:              {object: groqPlace},
	usageRole:             {object: usagePlace},
	promptRole:            {number: promptCount, forgets: 1 << promptCount},
	completionRole:        {number: completionCount, forgets: 1 << completionCount},
	totalRole:             {number: totalCount, forgets: 1 << totalCount},
	promptDetailsRole:     {object: promptDetailsPlace, forgets: promptDetailCounts},
	completionDetailsRole: {object: completionDetailsPlace, forgets: completionDetailCounts},
	cachedRole:            {number: cachedCount, forgets: 1 << cachedCount},
	cacheWriteRole:        {number: writeCount, forgets: 1 << writeCount},
	cacheCreationRole:     {number: creationCount, forgets: 1 << creationCount},
	promptAudioRole:       {number: promptAudioCount, forgets: 1 << promptAudioCount},
	reasoningTokensRole:   {number: reasoningCount, forgets: 1 << reasoningCount},
	completionAudioRole:   {number: completionAudioCount, forgets: 1 << completionAudioCount},
	readInputRole:         {number: readInputCount, forgets: 1 << readInputCount},
	creationInputRole:     {number: creationInputCount, forgets: 1 << creationInputCount},
}

// unnamed is the role of a value in p that has no name, or none that matters.
func (p place) unnamed() role {
	switch p {
	case outside:
		return documentRole
	case choicesPlace:
		return choiceRole
	case partsPlace, partPlace:
		return partRole
	}
	return noRole
}

// role is the role of a value in p with this name. What counts as the model's
// own text is listed here; base64 sounds and pictures do not.
func (p place) role(name []byte) role {
	switch p {
	case documentPlace:
		switch {
		case equal(name, "choices"):
			return choicesRole
		case equal(name, "usage"):
			return usageRole
		case equal(name, "x_groq"):
			return groqRole
		}
	case groqPlace:
		if equal(name, "usage") {
			return usageRole
		}
	case usagePlace:
		switch {
		case equal(name, "prompt_tokens"):
			return promptRole
		case equal(name, "completion_tokens"):
			return completionRole
		case equal(name, "total_tokens"):
			return totalRole
		case equal(name, "prompt_tokens_details"):
			return promptDetailsRole
		case equal(name, "completion_tokens_details"):
			return completionDetailsRole
		case equal(name, "cache_read_input_tokens"):
			return readInputRole
		case equal(name, "cache_creation_input_tokens"):
			return creationInputRole
		}
	case promptDetailsPlace:
		switch {
		case equal(name, "cached_tokens"):
			return cachedRole
		case equal(name, "cache_write_tokens"):
			return cacheWriteRole
		case equal(name, "cache_creation_tokens"):
			return cacheCreationRole
		case equal(name, "audio_tokens"):
			return promptAudioRole
		}
	case completionDetailsPlace:
		switch {
		case equal(name, "reasoning_tokens"):
			return reasoningTokensRole
		case equal(name, "audio_tokens"):
			return completionAudioRole
		}
	case choicePlace:
		switch {
		case equal(name, "delta"), equal(name, "message"):
			return messageRole
		case equal(name, "text"):
			return textRole // of the older text completions
		}
	case messagePlace:
		switch {
		case equal(name, "content"):
			return contentRole
		case equal(name, "refusal"):
			return textRole
		case equal(name, "reasoning_content"):
			return reasoningRole
		case equal(name, "reasoning"):
			return reasoning2Role
		case equal(name, "tool_calls"), equal(name, "function_call"), equal(name, "audio"):
			return partRole
		}
	case partPlace:
		if equal(name, "text") || equal(name, "arguments") || equal(name, "name") || equal(name, "input") ||
			equal(name, "thinking") || equal(name, "transcript") {
			return contentRole
		}
	}
	return p.unnamed()
}

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
// to the same state. It is ready after next.
type answer struct {
	// Of all documents so far:
	top, side       Usage // the last usage of a document, and the last in x_groq
	hasTop, hasSide bool
	spoken          int64 // bytes of text, as UTF-8 free of escapes

	// Of the present document:
	depth    int64
	here     place // the innermost container
	around   [knownDepth + 1]place
	role     role // of the value that is next, or being read
	state    tokenState
	keyNext  bool // a string that begins now is a key
	listed   bool // choices is a list
	some     bool // and not an empty one
	used     bool // usage is an object
	trailing bool // something followed the end of the document

	voice voice // of the string being read
	hex   uint8 // digits of \u still to come
	unit  uint16

	// What was read of a name that is cut or escaped; longer ones are nothing
	// to us.
	name    [27]byte
	nameLen int8 // -1: too long

	number number // the number being read
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
	a.enter(outside)
	a.state = between
	a.listed, a.some, a.used, a.trailing = false, false, false, false
}

// enter makes p the innermost container.
func (a *answer) enter(p place) {
	a.here = p
	a.role = p.unnamed()
	a.keyNext = false
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
			i = a.structure(b, i)
		case inString:
			i = a.text(b, i)
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
				a.draft.set(roles[a.role].number, &a.number)
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

// structure takes bytes from i on up to the first that is in a state of its
// own, and returns where that is. A string that is there as a whole and free
// of escapes is taken here at once.
func (a *answer) structure(b []byte, i int) int {
	for i < len(b) {
		c := b[i]
		i++
		switch c {
		case ' ', '\t', '\r', '\n', ':':
		case ',':
			a.keyNext = a.here.named()
		case '{':
			a.value()
			a.open(roles[a.role].object)
		case '[':
			a.value()
			a.open(roles[a.role].array)
		case '}', ']':
			a.close()
			if a.state == ended {
				return i
			}
		case '"':
			end := either(b, i, quotes, backslashes)
			whole := end < len(b) && b[end] == '"'
			if a.keyNext {
				a.keyNext = false
				if !whole {
					a.state, a.voice, a.nameLen = inString, aName, 0
					return i
				}
				a.role = a.here.role(b[i:end])
				if i = end + 1; i < len(b) && b[i] == ':' {
					i++
				}
			} else {
				a.value()
				a.voice = roles[a.role].voice
				if !whole {
					a.state = inString
					return i
				}
				a.speak(int64(end - i))
				i = end + 1
			}
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			a.value()
			if roles[a.role].number != noCount {
				a.number = number{}
				a.number.add(c)
				a.state = inNumber
				return i
			}
			for i < len(b) && b[i] >= '0' && b[i] <= '9' {
				i++
			}
		default:
			a.value()
			for i < len(b) && b[i] >= 'a' && b[i] <= 'z' {
				i++
			}
		}
	}
	return i
}

// value notes that a value begins. It may be called again within one.
func (a *answer) value() {
	if s := roles[a.role].forgets; s != 0 {
		a.draft.forget(s)
	}
	if a.here == choicesPlace {
		a.some = true
	}
}

func (a *answer) open(next place) {
	switch next {
	case usagePlace:
		a.inSide, a.draft = a.here == groqPlace, usageDraft{}
		a.used = a.used || !a.inSide
	case choicesPlace:
		a.listed = true
	case choicePlace:
		a.heard, a.louder = [2]int64{}, 0
	}
	if a.depth <= knownDepth {
		a.around[a.depth] = a.here
	}
	if a.depth >= knownDepth {
		next = elsewhere
	}
	a.depth++
	a.enter(next)
	a.keyNext = next.named()
}

func (a *answer) close() {
	if a.depth == 0 {
		return
	}
	if a.here == usagePlace {
		if u, ok := a.draft.usage(); ok && a.inSide {
			a.side, a.hasSide = u, true
		} else if ok {
			a.top, a.hasTop = u, true
		}
	}
	a.depth--
	if a.depth <= knownDepth {
		a.enter(a.around[a.depth])
	}
	if a.depth == 0 {
		a.state = ended
	}
}

// text takes the bytes of a string from i on up to the end of the string or
// an escape that is cut or in digits, and returns what is behind.
func (a *answer) text(b []byte, i int) int {
	for {
		end := either(b, i, quotes, backslashes)
		if a.voice == aName {
			a.spell(b[i:end])
		} else {
			a.speak(int64(end - i))
		}
		if end == len(b) {
			return end
		}
		i = end + 1
		if b[end] == '"' {
			a.state = between
			if a.voice == aName {
				a.role = a.here.role(a.name[:max(a.nameLen, 0)])
			}
			return i
		}
		if i == len(b) || b[i] == 'u' {
			a.state = inEscape
			return i
		}
		a.escape(uint16(plainEscape(b[i])))
		i++
	}
}

// escape takes the UTF-16 unit of an escape in a string.
func (a *answer) escape(u uint16) {
	switch {
	case a.voice != aName:
		a.speak(runeSize(u))
	case u < 0x80:
		a.spell([]byte{byte(u)})
	default:
		a.spell([]byte{0xFF}) // in no name that matters
	}
}

// spell takes bytes of a key.
func (a *answer) spell(b []byte) {
	if a.nameLen < 0 || int(a.nameLen)+len(b) > len(a.name) {
		a.nameLen = -1
		return
	}
	a.nameLen += int8(copy(a.name[a.nameLen:], b))
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
