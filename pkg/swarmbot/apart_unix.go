//go:build unix

package swarmbot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"gobuild/pkg/hint"
)

// account finds the bot's user, and makes sure that privileges are apart: that
// user can read the token and cannot read the key, nor put a link in the way of
// what the token daemon writes.
func (a Apart) account() (account, error) {
	who, err := lookUp(a.User)
	if err != nil {
		return who, err
	}
	if who.uid == 0 {
		return who, hint.With(fmt.Errorf("user %s is root, and so would be the bot and every task that it is given", a.User),
			"name a user of its own that owns nothing else, such as swarming")
	}
	d := a.Tokend
	if why, ok := who.reads(d.KeyFile); ok {
		return who, hint.With(fmt.Errorf("user %s can read the private key %s: %s", a.User, d.KeyFile, why),
			"every task of the bot could take it away; chown root %s; chmod 600 %[1]s", d.KeyFile)
	}
	for _, file := range append([]string{d.TokenFile, d.StatusFile}, d.Copies...) {
		dir := filepath.Dir(file)
		info, err := os.Stat(dir)
		switch {
		case file == "":
		case err != nil:
			return who, hint.With(err, "the directory has to be there: install -d -m 755 %s", dir)
		case who.owns(info) || who.may(info, 2):
			return who, hint.With(fmt.Errorf("user %s can write in %s, where root is to write %s", a.User, dir, filepath.Base(file)),
				"a task of the bot could put a link there: give the directory to root, mode 755")
		}
	}
	if dir := who.closed(d.TokenFile); dir != "" {
		return who, hint.With(fmt.Errorf("user %s cannot get at the token file %s: %s is closed", a.User, d.TokenFile, dir), "chmod 755 %s", dir)
	}
	return who, nil
}

// lookUp returns a user of this machine.
func lookUp(name string) (account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return account{}, hint.With(err, "make the bot's user first, with a home directory: useradd -m %s", name)
	}
	who := account{name: u.Username, home: u.HomeDir}
	number := func(text string) uint32 {
		n, parseErr := strconv.ParseUint(text, 10, 32)
		err = errors.Join(err, parseErr)
		return uint32(n)
	}
	who.uid, who.gid = number(u.Uid), number(u.Gid)
	who.groups = []uint32{who.gid}
	if ids, idsErr := u.GroupIds(); idsErr == nil { // not every system tells
		for _, id := range ids {
			if n := number(id); n != who.gid {
				who.groups = append(who.groups, n)
			}
		}
	}
	return who, err
}

// takes makes a command, not yet started, the account's.
func (who account) takes(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: who.uid, Gid: who.gid, Groups: who.groups}}
}

func (who account) owns(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && uint32(st.Uid) == who.uid
}

// may reports whether the mode of a file lets the account read (4), write (2)
// or pass (1).
func (who account) may(info fs.FileInfo, what fs.FileMode) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode().Perm(); {
	case !ok:
		return false
	case uint32(st.Uid) == who.uid:
		return mode&(what<<6) != 0
	case slices.Contains(who.groups, uint32(st.Gid)):
		return mode&(what<<3) != 0
	default:
		return mode&what != 0
	}
}

// closed returns the first directory on the way to a file that the account
// cannot pass, or "".
func (who account) closed(file string) string {
	dir := filepath.Dir(file)
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	dirs := []string{dir}
	for dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		dirs = append(dirs, dir)
	}
	for _, dir := range slices.Backward(dirs) {
		if info, err := os.Stat(dir); err != nil || !who.may(info, 1) {
			return dir
		}
	}
	return ""
}

// reads reports whether the account can read a file, and by what.
func (who account) reads(file string) (why string, ok bool) {
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	info, err := os.Stat(file)
	switch {
	case err != nil: // the token daemon has words for that
		return "", false
	case who.owns(info):
		return "it is that user's", true
	case who.may(info, 4) && who.closed(file) == "":
		return fmt.Sprintf("its mode is %04o", info.Mode().Perm()), true
	}
	return "", false
}
