package unit

import (
	"context"
	"fmt"
	"runtime"
	"strconv"

	"gobuild/pkg/hint"
)

// user makes the service's user, if it is not there and the system has a
// command for it.
func (in *Installer) user(ctx context.Context, p Plan) error {
	name := p.Service.account()
	if name == "" || p.Init == Windows || p.Init == Plan9 {
		return nil
	}
	if _, _, err := ids(ctx, name); err == nil {
		return nil
	}
	commands := newUser(runtime.GOOS, name, accountHome(p.Init, p.Service), found)
	if commands == nil {
		return hint.With(fmt.Errorf("there is no user %s, and no command that gobuild knows makes one here", name), "%s", userAdvice(runtime.GOOS, name))
	}
	var steps []Step
	for _, argv := range commands {
		steps = append(steps, step(argv...))
	}
	if err := in.steps(ctx, p, steps); err != nil {
		return fmt.Errorf("make user %s: %w", name, err)
	}
	return nil
}

// accountHome returns the home directory of the service's user. That of a worker
// which is the system's own is not his to change.
func accountHome(system Init, s Service) string {
	if s.Builder != "" {
		return BuildHome(system, s.Name)
	}
	return HomeDir(system, s.Name)
}

// newUser returns the commands that make a user without a password or shell,
// and a group of the same name; nil if there are none.
func newUser(goos, name, home string, found func(program string) bool) [][]string {
	const about = "Go build farm"
	switch {
	case goos == "linux" && found("useradd"):
		return [][]string{{"useradd", "--system", "--user-group", "--no-create-home", "--home-dir", home, "--shell", "/usr/sbin/nologin", "--comment", about, name}}
	case goos == "linux" && found("addgroup") && found("adduser"):
		// BusyBox's and Debian's both know these.
		return [][]string{
			{"addgroup", "--system", name},
			{"adduser", "--system", "--no-create-home", "--home", home, "--shell", "/sbin/nologin", "--ingroup", name, "--gecos", about, name},
		}
	case (goos == "freebsd" || goos == "dragonfly") && found("pw"):
		return [][]string{{"pw", "useradd", name, "-d", home, "-s", "/usr/sbin/nologin", "-w", "no", "-c", about}}
	case (goos == "netbsd" || goos == "openbsd") && found("useradd"):
		return [][]string{{"useradd", "-g", "=uid", "-d", home, "-s", "/sbin/nologin", "-c", about, name}}
	case (goos == "solaris" || goos == "illumos") && found("useradd"):
		return [][]string{
			{"groupadd", name},
			{"useradd", "-g", name, "-d", home, "-s", "/usr/bin/false", "-c", about, name},
		}
	}
	return nil
}

// userAdvice says how a person makes the user.
func userAdvice(goos, name string) string {
	switch goos {
	case "darwin":
		return fmt.Sprintf("make it with: sysadminctl -addUser %s -shell /usr/bin/false -password -; or name another with --user", name)
	case "aix":
		return fmt.Sprintf("make it with: mkuser login=false rlogin=false %s; or name another with --user", name)
	}
	return "make it by hand, without a password, or name another with --user"
}

// ids returns the numbers of a user and of its group. It asks id(1), which
// knows users of every kind; this program may be without the C library that
// does.
func ids(ctx context.Context, name string) (uid, gid int, err error) {
	for flag, into := range map[string]*int{"-u": &uid, "-g": &gid} {
		out, err := run(ctx, []string{"id", flag, name})
		if err != nil {
			return 0, 0, err
		}
		if *into, err = strconv.Atoi(out); err != nil {
			return 0, 0, fmt.Errorf("id %s %s: %w", flag, name, err)
		}
	}
	return uid, gid, nil
}
