package llm

import (
	"encoding/binary"
	"math"

	"fairshare/plugin/unit"
)

// MockEmbeddingUsage is what every mock answer of embeddings is charged:
// LiteLLM's 10 prompt tokens. LiteLLM writes a total of 0 beside them.
var MockEmbeddingUsage = Usage{Prompt: 10, Total: 10}

// mockVector answers where the mock_response is a text.
var mockVector = [...]float64{0.1, 0.2, 0.3}

// AppendMockEmbedding appends the answer that LiteLLM gives for an embedding
// model whose mock_response is the list of numbers vector, once for each of the
// inputs that the client asked for. Without a vector three fixed numbers
// answer. model is the model group that the client asked for. With base64 a
// vector is a string, the base64 of its numbers as little-endian float32s, as
// OpenAI's Python client asks for by default. A number that is no finite float32 is 0.
func AppendMockEmbedding(dst []byte, model string, vector []float64, inputs int64, base64 bool) []byte {
	if len(vector) == 0 {
		vector = mockVector[:]
	}
	dst = append(dst, `{"object":"list","data":[`...)
	from, to := len(dst), len(dst) // of the first vector
	for i := range inputs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"object":"embedding","index":`...)
		dst = appendTokens(dst, unit.Tokens(i))
		dst = append(dst, `,"embedding":`...)
		if i == 0 {
			from = len(dst)
			dst = appendVector(dst, vector, base64)
			to = len(dst)
		} else {
			dst = append(dst, dst[from:to]...)
		}
		dst = append(dst, '}')
	}
	dst = append(dst, `],"model":`...)
	dst = AppendString(dst, model)
	dst = appendTokens(append(dst, `,"usage":{"prompt_tokens":`...), MockEmbeddingUsage.Prompt)
	dst = appendTokens(append(dst, `,"total_tokens":`...), MockEmbeddingUsage.Total)
	return append(dst, "}}"...)
}

func appendVector(dst []byte, vector []float64, base64 bool) []byte {
	var raw []byte
	open, end := byte('['), byte(']')
	if base64 {
		raw, open, end = make([]byte, 0, 4*len(vector)), '"', '"'
	}
	dst = append(dst, open)
	for i, v := range vector {
		short := float32(v)
		if short-short != 0 { // infinite or not a number
			v, short = 0, 0
		}
		if base64 {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(short))
			continue
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = unit.AppendFloat(dst, v)
	}
	return append(appendBase64(dst, raw), end)
}
