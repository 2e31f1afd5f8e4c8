package script

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/rogpeppe/go-internal/txtar"
)

// ErrSkipped says that a scenario ended itself with skip.
var ErrSkipped = errors.New("script: skipped")

// Options say how a scenario is run.
type Options struct {
	Driver Driver

	// Is names the driver for conditions: core, sim, envoy, or the profile
	// of a host, kong, apisix, istio.
	Is []string

	// Update rewrites the expected files of the scenario instead of failing
	// when they differ.
	Update bool
}

// conditions are the words that may stand in brackets.
var conditions = []string{"core", "sim", "envoy", "istio", "kong", "apisix"}

// start is when a scenario begins unless it says otherwise: the beginning of
// a minute, an hour and half a day.
var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// Files returns the scenarios in dir, sorted by name.
func Files(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("script: no scenario in %s", dir)
	}
	return files, err
}

// Run runs the scenario in file and closes the driver. The error, when the
// scenario fails, is a text of several lines that tells the phase, the
// commands in it and what was wanted and got.
func Run(file string, opt Options) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	updated, err := RunText(filepath.Base(file), data, opt)
	if err == nil && updated != nil {
		err = os.WriteFile(file, updated, 0o666)
	}
	return err
}

// RunText is Run for the text of a scenario. updated is the new text if
// opt.Update changed it, and nil otherwise.
func RunText(name string, text []byte, opt Options) (updated []byte, err error) {
	r := &run{name: name, opt: opt, archive: txtar.Parse(text), env: map[string]string{}, keys: map[string]string{}, compared: map[string]bool{}, now: start}
	for i, f := range r.archive.Files {
		if slices.ContainsFunc(r.archive.Files[:i], func(g txtar.File) bool { return g.Name == f.Name }) {
			return nil, fmt.Errorf("%s: two files are named %s", name, f.Name)
		}
	}
	defer func() {
		if e := opt.Driver.Close(); e != nil && err == nil {
			err = e
		}
	}()
	if err := r.commands(string(r.archive.Comment)); err != nil {
		return nil, err
	}
	if r.changed {
		return txtar.Format(r.archive), nil
	}
	return nil, nil
}

// A run is a scenario in progress.
type run struct {
	name    string
	opt     Options
	archive *txtar.Archive
	changed bool // an expected file was rewritten

	compared map[string]bool // the expected files so far; none is rewritten twice

	phase []string // the comment and the commands so far of the present phase
	open  bool     // the last line was a comment

	stdout  string
	env     map[string]string
	master  string
	keys    map[string]string // name to key
	now     time.Time         // where the clock stands
	began   time.Time         // where it stood at config
	running bool
}

// errStop ends a scenario before its last line.
var errStop = errors.New("stop")

// commands runs the script line by line.
func (r *run) commands(text string) error {
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if comment, ok := strings.CutPrefix(line, "#"); ok {
			if !r.open {
				r.phase = nil
			}
			r.open = true
			r.phase = append(r.phase, "#"+comment)
			continue
		}
		r.open = false
		if line == "" {
			continue
		}
		err := r.line(line)
		switch {
		case errors.Is(err, errStop):
			return nil
		case errors.Is(err, ErrSkipped):
			return err
		case err != nil:
			var b strings.Builder
			fmt.Fprintf(&b, "%s:%d: %v\n\n", r.name, i+1, line)
			for _, p := range r.phase {
				fmt.Fprintln(&b, p)
			}
			fmt.Fprintf(&b, "> %s\n%v", line, err)
			return errors.New(b.String())
		}
		r.phase = append(r.phase, "> "+line)
	}
	return nil
}

