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
	dataPlace                 // data, of embeddings
	partsPlace                // an array in what a message's content or calls are made of, at any depth

	// In objects from here on the members' names are read.
	documentPlace          // the answer, or the data of one event
	groqPlace              // x_groq, where Groq's streams have their usage
	holderPlace            // another object around a usage or the model's text
	metaPlace              // meta, where Cohere has billed_units and tokens
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
	aCount             // a number written as a string
	aFault             // what went wrong
)

// A role says what a value is to us, before its type is known.
type role uint8

const (
	noRole      role = iota
	strangeRole      // of a member that a usage event does not have
	errorRole
	documentRole
	choicesRole
	choiceRole
	indexRole
	dataRole
	noticeRole
	plainMessageRole
	messageRole
	textRole
	contentRole
	partRole
	reasoningRole
	reasoning2Role
	groqRole
	holderRole
	metaRole
	usageRole
	timingsRole
	promptDetailsRole
	completionDetailsRole

	// From here on a role is that of a count, firstCountRole + count.
	firstCountRole
)

// countRole is the role of a number that is c.
func countRole(c count) role { return firstCountRole + role(c) }

// roles says what a value of each type is in a role.
var roles = [firstCountRole + role(counts)]struct {
	object, array place
	voice         voice // of a string
}{
	errorRole:             {voice: aFault},
	documentRole:          {object: documentPlace},
	choicesRole:           {array: choicesPlace},
	choiceRole:            {object: choicePlace},
	dataRole:              {object: documentPlace, array: dataPlace}, // some gateways wrap a whole answer
	plainMessageRole:      {object: messagePlace, array: partsPlace},
	messageRole:           {object: messagePlace, voice: byModel, array: partsPlace},
	textRole:              {voice: byModel},
	contentRole:           {voice: byModel, object: partPlace, array: partsPlace},
	partRole:              {object: partPlace, array: partsPlace},
	reasoningRole:         {voice: byReasoning},
	reasoning2Role:        {voice: byReasoning2},
	groqRole:              {object: groqPlace},
	holderRole:            {object: holderPlace, voice: byModel},
	metaRole:              {object: metaPlace},
	usageRole:             {object: usagePlace},
	timingsRole:           {object: usagePlace},
	promptDetailsRole:     {object: promptDetailsPlace},
	completionDetailsRole: {object: completionDetailsPlace},
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
		return documentMember(name)
	case groqPlace:
		switch {
		case equal(name, "usage"):
			return usageRole
		case equal(name, "error"):
			return errorRole
		}
	case holderPlace:
		return holderMember(name)
	case metaPlace:
		if equal(name, "billed_units") || equal(name, "tokens") {
			return usageRole
		}
	case usagePlace:
		return usageMember(name)
	case promptDetailsPlace:
		switch {
		case equal(name, "cached_tokens"):
			return countRole(cachedCount)
		case equal(name, "cache_write_tokens"):
			return countRole(writeCount)
		case equal(name, "cache_creation_tokens"), equal(name, "cache_creation_input_tokens"):
			return countRole(creationCount) // LiteLLM's, DashScope's
		case equal(name, "audio_tokens"):
			return countRole(promptAudioCount)
		}
	case completionDetailsPlace:
		switch {
		case equal(name, "reasoning_tokens"):
			return countRole(reasoningCount)
		case equal(name, "audio_tokens"):
			return countRole(completionAudioCount)
		}
	case choicePlace:
		switch {
		case equal(name, "delta"), equal(name, "message"):
			return messageRole
		case equal(name, "text"):
			return textRole // of the older text completions
		case equal(name, "index"):
			return indexRole
		case equal(name, "usage"):
			return usageRole // Moonshot's streams
		case equal(name, "error"):
			return errorRole
		}
	case messagePlace:
		switch {
		case equal(name, "content"):
			return contentRole
		case equal(name, "refusal"), equal(name, "text"), equal(name, "partial_json"), equal(name, "thinking"):
			return textRole
		case equal(name, "reasoning_content"):
			return reasoningRole
		case equal(name, "reasoning"):
			return reasoning2Role
		case equal(name, "tool_calls"), equal(name, "function_call"), equal(name, "audio"):
			return partRole
		case equal(name, "usage"):
			return usageRole // Anthropic's message_start
		}
	case partPlace:
		if equal(name, "text") || equal(name, "arguments") || equal(name, "name") || equal(name, "input") ||
			equal(name, "thinking") || equal(name, "transcript") {
			return contentRole
		}
	}
	return p.unnamed()
}

