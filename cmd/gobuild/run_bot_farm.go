package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"gopkg.in/natefinch/lumberjack.v2"

	"gobuild/pkg/farmbot"
	"gobuild/pkg/hint"
	"gobuild/pkg/stage0"
	"gobuild/pkg/supervise"
)

// farmFlags are the flags of "gobuild run-bot" for a coordinator's pool.
type farmFlags struct {
	hostType, keyFile       string
	dev                     bool
	buildlet, updateURL     string
	releaseKeys             []string
	allowDowngrade          bool
	allowUnsigned           bool
	updateEvery             time.Duration
	registerWithin          time.Duration
	minFreeDisk, minFreeMem farmbot.Amount
	maxWorkDir              string
	maxProcesses            int
	noOutputLimit           time.Duration
	env, envFiles, passEnv  []string
	given                   map[string]bool // flags that stand on the command line
	logFile                 string
	logMaxSize, logKeep     int
}

// farmText is the part of run-bot's help that is about them.
const farmText = `With --host-type, on the command line or in a configuration without cert-pem,
the machine works for a coordinator instead: run-bot runs a buildlet and keeps
it registered. It runs this very program, or --buildlet, or what --update-url
publishes, which is checked by its signature (--release-key) before each start
and every --update-every while the machine is idle. A new one that does not
register within --register-within although the coordinator can be reached is
replaced by the one before. Upstream's buildlet can be run as well. The state is
dead, connecting, idle, working, draining, paused or quarantined.

In --workdir lie the directory that the buildlet works in, which may be emptied
at any time, the lock, what is fetched, and the state that outlives a restart.
Before the buildlet is started run-bot waits until the coordinator can be
reached. With less free disk or memory than --min-free-disk and
--min-free-memory the machine takes no work; memory can be told on Linux only.
The work directory is swept between two instances when it holds more than
--max-workdir, or when disk is wanted. By --max-processes the processes are
counted while there is work, and all but the buildlet are killed if they are too
many; on Linux the kernel has a limit besides, by a control group or
RLIMIT_NPROC.

Told to end by SIGTERM or SIGINT, it ends the buildlet and what runs; "gobuild
drain" lets the work in hand come to its end first.

Started as root with --user, the buildlet, also one that was fetched, is root's
until it has read the builder key, and becomes that user then. What is built can
neither read the key, nor give orders to run-bot, nor change the programs that
run. The work directory is the machine's unless --workdir names another, such as
/var/lib/gobuild/run-bot-TYPE. It, the directories above it, and the files that
run-bot is given have to be root's. Upstream's buildlet cannot do that, nor can
Windows and Plan 9. Without --user, builds run as the user of run-bot.

Gobuild drain, pause and resume say when it works. A run-bot that was drained
and is started again stays up, without taking work, until gobuild resume.`

// farmOnly and luciOnly are the flags for one of the two.
var (
	farmOnly = []string{"host-type", "key-file", "dev", "buildlet", "update-url", "release-key", "allow-downgrade", "allow-unsigned", "update-every",
		"register-within", "min-free-disk", "min-free-memory", "max-workdir", "max-processes", "no-output-limit", "env", "env-file", "pass-env"}
	luciOnly = []string{"swarming", "token-file", "cert-pem", "pkey-pem", "python", "allow-root", "with-tokend", "backend", "token-file-copy",
		"status-file", "timeout", "force-refresh", "token-reports"}
)

