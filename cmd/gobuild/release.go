package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gobuild/pkg/hint"
	"gobuild/pkg/release"
)

// newReleaseCommand returns "gobuild release".
func newReleaseCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "release",
		GroupID: groupMaintainer,
		Short:   "Sign buildlets and publish them to the farm's machines",
		Long: `Release makes the key that the farm's buildlets are signed with, signs them,
and publishes them in the directory that "gobuild coordinator --dl" serves.
Machines that know the public key take no others ("gobuild stage0
--release-key").

Keys and signatures are minisign's, whose program makes and verifies them too.`,
		Example: `  gobuild release keygen release.key
  gobuild release publish --key release.key --dir /srv/dl --version 1.2.3 gobuild
  gobuild coordinator --dl /srv/dl --tls-cert farm.crt --tls-key farm.key`,
	}
	cmd.AddCommand(newReleaseKeygenCommand(a), newReleaseSignCommand(a), newReleasePublishCommand(a), newReleaseVerifyCommand(a))
	return cmd
}

func newReleaseKeygenCommand(a *app) *cobra.Command {
	var noPassword bool
	cmd := &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a release key",
		Long: `Keygen makes a key and writes its secret half to FILE, which only you may read,
and its public half to FILE.pub. On a terminal it asks for a password that the
secret half is encrypted with; an empty one means none. Each use of an encrypted
key takes a second and a GiB of memory.

The public key is printed: machines get it as "gobuild stage0 --release-key". It
cannot be changed without changing it on each of them, so keep the secret half
safe, in two places.`,
		Example: `  gobuild release keygen release.key
  gobuild release keygen --no-password release.key`,
		Args: namedArgs("FILE", 1, 1),
		RunE: func(_ *cobra.Command, args []string) error { return a.releaseKeygen(args[0], noPassword) },
	}
	cmd.Flags().BoolVar(&noPassword, "no-password", false, "do not encrypt the key, and do not ask")
	return cmd
}

// namedArgs wants between least and most arguments, each called name.
func namedArgs(name string, least, most int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return fmt.Errorf("the argument %s is missing", name)
		case most > 0 && len(args) > most:
			return fmt.Errorf("takes one %s, but got %q too", name, args[most])
		}
		return nil
	}
}

func (a *app) releaseKeygen(file string, noPassword bool) error {
	password := ""
	if !noPassword {
		var err error
		if password, err = a.askPassword("Password for the new key (empty for none): "); err != nil {
			return hint.With(usageErrorf("no password: %w", err), "give --no-password for a key without one")
		}
		if password != "" {
			again, err := a.askPassword("The same again: ")
			if err != nil {
				return err
			}
			if again != password {
				return errors.New("the two passwords differ; nothing was made")
			}
		}
	}
	key, err := release.GenerateKey()
	if err != nil {
		return err
	}
	if err := key.Write(file, password); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "secret key %s is in %s, the public key in %s.pub:\n", key.Public().ID(), file, file)
	if a.jsonOut {
		return a.printJSON(map[string]string{"file": file, "id": key.Public().ID(), "publicKey": key.Public().String()})
	}
	_, err = fmt.Fprintln(a.stdout, key.Public())
	return err
}

// askPassword asks the person at the terminal for a password, which is not
// shown.
func (a *app) askPassword(prompt string) (string, error) {
	in, ok := a.stdin.(*os.File)
	if !ok || !a.isTerminal(in) || !a.isTerminal(a.stderr) {
		return "", errors.New("there is no terminal to ask at")
	}
	fmt.Fprint(a.stderr, prompt)
	password, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(a.stderr)
	return string(password), err
}

// releaseKey reads the secret key of a command.
func (a *app) releaseKey(file string) (release.PrivateKey, error) {
	if file == "" {
		return release.PrivateKey{}, hint.With(usageErrorf("no key to sign with"), "name its file with --key; gobuild release keygen makes one")
	}
	return release.ReadPrivateKey(file, func() (string, error) {
		return a.askPassword(fmt.Sprintf("Password of %s: ", file))
	})
}

