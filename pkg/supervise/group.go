package supervise

import (
	"os"
	"os/exec"
	"sync"
	"time"
)

// Group are the processes of one command: those that the system keeps
// together, and, where they can be found, those that have left them. Each
// system has its own NewGroup, Started, Wait and Sweep.
//
// A mark is long and random enough to be nobody else's: Sweep kills whatever
// has it. One whose value is shorter than 12 bytes, or none, marks nothing.
//
// The order of calls is NewGroup, the command's Start, Started, Wait, Sweep,
// Close; Kill and Signal may be called by others from Started on.
type Group struct {
	cmd    *exec.Cmd
	mark   string // KEY=VALUE in the environment of all of them
	began  time.Time
	signal func()      // kills all that the system keeps together
	free   func()      // frees what is held for that
	ended  func([]int) // told what outlives the leader, before it is killed; nil for nobody

	mu   sync.Mutex
	over bool // the leader was reaped: its number may be another's by now
}

// Kill kills the group, unless it is over.
func (g *Group) Kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.over {
		g.signal()
		g.cmd.Process.Kill() // the leader may have joined another group
	}
}

// Signal sends a signal to the leader alone, unless it is over.
func (g *Group) Signal(sig os.Signal) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over {
		return os.ErrProcessDone
	}
	return g.cmd.Process.Signal(sig)
}

// Close frees what the system keeps for the group.
func (g *Group) Close() { g.free() }

// reap kills what is left of the group and then lets go of its number.
func (g *Group) reap(wait func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.signal()
	err := wait()
	g.over = true
	return err
}
