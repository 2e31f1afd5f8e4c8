package tenant

import (
	"strings"

	"fairshare/plugin/document"
)

// A name that is nearly a limit's is refused: a typo would make a subject without that
// limit, which is worse than an error. Names differ by case, by what parts their words
// (maxBudget, max-budget, MAX_BUDGET), or by a letter too few, too many or another, of
// long ones by two.

// limitNames are the names of limits that fields have, besides those that are unenforced
// somewhere; their own spellings, and LiteLLM's other fields that happen to be near, are
// no typos.
const (
	limitNames = "soft_budget temp_budget_expiry expires duration key_alias enforce budget_id team_id user_id"
	nearNames  = "spend tags metadata aliases model_aliases user_email user_alias user_role key_name key_type team_alias config " +
		"rpm_limit_type tpm_limit_type members admins members_with_roles role alias budget_reset_at token key team_ids"
)

// misspelt refuses the first member of an object whose name is nearly a limit's.
//
//go:noinline
func (r *fieldReader) misspelt(path string, object int) {
	if r.err != nil {
		return
	}
	for i := r.tree[object].First; i != 0; i = r.tree[i].Next {
		v := &r.tree[i]
		if v.Kind == document.Null || r.s.Kind.field(v.Key) != noField || listed(unenforced, v.Key) || listed(limitNames, v.Key) || listed(nearNames, v.Key) {
			continue
		}
		for _, names := range [...]string{unenforced, limitNames} {
			if meant := nearest(names, v.Key); meant != "" {
				r.fail(document.Member(path, v.Key), meant+", if that is meant: no field has this name", document.Quote(v.Key))
				return
			}
		}
	}
}

// hidden refuses a member of metadata that limits something, or whose name is nearly
// that of an amount.
//
//go:noinline
func (r *fieldReader) hidden(name, at string, metadata int) {
	n := r.limits(metadata, name)
	switch {
	case n == 0:
	case listed(inMetadata, name):
		want := notEnforced
		if r.s.Kind.field(name) != noField {
			want = "nothing here: it belongs beside metadata, not into it"
		}
		r.wrong(at, want, n)
	case !listed(nearNames, name):
		if meant := nearest(amounts, name); meant != "" {
			r.wrong(at, "nothing here: if "+meant+" is meant, it belongs beside metadata", n)
		}
	}
}

// nearest is the name in a list that another one nearly is, the nearest of several; ""
// if there is none.
func nearest(names, name string) string {
	var folded, other [maxFolded]byte
	n := fold(&folded, name)
	if n == 0 {
		return ""
	}
	best, least := "", maxFolded
	for names != "" {
		var one string
		one, names, _ = strings.Cut(names, " ")
		m := fold(&other, one)
		far := 0
		switch {
		case m >= 12:
			far = 2
		case m >= 7:
			far = 1
		}
		if d := distance(folded[:n], other[:m]); d <= far && d < least {
			best, least = one, d
		}
	}
	return best
}

// maxFolded is longer than any limit's name by more than a typo.
const maxFolded = 40

// fold writes the letters and digits of a name in small letters, and returns how many
// there are; 0 for a name that is too long to be a limit's.
func fold(dst *[maxFolded]byte, name string) int {
	n := 0
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c == '_' || c == '-' || c == ' ' || c == '.' {
			continue
		}
		if n == maxFolded {
			return 0
		}
		dst[n] = c
		n++
	}
	return n
}

// distance is Damerau and Levenshtein's: letters to put in, leave out, replace or swap
// with the next one to make b of a (optimal string alignment).
func distance(a, b []byte) int {
	var rows [3][maxFolded + 1]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := range a {
		now, before, older := &rows[(i+1)%3], &rows[i%3], &rows[(i+2)%3]
		now[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			now[j+1] = min(before[j+1]+1, now[j]+1, before[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				now[j+1] = min(now[j+1], older[j-1]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