// documentMember is the role of a member of the answer itself. Those without one that
// a usage event may have are listed: OpenAI's, and what Cerebras (time_info), OpenRouter
// (provider) and llama.cpp (timings) put beside.
func documentMember(name []byte) role {
	switch {
	case equal(name, "choices"):
		return choicesRole
	case equal(name, "usage"):
		return usageRole
	case equal(name, "x_groq"):
		return groqRole
	case equal(name, "id"), equal(name, "object"), equal(name, "created"), equal(name, "model"),
		equal(name, "system_fingerprint"), equal(name, "service_tier"), equal(name, "obfuscation"),
		equal(name, "provider"), equal(name, "time_info"):
		return noRole
	case equal(name, "timings"):
		return timingsRole
	case equal(name, "error"):
		return errorRole
	}
	return otherMember(name)
}

// otherMember is the role of a member that no usage event has, of the answers that
// llama.cpp, Ollama, Anthropic, Cohere, Cloudflare, Google and OpenAI's newer API give in
// their own dialects: some compatible servers mix them in.
func otherMember(name []byte) role {
	switch {
	case equal(name, "message"):
		return plainMessageRole
	case equal(name, "delta"):
		return messageRole
	case equal(name, "content"), equal(name, "output"):
		return contentRole
	case equal(name, "response"), equal(name, "result"):
		return holderRole
	case equal(name, "data"):
		return dataRole
	case equal(name, "meta"):
		return metaRole
	case equal(name, "usageMetadata"):
		return timingsRole
	case equal(name, "prompt_eval_count"), equal(name, "tokens_evaluated"):
		return countRole(evaluatedCount)
	case equal(name, "eval_count"), equal(name, "tokens_predicted"):
		return countRole(predictedCount)
	case notice(name):
		return noticeRole
	}
	return strangeRole
}

// notices are members of what servers say in place of an answer, beside error: FastAPI's
// and vLLM's, DashScope's, SiliconFlow's, Baidu's and MiniMax', gateways' (Kong, AWS,
// Cloudflare), and RFC 9457's. A text under message is such a one as well. They are no
// error by themselves, since some servers say "success" there beside an answer.
var notices = [...]string{
	"detail", "details", "title", "instance", "type", "param", "code", "msg", "reason", "status", "status_code", "statusCode", "success",
	"errors", "messages", "error_code", "error_msg", "error_message", "error_type", "errorCode", "errorMessage", "base_resp",
	"request_id", "requestId", "trace_id", "traceId", "timestamp", "path",
}

func notice(name []byte) bool {
	for _, n := range notices {
		if string(name) == n {
			return true
		}
	}
	return false
}

func holderMember(name []byte) role {
	switch {
	case equal(name, "choices"):
		return choicesRole
	case equal(name, "usage"):
		return usageRole
	case equal(name, "response"), equal(name, "output"), equal(name, "content"):
		return contentRole
	case equal(name, "error"):
		return errorRole
	}
	return strangeRole
}

