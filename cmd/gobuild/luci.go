package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"gobuild/pkg/atomicfile"
	"gobuild/pkg/hint"
	"gobuild/pkg/lucidef"
)

// newLUCICommand returns "gobuild luci".
func newLUCICommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "luci",
		GroupID: groupMaintainer,
		Short:   "Define builders in LUCI",
		Long: `Luci is for the definitions of LUCI's builders: the file main.star on the branch
luci-config of golang.org/x/build.`,
		Example: `  gobuild luci define linux-riscv64 --hostname linux-riscv64-joe --contact joe@example.org`,
	}
	cmd.AddCommand(newLUCIDefineCommand(a))
	return cmd
}

// newLUCIDefineCommand returns "gobuild luci define".
func newLUCIDefineCommand(a *app) *cobra.Command {
	var (
		o               lucidef.Options
		stage, mainStar string
		write           bool
	)
	cmd := &cobra.Command{
		Use:   "define OS-ARCH",
		Short: "Word the definition of a new low-capacity builder",
		Long: `Define words what a new builder on a machine of its owner needs in main.star: the
entries of its tables, each with what it does, and the message of the change.

With --main-star FILE it prints the change as a diff, for git apply; entries of
alphabetical tables go to their place. With --write it makes the change in the
file. What is defined already is an error. Then run lucicfg generate main.star,
and gobuild lint main.star.

A builder begins at the stage onboarding, with --issue the number of its request.
Once it works, --stage working gives what the entries become.

With --json it prints an object: "entries", an array of objects with "table",
"key", "line" and "why", and "message".`,
		Example: `  gobuild luci define linux-riscv64 --hostname linux-riscv64-joe --contact joe@example.org --issue 12345
  gobuild luci define linux-riscv64 --hostname linux-riscv64-joe --main-star main.star
  gobuild luci define linux-riscv64 --hostname linux-riscv64-joe --scale 3 --main-star main.star --write`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Builder, o.Stage = args[0], lucidef.Stage(stage)
			if write && mainStar == "" {
				return usageErrorf("--write needs --main-star")
			}
			return a.defineBuilder(o, mainStar, write)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Hostname, "hostname", "", "host `NAME` of the bot: OS-ARCH-HANDLE")
	flags.StringArrayVar(&o.Contacts, "contact", nil, "e-mail `ADDRESS` that hears of infrastructure failures; may be given several times")
	flags.IntVar(&o.Issue, "issue", 0, "`NUMBER` of the request's issue")
	flags.IntVar(&o.Scale, "scale", 1, "time limits of tests, times `N`")
	flags.StringVar(&stage, "stage", string(lucidef.Onboarding), "`STAGE` of the builder: onboarding or working")
	flags.BoolVar(&o.NewPort, "new-port", false, "OS-ARCH may be a port that Go does not have yet")
	flags.StringVar(&mainStar, "main-star", "", "`FILE` to make the change for")
	flags.BoolVar(&write, "write", false, "make the change in --main-star")
	bindConfig(flags, "hostname", "hostname")
	cmd.RegisterFlagCompletionFunc("stage", cobra.FixedCompletions([]string{string(lucidef.Onboarding), string(lucidef.Working)}, cobra.ShellCompDirectiveNoFileComp))
	cmd.MarkFlagFilename("main-star", "star")
	return cmd
}

func (a *app) defineBuilder(o lucidef.Options, mainStar string, write bool) error {
	entries, err := lucidef.Define(o)
	if err != nil {
		return usageError(err)
	}
	if a.jsonOut {
		return a.printJSON(struct {
			Entries []lucidef.Entry `json:"entries"`
			Message string          `json:"message"`
		}{entries, o.Message()})
	}
	if mainStar != "" {
		return a.changeMainStar(o, entries, mainStar, write)
	}
	for _, e := range entries {
		if _, err := fmt.Fprintf(a.stdout, "# %s: %s\n%s\n\n", e.Table, e.Why, e.Line); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.stderr, "message of the change:\n\n%s", o.Message())
	return nil
}

// changeMainStar prints the change of a main.star, or makes it.
func (a *app) changeMainStar(o lucidef.Options, entries []lucidef.Entry, file string, write bool) error {
	before, err := os.ReadFile(file)
	if err != nil {
		return hint.With(err, "--main-star names LUCI's main.star, in a checkout of the Go project's build repository")
	}
	after, err := lucidef.Insert(file, before, entries)
	if err != nil {
		return err
	}
	if !write {
		_, err := fmt.Fprint(a.stdout, lucidef.Diff(filepath.ToSlash(filepath.Base(file)), before, after))
		return err
	}
	target, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	if err := atomicfile.Replace(target, after, info.Mode().Perm()); err != nil {
		return hint.With(fmt.Errorf("change %s: %w", file, err), "%s", hint.Of(err))
	}
	fmt.Fprintf(a.stderr, "changed %s; now: lucicfg generate main.star, and gobuild lint main.star\nmessage of the change:\n\n%s", file, o.Message())
	return nil
}
