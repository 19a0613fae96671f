package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gobuild/pkg/hint"
	"gobuild/pkg/ports"
	"gobuild/pkg/request"
)

// requestFlags are the flags of "gobuild request"; the first group is that of
// "request status", too.
type requestFlags struct {
	to, hostname, key, repo, api string
	dev                          bool

	csr, contact, notes, report, hostType  string
	newPort, noReport, dryRun, web, repeat bool
}

// Where a request goes: the values of --to.
const (
	toGitHub      = "github"
	toCoordinator = "coordinator"
)

// newRequestCommand returns "gobuild request" with "request status".
func newRequestCommand(a *app) *cobra.Command {
	var f requestFlags
	cmd := &cobra.Command{
		Use:     "request OS-ARCH",
		GroupID: groupOwner,
		Short:   "Ask a farm to take in a new builder machine",
		Long: `Request files the request for a new builder, as the Go wiki's page on builders
wants it: the title "x/build: add OS-ARCH builder", the label new-builder, and a
text with the host name, the certificate signing request (CSR), the readiness
report of "gobuild doctor", and what comes next.

By default it becomes an issue of github.com/golang/go. The token is read from
$GITHUB_TOKEN or $GH_TOKEN, else asked of gh, GitHub's own program; a classic
token with the scope public_repo will do. If a request for the port is open, or
GitHub cannot say, nothing is filed. With --web you file it yourself: the
address of the prefilled form is printed, and on a terminal opened; that needs
no token. With --to coordinator it goes to the queue of a private farm, signed
with the CSR's key.

The CSR is read from --csr, else from HOSTNAME.csr here or beside --key; the key
itself is never sent. The report is made here if this machine is of the port
that is asked for; otherwise run "gobuild doctor" there and give what it prints
with --report. --dry-run prints all of it and asks nobody; only the report looks
at the network.

With --json a request that was filed is an object: "number", "url", "title",
"state", "author", "created", "labels", "missingLabels" (GitHub drops those of
people who may not set them), and "recovered": true if the answer was lost and
the issue found again. With --dry-run: "title", "labels", "body", "port",
"hostname", "csrFile". With --web: "url", and "leftOut", what is to be attached
because the address has no room for it. If there are open requests, they are
printed as "open", an array of objects as above. With --to coordinator it is the
object that "gobuild request status" describes; with --dry-run, what would be
posted.`,
		Example: `  gobuild request linux-riscv64 --hostname linux-riscv64-joe --dry-run
  gobuild request linux-riscv64 --hostname linux-riscv64-joe --contact joe@example.org
  gobuild request linux-riscv64 --hostname linux-riscv64-joe --web
  gobuild request linux-riscv64 --hostname linux-riscv64-joe --to coordinator`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completePort,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.request(cmd.Context(), f, args[0]) },
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.to, "to", toGitHub, "`WHERE` the request goes: github or coordinator")
	flags.StringVar(&f.hostname, "hostname", "", "`NAME` of the machine: OS-ARCH-HANDLE, with your GitHub handle")
	flags.StringVar(&f.key, "key", "", "PEM `FILE` with the CSR's private key, to prove to a coordinator who asks (default HOSTNAME.key)")
	flags.StringVar(&f.repo, "repo", request.DefaultRepo, "GitHub repository `OWNER/NAME`")
	flags.StringVar(&f.api, "github-api", request.DefaultAPI, "`URL` of the GitHub API; of GitHub Enterprise it is https://HOST/api/v3")
	flags.BoolVar(&f.dev, "dev", false, "for a coordinator --dev on this machine")
	bindConfig(flags, "hostname", "hostname")
	bindConfig(flags, "key", "pkey-pem")
	bindConfig(flags, "repo", "repo")
	bindConfig(flags, "github-api", "github-api")
	cmd.RegisterFlagCompletionFunc("to", cobra.FixedCompletions([]string{toGitHub, toCoordinator}, cobra.ShellCompDirectiveNoFileComp))

	flags = cmd.Flags()
	flags.StringVar(&f.csr, "csr", "", "PEM `FILE` with the certificate signing request (default HOSTNAME.csr, if it is there)")
	flags.StringVar(&f.contact, "contact", "", "`TEXT` that says how to reach you, besides GitHub; everybody can read it")
	flags.StringVar(&f.notes, "notes", "", "`TEXT` to add: what is special about the machine")
	flags.StringVar(&f.report, "report", "", "`FILE` with what \"gobuild doctor\" printed on the machine, or - for standard input")
	flags.BoolVar(&f.noReport, "no-report", false, "leave the readiness report out")
	flags.StringVar(&f.hostType, "host-type", "", "host type `NAME` that you would like, with --to coordinator")
	flags.BoolVar(&f.newPort, "new-port", false, "the port is one that Go does not have yet")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print the request and send nothing")
	flags.BoolVar(&f.web, "web", false, "print and open the address of a prefilled form instead of filing")
	flags.BoolVar(&f.repeat, "allow-duplicate", false, "do not look for open requests for the port: this is about another machine")
	bindConfig(flags, "host-type", "host-type")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "web")
	cmd.MarkFlagsMutuallyExclusive("report", "no-report")
	cmd.AddCommand(newRequestStatusCommand(a, &f))
	return cmd
}

