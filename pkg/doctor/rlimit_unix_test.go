//go:build unix

package doctor

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestRlimits runs itself again below limits of a shell's.
func TestRlimits(t *testing.T) {
	if os.Getenv("TEST_RLIMITS") != "" {
		e := examine(t, Options{Root: t.TempDir()})
		compare(t, e.files(t.Context()), expect{Warn, "^200$", "LimitNOFILE"})
		if found := e.memory(t.Context())[0]; !contains(found.Found, `limit of the process \(ulimit -d\)`) {
			t.Errorf("memory: %+v", found)
		}
		return
	}
	cmd := exec.Command("sh", "-c", `ulimit -n 200 && ulimit -d 800000 && exec "$0" -test.run '^TestRlimits$' -test.v`, os.Args[0])
	cmd.Env = append(os.Environ(), "TEST_RLIMITS=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestRlimits") {
		t.Fatalf("%v\n%s", err, out)
	}
	if n, known := filesLimit(); !known || n == 0 {
		t.Errorf("here it is %d, %v", n, known)
	}
}
