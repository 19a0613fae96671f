package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gobuild/pkg/doctor"
	"gobuild/pkg/hint"
	"gobuild/pkg/netdial"
)

// doctorFlags are the flags of "gobuild doctor".
type doctorFlags struct {
	target, explain string
	checks          []string
	offline         bool
	timeout         time.Duration
	settings        doctorSettings
}

// doctorSettings are the settings of the machine that doctor looks at.
type doctorSettings struct {
	hostname, port, hostType, keyFile, certPEM, pkeyPEM, tokenFile, backend, swarming, workDir, python string
}

// fields returns where the value of each configuration key goes.
func (s *doctorSettings) fields() map[string]*string {
	return map[string]*string{
		"hostname": &s.hostname, "port": &s.port, "host-type": &s.hostType, "key-file": &s.keyFile,
		"cert-pem": &s.certPEM, "pkey-pem": &s.pkeyPEM, "token-file": &s.tokenFile,
		"backend": &s.backend, "swarming": &s.swarming, "workdir": &s.workDir, "python": &s.python,
	}
}

// newDoctorCommand returns "gobuild doctor".
func newDoctorCommand(a *app) *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:     "doctor",
		GroupID: groupOwner,
		Short:   "Check this machine against what a builder needs",
		Long: `Doctor checks this machine against what a builder needs: memory, disk, Python,
the hosts in the network, clock, key, certificate, token and more. For each it
says what it found, what is wanted, and how to mend it. It changes nothing: it
writes one small file in the work directory and one among the temporary files,
to see whether that works, and removes them.

Run it as the user that the worker runs as, with the same configuration and
environment. As root it can besides look at the private key and at what sudo
allows the user swarming.

Without --for the machine is checked for the kind of farm that its settings are
for: LUCI if a certificate, token, backend or Swarming server is configured, a
coordinator if its address, a host type or a builder key is. If nothing is, it
is checked for both, and what only one kind needs is a warning at most.

The states are ok, warn (it works, but look at it), fail (a builder cannot work
like this) and unknown (it cannot be measured here). The exit code is 1 if a
check fails.

With --json the report is an object: "time", "hostname", "port", "version" (of
gobuild), "for" (luci, coordinator or empty) and "findings", an array of objects
with "check" (a stable name; hosts are reach/NAME), "group", "title", "state"
(ok, warn, fail, unknown, or skip: it does not apply), "found", "wanted",
"remedy" and "section" (where the requirement comes from); the last three are
missing where there is nothing to say.

With --explain the machine is left alone. LOGFILE, or - for standard input, as
it is or packed by gzip or bzip2, is searched for the known failures of the
Swarming bot, the token daemon, the bootstrap and the buildlet; each is told
with cause and remedy. With --json that
is an array of objects: "id", "program", "section", "title", "cause", "remedy",
"line" (the first with it), "text" (of that line), "count" (of such lines).`,
		Example: `  gobuild doctor
  gobuild doctor --for luci --json
  gobuild doctor --check disk,python --offline
  gobuild doctor --explain ~/.swarming/logs/swarming_bot.log`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.explain != "" {
				return a.explainLog(cmd.Context(), f.explain)
			}
			o, err := a.doctorOptions(f)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("coordinator") {
				o.Coordinator = a.coordinatorURL()
			}
			return a.doctor(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.target, "for", "", "kind of `FARM`: luci or coordinator (default: what the settings are for)")
	flags.StringSliceVar(&f.checks, "check", nil, "`NAME`s of the only checks to do")
	flags.BoolVar(&f.offline, "offline", false, "leave out what uses the network")
	flags.DurationVar(&f.timeout, "timeout", doctor.DefaultTimeout, "`TIME` for everything together")
	flags.StringVar(&f.explain, "explain", "", "search `LOGFILE` for known failures instead")
	s := &f.settings
	flags.StringVar(&s.hostname, "hostname", "", "host `NAME` of this machine as a builder")
	flags.StringVar(&s.port, "port", "", "`PORT` of the builder, as GOOS-GOARCH (default: this program's)")
	flags.StringVar(&s.hostType, "host-type", "", "host `TYPE` at the coordinator")
	flags.StringVar(&s.keyFile, "key-file", "", "`FILE` with the builder key")
	flags.StringVar(&s.certPEM, "cert-pem", "", "`FILE` with the LUCI certificate")
	flags.StringVar(&s.pkeyPEM, "pkey-pem", "", "`FILE` with the private key of that certificate")
	flags.StringVar(&s.tokenFile, "token-file", "", "`FILE` with the LUCI machine token (default $LUCI_MACHINE_TOKEN, else the system's usual place)")
	flags.StringVar(&s.backend, "backend", "", "LUCI token server, `HOST` or HOST:PORT (default: that of the Go project)")
	flags.StringVar(&s.swarming, "swarming", "", "Swarming server, `HOST` or HOST:PORT (default: that of the Go project)")
	flags.StringVar(&s.workDir, "workdir", "", "`DIR` where the worker works (default: that of the Swarming bot)")
	flags.StringVar(&s.python, "python", "", "`PROGRAM` that runs the Swarming bot (default python3)")
	for key := range s.fields() {
		bindConfig(flags, key, key)
	}
	cmd.RegisterFlagCompletionFunc("for", cobra.FixedCompletions([]string{string(doctor.TargetLUCI), string(doctor.TargetCoordinator)}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RegisterFlagCompletionFunc("check", cobra.FixedCompletions(doctor.Checks(), cobra.ShellCompDirectiveNoFileComp))
	cmd.MarkFlagDirname("workdir")
	cmd.MarkFlagsMutuallyExclusive("explain", "for")
	cmd.MarkFlagsMutuallyExclusive("explain", "check")
	cmd.MarkFlagsMutuallyExclusive("explain", "offline")
	return cmd
}

// doctorOptions checks the flags and makes options of them.
func (a *app) doctorOptions(f doctorFlags) (doctor.Options, error) {
	target := doctor.Target(f.target)
	switch {
	case !slices.Contains([]doctor.Target{doctor.TargetAny, doctor.TargetLUCI, doctor.TargetCoordinator}, target):
		return doctor.Options{}, usageErrorf("--for %q: it is luci or coordinator", f.target)
	case f.timeout <= 0:
		return doctor.Options{}, usageErrorf("--timeout %s: more than nothing", f.timeout)
	}
	if err := checkNames(f.checks); err != nil {
		return doctor.Options{}, err
	}
	roots, err := netdial.Roots(a.caFile)
	if err != nil {
		return doctor.Options{}, err
	}
	s := f.settings
	return doctor.Options{
		For: target, Only: f.checks, Offline: f.offline, Timeout: f.timeout,
		Hostname: s.hostname, Port: s.port, HostType: s.hostType, KeyFile: s.keyFile,
		CertPEM: s.certPEM, PKeyPEM: s.pkeyPEM, TokenFile: s.tokenFile,
		Backend: s.backend, Swarming: s.swarming, WorkDir: s.workDir, Python: s.python,
		Dialer: &netdial.Dialer{Roots: roots},
		Getenv: a.getenv,
	}, nil
}

// checkNames refuses the name of a check that there is not.
func checkNames(names []string) error {
	known := doctor.Checks()
	for _, name := range names {
		name, _, _ = strings.Cut(name, "/")
		if slices.Contains(known, name) {
			continue
		}
		err := usageErrorf("--check: there is no check %q", name)
		if near := suggest(name, known); near != "" {
			return hint.With(err, "did you mean %s?", near)
		}
		return hint.With(err, "the checks are %s", strings.Join(known, ", "))
	}
	return nil
}

// doctor does the checks and prints the report.
func (a *app) doctor(ctx context.Context, o doctor.Options) error {
	report := doctor.Run(ctx, a.showProgress(o))
	a.hideProgress()
	if err := ctx.Err(); err != nil {
		return err
	}
	if a.jsonOut {
		if err := a.printJSON(report); err != nil {
			return err
		}
	} else if _, err := io.WriteString(a.stdout, report.Text(a.doctorLayout())); err != nil {
		return err
	}
	if report.Failed() {
		return &exitError{code: exitFailed}
	}
	return nil
}

// showProgress returns o with a line on a terminal's stderr that says which
// checks are still running.
func (a *app) showProgress(o doctor.Options) doctor.Options {
	if a.isTerminal(a.stderr) {
		o.Progress = func(running []string) {
			fmt.Fprintf(a.stderr, "\r\x1b[Kchecking: %.60s", strings.Join(running, ", "))
		}
	}
	return o
}

// hideProgress takes away the line of showProgress.
func (a *app) hideProgress() {
	if a.isTerminal(a.stderr) {
		fmt.Fprint(a.stderr, "\r\x1b[K")
	}
}

// doctorLayout is how a report is printed: in colours and broken into lines on
// a terminal, a finding a line elsewhere.
func (a *app) doctorLayout() doctor.Layout {
	l := doctor.Layout{Sections: a.verbose}
	if a.isTerminal(a.stdout) {
		l.Width = 80
		if f, ok := a.stdout.(*os.File); ok {
			if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
				l.Width = min(width, 120) // longer lines are hard to read
			}
		}
	}
	if !a.coloured(a.stdout) {
		return l
	}
	p := a.palette(a.stdout)
	l.Style = func(part doctor.Part, text string) string {
		switch part {
		case doctor.Part(doctor.OK):
			return p.good.Render(text)
		case doctor.Part(doctor.Warn):
			return p.warn.Render(text)
		case doctor.Part(doctor.Fail):
			return p.bad.Render(text)
		case doctor.Part(doctor.Unknown), doctor.PartWanted:
			return p.dim.Render(text)
		case doctor.PartHeading, doctor.PartTitle:
			return p.strong.Render(text)
		case doctor.PartRemedy:
			return p.note.Render(text)
		}
		return text
	}
	return l
}

