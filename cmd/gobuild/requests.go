package main

import (
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gobuild/pkg/api"
	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
	"gobuild/pkg/plain"
)

// newRequestsCommand returns "gobuild requests" with all that is below it.
func newRequestsCommand(a *app) *cobra.Command {
	p := &porter{}
	cmd := &cobra.Command{
		Use:     "requests",
		GroupID: groupMaintainer,
		Short:   "Decide on the new machines that owners ask a coordinator to take in",
		Long: `Requests is the onboarding queue of a coordinator. Owners file a request with
"gobuild request --to coordinator"; a maintainer looks at it and approves it,
with a host type, a certificate or both, or rejects it with a reason. The owner
then gets key and certificate with "gobuild request status".

It is for the users whom the coordinator was started with: --maintainer NAME. At
a coordinator --dev every user is one. Your key is read from --key-file, else
from gomote/user-NAME.token in your configuration directory.

With --json a request is an object: "id", "hostname", "port", "hostType" (the
one asked for and, once approved, the one granted), "contact", "csr" and
"certificate" (PEM), "report", "state" (pending, approved, rejected, or
connected: its machine has been in the pool), "turn" (maintainer, owner,
nobody), "created", "changed", "decidedBy", "reason", "note", "collected" (when
the owner first got what was granted), "connected" (when the machine came).`,
		Example: `  gobuild requests list
  gobuild requests show linux-riscv64-joe.1
  gobuild requests approve linux-riscv64-joe.1 --host-type host-linux-riscv64
  gobuild requests reject linux-riscv64-joe.1 --reason duplicate`,
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&p.user, "user", "", "your `NAME`, without user- (default $USER)")
	flags.StringVar(&p.keyFile, "key-file", "", "`FILE` with the key of user-NAME")
	flags.BoolVar(&p.dev, "dev", false, "development key, for a coordinator --dev on this machine")
	bindConfig(flags, "user", "user")
	bindConfig(flags, "key-file", "key-file")
	cmd.AddCommand(newRequestsList(a, p), newRequestsShow(a, p), newRequestsApprove(a, p), newRequestsReject(a, p))
	return cmd
}

// newRequestsList returns "gobuild requests list".
func newRequestsList(a *app, p *porter) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the requests on which somebody has to act",
		Long: `List shows the requests on which the maintainer or the owner has to act, the
oldest first. With --json it prints an array of requests, without "csr",
"report" and "certificate".`,
		Example: `  gobuild requests list
  gobuild requests list --all`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client(*p)
			if err != nil {
				return err
			}
			list, err := c.Requests(cmd.Context(), all)
			if err != nil {
				return err
			}
			if a.jsonOut {
				return a.printJSON(list)
			}
			if len(list) == 0 {
				fmt.Fprintln(a.stderr, "# no request waits for anybody")
				return nil
			}
			var rows [][]string
			for _, r := range list {
				rows = append(rows, []string{r.ID, r.Port, r.HostType, string(r.State), r.Turn, since(r.Created) + " ago", r.Contact})
			}
			return a.printTable([]string{"REQUEST", "PORT", "HOST TYPE", "STATE", "TURN", "ASKED FOR", "CONTACT"}, rows)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "those too on which nobody has to act: rejected, or connected")
	return cmd
}

// newRequestsShow returns "gobuild requests show".
func newRequestsShow(a *app, p *porter) *cobra.Command {
	var csrOnly bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a request with its CSR and readiness report",
		Long: `Show prints all that is known of a request: what the owner asks for, what his
CSR is worth, his machine's readiness report, and what was decided. With --csr it
prints the CSR alone, for "gobuild csr sign".`,
		Example: `  gobuild requests show linux-riscv64-joe.1
  gobuild requests show --csr linux-riscv64-joe.1 > joe.csr`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeRequest(p),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(*p)
			if err != nil {
				return err
			}
			r, err := c.Request(cmd.Context(), args[0], nil)
			switch {
			case err != nil:
				return err
			case csrOnly:
				_, err = fmt.Fprint(a.stdout, r.CSR)
				return err
			case a.jsonOut:
				return a.printJSON(r)
			}
			return a.printRequest(r)
		},
	}
	cmd.Flags().BoolVar(&csrOnly, "csr", false, "print the CSR alone, as PEM")
	return cmd
}

