package tenant

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"fairshare/plugin/document"
	"fairshare/plugin/llm"
	"fairshare/plugin/period"
	"fairshare/plugin/quota"
	"fairshare/plugin/unit"
)

// What a subject may have at most, so that its record stays small.
const (
	maxText     = 1 << 10 // bytes of an id, an alias, a model's name
	maxModels   = 1 << 8  // models, aliases
	maxPerModel = 1 << 6  // models with limits of their own
	maxMetadata = 8 << 10 // bytes

	maxUSD   = 9e6  // a budget: what PicoUSD can hold
	maxLimit = 1e12 // tokens or requests in a minute, requests at once
)

// fieldsOf gives the names that LiteLLM has for the fields of a kind, each behind
// the letter of its field, in the order in which they are read and shown
// (litellm: proxy/_types.py, LiteLLM_VerificationToken and its like). metadata
// comes before the limits that it may contain, because those beside it win.
func fieldsOf(k Kind) string {
	switch k {
	case Key:
		return "n:key_name A:key_alias U:user_id T:team_id G:budget_id M:models S:aliases B:max_budget F:soft_budget D:budget_duration " +
			"P:max_parallel_requests K:tpm_limit R:rpm_limit J:metadata X:model_max_budget Y:model_rpm_limit Z:model_tpm_limit W:tags " +
			"L:blocked V:duration H:temp_budget_increase Q:temp_budget_expiry O:rpm_limit_type O:tpm_limit_type N:enforce e:expires c:created_at u:updated_at"
	case User:
		return "I:user_id A:user_alias E:user_email C:user_role M:models B:max_budget F:soft_budget D:budget_duration " +
			"P:max_parallel_requests K:tpm_limit R:rpm_limit J:metadata X:model_max_budget Y:model_rpm_limit Z:model_tpm_limit N:enforce c:created_at u:updated_at"
	case Team:
		return "A:team_alias I:team_id M:models S:model_aliases B:max_budget F:soft_budget D:budget_duration " +
			"P:max_parallel_requests K:tpm_limit R:rpm_limit J:metadata X:model_max_budget Y:model_rpm_limit Z:model_tpm_limit W:tags L:blocked " +
			"1:team_member_budget 2:team_member_budget_duration 3:team_member_rpm_limit 4:team_member_tpm_limit N:enforce c:created_at u:updated_at"
	case Member:
		return "U:user_id T:team_id C:role B:max_budget_in_team D:budget_duration " +
			"P:max_parallel_requests K:tpm_limit R:rpm_limit M:allowed_models N:enforce c:created_at u:updated_at"
	case Customer:
		return "I:user_id A:alias L:blocked G:budget_id B:max_budget D:budget_duration " +
			"P:max_parallel_requests K:tpm_limit R:rpm_limit M:models J:metadata N:enforce c:created_at u:updated_at"
	case Budget:
		return "I:budget_id B:max_budget F:soft_budget D:budget_duration " +
			"P:max_parallel_requests K:tpm_limit R:rpm_limit N:enforce c:created_at u:updated_at"
	}
	return ""
}

// unenforced are limits, and other names by which LiteLLM keeps a caller from
// something, that Fairshare enforces for no kind or not for each. They are
// refused where they are no field of the kind at hand: a limit that is accepted
// and not enforced is worse than none.
const unenforced = "max_budget soft_budget budget_duration budget_id max_parallel_requests tpm_limit rpm_limit " +
	"model_max_budget model_rpm_limit model_tpm_limit models blocked max_budget_in_team allowed_models temp_budget_increase " +
	"team_member_budget team_member_budget_duration team_member_rpm_limit team_member_tpm_limit " +
	"budget_limits tag_rpm_limit tag_tpm_limit permissions allowed_routes allowed_passthrough_routes enforced_params guardrails " +
	"policies prompts allowed_cache_controls allowed_vector_store_indexes object_permission access_group_ids " +
	"organization_id project_id allowed_model_region default_model end_user_budget_id budget_fallbacks router_settings " +
	"throttle_on_budget_exceeded team_member_key_duration tpd_limit auto_rotate rotation_interval default_models " +
	"model_itpm_limit model_otpm_limit mcp_rpm_limit mcp_tpm_limit denied_passthrough_routes default_team_member_models " +
	"team_member_model_max_budget team_member_permissions require_trace_id enforced_batch_output_expires_after enforced_file_expires_after"

// inMetadata are names of limits that are refused in metadata, where they would hold
// for nobody: those that LiteLLM takes from there (proxy/_types.py,
// LiteLLM_ManagementEndpoint_MetadataFields and its premium ones), and the amounts that
// belong beside it.
const inMetadata = "tag_rpm_limit tag_tpm_limit guardrails enforced_params policies prompts model_itpm_limit model_otpm_limit " +
	"mcp_rpm_limit mcp_tpm_limit allowed_vector_store_indexes throttle_on_budget_exceeded end_user_budget_id require_trace_id " +
	"team_member_key_duration allowed_passthrough_routes denied_passthrough_routes enforced_batch_output_expires_after " +
	"enforced_file_expires_after team_member_budget_id " + amounts

