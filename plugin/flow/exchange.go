package flow

import (
	"strconv"
	"strings"

	"fairshare/plugin/admin"
	"fairshare/plugin/config"
	"fairshare/plugin/llm"
	"fairshare/plugin/quota"
	"fairshare/plugin/unit"
)

// A state is how far an exchange has come. Every event is valid in every
// state: a late or repeated one does nothing.
type state uint8

const (
	fresh     state = iota
	reading         // the request's body is awaited
	waiting         // the request went upstream
	answering       // the answer's headers have passed
	passing         // nothing of this exchange concerns the gateway any more
)

// An Exchange is the life of one request. It belongs to its gateway's worker
// and ends with Done. Exchanges are used again.
type Exchange struct {
	life

	// Memory that the next request uses again.
	watch   llm.Observer
	told    telling  // limits and money, for the answer
	dropped []string // names of headers that don't go upstream

	// Scratch that decisions point into.
	edits   []Edit
	headers [][2]string
	body    []byte
}

// A life is what an exchange knows of its request.
type life struct {
	gateway *Gateway
	state   state
	route   route
	path    string      // as the client wrote it, if it is an endpoint's without a query
	office  admin.Route // of the management API
	query   string
	caller  *caller
	group   *group
	chosen  *target
	hold    quota.Hold
	ask     llm.Ask
	watched bool // watch can read the answer
	early   bool // the headers went upstream before the body was there

	place int   // among those that wait for their body, see bodies
	read  int64 // bytes of the body that the host has

	// Whom the request is held on, in the order of meters.
	metered  [quota.MaxMeters]*metered
	meters   [quota.MaxMeters]*quota.Meter
	nmetered int
	endUser  string
	customer metered // the end user's, if anything is known of him

	present  [numCredentials]bool // credential headers that the client sent
	encoding bool                 // the client sent accept-encoding
	json     bool                 // its content-type is the one that goes upstream
	sized    bool                 // there is one content-length at most, a plain number
	manners  manners              // of the client that sent it
	page     string               // access-control-allow-origin for the page that asks; empty for none

	reply Reply
}

// Open begins an exchange.
func (g *Gateway) Open() *Exchange {
	w := g.worker
	if n := len(w.free); n > 0 {
		x := w.free[n-1]
		w.free = w.free[:n-1]
		x.gateway = g
		return x
	}
	return &Exchange{life: life{gateway: g}}
}

// maxFree bounds the exchanges that a worker keeps for reuse, and maxScratch
// the memory that each keeps.
const (
	maxFree    = 256
	maxScratch = 64 << 10
)

// RequestHeaders takes the request's headers, pseudo headers included, in the
// order in which they came. pairs are the host's and not kept. end says that no
// body follows.
func (x *Exchange) RequestHeaders(now int64, pairs [][2]string, end bool) Decision {
	if x.state != fresh {
		return Decision{}
	}
	x.state = passing
	var r requestHead
	if d := x.readRequest(pairs, &r); d != nil {
		return *d
	}
	e := find(r.path)
	if e == nil {
		e = x.findOffice(&r)
	}
	if e == nil {
		if plain(r.path) && x.gateway.policy.PassesThrough(r.path) {
			x.route = passThrough
			return x.through(now, &r)
		}
		return x.refuse(404, llm.ErrorBody{Message: "Not Found: " + r.method + " " + clip(r.path) + ". " + served(), Type: "invalid_request_error", Code: 404}, BadRequests)
	}
	if r.method == "OPTIONS" && r.from.method != "" && x.page != "" {
		return x.preflight(&r.from)
	}
	x.route = e.route
	if r.path == e.path && r.target == len(r.path) {
		x.path = e.path
	}
	if r.method != e.method && !(r.method == "HEAD" && e.method == "GET") {
		x.headers = append(x.headers[:0], [2]string{"allow", e.method})
		return x.refuse(405, llm.ErrorBody{Message: "Method Not Allowed: " + clip(r.path) + " takes " + e.method, Type: "invalid_request_error", Code: 405}, BadRequests)
	}
	if e.route == alive {
		return x.answer(200, append(x.body[:0], `"I'm alive!"`...))
	}
	if e.route == ready {
		return x.answerReady()
	}
	if e.route == showMetrics && x.gateway.policy.OpenMetrics {
		return x.answerMetrics(now)
	}
	if d := x.identify(now, &r); d != nil {
		return *d
	}
	switch e.route {
	case listModels:
		return x.answerModels()
	case showModel:
		return x.answerModel(r.path)
	case showHealth:
		return x.answerHealth(r.query)
	case showShares:
		return x.answerShares(now, r.query)
	case resetShares:
		return x.resetShares(now, r.query)
	case showMetrics:
		return x.answerMetrics(now)
	case manage:
		if x.office.Method == "GET" {
			x.query = r.query
			return x.manage(now, nil)
		}
		x.query = strings.Clone(r.query) // headers are gone when the body is there
	}
	x.endUser = r.endUser

	if at := x.caller.spoiled; at != 0 && now-at < suspectMS && e.route != manage {
		if d := x.unread(now); d != nil {
			return *d
		}
	}
	if r.coding != "" {
		return x.coded(r.coding)
	}
	if r.length > int64(x.maxBody()) {
		return x.tooLarge(now)
	}
	if d := x.await(); d != nil {
		return *d
	}
	if end {
		return x.RequestBody(now, nil)
	}
	if x.gateway.early {
		return x.SendEarly()
	}
	return Decision{Pause: true}
}

