package tenant

import (
	"fairshare/plugin/quota"
	"fairshare/plugin/sha256"
)

// Hash is what a key is known by: the sha256 of its whole text.
func Hash(secret string) [32]byte { return sha256.Sum(secret) }

// Token is how clients and answers write a hash, and a key's ID: as 64
// hexadecimal digits. It is written here because encoding/hex reaches package
// fmt.
func Token(hash *[32]byte) string {
	var token [64]byte
	putToken(&token, hash[:])
	return string(token[:])
}

func putToken(token *[64]byte, hash []byte) {
	const digits = "0123456789abcdef"
	for i, c := range hash {
		token[2*i], token[2*i+1] = digits[c>>4], digits[c&15]
	}
}

// ParseToken reads what Token wrote. It reports false for anything else, upper
// case included, since one key has one ID.
func ParseToken(token string) (hash [32]byte, ok bool) {
	if len(token) != 2*len(hash) {
		return hash, false
	}
	for i := range hash {
		high, low := digit(token[2*i]), digit(token[2*i+1])
		if high|low > 15 {
			return [32]byte{}, false
		}
		hash[i] = high<<4 | low
	}
	return hash, true
}

// digit is a hexadecimal digit's value, above 15 for what is none.
func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

// NewKey returns an empty record of the key with that hash.
func NewKey(hash *[32]byte) *Subject {
	return &Subject{Kind: Key, ID: Token(hash), Hash: *hash, Line: quota.KeyID(hash)}
}
