package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gobuild/pkg/plain"
	"gobuild/pkg/supervise/unit"
)

// newServiceCommand returns "gobuild service".
func newServiceCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "service",
		GroupID: groupOwner,
		Short:   "Have this machine run the worker by itself, from boot on",
		Long: `Service words and installs what the machine's init system needs to run
"gobuild run-bot" or "gobuild tokend": units of systemd, launchd's property lists,
scripts for OpenRC and the BSDs' rc.d, SMF manifests, service directories for runit
and s6, and the like for supervisord, cron, Windows and Plan 9.

What runs comes from the configuration and the flags that run-bot and tokend have:
with --host-type the worker of a farm, else the bot of --hostname. A
configuration that is the machine's, or that --config names, is named in the
unit; what stands in a user's own is written out. Flags behind "--" go to run-bot
or tokend as they are.

The worker gets a user of its own, restarts, time to finish its work, and as much
of a sandbox as builds allow. It must not be able to read the key of the
machine's certificate; give it the machine's tokens by "--for tokend". With
--allow-reboot its user may call "sudo shutdown -r now", as bots do, and nothing
else as root; a sandbox that forbids new privileges is impossible then. Builds of a
farm can read the builder key, as the worker can; with --apart the worker is root's,
with few of root's rights, and only what is built runs as that user.

Unit files can be read by everybody: put no secret into --env.`,
		Example: `  gobuild service print --init systemd
  gobuild service install --dry-run
  gobuild service install --for tokend
  gobuild service status`,
	}
	cmd.AddCommand(newServicePrintCommand(a), newServiceInstallCommand(a), newServiceUninstallCommand(a), newServiceStatusCommand(a))
	return cmd
}

// newServicePrintCommand returns "gobuild service print".
func newServicePrintCommand(a *app) *cobra.Command {
	var f serviceFlags
	cmd := &cobra.Command{
		Use:   "print [-- FLAG...]",
		Short: "Print the files that an init system needs",
		Long: `Print prints what install would write. If that is more than one file, a line with
path and mode stands before each. What else there is to do goes to stderr.

With --json it prints an object: "init", "name", "files" ("path", "mode", "text"),
"directories" ("path", "owner"), "links" ("path", "target"), "commands" ("enable",
"start", "stop", "disable", each an array of argument lists) and "notes".`,
		Example: `  gobuild service print --init openrc --hostname linux-riscv64-gopher
  gobuild service print --init systemd --host-type host-linux-riscv64 --coordinator https://farm.example --key-file /etc/gobuild/builder.key
  gobuild service print --init cron --for tokend --cert-pem /etc/luci/bot.cert --pkey-pem /etc/luci/bot.key
  gobuild service print --init systemd --hostname linux-riscv64-gopher -- --notify-url https://hooks.example.com/gopher`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.servicePlan(cmd, f, args)
			if err != nil {
				return err
			}
			return a.printPlan(p)
		},
	}
	addServiceFlags(cmd, &f)
	return cmd
}

// newServiceInstallCommand returns "gobuild service install".
func newServiceInstallCommand(a *app) *cobra.Command {
	var (
		f  serviceFlags
		in unit.Installer
	)
	cmd := &cobra.Command{
		Use:   "install [-- FLAG...]",
		Short: "Install the worker as a service, and start it",
		Long: `Install makes the service's user and directories, writes its files, and has the
init system start it now and at every boot. A file that is there and differs is
shown, and stays, unless --force is given. What is done already is left as it is:
install may be called again.

With --dest nothing is run and no user is made; the files alone are written, below
a directory that takes the place of /.`,
		Example: `  gobuild service install --dry-run
  gobuild service install --hostname linux-riscv64-gopher --allow-reboot
  gobuild service install --for tokend --init cron
  gobuild service install --init systemd --hostname linux-riscv64-gopher --exec /usr/bin/gobuild --dest pkgroot`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.servicePlan(cmd, f, args)
			if err != nil {
				return err
			}
			return a.installService(cmd.Context(), p, &in)
		},
	}
	addServiceFlags(cmd, &f)
	addInstallerFlags(cmd, &in)
	cmd.Flags().BoolVar(&in.Force, "force", false, "replace files that are there and differ")
	cmd.Flags().BoolVar(&in.NoStart, "no-start", false, "do not start the service now")
	return cmd
}

// newServiceUninstallCommand returns "gobuild service uninstall".
func newServiceUninstallCommand(a *app) *cobra.Command {
	var (
		f  serviceFlags
		in unit.Installer
	)
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Stop the service, and remove what install has made",
		Long: `Uninstall stops the service, has the init system forget it, and removes the files
that install has written. It says what stays: the user, and its directories.`,
		Example: `  gobuild service uninstall
  gobuild service uninstall --for tokend --dry-run`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.installedPlan(f)
			if err != nil {
				return err
			}
			return a.uninstallService(cmd.Context(), p, &in)
		},
	}
	addIdentityFlags(cmd, &f)
	addInstallerFlags(cmd, &in)
	cmd.Flags().StringVar(&f.user, "user", "", "`ACCOUNT` that it runs as (default for run-bot the service's name)")
	cmd.Flags().BoolVar(&in.Force, "force", false, "remove files of its name, too, that install has not written")
	return withoutConfig(cmd)
}

