package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gobuild/pkg/atomicfile"
	"gobuild/pkg/hint"
	"gobuild/pkg/ports"
)

// initKeys are the settings that "gobuild init" has flags for: what an owner's
// machine and the people on it are. The first ones it asks for.
var initKeys = []string{
	"port", "hostname", "coordinator", "host-type",
	"ca-file", "key-file", "workdir",
	"cert-pem", "pkey-pem", "backend", "token-file", "swarming", "python",
	"user",
}

// initFlags are the flags of "gobuild init".
type initFlags struct {
	yes, dryRun, system bool
}

// newInitCommand returns "gobuild init".
func newInitCommand(a *app) *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:     "init",
		GroupID: groupOwner,
		Short:   "Write the configuration that all other commands read",
		Long: `Init writes down once what this machine is: its port, its host name, which
coordinator it works for and as which host type. All other commands read it from
there. On a terminal it asks for what no flag gives, and shows what it is about
to write; elsewhere, and with --yes, --dry-run or --json, it never asks.

A configuration that is there already is changed, not replaced: settings that
are not named, comments and order stay.

With --json it prints an object: "file", "changed" (whether it was written),
and "settings", by key.`,
		Example: `  gobuild init
  gobuild init --yes --hostname linux-riscv64-joe --coordinator https://farm.example
  gobuild init --yes --cert-pem /etc/gobuild/linux-riscv64-joe.cert --pkey-pem /etc/gobuild/linux-riscv64-joe.key`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.init(cmd.Context(), cmd.Flags(), f) },
	}
	flags := cmd.Flags()
	for _, key := range initKeys {
		if key == "coordinator" || key == "ca-file" {
			continue // every command has these
		}
		i := slices.IndexFunc(configKeys, func(k configKey) bool { return k.name == key })
		flags.String(key, "", configKeys[i].help)
	}
	flags.BoolVar(&f.yes, "yes", false, "ask nothing: take flags, the configuration that is there, and defaults")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print what would be written, and write nothing")
	flags.BoolVar(&f.system, "system", false, "write the configuration of the whole machine, "+systemConfigFile())
	cmd.RegisterFlagCompletionFunc("port", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return portNames(), cobra.ShellCompDirectiveNoFileComp
	})
	return withoutConfig(cmd)
}

func portNames() []string {
	var names []string
	for _, port := range ports.Workers() {
		names = append(names, port.String())
	}
	return names
}

func (a *app) init(ctx context.Context, flags *pflag.FlagSet, f initFlags) error {
	file := a.configTarget()
	if f.system {
		file = systemConfigFile()
	}
	if f.system && a.configFile != "" {
		return usageErrorf("--system and --config %s name two files", a.configFile)
	}
	// A link to a file that is kept elsewhere stays one.
	if info, err := os.Lstat(file); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if target, err := filepath.EvalSymlinks(file); err == nil {
			file = target
		}
	}
	doc, mode, err := readOldConfig(file)
	if err != nil {
		return err
	}
	values, err := mergeConfig(doc, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	given := map[string]bool{}
	for _, key := range initKeys {
		if flag := flags.Lookup(key); flag.Changed {
			value := flag.Value.String()
			if err := kindOf(key).check(value); err != nil && value != "" {
				return usageErrorf("--%s: %w", key, err)
			}
			values[key], given[key] = value, value != "" || key != "hostname"
		}
	}
	if values, err = a.completeConfig(ctx, file, doc, values, given, f); err != nil {
		return err
	}
	for _, key := range initKeys {
		kind, value := kindOf(key), values[key]
		if value == "" {
			continue
		}
		if err := kind.check(value); err != nil {
			return fmt.Errorf("%s: %s: %w", file, key, err)
		}
		if kind.remark != nil {
			if text := kind.remark(value); text != "" {
				a.warn(key + ": " + text)
			}
		}
	}
	edited, err := editConfig(file, doc, initKeys, values)
	if err != nil {
		return err
	}
	changed := string(edited) != string(doc)
	switch {
	case f.dryRun:
		_, err := a.stdout.Write(edited)
		return err
	case changed:
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return hint.With(fmt.Errorf("write the configuration: %w", err), "name a file that you may write with --config, or run this as a user who may write there")
		}
		if err := atomicfile.Replace(file, edited, mode); err != nil {
			return fmt.Errorf("write the configuration: %w", err)
		}
	}
	if places := a.configPlaces(); changed && doc == nil && file == places[0] {
		for _, place := range places[1:] {
			if _, err := os.Stat(place); err == nil {
				a.warn(fmt.Sprintf("from now on this user's %s is read, and %s is not", file, place))
			}
		}
	}
	if a.jsonOut {
		return a.printJSON(struct {
			File     string            `json:"file"`
			Changed  bool              `json:"changed"`
			Settings map[string]string `json:"settings"`
		}{file, changed, values})
	}
	a.sayNext(values, changed)
	_, err = fmt.Fprintln(a.stdout, file)
	return err
}

