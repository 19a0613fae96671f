package unit

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"

	"gobuild/pkg/hint"
)

// Detect returns the init system that runs this machine.
func Detect() (Init, error) {
	switch runtime.GOOS {
	case "windows":
		return Windows, nil
	case "darwin":
		return Launchd, nil
	case "freebsd":
		return RCFreeBSD, nil
	case "netbsd":
		return RCNetBSD, nil
	case "openbsd":
		return RCOpenBSD, nil
	case "dragonfly":
		return RCDragonFly, nil
	case "solaris", "illumos":
		return SMF, nil
	case "plan9":
		return Plan9, nil
	}
	// What an init system leaves while it runs, not what is installed only.
	for _, sign := range []struct {
		file   string
		system Init
	}{
		{"/run/systemd/system", Systemd},
		{"/run/openrc/softlevel", OpenRC},
		{"/run/runit/stopit", Runit},
		{"/etc/runit/stopit", Runit},
		{"/run/s6/basedir", S6},
		{"/run/service/.s6-svscan", S6},
		{"/var/run/supervisor.sock", Supervisord},
		{"/etc/service/.", Runit},
	} {
		if _, err := os.Stat(sign.file); err == nil {
			return sign.system, nil
		}
	}
	if _, err := exec.LookPath("crontab"); err == nil {
		return Cron, nil
	}
	return "", hint.With(errors.New("no init system that gobuild knows runs here"), "name it with --init")
}

// Foreign reports whether system is of another operating system than this
// machine's, so that its files can be made here and not used.
func Foreign(system Init) bool {
	only := map[Init][]string{
		Windows: {"windows"}, Plan9: {"plan9"}, Launchd: {"darwin"}, Systemd: {"linux"},
		RCFreeBSD: {"freebsd"}, RCNetBSD: {"netbsd"}, RCOpenBSD: {"openbsd"}, RCDragonFly: {"dragonfly"},
		SMF: {"solaris", "illumos"},
	}[system]
	if only == nil {
		return runtime.GOOS == "windows" || runtime.GOOS == "plan9"
	}
	return !slices.Contains(only, runtime.GOOS)
}
