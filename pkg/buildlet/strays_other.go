//go:build !linux

package buildlet

// sweepStrays returns what has escaped from the server's commands, which
// cannot be found on this system.
func (s *Server) sweepStrays() []Stray { return []Stray{} }
