package farmbot

import (
	"os"
	"time"
)

const (
	// countEvery is the pause between two counts of the processes.
	countEvery = time.Second
	// slack is what a hard limit has besides for the buildlet itself, which
	// has to be able to end what is too much.
	slack = 64
)

// limitProcesses keeps the processes of the program within MaxProcesses, as
// well as this system can: they are counted, and when they are too many all
// but the buildlet are killed; where there is a hard limit, it is set a little
// above. It returns a function for when the program has ended.
func (b *Bot) limitProcesses(pid int) (release func()) {
	most := b.opts.MaxProcesses
	if most <= 0 {
		return func() {}
	}
	// The name is the same each time, so that what a killed run-bot has left
	// is used again.
	hard, how, free := hardLimit("gobuild-buildlet-"+b.mark[len(b.mark)-12:], pid, most, b.user == nil && os.Geteuid() == 0)
	if !canCount && how == "" {
		how = "none: this system has no way that is known here"
	} else if canCount {
		how = join("counted each second", how)
	}
	b.mu.Lock()
	told := b.limit == how
	b.limit = how
	b.mu.Unlock()
	if !told {
		b.opts.Log.Info("limit of processes", "most", most, "how", how)
	}
	if !canCount {
		return free
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(countEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if b.idle() && hard == nil {
				continue // to look at all processes costs something
			}
			b.countProcesses(pid, most, hard)
		}
	}()
	return func() {
		close(stop)
		<-done
		free()
	}
}

// countProcesses kills what the program runs if it is too much. Count, if not
// nil, counts without looking at each.
func (b *Bot) countProcesses(pid, most int, count func() int) {
	if count != nil && count() <= most {
		return
	}
	others := b.others(pid)
	if len(others)+1 <= most {
		return
	}
	b.mu.Lock()
	b.kills++
	b.mu.Unlock()
	b.opts.Log.Error("too many processes, and all but the buildlet are killed", "processes", len(others)+1, "most", most)
	// They start others meanwhile.
	for end := time.Now().Add(10 * time.Second); len(others) > 0 && time.Now().Before(end); others = b.others(pid) {
		kill(others)
	}
}
