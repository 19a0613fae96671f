package stage0

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"gobuild/pkg/buildlet"
	"gobuild/pkg/supervise"
)

// Runner starts the program of a Fetcher once, and goes back to the previous
// one if a new one does not prove good.
//
// A gobuild buildlet tells whether it has registered; another one has proved
// good when it has stayed up for RegisterWithin.
type Runner struct {
	// Fetcher keeps the program.
	Fetcher *Fetcher
	// Args are the program's arguments, Env is its environment.
	Args, Env []string
	// RegisterWithin is how long a program that has not proved good yet may
	// take to register. 0 means that it is never rolled back.
	RegisterWithin time.Duration
	// Reachable reports whether there is a coordinator to register with: while
	// there is none the program is not to blame. nil means always.
	Reachable func(context.Context) bool
	// Stdout and Stderr are the program's.
	Stdout, Stderr io.Writer
	// StopWait is how long the program may take to end when ctx has ended; 0
	// means 20 s.
	StopWait time.Duration
	// Log gets what happens; nil means slog.Default.
	Log *slog.Logger
}

const (
	maxReport = 64 << 10 // bytes of a line
	// probes is how often within RegisterWithin it is looked whether there is
	// a coordinator at all.
	probes = 5
)

// Run starts the program and waits for its end. If it is rolled back, the
// previous one is started in its place, and so on. The error is that of the
// last one's exit; the end of ctx ends the program and is no error.
func (r *Runner) Run(ctx context.Context) error {
	for {
		again, err := r.once(ctx)
		if !again {
			return err
		}
	}
}

func (r *Runner) log() *slog.Logger {
	if r.Log != nil {
		return r.Log
	}
	return slog.Default()
}

// once runs the program that is in place. It asks to be called again if that
// was rolled back.
func (r *Runner) once(ctx context.Context) (again bool, err error) {
	state, err := r.Fetcher.State()
	if err != nil {
		return false, err
	}
	proven := state.Intact && !state.Current.Confirmed.IsZero()
	// rollBack answers for a program that has not proved good.
	rollBack := func(why string, err error) (bool, error) {
		if proven || r.RegisterWithin <= 0 || ctx.Err() != nil || !r.reachable(ctx) {
			return false, err
		}
		switch rollErr := r.Fetcher.RollBack(why); {
		case rollErr == nil:
			r.log().Error("the new program is no good; the previous one takes its place", "why", why, "version", state.Current.Version, "digest", state.Current.Digest)
			return true, nil
		case errors.Is(rollErr, ErrNoPrevious):
			r.log().Warn("the program may be no good, and there is no previous one", "why", why)
			return false, err
		default:
			return false, errors.Join(err, rollErr)
		}
	}
	path, err := filepath.Abs(r.Fetcher.File)
	if err != nil {
		return false, err
	}
	p, err := r.start(ctx, path)
	if err != nil {
		return rollBack(err.Error(), err)
	}
	late := p.watch(ctx, proven)
	err = p.wait()
	switch {
	case ctx.Err() != nil:
		return false, nil
	case late():
		return rollBack(fmt.Sprintf("it did not register within %s", r.RegisterWithin), err)
	case err != nil && !p.proved():
		return rollBack(fmt.Sprintf("it ended (%v) before it had registered", err), err)
	}
	return false, err
}

func (r *Runner) reachable(ctx context.Context) bool {
	return r.Reachable == nil || r.Reachable(ctx)
}

// running is a program that was started.
type running struct {
	r          *Runner
	cmd        *exec.Cmd
	group      *supervise.Group
	stdin      io.WriteCloser // nil unless it is supervised
	supervised bool
	ended      chan struct{}
	good       chan struct{} // closed when it has proved good
	goodOnce   sync.Once
	reports    sync.WaitGroup
}

