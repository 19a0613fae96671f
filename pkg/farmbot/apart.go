package farmbot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gobuild/pkg/account"
	"gobuild/pkg/buildlet"
	"gobuild/pkg/hint"
)

// lookUpUser finds the user that the buildlet is to become, if there is to be
// one besides this process's, which is root's then.
func (b *Bot) lookUpUser() error {
	name := b.opts.User
	if name == "" {
		return nil
	}
	who, err := account.LookUpOrdinary(name, "all that is built")
	switch {
	case errors.Is(err, account.ErrNone):
		return hint.With(fmt.Errorf("--user %s: %w", name, err), "run all of run-bot as that user, without --user")
	case err != nil:
		return fmt.Errorf("--user %s: %w", name, err)
	case os.Geteuid() != 0:
		return hint.With(fmt.Errorf("--user %s: only root can start a buildlet that becomes another user", name),
			"start run-bot as root; or as %s without --user: what is built can read the builder key then", name)
	}
	if groups := who.Mighty(); len(groups) > 0 {
		b.opts.Log.Warn("what is built can become root by a group of its user", "user", name, "groups", groups)
	}
	if !slices.ContainsFunc(b.opts.BuildEnv, func(entry string) bool { return strings.HasPrefix(entry, "HOME=") }) {
		if info, err := os.Stat(who.Home); err != nil || !who.Owns(info) {
			b.opts.Log.Warn("what is built may want a home directory of its user", "user", name, "home", who.Home, "hint", "make it, or give another by --env HOME=DIR")
		}
	}
	b.user = &who
	return nil
}

// checkApart makes sure that privileges are apart: the buildlet's user can
// neither read the builder key nor change what root reads, starts, and writes.
// It changes nothing, and looks at what is there.
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
	if dir := b.user.Replaces(b.work); dir != "" {
		return hint.With(fmt.Errorf("user %s can change what lies in %s, where root is to work", name, dir),
			"give run-bot a directory of root's own with --workdir: it makes one in it for that user")
	}
	files := append([]string{b.opts.File, b.opts.KeyFile}, b.opts.Trusted...)
	if len(b.opts.Program) > 0 {
		files = append(files, b.opts.Program[0])
	}
	for _, file := range files {
		if file == "" {
			continue
		}
		if err := CheckTrusted(*b.user, file); err != nil {
			return err
		}
	}
	return b.checkKept()
}

// CheckTrusted makes sure that a user cannot change a file by which root goes.
func CheckTrusted(who account.Account, file string) error {
	if what := who.Changes(file); what != "" {
		return hint.With(fmt.Errorf("user %s can change %s, and so %s, by which root goes", who.Name, what, file),
			"put it where root alone writes, such as /etc/gobuild or /usr/local/bin")
	}
	return nil
}

// checkKept looks at what an earlier run-bot has left beside the directory for
// the buildlet, which may have been one of that user.
func (b *Bot) checkKept() error {
	top, err := filepath.EvalSymlinks(b.opts.Dir)
	if err != nil {
		return nil // it is not there yet
	}
	return filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case path == filepath.Join(top, filepath.Base(b.work)) && entry.IsDir():
			return fs.SkipDir
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		link := info.Mode()&fs.ModeSymlink != 0
		if b.user.Owns(info) || link || b.user.May(info, 2) {
			return hint.With(fmt.Errorf("user %s can change %s, or has made it, and root keeps its own there", b.user.Name, path),
				"look what it is; then remove it, or give another directory with --workdir")
		}
		return nil
	})
}

// checkOpen makes sure that the buildlet's user gets at the work directory.
func (b *Bot) checkOpen() error {
	if b.user == nil {
		return nil
	}
	if dir := b.user.Closed(b.work); dir != "" {
		return hint.With(fmt.Errorf("user %s cannot get at the work directory %s: %s is closed", b.user.Name, b.work, dir),
			"chmod 755 %s, or give another directory with --workdir", dir)
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

// openWork opens the work directory, which a build may have closed, and gives it
// to the buildlet's user, if this process is root's. What another has left there
// is removed: that user might not be able to, and might be another's victim.
func (b *Bot) openWork() (*os.Root, error) {
	if err := b.makeDir(b.work); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(b.work); err == nil && info.IsDir() && info.Mode()&0o700 != 0o700 {
		if err := os.Chmod(b.work, 0o755); err != nil {
			return nil, err
		}
	}
	root, err := os.OpenRoot(b.work)
	if err != nil || os.Geteuid() != 0 {
		return root, err
	}
	who := account.Account{Groups: []uint32{0}}
	if b.user != nil {
		who = *b.user
	}
	info, err := root.Stat(".")
	if err == nil && !who.Owns(info) {
		b.remove(root, ".")
		err = os.Lchown(b.work, int(who.UID), int(who.Groups[0]))
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// builder names the user that builds run as.
func (b *Bot) builder() string {
	if b.user != nil {
		return b.user.Name
	}
	return "the user that run-bot runs as"
}

// environ returns the environment of the buildlet. One that is root's at first
// takes what is for builds later.
func (b *Bot) environ() ([]string, error) {
	if b.user == nil {
		return append(append([]string{}, b.opts.Environ...), b.opts.BuildEnv...), nil
	}
	later, err := buildlet.EncodeEnv(b.opts.BuildEnv)
	return append(b.user.Environ(b.opts.Environ), later), err
}
