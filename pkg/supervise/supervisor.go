package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"gobuild/pkg/hint"
)

// Options say what a Supervisor runs, and how.
type Options struct {
	// Name says what runs, in a few words.
	Name string
	// Mark is KEY=VALUE, put into the program's environment to find its
	// processes again (Linux). VALUE is this program's alone on this machine,
	// and not short. Without a mark, only the process group is ended.
	Mark string
	// Prepare checks and fetches what is needed, and returns the command,
	// not started. It is called before each start. Its error counts as a
	// failure of the program, but not against Backoff's budget; ErrHold has
	// Hold asked again.
	Prepare func(ctx context.Context) (*exec.Cmd, error)
	// Started, if not nil, is called once the command runs; what it returns,
	// once the command has ended.
	Started func(pid int) (ended func())
	// Left, if not nil, returns the process of a program that an earlier
	// supervisor has left and that still runs, or 0. It may finish what it
	// does, within StopWait.
	Left func() (pid int)
	// Judge says what it means that the program ended by itself.
	Judge func(Exit) Verdict
	// Hold, if not nil, returns why the program is not to run for now, or "".
	// It is asked before each start, Prepare's work included, once more when
	// the program has started, and while the answer is not empty at each beat
	// and at each Wake. RunOnce does not ask.
	Hold func() (why string)
	// Facts, if not nil, returns what the status shows besides.
	Facts func() []Fact
	// StopWait is how long the program may take to end when it is asked to.
	StopWait time.Duration
	// Settle is how long it has to run before it counts as sound.
	Settle  time.Duration
	Backoff Backoff
	Notices Notices
	Getenv  func(string) string // os.Getenv outside tests
	Log     *slog.Logger
}

// ErrHold is what Prepare returns when it finds that the program is not to run
// for now.
var ErrHold = errors.New("not to run for now")

// Exit is how a program ended.
type Exit struct {
	// Err is what exec.Cmd.Wait returned: nil for exit code 0.
	Err error
	// Ran is how long it ran.
	Ran time.Duration
}

// Verdict is what an exit means.
type Verdict struct {
	// Why says it in words.
	Why string
	// Failed makes it count against the budget.
	Failed bool
	// Again starts it again at once: it ended because that was wanted.
	Again bool
	// Enough ends Run: the program has done all that it was to do.
	Enough bool
}

// Supervisor keeps one program running.
type Supervisor struct {
	opts   Options
	notify notifier
	beat   time.Duration // between two looks at how things are

	wake chan struct{} // has room for one
	once bool          // this is RunOnce

	mu      sync.Mutex
	status  Status
	group   *Group          // of the running program; nil if none runs
	endPlay func(stopCause) // asks the running program to end; nil if none runs
	hurry   bool            // Kill was called
	last    bool            // SetLast
}

// stopCause is why a running program is asked to end, though the supervisor
// goes on.
type stopCause struct {
	why  string
	wait time.Duration // until it is killed; 0 for as long as it takes
}

func (c *stopCause) Error() string { return c.why }

// New returns a Supervisor.
func New(opts Options) *Supervisor {
	s := &Supervisor{opts: opts, notify: newNotifier(opts.Getenv, os.Getpid()), beat: time.Second, wake: make(chan struct{}, 1)}
	if w := s.notify.watchdog; w > 0 {
		s.beat = min(s.beat, w/3)
	}
	if opts.Settle > 0 {
		s.beat = min(s.beat, max(opts.Settle/4, 10*time.Millisecond))
	}
	if opts.Notices.After > 0 {
		s.beat = min(s.beat, max(opts.Notices.After/4, 10*time.Millisecond))
	}
	now := time.Now()
	s.status = Status{Name: opts.Name, State: Starting, Since: now, DownSince: now}
	return s
}

// Status returns how things are.
func (s *Supervisor) Status() Status {
	s.mu.Lock()
	status := s.status
	s.mu.Unlock()
	if s.opts.Facts != nil {
		status.Facts = s.opts.Facts()
	}
	return status
}

// SetTrouble says why the program does no good although it runs; an empty why
// takes that back.
func (s *Supervisor) SetTrouble(why string) {
	s.mu.Lock()
	changed := s.status.Trouble != why && s.status.State == Running
	if changed {
		s.status.Trouble = why
	}
	status := s.status
	s.mu.Unlock()
	if !changed {
		return
	}
	if why != "" {
		s.opts.Log.Error(s.opts.Name+" runs, but does no work", "why", why)
	} else {
		s.opts.Log.Info(s.opts.Name + " works again")
	}
	s.notify.send("STATUS=" + status.Line())
}

// Kill ends the program at once, and the waiting for it.
func (s *Supervisor) Kill() {
	s.mu.Lock()
	s.hurry = true
	s.mu.Unlock()
	s.Interrupt()
}

// Interrupt kills the program, which is then judged and started again.
func (s *Supervisor) Interrupt() {
	s.mu.Lock()
	group := s.group
	s.mu.Unlock()
	if group != nil {
		group.Kill()
	}
}

// End asks the running program to end, and kills it after wait, or never if
// that is 0. It is then judged and started again.
func (s *Supervisor) End(why string, wait time.Duration) {
	s.mu.Lock()
	end := s.endPlay
	s.mu.Unlock()
	if end != nil {
		end(stopCause{why, wait})
	}
}

// SetLast sets whether the program is not started any more: Run ends once it
// does not run.
func (s *Supervisor) SetLast(last bool) {
	s.mu.Lock()
	s.last = last
	s.mu.Unlock()
	s.Wake()
}

func (s *Supervisor) isLast() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// Wake asks Hold again, should the program be held, and ends the waiting for
// the next start.
func (s *Supervisor) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run keeps the program running until ctx ends, then makes it end, and returns
// nil. It also ends by SetLast, or by a Verdict that says so.
func (s *Supervisor) Run(ctx context.Context) error {
	return s.run(ctx, func() error {
		for ctx.Err() == nil {
			s.hold(ctx)
			if ctx.Err() != nil || s.isLast() {
				break
			}
			verdict := s.turn(ctx)
			if ctx.Err() != nil || verdict.Enough {
				break
			}
			s.rest(ctx, verdict)
		}
		return nil
	})
}

// RunOnce runs the program once. It returns an error if it cannot be started,
// or if Judge calls its end a failure; nil also if ctx ends before.
func (s *Supervisor) RunOnce(ctx context.Context) error {
	s.once = true
	return s.run(ctx, func() error {
		verdict := s.turn(ctx)
		if ctx.Err() == nil && verdict.Failed {
			return verdict.err
		}
		return nil
	})
}

// run does what Run and RunOnce share around the work itself.
func (s *Supervisor) run(ctx context.Context, work func() error) error {
	// See endWithParent.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stopNotices := s.opts.Notices.start(s.opts.Log)
	defer stopNotices()
	s.notify.send("READY=1")
	stopping := context.AfterFunc(ctx, func() {
		s.notify.send("STOPPING=1")
		s.set(Stopping, "it was told to end")
	})
	err := work()
	stopping()
	if ctx.Err() == nil {
		s.notify.send("STOPPING=1")
	}
	s.set(Stopped, "")
	return err
}

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
