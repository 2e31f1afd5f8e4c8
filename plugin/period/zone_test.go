package period_test

import (
	"strings"
	"testing"

	"fairshare/plugin/period"
)

func TestZone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, at string
		offset   int64
	}{
		{"UTC", "2026-07-01T00:00:00Z", 0},
		{"Etc/UTC", "2026-07-01T00:00:00Z", 0},
		{"Etc/GMT+12", "2026-07-01T00:00:00Z", -12 * 3600},
		{"Etc/GMT-14", "2026-07-01T00:00:00Z", 14 * 3600},
		{"Africa/Abidjan", "2026-07-01T00:00:00Z", 0},
		{"Pacific/Norfolk", "2026-07-01T00:00:00Z", 11 * 3600},
		{"Europe/Berlin", "2026-03-29T00:59:59Z", 3600},
		{"Europe/Berlin", "2026-03-29T01:00:00Z", 7200},
		{"Europe/Berlin", "2026-10-25T00:59:59Z", 7200},
		{"Europe/Berlin", "2026-10-25T01:00:00Z", 3600},
		{"US/Eastern", "2026-03-08T06:59:59Z", -5 * 3600},
		{"US/Eastern", "2026-03-08T07:00:00Z", -4 * 3600},
		{"America/Argentina/Buenos_Aires", "2026-07-01T00:00:00Z", -3 * 3600},
		{"America/Nuuk", "2022-07-01T00:00:00Z", -2 * 3600},
		{"America/Nuuk", "2023-12-01T00:00:00Z", -2 * 3600},
		{"America/Nuuk", "2026-07-01T00:00:00Z", -1 * 3600},
		{"Australia/Lord_Howe", "2026-07-01T00:00:00Z", 37800},
		{"Australia/Lord_Howe", "2026-12-01T00:00:00Z", 39600},
		{"Europe/Dublin", "2026-07-01T00:00:00Z", 3600},
		{"Antarctica/Troll", "2026-07-01T00:00:00Z", 7200},
		{"Asia/Tehran", "2022-07-01T00:00:00Z", 16200},
		{"Asia/Tehran", "2026-07-01T00:00:00Z", 12600},
		{"Africa/Casablanca", "2026-03-01T00:00:00Z", 0},
		{"Africa/El_Aaiun", "2026-04-01T00:00:00Z", 3600},
		{"Asia/Almaty", "2024-02-29T17:59:59Z", 21600},
		{"Asia/Almaty", "2024-02-29T18:00:00Z", 18000},
		{"Europe/Berlin", "2100-07-01T00:00:00Z", 7200},
	} {
		offset, since, until := zone(t, test.name).Offset(instant(t, test.at) / 1000)
		if offset != test.offset {
			t.Errorf("%s is at %d at %s, want %d", test.name, offset, test.at, test.offset)
		}
		if at := instant(t, test.at) / 1000; since > at || at >= until {
			t.Errorf("%s: %d is not from %d to %d", test.name, at, since, until)
		}
	}
	for _, name := range []string{
		"", "utc", "Utc", "europe/berlin", "Europe/berlin", "EUROPE/BERLIN", "Europe/Berlin ", " Europe/Berlin", "Europe/Berli", "Europe/Berlin/",
		"Europe", "Europe/", "Local", "+01:00", "CEST", "Europe//Berlin", "./UTC", "../UTC", "Africa/Abidjan\n", "\n", "0", "-3", "Atlantis/Berlin",
		"Europe/Berlin\x00", strings.Repeat("A", 1000),
	} {
		if l, ok := period.Zone(name); ok || l != nil {
			t.Errorf("there is a zone %q", name)
		}
	}
	if ok := len(period.ZoneData) == 5 && period.ZoneData >= "2025c"; !ok {
		t.Errorf("the data are of %q", period.ZoneData)
	}
}
