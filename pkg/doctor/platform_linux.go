package doctor

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	homeVariable = "HOME"
	// shutdown is the program by which the Swarming bot restarts the machine
	// (LUCI protocol, section 9.6); so is hardReset, which it runs even if
	// the first succeeds.
	shutdown  = "/sbin/shutdown"
	hardReset = "/sbin/reboot -f"
)

// processList reads /proc. A process that ends meanwhile is left out.
func (e *exam) processList(context.Context) ([]process, error) {
	entries, err := os.ReadDir(e.path("/proc"))
	if err != nil {
		return nil, err
	}
	var list []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join("/proc", entry.Name())
		// PID (NAME) STATE PPID ..., where NAME may hold anything.
		stat := e.read(filepath.Join(dir, "stat"))
		after := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
		args := strings.Split(strings.TrimRight(e.read(filepath.Join(dir, "cmdline")), "\x00"), "\x00")
		if len(after) < 2 || args[0] == "" {
			continue
		}
		parent, _ := strconv.Atoi(after[1])
		list = append(list, process{pid, parent, args})
	}
	return list, nil
}