// BodyGrows tells how many bytes of the request's body the host has so far, as
// long as it is not complete.
func (x *Exchange) BodyGrows(now int64, size int) Decision {
	if x.state != reading {
		return Decision{}
	}
	if size > x.maxBody() {
		x.arrived()
		return x.tooLarge(now)
	}
	if d := x.grow(size); d != nil {
		return *d
	}
	return Decision{Pause: true}
}

// RequestBody takes the whole body of the request. body is the host's and not
// kept.
func (x *Exchange) RequestBody(now int64, body []byte) Decision {
	if x.state != reading {
		return Decision{}
	}
	x.arrived()
	if len(body) > x.maxBody() {
		return x.tooLarge(now)
	}
	switch x.route {
	case chatCompletions, embeddings:
		return x.infer(now, body)
	case manage:
		return x.manage(now, body)
	}
	return Decision{}
}

// Reading reports whether the exchange waits for the request's body.
func (x *Exchange) Reading() bool { return x.state == reading }

// infer runs a request for a model from its body to the upstream or a mock.
func (x *Exchange) infer(now int64, body []byte) Decision {
	parse := llm.ParseAsk
	if x.route == embeddings {
		parse = llm.ParseEmbeddingAsk
	}
	ask := &x.ask
	if fault := parse(body, ask); fault != nil {
		return x.refuseBody(now, 400, llm.ErrorBody{Message: fault.Message, Type: "invalid_request_error", Param: fault.Param, Code: 400})
	}
	g := x.gateway
	x.group = g.group(x.caller.resolve(ask.Model))
	if x.group == nil {
		return x.refuseBody(now, 400, llm.ErrorBody{
			Message: "litellm.BadRequestError: You passed in model=" + clip(ask.Model) + ". There are no healthy deployments for this model",
			Type:    "invalid_request_error", Param: "model", Code: 400,
		})
	}
	if d := x.authorise(); d != nil {
		return *d
	}
	if x.endUser == "" {
		x.endUser = ask.User
	}
	if x.endUser == "" && g.policy.EnforceUser {
		return x.refuseKey("'user' param not passed in. 'enforce_user_param'=True", "auth_error")
	}
	if x.gather(now) != quota.OK {
		return x.fail(keyStoreFailed)
	}
	if d := x.authoriseCustomer(); d != nil {
		return *d
	}
	x.chosen = x.group.next()
	if d := x.unservable(); d != nil {
		return *d
	}
	ask.Measure(x.chosen.ProviderModel)
	claim := g.claim(x.group, x.caller)
	claim.Ask = quota.Ask{
		TextBytes:   ask.TextBytes,
		MediaTokens: ask.MediaTokens,
		MaxOutput:   times(ask.MaxOutput, ask.Choices),
		Capped:      ask.Capped,
		Choices:     ask.Choices,
	}
	claim.Meters, claim.Costless = x.meters[:x.nmetered], x.group.costless
	claim.Counts = g.policy.Counts
	if x.chosen.price != nil {
		claim.Price = x.chosen.price
	}
	if x.chosen.IsMock {
		return x.mock(now, &claim)
	}
	v := &g.worker.verdict
	if err := g.worker.ledger.Admit(now, &x.group.terms, &claim, v); err != nil {
		return x.fail(admissionFailure(err))
	}
	if d := x.refused(now, v); d != nil {
		return *d
	}
	x.hold = v.Hold
	x.state = waiting
	return x.forward(body)
}

