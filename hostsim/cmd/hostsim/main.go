// Command hostsim runs the filter without a proxy.
//
//	hostsim run file.txtar...      plays scenarios on simulated hosts
//	hostsim serve --config file    serves a configuration on a real port
//	hostsim sim file.json...       simulates tenants who share a model
//
// Each has its own --help.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

const usage = `hostsim runs the filter's WebAssembly file without a proxy.

	hostsim run [flags] file.txtar...   play scenarios on a simulated host
	hostsim serve [flags]               serve a configuration on a real port
	hostsim sim [flags] file.json...    simulate tenants who share a model

Each has its own --help.
`

// errUsage says that the command line was wrong and that this was told.
var errUsage = errors.New("usage")

func main() {
	err := dispatch(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// dispatch runs the command that args name.
func dispatch(args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return errUsage
	}
	switch args[0] {
	case "run":
		return runScenarios(args[1:], stdout, stderr)
	case "serve":
		return serve(args[1:], stdout, stderr)
	case "sim":
		return simulate(args[1:], stdout, stderr)
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return nil
	}
	fmt.Fprintf(stderr, "hostsim: there is no command %q\n\n%s", args[0], usage)
	return errUsage
}

// parse parses args with f, whose own messages go to stderr.
func parse(f *flag.FlagSet, args []string) error {
	err := f.Parse(args)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return err
	}
	return errUsage
}
