// Package admin answers the management API: LiteLLM's routes, fields and
// answers, for those who hold the master key.
//
// A request is read and checked as a whole before anything is written. Where an
// answer takes several writes, they are ordered so that a store that fails
// between two of them leaves nothing open that was not asked for, and what was
// written before is taken back.
package admin

import (
	"slices"
	"strconv"
	"strings"

	"fairshare/plugin/document"
	"fairshare/plugin/llm"
	"fairshare/plugin/period"
	"fairshare/plugin/price"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

// An Office answers management requests. It belongs to one VM.
type Office struct {
	Tenants *tenant.Directory
	Books   Books
	// Means reports whether a limit for a model, by its name and the subjects' aliases, is
	// for a model group that there is; nil takes any name.
	Means func(name string, subjects ...*tenant.Subject) bool
	// EndUserBudget is the id of the budget of end users without another, empty if
	// there is none.
	EndUserBudget string
	Models        []Model          // one for each deployment, in the configuration's order
	Calendar      *period.Calendar // nil is UTC
	// Proxy is the subject under which the Books keep what all callers spend
	// together, with the proxy's own budget as its limits.
	Proxy *tenant.Subject
	// Random fills a slice with bytes that nobody can guess; false if it can't.
	Random func([]byte) bool
}

// Books are what subjects spent. now is ms since 1970; false is that the store
// can't be read or written. The subjects given are not changed or kept.
type Books interface {
	// Book gives a subject's book, of one model group if model is not empty.
	Book(now int64, s *tenant.Subject, model string) (Book, bool)
	// SetSpend makes spend what the subject spent in its present period.
	SetSpend(now int64, s *tenant.Subject, spend unit.PicoUSD) bool
	// Forget empties the books of a subject that was removed.
	Forget(s *tenant.Subject) bool
}

// A Book is what a subject used.
type Book struct {
	Spend      unit.PicoUSD // in the present period
	Own        unit.PicoUSD // of that, what its budget pays for: not what a user's keys spent for a team
	Held       unit.PicoUSD // by requests in flight
	TotalSpend unit.PicoUSD // ever
	ResetAt    int64        // ms since 1970, when the period ends; 0 is never

	Requests, Tokens, Slots int64 // in this minute; Slots are requests in flight
}

// A Model is a deployment as the management API shows it.
type Model struct {
	Name          string // model_name: of the model group
	ID            string // model_info.id; empty if it has none
	Provider      string // such as openai
	ProviderModel string // litellm_params.model
	AccessGroups  []string
	TPM, RPM      quota.Cap
	Price         price.Price
	Priced        bool
}

// A Request is one call of the management API.
type Request struct {
	Route Route
	Query string // behind the "?", as it came
	Body  []byte // whole; not kept
	// Caller is the virtual key that asks, nil for the master key.
	Caller *tenant.Subject

	// Unread is set by Serve: the members of the body that did nothing, as paths, clipped.
	Unread []string
}

// A Refusal is a request that the management API does not take. It has changed
// nothing, unless the store failed in the middle and would not take back either
// what was written before.
type Refusal struct {
	Status  int
	Type    string
	Param   string // the field at fault, empty for the request as a whole
	Message string
}

const (
	invalid  = "invalid_request_error"
	notFound = "not_found_error"
	internal = "internal_server_error"
)

// Serve answers a request at now (ms since 1970) and appends the answer, JSON
// for status 200, to dst, which may be the body's memory.
//
// A secret is in the answers of /key/generate, /user/new and regenerate, and
// nowhere else: other answers name keys by their hashes.
func (o *Office) Serve(now int64, r *Request, dst []byte) ([]byte, *Refusal) {
	j := job{Office: o, now: now, query: r.Query, caller: r.Caller, form: emptyForm()}
	if r.Caller != nil && !r.Route.Own {
		return dst, &Refusal{
			Status: 401, Type: "auth_error", Param: llm.None,
			Message: "Authentication Error, Only proxy admin can be used to generate, delete, update info for new keys/users/teams. Route=" +
				r.Route.Path + ". Your role=unknown. Your user_id=***",
		}
	}
	if r.Route.Method == "POST" {
		j.read(r.Body)
	}
	if j.refusal == nil {
		o.Tenants.Refresh(now)
		j.dst, j.start = dst, len(dst)
		j.run(r.Route)
	}
	if j.refusal != nil {
		return dst, j.refusal
	}
	r.Unread = j.unread()
	return j.dst, nil
}

// A job is one request being answered. Its first refusal sticks.
type job struct {
	*Office
	form
	now     int64
	query   string
	caller  *tenant.Subject
	dst     []byte
	start   int // of the answer in dst
	refusal *Refusal
	// written is set once the store has what was asked for. What the answer can't
	// find out from then on it leaves out.
	written bool
}

//go:noinline
func (j *job) refuse(status int, typ, param, message string) {
	if j.refusal == nil {
		j.refusal = &Refusal{Status: status, Type: typ, Param: clip(param), Message: message}
	}
}

// bad refuses a field's value.
//
//go:noinline
func (j *job) bad(param, message string) { j.refuse(400, invalid, param, message) }

// broken refuses because the store does not answer.
//
//go:noinline
func (j *job) broken() {
	if !j.written {
		j.refuse(503, internal, "", "the store can't be read or written")
	}
}

// fault refuses what tenant.Read does not take.
func (j *job) fault(e *document.Error) {
	if e.Want != tenant.WantDuration {
		j.bad(e.Path, clip(e.Path)+": want "+e.Want+", got "+clip(e.Got))
		return
	}
	// LiteLLM's own words (management_endpoints/common_utils.py).
	got := e.Got
	if n := len(got); n > 1 && got[0] == '"' && got[n-1] == '"' {
		got = got[1 : n-1]
	}
	j.bad(e.Path, "Invalid "+clip(e.Path)+" '"+got+"'. Use a format like '1h', '24h', '7d', or '30d'.")
}

// find gives the subject of that kind and id, nil if there is none or the store
// failed, which it refuses.
//
//go:noinline
func (j *job) find(kind tenant.Kind, id string) *tenant.Subject {
	s, st := j.Tenants.Find(kind, id)
	if st == quota.Failed {
		j.broken()
		return nil
	}
	return s
}

// changeable is find for a subject that is to be changed; it refuses what there
// is not and what is declared. param is the field that named it.
func (j *job) changeable(kind tenant.Kind, id, param string) *tenant.Subject {
	s := j.find(kind, id)
	if s == nil {
		j.missing(kind, id, param)
		return nil
	}
	if s.Declared {
		j.came(tenant.IsDeclared, s, param)
		return nil
	}
	return s
}

// missing refuses an id that nobody has.
//
//go:noinline
func (j *job) missing(kind tenant.Kind, id, param string) {
	typ, message := notFound, ""
	switch kind {
	case tenant.Key:
		message = "Key not found."
	case tenant.User:
		message = "User not found, passed user_id=" + clip(id)
	case tenant.Team:
		message = "Team not found, passed team_id=" + clip(id)
	case tenant.Customer:
		typ, message = "not_found", "End User Id="+clip(id)+" does not exist in db"
	case tenant.Budget:
		message = "Budget not found, passed budget_id=" + clip(id)
	case tenant.Member:
		j.bad(param, "User not found in team")
		return
	}
	j.refuse(404, typ, param, message)
}

// came tells whether a change of a subject was made, and refuses if it was not.
func (j *job) came(got tenant.Outcome, s *tenant.Subject, param string) bool {
	switch got {
	case tenant.Added, tenant.Changed, tenant.Removed:
		return true
	case tenant.Missing:
		j.missing(s.Kind, s.ID, param)
	case tenant.IsDeclared:
		j.bad(param, "the configuration declares it, and only the configuration can change it")
	case tenant.AliasTaken:
		j.bad("key_alias", "Key with alias '"+clip(s.Alias)+"' already exists. Unique key aliases across all keys are required.")
	case tenant.BadID:
		j.bad(param, param+" must not be empty")
	case tenant.TooLarge:
		j.bad("", "the record would be larger than "+strconv.Itoa(tenant.MaxRecord)+" bytes, or an id in it than "+strconv.Itoa(tenant.MaxID))
	case tenant.Full:
		j.bad("", "there is no room for more")
	case tenant.Exists:
		j.exists(s, param)
	default:
		j.broken()
	}
	return false
}

// exists refuses an id that another subject has.
func (j *job) exists(s *tenant.Subject, param string) {
	switch id := clip(s.ID); s.Kind {
	case tenant.Key:
		j.bad(param, "this key already exists")
	case tenant.User:
		j.refuse(409, invalid, param, "User with id "+id+" already exists")
	case tenant.Team:
		j.bad(param, "Team id = "+id+" already exists. Please use a different team id.")
	case tenant.Member:
		j.refuse(400, "team_member_already_in_team", param, "User with user_id="+clip(s.UserID)+" already in team.")
	case tenant.Customer:
		j.refuse(400, "bad_request", param, "Customer already exists, passed user_id="+id+". Please pass a new user_id.")
	case tenant.Budget:
		j.bad(param, "Budget with id '"+id+"' already exists.")
	}
}

// apply reads the body's fields onto a subject.
//
//go:noinline
func (j *job) apply(s *tenant.Subject, node int, path string) {
	was := s.PerModel
	defer j.limited(s, was)
	e := tenant.ReadText(s, j.now, j.text, j.tree, node, path)
	if e == nil {
		e = tenant.Keep(s, j.text, j.tree, node, path)
	}
	if e != nil {
		j.fault(e)
	}
	j.seeFields(s.Kind, node, path)
}

// limited refuses limits for models that were not there before and that are for nothing:
// a limit that is accepted holds.
func (j *job) limited(s *tenant.Subject, was []tenant.ModelLimits) {
	for i := range s.PerModel {
		name := s.PerModel[i].Model
		if j.Means == nil || j.refusal != nil || slices.ContainsFunc(was, func(m tenant.ModelLimits) bool { return m.Model == name }) {
			continue
		}
		team := s
		if s.Kind == tenant.Key && s.TeamID != "" {
			team = j.find(tenant.Team, s.TeamID)
		}
		if !j.Means(name, s, team) {
			j.bad("model_"+limitNames(&s.PerModel[i].Limits), "a limit for model '"+clip(name)+"' would limit nothing: no model is called so, nor is it an alias, or what one provider's model alone is called")
		}
	}
}

// limitNames is the end of the field that has a model's first limit.
func limitNames(l *tenant.Limits) string {
	switch {
	case l.Budget.Limited:
		return "max_budget"
	case l.RPM.Limited:
		return "rpm_limit"
	}
	return "tpm_limit"
}

// some is apply for the body's fields of these names alone, parted by blanks.
func (j *job) some(s *tenant.Subject, names string) {
	was := s.PerModel
	for names != "" {
		var name string
		name, names, _ = strings.Cut(names, " ")
		j.see(j.tree.Member(0, name))
		if e := tenant.ReadMember(s, j.now, j.text, j.tree, 0, "", name); e != nil {
			j.fault(e)
		}
	}
	j.limited(s, was)
}

// refers refuses a team or a budget that there is not.
func (j *job) refers(s *tenant.Subject) {
	if s.Kind == tenant.Key && s.TeamID != "" && j.in(0, "team_id") != 0 && j.find(tenant.Team, s.TeamID) == nil {
		j.missing(tenant.Team, s.TeamID, "team_id")
	}
	if s.BudgetID != "" && j.in(0, "budget_id") != 0 && j.find(tenant.Budget, s.BudgetID) == nil {
		j.bad("budget_id", "Budget not found, passed budget_id="+clip(s.BudgetID))
	}
}

// unused refuses an alias that another key than s has.
func (j *job) unused(s *tenant.Subject) {
	if s.Kind != tenant.Key || s.Alias == "" {
		return
	}
	switch other, st := j.Tenants.FindAlias(s.Alias); {
	case st == quota.Failed:
		j.broken()
	case st == quota.OK && other.ID != s.ID:
		j.came(tenant.AliasTaken, s, "key_alias")
	}
}

// fresh refuses a subject that can't be added as it is.
func (j *job) fresh(s *tenant.Subject, param string) {
	if j.refusal == nil && s.ID != "" && j.find(s.Kind, s.ID) != nil {
		j.exists(s, param)
	}
	j.unused(s)
}

// add adds subjects, all or none, in their order: what comes later must not be
// open before what comes earlier limits it. If one can't be added those before
// it are removed again, the last first; should the store fail at that, too,
// what is left opens nothing more than was asked for.
func (j *job) add(subjects []*tenant.Subject, param string) bool {
	if j.refusal != nil {
		return false
	}
	for i, s := range subjects {
		s.Created, s.Updated = j.now, j.now
		if !j.came(j.Tenants.Add(s), s, param) {
			j.takeBack(subjects[:i])
			return false
		}
	}
	j.written = true
	return true
}

func (j *job) takeBack(subjects []*tenant.Subject) {
	for i := len(subjects) - 1; i >= 0; i-- {
		_ = j.Tenants.Remove(subjects[i].Kind, subjects[i].ID)
	}
}

// change applies the body's fields, and the route's own edit if there is one, to
// a subject, and gives it as it is then; nil after a refusal. What
// would be refused is found out on a copy first; in the store it can only be
// refused if another worker changed the subject meanwhile, and then it is
// written as it was.
func (j *job) change(s *tenant.Subject, param string, node int, edit func(*tenant.Subject)) *tenant.Subject {
	probe := *s
	j.edit(&probe, node, edit)
	j.refers(&probe)
	j.unused(&probe)
	var spend unit.PicoUSD
	given := false
	if node >= 0 && s.Kind != tenant.Budget {
		spend, given = j.spend()
	}
	if j.refusal != nil {
		return nil
	}
	var before Book
	if given {
		// First the books, because they can be put back.
		var ok bool
		if before, ok = j.Books.Book(j.now, s, ""); !ok || !j.Books.SetSpend(j.now, &probe, spend) {
			j.broken()
			return nil
		}
	}
	changed, got := j.Tenants.Change(s.Kind, s.ID, func(c *tenant.Subject) {
		was := *c
		j.edit(c, node, edit)
		if c.Role == regenerating {
			j.refuse(409, invalid, param, beingRegenerated)
		}
		if j.refusal != nil {
			*c = was
		}
	})
	if !j.came(got, &probe, param) || j.refusal != nil {
		if given {
			_ = j.Books.SetSpend(j.now, s, before.Own)
		}
		return nil
	}
	j.written = true
	return changed
}

func (j *job) edit(s *tenant.Subject, node int, edit func(*tenant.Subject)) {
	if node >= 0 {
		j.apply(s, node, "")
	}
	if edit != nil {
		edit(s)
	}
	s.Updated = j.now
}

// noFields is the node of a change that takes nothing from the body.
const noFields = -1

// remove removes a subject, and then what it spent, so that another one with its
// id begins at nothing. If the books can't be emptied that one begins where this
// one ended: the safe side, and no reason to keep the subject.
func (j *job) remove(s *tenant.Subject, param string) bool {
	switch got := j.Tenants.Remove(s.Kind, s.ID); got {
	case tenant.Missing: // another worker was faster
	default:
		if !j.came(got, s, param) {
			return false
		}
	}
	if s.Kind != tenant.Budget {
		_ = j.Books.Forget(s)
	}
	return true
}

// each visits the subjects of a kind and an owner (see tenant.List) until visit
// reports false.
func (j *job) each(kind tenant.Kind, owner string, visit func(*tenant.Subject) bool) {
	st := j.Tenants.List(kind, owner, func(id string) bool {
		s := j.find(kind, id)
		return j.refusal == nil && (s == nil || visit(s))
	})
	if st == quota.Failed {
		j.broken()
	}
}

// all gives the subjects of a kind and an owner.
func (j *job) all(kind tenant.Kind, owner string) []*tenant.Subject {
	var all []*tenant.Subject
	j.each(kind, owner, func(s *tenant.Subject) bool {
		all = append(all, s)
		return true
	})
	return all
}
