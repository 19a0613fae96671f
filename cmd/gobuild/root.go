package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gobuild/pkg/hint"
	"gobuild/pkg/version"
)

// commands lists the constructors of the top-level commands. A command takes
// part in help, completion, man pages and checks by being here.
var commands = []func(*app) *cobra.Command{
	newInitCommand,
	newConfigCommand,
	newBuildletCommand,
	newCSRCommand,
	newDoctorCommand,
	newRunBotCommand,
	newDrainCommand,
	newPauseCommand,
	newResumeCommand,
	newServiceCommand,
	newKeygenCommand,
	newLintCommand,
	newLUCICommand,
	newCoordinatorCommand,
	newRequestCommand,
	newRequestsCommand,
	newStage0Command,
	newStatusCommand,
	newTokendCommand,
	newReleaseCommand,
	newRehearseCommand,
	newGomoteCommand,
	newVersionCommand,
	newCompletionCommand,
	newManCommand,
}

// Groups of the top-level commands in the help text, by the people who use
// them. A command names its group in GroupID.
const (
	groupOwner      = "owner"
	groupMaintainer = "maintainer"
	groupPorter     = "porter"
)

func init() {
	// Let a command have a PersistentPreRunE of its own without losing the
	// root's, which reads the configuration.
	cobra.EnableTraverseRunHooks = true
}

// newRootCommand returns the whole command tree.
func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "gobuild COMMAND",
		Short: "Run, maintain and use the machines of a Go build farm",
		Long: `Gobuild runs a Go build farm from all three sides: the owner's machine that
builds, the maintainer's coordinator that hands the machines out, and the
porter's session on one of them.

Settings come from flags, then from GOBUILD_* environment variables, then from
a configuration file, then from defaults. Long flags may be written with one
dash or two.`,
		Example: `  gobuild rehearse
  gobuild help gomote run`,
		Version:       version.String(),
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.applyConfig(cmd)
		},
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetVersionTemplate("gobuild {{.Version}}\n")
	root.SetHelpCommand(newHelpCommand())
	root.SetUsageTemplate(usageTemplate(root.UsageTemplate(), a.width(a.stdout)))
	addGlobalFlags(root, a)
	for _, construct := range commands {
		root.AddCommand(construct(a))
	}
	addGroups(root)
	root.InitDefaultHelpCmd()
	finish(a, root)
	return root
}

// addGlobalFlags defines the flags that every command has.
func addGlobalFlags(root *cobra.Command, a *app) {
	flags := root.PersistentFlags()
	flags.StringVar(&a.configFile, "config", "", "configuration `FILE` (default gobuild/config.yaml in the user's configuration directory, then /etc/gobuild/config.yaml)")
	flags.StringVar(&a.coordinator, "coordinator", defaultCoordinator, "`URL` of the farm's coordinator")
	flags.StringVar(&a.caFile, "ca-file", "", "`PEM` file with the CA certificate of a private farm, trusted besides the system's")
	flags.BoolVar(&a.jsonOut, "json", false, "print results as JSON")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log more")
	flags.BoolVar(&a.noColor, "no-color", false, "use no colours (so does NO_COLOR)")
	bindConfig(flags, "coordinator", "coordinator")
	bindConfig(flags, "ca-file", "ca-file")
	bindConfig(flags, "verbose", "verbose")
	bindConfig(flags, "no-color", "no-color")
	root.MarkPersistentFlagFilename("config", "yaml", "yml")
	root.MarkPersistentFlagFilename("ca-file", "pem", "crt")
}

// usageTemplate returns cobra's template without the line that shows a group
// of commands as a command of its own, and with flags wrapped at a width; 0
// wraps nothing.
func usageTemplate(template string, width int) string {
	wrapped := fmt.Sprintf("Flags.FlagUsagesWrapped %d |", width)
	return strings.NewReplacer(
		"Flags.FlagUsages |", wrapped,
		"{{if .Runnable}}", `{{if and .Runnable (not (index .Annotations "`+groupAnnotation+`"))}}`,
		"{{.CommandPath}} [command]{{end}}", "{{.CommandPath}} COMMAND [flags]{{end}}",
		`"{{.CommandPath}} [command] --help"`, `"{{.CommandPath}} COMMAND --help"`,
	).Replace(template)
}

// addGroups gives root the headings that its commands name; cobra would show
// one without commands, too.
func addGroups(root *cobra.Command) {
	for _, group := range []*cobra.Group{
		{ID: groupOwner, Title: "For the owner of a machine:"},
		{ID: groupMaintainer, Title: "For the maintainer of a farm:"},
		{ID: groupPorter, Title: "For the porter:"},
	} {
		if slices.ContainsFunc(root.Commands(), func(cmd *cobra.Command) bool { return cmd.GroupID == group.ID }) {
			root.AddGroup(group)
		}
	}
}

// groupAnnotation marks a command that only holds others.
const groupAnnotation = "gobuild_group"

// finish gives cmd and everything below it the manners that all commands
// share: no arguments unless Args allows them, wrong arguments as usage
// errors, an unknown subcommand with the nearest one as hint.
func finish(a *app, cmd *cobra.Command) {
	// Make the flags that cobra would add while it parses: oneDash has to
	// know them before.
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	group := cmd.HasSubCommands() && !cmd.Runnable()
	if group {
		annotate(cmd, groupAnnotation)
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = runGroup
		// A group without a subcommand says how to use it; a broken
		// configuration must not stand in the way.
		withoutConfig(cmd)
	}
	if cmd.Args == nil {
		cmd.Args = noArgs
	}
	checkArgs, runE := cmd.Args, cmd.RunE
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := checkArgs(cmd, args); err != nil {
			advice := strings.TrimPrefix(hint.Of(err)+"\nusage: "+cmd.UseLine(), "\n")
			return hint.With(usageError(fmt.Errorf("%s: %w", cmd.CommandPath(), err)), "%s", advice)
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a.running = !group
		return runE(cmd, args)
	}
	for _, sub := range cmd.Commands() {
		finish(a, sub)
	}
}

// isGroup reports whether a finished command only holds others.
func isGroup(cmd *cobra.Command) bool { return cmd.Annotations[groupAnnotation] != "" }

// noArgs refuses any argument.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("takes no arguments, but got %q", args[0])
	}
	return nil
}

// runGroup is what a command does that only holds others.
func runGroup(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		cmd.SetOut(cmd.ErrOrStderr())
		cmd.Help()
		return &exitError{code: exitUsage}
	}
	return unknownCommand(cmd, args[0])
}

// unknownCommand says that parent has no command name, and which it may have
// been meant to be.
func unknownCommand(parent *cobra.Command, name string) error {
	err := usageErrorf("unknown command %q for %q", name, parent.CommandPath())
	var known []string
	for _, sub := range parent.Commands() {
		if sub.IsAvailableCommand() {
			known = append(known, sub.Name())
			known = append(known, sub.Aliases...)
		}
	}
	if near := suggest(name, known); near != "" {
		return hint.With(err, "did you mean %s %s?", parent.CommandPath(), near)
	}
	return err
}
