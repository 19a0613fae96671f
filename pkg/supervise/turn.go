package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"gobuild/pkg/hint"
)

// verdict is a Verdict with the error that goes with it.
type verdict struct {
	Verdict
	err   error
	short bool // it ended before it could be called sound
	// unready: it was not started at all. What it lacks comes from elsewhere,
	// at any time, so it is never given up for that.
	unready bool
}

func failed(err error) verdict {
	why := err.Error()
	if advice := hint.Of(err); advice != "" {
		why += "; " + advice
	}
	return verdict{Verdict: Verdict{Why: why, Failed: true}, err: err}
}

// turn runs the program once, from its preparation to the last of its
// processes.
func (s *Supervisor) turn(ctx context.Context) verdict {
	s.set(Starting, "")
	if left := s.clear(ctx); len(left) > 0 {
		return failed(fmt.Errorf("processes of an earlier %s cannot be killed: %v", s.opts.Name, left))
	}
	var cmd *exec.Cmd
	var err error
	prepared := make(chan struct{})
	go func() {
		defer close(prepared)
		cmd, err = s.opts.Prepare(ctx)
	}()
	s.await(prepared)
	if errors.Is(err, ErrHold) {
		return verdict{Verdict: Verdict{Why: err.Error(), Again: true}}
	}
	if err != nil {
		v := failed(err)
		v.unready = true
		return v
	}
	if ctx.Err() != nil || s.isLast() {
		return verdict{Verdict: Verdict{Enough: true}}
	}
	if why := s.notNow(); why != "" {
		return verdict{Verdict: Verdict{Why: why, Again: true}}
	}
	exit, err := s.play(ctx, cmd)
	if err != nil {
		return failed(err)
	}
	v := verdict{Verdict: s.opts.Judge(exit), short: exit.Ran < s.opts.Settle}
	v.err = fmt.Errorf("%s: %s", s.opts.Name, v.Why)
	return v
}

// play starts cmd and waits for its end.
func (s *Supervisor) play(ctx context.Context, cmd *exec.Cmd) (Exit, error) {
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = slices.DeleteFunc(cmd.Env, func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(serviceVariables, name)
	})
	if s.opts.Mark != "" {
		cmd.Env = append(cmd.Env, s.opts.Mark)
	}
	cmd.WaitDelay = 2 * time.Second // what outlives it may hold its output open
	group := NewGroup(cmd, s.opts.Mark)
	ownSession(cmd)
	endWithParent(cmd)
	group.ended = s.strays
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return Exit{}, fmt.Errorf("start %s: %w", s.opts.Name, err)
	}
	if err := group.Started(); err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return Exit{}, fmt.Errorf("start %s: %w", s.opts.Name, err)
	}
	defer group.Close()
	stop, endPlay := context.WithCancelCause(ctx)
	defer endPlay(nil)
	s.mu.Lock()
	s.group, s.status.Starts, s.status.Pid = group, s.status.Starts+1, cmd.Process.Pid
	s.endPlay = func(c stopCause) { endPlay(&c) }
	s.status.NextTry = time.Time{}
	hurry := s.hurry
	s.mu.Unlock()
	if hurry {
		group.Kill()
	}
	s.set(Running, "")
	s.opts.Log.Info(s.opts.Name+" runs", "pid", cmd.Process.Pid)
	// What was wished since the last look found nothing that it could end.
	if why := s.notNow(); why != "" || s.isLast() {
		endPlay(&stopCause{why, s.opts.StopWait})
	}
	ended := func() {}
	if s.opts.Started != nil {
		ended = s.opts.Started(cmd.Process.Pid)
	}
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = group.Wait()
	}()
	s.stopWhenTold(ctx, stop, group, done)
	ended()
	left := group.Sweep()
	s.mu.Lock()
	s.group, s.endPlay, s.status.Pid = nil, nil, 0
	s.mu.Unlock()
	if len(left) > 0 {
		s.opts.Log.Error("processes cannot be killed", "of", s.opts.Name, "pids", left)
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return Exit{err, time.Since(began)}, nil
}

// stopCause is why a running program is asked to end, though the supervisor
// goes on.
type stopCause struct {
	why  string
	wait time.Duration // until it is killed; 0 for as long as it takes
}

func (c *stopCause) Error() string { return c.why }

// stopWhenTold waits for done. If stop ends before, by End or with ctx, it asks
// the group to end, and kills it when that takes too long.
func (s *Supervisor) stopWhenTold(ctx, stop context.Context, group *Group, done <-chan struct{}) {
	over := make(chan struct{})
	defer close(over)
	release := context.AfterFunc(stop, func() {
		wait := s.opts.StopWait
		if cause, ok := context.Cause(stop).(*stopCause); ok {
			wait = cause.wait
			s.opts.Log.Info("asking "+s.opts.Name+" to end", "why", cause.why, "limit", wait)
		} else {
			s.opts.Log.Info("asking "+s.opts.Name+" to end", "limit", wait)
		}
		if err := group.stop(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			s.opts.Log.Warn(s.opts.Name+" cannot be asked to end, and is killed", "err", err)
			group.Kill()
			return
		}
		if wait == 0 {
			// As long as it takes, until the supervisor itself has to end.
			select {
			case <-ctx.Done():
				wait = s.opts.StopWait
			case <-over:
				return
			}
		}
		limit := time.NewTimer(wait)
		defer limit.Stop()
		select {
		case <-limit.C:
			s.opts.Log.Warn(s.opts.Name+" did not end in time, and is killed", "limit", wait)
			group.Kill()
		case <-over:
		}
	})
	defer release()
	s.await(done)
}

// strays reports what outlives the program, before it is killed.
func (s *Supervisor) strays(pids []int) {
	if len(pids) == 0 {
		return
	}
	s.opts.Log.Warn("processes outlive "+s.opts.Name+" and are killed", "pids", pids)
	s.mu.Lock()
	s.status.Strays += len(pids)
	s.mu.Unlock()
}
