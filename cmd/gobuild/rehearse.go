package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gobuild/pkg/rehearse"
)

// rehearsals are all there are, in the order in which they are run.
var rehearsals = []struct {
	name, about string
	run         func(context.Context, rehearse.Options) error
}{
	{"coordinator", "a coordinator with one machine, and a porter who works on it", rehearse.Coordinator},
}

// newRehearseCommand returns "gobuild rehearse".
func newRehearseCommand(a *app) *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use:     "rehearse [coordinator]",
		GroupID: groupOwner,
		Short:   "Play a whole farm on this machine, step by step",
		Long: `Rehearse plays a farm on this machine, with throw-away keys and certificates,
on loopback addresses, in a temporary directory, and walks the way of its people
step by step. Each step runs the command that a person would type, and says what
it has proved. Without an argument it runs all rehearsals there are.

With --keep the farm stays up until it is interrupted, and what there is to try
is printed.`,
		Example: `  gobuild rehearse
  gobuild rehearse coordinator --keep`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("takes one rehearsal at most, got %d", len(args))
			}
			if len(args) == 1 && args[0] != rehearsals[0].name {
				return fmt.Errorf("unknown rehearsal %q: there is %s", args[0], rehearsals[0].name)
			}
			return nil
		},
		ValidArgs: []string{cobra.CompletionWithDesc(rehearsals[0].name, rehearsals[0].about)},
		RunE:      func(cmd *cobra.Command, args []string) error { return a.rehearse(cmd.Context(), args, keep) },
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the farm up until interrupted")
	return cmd
}

func (a *app) rehearse(ctx context.Context, args []string, keep bool) error {
	if keep && len(args) == 0 && len(rehearsals) > 1 {
		return usageErrorf("--keep leaves one farm up: which?")
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	p := a.palette(a.stdout)
	steps, failed := []rehearse.Step{}, 0
	start := time.Now()
	for _, reh := range rehearsals {
		if len(args) == 1 && args[0] != reh.name {
			continue
		}
		if !a.jsonOut {
			fmt.Fprintf(a.stdout, "%s: %s\n", p.strong.Render("rehearse "+reh.name), reh.about)
		}
		err := reh.run(ctx, rehearse.Options{
			Program: program,
			Keep:    keep,
			Step: func(s rehearse.Step) {
				steps = append(steps, s)
				if s.Err != nil {
					failed++
				}
				if !a.jsonOut {
					a.printStep(p, s)
				}
			},
			Ready: func(f rehearse.Farm) { a.printFarm(p, f) },
		})
		switch {
		case ctx.Err() != nil && keep:
			return nil
		case err != nil && failed == 0:
			return err
		case failed > 0:
			if a.jsonOut {
				break
			}
			fmt.Fprintf(a.stdout, "\n%s %d steps passed, then this one failed\n", p.bad.Render("failed:"), len(steps)-1)
			return &exitError{code: exitFailed}
		}
	}
	if a.jsonOut {
		err := a.printJSON(steps)
		if failed > 0 {
			err = errors.Join(err, &exitError{code: exitFailed})
		}
		return err
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
			fmt.Fprintf(a.stdout, "        %s\n", p.dim.Render(printable(line)))
		}
	}
	if s.Err != nil {
		fmt.Fprintf(a.stdout, "        %s\n", p.bad.Render(printable(s.Err.Error())))
	}
}

// printFarm says how to use a farm that is kept up.
func (a *app) printFarm(p palette, f rehearse.Farm) {
	if a.jsonOut {
		a.printJSON(f)
		return
	}
	fmt.Fprintf(a.stdout, "\n%s\n  status page  %s\n  everything   %s\n\nIn another terminal:\n", p.strong.Render("The farm is up until you press Ctrl-C."), f.StatusURL, f.Dir)
	fmt.Fprintf(a.stdout, "  export %s\n", strings.Join(f.Env, " "))
	for _, try := range f.Try {
		fmt.Fprintf(a.stdout, "  %s\n", try)
	}
}
