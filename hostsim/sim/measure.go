package sim

import (
	"math"
	"slices"
	"strconv"
	"time"
)

// Measures say how good a rule was. Each is about the limit that binds: tokens
// or requests a minute, whichever the asks take more of.
type Measures struct {
	// Utilisation is the part of the capacity that was used, up to 1, in the
	// minutes in which more was asked for than there is. None without such a
	// minute.
	Utilisation Ratio `json:"utilisation"`

	// Jain is Jain's fairness index (Σx)² / (n Σx²) among the keys of one
	// tenant, who are alike: 1 if all are equal, 1/n if one has everything. The
	// worst tenant's counts. As Jain has it ("Throughput Fairness Index: An
	// Explanation", 1999), x is what a key got over what it would have got if
	// what its tenant got in that minute were split max-min fairly among the
	// tenant's keys: one that asks for less than the others is no injustice.
	// None without a tenant of two keys.
	Jain Ratio `json:"jain"`

	// ShareError is the largest (due − got) / due of any key, both summed over all
	// minutes; 0 if nobody got less. Due is a key's share of a minute, which is
	// its part R of the capacity at its rate from its first ask on, or what it
	// asked, if that is less.
	ShareError Ratio `json:"share_error"`

	// Short counts the key minutes in which a key got less than what was due less
	// one request.
	Short int `json:"short"`

	// Stranded is the part of the capacity that was unused when the minute
	// ended, over the minutes in which somebody was refused; StrandedMost is
	// that of the worst minute.
	Stranded     Ratio `json:"stranded"`
	StrandedMost Ratio `json:"stranded_most"`

	// Overshoot is what was used above the capacity, as a part of the capacity
	// of all minutes; OvershootMost is that of the worst minute.
	Overshoot     Ratio `json:"overshoot"`
	OvershootMost Ratio `json:"overshoot_most"`

	Refused int64 `json:"refused"` // 429s

	// Delivered says of each priority that has a reservation and asked how much
	// of it came.
	Delivered []Delivery `json:"delivered"`
}

// A Delivery is what a priority got over what it had to find: the less of its
// reserved rate for as long as it was awake and asking, and of what it asked.
type Delivery struct {
	Priority string `json:"priority"` // "default" for the pool of those without
	Ratio    Ratio  `json:"ratio"`
}

// A Ratio is a measure from 0 up; NaN is none.
type Ratio float64

// None is the measure of what did not occur.
func None() Ratio { return Ratio(math.NaN()) }

// Is reports whether there is a measure.
func (r Ratio) Is() bool { return !math.IsNaN(float64(r)) }

// String returns three decimals.
func (r Ratio) String() string {
	if !r.Is() {
		return "–"
	}
	return strconv.FormatFloat(float64(r), 'f', 3, 64)
}

// MarshalJSON returns six decimals or null.
func (r Ratio) MarshalJSON() ([]byte, error) {
	if !r.Is() {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, math.Round(float64(r)*1e6)/1e6, 'f', -1, 64), nil
}

// A Tenancy is what became of a tenant's keys together.
type Tenancy struct {
	Name        string `json:"name"`
	Keys        int    `json:"keys"`
	Asked       int64  `json:"asked"` // requests, once in each minute in which they were asked
	AskedTokens int64  `json:"asked_tokens"`
	Admitted    int64  `json:"admitted"`
	Used        int64  `json:"used"` // tokens
	Refused     int64  `json:"refused"`
}

// dimension is tokens or requests.
type dimension bool

const (
	ofTokens   dimension = false
	ofRequests dimension = true
)

func (c Capacity) of(d dimension) int64 {
	if d == ofRequests {
		return c.RPM
	}
	return c.TPM
}

func (m *Minute) asked(d dimension) int64 {
	if d == ofRequests {
		return m.Asked
	}
	return m.AskedTokens
}

func (m *Minute) got(d dimension) int64 {
	if d == ofRequests {
		return m.Admitted
	}
	return m.Used
}

// demand is what a key would have taken in a minute.
func (m *Minute) demand(d dimension) float64 {
	if m.Hungry {
		return math.Inf(1)
	}
	return float64(m.asked(d))
}

// measure fills in what follows from the keys' minutes.
func (r *Result) measure() {
	r.Tenants = nil
	for i, t := range r.Scenario.Tenants {
		r.Tenants = append(r.Tenants, Tenancy{Name: t.Name, Keys: t.Count})
		sum := &r.Tenants[i]
		for _, k := range r.Keys {
			if k.Tenant != t.Name {
				continue
			}
			for _, m := range k.Minutes {
				sum.Asked += m.Asked
				sum.AskedTokens += m.AskedTokens
				sum.Admitted += m.Admitted
				sum.Used += m.Used
				sum.Refused += m.Refused
			}
		}
		r.Measures.Refused += sum.Refused
	}
	d := r.binding()
	r.measureCapacity()
	r.measureEquals(d)
	r.measureShares(d)
	r.measureDelivery(d)
}

