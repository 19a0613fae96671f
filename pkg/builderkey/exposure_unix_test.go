//go:build !windows && !plan9

package builderkey

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Who else may read a key file is said. A file of root's may be a group's.
func TestExposure(t *testing.T) {
	root := os.Getuid() == 0
	for _, tt := range []struct {
		mode    os.FileMode
		ofRoot  bool
		warning string
	}{
		{0o600, false, ""},
		{0o400, false, ""},
		{0o640, false, "its group can get at the key"},
		{0o620, false, "its group can get at the key"},
		{0o644, false, "everybody on this machine"},
		{0o604, true, "everybody on this machine"},
		{0o640, true, ""},
	} {
		if tt.ofRoot && !root {
			continue
		}
		file := filepath.Join(t.TempDir(), "key")
		write(t, file, "0123456789abcdef0123456789abcdef\n")
		if err := os.Chmod(file, tt.mode); err != nil {
			t.Fatal(err)
		}
		if root && !tt.ofRoot {
			if err := os.Chown(file, 65534, 65534); err != nil {
				t.Fatal(err)
			}
		}
		found, err := ReadKey(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(found.Warnings, "\n")
		if (tt.warning == "") != (text == "") || !strings.Contains(text, tt.warning) {
			t.Errorf("mode %04o, root's %v: warning %q, want %q", tt.mode, tt.ofRoot, text, tt.warning)
		}
		if found.Mode.Perm() != tt.mode {
			t.Errorf("mode %v, want %v", found.Mode, tt.mode)
		}
	}
}

// A pipe that nobody writes to is not waited for.
func TestReadKeyPipe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pipe")
	// Not every system's syscall package has Mkfifo.
	if err := exec.Command("mkfifo", file).Run(); err != nil {
		t.Skip(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := ReadKey(file)
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("error %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("reading a pipe hangs")
	}
}

func TestReadKeyUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	file := filepath.Join(t.TempDir(), "key")
	write(t, file, "abc")
	if err := os.Chmod(file, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKey(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v, want one that names the file", err)
	}
}

// A link to a key file is followed.
func TestReadKeyLink(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "key"), "abc")
	link := filepath.Join(dir, "link")
	if err := os.Symlink("key", link); err != nil {
		t.Fatal(err)
	}
	if found, err := ReadKey(link); err != nil || found.Key != "abc" || found.File != link {
		t.Errorf("%v, %v", found, err)
	}
}
