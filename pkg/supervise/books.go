package supervise

import "time"

// await waits for done, and meanwhile gives signs of life and looks how
// things are.
func (s *Supervisor) await(done <-chan struct{}) {
	tick := time.NewTicker(s.beat)
	defer tick.Stop()
	for {
		s.look(time.Now())
		select {
		case <-done:
			return
		case <-tick.C:
		}
	}
}

// look keeps the books of how things are, and tells those who want to know.
func (s *Supervisor) look(now time.Time) {
	if s.notify.watchdog > 0 {
		s.notify.send("WATCHDOG=1")
	}
	s.mu.Lock()
	st := &s.status
	switch {
	case !st.Up() && st.DownSince.IsZero():
		st.DownSince = now
	case st.Up() && now.Sub(st.Since) >= s.opts.Settle:
		st.DownSince, st.Row = time.Time{}, 0
	}
	status := *st
	s.mu.Unlock()
	s.opts.Notices.look(status, now)
}

// set begins a state.
func (s *Supervisor) set(state State, why string) {
	s.mu.Lock()
	// Who was told to end says nothing else until it has; that it was told may
	// come late, when it has ended already.
	if s.status.State == Stopped || s.status.State == Stopping && state != Stopped {
		s.mu.Unlock()
		return
	}
	s.status.State, s.status.Since, s.status.Why, s.status.Trouble = state, time.Now(), why, ""
	status := s.status
	s.mu.Unlock()
	s.notify.send("STATUS=" + status.Line())
}