// binding returns the limit that the asks take more of.
func (r *Result) binding() dimension {
	c := r.Scenario.Model
	if c.TPM == 0 {
		return ofRequests
	}
	asked, tokens := int64(0), int64(0)
	for _, t := range r.Tenants {
		asked, tokens = asked+t.Asked, tokens+t.AskedTokens
	}
	if c.RPM > 0 && float64(asked)/float64(c.RPM) > float64(tokens)/float64(c.TPM) {
		return ofRequests
	}
	return ofTokens
}

// measureCapacity measures what all keys together made of the capacity.
func (r *Result) measureCapacity() {
	var full, refused, used, unused, above, unusedMost, aboveMost float64
	for m := range r.Scenario.Minutes {
		var take, over float64 // of the limit that is nearest
		wanted := false        // more than there is
		refusals := int64(0)
		for _, d := range []dimension{ofTokens, ofRequests} {
			c := r.Scenario.Model.of(d)
			if c == 0 {
				continue
			}
			got, demand := int64(0), 0.0
			for _, k := range r.Keys {
				got += k.Minutes[m].got(d)
				demand += k.Minutes[m].demand(d)
			}
			take = max(take, float64(got)/float64(c))
			over = max(over, float64(got-c)/float64(c))
			wanted = wanted || demand > float64(c)
		}
		for _, k := range r.Keys {
			refusals += k.Minutes[m].Refused
		}
		if wanted {
			full++
			used += min(1, take)
		}
		if refusals > 0 {
			refused++
			unused += max(0, 1-take)
			unusedMost = max(unusedMost, 1-take)
		}
		above += over
		aboveMost = max(aboveMost, over)
	}
	x := &r.Measures
	x.Utilisation, x.Stranded, x.StrandedMost = None(), 0, Ratio(unusedMost)
	if full > 0 {
		x.Utilisation = Ratio(used / full)
	}
	if refused > 0 {
		x.Stranded = Ratio(unused / refused)
	}
	x.Overshoot = Ratio(above / float64(r.Scenario.Minutes))
	x.OvershootMost = Ratio(aboveMost)
}

// measureEquals measures how alike keys that are alike fared.
func (r *Result) measureEquals(d dimension) {
	r.Measures.Jain = None()
	for _, t := range r.Scenario.Tenants {
		var alike []Key
		for _, k := range r.Keys {
			if k.Tenant == t.Name {
				alike = append(alike, k)
			}
		}
		if len(alike) < 2 {
			continue
		}
		got, fair := make([]float64, len(alike)), make([]float64, len(alike))
		demands := make([]float64, len(alike))
		for m := range r.Scenario.Minutes {
			total := 0.0
			for i, k := range alike {
				demands[i] = k.Minutes[m].demand(d)
				got[i] += float64(k.Minutes[m].got(d))
				total += float64(k.Minutes[m].got(d))
			}
			level := waterLevel(total, demands)
			for i := range alike {
				fair[i] += min(demands[i], level)
			}
		}
		if index := jain(got, fair); index.Is() && !(index >= r.Measures.Jain) {
			r.Measures.Jain = index
		}
	}
}

// waterLevel returns the level up to which total fills demands max-min fairly:
// each gets the less of its demand and the level. It is infinite if total is
// enough for all.
func waterLevel(total float64, demands []float64) float64 {
	sorted := slices.Sorted(slices.Values(demands))
	for i, demand := range sorted {
		level := total / float64(len(sorted)-i)
		if demand >= level {
			return level
		}
		total -= demand
	}
	return math.Inf(1)
}

// jain returns Jain's index of got/fair over those who have a fair part; none
// for nobody.
func jain(got, fair []float64) Ratio {
	var n, sum, squares float64
	for i := range got {
		if fair[i] == 0 {
			continue
		}
		x := got[i] / fair[i]
		n++
		sum += x
		squares += float64(x * x)
	}
	if squares == 0 {
		return None()
	}
	return Ratio(float64(sum*sum) / float64(n*squares))
}

// measureShares measures who got less than its share.
func (r *Result) measureShares(d dimension) {
	x := &r.Measures
	shares := make([][]float64, r.Scenario.Minutes)
	for m := range shares {
		shares[m] = r.shares(d, m)
	}
	for i, k := range r.Keys {
		var due, got float64
		for m := range k.Minutes {
			cell := &k.Minutes[m]
			share := min(shares[m][i], cell.demand(d))
			due += share
			got += float64(cell.got(d))
			if float64(cell.got(d)) < share-float64(cell.largest.of(d)) {
				x.Short++
			}
		}
		if due > 0 {
			x.ShareError = max(x.ShareError, Ratio((due-got)/due))
		}
	}
}

