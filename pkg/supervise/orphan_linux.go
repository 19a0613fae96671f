package supervise

import (
	"os/exec"
	"syscall"
)

// endWithParent has the kernel ask cmd, not yet started, to end when the
// thread that starts it dies, be it by SIGKILL. The caller has to be locked to
// that thread.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM }

// killMarked kills the processes with mark.
func killMarked(mark string) {
	for _, pid := range Marked(mark) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// askToEnd asks a process of an earlier supervisor to end.
func askToEnd(pid int) { syscall.Kill(pid, syscall.SIGTERM) }
