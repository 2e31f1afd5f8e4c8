// Package admin answers the management API: LiteLLM's routes, fields and
// answers, for those who hold the master key.
package admin

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"time"
	"unicode/utf8"

	"fairshare/plugin/llm"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"

	"github.com/tidwall/gjson"
)

// A Refusal is a request that the management API does not take.
type Refusal struct {
	Status  int
	Type    string
	Param   string
	Message string
}

// keyFields are the members of a /key/generate body that this version keeps.
var keyFields = [...]string{"key", "key_alias", "user_id", "team_id", "models", "metadata", "duration"}

// limitFields are members by which LiteLLM would limit the key. They are
// refused rather than dropped: a limit that is accepted and not enforced is
// worse than none.
var limitFields = [...]string{
	"max_budget", "soft_budget", "budget_duration", "budget_id", "budget_limits", "model_max_budget",
	"max_parallel_requests", "tpm_limit", "rpm_limit", "model_tpm_limit", "model_rpm_limit", "tag_rpm_limit",
	"blocked", "permissions", "allowed_routes", "enforced_params", "guardrails", "aliases", "allowed_cache_controls",
}

const (
	maxText     = 1 << 10 // bytes of an id, an alias or a model's name
	maxModels   = 1 << 8
	maxMetadata = 8 << 10
)

// Generate makes a virtual key from the body of POST /key/generate and appends
// LiteLLM's answer to dst: the only place where the secret is ever shown.
// random is 16 bytes nobody can guess. now is ms since 1970.
func Generate(d *tenant.Directory, now int64, random *[16]byte, body, dst []byte) ([]byte, *Refusal) {
	k := tenant.Key{Created: now}
	if len(body) == 0 {
		body = []byte("{}")
	}
	if !validDocument(body) || firstByte(body) != '{' {
		return dst, bad("", "the body must be a JSON object")
	}
	secret := "sk-" + base64.RawURLEncoding.EncodeToString(random[:])
	duration := ""
	var refusal *Refusal
	var given [len(keyFields)]bool
	gjson.ParseBytes(body).ForEach(func(name, v gjson.Result) bool {
		field := name.String()
		for i, f := range keyFields {
			if f == field {
				if given[i] {
					refusal = bad(field, field+" is given twice")
					return false
				}
				given[i] = true
			}
		}
		if v.Type == gjson.Null {
			return true
		}
		switch field {
		case "key":
			secret, refusal = text(field, v)
			if refusal == nil {
				refusal = customKey(secret)
			}
		case "key_alias":
			k.Alias, refusal = text(field, v)
		case "user_id":
			k.UserID, refusal = text(field, v)
		case "team_id":
			k.TeamID, refusal = text(field, v)
		case "models":
			k.Models, refusal = texts(field, v)
		case "metadata":
			if !v.IsObject() || len(v.Raw) > maxMetadata {
				refusal = bad(field, "metadata must be an object of at most "+strconv.Itoa(maxMetadata)+" bytes")
				break
			}
			k.Metadata = clone(v.Raw)
			if p := v.Get("priority"); p.Exists() && p.Type != gjson.Null {
				k.Priority, refusal = text("metadata.priority", p)
			}
		case "duration":
			duration, refusal = text(field, v)
			if refusal == nil {
				var ok bool
				if k.Expires, ok = expiry(now, duration); !ok {
					refusal = bad(field, "Invalid duration '"+duration+"'. Use a format like '30s', '1h', '24h', '7d', or '30d'.")
				}
			}
		default:
			for _, f := range limitFields {
				if f == field && !empty(v) {
					refusal = bad(field, field+" is not enforced by this version of Fairshare, so it is not accepted")
				}
			}
		}
		return refusal == nil
	})
	if refusal != nil {
		return dst, refusal
	}
	k.Hash = tenant.Hash(secret)
	k.Name = displayName(secret)
	if len(k.Encode(nil)) > tenant.MaxRecord {
		return dst, bad("", "the key's record would be larger than "+strconv.Itoa(tenant.MaxRecord)+" bytes")
	}
	if k.Alias != "" {
		switch d.TakeAlias(k.Alias, &k.Hash) {
		case quota.OK:
		case quota.Mismatch:
			return dst, bad("key_alias", "Key with alias '"+k.Alias+"' already exists. Unique key aliases across all keys are required.")
		default:
			return dst, unavailable()
		}
	}
	switch d.Add(&k) {
	case quota.OK:
	case quota.Mismatch:
		return dst, bad("key", "this key already exists")
	default:
		return dst, unavailable()
	}
	return appendKey(dst, &k, secret, duration), nil
}

