package flow

// catchUp writes what was collected of subjects that limited nothing, when the first
// request comes after a change of the configuration or of any subject: a limit that is
// put on then counts what was spent before, whether a tick came between or not. What
// another worker has collected comes with that one's next request or tick.
//
//go:noinline
func (g *Gateway) catchUp(now int64) {
	w := g.worker
	w.caught.by, w.caught.version = g, g.tenants.Version()
	w.ledger.WriteTallies(now)
}

// behind reports whether catchUp has something to do.
func (g *Gateway) behind() bool {
	c := &g.worker.caught
	return c.by != g || c.version != g.tenants.Version()
}
