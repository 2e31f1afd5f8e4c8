package admin

import (
	"strings"

	"fairshare/plugin/document"
	"fairshare/plugin/tenant"
)

// secret gives the key that the caller chose in a field, or a new one: as
// LiteLLM's, "sk-" and 16 random bytes. A chosen key keeps LiteLLM's rules
// (constants.py, MINIMUM_CUSTOM_KEY_LENGTH), and no refusal shows it.
func (j *job) secret(field string) string {
	n := j.in(0, field)
	if n == 0 {
		return string(appendBase64URL([]byte("sk-"), j.random()))
	}
	v := &j.tree[n]
	if v.Kind != document.Text {
		j.bad(field, field+" must be a string")
		return ""
	}
	secret := v.Str
	if !strings.HasPrefix(secret, "sk-") {
		j.bad(field, "Invalid key format. LiteLLM Virtual Key must start with 'sk-'. Received: ****")
	}
	if len(secret) < 16 || len(secret) > maxText {
		j.bad(field, "a custom key must have at least 16 characters and at most 1024")
	}
	for i := range len(secret) {
		// Envoy joins a header that is given twice with a comma.
		if secret[i] <= ' ' || secret[i] > '~' || secret[i] == ',' {
			j.bad(field, "a key must be of printable ASCII without blanks and commas: it travels in a header")
		}
	}
	return secret
}

// random gives 16 bytes that nobody can guess.
func (j *job) random() *[16]byte {
	var b [16]byte
	if !j.Random(b[:]) {
		j.refuse(503, internal, "", "there is no randomness to make an id or a key of")
	}
	return &b
}

// newID gives a random UUID, version 4.
func (j *job) newID() string {
	const digits = "0123456789abcdef"
	b := j.random()
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	id := make([]byte, 0, 36)
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			id = append(id, '-')
		}
		id = append(id, digits[c>>4], digits[c&15])
	}
	return string(id)
}

// keyID gives the id of a key that is named by itself or by its hash.
func keyID(key string) string {
	if strings.HasPrefix(key, "sk-") {
		hash := tenant.Hash(key)
		return tenant.Token(&hash)
	}
	return key
}

// displayName is what people see of a key: its last four characters, if there
// are enough others to guess.
func displayName(secret string) string {
	if len(secret) < 16 {
		return "sk-..."
	}
	return "sk-..." + secret[len(secret)-4:]
}

// shown puts the beginning of an answer that shows a new key, once and for all.
func (j *job) shown(k *tenant.Subject, secret string) {
	j.put(`{"key":`)
	j.quote(secret)
	j.put(`,"token":"` + k.ID + `","token_id":"` + k.ID + `","duration":`)
	if n := j.in(0, "duration"); n == 0 {
		j.put("null")
	} else {
		j.quote(j.tree[n].Str)
	}
	j.put(",")
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