// amounts are the limits that are numbers or durations.
const amounts = "max_budget soft_budget budget_duration max_parallel_requests tpm_limit rpm_limit model_max_budget " +
	"temp_budget_increase temp_budget_expiry max_budget_in_team team_member_budget team_member_budget_duration " +
	"team_member_rpm_limit team_member_tpm_limit"

// A field is what part of a Subject a name is for: its letter in fieldsOf. Those
// with small letters are shown, not read.
type field byte

const (
	noField           field = 0
	idField           field = 'I'
	nameField         field = 'n'
	aliasField        field = 'A'
	emailField        field = 'E'
	roleField         field = 'C'
	userIDField       field = 'U'
	teamIDField       field = 'T'
	budgetIDField     field = 'G'
	modelsField       field = 'M'
	aliasesField      field = 'S'
	budgetField       field = 'B'
	softField         field = 'F'
	resetField        field = 'D'
	parallelField     field = 'P'
	tpmField          field = 'K'
	rpmField          field = 'R'
	metadataField     field = 'J'
	modelBudgetField  field = 'X'
	modelRPMField     field = 'Y'
	modelTPMField     field = 'Z'
	tagsField         field = 'W'
	blockedField      field = 'L'
	lifeField         field = 'V' // how long a key lives
	increaseField     field = 'H'
	increaseEndField  field = 'Q'
	limitTypeField    field = 'O'
	enforceField      field = 'N'
	memberBudgetField field = '1'
	memberResetField  field = '2'
	memberRPMField    field = '3'
	memberTPMField    field = '4'
	expiresField      field = 'e'
	createdField      field = 'c'
	updatedField      field = 'u'
)

// cut takes the first field and its name off a list of fieldsOf.
func cut(list string) (f field, name, rest string) {
	name, rest, _ = strings.Cut(list, " ")
	return field(name[0]), name[len("x:"):], rest
}

// field gives what a name is for in a kind.
func (k Kind) field(name string) field {
	for list := fieldsOf(k); list != ""; {
		var f field
		var one string
		if f, one, list = cut(list); one == name {
			return f
		}
	}
	return noField
}

// read reports whether a field is read.
func (f field) read() bool { return f != noField && f < 'a' }

// text is where a field of text lies, nil if it is another.
func (f field) text(s *Subject) *string {
	switch f {
	case idField:
		return &s.ID
	case nameField:
		return &s.Name
	case aliasField:
		return &s.Alias
	case emailField:
		return &s.Email
	case roleField:
		return &s.Role
	case userIDField:
		return &s.UserID
	case teamIDField:
		return &s.TeamID
	case budgetIDField:
		return &s.BudgetID
	}
	return nil
}

// limit is where a limit lies, nil if the field is another; money is that it is
// in PicoUSD.
func (f field) limit(s *Subject) (c *quota.Cap, money bool) {
	switch f {
	case budgetField:
		return &s.Limits.Budget, true
	case softField:
		return &s.Limits.Soft, true
	case parallelField:
		return &s.Limits.Parallel, false
	case tpmField:
		return &s.Limits.TPM, false
	case rpmField:
		return &s.Limits.RPM, false
	case memberBudgetField:
		return &s.Members.Budget, true
	case memberRPMField:
		return &s.Members.RPM, false
	case memberTPMField:
		return &s.Members.TPM, false
	}
	return nil, false
}

// duration is where a duration lies, nil if the field is another.
func (f field) duration(s *Subject) *period.Duration {
	switch f {
	case resetField:
		return &s.Limits.Duration
	case memberResetField:
		return &s.Members.Duration
	}
	return nil
}

// listed reports whether list, names parted by blanks, has the name.
//
//go:noinline
func listed(list, name string) bool {
	for list != "" {
		var one string
		one, list, _ = strings.Cut(list, " ")
		if one == name {
			return true
		}
	}
	return false
}

// Known reports whether Read looks at a member of this name: a field of the
// kind, or a limit that it refuses.
func Known(k Kind, name string) bool {
	return k.field(name).read() || listed(unenforced, name)
}

// WantDuration is what an Error of Read wants where a duration is no duration.
const WantDuration = "a duration such as 30s, 1h, 7d or 30d"

// Read applies each member of the object node that is a field of the subject's
// kind. An absent member changes nothing, null clears the field. path names the
// object in errors, "" for the document itself; now (ms since 1970) is when
// durations begin. Members that are no field of the kind are passed over, but a
// limit that would not be enforced is an error.
//
// After an error the subject is partly changed and to be thrown away. What its
// slices pointed to before is never written to.
func Read(s *Subject, now int64, tree document.Tree, node int, path string) *document.Error {
	return ReadText(s, now, "", tree, node, path)
}

// ReadText is Read of a tree that ReadJSON made of text, which lets metadata
// stand as it was written.
func ReadText(s *Subject, now int64, text string, tree document.Tree, node int, path string) *document.Error {
	r := fieldReader{s: s, now: now, text: text, tree: tree}
	for list := fieldsOf(s.Kind); list != ""; {
		var f field
		var name string
		f, name, list = cut(list)
		if n := tree.Member(node, name); n != 0 && f.read() {
			r.read(f, document.Member(path, name), n)
		}
	}
	r.refuse(unenforced, path, node)
	r.misspelt(path, node)
	if n := tree.Member(node, "expires"); n != 0 && text != "" && s.Kind == Key && tree[n].Kind != document.Null {
		r.wrong(document.Member(path, "expires"), "nothing: how long a key lives is said by duration, such as 30d", n)
	}
	r.agree(path, node)
	return r.err
}