// start starts the program at path.
func (r *Runner) start(ctx context.Context, path string) (*running, error) {
	p := &running{r: r, ended: make(chan struct{}), good: make(chan struct{})}
	_, other, err := buildlet.AskVersion(ctx, path, r.Env)
	p.supervised = err == nil && !other
	args := r.Args
	if p.supervised {
		args = append([]string{"--supervised"}, args...)
	}
	p.cmd = exec.Command(path, args...)
	mark := "GOBUILD_STAGE0_MARK=" + rand.Text()
	p.cmd.Env = append(r.Env[:len(r.Env):len(r.Env)], mark)
	p.cmd.Stdout, p.cmd.Stderr = r.Stdout, r.Stderr
	var stdout io.ReadCloser
	if p.supervised {
		if p.stdin, err = p.cmd.StdinPipe(); err != nil {
			return nil, err
		}
		reader, writer, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		defer writer.Close()
		p.cmd.Stdout, stdout = writer, reader
	}
	p.group = supervise.NewGroup(p.cmd, mark)
	err = p.cmd.Start()
	if err == nil {
		err = p.group.Started()
		if err != nil {
			p.group.Kill()
			p.group.Wait()
		}
	}
	if err != nil {
		if stdout != nil {
			stdout.Close()
		}
		p.group.Close()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	if p.stdin != nil {
		// The buildlet waits for it before it registers. One that has ended
		// already takes none.
		json.NewEncoder(p.stdin).Encode(buildlet.Order{Availability: buildlet.Availability{State: buildlet.Open}})
	}
	r.log().Info("started", "file", path, "pid", p.cmd.Process.Pid, "supervised", p.supervised)
	if stdout != nil {
		p.reports.Go(func() { p.readReports(stdout) })
	}
	return p, nil
}

// readReports reads what a supervised buildlet tells; other lines are passed
// on.
func (p *running) readReports(stdout io.ReadCloser) {
	defer stdout.Close()
	lines := bufio.NewReaderSize(stdout, maxReport)
	var last buildlet.ReportState
	for {
		line, err := lines.ReadSlice('\n')
		var report buildlet.Report
		if bytes.HasPrefix(line, []byte("{")) && json.Unmarshal(line, &report) == nil && report.State != "" {
			if report.State != last {
				last = report.State
				p.r.log().Info("buildlet", "state", report.State, "why", report.Why)
			}
			if !report.Registered.IsZero() {
				p.prove()
			}
		} else if len(line) > 0 && p.r.Stdout != nil {
			p.r.Stdout.Write(line)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// prove notes that the program is good.
func (p *running) prove() {
	p.goodOnce.Do(func() {
		if err := p.r.Fetcher.Confirm(); err != nil {
			p.r.log().Warn("the program has proved good, but that could not be noted", "err", err)
		}
		close(p.good)
	})
}

func (p *running) proved() bool {
	select {
	case <-p.good:
		return true
	default:
		return false
	}
}

// watch ends the program when ctx ends, and when it has not registered in
// time, which late then reports. It is called once the program has ended.
func (p *running) watch(ctx context.Context, proven bool) (late func() bool) {
	var wg sync.WaitGroup
	var overdue bool
	wg.Go(func() {
		var trial <-chan time.Time
		if !proven && p.r.RegisterWithin > 0 {
			ticker := time.NewTicker(max(p.r.RegisterWithin/probes, 1))
			defer ticker.Stop()
			trial = ticker.C
		}
		good := p.good
		looks := 0 // in a row that found a coordinator
		for {
			select {
			case <-p.ended:
				return
			case <-good:
				trial, good = nil, nil
			case <-ctx.Done():
				p.stop()
				return
			case <-trial:
				looks++
				if p.supervised && !p.r.reachable(ctx) {
					p.r.log().Warn("the new program has not registered, but no coordinator answers; it is given more time", "within", p.r.RegisterWithin)
					looks = 0 // the network may come and go
				}
				if looks < probes {
					continue
				}
				looks = 0
				if !p.supervised {
					p.prove()
					continue
				}
				if overdue = p.overdue(); overdue {
					p.stop()
					return
				}
			}
		}
	})
	return func() bool {
		wg.Wait()
		return overdue
	}
}

// overdue reports whether a program that has not registered should go: there
// is another one.
func (p *running) overdue() bool {
	state, err := p.r.Fetcher.State()
	return err == nil && state.Previous.Digest != "" && !p.proved()
}

// stop asks the program to end, and kills it if it does not.
func (p *running) stop() {
	wait := p.r.StopWait
	if wait == 0 {
		wait = 20 * time.Second
	}
	err := p.group.Signal(syscall.SIGTERM)
	if p.stdin != nil {
		p.stdin.Close() // which ends a supervised one, too
		err = nil
	}
	if err == nil {
		select {
		case <-p.ended:
			return
		case <-time.After(wait):
		}
	}
	p.group.Kill()
}

// wait waits for the end of the program and of all that it has left running.
func (p *running) wait() error {
	err := p.group.Wait()
	close(p.ended)
	if left := p.group.Sweep(); len(left) > 0 {
		p.r.log().Warn("processes that the program has left behind cannot be killed", "pids", left)
	}
	p.group.Close()
	p.reports.Wait()
	return err
}
