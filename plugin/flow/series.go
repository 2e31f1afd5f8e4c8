package flow

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"

	"fairshare/plugin/llm"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

// What /metrics counts by key, team and model lies in the store, so that any
// worker can tell of all of them. A worker collects what happens and adds it with
// its tick to pages that all workers share; one that dies loses a moment's news.

// A label is one that LiteLLM's counters have (integrations/prometheus.py), in
// the order in which labels are printed.
type label uint8

const (
	byKeyAlias label = iota
	byProvider
	byClientIP
	byEndUser
	byException
	byExceptionStatus
	byKey
	byModel // the provider's
	byDeployment
	byOrgAlias
	byOrg
	byRequested // the model group
	byRoute
	byServiceTier
	byStatus
	byTeam
	byTeamAlias
	byUser
	byUserAgent
	byEmail
	numLabels
)

var labelNames = [numLabels]string{
	"api_key_alias", "api_provider", "client_ip", "end_user", "exception_class", "exception_status", "hashed_api_key", "model", "model_id",
	"org_alias", "org_id", "requested_model", "route", "service_tier", "status_code", "team", "team_alias", "user", "user_agent", "user_email",
}

// labels is a set: bit l for label l.
type labels uint32

func (s labels) has(l label) bool { return s>>l&1 == 1 }

// An amount is something that a series counts of answers.
type amount uint8

const (
	spent amount = iota // PicoUSD
	answered
	totalTokens
	inputTokens
	outputTokens
	cachedTokens
	cacheWriteTokens
	reasoningTokens
	inputAudioTokens
	outputAudioTokens
	numAmounts
)

// A seriesKind is what a series counts. Its values stand in pages.
type seriesKind uint8

const (
	ofAnswers  seriesKind = iota // amounts of what requests that were answered used
	ofRequests                   // requests, by the status that the client got
	ofFailures                   // those of them that got an error
	ofShadow                     // requests that limits in shadow would refuse, by the kind of limit
	numSeriesKinds
)

// amounts is how many numbers a series of that kind has.
func (k seriesKind) amounts() int {
	switch k {
	case ofAnswers:
		return int(numAmounts)
	case ofShadow:
		return numShadow
	}
	return 1
}

// kept are the labels of each kind that this gateway knows. LiteLLM's others
// are always absent here, so no page need say so.
var kept = [numSeriesKinds]labels{
	ofAnswers:  ofWhom | 1<<byModel,
	ofRequests: ofWhom | 1<<byRoute | 1<<byStatus,
	ofFailures: ofWhom | 1<<byRoute | 1<<byException | 1<<byExceptionStatus,
	ofShadow:   ofWhom,
}

const ofWhom labels = 1<<byKeyAlias | 1<<byProvider | 1<<byEndUser | 1<<byKey | 1<<byRequested | 1<<byTeam | 1<<byTeamAlias | 1<<byUser | 1<<byEmail

// An occasion is what a request's labels follow from. Requests of one occasion
// are counted together; the zero occasion stands for all that there was no room
// to tell apart.
type occasion struct {
	caller *caller
	place
}

// A place is an occasion without the caller itself, which what is counted must
// not keep in memory.
type place struct {
	serial   uint64          // the caller's
	group    *group          // nil if there is none of the name that the client gave
	target   *target         // nil if the request went to none
	customer *tenant.Subject // nil for an end user without a record
	status   int32
	route    route
	why      Metric // of an error: what counts the refusal, or ReleasedRequests for an upstream's own
	master   bool   // the key is the master key
	named    bool   // the client named a model
	short    bool   // the path came without /v1
}

// A delta is what happened on an occasion and is not in a page yet.
type delta struct {
	place
	names    [numSeriesKinds]seriesName
	answers  [numAmounts]int64
	requests [1]int64
	failures [1]int64
	shadow   [numShadow]int64 // by Metric, from WouldRefuseRequests
}

// A seriesName says where the name of a series lies in a tableau's names, and in
// which page the series. An empty one is none.
type seriesName struct {
	from, to int32
	page     int32
}

const numShadow = int(WouldRefuseBudget-WouldRefuseRequests) + 1

// amounts are those for a series of that kind, nil if there is nothing to add.
func (d *delta) amounts(k seriesKind) []int64 {
	switch {
	case k == ofAnswers && d.answers[answered] > 0:
		return d.answers[:]
	case k == ofRequests && d.requests[0] > 0:
		return d.requests[:]
	case k == ofFailures && d.failures[0] > 0:
		return d.failures[:]
	case k == ofShadow && d.shadow != [numShadow]int64{}:
		return d.shadow[:]
	}
	return nil
}

