//go:build unix

package supervise

import (
	"os/exec"
	"syscall"
	"time"
)

// NewGroup makes cmd, not yet started, the leader of a group of its own.
func NewGroup(cmd *exec.Cmd, mark string) *Group {
	if cmd.SysProcAttr == nil { // the caller may have it run as another user
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	return &Group{
		cmd: cmd, mark: mark, began: time.Now(),
		signal: func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) },
		free:   func() {},
	}
}

// ownSession gives cmd, not yet started, a session of its own, which has the group
// in it: in that of this process it could read and type into its terminal.
func ownSession(cmd *exec.Cmd) { cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setpgid = true, false }

// Started is called once the command runs.
func (g *Group) Started() error { return nil }
