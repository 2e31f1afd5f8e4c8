package script_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"fairshare/hostsim/script"
)

// echo is a driver that answers from rules a child could keep: /key/generate
// makes keys sk-1, sk-2, …; a body "no" is refused with the key's hash in the
// text; everything else is forwarded.
type echo struct {
	keys    int
	now     time.Time
	sent    []script.Request
	answers map[string]string
	closed  bool
}

func (e *echo) Start(s script.Setup) error {
	if string(s.Config) == "bad" {
		return errors.New("config: it is bad")
	}
	e.now, e.answers = s.Now, map[string]string{}
	return nil
}

func (e *echo) Reload(config []byte) error {
	if string(config) == "bad" {
		return errors.New("config: it is bad")
	}
	return nil
}

func (e *echo) Advance(d time.Duration) error {
	e.now = e.now.Add(d)
	return nil
}

func (e *echo) Send(_ string, r script.Request) (script.Outcome, error) {
	e.sent = append(e.sent, r)
	switch {
	case r.Path == "/key/generate":
		e.keys++
		return reply(200, fmt.Sprintf(`{"key":"sk-%d","created_at":"%s"}`, e.keys, e.now)), nil
	case r.Path == "/time":
		return reply(200, e.now.Format(time.RFC3339)), nil
	case string(r.Body) == "no":
		return reply(429, `{"id":"chatcmpl-7","created":12,"error":"Key=74a48daccb3d1b0cd1e8e59a8ff1a2b0bbd5b5f3a5cb1d1b2cf9ccbe01bbd1b0"}`), nil
	}
	return script.Outcome{Forwarded: &r}, nil
}

func reply(status int, body string) script.Outcome {
	return script.Outcome{Reply: &script.Reply{
		Status: status, Headers: [][2]string{{"x-a", "1"}, {"x-a", "2"}}, Body: []byte(body),
	}}
}

func (e *echo) Answer(name string, a script.Answer) (script.Reply, error) {
	e.answers[name] += string(a.Body)
	return script.Reply{Status: a.Status, Headers: a.Headers, Body: []byte(e.answers[name])}, nil
}

func (e *echo) ResetUpstream(string) (script.Reply, error) {
	return script.Reply{Status: 200, Body: []byte("par"), Cut: true}, nil
}
func (e *echo) Abort(string) error { return nil }
func (e *echo) Trap(string) error  { return script.ErrUnsupported }
func (e *echo) Close() error       { e.closed = true; return nil }

func TestRun(t *testing.T) {
	t.Parallel()
	const text = `
# a key, and a request that goes on
config config.json workers=2 now=2026-05-04T03:02:01Z
key alice
stdout '"key":"<key alice>"'
ask a key=alice show=:path,authorization path=/v1/x ask.json
cmp stdout forwarded

# its answer, in two parts
answer a part.sse more
answer a part.sse cut=3 show=content-type
cmp stdout answered
reset a
cmp stdout cut
abort a
! stdout nothing

# the clock
wait 59s
get /time
stdout 2026-05-04T03:03:00Z
at 02:00
get /time
stdout 2026-05-04T03:04:01Z

# what is refused
[sim] ask b no show=x-a
[!sim] skip 'only for the simulator'
cmp stdout refused
! reload bad
stdout 'it is bad'
[envoy] no such command
stop
no such command
-- config.json --
{"general_settings":{"master_key":"sk-m"}}
-- ask.json --
{"a":1}
-- part.sse --
data: 1

-- bad --
bad
-- no --
no
-- forwarded --
forwarded
:path: /v1/x
authorization: Bearer <key alice>
{"a":1}
-- answered --
reply 200
content-type: text/event-stream
data: 1

data: 1

-- cut --
reply 200 cut
par
-- refused --
reply 429
x-a: 1
x-a: 2
{"id":"<id>","created":<created>,"error":"Key=74a48daccb3d1b0cd1e8e59a8ff1a2b0bbd5b5f3a5cb1d1b2cf9ccbe01bbd1b0"}
`
	driver := &echo{}
	if _, err := script.RunText("t", []byte(text), script.Options{Driver: driver, Is: []string{"sim"}}); err != nil {
		t.Error(err)
	}
	if !driver.closed {
		t.Error("the driver was not closed")
	}
	if got := driver.sent[0].Headers[0]; got != [2]string{"authorization", "Bearer sk-m"} {
		t.Errorf("key/generate was sent with %v, want the master key", got)
	}
}

