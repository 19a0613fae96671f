// Package gomote is what a person does on an instance: run commands there,
// carry files there and back, look around.
//
// A Session speaks the buildlet protocol through the coordinator (packages
// buildlet and api). Making, listing and destroying instances is api.Client's.
// Files that arrive are written whole or not at all. Terminals, progress bars
// and exit codes are left to the caller.
package gomote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/buildlet"
	"gobuild/pkg/hint"
)

// Session works on one instance. It is safe for use by several goroutines.
type Session struct {
	inst  api.Instance
	farm  *api.Client
	build *buildlet.Client
}

// Open returns a session on the instance id. The error is the coordinator's
// where there is no such instance; of one that has ended it says when and why.
func Open(ctx context.Context, c *api.Client, user, key, id string) (*Session, error) {
	inst, err := c.Instance(ctx, id)
	if err != nil {
		return nil, err
	}
	return &Session{
		inst: inst,
		farm: c,
		build: buildlet.NewClient(c.BuildletURL(id), buildlet.ClientOptions{
			HTTP: c.HTTP(),
			User: user, Password: key,
			Refused: func(resp *http.Response, body []byte) error { return api.ParseError(resp, body) },
		}),
	}, nil
}

// Instance returns the instance as it was when the session was opened.
func (s *Session) Instance() api.Instance { return s.inst }

// Ping asks the buildlet itself, all the way, and returns what it is.
func (s *Session) Ping(ctx context.Context) (buildlet.Status, error) { return s.build.Status(ctx) }

// List calls fn for each entry of dir; see buildlet.Client.List.
func (s *Session) List(ctx context.Context, dir string, opts buildlet.ListOptions, fn func(buildlet.Entry) error) error {
	return s.build.List(ctx, dir, opts, fn)
}

// Remove removes paths, relative to the work directory; "." is everything.
func (s *Session) Remove(ctx context.Context, paths ...string) error {
	return s.build.RemoveAll(ctx, paths...)
}

// RunOptions say how a command is run on an instance.
type RunOptions struct {
	buildlet.ExecOptions
	// BuilderEnv are the variables of another builder type, used in place of
	// the instance's own; nil means its own.
	BuilderEnv []string
	// Firewall cuts the command off from the network (Linux only).
	Firewall bool
}

// Run runs cmd and waits for its end; see buildlet.Client.Exec. The
// environment is the builder type's, then that of opts. A command that begins
// with a slash is taken from the system.
func (s *Session) Run(ctx context.Context, cmd string, opts RunOptions) (buildlet.ExitState, error) {
	if opts.Stdin != nil && !slices.Contains(s.inst.Additions, buildlet.AdditionStdin) {
		return buildlet.ExitState{}, hint.With(
			fmt.Errorf("the buildlet on %s is upstream's: it cannot pass standard input to a command", s.inst.Hostname),
			"put the input into a file (gobuild gomote put) and redirect it there, or let the machine run gobuild buildlet")
	}
	env := s.inst.Env
	if opts.BuilderEnv != nil {
		env = opts.BuilderEnv
	}
	opts.Env = append(append([]string{fmt.Sprintf("GO_DISABLE_OUTBOUND_NETWORK=%t", opts.Firewall)}, env...), opts.Env...)
	if strings.HasPrefix(cmd, "/") {
		opts.SystemLevel = true
	}
	state, err := s.build.Exec(ctx, cmd, opts.ExecOptions)
	if err != nil && ctx.Err() == nil {
		err = s.fate(ctx, err)
	}
	return state, err
}

const (
	// fateWait is how long the coordinator may take to see that the machine is
	// lost whose command's output has broken off, fatePause between two
	// questions.
	fateWait  = 3 * time.Second
	fatePause = 100 * time.Millisecond
)

// fate adds what has become of the instance to the error of a command of which
// nothing more is heard. A broken connection does not tell.
func (s *Session) fate(ctx context.Context, err error) error {
	if _, told := errors.AsType[*api.Error](err); told {
		return err
	}
	if _, ours := errors.AsType[*fs.PathError](err); ours {
		return err // the output cannot be written here
	}
	ctx, cancel := context.WithTimeout(ctx, fateWait)
	defer cancel()
	for {
		_, why := s.farm.Instance(ctx, s.inst.ID)
		if e, ok := errors.AsType[*api.Error](why); ok && e.Code == api.CodeGone {
			return fmt.Errorf("%w: %w", err, why)
		}
		if why != nil {
			return err
		}
		select {
		case <-time.After(fatePause):
		case <-ctx.Done():
			return err
		}
	}
}

// Progress is told how many bytes of total have moved; total is -1 where it
// is not known.
type Progress func(done, total int64)

// reader returns r, telling p of what is read.
func (p Progress) reader(r io.Reader, total int64) io.Reader {
	if p == nil {
		return r
	}
	return &progressReader{r: r, tell: p, total: total}
}

type progressReader struct {
	r           io.Reader
	tell        Progress
	done, total int64
}

func (r *progressReader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	r.done += int64(n)
	if n > 0 {
		r.tell(r.done, r.total)
	}
	return n, err
}