// maxDeltas bounds the deltas that wait for the tick. What comes on further
// occasions until then is counted with the others.
const maxDeltas = 512

// A tableau is what a worker counted and has not written yet.
type tableau struct {
	at     map[place]int32 // of deltas
	deltas []delta
	last   int                 // the delta that was counted in last
	names  []byte              // of the deltas' series, in their order
	turn   int                 // the page to begin with
	keys   [seriesPages]string // of the pages, made when first needed

	// Scratch of writeSeries.
	pending []pendingSeries
	page    []byte
}

// record counts an answered request.
func (x *Exchange) record(u *llm.Usage, s *quota.Spent) {
	o := x.occasion(200)
	o.target = x.chosen
	d := x.gateway.worker.delta(&o)
	amounts := [numAmounts]int64{
		spent: int64(s.Cost), answered: 1,
		totalTokens: int64(u.Total), inputTokens: int64(s.Prompt), outputTokens: int64(s.Completion),
		cachedTokens: int64(u.Cached), cacheWriteTokens: int64(u.CacheWrite), reasoningTokens: int64(u.Reasoning),
		inputAudioTokens: int64(u.PromptAudio), outputAudioTokens: int64(u.CompletionAudio),
	}
	for i := range amounts {
		d.answers[i] = plus(d.answers[i], amounts[i])
	}
	d.requests[0]++
}

// recordRefusal counts a request for a model that got an error. why is what
// counts the refusal, or ReleasedRequests for an upstream's own error.
func (x *Exchange) recordRefusal(status int, why Metric) {
	if x.caller == nil || x.route != chatCompletions && x.route != embeddings {
		return
	}
	o := x.occasion(status)
	if o.why = why; why == ReleasedRequests {
		o.target = x.chosen
	}
	d := x.gateway.worker.delta(&o)
	d.requests[0]++
	d.failures[0]++
}

// recordWouldRefuse counts a request that passes, and that m says what would refuse.
func (x *Exchange) recordWouldRefuse(m Metric) {
	o := x.occasion(200)
	o.target = x.chosen
	o.why = m
	x.gateway.worker.delta(&o).shadow[m-WouldRefuseRequests]++
}

// plus never decreases a counter.
func plus(n, more int64) int64 { return int64(unit.Tokens(n).Plus(unit.Tokens(max(0, more)))) }

func (x *Exchange) occasion(status int) occasion {
	g := x.gateway
	o := occasion{x.caller, place{
		serial: x.caller.serial, group: x.group, status: int32(min(max(status, 0), 999)), route: x.route,
		master: x.caller.key == g.master, named: x.ask.Model != "", short: x.path == upstreamPaths[x.route],
	}}
	if s := x.customer.subject; s != nil {
		// Whoever calls names end users: only those that the operator made
		// have their own series.
		if known, st := g.tenants.Find(tenant.Customer, s.ID); st == quota.OK {
			o.customer = known
		}
	}
	return o
}

// delta gives the delta of an occasion. It is valid until the next call.
func (w *Worker) delta(o *occasion) *delta {
	t := &w.series
	if t.last < len(t.deltas) && t.deltas[t.last].place == o.place {
		return &t.deltas[t.last]
	}
	i, ok := t.at[o.place]
	if !ok && len(t.deltas) >= maxDeltas {
		*o = occasion{}
		i, ok = t.at[o.place]
	}
	if !ok {
		if t.at == nil {
			t.at = make(map[place]int32)
		}
		i = int32(len(t.deltas))
		t.at[o.place] = i
		t.deltas = append(t.deltas, delta{place: o.place})
		d := &t.deltas[i]
		for k := range numSeriesKinds {
			if o.counts(k) {
				from := len(t.names)
				t.names = o.appendName(t.names, k)
				d.names[k] = seriesName{int32(from), int32(len(t.names)), int32(quota.Checksum(t.names[from:]) % seriesPages)}
			}
		}
	}
	t.last = int(i)
	return &t.deltas[i]
}

// counts reports whether what happens on the occasion is of that kind.
func (o *occasion) counts(k seriesKind) bool {
	shadow := o.why >= WouldRefuseRequests && o.why <= WouldRefuseBudget
	switch {
	case o.caller == nil:
		return true
	case k == ofShadow || shadow:
		return k == ofShadow && shadow
	case k == ofAnswers:
		return o.status == 200
	case k == ofFailures:
		return o.status != 200
	}
	return true
}

