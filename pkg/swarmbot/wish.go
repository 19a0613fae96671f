package swarmbot

import (
	"path/filepath"
	"sync"
	"time"

	"gobuild/pkg/supervise"
	"gobuild/pkg/supervise/control"
)

// wishes are what the owner wants the bot to do about work. A bot takes no
// orders: it is asked to end, which it does after its task, and started again
// when its time has come.
type wishes struct {
	dir string // the state directory

	mu    sync.Mutex
	wish  control.Wish
	stays bool // drained before this start: stays, without a bot
}

// StateDir returns the state directory of a bot that works in dir: in its
// logs, as it deletes elsewhere what it does not know.
func StateDir(dir string) string { return filepath.Join(dir, "logs", "gobuild-run-bot") }

// loadWish reads what was wished before this start.
func (b *Bot) loadWish() error {
	w := &b.wishes
	w.dir = StateDir(b.opts.WorkDir)
	if err := control.MakeDir(w.dir); err != nil {
		return err
	}
	b.readWish()
	return nil
}

// readWish reads what is kept. The lock is held, if there is anybody to share
// with.
func (b *Bot) readWish() {
	w := &b.wishes
	wish, err := control.Load(w.dir)
	if err != nil {
		b.opts.Log.Error("what the owner wished is lost, and the bot takes work", "err", err)
		wish = control.Wish{}
	}
	w.wish = wish.At(time.Now())
	w.stays = w.wish.State == control.Draining
}

// ServeControl answers the owner until stop is called.
func (b *Bot) ServeControl() (stop func(), err error) {
	// Who asks waits for the lock. What was kept since New has looked, because
	// nobody answered yet, is found now.
	b.wishes.mu.Lock()
	defer b.wishes.mu.Unlock()
	if stop, err = control.Serve(b.wishes.dir, b); err == nil {
		b.readWish()
	}
	return stop, err
}

// Wish returns what is wished of this bot.
func (b *Bot) Wish() control.Wish {
	b.wishes.mu.Lock()
	defer b.wishes.mu.Unlock()
	return b.wishes.wish.At(time.Now())
}

// SetWish keeps a wish, has it carried out, and says what happens now.
func (b *Bot) SetWish(wish control.Wish) (string, error) {
	if wish.Since.IsZero() {
		wish.Since = time.Now().Round(0)
	}
	w := &b.wishes
	w.mu.Lock()
	defer w.mu.Unlock()
	already := w.stays && wish.State == control.Draining
	if err := control.Save(w.dir, wish); err != nil {
		return "", err
	}
	b.opts.Log.Info("wished", "what", wish.String())
	w.wish, w.stays = wish, already
	running := b.Status().State == supervise.Running
	if wish.State != control.Open {
		b.End(wish.String(), 0)
	}
	b.SetLast(wish.State == control.Draining && !already)
	text := "it takes work"
	switch {
	case already:
		return "it is drained already, and takes no work until gobuild resume", nil
	case wish.State == control.Draining:
		text = "stopping"
	case wish.State == control.Paused:
		text = wish.String()
	}
	if running && wish.State != control.Open {
		text = "finishing the task that runs, if there is one, then " + text
	}
	return text, nil
}

// hold says why the bot is not to run.
func (b *Bot) hold() string {
	wish := b.Wish()
	if wish.State == control.Open {
		b.SetPhase(supervise.Phase{})
		return ""
	}
	b.SetPhase(supervise.Phase{Name: supervise.Paused, Why: wish.String()})
	return wish.String()
}

// wished returns what it means that the bot ended, if that was wished.
func (b *Bot) wished() (supervise.Verdict, bool) {
	wish := b.Wish()
	b.wishes.mu.Lock()
	stays := b.wishes.stays
	b.wishes.mu.Unlock()
	switch {
	case wish.State == control.Open:
		return supervise.Verdict{}, false
	case wish.State == control.Draining && !stays:
		return supervise.Verdict{Why: "it is drained", Enough: true}, true
	}
	return supervise.Verdict{Why: wish.String(), Again: true}, true
}
