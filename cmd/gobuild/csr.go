package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
)

// newCSRCommand returns "gobuild csr".
func newCSRCommand(a *app) *cobra.Command {
	var (
		hostname string
		newPort  bool
		opts     botcert.CreateOptions
	)
	cmd := &cobra.Command{
		Use:     "csr [HOSTNAME]",
		GroupID: groupOwner,
		Short:   "Make a bot's private key and certificate request",
		Long: `Csr makes what the owner of a new LUCI builder sends to the farm's team, in the
form of upstream's genbotcert:

  HOSTNAME.key      the private key, RSA with 4096 bits: stays on the machine
  HOSTNAME.csr      the certificate request: goes to the team
  HOSTNAME.csr.txt  the same, for issue trackers that refuse .csr

All three get mode 0600, as genbotcert's. HOSTNAME is GOOS-GOARCH-HANDLE with
the handle of your GitHub account, such as linux-riscv64-gopher; it is checked
before anything is made, and defaults to hostname of the configuration.

Nothing is overwritten. To renew a certificate, make its CSR anew from the key
that is there: --reuse-key. To begin anew, --force moves the old files aside,
to HOSTNAME.key.old-DATE and so on; a certificate that was issued for the old
key does not work with the new one. On a slow machine a key takes minutes.

With --json: hostname, fqdn, key, csr, csrText (the three files), fingerprint
(of the public key), reused (the key was there), kept (where old files went),
notes (about a key that was there: text, hint).`,
		Example: `  gobuild csr linux-riscv64-gopher
  gobuild csr linux-riscv64-gopher --dir /etc/luci --reuse-key
  gobuild csr -bot-hostname linux-riscv64-gopher`,
		Args:              csrArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				hostname = args[0]
			}
			if hostname == "" {
				return hint.With(usageErrorf("a CSR for which host?"), "give HOSTNAME, GOOS-GOARCH-HANDLE, or set hostname in the configuration")
			}
			host, err := botcert.CheckHost(hostname, newPort)
			if err != nil {
				return usageError(err)
			}
			if !opts.ReuseKey && a.isTerminal(a.stderr) {
				fmt.Fprintln(a.stderr, "making an RSA key with 4096 bits; on a slow machine that takes minutes")
			}
			opts.Host, opts.Now = host, time.Now()
			made, err := botcert.Create(cmd.Context(), opts)
			if err != nil {
				return err
			}
			return a.printCreated(made)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&hostname, "bot-hostname", "", "`HOSTNAME`, as genbotcert takes it")
	flags.StringVar(&opts.Dir, "dir", ".", "`DIRECTORY` for the files")
	flags.BoolVar(&opts.Force, "force", false, "move files that are there aside, to a dated name, and make new ones")
	flags.BoolVar(&opts.ReuseKey, "reuse-key", false, "make the CSR from the key that is there")
	flags.BoolVar(&newPort, "new-port", false, "GOOS-GOARCH may be a port that Go does not have yet")
	bindConfig(flags, "bot-hostname", "hostname")
	cmd.MarkFlagDirname("dir")
	cmd.AddCommand(newCSRCheckCommand(a), newCSRSignCommand(a), newCACommand(a))
	return cmd
}

// csrArgs wants one host name at most, and knows a mistyped subcommand.
func csrArgs(cmd *cobra.Command, args []string) error {
	word := len(args) > 0 && !strings.Contains(args[0], "-") // no host name
	given := cmd.Flags().Changed("bot-hostname")             // on the command line: the configuration comes later
	switch {
	case word && (len(args) > 1 || suggest(args[0], []string{"ca", "check", "sign"}) != ""):
		return unknownCommand(cmd, args[0])
	case len(args) > 1:
		return fmt.Errorf("takes one HOSTNAME, but got %q too", args[1])
	case len(args) == 1 && given:
		return fmt.Errorf("takes one HOSTNAME, but got %q and -bot-hostname", args[0])
	}
	return nil
}

func (a *app) printCreated(made botcert.Created) error {
	if a.jsonOut {
		return a.printJSON(made)
	}
	key := "private key: stays on this machine, readable for you alone"
	if made.Reused {
		key = "private key that was there"
	}
	width := len(made.Text)
	fmt.Fprintf(a.stdout, "%-*s  %s\n", width, made.Key, key)
	fmt.Fprintf(a.stdout, "%-*s  CSR for %s: send it to the farm's team\n", width, made.CSR, made.FQDN)
	fmt.Fprintf(a.stdout, "%-*s  the same, for issue trackers that refuse .csr\n", width, made.Text)
	for _, note := range made.Notes {
		fmt.Fprintf(a.stderr, "# %s: %s; %s\n", made.Key, note.Text, note.Hint)
	}
	for _, file := range made.Kept {
		fmt.Fprintf(a.stdout, "%-*s  kept aside\n", width, file)
	}
	return nil
}
