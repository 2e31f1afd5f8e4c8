package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Write writes the outcomes of one scenario into dir, which it makes:
// result.json with the measures, result.csv with every key's minutes, rate.svg
// and, unless the steps of that are minutes already, minute.svg with the course
// of it. The same outcomes give the same bytes. Rules that did not run are left
// out.
func Write(dir string, outcomes []Outcome) error {
	var results []*Result
	for _, o := range outcomes {
		if o.Err == nil {
			results = append(results, o.Result)
		}
	}
	if len(results) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	files := map[string]func(io.Writer, []*Result) error{
		"result.json": writeJSON, "result.csv": writeCSV, "rate.svg": plotRate,
	}
	if results[0].bin < time.Minute {
		files["minute.svg"] = plotMinute
	}
	for name, write := range files {
		var b strings.Builder
		if err := write(&b, results); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(b.String()), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// writeJSON writes the measures.
func writeJSON(w io.Writer, results []*Result) error {
	type rule struct {
		Rule     string    `json:"rule"`
		Measures Measures  `json:"measures"`
		Tenants  []Tenancy `json:"tenants"`
		Reported int64     `json:"reported_tokens"`
		Books    *Books    `json:"books,omitempty"`
	}
	s := results[0].Scenario
	page := struct {
		Scenario string   `json:"scenario"`
		Title    string   `json:"title"`
		Seed     uint64   `json:"seed"`
		Model    Capacity `json:"model"`
		Workers  int      `json:"workers"`
		Minutes  int      `json:"minutes"`
		Rules    []rule   `json:"rules"`
	}{s.Name, s.Title, s.Seed, s.Model, s.Workers, s.Minutes, nil}
	for _, r := range results {
		page.Rules = append(page.Rules, rule{r.Rule, r.Measures, r.Tenants, r.Reported, r.Books})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(page)
}

// writeCSV writes a line for each rule, key and minute in which the key asked.
func writeCSV(w io.Writer, results []*Result) error {
	fmt.Fprintln(w, "rule,minute,tenant,key,asked_requests,asked_tokens,admitted_requests,used_tokens,refusals")
	for _, r := range results {
		for m := range r.Scenario.Minutes {
			for _, k := range r.Keys {
				if c := &k.Minutes[m]; c.Asked > 0 {
					fmt.Fprintf(w, "%s,%d,%s,%s,%d,%d,%d,%d,%d\n", field(r.Rule), m, field(k.Tenant), field(k.Name),
						c.Asked, c.AskedTokens, c.Admitted, c.Used, c.Refused)
				}
			}
		}
	}
	return nil
}

// field is a text as a field of CSV (RFC 4180).
func field(s string) string {
	if !strings.ContainsAny(s, "\",\r\n") {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}
