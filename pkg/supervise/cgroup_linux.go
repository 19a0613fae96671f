package supervise

import (
	"os"
	"path/filepath"
	"strings"
)

// ControlGroup returns the directory of the control group of this process that
// a controller, such as "pids", is for, and whether it is of version 2. It is
// "" where there is none to be seen. What it returns changes when somebody
// moves the process.
func ControlGroup(controller string) (dir string, version2 bool) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", false
	}
	unified := ""
	for line := range strings.Lines(string(text)) {
		// hierarchy:controllers:path; version 2 has no controllers.
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 {
			continue
		}
		switch {
		case part[1] == controller:
			return usable(filepath.Join("/sys/fs/cgroup", controller), part[2]), false
		case part[0] == "0" && part[1] == "":
			unified = usable("/sys/fs/cgroup", part[2])
		}
	}
	return unified, true
}

// usable returns the directory of a group that this process sees, or "".
func usable(top, group string) string {
	dir := filepath.Join(top, group)
	if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err != nil {
		return ""
	}
	return dir
}
