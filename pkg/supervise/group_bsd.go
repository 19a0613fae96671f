//go:build unix && !linux

package supervise

// Wait waits for the command's end and kills what is left of its group.
func (g *Group) Wait() error {
	err := g.cmd.Wait()
	// The number is free from here on, but systems give numbers out in turn:
	// it is not another's within the next moment.
	return g.reap(func() error { return err })
}

// Sweep returns the processes that have left the group and live on. They
// cannot be found on this system.
func (g *Group) Sweep() (left []int) { return nil }