const (
	// seriesPages is how many pages there are; a hash of a series' kind and labels
	// says in which of them it lies.
	seriesPages = 64
	// maxSeriesPage bounds a page in bytes. A series for which there is no room in
	// its page becomes part of the page's series of others.
	maxSeriesPage = 16 << 10
	// othersRoom is kept free in each page for the others of each kind.
	othersRoom = 512
	// tornPages is how often a page that can't be read is read again before it
	// counts as foreign.
	tornPages = 4
	// tickBytes is how much of pages one tick writes before it leaves the rest to
	// the next: with all pages full, that is all of them in two seconds.
	tickBytes = 64 << 10
)

// seriesKey is where page n lies.
func (t *tableau) seriesKey(n int) string {
	if t.keys[n] == "" {
		t.keys[n] = "fs/p/" + strconv.Itoa(n)
	}
	return t.keys[n]
}

// pendingSeries is a series to which a delta is to be added.
type pendingSeries struct {
	delta int32
	next  int32 // of the same page, or -1
	kind  seriesKind
}

// writeSeries adds the deltas to the pages. What can't be added now stays for
// the next time.
func (w *Worker) writeSeries() {
	t := &w.series
	if len(t.deltas) == 0 {
		return
	}
	t.pending = t.pending[:0]
	var first [seriesPages]int32
	for n := range first {
		first[n] = -1
	}
	for i := range t.deltas {
		d := &t.deltas[i]
		for k := range numSeriesKinds {
			if d.amounts(k) == nil {
				continue
			}
			n := d.names[k].page
			t.pending = append(t.pending, pendingSeries{int32(i), first[n], k})
			first[n] = int32(len(t.pending)) - 1
		}
	}
	written := 0
	for range seriesPages {
		if written >= tickBytes {
			break
		}
		n := t.turn
		t.turn = (n + 1) % seriesPages
		if first[n] < 0 {
			continue
		}
		if !w.writePage(n, first[n]) {
			break // the store is broken: the others would take as long to find it out
		}
		written += len(t.page)
	}
	t.keepPending()
}

// keepPending forgets the deltas that are in pages.
func (t *tableau) keepPending() {
	clear(t.at)
	rest, end := t.deltas[:0], 0
	for i := range t.deltas {
		d := &t.deltas[i]
		if d.amounts(ofAnswers) == nil && d.amounts(ofRequests) == nil && d.amounts(ofFailures) == nil && d.amounts(ofShadow) == nil {
			continue
		}
		t.at[d.place] = int32(len(rest))
		for k := range d.names {
			if n := &d.names[k]; n.to > 0 {
				end += copy(t.names[end:], t.names[n.from:n.to])
				n.from, n.to = int32(end)-(n.to-n.from), int32(end)
			}
		}
		rest = append(rest, *d)
	}
	t.deltas, t.names = rest, t.names[:end]
}

// writePage adds to page n what is pending for it, all or nothing.
func (w *Worker) writePage(n int, first int32) bool {
	t := &w.series
	for range quota.MaxTries {
		cas, fresh, st := w.readPage(n)
		if st != quota.OK {
			return false
		}
		for i := first; i >= 0; i = t.pending[i].next {
			p := &t.pending[i]
			d := &t.deltas[p.delta]
			name := &d.names[p.kind]
			t.page = addSeries(t.page, t.names[name.from:name.to], d.amounts(p.kind))
		}
		quota.Seal(t.page, seriesMagic)
		if fresh {
			st = quota.Create(w.host, t.seriesKey(n), t.page)
		} else {
			st = w.host.Set(t.seriesKey(n), t.page, cas)
		}
		switch st {
		case quota.OK:
			for i := first; i >= 0; i = t.pending[i].next {
				p := &t.pending[i]
				clear(t.deltas[p.delta].amounts(p.kind))
			}
			return true
		case quota.Mismatch:
			w.count(SwapRetries, 1)
		default:
			return false
		}
	}
	return false
}

