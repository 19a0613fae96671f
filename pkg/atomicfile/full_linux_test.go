package atomicfile

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gobuild/pkg/hint"
)

// TestFullDisk writes to a file system that is full: a small tmpfs in a mount
// namespace of its own, where this test runs itself again.
func TestFullDisk(t *testing.T) {
	dir := os.Getenv("TEST_FULL_DISK")
	if dir == "" {
		dir = t.TempDir()
		cmd := exec.Command("unshare", "--mount", "--map-root-user", "sh", "-c",
			`mount -t tmpfs -o size=64k none "$TEST_FULL_DISK" && exec "$0" -test.run '^TestFullDisk$' -test.v`, os.Args[0])
		cmd.Env = append(os.Environ(), "TEST_FULL_DISK="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if !strings.Contains(string(out), "--- PASS: TestFullDisk") {
			t.Fatalf("the test did not run there:\n%s", out)
		}
		return
	}
	path := filepath.Join(dir, "token")
	if err := Replace(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]error{
		"Replace":  Replace(path, make([]byte, 100<<10), 0o600),
		"WriteNew": WriteNew(filepath.Join(dir, "new"), make([]byte, 100<<10), 0o600),
	} {
		if write == nil || !strings.Contains(hint.Of(write), "full") {
			t.Errorf("%s: error %v, hint %q", name, write, hint.Of(write))
		}
	}
	check(t, path, "old", 0o600)
}
