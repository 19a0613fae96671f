package farmbot

import (
	"context"
	"fmt"
	"time"

	"gobuild/pkg/buildlet"
	"gobuild/pkg/supervise"
	"gobuild/pkg/supervise/control"
)

// tendPause is the longest pause between two looks at how things are.
const tendPause = time.Second

// connectQuiet is how long a machine may be out of the pool before that is
// called trouble: a slow board takes some seconds to start a buildlet.
const connectQuiet = 15 * time.Second

// tend does until ctx ends what is to be done beside the buildlet: orders,
// gates, sweeps, updates, and the books of how the machine is.
func (b *Bot) tend(ctx context.Context) {
	if b.opts.Update != nil && b.opts.UpdateEvery > 0 {
		done := make(chan struct{})
		defer func() { <-done }()
		go func() {
			defer close(done)
			b.updates(ctx)
		}()
	}
	tick := time.NewTicker(tendPause)
	defer tick.Stop()
	var s sweeping
	for {
		now := time.Now()
		b.expire()
		b.lookFit(now, false)
		b.lookHung(now)
		b.lookRegistered(ctx, now)
		s.look(b, now)
		b.obey()
		b.carryOut()
		b.books(now)
		select {
		case <-ctx.Done():
			return
		case <-b.kick:
		case <-tick.C:
		}
	}
}

// expire ends a pause whose time has come.
func (b *Bot) expire() {
	// Save stays under the lock: it is not to replace a wish that comes now.
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wish.State == "" || b.wish.State == b.wished().State {
		return
	}
	b.wish = control.Wish{State: control.Open, Since: b.opts.Clock().Round(0)}
	b.opts.Log.Info("the pause is over")
	if err := control.Save(b.state, b.wish); err != nil {
		b.opts.Log.Warn("it cannot be noted that the pause is over", "err", err)
	}
	b.Wake()
}

// lookHung kills a gobuild buildlet that says nothing.
func (b *Bot) lookHung(now time.Time) {
	b.mu.Lock()
	hung := b.run.pid != 0 && !b.run.other && now.Sub(b.run.heard) > silence
	if hung {
		b.run.heard = now
	}
	b.mu.Unlock()
	if hung {
		b.opts.Log.Error("the buildlet says nothing and is killed", "for", silence)
		b.Interrupt()
	}
}

// sweeping is when the work directory is swept. The buildlet is told first to
// take no work.
type sweeping struct {
	worked bool      // there was work since the last look at its size
	looked time.Time // at its size
	swept  time.Time
}

func (s *sweeping) look(b *Bot, now time.Time) {
	b.mu.Lock()
	r := &b.run
	running, working := r.pid != 0, r.working()
	short, clean := b.gate != "", b.clean
	// Idle, and told by the buildlet itself that it takes no work.
	closed := r.report != nil && r.report.State != buildlet.Working && r.report.Commands == 0 &&
		(r.other || !r.report.Availability.Takes(b.opts.Clock()))
	b.mu.Unlock()
	switch {
	case !running:
		b.setClean("")
		return
	case working:
		s.worked = true
		b.setClean("")
		return
	}
	if clean == "" {
		if !(s.worked || now.Sub(s.looked) > sweepEvery || short && now.Sub(s.swept) > sweepAgain) {
			return
		}
		if s.worked {
			b.lookFit(now, true) // what ran may have filled the disk
		}
		s.worked, s.looked = false, now
		if clean = b.dirty(); clean == "" {
			return
		}
		b.setClean(clean)
		if b.isOther() {
			// It cannot be told to wait. What is in use of the caches is made
			// anew; a build that begins now may fail.
			closed = true
		}
	}
	if !closed {
		return
	}
	b.sweep()
	s.swept = now
	b.setClean("")
	b.lookFit(time.Now(), true)
	b.changed()
}

func (b *Bot) setClean(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clean = why
}

func (b *Bot) isOther() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.other
}

// books tells the supervisor what the machine is to its farm.
func (b *Bot) books(now time.Time) {
	st := b.Status()
	b.mu.Lock()
	phase := b.phase(st, now)
	b.dead = phase.Name == supervise.Dead
	b.mu.Unlock()
	if st.State == supervise.Stopping || st.State == supervise.Stopped {
		return
	}
	trouble := ""
	switch phase.Name {
	case supervise.Quarantined:
		trouble = phase.Why
	case supervise.Dead, supervise.Connecting:
		// To connect takes a moment, which is no news.
		if st.Phase != nil && st.Phase.Name == phase.Name && now.Sub(st.Phase.Since) > connectQuiet {
			trouble = phase.Why
		}
	}
	// Who sees a bad phase is to see the trouble, too.
	if trouble != "" {
		b.SetTrouble(trouble)
	}
	b.SetPhase(phase)
	if trouble == "" {
		b.SetTrouble("")
	}
}

// phase returns what the machine is to its farm. The lock is held.
func (b *Bot) phase(st supervise.Status, now time.Time) supervise.Phase {
	a := b.availability()
	owner := b.wished()
	why := a.Why
	if owner.State != control.Open {
		why = owner.String()
	}
	r := &b.run
	switch st.State {
	case supervise.Held:
		if a.State == buildlet.Quarantined {
			return supervise.Phase{Name: supervise.Quarantined, Why: st.Why}
		}
		return supervise.Phase{Name: supervise.Paused, Why: st.Why}
	case supervise.Running:
		if r.report != nil && !r.report.Registered.IsZero() {
			doing := ""
			if r.working() {
				doing = "finishing what runs"
				if r.report.Instance != "" {
					doing = "finishing instance " + r.report.Instance
				}
			}
			switch {
			case a.State == buildlet.Draining:
				return supervise.Phase{Name: supervise.Draining, Why: join(doing, why)}
			case a.State == buildlet.Paused && !a.Takes(b.opts.Clock()):
				return supervise.Phase{Name: supervise.Paused, Why: join(doing, why)}
			case a.State == buildlet.Quarantined:
				return supervise.Phase{Name: supervise.Quarantined, Why: join(doing, why)}
			case r.working():
				if r.report.Instance != "" {
					why = "instance " + r.report.Instance
				} else {
					why = ""
				}
				return supervise.Phase{Name: supervise.Working, Why: why}
			}
			return supervise.Phase{Name: supervise.Idle}
		}
		why = "it looks for the coordinator"
		if r.report != nil && r.report.Why != "" {
			why = r.report.Why
		} else if r.other && r.last != "" {
			why = fmt.Sprintf("%.300s", r.last)
		}
	case supervise.BackingOff, supervise.GivenUp:
		if a.State == buildlet.Paused {
			return supervise.Phase{Name: supervise.Paused, Why: join(why, "the buildlet does not run: "+st.Why)}
		}
		return supervise.Phase{Name: supervise.Dead, Why: st.Why}
	default:
		if why = st.Why; why == "" {
			why = "it starts"
		}
	}
	if a.State == buildlet.Paused {
		return supervise.Phase{Name: supervise.Paused, Why: join(owner.String(), why)}
	}
	// Not in the pool: connecting, unless that has been going on for long.
	name := supervise.Connecting
	after := b.opts.Notices.After
	if b.dead || after > 0 && !st.DownSince.IsZero() && now.Sub(st.DownSince) > after {
		name = supervise.Dead
	}
	return supervise.Phase{Name: name, Why: why}
}

// join joins two texts that may be empty.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
