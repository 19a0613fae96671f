//go:build unix && !linux

package buildlet

// wait waits for the command's end and kills what is left of its group.
func (g *group) wait() error {
	err := g.cmd.Wait()
	// The number is free from here on, but systems give numbers out in turn:
	// it is not another's within the next moment.
	return g.reap(func() error { return err })
}

// sweep returns the processes that have left the group and live on. They
// cannot be found on this system.
func (g *group) sweep() (left []int) { return nil }
