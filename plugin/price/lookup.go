package price

import "strings"

// Table layout, all of it constant:
//
//	names  = *block
//	block  = 1*16 entry
//	entry  = shared size *byte at            ; shared is left out of a block's first entry
//	shared = byte                            ; how much of the name before is also the start of this one
//	size   = byte                            ; of what follows it
//	at     = 2 bytes, the lower first        ; where in prices the price is
//	blocks = *(2 bytes, the lower first)     ; where in names each block begins
//	prices = *price
//	price  = given *rate *(threshold given *rate)
//	given  = byte                            ; bit f: the rate of field f follows; bit 7: a threshold follows these
//	rate   = uvarint                         ; mantissa<<4 | n for mantissa × 10ⁿ
//	threshold = uvarint                      ; in tokens
//
// The names are sorted. Each begins with its provider, "openai/gpt-4o", also
// where LiteLLM's file leaves it out; only where the file has both with
// different prices the bare name is there as well.
const blockSize = 16

// moreBit is the bit of given that says that a threshold follows.
const moreBit = 1 << 7

// providers are the table's, in the order in which a bare name is looked for
// among them: first those whose models the file lists by bare names.
const providers = "openai/anthropic/vertex_ai/bedrock/cohere/deepseek/gemini/mistral/xai/groq/together_ai/codestral/fireworks_ai/azure/azure_ai/"

// Lookup returns the price that LiteLLM's file gives a model, and whether it
// has one, by any name that LiteLLM takes for it: as in the file, with its
// provider or, if the name has no slash, without. A model that OpenAI tuned for
// a customer has the price of its kind (ft:gpt-4o-2024-08-06:acme::1 that of
// ft:gpt-4o-2024-08-06), one of Bedrock in a region that has no price of its
// own the one without a region. A name under a provider that the file does not
// have it for is not found under another: it need not be the same model.
func Lookup(name string) (Price, bool) {
	name = tuned(name)
	if p, ok := find(name); ok {
		return p, true
	}
	provider, model, prefixed := strings.Cut(name, "/")
	if !prefixed {
		for rest := providers; rest != ""; {
			provider, rest, _ = strings.Cut(rest, "/")
			if p, ok := find(provider + "/" + name); ok {
				return p, true
			}
		}
		return Price{}, false
	}
	switch provider {
	case "text-completion-openai":
		return find("openai/" + model)
	case "cohere_chat":
		return find("cohere/" + model)
	case "text-completion-codestral":
		return find("codestral/" + model)
	case "vertex_ai_beta":
		return find("vertex_ai/" + model)
	case "bedrock": // bedrock/converse/…, bedrock/eu-west-1/…
		for more := true; more; {
			if _, model, more = strings.Cut(model, "/"); more {
				if p, ok := find("bedrock/" + model); ok {
					return p, true
				}
			}
		}
	}
	return Price{}, false
}

// tuned cuts a tuned model's name off behind the model that was tuned.
func tuned(name string) string {
	const mark = "ft:"
	from := 0
	if !strings.HasPrefix(name, mark) {
		from = strings.IndexByte(name, '/') + 1
	}
	if !strings.HasPrefix(name[from:], mark) {
		return name
	}
	from += len(mark)
	if n := strings.IndexByte(name[from:], ':'); n >= 0 {
		return name[:from+n]
	}
	return name
}

// find returns the price of a name of the table.
func find(name string) (Price, bool) {
	low, high := 0, len(blocks)/2
	for low < high { // the last block whose first name is not behind name
		middle := (low + high) / 2
		at := short(blocks, 2*middle)
		if first := names[at+1 : at+1+int(names[at])]; first <= name {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == 0 {
		return Price{}, false
	}
	at := short(blocks, 2*(low-1))
	match := 0 // how much of name the entry before begins with
	for i := 0; i < blockSize && at < len(names); i++ {
		shared := 0
		if i > 0 {
			shared = int(names[at])
			at++
		}
		size := int(names[at])
		rest := names[at+1 : at+1+size]
		at += 1 + size + 2
		switch {
		case shared < match:
			return Price{}, false // behind name, as all that follow
		case shared > match:
			continue
		}
		n := 0
		for n < len(rest) && match+n < len(name) && rest[n] == name[match+n] {
			n++
		}
		match += n
		if n == len(rest) && match == len(name) {
			return decode(short(names, at-2)), true
		}
	}
	return Price{}, false
}

// decode reads the price that begins at prices[at].
func decode(at int) Price {
	var p Price
	var above int64
	for {
		given := prices[at]
		at++
		for f := range fields {
			if set(given).has(f) {
				var v int64
				v, at = uvarint(at)
				r := Rate(v >> 4)
				for range v & 15 {
					r *= 10
				}
				p.put(f, above, r)
			}
		}
		if given&moreBit == 0 {
			return p
		}
		above, at = uvarint(at)
	}
}

// uvarint reads a number at prices[at] and returns what is behind it.
func uvarint(at int) (v int64, next int) {
	for shift := 0; ; shift += 7 {
		b := prices[at]
		at++
		v |= int64(b&0x7F) << shift
		if b < 0x80 {
			return v, at
		}
	}
}

func short(s string, at int) int { return int(s[at]) | int(s[at+1])<<8 }
