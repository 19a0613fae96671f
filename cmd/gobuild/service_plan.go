package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gobuild/pkg/farmbot"
	"gobuild/pkg/hint"
	"gobuild/pkg/machinetoken"
	"gobuild/pkg/supervise/unit"
	"gobuild/pkg/swarmbot"
)

// serviceFlags are the flags that say what a service is.
type serviceFlags struct {
	system, of, name string
	user, exec       string
	env              []string
	allowReboot      bool
	apart            bool
	memoryMax        string
	stopWait         time.Duration
}

// The commands that run as services.
const (
	serviceRunBot = "run-bot"
	serviceTokend = "tokend"
)

// addIdentityFlags defines the flags that say which service is meant.
func addIdentityFlags(cmd *cobra.Command, f *serviceFlags) {
	flags := cmd.Flags()
	flags.StringVar(&f.system, "init", "", "init `SYSTEM` (default the one that runs this machine)")
	flags.StringVar(&f.of, "for", serviceRunBot, "`COMMAND` that runs: run-bot or tokend")
	flags.StringVar(&f.name, "name", "", "`NAME` of the service (default gobuild-run-bot or gobuild-tokend)")
	var systems []string
	for _, system := range unit.Inits() {
		systems = append(systems, string(system))
	}
	cmd.RegisterFlagCompletionFunc("init", cobra.FixedCompletions(systems, cobra.ShellCompDirectiveNoFileComp))
	cmd.RegisterFlagCompletionFunc("for", cobra.FixedCompletions([]string{serviceRunBot, serviceTokend}, cobra.ShellCompDirectiveNoFileComp))
}

// runBotKeys and tokendKeys are the settings that a service hands on, as flags
// of the same names.
var (
	farmKeys   = []string{"host-type", "hostname", "coordinator", "workdir", "health-addr", "ca-file", "update-url", "release-key"}
	botKeys    = []string{"hostname", "swarming", "token-file", "cert-pem", "python", "workdir", "health-addr", "ca-file"}
	tokendKeys = []string{"backend", "cert-pem", "pkey-pem", "token-file", "ca-file"}
)

// serviceKeys are the settings that only a service's flags are for.
var serviceKeys = []string{"host-type", "hostname", "swarming", "token-file", "cert-pem", "pkey-pem", "backend", "python", "workdir", "key-file", "health-addr", "update-url", "release-key"}

// addServiceFlags defines the flags that say what a service is.
func addServiceFlags(cmd *cobra.Command, f *serviceFlags) {
	addIdentityFlags(cmd, f)
	flags := cmd.Flags()
	flags.StringVar(&f.user, "user", "", "`ACCOUNT` that it runs as; run-bot's is made if it is not there (default for run-bot the service's name, for tokend root)")
	flags.StringVar(&f.exec, "exec", "", "`FILE` that gobuild lies in when the service runs (default this one)")
	flags.StringArrayVar(&f.env, "env", nil, "variable `KEY=VALUE` for the service; may be given several times")
	flags.BoolVar(&f.allowReboot, "allow-reboot", false, "let its user reboot the machine by sudo")
	flags.BoolVar(&f.apart, "apart", false, "have root run the worker of a farm, and what is built run as --user: it cannot read the builder key then")
	flags.StringVar(&f.memoryMax, "memory-max", "", "`SIZE` of memory for it and its jobs, as 3G or 75% (systemd)")
	flags.DurationVar(&f.stopWait, "stop-wait", 0, "`TIME` that the worker has to end in when the service is stopped (default 10m for a bot, which finishes its task, and 30s for a buildlet, which ends what runs)")
	for _, key := range serviceKeys {
		for _, known := range configKeys {
			if known.name == key {
				flags.String(key, "", serviceHelp(key, known.help))
			}
		}
		bindConfig(flags, key, key)
	}
	cmd.MarkFlagFilename("exec")
	cmd.MarkFlagDirname("workdir")
}

// serviceHelp returns the help of a setting's flag, with one word of it as the
// name of the value.
func serviceHelp(key, help string) string {
	word, name := "file", "FILE"
	switch key {
	case "host-type":
		word, name = "type", "TYPE"
	case "hostname":
		word, name = "name", "NAME"
	case "swarming", "backend":
		word, name = "HOST", "HOST"
	case "python":
		word, name = "interpreter", "PROGRAM"
	case "workdir":
		word, name = "directory", "DIR"
	case "health-addr":
		word, name = "address", "ADDR"
	case "update-url":
		word, name = "URL", "URL"
	case "release-key":
		word, name = "key", "KEY"
	}
	return strings.Replace(help, word, "`"+name+"`", 1)
}

