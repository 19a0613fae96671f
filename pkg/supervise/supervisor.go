package supervise

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
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
	before := s.status.Trouble
	changed := before != why && s.status.State == Running
	if changed {
		s.status.Trouble = why
	}
	status := s.status
	s.mu.Unlock()
	if !changed {
		return
	}
	switch {
	case why == "":
		s.opts.Log.Info(s.opts.Name + " works again")
	case before == "":
		s.opts.Log.Error(s.opts.Name+" runs, but does no work", "why", why)
	default: // one trouble is one error, however its reason goes on
		s.opts.Log.Info(s.opts.Name+" still does no work", "why", why)
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
