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
	const first = 1<<('b'-'a') | 1<<('c'-'a') | 1<<('e'-'a') | 1<<('m'-'a') | 1<<('n'-'a') | 1<<('r'-'a') | 1<<('t'-'a')
	if len(name) < 6 || len(name) > 22 || !begins(name, first) {
		return otherParam
	}
	return find(capNames[:], name)
}

// begins reports whether name begins with one of the letters from a to z whose
// bits are in first.
func begins(name []byte, first uint32) bool {
	c := name[0] - 'a'
	return c < 26 && first>>c&1 == 1
}

// A named is a name and what it means.
type named struct {
	name  string
	param param
}

// find is what name means in a table, or otherParam.
//
//go:noinline
func find(table []named, name []byte) param {
	for i := range table {
		if equal(name, table[i].name) {
			return table[i].param
		}
	}
	return otherParam
}

var capNames = [...]named{
	{"max_output_tokens", limitParam},
	{"max_new_tokens", limitParam},
	{"max_length", limitParam},
	{"max_gen_len", limitParam},
	{"max_tokens_to_sample", limitParam}, // Claude on Bedrock, of old
	{"max_generated_tokens", limitParam},
	{"max_response_tokens", limitParam},
	{"maxTokens", limitParam},
	{"maxTokenCount", limitParam}, // Titan
	{"maxNewTokens", limitParam},
	{"maxOutputTokens", limitParam},
	{"maxCompletionTokens", limitParam},
	{"n_predict", limitParam},
	{"num_predict", limitParam},
	{"numPredict", limitParam},
	{"tokens_to_generate", limitParam}, // NeMo

	{"budget_tokens", budgetParam},       // Anthropic
	{"max_thinking_tokens", budgetParam}, // NVIDIA's NIM
	{"max_reasoning_tokens", budgetParam},
	{"reasoning_budget", budgetParam}, // llama.cpp
	{"reasoning_max_tokens", budgetParam},
	{"thinking_budget", budgetParam},        // Qwen
	{"thinkingBudget", budgetParam},         // Gemini
	{"thinking_budget_tokens", budgetParam}, // llama.cpp
	{"thinking_token_budget", budgetParam},  // vLLM
	{"enable_thinking", switchParam},        // Qwen

	{"reasoning", thinkParam}, // OpenRouter
	{"reasoning_config", thinkParam},
	{"thinking", thinkParam}, // Anthropic
	{"thinking_config", thinkParam},
	{"thinkingConfig", thinkParam}, // Gemini

	{"bestOf", choicesParam},
	{"candidate_count", choicesParam},
	{"candidateCount", choicesParam},       // Gemini
	{"n_cmpl", choicesParam},               // llama.cpp
	{"num_return_sequences", choicesParam}, // Transformers
	{"numReturnSequences", choicesParam},
	{"num_generations", choicesParam}, // Cohere
	{"num_completions", choicesParam},
	{"numResults", choicesParam}, // AI21
}

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
