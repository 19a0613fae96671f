package buildlet

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gobuild/pkg/supervise"
)

// oomKills returns how many processes the kernel has killed for want of memory
// up to now: those of this process's control group where it counts them, else
// all of the machine's. It is 0 where that cannot be known.
func oomKills() int {
	if dir, version2 := supervise.ControlGroup("memory"); dir != "" {
		file := "memory.oom_control"
		if version2 {
			file = "memory.events"
		}
		if n, ok := oomCount(filepath.Join(dir, file)); ok {
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
