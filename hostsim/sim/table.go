package sim

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// WriteText writes the outcomes of one scenario as tables for a terminal.
func WriteText(w io.Writer, s *Scenario, outcomes []Outcome) error {
	fmt.Fprintf(w, "%s: %s\n", s.Name, s.Title)
	fmt.Fprintf(w, "%s, %s, %s, seed %d\n\n", capacityText(s.Model), plural(s.Workers, "worker"), plural(s.Minutes, "minute"), s.Seed)
	rows := [][]string{append([]string{"rule"}, measureNames...)}
	for _, o := range outcomes {
		if o.Err == nil {
			rows = append(rows, append([]string{o.Rule}, measureTexts(&o.Result.Measures)...))
		} else {
			rows = append(rows, []string{o.Rule, "not run"})
		}
	}
	writeRows(w, rows)
	fmt.Fprintln(w)
	rows = [][]string{{"tenant", "keys", "asked", "used", "refused", "by"}}
	for i, t := range s.Tenants {
		for _, o := range outcomes {
			if o.Err != nil {
				continue
			}
			x := o.Result.Tenants[i]
			asked, used := x.AskedTokens, x.Used
			if s.Model.TPM == 0 {
				asked, used = x.Asked, x.Admitted
			}
			rows = append(rows, []string{t.Name, strconv.Itoa(t.Count), fmt.Sprint(asked), fmt.Sprint(used), fmt.Sprint(x.Refused), o.Rule})
		}
	}
	writeRows(w, rows)
	for _, o := range outcomes {
		if o.Err != nil {
			fmt.Fprintf(w, "\n%v\n", o.Err)
		}
	}
	return nil
}

// measureNames head the columns of measureTexts.
var measureNames = []string{"utilisation", "Jain", "share error", "short", "delivered", "stranded", "overshoot", "refused"}

func measureTexts(m *Measures) []string {
	var delivered []string
	for _, d := range m.Delivered {
		delivered = append(delivered, d.Priority+" "+d.Ratio.String())
	}
	if delivered == nil {
		delivered = []string{"–"}
	}
	return []string{
		m.Utilisation.String(), m.Jain.String(), m.ShareError.String(), strconv.Itoa(m.Short),
		strings.Join(delivered, ", "), m.Stranded.String(), m.Overshoot.String(), strconv.FormatInt(m.Refused, 10),
	}
}

// WriteMarkdown writes the outcomes of a set as one table for README: a row
// for each scenario and rule.
func WriteMarkdown(w io.Writer, outcomes []Outcome) error {
	fmt.Fprintf(w, "| scenario | rule | %s |\n|---|---|%s\n", strings.Join(measureNames, " | "), strings.Repeat("---|", len(measureNames)))
	last := ""
	for _, o := range outcomes {
		title := ""
		if o.Scenario.Name != last {
			title, last = o.Scenario.Title, o.Scenario.Name
		}
		if o.Err != nil {
			fmt.Fprintf(w, "| %s | %s | not run: %s |%s\n", cell(title), o.Rule, cell(o.Err.Error()), strings.Repeat(" |", len(measureNames)-1))
			continue
		}
		fmt.Fprintf(w, "| %s | %s | %s |\n", cell(title), o.Rule, strings.Join(measureTexts(&o.Result.Measures), " | "))
	}
	return nil
}

// cell is a text as a cell of a Markdown table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s)
}

// writeRows writes columns with two spaces between them: the first one to the
// left, numbers to the right.
func writeRows(w io.Writer, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, text := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, text := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
			if i == 0 {
				line.WriteString(text + pad)
			} else {
				line.WriteString("  " + pad + text)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

func capacityText(c Capacity) string {
	var parts []string
	if c.TPM > 0 {
		parts = append(parts, fmt.Sprintf("%d tokens a minute", c.TPM))
	}
	if c.RPM > 0 {
		parts = append(parts, fmt.Sprintf("%d requests a minute", c.RPM))
	}
	return strings.Join(parts, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