// unservable refuses a request that its deployment can't serve.
func (x *Exchange) unservable() *Decision {
	g, to := x.gateway, x.chosen
	message := ""
	switch {
	case to.price == nil && g.policy.Unpriced == config.UnpricedRefuse && x.budgeted():
		d := x.refuse(400, llm.ErrorBody{
			Message: "model " + clip(x.ask.Model) + " has no price, and a budget would have to pay for it: give input_cost_per_token and output_cost_per_token, or set unpriced_models",
			Type:    "invalid_request_error", Param: "model", Code: 400,
		}, UnpricedRequests)
		return &d
	case to.IsMock:
		return nil
	case x.early && !g.reaches(to):
		message = " has another upstream than the first, and this proxy sends headers before the body names the model"
	case to.MissingKey != "":
		message = " has no credential: the gateway's environment variable " + to.MissingKey + config.Unset
	default:
		return nil
	}
	d := x.refuse(500, llm.ErrorBody{Message: "model " + clip(x.ask.Model) + message, Type: "internal_server_error", Code: 500}, BadRequests)
	return &d
}

// refused tells of the limits, and refuses if one of them did.
func (x *Exchange) refused(now int64, v *quota.Verdict) *Decision {
	x.setLimits(v)
	x.tell(now)
	if !v.OK() {
		x.gateway.worker.ledger.NameRefused(&x.group.terms, &x.caller.key.Hash, x.caller.key.Alias)
		return x.refusal(now, v)
	}
	x.gateway.worker.count(Admitted, 1)
	if v.Would != quota.Admitted {
		x.wouldRefuse(v)
	}
	if x.chosen.price == nil {
		x.gateway.worker.count(UnpricedRequests, 1)
	}
	return nil
}

// refusal is the answer to who was refused, by a tenant's limit or by the model's.
// Only it needs memory: an answer declared in refused would take some for everybody.
//
//go:noinline
func (x *Exchange) refusal(now int64, v *quota.Verdict) *Decision {
	var d Decision
	if v.By >= 0 {
		d = x.overMeter(now, v)
	} else {
		d = x.overLimit(v)
	}
	return &d
}

// mock answers by itself, as LiteLLM's mock_response does: admitted, charged
// and answered at once.
func (x *Exchange) mock(now int64, claim *quota.Claim) Decision {
	w, u := x.gateway.worker, llm.MockUsage
	if x.route == embeddings {
		u = llm.MockEmbeddingUsage
	}
	s := x.spent(&u)
	v := &w.verdict
	if err := w.ledger.AdmitPaid(now, &x.group.terms, claim, &s, v); err != nil {
		return x.fail(admissionFailure(err))
	}
	if d := x.refused(now, v); d != nil {
		return *d
	}
	x.book(now, now, &u, &s)
	w.serial++
	x.headers = append(x.headers[:0], x.told.headers...)
	if x.chosen.price != nil {
		x.headers = append(x.headers, [2]string{"x-litellm-response-cost", s.Cost.String()})
	}
	if x.route == embeddings {
		x.body = llm.AppendMockEmbedding(x.body[:0], x.ask.Model, nil, x.ask.Inputs, x.ask.Base64)
		return x.send(200, "application/json")
	}
	id := "chatcmpl-" + strconv.FormatUint(uint64(now), 36) + "-" + strconv.FormatUint(w.ledger.Instance()^w.serial, 36)
	if x.ask.Stream {
		x.body = llm.AppendMockStream(x.body[:0], id, now/1000, x.ask.Model, x.chosen.Mock, u, x.ask.UsageWanted)
		return x.send(200, "text/event-stream")
	}
	x.body = llm.AppendMockJSON(x.body[:0], id, now/1000, x.ask.Model, x.chosen.Mock, u)
	return x.send(200, "application/json")
}

