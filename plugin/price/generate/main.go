// Command generate writes table.go of package price from LiteLLM's price file,
// model_prices_and_context_window.json:
//
//	go run ./plugin/price/generate model_prices_and_context_window.json 2026-10-21 >plugin/price/table.go
//
// The second argument is the day of the file, which no line in it tells. It
// takes the prices per token of text models of the providers that people use,
// and writes to stderr what it took and left out.
package main

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"go/format"
	"log"
	"math/big"
	"os"
	"slices"
	"strings"
	"time"
)

// families has the providers that are taken, and under which name.
var families = map[string]string{
	"openai":                        "openai",
	"text-completion-openai":        "openai",
	"azure":                         "azure",
	"azure_text":                    "azure",
	"azure_ai":                      "azure_ai",
	"anthropic":                     "anthropic",
	"gemini":                        "gemini",
	"mistral":                       "mistral",
	"codestral":                     "codestral",
	"deepseek":                      "deepseek",
	"groq":                          "groq",
	"xai":                           "xai",
	"cohere":                        "cohere",
	"cohere_chat":                   "cohere",
	"together_ai":                   "together_ai",
	"fireworks_ai":                  "fireworks_ai",
	"fireworks_ai-embedding-models": "fireworks_ai",
	"openrouter":                    "openrouter",
	"bedrock":                       "bedrock",
	"bedrock_converse":              "bedrock",
}

var modes = []string{"chat", "completion", "embedding", "responses"}

// fields are in the order of package price's.
var fields = []string{
	"input_cost_per_token",
	"output_cost_per_token",
	"cache_read_input_token_cost",
	"cache_creation_input_token_cost",
	"output_cost_per_reasoning_token",
	"input_cost_per_audio_token",
	"output_cost_per_audio_token",
}

// tiered is how many of fields may have thresholds, and tiers how many of
// those a price may have.
const (
	tiered = 4
	tiers  = 3
)

const blockSize = 16

type model struct {
	name  string
	price string // as in the table
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: generate FILE DAY")
	}
	day, err := time.Parse(time.DateOnly, os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	models, err := read(text)
	if err != nil {
		log.Fatal(err)
	}
	source, err := write(models, day)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := os.Stdout.Write(source); err != nil {
		log.Fatal(err)
	}
}

// read returns the models of the file that are taken, by name.
func read(text []byte) ([]model, error) {
	var file map[string]map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&file); err != nil {
		return nil, err
	}
	delete(file, "sample_spec")
	left := map[string]int{}
	byName := map[string]model{}
	// Names with their provider first: where a bare one differs, it stays bare.
	keys := make([]string, 0, len(file))
	for key := range file {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(-cmp.Compare(strings.Count(a, "/"), strings.Count(b, "/")), strings.Compare(a, b))
	})
	for _, key := range keys {
		entry := file[key]
		provider, _ := entry["litellm_provider"].(string)
		family := families[provider]
		if strings.HasPrefix(provider, "vertex_ai") {
			family = "vertex_ai"
		}
		mode, _ := entry["mode"].(string)
		switch {
		case family == "":
			left["of other providers"]++
			continue
		case !slices.Contains(modes, mode):
			left["of other modes"]++
			continue
		case !tokenPriced(entry):
			left["not priced by tokens"]++
			continue
		}
		price, err := encode(family, entry)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		m := model{name: key, price: price}
		if !strings.HasPrefix(key, family+"/") {
			m.name = family + "/" + key
		}
		if before, ok := byName[m.name]; ok {
			if before.price == m.price {
				continue
			}
			m.name = key
		}
		if len(m.name) > 255 {
			return nil, fmt.Errorf("%s: the name is too long", m.name)
		}
		byName[m.name] = m
	}
	for why, n := range left {
		log.Printf("left out %4d %s", n, why)
	}
	models := make([]model, 0, len(byName))
	for _, m := range byName {
		models = append(models, m)
	}
	slices.SortFunc(models, func(a, b model) int { return strings.Compare(a.name, b.name) })
	return models, nil
}

// tokenPriced reports whether tokens are what a model charges for: it has a
// price for input, and if that and the one for output are 0, no other price.
func tokenPriced(entry map[string]any) bool {
	if _, ok := entry[fields[0]].(json.Number); !ok {
		return false
	}
	free, other := true, false
	for name, value := range entry {
		n, ok := value.(json.Number)
		if !ok || !strings.Contains(name, "cost") {
			continue
		}
		if v, err := n.Float64(); err != nil || v == 0 {
			continue
		}
		if slices.Contains(fields, name) {
			free = false
		} else {
			other = true
		}
	}
	return !free || !other
}

