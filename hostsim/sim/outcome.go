package sim

import (
	"errors"
	"fmt"

	"fairshare/hostsim"
)

// An Outcome is what one rule made of one scenario: a result, or why there is
// none.
type Outcome struct {
	Scenario *Scenario
	Rule     string
	Result   *Result // nil if Err says why
	Err      error   // that the filter refused its configuration
}

// Rules are the filter's rule and those that it is compared with, in the order
// of the tables.
func Rules(module *hostsim.Module) []Rule {
	return []Rule{Fairshare(module), LiteLLM1, LiteLLM3, FirstCome}
}

// Play runs a scenario under a rule. A configuration that the filter refuses is
// an outcome too; any other failure is an error.
func Play(s *Scenario, rule Rule) (Outcome, error) {
	o := Outcome{Scenario: s, Rule: rule.Name()}
	var refused *hostsim.ConfigError
	switch r, err := Run(s, rule); {
	case err == nil:
		o.Result = r
	case errors.As(err, &refused):
		o.Err = fmt.Errorf("the configuration is refused: %s", refused.Message)
	default:
		return o, err
	}
	return o, nil
}

// Failed says in what a set of outcomes is not as its scenarios want it, one
// line each; only the plugin's are measured by that.
func Failed(outcomes []Outcome) []string {
	var lines []string
	for _, o := range outcomes {
		if o.Err != nil {
			lines = append(lines, fmt.Sprintf("%s: %v", o.Scenario.Name, o.Err))
		} else if o.Result.Books != nil {
			for _, m := range o.Result.Missed() {
				lines = append(lines, fmt.Sprintf("%s: not reached: %s", o.Scenario.Name, m))
			}
		}
	}
	return lines
}
