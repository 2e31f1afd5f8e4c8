package quota

// decide is Admit with the claim and the verdict as values, which tests keep.
func (l *Ledger) decide(now int64, t *Terms, c Claim) (Verdict, error) {
	var v Verdict
	err := l.Admit(now, t, &c, &v)
	return v, err
}

// decidePaid is the same for AdmitPaid.
func (l *Ledger) decidePaid(now int64, t *Terms, c Claim, s Spent) (Verdict, error) {
	var v Verdict
	err := l.AdmitPaid(now, t, &c, &s, &v)
	return v, err
}
