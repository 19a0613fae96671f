package buildlet

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// oomKills returns how many processes the kernel has killed for want of memory
// up to now: those of this process's control group where it counts them, else
// all of the machine's. It is 0 where that cannot be known.
func oomKills() int {
	groups, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(groups)) {
		// hierarchy:controllers:path; version 2 has no controllers.
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 {
			continue
		}
		file := ""
		switch part[1] {
		case "memory":
			file = filepath.Join("/sys/fs/cgroup/memory", part[2], "memory.oom_control")
		case "":
			file = filepath.Join("/sys/fs/cgroup", part[2], "memory.events")
		default:
			continue
		}
		if n, ok := oomCount(file); ok {
			return n
		}
	}
	n, _ := oomCount("/proc/vmstat")
	return n
}

// oomCount reads the line oom_kill of a file of counters.
func oomCount(file string) (int, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			return n, err == nil
		}
	}
	return 0, false
}
