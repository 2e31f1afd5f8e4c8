package flow

import (
	"encoding/binary"

	"fairshare/plugin/config"
	"fairshare/plugin/llm"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

// identify finds the caller's key, or the answer for a request without a good
// one. The texts are LiteLLM's (proxy/auth/user_api_key_auth.py).
func (x *Exchange) identify(now int64, r *requestHead) *Decision {
	secret, refusal := credential(r)
	if refusal != "" {
		d := x.refuseKey(refusal, "auth_error")
		return &d
	}
	g := x.gateway
	hash := tenant.Hash(secret)
	g.tenants.Refresh(now)
	if g.behind() {
		g.catchUp(now)
	}
	if g.policy.HasMasterKey && same(&hash, &g.policy.MasterKey) {
		return x.belongs(now, g.master)
	}
	if len(secret) < 3 || secret[:3] != "sk-" {
		d := x.refuseKey("LiteLLM Virtual Key expected. Received=****, expected to start with 'sk-'.", "auth_error")
		return &d
	}
	k, st := g.tenants.FindKey(&hash)
	switch st {
	case quota.OK:
	case quota.NotFound:
		d := x.refuseUnknown(secret, &hash)
		return &d
	default:
		d := x.fail(keyStoreFailed)
		return &d
	}
	switch {
	case k.Blocked:
		d := x.refuseKey("Key is blocked. Update via `/key/unblock` if you're an admin.", "auth_error")
		return &d
	case k.Expired(now):
		d := x.refuse(401, llm.ErrorBody{
			Message: "Authentication Error - Expired Key. Key Expiry time " + stamp(k.Expires) + " and current time " + stamp(now),
			Type:    "expired_key", Param: abbreviated(secret), Code: 401,
		}, Unauthorised)
		return &d
	}
	if x.route == showShares || x.route == resetShares || x.route == showMetrics || x.route == manage && !x.office.Own {
		d := x.refuseKey("Only proxy admin can be used to generate, delete, update info for new keys/users/teams. Route="+clip(r.path)+". Your role=unknown. Your user_id=***", "auth_error")
		return &d
	}
	return x.belongs(now, k)
}

// belongs finds what belongs to the key.
func (x *Exchange) belongs(now int64, k *tenant.Subject) *Decision {
	c, st := x.gateway.caller(now, k)
	if st != quota.OK {
		d := x.fail(keyStoreFailed)
		return &d
	}
	x.caller = c
	return nil
}

// credential picks the key from the headers, or says what is wrong with them.
func credential(r *requestHead) (secret, refusal string) {
	for c := range r.credentials {
		value := r.credentials[c]
		if value == "" {
			continue
		}
		if c == azureKey || c == anthropicKey || c == googleKey {
			return value, ""
		}
		const bearer = "bearer "
		if len(value) > len(bearer) && equalFold(value[:len(bearer)], bearer) {
			return value[len(bearer):], ""
		}
		// The documents' own curl lines send the bare key.
		if c == litellmKey || len(value) > 3 && value[:3] == "sk-" {
			return value, ""
		}
		return "", "Malformed API Key passed in. Ensure Key has `Bearer ` prefix."
	}
	return "", "No api key passed in."
}

// same compares two hashes in a time that does not depend on them.
func same(a, b *[32]byte) bool {
	le, diff := binary.LittleEndian, uint64(0)
	for i := 0; i < len(a); i += 8 {
		diff |= le.Uint64(a[i:]) ^ le.Uint64(b[i:])
	}
	return diff == 0
}

func (x *Exchange) refuseKey(message, typ string) Decision {
	return x.refuse(401, llm.ErrorBody{Message: "Authentication Error, " + message, Type: typ, Param: llm.None, Code: 401}, Unauthorised)
}

//go:noinline
func (x *Exchange) refuseUnknown(secret string, hash *[32]byte) Decision {
	where := "This gateway knows no such key: it was deleted, or it is another gateway's"
	if x.gateway.policy.ErrorFormat == config.LiteLLM {
		where = "Unable to find token in cache or `LiteLLM_VerificationTokenTable`"
	}
	return x.refuse(401, llm.ErrorBody{
		Message: "Authentication Error, Invalid proxy server token passed. Received API Key = " + abbreviated(secret) +
			", Key Hash (Token) =" + tenant.Token(hash) + ". " + where,
		Type: "token_not_found_in_db", Param: "key", Code: 401,
	}, Unauthorised)
}

// abbreviated is what an answer shows of a key: its last four characters, if
// there are enough others to guess.
func abbreviated(secret string) string {
	const enough = 16
	if len(secret) < enough {
		return "sk-..."
	}
	return "sk-..." + secret[len(secret)-4:]
}
