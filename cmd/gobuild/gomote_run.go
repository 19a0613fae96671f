package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/buildlet"
	"gobuild/pkg/gomote"
	"gobuild/pkg/hint"
)

// runFlags are the flags of "gobuild gomote run".
type runFlags struct {
	system, debug, firewall, stdin, collect bool
	env, path                               []string
	dir, builderEnv, until                  string
}

// newGomoteRun returns "gobuild gomote run".
func newGomoteRun(a *app, p *porter) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [flags] INSTANCE COMMAND [ARGUMENT...]",
		Short: "Run a command on an instance",
		Long: `Run runs a command on an instance. What it prints, on stdout and stderr, is
passed on to stdout as it comes; the exit code is the command's own, as a shell
gives it: 128 and the signal's number for a command that was killed, 127 for
one that is not there. An interrupt here kills the command there, with all
that it has started; so does the command's own end.

COMMAND is looked for in the work directory if it contains a slash, else in the
work directory and then in PATH. One that begins with a slash implies -system.`,
		Example: `  gobuild gomote run joe-linux-amd64-0 uname -a
  gobuild gomote run -e GOARCH=386 joe-linux-amd64-0 go/src/all.bash
  gobuild gomote run -stdin joe-linux-amd64-0 /bin/sh -s < script.sh
  gobuild gomote run -until 'FAIL: TestFlaky' joe-linux-amd64-0 go/bin/go test -count=100 net/http`,
		Args: func(_ *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return errors.New("needs an instance and a command")
			case 1:
				return fmt.Errorf("needs a command to run on %s", args[0])
			}
			return nil
		},
		ValidArgsFunction: a.completeInstance(p),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.gomoteRun(cmd.Context(), p, f, args[0], args[1], args[2:])
		},
	}
	firstArgEndsFlags(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.system, "system", false, "take the command from the system, and run it in the work directory")
	flags.BoolVar(&f.debug, "debug", false, "begin with what is run, where, and in which environment")
	flags.BoolVar(&f.firewall, "firewall", false, "cut the command off from the network (Linux only)")
	flags.BoolVar(&f.stdin, "stdin", false, "pass standard input to the command")
	flags.BoolVar(&f.collect, "collect", false, "keep the output in INSTANCE.stdout, and the work directory in INSTANCE.tar.gz")
	flags.StringArrayVarP(&f.env, "e", "e", nil, "`KEY=VALUE` for the command's environment; may be given again")
	flags.StringSliceVar(&f.path, "path", nil, "elements of PATH, a comma `LIST`; $PATH and $WORKDIR are replaced there, EMPTY makes it empty")
	flags.StringVar(&f.dir, "dir", "", "`DIR` to run in (default: the command's, or the work directory with -system)")
	flags.StringVar(&f.builderEnv, "builderenv", "", "run with the environment of this `BUILDERTYPE` instead")
	flags.StringVar(&f.until, "until", "", "run again and again until the output matches this `REGEXP`")
	cmd.MarkFlagsMutuallyExclusive("stdin", "until")
	return cmd
}

func (a *app) gomoteRun(ctx context.Context, p *porter, f runFlags, id, command string, args []string) error {
	until, err := regexp.Compile(f.until)
	if err != nil {
		return usageErrorf("-until: %w", err)
	}
	for _, kv := range f.env {
		if i := strings.Index(kv, "="); i < 1 {
			return usageErrorf("-e %q: not KEY=VALUE", kv)
		}
	}
	s, err := a.open(ctx, p, id)
	if err != nil {
		return err
	}
	opts := gomote.RunOptions{Firewall: f.firewall, ExecOptions: buildlet.ExecOptions{
		Dir: f.dir, Args: args, Env: f.env, Path: f.path, SystemLevel: f.system, Debug: f.debug,
	}}
	if len(f.path) == 1 && f.path[0] == "EMPTY" {
		opts.Path = []string{}
	}
	if f.stdin {
		opts.Stdin = a.stdin
	}
	if f.builderEnv != "" {
		if opts.BuilderEnv, err = a.builderEnv(ctx, p, f.builderEnv); err != nil {
			return err
		}
	}
	for round := 1; ; round++ {
		state, output, err := a.runOnce(ctx, s, command, opts, f, id)
		if err != nil {
			return err
		}
		if f.until != "" && state.Started() && !until.Match(output) {
			fmt.Fprintf(a.stderr, "# round %d: %s, no match; again\n", round, state.Text)
			continue
		}
		if f.collect {
			if _, err := s.GetTar(ctx, ".", id+".tar.gz", nil, nil); err != nil {
				return err
			}
		}
		return ended(command, f.dir, state)
	}
}

// runOnce runs the command once; the output is returned too if -until asks
// for it.
func (a *app) runOnce(ctx context.Context, s *gomote.Session, command string, opts gomote.RunOptions, f runFlags, id string) (buildlet.ExitState, []byte, error) {
	var output bytes.Buffer
	opts.Output = a.stdout
	if f.until != "" {
		opts.Output = io.MultiWriter(opts.Output, &output)
	}
	if f.collect {
		file, err := os.Create(id + ".stdout")
		if err != nil {
			return buildlet.ExitState{}, nil, err
		}
		defer file.Close()
		opts.Output = io.MultiWriter(opts.Output, file)
	}
	state, err := s.Run(ctx, command, opts)
	if ctx.Err() != nil {
		// Closing the connection has killed the command there.
		return state, nil, &exitError{code: exitInterrupted, err: hint.With(
			fmt.Errorf("interrupted: %s was killed on %s", command, s.Instance().Hostname),
			"the instance lives on: gobuild gomote destroy %s", id)}
	}
	var refused *buildlet.StatusError
	if errors.As(err, &refused) && refused.Status == 422 {
		text := strings.TrimPrefix(refused.Text, "invalid 'cmd' parameter: ")
		return state, nil, &exitError{code: 127, err: hint.With(fmt.Errorf("%s: %s", s.Instance().Hostname, text),
			"a command without a slash is looked for in the work directory (gobuild gomote ls %s) and in PATH (-path)", id)}
	}
	return state, output.Bytes(), err
}

// exitInterrupted is what a shell gives for a command that SIGINT ended.
const exitInterrupted = 130

// ended turns the end of a remote command into the end of this one.
func ended(command, dir string, state buildlet.ExitState) error {
	switch {
	case state.OK():
		return nil
	case state.Started():
		return &exitError{code: state.Code()} // it has said itself what is wrong
	}
	err := fmt.Errorf("%s could not be started: %s", command, state.Text)
	if dir != "" {
		err = hint.With(err, "is there a directory %s? (-dir)", dir)
	}
	return &exitError{code: state.Code(), err: err}
}

// builderEnv returns the environment of a builder type.
func (a *app) builderEnv(ctx context.Context, p *porter, name string) ([]string, error) {
	c, err := a.client(*p)
	if err != nil {
		return nil, err
	}
	types, err := c.BuilderTypes(ctx)
	if err != nil {
		return nil, err
	}
	t, ok := types[name]
	if !ok {
		err := usageErrorf("-builderenv: unknown builder type %q", name)
		if near := hint.Nearest(name, sortedKeys(types)); near != "" {
			err = hint.With(err, "did you mean %s?", near)
		}
		return nil, err
	}
	return (&buildconfig.Builder{Name: name, FlakyNet: t.FlakyNet}).Env(), nil
}
