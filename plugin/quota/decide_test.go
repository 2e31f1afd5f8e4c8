package quota

import (
	"reflect"
	"testing"
)

// used is a verdict that was used before, as a worker's is.
func used() Verdict {
	return Verdict{
		Reason: OverTokens, Would: OverRequests, WouldBy: 3, By: 3, Hold: Hold{open: true, tokens: 9, nmeters: 2},
		Tokens: Room{Limited: true, Model: 9, Caller: 9}, Requests: Room{Limited: true, Model: 9, Caller: 9},
		Meters: make([]Standing, 3), Active: 9, ResetMS: 9, RetryMS: 9, Spent: true, Pool: new(Reserved),
	}
}

// decide is Admit with the claim and the verdict as values, which tests keep.
func (l *Ledger) decide(now int64, t *Terms, c Claim) (Verdict, error) {
	v := used()
	err := l.Admit(now, t, &c, &v)
	return v, err
}

// decidePaid is the same for AdmitPaid.
func (l *Ledger) decidePaid(now int64, t *Terms, c Claim, s Spent) (Verdict, error) {
	v := used()
	err := l.AdmitPaid(now, t, &c, &s, &v)
	return v, err
}

// Nothing of what a verdict was before is in the next one, and after an error nothing
// is in it at all.
func TestVerdictsAreUsedAgain(t *testing.T) {
	m := NewMeter(ForKey, "k", "")
	m.RPM = capped(1)
	alone := Claim{Key: 1, Weight: One, Pool: NoPool, Exact: 10}
	metered := alone
	metered.Meters = []*Meter{m}
	for name, c := range map[string]struct {
		terms  *Terms
		claims []Claim
		broken func(*moody)
	}{
		"admitted":               {tpm(100), []Claim{alone}, nil},
		"admitted without limit": {&Terms{Key: "fs/m/free"}, []Claim{alone}, nil},
		"refused by the model":   {tpm(5), []Claim{alone, alone}, nil},
		"refused by a meter":     {tpm(100), []Claim{metered, metered}, nil},
		"no record can be read":  {tpm(100), []Claim{alone}, func(s *moody) { s.get = only("", Failed) }},
		"no meter can be read":   {tpm(100), []Claim{metered}, func(s *moody) { s.get = only(m.key, Failed) }},
		"no record can be set":   {tpm(100), []Claim{alone}, func(s *moody) { s.set = only("", Failed) }},
		"no meter can be set":    {tpm(100), []Claim{metered}, func(s *moody) { s.set = only(m.key, Failed) }},
		"every swap is lost":     {tpm(100), []Claim{alone}, func(s *moody) { s.set = only("", Mismatch) }},
	} {
		t.Run(name, func(t *testing.T) {
			var verdicts [2]Verdict
			for i, v := range []Verdict{{}, used()} {
				s := new(moody)
				l := NewLedger(s, 1)
				if c.broken != nil {
					c.broken(s)
				}
				var err error
				for _, claim := range c.claims {
					err = l.Admit(t0, c.terms, &claim, &v)
				}
				if (err != nil) != (c.broken != nil) || err != nil && !reflect.DeepEqual(v, Verdict{}) {
					t.Fatalf("%v: %+v", err, v)
				}
				verdicts[i] = v
			}
			if !reflect.DeepEqual(verdicts[0], verdicts[1]) {
				t.Errorf("%+v\nof one that was used: %+v", verdicts[0], verdicts[1])
			}
		})
	}
}
