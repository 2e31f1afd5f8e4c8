package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"fairshare/hostsim"
	"fairshare/hostsim/abi"
)

// bodyLimit is the largest request body that the filter can read, as in
// envoy.yaml.
const bodyLimit = 8 << 20

// shutdownTime is how long running answers may take after Ctrl-C.
const shutdownTime = 5 * time.Second

// serve is hostsim serve.
func serve(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("hostsim serve", flag.ContinueOnError)
	f.SetOutput(stderr)
	config := f.String("config", "", "`file` with LiteLLM's configuration (YAML or JSON), or an Envoy file that holds it")
	listen := f.String("listen", "127.0.0.1:4000", "`address` to serve on")
	workers := f.Int("workers", 2, "how many requests the filter decides at the same time")
	wasm := f.String("wasm", "build/fairshare.wasm", "the filter's `file`")
	f.Usage = func() {
		fmt.Fprint(stderr, "usage: hostsim serve --config file [flags]\n\n"+
			"Serves a configuration on a real port without a proxy: the filter decides, requests\n"+
			"go to the upstream that it names. Variables that the configuration names by\n"+
			"os.environ/NAME come from the environment. SIGHUP reads the file again.\n\n")
		f.PrintDefaults()
	}
	if err := parse(f, args); err != nil {
		return err
	}
	if *config == "" || f.NArg() > 0 {
		f.Usage()
		return errUsage
	}
	module, err := hostsim.LoadModule(*wasm)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "hostsim: serving %s on http://%s with %d workers\n", *config, listener.Addr(), *workers)
	return serveOn(ctx, listener, *config, module, *workers, stderr)
}

// serveOn serves on listener until ctx ends, and closes it.
func serveOn(ctx context.Context, listener net.Listener, file string, module *hostsim.Module, workers int, stderr io.Writer) error {
	defer listener.Close()
	c, err := readConfig(file, os.LookupEnv)
	if err != nil {
		return err
	}
	profile := hostsim.Envoy
	profile.BodyLimit = bodyLimit
	g := &gateway{client: newTransport(), scheme: c.scheme}
	host, err := hostsim.New(context.Background(), hostsim.Options{
		Module: module, Profile: profile, Workers: workers, Config: c.plugin, Env: c.env, RealTime: true,
		Log: func(l hostsim.Line) {
			if l.Level >= abi.Info && l.Worker >= 0 {
				fmt.Fprintln(stderr, l)
			}
		},
		Callout: func(p *hostsim.PendingCallout) { go g.callOut(p) },
	})
	if err != nil {
		return err
	}
	defer host.Close()
	g.host = host

	ticking := make(chan struct{})
	ctx, stop := context.WithCancel(ctx)
	defer func() { <-ticking }() // before the host is closed
	defer stop()
	go func() {
		defer close(ticking)
		host.RunTicks(ctx)
	}()
	server := &http.Server{Handler: g, ReadHeaderTimeout: 30 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	for {
		select {
		case err := <-served:
			return err
		case <-again:
			c, err := readConfig(file, os.LookupEnv)
			if err == nil {
				err = host.Reload(c.plugin)
			}
			if err != nil {
				fmt.Fprintf(stderr, "hostsim: the old configuration goes on: %v\n", err)
			}
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.Background(), shutdownTime)
			defer cancel()
			if err := server.Shutdown(end); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			return server.Close()
		}
	}
}

// callOut makes an HTTP request of the filter's own and gives it the answer.
func (g *gateway) callOut(p *hostsim.PendingCallout) {
	ctx := context.Background()
	if p.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.Timeout)
		defer cancel()
	}
	h := hostsim.Headers(p.Headers)
	url := g.scheme(p.Upstream) + "://" + p.Upstream + h.Get(":path")
	r, err := http.NewRequestWithContext(ctx, h.Get(":method"), url, bytes.NewReader(p.Body))
	if err != nil {
		g.host.FailCallout(p, "503")
		return
	}
	for _, f := range h {
		if f[0][0] != ':' && !hopByHop(f[0]) {
			r.Header.Add(f[0], f[1])
		}
	}
	answer, err := g.client.RoundTrip(r)
	if err != nil {
		g.host.FailCallout(p, "503")
		return
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, bodyLimit))
	if err != nil {
		g.host.FailCallout(p, "503")
		return
	}
	g.host.AnswerCallout(p, hostsim.CalloutAnswer{Headers: responseHeaders(answer), Body: body})
}