// ReadMember is ReadText for the member called name alone.
func ReadMember(s *Subject, now int64, text string, tree document.Tree, node int, path, name string) *document.Error {
	r := fieldReader{s: s, now: now, text: text, tree: tree}
	f := s.Kind.field(name)
	if n := tree.Member(node, name); n != 0 && f.read() {
		r.read(f, document.Member(path, name), n)
	}
	return r.err
}

// A fieldReader reads one object. Its first error sticks, and it looks in the
// order of its tables, so that equal objects are refused alike whatever order
// their members have.
type fieldReader struct {
	s    *Subject
	now  int64
	text string
	tree document.Tree
	err  *document.Error
	own  bool // PerModel is this reader's copy
}

func (r *fieldReader) fail(path, want, got string) {
	if r.err == nil {
		r.err = &document.Error{Path: path, Want: want, Got: got}
	}
}

// wrong says that node n is not what was wanted.
func (r *fieldReader) wrong(path, want string, n int) {
	v := &r.tree[n]
	got := "null"
	switch v.Kind {
	case document.Boolean:
		got = strconv.FormatBool(v.Num != 0)
	case document.Number:
		got = string(appendNumber(nil, v.Num))
	case document.Text:
		got = document.Quote(v.Str)
	case document.List:
		got = "a list"
	case document.Object:
		got = "an object"
	}
	r.fail(path, want, got)
}

// refuse refuses members of an object that limit something by these names and
// are no fields of the subject's kind. Null, false, and a text, list or object
// that is empty limit nothing; each number does, as a budget of 0 shows.
//
//go:noinline
func (r *fieldReader) refuse(names, path string, object int) {
	for names != "" {
		var name string
		name, names, _ = strings.Cut(names, " ")
		if n := r.limits(object, name); n != 0 && r.s.Kind.field(name) == noField {
			r.wrong(document.Member(path, name), notEnforced, n)
		}
	}
}

const notEnforced = "nothing, since Fairshare does not enforce it here"

// limits gives the member of an object called name if it limits something, else 0.
//
//go:noinline
func (r *fieldReader) limits(object int, name string) int {
	n := r.tree.Member(object, name)
	if v := &r.tree[n]; v.Kind != document.Number && v.Str == "" && v.Num == 0 && v.First == 0 {
		return 0
	}
	return n
}

// agree checks what members say together.
func (r *fieldReader) agree(path string, node int) {
	given := func(name string) bool {
		n := r.tree.Member(node, name)
		return n != 0 && r.tree[n].Kind != document.Null
	}
	switch l := &r.s.Limits; r.s.Kind {
	case Key:
		if given("temp_budget_increase") != given("temp_budget_expiry") {
			r.fail(document.Member(path, "temp_budget_increase"), "temp_budget_increase and temp_budget_expiry together", "one of them")
		}
	case Team:
		if l.Soft.Limited && l.Budget.Limited && l.Soft.Max >= l.Budget.Max {
			r.fail(document.Member(path, "soft_budget"), "less than max_budget ("+unit.PicoUSD(l.Budget.Max).String()+")", unit.PicoUSD(l.Soft.Max).String())
		}
	case Customer:
		if given("max_budget") && given("budget_id") {
			r.fail(document.Member(path, "budget_id"), "either max_budget or budget_id", "both")
		}
	}
}

// read applies the value n of a field.
func (r *fieldReader) read(f field, path string, n int) {
	s := r.s
	if text := f.text(s); text != nil {
		value := r.name(path, n)
		switch {
		case f == idField && value == "": // leaves the choice to the caller
		case f == roleField:
			r.role(path, n)
			fallthrough
		default:
			*text = value
		}
		return
	}
	if c, money := f.limit(s); c != nil {
		*c = r.limit(path, n, money)
		return
	}
	if d := f.duration(s); d != nil {
		*d = r.duration(path, n)
		return
	}
	switch f {
	case modelsField:
		s.Models = r.names(path, n)
	case aliasesField:
		s.Aliases = r.aliases(path, n)
	case modelBudgetField, modelTPMField, modelRPMField:
		r.perModel(f, path, n)
	case metadataField:
		r.metadata(path, n)
	case tagsField:
		r.tags(path, n)
	case blockedField:
		v := &r.tree[n]
		if v.Kind != document.Boolean && v.Kind != document.Null {
			r.wrong(path, "true or false", n)
		}
		s.Blocked = v.Num != 0
	case enforceField:
		s.Limits.Shadow = r.shadow(path, n)
	case lifeField:
		s.Expires = r.life(path, n)
	case increaseField:
		s.TempIncrease = unit.PicoUSD(r.limit(path, n, true).Max)
	case increaseEndField:
		s.TempExpiry = r.moment(path, n)
	case limitTypeField:
		r.limitType(path, n)
	}
}

