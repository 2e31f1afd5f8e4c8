package envoy

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"fairshare/hostsim/script"
	"fairshare/hostsim/upstream"
)

// A Driver plays scenarios on real Envoy. The zero Driver is ready for Start.
//
// What Envoy adds to messages by itself, and what only frames them, is left out
// of what it returns, so that a scenario reads the same on every driver.
type Driver struct {
	// Options are for what a scenario does not say: Struct, Istio, Wasm.
	// Start sets the others.
	Options Options
	// TrapText is what an answer holds that makes the filter trap, in a build
	// that has such a switch. Empty for none.
	TrapText string

	envoy     *Envoy
	desk      *upstream.Desk
	stop      func() // ends the desk
	exchanges map[string]*exchange
}

var _ script.Driver = (*Driver)(nil)

// An exchange is a request of a scenario.
type exchange struct {
	call  *Call
	visit *upstream.Visit // nil until it was forwarded
}

// nameHeader carries a request's name in the scenario to the upstream.
// Its prefix is one that the gateway lets pass.
const nameHeader = "x-b3-scenario-exchange"

// quiet is how long an unfinished answer must bring nothing more before it
// counts as all that has come. Nothing tells when Envoy has passed on the last
// byte that it got, so this is a wait, not a condition.
const quiet = 150 * time.Millisecond

// Start brings up Envoy, with one upstream for every api_base of the
// configuration.
func (d *Driver) Start(setup script.Setup) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	d.desk = &upstream.Desk{Name: nameHeader}
	d.stop = upstream.Serve(listener, d.desk)
	d.exchanges = make(map[string]*exchange)
	o := d.Options
	o.Config, o.Workers, o.Now, o.Env = setup.Config, setup.Workers, setup.Now, setup.Env
	o.Upstreams = make(map[string]string)
	for _, authority := range authorities(setup.Config) {
		o.Upstreams[authority] = listener.Addr().String()
	}
	d.envoy, err = New(o)
	if err != nil {
		d.stop()
	}
	return err
}