func newReleaseSignCommand(a *app) *cobra.Command {
	var key, version string
	cmd := &cobra.Command{
		Use:   "sign FILE...",
		Short: "Sign files",
		Long: `Sign writes FILE.sha256, as sha256sum does, and FILE.sig, a signature as
minisign's, which tells the file's name, the version and the time.

With --json it prints an array of objects: "file", "port" (of a program),
"version", "signed" (when), "digest" (SHA-256) and "key" (the key's number).`,
		Example: `  gobuild release sign --key release.key --version 1.2.3 buildlet.linux-amd64`,
		Args:    namedArgs("FILE", 1, 0),
		RunE: func(_ *cobra.Command, args []string) error {
			secret, err := a.releaseKey(key)
			if err != nil {
				return err
			}
			return a.eachRelease(args, "signed", func(file string) (release.Published, error) {
				return release.SignFile(file, secret, version, time.Now())
			})
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "`FILE` with the release key")
	cmd.Flags().StringVar(&version, "version", "", "`VERSION` to note (default that of a program's main module)")
	return cmd
}

func newReleasePublishCommand(a *app) *cobra.Command {
	var key string
	var p release.Publication
	cmd := &cobra.Command{
		Use:   "publish FILE...",
		Short: "Sign buildlets and put them where the coordinator serves them",
		Long: `Publish copies programs into a directory as buildlet.GOOS-GOARCH, with a digest
and a signature beside each. For which port a program is, is read from the
program. gobuild itself is a buildlet, for its port.

A version older than the one that is there, and a file that another key has
signed, are replaced only with --force. Machines go by the time of the
signature: what is published last is what they fetch.

With --json it prints an array as "gobuild release sign" does.`,
		Example: `  gobuild release publish --key release.key --dir /srv/dl --version 1.2.3 gobuild
  gobuild release publish --key release.key --dir /srv/dl --version 1.2.2 --force old/gobuild`,
		Args: namedArgs("FILE", 1, 0),
		RunE: func(_ *cobra.Command, args []string) error {
			if p.Dir == "" {
				return hint.With(usageErrorf("publish where?"), "name the directory with --dir: the one of gobuild coordinator --dl")
			}
			secret, err := a.releaseKey(key)
			if err != nil {
				return err
			}
			p.Key, p.Now = secret, time.Now()
			return a.eachRelease(args, "published", p.Publish)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&key, "key", "", "`FILE` with the release key")
	flags.StringVar(&p.Dir, "dir", "", "`DIR` to publish in")
	flags.StringVar(&p.Version, "version", "", "`VERSION` to publish as (default that of the program's main module)")
	flags.BoolVar(&p.Force, "force", false, "replace a newer version, or one that another key has signed")
	cmd.MarkFlagDirname("dir")
	return cmd
}

func newReleaseVerifyCommand(a *app) *cobra.Command {
	var pubkey string
	cmd := &cobra.Command{
		Use:   "verify FILE...",
		Short: "Check files by their signatures",
		Long: `Verify checks FILE by FILE.sig, and by FILE.sha256 if that is there.

With --json it prints an array as "gobuild release sign" does.`,
		Example: `  gobuild release verify --pubkey release.key.pub /srv/dl/buildlet.linux-amd64`,
		Args:    namedArgs("FILE", 1, 0),
		RunE: func(_ *cobra.Command, args []string) error {
			if pubkey == "" {
				return hint.With(usageErrorf("no key to check with"), "give the public key, or its file, with --pubkey")
			}
			key, err := release.PublicKeyOf(pubkey)
			if err != nil {
				return err
			}
			return a.eachRelease(args, "good", func(file string) (release.Published, error) {
				return release.Check(file, []release.PublicKey{key})
			})
		},
	}
	cmd.Flags().StringVar(&pubkey, "pubkey", "", "public `KEY`, or the file that it is in")
	return cmd
}

// releaseKeys returns the public keys that --release-key gives.
func releaseKeys(given []string) (keys []release.PublicKey, err error) {
	for _, text := range given {
		key, err := release.PublicKeyOf(text)
		if err != nil {
			return nil, fmt.Errorf("--release-key: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// eachRelease does something with each file and prints what came of it.
func (a *app) eachRelease(files []string, done string, do func(file string) (release.Published, error)) error {
	list := make([]release.Published, 0, len(files))
	for _, file := range files {
		p, err := do(file)
		if err != nil {
			return err
		}
		list = append(list, p)
		if a.jsonOut {
			continue
		}
		version := p.Version
		if version == "" {
			version = "(no version)"
		}
		if _, err := fmt.Fprintf(a.stdout, "%s: %s %s, signed %s by %s\n", done, p.File, version, p.Signed.Format(time.RFC3339), p.Key); err != nil {
			return err
		}
	}
	if a.jsonOut {
		return a.printJSON(list)
	}
	return nil
}
