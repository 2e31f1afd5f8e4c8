package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"fairshare/hostsim"
	"fairshare/hostsim/script"
)

// runScenarios is hostsim run.
func runScenarios(args []string, stdout, stderr io.Writer) error {
	names := profileNames()
	f := flag.NewFlagSet("hostsim run", flag.ContinueOnError)
	f.SetOutput(stderr)
	wasm := f.String("wasm", "build/fairshare.wasm", "the filter's `file`")
	profile := f.String("profile", hostsim.Envoy.Name, "the `host` to simulate: "+strings.Join(names, ", "))
	seed := f.Uint64("seed", 0, "fixes what the filter reads as random and where faults strike")
	loss := f.Float64("swap-loss", 0, "`probability` that a write of shared data loses its race")
	trace := f.Bool("trace", false, "print each call between host and filter to standard error")
	http2 := f.Bool("http2", false, "end a body with its last bytes, as HTTP/2 does, not with an empty chunk")
	update := f.Bool("update", false, "write what is printed into the scenarios instead of comparing")
	f.Usage = func() {
		fmt.Fprint(stderr, "usage: hostsim run [flags] file.txtar...\n\n"+
			"Plays scenarios: requests, answers and the clock, on a simulated host. Nothing touches the network.\n\n")
		f.PrintDefaults()
	}
	if err := parse(f, args); err != nil {
		return err
	}
	p, ok := hostsim.Profiles()[*profile]
	if !ok {
		return fmt.Errorf("hostsim: there is no host %q, only %s", *profile, strings.Join(names, ", "))
	}
	if f.NArg() == 0 {
		f.Usage()
		return errUsage
	}
	module, err := hostsim.LoadModule(*wasm)
	if err != nil {
		return err
	}
	is := []string{"sim"}
	if p.Name != hostsim.Envoy.Name { // the condition envoy stands for real Envoy
		is = append(is, p.Name)
	}
	failed := 0
	for _, file := range f.Args() {
		d := &hostsim.Driver{
			Module: module, Profile: p, Seed: *seed, HTTP2: *http2, Faults: hostsim.Faults{SwapLoss: *loss},
		}
		if *trace {
			d.Trace = stderr
		}
		err := script.Run(file, script.Options{Driver: d, Is: is, Update: *update})
		switch {
		case err == nil:
			fmt.Fprintf(stdout, "ok    %s\n", file)
		case errors.Is(err, script.ErrSkipped):
			fmt.Fprintf(stdout, "skip  %s (%v)\n", file, err)
		default:
			failed++
			fmt.Fprintf(stdout, "FAIL  %s (seed %d)\n%v\n", file, *seed, err)
		}
	}
	if failed > 0 {
		return fmt.Errorf("hostsim: %d of %d scenarios failed", failed, f.NArg())
	}
	return nil
}

func profileNames() []string {
	var names []string
	for name := range hostsim.Profiles() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
