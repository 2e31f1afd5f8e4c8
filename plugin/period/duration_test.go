package period_test

import (
	"math"
	"testing"
	"time"

	"fairshare/plugin/period"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text   string
		want   period.Duration
		string string
	}{
		{"1s", period.Duration{N: 1, Unit: period.Second}, "1s"},
		{"90m", period.Duration{N: 90, Unit: period.Minute}, "90m"},
		{"24h", period.Duration{N: 24, Unit: period.Hour}, "24h"},
		{"30d", period.Duration{N: 30, Unit: period.Day}, "30d"},
		{"30min", period.Duration{N: 30, Unit: period.Minute}, "30m"},
		{"2w", period.Duration{N: 2, Unit: period.Week}, "2w"},
		{"1mo", period.Duration{N: 1, Unit: period.Month}, "1mo"},
		{"007d", period.Duration{N: 7, Unit: period.Day}, "7d"},
		{"2147483647w", period.Duration{N: math.MaxInt32, Unit: period.Week}, "2147483647w"},
		{"hourly", period.Duration{N: 1, Unit: period.Hour}, "1h"},
		{"daily", period.Duration{N: 24, Unit: period.Hour}, "24h"},
		{"weekly", period.Duration{N: 7, Unit: period.Day}, "7d"},
		{"monthly", period.Duration{N: 30, Unit: period.Day}, "30d"},
	} {
		d, ok := period.Parse(test.text)
		if !ok || d != test.want {
			t.Errorf("%q: %v, %v", test.text, d, ok)
		}
		if s := d.String(); s != test.string {
			t.Errorf("%q is written %q", test.text, s)
		}
		if again, ok := period.Parse(d.String()); !ok || again != d {
			t.Errorf("%q is read as %v", d, again)
		}
	}
	for _, text := range []string{
		"", "0", "0s", "00d", "1", "30", "d", "mo", "s1", "1D", "1H", "1MO", "1M", "1y", "1ms", "1mm", "1moo", "1mo ", " 1d", "1 d",
		"-1d", "+1d", "1.5h", "1e3s", "1_0d", "1dd", "30days", "1h30m", "٣d", "2147483648s", "99999999999999999999d",
		"Daily", "daily ", "yearly", "none", "None", "null",
	} {
		if d, ok := period.Parse(text); ok || d != (period.Duration{}) {
			t.Errorf("%q: %v, %v", text, d, ok)
		}
	}
	for _, d := range []period.Duration{{}, {N: -1, Unit: period.Day}, {N: 1, Unit: period.Month + 1}, {N: 1, Unit: 255}} {
		if s := d.String(); s != "" {
			t.Errorf("%d of unit %d are written %q", d.N, d.Unit, s)
		}
	}
}

func TestAfter(t *testing.T) {
	t.Parallel()
	const never = "never"
	for _, test := range []struct{ now, duration, want string }{
		{"2026-05-06T12:00:00.123Z", "30s", "2026-05-06T12:00:30.123Z"},
		{"2026-05-06T12:00:00.123Z", "90m", "2026-05-06T13:30:00.123Z"},
		{"2026-05-06T12:00:00.123Z", "36h", "2026-05-08T00:00:00.123Z"},
		{"2026-05-06T12:00:00.123Z", "30d", "2026-06-05T12:00:00.123Z"},
		{"2026-05-06T12:00:00.123Z", "2w", "2026-05-20T12:00:00.123Z"},
		{"2026-05-06T12:00:00.123Z", "1mo", "2026-06-06T12:00:00.123Z"},
		{"2026-01-31T23:59:59.999Z", "1mo", "2026-02-28T23:59:59.999Z"},
		{"2028-01-31T00:00:00Z", "1mo", "2028-02-29T00:00:00Z"},
		{"2028-01-29T00:00:00Z", "1mo", "2028-02-29T00:00:00Z"},
		{"2100-01-30T00:00:00Z", "1mo", "2100-02-28T00:00:00Z"},
		{"2026-03-31T00:00:00Z", "1mo", "2026-04-30T00:00:00Z"},
		{"2026-12-31T00:00:00Z", "2mo", "2027-02-28T00:00:00Z"},
		{"2028-02-29T12:00:00Z", "12mo", "2029-02-28T12:00:00Z"},
		{"2028-02-29T12:00:00Z", "48mo", "2032-02-29T12:00:00Z"},
		{"1969-12-31T23:59:59.999Z", "2mo", "1970-02-28T23:59:59.999Z"},
		{"1969-12-31T23:59:59.999Z", "1s", "1970-01-01T00:00:00.999Z"},
		{"0000-01-31T00:00:00Z", "1mo", "0000-02-29T00:00:00Z"},
		{"9999-12-31T23:59:58.999Z", "1s", "9999-12-31T23:59:59.999Z"},
		{"9999-12-31T23:59:59Z", "1s", never},
		{"9999-12-24T23:59:59.999Z", "1w", "9999-12-31T23:59:59.999Z"},
		{"9999-12-25T00:00:00Z", "1w", never},
		{"9999-11-30T12:00:00Z", "1mo", "9999-12-30T12:00:00Z"},
		{"9999-12-01T00:00:00Z", "1mo", never},
		{"2026-05-06T12:00:00Z", "95683mo", "9999-12-06T12:00:00Z"},
		{"2026-05-06T12:00:00Z", "95684mo", never},
		{"2026-05-06T12:00:00Z", "2147483647s", "2094-05-24T15:14:07Z"},
		{"2026-05-06T12:00:00Z", "2147483647m", "6109-05-29T14:07:00Z"},
		{"2026-05-06T12:00:00Z", "2147483647h", never},
		{"2026-05-06T12:00:00Z", "2147483647d", never},
		{"2026-05-06T12:00:00Z", "2147483647w", never},
		{"2026-05-06T12:00:00Z", "2147483647mo", never},
	} {
		end, ok := duration(t, test.duration).After(instant(t, test.now))
		switch {
		case test.want == never && (ok || end != 0):
			t.Errorf("%s after %s: %s", test.duration, test.now, show(end))
		case test.want != never && (!ok || end != instant(t, test.want)):
			t.Errorf("%s after %s: %s, %v; want %s", test.duration, test.now, show(end), ok, test.want)
		}
	}
	if end, ok := (period.Duration{}).After(0); ok {
		t.Errorf("no duration ends at %d", end)
	}
	for _, now := range []int64{math.MinInt64, math.MinInt64 + 1, instant(t, "0000-01-01T00:00:00Z") - 1, instant(t, "9999-12-31T23:59:59.999Z") + 1, math.MaxInt64} {
		for unit := period.Second; unit <= period.Month; unit++ {
			if end, ok := (period.Duration{N: 1, Unit: unit}).After(now); ok {
				t.Errorf("after %d: %d", now, end)
			}
		}
	}
}

// Each day of a century of leap years and those that are none, some months on.
func TestAfterMonths(t *testing.T) {
	t.Parallel()
	for at := time.Date(1999, 12, 31, 23, 59, 59, 999e6, time.UTC); at.Year() < 2105; at = at.AddDate(0, 0, 1) {
		for n := range int32(15) {
			first := time.Date(at.Year(), at.Month()+time.Month(n+1), 1, at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
			want := first.AddDate(0, 0, min(at.Day(), first.AddDate(0, 1, -1).Day())-1).UnixMilli()
			if end, ok := (period.Duration{N: n + 1, Unit: period.Month}).After(at.UnixMilli()); !ok || end != want {
				t.Fatalf("%d months after %v: %s, want %s", n+1, at, show(end), show(want))
			}
		}
	}
}
