package admin

import (
	"strconv"
	"time"
)

// expiry gives the end of the duration that f asks for, in ms since 1970, 0 if
// it asks for none.
func (f *form) expiry(now int64, duration string) int64 {
	if f.in(0, "duration") == 0 {
		return 0
	}
	end, ok := after(now, duration)
	if !ok {
		f.fail("duration", "Invalid duration '"+duration+"'. Use a format like '30s', '1h', '24h', '7d', or '30d'.")
	}
	return end
}

// lastMoment is 9999-12-31T23:59:59.999Z, the last that RFC 3339 can write.
const lastMoment = 253402300799999

// after gives the moment at the end of a duration that begins now
// (LiteLLM: duration_parser.py, duration_in_seconds):
//
//	duration = 1*digit ( "s" | "m" | "h" | "d" | "w" | "mo" )
//
// A month on is the same day of the next month, or its last: a month after
// January 31 is February 28 or 29. A duration of nothing is refused, as its key
// would be of no use.
func after(now int64, duration string) (int64, bool) {
	digits := 0
	for digits < len(duration) && duration[digits] >= '0' && duration[digits] <= '9' {
		digits++
	}
	n, err := strconv.ParseInt(duration[:digits], 10, 64)
	if err != nil || n <= 0 || n > lastMoment/1000 {
		return 0, false
	}
	const second = 1000
	unit := int64(0)
	switch duration[digits:] {
	case "s":
		unit = second
	case "m":
		unit = 60 * second
	case "h":
		unit = 3600 * second
	case "d":
		unit = 86400 * second
	case "w":
		unit = 7 * 86400 * second
	case "mo":
		const months = 12 * 10000
		if n > months {
			return 0, false
		}
		t := time.UnixMilli(now).UTC()
		first := time.Date(t.Year(), t.Month()+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		last := first.AddDate(0, 1, -1).Day()
		end := first.AddDate(0, 0, min(t.Day(), last)-1).UnixMilli()
		return end, end <= lastMoment
	default:
		return 0, false
	}
	if n > (lastMoment-now)/unit {
		return 0, false
	}
	return now + n*unit, true
}
