// Package doctor checks a machine against what a builder needs: the builder
// requirements of the wiki page DashboardBuilders, the conditions under which
// the Swarming server quarantines a bot (LUCI protocol, section 9.9), and what
// has kept builders of others from working.
//
// Each check says what it found, what is wanted and how to mend it. Checks
// only look; two write a small file, in the work directory and among the
// temporary files, and remove it again. What a system cannot tell is reported
// as unknown, never as a failure. The program, its flags and its colours are
// left to package main.
package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"time"

	"gobuild/pkg/netdial"
	"gobuild/pkg/plain"
	"gobuild/pkg/version"
)

// Target is the kind of farm that a machine is to work for.
type Target string

// The targets. Without one, a machine is checked for the kind that its
// settings are for; with settings for neither, for both, and what only one of
// them needs is a warning at most.
const (
	TargetAny         Target = ""
	TargetLUCI        Target = "luci"
	TargetCoordinator Target = "coordinator"
)

// State is the outcome of a check.
type State string

// The states of a Finding.
const (
	OK      State = "ok"      // as wanted
	Warn    State = "warn"    // works, but look at it
	Fail    State = "fail"    // a builder cannot work like this
	Unknown State = "unknown" // cannot be measured here
	Skip    State = "skip"    // does not apply
)

// Finding is what a check found.
type Finding struct {
	// Check is a stable name for programs, such as "memory"; the checks of
	// hosts in the network have one of the form reach/NAME.
	Check string `json:"check"`
	// Group is the heading that the finding belongs under, Title what was
	// looked at.
	Group string `json:"group"`
	Title string `json:"title"`
	State State  `json:"state"`
	// Found is what is there, Wanted what a builder needs.
	Found  string `json:"found"`
	Wanted string `json:"wanted,omitempty"`
	// Remedy says how to mend it, where there is something to mend.
	Remedy string `json:"remedy,omitempty"`
	// Section says where the requirement comes from.
	Section string `json:"section,omitempty"`
}

// Report is the outcome of all checks.
type Report struct {
	Time     time.Time `json:"time"`
	Hostname string    `json:"hostname"` // the configured one, else the machine's
	Port     string    `json:"port"`     // GOOS-GOARCH, the configured one, else this program's
	Version  string    `json:"version"`  // of gobuild
	For      Target    `json:"for"`      // as asked; empty: whatever the settings are for
	Findings []Finding `json:"findings"`

	home string // written ~ in Plain
}

// Failed reports whether a finding is a failure.
func (r Report) Failed() bool { return r.Count(Fail) > 0 }

// Count returns how many findings have the state.
func (r Report) Count(state State) int {
	n := 0
	for _, f := range r.Findings {
		if f.State == state {
			n++
		}
	}
	return n
}

// Options are what Run needs to know: the settings of the machine, each empty
// if there is none, and what tests replace.
type Options struct {
	For     Target
	Only    []string      // checks to do, by name or by the part before a slash; nil means all
	Offline bool          // do not use the network
	Timeout time.Duration // for everything together; 0 means DefaultTimeout

	Hostname    string // bot host name
	Port        string // GOOS-GOARCH
	HostType    string // host type at the coordinator
	Coordinator string // URL of the coordinator
	KeyFile     string // builder key
	CertPEM     string // LUCI certificate
	PKeyPEM     string // private key of that certificate
	TokenFile   string // machine token
	Backend     string // token server, HOST[:PORT]
	Swarming    string // Swarming server, HOST[:PORT]
	WorkDir     string // work directory of the worker
	Python      string // interpreter that runs the bot

	// Dialer opens connections; nil means the system's roots and the proxy
	// of the environment.
	Dialer *netdial.Dialer
	// Getenv is os.Getenv, or a test's.
	Getenv func(string) string
	// Root is put before the paths of /proc, /sys and their like.
	Root string
	// Hosts replaces what DefaultHosts returns.
	Hosts []Host
	// Now is time.Now, or a test's.
	Now func() time.Time
	// Progress, if not nil, is called with the titles of the checks that are
	// still running whenever one has ended, never by two goroutines at once.
	Progress func(running []string)
}

// DefaultTimeout bounds all checks together.
const DefaultTimeout = 30 * time.Second

// grace is what a check gets, at the end of its time, to notice that this is
// over.
const grace = time.Second

// Run does the checks, all at the same time, and returns their findings in the
// order of Checks. It ends when ctx does, or the timeout is over; what has not
// answered then is unknown.
func Run(ctx context.Context, o Options) Report {
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Dialer == nil {
		o.Dialer = &netdial.Dialer{}
	}
	if o.Dialer.Proxy == nil {
		o.Dialer = &netdial.Dialer{Roots: o.Dialer.Roots, Proxy: http.ProxyFromEnvironment}
	}
	grace := min(grace, o.Timeout/4)
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout-grace, fmt.Errorf("no answer within %s", o.Timeout))
	defer cancel()
	e := newExam(ctx, o)
	todo := selected(o.Only)
	outcomes := make([][]Finding, len(todo))
	ended := make(chan int)
	for i, c := range todo {
		go func() {
			outcomes[i] = e.do(ctx, c, grace)
			ended <- i
		}()
	}
	running := slices.Clone(todo)
	for range todo {
		i := <-ended
		running = slices.DeleteFunc(running, func(c check) bool { return c.id == todo[i].id })
		if o.Progress != nil {
			o.Progress(titles(running))
		}
	}
	return Report{
		Time:     o.Now().UTC().Truncate(time.Second),
		Hostname: plain.Line(e.name(), maxText),
		Port:     plain.Line(cmp.Or(o.Port, ownPort()), maxText),
		Version:  version.String(),
		For:      o.For,
		Findings: slices.Concat(outcomes...),
		home:     e.home(),
	}
}

// ownPort is the port that this program was built for.
func ownPort() string { return runtime.GOOS + "-" + runtime.GOARCH }

// do does one check and completes what it found. It returns although the check
// does not, such as one that asks a file system whose server is gone.
func (e *exam) do(ctx context.Context, c check, grace time.Duration) []Finding {
	if reason := e.leftOut(c); reason != "" {
		return []Finding{c.finish(Finding{State: Skip, Found: reason})}
	}
	done := make(chan []Finding, 1)
	go func() { done <- c.run(e, ctx) }()
	var findings []Finding
	select {
	case findings = <-done:
	case <-ctx.Done():
		select {
		case findings = <-done:
		case <-time.After(grace):
			findings = one(unknown("%v", context.Cause(ctx)))
			findings[0].Remedy = "see what it waits for, such as a file system whose server is gone, or give it more --timeout"
		}
	}
	for i, f := range findings {
		if e.need(c.target) == perhaps && f.State == Fail {
			f.State = Warn // until it is known that the machine is for this kind of farm
		}
		findings[i] = c.finish(f)
	}
	return findings
}

// finish completes a finding with what holds for all of the check.
func (c check) finish(f Finding) Finding {
	f.Check = cmp.Or(f.Check, c.id)
	f.Group = c.group
	f.Title = cmp.Or(f.Title, c.title)
	f.Found = plain.Line(f.Found, maxText)
	f.Remedy = plain.Line(f.Remedy, maxText)
	f.Wanted = cmp.Or(f.Wanted, c.wanted)
	f.Section = cmp.Or(f.Section, c.section)
	switch {
	case f.State == Skip:
		f.Wanted, f.Remedy = "", ""
	case f.State == Unknown && f.Remedy == "":
		f.Remedy = "compare it by hand with what is wanted"
	}
	return f
}

// maxText bounds a text of a finding, in bytes.
const maxText = 600
