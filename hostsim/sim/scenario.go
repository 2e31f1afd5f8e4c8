package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Scenario is who asks a model for what and when: the content of one file.
// Load fills in what the file leaves out.
type Scenario struct {
	Name  string `json:"-"`     // the file's, without .json
	Title string `json:"title"` // one line
	About string `json:"about"` // what it is there to show

	Model     Capacity        `json:"model"`
	LiteLLM   json.RawMessage `json:"litellm_settings"`   // handed to the plugin as it is; the models of LiteLLM read it too
	Fairshare json.RawMessage `json:"fairshare_settings"` // handed to the plugin as it is

	Workers   int       `json:"workers"`           // of the proxy, 1 to 64; 2 if not given
	Instances int       `json:"litellm_instances"` // processes of LiteLLM over one Redis, 1 to 64; 1 if not given
	Minutes   int       `json:"minutes"`           // how long traffic arrives, 1 to 10080; 1 if not given
	Start     time.Time `json:"start"`             // a whole minute; 2026-01-05 00:00:00 UTC, a Monday, if not given
	Seed      uint64    `json:"seed"`              // fixes all chance

	Tenants []*Tenant `json:"tenants"`

	// Want is what the plugin has to reach here; a member left out asks nothing.
	Want Want `json:"want"`

	limiter limiter
}

// Capacity is what a model takes in a minute; 0 is no limit.
type Capacity struct {
	TPM int64 `json:"tpm"` // tokens
	RPM int64 `json:"rpm"` // requests
}

// A Tenant is one or more keys that behave alike.
type Tenant struct {
	Name     string `json:"name"`
	Count    int    `json:"count"`    // keys, 1 to 1000; 1 if not given
	Priority string `json:"priority"` // metadata.priority of its keys; empty for none

	Arrivals Arrivals `json:"arrivals"`
	Awake    Window   `json:"awake"` // the zero Window is always

	PromptBytes   Distribution `json:"prompt_bytes"`    // of text that the model reads; at least 5 are sent
	BytesPerToken float64      `json:"bytes_per_token"` // of that text; 4 if not given
	MaxTokens     int64        `json:"max_tokens"`      // that the client allows; 0 sends none
	OutputTokens  Distribution `json:"output_tokens"`   // that the model writes, at most MaxTokens
	LatencyMS     Distribution `json:"latency_ms"`      // from admission to the whole answer
	Stream        bool         `json:"stream"`          // asks for SSE

	Refused Refused `json:"refused"`
}

// Arrivals say when a tenant's key wants something; exactly one is given.
type Arrivals struct {
	Poisson  float64  `json:"poisson"`  // requests a minute, at random moments
	Constant float64  `json:"constant"` // requests a minute, at equal distances from a random moment on
	Burst    *Burst   `json:"burst"`
	Diurnal  *Diurnal `json:"diurnal"`

	// Backlog is the number of requests that a hog has open or waiting at any
	// time: whenever one is answered it asks for the next at once.
	Backlog int `json:"backlog"`
}

// A Burst is so many requests at once, again and again, from the moment the
// key wakes.
type Burst struct {
	Requests int     `json:"requests"`
	EveryS   float64 `json:"every_s"`
}

// Diurnal arrivals are random with a rate that swings once a day as a sine:
// Low at midnight UTC, High at noon, in requests a minute.
type Diurnal struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// A Window is when a tenant is awake, in seconds from the start. It wants
// nothing at other times; what it wanted before it still waits for.
type Window struct {
	FromS  float64 `json:"from_s"`
	ToS    float64 `json:"to_s"`    // 0 is for ever
	EveryS float64 `json:"every_s"` // the window comes again every so many seconds; 0 for once
}

// Refused says what a key does about a 429.
type Refused struct {
	// Then is "drop" (it gives the request up; so if not given), "retry" (it asks
	// again after EveryMS) or "wait" (it asks again when Retry-After says, after
	// EveryMS where the answer has none).
	Then    string `json:"then"`
	EveryMS int64  `json:"every_ms"`  // 1000 if not given
	GiveUpS int64  `json:"give_up_s"` // seconds after the first ask; 0 for never
}

// Want are bounds on measures of the plugin. See Measures for what they mean.
type Want struct {
	Utilisation *float64 `json:"utilisation"` // at least
	Jain        *float64 `json:"jain"`        // at least
	Delivered   *float64 `json:"delivered"`   // at least, for every priority with a reservation
	Overshoot   *float64 `json:"overshoot"`   // at most
	Stranded    *float64 `json:"stranded"`    // at most
	Whole       []string `json:"whole"`       // tenants of whom nothing is refused
}

