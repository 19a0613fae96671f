package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"gobuild/pkg/hint"
	"gobuild/pkg/memtrim"
	"gobuild/pkg/netdial"
	"gobuild/pkg/supervise"
	"gobuild/pkg/swarmbot"
)

// runBotFlags are the flags of "gobuild run-bot".
type runBotFlags struct {
	notifyURL  string // or @FILE
	bot        swarmbot.Options
	token      botTokenFlags
	farm       farmFlags
	healthAddr string
	once       bool
}

// newRunBotCommand returns "gobuild run-bot".
func newRunBotCommand(a *app) *cobra.Command {
	var f runBotFlags
	cmd := &cobra.Command{
		Use:     "run-bot",
		GroupID: groupOwner,
		Short:   "Run this machine's Swarming bot or buildlet, and keep it running",
		Long: `Run-bot downloads LUCI's Swarming bot with this machine's token, checks it by
its digest, and runs it: in place of bootstrapswarm and the loop around it.

Before each start it checks the token (10 minutes left, for this host name),
Python (3.7 to 3.13), the free disk, and that no other bot runs in the work
directory. It refuses to run as root. If the bot cannot be downloaded, the last
good copy does; if the server refuses it, the reason is said in plain words.

When the bot ends, whatever it has left running is killed, and it is started
again, with pauses that grow from --retry-min to --retry-max. After
--retry-budget failures in a row it is given up for an hour. The bot's log is
read as it grows: a bot that is quarantined or not let in is not well, though it
runs. --notify-command and --notify-url tell the owner, once when the bot has
been dead for --notify-after and once when it works again. The command is a line
for the shell, with GOBUILD_EVENT (dead, recovered), GOBUILD_NAME,
GOBUILD_STATE, GOBUILD_WHY and GOBUILD_SINCE in its environment and a line of
text on its input; the URL gets a POST of the same as JSON. A URL that is a
secret is kept in a file: --notify-url @FILE.

--health-addr answers GET / (a page), /healthz (200, or 503 with the reason),
/metrics (Prometheus) and /status.json. Under systemd, Type=notify and
WatchdogSec= work.

At SIGTERM or SIGINT the bot is asked to end, which it does after its task;
after --stop-wait, or at a second signal, it is killed. The exit code is 0 then.
With --once the bot runs once: the exit code is 0 if it ends with 0, else 1.

` + botTokenText + `

` + farmText + `

Where GCE_METADATA_HOST is set, the virtual machine's identity takes the place
of the token and of --hostname.`,
		Example: `  gobuild run-bot --hostname linux-riscv64-gopher
  gobuild run-bot --hostname linux-riscv64-gopher --health-addr localhost:8081 --notify-command "mail -s builder gopher@example.com"
  gobuild run-bot --host-type host-linux-riscv64 --coordinator https://farm.example --min-free-disk 5GiB
  gobuild run-bot --hostname linux-riscv64-gopher--02 --workdir /data/bot-02 --once
  gobuild run-bot --hostname linux-riscv64-gopher --with-tokend --user swarming --cert-pem /etc/luci/bot.cert --pkey-pem /etc/luci/bot.key`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runBot(cmd.Context(), &f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.bot.Hostname, "hostname", "", "bot's `NAME`: the host name in the certificate, with --NN behind it for one of several bots")
	flags.StringVar(&f.bot.Swarming, "swarming", swarmbot.DefaultServer, "Swarming server, `HOST` or HOST:PORT, which is called by https")
	flags.StringVar(&f.bot.TokenFile, "token-file", "", "`FILE` with the machine token (default $LUCI_MACHINE_TOKEN, else where bots look for it)")
	flags.StringVar(&f.bot.CertFile, "cert-pem", "", "`FILE` with the machine's certificate, to compare its name with")
	flags.StringVar(&f.bot.WorkDir, "workdir", "", "`DIR` that the bot works in and deletes in what it does not know (default ~/.swarming)")
	flags.StringVar(&f.bot.Python, "python", "", "Python 3 `PROGRAM` that runs the bot (default python3 in PATH)")
	flags.StringVar(&f.healthAddr, "health-addr", "", "`ADDR` that answers probes and browsers; on this machine only, unless it has a host part; empty for none")
	flags.BoolVar(&f.once, "once", false, "run the bot once")
	flags.BoolVar(&f.bot.AllowRoot, "allow-root", false, "run as root, and let every task do so")
	flags.DurationVar(&f.bot.StopWait, "stop-wait", swarmbot.DefaultStopWait, "`TIME` that the bot has to end in when it is asked to; a buildlet, which ends what runs, has 30s unless this is given")
	flags.StringVar(&f.bot.Notices.Command, "notify-command", "", "shell `COMMAND` that tells the owner of a dead bot")
	flags.StringVar(&f.notifyURL, "notify-url", "", "`URL` that is told of a dead bot, or @FILE with it")
	flags.DurationVar(&f.bot.Notices.After, "notify-after", 15*time.Minute, "`TIME` that the bot has to be dead before the owner is told")
	flags.DurationVar(&f.bot.Backoff.Min, "retry-min", supervise.DefaultBackoff.Min, "pause (`TIME`) after the first failure")
	flags.DurationVar(&f.bot.Backoff.Max, "retry-max", supervise.DefaultBackoff.Max, "longest pause (`TIME`)")
	flags.IntVar(&f.bot.Backoff.Budget, "retry-budget", supervise.DefaultBackoff.Budget, "failures in a row (`N`) after which the bot is given up for an hour; 0 for never")
	flags.DurationVar(&f.bot.Settle, "settle", time.Minute, "`TIME` that the bot has to run before it counts as sound")
	bindConfig(flags, "hostname", "hostname")
	bindConfig(flags, "swarming", "swarming")
	bindConfig(flags, "token-file", "token-file")
	bindConfig(flags, "cert-pem", "cert-pem")
	bindConfig(flags, "workdir", "workdir")
	bindConfig(flags, "python", "python")
	bindConfig(flags, "health-addr", "health-addr")
	cmd.MarkFlagDirname("workdir")
	addBotTokenFlags(cmd, &f.token)
	addFarmFlags(cmd, &f.farm)
	return cmd
}

func (a *app) runBot(ctx context.Context, f *runBotFlags) error {
	o := &f.bot
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{{"stop-wait", o.StopWait}, {"notify-after", o.Notices.After}, {"retry-min", o.Backoff.Min}, {"settle", o.Settle}} {
		if d.value <= 0 {
			return usageErrorf("--%s %s: a time longer than none", d.flag, d.value)
		}
	}
	if o.Backoff.Max < o.Backoff.Min {
		return usageErrorf("--retry-max %s is shorter than --retry-min %s", o.Backoff.Max, o.Backoff.Min)
	}
	var err error
	if o.Notices.URL, err = noticeURL(f.notifyURL); err != nil {
		return err
	}
	farm, err := f.farm.forFarm(o.CertFile)
	if err != nil {
		return err
	}
	if farm {
		return a.runFarmBot(ctx, f)
	}
	if o.Roots, err = netdial.Roots(a.caFile); err != nil {
		return err
	}
	if err := a.checkBotToken(f); err != nil {
		return err
	}
	if o.Hostname == "" && a.getenv("GCE_METADATA_HOST") == "" {
		return errNoWorker()
	}
	if f.token.with && f.token.user != "" {
		return a.runBotApart(ctx, f)
	}
	o.TokenKept = f.token.with || f.token.reports
	o.CAFile = a.caFile
	o.Backoff.Rest = supervise.DefaultBackoff.Rest
	o.Getenv, o.Environ = a.getenv, os.Environ()
	if o.Output, o.Log, err = a.logTo(&f.farm, ""); err != nil {
		return err
	}
	bot, err := swarmbot.New(*o)
	if err != nil {
		return err
	}
	defer bot.Close()
	ctx, release := takeSignals(ctx, o.Log, toldBot, bot.Kill)
	defer release()
	ctx, stopToken, err := a.keepToken(ctx, f, bot)
	if err != nil {
		return err
	}
	defer stopToken()
	stopHealth, err := serveHealth(f.healthAddr, bot.Status, o.Log)
	if err != nil {
		return err
	}
	defer stopHealth()
	stopControl, err := bot.ServeControl()
	if err != nil {
		return err
	}
	defer stopControl()
	if f.once {
		return bot.RunOnce(ctx)
	}
	go memtrim.WhileIdle(ctx, atRest)
	return bot.Run(ctx)
}

// errNoWorker says that neither flags nor configuration tell whom a worker
// works for.
func errNoWorker() error {
	return hint.With(usageErrorf("a worker of what?"), "give --hostname for a bot of LUCI's, or --host-type and --coordinator for a farm's worker; gobuild init writes them down")
}

// atRest: a supervisor of a bot, and a token daemon, only wait.
func atRest() bool { return true }

// maxNoticeURL bounds what is read of a file with a URL, in bytes.
const maxNoticeURL = 8 << 10

// noticeURL returns the URL that --notify-url gives or has in a file. Whoever
// knows the address of a webhook may write to it, so no error shows it.
func noticeURL(given string) (string, error) {
	file, inFile := strings.CutPrefix(given, "@")
	if inFile {
		r, err := os.Open(file)
		if err != nil {
			return "", hint.With(fmt.Errorf("--notify-url: %w", err), "@FILE names a file with the URL in it, which this user can read")
		}
		defer r.Close()
		text, err := io.ReadAll(io.LimitReader(r, maxNoticeURL))
		if err != nil {
			return "", fmt.Errorf("--notify-url: %w", err)
		}
		if given = strings.TrimSpace(string(text)); given == "" {
			return "", fmt.Errorf("--notify-url: %s is empty", file)
		}
	}
	if given == "" {
		return "", nil
	}
	if err := checkURL(given); err != nil {
		if inFile {
			err = fmt.Errorf("%s holds no URL that can be called", file)
		}
		return "", hint.With(usageErrorf("--notify-url: %w", err), "as https://hooks.example.com/PATH, without a name or password in it")
	}
	return given, nil
}

// toldBot is what is said when a bot is to end: it finishes its task first.
const toldBot = "told to end; a second signal kills what it runs"

// takeSignals returns a context that the first signal to end cancels, which it
// says with told. The next calls again: by itself it would end this program
// alone, and leave the bot.
func takeSignals(ctx context.Context, log *slog.Logger, told string, again func()) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signals = append(signals, syscall.SIGHUP)
	}
	got := make(chan os.Signal, 4)
	signal.Notify(got, signals...)
	done := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case sig := <-got:
				if n == 0 {
					log.Info(told, "signal", sig.String())
					cancel()
				} else {
					again()
				}
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(got)
		close(done)
		cancel()
	}
}

// serveHealth answers probes at addr until stop is called. An addr without a
// host part is on this machine.
func serveHealth(addr string, status func() supervise.Status, log *slog.Logger) (stop func(), err error) {
	if addr == "" {
		return func() {}, nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, hint.With(usageErrorf("--health-addr %q: %w", addr, err), "as localhost:8081")
	}
	if host == "" {
		host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, hint.With(fmt.Errorf("--health-addr: %w", err), "another program may have the port: choose one with --health-addr HOST:PORT")
	}
	log.Info("status page", "url", "http://"+reachable(listener.Addr())+"/")
	server := &http.Server{Handler: supervise.Handler(status), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the status page has ended", "err", err)
		}
	}()
	return func() {
		server.Close()
		<-done
	}, nil
}