// readinessReport checks this machine for a request to target, luci or
// coordinator, with the settings of the configuration, and returns the report
// as plain text.
func (a *app) readinessReport(ctx context.Context, target string) (string, error) {
	settings, err := a.loadConfig()
	if err != nil {
		return "", err
	}
	f := doctorFlags{target: target, timeout: doctor.DefaultTimeout}
	for key, field := range f.settings.fields() {
		*field = settings[key].value
	}
	o, err := a.doctorOptions(f)
	if err != nil {
		return "", err
	}
	if a.coordinator != defaultCoordinator {
		o.Coordinator = a.coordinatorURL()
	}
	report := doctor.Run(ctx, a.showProgress(o))
	a.hideProgress()
	return report.Plain(), ctx.Err()
}

// explainLog prints what is known about the failures in a log. A log may be a
// pipe that gives nothing for long, or never ends: ctx ends the reading.
func (a *app) explainLog(ctx context.Context, file string) error {
	type result struct {
		found []doctor.Explanation
		err   error
	}
	done := make(chan result, 1)
	go func() {
		found, err := a.readLog(file)
		done <- result{found, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.err != nil {
		return r.err
	}
	if a.jsonOut {
		return a.printJSON(append([]doctor.Explanation{}, r.found...))
	}
	if len(r.found) == 0 {
		_, err := fmt.Fprintln(a.stdout, "no known failure in it")
		return err
	}
	_, err := io.WriteString(a.stdout, doctor.ExplanationsText(r.found, a.doctorLayout()))
	return err
}

// readLog returns what is known about the failures in a log.
func (a *app) readLog(file string) ([]doctor.Explanation, error) {
	in := a.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("--explain: %w", err)
		}
		defer f.Close()
		in = f
	}
	found, err := doctor.Explain(in)
	if err != nil {
		return nil, fmt.Errorf("--explain: read %s: %w", file, err)
	}
	return found, nil
}
