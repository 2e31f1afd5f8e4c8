package script

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A verb is a command of the language.
type verb struct {
	words    int      // the most plain words that it takes
	least    int      // and the fewest
	settings []string // the K=V words that it takes
	flags    []string // the single words that it takes beside
	driver   bool     // needs a running gateway
	do       func(r *run, a args) error
}

// args are the words after a verb.
type args struct {
	words    []string
	settings map[string][]string
	flags    []string
}

// get returns the last value of a setting, or otherwise.
func (a args) get(name, otherwise string) string {
	if v := a.settings[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return otherwise
}

// number is get for a whole number that is not negative.
func (a args) number(name string) (int, error) {
	n, err := strconv.Atoi(a.get(name, "0"))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s=: want a number, got %q", name, a.get(name, ""))
	}
	return n, nil
}

// word returns plain word i, or "".
func (a args) word(i int) string {
	if i < len(a.words) {
		return a.words[i]
	}
	return ""
}

// parse sorts words into args.
func (v verb) parse(words []string) (args, error) {
	a := args{settings: map[string][]string{}}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		switch {
		case ok && slices.Contains(v.settings, name):
			a.settings[name] = append(a.settings[name], value)
		case ok && v.settings != nil && !strings.ContainsAny(name, "/?"):
			return a, fmt.Errorf("there is no setting %s=, only %s=", name, strings.Join(v.settings, "=, "))
		case slices.Contains(v.flags, w):
			a.flags = append(a.flags, w)
		default:
			a.words = append(a.words, w)
		}
	}
	if len(a.words) < v.least || len(a.words) > v.words {
		return a, fmt.Errorf("got %d words, want %d to %d", len(a.words), v.least, v.words)
	}
	return a, nil
}

// verbs are the commands, see doc.go.
var verbs map[string]verb

func init() {
	verbs = map[string]verb{
		"config": {words: 1, least: 1, settings: []string{"workers", "now"}, do: (*run).config},
		"env":    {words: 1, least: 1, do: (*run).setenv},
		"reload": {words: 1, least: 1, driver: true, do: (*run).reload},
		"key":    {words: 2, least: 1, driver: true, do: (*run).key},
		"ask": {
			words: 2, least: 1, driver: true,
			settings: []string{"worker", "key", "method", "path", "header", "show"}, do: (*run).ask,
		},
		"get": {
			words: 1, least: 1, driver: true,
			settings: []string{"worker", "key", "header", "show"}, do: (*run).get,
		},
		"post": {
			words: 2, least: 1, driver: true,
			settings: []string{"worker", "key", "header", "show"}, do: (*run).post,
		},
		"answer": {
			words: 2, least: 1, driver: true, settings: []string{"status", "cut", "header", "show"},
			flags: []string{"sse", "json", "untyped", "more"}, do: (*run).answer,
		},
		"reset": {words: 1, least: 1, driver: true, settings: []string{"show"}, do: (*run).reset},
		"abort": {words: 1, least: 1, driver: true, do: func(r *run, a args) error { return r.opt.Driver.Abort(a.word(0)) }},
		"trap":  {words: 1, least: 1, driver: true, do: func(r *run, a args) error { return r.opt.Driver.Trap(a.word(0)) }},
		"wait":  {words: 1, least: 1, driver: true, do: (*run).wait},
		"at":    {words: 1, least: 1, driver: true, do: (*run).at},
		"cmp":   {words: 2, least: 2, do: func(r *run, a args) error { return r.compare(a.word(0), a.word(1)) }},
		"stdout": {
			words: 1, least: 1,
			do: func(r *run, a args) error { return r.match(a.word(0)) },
		},
		"skip": {words: 1, least: 0, do: func(_ *run, a args) error { return fmt.Errorf("%w: %s", ErrSkipped, a.word(0)) }},
		"stop": {do: func(*run, args) error { return errStop }},
	}
}

func (r *run) setenv(a args) error {
	name, value, ok := strings.Cut(a.word(0), "=")
	if !ok {
		return fmt.Errorf("want NAME=VALUE, got %q", a.word(0))
	}
	r.env[name] = value
	return nil
}

