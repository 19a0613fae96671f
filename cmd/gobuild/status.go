package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gobuild/pkg/api"
)

// newStatusCommand returns "gobuild status".
func newStatusCommand(a *app) *cobra.Command {
	var (
		dev, watch bool
		every      time.Duration
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
	flags.BoolVar(&dev, "dev", false, "for a coordinator --dev on this machine")
	flags.BoolVar(&watch, "watch", false, "show it again and again, until interrupted")
	flags.DurationVar(&every, "every", 2*time.Second, "`TIME` between two looks with --watch")
	return cmd
}

func (a *app) printPool(url string, pool api.Pool) error {
	if a.jsonOut {
		return a.printJSON(pool)
	}
	p := a.palette(a.stdout)
	heading := func(text string) { fmt.Fprintf(a.stdout, "%s\n", p.strong.Render(text)) }
	heading("Reverse pool of " + url)
	if len(pool.Hosts) == 0 {
		fmt.Fprintln(a.stdout, "no machine is connected")
	} else {
		var rows [][]string
		for _, h := range pool.Hosts {
			remark := h.Instance
			for _, twin := range h.Twins {
				remark += fmt.Sprintf(" [same host name as %s]", twin)
			}
			program := h.Program
			if program == "" {
				program = "upstream's buildlet"
			}
			rows = append(rows, []string{h.HostType, h.Hostname, h.Addr, fmt.Sprintf("%s, version %s", program, h.Version),
				since(h.Connected), fmt.Sprintf("%s for %s", h.State, since(h.Since)), remark})
		}
		if err := a.printTable([]string{"HOST TYPE", "HOST NAME", "ADDRESS", "BUILDLET", "CONNECTED", "STATE", "INSTANCE"}, rows); err != nil {
			return err
		}
	}
	fmt.Fprintln(a.stdout)
	if len(pool.Types) > 0 {
		var rows [][]string
		for _, t := range pool.Types {
			expected := "any"
			if t.Expected > 0 {
				expected = fmt.Sprint(t.Expected)
			}
			rows = append(rows, []string{t.Name, fmt.Sprint(t.InUse), fmt.Sprint(t.Total), expected, fmt.Sprint(t.Waiting)})
		}
		if err := a.printTable([]string{"HOST TYPE", "IN USE", "CONNECTED", "EXPECTED", "WAITING"}, rows); err != nil {
			return err
		}
	}
	if len(pool.Gone) > 0 {
		fmt.Fprintln(a.stdout)
		var rows [][]string
		for _, g := range pool.Gone {
			rows = append(rows, []string{g.HostType, g.Hostname, g.Addr, since(g.When) + " ago", g.Why})
		}
		return a.printTable([]string{"LATELY GONE", "HOST NAME", "ADDRESS", "WHEN", "WHY"}, rows)
	}
	return nil
}

// since returns the time since t in whole seconds.
func since(t time.Time) string { return time.Since(t).Round(time.Second).String() }
