package filter

// Whether Envoy runs with allow_on_headers_stop_iteration can't be asked. If it
// does not, a request whose headers are paused waits for ever: its body never
// comes. So until the first body has come, paused requests are watched, and one
// whose body does not begin is sent on as on hosts that can't hold headers.
// Twice that, and the host is one.

const (
	// bodyWaitMS is how long a first body may take to begin. Clients send it
	// right behind the headers.
	bodyWaitMS = 1000
	maxStalls  = 2
)

// bodiesCome: a body came after its headers had been paused, which proves the
// option. stalls counts paused requests whose body did not begin before that.
var (
	bodiesCome bool
	stalls     int
	probed     = make(map[*stream]bool)
)

// awaitBody puts the stream under watch, as long as that is needed.
func (s *stream) awaitBody() {
	if s.plugin.profile.holdHeaders && !bodiesCome {
		s.since = clock
		s.probed = true
		probed[s] = true
	}
}

// bodyCame tells that the host gave a part of a request's body.
func (s *stream) bodyCame() {
	if s.probed {
		bodiesCome = true
		s.leaveProbe()
	}
}

func (s *stream) leaveProbe() {
	if s.probed {
		s.probed = false
		delete(probed, s)
	}
}

// probe sends stalled requests on.
func (p *plugin) probe() {
	for s := range probed {
		if s.plugin != p || clock-s.since < bodyWaitMS {
			continue
		}
		s.leaveProbe()
		if stalls++; stalls == maxStalls {
			tell(logWarn, "request bodies do not come while headers are held: set allow_on_headers_stop_iteration. "+
				"From now on headers are sent upstream before a request is decided, and only the first upstream can be reached")
		}
		if stalls >= maxStalls {
			p.profile.holdHeaders = false
			p.gateway.ForwardEarly()
		}
		report(proxySetEffectiveContext(s.id))
		edit(requestHeaders, s.exchange.SendEarly().Edits)
		report(proxyContinueStream(requestStream))
	}
}
