package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gobuild/pkg/api"
	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
	"gobuild/pkg/plain"
	"gobuild/pkg/request"
)

// newRequestStatusCommand returns "gobuild request status".
func newRequestStatusCommand(a *app, f *requestFlags) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "status [ID]",
		Short: "Show how far a request is and whose turn it is",
		Long: `Status shows how far a request for a builder has come, and whose turn it is: the
owner's, the maintainer's (on GitHub: the team's), or nobody's.

On GitHub the ID is the issue's number or address; without one the open request
for --hostname is looked for. The turn follows from who spoke last. A token in
$GITHUB_TOKEN or $GH_TOKEN is used, but not needed for a public repository.

At a coordinator the ID is what "gobuild request" printed. Status proves with the
CSR's key that you are the owner; with --out it then writes what was granted,
the certificate to HOSTNAME.cert and the builder key to HOSTTYPE.key.

With --json an issue is an object: "number", "url", "title", "state", "author",
"created", "labels", "assignees", "comments" (how many), "lastComment" ("author",
"role": owner, team or other, "url", "time"), "turn" (owner, maintainer, nobody),
"why", and "certificate", the address of the newest that the team has posted. A
coordinator's request is an object: "id", "hostname", "port", "hostType",
"contact", "csr", "report", "state" (pending, approved, rejected, connected),
"turn", "created", "changed", "decidedBy", "reason", "note", "certificate", and
"files", those that --out wrote.`,
		Example: `  gobuild request status 67104
  gobuild request status --hostname linux-riscv64-joe
  gobuild request status --to coordinator --out . linux-riscv64-joe.1`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			id := strings.Join(args, "")
			if f.to == toCoordinator {
				return a.coordinatorStatus(cmd.Context(), *f, id, out)
			}
			if out != "" {
				return usageErrorf("--out is for --to coordinator: GitHub grants nothing")
			}
			return a.gitHubStatus(cmd.Context(), *f, id)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "write what a coordinator has granted to `DIR`")
	cmd.MarkFlagDirname("out")
	return cmd
}

// gitHubStatus shows the status of an issue.
func (a *app) gitHubStatus(ctx context.Context, f requestFlags, id string) error {
	number := 0
	if id != "" {
		var repo string
		var err error
		if number, repo, err = request.ParseNumber(id); err != nil {
			return err
		}
		if repo != "" {
			f.repo = repo
		}
	} else if f.hostname == "" {
		return hint.With(usageErrorf("which request?"), "give its number, or --hostname NAME")
	}
	token, err := request.EnvToken(a.getenv)
	if err != nil {
		return err
	}
	g, err := a.github(f, token)
	if err != nil {
		return err
	}
	defer g.Close()
	if id == "" {
		host, err := botcert.CheckHost(f.hostname, true)
		if err != nil {
			return err
		}
		if number, err = g.Own(ctx, host); err != nil {
			return err
		}
	}
	s, err := g.Status(ctx, number)
	if err != nil {
		return err
	}
	if a.jsonOut {
		return a.printJSON(s)
	}
	last := "nobody has commented"
	if s.Last != nil {
		last = fmt.Sprintf("%s (%s), %s ago", s.Last.Author, s.Last.Role, age(s.Last.Time))
	}
	a.printFacts(fmt.Sprintf("#%d %s", s.Number, s.Title), s.Turn, s.Why, [][2]string{
		{"address", s.URL},
		{"state", s.State},
		{"filed", fmt.Sprintf("by %s, %s ago", s.Author, age(s.Created))},
		{"labels", strings.Join(s.Labels, ", ")},
		{"assigned to", strings.Join(s.Assignees, ", ")},
		{"last word", last},
		{"certificate", s.Certificate},
	})
	return nil
}

// coordinatorStatus shows the status of a request in a coordinator's queue.
func (a *app) coordinatorStatus(ctx context.Context, f requestFlags, id, out string) error {
	if id == "" {
		return hint.With(usageErrorf("which request?"), "give the ID that gobuild request printed; filing the same again prints it anew")
	}
	key, err := request.ReadKey(f.key, id)
	if err != nil {
		return err
	}
	c, err := a.clientWith(f.dev, "", "")
	if err != nil {
		return err
	}
	defer c.Close()
	ask := c.Request
	if out != "" {
		ask = c.Collect
	}
	r, err := ask(ctx, id, key)
	if err != nil {
		return err
	}
	files := []string{}
	if out != "" {
		if files, err = request.SaveGranted(r, key, out); err != nil {
			return err
		}
	}
	if a.jsonOut {
		return a.printJSON(struct {
			api.Request
			Files []string `json:"files"`
		}{withoutKey(r), files})
	}
	a.printFacts(r.ID, r.Turn, string(r.State), [][2]string{
		{"host type", r.HostType},
		{"asked for", age(r.Created) + " ago"},
		{"decided by", r.DecidedBy},
		{"reason", r.Reason},
		{"note", r.Note},
		{"granted", grantedText(r, out)},
		{"written", strings.Join(files, ", ")},
	})
	return nil
}

// grantedText says what the owner can get, and how.
func grantedText(r api.Request, out string) string {
	var list []string
	if r.Certificate != "" {
		list = append(list, "certificate")
	}
	if r.HostType != "" && (r.State == api.RequestApproved || r.State == api.RequestConnected) {
		list = append(list, "builder key of "+r.HostType)
	}
	text := strings.Join(list, ", ")
	if text != "" && out == "" {
		text += " (get it with --out DIR)"
	}
	return text
}

// printFacts shows a request: a heading, what is known of it, whose turn it
// is and why.
func (a *app) printFacts(heading, turn, why string, facts [][2]string) {
	p := a.palette(a.stdout)
	fmt.Fprintln(a.stdout, p.strong.Render(plain.Text(heading)))
	for _, fact := range facts {
		if fact[1] != "" {
			fmt.Fprintf(a.stdout, "  %-12s %s\n", fact[0], plain.Text(fact[1]))
		}
	}
	style := p.note
	text := "nobody's"
	switch turn {
	case api.TurnOwner:
		text, style = "the owner's", p.warn
	case api.TurnMaintainer:
		text = "the maintainer's"
	}
	fmt.Fprintf(a.stdout, "  %-12s %s: %s\n", "turn", style.Render(text), plain.Text(why))
}
