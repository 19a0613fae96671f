package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"gobuild/pkg/api"
	"gobuild/pkg/builderkey"
	"gobuild/pkg/hint"
	"gobuild/pkg/ports"
)

// keygenFlags are the flags of "gobuild keygen".
type keygenFlags struct {
	masterKey, newMaster, out string
	install, force, dev       bool
}

// newKeygenCommand returns "gobuild keygen".
func newKeygenCommand(a *app) *cobra.Command {
	var f keygenFlags
	cmd := &cobra.Command{
		Use:     "keygen PRINCIPAL...",
		GroupID: groupMaintainer,
		Short:   "Make the builder key of a host type or of a user",
		Long: `Keygen makes builder keys from the farm's master key. A principal is a host
type, whose machines register with the key, or user-NAME, a person who uses
"gobuild gomote". Of one principal it prints the bare key, byte for byte what
upstream's genbuilderkey prints; of several a line each, the key and two blanks
before the principal.

The master key is read from --master-key, else from what GOBUILD_MASTER_KEY_FILE
or the configuration names, else from keys/gobuilder-master.key in the home
directory. A principal called like a subcommand comes after "--".

With --json it prints an array of objects: "principal", "fingerprint", and
either "key", or "file" where --out or --install wrote the key to one.`,
		Example: `  gobuild keygen host-linux-riscv64
  gobuild keygen --new-master ~/keys/gobuilder-master.key
  gobuild keygen --out keys host-linux-riscv64 host-plan9-arm user-joe
  gobuild keygen verify host-linux-riscv64`,
		Args: func(cmd *cobra.Command, args []string) error {
			// Who mistypes "show" must not get to see the key itself.
			if len(args) > 0 && cmd.ArgsLenAtDash() != 0 && principalOddity(args[0]) != "" {
				if near := hint.Nearest(args[0], subcommandNames(cmd)); near != "" {
					return hint.With(unknownCommand(cmd, args[0]), "did you mean %s %s? If it is a principal, put -- before it", cmd.CommandPath(), near)
				}
			}
			if len(args) == 0 && f.newMaster == "" {
				return hint.With(fmt.Errorf("a key for whom?"), "name a host type, such as host-linux-riscv64, or user-NAME")
			}
			return nil
		},
		ValidArgsFunction: completePrincipals,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.keygen(f, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.masterKey, "master-key", "", "`FILE` with the farm's master key (default keys/gobuilder-master.key in the home directory)")
	flags.StringVar(&f.newMaster, "new-master", "", "make a new master key in `FILE`, which must not exist, and use it")
	flags.StringVar(&f.out, "out", "", "write each key to `DIR`/PRINCIPAL.key instead of printing it")
	flags.BoolVar(&f.install, "install", false, "write each key to where this user's buildlet or gomote looks for it")
	flags.BoolVar(&f.force, "force", false, "replace files that hold other keys")
	flags.BoolVar(&f.dev, "dev", false, "development master key, which everybody knows")
	bindConfig(flags, "master-key", "master-key-file")
	cmd.MarkFlagsMutuallyExclusive("dev", "master-key", "new-master")
	cmd.MarkFlagsMutuallyExclusive("out", "install")
	cmd.MarkFlagDirname("out")
	cmd.AddCommand(newKeygenVerifyCommand(a), newKeygenShowCommand(a))
	return cmd
}

// madeKey is a key that keygen made, as --json shows it.
type madeKey struct {
	Principal   string `json:"principal"`
	Fingerprint string `json:"fingerprint"`
	Key         string `json:"key,omitempty"`
	File        string `json:"file,omitempty"`
}

func (a *app) keygen(f keygenFlags, principals []string) error {
	for _, p := range principals {
		if f.out != "" || f.install {
			if err := builderkey.CheckFileName(p); err != nil {
				return err // before anything is made
			}
		}
		if oddity := principalOddity(p); oddity != "" {
			a.warn(fmt.Sprintf("%q %s; its key is made all the same", p, oddity))
		}
		if file := a.getenv("GO_BUILD_KEY_PATH"); f.install && file != "" && !strings.HasPrefix(p, builderkey.UserPrefix) {
			a.warn(fmt.Sprintf("GO_BUILD_KEY_PATH is set: a buildlet with this environment reads %s, not what is installed for %s", file, p))
		}
	}
	master, err := a.keygenMaster(f)
	if err != nil {
		return err
	}
	keys := make([]madeKey, 0, len(principals))
	for _, p := range principals {
		key := madeKey{Principal: p, Key: master.Key(p)}
		key.Fingerprint = builderkey.Fingerprint(key.Key)
		if f.out != "" || f.install {
			if key.File, err = a.writeKey(f, p, key.Key); err != nil {
				return err
			}
			key.Key = ""
		}
		keys = append(keys, key)
	}
	switch {
	case a.jsonOut:
		return a.printJSON(keys)
	case f.out != "" || f.install:
		for _, key := range keys {
			fmt.Fprintf(a.stderr, "key of %s, %s, is in:\n", key.Principal, key.Fingerprint)
			if _, err := fmt.Fprintln(a.stdout, key.File); err != nil {
				return err
			}
		}
		return nil
	case len(keys) == 1:
		_, err = fmt.Fprintln(a.stdout, keys[0].Key)
		return err
	}
	for _, key := range keys {
		if _, err := fmt.Fprintf(a.stdout, "%s  %s\n", key.Key, key.Principal); err != nil {
			return err
		}
	}
	return nil
}

// keygenMaster returns the master key that f asks for; it makes a new one if
// that is asked for.
func (a *app) keygenMaster(f keygenFlags) (builderkey.Master, error) {
	switch {
	case f.dev:
		return builderkey.DevMaster(), nil
	case f.newMaster != "":
		master, err := builderkey.CreateMaster(f.newMaster)
		if err == nil {
			fmt.Fprintf(a.stderr, "new %s is in %s; keep a copy where no farm can burn down with it\n", master, f.newMaster)
		}
		return master, err
	}
	return a.readMaster(f.masterKey, "name the file with --master-key, or make one with --new-master")
}

// readMaster reads the master key in file, by default the one in the home
// directory. Where nothing better is known, advice goes with the error.
func (a *app) readMaster(file, advice string) (builderkey.Master, error) {
	if file == "" {
		file = builderkey.MasterKeyFile(a.getenv)
	}
	master, warnings, err := builderkey.ReadMaster(file)
	if err != nil && hint.Of(err) == "" {
		err = hint.With(err, "%s", advice)
	}
	a.warn(warnings...)
	return master, err
}

// writeKey writes the key of principal to the file that f asks for, and
// returns its name.
func (a *app) writeKey(f keygenFlags, principal, key string) (string, error) {
	if f.install {
		return builderkey.InstallKey(principal, key, a.getenv, f.force)
	}
	return builderkey.WriteKey(f.out, principal, key, f.force)
}

// subcommandNames returns the names of the commands below cmd.
func subcommandNames(cmd *cobra.Command) []string {
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	return names
}

// principalOddity says what a farm would stumble over in a principal, or
// nothing.
func principalOddity(principal string) string {
	switch {
	case principal == "":
		return "is no name"
	case strings.ContainsFunc(principal, unicode.IsSpace):
		return "has white space in it"
	case principal != strings.ToLower(principal):
		return "has capitals, and the names of host types and users have none"
	case !strings.HasPrefix(principal, "host-") && !strings.HasPrefix(principal, builderkey.UserPrefix):
		return "begins neither with host-, as host types do, nor with user-"
	}
	return ""
}

// newKeygenVerifyCommand returns "gobuild keygen verify".
func newKeygenVerifyCommand(a *app) *cobra.Command {
	var (
		keyFile string
		dev     bool
	)
	cmd := &cobra.Command{
		Use:   "verify PRINCIPAL",
		Short: "Ask the coordinator whether a key is good",
		Long: `Verify sends the key of a host type or of user-NAME to the coordinator and says
whether it is good there. It looks for the key where the worker or
"gobuild gomote" would, and changes nothing.

With --json it prints an object: "principal", "file", "fingerprint",
"coordinator", "good", and "reason" if the key is not.`,
		Example: `  gobuild keygen verify host-linux-riscv64 --coordinator https://farm.example
  gobuild keygen verify user-joe --key-file joe.key`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completePrincipals,
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := a.findKey(args[0], keyFile, dev)
			if err != nil {
				return err
			}
			return a.verifyKey(cmd.Context(), args[0], found, dev)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&keyFile, "key-file", "", "`FILE` with the key")
	flags.BoolVar(&dev, "dev", false, "development key, for a coordinator --dev on this machine")
	bindConfig(flags, "key-file", "key-file")
	cmd.MarkFlagsMutuallyExclusive("dev", "key-file")
	return cmd
}

// findKey reads the key of principal from where its bearer would.
func (a *app) findKey(principal, keyFile string, dev bool) (found builderkey.Found, err error) {
	switch {
	case dev:
		return builderkey.Found{Key: builderkey.DevMaster().Key(principal)}, nil
	case keyFile != "":
		found, err = builderkey.ReadKey(keyFile)
	case strings.HasPrefix(principal, builderkey.UserPrefix):
		found, err = builderkey.ReadKey(builderkey.UserKeyFile(principal, a.getenv))
	default:
		found, err = builderkey.Locate(principal, a.getenv)
	}
	if err != nil && hint.Of(err) == "" {
		err = hint.With(err, "name the file with --key-file; the farm's maintainer makes the key with: gobuild keygen %s", principal)
	}
	return found, err
}

// verifiedKey is the answer of "keygen verify", as --json shows it.
type verifiedKey struct {
	Principal   string `json:"principal"`
	File        string `json:"file,omitempty"`
	Fingerprint string `json:"fingerprint"`
	Coordinator string `json:"coordinator"`
	Good        bool   `json:"good"`
	Reason      string `json:"reason,omitempty"`
}

func (a *app) verifyKey(ctx context.Context, principal string, found builderkey.Found, dev bool) error {
	a.warn(found.Warnings...)
	client, err := a.clientWith(dev, principal, found.Key)
	if err != nil {
		return err
	}
	_, err = client.Whoami(ctx)
	answer := verifiedKey{
		Principal: principal, File: found.File, Fingerprint: found.Fingerprint(),
		Coordinator: client.URL(), Good: err == nil,
	}
	if err != nil {
		if refused, ok := errors.AsType[*api.Error](err); !ok || refused.Code != api.CodeUnauthorized {
			return fmt.Errorf("verify the key of %s: %w", principal, err)
		}
		answer.Reason = err.Error()
	}
	if a.jsonOut {
		if err := a.printJSON(answer); err != nil || answer.Good {
			return err
		}
		return &exitError{code: exitFailed}
	}
	from := ""
	if found.File != "" {
		from = " in " + found.File
	}
	if !answer.Good {
		return hint.With(fmt.Errorf("%s refuses the key %s%s for %s: %w", answer.Coordinator, answer.Fingerprint, from, principal, err),
			"compare the fingerprint with what the farm's maintainer sees: gobuild keygen --json %s; a key is bound to its name, so that a renamed host type has another", principal)
	}
	a.warn(a.unusedType(ctx, client, principal)...)
	_, err = fmt.Fprintf(a.stdout, "good: %s takes the key %s%s for %s\n", answer.Coordinator, answer.Fingerprint, from, principal)
	return err
}

// unusedType warns of a host type that the coordinator has no builder type
// for: its key is good, and no machine could register with it.
func (a *app) unusedType(ctx context.Context, client *api.Client, principal string) []string {
	if strings.HasPrefix(principal, builderkey.UserPrefix) {
		return nil
	}
	types, err := client.BuilderTypes(ctx)
	if err != nil {
		return []string{fmt.Sprintf("could not look whether %s is configured there: %v", principal, err)}
	}
	var known []string
	for _, t := range types {
		if t.HostType == principal {
			return nil
		}
		known = append(known, t.HostType)
	}
	slices.Sort(known)
	text := fmt.Sprintf("the coordinator has no builder type on host type %s, so that nobody could use the machine", principal)
	if near := suggest(principal, known); near != "" {
		text += "; did you mean " + near + "?"
	}
	return []string{text}
}

// completePrincipals completes the names of host types that every farm may
// have: one for each port.
func completePrincipals(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, port := range ports.Workers() {
		names = append(names, "host-"+port.String())
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
