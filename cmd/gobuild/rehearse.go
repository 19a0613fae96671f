package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gobuild/pkg/plain"
	"gobuild/pkg/rehearse"
)

// rehearsal is one of what can be rehearsed.
type rehearsal struct {
	name, about string
	run         func(context.Context, rehearse.Options) error
}

// rehearsals are all there are, the one that is meant without an argument first.
var rehearsals = []rehearsal{
	{"coordinator", "a coordinator with one machine, and a porter who works on it", rehearse.Coordinator},
	{"luci", "a machine of LUCI's, from its certificate request to a bot that works, and what can go wrong", rehearse.LUCI},
}

// newRehearseCommand returns "gobuild rehearse".
func newRehearseCommand(a *app) *cobra.Command {
	var keep bool
	var names, completions []string
	for _, reh := range rehearsals {
		names = append(names, reh.name)
		completions = append(completions, cobra.CompletionWithDesc(reh.name, reh.about))
	}
	cmd := &cobra.Command{
		Use:     "rehearse [" + strings.Join(names, "|") + "]",
		GroupID: groupOwner,
		Short:   "Play a whole farm on this machine, step by step",
		Long: `Rehearse plays a farm on this machine, with throw-away keys and certificates,
on loopback addresses, in a temporary directory, and walks the way of its people
step by step. Each step runs the command that a person would type, and says what
it has proved.

Coordinator, which is meant without an argument, is a private farm: a
coordinator, a buildlet, and a porter's session. Luci is the world of a LUCI
builder: its certificate, the token server, Swarming and the bot, played by
stand-ins with the checks of the real ones. Then things are broken on purpose,
one by one, and the tools have to name each cause. The bot is a Python program;
where no python3 can run bots, gobuild plays it. The exit code is 1 if a step
fails.

With --keep the farm stays up until it is interrupted, and what there is to try
is printed.`,
		Example: `  gobuild rehearse
  gobuild rehearse luci
  gobuild rehearse coordinator --keep`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case isStandIn(args):
				return nil
			case len(args) > 1:
				return fmt.Errorf("takes one rehearsal at most, got %d", len(args))
			case len(args) == 1 && !slices.Contains(names, args[0]):
				return fmt.Errorf("unknown rehearsal %q: there are %s", args[0], strings.Join(names, " and "))
			}
			return nil
		},
		ValidArgs: completions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if isStandIn(args) {
				return a.standIn(cmd.Context(), args[1:])
			}
			which := 0
			if len(args) > 0 {
				which = slices.Index(names, args[0])
			}
			return a.rehearse(cmd.Context(), rehearsals[which], keep)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the farm up until interrupted")
	return cmd
}

// isStandIn reports whether a rehearsal's script calls, and no person.
func isStandIn(args []string) bool { return len(args) > 1 && args[0] == rehearse.StandInName }

// standIn plays Python and the bot for run-bot, and so prints errors as Python
// does.
func (a *app) standIn(ctx context.Context, args []string) error {
	if err := rehearse.StandIn(ctx, args, a.stdout, a.getenv); err != nil {
		fmt.Fprintln(a.stderr, err)
		return &exitError{code: exitFailed}
	}
	return nil
}

func (a *app) rehearse(ctx context.Context, reh rehearsal, keep bool) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	p := a.palette(a.stdout)
	steps, failed := []rehearse.Step{}, false
	start := time.Now()
	if !a.jsonOut {
		fmt.Fprintf(a.stdout, "%s: %s\n", p.strong.Render("rehearse "+reh.name), reh.about)
	}
	err = reh.run(ctx, rehearse.Options{
		Program: program,
		Keep:    keep,
		Step: func(s rehearse.Step) {
			steps = append(steps, s)
			failed = failed || s.Err != nil
			if !a.jsonOut {
				a.printStep(p, s)
			}
		},
		Ready: func(f rehearse.Farm) { a.printFarm(p, f) },
	})
	switch {
	case ctx.Err() != nil && keep:
		return nil
	case err != nil && !failed:
		return err
	case a.jsonOut:
		err := a.printJSON(steps)
		if failed {
			err = errors.Join(err, &exitError{code: exitFailed})
		}
		return err
	case failed:
		fmt.Fprintf(a.stdout, "\n%s %d steps passed, then this one failed\n", p.bad.Render("failed:"), len(steps)-1)
		return &exitError{code: exitFailed}
	}
	fmt.Fprintf(a.stdout, "\n%s %d steps in %.1f s\n", p.good.Render("passed:"), len(steps), time.Since(start).Seconds())
	return nil
}

// printStep prints a line of the checklist.
func (a *app) printStep(p palette, s rehearse.Step) {
	mark := p.good.Render("ok  ")
	if s.Err != nil {
		mark = p.bad.Render("FAIL")
	}
	fmt.Fprintf(a.stdout, "  %s  %s %s\n", mark, s.Name, p.dim.Render(fmt.Sprintf("(%d ms)", s.Took.Milliseconds())))
	for _, line := range []string{s.Command, s.Detail} {
		if line == s.Command && line != "" {
			line = "$ " + line
		}
		if line != "" {
			fmt.Fprintf(a.stdout, "        %s\n", p.dim.Render(plain.Text(line)))
		}
	}
	if s.Err != nil {
		fmt.Fprintf(a.stdout, "        %s\n", p.bad.Render(plain.Text(s.Err.Error())))
	}
}

// printFarm says how to use a farm that is kept up.
func (a *app) printFarm(p palette, f rehearse.Farm) {
	if a.jsonOut {
		a.printJSON(f)
		return
	}
	fmt.Fprintf(a.stdout, "\n%s\n  status page  %s\n  everything   %s\n", p.strong.Render("The farm is up until you press Ctrl-C."), f.StatusURL, f.Dir)
	if f.TokenServer != "" {
		fmt.Fprintf(a.stdout, "  token server %s, without TLS, as luci_machine_tokend -backend takes it; LOCALHOST in capitals is called with TLS\n", f.TokenServer)
	}
	fmt.Fprint(a.stdout, "\nIn another terminal:\n")
	fmt.Fprintf(a.stdout, "  export %s\n", strings.Join(f.Env, " "))
	for _, try := range f.Try {
		fmt.Fprintf(a.stdout, "  %s\n", try)
	}
}
