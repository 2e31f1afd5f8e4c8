package script

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// masks are the parts of a text that come from chance or from the clock of
// the machine.
var masks = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`("id": ?)"(chatcmpl|cmpl|msg|resp|embd)[-_][^"]*"`), `$1"<id>"`},
	{regexp.MustCompile(`("created": ?)\d+`), `$1<created>`},
	{regexp.MustCompile(`("(?:created_at|updated_at)": ?)"[^"]*"`), `$1"<time>"`},
	{regexp.MustCompile(`("key_name": ?)"[^"]*"`), `$1"<short>"`},
}

// normal returns text without what comes from chance.
func (r *run) normal(text string) string {
	var names []string
	for name := range r.keys {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		sum := sha256.Sum256([]byte(r.keys[name]))
		whole := hex.EncodeToString(sum[:])
		text = strings.ReplaceAll(text, whole, "<sha256 of "+name+">")
		text = strings.ReplaceAll(text, whole[:16]+"...", "<sha256 of "+name+">...")
		text = strings.ReplaceAll(text, r.keys[name], "<key "+name+">")
	}
	for _, m := range masks {
		text = m.what.ReplaceAllString(text, m.by)
	}
	return text
}

// printReply returns what a client received as a scenario shows it.
func (r *run) printReply(p Reply, show []string) string {
	head := fmt.Sprintf("reply %d", p.Status)
	if p.Cut {
		head += " cut"
	}
	return r.print(head, p.Headers, show, p.Body)
}

// print returns a message as a scenario shows it: a first line, the headers
// named in show in that order, and the body, with a newline at its end.
func (r *run) print(head string, headers [][2]string, show []string, body []byte) string {
	var b strings.Builder
	b.WriteString(head + "\n")
	for _, name := range show {
		for _, p := range headers {
			if strings.EqualFold(p[0], name) {
				b.WriteString(name + ": " + p[1] + "\n")
			}
		}
	}
	b.Write(body)
	if len(body) > 0 && body[len(body)-1] != '\n' {
		b.WriteByte('\n')
	}
	return r.normal(b.String())
}