// addFarmFlags adds the flags to run-bot.
func addFarmFlags(cmd *cobra.Command, f *farmFlags) {
	flags := cmd.Flags()
	flags.StringVar(&f.hostType, "host-type", "", "work for a coordinator, as this host `TYPE`")
	flags.StringVar(&f.keyFile, "key-file", "", "with --host-type: `FILE` with the builder key")
	flags.BoolVar(&f.dev, "dev", false, "with --host-type: development builder key, for a coordinator --dev on this machine")
	flags.StringVar(&f.buildlet, "buildlet", "", "with --host-type: `FILE` of the buildlet to run, gobuild's or upstream's (default this program)")
	flags.StringVar(&f.updateURL, "update-url", "", "with --host-type: `URL` of the buildlet to fetch and run; auto for the coordinator's")
	flags.StringSliceVar(&f.releaseKeys, "release-key", nil, "with --update-url: public `KEY` of whom releases are taken, or a file with it")
	flags.BoolVar(&f.allowDowngrade, "allow-downgrade", false, "with --update-url: take an older release than the present one")
	flags.BoolVar(&f.allowUnsigned, "allow-unsigned", false, "with --update-url: take what nobody has signed, by https")
	flags.DurationVar(&f.updateEvery, "update-every", 6*time.Hour, "with --update-url: `TIME` between two looks for a newer one while idle; 0 for none")
	flags.DurationVar(&f.registerWithin, "register-within", 5*time.Minute, "with --update-url: `TIME` that a new buildlet may take to register")
	flags.Var(&f.minFreeDisk, "min-free-disk", "with --host-type: disk to be free for the machine to take work, as 2GiB or 5% (default 2GiB, or 5% if that is less)")
	flags.Var(&f.minFreeMem, "min-free-memory", "with --host-type: memory to be available for the machine to take work, as 300MiB or 10%")
	flags.StringVar(&f.maxWorkDir, "max-workdir", "20GiB", "with --host-type: `SIZE` that the work directory may have between two instances; 0 for any")
	flags.IntVar(&f.maxProcesses, "max-processes", 0, "with --host-type: processes (`N`) that the buildlet and what it runs may be; 0 for any number")
	flags.DurationVar(&f.noOutputLimit, "no-output-limit", defaultNoOutputLimit, "with --host-type: `TIME` after which a command is killed that prints nothing; 0 for never")
	flags.StringArrayVar(&f.env, "env", nil, "with --host-type: variable for what is built, `KEY=VALUE`; may be given several times")
	flags.StringArrayVar(&f.envFiles, "env-file", nil, "with --host-type: `FILE` of such variables, a line each")
	flags.StringSliceVar(&f.passEnv, "pass-env", nil, "with --host-type: `NAME`s of variables that what is built inherits although they look like secrets")
	flags.StringVar(&f.logFile, "log-file", "", "`FILE` that the log goes to, which is rotated (default standard error)")
	flags.IntVar(&f.logMaxSize, "log-max-size", 20, "with --log-file: size in `MB` at which a new one is begun")
	flags.IntVar(&f.logKeep, "log-keep", 5, "with --log-file: how many old ones (`N`) are kept")
	bindConfig(flags, "host-type", "host-type")
	bindConfig(flags, "key-file", "key-file")
	bindConfig(flags, "update-url", "update-url")
	bindConfig(flags, "release-key", "release-key")
	cmd.MarkFlagsMutuallyExclusive("dev", "key-file")
	cmd.MarkFlagsMutuallyExclusive("buildlet", "update-url")
	for _, name := range []string{"key-file", "buildlet", "env-file", "log-file"} {
		cmd.MarkFlagFilename(name)
	}
	// The configuration sets flags, too, but not before this.
	cmd.Args = func(_ *cobra.Command, args []string) error {
		f.given = map[string]bool{}
		flags.Visit(func(flag *pflag.Flag) { f.given[flag.Name] = true })
		return noArgs(nil, args)
	}
}

// forFarm decides whether run-bot is for a coordinator's pool or for LUCI: by
// the command line, else by the configuration.
func (f *farmFlags) forFarm(certFile string) (bool, error) {
	first := func(names []string) string {
		if i := slices.IndexFunc(names, func(name string) bool { return f.given[name] }); i >= 0 {
			return names[i]
		}
		return ""
	}
	farm, luci := first(farmOnly), first(luciOnly)
	switch {
	case farm != "" && luci != "":
		return false, hint.With(usageErrorf("--%s is for a coordinator's pool, and --%s for LUCI", farm, luci), "one run-bot works for one of them; start two, with a --workdir each, for both")
	case farm != "" && f.hostType == "":
		return false, hint.With(usageErrorf("--%s is for a coordinator's pool, and there is no host type", farm), "give --host-type, or put host-type into the configuration")
	case farm != "":
		return true, nil
	case luci != "":
		return false, nil
	case f.hostType != "" && certFile != "":
		return false, hint.With(usageErrorf("the configuration has both host-type, for a coordinator's pool, and cert-pem, for LUCI"), "say which: --host-type %s, or --cert-pem %s", f.hostType, certFile)
	}
	return f.hostType != "", nil
}

// logTo returns where run-bot's log goes, which is not the user's to lead
// elsewhere.
func (a *app) logTo(f *farmFlags, user string) (io.Writer, *slog.Logger, error) {
	if f.logFile == "" {
		return a.stderr, a.logger(), nil
	}
	if err := checkLog(f.logFile, user); err != nil {
		return nil, nil, fmt.Errorf("--log-file: %w", err)
	}
	if f.logMaxSize <= 0 || f.logKeep < 0 {
		return nil, nil, usageErrorf("--log-max-size %d, --log-keep %d: more than nothing", f.logMaxSize, f.logKeep)
	}
	w := &lumberjack.Logger{Filename: f.logFile, MaxSize: f.logMaxSize, MaxBackups: f.logKeep}
	if _, err := w.Write(nil); err != nil {
		return nil, nil, hint.With(fmt.Errorf("--log-file: %w", err), "its directory has to be writable for this user")
	}
	level := slog.LevelInfo
	if a.verbose {
		level = slog.LevelDebug
	}
	return w, slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})), nil
}

