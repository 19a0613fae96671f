package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gobuild/pkg/api"
	"gobuild/pkg/builderkey"
	"gobuild/pkg/farmbot"
	"gobuild/pkg/hint"
	"gobuild/pkg/supervise"
	"gobuild/pkg/supervise/control"
	"gobuild/pkg/supervise/unit"
	"gobuild/pkg/swarmbot"
)

// ownerFlags say which worker an owner speaks of, and how it is reached.
type ownerFlags struct {
	workDir            string
	through            bool
	hostname, hostType string
	keyFile            string
	dev                bool
	why                string
}

func addOwnerFlags(cmd *cobra.Command, f *ownerFlags) {
	flags := cmd.Flags()
	flags.StringVar(&f.workDir, "workdir", "", "`DIR` that run-bot was given (default: of this user, or of the service, the one run-bot that runs)")
	flags.BoolVar(&f.through, "through-coordinator", false, "ask the coordinator to tell the machine, instead of run-bot on this one")
	flags.StringVar(&f.hostname, "hostname", "", "with --through-coordinator: `NAME` in the pool (default this machine's)")
	flags.StringVar(&f.hostType, "host-type", "", "with --through-coordinator: host `TYPE` of the machine, whose builder key proves that it is yours")
	flags.StringVar(&f.keyFile, "key-file", "", "with --through-coordinator: `FILE` with the builder key")
	flags.BoolVar(&f.dev, "dev", false, "with --through-coordinator: for a coordinator --dev on this machine")
	flags.StringVar(&f.why, "why", "", "reason, as `TEXT`, which the pool shows")
	bindConfig(flags, "workdir", "workdir")
	bindConfig(flags, "hostname", "hostname")
	bindConfig(flags, "host-type", "host-type")
	bindConfig(flags, "key-file", "key-file")
	cmd.MarkFlagsMutuallyExclusive("dev", "key-file")
	cmd.MarkFlagDirname("workdir")
	cmd.MarkFlagFilename("key-file")
}

// ownerText is what the commands' help says of it.
const ownerText = `It asks run-bot on this machine, by a socket in its work directory that only its
user and root can open (what is built there could, too, unless run-bot has --user);
if run-bot does not run, it will find the wish when it is started. With
--through-coordinator the coordinator is asked, with the builder key of the host
type, from anywhere. What is wished outlives a restart of run-bot and of the
machine.`

// newDrainCommand returns "gobuild drain".
func newDrainCommand(a *app) *cobra.Command {
	var f ownerFlags
	var wait bool
	cmd := &cobra.Command{
		Use:     "drain",
		GroupID: groupOwner,
		Short:   "Let this machine's worker finish what it does, and stop",
		Long: `Drain lets the worker finish the work in hand and take no more. Run-bot then
ends, with exit code 0. If its service starts it again, or the machine does, it
stays up without taking work until "gobuild resume".

` + ownerText,
		Example: `  gobuild drain --wait
  gobuild drain --through-coordinator --host-type host-linux-riscv64 --hostname lichee`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if wait && f.through {
				return usageErrorf("--wait is for run-bot on this machine")
			}
			return a.wish(cmd.Context(), f, control.Wish{State: control.Draining}, wait)
		},
	}
	addOwnerFlags(cmd, &f)
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it has stopped")
	return cmd
}

