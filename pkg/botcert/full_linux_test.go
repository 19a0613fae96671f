package botcert

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gobuild/pkg/hint"
)

// TestFullDisk makes a host's files where there is room for some of them: on
// a small tmpfs in a mount namespace of its own, where this test runs itself
// again.
func TestFullDisk(t *testing.T) {
	dir := os.Getenv("TEST_FULL_DISK")
	if dir == "" {
		dir = t.TempDir()
		cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--map-root-user", "sh", "-c",
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
	// The tmpfs has 16 pages: of three files of one page, none to two fit.
	for _, forced := range []bool{false, true} {
		for free := range 3 {
			sub := filepath.Join(dir, "host")
			if err := os.Mkdir(sub, 0o700); err != nil {
				t.Fatal(err)
			}
			key := filepath.Join(sub, testHost+".key")
			if forced {
				write(t, sub, testHost+".key", []byte("old"))
			}
			fill(t, dir, free)
			before := contents(t, sub)
			made := []newFile{{key, []byte("new")}, {filepath.Join(sub, "csr"), []byte("new")}, {filepath.Join(sub, "csr.txt"), []byte("new")}}
			_, err := writeAll(made, forced, now)
			if err == nil || !strings.Contains(hint.Of(err), "full") {
				t.Errorf("forced %v, %d pages free: error %v, hint %q", forced, free, err, hint.Of(err))
			}
			same(t, sub, before)
			for _, path := range []string{sub, filepath.Join(dir, "ballast")} {
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// fill leaves a number of pages free on the file system of dir.
func fill(t *testing.T, dir string, free int) {
	t.Helper()
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	n := 0
	for ; ; n++ {
		if _, err := f.Write(page); err != nil {
			break
		}
	}
	if err := f.Truncate(int64(n-free) * 4096); err != nil {
		t.Fatal(err)
	}
}
