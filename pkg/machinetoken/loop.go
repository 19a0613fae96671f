package machinetoken

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"time"

	"gobuild/pkg/hint"
)

// The pauses of the loop.
const (
	// defaultTick is how often the loop looks at clock and files: a machine may have
	// slept, its clock may have been set, a certificate may have come.
	defaultTick = time.Minute
	// The pause after a failure grows from the first to the last, by half or
	// more each time. A final error may only be asked about again once a
	// minute.
	firstTransientPause = 15 * time.Second
	firstFinalPause     = time.Minute
	lastPause           = 10 * time.Minute
	// takeOver is how long a daemon waits at its start for the one before it
	// to end.
	takeOver = 5 * time.Second
)

// Run does runs until ctx ends, which is no error: one at once, then one
// whenever the token is past its half life, a little later by chance so that a
// farm's machines do not all call at once; after failures with growing pauses.
// It holds the lock on the token file meanwhile, see Lock.
func (d *Daemon) Run(ctx context.Context) error {
	log := d.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := d.Lock(ctx); err != nil || d.lock == nil {
		return err
	}
	defer func() {
		d.lock.unlock()
		d.lock = nil
	}()
	d.noted = map[string]bool{}
	for failures := 0; ; {
		used := stamp(d.CertFile, d.KeyFile) // before they are read
		r := d.Once(ctx)
		if ctx.Err() != nil {
			log.Info("ended by a signal", "until", until(r.Expiry))
			return nil
		}
		d.logNotes(log, r)
		var pause time.Duration
		if r.Err == nil {
			d.Force, failures = false, 0
		} else {
			failures++
			pause = failurePause(failures, r.Transient)
			log.Error("no token", "outcome", r.Outcome, "err", r.Err, "hint", hint.Of(r.Err), "pause", pause.Round(time.Second), "until", until(r.Expiry))
		}
		if !d.rest(ctx, r, used, pause) {
			log.Info("ended by a signal", "until", until(r.Expiry))
			return nil
		}
	}
}

func until(t time.Time) string {
	if t.IsZero() {
		return "none"
	}
	return t.UTC().Format(time.RFC3339)
}

// Lock takes the lock on the token file, unless this daemon has it. Run does
// that as well; who calls Lock first knows whether Run will find it taken. The
// lock is given up when Run returns.
func (d *Daemon) Lock(ctx context.Context) error {
	if d.lock != nil {
		return nil
	}
	for end := time.Now().Add(takeOver); ; {
		lock, err := lockToken(d.TokenFile)
		if err == nil {
			d.lock = lock
			return nil
		}
		if !errors.Is(err, errHeld) {
			return explainLock(err, d.TokenFile)
		}
		if time.Now().After(end) {
			return hint.With(err, "one is enough: end it, or leave it at that one")
		}
		select {
		case <-time.After(lockPause):
		case <-ctx.Done():
			return nil
		}
	}
}

// failurePause returns how long to wait after that many failures in a row.
func failurePause(failures int, transient bool) time.Duration {
	pause := firstFinalPause
	if transient {
		pause = firstTransientPause
	}
	for i := 1; i < failures && pause < lastPause; i++ {
		pause *= 2
	}
	pause = min(pause, lastPause)
	return pause + rand.N(pause/4)
}

// spread returns how long after the half life of a token to get the next:
// nothing to a tenth of it, five minutes at most.
func spread(f TokenFile) time.Duration {
	half := f.NextUpdate.Sub(f.LastUpdate)
	if half <= 0 {
		return 0
	}
	return rand.N(min(half/10, 5*time.Minute) + 1)
}

// rest waits until the next run is due: at the half life of the token, or, if
// pause is not 0, when that is over. It ends early if certificate or key are
// others by then than the run used, or the token file is not what it left, or
// is gone although the run has succeeded. It reports whether there is a next
// run.
func (d *Daemon) rest(ctx context.Context, r Result, used string, pause time.Duration) bool {
	// Times of the wall clock, which goes on while a machine sleeps.
	due := d.now().Round(0).Add(pause)
	if pause == 0 {
		due = r.NextUpdate.Round(0).Add(spread(r.token) + time.Second)
		if end := r.Expiry.Round(0); end.Before(due) {
			due = end // a token of less than minLifetime
		}
	}
	left := stamp(d.TokenFile)
	gone := r.Err == nil && left == stampGone // removed since the run wrote it
	for {
		wait := min(due.Sub(d.now().Round(0)), cmp.Or(d.tick, defaultTick))
		if wait <= 0 {
			return true
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
		if gone || stamp(d.CertFile, d.KeyFile) != used || stamp(d.TokenFile) != left {
			return true
		}
	}
}

// logNotes logs each note once.
func (d *Daemon) logNotes(log *slog.Logger, r Result) {
	for _, note := range r.Notes {
		if !d.noted[note.Text] {
			d.noted[note.Text] = true
			log.Warn(note.Text, "hint", note.Hint)
		}
	}
	if len(d.noted) > 1000 { // texts with times in them are new each time
		clear(d.noted)
	}
}

// stampGone is the stamp of a file that is not there.
const stampGone = "- "

// stamp is different after a file was made, removed or written.
func stamp(files ...string) string {
	s := ""
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			s += stampGone
			continue
		}
		s += fmt.Sprint(info.Size(), info.ModTime().UnixNano(), " ")
	}
	return s
}
