//go:build unix

package account

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"gobuild/pkg/hint"
)

const supported = true

// Run has cmd, not yet started, run as this user, for which this process has to
// be root. A terminal that it shares with this process it could type into: it is
// to have a session of its own.
func (a Account) Run(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.UID, Gid: a.Groups[0], Groups: a.Groups}
}

// Owns reports whether a file is this user's.
func (a Account) Owns(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid == a.UID
}

// May reports whether the owner and mode of a file let this user read (4),
// write (2) or pass (1). It knows nothing of access lists.
func (a Account) May(info fs.FileInfo, right fs.FileMode) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode().Perm(); {
	case !ok:
		return false
	case st.Uid == a.UID:
		return mode&(right<<6) != 0
	case slices.Contains(a.Groups, st.Gid):
		return mode&(right<<3) != 0
	default:
		return mode&right != 0
	}
}

// Closed returns the first directory on the way to a file that this user cannot
// pass, or "".
func (a Account) Closed(file string) string {
	for dir := range above(file) {
		if info, err := os.Stat(dir); err != nil || !a.May(info, 1) {
			return dir
		}
	}
	return ""
}

// maxLinks bounds the links on the way to a file, as kernels do.
const maxLinks = 40

// Replaces returns the first directory on the way to a file, and on that of the
// links there, in which this user could put something else in place of what
// leads to it, or "". Whether the file itself can be changed is for Changes.
func (a Account) Replaces(file string) string {
	names := func(path string) []string { return strings.Split(filepath.Clean(path), "/") }
	dir, rest := "/", names(file)
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			dir = filepath.Dir(dir)
			continue
		}
		info, err := os.Stat(dir)
		if err != nil {
			return ""
		}
		writes := a.May(info, 2)
		if a.Owns(info) || writes && info.Mode()&fs.ModeSticky == 0 {
			return dir
		}
		entry := filepath.Join(dir, name)
		at, err := os.Lstat(entry)
		switch {
		case err != nil && writes, err == nil && writes && a.Owns(at):
			return dir // it can be made there, or is that user's to remove
		case err != nil:
			return ""
		case at.Mode()&fs.ModeSymlink == 0:
			dir = entry
			continue
		}
		target, err := os.Readlink(entry)
		if links++; err != nil || links > maxLinks {
			return ""
		}
		if filepath.IsAbs(target) {
			dir = "/"
		}
		rest = append(names(target), rest...)
	}
	return ""
}

// Changes reports what lets this user change what is found at a file: a
// directory on the way, or the file itself; or "".
func (a Account) Changes(file string) string {
	if dir := a.Replaces(file); dir != "" {
		return dir
	}
	if info, err := os.Stat(file); err == nil && (a.Owns(info) || a.May(info, 2)) {
		return file
	}
	return ""
}

// Reads reports whether this user can read a file, and by what.
func (a Account) Reads(file string) (why string, ok bool) {
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	info, err := os.Stat(file)
	switch {
	case err != nil: // who needs the file has words for that
		return "", false
	case a.Owns(info):
		return "it is that user's", true
	case a.May(info, 4) && a.Closed(file) == "":
		return fmt.Sprintf("its mode is %04o", info.Mode().Perm()), true
	}
	return "", false
}

// above yields the directories that lead to a file, from the top, links
// resolved.
func above(file string) func(yield func(string) bool) {
	dir := filepath.Dir(file)
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	dirs := []string{dir}
	for dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		dirs = append(dirs, dir)
	}
	return func(yield func(string) bool) {
		for _, dir := range slices.Backward(dirs) {
			if !yield(dir) {
				return
			}
		}
	}
}

// Become makes this process, which has to be root's, the user's for good. What
// it has read before, the user's other programs cannot read in its memory: the
// kernels let only root trace a process that has changed its user and not its
// program since.
func (a Account) Become() error {
	groups := make([]int, len(a.Groups))
	for i, g := range a.Groups {
		groups[i] = int(g)
	}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"groups", func() error { return syscall.Setgroups(groups) }},
		{"group", func() error { return syscall.Setgid(groups[0]) }},
		{"user", func() error { return syscall.Setuid(int(a.UID)) }},
	} {
		if err := step.do(); err != nil {
			return hint.With(fmt.Errorf("become user %s: set the %s: %w", a.Name, step.what, err), "only root may become another user")
		}
	}
	if a.UID != 0 && syscall.Setuid(0) == nil {
		return fmt.Errorf("become user %s: this process can become root again", a.Name)
	}
	return hideMemory()
}
