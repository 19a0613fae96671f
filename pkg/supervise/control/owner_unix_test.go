//go:build unix

package control

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Root may keep a wish for a worker of another user's, and gives that user
// nothing else: not what a link in its directory leads to.
func TestRootGivesNothingElse(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	const uid = 54321
	top := t.TempDir()
	dir := filepath.Join(top, "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, uid, uid); err != nil {
		t.Fatal(err)
	}
	owner := func(file string) int {
		t.Helper()
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		return int(info.Sys().(*syscall.Stat_t).Uid)
	}
	if err := Save(dir, Wish{State: Paused}); err != nil {
		t.Fatal(err)
	}
	wish := filepath.Join(dir, wishFile)
	if got := owner(wish); got != uid {
		t.Errorf("the wish belongs to %d", got)
	}
	secret := filepath.Join(top, "shadow")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, link := range map[string]func(string, string) error{"hard link": os.Link, "symbolic link": os.Symlink} {
		if err := os.Remove(wish); err != nil {
			t.Fatal(err)
		}
		if err := link(secret, wish); err != nil {
			t.Fatal(err)
		}
		if err := giveTo(wish, dir); err == nil {
			t.Errorf("%s: no error", name)
		}
		if got := owner(secret); got != 0 {
			t.Fatalf("%s: root's file belongs to %d", name, got)
		}
	}
	leads := filepath.Join(top, "link")
	if err := os.Symlink(top, leads); err != nil {
		t.Fatal(err)
	}
	if err := Save(leads, Wish{State: Open}); err == nil || !strings.Contains(err.Error(), "no directory of run-bot's") {
		t.Errorf("a link as the directory: error %v", err)
	}
	if _, err := os.Stat(filepath.Join(top, wishFile)); err == nil {
		t.Error("root wrote where the link leads")
	}
}
