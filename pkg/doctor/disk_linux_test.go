package doctor

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMounts looks at file systems that are mounted for it, in a mount
// namespace of its own, where this test runs itself again.
func TestMounts(t *testing.T) {
	const script = `mount -t tmpfs -o size=64m,$TEST_OPTIONS none "$TEST_MOUNT" && exec "$0" -test.run '^TestMounts$' -test.v`
	dir := os.Getenv("TEST_MOUNT")
	if dir == "" {
		for options, want := range map[string]string{"noexec": "noexec", "ro": "ro", "exec": "memory", "exec,size=8k": "full"} {
			t.Run(options, func(t *testing.T) {
				cmd := exec.Command("unshare", "--mount", "--map-root-user", "sh", "-c", script, os.Args[0])
				cmd.Env = append(os.Environ(), "TEST_MOUNT="+t.TempDir(), "TEST_OPTIONS="+options, "TEST_WANT="+want)
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.Contains(string(out), "--- PASS: TestMounts") {
					t.Fatalf("%v\n%s", err, out)
				}
			})
		}
		return
	}
	if os.Getenv("TEST_WANT") == "full" {
		file, err := os.Create(filepath.Join(dir, "file"))
		for err == nil {
			_, err = file.Write(make([]byte, 1<<10))
		}
		file.Close()
		found := examine(t, Options{For: TargetLUCI, WorkDir: dir}).disk(within(t))
		compare(t, found, expect{Fail, "^0 kB free of 8 kB, tmpfs", "free 1.0 GB more"}, expect{Fail, "cannot be written to: no space left on device$", "remove files"})
		os.Remove(file.Name())
		return
	}
	found := examine(t, Options{For: TargetCoordinator, WorkDir: dir}).disk(within(t))
	if !contains(found[0].Found, "MB free of 67 MB, tmpfs, for ") {
		t.Errorf("got %+v", found[0])
	}
	switch os.Getenv("TEST_WANT") {
	case "noexec":
		compare(t, found[1:], expect{Fail, "^programs cannot be executed in " + dir + ": permission denied$", "noexec"})
	case "ro":
		compare(t, found[1:], expect{Fail, "^" + dir + " cannot be written to: read-only file system$", "mount it for writing"})
	case "memory":
		compare(t, found[1:])
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
