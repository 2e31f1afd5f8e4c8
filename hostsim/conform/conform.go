package conform

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A Gateway is a proxy that has loaded the guest. Do sends one request; a
// path that the guest answers needs no upstream. Header names are in lower
// case, the answer's status is not among its headers.
type Gateway interface {
	Do(method, path string, headers [][2]string, body []byte) (status int, answer [][2]string, answerBody []byte, err error)
}

// A Question is one request to the guest and what Envoy answers to it. Its
// answers were taken from Envoy 1.40.0 and are compared with it by the test.
type Question struct {
	Path    string
	Headers [][2]string
	Want    map[string]string // the answer's fields; a header of the answer is "header NAME"
}

// Questions are all questions. unique is put before names that are kept for
// as long as the proxy runs, so that the same proxy can be asked again.
func Questions(unique string) []Question {
	return []Question{
		{Path: "/shared-data?" + unique, Want: map[string]string{
			"get missing":                     "1",
			"set missing, number 7":           "0", // a wrong number creates
			"set missing, number 0":           "0",
			"set existing, number 0":          "0", // overwrites
			"get":                             "0",
			"value":                           "2",
			"set existing, right number":      "0",
			"set existing, the number before": "8",
			"value after":                     "3",
			"number moved on":                 "1",
			"set empty":                       "0",
			"get empty":                       "0", // the key stays
			"value empty":                     "",
			"set empty key":                   "0",
		}},
		{Path: "/queues?" + unique, Want: map[string]string{
			"resolve missing":  "1",
			"register":         "0",
			"register again":   "0",
			"same id":          "1",
			"resolve":          "0",
			"resolved same id": "1",
			"dequeue empty":    "7",
			"dequeue unknown":  "1",
			"enqueue unknown":  "1",
			"enqueue":          "0",
			"enqueue second":   "0",
			"dequeue":          "0",
			"item":             "one",
			"dequeue second":   "0",
			"second item":      "two",
			"dequeue again":    "7",
		}},
		{Path: "/metrics?" + unique, Want: map[string]string{
			"define counter":            "0",
			"define counter again":      "0",
			"increment counter by 3":    "0",
			"increment counter by 0":    "2",
			"increment counter by -1":   "2",
			"record counter 5":          "0",
			"get counter":               "0",
			"value of counter":          "8",
			"define gauge":              "0",
			"define gauge again":        "0",
			"increment gauge by 3":      "0",
			"increment gauge by 0":      "0",
			"increment gauge by -1":     "0",
			"record gauge 5":            "0",
			"get gauge":                 "0",
			"value of gauge":            "5",
			"define histogram":          "0",
			"define histogram again":    "0",
			"increment histogram by 3":  "2",
			"increment histogram by 0":  "2",
			"increment histogram by -1": "2",
			"record histogram 5":        "0",
			"get histogram":             "2",
			"value of histogram":        "0",
			"define unknown kind":       "2",
			"increment unknown":         "1",
			"record unknown":            "1",
		}},
		{
			Path:    "/headers",
			Headers: [][2]string{{"x-empty", ""}, {"x-twice", "one"}, {"x-twice", "two"}},
			Want: map[string]string{
				"get absent":                     "1",
				"get empty":                      "0",
				"empty":                          "",
				"get twice":                      "0",
				"twice":                          "one", // the first value only
				"get in upper case":              "0",
				"upper case":                     "one",
				"add":                            "0",
				"add again":                      "0",
				"added":                          "1",
				"replace":                        "0",
				"replaced":                       "3",
				"remove":                         "0",
				"get removed":                    "1",
				"remove absent":                  "0",
				"get response header in request": "2",
				"set response header in request": "2",
				"get trailer in headers":         "2",
				"get of unknown map":             "2",
				"get pairs":                      "0",
				"get response pairs in request":  "0", // none
			},
		},
		{Path: "/buffers", Want: map[string]string{
			"request body in headers":         "0",
			"length written":                  "0",
			"response body in headers":        "0",
			"call-out body in headers":        "1",
			"plugin configuration in headers": "1",
			"vm configuration in headers":     "0",
			"unknown buffer":                  "2",
			"set request body in headers":     "2",
			"start overflows":                 "0",
		}},
		{
			Path:    "/properties",
			Headers: [][2]string{{"x-twice", "one"}},
			Want: map[string]string{
				"source.port":              "0",
				"source.port length":       "8",
				"request.path":             "0",
				"path":                     "/properties",
				"request.headers.x-twice":  "0",
				"request.headers.x-absent": "1",
				"request.time":             "0",
				"request.time length":      "8",
				"response.code in request": "1",
				"unknown":                  "1",
				"node":                     "1",
				"set own":                  "0",
				"get own":                  "0",
				"own":                      "v",
			},
		},
		{Path: "/calls", Want: map[string]string{
			"unknown foreign function":    "1",
			"call-out to unknown cluster": "2",
			"effective context unknown":   "2",
			"continue upstream":           "12",
			"continue unknown":            "2",
			"key outside of memory":       "6",
		}},
		{Path: "/end", Want: map[string]string{"end": "1"}},
		// The guest's own reply comes by its response callbacks, where the
		// request's headers can still be read after a pause.
		{Path: "/reenter", Want: map[string]string{
			"header x-request-readable": "0",
			"header x-end":              "0",
		}},
		{Path: "/many-headers?1023", Want: map[string]string{"many": "1023"}},
		{Path: "/many-headers?1025", Want: map[string]string{"many": "0"}}, // all are dropped
	}
}

// Ask sends q to g and returns the answer's fields, the headers among them
// that q wants, and for /many-headers how many of them arrived.
func Ask(g Gateway, q Question) (map[string]string, error) {
	status, headers, body, err := g.Do("GET", q.Path, q.Headers, nil)
	if err != nil {
		return nil, err
	}
	if status != 200 {
		return nil, fmt.Errorf("conform: %s: status %d, body %q", q.Path, status, body)
	}
	var fields map[string]any
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, fmt.Errorf("conform: %s: %w in %q", q.Path, err, body)
	}
	got := map[string]string{}
	for name, v := range fields {
		got[name] = fmt.Sprint(v)
	}
	many := 0
	for _, p := range headers {
		if _, ok := q.Want["header "+p[0]]; ok {
			got["header "+p[0]] = p[1]
		}
		if strings.HasPrefix(p[0], "x-many-") {
			many++
		}
	}
	if strings.HasPrefix(q.Path, "/many-headers") {
		got["many"] = strconv.Itoa(many)
	}
	return got, nil
}

// Differences returns what is not as q wants it, one line each, sorted by
// name. instead holds, by path (without its query) and field, the answers
// that a host gives on purpose in place of Envoy's.
func Differences(q Question, got map[string]string, instead map[string]map[string]string) []string {
	path, _, _ := strings.Cut(q.Path, "?")
	var lines []string
	for _, name := range sorted(q.Want, got) {
		want, asked := q.Want[name]
		if w, ok := instead[path][name]; ok {
			want, asked = w, true
		}
		if g, ok := got[name]; g != want || ok != asked {
			lines = append(lines, fmt.Sprintf("%s: %s = %q, want %q", q.Path, name, g, want))
		}
	}
	return lines
}

// sorted returns the names in either map, sorted.
func sorted(a, b map[string]string) []string {
	names := slices.Collect(maps.Keys(a))
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Name returns the path of q without its query.
func Name(q Question) string {
	path, _, _ := strings.Cut(q.Path, "?")
	return path
}
