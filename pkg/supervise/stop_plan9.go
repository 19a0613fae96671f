package supervise

import "syscall"

// stop asks the leader to end.
func (g *Group) stop() error { return g.Signal(syscall.Note("hangup")) }