// request files the request for a builder of the port, or shows it.
func (a *app) request(ctx context.Context, f requestFlags, port string) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.hostname == "" {
		return hint.With(usageErrorf("which host name has the machine?"), "give --hostname %s-HANDLE, with the handle of your GitHub account", port)
	}
	draft, err := request.New(request.Options{
		Port: port, NewPort: f.newPort, Hostname: f.hostname,
		CSRFile: f.csr, KeyFile: f.key, Private: f.to == toCoordinator,
		Contact: f.contact, Notes: f.notes, Repo: f.repo,
	})
	if err != nil {
		return err
	}
	for _, note := range draft.CSRNotes {
		a.warn(fmt.Sprintf("%s: %s\n%s", draft.CSRFile, note.Text, note.Hint))
	}
	switch {
	case f.to == toCoordinator:
		return a.requestCoordinator(ctx, f, draft)
	case f.dryRun:
		return a.printDraft(ctx, f, draft)
	case f.web:
		return a.requestWeb(ctx, f, draft)
	}
	return a.requestGitHub(ctx, f, draft)
}

// check refuses flags that cannot be meant together.
func (f requestFlags) check() error {
	switch {
	case f.to != toGitHub && f.to != toCoordinator:
		return hint.With(usageErrorf("--to %q is neither %s nor %s", f.to, toGitHub, toCoordinator), "%s is the default", toGitHub)
	case f.to == toCoordinator && f.web:
		return usageErrorf("--web is for GitHub: a coordinator has no form")
	}
	return nil
}

// maxReportFile bounds a report that is read, in bytes.
const maxReportFile = 1 << 20

// addReport adds the machine's readiness report to draft: the one given, or
// one made here if here is where the builder is to be. That takes a while: it
// comes last.
func (a *app) addReport(ctx context.Context, f requestFlags, draft *request.Draft) error {
	switch here := runtime.GOOS + "-" + runtime.GOARCH; {
	case f.noReport:
		return nil
	case f.report != "":
		r, _, _, err := a.openSource(f.report)
		if err != nil {
			return fmt.Errorf("readiness report: %w", err)
		}
		defer r.Close()
		text, err := io.ReadAll(io.LimitReader(r, maxReportFile))
		if err != nil {
			return fmt.Errorf("readiness report: %w", err)
		}
		return draft.AddReport(string(text))
	case here != draft.Port:
		a.warn(fmt.Sprintf("no readiness report: this machine is %s; run gobuild doctor on the builder and give what it prints with --report FILE", here))
		return nil
	}
	target := "luci"
	if f.to == toCoordinator {
		target = toCoordinator
	}
	fmt.Fprintln(a.stderr, "# looking at this machine for the readiness report")
	report, err := a.readinessReport(ctx, target)
	if err != nil {
		return err
	}
	return draft.AddReport(report)
}

// nothingSent is the remark beside what --dry-run prints.
const nothingSent = "# --dry-run: nothing was sent, and nobody was asked whether such a request is open"

// printDraft shows what would be filed.
func (a *app) printDraft(ctx context.Context, f requestFlags, draft *request.Draft) error {
	if err := a.addReport(ctx, f, draft); err != nil {
		return err
	}
	if a.jsonOut {
		return a.printJSON(draft)
	}
	p := a.palette(a.stdout)
	fmt.Fprintf(a.stdout, "%s %s\n%s %s\n\n%s", p.strong.Render("Title:"), draft.Title,
		p.strong.Render("Labels:"), strings.Join(draft.Labels, ", "), draft.Body)
	fmt.Fprintln(a.stderr, nothingSent)
	return nil
}

// age returns the time since t in the largest unit that fits.
func age(t time.Time) string {
	d := time.Since(t)
	switch days := int(d.Hours() / 24); {
	case days > 1:
		return fmt.Sprintf("%d days", days)
	case days == 1:
		return "1 day"
	case d >= time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	case d >= time.Minute:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return "under a minute"
}

// completePort completes the first argument with the ports.
func completePort(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, p := range ports.Workers() {
		names = append(names, p.String())
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