// usageMember is the role of a member of a usage.
func usageMember(name []byte) role {
	switch {
	case equal(name, "prompt_tokens"), equal(name, "promptTokenCount"):
		return countRole(promptCount)
	case equal(name, "completion_tokens"), equal(name, "output_tokens"):
		return countRole(completionCount)
	case equal(name, "total_tokens"), equal(name, "totalTokenCount"):
		return countRole(totalCount)
	case equal(name, "billed_units"), equal(name, "tokens"):
		return usageRole // Cohere's second API
	case equal(name, "citation_tokens"), equal(name, "toolUsePromptTokenCount"):
		return countRole(besideCount) // Perplexity, Google
	case equal(name, "prompt_tokens_details"), equal(name, "input_tokens_details"), equal(name, "prompt_token_details"):
		return promptDetailsRole
	case equal(name, "completion_tokens_details"), equal(name, "output_tokens_details"):
		return completionDetailsRole
	case equal(name, "input_tokens"), equal(name, "inputTokens"):
		return countRole(inputCount) // Bedrock's names are Anthropic's in another case
	case equal(name, "outputTokens"):
		return countRole(completionCount)
	case equal(name, "totalTokens"):
		return countRole(totalCount)
	case equal(name, "cache_read_input_tokens"), equal(name, "cacheReadInputTokens"):
		return countRole(readInputCount)
	case equal(name, "cache_creation_input_tokens"), equal(name, "cacheWriteInputTokens"):
		return countRole(creationInputCount)
	case equal(name, "prompt_cache_hit_tokens"):
		return countRole(hitCount) // DeepSeek
	case equal(name, "prompt_cache_miss_tokens"):
		return countRole(missCount)
	case equal(name, "cached_tokens"), equal(name, "cachedContentTokenCount"), equal(name, "num_cached_tokens"):
		return countRole(plainCachedCount) // Moonshot, Google, Mistral
	case equal(name, "reasoning_tokens"), equal(name, "thoughtsTokenCount"):
		return countRole(reasoningCount) // Perplexity, Google
	case equal(name, "candidatesTokenCount"):
		return countRole(completionCount)
	case equal(name, "prompt_n"):
		return countRole(freshCount) // llama.cpp's timings
	case equal(name, "cache_n"):
		return countRole(keptCount)
	case equal(name, "predicted_n"):
		return countRole(predictedCount)
	}
	return noRole
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
	told     usageDraft
	choices  choiceCounts
	spoken   int64 // bytes of text, as UTF-8 free of escapes
	answered bool  // there was a choice or an embedding
	failed   bool  // there was an error
	unknown  bool  // a member that we don't know said something
	vacant   bool  // choices was null, as MiniMax has it beside its errors

	// Of the present document:
	many     bool // documents follow one another without more between
	depth    int64
	here     place // the innermost container
	around   [knownDepth + 1]place
	role     role // of the value that is next, or being read
	state    tokenState
	keyNext  bool // a string that begins now is a key
	listed   bool // choices is a list
	some     bool // and not an empty one
	used     bool // usage is an object
	strange  bool // there is a member that a usage event does not have
	inChoice bool // the usage being read is a choice's
	index    int64
	trailing bool // something followed the end of the document

	draft  usageDraft // of its usages that are read
	object usageDraft // of the usage at hand

	voice voice // of the string being read
	hex   uint8 // digits of \u still to come
	unit  uint16

	// What was read of a name that is cut or escaped; longer ones are nothing
	// to us.
	name    [27]byte
	nameLen int8 // -1: too long

	number number // the number being read
	spoilt bool   // the string being read is no number
	digits bool   // it has one

	// Bytes of byReasoning and byReasoning2 in this choice, and the larger of
	// both: vLLM sends the same text under both names.
	heard  [2]int64
	louder int64
}

// next prepares for another document and keeps what the ones before it said.
func (a *answer) next() {
	a.finish()
	a.depth = 0
	a.enter(outside)
	a.state = between
	a.listed, a.some, a.used, a.strange, a.trailing = false, false, false, false, false
	a.inChoice, a.index = false, 0
}

// finish takes what the present document told.
func (a *answer) finish() {
	if a.draft.given|a.object.given != 0 {
		a.draft.add(&a.object)
		a.told.add(&a.draft)
		a.draft, a.object = usageDraft{}, usageDraft{}
	}
}

// enter makes p the innermost container.
func (a *answer) enter(p place) {
	a.here = p
	a.role = p.unnamed()
	a.keyNext = false
}

// usageOnly reports whether the document is the event that OpenAI ends a
// stream with when asked for usage: a usage and an empty list of choices, and
// beside them only what says whose event it is.
func (a *answer) usageOnly() bool {
	return a.state == ended && a.used && a.listed && !a.some && !a.strange && !a.trailing
}

