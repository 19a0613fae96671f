package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"gobuild/pkg/gomote"
	"gobuild/pkg/hint"
)

// newGomoteCommand returns "gobuild gomote" with all that is below it.
func newGomoteCommand(a *app) *cobra.Command {
	p := &porter{}
	cmd := &cobra.Command{
		Use:     "gomote",
		GroupID: groupPorter,
		Short:   "Get an instance of a builder and work on it",
		Long: `Gomote gives you a machine of a farm for a while: make an instance of a builder
type, run commands on it, carry files there and back, and destroy it. Names,
arguments and flags are those of upstream's gomote.

An instance that nobody uses for 30 minutes is destroyed. Your key is read from
--key-file, else from gomote/user-NAME.token in your configuration directory.`,
		Example: `  gobuild gomote create linux-amd64
  gobuild gomote run joe-linux-amd64-0 uname -a
  gobuild gomote destroy joe-linux-amd64-0`,
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&p.user, "user", "", "your `NAME`, without user- (default $USER)")
	flags.StringVar(&p.keyFile, "key-file", "", "`FILE` with the key of user-NAME")
	flags.BoolVar(&p.dev, "dev", false, "development key, for a coordinator --dev on this machine")
	bindConfig(flags, "user", "user")
	bindConfig(flags, "key-file", "key-file")
	cmd.AddCommand(
		newGomoteCreate(a, p), newGomoteList(a, p), newGomotePing(a, p), newGomoteDestroy(a, p),
		newGomoteRun(a, p),
		newGomotePut(a, p), newGomotePutTar(a, p), newGomoteGet(a, p), newGomoteGetTar(a, p),
		newGomoteLs(a, p), newGomoteRm(a, p),
	)
	return cmd
}

// open returns a session on the instance id.
func (a *app) open(ctx context.Context, p *porter, id string) (*gomote.Session, error) {
	principal, key, err := a.credentials(*p)
	if err != nil {
		return nil, err
	}
	c, err := a.clientWith(p.dev, principal, key)
	if err != nil {
		return nil, err
	}
	return gomote.Open(ctx, c, principal, key, id)
}

// completeInstance completes the first argument with the user's instances.
func (a *app) completeInstance(p *porter) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		c, err := a.client(*p)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		list, err := c.Instances(cmd.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var ids []string
		for _, inst := range list {
			ids = append(ids, cobra.CompletionWithDesc(inst.ID, inst.HostType+" on "+inst.Hostname))
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeBuilder completes the first argument with the builder types.
func (a *app) completeBuilder(p *porter) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		c, err := a.clientWith(p.dev, "", "")
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		types, err := c.BuilderTypes(cmd.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var names []string
		for name, t := range types {
			names = append(names, cobra.CompletionWithDesc(name, t.HostType))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// progress returns what shows a transfer on a terminal, and a function that
// clears it away. Where stderr is no terminal, both do nothing.
func (a *app) progress(what string) (gomote.Progress, func()) {
	if !a.isTerminal(a.stderr) || a.jsonOut {
		return nil, func() {}
	}
	var bar *progressbar.ProgressBar
	show := func(done, total int64) {
		if bar == nil {
			bar = progressbar.NewOptions64(total,
				progressbar.OptionSetDescription(what),
				progressbar.OptionSetWriter(a.stderr),
				progressbar.OptionShowBytes(true),
				progressbar.OptionThrottle(100*time.Millisecond),
				progressbar.OptionUseANSICodes(a.coloured(a.stderr)),
				progressbar.OptionClearOnFinish(),
			)
		}
		bar.Set64(done)
	}
	return show, func() {
		if bar != nil {
			bar.Finish()
		}
	}
}

// openSource opens a local file to send, or standard input for "-"; size is
// -1 where it is not known.
func (a *app) openSource(name string) (r io.ReadCloser, size int64, mode os.FileMode, err error) {
	if name == "-" {
		return io.NopCloser(a.stdin), -1, 0o666, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = hint.With(fmt.Errorf("%s is a directory", name),
			"send what is in it: tar -C %s -czf - . | gobuild gomote puttar -dir DIR INSTANCE -", name)
	}
	if err != nil {
		f.Close()
		return nil, 0, 0, err
	}
	return f, info.Size(), info.Mode().Perm(), nil
}
