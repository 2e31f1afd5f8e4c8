package llm

import "strconv"

// modelsCreated is the moment that LiteLLM gives for every model (its
// DEFAULT_MODEL_CREATED_AT_TIME): no client reads it, some require it.
const modelsCreated = 1677610602

// AppendModels appends the answer of GET /v1/models, naming the model groups
// in the order given, in LiteLLM's member order.
func AppendModels(dst []byte, names []string) []byte {
	dst = append(dst, `{"data":[`...)
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendModel(dst, name)
	}
	return append(dst, `],"object":"list"}`...)
}

// AppendModel appends one model as OpenAI lists it.
func AppendModel(dst []byte, name string) []byte {
	dst = append(dst, `{"id":`...)
	dst = AppendString(dst, name)
	dst = append(dst, `,"object":"model","created":`...)
	dst = strconv.AppendInt(dst, modelsCreated, 10)
	return append(dst, `,"owned_by":"openai"}`...)
}

// AppendNoModel appends what OpenAI answers for a model that there is not, or not for
// this key: its clients tell it by the code.
func AppendNoModel(dst []byte, name string) []byte {
	dst = append(dst, `{"error":{"message":`...)
	dst = AppendString(dst, "The model '"+name+"' does not exist or you do not have access to it")
	return append(dst, `,"type":"invalid_request_error","param":"model","code":"model_not_found"}}`...)
}
