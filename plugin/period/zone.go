package period

import "math"

//go:generate go run ./generate zones.go

// A Location is a time zone: which offset from UTC its clocks have, and when. A
// nil *Location is UTC. It is never changed once made, and so may be shared.
//
// It knows what IANA's data say of the years 2020 to 2040 (ZoneData tells which
// release). From 2041 on the zone's rule holds. Before 2020 it is as if the rule
// had always held or, where there were changes after 2019, the offset of that
// year's end.
type Location struct {
	// changes are those that the rule doesn't describe, as zones has them;
	// the rule holds from the last of them on.
	changes string
	std     int64 // offset in seconds east of UTC
	dst     int64 // the same while daylight saving time is in force
	begin   yearly
	end     yearly // both are zero if the zone has no daylight saving time
}

// A yearly is a moment of each year: what POSIX writes Mm.w.d/time in TZ.
type yearly struct {
	month   int64 // 1 to 12; 0 is never
	week    int64 // 1 to 5, where 5 is the last
	weekday int64 // 0 is Sunday
	seconds int64 // since the midnight of that day, may be negative or over a day
}

// Zone gives the time zone of a name, "UTC" or one of IANA's data, links
// included: "Europe/Berlin", "US/Eastern". Case counts. It is false for a name
// that there is not; LiteLLM takes UTC for it in silence.
func Zone(name string) (*Location, bool) {
	for at := 0; at < len(zones); {
		end := at
		for zones[end] != '\n' {
			end++
		}
		if rule, ok := find(zones[at:end], name); ok {
			return parseZone(rule), true
		}
		at = end + 1
	}
	return nil, false
}

// find looks a name up in one line of zones and returns its first field.
func find(line, name string) (string, bool) {
	word := cut(line, ' ')
	rule := line[:word]
	common := 0 // how much of name the entry before begins with
	for word < len(line) {
		line = line[word+1:]
		word = cut(line, ' ')
		kept, rest := int(line[0]-'0'), line[1:word]
		if kept > common {
			continue
		}
		common = kept
		for common < len(name) && common-kept < len(rest) && name[common] == rest[common-kept] {
			common++
		}
		if common == len(name) && common-kept == len(rest) {
			return rule, true
		}
	}
	return "", false
}

// cut gives the place of the first c in s, the length of s if there is none.
func cut(s string, c byte) int {
	for i := range len(s) {
		if s[i] == c {
			return i
		}
	}
	return len(s)
}

// parseZone reads the first field of a line of zones.
func parseZone(field string) *Location {
	mark := cut(field, '*')
	r := reader(field[:mark])
	l := &Location{std: -r.time()}
	l.dst = l.std
	if mark < len(field) {
		l.changes = field[mark+1:]
	}
	if r == "" {
		return l
	}
	l.dst += hour
	if r[0] == '>' {
		r = r[1:]
		l.dst = -r.time()
	}
	l.begin = r.yearly()
	l.end = r.yearly()
	return l
}

// A reader is what is yet to be read of a rule. Rules are of this package's own
// making, so what they must have is not looked for twice.
type reader string

func (r *reader) number() int64 {
	n, i := int64(0), 0
	for ; i < len(*r) && (*r)[i] >= '0' && (*r)[i] <= '9'; i++ {
		n = n*10 + int64((*r)[i]-'0')
	}
	*r = (*r)[i:]
	return n
}

// take drops c if it comes next, and tells whether it did.
func (r *reader) take(c byte) bool {
	if *r == "" || (*r)[0] != c {
		return false
	}
	*r = (*r)[1:]
	return true
}

// time reads [-]h[:mm], in seconds.
func (r *reader) time() int64 {
	sign := int64(1)
	if r.take('-') {
		sign = -1
	}
	n := r.number() * hour
	if r.take(':') {
		n += r.number() * minute
	}
	return sign * n
}

// yearly reads ,Mm.w.d[/time]; the time is 2:00 if it is not written.
func (r *reader) yearly() yearly {
	r.take(',')
	r.take('M')
	y := yearly{seconds: 2 * hour}
	y.month = r.number()
	r.take('.')
	y.week = r.number()
	r.take('.')
	y.weekday = r.number()
	if r.take('/') {
		y.seconds = r.time()
	}
	return y
}

// in gives the moment in the year that begins with a month, in local seconds.
func (y *yearly) in(january int64) int64 {
	first := firstDay(january + y.month - 1)
	next := firstDay(january + y.month)
	const sunday = monday - 1
	// The first such weekday on or after the first of the month, then on.
	at := first + (y.weekday+sunday-first)%7
	if at < first {
		at += 7
	}
	at += 7 * (y.week - 1)
	for at >= next {
		at -= 7
	}
	return at*day + y.seconds
}

// offset gives the offset from UTC in force at a moment, and the stretch of time
// around it, from first to before until, in which it doesn't change; seconds.
func (l *Location) offset(at int64) (offset, since, until int64) {
	since, until = math.MinInt64, math.MaxInt64
	if l == nil {
		return 0, since, until
	}
	if c := l.changes; c != "" {
		offset = east(c)
		next := int64(0)
		for c = c[2:]; c != ""; c = c[6:] {
			next += digits(c[:4]) * minute
			if at < firstChange+next {
				return offset, since, firstChange + next
			}
			since, offset = firstChange+next, east(c[4:])
		}
	}
	if l.begin.month == 0 {
		return l.std, since, until
	}
	offset = l.std
	month, _ := civil(floor(at, day))
	january := floor(month, 12) * 12
	last := int64(math.MinInt64)
	for year := january - 12; year <= january+12; year += 12 {
		for _, change := range [...]struct{ at, to int64 }{
			{l.begin.in(year) - l.std, l.dst},
			{l.end.in(year) - l.dst, l.std},
		} {
			if change.at > at {
				until = min(until, change.at)
			} else if change.at > last {
				last, offset = change.at, change.to
			}
		}
	}
	return offset, max(since, last), until
}

// east reads an offset in changes, in seconds.
func east(s string) int64 { return (digits(s[:2]) - 24*60) * minute }

// digits reads a number of base 64, whose digits are '0' to 'o'.
func digits(s string) int64 {
	n := int64(0)
	for i := range len(s) {
		n = n<<6 + int64(s[i]-'0')
	}
	return n
}

// reaches gives the first moment at which the zone's clocks show a local time
// or a later one, both in seconds since 1970: a time that they skip is reached
// when they skip it, one that they show twice when they show it first.
func (l *Location) reaches(local int64) int64 {
	// No zone is as far as 15 hours ahead of UTC.
	at := local - 15*hour
	for {
		offset, _, until := l.offset(at)
		at = max(at, local-offset)
		if at < until {
			return at
		}
		at = until
	}
}
