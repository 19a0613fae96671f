// Package accounttest has what tests need that run programs as another user.
package accounttest

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// OpenDir returns a temporary directory of the test that every user can look
// into, and so can those above it.
func OpenDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	Open(t, dir)
	return dir
}

// Open lets every user look into a directory that is among the temporary files,
// and into those above it there.
func Open(t testing.TB, dir string) {
	t.Helper()
	for top := filepath.Clean(os.TempDir()); dir != top && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// CopyProgram copies the test program, where the system shows it as Linux does.
func CopyProgram(t testing.TB, to string) {
	t.Helper()
	in, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	// What is started while a program is written would hold it open for a
	// moment, in which it cannot run.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
}
