package doctor

import (
	"context"
	"fmt"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
)

// botUser is the user that the wiki page has the bot run as.
const botUser = "swarming"

// privileged is whoIsThis, or a test's.
var privileged = whoIsThis

// user tells whom a worker that is started like this program runs as.
func (e *exam) user(context.Context) []Finding {
	root, who := privileged()
	if !root {
		return one(ok("%s", who))
	}
	remedy := "have the supervisor start the worker as an ordinary user"
	if _, err := user.Lookup(botUser); err == nil && shutdown != "" {
		remedy += fmt.Sprintf("; for that user's view: sudo -u %s gobuild doctor", botUser)
	} else {
		remedy += ", and run doctor as that user for its view"
	}
	return one(warn(remedy, "this is %s", who))
}

// homeDir looks at the home directory, below which the Swarming bot works.
func (e *exam) homeDir(context.Context) []Finding {
	home := e.home()
	if home == "" {
		return one(fail(fmt.Sprintf("set %s in the worker's service: the bot is put into a directory below it", homeVariable), "%s is not set", homeVariable))
	}
	if existing(home) != home {
		return one(fail("make it, owned by the worker's user", "%s is not there", home))
	}
	if e.WorkDir != "" {
		if work, err := filepath.Abs(e.WorkDir); err == nil && work == filepath.Clean(home) {
			return one(fail("give a directory below it with --workdir: the Swarming bot quarantines itself in a home directory", "%s is the work directory", home))
		}
	}
	return one(ok("%s", home))
}

// reboot asks sudo whether it would restart the machine, which it does not do.
func (e *exam) reboot(ctx context.Context) []Finding {
	if shutdown == "" {
		return one(unknown("cannot be asked on %s", ownPort()))
	}
	if e.Getenv("SWARMING_NEVER_REBOOT") != "" {
		return one(ok("not wanted: SWARMING_NEVER_REBOOT is set"))
	}
	command := []string{shutdown, "-r", "now"}
	rule := strings.Join(command, " ")
	if _, err := exec.LookPath("sudo"); err != nil {
		remedy := "install sudo, by which the bot restarts the machine; if it must not, set SWARMING_NEVER_REBOOT=1 in the bot's service"
		if _, err := exec.LookPath("doas"); err == nil {
			remedy = `the bot calls sudo by name: install it, or a script of that name in PATH that ends in: exec doas "$@"`
		}
		return one(fail(remedy, "there is no sudo in PATH"))
	}
	// As root, sudo may be asked about the bot's user; of anybody else it
	// tells what it lets the asker do. It does so without a password if any
	// of its rules for that user is NOPASSWD, which need not be this one.
	who, list := "this user", []string{"sudo", "-n", "-l"}
	if root, _ := privileged(); root {
		if _, err := user.Lookup(botUser); err != nil {
			return one(unknown("this is root, and there is no user %s to ask about", botUser))
		}
		who, list = "user "+botUser, append(list, "-U", botUser)
	}
	if _, err := output(ctx, slices.Concat(list, command)...); err != nil {
		return one(fail(fmt.Sprintf("with visudo add the line: USER ALL=(root) NOPASSWD: %s", absolute(rule)), "sudo does not let %s run %s without a password (%v)", who, rule, err))
	}
	if hardReset != "" {
		if _, err := output(ctx, slices.Concat(list, strings.Fields(hardReset))...); err == nil {
			return one(warn(fmt.Sprintf("the bot runs %s as well, which stops the machine without closing its files; allow no more than: %s", hardReset, rule),
				"sudo lets %s run %s, and %s as well", who, rule, hardReset))
		}
	}
	return one(ok("sudo lets %s run %s", who, rule))
}

// absolute returns a command line with the path that a sudoers rule needs.
func absolute(command string) string {
	name, args, _ := strings.Cut(command, " ")
	if file, err := exec.LookPath(name); err == nil {
		name = file
	}
	return name + " " + args
}
