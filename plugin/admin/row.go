package admin

import (
	"math"
	"strconv"

	"fairshare/plugin/llm"
	"fairshare/plugin/tenant"
	"fairshare/plugin/unit"
)

// maxRows bounds the rows of one answer: it is made in the VM's memory.
const maxRows = 1000

// What is called in hundreds of places is never inlined: these few directives
// make the wasm 20 KB smaller.

// put appends JSON as it stands to the answer.
//
//go:noinline
func (j *job) put(json string) { j.dst = append(j.dst, json...) }

// quote appends a string, quoteOrNull null for an empty one.
//
//go:noinline
func (j *job) quote(s string) { j.dst = llm.AppendString(j.dst, s) }

//go:noinline
func (j *job) quoteOrNull(s string) { j.dst = llm.AppendNullable(j.dst, s) }

//go:noinline
func (j *job) int(n int64) { j.dst = strconv.AppendInt(j.dst, n, 10) }

//go:noinline
func (j *job) time(ms int64) { j.dst = tenant.AppendTime(j.dst, ms) }

// usd appends an amount of money.
//
//go:noinline
func (j *job) usd(m unit.PicoUSD) { j.dst = m.Append(j.dst) }

// fields appends a subject's own fields.
//
//go:noinline
func (j *job) fields(s *tenant.Subject) { j.dst = tenant.AppendFields(j.dst, s) }

// next puts a comma unless the answer, a list or an object has just begun.
//
//go:noinline
func (j *job) next() {
	if n := len(j.dst); n > j.start && j.dst[n-1] != '[' && j.dst[n-1] != '{' {
		j.put(",")
	}
}

// book gives a subject's book, with the end of its period even where nothing
// was spent yet.
func (j *job) book(s, budget *tenant.Subject) Book {
	b, ok := j.Books.Book(j.now, s, "")
	if !ok {
		j.broken()
	}
	if every := tenant.Effective(s, budget).Duration; b.ResetAt == 0 && every.N != 0 {
		if _, b.ResetAt = j.Calendar.Span(every, s.Created, j.now); b.ResetAt == math.MaxInt64 {
			b.ResetAt = 0
		}
	}
	return b
}

// budget gives the budget that a subject names, nil if there is none.
func (j *job) budget(s *tenant.Subject) *tenant.Subject {
	if s.BudgetID == "" {
		return nil
	}
	return j.find(tenant.Budget, s.BudgetID)
}

// row puts a subject's row as LiteLLM has it.
func (j *job) row(s *tenant.Subject) {
	j.next()
	j.put("{")
	if s.Kind == tenant.Key {
		j.put(`"token":"` + s.ID + `",`)
	}
	j.fields(s)
	j.rest(s)
	j.put("}")
}

