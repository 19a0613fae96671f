package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gobuild/pkg/hint"
	"gobuild/pkg/machinetoken"
	"gobuild/pkg/swarmbot"
)

// botTokenFlags are the flags of "gobuild run-bot" that keep the token fresh.
type botTokenFlags struct {
	with   bool
	user   string
	tokend machinetoken.Daemon
	// reports: the token daemon is the parent of this process, and writes to
	// its standard input.
	reports bool
	all     *pflag.FlagSet // of the command
}

// botTokenText is the part of run-bot's help that is about them.
const botTokenText = `With --with-tokend, run-bot keeps the token fresh as well, as gobuild tokend
does and with its flags: --cert-pem and --pkey-pem are needed. Start it as root
with --user, the bot's user: the part that is root reads the key and writes the
token file, and starts the rest as that user, who must not be able to read the
key. The two end together, with the exit code of the bot's part. Otherwise, and
on Windows and Plan 9, one process does both, and the bot and its tasks can read
the key, which is said. The bot waits for the first token; a token that cannot
be renewed is on the status page, and once it has ended the bot is not well.`

// apartFlags are the flags that the process of the bot does not get from that
// of the token daemon; coordinator and config are not for it either.
var apartFlags = []string{"with-tokend", "user", "backend", "pkey-pem", "token-file-copy", "status-file", "timeout", "force-refresh", "coordinator", "config", "host-type", "key-file"}

// addBotTokenFlags adds the flags to run-bot. Those that the bot needs as well
// are there already: token-file, cert-pem.
func addBotTokenFlags(cmd *cobra.Command, f *botTokenFlags) {
	flags := cmd.Flags()
	f.all = flags
	d := &f.tokend
	flags.BoolVar(&f.with, "with-tokend", false, "keep the machine token fresh as well, as gobuild tokend does")
	flags.StringVar(&f.user, "user", "", "as root, with --host-type or --with-tokend: `NAME` of the user whom the buildlet or the bot runs as")
	flags.StringVar(&d.Backend, "backend", machinetoken.DefaultBackend, "with --with-tokend: token server, `HOST` or HOST:PORT")
	flags.StringVar(&d.KeyFile, "pkey-pem", "", "with --with-tokend: `FILE` with the private key of the certificate")
	flags.StringArrayVar(&d.Copies, "token-file-copy", nil, "with --with-tokend: another `FILE` for the token; may be given several times")
	flags.StringVar(&d.StatusFile, "status-file", "", "with --with-tokend: `FILE` for a report of each run of the token daemon, in JSON")
	flags.DurationVar(&d.Timeout, "timeout", machinetoken.DefaultTimeout, "with --with-tokend: `TIME` for the calls of one run of the token daemon")
	flags.BoolVar(&d.Force, "force-refresh", false, "with --with-tokend: get a new token first, even if the one in the file is good")
	flags.BoolVar(&f.reports, "token-reports", false, "read the token daemon's reports from standard input")
	flags.MarkHidden("token-reports")
	bindConfig(flags, "backend", "backend")
	bindConfig(flags, "pkey-pem", "pkey-pem")
	cmd.MarkFlagFilename("pkey-pem")
}

// checkBotToken finds what is wrong with these flags, and completes them from
// those of the bot.
func (a *app) checkBotToken(f *runBotFlags) error {
	t := &f.token
	if !t.with {
		if t.all.Changed("user") {
			return usageErrorf("--user is for --with-tokend or --host-type")
		}
		for _, name := range []string{"token-file-copy", "status-file", "timeout", "force-refresh"} {
			if t.all.Changed(name) {
				return usageErrorf("--%s is for --with-tokend", name)
			}
		}
		return nil
	}
	d := &t.tokend
	d.CertFile, d.TokenFile = f.bot.CertFile, cmp.Or(f.bot.TokenFile, machinetoken.TokenFilePath(a.getenv))
	if err := checkTokendFlags(d); err != nil {
		return err
	}
	root := os.Geteuid() == 0 // -1 where there is no such user
	switch {
	case a.getenv("GCE_METADATA_HOST") != "":
		return usageErrorf("--with-tokend: GCE_METADATA_HOST is set, and a virtual machine of Compute Engine needs no machine token")
	case root && t.user == "" && !f.bot.AllowRoot:
		return hint.With(fmt.Errorf("this is root, and so would be the bot and every task that it is given"),
			"name the bot's user with --user, such as --user swarming: root keeps the token fresh then, and the bot cannot read the key; --allow-root takes the risk")
	case !root && t.user != "":
		return hint.With(fmt.Errorf("--user %s: only root can start the bot as another user", t.user),
			"start run-bot as root; or as %s without --user, who can read the key then", t.user)
	}
	// The bot's process works in another directory.
	for _, name := range []*string{&d.CertFile, &d.KeyFile, &d.TokenFile, &d.StatusFile, &f.bot.WorkDir, &a.caFile} {
		if err := makeAbsolute(name); err != nil {
			return err
		}
	}
	for i := range d.Copies {
		if err := makeAbsolute(&d.Copies[i]); err != nil {
			return err
		}
	}
	f.bot.TokenFile, f.bot.CertFile = d.TokenFile, d.CertFile
	d.Roots, d.Log = f.bot.Roots, a.logger()
	return nil
}

