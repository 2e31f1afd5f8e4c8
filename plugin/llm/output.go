package llm

import "fairshare/plugin/unit"

// An output is what the caps of a request come to. Which of several names a
// server reads, and in which order, differs, and a client may give many:
//
//	max_tokens, max_completion_tokens   OpenAI and most; llama-cpp-python and Mistral know the first alone
//	max_output_tokens                   OpenAI's responses, xAI
//	n_predict                           llama.cpp, behind the other two
//	num_predict                         Ollama, in options
//	max_new_tokens                      Text Generation Inference, SGLang, SageMaker, watsonx
//	maxOutputTokens, maxTokens          Gemini, AI21 and what maps JSON to protocol buffers
//	max_length, max_gen_len, …          NLP Cloud, Llama on Bedrock
//
// So the largest counts. A name beside OpenAI's two never makes a cap, since
// a server that doesn't read it has none; it only makes one larger.
type output struct {
	limit  unit.Tokens // the largest by any name
	budget unit.Tokens // the largest of reasoning
	given  bool        // one of OpenAI's names was given
	open   bool        // some server may read the request as having no cap
	thinks bool        // reasoning is asked for by enable_thinking
	bounds bool        // reasoning has a cap
}

// longestOutput is a cap beyond which there is none: the largest contexts that
// are documented have ten million tokens (Llama 4 Scout).
const longestOutput = 1 << 24

// most returns the most tokens that a choice may have, and whether every
// server holds to that. Reasoning comes on top where it has a cap of its own:
// Qwen's max_tokens are those of the answer alone, without thinking_budget.
func (o *output) most() (tokens unit.Tokens, capped bool) {
	if o.open || o.thinks && !o.bounds {
		return 0, false
	}
	return o.limit + o.budget, o.given
}

// take takes the cap v, which p is the name of. 0 and less is no cap:
//
//	-1    llama.cpp, LM Studio and Ollama, the last of which also takes -2
//	0     Ollama stops at a cap only if it is larger
//	<= 0  llama-cpp-python ("unlimited and depends on n_ctx")
//
// A budget of 0 is no reasoning, one of -1 Gemini's as much as it likes.
func (o *output) take(p param, v int64) {
	n := unit.Tokens(v)
	switch {
	case v == 0 && p == budgetParam:
		o.bounds = true
		return
	case v <= 0 || v > longestOutput:
		o.open = true
	case p == budgetParam:
		o.budget, o.bounds = max(o.budget, n), true
		return
	}
	o.limit = max(o.limit, n)
	if p == maxTokensParam || p == maxCompletionTokensParam {
		o.given = true
	}
}

// capParam is what name is of the caps under names that are not OpenAI's, or
// otherParam.
func capParam(name []byte) param {
	if len(name) < 6 || len(name) > 22 {
		return otherParam
	}
	switch name[0] {
	case 'b':
		switch {
		case equal(name, "budget_tokens"):
			return budgetParam // Anthropic's thinking
		case equal(name, "bestOf"):
			return choicesParam
		}
	case 'c':
		if equal(name, "candidate_count") || equal(name, "candidateCount") {
			return choicesParam // Gemini
		}
	case 'e':
		if equal(name, "enable_thinking") {
			return switchParam // Qwen
		}
	case 'm':
		if len(name) < 9 || name[1] != 'a' || name[2] != 'x' {
			break
		}
		for _, s := range maxNames {
			if equal(name, s) {
				return limitParam
			}
		}
		for _, s := range maxBudgets {
			if equal(name, s) {
				return budgetParam
			}
		}
	case 'n':
		switch {
		case equal(name, "n_predict"), equal(name, "num_predict"), equal(name, "numPredict"):
			return limitParam
		case equal(name, "n_cmpl"), equal(name, "num_return_sequences"), equal(name, "num_generations"),
			equal(name, "num_completions"), equal(name, "numResults"), equal(name, "numReturnSequences"):
			return choicesParam // llama.cpp, Transformers, Cohere, AI21
		}
	case 'r':
		switch {
		case equal(name, "reasoning"), equal(name, "reasoning_config"):
			return thinkParam // OpenRouter
		case equal(name, "reasoning_budget"), equal(name, "reasoning_max_tokens"):
			return budgetParam // llama.cpp
		}
	case 't':
		switch {
		case equal(name, "thinking"), equal(name, "thinking_config"), equal(name, "thinkingConfig"):
			return thinkParam // Anthropic, Gemini
		case equal(name, "thinking_budget"), equal(name, "thinkingBudget"), equal(name, "thinking_budget_tokens"),
			equal(name, "thinking_token_budget"):
			return budgetParam // Qwen, Gemini, llama.cpp, vLLM
		case equal(name, "tokens_to_generate"):
			return limitParam // NeMo
		}
	}
	return otherParam
}

var (
	maxNames = [...]string{
		"max_output_tokens", "max_new_tokens", "max_length", "max_gen_len", "max_tokens_to_sample", "max_generated_tokens",
		"max_response_tokens", "maxTokens", "maxTokenCount", "maxNewTokens", "maxOutputTokens", "maxCompletionTokens",
	}
	maxBudgets = [...]string{"max_thinking_tokens", "max_reasoning_tokens"} // NVIDIA's NIM
)

// amount takes the number v of p in a place where p means something.
func (r *askReader) amount(p param, v int64, integral bool) *Fault {
	switch p {
	case maxTokensParam, maxCompletionTokensParam, limitParam, budgetParam:
		if !integral {
			if p >= firstLoose {
				r.output.open = true
				return nil
			}
			return wrongType(p)
		}
		r.output.take(p, v)
	case nParam, bestOfParam, choicesParam:
		// A server that takes 0 or less gives its default of one.
		strict := p < firstLoose
		if !integral && !strict {
			return nil
		}
		if !integral || v > maxChoices {
			if !strict {
				p = nParam
			}
			return wrongType(p)
		}
		r.ask.Choices = max(r.ask.Choices, v)
	default:
		if p < firstLoose {
			return wrongType(p)
		}
	}
	return nil
}
