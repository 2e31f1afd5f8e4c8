//go:build !tinygo

package llm

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"fairshare/plugin/unit"
)

// picture returns a picture in a format's own encoding.
func picture(t testing.TB, format string, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	var err error
	m := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.Black, color.White})
	switch format {
	case "png":
		err = png.Encode(&b, m)
	case "gif":
		err = gif.Encode(&b, m, nil)
	case "jpeg":
		err = jpeg.Encode(&b, m, nil)
	case "jpeg with a preview":
		if err = jpeg.Encode(&b, m, nil); err == nil {
			preview := picture(t, "jpeg", 160, 120)
			head := binary.BigEndian.AppendUint16([]byte{0xFF, 0xD8, 0xFF, 0xFF, 0xE1}, uint16(len(preview)+60_000+2))
			head = append(append(head, preview...), make([]byte, 60_000)...)
			return append(head, b.Bytes()[2:]...)
		}
	case "webp":
		return webp("VP8 ", []byte{0, 0, 0, 0x9D, 0x01, 0x2A, byte(w), byte(w >> 8), byte(h), byte(h >> 8)})
	case "webp lossless":
		v := uint32(w-1) | uint32(h-1)<<14
		return webp("VP8L", binary.LittleEndian.AppendUint32([]byte{0x2F}, v))
	case "webp extended":
		return webp("VP8X", []byte{0, 0, 0, 0, byte(w - 1), byte((w - 1) >> 8), 0, byte(h - 1), byte((h - 1) >> 8), 0})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func webp(chunk string, data []byte) []byte {
	b := append([]byte("RIFF\x00\x00\x00\x00WEBP"+chunk), 0, 0, 0, 0)
	return append(append(b, data...), make([]byte, 40)...)
}

// tokens is what the parts of a message cost with a model, beside TextBytes.
func tokens(t testing.TB, model, parts string) (unit.Tokens, int64) {
	t.Helper()
	ask, fault := parseAsk([]byte(`{"messages":[{"content":[` + parts + `]}],"model":"` + model + `"}`))
	if fault != nil {
		t.Fatalf("%+v", fault)
	}
	return ask.MediaTokens, ask.TextBytes
}

func TestPicturesBySize(t *testing.T) {
	for _, c := range []struct {
		w, h   int
		gpt4o  unit.Tokens // OpenAI's own examples and rule
		claude unit.Tokens
		gemini unit.Tokens
		nano   unit.Tokens // GPT-4.1 nano
	}{
		{w: 1024, h: 1024, gpt4o: 765, claude: 1399, gemini: 4 * 258, nano: 1024 * 246 / 100},
		{w: 2048, h: 4096, gpt4o: 1105, claude: 1600, gemini: 16 * 258, nano: 1536 * 246 / 100},
		{w: 512, h: 512, gpt4o: 255, claude: 350, gemini: 258, nano: 256 * 246 / 100},
		{w: 200, h: 200, gpt4o: 255, claude: 54, gemini: 258, nano: 49 * 246 / 100},
		{w: 1, h: 4000, gpt4o: 85 + 4*170, claude: 3, gemini: 6 * 258, nano: 125 * 246 / 100},
		{w: 4000, h: 3000, gpt4o: 765, claude: 1600, gemini: 16 * 258, nano: 1536 * 246 / 100},
	} {
		for _, format := range []string{"png", "gif", "jpeg", "jpeg with a preview", "webp", "webp lossless", "webp extended"} {
			part := `{"type":"image_url","image_url":{"url":"data:image/x;base64,` + base64.StdEncoding.EncodeToString(picture(t, format, c.w, c.h)) + `"}}`
			for model, want := range map[string]unit.Tokens{
				"gpt-4o": c.gpt4o, "claude-sonnet-4": c.claude, "gemini-2.5-flash": c.gemini, "gpt-4.1-nano": c.nano, "other": max(c.gpt4o, c.claude),
			} {
				if got, text := tokens(t, model, part); got != want || text != int64(len("image_url")) {
					t.Errorf("%s of %d × %d with %s: %d tokens and %d bytes of text, want %d and 9", format, c.w, c.h, model, got, text, want)
				}
			}
		}
	}
}

// Every form in which clients send a picture is one.
func TestPictureForms(t *testing.T) {
	raw := picture(t, "png", 600, 600) // 4 tiles: 765 tokens
	std := base64.StdEncoding.EncodeToString(raw)
	lines := ""
	for i := 0; i < len(std); i += 76 {
		lines += std[i:min(i+76, len(std))] + `\r\n`
	}
	for _, part := range []string{
		`{"image_url":{"url":"data:image/png;base64,` + std + `"}}`,
		`{"image_url":{"detail":"high","url":"data:image/png;charset=utf-8;base64,` + std + `"}}`,
		`{"image_url":{"url":"data:;base64,` + std + `","detail":"auto"}}`,
		`{"image_url":{"url":"data:image/png;base64,` + base64.URLEncoding.EncodeToString(raw) + `"}}`,
		`{"image_url":{"url":"data:image/png;base64,` + base64.RawStdEncoding.EncodeToString(raw) + `"}}`,
		`{"image_url":{"url":"data:image\/png;base64,` + strings.ReplaceAll(std, "/", `\/`) + `"}}`,
		`{"image_url":{"url":"data:image/png;base64,` + lines + `"}}`,
		`{"image_url":{"url":"` + std + `"}}`,
		`{"image_url":"data:image/png;base64,` + std + `"}`,
		`{"type":"input_image","detail":"auto","image_url":"data:image/png;base64,` + std + `"}`,
		`{"type":"image","image":"data:image/png;base64,` + std + `"}`,
		`{"type":"image","image":"` + std + `"}`,
		`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + std + `"}}`,
		`{"inline_data":{"mime_type":"image/png","data":"` + std + `"}}`,
		`{"inlineData":{"data":"` + std + `"}}`,
		`{"type":"file","file":{"filename":"a.png","file_data":"data:image/png;base64,` + std + `"}}`,
		`{"images":["` + std + `"]}`,
		`{"type":"tool_result","content":[{"type":"image","source":{"data":"` + std + `"}}]}`,
		`{"unknown":{"data":"` + std + `"}}`,
	} {
		if got, text := tokens(t, "gpt-4o", part); got != 765 || text > 60 {
			t.Errorf("%.90s…: %d tokens and %d bytes of text, want 765", part, got, text)
		}
	}
}

func TestPictureDetail(t *testing.T) {
	data := `"data:image/png;base64,` + base64.StdEncoding.EncodeToString(picture(t, "png", 1024, 1024)) + `"`
	for _, c := range []struct {
		part string
		want unit.Tokens
	}{
		{`{"image_url":{"url":` + data + `,"detail":"low"}}`, 85},
		{`{"image_url":{"detail":"low","url":` + data + `}}`, 85},
		{`{"image_url":` + data + `,"detail":"low"}`, 85},
		{`{"detail":"low","image_url":` + data + `}`, 85},
		{`{"image_url":{"url":` + data + `,"detail":"high"}}`, 765},
		{`{"image_url":{"url":` + data + `,"detail":"auto"}}`, 765},
		{`{"image_url":{"url":` + data + `,"detail":null}}`, 765},
		// Two that contradict each other: the server may read either.
		{`{"image_url":{"url":` + data + `,"detail":"high"},"detail":"low"}`, 765},
		{`{"image_url":{"detail":"low","detail":"high","url":` + data + `}}`, 765},
		// One part's detail is not the next one's.
		{`{"image_url":{"url":` + data + `,"detail":"low"}},{"image_url":{"url":` + data + `}}`, 85 + 765},
		{`{"detail":"low","text":"x"},{"image_url":{"url":` + data + `}}`, 765},
		{`{"image_url":{"url":"https://x/y.png","detail":"low"}}`, 85},
		// By URL, the largest that there is.
		{`{"image_url":{"url":"https://x/y.png"}}`, 85 + 8*170},
		{`{"image_url":"https://x/y.png"}`, 85 + 8*170},
		{`{"type":"image","source":{"type":"url","url":"https://x/y.png"}}`, 85 + 8*170},
		{`{"image_url":{"url":"file-abc123"}}`, 85 + 8*170},
		// Of a format that is not known, too.
		{`{"image_url":{"url":"data:image/avif;base64,` + strings.Repeat("AAAA", 99) + `"}}`, 85 + 8*170},
	} {
		if got, _ := tokens(t, "gpt-4o", c.part); got != c.want {
			t.Errorf("%.60s…%s: %d tokens, want %d", c.part, c.part[len(c.part)-min(len(c.part), 40):], got, c.want)
		}
	}
	// What one picture costs less another one may not hide.
	both := `{"image_url":{"url":` + data + `}},{"image_url":{"url":` + data + `,"detail":"low"}}`
	if got, _ := tokens(t, "other", both); got != 1399+85 {
		t.Errorf("one exactly and one roughly: %d tokens, want %d", got, 1399+85)
	}
	if got, _ := tokens(t, "gpt-4o-mini", both); got != 2833+4*5667+2833 {
		t.Errorf("one exactly and one roughly with gpt-4o-mini: %d tokens, want %d", got, 2833+4*5667+2833)
	}
}

func TestSoundsFilesAndFilms(t *testing.T) {
	wave := func(rate uint32, size int) string {
		b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00")
		b = binary.LittleEndian.AppendUint32(b, rate)
		return base64.StdEncoding.EncodeToString(append(b, make([]byte, size-len(b))...))
	}
	of := func(head string, size int) string {
		return base64.StdEncoding.EncodeToString(append([]byte(head), make([]byte, size-len(head))...))
	}
	for _, c := range []struct {
		part        string
		gpt, gemini unit.Tokens
		text        int64
	}{
		// Ten seconds.
		{part: `{"input_audio":{"data":"` + wave(32_000, 320_001) + `","format":"wav"}}`, gpt: 100, gemini: 320, text: 3},
		{part: `{"input_audio":{"data":"` + of("ID3", 80_001) + `","format":"mp3"}}`, gpt: 100, gemini: 320, text: 3},
		// A header that would make it a moment is not believed.
		{part: `{"input_audio":{"data":"` + wave(1<<32-1, 576_000*3) + `"}}`, gpt: 30, gemini: 96},
		{part: `{"audio_url":{"url":"https://x/y.mp3"}}`, gpt: 600, gemini: 1920},
		{part: `{"file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,` + of("%PDF-1.7", 120_000) + `"}}`, gpt: 6000, gemini: 6000, text: 5},
		{part: `{"type":"document","source":{"data":"` + of("%PDF-1.7", 120_000) + `"}}`, gpt: 6000, gemini: 6000, text: 8},
		{part: `{"file":{"file_id":"file-abc"}}`, gpt: 10_000, gemini: 10_000},
		{part: `{"type":"input_file","file_id":"file-abc"}`, gpt: 10_000, gemini: 10_000, text: 10},
		{part: `{"file":{"file_data":"data:text/plain;base64,` + strings.Repeat("aGVs", 1000) + `"}}`, text: (4000 + 23) * 3 / 4},
		{part: `{"video_url":{"url":"https://x/y.mp4"}}`, gpt: 18_000, gemini: 18_000},
		{part: `{"video_url":{"url":"data:video/mp4;base64,` + of("\x00\x00\x00\x20ftypisom", 1_250_000) + `"}}`, gpt: 3000, gemini: 3000},
		// Text is text, whatever its member is called.
		{part: `{"type":"document","source":{"type":"text","data":"` + strings.Repeat("some words ", 100) + `"}}`, text: 8 + 4 + 1100},
		{part: `{"type":"text","data":"` + strings.Repeat("some words ", 100) + `"}`, text: 4 + 1100},
		{part: `{"type":"text","text":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA"}`, text: 4 + 46},
		{part: `{"type":"text","source":"https://x/y","url":"https://x/y"}`, text: 4 + 11 + 11},
	} {
		for model, want := range map[string]unit.Tokens{"gpt-4o": c.gpt, "gemini-2.5-flash": c.gemini} {
			got, text := tokens(t, model, c.part)
			if got < want || got > want+want/100 || text < c.text || text > c.text+3 {
				t.Errorf("%.80s… with %s: %d tokens and %d bytes of text, want %d and %d", c.part, model, got, text, want, c.text)
			}
		}
	}
}

// Bulk in members that are not known is no text, as far as its bytes tell.
func TestBulkElsewhere(t *testing.T) {
	png := base64.StdEncoding.EncodeToString(picture(t, "png", 1024, 1024))
	for _, member := range []string{
		`"x":"` + png + `"`, `"x":"data:image/png;base64,` + png + `"`, `"x":[{"y":["` + png + `"]}]`, `"documents":[{"image":"` + png + `"}]`,
	} {
		ask, fault := parseAsk([]byte(`{"model":"gpt-4o","messages":[],` + member + `}`))
		if fault != nil || ask.TextBytes != 0 || ask.MediaTokens != 765 {
			t.Errorf("%.40s…: %d tokens and %d bytes of text, fault %+v", member, ask.MediaTokens, ask.TextBytes, fault)
		}
	}
	words := strings.Repeat("iVBORw0KGgo some words ", 100)
	if ask, _ := parseAsk([]byte(`{"model":"gpt-4o","messages":[],"x":"` + words + `"}`)); ask.TextBytes != int64(len(words)) {
		t.Errorf("text that begins like a picture: %d bytes", ask.TextBytes)
	}
}

// FuzzPicture: whatever the bytes of a picture are, reading its size ends
// within them, and no size makes its tokens more than its rules' largest.
func FuzzPicture(f *testing.F) {
	for _, format := range []string{"png", "gif", "jpeg", "jpeg with a preview", "webp", "webp lossless", "webp extended"} {
		f.Add(picture(f, format, 300, 200)[:60], format == "png")
	}
	f.Fuzz(func(t *testing.T, data []byte, broken bool) {
		text := base64.StdEncoding.EncodeToString(data)
		if broken {
			text = strings.ReplaceAll(text, "A", `A\n\/`)
		}
		got, _ := tokens(t, "gpt-4o", `{"image_url":{"url":"data:image/png;base64,`+text+`"}}`)
		if got > unit.Tokens(len(data))*pageTokens+85+8*170 {
			t.Fatalf("%x: %d tokens", data, got)
		}
	})
}
