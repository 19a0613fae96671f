package farmbot

import (
	"fmt"
	"time"

	"gobuild/pkg/diskspace"
)

// gateEvery is the pause between two looks whether the machine is fit.
const gateEvery = 15 * time.Second

// DefaultFreeDisk returns how many bytes of a file system are to be free where
// nothing else is said: 2 GiB, or 5 % if that is less.
func DefaultFreeDisk(total int64) int64 { return min(2<<30, total/20) }

// unfit says why the machine is not fit for work, or "".
func (b *Bot) unfit() string {
	if space, ok := diskspace.Of(b.work); ok {
		want := b.opts.MinFreeDisk.of(space.Total)
		if !b.opts.MinFreeDisk.Given {
			want = DefaultFreeDisk(space.Total)
		}
		if space.Free < want {
			return fmt.Sprintf("only %s of disk are free, and %s are wanted", Size(space.Free), Size(want))
		}
	}
	if total, free, ok := memory(); ok && b.opts.MinFreeMemory.Given {
		if want := b.opts.MinFreeMemory.of(total); free < want {
			return fmt.Sprintf("only %s of memory are available, and %s are wanted", Size(free), Size(want))
		}
	}
	return ""
}

// blind says which gates cannot be looked at here, in words for the log.
func (b *Bot) blind() []string {
	_, disk := diskspace.Of(b.work)
	_, _, mem := memory()
	texts := blindGates(b.opts.MinFreeDisk, b.opts.MinFreeMemory, disk, mem)
	if b.user != nil && !seesOthers() {
		texts = append(texts, "this process may not look at those of other users (CAP_SYS_PTRACE): what builds leave running is not found")
	}
	return texts
}

func blindGates(disk, mem Amount, seesDisk, seesMem bool) (texts []string) {
	// A limit of nothing is none.
	if !seesDisk && (!disk.Given || disk.Bytes > 0 || disk.Percent > 0) {
		texts = append(texts, "this system does not tell how much disk is free: the machine takes work however full it is")
	}
	if !seesMem && (mem.Bytes > 0 || mem.Percent > 0) {
		texts = append(texts, "this system does not tell how much memory is available: --min-free-memory has no effect")
	}
	return texts
}

// lookFit looks at times whether the machine is fit. Memory that what runs has
// taken is no fault of the machine's.
func (b *Bot) lookFit(now time.Time, must bool) {
	b.mu.Lock()
	due := must || now.Sub(b.checked) >= gateEvery
	working, before := b.run.working(), b.gate
	if due {
		b.checked = now
	}
	b.mu.Unlock()
	if !due || working && before == "" {
		return
	}
	why := b.unfit()
	b.mu.Lock()
	// The numbers change all the time: while the gate is shut its first reason
	// stands.
	if why == "" || before == "" {
		b.gate = why
	}
	b.mu.Unlock()
	switch {
	case why != "" && before == "":
		b.opts.Log.Warn("this machine takes no work", "why", why)
	case why == "" && before != "":
		b.opts.Log.Info("this machine takes work again")
		b.Wake()
	}
}

func freeDisk(dir string) (int64, bool) {
	space, ok := diskspace.Of(dir)
	return space.Free, ok
}

func freeMemory() (int64, bool) {
	_, free, ok := memory()
	return free, ok
}
