package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// newStatusCommand returns "gobuild status".
func newStatusCommand(a *app) *cobra.Command {
	var (
		dev, watch, local bool
		workDir           string
		every             time.Duration
	)
	cmd := &cobra.Command{
		Use:     "status",
		GroupID: groupMaintainer,
		Short:   "Show a coordinator's reverse pool",
		Long: `Status shows which machines are connected to the coordinator and what each does,
how many of each host type there are, and which have lately gone and why. It
needs no key.`,
		Example: `  gobuild status
  gobuild status --watch --coordinator https://farm.example`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every <= 0 {
				return usageErrorf("--every %s: more than nothing", every)
			}
			if local {
				return a.printLocal(cmd.Context(), workDir)
			}
			c, err := a.clientWith(dev, "", "")
			if err != nil {
				return err
			}
			for {
				pool, err := c.Pool(cmd.Context())
				if watch && cmd.Context().Err() != nil {
					return nil // how a watch ends
				}
				if err != nil {
					return err
				}
				if watch && a.isTerminal(a.stdout) {
					fmt.Fprint(a.stdout, "\x1b[H\x1b[2J") // to the top of an empty screen
				}
				if err := a.printPool(c.URL(), pool); err != nil || !watch {
					return err
				}
				select {
				case <-cmd.Context().Done():
					return nil
				case <-time.After(every):
				}
			}
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&local, "local", false, "show this machine's worker, by run-bot's socket, in place of the pool")
	flags.StringVar(&workDir, "workdir", "", "with --local: `DIR` that run-bot was given")
	bindConfig(flags, "workdir", "workdir")
	cmd.MarkFlagDirname("workdir")
	flags.BoolVar(&dev, "dev", false, "for a coordinator --dev on this machine")
	flags.BoolVar(&watch, "watch", false, "show it again and again, until interrupted")
	cmd.MarkFlagsMutuallyExclusive("local", "watch")
	flags.DurationVar(&every, "every", 2*time.Second, "`TIME` between two looks with --watch")
	return cmd
}

// since returns the time since t in whole seconds.
func since(t time.Time) string { return time.Since(t).Round(time.Second).String() }
