package admin

import "fairshare/plugin/tenant"

func (j *job) newBudget() {
	b := &tenant.Subject{Kind: tenant.Budget}
	j.apply(b, 0, "")
	if b.ID == "" {
		b.ID = j.newID()
	}
	j.fresh(b, "budget_id")
	if j.add([]*tenant.Subject{b}, "budget_id") {
		j.row(b)
	}
}

// budgetInfo puts the rows of those of the named budgets that there are.
func (j *job) budgetInfo() {
	j.put("[")
	for _, id := range j.needs("budgets") {
		if b := j.find(tenant.Budget, id); b != nil {
			j.row(b)
		}
	}
	j.put("]")
}

func (j *job) updateBudget() {
	id := j.need("budget_id")
	if j.refusal != nil {
		return
	}
	b := j.changeable(tenant.Budget, id, "budget_id")
	if b == nil {
		return
	}
	if b = j.change(b, "budget_id", 0, nil); b != nil {
		j.row(b)
	}
}

// deleteBudget removes a budget that nobody names: those who do would go on
// without limits. A subject that comes to name it at this very moment has none.
func (j *job) deleteBudget() {
	id := j.need("id")
	if j.refusal != nil {
		return
	}
	b := j.changeable(tenant.Budget, id, "id")
	if b == nil {
		return
	}
	for _, kind := range [...]tenant.Kind{tenant.Key, tenant.Customer} {
		j.each(kind, "", func(s *tenant.Subject) bool {
			if s.BudgetID == b.ID {
				j.bad("id", "Budget with id '"+clip(b.ID)+"' is in use, by "+clip(s.ID)+" among others")
			}
			return j.refusal == nil
		})
	}
	if b.ID == j.EndUserBudget {
		j.bad("id", "Budget with id '"+clip(b.ID)+"' is in use, by every end user without another")
	}
	if j.removeAll([]*tenant.Subject{b}, "id") {
		j.row(b)
	}
}
