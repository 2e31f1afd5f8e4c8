package llm

import "fairshare/plugin/unit"

// What a picture, a sound or a file costs follows from rules that providers
// publish, and not from its bytes:
//
//	OpenAI     pictures by tiles of 512 or patches of 32 pixels ("Images and vision", Calculating costs);
//	           ten tokens a second of sound ("Realtime costs": one for each 100 ms)
//	Anthropic  width × height / 750, in 1568 pixels and 1,600 tokens at most ("Vision", Calculate image costs);
//	           1,500 to 3,000 tokens a page ("PDF support", Estimate your costs)
//	Gemini     258 tokens up to 384 pixels or for each tile of 768; 32 a second of sound, 300 a second of film
//	           ("Understand and count tokens", "Video understanding")
//
// The sums of all rules are kept, since which one holds depends on the model.

// media is what a request has of pictures, sounds and files.
type media struct {
	low   int64 // pictures that are looked at roughly, which OpenAI's rule alone knows
	high  int64 // all others
	tiles int64 // of these, by OpenAI's rules
	patch int64
	large int64 // tokens of these by Anthropic's rule,
	areas int64 // and of all pictures
	crops int64 // tiles of all pictures by Gemini's rule
	sound int64 // milliseconds
	film  int64
	pages int64
}

const (
	// An address tells no size, so a picture by URL is the largest of its
	// rule, but for Gemini's, which has no largest: there it is one of 1536
	// pixels square, which is what Anthropic's bound comes to.
	mostTiles   = 8 // 768 × 2048 pixels, or 2048 × 768
	mostPatches = 1536
	mostArea    = 1600
	urlCrops    = 4
	mostCrops   = 16 // Gemini fits what is larger into 3072 × 3072

	// lowPatches are what 512 × 512 pixels have, to which OpenAI reduces a
	// picture that is looked at roughly.
	lowPatches = 256

	// soundRate and filmRate are bytes a second of what has no header that
	// says it: speech at 64 and film at 1,000 kbit/s.
	soundRate = 8_000
	filmRate  = 125_000

	// mostSoundRate is 96 kHz in stereo with 24 bits. A header that says
	// more is not believed.
	mostSoundRate = 576_000
	pcmRate       = 48_000 // OpenAI's pcm16: 24 kHz, one channel, 16 bits

	// urlSeconds is how long a sound or a film by URL is taken for.
	urlSeconds = 60

	// pageBytes is what a page has of a PDF: Anthropic takes 32 MB and 600
	// pages. A file that is named by its id is taken for filePages.
	pageBytes  = 50_000
	filePages  = 5
	pageTokens = 2_000
)

// Measure puts into MediaTokens what the media of a request cost with model,
// which is a provider's name for one.
func (a *Ask) Measure(model string) {
	if a.media != nil {
		a.MediaTokens = a.media.tokens(model)
	}
}

// tokens is what m costs with model. Of a model that no rule is known for, a
// picture costs what OpenAI's or Anthropic's rule says, whichever is more.
//
//go:noinline
func (m *media) tokens(model string) unit.Tokens {
	seconds := int64(32)
	var pictures int64
	base, tile, hundredths := int64(85), int64(170), int64(0)
	switch {
	case has(model, "claude"):
		pictures = m.areas
	case has(model, "gemini"), has(model, "gemma"):
		pictures = m.crops * 258
	case has(model, "gpt-4o-mini"):
		base, tile = 2833, 5667
	case has(model, "gpt-4.1-mini"), has(model, "gpt-5-mini"):
		hundredths = 162
	case has(model, "gpt-4.1-nano"), has(model, "gpt-5-nano"):
		hundredths = 246
	case has(model, "o4-mini"):
		hundredths = 172
	}
	openAI := has(model, "gpt-") || has(model, "o4-mini") || hasPrefix(model, "o1") || hasPrefix(model, "o3")
	switch {
	case pictures > 0:
	case hundredths > 0:
		pictures = (m.patch + m.low*lowPatches) * hundredths / 100
	case openAI:
		pictures = (m.low+m.high)*base + m.tiles*tile
	default:
		pictures = m.low*base + max(m.high*base+m.tiles*tile, m.large)
	}
	if openAI {
		seconds = 10
	}
	return unit.Tokens(pictures + (m.sound*seconds+m.film*300+999)/1000 + m.pages*pageTokens)
}

