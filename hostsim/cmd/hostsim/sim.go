package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fairshare/hostsim"
	"fairshare/hostsim/sim"
)

// simulate is hostsim sim.
func simulate(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("hostsim sim", flag.ContinueOnError)
	f.SetOutput(stderr)
	wasm := f.String("wasm", "build/fairshare.wasm", "the filter's `file`")
	set := f.String("set", "", "play every scenario of `dir` and print one Markdown table")
	out := f.String("out", "", "write JSON, CSV and SVG into `dir`, of several scenarios into one directory each")
	var changes []func(*sim.Scenario)
	f.Func("seed", "`number` that fixes all chance, in place of the scenario's own", func(text string) error {
		seed, err := strconv.ParseUint(text, 10, 64)
		changes = append(changes, func(s *sim.Scenario) { s.Seed = seed })
		return err
	})
	number := func(name, usage string, field func(*sim.Scenario) *int) {
		f.Func(name, usage, func(text string) error {
			n, err := strconv.Atoi(text)
			changes = append(changes, func(s *sim.Scenario) { *field(s) = n })
			return err
		})
	}
	number("workers", "`number` of workers, 1 to 64, in place of the scenario's", func(s *sim.Scenario) *int { return &s.Workers })
	number("minutes", "`number` of minutes, in place of the scenario's", func(s *sim.Scenario) *int { return &s.Minutes })
	f.Usage = func() {
		fmt.Fprint(stderr, "usage: hostsim sim [flags] file.json...\n       hostsim sim [flags] -set dir\n\n"+
			"Simulates tenants who share a model: under the filter, under models of LiteLLM's rules and\n"+
			"under first come first served, on the same arrivals. The clock is virtual.\n\n")
		f.PrintDefaults()
	}
	files, err := parseMixed(f, args)
	if err != nil {
		return err
	}
	if (*set == "") == (len(files) == 0) {
		f.Usage()
		return errUsage
	}
	if *set != "" {
		if files, err = filepath.Glob(filepath.Join(*set, "*.json")); err != nil {
			return err
		}
		if len(files) == 0 {
			return fmt.Errorf("hostsim: there is no scenario in %s", *set)
		}
	}
	module, err := hostsim.LoadModule(*wasm)
	if err != nil {
		return err
	}
	var all []sim.Outcome
	for i, file := range files {
		s, err := sim.Load(file)
		if err != nil {
			return err
		}
		for _, change := range changes {
			change(s)
		}
		if err := s.Check(); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		outcomes, err := playAll(s, module, stderr)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, outcomes...)
		if *out != "" {
			dir := *out
			if *set != "" || len(files) > 1 {
				dir = filepath.Join(dir, s.Name)
			}
			if err := sim.Write(dir, outcomes); err != nil {
				return err
			}
		}
		if *set == "" {
			if i > 0 {
				fmt.Fprintln(stdout)
			}
			if err := sim.WriteText(stdout, s, outcomes); err != nil {
				return err
			}
		}
	}
	if *set != "" {
		if err := sim.WriteMarkdown(stdout, all); err != nil {
			return err
		}
	}
	if failed := sim.Failed(all); len(failed) > 0 {
		return errors.New("hostsim: " + strings.Join(failed, "\nhostsim: "))
	}
	return nil
}

// playAll plays a scenario under every rule and tells how long each took.
func playAll(s *sim.Scenario, module *hostsim.Module, stderr io.Writer) ([]sim.Outcome, error) {
	var outcomes []sim.Outcome
	for _, rule := range sim.Rules(module) {
		began := time.Now()
		o, err := sim.Play(s, rule)
		if err != nil {
			return nil, err
		}
		outcomes = append(outcomes, o)
		fmt.Fprintf(stderr, "%s, %s: %.1f s\n", s.Name, o.Rule, time.Since(began).Seconds())
	}
	return outcomes, nil
}

// parseMixed is parse for flags that may stand after arguments, too; it returns
// the arguments.
func parseMixed(f *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	for {
		if err := parse(f, args); err != nil {
			return nil, err
		}
		if f.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, f.Arg(0)), f.Args()[1:]
	}
}