// identity returns the init system and the name that the flags mean.
func (f *serviceFlags) identity() (unit.Init, string, error) {
	if f.of != serviceRunBot && f.of != serviceTokend {
		return "", "", usageErrorf("--for %q: run-bot or tokend", f.of)
	}
	name := f.name
	if name == "" {
		name = "gobuild-" + f.of
	}
	if f.system == "" {
		system, err := unit.Detect()
		return system, name, err
	}
	system, err := unit.ParseInit(f.system)
	if err != nil {
		return "", "", hint.With(usageErrorf("--init: %w", err), "%s", hint.Of(err))
	}
	return system, name, nil
}

// installedPlan is the plan of a service of which only the name matters.
func (a *app) installedPlan(f serviceFlags) (unit.Plan, error) {
	system, name, err := f.identity()
	if err != nil {
		return unit.Plan{}, err
	}
	s := unit.Service{Name: name, Program: unit.DefaultProgram(system), StopWait: swarmbot.DefaultStopWait}
	switch f.of {
	case serviceRunBot:
		// What may have been installed, all of it.
		s.Builds, s.User, s.AllowReboot = true, cmp.Or(f.user, name), true
	case serviceTokend:
		s.Once = []string{}
	}
	return unit.Make(system, s)
}

// servicePlan is the plan of the service that flags and configuration give.
func (a *app) servicePlan(cmd *cobra.Command, f serviceFlags, extra []string) (unit.Plan, error) {
	if n := cmd.ArgsLenAtDash(); n > 0 || n < 0 && len(extra) > 0 {
		return unit.Plan{}, hint.With(usageErrorf("%s takes no arguments, but got %q", cmd.CommandPath(), extra[0]), `flags of the service itself stand behind "--"`)
	}
	system, name, err := f.identity()
	if err != nil {
		return unit.Plan{}, err
	}
	b := serviceBuilder{app: a, flags: cmd.Flags(), system: system}
	if err := b.readConfig(); err != nil {
		return unit.Plan{}, err
	}
	s := unit.Service{
		Name: name, User: f.user, Env: f.env,
		AllowReboot: f.allowReboot, MemoryMax: f.memoryMax,
	}
	if s.Program, err = b.program(f.exec); err != nil {
		return unit.Plan{}, err
	}
	if f.of == serviceTokend {
		err = b.tokend(&s, f, extra)
	} else {
		err = b.runBot(&s, f, extra)
	}
	if err != nil {
		return unit.Plan{}, err
	}
	plan, err := unit.Make(system, s)
	if err != nil {
		return unit.Plan{}, usageError(err)
	}
	return plan, nil
}

// serviceBuilder words the command line of a service.
type serviceBuilder struct {
	app    *app
	flags  *pflag.FlagSet
	system unit.Init
	// config is the configuration file that the service is to read; empty for
	// none. inConfig is what it says.
	config   string
	inConfig map[string]string
	reads    []string
}

// readConfig finds out whether the service can read the configuration that
// this command reads: a user's own is of no use to another user.
func (b *serviceBuilder) readConfig() error {
	file, doc, err := b.app.readConfig()
	if err != nil || file == "" {
		return err
	}
	if b.app.givenConfig() == "" && file != systemConfigFile() || file == os.DevNull {
		return nil
	}
	if b.inConfig, err = mergeConfig(doc, nil); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if b.config, err = b.absolute(file); err == nil {
		b.reads = append(b.reads, b.config)
	}
	return err
}

// absolute writes a file's name in full, unless it is of another system.
func (b *serviceBuilder) absolute(file string) (string, error) {
	if unit.Foreign(b.system) {
		return file, nil
	}
	return filepath.Abs(file)
}

// program returns the path of gobuild, for the service.
func (b *serviceBuilder) program(given string) (string, error) {
	switch {
	case given != "":
		return b.absolute(given)
	case unit.Foreign(b.system):
		return unit.DefaultProgram(b.system), nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", hint.With(fmt.Errorf("where is gobuild? %w", err), "name its file with --exec")
	}
	if rel, err := filepath.Rel(os.TempDir(), self); err == nil && filepath.IsLocal(rel) {
		b.app.warn(fmt.Sprintf("%s is among the temporary files, and may be gone after the next boot: copy it to %s, or name another with --exec", self, unit.DefaultProgram(b.system)))
	}
	return self, nil
}

// value returns the setting of a key.
func (b *serviceBuilder) value(key string) string {
	flag := b.flags.Lookup(key)
	if key == "coordinator" && !flag.Changed {
		return "" // its default is for a farm on one machine
	}
	return flag.Value.String()
}