// has reports whether s has part in it, hasPrefix whether it begins with it.
func has(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		if s[i:i+len(part)] == part {
			return true
		}
	}
	return false
}

func hasPrefix(s, part string) bool { return len(s) >= len(part) && s[:len(part)] == part }

// A part is one of the parts of a message: a text, a picture, a file. Its
// members may come in any order, so that its picture is counted when it ends.
type part struct {
	kind          param // what the container says that is in it
	rough         bool  // detail is low,
	exact         bool  // or something else, which goes before
	pending       bool  // a picture is still to be counted
	width, height int64 // of it; 0 if not known
}

// look takes a detail.
func (p *part) look(low bool) {
	p.rough = p.rough || low
	p.exact = p.exact || !low
}

// beginPart begins a part, which ends the one before it.
func (r *askReader) beginPart() {
	if r.part.pending {
		r.endPart()
	}
	r.part.rough, r.part.exact = false, false
}

// endPart counts the picture of a part.
//
//go:noinline
func (r *askReader) endPart() {
	p := &r.part
	p.pending = false
	m := r.ask.media
	w, h, tokens := p.width, p.height, int64(0)
	if w == 0 || h == 0 {
		tokens = mostArea
		m.crops += urlCrops
	} else {
		tokens = area(w, h)
		m.crops += crops(w, h)
	}
	m.areas += tokens
	switch {
	case p.rough && !p.exact:
		m.low++
		return
	case w == 0 || h == 0:
		m.tiles += mostTiles
		m.patch += mostPatches
	default:
		m.tiles += tiles(w, h)
		m.patch += min(up(w, 32)*up(h, 32), mostPatches)
	}
	m.high++
	m.large += tokens
}

// up is n/by, rounded up.
func up(n, by int64) int64 { return (n + by - 1) / by }

// fit scales a and b so that a is most, if it is more.
func fit(a, b, most int64) (int64, int64) {
	if a <= most {
		return a, b
	}
	return most, max(1, b*most/a)
}

// tiles is OpenAI's number of tiles: the picture is fitted into 2048 pixels
// square, then its shorter side into 768, and cut into squares of 512.
func tiles(w, h int64) int64 {
	w, h = fit(w, h, 2048)
	h, w = fit(h, w, 2048)
	if w < h {
		w, h = fit(w, h, 768)
	} else {
		h, w = fit(h, w, 768)
	}
	return up(w, 512) * up(h, 512)
}

// area is Anthropic's number of tokens.
func area(w, h int64) int64 {
	w, h = fit(w, h, 1568)
	h, w = fit(h, w, 1568)
	return min(up(w*h, 750), mostArea)
}

// crops is Gemini's number of tiles.
func crops(w, h int64) int64 {
	if w <= 384 && h <= 384 {
		return 1
	}
	return min(up(w, 768)*up(h, 768), mostCrops)
}

// bulkBytes is the size from which on a string is looked at for a picture, a
// sound or a file where nothing says that it may be one.
const bulkBytes = 64

// bulk takes a string whose name says that it is p, and reports whether it is a
// picture, a sound or a file. Where it may be text as well, it is one only if it
// can't be text.
func (r *askReader) bulk(p param, raw []byte) bool {
	inside := r.region == mediaRegion
	kind := p
	if p > sourceParam || p == otherParam {
		kind = fileParam
		if inside {
			kind = r.part.kind
		}
	}
	data, typ, is := dataURL(raw)
	switch {
	case is:
	case p == idParam:
		r.remote(fileParam, raw)
		return true
	case isURL(raw):
		if is = p >= imageParam && p <= videoParam || inside && p == addressParam; is {
			r.remote(kind, raw)
		}
		return is
	case p == otherParam || p < imageParam:
		is = headed(raw) && based(raw, bulkBytes)
	case inside && p == bulkParam:
		is = based(raw, 1)
	case inside && p == addressParam:
		if is = based(raw, bulkBytes); !is {
			r.remote(kind, raw)
			return true
		}
	default:
		is = based(raw, bulkBytes)
	}
	switch {
	case !is:
		return false
	case typ == textParam:
		r.ask.TextBytes += r.size * 3 / 4
		return true
	case typ != otherParam:
		kind = typ
	}
	r.local(kind, data, r.size == int64(len(raw)))
	return true
}