// readPage copies page n to the worker's scratch. One that there is none of, or
// that is not what this gateway writes, is empty.
func (w *Worker) readPage(n int) (cas uint32, fresh bool, st quota.Status) {
	t := &w.series
	var v []byte
	for range tornPages {
		switch v, cas, st = w.host.Get(t.seriesKey(n)); {
		case st == quota.NotFound:
			t.page = newPage(t.page, n)
			return 0, true, quota.OK
		case st != quota.OK:
			return 0, false, quota.Failed
		case wholePage(v, n):
			t.page = append(t.page[:0], v...)
			return cas, false, quota.OK
		}
		// What another worker was just writing reads whole the next time.
	}
	t.page = newPage(t.page, n)
	return cas, false, quota.OK
}

// Layout of a page, numbers little endian:
//
//	magic 4 | checksum of what follows 4 | number of the page 4 | series
//
// A series is: hash of its name 4 | length of its name 2 | name | amounts, 8 each.
// A name is: kind 1 | for each label that the kind keeps: length 1, text.
const (
	seriesMagic = 0x01505346 // "FSP" and layout 1
	pageHead    = 12
	seriesHead  = 6
)

func newPage(dst []byte, n int) []byte {
	return binary.LittleEndian.AppendUint32(quota.Unsealed(dst[:0]), uint32(n))
}

// wholePage reports whether v is page n, untorn.
func wholePage(v []byte, n int) bool {
	if len(v) < pageHead || len(v) > maxSeriesPage || binary.LittleEndian.Uint32(v[8:]) != uint32(n) || !quota.Sealed(v, seriesMagic) {
		return false
	}
	s := seriesOf(v)
	for s.next() {
		if !wholeName(s.name) {
			return false
		}
	}
	return s.at == len(v)
}

// seriesReader goes through the series of a page, which is whole.
type seriesReader struct {
	page    []byte
	at      int // behind the present one
	hash    uint32
	name    []byte
	amounts []byte
}

func seriesOf(page []byte) seriesReader { return seriesReader{page: page, at: pageHead} }

// next reports false behind the last series, and at what is none.
func (s *seriesReader) next() bool {
	v := s.page[s.at:]
	if len(v) < seriesHead {
		return false
	}
	end := seriesHead + int(binary.LittleEndian.Uint16(v[4:]))
	if end == seriesHead || end > len(v) {
		return false
	}
	size := end + 8*seriesKind(v[seriesHead]).amounts()
	if size > len(v) {
		return false
	}
	s.hash, s.name, s.amounts = binary.LittleEndian.Uint32(v), v[seriesHead:end], v[end:size]
	s.at += size
	return true
}

// kind is what the present series counts.
func (s *seriesReader) kind() seriesKind { return seriesKind(s.name[0]) }

// amount is the i-th number of the present series.
func (s *seriesReader) amount(i int) int64 {
	return int64(binary.LittleEndian.Uint64(s.amounts[8*i:]))
}

// texts are the labels of the present series, empty where absent.
func (s *seriesReader) texts() (texts [numLabels][]byte) {
	rest := s.name[1:]
	for l := range numLabels {
		if kept[s.kind()].has(l) {
			end := 1 + int(rest[0])
			texts[l], rest = rest[1:end], rest[end:]
		}
	}
	return texts
}

// wholeName reports whether a name, which is not empty, has a kind and the
// labels of that and no more.
func wholeName(name []byte) bool {
	if name[0] >= byte(numSeriesKinds) {
		return false
	}
	set, rest := kept[name[0]], name[1:]
	for l := range numLabels {
		if !set.has(l) {
			continue
		}
		if len(rest) == 0 || len(rest) < 1+int(rest[0]) {
			return false
		}
		rest = rest[1+int(rest[0]):]
	}
	return len(rest) == 0
}

// addSeries adds amounts to the series called name, or to the others if that
// is new and the page has no room for it.
func addSeries(page, name []byte, amounts []int64) []byte {
	le := binary.LittleEndian
	hash := quota.Checksum(name)
	for s := seriesOf(page); s.next(); {
		if s.hash != hash || !equalBytes(s.name, name) {
			continue
		}
		for i, n := range amounts {
			le.PutUint64(s.amounts[8*i:], uint64(plus(s.amount(i), n)))
		}
		return page
	}
	if len(page)+seriesHead+len(name)+8*len(amounts) > maxSeriesPage-othersRoom {
		var buf [othersRoom]byte
		if others := new(occasion).appendName(buf[:0], seriesKind(name[0])); !equalBytes(others, name) {
			return addSeries(page, others, amounts)
		}
	}
	page = le.AppendUint32(page, hash)
	page = le.AppendUint16(page, uint16(len(name)))
	page = append(page, name...)
	for _, n := range amounts {
		page = le.AppendUint64(page, uint64(max(0, n)))
	}
	return page
}

