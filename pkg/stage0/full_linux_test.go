package stage0

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gobuild/pkg/hint"
)

// On a full disk nothing is changed, and nothing left lying about.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root mounts a small file system")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("no small file system: %v", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	m := newFarm(t)
	old := variant("u-1")
	m.publish(old, 1)
	f := m.fetcher()
	f.File = filepath.Join(dir, "buildlet.exe")
	fetch(t, f)
	m.publish(variant("u-2"), 2)
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request, []byte) bool{
		"seen before": nil,
		"seen when it is full": func(w http.ResponseWriter, r *http.Request, content []byte) bool {
			if !m.isProgram(r) {
				return false
			}
			w.Write(content[:1000]) // without a length
			http.NewResponseController(w).Flush()
			w.Write(content[1000:])
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			m.setFault(fault)
			_, err := f.Fetch(t.Context())
			if err == nil || !strings.Contains(hint.Of(err), "is full; nothing was changed") {
				t.Fatalf("%v\nhint: %s", err, hint.Of(err))
			}
			holds(t, f, old)
			if _, err := os.Stat(f.File + ".part"); err == nil {
				t.Error("a part takes room")
			}
		})
	}
	// Room was made.
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	m.setFault(nil)
	fetch(t, f)
	holds(t, f, variant("u-2"))
}