// newPauseCommand returns "gobuild pause".
func newPauseCommand(a *app) *cobra.Command {
	var f ownerFlags
	var until string
	var for_ time.Duration
	cmd := &cobra.Command{
		Use:     "pause",
		GroupID: groupOwner,
		Short:   "Have this machine's worker take no work until a time",
		Long: `Pause lets the worker finish the work in hand and take no more until the time
has come; then it takes work by itself. The pool shows "paused until T by its
owner". Without --until and --for it is paused until "gobuild resume".

A time is one of these, where nothing else is said in the zone of this machine:
  2026-12-24T18:00:00+01:00   (RFC 3339)
  2026-12-24 18:00
  2026-12-24                  (when that day begins)
  18:00                       (when the clock shows it next)
  tomorrow 8:00

` + ownerText,
		Example: `  gobuild pause --for 2h --why "the fan is cleaned"
  gobuild pause --until "tomorrow 8:00"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := control.Wish{State: control.Paused}
			now := time.Now()
			switch {
			case cmd.Flags().Changed("for"):
				if for_ <= 0 {
					return usageErrorf("--for %s: a time longer than none", for_)
				}
				w.Until = now.Add(for_).Round(0)
			case until != "":
				var err error
				if w.Until, err = parseUntil(until, now); err != nil {
					return err
				}
			}
			return a.wish(cmd.Context(), f, w, false)
		},
	}
	addOwnerFlags(cmd, &f)
	cmd.Flags().StringVar(&until, "until", "", "`TIME` at which it ends")
	cmd.Flags().DurationVar(&for_, "for", 0, "`TIME` that it lasts, as 90m")
	cmd.MarkFlagsMutuallyExclusive("until", "for")
	return cmd
}

// newResumeCommand returns "gobuild resume".
func newResumeCommand(a *app) *cobra.Command {
	var f ownerFlags
	cmd := &cobra.Command{
		Use:     "resume",
		GroupID: groupOwner,
		Short:   "Have this machine's worker take work again",
		Long: `Resume ends a pause and takes back a drain.

` + ownerText,
		Example: `  gobuild resume`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.wish(cmd.Context(), f, control.Wish{State: control.Open}, false)
		},
	}
	addOwnerFlags(cmd, &f)
	return cmd
}

// parseUntil reads a time that is still to come.
func parseUntil(text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	at, err := readTime(text, now)
	if err != nil {
		return time.Time{}, hint.With(usageErrorf("--until %q is no time", text), `as 18:00, "tomorrow 8:00", "2026-12-24 18:00" or 2026-12-24T18:00:00Z; or give --for 2h`)
	}
	if !at.After(now) {
		return time.Time{}, usageErrorf("--until %s is over: it is %s now", at.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	return at, nil
}

func readTime(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02"} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, nil
		}
	}
	days := 0
	clock, tomorrow := strings.CutPrefix(text, "tomorrow ")
	if tomorrow {
		days = 1
	}
	at, err := time.Parse("15:04", strings.TrimSpace(clock))
	if err != nil {
		return time.Time{}, err
	}
	on := func(days int) time.Time {
		return time.Date(now.Year(), now.Month(), now.Day()+days, at.Hour(), at.Minute(), 0, 0, now.Location())
	}
	if !tomorrow && !on(0).After(now) {
		days = 1
	}
	return on(days), nil
}

// wishResult is what the commands print with --json.
type wishResult struct {
	Text string       `json:"text"`
	Wish control.Wish `json:"wish"`
}

// wish tells a worker what is wished of it, and prints what happens.
func (a *app) wish(ctx context.Context, f ownerFlags, w control.Wish, wait bool) error {
	w.By, w.Why, w.Since = control.Owner, f.why, time.Now().Round(0)
	if err := w.Check(time.Now()); err != nil {
		return usageError(err)
	}
	if f.through {
		return a.wishThrough(ctx, f, w)
	}
	dir, err := a.workerDir(ctx, f.workDir)
	if err != nil {
		return err
	}
	client, err := control.NewClient(dir)
	var reply control.Reply
	if err == nil {
		reply, err = client.SetWish(ctx, w)
	}
	if errors.Is(err, control.ErrNotRunning) {
		if err := control.Save(dir, w); err != nil {
			return err
		}
		// It may have begun to answer after it had read what was kept.
		if client, err = control.NewClient(dir); err == nil {
			reply, err = client.SetWish(ctx, w)
		}
	}
	if errors.Is(err, control.ErrNotRunning) {
		text := fmt.Sprintf("no run-bot runs in %s; it will take work when it is started", workDirOf(dir))
		if w.State != control.Open {
			text = fmt.Sprintf("no run-bot runs in %s; when it is started it will take no work: %s", workDirOf(dir), w)
		}
		return a.printWish(wishResult{text, w})
	}
	if err != nil {
		return err
	}
	if err := a.printWish(wishResult{reply.Text, reply.Wish}); err != nil || !wait {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return hint.With(errors.New("interrupted before the worker has stopped"), "it goes on draining; gobuild resume takes that back")
		case <-time.After(500 * time.Millisecond):
		}
		st, err := client.Status(ctx)
		switch {
		case errors.Is(err, control.ErrNotRunning):
			return nil
		case err != nil && ctx.Err() == nil:
			return err
		case err == nil && st.Wish.State != control.Draining:
			return fmt.Errorf("the drain was taken back: %s", st.Wish)
		case err == nil && st.Worker.Phase != nil && st.Worker.Phase.Name == supervise.Paused:
			return nil // drained before it was started
		}
	}
}

func (a *app) printWish(r wishResult) error {
	if a.jsonOut {
		return a.printJSON(r)
	}
	_, err := fmt.Fprintln(a.stdout, r.Text)
	return err
}

// serviceWorkDirs matches where the workers work that "gobuild service" has
// installed under names of its kind.
var serviceWorkDirs = func() string {
	system, err := unit.Detect()
	if err != nil {
		system = unit.Cron // whose customs are those of the system
	}
	return unit.WorkDir(system, "gobuild-*")
}

// workerDir returns the state directory of this machine's worker.
func (a *app) workerDir(ctx context.Context, workDir string) (string, error) {
	var dirs []string
	if workDir != "" {
		dirs = []string{farmbot.StateDir(workDir), swarmbot.StateDir(workDir)}
	} else {
		bases := []string{machineState()}
		if own, err := a.stateHome(); err == nil && own != bases[0] {
			bases = append(bases, own)
		}
		for _, base := range bases {
			found, _ := filepath.Glob(filepath.Join(base, "run-bot-*"))
			for _, dir := range found {
				dirs = append(dirs, farmbot.StateDir(dir))
			}
		}
		found, _ := filepath.Glob(serviceWorkDirs())
		for _, dir := range found {
			dirs = append(dirs, farmbot.StateDir(dir), swarmbot.StateDir(dir))
		}
		if home, err := os.UserHomeDir(); err == nil {
			dirs = append(dirs, swarmbot.StateDir(filepath.Join(home, ".swarming")))
		}
	}
	var there, running, closed []string
	for _, dir := range dirs {
		if _, err := os.ReadDir(dir); err != nil {
			if errors.Is(err, os.ErrPermission) {
				closed = append(closed, workDirOf(dir))
			}
			continue
		}
		there = append(there, dir)
		if client, err := control.NewClient(dir); err == nil {
			if _, err := client.Status(ctx); err == nil {
				running = append(running, dir)
			}
		}
	}
	const say = "name its directory with --workdir, or put workdir into the configuration"
	switch {
	case len(running) == 1:
		return running[0], nil
	case len(running) > 1:
		return "", hint.With(fmt.Errorf("several workers run here: in %s", strings.Join(running, ", ")), say)
	case len(there) == 1:
		return there[0], nil
	case len(there) > 1:
		return "", hint.With(fmt.Errorf("no worker runs here, and several have: in %s", strings.Join(there, ", ")), say)
	case len(closed) > 0:
		return "", hint.With(fmt.Errorf("the worker in %s is another user's", strings.Join(closed, ", ")), "ask as the user that run-bot runs as, or as root")
	case workDir != "":
		return "", hint.With(fmt.Errorf("no run-bot has worked in %s", workDir), "give the --workdir that run-bot was given, as its user or as root")
	}
	return "", hint.With(errors.New("this user has no worker here"), "%s; ask as the user that run-bot runs as, or as root", say)
}

// workDirOf returns the work directory that a state directory belongs to.
func workDirOf(state string) string {
	dir := filepath.Dir(state)
	if state == swarmbot.StateDir(filepath.Dir(dir)) {
		dir = filepath.Dir(dir)
	}
	return dir
}

// ownerKey returns what proves to a coordinator that a machine is one's own.
func (a *app) ownerKey(f ownerFlags) (key string, err error) {
	if f.hostType == "" {
		return "", hint.With(usageErrorf("--through-coordinator: which host type?"), "give --host-type, or put host-type into the configuration")
	}
	if f.dev {
		return builderkey.DevMaster().Key(f.hostType), nil
	}
	found, err := a.workerKey(buildletFlags{hostType: f.hostType, keyFile: f.keyFile})
	if err != nil {
		return "", err
	}
	a.warn(found.Warnings...)
	return found.Key, nil
}

// wishThrough has the coordinator tell a machine what is wished of it.
func (a *app) wishThrough(ctx context.Context, f ownerFlags, w control.Wish) error {
	key, err := a.ownerKey(f)
	if err != nil {
		return err
	}
	client, err := a.clientWith(f.dev, f.hostType, key)
	if err != nil {
		return err
	}
	hostname := a.hostname(f.hostname)
	err = client.SetAvailability(ctx, hostname, api.Availability{State: w.State, Until: w.Until, Why: w.Why})
	if err != nil {
		return err
	}
	return a.printWish(wishResult{fmt.Sprintf("%s was told by way of %s: %s", hostname, client.URL(), w), w})
}

// printLocal prints how this machine's worker is.
func (a *app) printLocal(ctx context.Context, workDir string) error {
	dir, err := a.workerDir(ctx, workDir)
	if err != nil {
		return err
	}
	client, err := control.NewClient(dir)
	if errors.Is(err, control.ErrNotRunning) {
		wish, loadErr := control.Load(dir)
		if loadErr != nil {
			return loadErr
		}
		return hint.With(fmt.Errorf("no run-bot runs in %s; when it is started it is %s", workDirOf(dir), wish.At(time.Now())), "gobuild run-bot starts it, mostly by a service")
	}
	if err != nil {
		return err
	}
	st, err := client.Status(ctx)
	if err != nil {
		return err
	}
	if a.jsonOut {
		return a.printJSON(st)
	}
	w := st.Worker
	line := func(name, text string) []string { return []string{name, text} }
	var rows [][]string
	if p := w.Phase; p != nil {
		rows = append(rows, line("state", strings.TrimSuffix(fmt.Sprintf("%s for %s: %s", p.Name, since(p.Since), p.Why), ": ")))
	}
	rows = append(rows, line("program", strings.TrimSuffix(fmt.Sprintf("%s for %s: %s", w.State, since(w.Since), w.Why), ": ")))
	if w.Trouble != "" {
		rows = append(rows, line("trouble", w.Trouble))
	}
	rows = append(rows, line("wished", st.Wish.String()), line("starts", fmt.Sprintf("%d, of which %d failed", w.Starts, w.Failures)))
	if w.LastEnd != "" {
		rows = append(rows, line("last end", fmt.Sprintf("%s ago: %s", since(w.LastEndAt), w.LastEnd)))
	}
	for _, fact := range w.Facts {
		if fact.Name != "wished" {
			rows = append(rows, line(fact.Name, fact.Text))
		}
	}
	return a.printTable([]string{"WORKER", w.Name}, a.wrapLast(rows))
}
