package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gobuild/pkg/hint"
	"gobuild/pkg/machinetoken"
	"gobuild/pkg/memtrim"
	"gobuild/pkg/netdial"
)

// tokendFlags are the flags of "gobuild tokend".
type tokendFlags struct {
	daemon      machinetoken.Daemon
	once        bool
	metricsAddr string
}

// newTokendCommand returns "gobuild tokend".
func newTokendCommand(a *app) *cobra.Command {
	var f tokendFlags
	cmd := &cobra.Command{
		Use:     "tokend",
		GroupID: groupOwner,
		Short:   "Keep this machine's LUCI token fresh",
		Long: `Tokend gets this machine's token from LUCI's token server, with the certificate
that the farm's team sent and the key that belongs to it, and keeps it in the
token file, from which the Swarming bot reads it. It gets the next one when half
of the token's life is over. Run it as the user who owns the key, mostly root;
the bot's user needs to read the token file and must not be able to read the
key. The directory of the token file has to be there.

It runs until it is told to end. With --once it looks once and ends, as
luci_machine_tokend does, for cron every 10 minutes; it is silent then if all is
well, unless --verbose is given or stdout is a terminal. The two programs read
each other's files, and take each other's flags but for the monitoring ones
(-ts-mon-...), which are ignored here: for that there is --metrics-addr. One
tokend at a time works on a token file; another one with --once ends with code 0
while the token is good.

A --backend that begins with localhost: or 127.0.0.1: is called without TLS, as
luci_machine_tokend does; LOCALHOST: in capitals is called with it.

Key and certificate may be in forms that luci_machine_tokend refuses: a chain,
PKCS#8, a byte order mark, text behind. It says so then.

The exit codes of --once are 0 (the token is good or new), 1 (it failed) and 2
(usage). With --json it prints an object: "outcome" and "reason" (in the words
of luci_machine_tokend's status file), "tokenFile", "host" (in the token),
"expiry", "lastUpdate", "nextUpdate", "serviceVersion", "attempts",
"clockAheadSeconds" (if the server told the time), "notes" ("text", "hint"),
"error", "hint"; what is not known is missing.

--metrics-addr serves /metrics for Prometheus and /healthz, which is 200 while
the token is good and 503 otherwise.`,
		Example: `  gobuild tokend --cert-pem /etc/luci/bot.cert --pkey-pem /etc/luci/bot.key
  gobuild tokend --once -v --cert-pem bot.cert --pkey-pem bot.key --token-file token.json
  gobuild tokend --once -backend luci-token-server.appspot.com -cert-pem bot.cert -pkey-pem bot.key -token-file token.json -status-file status.json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.tokend(cmd, &f) },
	}
	flags := cmd.Flags()
	d := &f.daemon
	flags.StringVar(&d.Backend, "backend", machinetoken.DefaultBackend, "token server, `HOST` or HOST:PORT")
	flags.StringVar(&d.CertFile, "cert-pem", "", "`FILE` with the LUCI certificate")
	flags.StringVar(&d.KeyFile, "pkey-pem", "", "`FILE` with the private key of that certificate")
	flags.StringVar(&d.TokenFile, "token-file", "", "`FILE` for the token (default $LUCI_MACHINE_TOKEN, else the system's usual place)")
	flags.StringArrayVar(&d.Copies, "token-file-copy", nil, "another `FILE` for the token; may be given several times")
	flags.StringVar(&d.StatusFile, "status-file", "", "`FILE` for a report of each run, in JSON")
	flags.DurationVar(&d.Timeout, "timeout", machinetoken.DefaultTimeout, "`TIME` for the calls of one run, all attempts together")
	flags.BoolVar(&d.Force, "force-refresh", false, "get a new token even if the one in the file is good; without --once at the first run")
	flags.BoolVar(&f.once, "once", false, "look once and end, for cron")
	flags.StringVar(&f.metricsAddr, "metrics-addr", "", "`ADDR` that answers /metrics and /healthz; empty for none")
	bindConfig(flags, "backend", "backend")
	bindConfig(flags, "cert-pem", "cert-pem")
	bindConfig(flags, "pkey-pem", "pkey-pem")
	bindConfig(flags, "token-file", "token-file")
	addMonitoringFlags(flags)
	for _, name := range []string{"cert-pem", "pkey-pem"} {
		cmd.MarkFlagFilename(name)
	}
	cmd.MarkFlagsMutuallyExclusive("once", "metrics-addr")
	return cmd
}

// monitoringPrefix begins the names of monitoringFlags.
const monitoringPrefix = "ts-mon-"

// monitoringFlags are the flags of luci_machine_tokend that send metrics to a
// service of Google's.
var monitoringFlags = []string{
	"act-as", "config-file", "credentials", "device-hostname", "device-network", "device-region", "device-role",
	"endpoint", "flush", "flush-interval", "target-type", "task-hostname", "task-job-name", "task-number",
	"task-region", "task-service-name",
}

// addMonitoringFlags lets command lines for luci_machine_tokend work.
func addMonitoringFlags(flags *pflag.FlagSet) {
	for _, name := range monitoringFlags {
		flags.String(monitoringPrefix+name, "", "ignored")
		flags.MarkHidden(monitoringPrefix + name)
	}
	flags.Bool(monitoringPrefix+"autogen-hostname", false, "ignored")
	flags.MarkHidden(monitoringPrefix + "autogen-hostname")
}

func (a *app) tokend(cmd *cobra.Command, f *tokendFlags) error {
	d := &f.daemon
	if d.TokenFile == "" {
		d.TokenFile = machinetoken.TokenFilePath(a.getenv)
	}
	if err := checkTokendFlags(d); err != nil {
		return err
	}
	var err error
	if d.Roots, err = netdial.Roots(a.caFile); err != nil {
		return err
	}
	d.Log = a.logger()
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if strings.HasPrefix(flag.Name, monitoringPrefix) {
			a.warn("-" + flag.Name + " is ignored: gobuild sends no metrics; --metrics-addr serves them")
		}
	})
	if f.once {
		return a.tokendOnce(cmd.Context(), d)
	}
	stop, err := a.serveMetrics(d, f.metricsAddr)
	if err != nil {
		return err
	}
	defer stop()
	go memtrim.WhileIdle(cmd.Context(), atRest)
	return d.Run(cmd.Context())
}

// checkTokendFlags finds what is wrong with the command line alone.
func checkTokendFlags(d *machinetoken.Daemon) error {
	const give = "give it, or set %s in the configuration"
	switch {
	case d.CertFile == "":
		return hint.With(usageErrorf("--cert-pem is missing"), give, "cert-pem")
	case d.KeyFile == "":
		return hint.With(usageErrorf("--pkey-pem is missing"), give, "pkey-pem")
	case d.Timeout <= 0 || d.Timeout > 9*time.Minute:
		return usageErrorf("--timeout %s: more than nothing and at most 9m, as a request is of no use after 10", d.Timeout)
	}
	if err := checkServer(d.Backend); err != nil {
		return hint.With(usageErrorf("--backend: %w", err), "%s", hint.Of(err))
	}
	return nil
}

// tokendResult is what "gobuild tokend --once --json" prints.
type tokendResult struct {
	Outcome        string              `json:"outcome"`
	Reason         string              `json:"reason,omitempty"`
	TokenFile      string              `json:"tokenFile"`
	Host           string              `json:"host,omitempty"`
	Expiry         time.Time           `json:"expiry,omitzero"`
	LastUpdate     time.Time           `json:"lastUpdate,omitzero"`
	NextUpdate     time.Time           `json:"nextUpdate,omitzero"`
	ServiceVersion string              `json:"serviceVersion,omitempty"`
	Attempts       int                 `json:"attempts,omitempty"`
	ClockAhead     *float64            `json:"clockAheadSeconds,omitempty"`
	Notes          []machinetoken.Note `json:"notes,omitempty"`
	Error          string              `json:"error,omitempty"`
	Hint           string              `json:"hint,omitempty"`
}

func (a *app) tokendOnce(ctx context.Context, d *machinetoken.Daemon) error {
	if !a.verbose {
		// Cron sends a mail about every line; what failed is printed below.
		d.Log = nil
	}
	r := d.Once(ctx)
	if a.jsonOut {
		result := tokendResult{
			Outcome: r.Outcome, Reason: r.Reason, TokenFile: d.TokenFile, Host: r.FQDN,
			Expiry: r.Expiry.UTC(), LastUpdate: r.LastUpdate.UTC(), NextUpdate: r.NextUpdate.UTC(),
			ServiceVersion: r.ServiceVersion, Attempts: r.Attempts, Notes: r.Notes,
		}
		if r.Skew.Known {
			ahead := r.Skew.Ahead.Seconds()
			result.ClockAhead = &ahead
		}
		if r.Err != nil {
			result.Error, result.Hint = r.Err.Error(), hint.Of(r.Err)
		}
		if err := a.printJSON(result); err != nil {
			return err
		}
	} else {
		for _, note := range r.Notes {
			a.warn(note.Text + "\n" + note.Hint)
		}
	}
	if r.Err != nil {
		return r.Err
	}
	if !a.jsonOut && (a.verbose || a.isTerminal(a.stdout)) {
		what := map[bool]string{true: "good", false: "new"}[r.Outcome == machinetoken.OutcomeGood]
		fmt.Fprintf(a.stdout, "%s: token of %s, %s, until %s; next after %s\n", d.TokenFile, r.FQDN, what,
			r.Expiry.UTC().Format(time.RFC3339), r.NextUpdate.UTC().Format(time.RFC3339))
	}
	return nil
}

// serveMetrics serves a daemon's metrics until stop is called.
func (a *app) serveMetrics(d *machinetoken.Daemon, addr string) (stop func(), err error) {
	if addr == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, hint.With(fmt.Errorf("--metrics-addr: %w", err), "give a free HOST:PORT, such as localhost:9119")
	}
	log := a.logger()
	server := &http.Server{
		Handler:           d,
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	log.Info("metrics", "url", "http://"+listener.Addr().String()+"/metrics")
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics", "err", err)
		}
	}()
	return func() { server.Close() }, nil
}
