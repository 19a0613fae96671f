package supervise

import (
	"context"
	"time"
)

// hold waits while the program is not to run.
func (s *Supervisor) hold(ctx context.Context) {
	if s.opts.Hold == nil {
		return
	}
	for ctx.Err() == nil && !s.isLast() {
		why := s.opts.Hold()
		if why == "" {
			return
		}
		s.mu.Lock()
		said := s.status.State == Held && s.status.Why == why
		s.status.NextTry = time.Time{}
		s.mu.Unlock()
		if !said {
			s.clear(ctx) // what an earlier supervisor has left is not to run either
			s.set(Held, why)
			s.opts.Log.Info(s.opts.Name+" is held", "why", why)
		}
		s.doze(ctx, s.beat)
	}
}

// notNow returns why the program is not to run, or "".
func (s *Supervisor) notNow() string {
	if s.opts.Hold == nil || s.once {
		return ""
	}
	return s.opts.Hold()
}

// doze waits for a time, a Wake or the end of ctx.
func (s *Supervisor) doze(ctx context.Context, wait time.Duration) {
	over, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	woken := make(chan struct{})
	go func() {
		defer close(woken)
		select {
		case <-s.wake:
		case <-over.Done():
		}
	}()
	s.await(woken)
}
