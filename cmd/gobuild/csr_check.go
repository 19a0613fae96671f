package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
	"gobuild/pkg/plain"
)

// newCSRCheckCommand returns "gobuild csr check".
func newCSRCheckCommand(a *app) *cobra.Command {
	var with botcert.Inspection
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Say what is wrong with a CSR, certificate or key",
		Long: `Check says what each file is, and whether it is as it has to be: a CSR by all
that the signer's genbotcert compares and more, a certificate by what the LUCI
token server would answer for it, a key by its kind and by who can read it. Of
several files it says whether they belong together. Each failure comes with
the way to mend it; what fails gives exit code 1, what is merely odd (warn: it
works with gobuild, and an upstream program refuses it) does not.

A FILE - is standard input. Without --hostname, the files have to be for the
hostname of the configuration or, if there is none, the host that each names.

With --min-days it is a job for cron: silent as long as each certificate has
that many days left and all else is well, else one line for each failure.

With --json: ok, and files, a list of file, kind (certificate request,
certificate, private key, or missing), fqdn, serial, notAfter, daysLeft,
fingerprint (of the public key) and findings, a list of state (ok, warn,
fail), what, found, wanted, hint.`,
		Example: `  gobuild csr check linux-riscv64-gopher.csr
  gobuild csr check linux-riscv64-gopher.cert --key linux-riscv64-gopher.key
  gobuild csr check --min-days 60 /etc/luci/linux-riscv64-gopher.cert`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if with.Host != "" {
				if _, err := botcert.CheckHost(with.Host, true); err != nil {
					return usageError(err)
				}
			}
			if with.MinDays < 0 {
				return usageErrorf("--min-days %d: a number of days, from 0", with.MinDays)
			}
			if with.CRL != "" && with.CA == "" {
				return hint.With(usageErrorf("--crl needs --ca"), "a revocation list says nothing without the certificate of its CA")
			}
			with.Stdin, with.Now = a.stdin, time.Now()
			reports, err := botcert.Inspect(args, with)
			if err != nil {
				return err
			}
			return a.printReports(reports, cmd.Flags().Changed("min-days"))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&with.Host, "hostname", "", "bot's host `NAME` that the files have to be for")
	flags.StringVar(&with.KeyFile, "key", "", "`FILE` with the private key that belongs to the others")
	flags.StringVar(&with.CA, "ca", "", "`FILE` with the CA's certificate, or a directory of gobuild csr ca init, that has to have signed certificates")
	flags.StringVar(&with.CRL, "crl", "", "`FILE` with that CA's revocation list")
	flags.IntVar(&with.MinDays, "min-days", 0, "days that a certificate has to have left (`N`); prints failures only")
	flags.BoolVar(&with.ECDSA, "allow-ecdsa", false, "ECDSA keys will do, for a farm with a token server of its own")
	flags.BoolVar(&with.NewPort, "new-port", false, "GOOS-GOARCH may be a port that Go does not have yet")
	bindConfig(flags, "hostname", "hostname")
	return cmd
}

// printReports prints the reports of "csr check", those of failures only if
// terse, and returns an error if there is a failure.
func (a *app) printReports(reports []botcert.Report, terse bool) error {
	ok, certificates := true, 0
	for _, r := range reports {
		ok = ok && r.OK()
		if r.Kind == botcert.KindCertificate {
			certificates++
		}
	}
	if terse && ok && certificates == 0 {
		return hint.With(usageErrorf("--min-days: none of the files is a certificate"), "give it the certificate that the farm's team sent")
	}
	switch {
	case a.jsonOut:
		if err := a.printJSON(struct {
			OK    bool             `json:"ok"`
			Files []botcert.Report `json:"files"`
		}{ok, reports}); err != nil {
			return err
		}
	default:
		for i, r := range reports {
			if terse {
				a.printFailures(r)
				continue
			}
			if i > 0 {
				fmt.Fprintln(a.stdout)
			}
			a.printFindings(r)
		}
	}
	if !ok {
		return &exitError{code: exitFailed} // all has been said
	}
	return nil
}

// printFailures prints a line for each failure.
func (a *app) printFailures(r botcert.Report) {
	for _, f := range r.Findings {
		if f.State != botcert.Fail {
			continue
		}
		line := r.File + ": " + f.What + ": " + f.Found
		if f.Wanted != "" {
			line += ", wanted " + f.Wanted
		}
		if f.Hint != "" {
			line += "; " + strings.ReplaceAll(f.Hint, "\n", "; ")
		}
		fmt.Fprintln(a.stdout, plain.Text(line))
	}
}

// printFindings prints each finding about a file on a line, with what to do
// about it below.
func (a *app) printFindings(r botcert.Report) {
	p := a.palette(a.stdout)
	heading := r.File
	if r.Kind != "" {
		heading += ": " + r.Kind
	}
	fmt.Fprintln(a.stdout, p.strong.Render(plain.Text(heading)))
	width := 0
	for _, f := range r.Findings {
		width = max(width, len(f.What))
	}
	indent := "\n" + strings.Repeat(" ", 2+6+width+2)
	for _, f := range r.Findings {
		state := p.good
		switch f.State {
		case botcert.Warn:
			state = p.warn
		case botcert.Fail:
			state = p.bad
		}
		text := plain.Text(f.Found)
		if f.Wanted != "" {
			text += indent + "wanted: " + plain.Text(f.Wanted)
		}
		for line := range strings.Lines(f.Hint) {
			text += indent + p.note.Render("hint:") + " " + plain.Text(strings.TrimSuffix(line, "\n"))
		}
		fmt.Fprintf(a.stdout, "  %s  %-*s  %s\n", state.Render(fmt.Sprintf("%-4s", f.State)), width, f.What, text)
	}
}
