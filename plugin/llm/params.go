package llm

import "strconv"

// A param is what a member of the request is to this package.
type param uint8

const (
	otherParam param = iota // its text counts, what is in it is looked at

	// These must be given once, in their spelling and with a value of their type.
	modelParam
	messagesParam
	streamParam
	streamOptionsParam
	maxTokensParam
	maxCompletionTokensParam
	nParam
	bestOfParam
	userParam
	includeUsageParam
	inputParam
	encodingFormatParam

	// All others may have any type and repeat.
	schemaParam  // tools and the like, of which the model reads every byte
	silentParam  // an identifier and the like, of which it reads nothing
	proxyParam   // for a proxy alone, see proxyMember
	extraParam   // extra_body: members that some proxies put beside it
	thinkParam   // the settings of reasoning
	limitParam   // a cap of the output under a name that only some servers read
	budgetParam  // a cap of reasoning
	choicesParam // a number of answers under such a name
	switchParam  // whether to reason
	detailParam  // how exactly to look at a picture
	imageParam   // a picture: its address, its bytes or an object with either
	audioParam   // the same of a sound,
	videoParam   // a film,
	fileParam    // and anything else
	sourceParam  // a picture, or a file if its address says so
	bulkParam    // the bytes of one of these,
	addressParam // its address
	idParam      // or a file's name at its provider

	firstLoose = schemaParam
)

// paramNames has the names of those that must be given once.
var paramNames = [...]string{
	modelParam:               "model",
	messagesParam:            "messages",
	streamParam:              "stream",
	streamOptionsParam:       "stream_options",
	maxTokensParam:           "max_tokens",
	maxCompletionTokensParam: "max_completion_tokens",
	nParam:                   "n",
	bestOfParam:              "best_of",
	userParam:                "user",
	includeUsageParam:        "include_usage",
	inputParam:               "input",
	encodingFormatParam:      "encoding_format",
}

// A region says what the strings inside a container mean.
type region uint8

const (
	silentRegion   region = iota // nothing that the model reads
	messagesRegion               // values count
	mediaRegion                  // one picture, sound or file: its bulk does not count
	schemaRegion                 // every byte counts
	otherRegion                  // values count, and caps of the output are looked for
	thinkRegion                  // the same, where max_tokens caps reasoning
	inputRegion                  // input: texts, tokens or lists of tokens
	tokensRegion                 // such a list

	// In regions from here on a parameter that is known must be given once,
	// in this spelling and with a value of its type.
	rootRegion      // the request itself
	embeddingRegion // or the one for embeddings
	optionsRegion   // stream_options
	extraRegion     // extra_body, which must not have what belongs beside it
)

// strict reports whether what a has are parameters.
func (a region) strict() bool { return a >= rootRegion }

// param is the param that name is in a.
func (a region) param(name []byte) param {
	switch a {
	case rootRegion:
		if p := rootParam(name); p != otherParam {
			return p
		}
		return setting(name)
	case extraRegion:
		p := rootParam(name)
		switch p {
		case otherParam:
			return setting(name)
		case maxTokensParam, maxCompletionTokensParam:
			return limitParam
		case nParam, bestOfParam:
			return choicesParam
		}
		return p
	case embeddingRegion:
		switch {
		case equal(name, "model"):
			return modelParam
		case equal(name, "input"):
			return inputParam
		case equal(name, "encoding_format"):
			return encodingFormatParam
		case equal(name, "user"):
			return userParam
		case equal(name, "metadata"):
			return silentParam
		}
		if p := setting(name); p == silentParam || p == proxyParam {
			return p
		}
	case optionsRegion:
		if equal(name, "include_usage") {
			return includeUsageParam
		}
	case messagesRegion, mediaRegion:
		return mediaParam(name)
	case otherRegion, thinkRegion:
		p := capParam(name)
		if a == thinkRegion && (p == limitParam || equal(name, "max_tokens")) {
			return budgetParam
		}
		switch {
		case p != otherParam:
			return p
		case equal(name, "max_tokens"), equal(name, "max_completion_tokens"):
			return limitParam
		case equal(name, "best_of"):
			return choicesParam
		}
		return mediaParam(name)
	}
	return otherParam
}

// rootParam is what name is beside model, of OpenAI's parameters. Most
// requests have five of these and few others, so they are told by their length.
func rootParam(name []byte) param {
	switch len(name) {
	case 1:
		if name[0] == 'n' {
			return nParam
		}
	case 4:
		if equal(name, "user") {
			return userParam
		}
	case 5:
		if equal(name, "model") {
			return modelParam
		}
		if equal(name, "tools") {
			return schemaParam
		}
	case 6:
		if equal(name, "stream") {
			return streamParam
		}
	case 7:
		if equal(name, "best_of") {
			return bestOfParam
		}
	case 8:
		if equal(name, "messages") {
			return messagesParam
		}
		if equal(name, "metadata") {
			return silentParam
		}
	case 9:
		if equal(name, "functions") {
			return schemaParam
		}
	case 10:
		if equal(name, "max_tokens") {
			return maxTokensParam
		}
		if equal(name, "extra_body") {
			return extraParam
		}
	case 14:
		if equal(name, "stream_options") {
			return streamOptionsParam
		}
	case 15:
		if equal(name, "response_format") {
			return schemaParam
		}
	case 21:
		if equal(name, "max_completion_tokens") {
			return maxCompletionTokensParam
		}
	}
	return otherParam
}