// authorities returns the hosts of the configuration's deployments. What it
// cannot read is left to the filter to refuse.
func authorities(config []byte) []string {
	var c struct {
		Models []struct {
			Params struct {
				Base string `json:"api_base"`
			} `json:"litellm_params"`
		} `json:"model_list"`
	}
	_ = json.Unmarshal(config, &c)
	found := []string{"api.openai.com"}
	for _, model := range c.Models {
		if base, err := url.Parse(model.Params.Base); err == nil && base.Host != "" {
			found = append(found, base.Host)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// Reload implements script.Driver. New hosts in the configuration have no
// upstream.
func (d *Driver) Reload(config []byte) error { return d.envoy.Reload(config) }

// tickStat is the filter's counter of ticks, over all workers.
const tickStat = "wasmcustom.fairshare_ticks"

// longestJump is how far the clock goes between two ticks of every worker:
// less than the 10 s of silence after which a worker counts as dead.
const longestJump = 8 * time.Second

// Advance implements script.Driver. Envoy's timers run on the true clock, so a
// long time is passed in jumps, with a tick of every worker after each.
func (d *Driver) Advance(by time.Duration) error {
	for by > 0 {
		jump := min(by, longestJump)
		by -= jump
		if err := d.envoy.SetClock(d.envoy.Now().Add(jump)); err != nil {
			return err
		}
		if err := d.envoy.Tick(); err != nil {
			return err
		}
	}
	return nil
}

// Tick waits until every worker, and the main thread, whose filter ticks too,
// has ticked at least once.
func (e *Envoy) Tick() error {
	ticks := func() (int64, error) {
		stats, err := e.Stats(tickStat)
		return stats[tickStat], err
	}
	before, err := ticks()
	if err != nil {
		return err
	}
	workers, err := e.Stats("server.concurrency")
	if err != nil {
		return err
	}
	// All tick with the same period, so that while one ticks twice each of
	// the others ticks once. The filter of a configuration that was replaced
	// goes on ticking beside its successor.
	want := before + 2*(workers["server.concurrency"]+1)*int64(e.version)
	return e.wait("every worker to tick", func() (bool, error) {
		now, err := ticks()
		return now >= want, err
	})
}

// Send implements script.Driver.
func (d *Driver) Send(name string, r script.Request) (script.Outcome, error) {
	if x := d.exchanges[name]; x != nil {
		select {
		case <-x.call.Done():
		default:
			return script.Outcome{}, fmt.Errorf("envoy: two requests are named %s", name)
		}
	}
	r.Headers = append(slices.Clone(r.Headers), [2]string{nameHeader, name})
	call, err := d.envoy.Call(r)
	if err != nil {
		return script.Outcome{}, err
	}
	x := &exchange{call: call}
	d.exchanges[name] = x
	select {
	case x.visit = <-d.desk.Arrival(name):
		return script.Outcome{Forwarded: forwarded(x.visit)}, nil
	case <-call.Done():
		reply := seen(call.Reply())
		return script.Outcome{Reply: &reply}, nil
	case <-time.After(patience):
		return script.Outcome{}, fmt.Errorf("envoy: %s was neither answered nor forwarded within %v", name, patience)
	}
}

// Answer implements script.Driver.
func (d *Driver) Answer(name string, a script.Answer) (script.Reply, error) {
	return d.give(name, upstream.Part{
		Status: a.Status, Headers: a.Headers, Body: a.Body, Cut: a.Cut, Last: !a.Unfinished,
	})
}

// ResetUpstream implements script.Driver.
func (d *Driver) ResetUpstream(name string) (script.Reply, error) {
	return d.give(name, upstream.Part{Reset: true, Last: true})
}

// give gives the upstream's part to a forwarded request.
func (d *Driver) give(name string, part upstream.Part) (script.Reply, error) {
	x, err := d.forwarded(name)
	if err != nil {
		return script.Reply{}, err
	}
	if !x.visit.Give(part) {
		return script.Reply{}, fmt.Errorf("envoy: %s: Envoy broke the request off before", name)
	}
	if !part.Last {
		x.call.settled(quiet)
		return seen(x.call.Reply()), nil
	}
	select {
	case <-x.call.Done():
		return seen(x.call.Reply()), nil
	case <-time.After(patience):
		return script.Reply{}, fmt.Errorf("envoy: the reply to %s did not end within %v", name, patience)
	}
}

// Abort implements script.Driver. It returns when Envoy has told the upstream,
// which it does after it has told the filter.
func (d *Driver) Abort(name string) error {
	x, err := d.forwarded(name)
	if err != nil {
		return err
	}
	x.call.Abort()
	select {
	case <-x.visit.Gone():
		return nil
	case <-time.After(patience):
		return fmt.Errorf("envoy: %s still ran %v after its client had gone", name, patience)
	}
}

// forwarded returns a request that waits for its upstream.
func (d *Driver) forwarded(name string) (*exchange, error) {
	x := d.exchanges[name]
	if x == nil || x.visit == nil {
		return nil, fmt.Errorf("envoy: no request named %s was forwarded", name)
	}
	return x, nil
}

// Trap implements script.Driver. It returns when the client has lost its
// answer. Nothing traps a filter in Envoy from outside: without TrapText it is
// unsupported.
func (d *Driver) Trap(name string) error {
	if d.TrapText == "" {
		return script.ErrUnsupported
	}
	x, err := d.forwarded(name)
	if err != nil {
		return err
	}
	x.visit.Give(upstream.Part{Status: 200, Body: []byte(d.TrapText)})
	select {
	case <-x.call.Done():
		return nil
	case <-time.After(patience):
		return fmt.Errorf("envoy: the filter did not trap on %q", d.TrapText)
	}
}

// Close implements script.Driver.
func (d *Driver) Close() error {
	if d.envoy == nil {
		return nil
	}
	for _, x := range d.exchanges {
		x.call.Abort()
	}
	err := d.envoy.Close()
	d.stop()
	return err
}

// Log returns what Envoy has logged.
func (d *Driver) Log() string {
	if d.envoy == nil {
		return ""
	}
	return d.envoy.Log()
}

// own tells of headers that Envoy adds or that frame a message.
func own(name string) bool {
	switch name {
	case "connection", "content-length", "date", "host", "server", "transfer-encoding", "x-forwarded-proto", "x-request-id", nameHeader:
		return true
	}
	return strings.HasPrefix(name, "x-envoy-")
}

// forwarded returns the request as the upstream saw it, its headers by name.
func forwarded(v *upstream.Visit) *script.Request {
	r := &script.Request{
		Method: v.Request.Method, Path: v.Request.URL.RequestURI(), Body: v.Body,
		Headers: [][2]string{{":authority", v.Request.Host}},
	}
	for _, name := range slices.Sorted(maps.Keys(v.Request.Header)) {
		if lower := strings.ToLower(name); !own(lower) {
			for _, value := range v.Request.Header[name] {
				r.Headers = append(r.Headers, [2]string{lower, value})
			}
		}
	}
	return r
}

// seen returns the reply without what Envoy added.
func seen(r script.Reply) script.Reply {
	r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h [2]string) bool { return own(h[0]) })
	return r
}
