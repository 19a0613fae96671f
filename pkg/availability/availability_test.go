package availability

import (
	"testing"
	"time"
)

func TestAvailability(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		a     Availability
		takes bool
		text  string
	}{
		{Availability{}, true, "open"},
		{Availability{State: Open}, true, "open"},
		{Availability{State: Paused, By: "its owner"}, false, "paused by its owner"},
		{Availability{State: Paused, Until: now.Add(6 * time.Hour), By: "its owner", Why: "holidays"}, false, "paused until 2026-07-01 18:00 UTC by its owner: holidays"},
		{Availability{State: Paused, Until: now}, true, "paused until 2026-07-01 12:00 UTC"},
		{Availability{State: Draining}, false, "draining"},
		{Availability{State: Quarantined, Why: "the disk is full"}, false, "quarantined: the disk is full"},
		{Availability{State: "new"}, false, "new"},
	} {
		if got := tt.a.Takes(now); got != tt.takes {
			t.Errorf("%+v takes work: %v", tt.a, got)
		}
		if got := tt.a.String(); got != tt.text {
			t.Errorf("%q, want %q", got, tt.text)
		}
	}
}
