package llm

import "strconv"

// None is what LiteLLM writes for a type or a param that it does not know:
// Python's str(None).
const None = "None"

// An ErrorBody is the body of a refusal, in the envelope that OpenAI's clients
// read:
//
//	{"error":{"message":…,"type":…,"param":…,"code":…}}
//
// in the member order of LiteLLM's documents: Python clients print the body as
// they got it.
type ErrorBody struct {
	Message string
	Type    string // null when empty
	Param   string // null when empty
	Code    int    // the HTTP status

	// Nested wraps the message once more, {"error":"…"}: the documents'
	// shape of the 429 of dynamic_rate_limiter, where the detail of the
	// exception was an object.
	Nested bool
	// CodeText writes the code as a string, as LiteLLM 1.106 does.
	CodeText bool
	// CodeWord is a word of OpenAI's in place of the code.
	CodeWord string
}

// Append appends the body as JSON to dst.
func (e ErrorBody) Append(dst []byte) []byte {
	dst = append(dst, `{"error":{"message":`...)
	if e.Nested {
		dst = append(dst, `{"error":`...)
	}
	dst = AppendString(dst, e.Message)
	if e.Nested {
		dst = append(dst, '}')
	}
	dst = append(dst, `,"type":`...)
	dst = AppendNullable(dst, e.Type)
	dst = append(dst, `,"param":`...)
	dst = AppendNullable(dst, e.Param)
	dst = append(dst, `,"code":`...)
	if e.CodeWord != "" {
		return append(AppendString(dst, e.CodeWord), "}}"...)
	}
	if e.CodeText {
		dst = append(dst, '"')
	}
	dst = strconv.AppendInt(dst, int64(e.Code), 10)
	if e.CodeText {
		dst = append(dst, '"')
	}
	return append(dst, "}}"...)
}
