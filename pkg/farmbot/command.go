package farmbot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"gobuild/pkg/buildlet"
	"gobuild/pkg/hint"
	"gobuild/pkg/netdial"
	"gobuild/pkg/supervise"
)

const (
	// netTry bounds one look whether the coordinator can be reached, netPause
	// is between two.
	netTry   = 20 * time.Second
	netPause = 5 * time.Second
	// netTell is how many of them pass before the log is told again.
	netTell = 60
)

// prepare checks what may change at any time, and returns the command.
func (b *Bot) prepare(ctx context.Context) (*exec.Cmd, error) {
	b.mu.Lock()
	b.run, b.update = run{}, ""
	b.mu.Unlock()
	b.changed()
	if err := b.checkApart(); err != nil {
		return nil, err
	}
	if err := b.awaitNetwork(ctx); err != nil {
		return nil, err
	}
	if err := b.fetch(ctx); err != nil {
		return nil, err
	}
	argv, other, err := b.program(ctx)
	if err != nil {
		if ctx.Err() == nil {
			b.failedToRegister(run{}, "the buildlet", err.Error())
		}
		return nil, err
	}
	if b.hold() != "" {
		return nil, supervise.ErrHold
	}
	if err := b.emptyWork(); err != nil {
		return nil, err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = b.opts.Dir
	if cmd.Env, err = b.environ(); err != nil {
		return nil, err
	}
	r := run{other: other, began: time.Now()}
	if other {
		cmd.Env = append(cmd.Env, b.upstreamEnv()...)
		cmd.Stdout, cmd.Stderr = b.opts.Output, &lines{to: b.opts.Output, line: b.sawLog}
	} else {
		cmd.Stdout, cmd.Stderr = &lines{line: b.sawReport}, b.opts.Output
		orders, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		r.orders = orders
	}
	b.mu.Lock()
	b.run = r
	b.mu.Unlock()
	return cmd, nil
}

// program returns the command line to run, and whether it is another's
// buildlet.
func (b *Bot) program(ctx context.Context) (argv []string, other bool, err error) {
	file := b.opts.File
	if b.opts.Update != nil {
		file = b.opts.Update.File()
	}
	argv = b.opts.Program
	version := ""
	if file != "" {
		if version, other, err = buildlet.AskVersion(ctx, file, b.opts.Environ); err != nil {
			return nil, false, err
		}
		argv = []string{file}
		if name := filepath.Base(file); !other && !strings.HasPrefix(name, "buildlet") {
			argv = append(argv, "buildlet") // under that name it is one by itself
		}
	}
	b.mu.Lock()
	b.other, b.version = other, version
	b.mu.Unlock()
	if other && b.user != nil {
		return nil, false, hint.With(fmt.Errorf("%s is upstream's buildlet, which can be no other user than who has read the builder key", file),
			"leave out --user, and run all of run-bot as that user; or run a gobuild buildlet")
	}
	if other {
		return append(argv, b.upstreamArgs()...), true, nil
	}
	return append(append([]string{}, argv...), b.ownArgs()...), false, nil
}

// ownArgs are the arguments of a gobuild buildlet.
func (b *Bot) ownArgs() []string {
	o := &b.opts
	args := []string{"--supervised", "--reverse-type=" + o.HostType, "--coordinator=" + o.Coordinator,
		"--workdir=" + b.work, "--hostname=" + o.Hostname, "--health-addr="}
	if b.user != nil {
		args = append(args, "--user="+b.user.Name)
	}
	args = append(args, o.Args...)
	// A buildlet keeps back what looks like a secret; the owner gave these for
	// what is built.
	for _, kv := range o.BuildEnv {
		name, _, _ := strings.Cut(kv, "=")
		args = append(args, "--pass-env="+name)
	}
	return args
}

// upstreamArgs are the arguments of upstream's buildlet (build protocol,
// section 4). It registers at farmer.golang.org under that very name.
func (b *Bot) upstreamArgs() []string {
	o := &b.opts
	return []string{"--halt=false", "--reverse-type=" + o.HostType, "--coordinator=" + strings.Replace(o.Coordinator, "farmer.golang.org:443", "farmer.golang.org", 1),
		"--workdir=" + b.work, "--hostname=" + o.Hostname, "--health-addr=127.0.0.1:0"}
}

// upstreamEnv is what upstream's buildlet finds its key by.
func (b *Bot) upstreamEnv() []string {
	if b.opts.KeyFile == "" {
		return nil
	}
	return []string{"GO_BUILD_KEY_PATH=" + b.opts.KeyFile}
}

// awaitNetwork waits until the coordinator can be reached. What it answers is
// the buildlet's business.
func (b *Bot) awaitNetwork(ctx context.Context) error {
	if b.opts.Dialer == nil {
		return nil
	}
	for tries := 0; ; tries++ {
		err := b.reach(ctx)
		if err == nil {
			b.Say("")
			return nil
		}
		if b.opts.Once {
			return err
		}
		b.Say("waiting for the network: " + err.Error())
		if tries%netTell == 0 && ctx.Err() == nil {
			b.opts.Log.Warn("waiting for the coordinator", "coordinator", b.opts.Coordinator, "err", err, "hint", hint.Of(err))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(netPause):
		}
	}
}

// reach reports why the coordinator cannot be reached.
func (b *Bot) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, netTry, fmt.Errorf("no answer within %s", netTry))
	defer cancel()
	conn, err := b.opts.Dialer.DialTLS(ctx, b.opts.Coordinator)
	if err == nil {
		return conn.Close()
	}
	if netdial.Lasting(err) && !errors.Is(err, context.DeadlineExceeded) && answers(err) {
		return nil // somebody answers, and the buildlet says what is wrong with it
	}
	return err
}

// emptyWork removes what an earlier buildlet has left, its caches apart: what
// a kill has cut short in them is found out when they are read.
func (b *Bot) emptyWork() error {
	root, err := b.openWork()
	if err != nil {
		return fmt.Errorf("work directory: %w", err)
	}
	defer root.Close()
	names, err := list(root)
	if err != nil {
		return fmt.Errorf("work directory: %w", err)
	}
	for _, name := range names {
		if name == "gocache" || name == "goplscache" {
			continue
		}
		b.remove(root, name)
	}
	return nil
}

// answers reports whether an error came of what somebody has answered, rather
// than of a name that is not found, which may be a resolver without a network,
// or of a certificate that is out of date, which may be a clock that was not
// set yet. Both pass.
func answers(err error) bool {
	_, dns := errors.AsType[*net.DNSError](err)
	return !dns && !netdial.OutOfDate(err)
}
