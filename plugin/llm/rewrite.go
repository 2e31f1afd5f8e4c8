package llm

import "strconv"

// An OptionsEdit is what becomes of a request's stream_options, which embeddings do not
// have.
type OptionsEdit uint8

const (
	KeepOptions OptionsEdit = iota // as the client wrote them
	AskUsage                       // include_usage is set to true
	DropOptions                    // taken out, for upstreams that refuse them
)

// Rewrite appends to dst the body with model in place of the one asked for
// and with stream_options edited. Spare commas are left out, and members that are for a
// proxy alone. Every other byte stays as the client sent it. body must be what a was
// parsed from and must not share memory with dst's spare room; a body of another size is
// appended as it is.
func (a *Ask) Rewrite(dst, body []byte, model string, options OptionsEdit) []byte {
	if a.model.to == 0 || len(body) != a.size {
		return append(dst, body...)
	}
	at, text := span{len(body), len(body)}, ""
	switch {
	case a.Inputs > 0:
	case options == AskUsage && !a.UsageWanted:
		at, text = a.usageEdit(body)
	case options == DropOptions && a.options.to > 0:
		at = a.dropEdit(body)
	}
	from := 0
	if at.from < a.model.from {
		dst = a.tidy(dst, body, from, at.from)
		dst = append(dst, text...)
		from = at.to
	}
	dst = a.tidy(dst, body, from, a.model.from)
	dst = AppendString(dst, model)
	from = a.model.to
	if at.from >= from {
		dst = a.tidy(dst, body, from, at.from)
		dst = append(dst, text...)
		from = at.to
	}
	return a.tidy(dst, body, from, len(body))
}

// tidy appends body[from:to] to dst without what is cut out of it.
func (a *Ask) tidy(dst, body []byte, from, to int) []byte {
	if a.cuts != nil {
		for _, cut := range a.cuts.at[:a.cuts.n] {
			if cut.from >= from && cut.from < to {
				dst = append(dst, body[from:cut.from]...)
				from = cut.to
			}
		}
	}
	return append(dst, body[from:to]...)
}

// usageEdit returns which part of body must become what to ask for usage.
func (a *Ask) usageEdit(body []byte) (span, string) {
	const member = `"include_usage":true`
	inside := span{a.options.from + 1, a.options.from + 1}
	switch {
	case a.include.to > 0:
		return a.include, "true"
	case a.options.to == 0:
		return span{a.model.to, a.model.to}, `,"stream_options":{` + member + `}`
	case body[a.options.from] != '{':
		return a.options, `{` + member + `}`
	case a.spare:
		return inside, member
	default:
		return inside, member + ","
	}
}

// dropEdit returns the part of body that is stream_options, its name and one comma
// beside it with it, if one stays there.
func (a *Ask) dropEdit(body []byte) span {
	s := a.options
	for quotes := 0; quotes < 2 && s.from > 0; { // of the name, which has none in it
		if s.from--; body[s.from] == '"' {
			quotes++
		}
	}
	before, behind := max(s.from-1, 0), s.to
	for before > 0 && (isSpace(body[before]) || a.cutAt(before)) {
		before--
	}
	for behind < len(body)-1 && (isSpace(body[behind]) || a.cutAt(behind)) {
		behind++
	}
	switch {
	case body[behind] == ',':
		s.to = behind + 1
	case body[before] == ',':
		s.from = before
	}
	return s
}

// cutAt reports whether the byte at i is cut out.
func (a *Ask) cutAt(i int) bool {
	if a.cuts == nil {
		return false
	}
	for _, cut := range a.cuts.at[:a.cuts.n] {
		if i >= cut.from && i < cut.to {
			return true
		}
	}
	return false
}

// HasOptions reports whether the client wrote stream_options.
func (a *Ask) HasOptions() bool { return a.options.to > 0 }

// maxDropped is how many members a body may have that are for a proxy alone.
const maxDropped = 32

// cuts are the parts of a body that must not go upstream, in the order of
// their beginnings. A comma may be in the part before as well.
type cuts struct {
	n  int
	at [maxDropped + maxSpareCommas]span
}

// A drop is a member on its way out of the body.
type drop struct {
	from  int  // where the cut begins; 0 if no member is being dropped
	depth int  // of the object that it is in
	first bool // no member that stays is before it: the comma behind it goes as well
}

// cut notes that what s says does not go upstream.
//
//go:noinline
func (r *askReader) cut(s span) {
	if r.ask.cuts == nil {
		r.ask.cuts = new(cuts)
	}
	c := r.ask.cuts
	c.at[c.n] = s
	c.n++
	r.ask.Untidy = true
}

// cutTo is where the last cut ends.
func (r *askReader) cutTo() int {
	if c := r.ask.cuts; c != nil && c.n > 0 {
		return c.at[c.n-1].to
	}
	return 0
}

// beginDrop drops the member whose name is at from, the first of its object or
// one behind a comma.
//
//go:noinline
func (r *askReader) beginDrop(from int, first bool) *Fault {
	if r.dropped == maxDropped {
		return &Fault{Message: "the body of the request has more than " + strconv.Itoa(maxDropped) + " members that are a proxy's own"}
	}
	r.dropped++
	r.drop = drop{from: from, depth: r.depth, first: first || r.cutTo() > r.comma}
	if !r.drop.first {
		r.drop.from = r.comma
	}
	return nil
}

// endDrop ends the member that is dropped at r.i, behind its value.
//
//go:noinline
func (r *askReader) endDrop() {
	if c := r.ask.cuts; c != nil {
		for c.n > 0 && c.at[c.n-1].from >= r.drop.from { // spare commas in it
			c.n--
		}
	}
	r.cut(span{r.drop.from, r.i})
	r.tail = r.drop.first
	r.drop.from = 0
}

// cutComma takes the comma at r.i along with the member before it.
//
//go:noinline
func (r *askReader) cutComma() {
	r.ask.cuts.at[r.ask.cuts.n-1].to = r.i + 1
	r.tail = false
}
