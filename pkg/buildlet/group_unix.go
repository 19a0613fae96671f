//go:build unix

package buildlet

import (
	"os/exec"
	"syscall"
	"time"
)

// newGroup makes cmd, not yet started, the leader of a group of its own.
func newGroup(cmd *exec.Cmd, cookie string) *group {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return &group{
		cmd: cmd, cookie: cookie, began: time.Now(),
		signal: func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) },
		close:  func() {},
	}
}

// started is called once the command runs.
func (g *group) started() error { return nil }