// newServiceStatusCommand returns "gobuild service status".
func newServiceStatusCommand(a *app) *cobra.Command {
	var (
		f          serviceFlags
		healthAddr string
	)
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how the service is",
		Long: `Status prints what the init system says of the service, in a line, and what the
worker itself says if it answers at --health-addr. The exit code is 1 if it is not
installed or does not run.

With --json it prints an object: "init", "name", "running", "state" (what the init
system says), and "worker" (what the worker says) or "workerError".`,
		Example: `  gobuild service status
  gobuild service status --for tokend
  gobuild service status --health-addr localhost:8081 --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.installedPlan(f)
			if err != nil {
				return err
			}
			return a.serviceStatus(cmd.Context(), p, healthAddr)
		},
	}
	addIdentityFlags(cmd, &f)
	cmd.Flags().StringVar(&f.user, "user", "", "`ACCOUNT` that it runs as (default for run-bot the service's name)")
	cmd.Flags().StringVar(&healthAddr, "health-addr", "", "`ADDR` at which the worker answers")
	bindConfig(cmd.Flags(), "health-addr", "health-addr")
	return cmd
}

// addInstallerFlags defines the flags of what changes the machine.
func addInstallerFlags(cmd *cobra.Command, in *unit.Installer) {
	cmd.Flags().StringVar(&in.Dest, "dest", "", "`DIR` in place of /; nothing is run then")
	cmd.Flags().BoolVar(&in.DryRun, "dry-run", false, "say what would be done, and do nothing")
	cmd.MarkFlagDirname("dest")
}

// printPlan prints the files of a plan.
func (a *app) printPlan(p unit.Plan) error {
	if a.jsonOut {
		return a.printJSON(planJSON(p))
	}
	for _, file := range p.Files {
		if len(p.Files) > 1 {
			if _, err := fmt.Fprintf(a.stdout, "==> %s, mode %04o\n", file.Path, file.Mode); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprint(a.stdout, file.Text); err != nil {
			return err
		}
	}
	if len(p.Files) == 1 {
		fmt.Fprintf(a.stderr, "this belongs into %s, mode %04o\n", p.Files[0].Path, p.Files[0].Mode)
	}
	a.sayNotes(p)
	return nil
}

func (a *app) sayNotes(p unit.Plan) {
	for _, note := range p.Notes {
		fmt.Fprintf(a.stderr, "note: %s\n", plain.Text(note))
	}
}

// fileJSON and the types below are the shape of "service print --json".
type fileJSON struct {
	Path string `json:"path"`
	Mode string `json:"mode"`
	Text string `json:"text"`
}

type dirJSON struct {
	Path  string `json:"path"`
	Owner string `json:"owner,omitempty"`
}

type linkJSON struct {
	Path   string `json:"path"`
	Target string `json:"target"`
}

type servicePlanJSON struct {
	Init        unit.Init             `json:"init"`
	Name        string                `json:"name"`
	Files       []fileJSON            `json:"files"`
	Directories []dirJSON             `json:"directories,omitempty"`
	Links       []linkJSON            `json:"links,omitempty"`
	Commands    map[string][][]string `json:"commands"`
	Notes       []string              `json:"notes,omitempty"`
}

func planJSON(p unit.Plan) servicePlanJSON {
	out := servicePlanJSON{Init: p.Init, Name: p.Service.Name, Commands: map[string][][]string{}, Notes: p.Notes}
	for _, file := range p.Files {
		out.Files = append(out.Files, fileJSON{file.Path, fmt.Sprintf("%04o", file.Mode), file.Text})
	}
	for _, dir := range p.Dirs {
		out.Directories = append(out.Directories, dirJSON{dir.Path, dir.Owner})
	}
	for _, link := range p.Links {
		out.Links = append(out.Links, linkJSON{link.Path, link.Target})
	}
	for name, steps := range map[string][]unit.Step{"enable": p.Enable, "start": p.Start, "stop": p.Stop, "disable": p.Disable} {
		for _, step := range steps {
			out.Commands[name] = append(out.Commands[name], step.Argv)
		}
	}
	return out
}

func (a *app) installService(ctx context.Context, p unit.Plan, in *unit.Installer) error {
	in.Say = a.sayDone(in.DryRun)
	if err := in.Install(ctx, p); err != nil {
		return err
	}
	a.sayNotes(p)
	if in.Dest == "" && !in.DryRun {
		fmt.Fprintf(a.stderr, "%s is installed; gobuild service status says how it is\n", p.Service.Name)
	}
	return nil
}

func (a *app) uninstallService(ctx context.Context, p unit.Plan, in *unit.Installer) error {
	in.Say = a.sayDone(in.DryRun)
	stays, err := in.Uninstall(ctx, p)
	if err != nil {
		return err
	}
	for _, what := range stays {
		fmt.Fprintf(a.stderr, "stays: %s\n", plain.Text(what))
	}
	return nil
}

// sayDone tells what an installer does: on stdout if that is all it does.
func (a *app) sayDone(dryRun bool) func(string) {
	stream := a.stderr
	if dryRun {
		stream = a.stdout
	}
	return func(what string) {
		for line := range strings.Lines(what) {
			fmt.Fprintln(stream, plain.Text(strings.TrimRight(line, "\n")))
		}
	}
}