func (r *run) config(a args) error {
	config, err := r.body(a.word(0))
	if err != nil {
		return err
	}
	workers, err := a.number("workers")
	if err != nil {
		return err
	}
	if now := a.get("now", ""); now != "" {
		if r.now, err = time.Parse(time.RFC3339, now); err != nil {
			return err
		}
	}
	if r.running {
		return errors.New("the gateway runs already; reload replaces its configuration")
	}
	r.began = r.now
	r.master = r.masterKey(config)
	r.stdout = ""
	if err := r.opt.Driver.Start(Setup{Config: config, Workers: max(workers, 1), Now: r.now, Env: r.env}); err != nil {
		r.stdout = err.Error() + "\n"
		return refusal{err}
	}
	r.running = true
	return nil
}

// masterKey returns general_settings.master_key of a configuration, or "".
func (r *run) masterKey(config []byte) string {
	var c struct {
		General struct {
			MasterKey string `json:"master_key"`
		} `json:"general_settings"`
	}
	// A configuration that does not parse is the gateway's to report.
	_ = json.Unmarshal(config, &c)
	if name, ok := strings.CutPrefix(c.General.MasterKey, "os.environ/"); ok {
		return r.env[name]
	}
	return c.General.MasterKey
}

func (r *run) reload(a args) error {
	config, err := r.body(a.word(0))
	if err != nil {
		return err
	}
	r.stdout = ""
	if err := r.opt.Driver.Reload(config); err != nil {
		r.stdout = err.Error() + "\n"
		return refusal{err}
	}
	r.master = r.masterKey(config)
	return nil
}

func (r *run) key(a args) error {
	name := a.word(0)
	body := []byte("{}")
	if a.word(1) != "" {
		b, err := r.body(a.word(1))
		if err != nil {
			return err
		}
		body = b
	}
	outcome, err := r.opt.Driver.Send("key "+name, Request{
		Method: "POST", Path: "/key/generate", Body: body,
		Headers: [][2]string{{"authorization", "Bearer " + r.master}, {"content-type", "application/json"}},
	})
	if err != nil {
		return err
	}
	if outcome.Reply == nil {
		return errors.New("/key/generate was forwarded")
	}
	var made struct {
		Key string `json:"key"`
	}
	err = json.Unmarshal(outcome.Reply.Body, &made)
	if outcome.Reply.Status == 200 && err == nil && made.Key != "" {
		r.keys[name] = made.Key
	}
	r.stdout = r.printReply(*outcome.Reply, nil)
	if r.keys[name] == "" {
		return refusal{fmt.Errorf("no key was made:\n%s", indent([]byte(r.stdout)))}
	}
	return nil
}

// request puts a request together from the settings that the verbs for
// requests share.
func (r *run) request(a args, method, path, file string) (Request, error) {
	worker, err := a.number("worker")
	if err != nil {
		return Request{}, err
	}
	q := Request{Worker: worker, Method: method, Path: path}
	if q.Body, err = r.body(file); err != nil {
		return q, err
	}
	if key, ok := a.settings["key"]; ok {
		k := key[len(key)-1]
		switch {
		case k == "master":
			k = r.master
		case r.keys[k] != "":
			k = r.keys[k]
		}
		q.Headers = append(q.Headers, [2]string{"authorization", "Bearer " + k})
	}
	if len(q.Body) > 0 {
		q.Headers = append(q.Headers, [2]string{"content-type", "application/json"})
	}
	q.Headers, err = a.headers(q.Headers)
	return q, err
}

// headers returns to with the header= settings added; one that has the name
// of a header in to before takes its place.
func (a args) headers(to [][2]string) ([][2]string, error) {
	defaults := len(to)
	for _, h := range a.settings["header"] {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return nil, fmt.Errorf("header=: want name:value, got %q", h)
		}
		p := [2]string{strings.ToLower(name), strings.TrimSpace(value)}
		at := slices.IndexFunc(to[:defaults], func(q [2]string) bool { return q[0] == p[0] })
		if at >= 0 {
			to[at], defaults = p, 0
			continue
		}
		to = append(to, p)
	}
	return to, nil
}

