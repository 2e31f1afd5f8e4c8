package admin

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// param returns the decoded value of a query's first parameter of that name,
// "" if there is none. It refuses what is not text.
func (j *job) param(name string) string { return j.decoded(name, ' ') }

// decoded is param where "+" stands for plus.
func (j *job) decoded(name string, plus byte) string {
	value := Parameter(j.query, name, plus)
	if !utf8.ValidString(value) || !printable(value) || len(value) > maxText {
		j.bad(name, name+" must be at most "+strconv.Itoa(maxText)+" bytes of UTF-8 without control characters")
		return ""
	}
	return value
}

// Parameter returns the decoded value of a query's first parameter of that name, where
// "+" stands for plus; "" if there is none. It may be a part of the query.
func Parameter(query, name string, plus byte) string {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if key, value, _ := strings.Cut(pair, "="); key == name {
			return Unescape(value, plus)
		}
	}
	return ""
}

// Unescape undoes percent-encoding, and "+" as plus; a broken escape stays as it is.
// (net/url would bring fmt and reflect into the wasm.)
func Unescape(s string, plus byte) string {
	if !strings.ContainsAny(s, "+%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			out = append(out, plus)
		case s[i] == '%' && i+2 < len(s) && nibble(s[i+1]) >= 0 && nibble(s[i+2]) >= 0:
			out = append(out, byte(nibble(s[i+1])<<4|nibble(s[i+2])))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}

func nibble(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// A page is a part of a list: size rows from the number-th page on, from 1.
type page struct{ number, size int64 }

// skip is how many rows come before the page.
func (p page) skip() int64 { return (p.number - 1) * p.size }

// of is how many pages there are of so many rows.
func (p page) of(total int64) int64 { return (total + p.size - 1) / p.size }

// paged reads page and the parameter for its size; sizes are from 1 to most.
// given is whether either was there.
func (j *job) paged(size string, usual, most int64) (p page, given bool) {
	number, one := j.whole("page", 1, 1e9)
	rows, two := j.whole(size, usual, most)
	return page{number, rows}, one || two
}

// whole reads a parameter that is a number from 1 to most.
func (j *job) whole(name string, absent, most int64) (n int64, given bool) {
	s := j.param(name)
	if s == "" {
		return absent, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 || n > most {
		j.bad(name, name+" must be a whole number from 1 to "+strconv.FormatInt(most, 10))
		return absent, false
	}
	return n, true
}
