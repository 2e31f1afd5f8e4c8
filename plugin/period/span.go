// Package period tells how long a budget lasts and when it begins anew: durations
// in LiteLLM's grammar, the time zones of IANA's data, and the span of time that a
// moment lies in.
package period

import "math"

// A Calendar is where and at which time of day budgets begin anew. The zero
// Calendar, and a nil one, is midnight in UTC.
type Calendar struct {
	// Zone is nil for UTC (LiteLLM: litellm_settings.timezone).
	Zone *Location
	// ResetMinute is when a day begins for periods of days, weeks and months, in
	// minutes after midnight, 0 to 1439; any other number is 0 (LiteLLM:
	// litellm_settings.budget_reset_time).
	ResetMinute int
}

// Rule tells calendars apart that are used one after the other.
func (c *Calendar) Rule() int64 {
	if c == nil {
		return 0
	}
	r := int64(c.ResetMinute)
	if z := c.Zone; z != nil {
		r ^= z.std<<11 ^ z.dst<<29 ^ int64(len(z.changes))<<13
	}
	return r
}

// Span gives the period that now lies in: start ≤ now < end, all in ms since
// 1970. anchor is when the budget's owner came to be, 0 if that is not known.
//
//	1d          a day
//	7d 1w       a week from Monday
//	30d 1mo     a month from the 1st
//	Nd Nw Nmo   N days, N weeks or N months, counted from the day or the month
//	            that anchor lies in
//	Ns Nm Nh    if N divides 60, 60 or 24: while the local clock shows the same
//	            multiple of N in its minute, hour or day, so that 24h is a day
//	            from midnight, whatever ResetMinute is;
//	            else N seconds, minutes or hours that pass, counted from the
//	            local midnight of the day that anchor lies in
//
// The anchor 0 counts as 1970-01-01 in every zone, so that 3mo is a quarter. The
// zero Duration has one period, which is all of time.
//
// Periods divide time without gaps: two moments of a period have the same, and
// the next begins when it ends. They follow from the arguments alone. Outside the
// years 0 to 9999 there is one period before and one after; at math.MaxInt64, the
// only moment that none can come after, now is its end.
//
// A day begins when the clocks first show it or a later one. So one whose midnight
// is skipped begins with its first moment, and one whose midnight comes twice with
// the first, and both have but one beginning. Hours do the same: where the clock
// shows 2:00 to 3:00 twice on end, 1h lasts two hours. Minutes that come again are
// periods of their own.
//
// Different from LiteLLM (get_next_standardized_reset_time), on purpose: what it
// keeps is the next reset, reckoned when the last was carried out, up to ten
// minutes late, so its other periods (5h, 3d) depend on when its job ran, and on
// the day that a limit was edited. Its Nh, Nm and Ns from a day up go on by at
// most a day, and those that divide nothing are cut short after every midnight,
// hour or minute. Where the clocks are turned back it keeps even 1m for an hour. It
// refuses 2mo.
func (c *Calendar) Span(d Duration, anchor, now int64) (start, end int64) {
	switch {
	case !d.some():
		return math.MinInt64, math.MaxInt64
	case now < firstMoment:
		return math.MinInt64, firstMoment
	case now > lastMoment:
		return lastMoment + 1, math.MaxInt64
	}
	start, end = c.span(d, anchor, floor(now, 1000))
	return max(start*1000, firstMoment), min(end*1000, lastMoment+1)
}

// span is Span with all but anchor in seconds.
func (c *Calendar) span(d Duration, anchor, now int64) (start, end int64) {
	var zone *Location
	reset := int64(0)
	if c != nil {
		zone = c.Zone
		if c.ResetMinute > 0 && c.ResetMinute < day/minute {
			reset = int64(c.ResetMinute) * minute
		}
	}
	n := int64(d.N)
	switch d.Unit {
	case Second, Minute, Hour:
		length, whole := n*d.Unit.seconds(), int64(day)
		if d.Unit != Hour {
			whole = (d.Unit + 1).seconds()
		}
		if whole%length == 0 {
			return zone.shows(now, length)
		}
		base := zone.reaches(zone.dayOfAnchor(anchor, 0) * day)
		start = base + floor(now-base, length)*length
		return start, start + length
	case Week:
		n *= 7
	case Month:
		return zone.months(now, reset, anchor, n)
	}
	switch n {
	case 1:
		return zone.days(now, reset, 0, 1)
	case 7:
		return zone.days(now, reset, monday, 7)
	case 30:
		return zone.months(now, reset, 0, 1)
	}
	return zone.days(now, reset, zone.dayOfAnchor(anchor, reset), n)
}

// dayOf gives the day that a moment lies in if days begin reset seconds after
// midnight.
func (l *Location) dayOf(at, reset int64) int64 {
	offset, _, _ := l.offset(at)
	date := floor(at+offset-reset, day)
	// The clocks may be back on the day before.
	for l.reaches((date+1)*day+reset) <= at {
		date++
	}
	return date
}

// dayOfAnchor is dayOf for an anchor, which is in ms.
func (l *Location) dayOfAnchor(anchor, reset int64) int64 {
	if anchor == 0 {
		return 0
	}
	return l.dayOf(floor(anchor, 1000), reset)
}

// days gives the n days that a moment lies in, counted from the day base.
func (l *Location) days(at, reset, base, n int64) (start, end int64) {
	first := base + floor(l.dayOf(at, reset)-base, n)*n
	return l.reaches(first*day + reset), l.reaches((first+n)*day + reset)
}

// months gives the n months that a moment lies in, counted from the month that
// anchor lies in.
func (l *Location) months(at, reset, anchor, n int64) (start, end int64) {
	month, _ := civil(l.dayOf(at, reset))
	base, _ := civil(l.dayOfAnchor(anchor, reset))
	first := base + floor(month-base, n)*n
	return l.reaches(firstDay(first)*day + reset), l.reaches(firstDay(first+n)*day + reset)
}

// shows gives the stretch of time around a moment in which the local clock shows
// the same multiple of step, which divides the day.
func (l *Location) shows(at, step int64) (start, end int64) {
	offset, since, until := l.offset(at)
	local := floor(at+offset, step) * step
	start, end = max(local-offset, since), min(local-offset+step, until)
	for start == since {
		offset, since, _ = l.offset(start - 1)
		if floor(start-1+offset, step)*step != local {
			break
		}
		start = max(local-offset, since)
	}
	for end == until {
		offset, _, until = l.offset(end)
		if floor(end+offset, step)*step != local {
			break
		}
		end = min(local-offset+step, until)
	}
	return start, end
}