// equalBytes is bytes.Equal, which TinyGo compiles to two copies.
func equalBytes(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// others is every label of the series of all that there was no room for.
const others = "other"

// maxLabel bounds a label in a page, in bytes. Longer ones that begin alike are
// one.
const maxLabel = 255

// appendName appends the name of the occasion's series of that kind.
func (o *occasion) appendName(dst []byte, k seriesKind) []byte {
	dst = append(dst, byte(k))
	for l := range numLabels {
		if !kept[k].has(l) {
			continue
		}
		if o.caller != nil && (l == byStatus || l == byExceptionStatus) {
			at := len(dst)
			dst = strconv.AppendInt(append(dst, 0), int64(o.status), 10)
			dst[at] = byte(len(dst) - at - 1)
			continue
		}
		dst = appendLabel(dst, o.text(l))
	}
	return dst
}

// appendLabel appends a label of a name as valid UTF-8.
func appendLabel(dst []byte, s string) []byte {
	at := len(dst)
	dst = append(dst, 0)
	if len(s) <= maxLabel && utf8.ValidString(s) {
		dst = append(dst, s...)
	} else {
		for _, r := range s {
			if len(dst)-at-1+utf8.RuneLen(r) > maxLabel {
				break
			}
			dst = utf8.AppendRune(dst, r)
		}
	}
	dst[at] = byte(len(dst) - at - 1)
	return dst
}

// text is the value of a label, empty if it is absent.
func (o *occasion) text(l label) string {
	c := o.caller
	if c == nil {
		return others
	}
	switch l {
	case byKeyAlias:
		return c.key.Alias
	case byKey:
		if o.master {
			return masterKeyLabel
		}
		return c.key.ID
	case byEndUser:
		if o.customer != nil {
			return o.customer.ID
		}
	case byTeam:
		return c.key.TeamID
	case byTeamAlias:
		if c.team != nil {
			return c.team.Alias
		}
	case byUser:
		return c.key.UserID
	case byEmail:
		if c.user != nil {
			return c.user.Email
		}
	case byModel:
		if o.target != nil {
			return o.target.ProviderModel
		}
	case byProvider:
		if o.target != nil {
			return o.target.Provider
		}
	case byRequested:
		switch {
		case o.group != nil:
			return o.group.model.Name
		case o.named:
			return others
		}
	case byRoute:
		return o.path()
	case byException:
		return o.exception()
	}
	return ""
}

// masterKeyLabel stands for the master key's hash, from which a short one could
// be found (LiteLLM: proxy/_types.py).
const masterKeyLabel = "litellm_proxy_master_key"

func (o *occasion) path() string {
	switch {
	case o.route == embeddings && o.short:
		return "/embeddings"
	case o.route == embeddings:
		return "/v1/embeddings"
	case o.short:
		return "/chat/completions"
	}
	return "/v1/chat/completions"
}

// exception is the class of what LiteLLM would have raised.
func (o *occasion) exception() string {
	switch o.why {
	case ReleasedRequests:
		return o.upstreamException()
	case RefusedBudget:
		return "BudgetExceededError"
	case RefusedRequests, RefusedTokens, RefusedParallel:
		return "HTTPException"
	}
	switch {
	case o.status == 401:
		return "ProxyException"
	case o.status == 403:
		return "ModelAccessDeniedProxyException"
	case o.status < 500:
		return "BadRequestError"
	}
	return "InternalServerError"
}

// upstreamException is like "Openai.RateLimitError" (litellm/exceptions.py).
func (o *occasion) upstreamException() string {
	class := "APIError"
	switch o.status {
	case 400:
		class = "BadRequestError"
	case 401:
		class = "AuthenticationError"
	case 403:
		class = "PermissionDeniedError"
	case 404:
		class = "NotFoundError"
	case 408:
		class = "Timeout"
	case 422:
		class = "UnprocessableEntityError"
	case 429:
		class = "RateLimitError"
	case 500:
		class = "InternalServerError"
	case 503:
		class = "ServiceUnavailableError"
	}
	if o.target == nil || o.target.Provider == "" {
		return class
	}
	first := o.target.Provider[:1]
	if c := first[0]; c >= 'a' && c <= 'z' {
		first = string(rune(c - 'a' + 'A'))
	}
	return first + o.target.Provider[1:] + "." + class
}