// limitType refuses the types that tie a key's limits to what its models have left.
//
//go:noinline
func (r *fieldReader) limitType(path string, n int) {
	if t := r.name(path, n); t != "" && t != "best_effort_throughput" {
		r.wrong(path, "best_effort_throughput, the only one that Fairshare has", n)
	}
}

// name reads a string, "" for null. Control characters would let two ids look
// alike, or a team's and a user's be taken apart elsewhere (MemberID).
func (r *fieldReader) name(path string, n int) string {
	v := &r.tree[n]
	switch {
	case v.Kind == document.Null:
		return ""
	case v.Kind != document.Text:
		r.wrong(path, "a string", n)
		return ""
	case !r.fits(path, v.Str):
		return ""
	}
	return v.Str
}

func (r *fieldReader) fits(path, s string) bool {
	if len(s) > maxText {
		r.fail(path, "at most "+strconv.Itoa(maxText)+" bytes", strconv.Itoa(len(s)))
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			r.fail(path, "text without control characters", document.Quote(s))
			return false
		}
	}
	return true
}

// names reads a list of strings.
func (r *fieldReader) names(path string, n int) []string {
	switch r.tree[n].Kind {
	case document.Null:
		return nil
	case document.List:
	default:
		r.wrong(path, "a list of strings", n)
		return nil
	}
	var all []string
	for i := r.tree[n].First; i != 0; i = r.tree[i].Next {
		if len(all) == maxModels {
			r.fail(path, "at most "+strconv.Itoa(maxModels)+" strings", "more")
			return nil
		}
		at := document.Item(path, len(all))
		if r.tree[i].Kind == document.Null {
			r.wrong(at, "a string", i)
		}
		all = append(all, r.name(at, i))
	}
	return all
}

// object gives the first member of an object, 0 for null.
func (r *fieldReader) object(path, want string, n int) int {
	v := &r.tree[n]
	if v.Kind != document.Object && v.Kind != document.Null {
		r.wrong(path, want, n)
		return 0
	}
	return v.First
}

func (r *fieldReader) aliases(path string, n int) [][2]string {
	var all [][2]string
	for i := r.object(path, "an object of names and the models they stand for", n); i != 0; i = r.tree[i].Next {
		if len(all) == maxModels {
			r.fail(path, "at most "+strconv.Itoa(maxModels)+" names", "more")
			return nil
		}
		v := &r.tree[i]
		at := document.Member(path, v.Key)
		if v.Kind != document.Text {
			r.wrong(at, "a model's name", i)
		}
		r.fits(at, v.Key)
		all = append(all, [2]string{v.Key, r.name(at, i)})
	}
	return all
}

// role refuses a string that names no role.
func (r *fieldReader) role(path string, n int) {
	roles := "proxy_admin proxy_admin_viewer internal_user internal_user_viewer"
	if r.s.Kind == Member {
		roles = "user admin"
	}
	if role := r.tree[n].Str; role != "" && !listed(roles, role) {
		r.wrong(path, "one of "+roles, n)
	}
}

// limit reads a limit, none for null: US dollars as PicoUSD, or a whole number;
// also as a text, as LiteLLM's documents have amounts.
func (r *fieldReader) limit(path string, n int, money bool) quota.Cap {
	v := &r.tree[n]
	if v.Kind == document.Null {
		return quota.Cap{}
	}
	want, most := "a whole number from 0 to 1000000000000", float64(maxLimit)
	if money {
		want, most = "a number from 0 to 9000000", maxUSD
	}
	amount, ok := v.Num, v.Kind == document.Number
	if v.Kind == document.Text {
		amount, ok = decimal(v.Str)
	}
	if !ok || amount < 0 || amount > most || !money && amount != math.Trunc(amount) {
		r.wrong(path, want, n)
		return quota.Cap{}
	}
	if money {
		most := int64(unit.Dollars(amount))
		if most == 0 && amount > 0 {
			r.wrong(path, want+", 0 or at least 1e-12", n) // or a tiny budget would be one of 0
		}
		return quota.Cap{Limited: true, Max: most}
	}
	return quota.Cap{Limited: true, Max: int64(amount)}
}

// enforceNames are the limits that enforce may name, by the bits of quota.Reasons.
const enforceNames = "max_budget max_parallel_requests rpm_limit tpm_limit"

// shadow reads enforce, null for true: whether limits are enforced, all of them or
// those of each name.
func (r *fieldReader) shadow(path string, n int) (shadow quota.Reasons) {
	const want = "true or false, for all limits or in an object for some of " + enforceNames
	v := &r.tree[n]
	switch {
	case v.Kind == document.Boolean && v.Num == 0:
		return quota.AllReasons
	case v.Kind != document.Object && v.Kind != document.Boolean && v.Kind != document.Null:
		r.wrong(path, want, n)
	}
	for i := v.First; i != 0; i = r.tree[i].Next {
		m, bit, names := &r.tree[i], quota.Reasons(1), enforceNames
		at := document.Member(path, m.Key)
		for name := ""; ; bit <<= 1 {
			if names == "" {
				r.fail(at, "one of "+enforceNames, "another name")
				return 0
			}
			if name, names, _ = strings.Cut(names, " "); name == m.Key {
				break
			}
		}
		switch {
		case m.Kind == document.Null:
		case m.Kind != document.Boolean:
			r.wrong(at, "true or false", i)
		case m.Num == 0:
			shadow |= bit
		}
	}
	return shadow
}

