package tenant

import (
	"fairshare/plugin/period"
	"fairshare/plugin/quota"
	"fairshare/plugin/unit"
)

// A Kind is what sort of thing a subject is.
type Kind uint8

const (
	Key      Kind = iota // a virtual key
	User                 // whom keys belong to
	Team                 // of users; keys may belong to it
	Member               // a user as a member of a team
	Customer             // an end user, named by the caller in its requests
	Budget               // limits that subjects of the other kinds may name
	NumKinds
)

// A Subject is whom limits are for: one record of the management API, or one
// entry of the configuration. Its strings belong to it; a Subject that came from
// a Directory is shared and not to be changed.
type Subject struct {
	Kind Kind
	// ID is what a record is found by: a key's sha256 as 64 hexadecimal digits, a
	// user_id, team_id, end user's id or budget_id; see MemberID for members.
	ID       string
	Alias    string // key_alias, user_alias, team_alias, a customer's alias
	Name     string // of a key: "sk-..." and its last four characters, for people
	Email    string // of a user
	Role     string // of a user (proxy_admin, internal_user, …) or a member (user, admin)
	UserID   string // of a key, a member
	TeamID   string // of a key, a member
	BudgetID string // the Budget whose limits fill in for absent ones
	Priority string // metadata.priority

	Models   []string    // names, access groups, wildcards, special words; none grants all
	Aliases  [][2]string // names of models that stand for others: alias, model
	Limits   Limits
	PerModel []ModelLimits // limits for single models
	Members  Limits        // of a team: what a member has who has no limits of its own
	Metadata string        // JSON object as given, or empty
	Extra    string        // JSON object of fields that nothing reads, as given, or empty

	TempIncrease unit.PicoUSD // temp_budget_increase: added to the budget until TempExpiry
	TempExpiry   int64        // ms since 1970
	Created      int64        // ms since 1970
	Updated      int64        // ms since 1970
	Expires      int64        // ms since 1970; 0 is never
	Blocked      bool

	// Declared tells that the configuration has it: the management API can't
	// change it. Not part of a record.
	Declared bool
	// Hidden leaves it out of lists. Not part of a record.
	Hidden bool
	// Books is the hash of the key whose books this one goes on with, that it came in the
	// place of; zero for its own. Requests in flight settle there, whichever key asked.
	Books [32]byte
	// Hash is a key's sha256, and Line the id of its line in the models' books
	// (quota.KeyID). They follow from ID and Books.
	Hash [32]byte
	Line uint64
}

// Limits are what a subject may use. Absent ones limit nothing.
type Limits struct {
	Budget   quota.Cap       // max_budget, in PicoUSD
	Soft     quota.Cap       // soft_budget, in PicoUSD: told, never refused
	Duration period.Duration // budget_duration: how long a budget's period is
	TPM      quota.Cap       // tpm_limit
	RPM      quota.Cap       // rpm_limit
	Parallel quota.Cap       // max_parallel_requests
	Shadow   quota.Reasons   // enforce: those that refuse nobody
}

// ModelLimits are limits for one model group.
type ModelLimits struct {
	Model string
	Limits
}

// BooksOf is the hash whose books a key has.
func (s *Subject) BooksOf() *[32]byte {
	if s.Books != [32]byte{} {
		return &s.Books
	}
	return &s.Hash
}

// MemberID is the ID of a user as a member of a team.
func MemberID(team, user string) string { return team + "\x00" + user }

// Expired reports whether the subject's time is over at now (ms since 1970).
func (s *Subject) Expired(now int64) bool { return s.Expires != 0 && now >= s.Expires }
