package sim

import (
	"fmt"
	"html"
	"io"
	"strings"
	"time"
)

// plotRate draws what each tenant was admitted in each step of time, stacked,
// in one panel for each rule, with the capacity of a step as a line.
func plotRate(w io.Writer, results []*Result) error {
	r := results[0]
	p := plot{
		title: r.Scenario.Title,
		about: fmt.Sprintf("%s admitted in %s, by tenant; the line is the capacity of %[2]s", unitName(r), stepText(r.bin)),
		line:  limit(r) * int64(r.bin) / int64(time.Minute),
	}
	for _, r := range results {
		p.panels = append(p.panels, panel{r.Rule, r.bins})
	}
	return p.write(w, r)
}

// plotMinute draws what each tenant was admitted since the minute began,
// stacked, with the capacity of a minute as a line: the hog's climb, what is
// kept back for the others, and what is left when the minute ends.
func plotMinute(w io.Writer, results []*Result) error {
	r := results[0]
	p := plot{
		title: r.Scenario.Title,
		about: unitName(r) + " admitted since the minute began, by tenant; the line is the capacity of a minute",
		line:  limit(r),
	}
	for _, r := range results {
		p.panels = append(p.panels, panel{r.Rule, sinceMinute(r)})
	}
	return p.write(w, r)
}

// sinceMinute sums each minute's bins up.
func sinceMinute(r *Result) [][]int64 {
	sums := make([][]int64, len(r.bins))
	for i, bins := range r.bins {
		sum := int64(0)
		for at, n := range bins {
			if time.Duration(at)*r.bin%time.Minute == 0 {
				sum = 0
			}
			sum += n
			sums[i] = append(sums[i], sum)
		}
	}
	return sums
}

// limit is the limit that the plots are about: tokens if they are limited.
func limit(r *Result) int64 { return or(r.Scenario.Model.TPM, r.Scenario.Model.RPM) }

func unitName(r *Result) string {
	if r.Scenario.Model.TPM == 0 {
		return "Requests"
	}
	return "Tokens"
}

func stepText(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return fmt.Sprintf("%d min", d/time.Minute)
}

// A plot is an SVG file of panels below each other, with one scale.
type plot struct {
	title, about string
	line         int64 // capacity
	panels       []panel
}

type panel struct {
	title  string
	values [][]int64 // for each tenant, in equal steps of time
}

// Sizes in pixels.
const (
	plotWidth   = 900
	plotLeft    = 70
	plotRight   = 32
	plotTop     = 66
	panelHeight = 110
	panelGap    = 24
)

// colours are told apart by colour-blind people as well (Okabe and Ito, "Color
// Universal Design", 2008).
var colours = []string{"#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999"}

