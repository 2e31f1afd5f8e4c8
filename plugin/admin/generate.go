// Package admin answers the management API: LiteLLM's routes, fields and
// answers, for those who hold the master key.
package admin

import (
	"strconv"
	"time"

	"fairshare/plugin/document"
	"fairshare/plugin/llm"
	"fairshare/plugin/tenant"
)

// A Refusal is a request that the management API does not take. It has changed
// nothing.
type Refusal struct {
	Status  int
	Type    string
	Param   string // the field at fault, empty for the body as a whole
	Message string
}

func bad(param, message string) *Refusal {
	return &Refusal{Status: 400, Type: "invalid_request_error", Param: param, Message: message}
}

// A limit is a member by which LiteLLM would limit a key.
type limit struct {
	name string
	// kind is what it is given as. A text, list or object that is empty, and
	// false, limit nothing; each number does, as a budget of 0 shows.
	kind document.Kind
}

// limits are refused rather than dropped: a limit that is accepted and not
// enforced is worse than none.
var limits = [...]limit{
	{"max_budget", document.Number},
	{"soft_budget", document.Number},
	{"budget_duration", document.Text},
	{"budget_id", document.Text},
	{"budget_limits", document.List},
	{"model_max_budget", document.Object},
	{"max_parallel_requests", document.Number},
	{"tpm_limit", document.Number},
	{"rpm_limit", document.Number},
	{"model_tpm_limit", document.Object},
	{"model_rpm_limit", document.Object},
	{"tag_rpm_limit", document.Object},
	{"blocked", document.Boolean},
	{"permissions", document.Object},
	{"allowed_routes", document.List},
	{"enforced_params", document.List},
	{"guardrails", document.List},
	{"aliases", document.Object},
	{"allowed_cache_controls", document.List},
}

// metadataLimits are limits that LiteLLM also takes from a key's metadata
// (auth/auth_utils.py, get_key_model_rpm_limit).
var metadataLimits = [...]limit{
	{"model_tpm_limit", document.Object},
	{"model_rpm_limit", document.Object},
	{"tag_rpm_limit", document.Object},
}

const (
	maxBody     = 64 << 10 // bytes; the tree of a larger one could exhaust the VM's memory
	maxText     = 1 << 10  // bytes of an id, an alias or a model's name
	maxModels   = 1 << 8
	maxMetadata = 8 << 10
)

// Generate makes a virtual key from the body of POST /key/generate and appends
// LiteLLM's answer to dst: the only place where the secret is ever shown.
// random is 16 bytes nobody can guess. now is ms since 1970. body is not
// kept, and dst may be its memory.
func Generate(d *tenant.Directory, now int64, random *[16]byte, body, dst []byte) ([]byte, *Refusal) {
	f, refusal := read(body)
	if refusal != nil {
		return dst, refusal
	}
	f.limits(0, "", limits[:])
	f.keyType()
	k := tenant.Key{Created: now}
	secret := f.secret(random)
	k.Alias = f.text("key_alias", f.in(0, "key_alias"))
	k.UserID = f.text("user_id", f.in(0, "user_id"))
	k.TeamID = f.text("team_id", f.in(0, "team_id"))
	k.Models = f.texts("models", f.in(0, "models"))
	k.Metadata, k.Priority = f.metadata()
	duration := f.text("duration", f.in(0, "duration"))
	k.Expires = f.expiry(now, duration)
	k.Hash = tenant.Hash(secret)
	k.Name = displayName(secret)
	if f.refusal == nil && len(k.Encode(nil)) > tenant.MaxRecord {
		f.fail("", "the key's record would be larger than "+strconv.Itoa(tenant.MaxRecord)+" bytes")
	}
	if f.refusal != nil {
		return dst, f.refusal
	}
	switch d.Add(&k) {
	case tenant.Added:
		return appendKey(dst, &k, secret, duration), nil
	case tenant.KeyExists:
		return dst, bad("key", "this key already exists")
	case tenant.AliasTaken:
		return dst, bad("key_alias", "Key with alias '"+k.Alias+"' already exists. Unique key aliases across all keys are required.")
	}
	return dst, &Refusal{Status: 503, Type: "internal_server_error", Message: "the key store can't be written"}
}

