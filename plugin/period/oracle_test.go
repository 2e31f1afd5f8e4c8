//go:build !tinygo

package period_test

import (
	"archive/zip"
	"flag"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fairshare/plugin/period"
)

// seedFlag repeats a property test's run; its failures print the seed.
var seedFlag = flag.Uint64("seed", 0, "seed of the property tests, 0 for a new one")

func seed(t *testing.T) uint64 {
	s := *seedFlag
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (repeat with -seed=%d)", s, s)
	return s
}

// The years that the table of zones must have right.
var (
	tableStart = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	tableEnd   = time.Date(2041, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
)

// goZones reads all zones that the Go toolchain has. The system's own files, which
// time.LoadLocation would take, may be of another release.
var goZones = sync.OnceValues(func() (map[string]*time.Location, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(strings.TrimSpace(string(root)), "lib", "time")
	script, err := os.ReadFile(filepath.Join(dir, "update.bash"))
	if err != nil {
		return nil, err
	}
	if !strings.Contains(string(script), "\nDATA="+period.ZoneData+"\n") {
		return nil, nil
	}
	archive, err := zip.OpenReader(filepath.Join(dir, "zoneinfo.zip"))
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	zones := map[string]*time.Location{}
	for _, file := range archive.File {
		if file.FileInfo().IsDir() {
			continue
		}
		r, err := file.Open()
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		if zones[file.Name], err = time.LoadLocationFromTZData(file.Name, data); err != nil {
			return nil, err
		}
	}
	return zones, nil
})

func allZones(t testing.TB) map[string]*time.Location {
	t.Helper()
	zones, err := goZones()
	if err != nil {
		t.Fatal(err)
	}
	if zones == nil {
		t.Skip("this Go has another release of IANA's data than " + period.ZoneData + ": go generate ./plugin/period")
	}
	return zones
}

// Every zone keeps the time that Go says, from 2020 to 2040.
func TestZonesAreIANAs(t *testing.T) {
	t.Parallel()
	zones := allZones(t)
	if len(zones) < 500 {
		t.Fatalf("only %d zones", len(zones))
	}
	for name, loc := range zones {
		l := zone(t, name)
		check := func(at int64) {
			if at < tableStart || at >= tableEnd {
				return
			}
			_, want := time.Unix(at, 0).In(loc).Zone()
			if offset, _, _ := l.Offset(at); offset != int64(want) {
				t.Fatalf("%s is at %d at %s, want %d", name, offset, show(at*1000), want)
			}
		}
		// A change that is missing shows until the next, for weeks at least.
		before, _, until := l.Offset(tableStart)
		for at := tableStart; at < tableEnd; at += 5 * 86400 {
			check(at)
			offset, _, next := l.Offset(at)
			if at < until && (offset != before || next != until) {
				t.Fatalf("%s: at %d until %d, but at %d until %d", name, before, until, offset, next)
			}
			before, until = offset, next
		}
		for at := tableStart; at < tableEnd; {
			offset, since, until := l.Offset(at)
			if since > at || at >= until {
				t.Fatalf("%s: %d is not from %d to %d", name, at, since, until)
			}
			for _, within := range []int64{since, until - 1} {
				if within < tableStart || within >= tableEnd {
					continue
				}
				if o, s, u := l.Offset(within); o != offset || s != since || u != until {
					t.Fatalf("%s: at %d %d from %d to %d, at %d %d from %d to %d", name, at, offset, since, until, within, o, s, u)
				}
			}
			check(until - 1)
			at = until
			check(at)
		}
	}
}

// There are all names of IANA's data, and none but them.
func TestZoneNames(t *testing.T) {
	t.Parallel()
	zones := allZones(t)
	for name := range zones {
		for _, other := range []string{
			name, name[:len(name)-1], name[1:], name + "a", name + " ", strings.ToLower(name), strings.ToUpper(name),
			strings.ReplaceAll(name, "/", "//"), strings.TrimPrefix(name, "Etc/"), name[:strings.LastIndex(name, "/")+1],
		} {
			if _, ok := period.Zone(other); ok != (zones[other] != nil) {
				t.Errorf("%q is a zone: %v", other, ok)
			}
		}
	}
}

// An oracle finds periods by looking at Go's clock, minute by minute.
type oracle struct {
	loc   *time.Location
	reset int64 // seconds
}

// local is what the zone's clocks show, as if it were UTC; seconds.
func (o *oracle) local(at int64) int64 {
	_, offset := time.Unix(at, 0).In(o.loc).Zone()
	return at + int64(offset)
}

// begins finds the first minute in which the clocks show a date's reset time or
// a later one.
func (o *oracle) begins(year int, month time.Month, day int, reset int64) int64 {
	want := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() + reset
	at := want - 16*3600
	for o.local(at) < want {
		at += 60
	}
	return at
}

// date finds the date that at lies in, which is the last that has begun, as its
// midnight in UTC.
func (o *oracle) date(at, reset int64) time.Time {
	c := time.Unix(at, 0).In(o.loc)
	for days := 2; ; days-- {
		d := time.Date(c.Year(), c.Month(), c.Day()+days, 0, 0, 0, 0, time.UTC)
		if o.begins(d.Year(), d.Month(), d.Day(), reset) <= at {
			return d
		}
	}
}

// anchorDate is date, but for the anchor 0.
func (o *oracle) anchorDate(anchor, reset int64) time.Time {
	if anchor == 0 {
		return time.Unix(0, 0).UTC()
	}
	return o.date(anchor, reset)
}

// span is Span, all in seconds. Anchors other than 0 must lie in the years of the
// table of zones.
func (o *oracle) span(d period.Duration, anchor, now int64) (start, end int64) {
	n := int(d.N)
	dates := func(next func(time.Time, int) time.Time, base, today time.Time, reset int64) (start, end int64) {
		first := base
		for first.After(today) {
			first = next(first, -n)
		}
		for !next(first, n).After(today) {
			first = next(first, n)
		}
		last := next(first, n)
		return o.begins(first.Year(), first.Month(), first.Day(), reset), o.begins(last.Year(), last.Month(), last.Day(), reset)
	}
	addDays := func(t time.Time, n int) time.Time { return t.AddDate(0, 0, n) }
	addMonths := func(t time.Time, n int) time.Time { return t.AddDate(0, n, 0) }
	month := func(t time.Time) time.Time { return t.AddDate(0, 0, 1-t.Day()) }

	switch text := d.String(); {
	case text == "24h":
		n = 1
		return dates(addDays, o.date(now, 0), o.date(now, 0), 0)
	case text == "1d":
		return dates(addDays, o.date(now, o.reset), o.date(now, o.reset), o.reset)
	case text == "7d" || text == "1w":
		n = 7
		today := o.date(now, o.reset)
		monday := today
		for monday.Weekday() != time.Monday {
			monday = addDays(monday, -1)
		}
		return dates(addDays, monday, today, o.reset)
	case text == "30d" || text == "1mo":
		n = 1
		today := o.date(now, o.reset)
		return dates(addMonths, month(today), today, o.reset)
	case d.Unit == period.Month:
		return dates(addMonths, month(o.anchorDate(anchor, o.reset)), o.date(now, o.reset), o.reset)
	case d.Unit == period.Week:
		n *= 7
		fallthrough
	case d.Unit == period.Day:
		return dates(addDays, o.anchorDate(anchor, o.reset), o.date(now, o.reset), o.reset)
	}

	length := int64(n) * map[period.Unit]int64{period.Second: 1, period.Minute: 60, period.Hour: 3600}[d.Unit]
	whole := map[period.Unit]int64{period.Second: 60, period.Minute: 3600, period.Hour: 86400}[d.Unit]
	if whole%length == 0 {
		look := min(length, 60)
		if d.Unit == period.Second {
			look = 1
		}
		shown := func(at int64) [2]int64 { return [2]int64{o.local(at) / 86400, o.local(at) % 86400 / length} }
		start = now - now%look
		for shown(start-look) == shown(now) {
			start -= look
		}
		end = now - now%look + look
		for shown(end) == shown(now) {
			end += look
		}
		return start, end
	}
	var base int64
	if anchor == 0 {
		// Of 1970 the table says nothing.
		_, offset := time.Unix(tableStart, 0).In(o.loc).Zone()
		base = int64(-offset)
	} else {
		d := o.anchorDate(anchor, 0)
		base = o.begins(d.Year(), d.Month(), d.Day(), 0)
	}
	start = base + (now-base)/length*length
	for start > now {
		start -= length
	}
	return start, start + length
}

// moment picks one in the years of the table, often near where a zone's clocks
// change or where days, months and years begin; ms since 1970.
func moment(rng *rand.Rand, l *period.Location) int64 {
	at := tableStart + 400*86400 + rng.Int64N(tableEnd-tableStart-800*86400)
	offset, since, until := l.Offset(at)
	switch rng.IntN(4) {
	case 0:
		if since > tableStart+400*86400 && rng.IntN(2) == 0 {
			until = since
		}
		if until < tableEnd-400*86400 {
			at = until
		}
	case 1:
		c := time.Unix(at, 0).UTC()
		at = time.Date(c.Year(), c.Month(), 1, 0, 0, 0, 0, time.UTC).Unix() - offset
	case 2:
		at -= (at + offset) % 86400
	default:
		return at*1000 + rng.Int64N(1000)
	}
	switch rng.IntN(4) {
	case 0:
		return at * 1000
	case 1:
		return at*1000 - 1
	case 2:
		return (at + rng.Int64N(3*3600) - 90*60) * 1000
	default:
		return at*1000 + rng.Int64N(2*86400_000) - 86400_000
	}
}

// some picks a duration, often one that divides something.
func some(rng *rand.Rand) period.Duration {
	numbers := []int32{1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15, 20, 24, 28, 30, 31, 36, 45, 48, 50, 60, 90, 100, 365}
	d := period.Duration{N: numbers[rng.IntN(len(numbers))], Unit: period.Unit(rng.IntN(6))}
	if rng.IntN(10) == 0 {
		d.N = 1 + rng.Int32N(1000)
	}
	return d
}

// Periods are those that a walk along Go's clock finds.
func TestSpanAgainstOracle(t *testing.T) {
	t.Parallel()
	zones := allZones(t)
	names := slices.Sorted(maps.Keys(zones))
	first := seed(t)
	for n := range uint64(1000) {
		rng := rand.New(rand.NewPCG(first, n))
		name := names[rng.IntN(len(names))]
		if rng.IntN(2) == 0 {
			odd := []string{
				"Africa/Cairo", "Africa/Casablanca", "America/Havana", "America/Santiago", "Antarctica/Casey", "Antarctica/Troll", "Asia/Beirut",
				"Asia/Gaza", "Asia/Kathmandu", "Asia/Tehran", "Australia/Lord_Howe", "Europe/Berlin", "Pacific/Apia", "Pacific/Chatham",
			}
			name = odd[rng.IntN(len(odd))]
		}
		l := zone(t, name)
		c := &period.Calendar{Zone: l}
		if rng.IntN(2) == 0 {
			c.ResetMinute = rng.IntN(24 * 60)
		}
		d := some(rng)
		anchor, now := int64(0), moment(rng, l)
		switch rng.IntN(4) {
		case 0:
		case 1:
			anchor = now - rng.Int64N(100*86400_000)
		default:
			anchor = moment(rng, l)
		}
		start, end := c.Span(d, anchor, now)
		o := &oracle{loc: zones[name], reset: int64(c.ResetMinute) * 60}
		wantStart, wantEnd := o.span(d, anchor/1000, now/1000)
		// Of other years the table may say something else.
		if wantStart >= tableStart && start != wantStart*1000 || wantEnd < tableEnd && end != wantEnd*1000 {
			t.Fatalf("seed %d run %d: %s in %s, reset at minute %d, anchor %s: %s lies in %s to %s, want %s to %s", first, n, d, name, c.ResetMinute,
				show(anchor), show(now), show(start), show(end), show(wantStart*1000), show(wantEnd*1000))
		}
	}
}

// Periods divide time: every moment lies in its own, all moments of a period have
// the same, and the next begins where it ends.
func TestSpansDivideTime(t *testing.T) {
	t.Parallel()
	names := slices.Sorted(maps.Keys(allZones(t)))
	first := seed(t)
	for n := range uint64(20_000) {
		rng := rand.New(rand.NewPCG(first, n))
		name := names[rng.IntN(len(names))]
		l := zone(t, name)
		c := &period.Calendar{Zone: l}
		if rng.IntN(2) == 0 {
			c.ResetMinute = rng.IntN(24 * 60)
		}
		d := some(rng)
		if rng.IntN(20) == 0 {
			d.N = 1 + rng.Int32N(math.MaxInt32)
		}
		var anchor, now int64
		for _, at := range []*int64{&anchor, &now} {
			switch rng.IntN(8) {
			case 0:
				*at = int64(rng.Uint64()) >> rng.IntN(40)
			case 1:
				*at = rng.Int64N(1<<48) - 1<<47
			case 2:
				*at = 0
			default:
				*at = moment(rng, l)
			}
		}
		if now == math.MaxInt64 {
			continue
		}
		start, end := c.Span(d, anchor, now)
		fail := func(what string, at, s, e int64) {
			t.Fatalf("seed %d run %d: %s in %s, reset at minute %d, anchor %s: %s lies in %s to %s, but %s %s lies in %s to %s", first, n, d, name,
				c.ResetMinute, show(anchor), show(now), show(start), show(end), what, show(at), show(s), show(e))
		}
		if now < start || now >= end {
			fail("the same", now, start, end)
		}
		for _, at := range []int64{start, end - 1, start + int64(rng.Uint64N(uint64(end)-uint64(start)))} {
			if s, e := c.Span(d, anchor, at); s != start || e != end {
				fail("within it", at, s, e)
			}
		}
		if end != math.MaxInt64 {
			if s, e := c.Span(d, anchor, end); s != end {
				fail("its end", end, s, e)
			}
		}
		if start != math.MinInt64 {
			if s, e := c.Span(d, anchor, start-1); e != start {
				fail("before it", start-1, s, e)
			}
		}
	}
}

func TestSpanAllocatesNothing(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "Africa/Casablanca"} {
		c := &period.Calendar{Zone: zone(t, name)}
		for _, text := range []string{"1m", "5h", "1d", "30d", "3mo"} {
			d := duration(t, text)
			allocs := testing.AllocsPerRun(10, func() { c.Span(d, 1_770_000_000_000, 1_780_000_000_000) })
			if allocs != 0 {
				t.Errorf("%s in %s: %v allocations", text, name, allocs)
			}
		}
	}
}

