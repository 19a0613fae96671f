package buildlet

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gobuild/pkg/plain"
	"gobuild/pkg/supervise"
)

// sweepRounds bounds the hunt for processes that start others as fast as they
// are killed.
const sweepRounds = 50

// sweepStrays kills what has escaped from the server's commands: the processes
// with its mark, and those of its user that run in the work directory, or
// whose program lies there. It returns what it has found.
func (s *Server) sweepStrays() []Stray {
	all := []Stray{}
	index := map[int]int{} // by process number
	for range sweepRounds {
		left := s.strays()
		for i := range all {
			all[i].Lives = false
		}
		for _, pid := range left {
			i, known := index[pid]
			if !known {
				i = len(all)
				index[pid] = i
				all = append(all, Stray{PID: pid, Command: commandName(pid)})
			}
			all[i].Lives = true
			unix.Kill(pid, unix.SIGKILL)
		}
		if len(left) == 0 {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	return all
}

// strays returns the living processes that sweepStrays is about.
func (s *Server) strays() []int {
	found := supervise.Marked(s.mark)
	own := familyOf(os.Getpid())
	work, err := filepath.EvalSymlinks(s.work)
	if err != nil {
		work = s.work
	}
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || own[pid] || slices.Contains(found, pid) {
			continue
		}
		dir := "/proc/" + entry.Name()
		var st unix.Stat_t
		if unix.Stat(dir, &st) != nil || int(st.Uid) != os.Geteuid() {
			continue
		}
		if group, err := unix.Getpgid(pid); err == nil && group == unix.Getpgrp() {
			continue // started with us, as the other end of a pipe is
		}
		if linkInside(dir+"/cwd", work) || linkInside(dir+"/exe", work) {
			found = append(found, pid)
		}
	}
	return found
}

// linkInside reports whether a link of /proc leads to dir or below.
func linkInside(link, dir string) bool {
	to, err := os.Readlink(link)
	if err != nil {
		return false
	}
	to = strings.TrimSuffix(to, " (deleted)")
	return to == dir || strings.HasPrefix(to, dir+"/")
}

// familyOf returns pid and its ancestors.
func familyOf(pid int) map[int]bool {
	family := map[int]bool{}
	for pid > 0 && !family[pid] {
		family[pid] = true
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			break
		}
		// The name, in parentheses, may have anything in it.
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) < 2 {
			break
		}
		pid, _ = strconv.Atoi(string(fields[1]))
	}
	return family
}

// commandName returns the name that the system shows for a process.
func commandName(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return "?"
	}
	return plain.Line(string(text), maxBy)
}
