package config

import (
	"strings"

	"fairshare/plugin/document"
	"fairshare/plugin/quota"
)

// shadow reads fairshare_settings.enforce, and leaves every model and the proxy what is
// in shadow there.
func (r *reading) shadow(p *Policy, at place) {
	p.Shadow = at.shadow("max_budget", "max_parallel_requests", "rpm_limit", "tpm_limit")
	for i := range p.Models {
		m := &p.Models[i]
		m.Shadow |= p.Shadow
		if !m.LimitRPM {
			m.Shadow &^= quota.Requests
		}
		if !m.LimitTPM {
			m.Shadow &^= quota.Tokens
		}
		m.Shadow &= quota.Requests | quota.Tokens
	}
}

// shadow reads an enforce: true or false for all limits, or an object of names, the last
// ones of quota.Reasons, with true or false for each. It gives those that are not enforced,
// and warns of them: somebody may have forgotten them.
func (p place) shadow(names ...string) quota.Reasons {
	shadow := p.shadowed(names)
	if shadow != 0 {
		p.r.warn(p.path, "leaves limits unenforced: answers only say whom they would refuse")
	}
	return shadow
}

func (p place) shadowed(names []string) (shadow quota.Reasons) {
	if !p.read() {
		return 0
	}
	if p.node().Kind == document.Boolean {
		if p.node().Num == 0 {
			return quota.AllReasons
		}
		return 0
	}
	if p.node().Kind != document.Object {
		p.fail("true or false, for all limits or in an object for some of " + strings.Join(names, ", "))
		return 0
	}
	p.only(strings.Join(names, " "))
	for i := range names {
		if m := p.in(names[len(names)-1-i]); m.there() && !m.enforces() {
			shadow |= quota.Tokens >> i
		}
	}
	return shadow
}

// enforces reads true or false.
func (p place) enforces() bool {
	if p.node().Kind != document.Boolean {
		p.fail("true or false")
	}
	return p.node().Num != 0
}
