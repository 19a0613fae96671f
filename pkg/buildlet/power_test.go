package buildlet

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestPowerCommands(t *testing.T) {
	for _, tt := range []struct {
		action PowerAction
		goos   string
		root   bool
		want   string
	}{
		{PowerOff, "linux", true, "/sbin/shutdown -P now"},
		{PowerReboot, "linux", true, "/sbin/shutdown -r now"},
		{PowerReboot, "linux", false, "sudo -n /sbin/shutdown -r now"},
		{PowerOff, "darwin", true, "/sbin/shutdown -h now"},
		{PowerOff, "openbsd", false, "doas -n /sbin/shutdown -p now"},
		{PowerReboot, "illumos", true, "/usr/sbin/shutdown -y -g 0 -i 6"},
		{PowerReboot, "aix", true, "/usr/sbin/shutdown -Fr"},
		{PowerOff, "windows", false, "shutdown /s /t 0 /f"},
		{PowerOff, "plan9", false, "fshalt"},
		{PowerReboot, "plan9", false, "fshalt -r"},
		{PowerReboot, "js", true, ""},
	} {
		if got := strings.Join(tt.action.command(tt.goos, tt.root), " "); got != tt.want {
			t.Errorf("%s on %s, root %t: %q, want %q", tt.action, tt.goos, tt.root, got, tt.want)
		}
	}
}

// Every system that a worker runs on has its commands.
func TestPowerOnEverySystem(t *testing.T) {
	out, err := exec.Command("go", "tool", "dist", "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	for port := range strings.FieldsSeq(string(out)) {
		goos, _, _ := strings.Cut(port, "/")
		if slices.Contains([]string{"js", "wasip1", "android", "ios"}, goos) {
			continue
		}
		for _, action := range []PowerAction{PowerOff, PowerReboot} {
			if action.command(goos, true) == nil {
				t.Errorf("%s: nothing is known for %s", goos, action)
			}
		}
	}
}

func TestPowerKeepDoesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // no command could be run
	if err := PowerKeep.Do(ctx); err != nil {
		t.Error(err)
	}
}
