package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
	"gobuild/pkg/plain"
)

// newCSRSignCommand returns "gobuild csr sign".
func newCSRSignCommand(a *app) *cobra.Command {
	var (
		dir     string
		days    int
		newPort bool
		opts    botcert.SignOptions
	)
	cmd := &cobra.Command{
		Use:   "sign CSR HOSTNAME",
		Short: "Sign a CSR with a local CA",
		Long: `Sign issues a certificate for the bot HOSTNAME from its CSR, with the CA in the
directory that "gobuild csr ca init" made, and enters it into the CA's list.
Before that it checks all that genbotcert -csr-path does (the CSR's own
signature, its subject with the order of its parts, its names, its algorithm),
and besides the form of the host name, the size of the key, and that the CSR
asks for nothing else.

The certificate is good for client authentication, for ten years unless --days
says otherwise, and not longer than the CA is. It is written to
HOSTNAME-UNIXTIME.cert, as genbotcert names it, or to --out.

With --json: serial, hostname, fqdn, fingerprint (of the public key), issued,
expires, shortened (it ends with the CA), file (the CA's copy), out.`,
		Example: `  gobuild csr sign linux-riscv64-gopher.csr linux-riscv64-gopher --ca /etc/farm/ca`,
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			host, err := botcert.CheckHost(args[1], newPort)
			if err != nil {
				return usageError(err)
			}
			if opts.Lifetime, err = lifetime(days); err != nil {
				return err
			}
			csr, notes, err := botcert.ReadCSR(args[0])
			if err != nil {
				return err
			}
			for _, note := range notes {
				fmt.Fprintf(a.stderr, "# %s: %s\n", plain.Text(args[0]), plain.Text(note.Text))
			}
			ca, err := botcert.OpenCA(dir)
			if err != nil {
				return err
			}
			opts.Now = time.Now()
			toStdout := opts.Out == "-"
			switch opts.Out {
			case "-":
				opts.Out = ""
			case "":
				opts.Out = fmt.Sprintf("%s-%d.cert", host.Name, opts.Now.Unix())
			}
			issued, text, err := ca.Sign(csr, host.Name, opts)
			if errors.Is(err, fs.ErrExist) && hint.Of(err) == "" {
				return hint.With(err, "a certificate is not overwritten: name another file with --out")
			}
			if err != nil {
				return err
			}
			if toStdout && !a.jsonOut {
				_, err := a.stdout.Write(text)
				return err
			}
			return a.printSigned(issued, opts.Out)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Out, "out", "", "`FILE` for the certificate, - for standard output (default HOSTNAME-UNIXTIME.cert)")
	flags.IntVar(&days, "days", 3650, "days that the certificate is valid (`N`)")
	flags.BoolVar(&opts.ECDSA, "allow-ecdsa", false, "take ECDSA keys too, as a CA of --algorithm ecdsa does by itself; LUCI's own token server refuses them")
	flags.BoolVar(&newPort, "new-port", false, "GOOS-GOARCH may be a port that Go does not have yet")
	caFlag(cmd, &dir)
	return cmd
}

func (a *app) printSigned(issued botcert.Issued, out string) error {
	if a.jsonOut {
		return a.printJSON(struct {
			botcert.Issued
			Out string `json:"out,omitempty"`
		}{issued, out})
	}
	fmt.Fprintf(a.stdout, "%s  certificate for %s until %s\n", out, issued.FQDN, issued.Expires.Format(time.DateOnly))
	if issued.Shortened {
		fmt.Fprintln(a.stderr, "# it ends with the CA, sooner than --days asked for")
	}
	return nil
}

// caFlag gives cmd the flag for the directory of a CA.
func caFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "ca", "", "`DIRECTORY` of the CA")
	cmd.MarkFlagRequired("ca")
	cmd.MarkFlagDirname("ca")
}

// lifetime turns a number of days into a time, within what certificates hold.
func lifetime(days int) (time.Duration, error) {
	if days < 1 || days > 36500 {
		return 0, usageErrorf("--days %d: from 1 to 36500", days)
	}
	return time.Duration(days) * 24 * time.Hour, nil
}
