package main

import (
	"encoding/pem"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gobuild/pkg/atomicfile"
	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
)

// newCACommand returns "gobuild csr ca".
func newCACommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "Keep a local certificate authority",
		Long: `Ca keeps the certificate authority of a farm that signs for itself: its key, its
certificate, and the list of what it issued, in one directory. "gobuild csr
sign" signs with it.`,
		Example: `  gobuild csr ca init /etc/farm/ca
  gobuild csr ca list --ca /etc/farm/ca`,
	}
	cmd.AddCommand(newCAInitCommand(a), newCAListCommand(a), newCARevokeCommand(a), newCACRLCommand(a))
	return cmd
}

func newCAInitCommand(a *app) *cobra.Command {
	var (
		days      int
		algorithm string
		opts      botcert.CAOptions
	)
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Make a local CA",
		Long: `Init makes the key and the certificate of a CA in DIR: ca.key (mode 0600) and
ca.pem. The certificate goes to the token server, which finds it by its name
(CN): that has to be unique among the CAs that the server knows, so one is made
up unless --name gives it.

The key is RSA with 4096 bits. With --algorithm ecdsa it is ECDSA on P-256, and
the CA takes CSRs with ECDSA keys too; LUCI's own token server knows neither.
A CA that is in DIR already is left alone.

With --json: name, key and certificate (files), notAfter.`,
		Example: `  gobuild csr ca init /etc/farm/ca
  gobuild csr ca init ca --name "Example farm CA 2026" --days 3650`,
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			switch algorithm {
			case "rsa", "ecdsa":
				opts.ECDSA = algorithm == "ecdsa"
			default:
				return usageErrorf("--algorithm %q: rsa or ecdsa", algorithm)
			}
			if opts.Lifetime, err = lifetime(days); err != nil {
				return err
			}
			opts.Now = time.Now()
			ca, err := botcert.InitCA(cmd.Context(), args[0], opts)
			if err != nil {
				return err
			}
			name, end := ca.Certificate.Subject.CommonName, ca.Certificate.NotAfter
			cert, key := filepath.Join(args[0], botcert.CACertificateFile), filepath.Join(args[0], botcert.CAKeyFile)
			if a.jsonOut {
				return a.printJSON(map[string]any{"name": name, "key": key, "certificate": cert, "notAfter": end})
			}
			fmt.Fprintf(a.stdout, "%s  certificate of %s until %s: for the token server\n", cert, name, end.Format(time.DateOnly))
			fmt.Fprintf(a.stdout, "%s  its private key: whoever has it can be any bot\n", key)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Name, "name", "", "`CN` of the CA (default one with a random number)")
	flags.StringVar(&algorithm, "algorithm", "rsa", "`KIND` of the key: rsa or ecdsa")
	flags.IntVar(&days, "days", 7300, "days that the CA is valid (`N`)")
	cmd.RegisterFlagCompletionFunc("algorithm", cobra.FixedCompletions([]string{"rsa", "ecdsa"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func newCAListCommand(a *app) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what a local CA has issued",
		Long: `List shows every certificate that the CA has issued, the oldest first.

With --json: a list of serial, hostname, fqdn, fingerprint (of the public key),
issued, expires, shortened, revoked (when, or missing), file (the CA's copy).`,
		Example: `  gobuild csr ca list --ca /etc/farm/ca`,
		RunE: func(*cobra.Command, []string) error {
			ca, err := botcert.OpenCA(dir)
			if err != nil {
				return err
			}
			list, err := ca.Issued()
			if err != nil {
				return err
			}
			if a.jsonOut {
				return a.printJSON(list)
			}
			var rows [][]string
			for _, i := range list {
				state := "valid"
				switch {
				case i.Revoked != nil:
					state = "revoked " + i.Revoked.Format(time.DateOnly)
				case time.Now().After(i.Expires):
					state = "expired"
				}
				rows = append(rows, []string{i.Serial, i.Hostname, i.Issued.Format(time.DateOnly), i.Expires.Format(time.DateOnly), state})
			}
			return a.printTable([]string{"SERIAL", "HOST NAME", "ISSUED", "EXPIRES", "STATE"}, rows)
		},
	}
	caFlag(cmd, &dir)
	return cmd
}

func newCARevokeCommand(a *app) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "revoke SERIAL",
		Short: "Take back a certificate of a local CA",
		Long: `Revoke marks a certificate as taken back. SERIAL is its number as "gobuild csr
ca list" shows it, or the beginning of it. It counts once the token server has
fetched the new list of "gobuild csr ca crl".

With --json: the entry, as in gobuild csr ca list.`,
		Example:           `  gobuild csr ca revoke 5f3a9c --ca /etc/farm/ca`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(_ *cobra.Command, args []string) error {
			ca, err := botcert.OpenCA(dir)
			if err != nil {
				return err
			}
			revoked, err := ca.Revoke(args[0], time.Now())
			if err != nil {
				return err
			}
			if a.jsonOut {
				return a.printJSON(revoked)
			}
			fmt.Fprintf(a.stdout, "%s  revoked, of %s\n", revoked.Serial, revoked.Hostname)
			return nil
		},
	}
	caFlag(cmd, &dir)
	return cmd
}

func newCACRLCommand(a *app) *cobra.Command {
	var (
		dir, out string
		days     int
		der      bool
	)
	cmd := &cobra.Command{
		Use:   "crl",
		Short: "Make the list of revoked certificates of a local CA",
		Long: `Crl makes the CA's revocation list anew, which the token server fetches from the
CA's CRL URL. It is PEM unless --der asks for the binary form; an existing
--out is replaced.`,
		Example: `  gobuild csr ca crl --ca /etc/farm/ca --der --out /srv/www/ca.crl`,
		RunE: func(*cobra.Command, []string) error {
			valid, err := lifetime(days)
			if err != nil {
				return err
			}
			ca, err := botcert.OpenCA(dir)
			if err != nil {
				return err
			}
			list, err := ca.CRL(time.Now(), valid)
			if err != nil {
				return err
			}
			if !der {
				list = pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list})
			}
			if out != "" && out != "-" {
				return atomicfile.Replace(out, list, 0o644)
			}
			if der && a.isTerminal(a.stdout) {
				return hint.With(usageErrorf("--der is binary, and the output is a terminal"), "name a file with --out")
			}
			_, err = a.stdout.Write(list)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&out, "out", "", "`FILE` for the list (default standard output)")
	flags.IntVar(&days, "days", 30, "days until the list counts as outdated (`N`)")
	flags.BoolVar(&der, "der", false, "write DER, the binary form")
	caFlag(cmd, &dir)
	return cmd
}
