package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gobuild/pkg/account"
	"gobuild/pkg/builderkey"
	"gobuild/pkg/buildlet"
	"gobuild/pkg/hint"
	"gobuild/pkg/memtrim"
	"gobuild/pkg/version"
)

// buildletFlags are the flags of "gobuild buildlet".
type buildletFlags struct {
	workDir, listen, hostType, hostname, healthAddr string
	halt, reboot, powerOff, version, dev            bool
	supervised                                      bool
	noOutputLimit                                   time.Duration
	passEnv                                         []string
	keyFile, user                                   string
	maxUnpack                                       int64
}

// defaultNoOutputLimit is longer than any test of Go's is silent for.
const defaultNoOutputLimit = 2 * time.Hour

// newBuildletCommand returns "gobuild buildlet".
func newBuildletCommand(a *app) *cobra.Command {
	var f buildletFlags
	cmd := &cobra.Command{
		Use:     "buildlet",
		GroupID: groupOwner,
		Short:   "Work on this machine: unpack files, run commands, send results",
		Long: `Buildlet does the work of a farm on this machine: it unpacks what it is sent,
runs commands and streams back what they print, inside a work directory whose
content may be deleted at any time.

With --reverse-type it registers with a coordinator, gobuild's or upstream's,
and stays registered: when the link is lost it tries again, with growing
pauses. The builder key comes from --key-file, else from $GO_BUILD_KEY_PATH,
~/.gobuildkey-HOSTTYPE or ~/.gobuildkey. Without --reverse-type it listens; the
environment variables META_password, META_tls_cert and META_tls_key protect
that (a value @FILE names a file).

Whoever reaches a buildlet runs commands as its user: run it as one that owns
nothing else. Started as root with --user, it reads the builder key first and
becomes that user then, who must not be able to read the key's file. To reboot or
power off the machine it asks sudo, as any user does.`,
		Example: `  gobuild buildlet --dev --reverse-type=host-linux-amd64-localdev
  gobuild buildlet -coordinator=farm.example:443 -reverse-type=host-linux-riscv64 -workdir=/data/work
  gobuild buildlet -listen=localhost:5936`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.buildlet(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.hostType, "reverse-type", "", "register with the coordinator as this host `TYPE`")
	flags.StringVar(&f.hostname, "hostname", "", "`NAME` to register under (default $HOSTNAME, else the machine's)")
	flags.StringVar(&f.workDir, "workdir", "", "`DIR` to work in, which has to exist (default: one made among the temporary files, emptied at start)")
	flags.StringVar(&f.listen, "listen", "AUTO", "`ADDR` to listen on without --reverse-type; AUTO is localhost:5936")
	flags.StringVar(&f.healthAddr, "health-addr", "127.0.0.1:8080", "`ADDR` that answers GET /healthz beside --reverse-type; empty for none")
	flags.StringVar(&f.keyFile, "key-file", "", "`FILE` with the builder key")
	flags.StringVar(&f.user, "user", "", "as root: `NAME` of the user to become once the builder key is read")
	flags.BoolVar(&f.halt, "halt", false, "accepted for upstream's command lines; the buildlet ends at /halt in any case, the machine stays up")
	flags.BoolVar(&f.powerOff, "halt-powers-off-machine", false, "power this machine off when the buildlet is told to halt")
	flags.BoolVar(&f.reboot, "reboot", false, "reboot this machine when the buildlet is told to halt")
	flags.StringSliceVar(&f.passEnv, "pass-env", nil, "`NAME`s of variables that commands inherit although they look like secrets")
	flags.Int64Var(&f.maxUnpack, "max-unpack", 8<<30, "`BYTES` that one archive may unpack to")
	flags.DurationVar(&f.noOutputLimit, "no-output-limit", defaultNoOutputLimit, "`TIME` after which a command is killed that prints nothing; 0 for never")
	flags.BoolVar(&f.supervised, "supervised", false, "report to the program that has started this one, as JSON lines on stdout, and take its orders from stdin, whose end ends the buildlet")
	flags.BoolVar(&f.dev, "dev", false, "development builder key, for a coordinator --dev on this machine")
	flags.BoolVar(&f.version, "version", false, "print the protocol version, as upstream's buildlet does")
	bindConfig(flags, "reverse-type", "host-type")
	bindConfig(flags, "hostname", "hostname")
	bindConfig(flags, "workdir", "workdir")
	bindConfig(flags, "health-addr", "health-addr")
	bindConfig(flags, "key-file", "key-file")
	cmd.MarkFlagsMutuallyExclusive("reboot", "halt-powers-off-machine")
	cmd.MarkFlagsMutuallyExclusive("dev", "key-file")
	cmd.MarkFlagDirname("workdir")
	return cmd
}

func (a *app) buildlet(ctx context.Context, f buildletFlags) error {
	if f.noOutputLimit < 0 {
		return usageErrorf("--no-output-limit %s: 0 is the least, for no limit", f.noOutputLimit)
	}
	if f.version {
		_, err := fmt.Fprintf(a.stdout, "buildlet version %d (%s-%s)\nbuilt with %s\ngobuild %s\n",
			buildlet.Version, runtime.GOOS, runtime.GOARCH, runtime.Version(), version.String())
		return err
	}
	log := a.logger()
	worker := &buildlet.Worker{HealthAddr: f.healthAddr, Log: log}
	opts := buildlet.Options{
		Program:   "gobuild " + version.String(),
		PassEnv:   f.passEnv,
		MaxUnpack: f.maxUnpack,
		Log:       log,

		NoOutputLimit: f.noOutputLimit,
	}
	var err error
	if f.hostType != "" {
		worker.Reverse, err = a.reverse(f)
	} else {
		worker.Listen = f.listen
		if f.listen == "AUTO" {
			worker.Listen = "localhost:5936"
		}
		opts.Password, worker.Certificate, err = a.protection()
		if err == nil && opts.Password == "" && loopbackOnly("--listen", worker.Listen) != nil {
			log.Warn("whoever can reach this port may run commands on this machine", "listen", worker.Listen, "hint", "set META_password")
		}
	}
	if err == nil && f.user != "" {
		err = a.becomeUser(&f, worker.Reverse)
	}
	if err != nil {
		return err
	}
	if opts.WorkDir, err = buildlet.PrepareWorkDir(f.workDir, f.hostType); err != nil {
		return err
	}
	ctx, halt := context.WithCancelCause(ctx)
	defer halt(nil)
	opts.Halt = func() { halt(errHalted) }
	if worker.Server, err = buildlet.New(opts); err != nil {
		return err
	}
	log.Info("buildlet", "version", buildlet.Version, "workdir", opts.WorkDir)
	go memtrim.WhileIdle(ctx, func() bool { return worker.Server.Busy() == 0 })
	run := worker.Run
	if f.supervised {
		run = func(ctx context.Context) error { return worker.RunSupervised(ctx, a.stdin, a.stdout) }
	}
	if err := run(ctx); err != nil {
		return err
	}
	if !errors.Is(context.Cause(ctx), errHalted) {
		return nil
	}
	action := buildlet.PowerKeep
	switch {
	case f.powerOff:
		action = buildlet.PowerOff
	case f.reboot:
		action = buildlet.PowerReboot
	case f.halt:
		log.Info("halted; the machine stays up", "hint", "to power it off, start with --halt-powers-off-machine")
	}
	return action.Do(context.WithoutCancel(ctx))
}

// errHalted is why a buildlet ends that was told to.
var errHalted = errors.New("told to halt")

// reverse returns what registers this machine.
func (a *app) reverse(f buildletFlags) (*buildlet.Reverse, error) {
	addr, err := a.coordinatorAddr()
	if err != nil {
		return nil, err
	}
	dialer, err := a.dialer(f.dev)
	if err != nil {
		return nil, err
	}
	log := a.logger()
	return &buildlet.Reverse{
		Coordinator: addr,
		HostType:    f.hostType,
		Hostname:    a.hostname(f.hostname),
		Dialer:      dialer,
		Log:         log,
		Key: func() (string, error) {
			if f.dev {
				return builderkey.DevMaster().Key(f.hostType), nil
			}
			found, err := a.workerKey(f)
			if err != nil {
				return "", err
			}
			for _, warning := range found.Warnings {
				log.Warn(warning)
			}
			log.Info("builder key", "file", found.File, "fingerprint", found.Fingerprint())
			if who, err := account.LookUp(f.user); f.user != "" && err == nil {
				if why, ok := who.Reads(found.File); ok {
					log.Warn("what is built can read the builder key", "user", who.Name, "why", why, "hint", "chown root "+found.File+"; chmod 600 "+found.File)
				}
			}
			return found.Key, nil
		},
	}, nil
}

// becomeUser reads the builder key and makes this process that of --user, in
// whose name all that is sent runs then.
func (a *app) becomeUser(f *buildletFlags, r *buildlet.Reverse) error {
	who, err := account.LookUpOrdinary(f.user, "all that is sent")
	if err != nil {
		return fmt.Errorf("--user %s: %w", f.user, err)
	}
	if r != nil {
		key, err := r.Key()
		if err != nil {
			return err
		}
		r.Key = func() (string, error) { return key, nil }
	}
	// The present directory may be closed to that user.
	if err := makeAbsolute(&f.workDir); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := who.Become(); err != nil {
		return err
	}
	a.logger().Info("this process is another user's now", "user", who.Name)
	return buildlet.TakeEnv(who.Environ(os.Environ()))
}

// workerKey reads the builder key of a worker.
func (a *app) workerKey(f buildletFlags) (builderkey.Found, error) {
	if f.keyFile == "" {
		return builderkey.Find(f.hostType, a.getenv)
	}
	found, err := builderkey.ReadKey(f.keyFile)
	if err != nil && hint.Of(err) == "" {
		err = hint.With(err, "--key-file (or GOBUILD_KEY_FILE, or key-file in the config) names the file with the builder key of %s", f.hostType)
	}
	return found, err
}

// hostname returns the name to register under (build protocol, section 2.2).
func (a *app) hostname(given string) string {
	if given == "" {
		given = a.getenv("HOSTNAME")
	}
	if given == "" {
		given, _ = os.Hostname()
	}
	if given == "" {
		given = "buildlet"
	}
	return given
}

// protection returns the password and the certificate of a listening
// buildlet, from the environment (build protocol, section 3.10).
func (a *app) protection() (password string, cert *tls.Certificate, err error) {
	value := map[string]string{}
	for _, name := range []string{"META_password", "META_tls_cert", "META_tls_key"} {
		v := a.getenv(name)
		if file, ok := strings.CutPrefix(v, "@"); ok {
			f, err := os.Open(file)
			if err != nil {
				return "", nil, fmt.Errorf("$%s: %w", name, err)
			}
			text, err := io.ReadAll(io.LimitReader(f, 1<<20))
			f.Close()
			if err != nil {
				return "", nil, fmt.Errorf("$%s: %w", name, err)
			}
			v = string(text)
		}
		value[name] = strings.TrimSpace(v)
	}
	certPEM, keyPEM := value["META_tls_cert"], value["META_tls_key"]
	if (certPEM == "") != (keyPEM == "") {
		return "", nil, hint.With(errors.New("$META_tls_cert and $META_tls_key come together, and one is missing"), "set both or neither")
	}
	if certPEM != "" {
		pair, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
		if err != nil {
			return "", nil, fmt.Errorf("$META_tls_cert with $META_tls_key: %w", err)
		}
		cert = &pair
	}
	return value["META_password"], cert, nil
}
