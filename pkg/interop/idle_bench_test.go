package interop

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/netdial/dialtest"
)

const (
	// idleSettle is how long the workers have been idle when their memory is
	// first looked at, idleWatch how long that goes on: several heartbeats and
	// a trim are in it.
	idleSettle = 75 * time.Second
	idleWatch  = 75 * time.Second
)

// BenchmarkIdleMemory is the resident memory of workers that are registered
// with one coordinator and have nothing to do, side by side: upstream's
// buildlet, ours, and ours under run-bot with the two processes added up. The
// program is built as it is released. What counts is the largest of the looks.
func BenchmarkIdleMemory(b *testing.B) {
	released := filepath.Join(b.TempDir(), "gobuild")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", released, "./cmd/gobuild")
	build.Dir = modules["gobuild"]
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	addr, env := devFarm(b)
	upstream := start(b, nil, "buildlet", "-coordinator="+addr, "-reverse-type="+hostType, "-hostname=upstream",
		"-workdir="+b.TempDir(), "-health-addr="+dialtest.FreeAddr(b), "-halt=false", "-reboot=false")
	// An absolute path stays as it is behind the directory of programs.
	program, err := filepath.Rel(bin, released)
	if err != nil {
		b.Fatal(err)
	}
	buildlet := start(b, env, program, "buildlet", "--dev", "--reverse-type="+hostType, "--hostname=buildlet", "--workdir="+b.TempDir(), "--health-addr=")
	worker := start(b, env, program, "run-bot", "--dev", "--host-type="+hostType, "--hostname=run-bot", "--workdir="+b.TempDir())
	for _, name := range []string{"upstream", "buildlet", "run-bot"} {
		idle(b, env, name)
	}
	time.Sleep(idleSettle)
	roots := map[string]int{"upstream": upstream.cmd.Process.Pid, "gobuild": buildlet.cmd.Process.Pid, "run-bot+buildlet": worker.cmd.Process.Pid}
	most := map[string]float64{}
	// Whatever b.N is: it does not take longer for being looked at more often.
	for end := time.Now().Add(idleWatch); time.Now().Before(end); time.Sleep(time.Second) {
		for name, pid := range roots {
			rss, pss := residentTree(b, pid)
			most[name+"-MB"] = max(most[name+"-MB"], rss)
			most[name+"-pss-MB"] = max(most[name+"-pss-MB"], pss)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(most)) {
		b.ReportMetric(most[name], name)
	}
}

// residentTree returns the resident memory of a process and its children, and
// their share of what they have in common with others, in MB.
func residentTree(b *testing.B, pid int) (rss, pss float64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		field := strings.Fields(line)
		kB, _ := strconv.ParseFloat(field[1], 64)
		switch field[0] {
		case "Rss:":
			rss += kB * 1024 / 1e6
		case "Pss:":
			pss += kB * 1024 / 1e6
		}
	}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		children, _ := os.ReadFile(task)
		for child := range strings.FieldsSeq(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				r, p := residentTree(b, n)
				rss, pss = rss+r, pss+p
			}
		}
	}
	return rss, pss
}
