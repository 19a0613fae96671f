package farmbot

import (
	"context"
	"errors"
	"os"
	"time"

	"gobuild/pkg/supervise"
)

const (
	// fetchWait bounds one look for another buildlet, download included.
	fetchWait = 30 * time.Minute
	// badStarts is how often a new buildlet may fail before it has registered.
	badStarts = 3
	// probes is how often within RegisterWithin it is looked whether the
	// coordinator can be reached at all.
	probes = 5
)

// ErrUntrusted is what an Updater's Fetch wraps if the buildlet that is there
// may not be started.
var ErrUntrusted = errors.New("what is here was not signed by one of the release keys")

// fetch brings the buildlet up to date before a start. One that is there will
// do if it cannot be.
func (b *Bot) fetch(ctx context.Context) error {
	if b.opts.Update == nil {
		return nil
	}
	b.Say("fetching the buildlet")
	defer b.Say("")
	updated, version, err := b.fetchOnce(ctx)
	if err != nil {
		if _, lost := os.Stat(b.opts.Update.File()); lost != nil || errors.Is(err, ErrUntrusted) || ctx.Err() != nil {
			return err
		}
		b.opts.Log.Warn("the buildlet that is there has to do", "err", err)
		return nil
	}
	if updated {
		b.mu.Lock()
		b.failed = 0 // those were another's
		b.mu.Unlock()
		b.opts.Log.Info("another buildlet was fetched", "version", version)
	}
	return nil
}

func (b *Bot) fetchOnce(ctx context.Context) (updated bool, version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWait)
	defer cancel()
	return b.opts.Update.Fetch(ctx)
}

// confirm notes that the buildlet has registered.
func (b *Bot) confirm() {
	if b.opts.Update == nil {
		return
	}
	go func() { // syncs to the disk, and the buildlet's lines are waited for
		if err := b.opts.Update.Confirm(); err != nil {
			b.opts.Log.Warn("it cannot be noted that the buildlet is good", "err", err)
		}
	}()
}

// updates looks at times for another buildlet, while the machine is idle. The
// present one is drained then.
func (b *Bot) updates(ctx context.Context) {
	pause := time.NewTimer(b.opts.UpdateEvery)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		// It ends with the buildlet: the next start fetches by itself, and what
		// was put in place after it would be taken for what has registered.
		look, cut := context.WithCancel(ctx)
		b.mu.Lock()
		pid := b.run.pid
		ready := pid != 0 && b.run.good && !b.run.working()
		if ready {
			b.run.cut = cut
		}
		b.mu.Unlock()
		if !ready {
			cut()
			pause.Reset(min(time.Minute, b.opts.UpdateEvery))
			continue
		}
		updated, version, err := b.fetchOnce(look)
		ended := look.Err() != nil
		cut()
		switch {
		case ctx.Err() != nil:
			return
		case ended:
		case err != nil:
			b.opts.Log.Warn("no look for another buildlet", "err", err)
		case updated:
			b.restartFor("it ends for another buildlet: " + version)
		}
		pause.Reset(b.opts.UpdateEvery)
	}
}

// restartFor has the buildlet end after what it does, to start anew.
func (b *Bot) restartFor(why string) {
	b.opts.Log.Info("the buildlet is drained", "why", why)
	b.mu.Lock()
	b.update = why
	b.mu.Unlock()
	b.changed()
}

// rollBack puts the buildlet before in place, if this one is not known to be
// good.
func (b *Bot) rollBack(why string) bool {
	if b.opts.Update == nil || b.opts.Update.Confirmed() {
		return false
	}
	if err := b.opts.Update.RollBack(why); err != nil {
		b.opts.Log.Warn("the buildlet before cannot be put back", "err", err)
		return false
	}
	b.opts.Log.Error("the buildlet before was put back", "why", why)
	return true
}

// failedToRegister counts the starts of a new buildlet that came to nothing.
func (b *Bot) failedToRegister(r run, version, why string) {
	if r.good || b.opts.Update == nil {
		return
	}
	if st := b.Status().State; st == supervise.Stopping || st == supervise.Stopped {
		return // it was told to end
	}
	b.mu.Lock()
	b.failed++
	enough := b.failed >= badStarts
	if enough {
		b.failed = 0
	}
	b.mu.Unlock()
	if enough {
		b.rollBack(version + ": " + why)
	}
}

// lookRegistered puts the buildlet before back if a new one does not register
// although the coordinator can be reached all the time.
func (b *Bot) lookRegistered(ctx context.Context, now time.Time) {
	b.mu.Lock()
	r := &b.run
	trial := r.pid != 0 && !r.good
	late := trial && now.Sub(r.within) > b.opts.RegisterWithin
	due := late || trial && now.Sub(r.probed) > b.opts.RegisterWithin/probes
	if due {
		r.probed = now
	}
	if late {
		r.within = now // the next look
	}
	b.mu.Unlock()
	if !due || b.opts.Update == nil || b.opts.Update.Confirmed() {
		return
	}
	if b.opts.Dialer != nil && b.reach(ctx) != nil {
		// It is the network, which may come and go: the time begins anew.
		b.mu.Lock()
		b.run.within = time.Now()
		b.mu.Unlock()
		return
	}
	if late && b.rollBack("it did not register within "+b.opts.RegisterWithin.String()) {
		b.End("it does not register, and the buildlet before it was put back", b.opts.StopWait)
	}
}