// args returns the command line of a command: the configuration file, and as
// flags what does not stand in it.
func (b *serviceBuilder) args(command string, keys, extra []string) ([]string, error) {
	args := []string{command}
	if b.config != "" {
		args = append(args, "--config", b.config)
	}
	for _, key := range keys {
		value := b.value(key)
		if value == "" {
			continue
		}
		kind := kindOf(key)
		if err := kind.check(value); err != nil {
			return nil, usageErrorf("--%s: %w", key, err)
		}
		if namesFile(key, value) {
			file, err := b.absolute(value)
			if err != nil {
				return nil, err
			}
			if key != "workdir" {
				b.reads = append(b.reads, file)
			}
			value = file
		}
		if b.config != "" && b.inConfig[key] == value {
			continue
		}
		args = append(args, "--"+key+"="+value)
	}
	return append(args, extra...), nil
}

// namesFile reports whether the value of a setting is the name of a file.
func namesFile(key, value string) bool {
	switch {
	case key == "release-key":
		return !isReleaseKey(value)
	case key == "python": // a bare name is looked for in PATH
		return strings.ContainsAny(value, `/\`)
	}
	return key == "workdir" || strings.HasSuffix(key, "-file") || strings.HasSuffix(key, "-pem")
}

// runBot fills in the service of a worker.
func (b *serviceBuilder) runBot(s *unit.Service, f serviceFlags, extra []string) error {
	s.Builds = true
	if s.User == "" {
		s.User = s.Name
	}
	keys := botKeys
	switch hostType := b.value("host-type"); {
	case hostType != "":
		keys = farmKeys
		s.Description = "Worker of a Go build farm"
		if b.value("coordinator") == "" {
			return hint.With(usageErrorf("no coordinator for the worker"), "give --coordinator URL, or set coordinator in the configuration")
		}
		if b.value("key-file") == "" {
			return hint.With(usageErrorf("no builder key for the worker"), "give --key-file FILE, or set key-file in the configuration; the farm's maintainer makes the key of %s", hostType)
		}
		file, err := b.absolute(b.value("key-file"))
		if err != nil {
			return err
		}
		s.KeyFlag, s.KeyFile = "--key-file", file
		s.StopWait = farmbot.DefaultStopWait
	case b.value("hostname") != "":
		s.Description = "LUCI builder of the Go project"
		s.StopWait = swarmbot.DefaultStopWait
	default:
		return errNoWorker()
	}
	var err error
	if b.value("workdir") == "" {
		b.flags.Set("workdir", unit.WorkDir(b.system, s.Name))
	}
	if s.WorkDir, err = b.absolute(b.value("workdir")); err != nil {
		return err
	}
	if f.apart {
		if s.KeyFile == "" {
			return hint.With(usageErrorf("--apart is for the worker of a farm"), "a bot is kept apart from the key of its certificate by a service of its own: --for tokend")
		}
		s.User, s.Builder = "", s.User
		extra = append([]string{"--user=" + s.Builder, "--env=HOME=" + unit.BuildHome(b.system, s.Name)}, extra...)
	}
	if f.stopWait != 0 {
		s.StopWait = f.stopWait
		extra = append([]string{"--stop-wait=" + f.stopWait.String()}, extra...)
	}
	if s.Args, err = b.args(serviceRunBot, keys, extra); err != nil {
		return err
	}
	if key := b.value("pkey-pem"); key != "" {
		file, err := b.absolute(key)
		if err != nil {
			return err
		}
		s.Hidden = append(s.Hidden, file)
	}
	s.Reads = b.reads
	return nil
}

// tokend fills in the service of a token daemon.
func (b *serviceBuilder) tokend(s *unit.Service, f serviceFlags, extra []string) error {
	s.Description = "Keeps the LUCI machine token fresh"
	s.StopWait = 30 * time.Second
	for _, key := range []string{"cert-pem", "pkey-pem"} {
		if b.value(key) == "" {
			return hint.With(usageErrorf("--%s is missing", key), "give it, or set %s in the configuration", key)
		}
	}
	if s.AllowReboot || f.apart {
		return usageErrorf("--allow-reboot and --apart are for run-bot")
	}
	var err error
	if s.Args, err = b.args(serviceTokend, tokendKeys, extra); err != nil {
		return err
	}
	s.Once = append(append([]string{}, s.Args...), "--once")
	s.Reads = b.reads
	token := b.value("token-file")
	switch {
	case token != "":
		if token, err = b.absolute(token); err != nil {
			return err
		}
	case b.system == unit.Windows:
		token = `C:\luci_machine_tokend\token.json`
	default:
		token = machinetoken.TokenFilePath(func(string) string { return "" })
		if unit.Foreign(b.system) {
			token = "/var/lib/luci_machine_tokend/token.json"
		}
	}
	dir, err := parent(b.system, token)
	s.Shared = []string{dir}
	return err
}

// parent returns the directory of a file of a system that need not be this
// machine's.
func parent(system unit.Init, file string) (string, error) {
	if system != unit.Windows {
		return path.Dir(file), nil
	}
	i := strings.LastIndexAny(file, `\/`)
	if i < 3 {
		return "", errors.New("the token file needs a directory of its own: give --token-file")
	}
	return file[:i], nil
}
