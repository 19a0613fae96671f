package buildlet

import (
	"io"
	"sync"
	"time"
)

// silence watches over the output of a command: what prints nothing for too
// long hangs. The time in which the caller does not take what was printed does
// not count.
type silence struct {
	limit time.Duration
	kill  func()

	mu      sync.Mutex
	timer   *time.Timer // nil: there is no limit
	last    time.Time   // end of the last write
	writing bool        // output is on its way to the caller
	stopped bool
	killed  bool
}

// watchSilence begins to watch; kill is called once if nothing is printed for
// limit, unless that is 0.
func watchSilence(limit time.Duration, kill func()) *silence {
	w := &silence{limit: limit, kill: kill, last: time.Now()}
	if limit > 0 {
		w.mu.Lock()
		w.timer = time.AfterFunc(limit, w.look)
		w.mu.Unlock()
	}
	return w
}

// look is called when the limit may have passed.
func (w *silence) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	left := w.limit - time.Since(w.last)
	switch {
	case w.stopped:
	case w.writing:
		w.timer.Reset(w.limit)
	case left > 0:
		w.timer.Reset(left)
	default:
		w.stopped, w.killed = true, true
		go w.kill()
	}
}

// stop ends the watch and reports whether the command was killed.
func (w *silence) stop() (killed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	if w.timer != nil {
		w.timer.Stop()
	}
	return w.killed
}

// writer returns out, watched.
func (w *silence) writer(out io.Writer) io.Writer {
	if w.limit <= 0 {
		return out
	}
	return &watchedWriter{out, w}
}

type watchedWriter struct {
	out io.Writer
	w   *silence
}

func (o *watchedWriter) Write(p []byte) (int, error) {
	o.w.note(true)
	defer o.w.note(false)
	return o.out.Write(p)
}

func (w *silence) note(writing bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writing, w.last = writing, time.Now()
}