// What is read can be written and read again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"30d", "1mo", "daily", "0s", "2147483648w", "1", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := period.Parse(s)
		if !ok {
			if d != (period.Duration{}) {
				t.Fatalf("%q is none, but %v", s, d)
			}
			return
		}
		if d.N < 1 || d.Unit > period.Month {
			t.Fatalf("%q is %v", s, d)
		}
		if again, ok := period.Parse(d.String()); !ok || again != d {
			t.Fatalf("%q is written %q, which is %v", s, d, again)
		}
		const now = 1_800_000_000_000
		if end, ok := d.After(now); ok && end <= now {
			t.Fatalf("%q ends at %d", s, end)
		}
		var c *period.Calendar
		if start, end := c.Span(d, 0, now); start > now || now >= end {
			t.Fatalf("%q: %d to %d", s, start, end)
		}
	})
}

// There are no zones but those of IANA, whatever the name.
func FuzzZone(f *testing.F) {
	zones := allZones(f)
	for _, s := range []string{"UTC", "Europe/Berlin", "europe/berlin", "", "Africa/Abidjan 8ccra", "\n-3", "America/Argentina/ComodRivadavia"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		l, ok := period.Zone(name)
		if ok != (zones[name] != nil) || ok != (l != nil) {
			t.Fatalf("%q is a zone: %v", name, ok)
		}
	})
}

func BenchmarkSpan(b *testing.B) {
	for _, name := range []string{"UTC", "Europe/Berlin", "Africa/Casablanca"} {
		c := &period.Calendar{Zone: zone(b, name)}
		for _, text := range []string{"1m", "5h", "1d", "30d", "3d"} {
			d := duration(b, text)
			b.Run(name+"/"+text, func(b *testing.B) {
				b.ReportAllocs()
				for i := int64(0); b.Loop(); i++ {
					c.Span(d, 1_770_000_000_000, 1_780_000_000_000+i%1000*1_000_003)
				}
			})
		}
	}
}
