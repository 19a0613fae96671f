//go:build unix

package doctor

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// writeProgram makes a program in dir that does nothing.
func writeProgram(dir string) (file string, err error) {
	file = filepath.Join(dir, "probe")
	return file, os.WriteFile(file, []byte("#!/bin/sh\nexit 0\n"), 0o700)
}

// canExecute tries whether a program can be run.
func canExecute(ctx context.Context, program string) error {
	for range 5 {
		_, err := output(ctx, program)
		// Another check may have started a program while the file was open
		// for writing, which that program has inherited for a moment.
		if !errors.Is(err, syscall.ETXTBSY) {
			var pathErr *os.PathError
			if errors.As(err, &pathErr) {
				return pathErr.Err
			}
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return syscall.ETXTBSY
}

// sameVolume reports whether two files are on one file system.
func sameVolume(a, b string) bool {
	var x, y syscall.Stat_t
	return syscall.Stat(a, &x) == nil && syscall.Stat(b, &y) == nil && x.Dev == y.Dev
}

// ownGroup makes a program the first of a process group, which is ended as a
// whole, and has it run as another user, if there is one.
func ownGroup(cmd *exec.Cmd, as *account) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if as != nil {
		cmd.Dir = "/"
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: as.uid, Gid: as.groups[0], Groups: as.groups}
	}
	return nil
}

// lookupAccount returns a user of this machine, nil if there is none of that
// name.
func lookupAccount(name string) *account {
	u, err := user.Lookup(name)
	if err != nil {
		return nil
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err1 != nil || err2 != nil {
		return nil
	}
	a := &account{uid: uint32(uid), groups: []uint32{uint32(gid)}}
	ids, _ := u.GroupIds()
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil && n != gid {
			a.groups = append(a.groups, uint32(n))
		}
	}
	return a
}
