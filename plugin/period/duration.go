package period

import "strconv"

// A Unit is what a duration counts.
type Unit uint8

const (
	Second Unit = iota
	Minute
	Hour
	Day
	Week
	Month
)

// A Duration is N units, N from 1 on. The zero Duration is no duration: a budget
// that has it is never reset.
type Duration struct {
	N    int32
	Unit Unit
}

// Parse reads a duration as LiteLLM writes it (duration_parser.py):
//
//	duration = 1*digit ( "s" | "m" | "h" | "d" | "w" | "mo" )
//	         | "hourly" | "daily" | "weekly" | "monthly"
//
// The words are 1h, 24h, 7d and 30d. N is 1 to 2³¹-1.
//
// LiteLLM ignores what follows the unit ("30days" is 30d), lets some ways to
// write nothing ("0d", "none") through and takes "30" for a time of its own
// choice. None of these is a duration here.
func Parse(s string) (Duration, bool) {
	switch s {
	case "hourly":
		return Duration{1, Hour}, true
	case "daily":
		return Duration{24, Hour}, true
	case "weekly":
		return Duration{7, Day}, true
	case "monthly":
		return Duration{30, Day}, true
	}
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	n, err := strconv.ParseInt(s[:digits], 10, 32)
	if err != nil || n == 0 {
		return Duration{}, false
	}
	if s[digits:] == "min" { // in LiteLLM's documents of keys
		return Duration{int32(n), Minute}, true
	}
	for unit := Second; unit <= Month; unit++ {
		if s[digits:] == unit.suffix() {
			return Duration{int32(n), unit}, true
		}
	}
	return Duration{}, false
}

// String gives the duration in the grammar of Parse, "30d", with the digits and
// the unit even where a word was read; "" for no duration.
func (d Duration) String() string {
	if !d.some() {
		return ""
	}
	return strconv.FormatInt(int64(d.N), 10) + d.Unit.suffix()
}

// some tells whether d is a duration at all.
func (d Duration) some() bool { return d.N > 0 && d.Unit <= Month }

func (u Unit) suffix() string {
	const suffixes = "smhdw"
	if u == Month {
		return "mo"
	}
	return suffixes[u : u+1]
}

// seconds is how long one unit below a month lasts, days being 24 hours.
func (u Unit) seconds() int64 {
	switch u {
	case Second:
		return 1
	case Minute:
		return minute
	case Hour:
		return hour
	case Day:
		return day
	default:
		return 7 * day
	}
}

// After gives the moment at the end of a duration that begins now, both in ms
// since 1970, as LiteLLM reckons when a key expires (duration_in_seconds): days
// and weeks are of 24 hours; N months on is the same day of that month in UTC or
// its last, so that a month after January 31 is February 28 or 29.
//
// It is false for no duration, and if the end or now lies outside the years 0
// to 9999, which are all that RFC 3339 can write.
func (d Duration) After(now int64) (int64, bool) {
	if !d.some() || now < firstMoment || now > lastMoment {
		return 0, false
	}
	n := int64(d.N)
	if d.Unit != Month {
		length := d.Unit.seconds() * 1000
		if n > (lastMoment-now)/length {
			return 0, false
		}
		return now + n*length, true
	}
	const ofDay = day * 1000
	today := floor(now, ofDay)
	month, dayOfMonth := civil(today)
	month += n
	first := firstDay(month)
	length := firstDay(month+1) - first
	end := (first+min(dayOfMonth, length-1))*ofDay + now - today*ofDay
	if end > lastMoment {
		return 0, false
	}
	return end, true
}
