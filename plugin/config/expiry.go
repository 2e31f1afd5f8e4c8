package config

import "strings"

// parseRFC3339 reads a moment as RFC 3339 writes it, 2026-12-31T23:59:59Z or with an
// offset such as +02:00, in seconds since 1970. Fractions of a second are dropped, a
// leap second is the second after it. It is written here because package time brings
// the zone files' readers, whose imports not every wasm host has.
func parseRFC3339(s string) (int64, bool) {
	const layout = "0000-00-00T00:00:00"
	if len(s) < len(layout)+1 {
		return 0, false
	}
	for i := range len(layout) {
		switch c := s[i]; layout[i] {
		case '0':
			if c < '0' || c > '9' {
				return 0, false
			}
		case 'T':
			if c|0x20 != 't' && c != ' ' {
				return 0, false
			}
		default:
			if c != layout[i] {
				return 0, false
			}
		}
	}
	year, month, day := int64(digits(s[:4])), digits(s[5:7]), digits(s[8:10])
	hour, minute, second := digits(s[11:13]), digits(s[14:16]), digits(s[17:19])
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 60 {
		return 0, false
	}
	zone := s[len(layout):]
	if zone[0] == '.' {
		fraction := zone[1:]
		zone = strings.TrimLeft(fraction, "0123456789")
		if len(zone) == len(fraction) {
			return 0, false
		}
	}
	offset := 0
	switch {
	case zone == "Z" || zone == "z":
	case len(zone) == 6 && (zone[0] == '+' || zone[0] == '-') && zone[3] == ':':
		for _, i := range [...]int{1, 2, 4, 5} {
			if zone[i] < '0' || zone[i] > '9' {
				return 0, false
			}
		}
		h, m := digits(zone[1:3]), digits(zone[4:6])
		if h > 23 || m > 59 {
			return 0, false
		}
		offset = h*3600 + m*60
		if zone[0] == '-' {
			offset = -offset
		}
	default:
		return 0, false
	}
	return daysSince1970(year, month, day)*86400 + int64(hour*3600+minute*60+second-offset), true
}

func digits(s string) int {
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

func daysIn(year int64, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSince1970 counts in years that begin with March, so that the leap day is the
// last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). year is 0 or more.
func daysSince1970(year int64, month, day int) int64 {
	if month <= 2 {
		year--
	}
	era := year / 400
	if year < 0 {
		era = -1
	}
	yearOfEra := year - era*400
	dayOfYear := int64((153*((month+9)%12)+2)/5 + day - 1)
	return era*146097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719468
}
