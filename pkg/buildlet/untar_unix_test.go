//go:build unix

package buildlet

import (
	"archive/tar"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const unprivilegedEnv = "BUILDLET_TEST_UNPRIVILEGED"

// unprivileged runs the test as a user to whom modes mean something. It
// returns false in root's process, once another has run it.
func unprivileged(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return true
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "buildlet-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip(err)
	}
	bin := filepath.Join(dir, "test")
	if err := os.WriteFile(bin, self, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-test.run=^"+t.Name()+"$", "-test.timeout=1m")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "HOME="+dir, unprivilegedEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("as another user: %v\n%s", err, out)
	}
	return false
}

func TestUntarModes(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	s := serve(t, Options{})
	s.put("there", "old", 0o600)
	withMode := func(h tar.Header, mode int64) tar.Header { h.Mode = mode; return h }
	s.unpack("", archive(t,
		withMode(file("there", "new"), 0o755), withMode(file("ro", ""), 0o444), withMode(file("all", ""), 0o777),
		withMode(file("setuid", ""), 0o4755), withMode(file("sticky", ""), 0o3644), dir("d", 0o1777), dir("e", 0o750)))
	for name, want := range map[string]fs.FileMode{
		"there": 0o755, "ro": 0o444, "all": 0o777, "setuid": 0o755, "sticky": 0o644,
		"d": fs.ModeDir | 0o777, "e": fs.ModeDir | 0o750,
	} {
		if info, err := os.Stat(s.path(name)); err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, want %v (%v)", name, info.Mode(), want, err)
		}
	}
}

// Read-only directories take their content, and have their mode and time at
// the end, in whatever order the entries come.
func TestUntarReadOnlyDirectories(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	s := serve(t, Options{})
	s.unpack("m", archive(t, dir("a", 0o555), dir("a/b", 0o500), file("a/b/f", "x"), file("a/g", "y"), link("a/l", "g"),
		dir("z/y", 0o555), dir("z", 0o111), dir("twice", 0o700), dir("twice", 0o555)))
	for name, want := range map[string]fs.FileMode{"m/a": 0o555, "m/a/b": 0o500, "m/z/y": 0o555, "m/z": 0o111, "m/twice": 0o555} {
		info, err := os.Stat(s.path(name))
		if err != nil || info.Mode().Perm() != want || !info.ModTime().Equal(day) {
			t.Errorf("%s: %v %v, want %v (%v)", name, info.Mode(), info.ModTime(), want, err)
		}
	}
	if s.content("m/a/b/f") != "x" || s.content("m/a/l") != "y" {
		t.Error("contents differ")
	}
	if status, body := s.do("POST", "/removeall?path=.", nil); status != 200 {
		t.Errorf("removeall: %d %q", status, body)
	}
	if got := names(t, s.work); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
}

// An archive's entry for its own top does not lock the work directory.
func TestUntarTopDirectory(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	s := serve(t, Options{})
	s.unpack("", archive(t, dir("./", 0o555), file("./f", "x")))
	s.unpack("sub", archive(t, dir("./", 0o711), file("./f", "x")))
	if info, err := os.Stat(s.work); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the work directory has mode %v (%v)", info.Mode(), err)
	}
	if info, err := os.Stat(s.path("sub")); err != nil || info.Mode().Perm() != 0o711 {
		t.Errorf("sub has mode %v (%v)", info.Mode(), err)
	}
}

// Read-only trees are removed, be it the work directory's own content.
func TestRemoveReadOnly(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	s := serve(t, Options{})
	fill := func() {
		s.put("ro/a/b/f", "x", 0o444)
		s.put("ro/g", "x", 0)
		s.put("kept/f", "x", 0o400)
		if err := os.Symlink("../kept", s.path("ro/link")); err != nil {
			t.Fatal(err)
		}
		for _, d := range []string{"ro/a/b", "ro/a", "ro", "kept"} {
			if err := os.Chmod(s.path(d), map[string]os.FileMode{"ro/a": 0, "kept": 0o555}[d]|0o111); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill()
	if status, body := s.do("POST", "/removeall?path=ro", nil); status != 200 || slices.Contains(names(t, s.work), "ro") {
		t.Errorf("removeall: %d %q; left %q", status, body, names(t, s.work))
	}
	if info, err := os.Stat(s.path("kept/f")); err != nil || info.Mode() != 0o400 {
		t.Errorf("what a link led to has changed: %v (%v)", info.Mode(), err)
	}
	for _, mode := range []os.FileMode{0o755, 0o555, 0} {
		os.Chmod(s.path("kept"), 0o755)
		if mode != 0o755 {
			fill()
		}
		if err := os.Chmod(s.work, mode); err != nil {
			t.Fatal(err)
		}
		if status, body := s.do("POST", "/removeall?path=.", nil); status != 200 {
			t.Errorf("removeall of . with mode %v: %d %q", mode, status, body)
		}
		os.Chmod(s.work, 0o755)
		if got := names(t, s.work); len(got) != 0 {
			t.Errorf("left: %q", strings.Join(got, " "))
		}
	}
}