// A failing scenario tells its phase, what was wanted and what came.
func TestRunFails(t *testing.T) {
	t.Parallel()
	const setup = "config c\n-- c --\n{}\n-- no --\nno\n-- want --\nreply 200\n"
	for lines, want := range map[string][]string{
		"# once\nget /time\n\n# the story\n# so far\nask a no\ncmp stdout want": {
			"t:8: cmp stdout want", "# the story\n# so far\n> ask a no\n> cmp stdout want", "want (want):\n    reply 200", "got (stdout):\n    reply 429",
		},
		"nonsense":               {`there is no command "nonsense"`},
		"ask a nofile":           {`there is no file "nofile"`},
		"ask a colour=red no":    {"there is no setting colour="},
		"[moon] stop":            {`there is no condition "moon"`},
		"! reload c":             {"it was to fail but did not"},
		"trap a":                 {"cannot do this"},
		"wait soon":              {`want a duration such as 30s, got "soon"`},
		"get /forwarded":         {"GET /forwarded was forwarded"},
		"ask 'a":                 {"a quote is not closed"},
		"wait 1h\nat 00:30":      {"it is 1h0m0s after the start already"},
		"stdout x\nask a no":     {`no match for "x"`},
		"ask a header=x no":      {"want name:value"},
		"ask a worker=one no":    {`worker=: want a number, got "one"`},
		"config c":               {"runs already"},
		"ask a no\n! stdout 429": {"it was to fail but did not"},
	} {
		t.Run(lines, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(setup, "config c\n", "config c\n"+lines+"\n", 1)
			_, err := script.RunText("t", []byte(text), script.Options{Driver: &echo{}})
			if err == nil {
				t.Fatal("it passed")
			}
			for _, w := range want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("the error\n%v\nlacks %q", err, w)
				}
			}
		})
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	const text = "config c\nask a no\ncmp stdout want\n-- c --\n{}\n-- no --\nno\n-- want --\nold\n"
	updated, err := script.RunText("t", []byte(text), script.Options{Driver: &echo{}, Update: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(updated); !strings.Contains(got, "-- want --\nreply 429\n") || strings.Contains(got, "old") {
		t.Errorf("updated to\n%s", got)
	}
	if again, err := script.RunText("t", updated, script.Options{Driver: &echo{}, Update: true}); err != nil || again != nil {
		t.Errorf("a second update changed it: %q, %v", again, err)
	}
}

// A file that two commands compare with different texts is not rewritten back
// and forth.
func TestUpdateTwice(t *testing.T) {
	t.Parallel()
	const text = "config c\nask a no\ncmp stdout want\nget /time\ncmp stdout want\n-- c --\n{}\n-- no --\nno\n-- want --\n"
	if _, err := script.RunText("t", []byte(text), script.Options{Driver: &echo{}, Update: true}); err == nil {
		t.Error("one file was updated to two texts")
	}
}

func TestBeforeConfig(t *testing.T) {
	t.Parallel()
	_, err := script.RunText("t", []byte("ask a\n"), script.Options{Driver: &echo{}})
	if err == nil || !strings.Contains(err.Error(), "ask comes before config") {
		t.Errorf("got %v", err)
	}
	_, err = script.RunText("t", []byte("! config bad\nstdout 'it is bad'\n-- bad --\nbad\n"), script.Options{Driver: &echo{}})
	if err != nil {
		t.Error(err)
	}
}
