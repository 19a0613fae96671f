package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"gobuild/pkg/builderkey"
)

// keygenShowFlags are the flags of "gobuild keygen show".
type keygenShowFlags struct {
	masterKey, keyFile, hostType, user string
}

// newKeygenShowCommand returns "gobuild keygen show".
func newKeygenShowCommand(a *app) *cobra.Command {
	var f keygenShowFlags
	cmd := &cobra.Command{
		Use:   "show [PRINCIPAL...]",
		Short: "Show which key files there are, never the keys",
		Long: `Show tells of each principal's key where it was found, who may read the file and
the fingerprint, by which two people can compare keys without showing them.
Without a principal it shows what there is on this machine: the farm's master
key, and the keys of the configured host type and user. Of these two it shows
the configured key file, if there is one.

With --json it prints an array of objects: "principal", "file", "mode",
"fingerprint", "warnings", and "error" where there is no key.`,
		Example: `  gobuild keygen show
  gobuild keygen show host-linux-riscv64 user-joe`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: completePrincipals,
		RunE:              func(_ *cobra.Command, args []string) error { return a.showKeys(f, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.masterKey, "master-key", "", "`FILE` with the farm's master key (default keys/gobuilder-master.key in the home directory)")
	flags.StringVar(&f.keyFile, "key-file", "", "`FILE` with the key, of one principal")
	flags.StringVar(&f.hostType, "host-type", "", "host `TYPE` to show where no principal is named")
	flags.StringVar(&f.user, "user", "", "user `NAME` to show where no principal is named")
	bindConfig(flags, "master-key", "master-key-file")
	bindConfig(flags, "host-type", "host-type")
	bindConfig(flags, "user", "user")
	return cmd
}

// shownKey is a key file, as --json shows it.
type shownKey struct {
	Principal   string   `json:"principal"`
	File        string   `json:"file,omitempty"`
	Mode        string   `json:"mode,omitempty"`
	Fingerprint string   `json:"fingerprint,omitempty"`
	Warnings    []string `json:"warnings,omitempty"`
	Error       string   `json:"error,omitempty"`
	err         error
}

func (a *app) showKeys(f keygenShowFlags, principals []string) error {
	if f.keyFile != "" && len(principals) != 1 {
		return usageErrorf("--key-file %s: name the one principal whose key it holds", f.keyFile)
	}
	settings, err := a.loadConfig()
	if err != nil {
		return err
	}
	var shown []shownKey
	if len(principals) == 0 {
		file := cmp.Or(f.masterKey, builderkey.MasterKeyFile(a.getenv))
		found, err := builderkey.LocateMaster(file)
		master := describeKey("(master key)", found, err)
		if f.hostType != "" {
			principals = append(principals, f.hostType)
		}
		if f.user != "" {
			principals = append(principals, builderkey.UserPrincipal(f.user))
		}
		// Who is no maintainer need not hear that there is no master key.
		if master.err == nil || len(principals) == 0 {
			shown = append(shown, master)
		}
	}
	for _, p := range principals {
		file := f.keyFile
		if file == "" && (p == f.hostType || f.user != "" && p == builderkey.UserPrincipal(f.user)) {
			file = settings["key-file"].value
		}
		found, err := a.findKey(p, file, false)
		shown = append(shown, describeKey(p, found, err))
	}
	return a.printKeys(shown)
}

// describeKey tells of what reading a key gave.
func describeKey(principal string, found builderkey.Found, err error) shownKey {
	if err != nil {
		return shownKey{Principal: principal, Error: err.Error(), err: err}
	}
	return shownKey{Principal: principal, File: found.File, Mode: fmt.Sprintf("%04o", found.Mode.Perm()),
		Fingerprint: found.Fingerprint(), Warnings: found.Warnings}
}

func (a *app) printKeys(shown []shownKey) error {
	var failed error
	for _, key := range shown {
		if key.err != nil && failed == nil {
			failed = key.err
		}
	}
	if a.jsonOut {
		if err := a.printJSON(shown); err != nil || failed == nil {
			return err
		}
		return &exitError{code: exitFailed}
	}
	var rows [][]string
	for _, key := range shown {
		if key.err == nil {
			rows = append(rows, []string{key.Principal, key.Mode, key.Fingerprint, key.File})
		}
	}
	if len(rows) > 0 {
		if err := a.printTable([]string{"PRINCIPAL", "MODE", "FINGERPRINT", "FILE"}, rows); err != nil {
			return err
		}
	}
	for _, key := range shown {
		a.warn(key.Warnings...)
	}
	return failed
}
