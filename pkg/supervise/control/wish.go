package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gobuild/pkg/atomicfile"
	"gobuild/pkg/availability"
	"gobuild/pkg/hint"
)

// Wish is what somebody wants a worker to do about work: to be Open, Draining
// or Paused. Since is when it was wished.
type Wish availability.Availability

// The states of a Wish.
const (
	Open     = availability.Open
	Draining = availability.Draining
	Paused   = availability.Paused
)

// Owner is who wishes through the control socket.
const Owner = "its owner"

// Check says what is wrong with a wish.
func (w Wish) Check(now time.Time) error {
	switch w.State {
	case Open, Draining:
		if !w.Until.IsZero() {
			return fmt.Errorf("%s has no end", w.State)
		}
	case Paused:
		if !w.Until.IsZero() && !w.Until.After(now) {
			return fmt.Errorf("the pause would have ended at %s", w.Until.Format(time.RFC3339))
		}
	default:
		return fmt.Errorf("unknown state %q", w.State)
	}
	if len(w.Why) > maxWhy || len(w.By) > maxWhy {
		return fmt.Errorf("the reason is longer than %d bytes", maxWhy)
	}
	return nil
}

// maxWhy bounds the texts of a wish, in bytes.
const maxWhy = 1000

// At returns the wish as it is at a time: a pause that has ended is none.
func (w Wish) At(now time.Time) Wish {
	if w.State == "" || w.State == Paused && !w.Until.IsZero() && !w.Until.After(now) {
		return Wish{State: Open}
	}
	return w
}

// String says in words what is wished.
func (w Wish) String() string {
	text := "open for work"
	switch w.State {
	case Draining:
		text = "drained"
	case Paused:
		text = "paused"
	}
	if !w.Until.IsZero() {
		text += " until " + w.Until.Local().Format("2006-01-02 15:04:05 MST")
	}
	if w.By != "" {
		text += " by " + w.By
	}
	if w.Why != "" {
		text += ": " + w.Why
	}
	return text
}

// wishFile is the name of the file in a state directory that keeps the wish
// over restarts.
const wishFile = "wish.json"

// Load returns the wish that is kept in a state directory; none is to be open.
func Load(dir string) (Wish, error) {
	file := filepath.Join(dir, wishFile)
	text, err := readSmall(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Wish{State: Open}, nil
	}
	if err != nil {
		return Wish{}, err
	}
	var w Wish
	if err := json.Unmarshal(text, &w); err != nil {
		return Wish{}, hint.With(fmt.Errorf("%s: %w", file, err), "remove it, and say again what you want: gobuild pause, drain or resume")
	}
	// An end in the past is no fault here.
	if err := w.Check(time.Time{}); err != nil {
		return Wish{}, hint.With(fmt.Errorf("%s: %w", file, err), "remove it, and say again what you want: gobuild pause, drain or resume")
	}
	return w, nil
}

// Save keeps a wish in a state directory.
func Save(dir string, w Wish) error {
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	if err := trusted(dir); err != nil {
		return err
	}
	file := filepath.Join(dir, wishFile)
	if err := atomicfile.Replace(file, append(text, '\n'), 0o600); err != nil {
		return err
	}
	// Root may wish for a worker that runs as somebody else.
	return giveTo(file, dir)
}

// readSmall reads a file of which more than a few kilobytes are none of ours.
func readSmall(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > 64<<10 {
		return nil, fmt.Errorf("%s is no file that gobuild has written", file)
	}
	return os.ReadFile(file)
}