// shares returns each key's share of minute m at its rate from its first ask
// on; 0 for one that did not ask.
//
// Without reservations all active keys' shares are equal. Under
// dynamic_rate_limiter a key weighs what its priority reserves, or 1, and all of
// a priority's keys together have no more than that of the capacity. Under
// dynamic_rate_limiter_v3 the active keys of a priority have equal parts of what
// it reserves.
func (r *Result) shares(d dimension, m int) []float64 {
	l, c := &r.Scenario.limiter, float64(r.Scenario.Model.of(d))
	keys, weights := map[string]float64{}, 0.0 // active keys of each priority, and the sum of all their weights
	for i := range r.Keys {
		if r.Keys[i].Minutes[m].Asked > 0 {
			part, priority, _ := r.part(i)
			keys[priority]++
			weights += part
		}
	}
	scale := r.scale(m)
	shares := make([]float64, len(r.Keys))
	for i := range r.Keys {
		cell := &r.Keys[i].Minutes[m]
		if cell.Asked == 0 {
			continue
		}
		part, priority, reserved := r.part(i)
		share := 0.0
		switch {
		case l.reserves && l.pools:
			share = c * part * scale / keys[priority]
		case weights > 0:
			share = c * part / weights
			if l.reserves && reserved {
				share = min(share, c*part/keys[priority])
			}
		}
		shares[i] = share * (1 - float64(cell.First)/float64(time.Minute))
	}
	return shares
}

// part returns what a key's priority weighs, the name of the pool that it
// counts on, and whether that is a reservation.
func (r *Result) part(key int) (part float64, pool string, reserved bool) {
	l := &r.Scenario.limiter
	priority := r.tenantOf(key).Priority
	switch {
	case !l.reserves:
		return 1, "", false
	case l.pools:
		if part, ok := l.normalised(priority); ok {
			return part, priority, true
		}
		return l.fallback, "default", true
	default:
		if part, ok := l.reserved(priority); ok {
			return part, priority, true
		}
		return 1, "", false
	}
}

func (r *Result) tenantOf(key int) *Tenant {
	for _, t := range r.Scenario.Tenants {
		if key -= t.Count; key < 0 {
			return t
		}
	}
	panic("BUG: sim: no such key")
}

// scale is what reservations are multiplied by where those of the pools that
// asked in minute m are more than there is.
func (r *Result) scale(m int) float64 {
	seen, sum := map[string]bool{}, 0.0
	for i := range r.Keys {
		part, pool, _ := r.part(i)
		if r.Keys[i].Minutes[m].Asked > 0 && !seen[pool] {
			seen[pool] = true
			sum += part
		}
	}
	return 1 / max(1, sum)
}

// measureDelivery measures how much of what was reserved came.
func (r *Result) measureDelivery(d dimension) {
	c := float64(r.Scenario.Model.of(d))
	var pools []string
	keys := map[string][]int{}
	for i := range r.Keys {
		part, pool, reserved := r.part(i)
		if !reserved || part == 0 {
			continue
		}
		if keys[pool] == nil {
			pools = append(pools, pool)
		}
		keys[pool] = append(keys[pool], i)
	}
	for _, pool := range pools {
		var due, got float64
		part, _, _ := r.part(keys[pool][0])
		for m := range r.Scenario.Minutes {
			begin := time.Duration(m) * time.Minute
			var demand, taken float64
			var awake time.Duration
			for _, i := range keys[pool] {
				cell := &r.Keys[i].Minutes[m]
				if cell.Asked == 0 {
					continue
				}
				demand += cell.demand(d)
				taken += float64(cell.got(d))
				awake = max(awake, r.tenantOf(i).Awake.during(begin+cell.First, begin+time.Minute))
			}
			scale := 1.0
			if r.Scenario.limiter.pools {
				scale = r.scale(m)
			}
			target := min(demand, c*part*scale*float64(awake)/float64(time.Minute))
			due += target
			got += min(taken, target)
		}
		if due > 0 {
			r.Measures.Delivered = append(r.Measures.Delivered, Delivery{pool, Ratio(got / due)})
		}
	}
}

// Missed returns what the scenario wants of the plugin and did not get.
func (r *Result) Missed() []string {
	w, x := &r.Scenario.Want, &r.Measures
	var missed []string
	check := func(name string, got Ratio, bound *float64, most bool) {
		if bound == nil {
			return
		}
		if least := !most; !got.Is() || least && got < Ratio(*bound) || most && got > Ratio(*bound) {
			sign := " < "
			if most {
				sign = " > "
			}
			missed = append(missed, name+" "+strconv.FormatFloat(float64(got), 'f', 4, 64)+sign+strconv.FormatFloat(*bound, 'g', -1, 64))
		}
	}
	check("utilisation", x.Utilisation, w.Utilisation, false)
	check("Jain", x.Jain, w.Jain, false)
	if w.Delivered != nil && len(x.Delivered) == 0 {
		missed = append(missed, "no priority with a reservation asked")
	}
	for _, p := range x.Delivered {
		check("delivered to "+p.Priority, p.Ratio, w.Delivered, false)
	}
	check("overshoot", x.OvershootMost, w.Overshoot, true)
	check("stranded", x.Stranded, w.Stranded, true)
	for _, t := range r.Tenants {
		if slices.Contains(w.Whole, t.Name) && t.Refused > 0 {
			missed = append(missed, t.Name+" was refused "+strconv.FormatInt(t.Refused, 10)+" times")
		}
	}
	return missed
}
