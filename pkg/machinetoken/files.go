package machinetoken

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"gobuild/pkg/hint"
)

// files returns every place of the token.
func (d *Daemon) files() []string { return append([]string{d.TokenFile}, d.Copies...) }

// staleCopies reports whether a copy is not like the token file.
func (d *Daemon) staleCopies(stored TokenFile) bool {
	if stored.Token == "" || len(d.Copies) == 0 {
		return false
	}
	text, err := os.ReadFile(d.TokenFile)
	if err != nil {
		return false
	}
	for _, path := range d.Copies {
		if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, text) {
			return true
		}
	}
	return false
}

// copyAgain writes the copies of a good token that are not like it.
func (d *Daemon) copyAgain(ctx context.Context, r Result, stored TokenFile) Result {
	r.Outcome = OutcomeGood
	if !d.staleCopies(stored) {
		return r
	}
	r.Reason = ReasonMissingCopy
	text, err := os.ReadFile(d.TokenFile)
	for _, path := range d.Copies {
		if err == nil {
			err = saveFile(ctx, path, text)
		}
	}
	if err != nil {
		return r.failed(saveOutcome(err), err)
	}
	return r
}

// noteOwner remarks on a token file that somebody else wrote.
func (d *Daemon) noteOwner(r *Result) {
	info, err := os.Lstat(d.TokenFile)
	if err != nil {
		return
	}
	if other := otherOwner(info); other != "" {
		r.note(fmt.Sprintf("the token file %s belongs to %s, not to the user of this daemon", d.TokenFile, other),
			"does another token daemon run on this machine? The file now becomes this one's")
	}
}

// lockPause is how often a lock is tried that another process holds.
const lockPause = 100 * time.Millisecond

// waitForLock takes the lock for one run. If another daemon holds it and the
// token in the file can be used, that daemon's work is as good: the result is
// complete and there is no lock.
func (d *Daemon) waitForLock(ctx context.Context, r *Result) (*tokenLock, error) {
	for end := time.Now().Add(d.timeout()); ; {
		lock, err := lockToken(d.TokenFile)
		switch {
		case err == nil:
			return lock, nil
		case !errors.Is(err, errHeld):
			err = explainLock(err, d.TokenFile)
			*r = r.failed(saveOutcome(err), err)
			return nil, err
		}
		if stored := d.readStored(&Result{}); stored.Token != "" && stored.Expiry.After(d.now()) {
			r.setToken(stored)
			r.Outcome, r.Reason = OutcomeGood, ReasonGood
			r.note(err.Error(), "that one keeps the token fresh; the token is good")
			return nil, nil
		}
		if !time.Now().Before(end) {
			err = hint.With(err, "it has not got a token for %s; look at its log, or end it", d.timeout())
			*r = r.failed(OutcomeLocked, err)
			r.Transient = true
			return nil, err
		}
		select {
		case <-time.After(lockPause):
		case <-ctx.Done():
			*r = r.failed(grpcOutcome(codeCanceled), ctx.Err())
			return nil, ctx.Err()
		}
	}
}

// explainLock says what is wrong with the place of a lock that cannot be made.
func explainLock(err error, tokenFile string) error {
	err = fmt.Errorf("lock the token file: %w", err)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return hint.With(err, "the directory of %s has to be there first, writable for the token daemon alone", tokenFile)
	case errors.Is(err, os.ErrPermission):
		whose := ""
		for _, path := range []string{lockFile(tokenFile), tokenFile} {
			if info, statErr := os.Stat(path); statErr == nil && whose == "" {
				if other := otherOwner(info); other != "" {
					whose = fmt.Sprintf("; %s belongs to %s", path, other)
				}
			}
		}
		return hint.With(err, "run the token daemon as the user who owns the directory of %s, mostly root%s", tokenFile, whose)
	}
	return err
}