// newRequestsApprove returns "gobuild requests approve".
func newRequestsApprove(a *app, p *porter) *cobra.Command {
	var approval api.Approval
	var certificate string
	cmd := &cobra.Command{
		Use:   "approve ID",
		Short: "Approve a request: grant a host type's key, a certificate, or both",
		Long: `Approve lets the owner of a machine get what you grant: the builder key of a
host type, which the coordinator then hands out to him alone, and the
certificate that you signed for his CSR. What is missing can be added by another
approve; what was granted stays.`,
		Example: `  gobuild requests approve linux-riscv64-joe.1 --host-type host-linux-riscv64
  gobuild requests approve linux-riscv64-joe.1 --certificate linux-riscv64-joe.cert --note welcome`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeRequest(p),
		RunE: func(cmd *cobra.Command, args []string) error {
			if certificate != "" {
				cert, _, err := botcert.ReadCertificate(certificate)
				if err != nil {
					return err
				}
				approval.Certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
			}
			if approval == (api.Approval{}) {
				return hint.With(usageErrorf("what is granted?"), "give --host-type, --certificate, or at least a --note to the owner")
			}
			c, err := a.client(*p)
			if err != nil {
				return err
			}
			r, err := c.Approve(cmd.Context(), args[0], approval)
			if err != nil {
				return err
			}
			return a.printDecision(r)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&approval.HostType, "host-type", "", "host type `NAME` whose builder key the owner gets")
	flags.StringVar(&certificate, "certificate", "", "PEM `FILE` with the certificate for the request's CSR")
	flags.StringVar(&approval.Note, "note", "", "`TEXT` for the owner")
	cmd.RegisterFlagCompletionFunc("host-type", a.completeHostType(p))
	return cmd
}

// newRequestsReject returns "gobuild requests reject".
func newRequestsReject(a *app, p *porter) *cobra.Command {
	var rejection api.Rejection
	cmd := &cobra.Command{
		Use:   "reject ID --reason TEXT",
		Short: "Reject a request and say why",
		Long: `Reject turns a request down; the owner sees the reason. An approved request is
rejected with --revoke only: its host name is then free for a new request, as is
needed where the owner has lost the CSR's key. That takes back neither a builder
key nor a certificate that the owner has got: they know no revocation.`,
		Example: `  gobuild requests reject linux-riscv64-joe.1 --reason duplicate
  gobuild requests reject --revoke linux-riscv64-joe.1 --reason key-lost`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeRequest(p),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(rejection.Reason) == "" {
				return usageErrorf("the owner is owed a reason: --reason TEXT")
			}
			c, err := a.client(*p)
			if err != nil {
				return err
			}
			r, err := c.Reject(cmd.Context(), args[0], rejection)
			if err != nil {
				return err
			}
			return a.printDecision(r)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&rejection.Reason, "reason", "", "`TEXT` that the owner is told")
	flags.BoolVar(&rejection.Revoke, "revoke", false, "also if it was approved, to free its host name")
	return cmd
}

// printDecision says what came of a decision.
func (a *app) printDecision(r api.Request) error {
	if a.jsonOut {
		return a.printJSON(r)
	}
	_, err := fmt.Fprintf(a.stdout, "%s: %s; %s\n", r.ID, r.State, turnText(r))
	return err
}

// turnText says whose turn it is.
func turnText(r api.Request) string {
	switch r.Turn {
	case api.TurnNobody:
		return "nothing is left to do"
	case api.TurnOwner:
		return "it is the owner's turn"
	}
	return "it is the maintainer's turn"
}

// printRequest shows all of a request.
func (a *app) printRequest(r api.Request) error {
	pal := a.palette(a.stdout)
	hostType := r.HostType
	switch {
	case hostType == "" && r.State == api.RequestPending:
		hostType = "no wish"
	case hostType == "":
		hostType = "none"
	case r.State == api.RequestPending:
		hostType += " (the owner's wish)"
	}
	rows := [][2]string{
		{"host name", r.Hostname},
		{"port", r.Port},
		{"host type", hostType},
		{"contact", r.Contact},
		{"asked for", when(r.Created)},
		{"state", fmt.Sprintf("%s for %s; %s", r.State, since(r.Changed), turnText(r))},
		{"decided by", r.DecidedBy},
		{"reason", r.Reason},
		{"note", r.Note},
		{"collected", when(r.Collected)},
		{"connected", when(r.Connected)},
		{"certificate", certificateText(r)},
		{"CSR", csrText(r)},
	}
	fmt.Fprintln(a.stdout, pal.strong.Render(plain.Text(r.ID)))
	for _, row := range rows {
		if row[1] != "" {
			fmt.Fprintf(a.stdout, "  %-12s %s\n", row[0], indented(row[1], 15))
		}
	}
	if r.Report != "" {
		fmt.Fprintf(a.stdout, "\n%s\n  %s\n", pal.strong.Render("Readiness report"), indented(strings.TrimRight(r.Report, "\n"), 2))
	}
	return nil
}

// when returns a time to be read, or "" for none.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.RFC1123)
}

// indented returns a stranger's text for the terminal, its further lines
// indented by n blanks.
func indented(text string, n int) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = plain.Text(line)
	}
	return strings.Join(lines, "\n"+strings.Repeat(" ", n))
}

// csrText says what r's CSR is worth, and names its key.
func csrText(r api.Request) string {
	csr, _, err := botcert.ParseCSR([]byte(r.CSR))
	if err == nil {
		err = botcert.CheckCSR(csr, r.Hostname, true)
	}
	if err != nil {
		return "bad: " + err.Error()
	}
	text := "good: what genbotcert makes and signs"
	if err := botcert.CheckCSR(csr, r.Hostname, false); err != nil {
		text = "good for a farm with a CA of its own; genbotcert would not sign it: " + err.Error()
	}
	return text + "\nfingerprint of its key " + botcert.Fingerprint(csr.PublicKey)
}

// certificateText says what r's certificate is.
func certificateText(r api.Request) string {
	if r.Certificate == "" {
		return ""
	}
	cert, _, err := botcert.ParseCertificate([]byte(r.Certificate))
	if err != nil {
		return "bad: " + err.Error()
	}
	return fmt.Sprintf("by %s, until %s", cert.Issuer.CommonName, cert.NotAfter.UTC().Format(time.DateOnly))
}

// completeRequest completes the first argument with the requests on which
// somebody has to act.
func (a *app) completeRequest(p *porter) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		c, err := a.client(*p)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		list, err := c.Requests(cmd.Context(), false)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var ids []string
		for _, r := range list {
			ids = append(ids, cobra.CompletionWithDesc(r.ID, string(r.State)))
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeHostType completes a flag with the coordinator's host types.
func (a *app) completeHostType(p *porter) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		c, err := a.clientWith(p.dev, "", "")
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		types, err := c.BuilderTypes(cmd.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		names := map[string]bool{}
		for _, t := range types {
			names[t.HostType] = true
		}
		return sortedKeys(names), cobra.ShellCompDirectiveNoFileComp
	}
}
