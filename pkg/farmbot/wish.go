package farmbot

import (
	"errors"

	"gobuild/pkg/buildlet"
	"gobuild/pkg/supervise"
	"gobuild/pkg/supervise/control"
)

// Wish returns what is wished of this machine.
func (b *Bot) Wish() control.Wish {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wished()
}

// loadWish reads what is kept of what is wished. The lock is held, if there is
// anybody to share with.
func (b *Bot) loadWish() {
	wish, err := control.Load(b.state)
	if err != nil {
		b.opts.Log.Error("what the owner wished is lost, and the machine takes work", "err", err)
		wish = control.Wish{}
	}
	b.wish = wish.At(b.opts.Clock())
	b.stays = b.wish.State == control.Draining
}

// SetWish keeps a wish, has it carried out, and says what happens now.
func (b *Bot) SetWish(w control.Wish) (string, error) {
	if w.Since.IsZero() {
		w.Since = b.opts.Clock().Round(0)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opts.Once && w.State == control.Paused {
		return "", errors.New("run-bot --once runs the buildlet once and does not wait")
	}
	already := b.stays && w.State == control.Draining
	if err := control.Save(b.state, w); err != nil {
		return "", err
	}
	b.opts.Log.Info("wished", "what", w.String())
	b.wish = w
	b.stays = already
	b.Wake()
	b.changed()
	return b.outlook(w, already), nil
}

// outlook says what a wish has for its effect.
func (b *Bot) outlook(w control.Wish, already bool) string {
	running := ""
	switch r := b.run.report; {
	case !b.run.working():
	case r != nil && r.Instance != "":
		running = "finishing instance " + r.Instance + ", then "
	default:
		running = "finishing what runs, then "
	}
	switch {
	case already:
		return "it is drained already, and takes no work until gobuild resume"
	case w.State == control.Draining:
		return running + "stopping"
	case w.State == control.Paused:
		return running + w.String()
	case b.gate != "":
		return "it would take work, but " + b.gate
	}
	return "it takes work"
}

// heardWish takes up a wish that came through the coordinator. It stands in
// each report from then on.
func (b *Bot) heardWish(a buildlet.Availability) {
	// Times as == takes them for equal.
	w := control.Wish(a)
	w.Until, w.Since = a.Until.UTC().Round(0), a.Since.UTC().Round(0)
	b.mu.Lock()
	known := w == b.asked
	b.asked = w
	b.mu.Unlock()
	if known {
		return
	}
	if err := w.Check(b.opts.Clock()); err != nil {
		b.opts.Log.Warn("a wish that came through the coordinator is passed over", "err", err)
		return
	}
	if _, err := b.SetWish(w); err != nil {
		b.opts.Log.Error("a wish that came through the coordinator is not done", "err", err)
	}
}

// hold says why the buildlet is not to run. One that takes orders always runs:
// the pool shows then why it takes no work.
func (b *Bot) hold() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held()
}

func (b *Bot) held() string {
	if !b.other && !b.deaf {
		return ""
	}
	switch a := b.availability(); {
	case b.update != "" || a.Takes(b.opts.Clock()):
		return ""
	case a.State == buildlet.Quarantined:
		return a.Why
	default:
		return b.wished().String()
	}
}

// carryOut does what an order alone cannot do.
func (b *Bot) carryOut() {
	b.mu.Lock()
	draining := b.wished().State == control.Draining && !b.stays
	held := b.held()
	working, pid := b.run.working(), b.run.pid
	finish := b.finish
	b.mu.Unlock()
	state := b.Status().State
	switch {
	case draining && state != supervise.Running:
		b.opts.Log.Info("drained")
		finish() // the buildlet has ended, or never began
	case held != "" && pid != 0 && !working && len(b.others(pid)) == 0:
		b.End(held, b.opts.StopWait)
	}
}

// others returns the processes that the program has started, where they can be
// found.
func (b *Bot) others(pid int) []int {
	var others []int
	for _, p := range supervise.Marked(b.mark) {
		if p != pid {
			others = append(others, p)
		}
	}
	return others
}
