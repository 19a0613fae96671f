//go:build unix

package doctor

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"gobuild/pkg/account"
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
func ownGroup(cmd *exec.Cmd, as *account.Account) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if as != nil {
		cmd.Dir = "/"
		as.Run(cmd)
	}
	return nil
}