// have makes room for the sums.
func (r *askReader) have() *media {
	if r.ask.media == nil {
		r.ask.media = new(media)
	}
	return r.ask.media
}

// picture begins a picture of the part.
func (r *askReader) picture(w, h int64) {
	r.have()
	if r.part.pending {
		r.endPart()
	}
	const most = 1 << 20 // pixels of a side; no format that is taken has more than 65,535
	r.part.pending, r.part.width, r.part.height = true, min(w, most), min(h, most)
}

// remote counts what only an address is known of.
func (r *askReader) remote(kind param, address []byte) {
	if kind == sourceParam && len(address) > 4 && equal(address[len(address)-4:], ".pdf") {
		kind = fileParam
	}
	switch m := r.have(); kind {
	case audioParam:
		m.sound += urlSeconds * 1000
	case videoParam:
		m.film += urlSeconds * 1000
	case fileParam:
		m.pages += filePages
	default:
		r.picture(0, 0)
	}
}

// local counts what data has the base64 of. What it is its first bytes tell;
// where they don't, what its name or its type said. plain says that it has no
// escapes.
func (r *askReader) local(kind param, data []byte, plain bool) {
	size := r.size * 3 / 4
	m := r.have()
	reader := base64Reader{raw: data, plain: plain}
	w, h, is := reader.size()
	switch {
	case is:
		r.picture(w, h)
	case reader.wave > 0:
		m.sound += size * 1000 / min(max(reader.wave, 1), mostSoundRate)
	case reader.pdf:
		m.pages += up(size, pageBytes)
	case kind == imageParam:
		r.picture(0, 0)
	case kind == audioParam:
		m.sound += size * 1000 / soundRate
	case kind == videoParam:
		m.film += size * 1000 / filmRate
	default:
		m.pages += up(size, pageBytes)
	}
}

// isURL reports whether raw is an address to fetch.
func isURL(raw []byte) bool {
	for _, scheme := range [...]string{"http://", "https://", "gs://", "s3://", "file://", `http:\/\/`, `https:\/\/`} {
		if len(raw) > len(scheme) && equal(raw[:len(scheme)], scheme) {
			return true
		}
	}
	return false
}

// dataURL returns the base64 in a data URL (RFC 2397) and what its media type
// is of: one of the params of media, textParam, or otherParam.
func dataURL(raw []byte) (data []byte, typ param, ok bool) {
	const most = 256 // of all before the comma
	if len(raw) < 5 || !equal(raw[:5], "data:") {
		return raw, 0, false
	}
	comma := 5
	for comma < len(raw) && raw[comma] != ',' {
		if comma == most {
			return raw, 0, false
		}
		comma++
	}
	if comma == len(raw) {
		return raw, 0, false
	}
	switch t := raw[5:comma]; {
	case len(t) < 5:
	case equal(t[:5], "image"):
		typ = imageParam
	case equal(t[:5], "audio"):
		typ = audioParam
	case equal(t[:5], "video"):
		typ = videoParam
	case equal(t[:4], "text"):
		typ = textParam
	default:
		typ = fileParam
	}
	return raw[comma+1:], typ, true
}

// textParam is the type of a file that is text.
const textParam = schemaParam

// based reports whether raw, of at least so many bytes, looks like base64 and
// not like text: of up to 256 of its characters that lie evenly in it, all are
// base64's or of an escape.
func based(raw []byte, least int) bool {
	const samples = 256
	if len(raw) < least {
		return false
	}
	step := len(raw)/samples + 1
	for i := 0; i < len(raw); i += step {
		if c := raw[i]; c != '\\' && c != '=' && digit64(c) < 0 {
			return false
		}
	}
	return true
}

// headed reports whether raw begins like the base64 of a format that is
// common: PNG, JPEG, GIF, WebP or WAVE, PDF, MP3, Ogg, FLAC.
func headed(raw []byte) bool {
	for _, head := range [...]string{"iVBORw0KGgo", "/9j/", `\/9j\/`, "R0lGOD", "UklGR", "JVBERi0", "SUQz", "T2dnUw", "ZkxhQw"} {
		if len(raw) > len(head) && equal(raw[:len(head)], head) {
			return true
		}
	}
	return false
}
