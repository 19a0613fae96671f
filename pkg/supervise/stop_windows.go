package supervise

import "golang.org/x/sys/windows"

// stop asks the leader to end: Ctrl-Break reaches a process group, of which it
// is the leader.
func (g *Group) stop() error {
	return windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(g.cmd.Process.Pid))
}
