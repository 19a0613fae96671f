package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/farmbot"
	"gobuild/pkg/supervise/control"
	"gobuild/pkg/swarmbot"
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

// The worker of a service is found where "gobuild service" has it work, of a
// farm or of LUCI, and one that is closed to the user is named.
func TestServiceWorkerDir(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	before := serviceWorkDirs
	t.Cleanup(func() { serviceWorkDirs = before })
	if !strings.HasSuffix(before(), "work") || !strings.Contains(before(), "gobuild-*") {
		t.Errorf("it looks in %s", before())
	}
	for name, state := range map[string]func(string) string{"farm": farmbot.StateDir, "LUCI": swarmbot.StateDir} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			serviceWorkDirs = func() string { return filepath.Join(base, "gobuild-*", "work") }
			a, _, _ := testApp()
			if dir, err := a.workerDir(t.Context(), ""); err == nil {
				t.Errorf("found %s", dir)
			}
			want := state(filepath.Join(base, "gobuild-run-bot", "work"))
			if err := control.MakeDir(want); err != nil {
				t.Fatal(err)
			}
			if dir, err := a.workerDir(t.Context(), ""); err != nil || dir != want {
				t.Errorf("found %s, %v; want %s", dir, err, want)
			}
			if os.Geteuid() == 0 || runtime.GOOS == "windows" {
				return // who can look into everything
			}
			os.Chmod(want, 0)
			defer os.Chmod(want, 0o700)
			if dir, err := a.workerDir(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "another user's") {
				t.Errorf("found %s, %v", dir, err)
			}
		})
	}
}
