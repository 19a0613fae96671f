package farmbot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"gobuild/pkg/buildlet"
	"gobuild/pkg/supervise"
	"gobuild/pkg/supervise/control"
)

const (
	// orderWait bounds the writing of an order: a buildlet that does not read
	// is not waited for.
	orderWait = 5 * time.Second
	// maxReport bounds a line of a buildlet, in bytes.
	maxReport = 64 << 10
	// silence is how long a buildlet, which reports at least every 10 s, may
	// say nothing before it is taken for hung.
	silence = 2 * time.Minute
)

// run is a program that runs.
type run struct {
	pid    int
	other  bool           // no gobuild buildlet
	orders io.WriteCloser // of a gobuild buildlet
	began  time.Time
	sent   *buildlet.Availability // the last order
	report *buildlet.Report       // the last one, made up from the log of another's
	heard  time.Time              // when report came
	good   bool                   // it has registered at least once
	last   string                 // the last line of another's log
	within time.Time              // since when it might have registered
	probed time.Time              // when it was last looked whether it might
	cut    func()                 // ends the look for another buildlet meanwhile
}

// working reports whether there is work in hand.
func (r *run) working() bool {
	return r.report != nil && (r.report.State == buildlet.Working || r.report.Commands > 0)
}

// started takes note that the program runs.
func (b *Bot) started(pid int) (ended func()) {
	b.mu.Lock()
	b.run.pid, b.run.heard, b.run.within = pid, time.Now(), time.Now()
	b.mu.Unlock()
	b.obey()
	release := b.limitProcesses(pid)
	b.changed()
	return func() {
		release()
		b.mu.Lock()
		b.run.pid = 0
		cut := b.run.cut
		b.mu.Unlock()
		if cut != nil {
			cut()
		}
	}
}

// obey orders what the buildlet is to say to coordinators, if that is another
// than before.
func (b *Bot) obey() {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := &b.run
	if r.orders == nil || r.pid == 0 {
		return
	}
	a := b.availability()
	if r.sent != nil && *r.sent == a {
		return
	}
	line, err := json.Marshal(buildlet.Order{Availability: a})
	if err != nil {
		return
	}
	if f, ok := r.orders.(*os.File); ok {
		f.SetWriteDeadline(time.Now().Add(orderWait))
	}
	if _, err := r.orders.Write(append(line, '\n')); err != nil {
		b.opts.Log.Warn("the buildlet does not take an order", "err", err)
		return
	}
	r.sent = &a
}

// sawReport takes note of a line that a gobuild buildlet has written.
func (b *Bot) sawReport(line string) {
	var report buildlet.Report
	if err := json.Unmarshal([]byte(line), &report); err != nil || report.State == "" {
		if line != "" {
			b.opts.Log.Warn("the buildlet says what is no report", "line", fmt.Sprintf("%.200s", line))
		}
		return
	}
	b.take(report)
	if report.Wish != nil {
		b.heardWish(*report.Wish)
	}
}

// take takes note of how the program is.
func (b *Bot) take(report buildlet.Report) {
	b.mu.Lock()
	r := &b.run
	r.report, r.heard = &report, time.Now()
	first := !report.Registered.IsZero() && !r.good
	r.good = r.good || first
	if first {
		b.failed = 0
	}
	if !report.Registered.IsZero() {
		b.deaf = !r.other && !report.Claims
	}
	b.mu.Unlock()
	if first {
		b.confirm()
	}
	b.changed()
}

// The lines by which upstream's buildlet tells how it is.
var (
	logConnected = []string{"Connected to coordinator; reverse dialing active", "Connected to gomote server; reverse dialing active"}
	logLost      = []string{"http.Serve on reverse connection complete", "buildlet reverse mode exiting"}
	logCommand   = "] Running "
	logDone      = "] Run = "
)

// sawLog takes note of a line of upstream's log.
func (b *Bot) sawLog(line string) {
	has := func(texts []string) bool {
		for _, text := range texts {
			if strings.Contains(line, text) {
				return true
			}
		}
		return false
	}
	now := time.Now()
	b.mu.Lock()
	b.run.last = line
	report := buildlet.Report{State: buildlet.Connecting, Since: now}
	if b.run.report != nil {
		report = *b.run.report
	}
	b.mu.Unlock()
	before := report
	switch {
	case has(logConnected):
		report.Registered = now
	case has(logLost):
		report.Registered, report.Why = time.Time{}, line
	case strings.Contains(line, logCommand):
		report.Commands++
	case strings.Contains(line, logDone):
		report.Commands = max(report.Commands-1, 0)
	}
	switch {
	case report.Registered.IsZero():
		report.State = buildlet.Connecting
	case report.Commands > 0:
		report.State = buildlet.Working
	default:
		report.State = buildlet.Idle
	}
	if report.State != before.State {
		report.Since = now
	}
	b.take(report)
}

// judge says what the end of the program means.
func (b *Bot) judge(exit supervise.Exit) supervise.Verdict {
	b.mu.Lock()
	r, update, stays, version := b.run, b.update, b.stays, b.version
	wish := b.wished()
	held := b.held()
	b.mu.Unlock()
	why := ""
	if r.report != nil {
		why = r.report.Why
	}
	switch {
	case update != "" && exit.Err == nil:
		return supervise.Verdict{Why: update, Again: true}
	case wish.State == control.Draining && !stays && (exit.Err == nil || r.other):
		return supervise.Verdict{Why: "it is drained", Enough: true}
	case held != "":
		return supervise.Verdict{Why: held, Again: true}
	case exit.Err == nil && r.good:
		return supervise.Verdict{Why: "it ended by itself with exit code 0: the coordinator told it to halt, or the link was lost", Again: true}
	case exit.Err == nil:
		text := "it ended by itself with exit code 0, without having registered"
		b.failedToRegister(r, version, text)
		return supervise.Verdict{Why: text}
	}
	if strings.HasPrefix(exit.Err.Error(), "signal: ") {
		text := "it was killed: " + exit.Err.Error()
		b.failedToRegister(r, version, text)
		// Somebody's kill is not the program's fault, as long as it works.
		return supervise.Verdict{Why: text, Failed: true, Again: r.good && exit.Ran >= b.opts.Settle}
	}
	text := "it failed: " + exit.Err.Error()
	if why == "" {
		why = r.last
	}
	if why != "" {
		text += fmt.Sprintf("; it said: %.300s", why)
	}
	b.failedToRegister(r, version, text)
	return supervise.Verdict{Why: text, Failed: true}
}

// lines passes text on and calls line for each line of it, without its end.
type lines struct {
	to   io.Writer // nil for nobody
	line func(string)
	rest []byte
	skip bool // the line is too long, and its rest is passed over
}

func (l *lines) Write(p []byte) (int, error) {
	if l.to != nil {
		l.to.Write(p)
	}
	text := p
	for len(text) > 0 {
		part, after, whole := bytes.Cut(text, []byte("\n"))
		if !l.skip {
			l.rest = append(l.rest, part...)
		}
		if len(l.rest) > maxReport {
			l.rest, l.skip = nil, true
		}
		if !whole {
			break
		}
		if !l.skip {
			l.line(strings.TrimRight(string(l.rest), "\r"))
		}
		l.rest, l.skip = l.rest[:0], false
		text = after
	}
	return len(p), nil
}
