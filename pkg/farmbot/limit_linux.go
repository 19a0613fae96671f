package farmbot

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gobuild/pkg/supervise"
)

// canCount is whether the processes of a program can be found.
const canCount = true

// kill kills processes.
func kill(pids []int) {
	for _, pid := range pids {
		unix.Kill(pid, unix.SIGKILL)
	}
}

// seesOthers reports whether this process may see the environment of those of
// other users, by which what builds leave is found.
func seesOthers() bool {
	text, err := os.ReadFile("/proc/self/status")
	_, after, found := bytes.Cut(text, []byte("\nCapEff:\t"))
	if err != nil || !found {
		return true
	}
	line, _, _ := bytes.Cut(after, []byte("\n"))
	caps, err := strconv.ParseUint(string(line), 16, 64)
	return err != nil || caps&(1<<unix.CAP_SYS_PTRACE) != 0
}

// threads is how many threads a process may have on the average: the kernel
// counts threads, and those of Go have some.
const threads = 16

// hardLimit has the kernel limit the processes of a program that has just been
// started, in a control group of the given name. Count, if not nil, counts
// them and their threads. Root is whether they are that user's.
func hardLimit(name string, pid, most int, root bool) (count func() int, how string, free func()) {
	most = most*threads + slack
	if all, err := readNumber("/proc/sys/kernel/pid_max"); err == nil {
		most = min(most, all/4*3)
	}
	if dir, ok := pidsGroup(name, pid, most); ok {
		count = func() int {
			n, _ := readNumber(filepath.Join(dir, "pids.current"))
			return n
		}
		// It goes only when all in it have ended.
		return count, fmt.Sprintf("pids.max %d of %s", most, dir), func() { os.Remove(dir) }
	}
	if !root { // who has no such limit
		// This counts all processes of the user, threads included.
		limit := unix.Rlimit{Cur: uint64(most), Max: uint64(most)}
		if unix.Prlimit(pid, unix.RLIMIT_NPROC, &limit, nil) == nil {
			return nil, fmt.Sprintf("RLIMIT_NPROC %d", most), func() {}
		}
	}
	return nil, "", func() {}
}

// pidsGroup puts a process into a control group of its own whose number of
// processes, threads included, is limited, below that of this process.
func pidsGroup(name string, pid, most int) (dir string, ok bool) {
	own, version2 := supervise.ControlGroup("pids")
	if own == "" {
		return "", false
	}
	if filepath.Base(own) == leafName {
		own = filepath.Dir(own) // that is where this process has put itself
	}
	dir = filepath.Join(own, name)
	if version2 && !lendPids(own) {
		return "", false
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
		return "", false
	}
	write := func(file string, n int) bool {
		return os.WriteFile(filepath.Join(dir, file), []byte(strconv.Itoa(n)), 0) == nil
	}
	if !write("pids.max", most) || !write("cgroup.procs", pid) {
		os.Remove(dir)
		return "", false
	}
	return dir, true
}

// leafName is the group that this process puts itself into.
const leafName = "gobuild-run-bot"

// lendPids lets the groups below dir limit processes. The kernel allows that
// only to a group that has no processes itself: this one goes into one below.
func lendPids(dir string) bool {
	control := filepath.Join(dir, "cgroup.subtree_control")
	has := func() bool {
		text, err := os.ReadFile(control)
		return err == nil && bytes.Contains(append(append([]byte(" "), bytes.TrimSpace(text)...), ' '), []byte(" pids "))
	}
	if has() {
		return true
	}
	procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	for _, field := range bytes.Fields(procs) {
		if n, _ := strconv.Atoi(string(field)); n != os.Getpid() && !childOfOurs(n) {
			return false // others live there
		}
	}
	if err != nil {
		return false
	}
	leaf := filepath.Join(dir, leafName)
	if err := os.Mkdir(leaf, 0o755); err != nil && !os.IsExist(err) {
		return false
	}
	for _, field := range bytes.Fields(procs) {
		if os.WriteFile(filepath.Join(leaf, "cgroup.procs"), field, 0) != nil {
			return false
		}
	}
	return os.WriteFile(control, []byte("+pids"), 0) == nil || has()
}

// childOfOurs reports whether this process is the parent of pid.
func childOfOurs(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return true // it has gone
	}
	_, after, _ := bytes.Cut(text, []byte("\nPPid:"))
	field := bytes.Fields(after)
	if len(field) == 0 {
		return false
	}
	parent, _ := strconv.Atoi(string(field[0]))
	return parent == os.Getpid()
}

func readNumber(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