// times is t for each of n choices, far from overflowing.
func times(t unit.Tokens, n int64) unit.Tokens {
	const most = 1 << 40
	return min(t, most) * unit.Tokens(min(n, 1<<10))
}

// ResponseHeaders takes the answer's headers. end says that no body follows.
func (x *Exchange) ResponseHeaders(now int64, pairs [][2]string, end bool) Decision {
	if x.state != waiting {
		return Decision{}
	}
	x.state = answering
	a := readAnswer(pairs)
	x.edits = x.edits[:0]
	for _, name := range a.foreign {
		x.edits = append(x.edits, Edit{Op: Remove, Name: name})
	}
	for _, l := range x.told.headers {
		x.edits = push(x.edits, Edit{Op: Add, Name: l[0], Value: l[1]})
	}
	if x.page != "" {
		x.shareForwarded()
	}
	if a.status < 200 || a.status > 299 || end {
		// An error used no tokens, and neither did an answer without a body.
		if a.status < 200 || a.status > 299 {
			x.recordRefusal(a.status, ReleasedRequests)
		}
		x.release(now)
		return Decision{Edits: x.edits}
	}
	strip := x.asksUsage()
	// Whether it is a stream its bytes say; its type is not to be relied on.
	if x.watched = !a.encoded; x.watched {
		x.watch.Reset(llm.Either, strip)
		if strip && a.length {
			x.edits = append(x.edits, Edit{Op: Remove, Name: "content-length"})
		}
	}
	return Decision{Edits: x.edits}
}

// ResponseBody takes the next bytes of the answer, which it passes on at once.
// chunk is the host's and not kept. end says that they are the last.
func (x *Exchange) ResponseBody(now int64, chunk []byte, end bool) Decision {
	if x.state != answering {
		return Decision{}
	}
	var d Decision
	if x.watched {
		if out, changed := x.watch.Chunk(chunk, end); changed {
			d.Body, d.Replace = out, true
		}
		// The books are settled before the answer's last byte leaves, so that
		// the client's next request meets them.
		if x.watch.Complete() && (x.watch.Lines() || !x.ask.Stream) {
			x.settle(now, true)
		}
	}
	if end {
		x.settle(now, true)
		x.state = passing
	}
	return d
}

// ResponseTrailers tells that the answer's body is over.
func (x *Exchange) ResponseTrailers(now int64) Decision {
	return x.ResponseBody(now, nil, true)
}

// Done ends the exchange, whatever came of it, and settles or releases what is
// still open. The exchange must not be used afterwards.
func (x *Exchange) Done(now int64) {
	if x.gateway == nil {
		return
	}
	w := x.gateway.worker
	switch x.state {
	case reading:
		x.arrived()
	case waiting:
		x.abandon(now)
	case answering:
		if x.hold.Open() {
			w.count(AbortedRequests, 1)
			x.settle(now, false)
		}
	}
	if len(w.free) >= maxFree || cap(x.body) > maxScratch {
		return
	}
	x.life = life{}
	x.told.clear()
	x.dropped, x.edits, x.headers, x.body = x.dropped[:0], x.edits[:0], x.headers[:0], x.body[:0]
	w.free = push(w.free, x)
}

// Ended is an exchange that is over: no event on it does anything.
var Ended = &Exchange{life: life{state: passing}}

// Waiting reports whether the request is upstream and its answer has not begun.
func (x *Exchange) Waiting() bool { return x.state == waiting }

// Rewrites reports whether parts of the answer's body may be replaced.
func (x *Exchange) Rewrites() bool { return x.watched && x.asksUsage() }

// Answering reports whether the answer's body concerns the gateway.
func (x *Exchange) Answering() bool { return x.state == answering }
