package period

// Seconds.
const (
	minute = 60
	hour   = 60 * minute
	day    = 24 * hour
)

// The years 0 to 9999, in ms since 1970: the first moment and the last.
const (
	firstMoment = -62167219200000
	lastMoment  = 253402300799999
)

// Dates are written here because package time brings the zone files' readers,
// whose imports not every wasm host has. A day is counted from 1970-01-01, a
// month from January of the year 0. The algorithms are Howard Hinnant's
// ("chrono-Compatible Low-Level Date Algorithms"): years begin with March, so
// that the leap day is the last.

// firstDay gives the first day of a month.
func firstDay(month int64) int64 {
	shifted := month - 2
	year := floor(shifted, 12)
	ofYear := shifted - year*12
	era := floor(year, 400)
	ofEra := year - era*400
	return era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + (153*ofYear+2)/5 - 719468
}

// civil gives the month that a day lies in and its place there, 0 to 30.
func civil(day int64) (month, dayOfMonth int64) {
	day += 719468
	era := floor(day, 146097)
	ofEra := day - era*146097
	year := (ofEra - ofEra/1460 + ofEra/36524 - ofEra/146096) / 365
	ofYear := ofEra - (365*year + year/4 - year/100)
	shifted := (5*ofYear + 2) / 153
	return (era*400+year)*12 + shifted + 2, ofYear - (153*shifted+2)/5
}

// monday is a Monday.
const monday = -3

// floor is a/b rounded down; b is positive.
func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
