package flow

import (
	"time"

	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"
)

// wouldRefuseHeader tells of a request that passed which limit in shadow would have refused
// it, as kind and whose:
//
//	value = kind "; " ( "proxy" | whose "=" name [ "; model=" name ] )
//	kind  = "requests" | "tokens" | "parallel" | "budget"
//	whose = "model" | "key" | "user" | "team" | "member" | "customer"
//
// A key is named by its alias, or by its hash if it has none, a member by team and user with
// a "/" between them. In names what is not visible ASCII, and ";", "=" and "%", are written
// as "%" and two hexadecimal digits.
const wouldRefuseHeader = "x-fairshare-would-refuse"

// wouldRefuseKinds are the kinds of limits, by the reason that they refuse for.
var wouldRefuseKinds = [...]struct {
	name string
	Metric
}{
	quota.OverBudget: {"budget", WouldRefuseBudget}, quota.OverParallel: {"parallel", WouldRefuseParallel},
	quota.OverRequests: {"requests", WouldRefuseRequests}, quota.OverTokens: {"tokens", WouldRefuseTokens},
}

// wouldRefuse labels and counts a request that limits in shadow let through.
//
//go:noinline
func (x *Exchange) wouldRefuse(v *quota.Verdict) {
	kind := &wouldRefuseKinds[v.Would]
	x.gateway.worker.count(kind.Metric, 1)
	x.recordWouldRefuse(kind.Metric)
	x.told.text(wouldRefuseHeader, string(x.limitText(kind.name, v.WouldBy)))
}

// limitText says of what kind a limit is and whose: that of a meter by its index, or the
// model's if that is below 0.
func (x *Exchange) limitText(kind string, by int) []byte {
	text := append([]byte(kind), "; "...)
	if by < 0 {
		return appendVisible(append(text, "model="...), x.group.model.Name)
	}
	return x.metered[by].appendWhose(text)
}

// refusedByHeader tells of a request that a limit refused whose that was, in the same
// words; of a budget also when it begins anew: "; resets=" and a time as in RFC 3339, or
// "never".
const refusedByHeader = "x-fairshare-refused-by"

// tellRefusedBy adds it to what the answer tells.
//
//go:noinline
func (x *Exchange) tellRefusedBy(now int64, v *quota.Verdict) {
	text := x.limitText(wouldRefuseKinds[v.Reason].name, v.By)
	if v.Reason == quota.OverBudget { // a meter's: models have none
		text = append(text, "; resets="...)
		if end := x.metered[v.By].Ends(now); end == quota.Never {
			text = append(text, "never"...)
		} else {
			text = time.UnixMilli(end).UTC().AppendFormat(text, time.RFC3339)
		}
	}
	x.headers = append(x.headers, [2]string{refusedByHeader, string(text)})
}

// subjectNames are what people call whom a limit is for.
var subjectNames = [tenant.NumKinds]string{
	tenant.Key: "key", tenant.User: "user", tenant.Team: "team", tenant.Member: "member", tenant.Customer: "customer",
}

func (m *metered) appendWhose(dst []byte) []byte {
	s := m.subject
	if s == nil {
		return append(dst, "proxy"...)
	}
	dst = append(append(dst, subjectNames[s.Kind]...), '=')
	switch {
	case s.Kind == tenant.Member:
		dst = appendVisible(dst, s.TeamID)
		dst = appendVisible(append(dst, '/'), s.UserID)
	case s.Kind == tenant.Key && s.Alias != "":
		dst = appendVisible(dst, s.Alias)
	default:
		dst = appendVisible(dst, s.ID)
	}
	if m.model != "" {
		dst = appendVisible(append(dst, "; model="...), m.model)
	}
	return dst
}

// appendVisible appends a name as a header may have it.
func appendVisible(dst []byte, name string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(name) {
		c := name[i]
		if c <= ' ' || c > '~' || c == ';' || c == '=' || c == '%' {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
