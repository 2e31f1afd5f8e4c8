package tenant

import (
	"strconv"

	"fairshare/plugin/document"
)

// maxExtra bounds in bytes what is kept of fields that nothing reads.
const maxExtra = 4 << 10

// shownAnyway are the members that rows have from elsewhere, and those of requests that
// are no field of whom they are about: none of them is kept as one that nothing reads.
const shownAnyway = "key token token_id key_hash keys key_type new_key new_master_key grace_period spend total_spend config permissions " +
	"allowed_cache_controls litellm_budget_table model_spend budget_reset_at created_by updated_by created_at updated_at expires " +
	"teams members members_with_roles admins organization_id team_memberships user_id team_id budget_id id role user_role user_email " +
	"auto_create_key member user_ids team_ids budgets object_permission key_name metadata litellm_organization_table"

// Keep puts the members of the object node that nothing reads into the subject's Extra,
// as they were written in text; null takes one away. path names the object in errors.
//
//go:noinline
func Keep(s *Subject, text string, tree document.Tree, node int, path string) *document.Error {
	first := 0
	for i := tree[node].First; i != 0 && first == 0; i = tree[i].Next {
		if Unread(s.Kind, tree[i].Key) {
			first = i
		}
	}
	if first == 0 {
		return nil
	}
	extra := []byte{'{'}
	// What is kept was JSON when it was read.
	if old, err := document.ReadJSON(s.Extra); err == nil && s.Extra != "" {
		for i := old[0].First; i != 0; i = old[i].Next {
			if tree.Member(node, old[i].Key) == 0 {
				extra = append(appendName(extra, old[i].Key), s.Extra[old[i].From:old[i].To]...)
			}
		}
	}
	for i := first; i != 0; i = tree[i].Next {
		if v := &tree[i]; v.Kind != document.Null && Unread(s.Kind, v.Key) {
			extra = append(appendName(extra, v.Key), text[v.From:v.To]...)
		}
	}
	if len(extra) > maxExtra {
		return &document.Error{
			Path: document.Member(path, tree[first].Key),
			Want: "at most " + strconv.Itoa(maxExtra) + " bytes of fields that nothing reads", Got: strconv.Itoa(len(extra)),
		}
	}
	s.Extra = ""
	if len(extra) > 1 {
		s.Extra = string(append(extra, '}'))
	}
	return nil
}

// Unread reports whether a member of this name is kept, and does nothing. A user's request
// has the fields of the key that is made with it as well.
//
//go:noinline
func Unread(k Kind, name string) bool {
	return name != "" && k.field(name) == noField && !listed(unenforced, name) && !listed(shownAnyway, name) &&
		(k != User || Key.field(name) == noField)
}

// Refuse refuses the members of an object that limit something but are read by nobody,
// and those whose names are nearly a limit's.
//
//go:noinline
func Refuse(tree document.Tree, node int, path string) *document.Error {
	r := fieldReader{s: &Subject{Kind: NumKinds}, tree: tree}
	r.refuse(unenforced, path, node)
	r.misspelt(path, node)
	return r.err
}

// appendExtra appends the members that are kept, behind a comma.
func appendExtra(dst []byte, s *Subject) []byte {
	if s.Extra == "" {
		return dst
	}
	return append(append(dst, ','), s.Extra[1:len(s.Extra)-1]...)
}
