package supervise

import (
	"context"
	"slices"
	"time"
)

// clearWait is how long processes may take to die by SIGKILL.
const clearWait = 5 * time.Second

// clear ends what an earlier supervisor has left behind, which was killed
// itself: two programs at once would fight (LUCI protocol, section 13, trap
// 13). It returns what cannot be ended.
func (s *Supervisor) clear(ctx context.Context) []int {
	left := Marked(s.opts.Mark)
	if len(left) == 0 {
		return nil
	}
	s.strays(left)
	program := func() (pid int, runs bool) {
		if s.opts.Left != nil {
			pid = s.opts.Left()
		}
		return pid, pid > 0 && slices.Contains(left, pid)
	}
	if pid, runs := program(); runs {
		askToEnd(pid)
	}
	patience := time.Now().Add(s.opts.StopWait)
	killing := false
	for end := patience.Add(clearWait); time.Now().Before(end); {
		if _, runs := program(); !runs || ctx.Err() != nil || time.Now().After(patience) {
			killMarked(s.opts.Mark)
			if !killing {
				killing, end = true, time.Now().Add(clearWait)
			}
		}
		tick := make(chan struct{})
		time.AfterFunc(20*time.Millisecond, func() { close(tick) })
		s.await(tick)
		if left = Marked(s.opts.Mark); len(left) == 0 {
			return nil
		}
	}
	return left
}
