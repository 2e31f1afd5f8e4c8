package quota

// Spoil counts a request whose body was refused: it never became a claim, and
// reading it was work all the same. It takes one request a minute of every meter
// that limits them, and no tokens, money or slots. One that can't be changed now is
// left out: the request is refused whatever happens here.
func (l *Ledger) Spoil(now int64, meters []*Meter) {
	for _, m := range meters {
		if !m.RPM.Limited || m.Skips.Has(Requests) {
			continue
		}
		for l.beginMeter(m); l.readMeter(now); l.swapMeter() {
			l.one.at(now/minuteMS).requests++
			l.one.requests++
		}
	}
}

// OutOfRequests reports whether a request of these meters is sure to be refused by
// their requests a minute, whatever it asks, and puts that refusal into v. What it
// can't read refuses nobody.
func (l *Ledger) OutOfRequests(now int64, meters []*Meter, v *Verdict) bool {
	c := Claim{Meters: meters}
	by, wait := -1, int64(0)
	for i, m := range meters {
		if l.account(now, m, &l.asked[i]) != nil {
			return false
		}
		e := m.enforced()
		e.TPM.Limited, e.Parallel.Limited, e.Budget.Limited = false, false, false
		if e.Skips.Has(Requests) {
			continue
		}
		if l.asked[i].refuses(now, 0, 0, &e) == OverRequests {
			if wait = max(wait, l.asked[i].wait(now, 0, 0, &e)); by < 0 {
				by = i
			}
		}
	}
	if by < 0 {
		return false
	}
	*v = Verdict{Reason: OverRequests, By: by, RetryMS: wait, Meters: l.stand(now, &c)}
	return true
}
