//go:build !unix

package doctor

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"gobuild/pkg/account"
)

// writeProgram makes a file in dir; there is no need to run it.
func writeProgram(dir string) (file string, err error) {
	file = filepath.Join(dir, "probe")
	return file, os.WriteFile(file, []byte("probe\n"), 0o600)
}

// canExecute does not try: neither Windows nor Plan 9 has file systems from
// which nothing may be run.
func canExecute(context.Context, string) error { return nil }

// sameVolume reports whether two files are on one drive.
func sameVolume(a, b string) bool {
	return strings.EqualFold(filepath.VolumeName(a), filepath.VolumeName(b))
}

// ownGroup leaves a program as it is: here none can be run as another user.
func ownGroup(_ *exec.Cmd, as *account.Account) error {
	if as != nil {
		return errors.New("cannot be asked on " + ownPort())
	}
	return nil
}