func (a *answer) usage() (Usage, bool) {
	d := a.told
	d.add(&a.draft)
	d.add(&a.object)
	return d.usage(&a.choices)
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
				a.counted()
				a.state = between
			}
		case ended:
			if b[i] == '{' && a.many {
				a.next()
				continue
			}
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
			a.says()
			a.open(roles[a.role].object)
		case '[':
			a.value()
			a.says()
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
				if a.role >= firstCountRole {
					a.voice, a.number, a.spoilt, a.digits = aCount, number{}, false, false
				} else if a.voice != aFault {
					a.says()
				}
				if !whole {
					a.state = inString
					return i
				}
				switch {
				case a.voice == nobody:
				case a.voice == byModel:
					a.spoken += int64(end - i)
				default:
					if a.hear(b[i:end]); a.voice == aCount {
						a.counted()
					}
				}
				i = end + 1
			}
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			a.value()
			a.says()
			if a.role >= firstCountRole || a.role == indexRole {
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
			if c == 't' {
				a.says()
			} else if c == 'n' && a.role == choicesRole {
				a.vacant = true
			}
			for i < len(b) && b[i] >= 'a' && b[i] <= 'z' {
				i++
			}
		}
	}
	return i
}

// value notes that a value begins. It may be called again within one.
func (a *answer) value() {
	switch {
	case a.here == choicesPlace:
		a.some = true
	case a.role < promptDetailsRole:
	case a.role == promptDetailsRole:
		a.object.forget(promptDetailCounts)
	case a.role == completionDetailsRole:
		a.object.forget(completionDetailCounts)
	case a.here == documentPlace:
		a.draft.forget(1 << (a.role - firstCountRole))
	default:
		a.object.forget(1 << (a.role - firstCountRole))
	}
}

// says notes that a value is neither null nor false.
func (a *answer) says() {
	if a.role != noRole || a.here == dataPlace {
		a.matters()
	}
}

// matters takes what a value that says something means in its role.
//
//go:noinline
func (a *answer) matters() {
	switch a.role {
	case strangeRole:
		a.strange, a.unknown = true, true
	case errorRole:
		a.failed, a.strange = true, true
	case choiceRole:
		a.answered = true
	default:
		if a.here == dataPlace {
			a.answered = true
		}
		if a.here == documentPlace && a.role != noRole && a.role != choicesRole && a.role != usageRole && a.role != timingsRole && a.role != groqRole {
			a.strange = true
		}
	}
}

// counted takes the number that was read.
func (a *answer) counted() {
	switch {
	case a.role == indexRole:
		v, _ := a.number.value()
		a.index = v
	case a.voice == aCount && (a.spoilt || !a.digits):
	case a.here == usagePlace && a.inChoice && a.role == countRole(completionCount):
		a.choices.set(a.index, &a.number)
	case a.here == documentPlace:
		a.draft.set(count(a.role-firstCountRole), &a.number)
	default:
		a.object.set(count(a.role-firstCountRole), &a.number)
	}
	a.voice = nobody
}

// hear takes bytes of a string.
func (a *answer) hear(b []byte) {
	switch a.voice {
	case aCount:
		for _, c := range b {
			if c >= '0' && c <= '9' || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-' {
				a.number.add(c)
				a.digits = a.digits || c >= '0' && c <= '9'
			} else {
				a.spoilt = true
			}
		}
	case aFault:
		if len(b) > 0 {
			a.failed, a.strange = true, true
		}
	default:
		a.speak(int64(len(b)))
	}
}

func (a *answer) open(next place) {
	switch next {
	case usagePlace:
		// Of members with one name the last counts, of names and places the largest.
		if a.here == documentPlace && a.used && a.role == usageRole {
			a.draft = usageDraft{}
		}
		a.draft.add(&a.object) // a usage around this one
		a.inChoice, a.object = a.here == choicePlace, usageDraft{}
		a.used = a.used || a.here == documentPlace && a.role == usageRole
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
		a.draft.add(&a.object)
		a.object = usageDraft{}
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
		} else if a.voice != nobody {
			a.hear(b[i:end])
		}
		if end == len(b) {
			return end
		}
		i = end + 1
		if b[end] == '"' {
			a.state = between
			if a.voice == aCount {
				a.counted()
			}
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
	case a.voice == aCount:
		a.spoilt = true
	case a.voice == aFault:
		a.failed, a.strange = true, true
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
