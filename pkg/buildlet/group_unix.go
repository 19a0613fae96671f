//go:build unix

package buildlet

import (
	"os/exec"
	"syscall"
	"time"
)

// groupHandle is not needed here: the group has its leader's number.
type groupHandle struct{}

// newGroup makes cmd, not yet started, the leader of a group of its own.
func newGroup(cmd *exec.Cmd, cookie string) *group {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return &group{cmd: cmd, cookie: cookie, began: time.Now()}
}

// started is called once the command runs.
func (g *group) started() error { return nil }

// signal kills all that is in the group.
func (g *group) signal() { syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL) }

// close frees what the group holds.
func (g *group) close() {}
