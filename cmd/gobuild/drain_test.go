package main

import (
	"testing"
	"time"
)

func TestParseUntil(t *testing.T) {
	zone := time.FixedZone("there", 3600)
	now := time.Date(2026, 12, 24, 17, 30, 0, 0, zone)
	for text, want := range map[string]string{
		"2026-12-24T18:00:00Z":      "2026-12-24T18:00:00Z",
		"2026-12-24T20:00:00+02:00": "2026-12-24T20:00:00+02:00",
		"2026-12-24 18:00":          "2026-12-24T18:00:00+01:00",
		"2026-12-25":                "2026-12-25T00:00:00+01:00",
		"18:00":                     "2026-12-24T18:00:00+01:00",
		"17:30":                     "2026-12-25T17:30:00+01:00", // that is now: the next time
		"8:00":                      "2026-12-25T08:00:00+01:00",
		"tomorrow 18:00":            "2026-12-25T18:00:00+01:00",
		" tomorrow  8:00 ":          "2026-12-25T08:00:00+01:00",
	} {
		got, err := parseUntil(text, now)
		if err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%q: got %s, %v; want %s", text, got.Format(time.RFC3339), err, want)
		}
	}
	for _, text := range []string{"", "soon", "25:00", "2026-12-24T16:00:00Z", "2026-12-24", "2026-12-24 17:30", "today 18:00", "1h"} {
		if got, err := parseUntil(text, now); err == nil {
			t.Errorf("%q: got %s", text, got)
		}
	}
}