// shown returns the names in show=.
func (a args) shown() []string {
	var names []string
	for _, list := range a.settings["show"] {
		names = append(names, strings.Split(strings.ToLower(list), ",")...)
	}
	return names
}

func (r *run) ask(a args) error {
	q, err := r.request(a, a.get("method", "POST"), a.get("path", "/v1/chat/completions"), a.word(1))
	if err != nil {
		return err
	}
	return r.send(a.word(0), q, a.shown())
}

func (r *run) get(a args) error { return r.direct(a, "GET", "") }

func (r *run) post(a args) error { return r.direct(a, "POST", a.word(1)) }

// direct sends a request that the gateway has to answer itself.
func (r *run) direct(a args, method, file string) error {
	q, err := r.request(a, method, a.word(0), file)
	if err != nil {
		return err
	}
	name := method + " " + a.word(0)
	if err := r.send(name, q, a.shown()); err != nil {
		return err
	}
	if strings.HasPrefix(r.stdout, "forwarded") {
		return errors.Join(fmt.Errorf("%s was forwarded", name), r.opt.Driver.Abort(name))
	}
	return nil
}

// send sends q and prints what became of it.
func (r *run) send(name string, q Request, show []string) error {
	outcome, err := r.opt.Driver.Send(name, q)
	if err != nil {
		return err
	}
	switch {
	case outcome.Reply != nil:
		r.stdout = r.printReply(*outcome.Reply, show)
	case outcome.Forwarded != nil:
		f := *outcome.Forwarded
		headers := append([][2]string{{":method", f.Method}, {":path", f.Path}}, f.Headers...)
		r.stdout = r.print("forwarded", headers, show, f.Body)
	default:
		return errors.New("the driver told neither a reply nor a forwarded request")
	}
	return nil
}

func (r *run) answer(a args) error {
	file := a.word(1)
	ans := Answer{Unfinished: slices.Contains(a.flags, "more")}
	var err error
	if ans.Body, err = r.body(file); err != nil {
		return err
	}
	if ans.Status, err = a.number("status"); err != nil {
		return err
	}
	if ans.Status == 0 {
		ans.Status = 200
	}
	if ans.Cut, err = a.number("cut"); err != nil {
		return err
	}
	kind := "application/json"
	if slices.Contains(a.flags, "sse") || (filepath.Ext(file) == ".sse" && !slices.Contains(a.flags, "json")) {
		kind = "text/event-stream"
	}
	if !slices.Contains(a.flags, "untyped") {
		ans.Headers = [][2]string{{"content-type", kind}}
	}
	if kind == "application/json" && !ans.Unfinished {
		ans.Headers = append(ans.Headers, [2]string{"content-length", strconv.Itoa(len(ans.Body))})
	}
	if ans.Headers, err = a.headers(ans.Headers); err != nil {
		return err
	}
	reply, err := r.opt.Driver.Answer(a.word(0), ans)
	if err != nil {
		return err
	}
	r.stdout = r.printReply(reply, a.shown())
	return nil
}

func (r *run) reset(a args) error {
	reply, err := r.opt.Driver.ResetUpstream(a.word(0))
	if err != nil {
		return err
	}
	r.stdout = r.printReply(reply, a.shown())
	return nil
}

func (r *run) wait(a args) error {
	d, err := time.ParseDuration(a.word(0))
	if err != nil || d <= 0 {
		return fmt.Errorf("want a duration such as 30s, got %q", a.word(0))
	}
	return r.advance(d)
}

func (r *run) at(a args) error {
	minutes, seconds, _ := strings.Cut(a.word(0), ":")
	m, errM := strconv.Atoi(minutes)
	s, errS := strconv.Atoi(seconds)
	if errM != nil || errS != nil {
		return fmt.Errorf("want minutes and seconds such as 01:30, got %q", a.word(0))
	}
	d := r.began.Add(time.Duration(m)*time.Minute + time.Duration(s)*time.Second).Sub(r.now)
	if d <= 0 {
		return fmt.Errorf("it is %s after the start already", r.now.Sub(r.began))
	}
	return r.advance(d)
}

func (r *run) advance(d time.Duration) error {
	r.now = r.now.Add(d)
	return r.opt.Driver.Advance(d)
}