// Load reads a scenario's file.
func Load(path string) (*Scenario, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := Parse(strings.TrimSuffix(filepath.Base(path), ".json"), text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// Parse reads the text of a scenario called name.
func Parse(name string, text []byte) (*Scenario, error) {
	s := &Scenario{
		Name: name, Workers: 2, Instances: 1, Minutes: 1,
		Start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC),
	}
	if err := strict(text, s); err != nil {
		return nil, err
	}
	s.Start = s.Start.UTC()
	for i, t := range s.Tenants {
		if t == nil {
			return nil, fmt.Errorf("tenants[%d]: there is nothing", i)
		}
		t.Count = or(t.Count, 1)
		t.BytesPerToken = or(t.BytesPerToken, 4)
		t.Refused.Then = or(t.Refused.Then, "drop")
		t.Refused.EveryMS = or(t.Refused.EveryMS, 1000)
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	var err error
	s.limiter, err = readLimiter(s.LiteLLM, s.Model)
	return s, err
}

// Check reports the first thing that is wrong with s.
func (s *Scenario) Check() error {
	const mostMinutes = 7 * 24 * 60
	switch {
	case s.Model.TPM < 0 || s.Model.RPM < 0 || s.Model.TPM > mostSize || s.Model.RPM > mostSize || s.Model == Capacity{}:
		return errors.New(`model: "tpm", "rpm" or both are wanted, each up to 1e9`)
	case s.Workers < 1 || s.Workers > 64:
		return errors.New("workers: 1 to 64 are wanted")
	case s.Instances < 1 || s.Instances > 64:
		return errors.New("litellm_instances: 1 to 64 are wanted")
	case s.Minutes < 1 || s.Minutes > mostMinutes:
		return fmt.Errorf("minutes: 1 to %d are wanted", mostMinutes)
	case !s.Start.Equal(s.Start.Truncate(time.Minute)):
		return errors.New("start: a whole minute is wanted")
	case len(s.Tenants) == 0:
		return errors.New("tenants: at least one is wanted")
	}
	names := map[string]bool{}
	for i, t := range s.Tenants {
		if err := t.check(); err != nil {
			return fmt.Errorf("tenant %s: %w", t.Name, err)
		}
		for n := range t.Count {
			name := t.keyName(n)
			if t.Name == "" || names[name] {
				return fmt.Errorf("tenants[%d].name: a name of its own is wanted, which no key of another one has", i)
			}
			names[name] = true
		}
	}
	for _, name := range s.Want.Whole {
		if !slices.ContainsFunc(s.Tenants, func(t *Tenant) bool { return t.Name == name }) {
			return fmt.Errorf("want.whole: there is no tenant %q", name)
		}
	}
	return nil
}

// keyName is the name of a tenant's key, from 0: small-1, small-2, …; that of a
// single one is the tenant's.
func (t *Tenant) keyName(n int) string {
	if t.Count == 1 {
		return t.Name
	}
	return t.Name + "-" + strconv.Itoa(n+1)
}

func (t *Tenant) check() error {
	const mostRate = 600_000 // a minute; above that a run is not quick any more
	a, w, r := &t.Arrivals, &t.Awake, &t.Refused
	given := 0
	for _, is := range []bool{a.Poisson != 0, a.Constant != 0, a.Burst != nil, a.Diurnal != nil, a.Backlog != 0} {
		if is {
			given++
		}
	}
	switch {
	case t.Count < 1 || t.Count > 1000:
		return errors.New("count: 1 to 1000 are wanted")
	case given != 1:
		return errors.New(`arrivals: one of "poisson", "constant", "burst", "diurnal" and "backlog" is wanted`)
	case a.Poisson < 0 || a.Constant < 0 || a.Poisson > mostRate || a.Constant > mostRate:
		return fmt.Errorf("arrivals: more than 0 and at most %d requests a minute are wanted", mostRate)
	case a.Burst != nil && (a.Burst.Requests < 1 || a.Burst.Requests > mostRate || !(a.Burst.EveryS >= 0.001)):
		return errors.New("arrivals.burst: at least one request at least every millisecond is wanted")
	case a.Diurnal != nil && !(a.Diurnal.Low >= 0 && a.Diurnal.High > 0 && a.Diurnal.Low <= a.Diurnal.High && a.Diurnal.High <= mostRate):
		return errors.New("arrivals.diurnal: 0 ≤ low ≤ high is wanted")
	case a.Backlog < 0 || a.Backlog > 10_000:
		return errors.New("arrivals.backlog: 1 to 10000 are wanted")
	case a.Backlog > 0 && (r.Then == "drop" || t.LatencyMS.least() < 1):
		return errors.New(`arrivals.backlog: wants "refused" other than drop and a latency of at least 1 ms, or it would ask without end at one moment`)
	case w.FromS < 0 || w.ToS < 0 || w.EveryS < 0 || w.ToS != 0 && w.ToS <= w.FromS || w.EveryS != 0 && (w.ToS == 0 || w.ToS > w.EveryS):
		return errors.New("awake: from_s < to_s ≤ every_s is wanted")
	case !(t.BytesPerToken >= 0.25 && t.BytesPerToken <= 100):
		return errors.New("bytes_per_token: 0.25 to 100 are wanted")
	case t.MaxTokens < 0 || t.MaxTokens > mostSize:
		return errors.New("max_tokens: 0 to 1e9 are wanted")
	case r.Then != "drop" && r.Then != "retry" && r.Then != "wait":
		return errors.New(`refused.then: "drop", "retry" or "wait" is wanted`)
	case r.EveryMS < 1 || r.GiveUpS < 0:
		return errors.New("refused: at least 1 ms between two tries is wanted")
	}
	return nil
}

// strict reads JSON into x and refuses members that x does not have.
func strict(text []byte, x any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(x); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the end")
	}
	return nil
}

// or returns x, or other if x is zero.
func or[T comparable](x, other T) T {
	var zero T
	if x == zero {
		return other
	}
	return x
}