// encode returns the price of an entry in the form of package price's table.
func encode(family string, entry map[string]any) (string, error) {
	price, err := encodeRates(entry, fields, "")
	if err != nil {
		return "", err
	}
	thresholds := map[int64]bool{}
	for name := range entry {
		for _, f := range fields[:tiered] {
			var n int64
			tail, ok := strings.CutPrefix(name, f)
			if !ok {
				continue
			}
			if _, err := fmt.Sscanf(tail, "_above_%dk_tokens", &n); err == nil && tail == fmt.Sprintf("_above_%dk_tokens", n) {
				thresholds[n] = true
			}
		}
	}
	if len(thresholds) > tiers {
		return "", fmt.Errorf("%d thresholds", len(thresholds))
	}
	last := 0 // where in price the last given is
	sorted := make([]int64, 0, tiers)
	for n := range thresholds {
		sorted = append(sorted, n)
	}
	slices.Sort(sorted)
	for _, n := range sorted {
		rates, err := encodeRates(entry, fields[:tiered], fmt.Sprintf("_above_%dk_tokens", n))
		if err != nil {
			return "", err
		}
		above := uint64(n) * 1000
		if family == "xai" {
			above-- // xAI's tiers begin at the threshold, LiteLLM knows
		}
		price[last] |= 1 << 7
		price = binary.AppendUvarint(price, above)
		last = len(price)
		price = append(price, rates...)
	}
	return string(price), nil
}

func encodeRates(entry map[string]any, fields []string, suffix string) ([]byte, error) {
	out := []byte{0}
	for f, name := range fields {
		n, ok := entry[name+suffix].(json.Number)
		if !ok {
			continue
		}
		rate, ok := new(big.Rat).SetString(string(n))
		if !ok {
			return nil, fmt.Errorf("%s%s is %s", name, suffix, n)
		}
		rate.Mul(rate, big.NewRat(1e15, 1))
		if !rate.IsInt() || rate.Sign() < 0 || rate.Num().Cmp(big.NewInt(1e15)) > 0 {
			return nil, fmt.Errorf("%s%s is %s", name, suffix, n)
		}
		mantissa, power := rate.Num().Uint64(), uint64(0)
		for mantissa != 0 && mantissa%10 == 0 {
			mantissa, power = mantissa/10, power+1
		}
		out[0] |= 1 << f
		out = binary.AppendUvarint(out, mantissa<<4|power)
	}
	return out, nil
}

// write returns the source of table.go.
func write(models []model, day time.Time) ([]byte, error) {
	var prices strings.Builder
	at := map[string]int{}
	// The longest first: a price may stand within another.
	distinct := make([]string, 0, len(models))
	for _, m := range models {
		if _, ok := at[m.price]; !ok {
			at[m.price] = -1
			distinct = append(distinct, m.price)
		}
	}
	slices.SortStableFunc(distinct, func(a, b string) int { return len(b) - len(a) })
	for _, p := range distinct {
		if i := strings.Index(prices.String(), p); i >= 0 {
			at[p] = i
			continue
		}
		at[p] = prices.Len()
		prices.WriteString(p)
	}
	var names, blocks []byte
	before := ""
	for i, m := range models {
		shared := 0
		if i%blockSize == 0 {
			blocks = binary.LittleEndian.AppendUint16(blocks, uint16(len(names)))
		} else {
			for shared < len(before) && shared < len(m.name) && before[shared] == m.name[shared] {
				shared++
			}
			names = append(names, byte(shared))
		}
		names = append(names, byte(len(m.name)-shared))
		names = append(names, m.name[shared:]...)
		names = binary.LittleEndian.AppendUint16(names, uint16(at[m.price]))
		before = m.name
	}
	if len(names) > 1<<16 || prices.Len() > 1<<16 {
		return nil, fmt.Errorf("%d bytes of names and %d of prices: offsets have two bytes", len(names), prices.Len())
	}
	log.Printf("%d models, %d prices, %d bytes: names %d, blocks %d, prices %d",
		len(models), len(distinct), len(names)+len(blocks)+prices.Len(), len(names), len(blocks), prices.Len())

	var out bytes.Buffer
	fmt.Fprintf(&out, `// Code generated by plugin/price/generate. DO NOT EDIT.

package price

// TableDate is the day of LiteLLM's price file, model_prices_and_context_window.json,
// that the table was made of.
const TableDate = %q

// The table has %d models, see lookup.go for its layout.
const (
`, day.Format(time.DateOnly), len(models))
	literal(&out, "blocks", string(blocks))
	literal(&out, "names", string(names))
	literal(&out, "prices", prices.String())
	out.WriteString(")\n")
	return format.Source(out.Bytes())
}

// literal writes a constant in lines that can be read.
func literal(out *bytes.Buffer, name, value string) {
	const width = 96
	fmt.Fprintf(out, "%s = \"\"", name)
	for len(value) > 0 {
		n := min(width, len(value))
		out.WriteString(" +\n\"")
		for i := range n {
			switch c := value[i]; {
			case c == '"' || c == '\\':
				out.WriteByte('\\')
				out.WriteByte(c)
			case c >= ' ' && c <= '~':
				out.WriteByte(c)
			default:
				fmt.Fprintf(out, "\\x%02x", c)
			}
		}
		out.WriteString("\"")
		value = value[n:]
	}
	out.WriteString("\n")
}
