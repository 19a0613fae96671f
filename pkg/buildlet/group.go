package buildlet

import (
	"os/exec"
	"sync"
	"time"
)

// group are the processes of one command: those that the system keeps
// together, and, where they can be found, those that have left them. Each
// system has its own newGroup, started, wait and sweep.
type group struct {
	cmd    *exec.Cmd
	cookie string // KEY=VALUE in the environment of all of them
	began  time.Time
	signal func() // kills all that the system keeps together
	close  func() // frees what is held for that

	mu   sync.Mutex
	over bool // the leader was reaped: its number may be another's by now
}

// kill kills the group, unless it is over.
func (g *group) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.over {
		g.signal()
		g.cmd.Process.Kill() // the leader may have joined another group
	}
}

// reap kills what is left of the group and then lets go of its number.
func (g *group) reap(wait func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.signal()
	err := wait()
	g.over = true
	return err
}