// runFarmBot keeps this machine in a coordinator's pool.
func (a *app) runFarmBot(ctx context.Context, f *runBotFlags) error {
	o, err := a.farmOptions(f)
	if err != nil {
		return err
	}
	bot, err := farmbot.New(o)
	if err != nil {
		return err
	}
	defer bot.Close()
	ctx, release := takeSignals(ctx, o.Log, "told to end, and with it what runs; gobuild drain lets it finish first", bot.Kill)
	defer release()
	stopHealth, err := serveHealth(f.healthAddr, bot.Status, o.Log)
	if err != nil {
		return err
	}
	defer stopHealth()
	return bot.Run(ctx)
}

func (a *app) farmOptions(f *runBotFlags) (farmbot.Options, error) {
	t := &f.farm
	o := farmbot.Options{
		HostType: t.hostType, Hostname: a.hostname(f.bot.Hostname), Dir: f.bot.WorkDir, File: t.buildlet, KeyFile: t.keyFile,
		UpdateEvery: t.updateEvery, RegisterWithin: t.registerWithin,
		MinFreeDisk: t.minFreeDisk, MinFreeMemory: t.minFreeMem, MaxProcesses: t.maxProcesses,
		Once: f.once, Settle: f.bot.Settle, Backoff: f.bot.Backoff, Notices: f.bot.Notices,
		Getenv: a.getenv, Environ: os.Environ(), User: f.token.user,
	}
	o.Backoff.Rest = supervise.DefaultBackoff.Rest
	if t.given["stop-wait"] {
		o.StopWait = f.bot.StopWait
	}
	if t.maxProcesses < 0 || t.updateEvery < 0 || t.noOutputLimit < 0 || t.registerWithin <= 0 {
		return o, usageErrorf("--max-processes, --update-every, --no-output-limit and --register-within are not less than nothing")
	}
	var err error
	if o.Output, o.Log, err = a.logTo(t, o.User); err != nil {
		return o, err
	}
	if o.User == "" && os.Geteuid() == 0 {
		o.Log.Warn("this is root, and so is all that is built here", "hint", "give what is built a user of its own with --user NAME")
	}
	if o.Coordinator, err = a.coordinatorAddr(); err != nil {
		return o, err
	}
	if o.Dialer, err = a.dialer(t.dev); err != nil {
		return o, err
	}
	if o.MaxWorkDir, err = farmbot.ParseSize(t.maxWorkDir); err != nil {
		return o, usageErrorf("--max-workdir: %w", err)
	}
	for _, file := range t.envFiles {
		env, err := farmbot.ReadEnv(file)
		if err != nil {
			return o, fmt.Errorf("--env-file: %w", err)
		}
		o.BuildEnv = append(o.BuildEnv, env...)
	}
	o.BuildEnv = append(o.BuildEnv, t.env...)
	if o.Dir == "" {
		if o.Dir, err = a.farmDir(t.hostType, f.token.user != ""); err != nil {
			return o, err
		}
	}
	if !t.dev {
		if o.KeyFile, err = a.farmKey(o); err != nil {
			return o, err
		}
	}
	exe, err := os.Executable()
	if err != nil {
		return o, err
	}
	o.Program = []string{exe, "buildlet"}
	if o.Args, err = a.buildletArgs(t, o); err != nil {
		return o, err
	}
	if o.User != "" {
		if o.Trusted, err = a.trusted(t); err != nil {
			return o, err
		}
	}
	if t.updateURL != "" {
		if o.Update, err = a.updater(o, t); err != nil {
			return o, err
		}
	}
	o.Notices.HTTP = nil
	return o, nil
}

// buildletArgs are the arguments for the buildlet besides those that its
// supervisor gives.
func (a *app) buildletArgs(t *farmFlags, o farmbot.Options) ([]string, error) {
	var args []string
	config, keyFile, caFile := a.configFile, t.keyFile, a.caFile
	if o.User != "" {
		config, keyFile, caFile = a.filesForRoot(t, o)
	}
	// The buildlet runs in another directory.
	for _, file := range []struct{ flag, name string }{{"config", config}, {"ca-file", caFile}, {"key-file", keyFile}} {
		if err := makeAbsolute(&file.name); err != nil {
			return nil, err
		}
		if file.name != "" {
			args = append(args, "--"+file.flag+"="+file.name)
		}
	}
	if t.dev {
		args = append(args, "--dev")
	}
	if t.given["no-output-limit"] {
		args = append(args, "--no-output-limit="+t.noOutputLimit.String())
	}
	if a.verbose {
		args = append(args, "--verbose")
	}
	for _, name := range t.passEnv {
		args = append(args, "--pass-env="+name)
	}
	return args, nil
}

