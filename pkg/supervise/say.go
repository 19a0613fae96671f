package supervise

// Say says what a program that is being started waits for. It changes nothing
// in another state.
func (s *Supervisor) Say(why string) {
	s.mu.Lock()
	changed := s.status.State == Starting && s.status.Why != why
	if changed {
		s.status.Why = why
	}
	status := s.status
	s.mu.Unlock()
	if changed {
		s.notify.send("STATUS=" + status.Line())
	}
}