// makeAbsolute makes the name of a file mean the same in every directory.
func makeAbsolute(name *string) error {
	if *name == "" {
		return nil
	}
	abs, err := filepath.Abs(*name)
	*name = abs
	return err
}

// runBotApart keeps the token fresh and has another process run the bot, as
// another user.
func (a *app) runBotApart(ctx context.Context, f *runBotFlags) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	log := a.logger()
	kill := func() {}
	ctx, release := takeSignals(ctx, log, toldBot, func() { kill() })
	defer release()
	code, err := swarmbot.Apart{
		Tokend: &f.token.tokend, User: f.token.user,
		Program: program, Args: apartArgs(a, f),
		WorkDir: f.bot.WorkDir, StopWait: f.bot.StopWait,
		Stdout: a.stdout, Stderr: a.stderr,
		Getenv: a.getenv, Environ: os.Environ(), Log: log,
	}.Run(ctx, func(fn func()) { kill = fn })
	if err == nil && code != exitDone {
		return &exitError{code: code} // that process has said why
	}
	return err
}

// apartArgs returns the command line of the bot's process: what this one was
// given by flags, environment and configuration, apart from what is for the
// token daemon.
func apartArgs(a *app, f *runBotFlags) []string {
	args := []string{"run-bot", "--token-reports", "--config=" + os.DevNull}
	f.token.all.VisitAll(func(flag *pflag.Flag) {
		value := flag.Value.String()
		switch flag.Name {
		case "token-file":
			value = f.bot.TokenFile
		case "cert-pem":
			value = f.bot.CertFile
		case "workdir":
			value = f.bot.WorkDir
		case "ca-file":
			value = a.caFile
		case "notify-url":
			if file, ok := strings.CutPrefix(value, "@"); ok {
				makeAbsolute(&file)
				value = "@" + file
			}
		case "python":
			if strings.ContainsRune(value, filepath.Separator) {
				makeAbsolute(&value)
			}
		}
		if (flag.Changed || flag.Name == "token-file") && !slices.Contains(apartFlags, flag.Name) {
			args = append(args, "--"+flag.Name+"="+value)
		}
	})
	return args
}

// keepToken keeps the token of a bot fresh in this process, or has the bot hear
// of the process that does. The context that it returns ends with ctx, or when
// that process does. Stop is called when the bot has ended.
func (a *app) keepToken(ctx context.Context, f *runBotFlags, bot *swarmbot.Bot) (_ context.Context, stop func(), err error) {
	switch t := &f.token; {
	case t.with:
		a.warn("the bot and its tasks run as the user who keeps the token fresh, and so can read the private key " + t.tokend.KeyFile +
			"\nwhere the system can keep them apart, start run-bot as root with --user NAME")
		t.tokend.Report = func(r machinetoken.Result) { bot.TokenReported(swarmbot.NewTokenReport(r)) }
		if err := t.tokend.Lock(ctx); err != nil {
			return ctx, nil, err
		}
		// Until the bot has ended, which may finish its task first.
		loop, cancel := context.WithCancel(context.WithoutCancel(ctx))
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := t.tokend.Run(loop); err != nil {
				a.logger().Error("the token daemon has ended", "err", err)
			}
		}()
		return ctx, func() {
			cancel()
			<-done
		}, nil
	case t.reports:
		ctx, cancel := context.WithCancel(ctx)
		go func() { // it ends with this process at the latest
			swarmbot.ReadTokenReports(a.stdin, bot.TokenReported)
			if ctx.Err() == nil {
				a.logger().Error("the token daemon, which started this process, is gone; the bot is asked to end")
			}
			cancel()
		}()
		return ctx, cancel, nil
	}
	return ctx, func() {}, nil
}