// rest puts what a row has beside the subject's fields.
//
//go:noinline
func (j *job) rest(s *tenant.Subject) {
	const admin = `,"created_by":"default_user_id","updated_by":"default_user_id"`
	if s.Kind == tenant.Budget {
		_, reset := j.Calendar.Span(s.Limits.Duration, s.Created, j.now)
		if s.Limits.Duration.N == 0 || reset == math.MaxInt64 {
			reset = 0
		}
		j.put(`,"budget_reset_at":`)
		j.time(reset)
		j.put(admin)
		return
	}
	budget := j.budget(s)
	b := j.book(s, budget)
	j.put(`,"spend":`)
	j.usd(b.Spend)
	j.put(`,"budget_reset_at":`)
	j.time(b.ResetAt)
	switch s.Kind {
	case tenant.Key:
		j.put(`,"litellm_budget_table":`)
		j.limits(budget)
		j.put(`,"model_spend":{`)
		for i := range s.PerModel {
			if m := &s.PerModel[i]; m.Budget.Limited {
				of, ok := j.Books.Book(j.now, s, m.Model)
				if !ok {
					j.broken()
				}
				j.next()
				j.quote(m.Model)
				j.put(":")
				j.usd(of.Spend)
			}
		}
		j.put(`},"permissions":{},"config":{},"allowed_cache_controls":[]` + admin)
	case tenant.User:
		j.put(`,"teams":[`)
		j.each(tenant.Member, "u:"+s.ID, func(m *tenant.Subject) bool {
			j.next()
			j.quote(m.TeamID)
			return true
		})
		j.put("]")
	case tenant.Team:
		members := j.all(tenant.Member, "t:"+s.ID)
		j.put(`,"organization_id":null,"admins":[`)
		for _, m := range members {
			if m.Role == "admin" {
				j.next()
				j.quote(m.UserID)
			}
		}
		j.put(`],"members":[`)
		for _, m := range members {
			j.next()
			j.quote(m.UserID)
		}
		j.put(`],"members_with_roles":[`)
		for _, m := range members {
			j.next()
			j.put(`{"role":`)
			j.quote(m.Role)
			j.put(`,"user_id":`)
			j.quote(m.UserID)
			j.put(`,"user_email":`)
			j.quoteOrNull(m.Email)
			j.put("}")
		}
		j.put("]")
	case tenant.Member:
		j.put(`,"litellm_budget_table":`)
		j.limits(s)
	case tenant.Customer:
		if budget == nil && s.Limits != (tenant.Limits{}) {
			budget = s
		}
		j.put(`,"allowed_model_region":null,"default_model":null,"litellm_budget_table":`)
		j.limits(budget)
	}
}

// limits puts a subject's limits as litellm_budget_table, null for none.
func (j *job) limits(s *tenant.Subject) {
	if s == nil {
		j.put("null")
		return
	}
	j.put("{")
	if s.Kind == tenant.Budget {
		j.put(`"budget_id":`)
		j.quote(s.ID)
		j.put(",")
	}
	j.dst = tenant.AppendLimits(j.dst, &s.Limits)
	j.put("}")
}

// rows puts rows parted by commas.
func (j *job) rows(all []*tenant.Subject) {
	for _, s := range all {
		j.row(s)
	}
}

// owned puts the rows of a user's or team's keys, at most maxRows of them, and
// how many there are.
func (j *job) owned(owner string) {
	j.put(`,"keys":[`)
	n := int64(0)
	j.each(tenant.Key, owner, func(s *tenant.Subject) bool {
		if n++; n <= maxRows {
			j.row(s)
		}
		return true
	})
	j.put(`],"keys_total":`)
	j.int(n)
}

// list puts all rows of a kind, or one page of them: LiteLLM's lists have no
// pages, but there may be more rows than an answer can hold.
func (j *job) list(kind tenant.Kind) {
	j.put("[")
	j.rows(j.listed(kind))
	j.put("]")
}

// listed gives the subjects of the page that is asked for. It refuses more than
// an answer can hold.
func (j *job) listed(kind tenant.Kind) []*tenant.Subject {
	p, given := j.paged("page_size", maxRows, maxRows)
	if j.refusal != nil {
		return nil
	}
	var all []*tenant.Subject
	n := int64(0)
	j.each(kind, "", func(s *tenant.Subject) bool {
		if n++; n > p.skip() {
			all = append(all, s)
		}
		return int64(len(all)) < p.size || !given && n <= p.size
	})
	if !given && n > p.size {
		j.bad("page", "there are more than "+strconv.Itoa(maxRows)+" of them: ask for page=1 and page_size="+strconv.Itoa(maxRows)+" and so on")
		return nil
	}
	return all
}

// spent puts the rows of subjects, those that spent most first.
func (j *job) spent(all []*tenant.Subject) {
	spend := make([]unit.PicoUSD, len(all))
	for n, s := range all {
		b, ok := j.Books.Book(j.now, s, "")
		if !ok {
			j.broken()
			return
		}
		// They are maxRows at most, for which no better way of sorting is worth its code.
		i := n
		for ; i > 0 && spend[i-1] < b.Spend; i-- {
			spend[i], all[i] = spend[i-1], all[i-1]
		}
		spend[i], all[i] = b.Spend, s
	}
	j.rows(all)
}
