package farmbot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gobuild/pkg/account"
	"gobuild/pkg/hint"
)

// lookUpUser finds the user that the buildlet is to become, if there is to be
// one besides this process's, which is root's then.
func (b *Bot) lookUpUser() error {
	name := b.opts.User
	if name == "" {
		return nil
	}
	who, err := account.LookUp(name)
	switch {
	case errors.Is(err, account.ErrNone):
		return hint.With(fmt.Errorf("--user %s: %w", name, err), "run all of run-bot as that user, without --user")
	case err != nil:
		return fmt.Errorf("--user %s: %w", name, err)
	case os.Geteuid() != 0:
		return hint.With(fmt.Errorf("--user %s: only root can start a buildlet that becomes another user", name),
			"start run-bot as root; or as %s without --user: what is built can read the builder key then", name)
	case who.UID == 0:
		return hint.With(fmt.Errorf("user %s is root, and so would be all that is built", name), "name a user of its own that owns nothing else, such as gobuild")
	}
	b.user = &who
	return nil
}

// checkApart makes sure that privileges are apart: the buildlet's user can work
// in the work directory, and can neither read the builder key nor change what
// root runs and writes.
func (b *Bot) checkApart() error {
	if b.user == nil {
		return nil
	}
	name := b.user.Name
	if key := b.opts.KeyFile; key != "" {
		if why, ok := b.user.Reads(key); ok {
			return hint.With(fmt.Errorf("user %s can read the builder key %s: %s", name, key, why),
				"every build could take it away; chown root %s; chmod 600 %[1]s", key)
		}
	}
	programs := []string{b.opts.File}
	if len(b.opts.Program) > 0 {
		programs = append(programs, b.opts.Program[0])
	}
	for _, program := range programs {
		info, err := os.Stat(program)
		if err != nil {
			continue // the start says so, if it is needed
		}
		if dir := b.user.Replaces(program); dir != "" || b.user.Owns(info) || b.user.May(info, 2) {
			return hint.With(fmt.Errorf("user %s can change %s, which root starts", name, program),
				"put it where root alone writes, such as /usr/local/bin/%s", filepath.Base(program))
		}
	}
	if dir := b.user.Replaces(b.work); dir != "" {
		return hint.With(fmt.Errorf("user %s can change what lies in %s, where root is to work", name, dir),
			"give run-bot a directory of root's own with --workdir: it makes one in it for that user")
	}
	if dir := b.user.Closed(filepath.Join(b.work, "any")); dir != "" && dir != b.work {
		return hint.With(fmt.Errorf("user %s cannot get at the work directory %s: %s is closed", name, b.work, dir),
			"chmod 755 %s, or give another directory with --workdir", dir)
	}
	ownHome := slices.ContainsFunc(b.opts.BuildEnv, func(entry string) bool { return strings.HasPrefix(entry, "HOME=") })
	if info, err := os.Stat(b.user.Home); !ownHome && (err != nil || !info.IsDir()) {
		b.opts.Log.Warn("what is built may want a home directory", "user", name, "home", b.user.Home, "hint", "make it, or give another by --env HOME=DIR")
	}
	return nil
}

// makeDir makes a directory, and those above it, which other users may pass
// where one of them is to work in it, whatever this process's umask is.
func (b *Bot) makeDir(dir string) error {
	if b.user == nil {
		return os.MkdirAll(dir, 0o755)
	}
	if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
		return err
	}
	if err := b.makeDir(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}

// giveWork gives the work directory to the buildlet's user. What another has
// left there is removed: that user might not be able to.
func (b *Bot) giveWork(root *os.Root) error {
	if b.user == nil {
		return nil
	}
	info, err := root.Stat(".")
	if err != nil {
		return err
	}
	if b.user.Owns(info) {
		return nil
	}
	b.remove(root, ".")
	return os.Lchown(b.work, int(b.user.UID), int(b.user.Groups[0]))
}

// builder names the user that builds run as.
func (b *Bot) builder() string {
	if b.user != nil {
		return b.user.Name
	}
	return "the user that run-bot runs as"
}

// environ returns the environment of the buildlet.
func (b *Bot) environ() []string {
	env := b.opts.Environ
	if b.user != nil {
		env = b.user.Environ(env)
	}
	return append(append([]string{}, env...), b.opts.BuildEnv...)
}
