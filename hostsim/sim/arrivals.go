package sim

import "time"

// next returns the first moment after at when a key of t wants something, as
// its arrivals alone say: whether it is awake then is another question. It is
// not for hogs.
func (t *Tenant) next(at time.Duration, first bool, c *chance) time.Duration {
	switch a := &t.Arrivals; {
	case a.Constant > 0:
		every := 60 / a.Constant
		if first {
			every *= c.unit()
		}
		return at + seconds(every)
	case a.Burst != nil:
		if first {
			return seconds(t.Awake.FromS)
		}
		return at + seconds(a.Burst.EveryS)
	case a.Poisson > 0:
		return at + seconds(float64(60/a.Poisson)*c.exponential())
	default:
		return at + seconds(float64(60/a.Diurnal.High)*c.exponential())
	}
}

// wants reports how many requests a key of t wants at an arrival. Random arrivals
// of a rate that swings are those of its highest rate, thinned (Lewis and
// Shedler, "Simulation of nonhomogeneous Poisson processes by thinning", 1979).
func (t *Tenant) wants(start time.Time, at time.Duration, c *chance) int {
	switch a := &t.Arrivals; {
	case a.Burst != nil:
		return a.Burst.Requests
	case a.Diurnal != nil:
		const day = 24 * time.Hour
		now := start.Add(at)
		rate := a.Diurnal.Low + float64((a.Diurnal.High-a.Diurnal.Low)*wave(float64(now.Sub(now.Truncate(day)))/float64(day)))
		if float64(c.unit()*a.Diurnal.High) >= rate {
			return 0
		}
	}
	return 1
}

// open reports whether the window is open.
func (w *Window) open(now time.Duration) bool {
	from, to, every := seconds(w.FromS), seconds(w.ToS), seconds(w.EveryS)
	if every > 0 {
		now %= every
	}
	return now >= from && (to == 0 || now < to)
}

// opening returns the first moment not before now when the window opens, and
// whether there is one.
func (w *Window) opening(now time.Duration) (time.Duration, bool) {
	from, every := seconds(w.FromS), seconds(w.EveryS)
	if now <= from {
		return from, true
	}
	if every == 0 {
		return 0, false
	}
	rounds := (now - from + every - 1) / every
	return from + rounds*every, true
}

// during returns how much of the span from a to b the window is open.
func (w *Window) during(a, b time.Duration) time.Duration {
	from, to, every := seconds(w.FromS), seconds(w.ToS), seconds(w.EveryS)
	if to == 0 {
		return max(0, b-max(a, from))
	}
	sum := time.Duration(0)
	for round := time.Duration(0); from+round < b; round += every {
		sum += max(0, min(b, to+round)-max(a, from+round))
		if every == 0 {
			break
		}
	}
	return sum
}

// seconds is a number of seconds to the microsecond.
func seconds(s float64) time.Duration { return time.Duration(round(s*1e6)) * time.Microsecond }