func (p *plot) write(w io.Writer, r *Result) error {
	most := p.line + p.line/8
	for _, panel := range p.panels {
		for at := range panel.values[0] {
			sum := int64(0)
			for _, values := range panel.values {
				sum += values[at]
			}
			most = max(most, sum)
		}
	}
	length := time.Duration(r.Scenario.Minutes) * time.Minute
	height := plotTop + len(p.panels)*(panelHeight+panelGap) + 20
	inner := int64(plotWidth - plotLeft - plotRight)

	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", plotWidth, height)
	fmt.Fprintf(w, `<title>%s</title>`+"\n", html.EscapeString(p.title))
	fmt.Fprintf(w, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", plotWidth, height)
	fmt.Fprintf(w, `<text x="%d" y="18" font-size="15" font-weight="bold">%s</text>`+"\n", plotLeft, html.EscapeString(p.title))
	fmt.Fprintf(w, `<text x="%d" y="35" fill="#555">%s</text>`+"\n", plotLeft, html.EscapeString(p.about))
	x := plotLeft
	for i, t := range r.Scenario.Tenants {
		name := t.Name
		if t.Count > 1 {
			name = fmt.Sprintf("%s × %d", name, t.Count)
		}
		fmt.Fprintf(w, `<rect x="%d" y="44" width="10" height="10" fill="%s"/><text x="%d" y="53">%s</text>`+"\n",
			x, colours[i%len(colours)], x+14, html.EscapeString(name))
		x += 34 + 7*len([]rune(name))
	}
	for i, panel := range p.panels {
		top := int64(plotTop + i*(panelHeight+panelGap) + 14)
		bottom := top + panelHeight
		y := func(value int64) int64 { return bottom - value*panelHeight/most }
		fmt.Fprintf(w, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", plotLeft, top-3, html.EscapeString(panel.title))
		below := make([]int64, len(panel.values[0]))
		for t, values := range panel.values {
			if outline := stack(below, values, inner, y); outline != "" {
				fmt.Fprintf(w, `<path d="%s" fill="%s"/>`+"\n", outline, colours[t%len(colours)])
			}
		}
		fmt.Fprintf(w, `<path d="M%d %dH%d" stroke="#000" stroke-dasharray="5 3"/>`+"\n", plotLeft, y(p.line), plotWidth-plotRight)
		fmt.Fprintf(w, `<path d="M%d %dV%dH%d" fill="none" stroke="#555"/>`+"\n", plotLeft, top, bottom, plotWidth-plotRight)
		fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="end">%d</text><text x="%[1]d" y="%[4]d" text-anchor="end">0</text>`+"\n",
			plotLeft-6, y(p.line)+4, p.line, bottom+4)
		for _, at := range ticks(length) {
			x := plotLeft + int64(at)*inner/int64(length)
			fmt.Fprintf(w, `<path d="M%d %dv4" stroke="#555"/>`+"\n", x, bottom)
			if i == len(p.panels)-1 {
				fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", x, bottom+17, clock(at, length))
			}
		}
	}
	_, err := fmt.Fprintln(w, "</svg>")
	return err
}

// stack puts values on top of below and returns the outline of what they
// cover, empty for nothing: forth along the top, back along the bottom.
func stack(below, values []int64, width int64, y func(int64) int64) string {
	n := len(values)
	x := func(i int) int64 { return plotLeft + int64(i)*width/int64(n) }
	bottom, top := make([]int64, n), make([]int64, n)
	covers := false
	for i, v := range values {
		bottom[i] = y(below[i])
		below[i] += v
		top[i] = y(below[i])
		covers = covers || top[i] != bottom[i]
	}
	if !covers {
		return ""
	}
	var d strings.Builder
	fmt.Fprintf(&d, "M%d %d", x(0), top[0])
	for i := 1; i < n; i++ {
		if top[i] != top[i-1] {
			fmt.Fprintf(&d, "H%dV%d", x(i), top[i])
		}
	}
	fmt.Fprintf(&d, "H%dV%d", x(n), bottom[n-1])
	for i := n - 1; i > 0; i-- {
		if bottom[i] != bottom[i-1] {
			fmt.Fprintf(&d, "H%dV%d", x(i), bottom[i-1])
		}
	}
	fmt.Fprintf(&d, "H%dZ", x(0))
	return d.String()
}

// ticks returns the moments that are marked on the axis of time.
func ticks(length time.Duration) []time.Duration {
	steps := []time.Duration{
		10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute,
		time.Hour, 2 * time.Hour, 4 * time.Hour, 12 * time.Hour,
	}
	step := 24 * time.Hour
	for i := len(steps) - 1; i >= 0 && length/steps[i] <= 10; i-- {
		step = steps[i]
	}
	var all []time.Duration
	for at := time.Duration(0); at <= length; at += step {
		all = append(all, at)
	}
	return all
}

// clock is a moment as minutes and seconds, or hours and minutes if there are
// hours.
func clock(at, length time.Duration) string {
	if length <= time.Hour {
		return fmt.Sprintf("%d:%02d", at/time.Minute, at%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d:%02d h", at/time.Hour, at%time.Hour/time.Minute)
}
