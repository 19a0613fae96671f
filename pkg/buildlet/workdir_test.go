//go:build unix

package buildlet

import (
	"os"
	"path/filepath"
	"testing"

	"gobuild/pkg/hint"
)

func TestPrepareWorkDirGiven(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, "kept")
	if err := os.WriteFile(kept, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := PrepareWorkDir(dir, "host-x-y")
	if err != nil || got != dir {
		t.Errorf("%q, %v, want %q", got, err, dir)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("a directory that was named was emptied: %v", err)
	}
	for _, bad := range []string{kept, filepath.Join(dir, "none")} {
		if _, err := PrepareWorkDir(bad, ""); err == nil || hint.Of(err) == "" {
			t.Errorf("%s: error %v, hint %q", bad, err, hint.Of(err))
		}
	}
}

func TestPrepareWorkDirDefault(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	for hostType, name := range map[string]string{"host-x-y": "workdir-host-x-y", "": "workdir"} {
		want := filepath.Join(tmp, name)
		for range 2 {
			got, err := PrepareWorkDir("", hostType)
			if err != nil || got != want {
				t.Fatalf("%q, %v, want %q", got, err, want)
			}
			if left, _ := os.ReadDir(got); len(left) > 0 {
				t.Errorf("%s was not emptied: %v", got, left)
			}
			if err := os.MkdirAll(filepath.Join(got, "old", "deep"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A directory that somebody else may have prepared is not used.
func TestPrepareWorkDirNotOurs(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	elsewhere := t.TempDir()
	kept := filepath.Join(elsewhere, "kept")
	if err := os.WriteFile(kept, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(tmp, "workdir-host-link")); err != nil {
		t.Fatal(err)
	}
	if _, err := PrepareWorkDir("", "host-link"); err == nil || hint.Of(err) == "" {
		t.Errorf("a link: error %v, hint %q", err, hint.Of(err))
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("what the link leads to was emptied: %v", err)
	}
	if os.Getuid() != 0 {
		return // only root can make what is another's
	}
	foreign := filepath.Join(tmp, "workdir-host-foreign")
	if err := os.Mkdir(foreign, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(foreign, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, err := PrepareWorkDir("", "host-foreign"); err == nil {
		t.Error("a directory of somebody else's was taken")
	}
}
