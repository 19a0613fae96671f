package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"gobuild/pkg/account"
)

// botUser is the user that the wiki page has the bot run as.
const botUser = "swarming"

// botAccount returns the bot's user, nil if this machine has none, or cannot
// tell; or it is a test's.
var botAccount = func() *account.Account {
	who, err := account.LookUp(botUser)
	if err != nil {
		return nil
	}
	return &who
}

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
	who, as := "this user", (*account.Account)(nil)
	if root, _ := privileged(); root {
		if as = botAccount(); as == nil {
			return one(unknown("this is root, and there is no user %s to ask about", botUser).or("make that user, or run doctor as the one that the bot runs as"))
		}
		who = "user " + botUser
	}
	list := []string{"sudo", "-n", "-l"}
	_, err := outputAs(ctx, as, slices.Concat(list, command)...)
	switch {
	case errors.Is(err, errNoAnswer):
		return one(unknown("%v", err).or(fmt.Sprintf("find out what sudo waits for, such as a server of users: as %s run: %s", who, strings.Join(slices.Concat(list, command), " "))))
	case errors.Is(err, fs.ErrPermission), errors.Is(err, exec.ErrNotFound):
		return one(unknown("sudo cannot be run: %v", err).or("ask it by hand, as the bot's user: " + strings.Join(slices.Concat(list, command), " ")))
	case err == nil:
		// With a command sudo asks for no password if any rule of the user
		// has NOPASSWD, be it for another; the list of rules says which.
		if rules, err := outputAs(ctx, as, list...); err == nil && wantsPassword(rules, command) {
			return one(fail(fmt.Sprintf("with visudo add the line, after the other rules: USER ALL=(root) NOPASSWD: %s", absolute(rule)), "sudo lets %s run %s, but wants a password for it", who, rule))
		}
	default:
		return one(fail(fmt.Sprintf("with visudo add the line: USER ALL=(root) NOPASSWD: %s", absolute(rule)), "sudo does not let %s run %s without a password (%v)", who, rule, err))
	}
	if hardReset != "" {
		if _, err := outputAs(ctx, as, slices.Concat(list, strings.Fields(hardReset))...); err == nil {
			return one(warn(fmt.Sprintf("the bot runs %s as well, which stops the machine without closing its files; allow no more than: %s", hardReset, rule),
				"sudo lets %s run %s, and %s as well", who, rule, hardReset))
		}
	}
	return one(ok("sudo lets %s run %s", who, rule))
}

// wantsPassword reports whether the last rule in what "sudo -l" prints that
// plainly is for a command has no NOPASSWD. A rule is a line of
//
//	(USER) [TAG:...] COMMAND, [TAG:...] COMMAND...
//
// where a tag holds until another takes it back.
func wantsPassword(rules string, command []string) bool {
	if strings.Contains(rules, "!authenticate") {
		return false
	}
	wants := false
	for line := range strings.Lines(rules) {
		_, list, found := strings.Cut(strings.TrimSpace(line), ") ")
		if !found || !strings.HasPrefix(strings.TrimSpace(line), "(") {
			continue
		}
		free := false
		for item := range strings.SplitSeq(list, ",") {
			for {
				tag, rest, found := strings.Cut(strings.TrimSpace(item), ": ")
				if !found || strings.ContainsAny(tag, "/ ") {
					break
				}
				switch tag {
				case "NOPASSWD":
					free = true
				case "PASSWD":
					free = false
				}
				item = rest
			}
			item = strings.TrimSpace(item)
			if name := absolute(command[0]); item == "ALL" || strings.TrimSpace(name) == item || item == absolute(strings.Join(command, " ")) {
				wants = !free
			}
		}
	}
	return wants
}

// absolute returns a command line with the path that a sudoers rule needs.
func absolute(command string) string {
	name, args, _ := strings.Cut(command, " ")
	if file, err := exec.LookPath(name); err == nil {
		name = file
	}
	return name + " " + args
}
