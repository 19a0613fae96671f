package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"charm.land/lipgloss/v2"

	"gobuild/pkg/api"
)

// However wide the terminal, no line of the table is wider, and what matters
// is said.
func TestStatusTableFits(t *testing.T) {
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	hosts := []api.Host{
		{Hostname: "riscv-board-1", HostType: "host-linux-riscv64-unmatched", Addr: "198.51.100.17:51234", Program: "gobuild 0.1.0-dev", Version: "29",
			State: api.HostWorking, Since: ago(3 * time.Hour), Connected: ago(200 * time.Hour), Instance: "joe-linux-riscv64-0"},
		{Hostname: "cupboard", HostType: "host-linux-amd64-localdev", Addr: "[2001:db8::17]:51234", Version: "29",
			State: api.HostPaused, Since: ago(time.Minute), Connected: ago(time.Second), Why: "paused until 2026-12-01 08:00 UTC by its owner: the house is asleep and the fan is loud",
			ClaimedBy: []api.HostClaim{{Addr: "192.0.2.9:999", When: ago(time.Minute), Times: 3}}},
	}
	for _, width := range []int{0, 60, 80, 100, 119, 120, 160} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			var out strings.Builder
			a := &app{stdout: &out, lookupEnv: func(string) (string, bool) { return "", false }, isTerminal: func(any) bool { return false }}
			table := a.machines(hosts)
			table.fit(width)
			if w := table.width(); width > 0 && w > width {
				t.Errorf("the table has %d columns", w)
			}
			if err := a.printStatusTable(table); err != nil {
				t.Fatal(err)
			}
			for _, part := range []string{"riscv-board-1", "working 3h00m", "joe-linux-riscv64-0", "gobuild 0.1.0-dev", "upstream's, version 29", "paused until", "192.0.2.9:999", "host-linux-riscv64-unmatched"} {
				if !strings.Contains(out.String(), part) {
					t.Errorf("nothing says %q:\n%s", part, out.String())
				}
			}
		})
	}
}

func TestRemarkIsBroken(t *testing.T) {
	var out strings.Builder
	printRemark(&out, lipgloss.NewStyle(), "one two three four five six seven", 18)
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 18 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	if got := strings.Join(strings.Fields(out.String()), " "); got != "one two three four five six seven" {
		t.Errorf("got %q", got)
	}
}

func TestSpan(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": -time.Hour, "12s": 12*time.Second + 100*time.Millisecond, "1m": 61 * time.Second, "2h05m": 2*time.Hour + 5*time.Minute + time.Second, "3d": 73 * time.Hour,
	} {
		if got := span(time.Now().Add(-d)); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