// setting is what name is beside model when it is none of rootParam's.
func setting(name []byte) param {
	if p := capParam(name); p != otherParam {
		return p
	}
	if proxyMember(name) {
		return proxyParam
	}
	// Identifiers that OpenAI and others define: safety_identifier,
	// prompt_cache_key, session_id, request_id.
	for _, end := range [...]string{"_id", "_key", "_identifier"} {
		if len(name) > len(end) && equal(name[len(name)-len(end):], end) {
			return silentParam
		}
	}
	return otherParam
}

// mediaParam is what name is in a message, or in a member that is not known.
func mediaParam(name []byte) param {
	const first = 1 | 1<<('b'-'a') | 1<<('d'-'a') | 1<<('f'-'a') | 1<<('i'-'a') | 1<<('s'-'a') | 1<<('u'-'a') | 1<<('v'-'a')
	if len(name) < 3 || len(name) > 11 || !begins(name, first) {
		return otherParam
	}
	return find(mediaNames[:], name)
}

var mediaNames = [...]named{
	{"image_url", imageParam},
	{"image", imageParam},
	{"images", imageParam}, // Ollama
	{"input_image", imageParam},
	{"audio_url", audioParam},
	{"audio", audioParam},
	{"input_audio", audioParam},
	{"video_url", videoParam},
	{"video", videoParam},
	{"input_video", videoParam},
	{"file", fileParam},
	{"fileData", fileParam},
	{"input_file", fileParam},
	{"document", fileParam},
	{"inline_data", fileParam}, // Gemini
	{"inlineData", fileParam},
	{"source", sourceParam}, // Anthropic
	{"data", bulkParam},
	{"file_data", bulkParam},
	{"b64_json", bulkParam},
	{"bytes", bulkParam}, // Bedrock
	{"url", addressParam},
	{"uri", addressParam},
	{"file_id", idParam},
	{"file_url", idParam},
	{"file_uri", idParam},
	{"fileUri", idParam},
	{"detail", detailParam},
}

// key reads a member's name and its colon, and notes what its value will be.
// first says that no member is before it.
func (r *askReader) key(b []byte, first bool) *Fault {
	from := r.i
	if b[r.i] != '"' {
		return r.syntax(b)
	}
	if f := r.text(b); f != nil {
		return f
	}
	name := b[from+1 : r.i-1]
	r.space(b)
	if r.i >= len(b) || b[r.i] != ':' {
		return r.syntax(b)
	}
	r.i++
	switch {
	case r.region.strict():
		return r.name(name, from, first)
	case r.region == schemaRegion:
		r.ask.TextBytes += r.size + marks + 1
	case r.region == silentRegion:
	case r.size != int64(len(name)):
		r.param = r.region.escapedParam(name)
	default:
		// Other spellings of these names merely count as text.
		r.param = r.region.param(name)
	}
	return nil
}

// escapedParam is the param that raw is in a once its escapes are undone.
//
//go:noinline
func (a region) escapedParam(raw []byte) param {
	name, _ := unquote(raw)
	return a.param([]byte(name))
}

// marks is what a string has beside its text.
const marks = int64(len(`""`))

// name notes the param that raw spells, whose name is at from, and refuses one
// that is given twice or that only a lenient parser would take for it.
func (r *askReader) name(raw []byte, from int, first bool) *Fault {
	p, exact := r.region.param(raw), true
	if (p == otherParam || p == silentParam) && !small(raw) {
		var buf [foldRoom]byte
		var n int
		n, exact = fold(&buf, raw)
		if folded := r.region.param(buf[:n]); folded != otherParam {
			p = folded
		} else if r.size != int64(len(raw)) {
			p = r.region.escapedParam(raw)
		}
	}
	r.param = p
	switch {
	case p == otherParam:
		return nil
	case p == proxyParam:
		return r.beginDrop(from, first)
	case p >= firstLoose:
		return nil
	case r.region == extraRegion:
		return &Fault{Param: "extra_body." + paramNames[p], Message: "the parameter '" + paramNames[p] + "' must not be in extra_body"}
	case r.seen>>p&1 == 1:
		return &Fault{Param: paramPath(p), Message: "the parameter '" + paramNames[p] + "' is given twice"}
	case !exact:
		return &Fault{Param: paramPath(p), Message: "the parameter '" + paramNames[p] + "' must be spelled so, in small letters"}
	}
	r.seen |= 1 << p
	return nil
}

func paramPath(p param) string {
	if p == includeUsageParam {
		return "stream_options.include_usage"
	}
	return paramNames[p]
}

// wrongType is the Fault of a value that p can't have.
func wrongType(p param) *Fault {
	wanted := ""
	switch p {
	case modelParam, userParam, encodingFormatParam:
		wanted = "a string"
	case inputParam:
		wanted = "a string, an array of tokens, or an array of 1 to " + strconv.Itoa(maxInputs) + " of either"
	case messagesParam:
		wanted = "an array"
	case streamParam, includeUsageParam:
		wanted = "true or false"
	case streamOptionsParam:
		wanted = "an object"
	case maxTokensParam, maxCompletionTokensParam:
		wanted = "a whole number, 0 or more"
	case nParam, bestOfParam:
		wanted = "a whole number from 1 to " + strconv.Itoa(maxChoices)
	}
	return &Fault{Param: paramPath(p), Message: paramPath(p) + " must be " + wanted}
}
