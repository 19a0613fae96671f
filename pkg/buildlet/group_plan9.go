package buildlet

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// newGroup makes cmd, not yet started, the leader of a note group.
func newGroup(cmd *exec.Cmd, cookie string) *group {
	cmd.SysProcAttr = &syscall.SysProcAttr{Rfork: syscall.RFNOTEG}
	return &group{
		cmd: cmd, cookie: cookie, began: time.Now(),
		signal: func() {
			os.WriteFile("/proc/"+strconv.Itoa(cmd.Process.Pid)+"/notepg", []byte("kill"), 0)
		},
		close: func() {},
	}
}

// started is called once the command runs.
func (g *group) started() error { return nil }

// wait waits for the command's end and kills what is left of its group.
func (g *group) wait() error {
	err := g.cmd.Wait()
	return g.reap(func() error { return err })
}

// sweep returns the processes that live on, which cannot be found here.
func (g *group) sweep() (left []int) { return nil }