// readOldConfig returns the configuration that is in file, and the mode that
// it is to have; nothing if there is none. It has to be one that can be read,
// so that nothing of it is lost.
func readOldConfig(file string) (doc []byte, mode fs.FileMode, err error) {
	doc, err = readConfigFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		// Not a secret, and the bot's user has to read the machine's.
		return nil, 0o644, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read configuration: %w", err)
	}
	if _, problems := checkConfig(file, doc); len(problems) > 0 {
		return nil, 0, problems[0]
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, 0, fmt.Errorf("read configuration: %w", err)
	}
	return doc, info.Mode().Perm(), nil
}

// kindOf returns what the values of a configuration key are.
func kindOf(key string) valueKind {
	i := slices.IndexFunc(configKeys, func(k configKey) bool { return k.name == key })
	return configKeys[i].kind
}

// completeConfig returns values with what is still missing: by questions if
// somebody can be asked, else by defaults.
func (a *app) completeConfig(ctx context.Context, file string, doc []byte, values map[string]string, given map[string]bool, f initFlags) (map[string]string, error) {
	guess := func(key string) string {
		switch {
		case values[key] != "":
			return values[key]
		case key == "port":
			return runtime.GOOS + "-" + runtime.GOARCH
		case key == "host-type" && values["coordinator"] != "":
			return "host-" + values["port"]
		}
		return ""
	}
	var person *prompter
	if !f.yes && !f.dryRun && !a.jsonOut {
		person = a.prompter()
	}
	if person == nil {
		for _, key := range []string{"port", "host-type"} {
			if value := guess(key); value != "" && !given[key] {
				values[key] = value
			}
		}
		if values["hostname"] == "" {
			return nil, hint.With(usageErrorf("no host name for this machine"),
				"give --hostname %s-HANDLE, where HANDLE is your GitHub name; on a terminal gobuild init asks for it", values["port"])
		}
		return values, nil
	}
	defer person.close()
	fmt.Fprintf(person.out, "Settings for %s. Enter takes what stands in brackets; \"-\" leaves a setting empty.\n", file)
	for _, q := range []struct{ key, question string }{
		{"port", "Port of this machine, GOOS-GOARCH"},
		{"hostname", "Host name, GOOS-GOARCH-HANDLE with your GitHub name"},
		{"coordinator", "URL of the coordinator it works for, empty for none"},
		{"host-type", "Host type that it registers as"},
	} {
		if given[q.key] || q.key == "host-type" && values["coordinator"] == "" {
			continue
		}
		answer, err := person.ask(ctx, q.question, guess(q.key), func(answer string) error {
			switch answer {
			case "-", "":
				if q.key == "hostname" {
					return errors.New("a machine needs a name")
				}
				return nil
			}
			return kindOf(q.key).check(answer)
		})
		if err != nil {
			return nil, err
		}
		if answer == "-" {
			answer = ""
		}
		values[q.key] = answer
	}
	edited, err := editConfig(file, doc, initKeys, values)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(person.out, "\n%s\n", edited)
	ok, err := person.confirm(ctx, "Write this to "+file+"?")
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errors.New("not written; nothing was changed")
	}
	return values, nil
}

// sayNext tells the owner what comes next, on stderr.
func (a *app) sayNext(values map[string]string, changed bool) {
	if !changed {
		fmt.Fprintln(a.stderr, "nothing to change; the configuration is in:")
		return
	}
	fmt.Fprintln(a.stderr, "next: gobuild doctor tells what this machine still lacks")
	if values["cert-pem"] == "" {
		fmt.Fprintf(a.stderr, "      gobuild csr %s makes the key and the certificate request of a LUCI bot\n", values["hostname"])
	}
	fmt.Fprintf(a.stderr, "      gobuild request %s asks for it to be taken in\n", values["port"])
	fmt.Fprintln(a.stderr, "the configuration is in:")
}