// farmDir returns where run-bot works for a coordinator unless it is told.
func (a *app) farmDir(hostType string, apart bool) (string, error) {
	if err := checkWord(hostType); err != nil {
		return "", usageErrorf("--host-type: %w", err)
	}
	base, err := a.stateHome()
	if apart && a.getenv("STATE_DIRECTORY") == "" {
		base, err = machineState(), nil // root's own is closed to others
	}
	if err != nil {
		return "", err
	}
	return filepath.Join(base, "run-bot-"+hostType), nil
}

// stateHome returns where this user's programs keep what is to outlive them.
func (a *app) stateHome() (string, error) {
	if dir := a.getenv("STATE_DIRECTORY"); dir != "" { // systemd's StateDirectory=
		first, _, _ := strings.Cut(dir, ":")
		return first, nil
	}
	if dir := a.getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "gobuild"), nil
	}
	if runtime.GOOS == "windows" {
		if dir := a.getenv("LOCALAPPDATA"); dir != "" {
			return filepath.Join(dir, "gobuild"), nil
		}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", hint.With(err, "set it, or give a directory with --workdir")
	}
	if runtime.GOOS == "plan9" {
		return filepath.Join(home, "lib", "gobuild"), nil
	}
	return filepath.Join(home, ".local", "state", "gobuild"), nil
}

// updater returns what fetches the buildlet.
func (a *app) updater(o farmbot.Options, t *farmFlags) (farmbot.Updater, error) {
	url := t.updateURL
	if url == updateAuto {
		url = "https://" + o.Coordinator + "/dl/buildlet." + runtime.GOOS + "-" + runtime.GOARCH
	}
	if err := checkURL(url); err != nil {
		return nil, hint.With(usageErrorf("--update-url: %w", err), "as https://farm.example/dl/buildlet.%s-%s, or auto", runtime.GOOS, runtime.GOARCH)
	}
	keys, err := releaseKeys(t.releaseKeys)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 && !t.allowUnsigned {
		return nil, hint.With(usageErrorf("--update-url: whose buildlets are to be run?"), "give the farm's public key with --release-key; or take what nobody has signed with --allow-unsigned")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	name := "buildlet"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	transport := stage0.Transport(o.Dialer.Roots)
	transport.DisableKeepAlives = true // the next call is hours away
	return &updater{Fetcher: &stage0.Fetcher{
		URL: url, File: filepath.Join(dir, "program", name), Keys: keys, Port: runtime.GOOS + "-" + runtime.GOARCH,
		AllowDowngrade: t.allowDowngrade, AllowUnsigned: t.allowUnsigned, HTTP: &http.Client{Transport: transport}, Log: o.Log,
	}}, nil
}

// updater makes a stage0.Fetcher a farmbot.Updater: one thing at a time, as the
// files are locked for each.
type updater struct {
	*stage0.Fetcher
	mu sync.Mutex
}

// File is where the program lies.
func (u *updater) File() string { return u.Fetcher.File }

// Fetch brings it up to date.
func (u *updater) Fetch(ctx context.Context) (updated bool, version string, err error) {
	if err := os.MkdirAll(filepath.Dir(u.Fetcher.File), 0o755); err != nil {
		return false, "", err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	r, err := u.Fetcher.Fetch(ctx)
	if r.Untrusted {
		err = hint.With(errors.Join(farmbot.ErrUntrusted, err), "%s", hint.Of(err))
	}
	if version = r.Version; version == "" {
		version = r.Digest
	}
	return r.Updated, version, err
}

// Confirmed reports whether it is known to be good.
func (u *updater) Confirmed() bool {
	st, err := u.State()
	return err != nil || !st.Current.Confirmed.IsZero()
}

// Confirm says that it is.
func (u *updater) Confirm() error {
	if u.Confirmed() {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.Fetcher.Confirm()
}

// RollBack puts the one before in place.
func (u *updater) RollBack(why string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	err := u.Fetcher.RollBack(why)
	if errors.Is(err, stage0.ErrNoPrevious) {
		return hint.With(err, "this is the first one that was fetched")
	}
	return err
}
