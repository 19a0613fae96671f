//go:build unix

package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// canExecute tries whether a program in dir can be run, by making one.
func canExecute(ctx context.Context, dir string) error {
	program := filepath.Join(dir, "probe")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexit 0\n"), 0o700); err != nil {
		return err
	}
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
