package llm

import (
	"strconv"
	"unicode/utf8"

	"fairshare/plugin/unit"
)

// MockUsage is what every answer of LiteLLM's mock_response is charged: 10
// prompt and 20 completion tokens, whatever its text.
var MockUsage = Usage{Prompt: 10, Completion: 20, Total: 30}

// mockPiece is the number of characters in a delta of a mock stream. It counts
// characters, not bytes, as Python's slicing does.
const mockPiece = 3

// AppendMockJSON appends the answer that LiteLLM gives for a model with
// mock_response text. created is in Unix seconds; model is the model group
// that the client asked for.
func AppendMockJSON(dst []byte, id string, created int64, model, text string, usage Usage) []byte {
	dst = appendMockHead(dst, id, created, model, "chat.completion")
	dst = append(dst, `{"finish_reason":"stop","index":0,"message":{"content":`...)
	dst = AppendString(dst, text)
	dst = append(dst, `,"role":"assistant"}}]`...)
	dst = appendUsage(dst, usage)
	return append(dst, '}')
}

// AppendMockStream appends the same answer as a whole stream of events. With
// withUsage, which is the client's stream_options.include_usage, an event with
// the usage comes before [DONE]. It has the numbers of the JSON answer, since
// those are charged; LiteLLM counts the text anew there (10 instead of 30 for
// hello-world). Its choices hold an empty delta, as LiteLLM's do.
func AppendMockStream(dst []byte, id string, created int64, model, text string, usage Usage, withUsage bool) []byte {
	role := true
	for first := true; first || text != ""; first = false {
		n := 0
		for range mockPiece {
			_, size := utf8.DecodeRuneInString(text[n:])
			n += size
		}
		dst = appendMockChunk(dst, id, created, model)
		dst = append(dst, `{"index":0,"delta":{"content":`...)
		dst = AppendString(dst, text[:n])
		if role {
			dst = append(dst, `,"role":"assistant"`...)
			role = false
		}
		dst = append(dst, "}}]}\n\n"...)
		text = text[n:]
	}
	dst = appendMockChunk(dst, id, created, model)
	dst = append(dst, `{"finish_reason":"stop","index":0,"delta":{}}]}`+"\n\n"...)
	if withUsage {
		dst = appendMockChunk(dst, id, created, model)
		dst = append(dst, `{"index":0,"delta":{}}]`...)
		dst = appendUsage(dst, usage)
		dst = append(dst, "}\n\n"...)
	}
	return append(dst, "data: [DONE]\n\n"...)
}

func appendMockChunk(dst []byte, id string, created int64, model string) []byte {
	return appendMockHead(append(dst, "data: "...), id, created, model, "chat.completion.chunk")
}

// appendMockHead appends an answer's members up to the bracket that opens its
// choices.
func appendMockHead(dst []byte, id string, created int64, model, object string) []byte {
	dst = append(dst, `{"id":`...)
	dst = AppendString(dst, id)
	dst = append(dst, `,"created":`...)
	dst = strconv.AppendInt(dst, created, 10)
	dst = append(dst, `,"model":`...)
	dst = AppendString(dst, model)
	dst = append(dst, `,"object":"`...)
	dst = append(dst, object...)
	return append(dst, `","choices":[`...)
}

func appendUsage(dst []byte, u Usage) []byte {
	dst = appendTokens(append(dst, `,"usage":{"completion_tokens":`...), u.Completion)
	dst = appendTokens(append(dst, `,"prompt_tokens":`...), u.Prompt)
	dst = appendTokens(append(dst, `,"total_tokens":`...), u.Total)
	return append(dst, '}')
}

func appendTokens(dst []byte, t unit.Tokens) []byte { return strconv.AppendInt(dst, int64(t), 10) }
