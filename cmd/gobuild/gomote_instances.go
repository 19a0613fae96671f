package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"gobuild/pkg/api"
	"gobuild/pkg/gomote"
	"gobuild/pkg/plain"
)

// newGomoteCreate returns "gobuild gomote create".
func newGomoteCreate(a *app, p *porter) *cobra.Command {
	var (
		count        int
		list, status bool
		wait         time.Duration
	)
	cmd := &cobra.Command{
		Use:   "create BUILDERTYPE",
		Short: "Make an instance of a builder type and print its name",
		Long: `Create waits for a machine that runs the builder type, takes it for you, and
prints the name of the instance on stdout. While it waits it says on stderr what
for; an interrupt withdraws the request.`,
		Example: `  gobuild gomote create linux-riscv64
  gobuild gomote create -count 3 linux-amd64
  gobuild gomote create -list`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case list && len(args) > 0:
				return fmt.Errorf("-list takes no arguments, but got %q", args[0])
			case !list && len(args) == 0:
				return errors.New("which builder type? (-list shows them)")
			case len(args) > 1:
				return fmt.Errorf("takes one builder type, but got %d arguments", len(args))
			}
			return nil
		},
		ValidArgsFunction: a.completeBuilder(p),
		RunE: func(cmd *cobra.Command, args []string) error {
			if list {
				return a.listBuilders(cmd, p)
			}
			if count < 1 {
				return usageErrorf("-count %d: at least 1", count)
			}
			if wait < 0 {
				return usageErrorf("-wait %s: not before now", wait)
			}
			c, err := a.client(*p)
			if err != nil {
				return err
			}
			req := api.CreateRequest{BuilderType: args[0], WaitSeconds: int(math.Ceil(wait.Seconds()))}
			made := []api.Instance{}
			for range count {
				var inst api.Instance
				if inst, err = c.Create(cmd.Context(), req, a.tellWaiting(status)); err != nil {
					break
				}
				made = append(made, inst)
				if !a.jsonOut {
					fmt.Fprintln(a.stdout, inst.ID)
				}
			}
			if a.jsonOut && (err == nil || len(made) > 0) {
				err = errors.Join(err, a.printJSON(made))
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&count, "count", 1, "make this `NUMBER` of instances")
	flags.BoolVar(&list, "list", false, "list the builder types instead")
	flags.BoolVar(&status, "status", true, "say what is waited for")
	flags.DurationVar(&wait, "wait", 0, "give up after this `TIME` (default: wait until there is a machine)")
	return cmd
}

// tellWaiting returns what reports the progress of a create, a line for each
// change.
func (a *app) tellWaiting(tell bool) func(api.CreateEvent) {
	last := ""
	return func(ev api.CreateEvent) {
		msg := ev.Message
		if ev.Ahead > 0 {
			msg += fmt.Sprintf("; requests that are served first: %d", ev.Ahead)
		}
		if tell && msg != last {
			fmt.Fprintf(a.stderr, "# waiting: %s\n", plain.Text(msg))
			last = msg
		}
	}
}

// listBuilders prints the builder types, which everybody may know.
func (a *app) listBuilders(cmd *cobra.Command, p *porter) error {
	c, err := a.clientWith(p.dev, "", "")
	if err != nil {
		return err
	}
	types, err := c.BuilderTypes(cmd.Context())
	if err != nil {
		return err
	}
	if a.jsonOut {
		return a.printJSON(types)
	}
	var rows [][]string
	for _, name := range sortedKeys(types) {
		rows = append(rows, []string{name, types[name].HostType, types[name].Notes})
	}
	return a.printTable([]string{"BUILDER TYPE", "HOST TYPE", "NOTES"}, rows)
}

// newGomoteList returns "gobuild gomote list".
func newGomoteList(a *app, p *porter) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List your instances",
		Long:    `List shows the instances that are yours, and when each expires if it is not used.`,
		Example: `  gobuild gomote list`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client(*p)
			if err != nil {
				return err
			}
			list, err := c.Instances(cmd.Context())
			if err != nil {
				return err
			}
			if a.jsonOut {
				return a.printJSON(list)
			}
			// Upstream's form: scripts cut at the tabs.
			for _, inst := range list {
				fmt.Fprintf(a.stdout, "%s\t%s\t%s\texpires in %s\n", inst.ID, inst.BuilderType, inst.HostType, time.Until(inst.Expires).Round(time.Second))
			}
			return nil
		},
	}
}

// newGomotePing returns "gobuild gomote ping".
func newGomotePing(a *app, p *porter) *cobra.Command {
	return &cobra.Command{
		Use:   "ping INSTANCE",
		Short: "Ask an instance whether it is alive",
		Long: `Ping asks the buildlet on the machine itself, all the way, and renews the life
of the instance. It fails if there is no answer.`,
		Example:           `  gobuild gomote ping joe-linux-amd64-0`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeInstance(p),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(cmd.Context(), p, args[0])
			if err != nil {
				return err
			}
			start := time.Now()
			status, err := s.Ping(cmd.Context())
			if err != nil {
				return err
			}
			took := time.Since(start)
			if a.jsonOut {
				return a.printJSON(struct {
					Instance string  `json:"instance"`
					Alive    bool    `json:"alive"`
					Version  int     `json:"version"`
					Program  string  `json:"program,omitempty"`
					Seconds  float64 `json:"seconds"`
				}{args[0], true, status.Version, status.Program, took.Seconds()})
			}
			_, err = fmt.Fprintf(a.stdout, "%s: alive\n", args[0])
			return err
		},
	}
}

// newGomoteDestroy returns "gobuild gomote destroy".
func newGomoteDestroy(a *app, p *porter) *cobra.Command {
	return &cobra.Command{
		Use:   "destroy INSTANCE...",
		Short: "Destroy instances: kill what runs there, empty the work directory",
		Long: `Destroy ends instances. What runs there is killed, the work directory is
emptied, and the machine goes back to the pool; the command returns when that
is done. A failure with one instance does not keep the others.`,
		Example:           `  gobuild gomote destroy joe-linux-amd64-0`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeInstance(p),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(*p)
			if err != nil {
				return err
			}
			var errs []error
			for _, id := range args {
				if err := c.Destroy(cmd.Context(), id); err != nil {
					errs = append(errs, err)
				}
			}
			return errors.Join(errs...)
		},
	}
}

// newGomoteRm returns "gobuild gomote rm".
func newGomoteRm(a *app, p *porter) *cobra.Command {
	return &cobra.Command{
		Use:   "rm INSTANCE PATH...",
		Short: "Remove files and directories on an instance",
		Long: `Rm removes paths, relative to the work directory, with all they contain. The
path . empties the work directory. A path that is not there is no error.`,
		Example: `  gobuild gomote rm joe-linux-amd64-0 go/pkg
  gobuild gomote rm joe-linux-amd64-0 .`,
		Args:              cobra.MinimumNArgs(2),
		ValidArgsFunction: a.completeInstance(p),
		RunE: a.inSession(p, func(cmd *cobra.Command, s *gomote.Session, args []string) error {
			return s.Remove(cmd.Context(), args...)
		}),
	}
}

// inSession opens a session on the instance that the first argument names and
// calls fn with the others.
func (a *app) inSession(p *porter, fn func(cmd *cobra.Command, s *gomote.Session, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		s, err := a.open(cmd.Context(), p, args[0])
		if err != nil {
			return err
		}
		return fn(cmd, s, args[1:])
	}
}