// decimal reads a decimal number; ParseFloat would also take "inf" and "0x1p-2".
func decimal(s string) (float64, bool) {
	for i := range len(s) {
		if strings.IndexByte("0123456789.+-eE", s[i]) < 0 {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

func (r *fieldReader) duration(path string, n int) period.Duration {
	v := &r.tree[n]
	// LiteLLM's page sends "" for none.
	if v.Kind == document.Null || v.Kind == document.Text && v.Str == "" {
		return period.Duration{}
	}
	d, ok := period.Parse(v.Str)
	if !ok {
		r.wrong(path, WantDuration, n)
	}
	return d
}

// life reads how long a key lives and gives its end, 0 for ever.
func (r *fieldReader) life(path string, n int) int64 {
	v := &r.tree[n]
	if v.Kind == document.Null || v.Str == "-1" {
		return 0
	}
	d, _ := period.Parse(v.Str)
	end, ok := d.After(r.now)
	if !ok {
		r.wrong(path, WantDuration, n)
	}
	return end
}

// moment reads a time, or a duration that ends then.
func (r *fieldReader) moment(path string, n int) int64 {
	v := &r.tree[n]
	if v.Kind == document.Null {
		return 0
	}
	if d, ok := period.Parse(v.Str); ok {
		if end, ok := d.After(r.now); ok {
			return end
		}
	}
	end, ok := parseTime(v.Str)
	if !ok {
		r.wrong(path, `a time such as "2026-12-31T23:59:59Z"`, n)
	}
	return end
}

// perModel reads an object of models and their limits of one sort.
func (r *fieldReader) perModel(f field, path string, n int) {
	if !r.own {
		r.s.PerModel = slices.Clone(r.s.PerModel)
		r.own = true
	}
	for i := range r.s.PerModel {
		switch l := &r.s.PerModel[i].Limits; f {
		case modelTPMField:
			l.TPM = quota.Cap{}
		case modelRPMField:
			l.RPM = quota.Cap{}
		default:
			l.Budget, l.Duration = quota.Cap{}, period.Duration{}
		}
	}
	for i := r.object(path, "an object of models and their limits", n); i != 0; i = r.tree[i].Next {
		at := document.Member(path, r.tree[i].Key)
		l := r.modelLimits(at, r.tree[i].Key)
		switch {
		case l == nil:
			return
		case f == modelTPMField:
			l.TPM = r.limit(at, i, false)
		case f == modelRPMField:
			l.RPM = r.limit(at, i, false)
		case r.tree[i].Kind == document.Object:
			r.modelBudget(l, at, i)
		default:
			l.Budget = r.limit(at, i, true)
		}
	}
	r.s.PerModel = slices.DeleteFunc(r.s.PerModel, func(m ModelLimits) bool { return m.Limits == Limits{} })
}

// modelLimits gives the limits of one model to be written, nil if there are too
// many. They stand until the next call.
func (r *fieldReader) modelLimits(path, model string) *Limits {
	if model == "" || !r.fits(path, model) {
		r.fail(path, "a model's name", "none")
		return nil
	}
	all := r.s.PerModel
	for i := range all {
		if all[i].Model == model {
			return &all[i].Limits
		}
	}
	if len(all) == maxPerModel {
		r.fail(path, "at most "+strconv.Itoa(maxPerModel)+" models with limits of their own", "more")
		return nil
	}
	r.s.PerModel = append(all, ModelLimits{Model: model})
	return &r.s.PerModel[len(all)].Limits
}

// modelBudget reads a model's budget in either spelling of LiteLLM (types/utils.py,
// BudgetConfig). Its tpm_limit and rpm_limit are the same as those of
// model_tpm_limit and model_rpm_limit.
func (r *fieldReader) modelBudget(l *Limits, path string, n int) {
	for i := r.tree[n].First; i != 0; i = r.tree[i].Next {
		at := document.Member(path, r.tree[i].Key)
		none := r.tree[i].Kind == document.Null
		switch r.tree[i].Key {
		case "budget_limit", "max_budget":
			if none {
				continue
			}
			if l.Budget.Limited {
				r.fail(at, "either budget_limit or max_budget", "both")
			}
			l.Budget = r.limit(at, i, true)
		case "time_period", "budget_duration":
			if none {
				continue
			}
			if l.Duration != (period.Duration{}) {
				r.fail(at, "either time_period or budget_duration", "both")
			}
			l.Duration = r.duration(at, i)
		case "tpm_limit":
			l.TPM = r.limit(at, i, false)
		case "rpm_limit":
			l.RPM = r.limit(at, i, false)
		default:
			r.fail(at, "budget_limit, time_period, tpm_limit or rpm_limit", "another name")
		}
	}
	if !l.Budget.Limited {
		l.Duration = period.Duration{}
	}
}

// metadata keeps an object as it was written, but for the limits in it, which
// go where the others are: said twice they could differ. They stay when
// metadata without them takes the place of metadata with them: a limit goes only
// when it is itself taken away.
func (r *fieldReader) metadata(path string, n int) {
	r.object(path, "an object", n)
	r.s.Metadata, r.s.Priority = "", ""
	if r.tree[n].Kind != document.Object || r.err != nil {
		return
	}
	limits := r.s.Kind.field("model_rpm_limit") != noField
	kept := true
	for i := r.tree[n].First; i != 0; i = r.tree[i].Next {
		name := r.tree[i].Key
		at := document.Member(path, name)
		switch {
		case name == "priority":
			r.s.Priority = r.name(at, i)
		case name == "model_rpm_limit" || name == "model_tpm_limit":
			kept = false
			if limits {
				r.perModel(r.s.Kind.field(name), at, i)
			} else {
				r.refuse(name, path, n)
			}
		case name == "rpm_limit_type" || name == "tpm_limit_type":
			r.limitType(at, i)
		default:
			r.hidden(name, at, n)
		}
	}
	if kept && r.text != "" {
		r.keep(path, r.text[r.tree[n].From:r.tree[n].To])
		return
	}
	text := []byte{'{'}
	for i := r.tree[n].First; i != 0; i = r.tree[i].Next {
		if name := r.tree[i].Key; name != "model_rpm_limit" && name != "model_tpm_limit" {
			text = appendName(text, name)
			text = r.appendValue(text, i)
		}
	}
	r.keep(path, string(append(text, '}')))
}

func (r *fieldReader) keep(path, metadata string) {
	if len(metadata) > maxMetadata {
		r.fail(path, "at most "+strconv.Itoa(maxMetadata)+" bytes", strconv.Itoa(len(metadata)))
		return
	}
	r.s.Metadata = metadata
}

// tags puts tags where LiteLLM has them, in metadata.
func (r *fieldReader) tags(path string, n int) {
	tags := r.names(path, n)
	text := []byte{'{'}
	// What is kept was JSON when it was read.
	tree, err := document.ReadJSON(r.s.Metadata)
	if err == nil && tree[0].Kind == document.Object {
		for i := tree[0].First; i != 0; i = tree[i].Next {
			if tree[i].Key != "tags" {
				text = appendName(text, tree[i].Key)
				text = append(text, r.s.Metadata[tree[i].From:tree[i].To]...)
			}
		}
	}
	if len(tags) > 0 {
		text = appendNames(appendName(text, "tags"), tags)
	} else if len(text) == 1 {
		r.s.Metadata = ""
		return
	}
	r.keep(path, string(append(text, '}')))
}

// appendValue appends a value as JSON: as it was written if the text is at
// hand.
func (r *fieldReader) appendValue(dst []byte, n int) []byte {
	if r.text != "" {
		return append(dst, r.text[r.tree[n].From:r.tree[n].To]...)
	}
	var open [document.MaxDepth]int
	depth, root := 0, n
	for {
		v := &r.tree[n]
		down := false
		switch v.Kind {
		case document.Null:
			dst = append(dst, "null"...)
		case document.Boolean:
			dst = strconv.AppendBool(dst, v.Num != 0)
		case document.Number:
			dst = appendNumber(dst, v.Num)
		case document.Text:
			dst = llm.AppendString(dst, v.Str)
		case document.List, document.Object:
			dst = append(dst, brackets(v)[0])
			if down = v.First != 0 && depth < len(open); down {
				open[depth] = n
				depth++
				n = v.First
			} else {
				dst = append(dst, brackets(v)[1])
			}
		}
		for !down && n != root && r.tree[n].Next == 0 {
			depth--
			n = open[depth]
			dst = append(dst, brackets(&r.tree[n])[1])
		}
		if !down {
			if n == root {
				return dst
			}
			n = r.tree[n].Next
			dst = append(dst, ',')
		}
		if r.tree[open[depth-1]].Kind == document.Object {
			dst = append(llm.AppendString(dst, r.tree[n].Key), ':')
		}
	}
}

// appendNumber appends a finite number as JSON, whole ones without a point.
func appendNumber(dst []byte, f float64) []byte {
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.AppendInt(dst, int64(f), 10)
	}
	return unit.AppendFloat(dst, f)
}

func brackets(v *document.Node) string {
	if v.Kind == document.List {
		return "[]"
	}
	return "{}"
}

// parseTime reads a time as Python's datetime.fromisoformat takes it, in UTC
// where it names no offset:
//
//	time = YYYY-MM-DD [ ( "T" | " " ) hh:mm [ ":" ss [ "." 1*digit ] ] [ "Z" | ( "+" | "-" ) hh:mm ] ]
func parseTime(s string) (int64, bool) {
	t := timeReader{rest: s}
	year := t.number(4)
	t.need('-')
	month := t.number(2)
	t.need('-')
	dayOfMonth := t.number(2)
	days := day(year, month, dayOfMonth)
	var hour, minute, second, millis, offset int64
	if t.next('T') || t.next(' ') {
		hour = t.number(2)
		t.need(':')
		minute = t.number(2)
		if t.next(':') {
			second = t.number(2)
			if t.next('.') {
				millis = t.number(1) * 100
				for scale := int64(10); t.rest != "" && t.rest[0] >= '0' && t.rest[0] <= '9'; scale /= 10 {
					millis += t.number(1) * scale
				}
			}
		}
		if sign := t.next('-'); sign || t.next('+') {
			offset = t.number(2) * 60
			t.need(':')
			offset += t.number(2)
			if sign {
				offset = -offset
			}
		} else {
			t.next('Z')
		}
	}
	if y, m, d := date(days); t.bad || t.rest != "" || y != year || m != month || d != dayOfMonth ||
		hour > 23 || minute > 59 || second > 59 || offset > 24*60 || offset < -24*60 {
		return 0, false
	}
	ms := (((days*24+hour)*60+minute-offset)*60+second)*1000 + millis
	return ms, ms > 0
}

// A timeReader reads a time from left to right. It is bad once something was
// not there.
type timeReader struct {
	rest string
	bad  bool
}

func (t *timeReader) number(digits int) (n int64) {
	for range digits {
		if t.rest == "" || t.rest[0] < '0' || t.rest[0] > '9' {
			t.bad = true
			return 1
		}
		n = n*10 + int64(t.rest[0]-'0')
		t.rest = t.rest[1:]
	}
	return n
}

// next passes c if it is there.
func (t *timeReader) next(c byte) bool {
	if t.rest == "" || t.rest[0] != c {
		return false
	}
	t.rest = t.rest[1:]
	return true
}

func (t *timeReader) need(c byte) {
	if !t.next(c) {
		t.bad = true
	}
}

// AppendFields appends LiteLLM's members of a subject's row, "name":value parted
// by commas, and then those that are only kept.
func AppendFields(dst []byte, s *Subject) []byte {
	start := len(dst)
	for list := fieldsOf(s.Kind); list != ""; {
		var f field
		var name string
		f, name, list = cut(list)
		mark := len(dst)
		if mark > start {
			dst = append(dst, ',')
		}
		dst = append(llm.AppendString(dst, name), ':')
		value := len(dst)
		if dst = appendField(dst, s, f); len(dst) == value {
			dst = dst[:mark]
		}
	}
	return appendExtra(dst, s)
}

// appendField appends a field's value, nothing if the row does not show it.
func appendField(dst []byte, s *Subject, f field) []byte {
	if text := f.text(s); text != nil {
		return llm.AppendNullable(dst, *text)
	}
	if c, money := f.limit(s); c != nil {
		return appendLimit(dst, *c, money)
	}
	if d := f.duration(s); d != nil {
		return llm.AppendNullable(dst, d.String())
	}
	switch f {
	case modelsField:
		return appendNames(dst, s.Models)
	case aliasesField:
		dst = append(dst, '{')
		for _, a := range s.Aliases {
			dst = llm.AppendString(appendName(dst, a[0]), a[1])
		}
		return append(dst, '}')
	case modelBudgetField, modelTPMField, modelRPMField:
		return appendPerModel(dst, s, f)
	case metadataField:
		return appendMetadata(dst, s)
	case blockedField:
		return strconv.AppendBool(dst, s.Blocked)
	case enforceField:
		return appendEnforce(dst, s.Limits.Shadow)
	case increaseField:
		if s.TempExpiry != 0 {
			dst = s.TempIncrease.Append(dst)
		}
	case increaseEndField:
		if s.TempExpiry != 0 {
			dst = AppendTime(dst, s.TempExpiry)
		}
	case expiresField:
		return AppendTime(dst, s.Expires)
	case createdField:
		return AppendTime(dst, s.Created)
	case updatedField:
		return AppendTime(dst, s.Updated)
	}
	return dst
}

// appendEnforce appends what is not enforced as it is read, nothing where all is.
func appendEnforce(dst []byte, shadow quota.Reasons) []byte {
	switch shadow {
	case 0:
		return dst
	case quota.AllReasons:
		return append(dst, "false"...)
	}
	dst = append(dst, '{')
	for names := enforceNames; names != ""; shadow >>= 1 {
		var name string
		if name, names, _ = strings.Cut(names, " "); shadow&1 != 0 {
			dst = append(appendName(dst, name), "false"...)
		}
	}
	return append(dst, '}')
}

// AppendLimits appends limits as LiteLLM has them in litellm_budget_table,
// without braces.
func AppendLimits(dst []byte, l *Limits) []byte {
	dst = appendLimit(append(dst, `"max_budget":`...), l.Budget, true)
	dst = appendLimit(append(dst, `,"soft_budget":`...), l.Soft, true)
	dst = llm.AppendNullable(append(dst, `,"budget_duration":`...), l.Duration.String())
	dst = appendLimit(append(dst, `,"max_parallel_requests":`...), l.Parallel, false)
	dst = appendLimit(append(dst, `,"tpm_limit":`...), l.TPM, false)
	return appendLimit(append(dst, `,"rpm_limit":`...), l.RPM, false)
}

// AppendTime appends ms since 1970 as a JSON string in RFC 3339, UTC, as
// LiteLLM prints it: microseconds, but none if they are 0. 0 is null.
func AppendTime(dst []byte, ms int64) []byte {
	if ms == 0 {
		return append(dst, "null"...)
	}
	const ofDay = 86400_000
	days := floor(ms, ofDay)
	rest := ms - days*ofDay
	year, month, day := date(days)
	dst = append(dst, '"')
	for _, part := range [...]struct {
		before byte
		digits int
		n      int64
	}{
		{0, 4, year},
		{'-', 2, month},
		{'-', 2, day},
		{'T', 2, rest / 3600_000},
		{':', 2, rest / 60_000 % 60},
		{':', 2, rest / 1000 % 60},
		{'.', 6, rest % 1000 * 1000},
	} {
		if part.before == '.' && part.n == 0 {
			break
		}
		if part.before != 0 {
			dst = append(dst, part.before)
		}
		scale := int64(1)
		for range part.digits - 1 {
			scale *= 10
		}
		for ; scale > 0; scale /= 10 {
			dst = append(dst, byte('0'+part.n/scale%10))
		}
	}
	return append(dst, "Z\""...)
}

// date gives the date of a day, counted from 1970-01-01, and day the day of a
// date; years begin with March in between, so that the leap day is the last
// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
func date(n int64) (year, month, dayOfMonth int64) {
	n += 719468
	era := floor(n, 146097)
	ofEra := n - era*146097
	ofYear := (ofEra - ofEra/1460 + ofEra/36524 - ofEra/146096) / 365
	n = ofEra - (365*ofYear + ofYear/4 - ofYear/100)
	shifted := (5*n + 2) / 153
	month = (shifted+2)%12 + 1
	return era*400 + ofYear + (shifted+2)/12, month, n - (153*shifted+2)/5 + 1
}

func day(year, month, dayOfMonth int64) int64 {
	shifted := (month + 9) % 12
	year -= (14 - month) / 12
	era := floor(year, 400)
	ofEra := year - era*400
	return era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + (153*shifted+2)/5 + dayOfMonth - 1 - 719468
}

// floor is a/b rounded down; b is positive.
func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// appendName appends a member's name, and a comma before it if it is not the
// first of its object.
func appendName(dst []byte, name string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(llm.AppendString(dst, name), ':')
}

func appendNames(dst []byte, names []string) []byte {
	dst = append(dst, '[')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = llm.AppendString(dst, name)
	}
	return append(dst, ']')
}

func appendLimit(dst []byte, c quota.Cap, money bool) []byte {
	switch {
	case !c.Limited:
		return append(dst, "null"...)
	case money:
		return unit.PicoUSD(c.Max).Append(dst)
	}
	return strconv.AppendInt(dst, c.Max, 10)
}

// appendPerModel appends limits of one sort as they are read.
func appendPerModel(dst []byte, s *Subject, f field) []byte {
	dst = append(dst, '{')
	for i := range s.PerModel {
		m := &s.PerModel[i]
		switch {
		case f == modelTPMField && m.TPM.Limited:
			dst = appendLimit(appendName(dst, m.Model), m.TPM, false)
		case f == modelRPMField && m.RPM.Limited:
			dst = appendLimit(appendName(dst, m.Model), m.RPM, false)
		case f == modelBudgetField && (m.Budget.Limited || s.Kind == Budget):
			dst = append(appendName(dst, m.Model), '{')
			if m.Budget.Limited {
				dst = appendLimit(appendName(dst, "budget_limit"), m.Budget, true)
			}
			if d := m.Duration.String(); d != "" {
				dst = llm.AppendString(appendName(dst, "time_period"), d)
			}
			// A budget has them nowhere else.
			if m.TPM.Limited && s.Kind == Budget {
				dst = appendLimit(appendName(dst, "tpm_limit"), m.TPM, false)
			}
			if m.RPM.Limited && s.Kind == Budget {
				dst = appendLimit(appendName(dst, "rpm_limit"), m.RPM, false)
			}
			dst = append(dst, '}')
		}
	}
	return append(dst, '}')
}

// limitsModels reports whether there are limits of this sort, tokens or requests,
// for single models.
func (s *Subject) limitsModels(f field) bool {
	for i := range s.PerModel {
		if m := &s.PerModel[i]; f == modelTPMField && m.TPM.Limited || f == modelRPMField && m.RPM.Limited {
			return true
		}
	}
	return false
}

// appendMetadata appends the metadata with the limits for models in it, where
// LiteLLM's clients look for them.
func appendMetadata(dst []byte, s *Subject) []byte {
	if s.Metadata == "" {
		dst = append(dst, "{}"...)
	} else {
		dst = append(dst, s.Metadata...)
	}
	for _, f := range [...]field{modelRPMField, modelTPMField} {
		name := "model_rpm_limit"
		if f == modelTPMField {
			name = "model_tpm_limit"
		}
		if s.Kind.field(name) == noField || !s.limitsModels(f) {
			continue
		}
		dst = dst[:len(dst)-1] // the closing brace
		for dst[len(dst)-1] <= ' ' {
			dst = dst[:len(dst)-1]
		}
		dst = append(appendPerModel(appendName(dst, name), s, f), '}')
	}
	return dst
}
