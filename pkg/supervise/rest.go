package supervise

import (
	"context"
	"fmt"
	"time"
)

// againPause is how long a program that is to start again at once waits all
// the same: whatever wants that again and again is not to load the machine.
const againPause = time.Second

// rest waits before the next start.
func (s *Supervisor) rest(ctx context.Context, v verdict) {
	s.mu.Lock()
	s.status.LastEnd, s.status.LastEndAt = v.Why, time.Now()
	if v.Failed {
		s.status.Failures++
	}
	if v.Failed || v.short && !v.Again {
		s.status.Row++
	}
	row := s.status.Row
	s.mu.Unlock()
	if v.Again {
		s.opts.Log.Info(s.opts.Name+" is started again", "why", v.Why)
		s.doze(ctx, min(againPause, s.opts.Backoff.Min))
		return
	}
	backoff := s.opts.Backoff
	if v.unready {
		backoff.Budget = 0
	}
	wait, givenUp := backoff.pause(row)
	state, log := BackingOff, s.opts.Log.Warn
	why := v.Why
	switch {
	case givenUp:
		state, log = GivenUp, s.opts.Log.Error
		why = fmt.Sprintf("it ended too soon %d times in a row, last: %s", row, why)
	case !v.Failed:
		log = s.opts.Log.Info
	}
	s.mu.Lock()
	s.status.NextTry = time.Now().Add(wait)
	s.mu.Unlock()
	s.set(state, why)
	log(s.opts.Name+": "+string(state), "why", why, "next", wait.Round(time.Millisecond))
	s.doze(ctx, wait)
}
