// Package rehearse plays a farm on this machine, with throw-away keys and
// certificates, and walks the way of its people step by step.
//
// The parts are processes of the program itself, on loopback addresses and
// free ports, in a temporary directory; only LUCI's servers, which gobuild is
// not otherwise, are played by this process. Each step runs the command that a
// person would type, and says what it has proved. Nothing outside the
// directory is touched, and nothing is left when the rehearsal ends.
package rehearse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"gobuild/pkg/hint"
)

// stepWait bounds one step.
const stepWait = 60 * time.Second

// Options are what a rehearsal needs.
type Options struct {
	// Program is the path of the program whose commands are run.
	Program string
	// Keep leaves the farm up until the context ends.
	Keep bool
	// Step, if not nil, is told of each step when it has ended.
	Step func(Step)
	// Ready, if not nil, is told of the farm that is kept.
	Ready func(Farm)
}

// Step is one step of a rehearsal.
type Step struct {
	Name    string        `json:"name"`              // what it proves
	Command string        `json:"command,omitempty"` // what a person would type
	Detail  string        `json:"detail,omitempty"`  // what came of it
	Took    time.Duration `json:"nanoseconds"`
	Err     error         `json:"-"`               // why it failed
	Failure string        `json:"error,omitempty"` // text of Err
}

// Farm is a farm that is kept up.
type Farm struct {
	Dir       string `json:"dir"`       // where everything lies
	StatusURL string `json:"statusURL"` // status page
	// TokenServer is where LUCI's token server answers without TLS, as
	// luci_machine_tokend calls it; empty without one.
	TokenServer string   `json:"tokenServer,omitempty"`
	Env         []string `json:"env"` // KEY=VALUE, the settings of a person of this farm
	Try         []string `json:"try"` // commands to try
}

// run is a rehearsal under way.
type run struct {
	opts     Options
	stepWait time.Duration // stepWait, or a test's
	dir      string
	env      []string // environment of every command
	kids     []*process
}

// errFailed is returned when a step has failed, which has been told.
var errFailed = errors.New("the rehearsal failed")

// step runs one step and tells of it. It returns errFailed if fn fails.
func (r *run) step(ctx context.Context, name, command string, fn func(ctx context.Context) (detail string, err error)) error {
	start := time.Now()
	stepCtx, cancel := context.WithTimeoutCause(ctx, r.stepWait, fmt.Errorf("not done within %s", r.stepWait))
	defer cancel()
	detail, err := fn(stepCtx)
	if err != nil && stepCtx.Err() != nil && !errors.Is(err, context.Cause(stepCtx)) {
		err = fmt.Errorf("%w (%w)", context.Cause(stepCtx), err)
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s := Step{Name: name, Command: command, Detail: detail, Took: time.Since(start), Err: err}
	if err != nil {
		s.Failure = err.Error()
	}
	if r.opts.Step != nil {
		r.opts.Step(s)
	}
	if err != nil {
		return fmt.Errorf("%w at step %q", errFailed, name)
	}
	return nil
}

// gobuild runs a command of the program to its end and returns its output.
func (r *run) gobuild(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	cmd := r.command(ctx, args...)
	var out, talk strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &talk
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("gobuild %s: %w: %s", shellWords(args), err, tail(talk.String(), 5))
	}
	return out.String(), nil
}

// tail returns the last n lines of what a process said, in one line.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if lines[0] == "" {
		return "it said nothing"
	}
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}

// shellWords returns args as one would type them.
func shellWords(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg
		if arg == "" || strings.ContainsAny(arg, " \t") {
			words[i] = "'" + arg + "'"
		}
	}
	return strings.Join(words, " ")
}

// newRun makes the directory of a rehearsal.
func newRun(opts Options) (*run, error) {
	dir, err := os.MkdirTemp("", "gobuild-rehearse-")
	if err != nil {
		return nil, hint.With(fmt.Errorf("a directory for the rehearsal: %w", err), "TMPDIR names another place for temporary files")
	}
	r := &run{opts: opts, stepWait: stepWait, dir: dir}
	for _, kv := range os.Environ() {
		// The rehearsal is not to be led astray by the settings of a real farm.
		if !strings.HasPrefix(kv, "GOBUILD_") && !strings.HasPrefix(kv, "GO_BUILD_") && !strings.HasPrefix(kv, "XDG_") && !strings.HasPrefix(kv, "HOME=") {
			r.env = append(r.env, kv)
		}
	}
	r.env = append(r.env, "HOME="+dir)
	return r, nil
}

// close ends all processes, the last started first, and removes the directory.
func (r *run) close() error {
	for i := len(r.kids) - 1; i >= 0; i-- {
		r.kids[i].stop()
	}
	return os.RemoveAll(r.dir)
}