func bad(param, message string) *Refusal {
	return &Refusal{Status: 400, Type: "invalid_request_error", Param: param, Message: message}
}

func unavailable() *Refusal {
	return &Refusal{Status: 503, Type: "internal_server_error", Message: "the key store can't be written"}
}

func firstByte(body []byte) byte {
	for _, c := range body {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c
		}
	}
	return 0
}

// empty reports whether v sets nothing: false, 0, "", [] or {}.
func empty(v gjson.Result) bool {
	switch v.Type {
	case gjson.False:
		return true
	case gjson.String:
		return v.Str == ""
	case gjson.JSON:
		none := true
		v.ForEach(func(_, _ gjson.Result) bool { none = false; return false })
		return none
	default:
		return false
	}
}

func text(field string, v gjson.Result) (string, *Refusal) {
	if v.Type != gjson.String {
		return "", bad(field, field+" must be a string")
	}
	if len(v.Str) > maxText || !utf8.ValidString(v.Str) {
		return "", bad(field, field+" must be UTF-8 of at most "+strconv.Itoa(maxText)+" bytes")
	}
	return clone(v.Str), nil
}

func texts(field string, v gjson.Result) ([]string, *Refusal) {
	if !v.IsArray() {
		return nil, bad(field, field+" must be an array of strings")
	}
	var all []string
	var refusal *Refusal
	v.ForEach(func(_, e gjson.Result) bool {
		var s string
		if s, refusal = text(field, e); refusal == nil {
			all = append(all, s)
			if len(all) > maxModels {
				refusal = bad(field, field+" must have at most "+strconv.Itoa(maxModels)+" members")
			}
		}
		return refusal == nil
	})
	return all, refusal
}

// clone copies s, which may lie in memory of the host.
func clone(s string) string { return string(append([]byte(nil), s...)) }

// customKey checks a key that the caller chose (LiteLLM: constants.py,
// MINIMUM_CUSTOM_KEY_LENGTH).
func customKey(secret string) *Refusal {
	if len(secret) < 3 || secret[:3] != "sk-" {
		return bad("key", "Invalid key format. LiteLLM Virtual Key must start with 'sk-'. Received: ****")
	}
	if len(secret) < 16 {
		return bad("key", "a custom key must have at least 16 characters")
	}
	for i := range len(secret) {
		if secret[i] <= ' ' || secret[i] > '~' {
			return bad("key", "a key must be of printable ASCII without blanks: it travels in a header")
		}
	}
	return nil
}

func displayName(secret string) string {
	if len(secret) < 16 {
		return "sk-..."
	}
	return "sk-..." + secret[len(secret)-4:]
}

// expiry is the end of a relative duration: <n>s, m, h, d, w or mo (the same
// day n months on, or that month's last). LiteLLM: duration_parser.py,
// duration_in_seconds.
func expiry(now int64, d string) (int64, bool) {
	digits := 0
	for digits < len(d) && d[digits] >= '0' && d[digits] <= '9' {
		digits++
	}
	n, err := strconv.ParseInt(d[:digits], 10, 64)
	if err != nil || n <= 0 || n > 1<<31 {
		return 0, false
	}
	const second = 1000
	unit := int64(0)
	switch d[digits:] {
	case "s":
		unit = second
	case "m":
		unit = 60 * second
	case "h":
		unit = 3600 * second
	case "d":
		unit = 86400 * second
	case "w":
		unit = 7 * 86400 * second
	case "mo":
		if n > 12*1000 {
			return 0, false
		}
		t := time.UnixMilli(now).UTC()
		first := time.Date(t.Year(), t.Month()+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		last := first.AddDate(0, 1, -1).Day()
		return first.AddDate(0, 0, min(t.Day(), last)-1).UnixMilli(), true
	default:
		return 0, false
	}
	return now + n*unit, true
}

// appendKey appends LiteLLM's answer: one flat object of the request's fields
// and the new key's.
func appendKey(dst []byte, k *tenant.Key, secret, duration string) []byte {
	token := hex.EncodeToString(k.Hash[:])
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
	dst = append(dst, `,"spend":0.0,"max_budget":null,"budget_duration":null,"tpm_limit":null,"rpm_limit":null,"max_parallel_requests":null,"blocked":null,"created_by":"default_user_id","updated_by":"default_user_id","created_at":`...)
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