// secret gives the key that the caller chose, or a new one: as LiteLLM's, "sk-"
// and 16 random bytes. A chosen key keeps LiteLLM's rules (constants.py,
// MINIMUM_CUSTOM_KEY_LENGTH), and no refusal shows it.
func (f *form) secret(random *[16]byte) string {
	n := f.in(0, "key")
	if n == 0 {
		return string(appendBase64URL([]byte("sk-"), random))
	}
	secret := f.text("key", n)
	if len(secret) < 3 || secret[:3] != "sk-" {
		f.fail("key", "Invalid key format. LiteLLM Virtual Key must start with 'sk-'. Received: ****")
	}
	if len(secret) < 16 {
		f.fail("key", "a custom key must have at least 16 characters")
	}
	for i := range len(secret) {
		// Envoy joins a header that is given twice with a comma.
		if secret[i] <= ' ' || secret[i] > '~' || secret[i] == ',' {
			f.fail("key", "a key must be of printable ASCII without blanks and commas: it travels in a header")
		}
	}
	return secret
}

// keyType refuses LiteLLM's keys for management routes: Fairshare opens those
// to the master key alone.
func (f *form) keyType() {
	switch f.text("key_type", f.in(0, "key_type")) {
	case "", "default", "llm_api":
	default:
		f.fail("key_type", "key_type must be default or llm_api: only the master key opens other routes")
	}
}

// metadata gives the object as it was written, and the priority in it.
func (f *form) metadata() (raw, priority string) {
	n := f.in(0, "metadata")
	if n == 0 {
		return "", ""
	}
	raw = f.raw(n)
	if f.tree[n].Kind != document.Object || len(raw) > maxMetadata {
		f.fail("metadata", "metadata must be an object of at most "+strconv.Itoa(maxMetadata)+" bytes")
		return "", ""
	}
	f.limits(n, "metadata", metadataLimits[:])
	return raw, f.text("metadata.priority", f.in(n, "priority"))
}

// displayName is what people see of a key: its last four characters, if there
// are enough others to guess.
func displayName(secret string) string {
	if len(secret) < 16 {
		return "sk-..."
	}
	return "sk-..." + secret[len(secret)-4:]
}

// appendKey appends LiteLLM's answer: one flat object of the request's fields
// and the new key's.
func appendKey(dst []byte, k *tenant.Key, secret, duration string) []byte {
	token := tenant.Token(&k.Hash)
	dst = append(dst, `{"key":`...)
	dst = llm.AppendString(dst, secret)
	dst = append(dst, `,"key_name":`...)
	dst = llm.AppendString(dst, k.Name)
	dst = append(dst, `,"token":"`...)
	dst = append(dst, token...)
	dst = append(dst, `","token_id":"`...)
	dst = append(dst, token...)
	dst = append(dst, `","key_alias":`...)
	dst = llm.AppendNullable(dst, k.Alias)
	dst = append(dst, `,"expires":`...)
	if k.Expires == 0 {
		dst = append(dst, "null"...)
	} else {
		dst = appendTime(dst, k.Expires)
	}
	dst = append(dst, `,"duration":`...)
	dst = llm.AppendNullable(dst, duration)
	dst = append(dst, `,"user_id":`...)
	dst = llm.AppendNullable(dst, k.UserID)
	dst = append(dst, `,"team_id":`...)
	dst = llm.AppendNullable(dst, k.TeamID)
	dst = append(dst, `,"models":[`...)
	for i, m := range k.Models {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = llm.AppendString(dst, m)
	}
	dst = append(dst, `],"metadata":`...)
	if k.Metadata == "" {
		dst = append(dst, "{}"...)
	} else {
		dst = append(dst, k.Metadata...)
	}
	dst = append(dst, `,"spend":0.0,"max_budget":null,"budget_duration":null,"tpm_limit":null,"rpm_limit":null,"max_parallel_requests":null,"blocked":null,"litellm_budget_table":null,"created_by":"default_user_id","updated_by":"default_user_id","created_at":`...)
	dst = appendTime(dst, k.Created)
	dst = append(dst, `,"updated_at":`...)
	dst = appendTime(dst, k.Created)
	return append(dst, '}')
}

// appendTime appends ms since 1970 as a JSON string in RFC 3339, UTC.
func appendTime(dst []byte, ms int64) []byte {
	dst = append(dst, '"')
	dst = time.UnixMilli(ms).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	return append(dst, '"')
}

// appendBase64URL appends the 22 characters of RFC 4648's base64url, without
// padding. It is written here because encoding/base64 reaches package reflect.
func appendBase64URL(dst []byte, b *[16]byte) []byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	bits, n := uint(0), 0
	for _, c := range b {
		bits, n = bits<<8|uint(c), n+8
		for ; n >= 6; n -= 6 {
			dst = append(dst, alphabet[bits>>(n-6)&63])
		}
	}
	return append(dst, alphabet[bits<<(6-n)&63])
}
