package llm

import "fairshare/plugin/unit"

const (
	// maxDepth is how deep a request may nest. Messages take 7 levels and a
	// tool's JSON schema two for each of its own (OpenAI allows ten), so 64
	// is twice what a client sends and small enough for an array on the stack.
	maxDepth = 64

	// maxChoices is the most that OpenAI takes for n.
	maxChoices = 128

	// maxInputs is the most inputs that OpenAI embeds in one request.
	maxInputs = 2048

	// tokenBytes is what a token adds to TextBytes that an embedding's input
	// names by its number: English text has four bytes a token.
	tokenBytes = 4

	// maxSpareCommas is how many spare commas a body may have. People who
	// paste an example leave one or two; a program that leaves more should
	// be told.
	maxSpareCommas = 4
)

// An Ask is what the body of a request asks of a model. The strings are
// copies: an Ask outlives the body. The zero Ask asks for nothing.
type Ask struct {
	Model       string      // the model group; never empty in an Ask that ParseAsk gave
	Stream      bool        // the answer is to be a stream of events
	UsageWanted bool        // the client itself set stream_options.include_usage
	MaxOutput   unit.Tokens // the most that a choice may have by any of its caps, see output; 0 if there are none
	Capped      bool        // whether MaxOutput holds for every server, not only for some
	Choices     int64       // the largest of n and its kin: 1 to 128
	User        string      // user, which names the end user; empty if not given

	// Of a request for embeddings only.
	Inputs int64 // how many vectors are asked for: 1 to 2048; 0 if none are
	Base64 bool  // the vectors are to be base64 of float32s (encoding_format)

	// Untidy says that the body has spare commas or members that are for a
	// proxy alone: never the body but its Rewrite may go upstream, whatever
	// its model.
	Untidy bool

	// TextBytes is the size of the text that the model may read, as UTF-8 and
	// free of JSON's escapes: all strings but those of members that are known
	// to be something else. Tools, functions and response_format, which are
	// read as they stand, count with their names and marks, but without white
	// space. A token that is given by its number counts as tokenBytes. It is
	// the ground of an estimate, never a charge.
	TextBytes int64

	// MediaTokens is what the providers' published rules make of pictures,
	// sounds and files, beside TextBytes: by the rule of the model that was
	// asked for, until Measure names another.
	MediaTokens unit.Tokens

	size    int    // of the body that was read
	model   span   // the value of model, with its quotes
	options span   // the value of stream_options; empty if there is none
	include span   // the value of include_usage in it; empty if there is none
	spare   bool   // options is an object without members
	media   *media // nil if there are none
	cuts    *cuts  // what must not go upstream; nil if nothing
}

// A span is a part of a body. The empty span is at 0, where no value that
// matters can be.
type span struct{ from, to int }

// A Fault is what is wrong with a request that a client can put right. It is
// an answer with status 400, not a failure of the gateway.
type Fault struct {
	Param   string // the parameter at fault, dotted; empty if it is the body
	Message string
}

// ParseAsk reads the body of a chat completion request. It refuses what
// another parser could read differently, since the upstream's parser has the
// last word and its reading must not go round the limits: bytes that are not
// UTF-8, a parameter that matters given twice, or spelled in other letters
// ("Model"), which Go's encoding/json takes for the same name. For the
// parameters it knows it holds to OpenAI's types; null is the same as absent.
// Of all other members it reads what is text, a picture or a cap of the output.
// It reads no further than the first fault.
//
// A comma behind the last member of an object or element of an array is no
// JSON, but LiteLLM's documents print it: a few are taken, and Rewrite takes
// them out.
//
// What the body asks is put into a, unless there is a fault.
func ParseAsk(body []byte, a *Ask) *Fault {
	r := askReader{root: rootRegion}
	r.ask.Choices, r.ask.size = 1, len(body)
	return r.parse(body, messagesParam, a)
}

// ParseEmbeddingAsk reads the body of a request for embeddings as strictly. Its
// Ask has a cap of 0 tokens of output.
func ParseEmbeddingAsk(body []byte, a *Ask) *Fault {
	r := askReader{root: embeddingRegion}
	r.ask.Choices, r.ask.Capped, r.ask.size = 1, true, len(body)
	return r.parse(body, inputParam, a)
}

// parse reads a whole body that must give content, messages or input.
func (r *askReader) parse(b []byte, content param, a *Ask) *Fault {
	if f := r.read(b); f != nil {
		return f
	}
	if r.ask.Model == "" {
		return missing(modelParam)
	}
	if !r.content {
		return missing(content)
	}
	if content == inputParam && r.ask.Inputs == 0 {
		return wrongType(inputParam)
	}
	if content == messagesParam {
		r.ask.MaxOutput, r.ask.Capped = r.output.most()
	}
	*a = r.ask
	if a.media != nil {
		a.Measure(a.Model)
	}
	return nil
}

func missing(p param) *Fault {
	article := "a "
	if p == inputParam {
		article = "an "
	}
	return &Fault{Param: paramNames[p], Message: "you must provide " + article + paramNames[p] + " parameter"}
}