// line runs one command.
func (r *run) line(line string) error {
	words, err := split(line)
	if err != nil {
		return err
	}
	for len(words) > 0 && strings.HasPrefix(words[0], "[") {
		want, err := r.condition(words[0])
		if err != nil {
			return err
		}
		if !want {
			return nil
		}
		words = words[1:]
	}
	fails := len(words) > 0 && words[0] == "!"
	if fails {
		words = words[1:]
	}
	if len(words) == 0 {
		return errors.New("a command is missing")
	}
	command, ok := verbs[words[0]]
	if !ok {
		return fmt.Errorf("there is no command %q", words[0])
	}
	if command.driver && !r.running {
		return fmt.Errorf("%s comes before config", words[0])
	}
	args, err := command.parse(words[1:])
	if err != nil {
		return fmt.Errorf("%s: %w", words[0], err)
	}
	err = command.do(r, args)
	var refused refusal
	switch {
	case fails && err == nil:
		return errors.New("it was to fail but did not")
	case fails && errors.As(err, &refused):
		return nil
	}
	return err
}

// A refusal is a failure that a scenario can want, by !.
type refusal struct{ error }

// condition returns whether a word such as [sim] or [!envoy] holds.
func (r *run) condition(word string) (bool, error) {
	name, ok := strings.CutSuffix(word[1:], "]")
	if !ok {
		return false, fmt.Errorf("%s has no closing bracket", word)
	}
	name, not := strings.CutPrefix(name, "!")
	if !slices.Contains(conditions, name) {
		return false, fmt.Errorf("there is no condition %q, only %s", name, strings.Join(conditions, ", "))
	}
	return slices.Contains(r.opt.Is, name) != not, nil
}

// split returns the words of a line.
func split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	quoted, some := false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\'':
			quoted, some = !quoted, true
		case (c == ' ' || c == '\t') && !quoted:
			if some {
				words = append(words, word.String())
				word.Reset()
				some = false
			}
		case c == '#' && !quoted && !some:
			i = len(line)
		default:
			word.WriteByte(c)
			some = true
		}
	}
	if quoted {
		return nil, errors.New("a quote is not closed")
	}
	if some {
		words = append(words, word.String())
	}
	return words, nil
}

// file returns the file of the archive with this name; "stdout" is what the
// last command printed.
func (r *run) file(name string) ([]byte, error) {
	if name == "stdout" {
		return []byte(r.stdout), nil
	}
	for _, f := range r.archive.Files {
		if f.Name == name {
			return f.Data, nil
		}
	}
	return nil, fmt.Errorf("there is no file %q", name)
}

// body returns a file without the newline that txtar wants at its end.
func (r *run) body(name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	b, err := r.file(name)
	if filepath.Ext(name) == ".sse" {
		return b, err
	}
	return bytes.TrimSuffix(b, []byte("\n")), err
}

// compare is cmp.
func (r *run) compare(got, want string) error {
	g, err := r.file(got)
	if err != nil {
		return err
	}
	w, err := r.file(want)
	if err != nil && !(r.opt.Update && got == "stdout") {
		return err
	}
	compared := r.compared[want]
	r.compared[want] = true
	if bytes.Equal(g, w) && err == nil {
		return nil
	}
	if r.opt.Update && !compared {
		r.changed = true
		for i := range r.archive.Files {
			if r.archive.Files[i].Name == want {
				r.archive.Files[i].Data = g
				return nil
			}
		}
		r.archive.Files = append(r.archive.Files, txtar.File{Name: want, Data: g})
		return nil
	}
	return fmt.Errorf("want (%s):\n%s\ngot (%s):\n%s\n%s", want, indent(w), got, indent(g), diff.Diff(want, w, got, g))
}

func indent(b []byte) string {
	return "    " + strings.ReplaceAll(strings.TrimSuffix(string(b), "\n"), "\n", "\n    ") + "\n"
}

// match is stdout.
func (r *run) match(pattern string) error {
	re, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		return err
	}
	if !re.MatchString(r.stdout) {
		return refusal{fmt.Errorf("no match for %q in:\n%s", pattern, indent([]byte(r.stdout)))}
	}
	return nil
}
