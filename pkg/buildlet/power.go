package buildlet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"gobuild/pkg/hint"
)

// PowerAction is what happens to the machine when its buildlet was told to
// halt.
type PowerAction string

// The power actions.
const (
	PowerKeep   PowerAction = ""          // nothing: only the buildlet ends
	PowerReboot PowerAction = "reboot"    // the machine restarts
	PowerOff    PowerAction = "power off" // the machine goes off
)

// Do carries out a. A process that is not root goes through sudo, on
// OpenBSD doas, without a password. The error holds what the command printed.
func (a PowerAction) Do(ctx context.Context) error {
	if a == PowerKeep {
		return nil
	}
	argv := a.command(runtime.GOOS, os.Geteuid() == 0)
	if argv == nil {
		return fmt.Errorf("%s: it is not known how on %s", a, runtime.GOOS)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return hint.With(fmt.Errorf("%s: %s: %w: %s", a, strings.Join(argv, " "), err, strings.TrimSpace(string(out))),
			"the buildlet's user has to be allowed to run this command without a password (sudoers, doas.conf)")
	}
	return nil
}

// command returns the command line of a on goos, or nil.
func (a PowerAction) command(goos string, root bool) []string {
	var argv []string
	reboot := a == PowerReboot
	pick := func(off, again string) string {
		if reboot {
			return again
		}
		return off
	}
	switch goos {
	case "windows":
		return []string{"shutdown", pick("/s", "/r"), "/t", "0", "/f"}
	case "plan9":
		if reboot {
			return []string{"fshalt", "-r"}
		}
		return []string{"fshalt"}
	case "linux":
		argv = []string{"/sbin/shutdown", pick("-P", "-r"), "now"}
	case "darwin":
		argv = []string{"/sbin/shutdown", pick("-h", "-r"), "now"}
	case "dragonfly", "freebsd", "netbsd", "openbsd":
		argv = []string{"/sbin/shutdown", pick("-p", "-r"), "now"}
	case "solaris", "illumos":
		argv = []string{"/usr/sbin/shutdown", "-y", "-g", "0", "-i", pick("5", "6")}
	case "aix":
		argv = []string{"/usr/sbin/shutdown", pick("-F", "-Fr")}
	default:
		return nil
	}
	switch {
	case root:
		return argv
	case goos == "openbsd":
		return append([]string{"doas", "-n"}, argv...)
	}
	return append([]string{"sudo", "-n"}, argv...)
}
