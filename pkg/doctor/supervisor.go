package doctor

import (
	"context"
	"os"
	"runtime"
)

// supervisors are programs that start a worker, with a sign of each: of one
// that runs before one that is merely installed.
var supervisors = []struct{ sign, name string }{
	{"/run/systemd/system", "systemd"},
	{"/System/Library/LaunchDaemons", "launchd"},
	{"/lib/svc/manifest", "SMF"},
	{"/usr/bin/lssrc", "the System Resource Controller"},
	{"/run/openrc/softlevel", "OpenRC"},
	{"/run/s6", "s6"},
	{"/run/runit", "runit"},
	{"/etc/runit/runsvdir", "runit"},
	{"/etc/rc.d/rc.subr", "rc.d, with a loop around the worker"}, // OpenBSD
	{"/etc/rc.subr", "rc.d, with daemon(8) or a loop around the worker"},
}

// supervisor finds out what can start the worker at boot and again when it
// ends.
func (e *exam) supervisor(context.Context) []Finding {
	switch runtime.GOOS {
	case "windows":
		return one(ok("Windows services"))
	case "plan9":
		return one(warn("start the worker from /rc/bin/cpurc, in a loop", "none: Plan 9 has no supervisor"))
	}
	there := func(file string) bool {
		_, err := os.Stat(e.path(file))
		return err == nil
	}
	for _, s := range supervisors {
		if there(s.sign) {
			return one(ok("%s", s.name))
		}
	}
	const restart = "have the container restarted when it ends, with the worker as its program"
	first := e.read("/proc/1/comm")
	switch {
	case there("/.dockerenv"), there("/run/.containerenv"):
		return one(warn(restart, "none: this is a container"))
	case first != "" && first != "init":
		return one(warn("start the worker in a loop that begins with the machine; in a container, "+restart, "none is known: the first process is %.40q", first))
	case there("/etc/init.d"):
		return one(warn("it starts the worker once; use a supervisor such as runit, or a loop, that starts it again", "scripts in /etc/init.d"))
	}
	return one(warn("start the worker in a loop that begins with the machine", "none is known here"))
}
