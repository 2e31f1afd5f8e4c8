package config

import (
	"strconv"

	"fairshare/plugin/document"
)

func (r *reading) limiter(p *Policy, settings place) {
	reservation := settings.in("priority_reservation")
	r.priorities(p, reservation)
	byKeys, byPriority := r.callbacks(settings.in("callbacks"))
	switch {
	case byPriority && len(p.Priorities) > 0:
		p.Limiter = ByPriority
	case byKeys, byPriority, len(p.Priorities) > 0:
		// The documents show v3 without a reservation doing what only v1 does, and
		// a reservation with callbacks: [""]; see seeds 000.
		p.Limiter = ByActiveKeys
	}
	if byKeys && p.Limiter == ByPriority {
		r.warn(settings.in("callbacks").path, "both limiters are named: dynamic_rate_limiter_v3 is used")
	}
	if p.Limiter == Unlimited {
		for i := range p.Models {
			if m := &p.Models[i]; m.LimitTPM || m.LimitRPM {
				r.warn("model_list", "tpm and rpm are not enforced, as litellm_settings.callbacks names no limiter: add dynamic_rate_limiter")
				break
			}
		}
	}
	if p.Limiter == ByActiveKeys {
		for i := range p.Models {
			sum := 0.0
			for _, f := range p.Fractions(&p.Models[i]) {
				sum += f
			}
			// The tolerance is for sums such as 0.2 + 0.4 + 0.3 + 0.1, which is above 1.
			if sum > 1+1e-9 {
				r.warn(reservation.path, "reserves more than all of model "+document.Quote(p.Models[i].Name)+": the parts are weights, not promises")
				break
			}
		}
	}

	more := settings.in("priority_reservation_settings")
	const fraction = "a fraction from 0 to 1"
	p.DefaultPriority, p.SaturationThreshold, p.SaturationTTL = defaultPriority, 0.5, 60
	if f, ok := more.in("default_priority").number(0, 1, fraction); ok {
		p.DefaultPriority, p.HasDefaultPriority = f, true
	}
	if p.Limiter == ByPriority {
		for i := range p.Models {
			m := &p.Models[i]
			sum, whose := 0.0, "reserves"
			for j := range p.Priorities {
				sum += p.Priorities[j].Fraction(m)
			}
			if p.HasDefaultPriority && sum <= 1+1e-9 {
				sum += p.DefaultPriority
				whose = "reserves with default_priority (" + strconv.FormatFloat(p.DefaultPriority, 'g', -1, 64) + ")"
			}
			if sum > 1+1e-9 && (m.LimitTPM || m.LimitRPM) {
				r.warn(reservation.path, whose+" more than all of model "+document.Quote(m.Name)+": each part is divided by their sum")
				break
			}
		}
	}
	if f, ok := more.in("saturation_threshold").number(0, 1, fraction); ok {
		p.SaturationThreshold, p.HasSaturationThreshold = f, true
	}
	if n, ok := more.in("saturation_check_cache_ttl").whole(0, 86400, "a whole number of seconds, 0 to 86400"); ok {
		p.SaturationTTL = n
	}
}

// callbacks reads one name or a list of them; the documents write [""] for none.
func (r *reading) callbacks(at place) (byKeys, byPriority bool) {
	if !at.read() {
		return false, false
	}
	names := []place{at}
	if at.node().Kind == document.List {
		names = at.items()
	}
	for _, it := range names {
		name, ok := it.resolved("a callback's name")
		switch {
		case name == "dynamic_rate_limiter":
			byKeys = true
		case name == "dynamic_rate_limiter_v3":
			byPriority = true
		case ok && name != "" && name != "prometheus": // metrics are always there
			r.warn(it.path, document.Quote(name)+" is ignored: Fairshare has dynamic_rate_limiter and dynamic_rate_limiter_v3")
		}
	}
	return byKeys, byPriority
}

func (r *reading) priorities(p *Policy, at place) {
	const (
		fraction = "a fraction from 0 to 1, or {type: percent, rpm or tpm, value: a number}"
		percent  = "a fraction from 0 to 1 (0.5 is half)"
		amount   = "a number from 0 to 1e12"
	)
	members, names := at.members()
	for i, m := range members {
		priority := Priority{Name: names[i]}
		switch {
		case priority.Name == "":
			r.fail(at.path, "a name for every priority", "an empty one")
		case !m.there():
			m.fail(fraction)
		case m.node().Kind != document.Object:
			priority.Value, _ = m.number(0, 1, fraction)
		default:
			priority.Value = 1 // LiteLLM's default, all of the model
			priority.Kind = Reservation(m.in("type").choice(reservations))
			want, most := percent, 1.0
			if priority.Kind != Fraction {
				want, most = amount, mostPerMinute
			}
			if f, ok := m.in("value").number(0, most, want); ok {
				priority.Value = f
			}
		}
		p.Priorities = append(p.Priorities, priority)
	}
}

// reservations are the names of the Reservation constants in the configuration.
var reservations = []string{"percent", "rpm", "tpm"}
