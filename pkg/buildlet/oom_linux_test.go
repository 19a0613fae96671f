package buildlet

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/supervise"
)

// inGroup names, in a test of its own process, the control group to join.
const inGroup = "GOBUILD_TEST_MEMORY_GROUP"

// Who is told that a command was killed is told that it was for want of
// memory: here, in a control group with a limit.
func TestOutOfMemory(t *testing.T) {
	if dir := os.Getenv(inGroup); dir != "" {
		outOfMemory(t, dir)
		return
	}
	dir := limitedGroup(t, 400<<20)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOutOfMemory$", "-test.v")
	cmd.Env = append(os.Environ(), inGroup+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestOutOfMemory")) {
		t.Errorf("%v\n%s", err, out)
	}
}

func outOfMemory(t *testing.T, dir string) {
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
		t.Fatal(err)
	}
	s := serve(t, Options{})
	// tail keeps all that has no line end, and is to be the first to go.
	const hog = "echo 1000 >/proc/self/oom_score_adj; exec tail /dev/zero"
	const told = "\ngobuild: while the command ran, the kernel killed a process for want of memory\n"
	out, state := s.sh(hog)
	if out != told || state.Text != "signal: killed (out of memory)" || state.Code() != 137 || !state.Started() {
		t.Errorf("%q, %q, exit code %d", out, state.Text, state.Code())
	}
	// A child of the command goes.
	out, state = s.sh("(" + hog + "); exit 3")
	if !strings.HasSuffix(out, told) || state.Text != "exit status 3" {
		t.Errorf("%q, %q", out, state.Text)
	}
	if out, state = s.sh("(" + hog + ") 2>/dev/null; true"); strings.Contains(out, "gobuild:") || !state.OK() {
		t.Errorf("of one that did not mind: %q, %q", out, state.Text)
	}
	if out, state = s.sh("exit 4"); out != "" || state.Text != "exit status 4" {
		t.Errorf("of another: %q, %q", out, state.Text)
	}
}

// limitedGroup makes a control group with a limit of memory, of either version.
func limitedGroup(t *testing.T, limit int) string {
	t.Helper()
	own, version2 := supervise.ControlGroup("memory")
	file := "memory.limit_in_bytes"
	if version2 {
		file = "memory.max"
	}
	dir := filepath.Join(own, "gobuild-test-"+strconv.Itoa(os.Getpid()))
	if own != "" && os.Mkdir(dir, 0o755) == nil {
		t.Cleanup(func() {
			for range 100 { // its last process may not be gone yet
				if os.Remove(dir) == nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
			t.Errorf("%s is left", dir)
		})
		if os.WriteFile(filepath.Join(dir, file), []byte(strconv.Itoa(limit)), 0) == nil {
			return dir
		}
	}
	t.Skip("no control group with a limit of memory can be made here")
	return ""
}
