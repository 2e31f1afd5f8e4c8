package tenant

// Effective are the limits that hold for a subject: its own, and where it has
// none, those of the Budget that its BudgetID names. Such a limit is in shadow if either
// says so. No budget is nil.
func Effective(s, budget *Subject) Limits {
	l := s.Limits
	if budget == nil {
		return l
	}
	theirs := budget.Limits
	their := theirs.caps()
	for i, c := range l.caps() {
		if !c.Limited && their[i].Limited {
			*c = *their[i]
			l.Shadow |= theirs.Shadow & reasons[i]
		}
	}
	if l.Duration.N == 0 {
		l.Duration = theirs.Duration
	}
	return l
}
